"""Progress of long work: tqdm where it is installed, plain lines otherwise, nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from npintdim.machine import optional, watched

EVERY = 5.0  # seconds between plain lines


class Progress:
    """Counts to `total` on stderr.

    Parameters
    ----------
    total : number of steps
    label : what is counted
    show : True, False, or None to show only on a terminal
    """

    def __init__(self, total: int, label: str, show: bool | None = None) -> None:
        self.total, self.label, self.done = total, label, 0
        self.show = watched() if show is None else show
        self.last = time.monotonic()
        self.bar: Any = None
        with self.unread():
            if self.show and (tqdm := optional("tqdm:tqdm")):
                sys.stderr.write("")  # raises now what would leave half a bar behind
                self.bar = tqdm(total=total, desc=label, leave=False, file=sys.stderr, dynamic_ncols=True)

    def step(self, text: str = "") -> None:
        """One more is done; `text` says how it went."""
        self.done += 1
        with self.unread():
            if self.bar is not None:
                self.bar.set_postfix_str(text, refresh=False)
                self.bar.update()
            elif self.show and (time.monotonic() - self.last > EVERY or self.done == self.total):
                self.last = time.monotonic()
                sys.stderr.write(f"{self.label}: {self.done}/{self.total} {text}\n")

    @contextmanager
    def unread(self) -> Iterator[None]:
        """The work goes on where there is no stderr, or one that is closed, broken or a stranger."""
        try:
            yield
        except (AttributeError, OSError, ValueError):
            self.show, self.bar = False, None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.unread():
            if self.bar is not None:
                self.bar.close()
