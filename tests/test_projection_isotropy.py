"""The toy law: in d isotropic directions the least share of the starting loss is Beta((s−d)/2, d/2) distributed.

One draw shows nothing, so the law is tested over a few hundred. The starting loss has s equally curved active
directions; the target is the toy problem's own, 1, ..., s, from theta_0 = 0.
"""

import numpy as np
import pytest
from helpers import KINDS, project
from scipy import stats

from npintdim.toy.problem import ToyProblem, expected_share

D, DRAWS = 1000, 300
SIGNED = [name for name in KINDS if "no S" not in name and "drawn" not in name and name != "coordinates"]


def shares(matrices, s):
    toy, theta_0 = ToyProblem(D, s), np.zeros(D)
    start = toy.evaluate(theta_0).loss
    return [toy.optimum(theta_0, P)[1] / start for P in matrices]


def p_value(observed, s, d):
    return stats.kstest(observed, stats.beta((s - d) / 2, d / 2).cdf).pvalue


def drawn(name, d, draws=DRAWS):
    return (project(name, D, d, seed).to_dense() for seed in range(draws))


@pytest.mark.parametrize("d", [5, 9])
@pytest.mark.parametrize("name", SIGNED)
def test_ten_groups_of_a_hundred(name, d):
    observed = shares(drawn(name, d), 10)
    assert p_value(observed, 10, d) > 1e-3
    sd = stats.beta((10 - d) / 2, d / 2).std() / np.sqrt(DRAWS)
    assert np.mean(observed) == pytest.approx(expected_share(d), abs=4 * sd)


@pytest.mark.parametrize("name", ["stacked", "single", "rademacher"])
def test_a_hundred_groups_of_ten(name):
    """Groups shorter than a stacked block of 64."""
    assert p_value(shares(drawn(name, 50, draws=150), 100), 100, 50) > 1e-3


@pytest.mark.parametrize(("d", "mean"), [(5, 0.565), (9, 0.167)])
def test_the_authors_single_block_without_output_signs_is_not_isotropic(d, mean):
    """They leave .565 and .167 of the loss where the law says .500 and .100."""
    observed = shares(drawn("single, no S", d, draws=600), 10)
    assert p_value(observed, 10, d) < 1e-6
    assert np.mean(observed) == pytest.approx(mean, abs=0.03)
    assert np.mean(observed) > expected_share(d) + 0.03


def test_stacked_blocks_without_output_signs_fail_on_groups_as_short_as_a_block():
    """1000 = 125 groups of 8, blocks of 8: every group meets one entry of G of its own block."""
    directions = np.repeat(np.eye(125), 8, axis=1)
    spread = {}
    for name in ("stacked", "stacked, no S"):
        P = project(name, D, 5)
        spread[name] = [np.square(P.adjoint(u)).sum() * D / (5 * 8) for u in directions]
    assert np.std(spread["stacked, no S"]) > 1.5 * np.std(spread["stacked"])


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("stacked", 2 / 100), ("single", 2 / 100),  # isotropic: 2/d
        ("stacked, no S", 2 / 8),  # H 1 = n e_0: a block's G_0 decides, and there are 8 blocks
        ("single, no S", 2),  # one G_0 decides
    ],
)  # fmt: skip
def test_what_a_constant_direction_meets(name, variance):
    """‖Pᵀ1‖² D / (d ‖1‖²) has mean 1, and variance 2 / (number of normals that decide it); d = 100, D = 8·128."""
    ones = np.ones(1024)
    met = [np.square(project(name, 1024, 100, seed).adjoint(ones)).sum() / 100 for seed in range(300)]
    assert np.mean(met) == pytest.approx(1, abs=4 * np.sqrt(variance / 300))
    assert np.std(met) == pytest.approx(np.sqrt(variance), rel=0.25)


# ---- the test of the test: what is not isotropic must fail ----


def all_positive(rng, d):
    P = rng.random((D, d))
    return P / np.linalg.norm(P, axis=0)


def one_hot_rows(rng, d):
    P = np.eye(d)[rng.integers(0, d, D)]
    return P / np.linalg.norm(P, axis=0)


def not_normalised(rng, d):
    """A port's mistake that does no harm here: the span is the same."""
    return rng.standard_normal((D, d)) * 17.0


@pytest.mark.parametrize("name", ["one-hot, no S", "coordinates"])
def test_one_hot_rows_without_signs_and_coordinates_fail(name):
    """The first always reach the all-ones vector, the second only the groups that they hit."""
    assert p_value(shares(drawn(name, 5), 10), 10, 5) < 1e-6


def test_without_signs_the_all_ones_vector_lies_in_the_subspace():
    ones = np.ones(D)
    met = [np.square(project(name, D, 7).adjoint(ones)).sum() / D for name in ("one-hot, no S", "one-hot")]
    assert met[0] == pytest.approx(1, rel=1e-14)
    assert met[1] < 0.05  # 7/1000 on average


@pytest.mark.parametrize("make", [all_positive, one_hot_rows])
def test_matrices_that_are_not_isotropic_fail(make):
    rng = np.random.default_rng(0)
    assert p_value(shares((make(rng, 5) for _ in range(DRAWS)), 10), 10, 5) < 1e-6


def test_the_law_is_about_the_span_alone():
    rng = np.random.default_rng(0)
    assert p_value(shares((not_normalised(rng, 5) for _ in range(DRAWS)), 10), 10, 5) > 1e-3


@pytest.mark.parametrize("name", [name for name in KINDS if name != "coordinates"])
@pytest.mark.parametrize("d", [10, 15])
def test_from_ten_dimensions_on_the_toy_problem_is_solved(name, d):
    assert max(shares(drawn(name, d, draws=3), 10)) < 1e-12
