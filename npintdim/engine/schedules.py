"""The learning rate as a function of the step: lr_t = lr · schedule(t), t = 1, 2, ..."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import ClassVar

from npintdim.specs import settle, table
from npintdim.typing import Spec


@dataclass(frozen=True)
class Schedule(ABC):
    """A factor for every step. It counts steps, not epochs: n examples in batches of b are ⌈n/b⌉ steps an epoch."""

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__.lower()

    @abstractmethod
    def __call__(self, t: int) -> float:
        """The factor of step t = 1, 2, ..."""

    def spec(self) -> Spec:
        """JSON-able: kind and numbers."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Constant(Schedule):
    """1 for ever."""

    def __call__(self, t: int) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    """From 1 down to `least` along half a cosine (Loshchilov and Hutter 2017), and there for ever.

    Parameters
    ----------
    steps : T, after which it is at its least
    least : in [0, 1]

    Notes
    -----
    least + (1 − least) (1 + cos(π min(t − 1, T)/T))/2
    """

    steps: int
    least: float = 0.0

    def __post_init__(self) -> None:
        settle(self, steps=1)
        if not 0 <= self.least <= 1:
            raise ValueError(f"least is {self.least}: 0 ≤ least ≤ 1 is needed")

    def __call__(self, t: int) -> float:
        """See above."""
        return (
            self.least + (1 - self.least) * (1 + math.cos(math.pi * min(t - 1, self.steps) / self.steps)) / 2
        )


@dataclass(frozen=True)
class Step(Schedule):
    """factor^⌊(t − 1)/every⌋: smaller at once, every so many steps.

    Parameters
    ----------
    every : steps, ≥ 1
    factor : in (0, 1]
    """

    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        settle(self, every=1)
        if not 0 < self.factor <= 1:
            raise ValueError(f"factor is {self.factor}: 0 < factor ≤ 1 is needed")

    def __call__(self, t: int) -> float:
        """See above."""
        return float(self.factor ** ((t - 1) // self.every))


SCHEDULES: dict[str, type[Schedule]] = table("schedule", Schedule, "kind", Constant, Cosine, Step)
