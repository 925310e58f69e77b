"""Who is at which run of a folder that several processes share: a claim, a file beside the record to come."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

from npintdim.files import OWNER, DamagedError, beside, gone, owner, part_in, read_json, this_machine, tidy
from npintdim.measurement.runs import RunSpec

BEAT = 10.0  # seconds between two signs of life
STALE = 60.0  # seconds without one after which a claim counts for nothing
BLINK = 0.1  # seconds; where a claim cannot be made at a stroke, it is empty for less
LEFT = re.compile(rf"(?:\.({OWNER})-.*|.*)\.part")  # whatever is so called in the folder of the records


class Claims:
    """Runs that this process has taken: <key>.claim in the records' folder `runs`, made only where none is.

    A claim is given up with its run, or all of them at the end. One that was left behind is free again at
    once where its process is known to be gone (also if its PID is another's by now) or it names none,
    and after `STALE` seconds without a sign of life elsewhere. Its age is read from the clock of the file
    system, so the machines' clocks need not agree.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.held: dict[str, Path] = {}
        self.over = threading.Event()
        told = {"host": socket.gethostname(), "pid": os.getpid(), "owner": owner()}
        self.content = json.dumps(told).encode()

    def take(self, spec: RunSpec) -> bool:
        """Whether the run is ours now."""
        path = self.runs / f"{spec.key}.claim"
        for _ in range(2):
            if self.make(path):
                self.held[spec.key] = path
                return True
            if not self.free(path):
                return False
        return False

    def make(self, path: Path) -> bool:
        """Write a claim if there is none; a link is made at a stroke, so nobody sees a part of one."""
        try:
            with beside(path, self.content) as part:
                try:
                    os.link(part, path)
                except FileExistsError:
                    return False
                except (OSError, NotImplementedError):  # a file system without links
                    with path.open("xb") as file:
                        file.write(self.content)
        except FileExistsError:
            return False
        return True

    def release(self, spec: RunSpec) -> None:
        """Its record is written, or it is not done after all."""
        path = self.held.pop(spec.key, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def free(self, path: Path) -> bool:
        """Remove a claim if nobody is at work on it any more; whether there is none now."""
        try:
            content = path.read_bytes()
            if not self.abandoned(path):
                return False
            aside = part_in(self.runs)
            path.rename(aside)
            if aside.read_bytes() != content:  # another process has just taken it over
                aside.replace(path)
                return False
            aside.unlink()
        except FileNotFoundError:
            pass
        return True

    def abandoned(self, path: Path) -> bool:
        """Whether nobody is at work on it any more; a warning where it is not the claim of any process."""
        seen = path.stat().st_mtime
        for wait in (BLINK, 0.0):
            with suppress(DamagedError):
                told = read_json(path)
                host = told.get("host")
                earlier = f"{this_machine()}-{told.get('pid')}-0"  # versions that named the PID alone
                maker = told.get("owner", earlier)
                if isinstance(host, str) and isinstance(maker, str) and re.fullmatch(OWNER, maker):
                    if gone(maker) or self.now() - seen > STALE:
                        return True
                    if "owner" in told or host != socket.gethostname():
                        return False
            time.sleep(wait)
        warnings.warn(
            f"{path} is not the claim of a process that can be told: it counts for nothing", stacklevel=2
        )
        return True

    def now(self) -> float:
        """By the clock of the file system."""
        probe = part_in(self.runs)
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
        """Remove the claims and parts that processes left which were killed."""
        for path in self.runs.glob("*.claim"):
            self.free(path)
        tidy(self.runs, LEFT)

    def __enter__(self) -> Claims:
        threading.Thread(target=self.live, name="npintdim claims", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for path in self.held.values():
            path.unlink(missing_ok=True)
