"""P.adjoint is the transpose of P.apply, and the checks that say so notice when it is not."""

from dataclasses import dataclass

import numpy as np
import pytest
from helpers import SHAPES, frozen, normal, project, same_bits

from npintdim.checks import CheckError, adjoint_matrix_check, dot_test
from npintdim.projections import Projection

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


def test_out_has_the_bits_of_a_fresh_result(draw):
    P, v, g = draw(129, 9), normal(9), normal(129)
    for product, x, length in ((P.apply, v, 129), (P.adjoint, g, 9)):
        out = np.full(length, np.nan)
        assert product(x, out=out) is out
        same_bits(out, product(x))


def test_a_result_aliases_nothing(draw):
    P, v, g = draw(64, 16), normal(16), normal(64)
    for product, x in ((P.apply, v), (P.adjoint, g)):
        first = product(x)
        kept = first.copy()
        first[:] = np.nan
        same_bits(product(x), kept)


def test_out_may_be_the_input(draw):
    P = draw(16, 16)
    for product in (P.apply, P.adjoint):
        x = np.arange(16.0)
        expected = product(x)
        same_bits(product(x, out=x), expected)


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
