"""LoRA's family: every pullback is the transpose of its Jacobian, every start is θ_0 where that is said, and the usual traps."""

from dataclasses import dataclass

import numpy as np
import pytest

import npintdim as nid
from npintdim.adapters import ADAPTERS, LoRA, adapter_of, make_adapter
from npintdim.adapters.base import ordered
from npintdim.adapters.in_lora import peft_index

NUMPY = nid.get_backend("numpy", dtype=np.float64)
MLP = nid.mlp([9, 7, 5, 4], NUMPY)
LENET = nid.lenet((1, 16, 16), 3, NUMPY)
OPTIONS = {
    "lora": {"r": 2}, "rslora": {"kind": "lora", "r": 3, "stabilised": True}, "lora_fa": {"r": 2},
    "lora_xs": {"r": 2}, "lora_xs, no sigma": {"kind": "lora_xs", "r": 2, "sigma": False}, "vera": {"r": 12},
    "said": {"d": 20}, "sub_lora": {"d": 10, "r": 2}, "uni_lora": {"d": 10, "r": 2},
    "uni_lora, peft": {"kind": "uni_lora", "d": 11, "r": 2, "index": "peft"}, "only": {"names": "*.b"},
}  # fmt: skip
LINEAR = ["lora_fa", "lora_xs", "lora_xs, no sigma", "only"]


def adapter(name, model=MLP, seed=3, backend=NUMPY, **more):
    options = OPTIONS[name] | more
    return make_adapter(
        options.pop("kind", name), model.layout, model.init_theta(1), seed, backend, **options
    )


def lora(r=2, **more):
    return adapter("lora", r=r, **more)


def test_all_kinds_are_tested():
    assert {options.get("kind", name) for name, options in OPTIONS.items()} == set(ADAPTERS)


@pytest.mark.parametrize("model", [MLP, LENET], ids=["mlp", "lenet"])
@pytest.mark.parametrize("name", OPTIONS)
def test_the_pullback_is_the_transpose_of_the_jacobian(name, model):
    T = adapter(name, model)
    assert isinstance(T, nid.Parametrisation)
    assert T.start().shape == (T.dim,) and T.theta(T.start()).shape == (T.D,) == (model.D,)
    nid.check_pullback(T)
    nid.check_pullback(T, T.start())
    x = np.linspace(-1, 1, 6 * np.prod(model.in_shape)).reshape(6, *model.in_shape)
    batch = nid.Batch(x, np.arange(6) % model.classes)
    v = T.start() + 0.05 * np.cos(np.arange(T.dim))
    nid.gradient_check(nid.ParametrisedObjective(model, T), v, batch, tolerance=1e-5)


@pytest.mark.parametrize("name", [name for name in OPTIONS if not name.startswith("uni_lora")])
def test_the_start_is_theta_0_bit_for_bit(name):
    T = adapter(name)
    assert T.theta(T.start()).tobytes() == MLP.init_theta(1).tobytes()


def test_uni_lora_starts_near_theta_0_and_not_there():
    T = adapter("uni_lora")
    moved = np.abs(T.theta(T.start()) - MLP.init_theta(1)).max()
    assert 0 < moved < 0.02**2 * 2


@pytest.mark.parametrize("name", LINEAR)
def test_the_linear_ones_are_linear(name):
    T = adapter(name)
    u, v = np.cos(np.arange(T.dim)), np.sin(np.arange(T.dim))
    theta_0 = T.theta(np.zeros(T.dim))
    both = T.theta(2 * u - v) - theta_0
    np.testing.assert_allclose(both, 2 * (T.theta(u) - theta_0) - (T.theta(v) - theta_0), atol=1e-13)


def jacobian(T, v):
    return np.stack([T.pullback(v, e) for e in np.eye(T.D)])


def test_lora_xs_is_isometric_only_without_sigma():
    for name, isometric in (("lora_xs, no sigma", True), ("lora_xs", False)):
        T = adapter(name)
        J = jacobian(T, T.start())
        assert np.allclose(J.T @ J, np.eye(T.dim), atol=1e-12) == isometric


def test_uni_lora_s_factors_are_an_isometry_of_v():
    for name in ("uni_lora", "uni_lora, peft"):
        P = adapter(name).composed.inner.P
        dense = np.stack([P.apply(e) for e in np.eye(P.shape[1])], axis=1)
        np.testing.assert_allclose(dense.T @ dense, np.eye(P.shape[1]), atol=1e-13)
        nid.adjoint_matrix_check(P)


def test_peft_s_index_map():
    """repeat(arange(d), N // d), the rest by choice, shuffled; A as (r, n_in), then B as (n_out, r)."""
    T, d, seed = lora(r=2), 11, 5
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([np.repeat(np.arange(d), T.dim // d), rng.choice(d, T.dim % d, replace=False)])
    rng.shuffle(drawn)
    h = peft_index(seed, T, d)
    A, B = next(T.factors(h))
    assert np.array_equal(A, drawn[:18].reshape(2, 9).T)
    assert np.array_equal(B, drawn[18:32].reshape(7, 2).T)
    assert set(np.bincount(h)) == {T.dim // d, T.dim // d + 1}


def test_lora_s_tangent_at_its_start_is_lora_fa():
    T, linear = lora(), adapter("lora_fa")
    g = np.cos(np.arange(T.D))
    grads = T.factors(T.pullback(T.start(), g))
    for (dA, dB), (dB_fa,) in zip(grads, linear.factors(linear.pullback(linear.start(), g)), strict=True):
        assert not dA.any()  # B = 0
        assert np.array_equal(dB, dB_fa) and dB.any()


def test_two_zero_factors_have_no_gradient():
    T = lora()
    assert not T.pullback(np.zeros(T.dim), np.ones(T.D)).any()
    assert T.pullback(T.start(), np.ones(T.D)).any()  # A drawn: B moves


def test_the_scale_is_alpha_over_r_or_over_its_root():
    for r in (1, 2, 4):
        assert lora(r=r, alpha=6.0).scale == 6 / r
        assert adapter("rslora", r=r, alpha=6.0).scale == 6 / np.sqrt(r)


def test_merged_is_unmerged_to_rounding():
    """x W_0 + s (x A) B = x (W_0 + s A B)."""
    T = lora()
    v = T.start() + 0.1
    x = np.linspace(-1, 1, 27).reshape(3, 9)
    A, B = next(T.factors(v))
    merged = next(T.matrices(T.theta(v)))
    np.testing.assert_allclose(
        x @ merged, x @ next(T.matrices(T.theta_0)) + T.scale * (x @ A) @ B, rtol=1e-12
    )


def test_the_gauge_leaves_theta_and_changes_the_gradients_as_it_must():
    T, S = lora(), np.array([[2.0, 1.0], [0.5, 3.0]])
    v = T.start() + 0.1 * np.cos(np.arange(T.dim))
    w = v.copy()
    for A, B in T.factors(w):
        A[...], B[...] = A @ S, np.linalg.solve(S, B)
    np.testing.assert_allclose(T.theta(w), T.theta(v), rtol=1e-12, atol=1e-13)
    objective = nid.ParametrisedObjective(MLP, T)
    batch = nid.Batch(np.linspace(-1, 1, 54).reshape(6, 9), np.arange(6) % 4)
    (loss, grad), (loss_S, grad_S) = objective.loss_and_grad(v, batch), objective.loss_and_grad(w, batch)
    assert loss_S == pytest.approx(loss, rel=1e-12) and not np.allclose(grad_S, grad)
    g = np.sin(np.arange(T.D))
    for (dA, dB), (dA_S, dB_S) in zip(T.factors(T.pullback(v, g)), T.factors(T.pullback(w, g)), strict=True):
        np.testing.assert_allclose(dA_S, dA @ np.linalg.inv(S).T, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(dB_S, S.T @ dB, rtol=1e-10, atol=1e-12)
        assert not np.allclose(dA_S, dA)


def test_a_convolution_is_its_matrix_of_c_out_by_c_in_k_k():
    T = adapter("lora", LENET)
    A, B = next(T.factors(v := T.start() + 0.1))
    W = LENET.layout.views(T.theta(v))["conv1.W"]
    W_0 = LENET.layout.views(T.theta_0)["conv1.W"]
    np.testing.assert_allclose((W - W_0).reshape(6, 25), T.scale * (A @ B).T, rtol=1e-9)


def test_what_is_counted():
    counts = {name: adapter(name).dim for name in OPTIONS}
    ins_outs = [(9, 7), (7, 5), (5, 4)]
    assert counts["lora"] == 2 * sum(i + o for i, o in ins_outs)
    assert counts["lora_fa"] == 2 * sum(o for _, o in ins_outs)
    assert counts["lora_xs"] == 3 * 2**2
    assert counts["vera"] == 3 * 12 + 16
    assert counts["only"] == 16
    assert (counts["said"], counts["sub_lora"], counts["uni_lora"]) == (20, 10, 10)
    assert adapter("said").projection.d == 20 - 6  # λ is paid out of d


def test_d_gives_the_rank():
    theta_0 = MLP.init_theta(0)
    T = adapter_of({"kind": "lora", "alpha": 4.0}, 74, MLP.layout, theta_0, 0, NUMPY)
    assert (T.r, T.alpha, T.dim) == (2, 4.0, 74)
    with pytest.raises(
        ValueError, match=r"no rank of lora trains so many numbers here: d = 37 or 74 is needed"
    ):
        adapter_of({"kind": "lora"}, 50, MLP.layout, theta_0, 0, NUMPY)
    with pytest.raises(ValueError, match=r"trains 16 numbers of this network, but d is 50: d = 16 is needed"):
        adapter_of({"kind": "only"}, 50, MLP.layout, theta_0, 0, NUMPY)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lora(r=5), r"r is 5, but the smallest matrix has min\(n_in, n_out\) = 4: r ≤ 4 is needed"),
        (lambda: lora(r=0), "r is 0"),
        (lambda: adapter("said", d=6), r"SAID pays 6 scales out of it: d > 6 is needed"),
        (lambda: adapter("only", names="fc9.*"), "matches none of fc1.W"),
        (lambda: adapter("uni_lora", index="own"), "unknown index 'own'"),
        (lambda: make_adapter("lora", MLP.layout, np.zeros(3), 0, NUMPY), r"theta_0 has shape \(3,\)"),
        (lambda: make_adapter("lorra", MLP.layout, MLP.init_theta(0), 0, NUMPY), "Did you mean 'lora'"),
        (lambda: lora(rank=3), "unknown option of 'lora' 'rank'"),
        (lambda: lora().theta(np.zeros(3)), r"v has shape \(3,\), but lora trains \(74,\) numbers here"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_ordered_product_is_a_product():
    A, B = np.cos(np.arange(12.0)).reshape(4, 3), np.sin(np.arange(15.0)).reshape(3, 5)
    np.testing.assert_allclose(ordered(A, B), A @ B, rtol=1e-12, atol=1e-14)
    T = lora()
    np.testing.assert_allclose(T.moved(T.start() + 1, ordered), T.theta(T.start() + 1), rtol=1e-12)


def test_a_kind_of_ones_own_is_known_by_its_name(own_tables):
    @nid.register
    @dataclass(frozen=True, eq=False)
    class Doubled(LoRA):
        kind = "doubled"

    T = make_adapter("doubled", MLP.layout, MLP.init_theta(0), 0, NUMPY, r=1)
    assert T.spec() == {"kind": "doubled", "seed": "0", "r": 1, "alpha": 8.0, "stabilised": False}


def test_every_matrix_of_vera_takes_the_first_rows_and_columns_of_one_pair():
    T = make_adapter(
        "vera", nid.mlp([5, 9, 7, 4], NUMPY).layout, np.zeros(nid.mlp([5, 9, 7, 4], NUMPY).D), 3, NUMPY, r=6
    )
    A, B = T.normals(0, 9, 6, sd=(2 / 9) ** 0.5), T.normals(1, 6, 9, sd=(2 / 6) ** 0.5)
    for (own_A, own_B), (n_in, n_out) in zip(T.frozen, [(5, 9), (9, 7), (7, 4)], strict=True):
        np.testing.assert_array_equal(own_A, A[:n_in])
        np.testing.assert_array_equal(own_B, B[:, :n_out])
