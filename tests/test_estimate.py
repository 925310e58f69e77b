"""d_int on curves whose crossing is known, and its interval on simulated runs."""

import math

import numpy as np
import pytest
from scipy.optimize import lsq_linear

import npintdim as nid
from npintdim.measurement import estimate
from npintdim.measurement.curves import crossing, isotonic

GRID = (10, 30, 100, 300, 1000)


def power_law(d, d_90=150.0, slope=0.8):
    """1 − p = 0.1 (d/d_90)^−slope: straight in log d against −log(1 − p), and p = 0.9 at d_90."""
    return 1 - np.minimum(1.0, 0.1 * (np.asarray(d, float) / d_90) ** -slope)


def repeated(p, times):
    return [d for d in GRID for _ in range(times)], [q for q in p for _ in range(times)]


def test_exact_on_a_noiseless_curve_whatever_the_grid():
    for grid in ([100, 200], [40, 120, 160, 900], [30, 149, 151, 1000]):
        found = nid.d_int(grid, power_law(grid), threshold=0.9)
        assert found.d == pytest.approx(150, rel=1e-8)
        assert found.isotonic == pytest.approx(150, rel=1e-12)
        assert found.first_above == min(d for d in grid if d > 150)


def test_exact_on_a_piecewise_curve():
    """The crossing by hand: −log(1 − p) goes from log 2 to log 10; log 5 is reached at a share s of log(10)."""
    found = nid.d_int([10, 100], [0.5, 0.9], threshold=0.8)
    s = (math.log(5) - math.log(2)) / (math.log(10) - math.log(2))
    assert found.isotonic == pytest.approx(10 * 10**s, rel=1e-13)
    assert found.d == pytest.approx(10 * 10**s, rel=1e-8)  # two d: a straight line


def test_seeds_are_averaged_before_the_logarithm():
    found = nid.d_int([10, 10, 100, 100], [0.4, 0.6, 0.85, 0.95], threshold=0.8)
    means = nid.d_int([10, 100], [0.5, 0.9], threshold=0.8)
    assert found.isotonic == pytest.approx(means.isotonic, rel=1e-13)
    assert found.d == pytest.approx(
        means.d, rel=0.02
    )  # the slope's prior pulls a little where there is noise


def test_the_order_of_the_runs_does_not_matter():
    d, p = repeated(power_law(GRID), 1)
    assert nid.d_int(d[::-1], p[::-1], threshold=0.9) == nid.d_int(d, p, threshold=0.9)


def test_threshold_is_a_fraction_of_the_mean_baseline_or_absolute():
    found = nid.d_int(GRID, power_law(GRID), baseline=[0.94, 0.96, 0.98], fraction=0.9)
    assert found.threshold == pytest.approx(0.9 * 0.96)
    assert found.name == "d_int90"
    assert nid.d_int(GRID, power_law(GRID), [0.96], fraction=0.95).name == "d_int95"
    absolute = nid.d_int(GRID, power_law(GRID), baseline=[0.94], threshold=0.9)
    assert (absolute.threshold, absolute.fraction, absolute.name) == (0.9, None, "d_int")


def test_threshold_may_be_corrected_for_chance():
    found = nid.d_int(GRID, power_law(GRID), [0.9, 0.9], chance=0.1)
    assert found.threshold == pytest.approx(0.1 + 0.9 * (0.9 - 0.1))
    assert found.summary().endswith("; threshold 0.8200 = 0.9 × 0.9000 + 0.1 × 0.1 (chance)")


def test_papers_reading_is_strict_and_ours_is_not():
    found = nid.d_int([10, 100, 1000], [0.5, 0.9, 0.95], threshold=0.9)
    assert found.first_above == 1000
    assert found.isotonic == 100
    assert found.d == pytest.approx(100, rel=1e-6)


def test_papers_reading_ignores_a_later_dip_and_isotonic_pools_it():
    found = nid.d_int([10, 20, 40, 80], [0.5, 0.92, 0.86, 0.96], threshold=0.9)
    assert found.first_above == 20
    assert 40 < found.isotonic < 80
    assert 20 < found.d < 40  # a curve through all four: three of them are far from pooled


def test_on_a_plateau_at_the_threshold_the_first_d_counts_for_isotonic():
    assert nid.d_int([10, 20, 40], [0.5, 0.9, 0.9], threshold=0.9).isotonic == 20
    assert nid.d_int([10, 20, 40, 80], [0.5, 0.7, 0.7, 0.9], threshold=0.7).isotonic == 20


def test_never_reached():
    found = nid.d_int(GRID, [0.1, 0.2, 0.3, 0.4, 0.5], threshold=0.9)
    assert found.d == math.inf
    assert found.first_above is None
    assert found.summary() == (
        "d_int > 1,000: never reached by d = 1,000 (mean 0.5000); first tried d above the line: none up to 1,000; "
        "threshold 0.9000"
    )


def test_already_reached():
    found = nid.d_int(GRID, [0.95] * 5, baseline=[1.0])
    assert found.d == -math.inf
    assert found.summary().startswith("d_int90 ≤ 10: already reached at d = 10 (mean 0.9500); ")
    assert found.first_above == 10


def test_summary_is_the_line_that_the_readme_shows():
    d, p = repeated([0.3, 0.6, 0.82, 0.93, 0.95], 3)
    noise = np.tile([-0.02, 0.0, 0.02], 5)
    found = nid.d_int(d, np.array(p) + noise, baseline=[0.95, 0.96, 0.97])
    assert found.summary() == (
        f"d_int90 = {found.d:.0f} (95 % interval {found.low:.0f} to {found.high:.0f}); "
        "first tried d above the line: 300; threshold 0.8640 = 0.9 × 0.9600"
    )
    assert 100 < found.low < found.d < found.high < 300


def test_interval_that_leaves_the_grid_is_said_in_words():
    d = [10] * 3 + [100] * 3
    low = nid.d_int(d, [0.7, 0.79, 0.85] + [0.95] * 3, threshold=0.79)
    assert low.low == -math.inf
    assert "95 % interval below 10 to " in low.summary()
    high = nid.d_int(d, [0.5] * 3 + [0.75, 0.81, 0.87], threshold=0.8)
    assert high.high == math.inf
    assert " to beyond 100)" in high.summary()


@pytest.mark.parametrize(
    ("d", "p", "why"),
    [
        ([10], [0.5], "1 run, and 4 tell their noise"),
        ([10, 20, 40], [0.5, 0.8, 0.95], "3 runs, and 4 tell their noise"),
        ([10, 20, 40, 80], [0.5, 0.8, 0.95, math.nan], "3 runs, and 4 tell their noise"),
        ([10, 10, 10, 10], [0.5, 0.51, 0.52, 0.53], "only one d"),
    ],
)
def test_too_few_runs_leave_the_interval_unknown(d, p, why):
    found = nid.d_int(d, p, [0.96, 0.97])
    assert (found.low, found.high, found.noise) == (None, None, None)
    assert found.interval() == f"95 % interval unknown: {why}"


def test_single_runs_share_their_noise_and_have_an_interval():
    found = nid.d_int([40, 80, 120, 160, 240, 400], power_law([44, 76, 124, 155, 250, 390]), [0.99, 1.0])
    assert found.low < found.d < found.high
    assert found.noise == pytest.approx(0.004, abs=0.003)


def test_one_baseline_run_is_enough_for_an_absolute_threshold():
    assert nid.d_int([10, 10, 100, 100], [0.5, 0.5, 0.95, 0.95], [0.9], threshold=0.8).low is not None


def test_one_baseline_run_lends_the_noise_of_the_others():
    d, p = [40, 80, 120, 160, 240, 400], power_law([44, 76, 124, 155, 250, 390])
    single, many, none = (nid.d_int(d, p, [0.98] * k, fraction=0.9 / 0.98) for k in (1, 100, 10_000))
    assert single.threshold == pytest.approx(0.9)
    widths = [math.log(found.high / found.low) for found in (single, many, none)]
    assert widths[0] > 1.02 * widths[1]
    assert widths[1] == pytest.approx(widths[2], rel=1e-2)


def test_runs_that_diverged_are_left_out_and_counted():
    nan = math.nan
    found = nid.d_int([10, 10, 100, 100, 200], [0.5, nan, 0.9, nan, nan], [0.95, nan], threshold=0.8)
    assert found.d == nid.d_int([10, 100], [0.5, 0.9], threshold=0.8).d
    assert (found.runs, found.excluded, found.tried, found.baseline) == (2, 3, (10, 100), 0.95)
    assert found.summary().endswith("; runs left out because they diverged or failed: 3")


def test_a_perfect_score_has_a_logarithm():
    found = nid.d_int([10, 100, 1000], [0.5, 1.0, 1.0], threshold=0.9)
    assert 10 < found.d < 100
    assert nid.d_int([10, 100], [0.5, 1.0], threshold=1.0).d == 100


def test_a_run_that_collapsed_is_left_out_and_said():
    d, p = [40, 80, 120, 160, 240, 400], power_law([44, 76, 124, 155, 250, 390]).tolist()
    whole = nid.d_int(d, p, threshold=0.9)
    one = nid.d_int([*d, 140], [*p, 0.1], threshold=0.9)
    assert (one.d, one.low, one.high, one.isotonic) == (whole.d, whole.low, whole.high, whole.isotonic)
    assert (one.runs, one.collapsed, one.excluded, 140 in one.tried) == (6, 1, 0, False)
    assert one.summary().endswith("; left out, far below runs with fewer numbers: 1 run")


def test_where_too_many_collapse_it_is_noise_and_where_performance_jumps_nothing_collapsed():
    p = [0.9, 0.1, 0.95, 0.2, 0.15, 0.97, 0.1, 0.12]
    assert nid.d_int(range(10, 90, 10), p, threshold=0.9).collapsed == 0
    for collapsed, d in (
        (2, range(10, 70, 10)),
        (0, range(20, 90, 10)),
    ):  # 2 of 6 runs; 3 of 7 are more than two and 40 %
        few = [0.9] * 4 + [0.1] * (len(d) - 4)
        assert nid.d_int(d, few, threshold=0.9).collapsed == collapsed
    jump = nid.d_int(range(6, 14), [0.06, 0.07, 0.08, 0.09, 1.0, 1.0, 1.0, 1.0], threshold=0.9)
    assert (jump.collapsed, 9 <= jump.d <= 10) == (0, True)


@pytest.mark.parametrize(("sd", "collapsed"), [(0.02, 3), (0.145, 3), (0.155, 0), (0.2, 0)])
def test_where_runs_succeed_or_fail_by_luck_none_collapsed(sd, collapsed):
    """Three of ten runs reach little; the others have this sd at the same d, and the line is .9, a sixth of it .15."""
    moved = sd / np.sqrt(2)
    reached = {d: [0.05, mean - moved, mean + moved] for d, mean in ((5, 0.6), (20, 0.7), (80, 0.75))} | {
        320: [0.8]
    }
    runs = [(d, p) for d, each in reached.items() for p in each]
    found = nid.d_int(*zip(*runs, strict=True), threshold=0.9)
    assert (found.collapsed, found.runs) == (collapsed, 10 - collapsed)


@pytest.mark.parametrize("seed", range(4))
def test_where_the_means_contradict_the_curve_they_are_read_and_it_is_said(seed):
    """Flat at .86 up to 500, then .95: no three numbers follow that, and 33 runs leave no doubt of it."""
    noise = 0.004 * np.random.default_rng(seed).standard_normal(33)
    d = [20, 60, 180, 300, 400, 480, 500, 520, 560, 700, 1500] * 3
    found = nid.d_int(d, np.array(([0.5] + [0.86] * 6 + [0.95] * 4) * 3) + noise, threshold=0.88)
    assert (found.reading, found.at_odds, found.d) == ("isotonic", True, found.isotonic)
    assert (found.low, found.high) == (500, 520)
    assert found.noise == pytest.approx(0.004, rel=0.5)
    assert "; the means contradict a smooth curve: read from them alone" in found.summary()
    assert nid.d_int(GRID, power_law(GRID), threshold=0.9).reading == "curve"


def test_interval_narrows_to_the_curve_without_noise_and_widens_with_it():
    widths = []
    for noise in (0.0, 0.01, 0.03):
        d, p = repeated(power_law(GRID), 4)
        found = nid.d_int(
            d, np.clip(np.array(p) + noise * np.tile([-1, -0.3, 0.3, 1], 5), 0, 1), threshold=0.9
        )
        widths.append(math.log(found.high / found.low))
    assert widths[0] < 0.05  # factors of 3 between the d: the bend is not known for certain
    assert 2 * widths[0] < widths[1] < widths[2]


def test_the_baselines_own_spread_enters_the_interval():
    d, p = repeated(power_law(GRID), 3)
    sure = nid.d_int(d, p, baseline=[0.96] * 3)
    unsure = nid.d_int(d, p, baseline=[0.94, 0.96, 0.98])
    assert sure.d == pytest.approx(unsure.d, rel=1e-9)
    assert math.log(unsure.high / unsure.low) > 3 * math.log(sure.high / sure.low)


def test_interval_is_the_same_each_time_and_another_for_another_seed():
    d, p = repeated(power_law(GRID), 4)
    p = np.clip(np.array(p) + np.tile([-0.02, -0.005, 0.01, 0.015], 5), 0, 1)
    first, again = (nid.d_int(d, p, threshold=0.9) for _ in range(2))
    other = nid.d_int(d, p, threshold=0.9, seed=1)
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
    assert first.low == pytest.approx(other.low, rel=0.05)


def test_interval_covers_the_truth():
    """200 simulated measurements, 5 seeds a d, normal noise: 90 to 98 % hold the true d_int90."""
    rng = np.random.default_rng(0)
    d = np.repeat([40, 70, 100, 130, 170, 220, 300], 5)
    hits = 0
    for k in range(200):
        p = np.clip(power_law(d) + 0.012 * rng.standard_normal(len(d)), 0, 1)
        found = nid.d_int(d.tolist(), p, threshold=0.9, draws=400, seed=k)
        hits += found.low <= 150 <= found.high
    assert 0.90 <= hits / 200 <= 0.98


def test_isotonic_is_the_nearest_non_decreasing_sequence():
    """Against a bounded least-squares solver: f = cumulative sum of steps ≥ 0."""
    rng = np.random.default_rng(1)
    for n in (1, 2, 5, 12):
        y, w = rng.standard_normal(n), rng.integers(1, 6, n)
        root = np.sqrt(w)
        A = np.tril(np.ones((n, n))) * root[:, None]
        bounds = (np.r_[-np.inf, np.zeros(n - 1)], np.inf)
        steps = lsq_linear(A, y * root, bounds, tol=1e-14).x
        assert np.allclose(isotonic(y, w), np.cumsum(steps), atol=1e-6)
        assert (np.diff(isotonic(y, w)) >= 0).all()


def test_isotonic_leaves_a_monotone_sequence_alone():
    y = np.array([0.1, 0.2, 0.2, 0.7])
    y.flags.writeable = False
    assert isotonic(y, np.array([1, 5, 2, 1])).tolist() == y.tolist()


def test_crossing_at_the_ends():
    p = np.array([0.5, 0.9])
    assert crossing((10, 100), p, 0.4) == -math.inf
    assert crossing((10, 100), p, 0.5) == 10
    assert crossing((10, 100), p, 0.9) == 100
    assert crossing((10, 100), p, 0.91) == math.inf


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (([10], [0.5, 0.6]), ValueError, "d has 1 entries and performance 2: one each per run is needed"),
        (([10], [1.5], [0.9]), ValueError, r"performance has 1.5: performances in \[0, 1\] are needed"),
        (([10], [0.5], [-0.1]), ValueError, r"baseline has -0.1: performances in \[0, 1\] are needed"),
        (([10], [0.5]), ValueError, "baseline has no finished run: one is needed, or an absolute threshold"),
        (([10], [0.5], [math.nan]), ValueError, "baseline has no finished run"),
        (([10], [math.nan], [0.9]), ValueError,
            "none of 1 run finished: there is nothing to read d_int from"),
        (([], [], [0.9]), ValueError, "none of 0 runs finished"),
        (([0], [0.5], [0.9]), ValueError, "d is 0: d ≥ 1 is needed"),
        (([1.5], [0.5], [0.9]), TypeError, "d is 1.5: an integer with d ≥ 1 is needed"),
        (([10], [0.5], [0.9], 0.0), ValueError,
            "fraction is 0.0: 0 < q ≤ 1 is needed in threshold = q × baseline"),
        (([10], [0.5], [0.9], 90.0), ValueError, "fraction is 90.0: 0 < q ≤ 1"),
        (([10], [0.5], [0.9], 0.9, math.nan), ValueError,
            "threshold is nan: a performance with 0 < threshold ≤ 1"),
        (([10], [0.5], [0.9], 0.9, 1.1), ValueError,
            "threshold is 1.1: a performance with 0 < threshold ≤ 1"),
        (([10], [0.5], [0.9], 0.9, None, 0), ValueError, "draws is 0: draws ≥ 1 is needed"),
        (([10], [0.5], [0.9], 0.9, None, 9, 0, 1.0), ValueError, "chance is 1.0: 0 ≤ chance < 1 is needed"),
        (([10], [0.5], [0.9], 0.9, 0.8, 9, 0, 0.1), ValueError, "and 0 with an absolute threshold"),
    ],
)  # fmt: skip
def test_bad_input(arguments, kind, message):
    with pytest.raises(kind, match=message):
        nid.d_int(*arguments)


def test_no_curve_is_trusted_alone_where_a_plateau_is_likely(monkeypatch):
    """Runs of a curve that is flat at .875 and crosses .882 at d = 969, of a search: those above by luck drew it too low."""
    d = [
        256, 1024, 4096, 16384, 1625, 2580, 414, 497, 605, 586, 674, 653, 659, 639, 840, 790, 743, 721, 726,
        726, 755, 772, 772,
    ]  # fmt: skip
    p = [0.851, 0.879, 0.965, 0.958, 0.921, 0.947, 0.866, 0.877, 0.869, 0.892, 0.873, 0.873, 0.873, 0.866, 0.888, 0.874,
         0.879, 0.885, 0.879, 0.876, 0.873, 0.873, 0.878]  # fmt: skip
    found = nid.d_int(d, p, threshold=0.882)
    assert found.reading == "curve"
    assert found.low <= 969 <= found.high
    monkeypatch.setattr(estimate, "CROOKED", 0.0)
    assert not nid.d_int(d, p, threshold=0.882).high >= 969


def test_means_replace_the_interval_of_a_curve_only_where_many_runs_lie_beyond_them(monkeypatch):
    noise = 0.004 * np.random.default_rng(0).standard_normal(33)
    d = [20, 60, 180, 300, 400, 480, 500, 520, 560, 700, 1500] * 3
    p = np.array(([0.5] + [0.86] * 6 + [0.95] * 4) * 3) + noise
    sure = nid.d_int(d, p, threshold=0.88)
    monkeypatch.setattr(estimate, "BEYOND", 34)
    joined = nid.d_int(d, p, threshold=0.88)
    assert joined.low < sure.low
    assert joined.high >= sure.high
