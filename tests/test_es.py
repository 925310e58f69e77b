"""Evolution strategies: the estimate against closed forms, episodes, and populations on many workers."""

import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import npintdim as nid
from npintdim.cli import main
from npintdim.es import Statistics, spread
from npintdim.es.environments import Gymnasium, shrinking
from npintdim.es.policies import atari_policy, network, policy
from npintdim.es.strategy import centred_ranks
from npintdim.reproduce import reproduction

BACKEND = nid.get_backend("numpy", np.float64, 1)


class Quadratic:
    """L = ½ vᵀA v + bᵀv."""

    dim = 3
    A = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 3.0]])
    b = np.array([1.0, -2.0, 0.5])

    def loss_and_grad(self, v, batch):
        raise AssertionError("only its values are asked")

    def evaluate(self, v, data):
        loss = float(v @ self.A @ v / 2 + self.b @ v)
        return nid.Evaluation(loss, 0.0, 1)


def estimates(pairs, steps, sigma=0.3):
    v = np.array([0.3, -0.7, 0.2])
    strategy = nid.EvolutionStrategy(Quadratic(), sigma, pairs, seed=5, ranks=False)
    return np.array([strategy.loss_and_grad(v, nid.Batch(step=t))[1] for t in range(steps)])


def test_on_a_quadratic_its_mean_is_the_gradient_of_the_smoothed_loss():
    v = np.array([0.3, -0.7, 0.2])
    drawn = estimates(8, 400)
    error = drawn.mean(axis=0) - (Quadratic.A @ v + Quadratic.b)
    assert np.all(abs(error) < 4 * drawn.std(axis=0) / np.sqrt(len(drawn)))
    assert np.all(drawn.std(axis=0) > 0.1)  # or the bound would say nothing


def test_its_covariance_is_known_and_falls_as_one_over_n():
    """Of one pair (g·ε) ε: its covariance is |g|² I + g gᵀ, of n pairs a n-th."""
    v = np.array([0.3, -0.7, 0.2])
    g = Quadratic.A @ v + Quadratic.b
    for pairs, steps in ((1, 4000), (8, 1000)):
        variance = estimates(pairs, steps).var(axis=0)
        np.testing.assert_allclose(variance * pairs, g @ g + g * g, rtol=0.15)


def test_ranks_are_centred_and_ties_share_theirs():
    np.testing.assert_allclose(
        centred_ranks(np.array([[3.0, 1.0], [2.0, 9.0]])), [[1 / 6, -0.5], [-1 / 6, 0.5]]
    )
    np.testing.assert_array_equal(centred_ranks(np.ones((2, 2))), np.zeros((2, 2)))
    F = np.array([[5.0, 5.0], [1.0, 7.0]])
    assert centred_ranks(F).sum() == 0 and centred_ranks(F)[0, 0] == centred_ranks(F)[0, 1] == 0


def test_a_perturbation_is_what_its_address_says():
    strategy = nid.EvolutionStrategy(Quadratic(), 0.3, 4, seed=9)
    stream = nid.Stream(9, nid.Purpose.NOISE, 7)
    np.testing.assert_array_equal(strategy.noise(7, 2), stream.normals(3, 6) * 2.0**-20)
    assert not np.array_equal(strategy.noise(7, 2), strategy.noise(8, 2))


def balance(d=6, seed=3, **options):
    return policy(d, seed, "balance", **{"pairs": 4} | options)


def evolved(landscape, generations=10, lr=0.05):
    config = nid.TrainConfig(nid.Adam(lr), epochs=2, steps_per_epoch=generations)
    return nid.train(landscape, landscape.start(), None, config, progress=False)


def test_a_policy_learns_to_balance_in_a_subspace():
    run = evolved(balance(pairs=8, sigma=0.2), 15, lr=0.3)
    assert run.records[-1].test == 1.0 > balance().evaluate(balance().start(), nid.Batch()).performance


def test_observations_are_standardised_by_what_was_seen_and_resumed():
    landscape = balance()
    assert landscape.landscape.landscape.statistics.count == 0
    run = evolved(landscape, 3)
    episodes = landscape.landscape.landscape
    seen = episodes.statistics
    assert seen.count > 100
    again = pickle.loads(pickle.dumps(landscape))
    assert again.landscape.landscape.statistics == seen
    results = [x.loss_and_grad(run.theta, nid.Batch(step=6)) for x in (landscape, again)]
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    # kept with the network: the compressed file acts as the policy does
    P = landscape.landscape.P
    compressed = nid.CompressedModel.from_parts(episodes.policy(), 3, P, run.theta)
    x = np.array([[0.02, -0.3]], np.float32)
    y = episodes.policy().forward(landscape.theta(run.theta), x)[0]
    np.testing.assert_allclose(compressed.network.forward(compressed.theta(), x)[0], y, rtol=1e-5)


def test_a_compressed_policy_is_loaded_with_its_statistics(tmp_path):
    landscape = balance()
    run = evolved(landscape, 3)
    episodes = landscape.landscape.landscape
    compressed = nid.CompressedModel.from_parts(episodes.policy(), 3, landscape.landscape.P, run.theta)
    compressed.save(tmp_path / "policy.npid")
    loaded = nid.CompressedModel.load(tmp_path / "policy.npid")
    assert loaded.network.layers[0] == episodes.policy().layers[0]
    np.testing.assert_array_equal(loaded.theta(), compressed.theta())


def test_statistics_are_the_mean_and_sd_of_all():
    x = np.random.default_rng(0).normal(3, 2, (50, 4))
    both = Statistics.of(x[:20]) + Statistics.of(x[20:])
    np.testing.assert_allclose(both.layer().mean, x.mean(axis=0))
    np.testing.assert_allclose(both.layer().sd, x.std(axis=0))


def test_noise_of_actions_is_off_at_evaluation():
    quiet, noisy = (nid.Episodes("balance", nid.mlp([2, 3, 1], BACKEND), 2, 0, noise) for noise in (0.0, 0.5))
    theta = quiet.start()
    assert quiet.evaluate(theta, nid.Batch()) == noisy.evaluate(theta, nid.Batch())
    assert quiet.evaluate(theta, nid.Batch(step=1)) != noisy.evaluate(theta, nid.Batch(step=1))
    own = nid.Episodes("balance", nid.mlp([2, 3, 2], BACKEND), 2)  # the second output is its noise's log sd
    theta = own.start()
    theta[-1] = -5.0
    calm = own.evaluate(theta, nid.Batch(step=1)).loss, own.evaluate(theta, nid.Batch()).loss
    theta[-1] = 1.0
    assert (
        own.evaluate(theta, nid.Batch()).loss == calm[1]
        and own.evaluate(theta, nid.Batch(step=1)).loss != calm[0]
    )


def test_a_policys_own_noise_is_in_units_of_action_noise():
    net = nid.mlp([2, 3, 2], BACKEND)

    def loss(noise, theta):
        return nid.Episodes("balance", net, 2, action_noise=noise).evaluate(theta, nid.Batch(step=1)).loss

    theta = net.init_theta(0)
    eighth = loss(0.125, theta)
    theta[-1] -= np.log(8)
    assert loss(0.0, theta) == pytest.approx(eighth, rel=1e-4)
    assert loss(0.125, theta) != pytest.approx(eighth, rel=1e-4)


def test_returns_are_shifted_to_the_least():
    model = nid.mlp([2, 3, 1], BACKEND)
    earned = 100 * nid.Episodes("balance", model).evaluate(model.init_theta(0), nid.Batch()).performance
    shifted = nid.Episodes("balance", model, range=(-100, 300)).evaluate(model.init_theta(0), nid.Batch())
    assert shifted.performance == pytest.approx((earned + 100) / 400)
    low = nid.Episodes("balance", model, range=(90, 100)).evaluate(model.init_theta(0), nid.Batch())
    assert low.performance == 0.0 and low.loss > 1


def test_the_recipe_measures_d_int(tmp_path):
    recipe = nid.objective_recipe(
        policy, options={"environment": "balance", "pairs": 2}, d=(1, 4), seeds=1, direct_seeds=1, epochs=1,
        optimizer=nid.Adam(0.3).spec(), direct_optimizer=nid.Adam(0.05).spec(),
    )  # fmt: skip
    m = nid.measure(recipe, tmp_path, jobs=1)
    assert m.D == 2 * 8 + 8 + 8 + 1 and m.baseline.direct == (1.0,)


def same(landscape, executor):
    v = np.linspace(-1, 1, landscape.dim).astype(np.float32)
    with spread(executor):
        return [landscape.loss_and_grad(v, nid.Batch(step=t)) for t in range(3)]


def here(landscape):
    v = np.linspace(-1, 1, landscape.dim).astype(np.float32)
    return [landscape.loss_and_grad(v, nid.Batch(step=t)) for t in range(3)]


def alike(ours, theirs):
    return all(a[0] == b[0] and a[1].tobytes() == b[1].tobytes() for a, b in zip(ours, theirs, strict=True))


def test_processes_give_the_same_bits():
    from multiprocessing import get_context

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert alike(same(balance(), pool), here(balance()))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_dask_workers_give_the_same_bits(workers):
    distributed = pytest.importorskip("distributed", reason="pip install 'npintdim[dask]'")
    from test_sweep_dask import local_cluster

    with local_cluster(workers) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        assert alike(same(balance(), client.get_executor(pure=False)), here(balance()))


def test_a_killed_worker_costs_its_members_only_and_the_generation_completes():
    distributed = pytest.importorskip("distributed", reason="pip install 'npintdim[dask]'")
    from test_sweep_dask import local_cluster

    landscape = balance(pairs=24, episodes=30)
    expected = here(landscape)
    with local_cluster(2) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        pids = [worker.pid for worker in cluster.workers.values()]
        timer = threading.Timer(0.5, os.kill, (pids[0], signal.SIGKILL))
        timer.start()
        assert alike(same(balance(pairs=24, episodes=30), client.get_executor(pure=False)), expected)
        assert not timer.is_alive()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nid.EvolutionStrategy(Quadratic(), 0.0, 1), "sigma is 0.0: a number > 0 is needed"),
        (lambda: nid.EvolutionStrategy(Quadratic(), 1.0, 0), "pairs is 0: pairs ≥ 1 is needed"),
        (lambda: nid.Episodes("balance", nid.mlp([3, 1])), r"the model takes \(3,\), but 'balance' is observed as \(2,\)"),
        (lambda: nid.Episodes("balance", nid.mlp([2, 3])), "the model has 3 outputs, but an action of 'balance' is 1 numbers"),
        (lambda: nid.Episodes("balance", nid.mlp([2, 1]), range=(1, 1)), r"range is \(1, 1\)"),
        (lambda: policy(None, 0, "Acrobot-v1"), "environment is 'Acrobot-v1': with model, or one of balance, Cart"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_before_any_run(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_without_gymnasium_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(
        ImportError,
        match=r"environment 'CartPole-v1' needs the gymnasium package: pip install 'npintdim\[rl\]'",
    ):
        nid.Episodes("CartPole-v1", nid.mlp([4, 2]))


def test_atari_nets_have_the_papers_numbers_and_screens_keep_their_mean():
    net = atari_policy(6)
    assert net.D == 1_005_974
    affine = sum(
        int(np.prod(shape)) for name, shape in net.layout.entries if "gamma" in name or "beta" in name
    )
    assert affine == 608
    for side in (210, 160):
        np.testing.assert_allclose(shrinking(side).sum(axis=1), 1, rtol=1e-5)


DIMENSIONS = [
    ("CartPole-v1", 562),
    ("InvertedPendulum-v5", 541),
    ("Humanoid-v4", 166_673),
    ("ALE/Pong-v5", 1_005_974),
]


@pytest.mark.parametrize(("environment", "D"), DIMENSIONS)
def test_policies_have_the_papers_D(environment, D):
    assert network(environment, backend=BACKEND).D == D


def test_recipes_say_their_D():
    gymnasium()
    said = [reproduction(name).cases[0].D for name in ("cartpole", "inverted-pendulum")]
    assert [*said, reproduction("inverted-pendulum").cases[1].D] == [562, 541, 562]
    pytest.importorskip("ale_py", reason="pip install 'npintdim[atari]'")
    assert reproduction("pong").cases[0].D == 1_005_974


def gymnasium():
    return pytest.importorskip("gymnasium", reason="pip install 'npintdim[rl]'")


def test_gymnasium_cartpole_is_played():
    gymnasium()
    landscape = policy(5, 0, "CartPole-v1", pairs=2)
    loss, grad = landscape.loss_and_grad(landscape.start(), nid.Batch())
    assert 0 < loss < 1 and grad.shape == (5,)
    assert Gymnasium("CartPole-v1").steps == 500  # as its wrapper says, which is not used


def test_an_unknown_environment_and_another_action_space_are_one_line():
    made = gymnasium()
    for name in ("Nowhere-v1", "nowhere", "a b"):
        with pytest.raises(ValueError, match=f"environment '{name}' cannot be made: ") as error:
            nid.Episodes(name, nid.mlp([2, 1]))
        assert "\n" not in str(error.value)
    spaces = made.spaces

    class Odd(made.Env):
        observation_space = spaces.Box(-1, 1, (2,))
        action_space = spaces.MultiBinary(3)

    with pytest.raises(
        ValueError, match=r"range is None, and environment 'Acrobot-v1' is none of balance, Cart"
    ):
        nid.Episodes("Acrobot-v1", nid.mlp([6, 3]))
    made.register("npintdim-odd-v0", Odd)
    with pytest.raises(ValueError, match=r"has the action space .*: Box\(k,\) or Discrete\(k\) is needed"):
        Gymnasium("npintdim-odd-v0")


def test_a_recipe_says_what_it_lacks_before_any_run(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    assert main(["reproduce", "inverted-pendulum", "--quick", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error == (
        "npintdim: error: environment 'InvertedPendulum-v5' needs the gymnasium package: "
        "pip install 'npintdim[rl]'\n"
    )
    assert not (tmp_path / "out").exists()


def test_pong_is_played_or_a_missing_rom_is_one_line():
    gymnasium()
    pytest.importorskip("ale_py", reason="pip install 'npintdim[atari]'")
    from npintdim.es.environments import open_environment

    pong = open_environment("ALE/Pong-v5")
    first = pong.reset(0)
    assert first.shape == (4, 84, 84) and 0 < first.mean() < 1 and pong.actions == 6
    with pytest.raises(ValueError, match=r"environment 'ALE/NoSuchGame-v5' cannot be made: "):
        open_environment("ALE/NoSuchGame-v5")


def test_replace_keeps_the_strategy():
    strategy = nid.EvolutionStrategy(Quadratic(), 0.3, 4, seed=9)
    assert replace(strategy, pairs=2).spec()["evolution strategy"]["pairs"] == 2


@pytest.mark.parametrize("given", [0.5, None, (0.5, 0.5, 1)], ids=str)
def test_what_a_member_gives_is_looked_at(given):
    class Odd(Quadratic):
        def evaluate(self, v, data):
            return given

    with pytest.raises(TypeError, match=r"evaluate gave a \w+: an Evaluation\("):
        nid.EvolutionStrategy(Odd(), 0.3, 1).loss_and_grad(np.zeros(3), nid.Batch())
    with pytest.raises(TypeError, match="landscape is the class Odd: dim and evaluate are needed"):
        nid.EvolutionStrategy(Odd, 0.3, 1)


@pytest.fixture
def own_environment():
    """Registers one of a person's own, whose parts are given."""
    made = gymnasium()

    def register(actions=None, wrapped=lambda env: env, **parts):
        class Own(made.Env):
            observation_space = made.spaces.Box(-1, 1, (2,))
            action_space = actions or made.spaces.Box(-1, 1, (2,))

            def reset(self, *, seed=None, options=None):
                return parts.get("reset", (np.zeros(2, np.float32), {}))

            def step(self, action):
                assert self.action_space.contains(action) or np.isnan(action).any(), action
                return parts.get("step", (np.zeros(2, np.float32), 1.0, True, False, {}))

        name = "npintdim-own-v0"
        made.registry.pop(name, None)
        made.register(name, lambda: wrapped(Own()))
        return nid.Episodes(name, nid.mlp([2, 2]), range=(0, 10), action_noise=0.1)

    yield register
    made.registry.pop("npintdim-own-v0", None)


def test_an_environments_own_wrappers_stay_and_actions_are_of_its_space(own_environment):
    spaces, wrappers = gymnasium().spaces, gymnasium().wrappers
    for actions in (None, spaces.Box(0, 5, (2,), np.int64)):
        landscape = own_environment(actions, lambda env: wrappers.TransformReward(env, lambda r: 3 * r))
        assert landscape.evaluate(landscape.start(), nid.Batch(step=1)).performance == 0.3
    chosen = policy(None, 0, landscape.environment, nid.mlp([2, 2]).spec(), range=(0, 3))
    assert chosen.evaluate(chosen.start(), nid.Batch()).performance == 1


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"reset": np.zeros(2)}, TypeError, r"reset gave array.*: \(observation of shape \(2,\), info\) is needed"),
        ({"reset": (np.zeros(3), {})}, TypeError, r"reset gave .*: \(observation of shape \(2,\), info\) is needed"),
        ({"step": (np.zeros(2), 1.0, True, {})}, TypeError, r"step gave .*, reward, terminated, truncated, info\) is"),
        ({"step": (np.zeros(2), np.nan, True, False, {})}, ValueError, "gave NaN or infinity in an episode of 1 steps"),
        ({"reset": (np.full(2, np.nan), {})}, ValueError, "gave NaN or infinity in an episode of 1 steps"),
    ],
)  # fmt: skip
def test_what_an_environment_gives_is_looked_at(own_environment, parts, error, message):
    landscape = own_environment(**parts)
    with pytest.raises(error, match=f"environment 'npintdim-own-v0'.* ?{message}"):
        landscape.evaluate(landscape.start(), nid.Batch())


@pytest.mark.parametrize(
    "parts", [{"step": (np.zeros(2), np.nan, True, False, {})}, {"reset": (np.full(2, np.nan), {})}], ids=list
)
def test_a_policy_that_has_diverged_is_not_blamed_on_the_environment(own_environment, parts):
    landscape = own_environment(**parts)
    found = landscape.evaluate(np.full(landscape.dim, np.nan, np.float32), nid.Batch())
    assert np.isnan(found.loss) and np.isnan(found.performance) and found.seen is None
