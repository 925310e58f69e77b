"""The matrix behind P: its columns, its products, its factors, its use in SciPy."""

import math

import numpy as np
import pytest
from helpers import KINDS, SHAPES, normal, project, same_bits
from scipy.sparse.linalg import lsqr
from scipy.special import ndtri
from vectorgen import exact

from npintdim.kernels.reference import words

shapes = pytest.mark.parametrize(("D", "d"), SHAPES)


@shapes
def test_columns_are_images_of_unit_vectors(draw, D, d):
    P = draw(D, d, dtype=np.float32)
    dense = P.to_dense()
    assert dense.shape == P.shape == (D, d)
    assert dense.dtype == np.float32
    for j in {0, d // 2, d - 1}:
        same_bits(dense[:, j].copy(), P.apply(np.eye(d)[j]))


@shapes
def test_products_are_those_of_the_matrix(draw, D, d):
    P, dense = draw(D, d), draw(D, d).to_dense()
    v, g, V, G = normal(d), normal(D), normal(d, 3), normal(D, 2)
    for product, expected in (
        (P.apply(v), dense @ v), (P @ v, dense @ v), (P @ V, dense @ V),
        (P.adjoint(g), dense.T @ g), (P.T @ g, dense.T @ g), (P.T @ G, dense.T @ G),
    ):  # fmt: skip
        np.testing.assert_allclose(product, expected, rtol=0, atol=1e-13 * max(1, np.abs(expected).max()))


def test_transposed(draw):
    P = draw(64, 16)
    assert P.T.shape == (16, 64)
    assert P.T.T is P


def test_least_squares_of_scipy(draw):
    P, b = draw(100, 5), normal(100)
    expected = np.linalg.lstsq(P.to_dense(), b, rcond=None)[0]
    found, why, *_ = lsqr(P.as_linear_operator(), b, atol=1e-14, btol=1e-14)
    assert why in (1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_operator(draw, dtype):
    P = draw(64, 16, dtype=dtype)
    operator, v, G = P.as_linear_operator(), normal(16), normal(64, 3)
    assert operator.shape == (64, 16)
    assert operator.dtype == dtype
    same_bits(operator @ v, P.apply(v))
    np.testing.assert_allclose(operator.H @ G, P.T @ G, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-15)


# ---- the entries from their definitions, written once more with other tools ----


def word_list(seed, purpose, lane, count):
    return words(seed, purpose, lane, 0, count)


def signs(seed, purpose, lane, count):
    bits = [int(w) >> k & 1 for w in word_list(seed, purpose, lane, -(-count // 32)) for k in range(32)]
    return 1.0 - 2.0 * np.array(bits[:count])


def grid_normals(seed, purpose, lane, count):
    z = ndtri((word_list(seed, purpose, lane, count) + 0.5) / 2**32)
    return np.rint(2**20 * z)


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_gaussian_entries(backend_name, seed):
    for stored in (True, False):
        P = project("gaussian", 300, 4, seed, backend_name, stored=stored)
        g = np.stack([grid_normals(seed, 2, j, 300) for j in range(4)], axis=1)
        np.testing.assert_allclose(P.to_dense(), g / np.linalg.norm(g, axis=0), rtol=1e-14)


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_rademacher_entries(backend_name, seed):
    for stored in (True, False):
        P = project("rademacher", 300, 4, seed, backend_name, stored=stored)
        expected = np.stack([signs(seed, 2, j, 300) for j in range(4)], axis=1) / math.sqrt(300)
        np.testing.assert_allclose(P.to_dense(), expected, rtol=1e-15)


@pytest.mark.parametrize("density", [0.1, 0.6, 1])
def test_sparse_entries(backend_name, density):
    P = project("sparse", 300, 6, 5, backend_name, density=density)
    expected = np.zeros((300, 6))
    for j in range(6):
        w, rows, row = word_list(5, 3, j, 400), [], -1
        for u in (w + 0.5) / 2**32:
            row += 1 if density == 1 else 1 + math.floor(math.log(u) / math.log(1 - density))
            rows.append(row)
        rows = [row for row in rows if row < 300]
        expected[rows, j] = signs(5, 4, j, len(rows)) / math.sqrt(len(rows))
    np.testing.assert_allclose(P.to_dense(), expected, rtol=1e-15)


def test_sparse_density_is_the_share_of_non_zeros():
    for density in (None, 0.01, 0.3):
        dense = project("sparse", 10_000, 50, density=density).to_dense()
        p = density or 0.01
        assert np.mean(dense != 0) == pytest.approx(p, abs=5 * math.sqrt(p / (dense.size)))
        assert np.mean(np.sign(dense[dense != 0])) == pytest.approx(0, abs=5 / math.sqrt(p * dense.size))


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name][0] == "fastfood"])
@pytest.mark.parametrize(("D", "d"), [(1, 1), (6, 1), (8, 3), (21, 3), (40, 11), (33, 33)])
def test_fastfood_is_the_product_of_its_factors(backend_name, name, D, d):
    options = KINDS[name][1]
    factors = exact.fastfood_factors(7, D, d, options.get("blocks", "stacked"), options.get("signs", True))
    P = exact.fastfood_matrix(*factors, d, number=float)
    np.testing.assert_allclose(project(name, D, d, 7, backend_name).to_dense(), P, rtol=0, atol=1e-14)


# ---- apply_exact, which defines what a compressed file decodes to ----


def test_exact_product_is_the_product(draw):
    for dtype in (np.float32, np.float64):
        P, v = draw(100, 5, dtype=dtype), normal(5, dtype=np.float32)
        exact = P.apply_exact(v)
        assert exact.dtype == np.float64
        np.testing.assert_allclose(exact, draw(100, 5).to_dense() @ v.astype(float), rtol=0, atol=1e-14)


def test_exact_product_has_the_same_bits_everywhere(kind):
    pytest.importorskip("numba", reason="numba is not installed")
    v = normal(37, dtype=np.float32)
    plain = project(kind, 1000, 37).apply_exact(v)
    for dtype in (np.float32, np.float64):
        for threads in (1, 2):
            same_bits(project(kind, 1000, 37, 1, "numba", dtype, threads).apply_exact(v), plain)
    same_bits(project(kind, 1000, 37, dtype=np.float32).apply_exact(v), plain)


def test_exact_product_adds_columns_in_ascending_order():
    for name in ("gaussian", "rademacher", "sparse, 0.9"):
        P, v = project(name, 50, 20), normal(20)
        y = np.zeros(50)
        for column, v_j in zip(P.to_dense().T, v, strict=True):
            y += column * v_j
        same_bits(P.apply_exact(v), y)
