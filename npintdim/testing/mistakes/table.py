"""What a table of mistakes is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from npintdim.testing.checks import direction

SLACK = 64.0
UNIT = 2.0**-20  # of the integers that are normals

Steps = dict[str, Callable[..., Any]]
"""A computation, taken apart: name → function. A mistake replaces some."""


@dataclass(frozen=True)
class Mistake:
    """One usual mistake.

    Parameters
    ----------
    name : in two or three words
    says : what is wrong and what to do, a clause
    steps : the steps as the mistake has them
    rounding : True if the numbers are right, and only their last bits differ
    of : c → the steps with that constant, where the mistake has one; it is fitted to the answers
    """

    name: str
    says: str
    steps: Steps
    rounding: bool = False
    of: Callable[[float], Steps] | None = None

    def at(self, c: float) -> Mistake:
        """The mistake with the constant c, which stands for {c} in its sentence."""
        assert self.of
        return Mistake(self.name, self.says.replace("{c}", f"{c:.10g}"), self.of(c))


def wrong(name: str, says: str, /, **steps: Callable[..., Any]) -> Mistake:
    """A mistake as the tables write it: a name, a sentence, the wrong formula for a step."""
    return Mistake(name, says, steps)


def fitted(name: str, says: str, example: float, /, **steps: Callable[..., Any]) -> Mistake:
    """A mistake with a constant {c}, the first argument of its steps; `example` is a usual value."""

    def of(c: float) -> Steps:
        return {step: partial(f, c) for step, f in steps.items()}

    return Mistake(name, says, of(example), of=of)


def factor(name: str, says: str, value: Callable[[Any], float]) -> Mistake:
    """The mistake that the whole answer is multiplied by value(p)."""
    return wrong(name, says, scale=lambda y, p: y * y.dtype.type(value(p)))


class Given(SimpleNamespace):
    """What a problem gives beside its first input, as attributes."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"p has no {name!r}: it has {', '.join(vars(self))}")


@dataclass(frozen=True)
class Problem:
    """One input: the first argument, and the others by name, as `npintdim.testing.Inputs` has them."""

    title: str
    first: Any
    rest: dict[str, Any] = field(repr=False)
    task: str = "apply"
    dtype: str = ""

    def arguments(self) -> tuple[Any, Given]:
        """Fresh copies: fn may write to them."""
        first, rest = deepcopy(self.first), deepcopy(self.rest)
        arrays = tuple(value for value in rest.values() if isinstance(value, np.ndarray))
        dtype = self.dtype or getattr(getattr(first, "dtype", None), "name", "")
        return first, Given(arrays=arrays, task=self.task, dtype=dtype, **rest)


def of_P(task: str, title: str, dtype: np.dtype[Any], **rest: Any) -> Problem:
    """P v ("apply") or Pᵀ g ("adjoint") for random v or g."""
    return Problem(title, 4 * numbers(dtype, rest["d" if task == "apply" else "D"]), rest, task)


class Taken(SimpleNamespace):
    """Steps as attributes; what has no formula passes its (first) argument, until a mistake has one."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda x, *others: x


@dataclass(frozen=True)
class Table:
    """A right computation in steps, the mistakes, and the problems that tell them apart.

    Parameters
    ----------
    compute : compute(s, first, p), where s has the steps as attributes, and itself;
        a registered mistake replaces it
    right : the steps that have a formula
    mistakes : the likeliest first; of several that give the same numbers, the first is named
    problems : problems(dtype); where there is none, the vectors are all there are
    outputs : names of what fn gives
    slack : eps that right answers may differ by, relative to the largest entry; transforms of length 128 take
        about 5, ten steps of Adam some hundred
    conventions : names of mistakes that are other libraries' habit, under which a fitted one may lie
    """

    compute: Callable[..., Any]
    right: Steps
    mistakes: tuple[Mistake, ...]
    problems: Callable[[np.dtype[Any]], Iterable[Problem]] = lambda dtype: ()
    outputs: tuple[str, ...] = ("y",)
    slack: float = SLACK
    conventions: tuple[str, ...] = ()

    def variant(self, mistakes: tuple[Mistake, ...], first: Any, p: Any) -> Any:
        """What these mistakes together give; without any, the right answer."""
        steps = {"compute": self.compute} | self.right
        for mistake in mistakes:
            steps |= mistake.steps
        s = Taken(**steps)
        return s.answer(s.compute(s, s.input(first), p), first, p)


def numbers(dtype: np.dtype[Any], *shape: int, lane: int = 0) -> Any:
    """Normals of sd 1/3 for a problem, with full mantissas: a third of what lies on the grid of 2⁻²⁰.

    What an answer is asked about is 2 to 4 times as large: of entries below 1 a clip to ±1 is not seen.
    """
    return (direction(5, int(np.prod(shape)), lane) / 3).reshape(shape).astype(dtype)
