"""Columns of P have unit norm over all D entries: exactly where that is promised, within the stated sd elsewhere."""

import math

import numpy as np
import pytest
from helpers import KINDS, SHAPES, project

FASTFOOD = [name for name in KINDS if KINDS[name][0] == "fastfood"]
OTHERS = [name for name in KINDS if KINDS[name][0] != "fastfood"]


def norms(P, most=20):
    """Of at most so many columns."""
    columns = range(0, P.d, max(1, P.d // most))
    return np.array([np.linalg.norm(P.apply(np.eye(1, P.d, j)[0])) for j in columns])


def blocks(name, D, d):
    """n of the paper's H."""
    return 1 << ((D if name.startswith("single") else d) - 1).bit_length()


@pytest.mark.parametrize(("D", "d"), SHAPES)
@pytest.mark.parametrize("name", OTHERS)
def test_dense_and_sparse_columns_are_exactly_unit(backend_name, name, D, d):
    np.testing.assert_allclose(norms(project(name, D, d, backend=backend_name)), 1, rtol=2e-15 * math.sqrt(D))


@pytest.mark.parametrize(("D", "d"), [(1, 1), (7, 1), (16, 16), (64, 16), (1024, 33), (4096, 700)])
@pytest.mark.parametrize("name", FASTFOOD)
def test_fastfood_columns_are_exactly_unit_where_n_divides_D(backend_name, name, D, d):
    if D % blocks(name, D, d):
        D = blocks(name, D, d)
    np.testing.assert_allclose(norms(project(name, D, d, backend=backend_name)), 1, rtol=1e-14)


@pytest.mark.parametrize(("D", "d"), [(1000, 20), (1000, 300), (3000, 20), (135, 9), (5000, 700)])
@pytest.mark.parametrize("name", FASTFOOD)
def test_fastfood_norms_spread_by_the_stated_sd_elsewhere(name, D, d):
    n = blocks(name, D, d)
    f = D % n / n  # the kept share of the last block
    if name.startswith("single"):
        sd = math.sqrt((1 - D / n) / (2 * D))
    else:
        sd = math.sqrt(n / 2 * f * (1 - f)) / D
        assert sd <= math.sqrt(n / 8) / D  # what the docs state, reached at f = 1/2
    deviations = np.concatenate([norms(project(name, D, d, seed)) - 1 for seed in range(20)])
    assert np.sqrt(np.mean(deviations**2)) == pytest.approx(sd, rel=0.25)
    assert np.abs(deviations).max() < 5 * sd


@pytest.mark.parametrize("name", KINDS)
def test_single_precision_columns_are_unit_to_its_rounding(backend_name, name):
    P, exact = (project(name, 1000, 20, backend=backend_name, dtype=t) for t in (np.float32, np.float64))
    np.testing.assert_allclose(norms(P), norms(exact), rtol=1e-6)


def test_the_mlp_of_the_paper():
    """design: sd 5.7e-5 at 199,210 × 750 with stacked blocks."""
    deviations = norms(project("stacked", 199_210, 750)) - 1
    assert np.abs(deviations).max() < 3 * 5.7e-5
    assert norms(project("stacked", 199_210, 750), most=1) == pytest.approx(1, abs=3 * 5.7e-5)


def test_one_P_over_all_parameters_not_one_for_each_tensor():
    """A common mistake of ports: a P per tensor, so that a column's norm is sqrt(number of tensors)."""
    P = project("stacked", 199_210, 10)
    column = P.apply(np.eye(10)[0])
    first_layer = column[: 784 * 200]
    assert np.linalg.norm(first_layer) == pytest.approx(math.sqrt(784 * 200 / 199_210), rel=0.02)


@pytest.mark.parametrize("name", ["one-hot", "one-hot, no S", "orthonormal", "coordinates"])
@pytest.mark.parametrize(("D", "d"), [(7, 7), (129, 9), (1000, 20), (300, 150)])
def test_columns_are_orthonormal(name, D, d):
    P = project(name, D, d).to_dense()
    np.testing.assert_allclose(P.T @ P, np.eye(d), atol=1e-13)


def test_one_hot_columns_share_the_rows_evenly():
    rows = np.count_nonzero(project("one-hot", 1000, 300).to_dense(), axis=0)
    assert set(rows) == {3, 4} and rows.sum() == 1000


def test_orthonormal_columns_span_what_gram_schmidt_spans():
    P = project("orthonormal", 60, 5)
    Z = np.stack([P.drawn(j) for j in range(5)], axis=1).astype(float)
    Q, R = np.linalg.qr(Z)
    np.testing.assert_allclose(P.to_dense(), Q * np.sign(np.diag(R)), atol=1e-13)
