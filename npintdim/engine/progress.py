"""Progress of long work: a bar in a notebook, tqdm's on a terminal, else plain lines, or nothing."""

from __future__ import annotations

import functools
import html
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from npintdim.machine import in_notebook, need, optional, watched

EVERY = 5.0  # seconds between plain lines
DRAWN = 0.1  # seconds between two pictures of a notebook's bar
SHOWN: list[Progress] = []


class Progress:
    """Counts to `total`, in a notebook beside the cell's results, else on stderr.

    Parameters
    ----------
    total : number of steps
    label : what is counted
    show : True, False, or None to show only on a terminal and in a notebook
    """

    def __init__(self, total: int, label: str, show: bool | None = None) -> None:
        self.total, self.label, self.done = total, label, 0
        self.show = watched() or in_notebook() is not None if show is None else show
        self.last = time.monotonic()
        self.bar: Any = None
        with self.unread():
            if self.show and in_notebook() is not None:
                self.bar = InNotebook(total, label)
            elif self.show and (tqdm := optional("tqdm:tqdm")):
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
        SHOWN.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        SHOWN.remove(self)
        with self.unread():
            if self.bar is not None:
                self.bar.close()


@contextmanager
def aside() -> Iterator[None]:
    """Whatever is printed meanwhile stands above the bars, not inside of one."""
    bars = [progress for progress in SHOWN if progress.bar is not None]
    for progress in bars:
        with progress.unread():
            progress.bar.clear()
    yield
    for progress in bars:
        with progress.unread():
            progress.bar.refresh()


class InNotebook:
    """What `Progress` asks of tqdm's bar, as one result of the cell that changes; no widgets are needed."""

    def __init__(self, total: int, label: str) -> None:
        self.total, self.label, self.done, self.text = total, label, 0, ""
        self.place, self.last = display_place(in_notebook()), 0.0
        self.refresh()

    def set_postfix_str(self, text: str, refresh: bool) -> None:
        """How the next step went."""
        self.text = text

    def update(self) -> None:
        """One more is done; it is drawn ten times a second at most."""
        self.done += 1
        if time.monotonic() - self.last > DRAWN:
            self.refresh()

    def refresh(self) -> None:
        """Draw it."""
        self.last = time.monotonic()
        line = f"{self.label}: {self.done}/{self.total} {self.text}"
        bar = f'<progress value="{self.done}" max="{self.total}"></progress> {html.escape(line)}'
        self.place.update({"text/html": bar, "text/plain": line}, raw=True)

    def clear(self) -> None:
        """Nothing is in the way: what is printed has a place of its own."""

    def close(self) -> None:
        """Leave nothing behind."""
        self.place.update({"text/plain": ""}, raw=True)


@functools.lru_cache(maxsize=1)
def display_place(cell: int) -> Any:
    """Where the bars of a cell are drawn, one after the other."""
    display = need("IPython.display:display", "a bar in a notebook needs IPython", "pip install ipython")
    return display({"text/plain": ""}, raw=True, display_id=True)
