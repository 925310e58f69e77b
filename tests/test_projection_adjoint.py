"""P.adjoint is the transpose of P.apply, and the checks that say so notice when it is not."""

from dataclasses import dataclass

import numpy as np
import pytest
from helpers import SHAPES, frozen, normal, project, same_bits

import npintdim as nid
from npintdim.projections import Projection
from npintdim.testing.checks import CheckError, adjoint_matrix_check, dot_test

small = pytest.mark.parametrize(("D", "d"), SHAPES[:-2])
shapes = pytest.mark.parametrize(("D", "d"), [*SHAPES, (5000, 700)])


@shapes
def test_dot_products_agree(draw, D, d):
    P = draw(D, d)
    v, g = normal(d), normal(D, seed=1)
    Pv = P.apply(v)
    assert abs(Pv @ g - v @ P.adjoint(g)) <= 1e-12 * np.linalg.norm(Pv) * np.linalg.norm(g)
    assert dot_test(P, seed=3).error <= 1e-12


def test_dot_products_agree_in_single_precision(draw):
    P = draw(1000, 40, dtype=np.float32)
    assert P.apply(normal(40)).dtype == P.adjoint(normal(1000)).dtype == np.float32
    assert dot_test(P).tolerance == 1e-5


@small
def test_columns_by_apply_are_rows_by_adjoint(draw, D, d):
    P = draw(D, d)
    by_adjoint = np.stack([P.adjoint(e) for e in np.eye(D)])
    np.testing.assert_allclose(by_adjoint, P.to_dense(), rtol=0, atol=1e-14)
    adjoint_matrix_check(P)
    adjoint_matrix_check(draw(D, d, dtype=np.float32))


def test_a_result_aliases_nothing(draw):
    P, v, g = draw(64, 16), normal(16), normal(64)
    for product, x in ((P.apply, v), (P.adjoint, g)):
        first = product(x)
        kept = first.copy()
        first[:] = np.nan
        same_bits(product(x), kept)


def test_strided_input_is_read_as_it_stands(draw):
    P = draw(64, 16)
    v, g = frozen(np.arange(48.0)), frozen(np.arange(192.0))
    np.testing.assert_allclose(P.apply(v[::3]), P.apply(v[::3].copy()), atol=1e-13)
    np.testing.assert_allclose(P.adjoint(g[::-3]), P.adjoint(g[::-3].copy()), atol=1e-12)


def test_P_is_linear(draw):
    P, u, v = draw(100, 5), normal(5), normal(5, seed=1)
    np.testing.assert_allclose(P.apply(2 * u - 3 * v), 2 * P.apply(u) - 3 * P.apply(v), atol=1e-14)
    assert not P.apply(np.zeros(5)).any()
    assert not P.adjoint(np.zeros(100)).any()


# ---- a P of one's own ----


class FirstCoordinates:
    """P = (I, 0)ᵀ, with nothing but the three of `Operator`."""

    def __init__(self, D, d):
        self.shape = D, d

    def apply(self, v):
        return np.concatenate([v, np.zeros(self.shape[0] - len(v), v.dtype)])

    def adjoint(self, g):
        return g[: self.shape[1]].copy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_P_of_ones_own_needs_shape_apply_and_adjoint(dtype):
    model = nid.mlp([4, 6, 3], nid.get_backend("numpy", dtype))
    theta_0, batch = model.init_theta(0), nid.Batch(normal(12, 4), np.arange(12) % 3)
    P = FirstCoordinates(model.D, 20)
    dot_test(P)
    adjoint_matrix_check(P)
    objective = nid.SubspaceObjective(model, theta_0, P)
    assert objective.start().dtype == objective.theta(objective.start()).dtype == dtype
    assert (objective.dim, objective.spec()["P"]) == (20, {"P": "FirstCoordinates"})
    if dtype == np.float64:
        nid.gradient_check(objective, normal(20), batch)
    data = nid.Dataset("made-up", batch, batch, 3)
    config = nid.TrainConfig(nid.SGD(0.1), epochs=3, batch_size=4)
    run = nid.train(objective, objective.start(), data, config)
    theta = objective.theta(run.theta)
    assert run.theta.any()
    same_bits(theta[20:], theta_0[20:])
    with pytest.raises(ValueError, match=rf"^P is D×d = 50×20, but the landscape has D = {model.D}$"):
        nid.SubspaceObjective(model, theta_0, FirstCoordinates(50, 20))


class Halves(Projection):
    """P v = (v, v)/√2, with what comes with a `Projection`."""

    backend = nid.get_backend("numpy", np.float64)
    shape = 6, 3

    def apply(self, v):
        return np.tile(self.checked("theta_d", v, 3), 2) / np.sqrt(2)

    def adjoint(self, g):
        return self.checked("grad_theta", g, 6).reshape(2, 3).sum(axis=0) / np.sqrt(2)


def test_what_comes_with_a_projection():
    P, v, G = Halves(), normal(3), normal(6, 2)
    np.testing.assert_array_equal(P.to_dense(), np.tile(np.eye(3), (2, 1)) / np.sqrt(2))
    np.testing.assert_allclose(P @ v, P.to_dense() @ v)
    np.testing.assert_allclose(P.T @ G, P.to_dense().T @ G)
    assert P.T.shape == (3, 6)
    assert P.as_linear_operator().shape == (6, 3)
    dot_test(P)
    with pytest.raises(
        ValueError, match=r"^theta_d has shape \(4,\), but P is D×d = 6×3: theta_d must have shape"
    ):
        P.apply(np.ones(4))


# ---- the checks must be able to fail ----


@dataclass
class Broken:
    """An operator with a mistake in its adjoint, without a backend, as a stranger might write it."""

    P: Projection
    mistake: str

    @property
    def shape(self):
        return self.P.shape

    def apply(self, v):
        return self.P.apply(v)

    def adjoint(self, g):
        if self.mistake == "scale":
            return self.P.adjoint(g) * (1 + 1e-9)
        if self.mistake == "one sign":
            g = np.concatenate([-g[:1], g[1:]])
        if self.mistake == "order":
            return self.P.adjoint(g)[::-1]
        return self.P.adjoint(g)


@pytest.mark.parametrize("check", [dot_test, adjoint_matrix_check])
@pytest.mark.parametrize("mistake", ["scale", "one sign", "order"])
def test_a_broken_adjoint_is_caught(check, mistake):
    P = project("stacked", 60, 6)
    check(Broken(P, ""))
    with pytest.raises(CheckError, match=r"against .*relative error .*tolerance"):
        check(Broken(P, mistake))


def test_the_message_holds_both_numbers():
    P = project("stacked", 60, 6)
    with pytest.raises(CheckError) as error:
        adjoint_matrix_check(Broken(P, "one sign"))
    row = P.to_dense()[0]
    j = np.abs(row).argmax()
    assert f"(P e_{j})_0 = (Pᵀ e_0)_{j}, the worst of 60×6 entries" in str(error.value)
    assert f"{row[j]:.15g} against {-row[j]:.12g}" in str(error.value)
