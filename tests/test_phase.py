"""The toy problem in random subspaces: shares, success and their law."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest

import npintdim as nid
from npintdim.toy.phase import explore, farthest, least_shares, success, success_law


@pytest.fixture(scope="module")
def backend():
    return nid.get_backend("numpy", np.float64)


def density(x, a, b):
    """Of the Beta law, unnormalised."""
    return x ** (a - 1) * (1 - x) ** (b - 1)


@pytest.mark.parametrize(("d", "s"), [(3, 10), (5, 10), (4, 7)])
def test_the_law_is_the_integral_of_its_density(d, s):
    a, b = (s - d) / 2, d / 2
    whole = quad(density, 0, 1, (a, b))[0]
    for eps in (0.1, 0.5, 0.9):
        share = quad(density, 0, eps, (a, b))[0] / whole
        assert success_law(np.array([d]), np.array([eps]), s)[0, 0] == pytest.approx(share, rel=1e-6)


def test_beyond_s_every_subspace_succeeds():
    law = success_law(np.array([9.999999, 10, 15]), np.array([0.0, 1e-9, 0.5, 1.0, 2.0]))
    assert (law[:, 1:] == 1).all()
    assert law[0, 0] == 0
    assert law[3:, 0].tolist() == [1, 1]


@pytest.mark.parametrize("s", [10, 8])
def test_drawn_shares_follow_the_law(backend, s):
    toy = nid.ToyProblem(D=40 * s, s=s)
    shares = least_shares({"kind": "dense"}, [3, s - 1, s], 300, 1, backend, toy)
    assert shares.shape == (3, 300)
    assert shares[2].max() < 1e-12
    for d, row in zip([3, s - 1], shares, strict=False):
        assert kstest(row, lambda x, d=d: success_law(np.array([d]), x, s)[:, 0]).pvalue > 1e-3
    assert farthest([3, s - 1, s], shares, s)[1] < 4


def test_success_counts_the_draws_below_the_tolerance():
    shares = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0, 1.0]])
    assert success(shares, np.array([0.05, 0.3, 1.0])).tolist() == [[0, 0.75], [0.75, 0.75], [1, 1]]


def test_explore_gives_the_same_shares_and_a_trained_run(backend):
    toy = nid.ToyProblem(D=100, s=4)
    found = explore({"kind": "dense"}, [2, 4, 6], 20, 0, backend, 500, toy)
    assert found.shares.tobytes() == least_shares({"kind": "dense"}, [2, 4, 6], 20, 0, backend, toy).tobytes()
    assert np.allclose(found.performances, np.exp(-30 * found.shares))  # 1² + 2² + 3² + 4²
    assert found.trained[2] > 0.99
    assert found.trained[0] < found.performances[0].max() + 1e-9
    assert found.lawful


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"draws": 0}, "draws is 0: draws ≥ 1 is needed"),
        ({"seed": -1}, "seed is -1: "),
        ({"seed": 2**31}, "seed is 2147483648: "),
    ],
)
def test_bad_numbers_are_refused(backend, argument, message):
    with pytest.raises(ValueError, match=message):
        least_shares({"kind": "dense"}, [1], **{"draws": 1, "seed": 0, "backend": backend} | argument)
