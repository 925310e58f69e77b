"""What to train next, and why: bracket by factors of 4, bisect in log d, then go where the information is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npintdim.inputs import counted, quiet
from npintdim.measurement.estimate import DInt, around_crossing, d_int
from npintdim.measurement.informative import informative
from npintdim.measurement.localfit import WIDER
from npintdim.measurement.means import by_d, check_rule, finite, isotonic, survivors
from npintdim.measurement.steps import Plan, Proposal, numbered
from npintdim.specs import settle

__all__ = ["Plan", "Proposal", "Search", "plan"]

STRIDE = 4  # of the bracket
CLOSE = 2.0  # a bracket this narrow is refined by information
PAIR = 2  # runs that are always done together where there is room; more of them must be needed
SMALLER = "a smaller learning rate is needed"
VAIN = 6  # runs that may diverge, one after the other, before the learning rate is to blame
FEWEST = 7  # no precision is believed before so many runs, nor is the noise set against the baseline's


@dataclass(frozen=True)
class Search:
    """How to look for d_int.

    Parameters
    ----------
    D : largest d there is
    first : d of the first run; None for the power of 4 next to sqrt(D)
    precision : wanted half width of the 95 % interval of log d: .05 is ±5 %. With few runs a little less is needed,
        since a search that stops where the noise looks small stops too early
    budget : runs, at most; the direct runs that were there before the search do not count
    fraction, threshold, chance : see `d_int`
    direct_seeds : direct runs before the search

    Raises
    ------
    TypeError, ValueError
        for numbers out of range.
    """

    D: int
    first: int | None = None
    precision: float = 0.05
    budget: int = 24
    fraction: float = 0.9
    threshold: float | None = None
    chance: float = 0.0
    direct_seeds: int = 3

    def __post_init__(self) -> None:
        settle(self, D=1, first=1, budget=1, direct_seeds=1)
        check_rule(self.fraction, None, 0.0)  # even where a threshold takes its place: it is written down
        check_rule(self.fraction, self.threshold, self.chance)
        if not 0 < self.precision < math.inf:
            raise ValueError(f"precision is {self.precision}: a number > 0 is needed, e.g. 0.05 for ±5 %")

    @property
    def start(self) -> int:
        """The first d."""
        return min(self.first or STRIDE ** round(math.log(self.D, STRIDE) / 2), self.D)


@quiet
def plan(
    search: Search, d: Sequence[int], performance: Sequence[float], baseline: Sequence[float], count: int = 1
) -> Plan:
    """The next runs.

    Parameters
    ----------
    search : what is wanted
    d, performance : of the runs so far, NaN if one diverged or failed
    baseline : performances of direct training
    count : runs that can be done at once

    Returns
    -------
    Plan
        at most `count` runs; none when the precision is reached, the budget spent, or nothing is left to try.
        More than two at a time are a quarter of the budget at most until the crossing is bracketed, and then no more
        than are expected to reach the precision. The same results give the same plan.
    """
    left = search.budget - len(d) - max(len(baseline) - search.direct_seeds, 0)
    if left <= 0:
        return Plan((), f"budget of {counted(search.budget, 'run')} spent")
    room = min(count, left)
    count = min(room, max(PAIR, search.budget // 4))
    good = [(i, p) for i, p in zip(d, performance, strict=True) if not math.isnan(p)]
    if not good:
        return (
            numbered(d, around(search.start, search.D, count), "nothing is known")
            if not d
            else elsewhere(search, d, count)
        )
    tried, performances = zip(*good, strict=True)
    found = d_int(tried, performances, baseline, search.fraction, search.threshold, chance=search.chance)
    low, high = bracket(found)
    if high is None:
        return outwards(search, d, low or 1, count, found)
    if low is None:
        return inwards(d, high, count, found)
    if high - low > 1 and high / low > CLOSE:
        vain = in_vain(d, found)
        steps = [(k, n) for n in range(count, count + VAIN) for k in range(1, n + 1)]
        between = [round(low * (high / low) ** (k / (n + 1))) for k, n in steps]
        inside = [i for i in dict.fromkeys(between) if low < i < high and i not in vain][:count] or [low + 1]
        return numbered(d, inside, f"bracketed between {low} and {high}: halved in log d")
    return refine(search, good, d, baseline, room, found, low, high)


def around(start: int, D: int, count: int) -> list[int]:
    """From the start by factors of 4, up and down by turns: start, 4 start, start/4, 16 start, ..."""
    powers = [(k + 1) // 2 * (-1) ** (k + 1) for k in range(count)]  # 0, 1, −1, 2, −2, ...
    return list(dict.fromkeys(min(max(int(start * STRIDE**k), 1), D) for k in powers))


def elsewhere(search: Search, d: Sequence[int], count: int) -> Plan:
    """After runs of which none finished: d not tried yet, by factors of 4 on both sides; then other seeds."""
    lost = f"{len(d)} {'runs' if len(d) > 1 else 'run'} and none finished"
    if len(d) >= VAIN:
        return Plan((), f"{lost}, d = {min(d)} to {max(d)}: {SMALLER}")
    wide = around(search.start, search.D, 2 * search.D.bit_length())
    others = [i for i in wide if i not in d]
    return numbered(
        d, (others or wide)[: min(count, VAIN - len(d))], f"{lost}: {'elsewhere' if others else 'once more'}"
    )


def in_vain(d: Sequence[int], found: DInt) -> set[int]:
    """Those d at which two runs were lost and none finished."""
    return {i for i, runs in Counter(d).items() if runs > 1 and i not in found.tried}


def towards(done: Sequence[int], tried: int, vain: int, found: DInt) -> Plan:
    """Halfway between a d whose runs finish and one whose runs do not."""
    lost, middle = f"none of the runs at d = {vain} finished", round(math.sqrt(tried * vain))
    if max(tried, vain) < CLOSE * min(tried, vain) or middle in (tried, vain):
        side = "is below" if tried < vain else "reaches"
        return Plan((), f"d = {tried} {side} {found.threshold:.4f}, and {lost}: {SMALLER}")
    return numbered(done, [middle], f"{lost}: between there and {tried}")


def bracket(found: DInt) -> tuple[int | None, int | None]:
    """The last tried d whose pooled mean is below the line, and the first that reaches it."""
    pooled = isotonic(np.array(found.means), np.array(found.counts))
    reached = int((pooled < found.threshold).sum())
    return (
        found.tried[reached - 1] if reached else None,
        found.tried[reached] if reached < len(found.tried) else None,
    )


def outwards(search: Search, done: Sequence[int], low: int, count: int, found: DInt) -> Plan:
    """A larger d, by a factor of 4."""
    tried = Counter(done)[search.D]
    if low >= search.D and tried > 1:
        return Plan((), f"never reached: even d = D = {search.D} stays below {found.threshold:.4f}")
    wanted = list(dict.fromkeys(min(low * STRIDE**k, search.D) for k in range(1, count + 1)))
    vain = min((i for i in in_vain(done, found) if i > low), default=math.inf)
    if wanted[0] >= vain:
        return towards(done, low, int(vain), found)
    wanted = [i for i in wanted if i < vain]
    return numbered(done, wanted, f"d = {low} is below {found.threshold:.4f}: {STRIDE} times as many")


def inwards(done: Sequence[int], high: int, count: int, found: DInt) -> Plan:
    """A smaller d, by a factor of 4."""
    if high == 1 and Counter(done)[1] > 1:
        return Plan((), f"already reached at d = 1 ({found.threshold:.4f})")
    wanted = list(dict.fromkeys(max(high // STRIDE**k, 1) for k in range(1, count + 1)))
    vain = max((i for i in in_vain(done, found) if i < high), default=0)
    if wanted[0] <= vain:
        return towards(done, high, vain, found)
    wanted = [i for i in wanted if i > vain]
    return numbered(done, wanted, f"d = {high} reaches {found.threshold:.4f}: a {STRIDE}th of it")


def refine(
    search: Search,
    good: Sequence[tuple[int, float]],
    done: Sequence[int],
    baseline: Sequence[float],
    count: int,
    found: DInt,
    low: int,
    high: int,
) -> Plan:
    """Where one more run narrows the interval most; nowhere, if it is narrow enough."""
    width, crossed, n = half_width(found), f"crossing between {low} and {high}", len(good)
    if n >= FEWEST and found.low is not None and found.high is not None:
        if width * luck(n) <= search.precision:
            asked = f"as precise as asked (±{100 * search.precision:g} %)"
            return Plan((), f"d_int = {found.d:,.0f} ± {100 * width:.1f} %: {asked}")
        if high - low == 1 and low <= found.low and found.high <= high:
            return Plan((), f"d_int lies between the neighbours {low} and {high}")
    groups, _ = survivors(by_d(*zip(*good, strict=True))[0], found.threshold)
    curve = around_crossing(groups, found.threshold)
    if curve is None:
        return numbered(done, [low, high][:count], f"{crossed}: once more")
    counts = found.fraction is not None and n >= FEWEST
    direct = finite("baseline", baseline if counts else ())
    wanted, sds = informative(
        curve, found.threshold, search.D, count, found.fraction or 0.0, direct, in_vain(done, found)
    )
    reach = (
        k
        for k, sd in enumerate(sds, 1)
        if n + k >= FEWEST and 1.96 * WIDER * sd * luck(n + k) <= search.precision
    )
    enough = max(PAIR, next(reach, count))
    wanted, sd = wanted[:enough], sds[:enough][-1]
    now = f"±{100 * width:.1f} %" if math.isfinite(width) else "still open"
    most = "there and from the baseline" if None in wanted else "there"
    most = most if any(wanted) else f"from the baseline, known from {counted(len(direct), 'run')}"
    why = f"{crossed}, 95 % interval {now}: most is learnt {most}, to ±{196 * sd:.1f} %"
    return numbered([*done, *[None] * len(baseline)], wanted, why)


def luck(n: int) -> float:
    """By which n runs must be more precise than asked: of few the noise, and the curve's bend, may look small."""
    return max(1.0, (1 + 2 / (n - 3)) / WIDER)


def half_width(found: DInt) -> float:
    """Half the interval of log d, inf where it is open or unknown."""
    if found.low is None or found.high is None or not 0 < found.low <= found.high < math.inf:
        return math.inf
    return math.log(found.high / found.low) / 2
