"""Losses: a mean over examples with its gradient, and the performance that goes with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from npintdim.engine.score import R2, Score
from npintdim.specs import kinds, settle
from npintdim.typing import Array, Floats


@dataclass(frozen=True)
class Loss(ABC):
    """L(y, targets) of outputs y (n, k).

    A performance may be any function of a mean over the examples:
    `tally` is the sum, `performance` the function.
    """

    numbers: ClassVar[bool] = False
    """Whether targets are numbers (n, k); else they are classes (n,)."""
    score: ClassVar[Score | None] = None
    """How performances become shares in [0, 1]; None where they are such shares."""

    def __post_init__(self) -> None:
        settle(self)

    @abstractmethod
    def value_and_grad(self, xp: ModuleType, y: Floats, targets: Array) -> tuple[Array, Floats]:
        """Mean loss (0-d, on the device) and ∂L/∂y (n, k)."""

    @abstractmethod
    def tally(self, xp: ModuleType, y: Floats, targets: Array) -> Array:
        """Sum over the examples of what performance is a function of the mean of (0-d, on the device)."""

    def performance(self, mean: float, targets: Array) -> float:
        """Of the mean over all examples, whose targets these are."""
        return mean


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Softmax cross-entropy of logits z (n, classes) and labels (n,); performance is accuracy.

    Notes
    -----
    Forward   p = softmax(z),  L = −(1/n) Σ_i log p_{i, label_i},  log p = z − max z − log Σ exp(z − max z)
    Backward  dz = (p − onehot(labels)) / n

    The logits are turned to (classes, n): NumPy adds a few long rows much faster than many short ones.
    """

    def value_and_grad(self, xp: ModuleType, y: Floats, targets: Array) -> tuple[Array, Floats]:
        """L and dz."""
        n = len(y)
        own = (targets, xp.arange(n))
        z = y.T.copy()
        z -= z.max(axis=0)
        exp = xp.exp(z)
        total = exp.sum(axis=0)
        L = (xp.log(total) - z[own]).sum() / n
        dz = exp / total
        dz[own] -= 1
        dz /= n
        return L, dz.T.copy()

    def tally(self, xp: ModuleType, y: Floats, targets: Array) -> Array:
        """How many examples have their largest logit at their label."""
        return (y.argmax(axis=1) == targets).sum()


@dataclass(frozen=True)
class MSE(Loss):
    """Mean squared error of numbers; performance is R².

    Notes
    -----
    Forward   L = (1/nk) Σ_ij (y_ij − t_ij)²
    Backward  dy = 2 (y − t)/(nk)

    R² = 1 − L/L_0, L_0 the loss of the best constant, each target's mean: 0 for that constant, 1 for no
    error, negative for what is worse than a constant. With k > 1 targets it is one number for all of them,
    weighted by their variances.
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


LOSSES: dict[str, type[Loss]] = kinds("loss", Loss, "__name__", CrossEntropy, MSE)
