"""What to train next, and why: bracket by factors of 4, bisect in log d, then go where the information is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from npintdim.estimation.estimate import DInt, around_crossing, d_int
from npintdim.estimation.localfit import SIGMAS, LocalFit, baseline_sd, misfit, slopes
from npintdim.estimation.means import by_d, check_rule, finite, isotonic
from npintdim.rng import check_integer
from npintdim.typing import Floats

STRIDE = 4  # of the bracket
CLOSE = 2.0  # a bracket this narrow is refined by information
REACH = math.log(2.5)  # refinement stays within this of the crossing
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
        check_integer("D", self.D, 1)
        check_integer("direct_seeds", self.direct_seeds, 1)
        if self.first is not None:
            check_integer("first", self.first, 1)
        check_integer("budget", self.budget, 1)
        check_rule(self.fraction, self.threshold, self.chance)
        if not 0 < self.precision < math.inf:
            raise ValueError(f"precision is {self.precision}: a number > 0 is needed, e.g. 0.05 for ±5 %")

    @property
    def start(self) -> int:
        """The first d."""
        return min(self.first or STRIDE ** round(math.log(self.D, STRIDE) / 2), self.D)


class Proposal(NamedTuple):
    """A run to do: repetition `seed` at d, or of direct training (None)."""

    d: int | None
    seed: int


class Plan(NamedTuple):
    """What to do next, none when the search is over, and why."""

    runs: tuple[Proposal, ...]
    why: str


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
        The same results give the same plan.
    """
    left = search.budget - len(d) - max(len(baseline) - search.direct_seeds, 0)
    if left <= 0:
        return Plan((), f"budget of {search.budget} runs spent")
    count = min(count, left)
    good = [(i, p) for i, p in zip(d, performance, strict=True) if not math.isnan(p)]
    if not good:
        if len(d) > len(set(d)):
            return Plan((), f"{len(d)} runs and none finished")
        wanted = dict.fromkeys(min(search.start * STRIDE**k, search.D) for k in range(count))
        return numbered(d, list(wanted), "nothing is known")
    tried, performances = zip(*good, strict=True)
    found = d_int(tried, performances, baseline, search.fraction, search.threshold, chance=search.chance)
    low, high = bracket(found)
    if high is None:
        return outwards(search, d, low or 1, count, found)
    if low is None:
        return inwards(d, high, count, found)
    if high - low > 1 and high / low > CLOSE:
        steps = range(1, count + 1)
        between = [round(low * (high / low) ** (k / (count + 1))) for k in steps]
        inside = [i for i in dict.fromkeys(between) if low < i < high] or [low + 1]
        return numbered(d, inside, f"bracketed between {low} and {high}: halved in log d")
    return refine(search, good, d, baseline, count, found, low, high)


def bracket(found: DInt) -> tuple[int | None, int | None]:
    """The last tried d whose pooled mean is below the line, and the first that reaches it."""
    pooled = isotonic(np.array(found.means), np.array(found.counts))
    reached = int((pooled < found.threshold).sum())
    return (
        found.tried[reached - 1] if reached else None,
        found.tried[reached] if reached < len(found.tried) else None,
    )


def numbered(done: Sequence[int | None], wanted: Sequence[int | None], why: str) -> Plan:
    """Each wanted d with its next repetition."""
    seen = Counter(done)
    runs = []
    for d in wanted:
        runs.append(Proposal(d, seen[d]))
        seen[d] += 1
    inside = [str(d) for d in wanted if d is not None]
    direct = len(wanted) - len(inside)
    named = [f"d = {' and '.join(inside)}"] * bool(inside) + [f"{direct} direct"] * bool(direct)
    return Plan(tuple(runs), f"{why}; next {' and '.join(named)}")


def outwards(search: Search, done: Sequence[int], low: int, count: int, found: DInt) -> Plan:
    """A larger d, by a factor of 4."""
    tried = Counter(done)[search.D]
    if low >= search.D and tried > 1:
        return Plan((), f"never reached: even d = D = {search.D} stays below {found.threshold:.4f}")
    wanted = list(dict.fromkeys(min(low * STRIDE**k, search.D) for k in range(1, count + 1)))
    return numbered(done, wanted, f"d = {low} is below {found.threshold:.4f}: {STRIDE} times as many")


def inwards(done: Sequence[int], high: int, count: int, found: DInt) -> Plan:
    """A smaller d, by a factor of 4."""
    if high == 1 and Counter(done)[1] > 1:
        return Plan((), f"already reached at d = 1 ({found.threshold:.4f})")
    wanted = list(dict.fromkeys(max(high // STRIDE**k, 1) for k in range(1, count + 1)))
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
    width, crossed = half_width(found), f"crossing between {low} and {high}"
    if len(good) >= FEWEST and found.low is not None and found.high is not None:
        # The factor is about that of Student's t: little noise may be luck.
        if width * (1 + 1 / (len(good) - 3)) <= search.precision:
            asked = f"as precise as asked (±{100 * search.precision:g} %)"
            return Plan((), f"d_int = {found.d:.0f} ± {100 * width:.1f} %: {asked}")
        if high - low == 1 and low <= found.low and found.high <= high:
            return Plan((), f"d_int lies between the neighbours {low} and {high}")
    groups, _ = by_d(*zip(*good, strict=True))
    curve = around_crossing(groups, found.threshold)
    if curve is None:
        return numbered(done, [low, high][:count], f"{crossed}: once more")
    counts = found.fraction is not None and len(good) >= FEWEST
    direct = finite("baseline", baseline if counts else ())
    wanted, sd = informative(curve, found.threshold, search.D, count, found.fraction or 0.0, direct)
    now = f"±{100 * width:.1f} %" if math.isfinite(width) else "still open"
    most = "there and from the baseline" if None in wanted else "there"
    most = most if any(wanted) else f"from the baseline, known from {len(direct)} runs"
    why = f"{crossed}, 95 % interval {now}: most is learnt {most}, to ±{196 * sd:.1f} %"
    return numbered([*done, *[None] * len(baseline)], wanted, why)


def half_width(found: DInt) -> float:
    """Half the interval of log d, inf where it is open or unknown."""
    if found.low is None or found.high is None or not 0 < found.low <= found.high < math.inf:
        return math.inf
    return math.log(found.high / found.low) / 2


def informative(
    curve: LocalFit, line: float, D: int, count: int, fraction: float, baseline: Floats
) -> tuple[list[int | None], float]:
    """The d's, one after the other, that reduce the variance of the crossing most; and its sd after them.

    A run at t adds w J Jᵀ to the inverse of cov. The crossing itself is uncertain, so that variance is averaged over
    where it may be: there the slope counts too. None is one more direct run: the line is fraction × a mean of k, and
    (fraction · s · ∂log d/∂p)²/k of the variance becomes the same over k + 1.
    """
    beta, cov, k = curve.beta[curve.best], curve.cov[curve.best], len(baseline)
    at = curve.crossing(line) - curve.log_d0
    sd = math.sqrt(float(variance(cov[None], beta, np.array([at]))[0]))
    where = at + min(sd, REACH) * np.array([-1.0, 0.0, 1.0])
    d = np.unique(np.clip(np.exp(curve.log_d0 + np.linspace(at - REACH, at + REACH, 61)).round(), 1, D))
    t = np.log(d) - curve.log_d0
    J, m = slopes(beta, t)
    w = 1 / (SIGMAS[curve.best] ** 2 / m + misfit(beta, t) ** 2)
    steep = (1 - line) * math.exp(beta[1] + beta[2] * at)  # ∂p/∂log d
    one = k * float(fraction * baseline_sd(baseline, SIGMAS[curve.best]) / steep) ** 2 if k else 0.0
    wanted: list[int | None] = []
    for _ in range(count):
        CJ = np.einsum("ij,jn->in", cov, J)
        gain = w / (1 + w * np.einsum("in,in->n", J, CJ))
        after = cov - gain[:, None, None] * np.einsum("in,jn->nij", CJ, CJ)
        left = variance(after, beta, where)
        best = int(left.argmin())
        if k and one / k - one / (k + 1) > float(variance(cov[None], beta, where)[0] - left[best]):
            k += 1
            wanted.append(None)
        else:
            cov = after[best]
            wanted.append(int(d[best]))
    inside = float(variance(cov[None], beta, np.array([at]))[0])
    return wanted, math.sqrt(inside + (one / k if k else 0.0))


def variance(cov: Floats, beta: Floats, t: Floats) -> Floats:
    """Mean over t of the variance of a crossing there: (J/y')ᵀ cov (J/y')."""
    J, _ = slopes(beta, t)
    G = J / np.exp(beta[1] + beta[2] * t)
    return np.einsum("in,kij,jn->k", G, cov, G) / len(t)
