"""The direct runs that a d_int is read against: which make the line, and what is doubtful about them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.landscape import Dataset
from npintdim.engine.score import Score
from npintdim.measurement.estimate import shares, value
from npintdim.typing import Floats

DOUBT = 0.05  # of what was learnt: the line moves by as much, and with it d_int by some 20 %
SIGMAS = 3.0  # by which guessing at random may be lucky


@dataclass(frozen=True)
class Baseline:
    """Direct runs, and what they are worth.

    Parameters
    ----------
    direct : performance of each, NaN where one diverged or failed
    guessing : performance that needs no learning, see `guessing`
    score : of performances that are no shares; everything is decided in their shares
    """

    direct: tuple[float, ...]
    guessing: float = 0.0
    score: Score | None = None

    @property
    def nothing(self) -> str:
        """Why no line can be made, else "": all runs diverged, or the median one only guesses."""
        finished = self.finished
        if not len(finished):
            return "every direct run diverged or failed"
        if np.median(finished) > self.guess:
            return ""
        who = "the direct runs" if finished.max() <= self.guess else "most direct runs"
        return f"{who} learnt nothing: {self.listed(*finished)}, and guessing reaches {self.guessing:.4f}"

    @property
    def line(self) -> tuple[float, ...]:
        """The runs that make the line, NaN for others: those that learnt less than half of the median one."""
        if self.nothing:
            return self.direct
        pairs = zip(self.direct, shares(self.direct, self.score), strict=True)
        return tuple(s if p >= self.half else math.nan for s, p in pairs)

    @property
    def half(self) -> float:
        """Where half of what the median run learnt is learnt."""
        return (self.guess + float(np.median(self.finished))) / 2

    @property
    def finished(self) -> Floats:
        """Shares, without those that diverged or failed."""
        p = shares(self.direct, self.score)
        return p[~np.isnan(p)]

    @property
    def guess(self) -> float:
        """The share that needs no learning."""
        return float(shares([self.guessing], self.score)[0])

    def listed(self, *shares: float) -> str:
        """For people, in the units of the score."""
        return ", ".join(f"{value(p, self.score):.4f}" for p in shares)

    def doubts(self, inside: Mapping[int, Floats]) -> list[str]:
        """What whoever quotes a d_int should know of its baseline, given p at each d; most often nothing."""
        if self.nothing:
            return [self.nothing]
        told, runs, finished = [], len(self.direct), self.finished
        dead, kept = finished[finished < self.half], finished[finished >= self.half]
        if len(finished) < runs:
            told.append(f"{runs - len(finished)} of {runs} direct runs diverged or failed")
        if len(dead):
            told.append(
                f"{len(dead)} of {runs} direct runs ({self.listed(*dead)}) learnt less than half of "
                f"the median one, {self.listed(float(np.median(finished)))}: left out of the baseline"
            )
        learnt = kept.mean() - self.guess
        if len(kept) > 1 and kept.std(ddof=1) > DOUBT * learnt:
            told.append(
                f"the direct runs differ much: {self.listed(kept.min())} to {self.listed(kept.max())}"
            )
        means = {d: shares(p, self.score).mean() for d, p in inside.items() if len(p)}
        best = max(means, key=lambda d: means[d], default=0)
        if means and means[best] > kept.mean() + DOUBT * learnt:
            told.append(
                f"direct training reached {self.listed(kept.mean())}, less than d = {best:,} "
                f"with {self.listed(means[best])}: another learning rate or more epochs for it"
            )
        return told


def guessing(chance: float, data: Dataset | None, backend: Backend) -> float:
    """The performance that needs no learning: always the test set's most frequent class, or one at random.

    It is `chance`, the recipe's, at least; and that alone where data are None:
    performance is no share of right answers.
    """
    if data is None:
        return chance
    labels = backend.host(data.test.labels)
    one = 1 / data.classes
    most = float(np.bincount(labels).max()) / len(labels)
    return max(chance, most, one + SIGMAS * math.sqrt(one * (1 - one) / len(labels)))
