"""What a sweep and a measurement tell while they work: to the progress on stderr, the command, and callbacks, all alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

from npintdim.engine.progress import Progress
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
class RunDone:
    """A run's record is on disk; `left` seconds for the `total - done` others."""

    spec: RunSpec
    record: Spec
    done: int
    total: int
    left: float


class RunFinished(RunDone):
    """It was done here, status "finished" or "diverged"."""


class RunFailed(RunDone):
    """It ended here with an exception, record["error"]; the next sweep tries it again."""


class RunFound(RunDone):
    """Another process on this folder has done it."""


@dataclass(frozen=True)
class Waiting:
    """Nothing is left to do but these runs, which other processes on this folder are at."""

    specs: tuple[RunSpec, ...]


@dataclass(frozen=True)
class SearchStep:
    """What a search knows and what it runs next, in a sentence; `known` is what it knows alone, e.g. its bracket."""

    why: str
    known: str = ""


@dataclass(frozen=True)
class Measured:
    """A measurement is complete: see `npintdim.Measurement`."""

    measurement: Any


Event: TypeAlias = (
    SweepStarted | RunStarted | RunFinished | RunFailed | RunFound | Waiting | SearchStep | Measured
)
Callback: TypeAlias = Callable[[Event], object]
Tell: TypeAlias = Callable[[Event], None]
"""`announce`, to whoever listens."""


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


class Bar:
    """Shows the runs of one sweep after the other on stderr, a bar each.

    Parameters
    ----------
    show : see `Progress`
    label : of the bars, until a search says what it knows
    """

    def __init__(self, show: bool | None, label: str = "runs") -> None:
        self.show, self.label, self.shown = show, label, ExitStack()

    def __call__(self, event: Event) -> None:
        """Listen."""
        match event:
            case SearchStep():
                self.label = event.known or self.label
            case SweepStarted():
                self.progress = self.shown.enter_context(Progress(len(event.specs), self.label, self.show))
            case RunDone():
                performance, status = event.record["performance"], event.record["status"]
                reached = f"{performance:.4f}" if status == "finished" else status
                self.progress.step(f"{reached} ({event.spec.label}), about {event.left:.0f} s left")
                if event.done == event.total:
                    self.shown.close()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self.shown.close()
