"""Ctrl-C, kill and a closed terminal end a command at any moment: one line at most, exit 128 + its number.

The package imports this file first: what follows takes a quarter of a second, in which nothing has begun.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ENDING = 5.0  # seconds that a command gets to end before another signal interrupts it again


def leave(number: int, frame: FrameType | None) -> None:
    """At once: there is nothing to keep, and an exception in the middle of an import has a traceback."""
    os._exit(128 + number)


def hear(handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle what would end this process; what is handled or ignored already, as nohup does, stays so."""
    for stop in STOPS:
        if signal.getsignal(stop) in (signal.SIG_DFL, signal.default_int_handler, leave):
            signal.signal(stop, handler)


def stoppable(main: Callable[[], int]) -> int:
    """The exit status of main(), in which every signal of STOPS is Ctrl-C; once it is over, none counts.

    So Python's own end, in which idle workers are dismissed, is not interrupted.
    """
    heard, latest, over = 0, -ENDING, False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal heard, latest
        if not over and time.monotonic() - latest > ENDING:
            heard, latest = number, time.monotonic()
            raise KeyboardInterrupt

    hear(stop)
    try:
        status = main()
    except KeyboardInterrupt:  # while it was ending anyway
        status = 130
    finally:
        over = True
        for each in STOPS:
            if signal.getsignal(each) is stop:  # Python's last act would be to make it deadly again
                signal.signal(each, signal.SIG_IGN)
        exec("")  # forgets an exec that was interrupted (dataclasses use it): else python -m ends with SIGINT
    return 128 + heard if heard and status else status  # an import may turn Ctrl-C into another error


program = "".join(sys.orig_argv[-len(sys.argv) :][:1])  # as it was typed, or the NAME of python -m NAME
if program.replace("\\", "/").rpartition("/")[2] in ("npintdim", "npintdim.exe"):
    hear(leave)
