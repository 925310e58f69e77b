"""What a sweep, a measurement and a reproduction tell while they work: the bar, the command, callbacks."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

from npintdim.engine.progress import Progress, aside
from npintdim.inputs import counted, shown
from npintdim.measurement.runs import RunSpec
from npintdim.typing import Spec


@dataclass(frozen=True)
class SweepStarted:
    """Runs to be done, `kept` others are on disk; as a few steps tell, seconds for all of them, and bytes."""

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
    """What a search knows and runs next, in a sentence; `known` is what it knows alone, e.g. its bracket."""

    why: str
    known: str = ""


@dataclass(frozen=True)
class ReproductionStep:
    """What a reproduction begins, what a case of it reached, or why that was not read, in a sentence."""

    says: str


@dataclass(frozen=True)
class Measured:
    """A measurement is complete: see `npintdim.Measurement`."""

    measurement: Any


Event: TypeAlias = (
    SweepStarted | RunStarted | RunFinished | RunFailed | RunFound | Waiting
    | SearchStep | ReproductionStep | Measured
)  # fmt: skip
Callback: TypeAlias = Callable[[Event], object]
Tell: TypeAlias = Callable[[Event], None]
"""`announce`, to whoever listens."""


def listeners(callbacks: Any) -> list[Callback]:
    """As a list; TypeError before any run for a function alone, and for what cannot be called."""
    found = list(callbacks) if isinstance(callbacks, Iterable) else None
    if found is None or not all(map(callable, found)):
        raise TypeError(f"callbacks is {shown(callbacks)}: a list of functions is needed")
    return found


def announce(callbacks: Sequence[Callback], event: Event) -> None:
    """Give the event to each, one after the other.

    An exception in one is told as a warning: no run is worth losing for that.
    KeyboardInterrupt stops the sweep, as Ctrl-C does.
    """
    for callback in callbacks:
        try:
            callback(event)
        except Exception as error:
            name = getattr(callback, "__qualname__", repr(callback))
            warnings.warn(
                f"callback {name} failed on {type(event).__name__}, the sweep goes on: "
                f"{type(error).__name__}: {error}",
                stacklevel=2,
            )


class Bar:
    """Shows the runs of sweeps on stderr, a bar each, see `Progress`; a search says what the label is."""

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


class Sentences:
    """A callback: what a search knows, what will be done and how long it takes, what each d reached.

    `tell` gets each line; `budget` is that of a search, whose steps say what they found, and 0 for a grid.
    """

    def __init__(self, tell: Callable[[str], object], budget: int = 0) -> None:
        self.tell, self.budget, self.searched = tell, budget, False
        self.ahead: Counter[int | None] = Counter()  # runs to come at each d
        self.reached: dict[int | None, list[str]] = {}

    def __call__(self, event: Event) -> None:
        """Listen."""
        if line := self.line(event):
            with aside():
                self.tell(line)

    def line(self, event: Event) -> str:
        """What there is to say of an event, or ""."""
        match event:
            case SearchStep():
                return event.why
            case ReproductionStep():
                return event.says
            case Waiting():
                return (
                    f"waiting for {counted(len(event.specs), 'run')} that other processes on this folder "
                    "are at"
                )
            case SweepStarted() if not self.searched:
                self.ahead, self.reached = Counter(spec.d for spec in event.specs), {}
                return self.estimate(event)
            case RunDone() if not self.budget and event.spec.holdout is None:
                d = event.spec.d
                p = event.record["performance"]
                self.reached.setdefault(d, []).append(event.record["status"] if p is None else f"{p:.4f}")
                self.ahead[d] -= 1
                if not self.ahead[d]:
                    left = f", about {duration(event.left)} left" if event.done < event.total else ""
                    where = "direct" if d is None else f"d = {d:,}"
                    return (
                        f"{where}: {', '.join(self.reached[d])} "
                        f"({event.done} of {counted(event.total, 'run')}{left})"
                    )
        return ""

    def estimate(self, event: SweepStarted) -> str:
        """What a sweep will take; before a search's first runs in a subspace, what all of them may."""
        runs, seconds, size, one = len(event.specs), event.seconds, event.bytes, event.specs[0]
        if self.budget and one.d is not None and one.holdout is None:
            self.searched = True
            seconds, size, runs = seconds / runs * self.budget, size // runs * self.budget, self.budget
        kept = f" ({event.kept} kept)" if event.kept and not self.budget else ""
        most = "at most " if self.searched else ""
        return f"{most}{counted(runs, 'run')} to do{kept}: about {duration(seconds)}, {megabytes(size)}"


def duration(seconds: float) -> str:
    """For people."""
    if seconds < 90:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def megabytes(size: float) -> str:
    """Bytes, for people."""
    return f"{size / 1e3:.0f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"
