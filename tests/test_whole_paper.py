"""`examples/00_whole_paper.py` stands alone, is right by itself, and is then the package's oracle."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import frozen, python, script
from scipy import stats

from npintdim.backend import get_backend
from npintdim.engine.architectures import mlp
from npintdim.engine.landscape import Batch
from npintdim.engine.optimizers import Adam
from npintdim.objective import SubspaceObjective
from npintdim.projections import make_projection
from npintdim.toy.problem import ToyProblem

PATH = Path(__file__).parents[1] / "examples" / "00_whole_paper.py"
SIZES = (7, 6, 5, 3)


paper = script(PATH)


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    theta = frozen(
        paper.init_theta(SIZES, rng) + 0.1 * rng.standard_normal(7 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3)
    )
    return theta, frozen(rng.standard_normal((20, 7))), frozen(rng.integers(0, 3, 20))


def active(theta, x):
    return [inputs > 0 for inputs in paper.mlp_forward(theta, x, SIZES)[1][1:]]


# ---- the example by itself ----


def test_it_runs_alone_and_finds_the_intrinsic_dimension():
    spy = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__'); print(sorted(sys.modules))"
    run = python(
        "-c", spy, PATH, encoding="utf-8", timeout=120,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    *_, last, modules = run.stdout.splitlines()
    assert re.match(r"d_int90 = 120: the first d above 90 % of the baseline, 0\.8[78]", last), run.stdout
    assert "'numpy'" in modules
    assert "'npintdim'" not in modules
    theory = [max(0.0, round(1 - d / 10, 1)) for d in range(1, 16)]
    rows = [line.split() for line in run.stdout.splitlines()[1:16]]
    assert [float(row[4]) for row in rows] == theory
    np.testing.assert_allclose([float(row[3]) for row in rows], theory, atol=0.035)  # 4 standard errors


def test_it_is_about_a_hundred_lines_of_numpy():
    text = PATH.read_text(encoding="utf-8")
    assert sum(1 for line in text.splitlines() if line.strip()) <= 130
    assert not re.search(r"^\s*(import|from)\s+npintdim", text, re.MULTILINE)


def test_gradient_is_the_central_difference(problem):
    theta, x, labels = problem
    _, grad = paper.mlp_loss_and_grad(theta, x, labels, SIZES)
    h = 1e-5
    for seed in range(5):
        v = np.random.default_rng(seed).standard_normal(len(theta))
        for a, b in zip(active(theta - h * v, x), active(theta + h * v, x), strict=True):
            np.testing.assert_array_equal(a, b)  # no ReLU kink in between
        plus, minus = (paper.mlp_loss_and_grad(theta + s * h * v, x, labels, SIZES)[0] for s in (1, -1))
        assert (plus - minus) / (2 * h) == pytest.approx(grad @ v, rel=1e-6, abs=0)


def test_subspace_gradient_is_the_central_difference(problem):
    theta_0, x, labels = problem
    P = paper.random_subspace(len(theta_0), 4, np.random.default_rng(1))
    args = (x, labels, theta_0, P, SIZES)
    theta_d, h = np.array([0.1, -0.2, 0.3, 0.05]), 1e-6
    _, grad = paper.subspace_loss_and_grad(theta_d, *args)
    for j, e_j in enumerate(np.eye(4)):
        plus, minus = (paper.subspace_loss_and_grad(theta_d + s * h * e_j, *args)[0] for s in (1, -1))
        assert (plus - minus) / (2 * h) == pytest.approx(grad[j], rel=1e-6, abs=0)


def test_loss_is_the_logarithm_of_the_number_of_classes_where_the_net_knows_nothing():
    theta, x = np.zeros(7 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3), np.ones((4, 7))
    loss, grad = paper.mlp_loss_and_grad(theta, x, np.array([0, 1, 2, 2]), SIZES)
    assert loss == pytest.approx(np.log(3), rel=1e-15)
    np.testing.assert_allclose(grad[-3:], [1 / 3 - 1 / 4, 1 / 3 - 1 / 4, 1 / 3 - 1 / 2])
    assert not grad[:-3].any()


def test_large_logits_do_not_overflow(problem):
    theta, x, labels = problem
    loss, grad = paper.mlp_loss_and_grad(1e3 * theta, x, labels, SIZES)
    assert np.isfinite(loss)
    assert np.isfinite(grad).all()


def test_columns_of_P_have_unit_length():
    P = paper.random_subspace(50, 7, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(P, axis=0), 1, rtol=1e-14)


def test_initial_weights_are_he_normals_cut_at_two_standard_deviations():
    layers = paper.unflatten(paper.init_theta((50, 200, 10), np.random.default_rng(0)), (50, 200, 10))
    for (W, b), n_in in zip(layers, (50, 200), strict=True):
        z = W * np.sqrt(n_in / 2)
        assert np.abs(z).max() <= 2
        assert z.std() == pytest.approx(stats.truncnorm(-2, 2).std(), rel=0.04)
        assert not b.any()


def test_first_adam_step_has_length_lr_in_every_coordinate():
    grad = np.array([3.0, -0.01, 2e5])
    theta, m, v = paper.adam_step(np.zeros(3), grad, np.zeros(3), np.zeros(3), 1, lr=0.25)
    np.testing.assert_allclose(theta, -0.25 * np.sign(grad), rtol=1e-4)
    np.testing.assert_allclose(m, 0.1 * grad)
    np.testing.assert_allclose(v, 0.01 * grad**2)


@pytest.mark.parametrize("d", [1, 5, 9])
def test_toy_optimum_follows_the_beta_law(d):
    rng, theta_0 = np.random.default_rng(d), frozen(np.zeros(1000))
    start = paper.toy_loss(theta_0)
    assert start == 385  # 1² + ... + 10²
    shares = [paper.toy_optimum(theta_0, paper.random_subspace(1000, d, rng)) / start for _ in range(300)]
    assert stats.kstest(shares, stats.beta((10 - d) / 2, d / 2).cdf).pvalue > 0.001


@pytest.mark.parametrize("d", [10, 15])
def test_toy_is_solved_from_ten_dimensions_on(d):
    rng = np.random.default_rng(0)
    assert paper.toy_optimum(rng.standard_normal(1000), paper.random_subspace(1000, d, rng)) < 1e-16


def test_toy_optimum_is_the_least_loss_in_the_subspace():
    rng = np.random.default_rng(0)
    theta_0, P = rng.standard_normal(1000), paper.random_subspace(1000, 4, rng)
    best = paper.toy_optimum(theta_0, P)
    assert all(paper.toy_loss(theta_0 + P @ (10 * rng.standard_normal(4))) > best for _ in range(200))


# ---- the example as the package's oracle ----

backend64 = pytest.mark.parametrize("backend", ["numpy", "numba"])


def get64(name):
    if name == "numba":
        pytest.importorskip("numba")
    return get_backend(name, dtype=np.float64, threads=1)


@backend64
def test_model_loss_and_gradient_are_the_examples(problem, backend):
    theta, x, labels = problem
    model = mlp(SIZES, backend=get64(backend))
    assert len(theta) == model.D
    loss, grad = model.loss_and_grad(theta, Batch(x, labels))
    expected_loss, expected_grad = paper.mlp_loss_and_grad(theta, x, labels, SIZES)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-14)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-12, atol=1e-15)
    hits = paper.mlp_forward(theta, x, SIZES)[0].argmax(axis=1) == labels
    assert model.evaluate(theta, Batch(x, labels)).performance == hits.mean()


def test_layout_is_the_order_of_the_example(problem):
    theta, _, _ = problem
    views = list(mlp(SIZES, backend=get64("numpy")).layout.views(theta).values())
    expected = [array for layer in paper.unflatten(theta, SIZES) for array in layer]
    for view, array in zip(views, expected, strict=True):
        np.testing.assert_array_equal(view, array)


@backend64
@pytest.mark.parametrize("kind", ["dense", "sparse", "fastfood"])
def test_subspace_objective_is_the_examples_chain_rule(problem, kind, backend):
    theta_0, x, labels = problem
    P = make_projection(kind, D=len(theta_0), d=6, seed=4, backend=get64(backend))
    objective = SubspaceObjective(mlp(SIZES, backend=get64(backend)), theta_0, P)
    theta_d = frozen(np.random.default_rng(1).standard_normal(6))
    loss, grad = objective.loss_and_grad(theta_d, Batch(x, labels))
    args = (x, labels, theta_0, P.to_dense(), SIZES)
    expected_loss, expected_grad = paper.subspace_loss_and_grad(theta_d, *args)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-13)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-11, atol=1e-14)


def test_ten_steps_of_adam_are_the_examples(problem):
    theta, x, labels = problem
    adam, ours = Adam(lr=0.02, beta2=0.99), theta
    state = adam.start(ours)
    m = v = np.zeros_like(theta)
    for t in range(1, 11):
        _, grad = paper.mlp_loss_and_grad(theta, x, labels, SIZES)
        theta, m, v = paper.adam_step(theta, grad, m, v, t, lr=0.02)
        _, grad = paper.mlp_loss_and_grad(ours, x, labels, SIZES)
        ours, state = adam.update(ours, grad, state, t)
        np.testing.assert_allclose(ours, theta, rtol=1e-12, atol=1e-14)
    assert np.linalg.norm(theta - problem[0]) > 0.5  # it did move


@pytest.mark.parametrize("d", [1, 5, 9, 10])
def test_toy_loss_and_optimum_are_the_examples(d):
    rng, toy = np.random.default_rng(d), ToyProblem()
    theta_0, P = frozen(rng.standard_normal(1000)), frozen(paper.random_subspace(1000, d, rng))
    assert float(toy.loss_and_grad(theta_0, Batch())[0]) == pytest.approx(paper.toy_loss(theta_0), rel=1e-13)
    theta_d, loss = toy.optimum(theta_0, P)
    assert loss == pytest.approx(paper.toy_optimum(theta_0, P), rel=1e-9, abs=1e-18)
    assert paper.toy_loss(theta_0 + P @ theta_d) == pytest.approx(loss, rel=1e-9, abs=1e-18)
