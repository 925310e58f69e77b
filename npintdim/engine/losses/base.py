"""What every loss is: a mean over examples with its gradient, and the performance that goes with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

from npintdim.engine.score import Score
from npintdim.specs import settle
from npintdim.typing import Array, Floats


@dataclass(frozen=True)
class Loss(ABC):
    """L(y, targets) of outputs y (n, k).

    A performance may be any function of a mean over the examples: `tally` is the sum, `performance` the function.
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
