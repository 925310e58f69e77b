"""One step of a search: the runs to do, and the sentence that says why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from npintdim.engine.score import Score
from npintdim.inputs import counted, quiet
from npintdim.measurement.curves import KAPPAS, SIGMAS, WIDER, LocalFit, baseline_sd, isotonic, misfit, slopes
from npintdim.measurement.estimate import (
    DInt,
    around_crossing,
    by_d,
    check_rule,
    d_int,
    finite,
    survivors,
    value,
)
from npintdim.specs import settle
from npintdim.typing import Floats

STRIDE = 4  # of the bracket
CLOSE = 2.0  # a bracket this narrow is refined by information
PAIR = 2  # runs that are always done together where there is room; more of them must be needed
SMALLER = "a smaller learning rate is needed"
VAIN = 6  # runs that may diverge, one after the other, before the learning rate is to blame
WIDE = 1.5  # times what the curve's sd says: such an interval is wide because the means contradict the curve
FEWEST = 7  # no precision is believed before so many runs, nor is the noise set against the baseline's


class Proposal(NamedTuple):
    """A run to do: repetition `seed` at d, or of direct training (None)."""

    d: int | None
    seed: int


class Plan(NamedTuple):
    """What to do next, none when the search is over, and why: in a sentence, and what is known alone."""

    runs: tuple[Proposal, ...]
    why: str
    known: str = ""


def numbered(done: Sequence[int | None], wanted: Sequence[int | None], known: str, then: str = "") -> Plan:
    """Each wanted d with its next repetition; what is known, and what follows from it."""
    seen = Counter(done)
    runs = []
    for d in wanted:
        runs.append(Proposal(d, seen[d]))
        seen[d] += 1
    *most, last = [str(d) for d in wanted if d is not None] or [""]
    inside = f"{', '.join(most)} and {last}" if most else last
    direct = list(wanted).count(None)
    named = [f"d = {inside}"] * bool(inside) + [f"{direct} direct"] * bool(direct)
    return Plan(tuple(runs), f"{known}{then and f': {then}'}; next {' and '.join(named)}", known)


@dataclass(frozen=True)
class Search:
    """How to look for d_int.

    Parameters
    ----------
    D : largest d there is
    first : d of the first run; None for the power of 4 next to sqrt(D)
    precision : wanted half width of the 95 % interval of log d: .05 is ±5 %. With few runs a little less
        is needed, since a search that stops where the noise looks small stops too early
    budget : runs, at most; the direct runs that were there before the search do not count
    fraction, threshold, chance : see `d_int`
    direct_seeds : direct runs before the search
    score : of which all performances here are shares, for what is told; None where they are what they are

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
    score: Score | None = None

    def __post_init__(self) -> None:
        settle(self, D=1, first=1, budget=1, direct_seeds=1)
        check_rule(self.fraction, None, 0.0)  # even where a threshold takes its place: it is written down
        check_rule(self.fraction, self.threshold, self.chance)
        if not 0 < self.precision < math.inf:
            raise ValueError(f"precision is {self.precision}: a number > 0 is needed, e.g. 0.05 for ±5 %")

    def line(self, found: DInt) -> str:
        """The threshold in the units of the score."""
        return f"{value(found.threshold, self.score):.4f}"

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
        More than two at a time are a quarter of the budget at most until the crossing is bracketed,
        and then no more than are expected to reach the precision. The same results give the same plan.
    """
    left = search.budget - len(d) - max(len(baseline) - search.direct_seeds, 0)
    if left <= 0:
        return Plan((), f"budget of {counted(search.budget, 'run')} spent")
    room = min(count, left)
    count = min(room, max(PAIR, search.budget // 4))
    good = [(i, p) for i, p in zip(d, performance, strict=True) if not math.isnan(p)]
    if not good:
        if d:
            return elsewhere(search, d, count)
        return numbered(d, around(search.start, search.D, count), "nothing is known")
    tried, performances = zip(*good, strict=True)
    found = d_int(tried, performances, baseline, search.fraction, search.threshold, chance=search.chance)
    low, high = bracket(found)
    if high is None:
        return beyond(search, d, low or 1, True, count, found)
    if low is None:
        return beyond(search, d, high, False, count, found)
    if high - low > 1 and high / low > CLOSE:
        vain = in_vain(d, found)
        steps = [(k, n) for n in range(count, count + VAIN) for k in range(1, n + 1)]
        between = [round(low * (high / low) ** (k / (n + 1))) for k, n in steps]
        inside = [i for i in dict.fromkeys(between) if low < i < high and i not in vain][:count] or [low + 1]
        return numbered(d, inside, f"bracketed between {low} and {high}", "halved in log d")
    return refine(search, good, d, baseline, room, found, low, high)


def around(start: int, D: int, count: int) -> list[int]:
    """From the start by factors of 4, up and down by turns: start, 4 start, start/4, 16 start, ..."""
    powers = [(k + 1) // 2 * (-1) ** (k + 1) for k in range(count)]  # 0, 1, −1, 2, −2, ...
    return list(dict.fromkeys(min(max(int(start * STRIDE**k), 1), D) for k in powers))


def elsewhere(search: Search, d: Sequence[int], count: int) -> Plan:
    """After runs of which none finished: d not tried yet, by factors of 4 on both sides; then other seeds."""
    lost = f"{counted(len(d), 'run')} and none finished"
    if len(d) >= VAIN:
        return Plan((), f"{lost}, d = {min(d)} to {max(d)}: {SMALLER}")
    wide = around(search.start, search.D, 2 * search.D.bit_length())
    others = [i for i in wide if i not in d]
    tried = (others or wide)[: min(count, VAIN - len(d))]
    return numbered(d, tried, lost, "elsewhere" if others else "once more")


def in_vain(d: Sequence[int], found: DInt) -> set[int]:
    """Those d at which two runs were lost and none finished."""
    return {i for i, runs in Counter(d).items() if runs > 1 and i not in found.tried}


def towards(search: Search, done: Sequence[int], tried: int, vain: int, found: DInt) -> Plan:
    """Halfway between a d whose runs finish and one whose runs do not."""
    lost, middle = f"none of the runs at d = {vain} finished", round(math.sqrt(tried * vain))
    if max(tried, vain) < CLOSE * min(tried, vain) or middle in (tried, vain):
        side = "is below" if tried < vain else "reaches"
        return Plan((), f"d = {tried} {side} {search.line(found)}, and {lost}: {SMALLER}")
    return numbered(done, [middle], lost, f"between there and {tried}")


def bracket(found: DInt) -> tuple[int | None, int | None]:
    """The last tried d whose pooled mean is below the line, and the first that reaches it."""
    pooled = isotonic(np.array(found.means), np.array(found.counts))
    reached = int((pooled < found.threshold).sum())
    return (
        found.tried[reached - 1] if reached else None,
        found.tried[reached] if reached < len(found.tried) else None,
    )


def beyond(search: Search, done: Sequence[int], edge: int, up: bool, count: int, found: DInt) -> Plan:
    """Beyond the last tried d below the line, or the first that reaches it: by factors of 4, to D or 1."""
    line, end = search.line(found), search.D if up else 1
    if edge == end and Counter(done)[end] > 1:
        never = f"never reached: even d = D = {search.D} stays below {line}"
        return Plan((), never if up else f"already reached at d = 1 ({line})")
    steps = (min(edge * STRIDE**k, end) if up else max(edge // STRIDE**k, end) for k in range(1, count + 1))
    wanted = list(dict.fromkeys(steps))
    lost = sorted((i for i in in_vain(done, found) if (i > edge) == up and i != edge), reverse=not up)
    if lost and (wanted[0] >= lost[0] if up else wanted[0] <= lost[0]):
        return towards(search, done, edge, lost[0], found)
    wanted = [i for i in wanted if not lost or (i < lost[0] if up else i > lost[0])]
    known = f"d = {edge} {'is below' if up else 'reaches'} {line}"
    return numbered(done, wanted, known, f"{STRIDE} times as many" if up else f"a {STRIDE}th of it")


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
        return numbered(done, [low, high][:count], crossed, "once more")
    counts = found.fraction is not None and n >= FEWEST
    direct = finite("baseline", baseline if counts else ())
    wanted, (before, *sds) = informative(
        curve, found.threshold, search.D, count, found.fraction or 0.0, direct, in_vain(done, found)
    )
    wider = width / (1.96 * WIDER * before)
    halves = 1.96 * WIDER * (wider if wider > WIDE else 1.0)
    reach = (
        k for k, sd in enumerate(sds, 1) if n + k >= FEWEST and halves * sd * luck(n + k) <= search.precision
    )
    enough = max(PAIR, next(reach, count))
    wanted, sd = wanted[:enough], sds[:enough][-1]
    now = f"±{100 * width:.1f} %" if math.isfinite(width) else "still open"
    most = "there and from the baseline" if None in wanted else "there"
    most = most if any(wanted) else f"from the baseline, known from {counted(len(direct), 'run')}"
    known, then = f"{crossed}, 95 % interval {now}", f"most is learnt {most}, to ±{196 * sd:.1f} %"
    return numbered([*done, *[None] * len(baseline)], wanted, known, then)


def luck(n: int) -> float:
    """By which n runs must be more precise than asked: noise and bend of few may look small."""
    return max(1.0, (1 + 2 / (n - 3)) / WIDER)


def half_width(found: DInt) -> float:
    """Half the interval of log d, inf where it is open or unknown."""
    if found.low is None or found.high is None or not 0 < found.low <= found.high < math.inf:
        return math.inf
    return math.log(found.high / found.low) / 2


REACH = math.log(2.5)  # refinement stays within this of the crossing
FAINT = 0.01  # a bend that has a smaller share is not asked


class Kind:
    """The curve of one bend with its likeliest noise level, and what runs would tell of its crossing.

    They are at t = log d − log d_0, (n,); the crossing is looked for no further than `REACH`
    from where the likeliest curve of all crosses, `around`.
    """

    def __init__(self, curve: LocalFit, model: int, line: float, t: Floats, around: float) -> None:
        self.beta, self.cov, self.sigma = curve.beta[model], curve.cov[model], float(SIGMAS[model])
        at = float(np.clip(curve.crossing(line, model) - curve.log_d0, around - REACH, around + REACH))
        self.J, m = slopes(self.beta, t)
        self.w = 1 / (self.sigma**2 / m + misfit(self.beta, t, KAPPAS[model]) ** 2)
        self.at, self.steep = at, (1 - line) * math.exp(np.clip(self.beta[1] + self.beta[2] * at, -20, 20))
        sd = math.sqrt(float(self.variance(self.cov[None], np.array([at]))[0]))
        self.where = at + min(sd, REACH) * np.array([-1.0, 0.0, 1.0])

    def after(self) -> Floats:
        """The covariance of (a, log b, c) after one more run at each t, (n, 3, 3)."""
        CJ = np.einsum("ij,jn->in", self.cov, self.J)
        gain = self.w / (1 + self.w * np.einsum("in,in->n", self.J, CJ))
        return self.cov - gain[:, None, None] * np.einsum("in,jn->nij", CJ, CJ)

    def variance(self, cov: Floats, t: Floats) -> Floats:
        """Mean over t of the variance of a crossing there: (J/y')ᵀ cov (J/y'); no more than tells nothing."""
        J, _ = slopes(self.beta, t)
        per_slope = J / np.exp(np.clip(self.beta[1] + self.beta[2] * t, -20, 20))
        return np.minimum(np.einsum("in,kij,jn->k", per_slope, cov, per_slope) / len(t), REACH**2)


def informative(
    curve: LocalFit,
    line: float,
    D: int,
    count: int,
    fraction: float,
    baseline: Floats,
    vain: Collection[int] = (),
) -> tuple[list[int | None], list[float]]:
    """The d's, one after the other, that reduce the crossing's variance most; its sd before and after each.

    A run at t adds w J Jᵀ to the inverse of cov. The crossing itself is uncertain, so that variance is
    averaged over where it may be: there the slope counts too; and over the bends, each by its share:
    where a smooth curve and one with a kink are both possible, runs go where these are uncertain.
    None is one more direct run: the line is fraction × a mean of k, and
    (fraction · s · ∂log d/∂p)²/k of the variance becomes the same over k + 1.
    No run goes to a d in `vain`.
    """
    k, at = len(baseline), curve.crossing(line) - curve.log_d0
    d = np.unique(np.clip(np.exp(curve.log_d0 + np.linspace(at - REACH, at + REACH, 61)).round(), 1, D))
    d = d[~np.isin(d, list(vain))]
    t = np.log(d) - curve.log_d0
    asked = [(model, share) for model, share in curve.kinds if share > FAINT]
    kinds = [Kind(curve, model, line, t, at) for model, _ in asked]
    shares = np.array([share for _, share in asked]) / sum(share for _, share in asked)
    ats = np.array([kind.at for kind in kinds])
    apart = float(shares @ (ats - shares @ ats) ** 2)
    one = 0.0
    if k:
        moved = [fraction * float(baseline_sd(baseline, np.array(kind.sigma))) / kind.steep for kind in kinds]
        one = k * float(shares @ np.minimum(np.square(moved), REACH**2))

    def sd() -> float:
        inside = shares @ [kind.variance(kind.cov[None], np.array([kind.at]))[0] for kind in kinds]
        return math.sqrt(inside + apart + (one / k if k else 0.0))

    wanted: list[int | None] = []
    sds = [sd()]
    for _ in range(count):
        after = [kind.after() for kind in kinds]
        now = shares @ [kind.variance(kind.cov[None], kind.where)[0] for kind in kinds]
        left = shares @ [kind.variance(cov, kind.where) for kind, cov in zip(kinds, after, strict=True)]
        best = int(left.argmin())
        if k and one / k - one / (k + 1) > now - left[best]:
            k += 1
            wanted.append(None)
        else:
            for kind, cov in zip(kinds, after, strict=True):
                kind.cov = cov[best]
            wanted.append(int(d[best]))
        sds.append(sd())
    return wanted, sds
