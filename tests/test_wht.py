"""The Walsh–Hadamard transform against SciPy's matrix, its own algebra, and the values of the paper's notation."""

import numpy as np
import pytest
from scipy.linalg import hadamard

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def integers(*shape):
    """Small integers, whose transforms are exact."""
    x = np.random.default_rng(0).integers(-8, 9, size=shape)
    x.flags.writeable = False
    return x


@DTYPES
def test_the_known_value_and_every_unit_vector(dtype, kernels):
    x = np.array([1, 0, 1, 0, 0, 1, 1, 0], dtype)
    np.testing.assert_array_equal(kernels.wht(x), [4, 2, 0, -2, 0, 2, 0, 2])
    np.testing.assert_array_equal(kernels.wht(np.eye(32, dtype=dtype)), hadamard(32))


@DTYPES
@pytest.mark.parametrize("n", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096])
def test_it_is_the_matrix_of_scipy(n, dtype, kernels):
    x = integers(3, n)
    np.testing.assert_array_equal(kernels.wht(x.astype(dtype)), x @ hadamard(n, dtype=np.int64))


@pytest.mark.parametrize("n", [2**13, 2**15, 2**16])
def test_twice_is_n_times(n, kernels):
    x = integers(n).astype(np.float64)
    np.testing.assert_array_equal(kernels.wht(kernels.wht(x)), n * x)


@pytest.mark.parametrize("n", [2, 16, 2048, 8192])
def test_row_k_is_the_walsh_function_of_the_bits_that_k_and_j_share(n, kernels):
    j = np.arange(n)
    for k in {0, 1, n // 2, n - 1, n // 3}:
        unit = (j == k).astype(np.float32)
        np.testing.assert_array_equal(kernels.wht(unit), 1.0 - 2.0 * (np.bitwise_count(j & k) % 2))


@DTYPES
def test_the_order_of_the_butterflies_is_part_of_the_definition(dtype, kernels):
    """Strides 1, 2, 4: (((a+b)+(c+d))+...), which another order would round in another way."""
    x = np.random.default_rng(1).standard_normal((1000, 8)).astype(dtype)
    a, b, c, d, e, f, g, h = x.T
    np.testing.assert_array_equal(kernels.wht(x)[:, 0], ((a + b) + (c + d)) + ((e + f) + (g + h)))
    np.testing.assert_array_equal(kernels.wht(x)[:, 7], ((a - b) - (c - d)) - ((e - f) - (g - h)))
    assert not np.array_equal(
        ((a + c) + (b + d)) + ((e + g) + (f + h)), ((a + b) + (c + d)) + ((e + f) + (g + h))
    )


@pytest.mark.parametrize("shape", [(1,), (2, 1), (4, 8), (2, 3, 32)])
def test_the_input_stays_and_the_result_is_another_array(shape, kernels):
    x = integers(*shape).astype(np.float64)
    before = x.copy()
    x.flags.writeable = False
    y = kernels.wht(x)
    assert y.shape == x.shape
    assert y.flags.writeable
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(x, before)
