"""The curve around the crossing: exact where it can be, its derivatives, its noise level, its interval."""

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime, brentq, minimize

from npintdim.measurement.curves import (
    BENDS,
    KAPPAS,
    PRECISION,
    SIGMAS,
    curve_value,
    local_fit,
    misfit,
    root,
    slopes,
)

LINE = 0.9
Y = -math.log(1 - LINE)


def curved(log_d, b=0.8, c=-0.3):
    """A curve of the fitted family, through the line at d = 150."""
    return 1 - np.exp(-(Y + b * np.expm1(c * (log_d - math.log(150))) / c))


def fit(d, p, start=140.0, slope=0.6):
    p = np.asarray(p, float)
    p.flags.writeable = False
    return local_fit(np.log(d), p, LINE, math.log(start), slope)


def test_exact_on_a_noiseless_curve_of_the_family():
    d = np.array([60.0, 100, 130, 170, 200, 300])
    found = fit(d, curved(np.log(d)))
    assert math.exp(found.crossing(LINE)) == pytest.approx(150, rel=1e-5)
    assert found.performance(d) == pytest.approx(curved(np.log(d)), abs=1e-4)


def test_on_any_smooth_noiseless_curve_runs_that_close_in_give_the_crossing():
    """Gompertz-like, not of the family: the error falls with the cube of the distance of the runs."""

    def p(log_d):
        return 1 - np.exp(-2.9 / (1 + np.exp(4 - log_d)))

    truth = brentq(lambda x: p(x) - LINE, 0, 10)
    errors = []
    for width in (1.0, 0.5, 0.25):
        d = np.exp(truth + 0.1 * width + width * np.array([-1, -0.5, -0.2, 0.3, 0.6, 1]))
        errors.append(abs(fit(d, p(np.log(d)), start=d[3]).crossing(LINE) - truth))
    assert errors[0] < 5e-3
    assert errors[1] < errors[0] / 4
    assert errors[2] < errors[1] / 4


def test_the_start_does_not_matter():
    rng = np.random.default_rng(0)
    d = np.geomspace(40, 500, 12)
    p = curved(np.log(d)) + 0.006 * rng.standard_normal(12)
    found = [fit(d, p, start) for start in (60.0, 150.0, 400.0)]
    assert found[1].crossing(LINE) == pytest.approx(found[0].crossing(LINE), abs=2e-3)
    assert found[1].crossing(LINE) == pytest.approx(found[2].crossing(LINE), abs=2e-3)


def test_the_fit_is_the_minimum_that_a_general_minimiser_finds():
    rng = np.random.default_rng(1)
    log_d = np.log(np.geomspace(60, 400, 9))
    p = curved(log_d) + 0.008 * rng.standard_normal(9)
    found = local_fit(log_d, p, LINE, math.log(150), 0.6)
    j, t = found.best, log_d - found.log_d0
    at = found.beta[j]
    m = np.exp(-curve_value(at, t))
    v = m**2 * (
        SIGMAS[j] ** 2 / m + misfit(at, t, KAPPAS[j]) ** 2
    )  # the weights of a quasi-likelihood, held fixed

    def cost(beta):
        prior = (beta - [Y, math.log(0.6), 0.0]) ** 2 @ PRECISION[:, j]
        return ((p - 1 + np.exp(-curve_value(beta, t))) ** 2 / v).sum() + prior

    assert found.beta[j] == pytest.approx(minimize(cost, at + 0.05, tol=1e-12).x, abs=1e-4)


@pytest.mark.parametrize("c", [-0.7, -1e-8, 1e-6, 0.9])
def test_derivatives_are_those_of_the_curve(c):
    beta, t = np.array([2.1, -0.3, c]), np.array([-1.3, 0.4, 1.1])
    for i in range(3):
        numeric = approx_fprime(beta, lambda b, i=i: curve_value(b, t[i]), 1e-5)
        assert slopes(beta, t)[0][:, i] == pytest.approx(numeric, abs=2e-5)


@pytest.mark.parametrize("c", [-0.7, 0.0, 0.9])
def test_root_is_the_inverse(c):
    beta = np.array([2.1, -0.3, c])
    t = np.array([-1.0, 0.2, 0.8])
    assert root(beta, 1 - np.exp(-curve_value(beta, t))) == pytest.approx(t, abs=1e-8)


def test_a_curve_that_saturates_below_the_line_never_reaches_it():
    beta = np.array([1.0, math.log(0.5), -1.0])  # y → 1.5
    assert root(beta, 1 - math.exp(-1.4)) < math.inf
    assert root(beta, 1 - math.exp(-1.6)) == math.inf
    assert root(np.array([3.0, math.log(0.5), 1.0]), 1 - math.exp(-2.4)) == -math.inf  # y → 2.5 on the left


def test_always_increasing_even_through_noise_that_decreases():
    d = np.array([100.0, 120, 140, 160, 180, 200])
    found = fit(d, [0.92, 0.91, 0.90, 0.90, 0.89, 0.88])
    assert (np.diff(found.performance(np.geomspace(90, 220, 50))) >= 0).all()
    assert (found.cov[found.best].diagonal() > 0).all()


def test_the_noise_of_the_runs_is_found_from_single_runs():
    rng = np.random.default_rng(2)
    d = np.geomspace(70, 300, 60)
    for sd in (0.003, 0.012):
        noise = sd * np.sqrt((1 - curved(np.log(d))) / (1 - LINE))
        found = fit(d, curved(np.log(d)) + noise * rng.standard_normal(60))
        assert found.sigma * math.sqrt(1 - LINE) == pytest.approx(sd, rel=0.3)


def test_the_noise_is_not_underestimated_from_few_runs():
    """What the curve's three numbers take of the residuals is given back: the mean of σ² is right or more."""
    rng = np.random.default_rng(4)
    d = np.geomspace(100, 230, 7)
    m = 1 - curved(np.log(d))
    ratio = []
    for _ in range(150):
        found = fit(d, 1 - m + 0.02 * np.sqrt(m) * rng.standard_normal(7))
        ratio.append(np.exp(found.share @ np.log(SIGMAS)) / 0.02)
    assert 0.9 < np.exp(np.mean(np.log(ratio))) < 1.15


def test_the_smaller_the_noise_the_nearer_the_runs_that_count():
    d = np.geomspace(20, 1000, 16)
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(16)
    fits = [fit(d, np.clip(curved(np.log(d)) + sd * noise, 0, 1)) for sd in (0.002, 0.02)]
    assert (fits[0].near(d) > 0.5).sum() < (fits[1].near(d) > 0.5).sum()
    assert all(f.near(np.array([150.0])) > 0.99 for f in fits)


def test_the_bend_is_never_taken_as_known():
    """Two far d without noise: the interval is at least that of the bend for the smallest κ."""
    d = np.array([75.0, 75, 300, 300])
    found = fit(d, curved(np.log(d), c=1e-9))
    drawn = found.draws(LINE, np.array([]), 0.0, 4000, 0)
    h = math.log(2)
    kappa = BENDS[0]
    assert drawn.std() > math.hypot(kappa * h**2 / 2, kappa**2 * h**3 / 6 / math.sqrt(4))


def test_a_plateau_that_is_left_at_a_kink_is_followed():
    """Level .875 up to d = 400, then steep: the smallest bend alone reads 40 % of it, all of them the crossing."""
    d = np.array([64.0, 128, 200, 256, 320, 400, 440, 480, 520, 600])
    y = -math.log(1 - 0.875) + np.maximum(0, 1.6 * np.log(d / 400))
    p = 1 - np.exp(-y) + 0.002 * np.array([1, -1, 0.5, -0.5, 1, -1, 0.5, 0.5, -1, 0.5])
    truth = math.log(400) + (Y - -math.log(1 - 0.875)) / 1.6
    found = fit(d, p, start=300.0, slope=0.3)
    assert found.crossing(LINE) == pytest.approx(truth, abs=0.04)
    assert KAPPAS[found.best] > BENDS[0]
    drawn = found.draws(LINE, np.array([]), 0.0, 1000, 0)
    assert np.quantile(drawn, 0.025) < truth < np.quantile(drawn, 0.975)


def test_a_draw_is_an_address_and_not_a_state():
    found = fit([60.0, 100, 130, 170, 200, 300], [0.78, 0.86, 0.89, 0.906, 0.92, 0.94])
    args = (LINE, np.array([0.97, 0.98]), 0.9, 500)
    assert (found.draws(*args, 3) == found.draws(*args, 3)).all()
    assert (found.draws(*args, 3) != found.draws(*args, 4)).any()
