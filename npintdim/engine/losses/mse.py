"""Mean squared error and R²."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from npintdim.engine.losses.base import Loss
from npintdim.engine.score import R2
from npintdim.typing import Array, Floats


@dataclass(frozen=True)
class MSE(Loss):
    """Mean squared error of numbers; performance is R².

    Notes
    -----
    Forward   L = (1/nk) Σ_ij (y_ij − t_ij)²
    Backward  dy = 2 (y − t)/(nk)

    R² = 1 − L/L_0, L_0 the loss of the best constant, each target's mean: 0 for that constant, 1 for no error, negative
    for what is worse than a constant. With k > 1 targets it is one number for all of them, weighted by their variances.
    """

    numbers = True
    score = R2

    def value_and_grad(self, xp: ModuleType, y: Floats, targets: Array) -> tuple[Array, Floats]:
        """L and dy."""
        r = y - targets
        return (r * r).mean(), r * (2 / r.size)

    def tally(self, xp: ModuleType, y: Floats, targets: Array) -> Array:
        """Σ_i mean_j (y_ij − t_ij)²."""
        r = y - targets
        return (r * r).sum(dtype=np.float64) / r.shape[1]

    def performance(self, mean: float, targets: Array) -> float:
        """R²."""
        constant = float(targets.var(axis=0, dtype=np.float64).mean())
        if constant == 0:
            raise ValueError(f"R² is not defined: the targets of {len(targets)} examples are all the same")
        return 1 - mean / constant
