"""A performance in units of its own, and its share in [0, 1], in which d_int is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Score:
    """A score and its share p = (s − guess)/(best − guess); what is worse than guessing counts as p = 0.

    Parameters
    ----------
    name : for people, e.g. "R²", "mean absolute error"
    guess : what needs no learning reaches: 0 for R², the error of the best constant for an error
    best : what no run exceeds: 1 for R², 0 for an error; where nothing is known, something beyond all runs

    Notes
    -----
    The direction is in the two numbers: lower is better where best < guess. The paper's line, fraction ×
    baseline, holds for p, so in the score's own units it is guess + fraction · (baseline − guess).
    For R² that is fraction × baseline, and for an error that share of what direct training took away from it;
    fraction × an error would depend on its zero.
    """

    name: str
    guess: float
    best: float

    def __post_init__(self) -> None:
        settle(self)
        if not (math.isfinite(self.guess) and math.isfinite(self.best)) or self.guess == self.best:
            raise ValueError(f"guess is {self.guess} and best {self.best}: two different numbers are needed")

    def share(self, s: Any) -> Floats:
        """p of scores; NaN stays.

        Raises
        ------
        ValueError
            for one that is better than the best.
        """
        p = (np.asarray(s, np.float64) - self.guess) / (self.best - self.guess)
        if len(beyond := np.asarray(s)[p > 1 + 1e-9]):
            raise ValueError(
                f"{self.name} has {beyond[0]:g}, better than best = {self.best:g}: "
                "say a best that no run exceeds"
            )
        return np.clip(p, 0, 1)

    def value(self, p: Any) -> Any:
        """The score of a share."""
        return self.guess + p * (self.best - self.guess)

    def line(self, threshold: float | None) -> float | None:
        """p of an absolute threshold.

        Raises
        ------
        ValueError
            for one that all runs reach, or none.
        """
        if threshold is None:
            return None
        p = (threshold - self.guess) / (self.best - self.guess)
        if not 0 < p <= 1:
            raise ValueError(
                f"threshold is {threshold:g}: between guess = {self.guess:g} "
                f"and best = {self.best:g} of {self.name} is needed"
            )
        return p


R2 = Score("R²", 0.0, 1.0)
