"""d_int from measured performances: the paper's reading, ours, and how far ours can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import as_array
from npintdim.engine.score import Score
from npintdim.inputs import check_integer, check_kind, check_real, counted, quiet, shown, table_html
from npintdim.measurement.curves import (
    FEWEST,
    LOST,
    LocalFit,
    baseline_sd,
    censored,
    crossing,
    isotonic_means,
    local_fit,
    noise_at,
    possible,
)
from npintdim.typing import Floats

CROOKED = 0.1  # share of the curves without a sharp bend below which no curve is trusted alone
BEYOND = 10  # runs beyond the pooled means: fewer seem to agree with these by chance, since these follow them
MANY = 0.4  # of all runs: so many do not collapse
AMISS = 2.0  # times the noise about the means: a curve that needs so much misses them


@dataclass(frozen=True)
class DInt:
    """The smallest d whose performance reaches a threshold, read in three ways.

    Parameters
    ----------
    d : ours; real, between two tried d. −inf: already reached at the smallest; inf: never reached;
        NaN: not read, since the baseline learnt nothing
    low, high : 95 % interval of d, ±inf where it leaves the tried range; None where it is unknown
    first_above : the paper's reading, the first tried d whose mean is strictly above; None if there is none
    threshold : of the mean performance
    fraction : threshold = chance + fraction·(baseline − chance); None for an absolute threshold
    baseline : mean performance of direct training; None if it was not needed
    tried, means, fit : the d's, the mean performance at each, and the monotone fit to the means:
        the curve that is read near the crossing, pooled means elsewhere
    runs : that entered
    excluded : runs left out because they diverged or failed
    unknown : why there is no interval, else ""
    isotonic : the pooled means joined by straight lines, read where they cross:
        a check of d that assumes no curve
    noise : sd of one run at the threshold, from all runs; None where the interval is unknown
    chance : performance of guessing that the threshold allows for; 0 in the paper
    counts : runs at each d
    collapsed : runs left out because they learnt far less than others with as many numbers or fewer
    reading : "curve"; "isotonic" where it misses the means by more than their noise,
        or they cross outside its interval
    score : what threshold, baseline, means, fit and noise are numbers of; None for performances in [0, 1]
    """

    d: float
    low: float | None
    high: float | None
    first_above: int | None
    threshold: float
    fraction: float | None
    baseline: float | None
    tried: tuple[int, ...]
    means: tuple[float, ...]
    fit: tuple[float, ...]
    runs: int
    excluded: int
    unknown: str = ""
    isotonic: float = math.nan
    noise: float | None = None
    chance: float = 0.0
    counts: tuple[int, ...] = ()
    collapsed: int = 0
    reading: str = "curve"
    score: Score | None = None

    @property
    def name(self) -> str:
        """d_int90 for a threshold of 0.9 × baseline, d_int for an absolute one."""
        return "d_int" if self.fraction is None else f"d_int{100 * self.fraction:g}"

    def summary(self) -> str:
        """One line with both readings, the interval and the threshold."""
        first, last = self.tried[0], self.tried[-1]
        if math.isnan(self.d):
            return f"{self.name} not read: {self.unknown}"
        if self.d == math.inf:
            ours = f"{self.name} > {last:,}: never reached by d = {last:,} ({self.at(-1)})"
        elif self.d == -math.inf:
            ours = f"{self.name} ≤ {first:,}: already reached at d = {first:,} ({self.at(0)})"
        else:
            ours = f"{self.name} = {self.d:,.0f} ({self.interval()})"
        above = f"none up to {last:,}" if self.first_above is None else f"{self.first_above:,}"
        line = f"threshold {self.threshold:.4f}"
        if self.fraction is not None and self.score is not None and self.score.guess:
            guess = f"{self.score.guess:g}"
            line += f" = {guess} + {self.fraction:g} × ({self.baseline:.4f} − {guess})"
        elif self.fraction is not None:
            line += f" = {self.fraction:g} × {self.baseline:.4f}"
            if self.chance:
                line += f" + {1 - self.fraction:g} × {self.chance:g} (chance)"
        told = [ours, f"first tried d above the line: {above}", line]
        if self.at_odds:
            told.append("the means contradict a smooth curve: read from them alone")
        if self.excluded:
            told.append(f"runs left out because they diverged or failed: {self.excluded}")
        if self.collapsed:
            told.append(f"left out, far below runs with fewer numbers: {counted(self.collapsed, 'run')}")
        return "; ".join(told)

    def _repr_html_(self) -> str:
        rows: list[Sequence[object]] = [("d", "runs", "mean", "fit", "")]
        for d, n, mean, fit in zip(self.tried, self.counts, self.means, self.fit, strict=True):
            mark = "first above the line" if d == self.first_above else ""
            rows.append((f"{d:,}", n, f"{mean:.4f}", f"{fit:.4f}", mark))
        return table_html(f"{self.name} from {counted(self.runs, 'run')}", rows, self.summary())

    @property
    def at_odds(self) -> bool:
        """Whether the means follow no smooth curve: they cross outside its interval, and are read instead."""
        return self.reading == "isotonic"

    def above(self, p: float) -> bool:
        """Whether a performance is strictly better than the threshold."""
        lower = self.score is not None and self.score.best < self.score.guess
        return p < self.threshold if lower else p > self.threshold

    def at(self, i: int) -> str:
        """The performance at the i-th d: the mean, or the curve if the mean is on the line's other side."""
        same = (self.above(self.means[i]) or self.means[i] == self.threshold) == (self.d == -math.inf)
        return f"mean {self.means[i]:.4f}" if same else f"curve {self.fit[i]:.4f}"

    def interval(self) -> str:
        """The 95 % interval in words."""
        if self.low is None or self.high is None:
            return f"95 % interval unknown: {self.unknown}"
        low = f"{self.low:,.0f}" if self.low > -math.inf else f"below {self.tried[0]:,}"
        high = f"{self.high:,.0f}" if self.high < math.inf else f"beyond {self.tried[-1]:,}"
        return f"95 % interval {low} to {high}"


def shares(performances: Any, score: Score | None) -> Floats:
    """Of performances, in which everything is decided; themselves where they are shares."""
    return np.asarray(performances) if score is None else score.share(performances)


def value(share: float, score: Score | None) -> float:
    """A share in the units of its score."""
    return share if score is None else float(score.value(share))


@quiet
def d_int(
    d: Sequence[int],
    performance: Sequence[float],
    baseline: Sequence[float] = (),
    fraction: float = 0.9,
    threshold: float | None = None,
    draws: int = 2000,
    seed: int = 0,
    chance: float = 0.0,
    score: Score | None = None,
) -> DInt:
    """The intrinsic dimension from one (d, performance) pair per run.

    Parameters
    ----------
    d, performance : of every run, in any order, any number at each d; performance in [0, 1], NaN if the run
        diverged or failed
    baseline : performances of direct training, one a seed
    fraction : the threshold is chance + fraction·(mean(baseline) − chance)
    threshold : an absolute one instead, as the authors used on MNIST (0.9)
    draws, seed : of the interval
    chance : performance of guessing, e.g. 0.1 for ten equal classes; the paper's rule is 0
    score : of performances that are no shares in [0, 1]: they are read as `Score.share`, and what is found is
        told in the score's own units

    Raises
    ------
    TypeError, ValueError
        for d < 1, performances outside [0, 1], lengths that differ, or nothing left to read.

    Notes
    -----
    The paper's reading: the first tried d whose mean performance is strictly above the threshold.

    Ours: −log(1 − p) against log d near the crossing is a monotone curve of three numbers, fitted to all runs
    with one noise level for all (`npintdim.measurement.curves`); d_int is where it reaches the threshold.

    The interval: 2.5 and 97.5 % quantiles of that d when noise level, curve and baseline are drawn again.
    The curve's bend is never taken as known, however little the runs say of it.

    Isotonic: the means over seeds are made non-decreasing by pool-adjacent-violators (weights: runs)
    and joined by straight lines; where they first reach the threshold.

    Examples
    --------
    >>> runs = [(100, 0.80), (100, 0.81), (200, 0.87), (400, 0.91), (400, 0.92), (800, 0.94)]
    >>> for part in d_int(*zip(*runs), baseline=[0.98, 0.98]).summary().split("; "):
    ...     print(part)
    d_int90 = 231 (95 % interval 197 to 276)
    first tried d above the line: 400
    threshold 0.8820 = 0.9 × 0.9800
    """
    if score is not None:
        check_kind("score", score, Score, "Score('mean absolute error', guess=3.1, best=0)")
        if chance:
            raise ValueError(f"chance is {chance}: with a score it is its guess, {score.guess:g}")
        performance, baseline = score.share(performance).tolist(), score.share(baseline).tolist()
        threshold = score.line(threshold)
    groups, excluded = by_d(d, performance)
    base = finite("baseline", baseline)
    if threshold is None and not len(base):
        raise ValueError("baseline has no finished run: one is needed, or an absolute threshold")
    check_rule(fraction, threshold, chance)
    check_integer("draws", draws, 1)
    line = chance + fraction * (float(base.mean()) - chance) if threshold is None else threshold
    groups, collapsed = survivors(groups, line)
    tried = tuple(groups)
    monotone, means, weights = isotonic_means(groups)  # means: over the runs at each d
    above = np.flatnonzero(means > line)

    curve = around_crossing(groups, line)
    alone, stands = crossing(tried, monotone, line), "curve"
    reading = low = high = noise = None
    if curve is not None:
        reading = censored(np.array([curve.crossing(line)]), tried)[0]
    unknown = too_few(groups)
    if curve is not None and not unknown:
        drawn = curve.draws(line, base, fraction if threshold is None else 0.0, draws, seed)
        inner = censored(drawn, tried)
        low, high = np.quantile(inner, (0.025, 0.975), method="inverted_cdf").tolist()
        noise = curve.sigma * math.sqrt(max(1 - line, LOST))
        own, beyond = noise_at(groups, line)
        misses = noise > AMISS * own  # not where it is NaN
        contrary = math.isfinite(alone) and (misses or not low <= alone <= high)
        if contrary or curve.smooth < CROOKED:
            line_sd = fraction * float(baseline_sd(base, np.array(curve.sigma))) if threshold is None else 0.0
            first, last = possible(groups, line, noise if math.isnan(own) else own, line_sd)
            sure = misses and beyond >= BEYOND  # nothing speaks for the curve
            low, high = (first, last) if sure else (min(low, first), max(high, last))
        if contrary:
            reading, stands, noise = alone, "isotonic", own if misses else noise
    fit = monotone if curve is None else joined(curve, np.array(tried), monotone, line)
    if noise is not None and score is not None:
        noise *= abs(score.best - score.guess)
    return DInt(
        d=alone if reading is None else float(reading),
        low=low,
        high=high,
        first_above=tried[above[0]] if len(above) else None,
        threshold=value(line, score),
        fraction=fraction if threshold is None else None,
        baseline=value(float(base.mean()), score) if len(base) else None,
        tried=tried,
        means=tuple(value(mean, score) for mean in means.tolist()),
        fit=tuple(value(p, score) for p in fit.tolist()),
        runs=int(weights.sum()),
        excluded=excluded,
        unknown=unknown,
        isotonic=alone,
        noise=noise,
        chance=chance,
        counts=tuple(weights.tolist()),
        collapsed=collapsed,
        reading=stands,
        score=score,
    )


def curve_of(found: DInt, groups: Mapping[int | None, Floats]) -> LocalFit | None:
    """The curve that `d_int` read from the shares at each d; None where it read means alone, or nothing."""
    if found.at_odds or math.isnan(found.d):
        return None
    inside = {d: shares(p, found.score) for d, p in groups.items() if d is not None and len(p)}
    line = float(shares(found.threshold, found.score))
    return around_crossing(survivors(inside, line)[0], line)


def around_crossing(groups: dict[int, Floats], line: float) -> LocalFit | None:
    """The curve near where the pooled means reach a line; None for one d, or a line without a logarithm."""
    if len(groups) < 2 or line > 1 - LOST:
        return None
    tried = np.array(list(groups), dtype=np.float64)
    monotone, _, _ = isotonic_means(groups)
    start = float(np.clip(crossing(tuple(groups), monotone, line), tried[0], tried[-1]))
    i = min(max(int(np.searchsorted(tried, start)), 1), len(tried) - 1)
    wide = slice(max(i - 2, 0), i + 2)
    x, y = np.log(tried)[wide], -np.log(np.maximum(1 - monotone, LOST))[wide]
    log_d = np.log([d for d, p in groups.items() for _ in p])
    p = np.concatenate(list(groups.values()))
    return local_fit(log_d, p, line, math.log(start), max((y[-1] - y[0]) / (x[-1] - x[0]), 0.05))


def joined(curve: LocalFit, tried: Floats, monotone: Floats, line: float) -> Floats:
    """The curve where it may be trusted, else pooled means; non-decreasing, with the crossing where it is."""
    fit = np.where(curve.near(tried) > 0.5, curve.performance(tried), monotone)
    left = np.log(tried) < curve.crossing(line)
    fit = np.where(left, np.minimum(fit, line), np.maximum(fit, line))
    return np.maximum.accumulate(fit)


def by_d(d: Sequence[int], performance: Sequence[float]) -> tuple[dict[int, Floats], int]:
    """Performances of each d, ascending; how many diverged. Refuses d < 1, p outside [0, 1], no run."""
    d, performance = as_array("d", d), as_array("performance", performance)
    for name, value in (("d", d), ("performance", performance)):
        if np.ndim(value) != 1:
            raise TypeError(f"{name} is {shown(value)}: one number per run, in a list, is needed")
    if len(d) != len(performance):
        wrong = f"d has {len(d)} entries and performance {len(performance)}"
        raise ValueError(f"{wrong}: one each per run is needed")
    pairs = [(check_integer("d", i, 1), float(p)) for i, p in zip(d, performance, strict=True)]
    finite("performance", [p for _, p in pairs])
    finished = [(i, p) for i, p in pairs if not math.isnan(p)]
    if not finished:
        raise ValueError(
            f"none of {counted(len(pairs), 'run')} finished: there is nothing to read d_int from"
        )
    groups = {i: np.array([p for j, p in finished if i == j]) for i in sorted({i for i, _ in finished})}
    return groups, len(pairs) - len(finished)


def survivors(groups: dict[int, Floats], line: float) -> tuple[dict[int, Floats], int]:
    """The runs that did not collapse; how many did: p_i < max {median at d : d ≤ d_i} − line/3.

    More directions do not make the best point worse, and luck is no third of the line, so such a run failed
    to train. Where that would be more than two runs and more than `MANY` of all, it is their noise,
    and none is left out; nor where luck is half as much as that: where those that are kept have an sd at the
    same d above line/6, as agents have that solve their task or do not.
    """
    best, kept = 0.0, {}
    for d, p in groups.items():
        best = max(best, float(np.quantile(p, 0.5, method="higher")))
        if len(alive := p[p >= best - line / 3]):
            kept[d] = alive
    runs = sum(map(len, groups.values()))
    lost = runs - sum(map(len, kept.values()))
    free = runs - lost - len(kept)
    luck = math.sqrt(sum(len(p) * p.var() for p in kept.values()) / free) if free else 0.0
    return (groups, 0) if lost > max(2, MANY * runs) or luck > line / 6 else (kept, lost)


def finite(name: str, performance: Sequence[float]) -> Floats:
    """Those that are not NaN, as an array; ValueError if one is outside [0, 1]."""
    p = np.array(as_array(name, performance), dtype=np.float64)
    p = p[~np.isnan(p)]
    outside = p[(p < 0) | (p > 1)]
    if len(outside):
        raise ValueError(f"{name} has {outside[0]}: performances in [0, 1] are needed")
    return p


def check_rule(fraction: float, threshold: float | None, chance: float) -> None:
    """ValueError for a rule that no performance can meet, or all do."""
    if threshold is not None and not 0 < check_real("threshold", threshold) <= 1:
        raise ValueError(f"threshold is {threshold}: a performance with 0 < threshold ≤ 1 is needed")
    if threshold is None and not 0 < check_real("fraction", fraction) <= 1:
        raise ValueError(f"fraction is {fraction}: 0 < q ≤ 1 is needed in threshold = q × baseline")
    if not 0 <= check_real("chance", chance) < 1 or (chance and threshold is not None):
        raise ValueError(f"chance is {chance}: 0 ≤ chance < 1 is needed, and 0 with an absolute threshold")


def too_few(groups: dict[int, Floats]) -> str:
    """Why the runs do not tell their noise, or ""."""
    runs = sum(map(len, groups.values()))
    if runs < FEWEST:
        return f"{counted(runs, 'run')}, and {FEWEST} tell their noise"
    return "" if len(groups) > 1 else "only one d"
