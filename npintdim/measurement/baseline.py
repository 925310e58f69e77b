"""The baseline, judged: which direct runs make the line, whether any line can be made of them, and what is doubtful."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.landscape import Dataset
from npintdim.measurement.estimate import DInt
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
    """

    direct: tuple[float, ...]
    guessing: float = 0.0

    @property
    def nothing(self) -> str:
        """Why no line can be made of it, else "": every run diverged, or the median one is no better than guessing."""
        finished = self.finished
        if not len(finished):
            return "every direct run diverged or failed"
        if np.median(finished) > self.guessing:
            return ""
        who = "the direct runs" if finished.max() <= self.guessing else "most direct runs"
        return f"{who} learnt nothing: {listed(finished)}, and guessing reaches {self.guessing:.4f}"

    @property
    def line(self) -> tuple[float, ...]:
        """The runs that the line is made of, NaN for the others: those that learnt less than half of the median one."""
        if self.nothing:
            return self.direct
        return tuple(p if p >= self.half else math.nan for p in self.direct)

    @property
    def half(self) -> float:
        """Where half of what the median run learnt is learnt."""
        return (self.guessing + float(np.median(self.finished))) / 2

    @property
    def finished(self) -> Floats:
        """Without those that diverged or failed."""
        p = np.array(self.direct)
        return p[~np.isnan(p)]

    def doubts(self, inside: Mapping[int, Floats]) -> list[str]:
        """What anybody who quotes a d_int should know of its baseline; most often nothing.

        Parameters
        ----------
        inside : performances of the finished runs at each d
        """
        if self.nothing:
            return [self.nothing]
        told, runs, finished = [], len(self.direct), self.finished
        dead, kept = finished[finished < self.half], finished[finished >= self.half]
        if len(finished) < runs:
            told.append(f"{runs - len(finished)} of {runs} direct runs diverged or failed")
        if len(dead):
            told.append(
                f"{len(dead)} of {runs} direct runs ({listed(dead)}) learnt less than half of the median one, "
                f"{np.median(finished):.4f}: left out of the baseline"
            )
        learnt = kept.mean() - self.guessing
        if len(kept) > 1 and kept.std(ddof=1) > DOUBT * learnt:
            told.append(f"the direct runs differ much: {kept.min():.4f} to {kept.max():.4f}")
        means = {d: p.mean() for d, p in inside.items() if len(p)}
        best = max(means, key=lambda d: means[d], default=0)
        if means and means[best] > kept.mean() + DOUBT * learnt:
            told.append(
                f"direct training reached {kept.mean():.4f}, less than d = {best:,} with {means[best]:.4f}: "
                "another learning rate or more epochs for it"
            )
        return told


def unread(found: DInt, why: str) -> DInt:
    """A reading against a baseline that is none: d is NaN, and no other number that somebody might quote is left."""
    return replace(
        found, d=math.nan, low=None, high=None, first_above=None, isotonic=math.nan, noise=None, unknown=why
    )


def listed(performances: Floats) -> str:
    """For people."""
    return ", ".join(f"{p:.4f}" for p in performances)


def guessing(chance: float, data: Dataset | None, backend: Backend) -> float:
    """The performance that needs no learning: always the most frequent class of the test set, or a class at random.

    Parameters
    ----------
    chance : of the recipe: at least so much
    data : of a network; None where performance is no share of right answers
    """
    if data is None or data.test.labels is None:
        return chance
    labels = backend.host(data.test.labels)
    one = 1 / data.classes
    most = float(np.bincount(labels).max()) / len(labels)
    return max(chance, most, one + SIGMAS * math.sqrt(one * (1 - one) / len(labels)))
