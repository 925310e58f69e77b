"""What a sweep and a measurement tell while they work, to callbacks in the process that called them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from npintdim.measurement.runs import RunSpec
from npintdim.typing import Spec


@dataclass(frozen=True)
class SweepStarted:
    """Runs that are to be done, `kept` others are on disk; as a few steps tell, seconds for all of them, and bytes."""

    specs: tuple[RunSpec, ...]
    kept: int
    seconds: float
    bytes: int


@dataclass(frozen=True)
class RunStarted:
    """A run was given to a process."""

    spec: RunSpec


@dataclass(frozen=True)
class RunFinished:
    """Its record is on disk, status "finished" or "diverged"; `left` seconds for the `total - done` others."""

    spec: RunSpec
    record: Spec
    done: int
    total: int
    left: float


@dataclass(frozen=True)
class RunFailed:
    """It ended with an exception, record["error"]; the next sweep tries it again."""

    spec: RunSpec
    record: Spec


@dataclass(frozen=True)
class Waiting:
    """Nothing is left to do but these runs, which other processes on this folder are at."""

    specs: tuple[RunSpec, ...]


@dataclass(frozen=True)
class SearchStep:
    """What an adaptive search knows, e.g. its bracket, and what it runs next."""

    why: str


@dataclass(frozen=True)
class Measured:
    """A measurement is complete: see `npintdim.Measurement`."""

    measurement: Any


Event: TypeAlias = SweepStarted | RunStarted | RunFinished | RunFailed | Waiting | SearchStep | Measured
Callback: TypeAlias = Callable[[Event], object]


def announce(callbacks: Sequence[Callback], event: Event) -> None:
    """Give the event to each, one after the other.

    Warns
    -----
    UserWarning
        if one raises an exception: no run is worth losing for that. KeyboardInterrupt stops the sweep, as Ctrl-C does.
    """
    for callback in callbacks:
        try:
            callback(event)
        except Exception as error:
            name = getattr(callback, "__qualname__", repr(callback))
            warnings.warn(
                f"callback {name} failed on {type(event).__name__}, the sweep goes on: {type(error).__name__}: {error}",
                stacklevel=2,
            )
