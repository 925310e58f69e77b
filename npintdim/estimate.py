"""d_int from measured performances: the paper's reading, ours, and how far ours can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npintdim.rng import Purpose, Stream, check_integer
from npintdim.typing import Floats

LOST = 1e-6  # 1 − performance is not taken below this, so that a perfect score has a logarithm


@dataclass(frozen=True)
class DInt:
    """The smallest d whose performance reaches a threshold, read in two ways.

    Parameters
    ----------
    d : ours; real, between two tried d. −inf: already reached at the smallest; inf: never reached
    low, high : 95 % interval of d, ±inf where it leaves the tried range; None where it is unknown
    first_above : the paper's reading, the first tried d whose mean is strictly above; None if there is none
    threshold : of the mean performance
    fraction : threshold / baseline; None for an absolute threshold
    baseline : mean performance of direct training; None if it was not needed
    tried, means, fit : the d's, the mean performance at each, and the monotone fit to the means
    runs : that entered
    excluded : runs left out because they diverged or failed
    unknown : why there is no interval, else ""
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

    @property
    def name(self) -> str:
        """d_int90 for a threshold of 0.9 × baseline, d_int for an absolute one."""
        return "d_int" if self.fraction is None else f"d_int{100 * self.fraction:g}"

    def summary(self) -> str:
        """One line with both readings, the interval and the threshold."""
        first, last = self.tried[0], self.tried[-1]
        if self.d == math.inf:
            ours = f"{self.name} > {last}: never reached by d = {last} (mean {self.means[-1]:.4f})"
        elif self.d == -math.inf:
            ours = f"{self.name} ≤ {first}: already reached at d = {first} (mean {self.means[0]:.4f})"
        else:
            ours = f"{self.name} = {self.d:.0f} ({self.interval()})"
        above = f"none up to {last}" if self.first_above is None else str(self.first_above)
        line = f"threshold {self.threshold:.4f}"
        if self.fraction is not None:
            line += f" = {self.fraction:g} × {self.baseline:.4f}"
        left_out = (
            f"; runs left out because they diverged or failed: {self.excluded}" if self.excluded else ""
        )
        return f"{ours}; first tried d above the line: {above}; {line}{left_out}"

    def interval(self) -> str:
        """The 95 % interval in words."""
        if self.low is None or self.high is None:
            return f"95 % interval unknown: {self.unknown}"
        low = f"{self.low:.0f}" if self.low > -math.inf else f"below {self.tried[0]}"
        high = f"{self.high:.0f}" if self.high < math.inf else f"beyond {self.tried[-1]}"
        return f"95 % interval {low} to {high}"


def d_int(
    d: Sequence[int],
    performance: Sequence[float],
    baseline: Sequence[float] = (),
    fraction: float = 0.9,
    threshold: float | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> DInt:
    """The intrinsic dimension from one (d, performance) pair per run.

    Parameters
    ----------
    d, performance : of every run, several seeds per d; performance in [0, 1], NaN if the run diverged or failed
    baseline : performances of direct training, one a seed
    fraction : the threshold is fraction × mean(baseline)
    threshold : an absolute one instead, as the authors used on MNIST (0.9)
    draws, seed : of the bootstrap

    Raises
    ------
    TypeError, ValueError
        for d < 1, performances outside [0, 1], lengths that differ, or nothing left to read.

    Notes
    -----
    The paper's reading: the first tried d whose mean performance is strictly above the threshold.

    Ours: p_d, the means over seeds, are made non-decreasing by pool-adjacent-violators (weights: runs);
    −log(1 − p) against log d is joined by straight lines; d_int is where they first reach the threshold.

    The interval: 2.5 and 97.5 % quantiles of the same reading when the runs of each d and of the baseline
    are drawn again with replacement. Of k runs a drawn mean deviates too little, by sqrt((k − 1)/k) in
    standard deviation, and is stretched by as much.

    Examples
    --------
    >>> runs = [(10, 0.5), (10, 0.5), (100, 0.9), (100, 0.9), (1000, 0.98), (1000, 0.98)]
    >>> d_int(*zip(*runs), baseline=[1.0, 1.0]).summary()
    'd_int90 = 100 (95 % interval 100 to 100); first tried d above the line: 1000; threshold 0.9000 = 0.9 × 1.0000'
    """
    groups, excluded = by_d(d, performance)
    base = finite("baseline", baseline)
    if threshold is None and not len(base):
        raise ValueError("baseline has no finished run: one is needed, or an absolute threshold")
    if not 0 < (goal := fraction if threshold is None else threshold) < math.inf:
        raise ValueError(
            f"{'fraction' if threshold is None else 'threshold'} is {goal}: a number > 0 is needed"
        )
    check_integer("draws", draws, 1)
    tried = tuple(groups)
    weights = np.array([len(p) for p in groups.values()])
    means = np.array([p.mean() for p in groups.values()])
    line = fraction * float(base.mean()) if threshold is None else threshold
    above = np.flatnonzero(means > line)

    unknown = single_run(groups, base, threshold is None)
    low = high = None
    if not unknown:
        drawn = np.stack([resampled(p, draws, seed, i) for i, p in enumerate(groups.values(), 1)], axis=1)
        lines = fraction * resampled(base, draws, seed, 0) if threshold is None else np.full(draws, line)
        readings = [crossing(tried, isotonic(m, weights), t) for m, t in zip(drawn, lines, strict=True)]
        low, high = (float(q) for q in np.quantile(readings, (0.025, 0.975), method="inverted_cdf"))
    fit = isotonic(means, weights)
    return DInt(
        d=crossing(tried, fit, line),
        low=low,
        high=high,
        first_above=tried[above[0]] if len(above) else None,
        threshold=line,
        fraction=fraction if threshold is None else None,
        baseline=float(base.mean()) if len(base) else None,
        tried=tried,
        means=tuple(means.tolist()),
        fit=tuple(fit.tolist()),
        runs=int(weights.sum()),
        excluded=excluded,
        unknown=unknown,
    )


def isotonic(y: Floats, weights: Floats) -> Floats:
    """The non-decreasing sequence nearest to y: pool adjacent violators.

    Minimises Σ w_i (f_i − y_i)² over f_1 ≤ f_2 ≤ ...
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(y.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, w, length = pools.pop()
            both = w + pool[1]
            pool = ((w * mean + pool[1] * pool[0]) / both, both, length + pool[2])
        pools.append(pool)
    return np.repeat([mean for mean, _, _ in pools], [length for _, _, length in pools])


def crossing(d: Sequence[int], p: Floats, threshold: float) -> float:
    """Where −log(1 − p), straight between the points in log d, first reaches that of the threshold.

    p must not decrease. −inf if p is above from the start, inf if it stays below.
    """
    reached = np.flatnonzero(p >= threshold)
    if not len(reached):
        return math.inf
    i = int(reached[0])
    if p[i] == threshold:
        return float(d[i])
    if i == 0:
        return -math.inf
    y_0, y_1, y = (-math.log(max(1 - q, LOST)) for q in (float(p[i - 1]), float(p[i]), threshold))
    share = (y - y_0) / (y_1 - y_0) if y_1 > y_0 else 1.0
    return math.exp(math.log(d[i - 1]) + share * (math.log(d[i]) - math.log(d[i - 1])))


def resampled(p: Floats, draws: int, seed: int, lane: int) -> Floats:
    """Means of len(p) runs drawn with replacement, their deviations stretched by sqrt(k/(k − 1)); (draws,)."""
    k = len(p)
    own = Stream(seed, Purpose.BOOTSTRAP, lane).integers(k, draws * k).astype(np.intp)
    mean = p.mean()
    return mean + (p[own].reshape(draws, k).mean(axis=1) - mean) * math.sqrt(k / (k - 1))


def by_d(d: Sequence[int], performance: Sequence[float]) -> tuple[dict[int, Floats], int]:
    """The finished runs' performances of each d, d ascending; how many diverged."""
    if len(d) != len(performance):
        raise ValueError(
            f"d has {len(d)} entries and performance {len(performance)}: one each per run is needed"
        )
    pairs = [(check_integer("d", i, 1), float(p)) for i, p in zip(d, performance, strict=True)]
    finite("performance", [p for _, p in pairs])
    finished = [(i, p) for i, p in pairs if not math.isnan(p)]
    if not finished:
        raise ValueError(f"none of {len(pairs)} runs finished: there is nothing to read d_int from")
    groups = {i: np.array([p for j, p in finished if i == j]) for i in sorted({i for i, _ in finished})}
    return groups, len(pairs) - len(finished)


def finite(name: str, performance: Sequence[float]) -> Floats:
    """Those that are not NaN, as an array.

    Raises
    ------
    ValueError
        if one is outside [0, 1].
    """
    p = np.array(performance, dtype=np.float64)
    p = p[~np.isnan(p)]
    outside = p[(p < 0) | (p > 1)]
    if len(outside):
        raise ValueError(f"{name} has {outside[0]}: performances in [0, 1] are needed")
    return p


def single_run(groups: dict[int, Floats], base: Floats, needs_base: bool) -> str:
    """Which single run leaves the spread over seeds unknown, or ""."""
    if needs_base and len(base) < 2:
        return "only one baseline run"
    for i, p in groups.items():
        if len(p) < 2:
            return f"only one run at d = {i}"
    return ""
