"""Which learning rates to try: a small grid around a first guess, widened until its best lies inside.

The guess in a subspace is the direct rate times sqrt(D/d) for Adam, whose steps in θ are then as long as lr makes
them directly, and times D/d for SGD, since P Pᵀ is (d/D) I on average: then they are the same on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from npintdim.inputs import counted
from npintdim.specs import settle
from npintdim.typing import Spec


@dataclass(frozen=True)
class RateSearch:
    """How to search a learning rate: the same way for the baseline and in the subspace.

    Parameters
    ----------
    d : where the subspace's rate is searched; None for near the crossing, bracketed by factors of 4 before
    seeds : repetitions at each rate
    holdout : share of the training data that is held out, and decides; the test set is never looked at
    step : ratio of neighbouring rates
    most : rates to try, at most

    Raises
    ------
    TypeError, ValueError
        for numbers out of range.
    """

    d: int | None = None
    seeds: int = 1
    holdout: float = 0.2
    step: float = 3.0
    most: int = 7

    def __post_init__(self) -> None:
        settle(self, d=1, seeds=1, most=3)
        if not 0 < self.holdout < 1:
            raise ValueError(f"holdout is {self.holdout}: 0 < holdout < 1 is needed")
        if not 1 < self.step < math.inf:
            raise ValueError(f"step is {self.step}: a number > 1 is needed")

    def following(self, centre: float, found: Mapping[float, float]) -> list[float]:
        """The rates to try next; none when the best lies inside, or enough were tried.

        Parameters
        ----------
        centre : the first guess
        found : performance on what was held out, by rate; NaN where training diverged
        """
        if not found:
            return [rounded(centre / self.step), rounded(centre), rounded(centre * self.step)]
        low, high = min(found), max(found)
        if len(found) >= self.most or low < best(found) < high:
            return []
        return [rounded(low / self.step if best(found) == low else high * self.step)]


@dataclass(frozen=True)
class Rates:
    """What was found.

    Parameters
    ----------
    d : of the subspace; None for direct training
    tried : ascending
    performance : on what was held out, mean over seeds; NaN where training diverged
    runs, seconds : that it took, with those that found d
    """

    d: int | None
    tried: tuple[float, ...]
    performance: tuple[float, ...]
    runs: int
    seconds: float

    @property
    def chosen(self) -> float:
        """The best rate, the smaller of equals."""
        return best(dict(zip(self.tried, self.performance, strict=True)))

    @property
    def reached(self) -> float:
        """By the chosen rate, on what was held out."""
        return self.performance[self.tried.index(self.chosen)]

    @property
    def on_edge(self) -> bool:
        """Whether better ones may lie beyond those that were tried."""
        return self.chosen in (self.tried[0], self.tried[-1])

    def summary(self) -> str:
        """One line: every rate with what it reached, and the one that is chosen."""
        where = "direct" if self.d is None else f"d = {self.d}"
        pairs = zip(self.tried, self.performance, strict=True)
        reached = ", ".join(f"{lr:g}: {'diverged' if math.isnan(p) else f'{p:.4f}'}" for lr, p in pairs)
        edge = "; the best is on the edge, better ones may lie beyond" if self.on_edge else ""
        cost = f"{counted(self.runs, 'run')}, {self.seconds:.0f} s of computing"
        return f"learning rate, {where}: {self.chosen:g} (held out {reached}{edge}; {cost})"


def best(found: Mapping[float, float]) -> float:
    """The rate that reached most, the smaller of equals; the smallest of all if every one diverged."""
    return max(sorted(found), key=lambda lr: -math.inf if math.isnan(found[lr]) else found[lr])


def guess(lr: float, optimizer: Spec, D: int, d: int) -> float:
    """The rate for d numbers with which θ moves about as with lr for all D (see above); P has unit columns."""
    return lr * (math.sqrt(D / d) if optimizer["kind"].startswith("adam") else D / d)


def rounded(lr: float) -> float:
    """Two digits."""
    return float(f"{lr:.2g}")
