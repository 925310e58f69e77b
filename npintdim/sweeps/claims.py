"""Who does which run, where several processes or machines share a folder: a lock file a run, and a sign of life."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from npintdim.sweeps.runs import RunSpec

BEAT = 10.0  # seconds between two signs of life
STALE = 60.0  # seconds without one after which a claim counts for nothing


class Claims:
    """Runs that this process has taken: runs/<key>.claim, made only where none is.

    A claim is given up with its run, or all of them at the end. One that was left behind is free again at once where
    its process is known to be dead, and after `STALE` seconds without a sign of life elsewhere. Its age is read from
    the clock of the file system, so the machines' clocks need not agree. If two take over the same claim in the same
    moment, a run is done twice, which costs time and changes nothing.

    Parameters
    ----------
    runs : the folder of the records
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.held: dict[str, Path] = {}
        self.over = threading.Event()
        self.owner = json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode()

    def take(self, spec: RunSpec) -> bool:
        """Whether the run is ours now."""
        path = self.runs / f"{spec.key}.claim"
        for _ in range(2):
            try:
                with path.open("xb") as file:
                    file.write(self.owner)
            except FileExistsError:
                if not self.abandoned(path):
                    return False
                path.unlink(missing_ok=True)
            else:
                self.held[spec.key] = path
                return True
        return False

    def release(self, spec: RunSpec) -> None:
        """Its record is written, or it is not done after all."""
        path = self.held.pop(spec.key, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def abandoned(self, path: Path) -> bool:
        """Whether nobody is at work on it any more."""
        try:
            owner, seen = path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError:
            return True
        with suppress(ValueError, KeyError, TypeError):
            told = json.loads(owner)
            if told["host"] == socket.gethostname() and dead(told["pid"]):
                return True
        return self.now() - seen > STALE

    def now(self) -> float:
        """By the clock of the file system."""
        probe = self.runs / f".{secrets.token_hex(8)}.part"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def live(self) -> None:
        """Give signs of life."""
        while not self.over.wait(BEAT):
            for path in list(self.held.values()):
                with suppress(OSError):
                    os.utime(path)

    def tidy(self) -> None:
        """Remove what processes left that died between a record and the release of its run."""
        for path in self.runs.glob("*.claim"):
            if path.with_suffix(".json").exists() and self.abandoned(path):
                path.unlink(missing_ok=True)

    def __enter__(self) -> Claims:
        self.tidy()
        threading.Thread(target=self.live, name="npintdim claims", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        for path in self.held.values():
            path.unlink(missing_ok=True)


def dead(pid: int) -> bool:
    """Whether this machine has no such process; False where that cannot be asked without harm."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
