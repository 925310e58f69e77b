"""P for d is the first d columns of P for a larger d with the same seed, where that is promised."""

import numpy as np
import pytest
from helpers import KINDS, project, same_bits

NESTED = [name for name in KINDS if not name.startswith(("stacked", "one-hot"))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NESTED)
def test_columns_of_a_smaller_d_are_the_first_of_a_larger(backend_name, name, dtype):
    large = project(name, 200, 40, 5, backend_name, dtype).to_dense()
    for d in (1, 2, 9, 16, 33):
        same_bits(project(name, 200, d, 5, backend_name, dtype).to_dense(), large[:, :d].copy())


@pytest.mark.parametrize("name", ["stacked", "stacked, no S"])
def test_stacked_blocks_are_nested_within_an_octave_of_d(backend_name, name):
    def matrix(d):
        return project(name, 200, d, 5, backend_name).to_dense()

    large = matrix(32)
    for d in (17, 24, 31):
        same_bits(matrix(d), large[:, :d].copy())
    for d in (16, 33):  # another octave, other blocks
        k = min(d, 32)
        assert np.abs(matrix(d)[:, :k] - large[:, :k]).max() > 0.1


@pytest.mark.parametrize("name", KINDS)
def test_nesting_is_not_across_D(name):
    assert np.abs(project(name, 200, 5).to_dense()[:100] - project(name, 100, 5).to_dense()).max() > 0.01
