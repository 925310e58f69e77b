"""The checks of `npintdim.testing` take plain callables of any library, and fail on what is wrong."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import strangers
from helpers import normal, project
from scipy import stats

import npintdim as nid
from npintdim.testing import (
    CheckError,
    check_adjoint,
    check_gradient,
    check_isotropy,
    check_linear,
    check_unit_columns,
)
from npintdim.testing.isotropy import beta_cdf
from npintdim.testing.mistakes.fastfood import given

D, d = 80, 5
P = project("gaussian", D, d)
M = P.to_dense()
BOTH = r"against .*relative error .*tolerance"  # numbers, and what is allowed


def torch_pair():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a guest")
    p = SimpleNamespace(**given(np.dtype(np.float64), D, d, "stacked"))
    B, Pi, G, S = map(torch.from_numpy, (p.B, p.Pi, p.G, p.S))
    apply = lambda v: strangers.torch_fastfood(v, B, Pi, G, S, D)  # noqa: E731
    return torch.from_numpy, apply, lambda g: strangers.torch_adjoint(g, B, Pi, G, S, d)


def test_what_is_right_passes():
    for check in (
        check_adjoint(P.apply, P.adjoint, D, d, entries=True),
        check_linear(P.apply, D, d),
        check_unit_columns(P.apply, D, d),
    ):
        assert check.error <= check.tolerance == 1e-12


def test_pytorch_passes():
    to, apply, adjoint = torch_pair()
    check_adjoint(apply, adjoint, D, d, to, entries=True)
    check_linear(apply, D, d, to)
    check_unit_columns(apply, D, d, to)  # n = 8 divides D


def test_pytorchs_autograd_is_the_adjoint():
    to, apply, _ = torch_pair()

    def vjp(g):
        v = to(np.zeros(d)).requires_grad_()
        apply(v).backward(g)
        return v.grad

    check_adjoint(apply, vjp, D, d, to)


def test_jax_passes_in_float32():
    jax = pytest.importorskip("jax", reason="JAX is not installed: it is only a guest")
    p = SimpleNamespace(**given(np.dtype(np.float32), D, d, "stacked"))

    @jax.jit
    def apply(v):
        return strangers.jax_fastfood(v, p.B, p.Pi, p.G, p.S, D)

    transpose = jax.linear_transpose(apply, np.zeros(d, np.float32))
    check = check_adjoint(apply, lambda g: transpose(g)[0], D, d, jax.numpy.asarray, np.float32)
    assert check.tolerance == 1e-5
    check_linear(apply, D, d, jax.numpy.asarray, np.float32)
    check_unit_columns(apply, D, d, jax.numpy.asarray, np.float32)


# ---- each must be able to fail ----


@pytest.mark.parametrize("entries", [False, True])
@pytest.mark.parametrize(
    "adjoint",
    [lambda g: P.adjoint(g) * (1 + 1e-9), lambda g: P.adjoint(g[::-1].copy()), lambda g: P.adjoint(g)[::-1]],
)
def test_a_wrong_adjoint_is_caught(adjoint, entries):
    with pytest.raises(CheckError, match=BOTH):
        check_adjoint(P.apply, adjoint, D, d, entries=entries)


@pytest.mark.parametrize(
    ("apply", "adjoint", "message"),
    [
        (P.apply, lambda g: g, r"adjoint gives shape \(80,\), but P is D×d = 80×5: \(5,\) is needed"),
        (lambda v: np.zeros(88), P.adjoint, r"apply gives shape \(88,\), but P is D×d = 80×5: \(80,\) is needed"),
        (lambda v: np.zeros(80, int), P.adjoint, "apply gives int64: floating-point numbers are needed"),
        (lambda v: P.apply(v) * np.nan, P.adjoint, r"apply gives nan at \[0\], of finite numbers"),
        (P.apply, lambda g: P.adjoint(g).astype(np.float16), "adjoint: the answer is float16, too coarse .* or give a tolerance"),
    ],
)  # fmt: skip
def test_other_answers_are_said(apply, adjoint, message):
    with pytest.raises(CheckError, match=message):
        check_adjoint(apply, adjoint, D, d)


@pytest.mark.parametrize(
    "apply", [lambda v: M @ v + 1e-9, lambda v: M @ np.maximum(v, 0), lambda v: M @ v + (M @ v) ** 2]
)
def test_what_is_not_linear_is_caught(apply):
    with pytest.raises(CheckError, match=BOTH) as error:
        check_linear(apply, D, d)
    assert "(P(2u − 3v))_" in str(error.value)


def test_columns_that_are_not_unit_are_named():
    scale = np.ones(d)
    scale[3] = 1.1
    with pytest.raises(
        CheckError, match=r"‖P e_3‖ = 1, the worst of 5 columns over all D = 80 rows: 1\.1.* against 1"
    ):
        check_unit_columns(lambda v: M @ (scale * v), D, d)
    check_unit_columns(lambda v: M @ (scale * v), D, d, tolerance=0.11)


def test_columns_are_sampled_where_there_are_many():
    calls = []

    def identity(v):
        calls.append(int(v.argmax()))
        return v

    check_unit_columns(identity, 2000, 2000)
    assert len(calls) == 256 and calls[0] == 0 and calls[-1] == 1999


# ---- isotropy ----


@pytest.mark.parametrize(("a", "b"), [(1, 0.5), (3, 2.5), (5, 4.5), (20, 20)])
def test_the_closed_form_is_the_beta_distribution(a, b):
    x = np.linspace(0, 1, 101)
    np.testing.assert_allclose(beta_cdf(x, a, b), stats.beta(a, b).cdf(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["gaussian", "sparse", "stacked", "single"])
def test_projections_are_isotropic(name):
    check = check_isotropy(lambda seed: project(name, 500, 4, seed).apply, 500, 4)
    assert check.left <= check.right
    assert check.right == pytest.approx(stats.kstwo(300).isf(1e-5), rel=0.02)  # the finite-N distribution


def test_isotropy_is_about_odd_d_and_unequal_groups_too():
    check_isotropy(lambda seed: project("rademacher", 203, 5, seed).apply, 203, 5, draws=200)
    check_isotropy(lambda seed: project("gaussian", 40, 1, seed).apply, 40, 1, draws=200)


def test_groups_of_one_and_two_count_alike():
    """D = 16 in s = 11 groups: their unit vectors have entries 1 and 1/√2."""

    def gaussian(seed):
        P = np.random.default_rng(seed).standard_normal((16, 5))
        return lambda v: P @ v

    check_isotropy(gaussian, 16, 5, draws=3000)


def positive(seed):
    P = np.random.default_rng(seed).random((500, 4))
    return lambda v: P @ v


def one_hot_rows(seed):
    P = np.eye(4)[np.random.default_rng(seed).integers(0, 4, 500)]
    return lambda v: P @ v


def no_output_signs(seed):
    return project("single, no S", 500, 4, seed).apply


@pytest.mark.parametrize("make", [positive, one_hot_rows, no_output_signs])
def test_preferred_directions_are_caught(make):
    with pytest.raises(
        CheckError,
        match=r"mean 0\.\d+ against 0\.5000; largest gap .* allowed 0\.14.* prefers some directions",
    ):
        check_isotropy(make, 500, 4)


@pytest.mark.parametrize(
    ("name", "directions", "spread"),
    [
        ("gaussian", "block", 0), ("rademacher", "block", 0), ("gaussian", "pair", 0), ("rademacher", "pair", 0),
        ("stacked", "block", 0.69), ("stacked", "pair", 0.71), ("sparse", "pair", 1.39), ("sparse", "block", 1.27),
    ],
)  # fmt: skip
def test_special_directions_are_fair_to_dense_P_alone(name, directions, spread):
    """D = 1000, d = 8, law √(2/8) = .5: Fastfood along a block of 8 rows, sparse P along two parameters."""

    def check():
        return check_isotropy(lambda seed: project(name, 1000, 8, seed).apply, 1000, 8, directions=directions)

    if not spread:
        found = check()
        assert found.left <= found.right == pytest.approx(0.5 * np.sqrt(1 + 6 * np.sqrt(3.5 / 300)))
        return
    with pytest.raises(
        CheckError, match=rf"\({directions}\), 300 draws: mean .* P prefers some directions"
    ) as refused:
        check()
    assert float(re.search(r"spread (\d\.\d+)", str(refused.value))[1]) == pytest.approx(spread, abs=0.01)


def test_directions_have_names():
    with pytest.raises(ValueError, match=r"unknown directions 'blocks'.* Did you mean 'block'"):
        check_isotropy(no_output_signs, 500, 4, directions="blocks")
    with pytest.raises(CheckError, match="the seeds 0 to 299 all give the same P"):
        check_isotropy(lambda seed: project("stacked", 500, 4, 0).apply, 500, 4, directions="pair")


def test_isotropy_needs_room():
    with pytest.raises(ValueError, match=r"D is 7: at least d \+ 2⌈d/2⌉ = 8 rows are needed for d = 4"):
        check_isotropy(no_output_signs, 7, 4)


# ---- gradients ----


def quadratic(theta):
    return 0.5 * float((M @ theta) @ (M @ theta)), M.T @ (M @ theta)


def test_a_right_gradient_passes():
    checks = check_gradient(quadratic, normal(d))
    assert len(checks) == 3
    assert max(c.error for c in checks) < 1e-6


@pytest.mark.parametrize("wrong", [lambda g: -g, lambda g: g * 1.001, lambda g: g[::-1], lambda g: g + 1e-3])
def test_a_wrong_gradient_is_caught(wrong):
    with pytest.raises(CheckError, match=r"⟨∇L\(θ\), v⟩ = .*against") as error:
        check_gradient(lambda theta: (quadratic(theta)[0], wrong(quadratic(theta)[1])), normal(d))
    assert "kink" not in str(error.value)


def test_a_kink_is_called_one():
    """Σ max(θ, 0) has no gradient at 0; next to 0 it has, and a step that crosses 0 does no harm."""

    def relu(theta):
        return np.maximum(theta, 0).sum(), (theta > 0) * 1.0

    check_gradient(relu, np.array([3e-5, -1.0, 2.0]))
    message = r"θ lies on a kink or a jump: the slope is .* ahead and .* behind; move θ a little"
    with pytest.raises(CheckError, match=message):
        check_gradient(relu, np.array([0.0, -1.0, 2.0]))


@pytest.mark.parametrize("seed", range(8))
def test_float32_inside_is_no_kink(seed):
    """As a layer computes that casts, whatever its parameters are."""
    A = normal(30, d, seed=seed)

    def loss_and_grad(theta):
        y = np.tanh(A.astype(np.float32) @ theta.astype(np.float32))
        return y.astype(np.float64).sum(), A.T @ (1 - np.tanh(A @ theta) ** 2)

    with pytest.raises(
        CheckError, match=r"the loss jitters by .* around θ, .* is there float32 inside"
    ) as caught:
        check_gradient(loss_and_grad, normal(d, seed=seed + 9))
    assert "kink" not in str(caught.value)


@pytest.mark.parametrize("seed", range(8))
def test_kinks_and_jumps_of_many_at_once_are_called_so(seed):
    A = normal(30, d, seed=seed)
    for kinked in (lambda z: np.maximum(z, 0), lambda z: z > 0, lambda z: np.maximum(z, 0) + (z > 0)):
        with pytest.raises(CheckError, match="θ lies on a kink or a jump"):
            check_gradient(
                lambda x, f=kinked: (float(f(A @ x).sum() + np.sin(x).sum()), np.cos(x)), np.zeros(d)
            )


def test_float32_is_refused():
    with pytest.raises(TypeError, match="theta has dtype float32"):
        check_gradient(quadratic, normal(d, dtype=np.float32))
    with pytest.raises(TypeError, match="theta has dtype int64"):
        check_gradient(lambda theta: theta.clone(), np.arange(5))
    with pytest.raises(TypeError, match="the loss is float32: a gradient check needs float64"):
        check_gradient(lambda theta: (np.float32(1), theta), normal(d))


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(CheckError, match=r"the gradient has shape \(4,\), but θ has shape \(5,\)"):
        check_gradient(lambda theta: (1.0, theta[:4]), normal(d))


def test_pytorch_lora():
    """ΔW = B A is another landscape: θ_d holds A and B, and autograd its own Jᵀ."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a guest")
    W_0, x, target = (
        torch.from_numpy(normal(*shape, seed=i).copy()) for i, shape in enumerate([(6, 4), (9, 4), (9, 6)])
    )

    def loss_and_grad(theta_d):
        theta_d = theta_d.clone().requires_grad_()
        A, B = theta_d[:8].reshape(2, 4), theta_d[8:].reshape(6, 2)
        loss = ((x @ (W_0 + B @ A).T - target) ** 2).mean()
        loss.backward()
        return loss, theta_d.grad

    check_gradient(loss_and_grad, normal(20).copy(), torch.from_numpy)


def test_jax_says_that_it_is_in_float32():
    jax = pytest.importorskip("jax", reason="JAX is not installed: it is only a guest")
    loss = jax.value_and_grad(lambda theta: (theta**2).sum())
    with pytest.raises(TypeError, match="jax_enable_x64"):
        check_gradient(loss, normal(5), jax.numpy.asarray)


def test_the_subspace_objective_passes():
    model = nid.mlp([6, 5, 3], nid.get_backend("numpy", np.float64))
    P = nid.make_projection("fastfood", model.D, 7, 1, model.backend)
    objective = nid.SubspaceObjective(model, model.init_theta(0), P)
    batch = nid.Batch(normal(4, 6), np.array([0, 1, 2, 0]))
    check_gradient(lambda theta_d: objective.loss_and_grad(theta_d, batch), normal(7))


# ---- what strangers give instead ----


def test_what_overflows_is_told_once_and_without_a_warning():
    with pytest.raises(CheckError, match=r"apply gives -?inf at \[\d\], of finite numbers"):
        check_adjoint(lambda v: P.apply(v) * 1e300 * 1e300, P.adjoint, D, d)
    with pytest.raises(CheckError, match="the loss has a inf"):
        check_gradient(lambda x: (np.exp(1000 * np.sum(x**2)), x), np.ones(3))


def test_a_column_that_is_not_finite_is_no_unit_column():
    """No comparison with NaN holds, not even that of the worst column."""
    with pytest.raises(CheckError, match=r"apply gives nan at \[0\], of finite numbers"):
        check_unit_columns(lambda v: P.apply(v) * (np.nan if v[3] else 1), D, d)
    with pytest.raises(CheckError, match=r"apply gives inf at \[7\]"):
        check_isotropy(lambda seed: lambda v: np.where(np.arange(D) == 7, np.inf, P.apply(v)), D, d)


def test_half_precision_needs_a_tolerance():
    half = lambda v: (M @ v).astype(np.float16)  # noqa: E731
    with pytest.raises(CheckError, match="apply: the answer is float16, too coarse"):
        check_linear(half, D, d)
    assert check_linear(half, D, d, tolerance=0.01).tolerance == 0.01
    check_adjoint(half, lambda g: M.T @ g, D, d, tolerance=0.01)
    check_unit_columns(half, D, d, tolerance=0.01)


def test_norms_that_were_summed_in_float32_need_a_tolerance_that_says_so():
    """PyTorch's randn / norm in float32: 3e-5 at D = 199,210, where a norm that is right only about is off by 1e-3."""

    def column(rows, norm):
        return lambda v: np.full(rows, norm / np.sqrt(rows), np.float32) * v[0].astype(np.float32)

    summed = 199210**0.5 * 2.0**-23
    check_unit_columns(column(199210, 1 + 3e-5), 199210, 1, tolerance=summed)
    with pytest.raises(CheckError, match=r"‖P e_0‖ = 1"):
        check_unit_columns(column(199210, 1 + 1e-4), 199210, 1, tolerance=summed)
    for rows, norm in ((80, 1 + 3e-5), (199210, 1 + 3e-5)):
        with pytest.raises(CheckError, match=r"‖P e_0‖ = 1"):
            check_unit_columns(column(rows, norm), rows, 1)


def test_a_tolerance_of_zero_is_one():
    with pytest.raises(CheckError, match=r"tolerance 0$"):
        check_unit_columns(lambda v: M @ v * (1 + 1e-14), D, d, tolerance=0.0)


@pytest.mark.parametrize("entries", [False, True])
def test_the_coarser_of_both_decides_the_tolerance(entries):
    single = lambda g: M.T.astype(np.float32) @ g.astype(np.float32)  # noqa: E731
    assert check_adjoint(P.apply, single, D, d, entries=entries).tolerance == 1e-5
    with pytest.raises(CheckError, match="tolerance 1e-12"):
        check_adjoint(P.apply, lambda g: single(g).astype(np.float64), D, d)


def test_a_numpy_array_in_the_wrong_place_is_told():
    for check in (
        lambda: check_linear(lambda v: v.clone(), D, d),
        lambda: check_gradient(lambda theta: theta.clone(), normal(d)),
    ):
        with pytest.raises(AttributeError) as caught:
            check()
        assert "`to` (torch.from_numpy, jnp.asarray)" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("loss_and_grad", "message"),
    [
        (lambda theta: theta.sum(), r"loss_and_grad gives a float64: the pair \(L, ∇L\) is needed"),
        (lambda theta: (theta, theta), r"the loss has shape \(5,\): one number is needed"),
        (lambda theta: (theta.sum() * np.nan, theta), "the loss has a nan, where θ has its entries between"),
        (lambda theta: (theta.sum(), theta / 0), "the gradient has a -?inf"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_no_loss_and_no_gradient(loss_and_grad, message):
    with pytest.raises(CheckError, match=message) as caught:
        check_gradient(loss_and_grad, normal(d))
    assert "kink" not in str(caught.value)


def test_a_loss_that_changes_from_call_to_call_is_no_kink():
    calls = iter(range(100))
    with pytest.raises(
        CheckError, match=r"the loss of one θ is .*, then .*: fix the batch, and leave out dropout"
    ) as caught:
        check_gradient(lambda theta: (quadratic(theta)[0] + next(calls), quadratic(theta)[1]), normal(d))
    assert "kink" not in str(caught.value)


def test_theta_must_be_flat():
    with pytest.raises(ValueError, match=r"θ has shape \(2, 3\): a flat vector \(D,\) is needed"):
        check_gradient(quadratic, np.ones((2, 3)))


def test_isotropy_of_one_P_is_none():
    with pytest.raises(CheckError, match="the seeds 0 to 299 all give the same P"):
        check_isotropy(lambda seed: P.apply, D, d)
    with pytest.raises(ValueError, match="draws is 1: at least 2 are needed"):
        check_isotropy(lambda seed: P.apply, D, d, draws=1)
