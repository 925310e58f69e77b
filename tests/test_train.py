"""The training loop: what it uses, what it leaves alone, how it ends, and that it knows nothing of subspaces."""

import json
import math
import pickle
import sys
import time
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import frozen, normal, project, same_bits

from npintdim.backend import get_backend
from npintdim.engine.architectures import mlp
from npintdim.engine.initializers import HeNormal, Zeros
from npintdim.engine.landscape import Batch, Dataset, Evaluation, Landscape
from npintdim.engine.layers import Layer, Linear, ParameterFree
from npintdim.engine.model import Model
from npintdim.engine.optimizers import SGD, Adam, optimizer_from_spec
from npintdim.engine.progress import Progress
from npintdim.engine.train import TrainConfig, batches, train
from npintdim.objective import L2, SubspaceObjective
from npintdim.testing.gradient import gradient_check
from npintdim.toy.problem import ToyProblem


def blobs(n, seed, dtype=np.float64):
    """Three well separated clouds in the plane."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    centres = np.array([[2.0, 0], [-2, 1], [0, -2]])
    x = centres[labels] + 0.5 * rng.standard_normal((n, 2))
    return Batch(frozen(x.astype(dtype)), frozen(labels))


DATA = Dataset("blobs", blobs(100, 0), blobs(40, 1), 3)
PLAIN = get_backend("numpy", np.float64, threads=1)
STEPS = TrainConfig(SGD(lr=0.05, momentum=0.0), epochs=3, batch_size=32)


def fresh(backend=PLAIN):
    model = mlp([2, 8, 3], backend)
    return model, frozen(model.init_theta(0))


# ---- learning ----


@pytest.mark.parametrize("optimizer", [Adam(lr=1e-2), SGD(lr=0.1)])
def test_loss_decreases_and_performance_rises(backend, optimizer):
    model, theta_0 = fresh(backend)
    run = train(model, theta_0, DATA, TrainConfig(optimizer, epochs=8, batch_size=16))
    losses = [record.loss for record in run.records]
    assert run.status == "finished"
    assert [record.epoch for record in run.records] == list(range(8))
    assert losses[-1] < 0.3 * losses[0]
    assert run.records[-1].test > 0.9
    assert all(record.seconds >= 0 for record in run.records)
    assert model.evaluate(run.theta, DATA.test).performance == run.records[-1].test
    assert model.evaluate(run.theta, DATA.train).performance == run.records[-1].train


@pytest.mark.parametrize("rule", [Adam(), SGD()])
def test_a_rule_remembers_nothing_at_first(rule):
    assert [part.tolist() for part in rule.start(np.ones(3))] == [[0.0] * 3] * len(rule.start(np.ones(3)))


def test_a_subspace_learns_too(draw):
    model, theta_0 = fresh(draw(1, 1).backend)
    objective = SubspaceObjective(model, theta_0, draw(model.D, 15))
    start = objective.evaluate(objective.start(), DATA.train).loss
    run = train(objective, objective.start(), DATA, TrainConfig(Adam(lr=0.05), epochs=8, batch_size=16))
    assert run.theta.shape == (15,)
    assert objective.evaluate(run.theta, DATA.train).loss < 0.5 * start
    assert run.records[-1].test == objective.evaluate(run.theta, DATA.test).performance


def test_a_float32_run_stays_float32(backend_name):
    backend = get_backend(backend_name, threads=1)
    model, theta_0 = fresh(backend)
    data = Dataset("blobs", blobs(50, 0, np.float32), blobs(20, 1, np.float32), 3)
    P = project("stacked", model.D, 6, backend=backend_name, dtype=np.float32)
    for landscape, start in (
        (model, theta_0),
        (SubspaceObjective(model, theta_0, P), np.zeros(6, np.float32)),
    ):
        for optimizer in (Adam(), SGD(), SGD(momentum=0.0)):
            run = train(landscape, start, data, TrainConfig(optimizer, epochs=2, batch_size=16))
            assert run.theta.dtype == np.float32


def test_training_performance_is_measured_on_the_first_examples():
    model, theta_0 = fresh()
    run = train(model, theta_0, DATA, TrainConfig(epochs=1, batch_size=16, train_examples=7))
    first = Batch(DATA.train.x[:7], DATA.train.labels[:7])
    assert run.records[0].train == model.evaluate(run.theta, first).performance


def test_loss_of_a_record_is_the_mean_over_examples():
    """The last batch has 4 of the 100 examples, and counts as 4."""
    model, theta = fresh()
    config = TrainConfig(SGD(lr=1e-300, momentum=0.0), epochs=1, batch_size=32)
    run = train(model, theta, DATA, config)
    assert run.records[0].loss == pytest.approx(model.evaluate(theta, DATA.train).loss, rel=1e-12)


# ---- batches ----


@dataclass
class Witness:
    """L = 0; writes down every batch it is given, and fails at step `stop`."""

    dim: int = 2
    stop: int | None = None
    error: type[BaseException] = KeyboardInterrupt

    def __post_init__(self):
        self.batches = []

    def loss_and_grad(self, theta, batch):
        if len(self.batches) == self.stop:
            raise self.error
        self.batches.append(batch)
        return np.float64(0.5), np.ones(self.dim)

    def evaluate(self, theta, data):
        return Evaluation(0.0, 0.25, max(1, len(data)))


def numbered(n):
    x = frozen(np.arange(float(n)).reshape(n, 1))
    return Dataset("numbered", Batch(x, frozen(np.arange(n))), Batch(x[:1], frozen(np.zeros(1, int))), n)


GOLDEN_ORDER = [8, 5, 4, 6, 9, 0, 2, 7, 1, 3]


def orders(seed, epochs=3, n=10, batch_size=4):
    witness = Witness()
    train(witness, np.zeros(2), numbered(n), TrainConfig(SGD(), epochs, batch_size, seed))
    for batch in witness.batches:
        np.testing.assert_array_equal(batch.x[:, 0], batch.labels)  # x and labels stay together
    labels = np.concatenate([batch.labels for batch in witness.batches]).reshape(epochs, n)
    return labels, witness.batches


def test_every_epoch_sees_every_example_once_in_a_new_order():
    labels, seen = orders(seed=1)
    assert [len(batch) for batch in seen] == [4, 4, 2] * 3  # the last, smaller one too
    for epoch in labels:
        assert sorted(epoch) == list(range(10))
    assert not np.array_equal(labels[0], labels[1])
    assert not np.array_equal(labels[1], labels[2])
    assert not np.array_equal(labels[0], np.arange(10))


def test_order_is_a_function_of_the_seed():
    np.testing.assert_array_equal(orders(seed=1)[0], orders(seed=1)[0])
    assert not np.array_equal(orders(seed=1)[0], orders(seed=2)[0])
    assert orders(seed=1, epochs=1)[0].tolist() == [GOLDEN_ORDER]


def test_order_does_not_depend_on_numpys_generator():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    orders(seed=1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_steps_count_on_through_the_epochs():
    assert [batch.step for batch in orders(seed=1)[1]] == list(range(9))
    steps = [batch.step for batch in batches(None, TrainConfig(steps_per_epoch=3), 2, 6)]
    assert steps == [6, 7, 8]


def test_batch_of_all_examples():
    _, seen = orders(seed=1, batch_size=10)
    assert [len(batch) for batch in seen] == [10, 10, 10]


def test_a_batch_takes_no_more_memory_than_its_own():
    x = np.ones((500, 1000)).T  # whose examples are scattered
    part = Batch(x, np.zeros(1000, int))
    of_an_epoch = batches(Dataset("scattered", part, part, 1), TrainConfig(batch_size=10), 0, 0)
    next(of_an_epoch)
    tracemalloc.start()
    try:
        assert next(of_an_epoch).x.shape == (10, 500)
        assert tracemalloc.get_traced_memory()[1] < 3 * 10 * 500 * 8
    finally:
        tracemalloc.stop()


# ---- what it leaves alone ----


def test_the_same_run_has_the_same_bits(backend):
    model, theta_0 = fresh(backend)
    one, two = (train(model, theta_0, DATA, STEPS) for _ in range(2))
    same_bits(one.theta, two.theta)
    assert [record.loss for record in one.records] == [record.loss for record in two.records]


@pytest.mark.parametrize("optimizer", [Adam(), SGD(), SGD(momentum=0.0)])
def test_the_start_is_not_written_to(optimizer):
    model, theta = fresh()
    theta = theta.copy()  # writable
    before = theta.copy()
    run = train(model, theta, DATA, TrainConfig(optimizer, epochs=1, batch_size=16))
    same_bits(theta, before)
    run.theta[:] = np.nan
    same_bits(theta, before)


def test_theta_0_of_a_subspace_is_frozen():
    model, theta_0 = fresh()
    objective = SubspaceObjective(model, theta_0, project("stacked", model.D, 5))
    same_bits(objective.theta(objective.start()), theta_0)  # θ_d = 0 is θ_0, bit for bit
    train(objective, objective.start(), DATA, STEPS)
    same_bits(objective.theta(objective.start()), theta_0)
    objective.theta(objective.start())[:] = np.nan
    same_bits(objective.theta(objective.start()), theta_0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_start_of_every_subspace_is_theta_0(draw, dtype):
    model = mlp([2, 8, 3], draw(1, 1, dtype=dtype).backend)
    theta_0 = frozen(model.init_theta(0))
    objective = SubspaceObjective(model, theta_0, draw(model.D, 5, dtype=dtype))
    same_bits(objective.theta(objective.start()), theta_0)


# ---- how it ends ----


@pytest.mark.parametrize("optimizer", [SGD(lr=1e30), SGD(lr=1e200, momentum=0.0), Adam(lr=1e300)])
def test_a_run_that_diverges_says_so(optimizer):
    model, theta_0 = fresh()
    run = train(model, theta_0, DATA, TrainConfig(optimizer, epochs=20, batch_size=16))
    assert run.status == "diverged"
    assert len(run.records) < 20
    assert np.isfinite(run.theta).all()


def test_theta_of_a_diverged_run_is_that_of_its_last_finite_epoch():
    toy = ToyProblem(20, 5)
    config = TrainConfig(SGD(lr=0.3, momentum=0.0), epochs=400, steps_per_epoch=5)
    run = train(toy, np.ones(20), None, config)
    assert run.status == "diverged"
    assert len(run.records) > 10
    assert math.isfinite(run.records[-2].loss)
    assert math.isfinite(toy.evaluate(run.theta).loss)


def test_a_last_step_that_goes_too_far_is_a_divergence():
    toy = ToyProblem(20, 5)
    config = TrainConfig(SGD(lr=1e300, momentum=0.0), epochs=1, steps_per_epoch=1)
    run = train(toy, np.zeros(20), None, config)
    assert run.status == "diverged"
    np.testing.assert_array_equal(run.theta, np.zeros(20))


def test_a_start_that_is_not_finite_diverges_at_once():
    run = train(ToyProblem(20, 5), np.full(20, np.nan), None, STEPS)
    assert (run.status, len(run.records)) == ("diverged", 1)


@pytest.mark.parametrize("stop", [0, 4, 7, 10])
def test_an_interrupted_run_returns_what_it_reached(stop):
    witness = Witness(stop=stop)
    run = train(
        witness, np.zeros(2), None, TrainConfig(SGD(lr=0.1, momentum=0.0), epochs=4, steps_per_epoch=5)
    )
    assert run.status == "interrupted"
    np.testing.assert_allclose(run.theta, -0.1 * stop * np.ones(2))
    assert len(run.records) == stop // 5


def test_an_interrupted_evaluation_keeps_the_steps():
    class Impatient(Witness):
        def evaluate(self, theta, data):
            raise KeyboardInterrupt

    run = train(Impatient(), np.zeros(2), None, TrainConfig(SGD(lr=1.0, momentum=0.0), 1, steps_per_epoch=3))
    assert (run.status, run.records) == ("interrupted", ())
    np.testing.assert_array_equal(run.theta, [-3, -3])


def test_other_errors_are_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        train(Witness(stop=2, error=ZeroDivisionError), np.zeros(2), None, STEPS)


# ---- laws ----


@pytest.mark.parametrize("kind", ["gaussian", "rademacher", "sparse", "stacked", "single"])
def test_the_toy_problem_reaches_its_closed_form_optimum(kind):
    toy, theta_0 = ToyProblem(), normal(1000)
    for d in (1, 5, 9):
        P = project(kind, 1000, d)
        theta_d, least = toy.optimum(theta_0, P.to_dense())
        objective = SubspaceObjective(toy, theta_0, P)
        config = TrainConfig(SGD(lr=0.05, momentum=0.95), epochs=6, steps_per_epoch=200)
        run = train(objective, objective.start(), None, config)
        assert run.records[-1].loss == pytest.approx(least, rel=1e-5)
        np.testing.assert_allclose(run.theta, theta_d, atol=1e-4 * np.abs(theta_d).max())
        assert run.records[-1].train == run.records[-1].test == pytest.approx(math.exp(-least), rel=1e-4)


def test_from_ten_directions_on_the_toy_problem_is_solved():
    toy, P = ToyProblem(), project("stacked", 1000, 12)
    objective = SubspaceObjective(toy, normal(1000), P)
    config = TrainConfig(SGD(lr=0.05, momentum=0.95), epochs=20, steps_per_epoch=200)
    run = train(objective, objective.start(), None, config)
    assert run.records[-1].test > 0.999


def test_sgd_in_theta_d_is_projected_sgd_in_theta(draw):
    """θ ← θ − lr · P Pᵀ ∇L."""
    model, theta_0 = fresh(draw(1, 1).backend)
    P = draw(model.D, 7)
    objective = SubspaceObjective(model, theta_0, P)
    run = train(objective, objective.start(), DATA, STEPS)
    theta, step = theta_0, 0
    for epoch in range(STEPS.epochs):
        for batch in batches(DATA, STEPS, epoch, step):
            theta = theta - 0.05 * P.apply(P.adjoint(model.loss_and_grad(theta, batch)[1]))
            step += 1
    np.testing.assert_allclose(objective.theta(run.theta), theta, rtol=0, atol=1e-12)
    assert np.linalg.norm(theta - theta_0) > 0.05


@dataclass
class Scaled:
    """c · P."""

    P: object
    c: float

    def __getattr__(self, name):
        return getattr(self.P, name)

    def apply(self, v, out=None):
        return self.c * self.P.apply(v)

    def adjoint(self, g, out=None):
        return self.c * self.P.adjoint(g)


@pytest.mark.parametrize("c", [0.1, 30.0])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_P_times_c_and_lr_over_c_squared_is_the_same_path(c, momentum):
    model, theta_0 = fresh()
    P = project("stacked", model.D, 7)
    paths = []
    for projection, lr in ((P, 0.02), (Scaled(P, c), 0.02 / c**2)):
        objective = SubspaceObjective(model, theta_0, projection)
        run = train(objective, objective.start(), DATA, TrainConfig(SGD(lr, momentum), 3, 32))
        paths.append(objective.theta(run.theta))
    np.testing.assert_allclose(paths[0], paths[1], rtol=0, atol=1e-11)


def test_d_equal_to_D_with_an_orthogonal_P_is_direct_training():
    model = mlp([2, 9, 3], PLAIN)
    theta_0 = frozen(model.init_theta(0))
    Q = np.linalg.qr(normal(model.D, model.D))[0]

    @dataclass
    class Orthogonal:
        D: int = model.D
        d: int = model.D
        backend: object = PLAIN
        shape = model.D, model.D

        def apply(self, v, out=None):
            return Q @ v

        def adjoint(self, g, out=None):
            return Q.T @ g

    objective = SubspaceObjective(model, theta_0, Orthogonal())
    for optimizer in (SGD(0.05, 0.0), SGD(0.05, 0.9)):
        config = TrainConfig(optimizer, epochs=3, batch_size=32)
        direct = train(model, theta_0, DATA, config)
        run = train(objective, objective.start(), DATA, config)
        np.testing.assert_allclose(objective.theta(run.theta), direct.theta, rtol=0, atol=1e-11)
    adam = TrainConfig(Adam(1e-2), epochs=3, batch_size=32)  # Adam is not invariant: this is a law of SGD
    moved = train(objective, objective.start(), DATA, adam).theta
    assert np.abs(objective.theta(moved) - train(model, theta_0, DATA, adam).theta).max() > 1e-3


def test_l2_pulls_kernels_towards_zero():
    model, theta_0 = fresh()
    config = TrainConfig(SGD(0.05, 0.0), epochs=20, batch_size=32)
    plain = train(model, theta_0, DATA, config).theta
    decayed = train(L2(model, model.layout, 0.1), theta_0, DATA, config).theta
    size = [np.linalg.norm(model.layout.views(theta)["fc1.W"]) for theta in (plain, decayed)]
    assert size[1] < 0.7 * size[0]


# ---- what a user brings ----


def test_a_landscape_of_ones_own(backend):
    """Rosenbrock's valley; nothing of the package is subclassed."""

    class Rosenbrock:
        dim = 2

        def loss_and_grad(self, theta, batch):
            x, y = theta
            return (1 - x) ** 2 + 5 * (y - x * x) ** 2, np.array(
                [-2 * (1 - x) - 20 * x * (y - x * x), 10 * (y - x * x)]
            )

        def evaluate(self, theta, data):
            loss = float(self.loss_and_grad(theta, data)[0])
            return Evaluation(loss, math.exp(-loss), 1)

    valley = Rosenbrock()
    assert isinstance(valley, Landscape)
    gradient_check(valley, frozen(np.array([0.3, -0.7])))
    run = train(valley, np.zeros(2), None, TrainConfig(Adam(lr=0.02), epochs=20, steps_per_epoch=100))
    np.testing.assert_allclose(run.theta, [1, 1], atol=0.02)
    P = project("gaussian", 2, 1)
    objective = SubspaceObjective(valley, np.zeros(2), P)
    gradient_check(objective, frozen(np.array([0.4])))
    assert objective.spec()["landscape"]["landscape"].endswith("Rosenbrock")
    start = objective.evaluate(objective.start(), Batch()).loss
    run = train(objective, objective.start(), None, TrainConfig(Adam(lr=0.02), epochs=5))
    assert objective.evaluate(run.theta, Batch()).loss < start


@dataclass(frozen=True)
class Scale(Layer):
    """y = x · W + b, entry by entry: a layer that the package does not have."""

    n: int

    def param_shapes(self):
        return {"W": (self.n,), "b": (self.n,)}

    def initializers(self):
        return {"W": HeNormal(2), "b": Zeros()}

    def out_shape(self, in_shape):
        return in_shape

    def forward(self, backend, params, x):
        return x * params["W"] + params["b"], x

    def backward(self, backend, params, cache, dy, need_dx=True):
        return dy * params["W"], {"W": (dy * cache).sum(axis=0), "b": dy.sum(axis=0)}


@dataclass(frozen=True)
class Tanh(ParameterFree):
    def out_shape(self, in_shape):
        return in_shape

    def forward(self, backend, params, x):
        y = backend.xp.tanh(x)
        return y, y

    def backward(self, backend, params, cache, dy, need_dx=True):
        return dy * (1 - cache**2), {}


def test_layers_of_ones_own(backend):
    model = Model([Scale(2), Linear(2, 8), Tanh(), Scale(8, name="own"), Linear(8, 3)], (2,), backend)
    assert list(model.layout.slices) == [
        "scale1.W", "scale1.b", "linear1.W", "linear1.b", "own.W", "own.b", "linear2.W", "linear2.b",
    ]  # fmt: skip
    theta_0 = frozen(model.init_theta(0))
    gradient_check(model, frozen(theta_0 + 0.1), DATA.train)
    run = train(model, theta_0, DATA, TrainConfig(Adam(lr=0.02), epochs=10, batch_size=16))
    assert run.records[-1].test > 0.9
    assert model.spec()["layers"][0] == {"kind": "Scale", "name": "scale1", "n": 2}


def test_a_run_travels_to_another_process():
    model, theta_0 = fresh()
    objective = SubspaceObjective(model, theta_0, project("stacked", model.D, 5))
    there = pickle.loads(pickle.dumps(objective))
    config = pickle.loads(pickle.dumps(STEPS))
    run = pickle.loads(pickle.dumps(train(there, there.start(), DATA, config)))
    same_bits(run.theta, train(objective, objective.start(), DATA, STEPS).theta)


def test_specs_of_landscapes_say_what_was_trained():
    model, theta_0 = fresh()
    P = project("stacked", model.D, 5)
    objective = SubspaceObjective(L2(model, model.layout, 1e-4), theta_0, P)
    assert json.loads(json.dumps(objective.spec())) == {
        "landscape": {"L2": 1e-4, "landscape": {"architecture": "mlp", "sizes": [2, 8, 3]}},
        "P": {"kind": "fastfood", "D": 51, "d": 5, "seed": "1", "blocks": "stacked", "signs": True},
    }
    assert SubspaceObjective(ToyProblem(51, 3), theta_0, P).spec()["landscape"] == {"toy": {"D": 51, "s": 3}}


def test_data_moves_to_the_precision_of_a_backend():
    backend = get_backend("numpy", np.float32)
    moved = DATA.to(backend)
    assert moved.train.x.dtype == moved.test.x.dtype == np.float32
    assert (moved.name, moved.classes) == (DATA.name, DATA.classes)
    np.testing.assert_array_equal(moved.test.labels, DATA.test.labels)
    same_bits(moved.train.x, DATA.train.x.astype(np.float32))
    assert moved.to(backend).train.x is moved.train.x  # nothing moves where it is there already


@pytest.mark.parametrize("optimizer", [Adam(1e-4, 0.8, 0.95, 1e-6), SGD(0.3, 0.1)])
def test_optimizers_travel_as_specs(optimizer):
    assert optimizer_from_spec(optimizer.spec()) == optimizer


def test_the_defaults_are_the_papers():
    assert TrainConfig() == TrainConfig(Adam(lr=1e-3, beta1=0.9, beta2=0.99, eps=1e-8), batch_size=128)
    assert SGD() == SGD(lr=0.1, momentum=0.9)


# ---- progress ----


def hide_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)


def run_visibly(progress):
    train(Witness(), np.zeros(2), None, TrainConfig(SGD(), epochs=3, steps_per_epoch=1), progress, "walking")


def test_without_a_terminal_training_is_silent(capsys):
    run_visibly(None)
    run_visibly(False)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_training_is_shown(capsys, monkeypatch):
    hide_tqdm(monkeypatch)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run_visibly(None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "walking: 3/3 loss 0.5000, test 0.2500\n"
    run_visibly(False)
    assert capsys.readouterr() == ("", "")


def test_plain_lines_come_at_most_every_few_seconds(capsys, monkeypatch):
    hide_tqdm(monkeypatch)
    now = [100.0]
    monkeypatch.setattr("npintdim.engine.progress.time.monotonic", lambda: now[0])
    with Progress(20, "walking", True) as bar:
        for _ in range(20):
            now[0] += 2.0
            bar.step("on")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"walking: {k}/20 on" for k in (3, 6, 9, 12, 15, 18, 20)]


def test_with_tqdm_there_is_a_bar(capsys):
    pytest.importorskip("tqdm", reason="tqdm is not installed: pip install 'npintdim[sweep]'")
    with Progress(2, "walking", True) as bar:
        time.sleep(0.15)  # a bar moves ten times a second at most
        bar.step("loss 0.5000")
    out, err = capsys.readouterr()
    assert out == ""
    assert "walking:  50%" in err
    assert "1/2" in err
    assert "loss 0.5000" in err
    assert bar.bar.disable  # closed


def test_the_bar_is_closed_after_an_interruption(capsys):
    pytest.importorskip("tqdm", reason="tqdm is not installed: pip install 'npintdim[sweep]'")
    run = train(Witness(stop=1), np.zeros(2), None, TrainConfig(SGD(), 3, steps_per_epoch=1), True)
    assert run.status == "interrupted"
    assert capsys.readouterr().err.endswith("\r")  # the line is wiped
