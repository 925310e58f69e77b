"""What commands of many runs share: where the runs are done, and what that will take."""

from __future__ import annotations

from npintdim.cli.common import Parser, say
from npintdim.inputs import counted
from npintdim.measurement.events import Callback, Event, SweepStarted, Waiting


def add_many_runs(parser: Parser) -> None:
    """The options that say where runs are done."""
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once (default: one a core)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler's, e.g. tcp://10.0.0.1:8786")


def estimates(budget: int) -> Callback:
    """Says what a sweep will take before it begins, and a search of so many runs before its first in a subspace."""
    searched = False

    def tell(event: Event) -> None:
        nonlocal searched
        if isinstance(event, Waiting):
            say(f"waiting for {counted(len(event.specs), 'run')} that other processes on this folder are at")
        if not isinstance(event, SweepStarted) or searched:
            return
        runs, seconds, size, one = len(event.specs), event.seconds, event.bytes, event.specs[0]
        if budget and one.d is not None and one.holdout is None:
            searched, seconds, size, runs = True, seconds / runs * budget, size // runs * budget, budget
        kept = f" ({event.kept} kept)" if event.kept and not budget else ""
        most = "at most " if searched else ""
        say(f"{most}{counted(runs, 'run')} to do{kept}: about {duration(seconds)}, {weight(size)}")

    return tell


def duration(seconds: float) -> str:
    """For people."""
    if seconds < 90:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def weight(size: float) -> str:
    """Bytes, for people."""
    return f"{size / 1e3:.0f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"
