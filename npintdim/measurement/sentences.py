"""What happens in a measurement, in sentences: for `tell=` in Python and for the command line alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from npintdim.engine.progress import aside
from npintdim.inputs import counted
from npintdim.measurement.events import Event, RunDone, SearchStep, SweepStarted, Waiting


class Sentences:
    """A callback that says what a search knows; what will be done and how long it takes; of a grid what each d reached.

    Parameters
    ----------
    tell : gets each line
    budget : of a search, whose steps say what they found; 0 for a grid
    """

    def __init__(self, tell: Callable[[str], object], budget: int = 0) -> None:
        self.tell, self.budget, self.searched = tell, budget, False
        self.ahead: Counter[int | None] = Counter()  # runs to come at each d
        self.reached: dict[int | None, list[str]] = {}

    def __call__(self, event: Event) -> None:
        """Listen."""
        for line in self.lines(event):
            with aside():
                self.tell(line)

    def lines(self, event: Event) -> Iterator[str]:
        """What there is to say of an event."""
        match event:
            case SearchStep():
                yield event.why
            case Waiting():
                yield f"waiting for {counted(len(event.specs), 'run')} that other processes on this folder are at"
            case SweepStarted() if not self.searched:
                self.ahead, self.reached = Counter(spec.d for spec in event.specs), {}
                yield self.estimate(event)
            case RunDone() if not self.budget and event.spec.holdout is None:
                d = event.spec.d
                p = event.record["performance"]
                self.reached.setdefault(d, []).append(event.record["status"] if p is None else f"{p:.4f}")
                self.ahead[d] -= 1
                if not self.ahead[d]:
                    left = f", about {duration(event.left)} left" if event.done < event.total else ""
                    where = "direct" if d is None else f"d = {d:,}"
                    yield f"{where}: {', '.join(self.reached[d])} ({event.done} of {counted(event.total, 'run')}{left})"

    def estimate(self, event: SweepStarted) -> str:
        """What a sweep will take; before the first runs of a search in a subspace, what all of them will at most."""
        runs, seconds, size, one = len(event.specs), event.seconds, event.bytes, event.specs[0]
        if self.budget and one.d is not None and one.holdout is None:
            self.searched = True
            seconds, size, runs = seconds / runs * self.budget, size // runs * self.budget, self.budget
        kept = f" ({event.kept} kept)" if event.kept and not self.budget else ""
        most = "at most " if self.searched else ""
        return f"{most}{counted(runs, 'run')} to do{kept}: about {duration(seconds)}, {weight(size)}"


def duration(seconds: float) -> str:
    """For people."""
    if seconds < 90:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def weight(size: float) -> str:
    """Bytes, for people."""
    return f"{size / 1e3:.0f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"
