"""The cases of a row against each other: one process each, rounds interleaved, with pauses between them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAUSE = 0.2  # seconds, after which the other process's idle threads have stopped spinning
BUSY = 0.15  # share of the cores that others may use when a case begins
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class CaseError(RuntimeError):
    """A case that ended instead of answering."""


def environment(threads: int) -> dict[str, str]:
    """Every library is held to so many threads before it is loaded."""
    return os.environ | dict.fromkeys(POOLS, str(threads))


class Case:
    """A running worker."""

    def __init__(self, name: str, threads: int, seconds: float) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.worker", *name.split(), str(threads), str(seconds)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment(threads), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )  # fmt: skip

    def answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise CaseError(f"{self.name}: the process ended with status {self.process.wait()}")
        return line

    def measure(self) -> float:
        """One round."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.answer())

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def running(names: Sequence[str], threads: int, seconds: float) -> Iterator[list[Case]]:
    """Workers, made ready one after the other so that they do not disturb each other."""
    cases: list[Case] = []
    try:
        for name in names:
            cases.append(Case(name, threads, seconds))
            cases[-1].answer()
        yield cases
    finally:
        for case in cases:
            case.close()


def pause(patience: float) -> None:
    """At least PAUSE; and until nobody else works, for so many seconds at most."""
    end = time.monotonic() + patience
    while True:
        before = times()
        time.sleep(PAUSE)
        idle, everything = (b - a for a, b in zip(before, times(), strict=True))
        if idle >= (1 - BUSY) * everything or time.monotonic() > end:
            return


def times() -> tuple[int, int]:
    """Idle time and all time of all cores, in ticks; nothing where the system does not say."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0, 0
    ticks = [int(n) for n in stat.read_text().split("\n", 1)[0].split()[1:]]
    return ticks[3] + ticks[4], sum(ticks[:8])


def duel(
    names: Sequence[str], threads: int, rounds: int, seconds: float, patience: float = 0.0, sittings: int = 1
) -> dict[str, list[float]]:
    """What each case measured, round after round, in several sittings with fresh processes.

    Where a process's memory happens to lie can make it faster or slower for all of its life.
    """
    measured: dict[str, list[float]] = {name: [] for name in names}
    for sitting in range(sittings):
        with running(names, threads, seconds) as cases:
            for _ in range(rounds * sitting // sittings, rounds * (sitting + 1) // sittings):
                for case in cases:
                    pause(patience)
                    measured[case.name].append(case.measure())
    return measured
