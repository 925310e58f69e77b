"""Runs by their d, their means made non-decreasing, and where straight lines between these cross a threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from npintdim.backend import as_array
from npintdim.inputs import check_integer, counted
from npintdim.measurement.localfit import LOST
from npintdim.typing import Floats

CHI2 = 3.84  # 95 % of χ² with one degree of freedom
FEWEST = 4  # runs that tell their noise: one more than the curve has numbers
FINE = 1e-3  # a noise that no measurement needs to resolve
MANY = 0.4  # of all runs: so many do not collapse


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


def possible(groups: dict[int, Floats], line: float, sd: float, line_sd: float) -> tuple[float, float]:
    """The 95 % interval of the crossing that any monotone curve allows; ±inf where it leaves the tried d.

    Means f_i that are below the line up to d_k and above it from d_{k+1} on fit worse than the isotonic ones, by
    Σ w_i ((y_i − f_i)² − (y_i − isotonic_i)²)/sd². It is kept where that, and (δ/line_sd)² for a line moved by δ, is
    no more than χ²: a likelihood ratio.
    """
    y, w = np.array([p.mean() for p in groups.values()]), np.array([len(p) for p in groups.values()])
    free = float((w * (y - isotonic(y, w)) ** 2).sum())
    kept = [
        k
        for k in range(len(y) + 1)
        if any(
            (crossed(y, w, k, line + shift * line_sd) - free) / sd**2 + shift**2 <= CHI2
            for shift in np.linspace(-2, 2, 9)
        )
    ]
    ends = [-math.inf, *map(float, groups), math.inf]
    return ends[kept[0]], ends[kept[-1] + 1]


def spread(groups: dict[int, Floats], line: float) -> tuple[float, int]:
    """The sd of a run at the line about the isotonic means, if its variance is ∝ 1 − p, and from how many runs beyond them.

    NaN where too few tell it; no less than `FINE`: where runs agree to that, a curve need not go through every mean.
    """
    sizes = np.array([len(p) for p in groups.values()])
    f = isotonic(np.array([p.mean() for p in groups.values()]), sizes)
    free = int(sizes.sum()) - len(np.unique(f))
    if free < FEWEST:
        return math.nan, free
    each, p = np.repeat(f, sizes), np.concatenate(list(groups.values()))
    square = float(((p - each) ** 2 * (1 - line) / np.maximum(1 - each, LOST)).sum())
    return max(FINE, math.sqrt(square / free)), free


def crossed(y: Floats, w: Floats, k: int, line: float) -> float:
    """Σ w (y − f)² of the nearest f that does not decrease and crosses the line between the first k and the rest."""
    below, above = np.minimum(isotonic(y[:k], w[:k]), line), np.maximum(isotonic(y[k:], w[k:]), line)
    return float((w * (y - np.concatenate([below, above])) ** 2).sum())


def by_d(d: Sequence[int], performance: Sequence[float]) -> tuple[dict[int, Floats], int]:
    """The finished runs' performances of each d, d ascending; how many diverged.

    Raises
    ------
    TypeError, ValueError
        for lengths that differ, d < 1, performances outside [0, 1], or no finished run.
    """
    d, performance = as_array("d", d), as_array("performance", performance)
    if len(d) != len(performance):
        raise ValueError(
            f"d has {len(d)} entries and performance {len(performance)}: one each per run is needed"
        )
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

    More directions do not make the best point worse, and luck is no third of the line, so such a run failed to train.
    Where that would be more than two runs and more than `MANY` of all, it is their noise, and none is left out.
    """
    best, kept = 0.0, {}
    for d, p in groups.items():
        best = max(best, float(np.quantile(p, 0.5, method="higher")))
        if len(alive := p[p >= best - line / 3]):
            kept[d] = alive
    runs = sum(map(len, groups.values()))
    lost = runs - sum(map(len, kept.values()))
    return (groups, 0) if lost > max(2, MANY * runs) else (kept, lost)


def finite(name: str, performance: Sequence[float]) -> Floats:
    """Those that are not NaN, as an array.

    Raises
    ------
    ValueError
        if one is outside [0, 1].
    """
    p = np.array(as_array(name, performance), dtype=np.float64)
    p = p[~np.isnan(p)]
    outside = p[(p < 0) | (p > 1)]
    if len(outside):
        raise ValueError(f"{name} has {outside[0]}: performances in [0, 1] are needed")
    return p


def check_rule(fraction: float, threshold: float | None, chance: float) -> None:
    """Refuse a rule that no performance can meet, or all do.

    Raises
    ------
    ValueError
        which says what was given and what is needed.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}: a performance with 0 < threshold ≤ 1 is needed")
    if threshold is None and not 0 < fraction <= 1:
        raise ValueError(f"fraction is {fraction}: 0 < q ≤ 1 is needed in threshold = q × baseline")
    if not 0 <= chance < 1 or (chance and threshold is not None):
        raise ValueError(f"chance is {chance}: 0 ≤ chance < 1 is needed, and 0 with an absolute threshold")


def too_few(groups: dict[int, Floats]) -> str:
    """Why the runs do not tell their noise, or ""."""
    runs = sum(map(len, groups.values()))
    if runs < FEWEST:
        return f"{runs} {'run' if runs == 1 else 'runs'}, and {FEWEST} tell their noise"
    return "" if len(groups) > 1 else "only one d"
