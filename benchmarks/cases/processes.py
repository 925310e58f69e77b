"""Whole processes, from the interpreter's start to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.duel import ROOT, environment


class Process:
    """A call is a process."""

    whole = True

    def __init__(self, *arguments: object, threads: int, **variables: str) -> None:
        self.command = [sys.executable, *map(str, arguments)]
        self.environment = environment(threads) | variables

    def __call__(self) -> None:
        subprocess.run(self.command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.DEVNULL)


def script(name: str, *arguments: object, threads: int, **variables: str) -> Process:
    return Process("-m", f"benchmarks.scripts.{name}", *arguments, threads=threads, **variables)


def warmed(process: Process) -> Process:
    """With its files in memory and its compiled code on disk."""
    process()
    return process


def import_torch(threads: int) -> Callable[[], object]:
    return warmed(Process("-c", "import torch", threads=threads))


def first_step(threads: int) -> Callable[[], object]:
    return warmed(script("first_step", threads, threads=threads))


class ColdFirstStep(Process):
    """Each with a cache of its own, that is empty."""

    def __call__(self) -> None:
        with tempfile.TemporaryDirectory() as cache:
            self.environment["NUMBA_CACHE_DIR"] = cache
            super().__call__()


def first_step_cold(threads: int) -> Callable[[], object]:
    return ColdFirstStep("-m", "benchmarks.scripts.first_step", threads, threads=threads)


TRAIN = [
    "-m",
    "npintdim",
    "train",
    "--data",
    "mnist",
    "--d",
    "750",
    "--epochs",
    "1",
    "--lr",
    "1e-2",
    "--quiet",
    "--threads",
]


def epoch(threads: int) -> Callable[[], object]:
    return warmed(Process(*TRAIN, threads, threads=threads))


def epoch_single(threads: int) -> Callable[[], object]:
    return warmed(Process(*TRAIN, threads, "--option", "blocks=single", threads=threads))


def epoch_torch(threads: int) -> Callable[[], object]:
    return script("torch_epoch", threads, threads=threads)


def training_memory(threads: int) -> Callable[[], float]:
    """Peak MB of `npintdim train` on MNIST."""
    process = epoch(threads)

    def reading() -> float:
        child = subprocess.Popen(
            process.command, cwd=ROOT, env=process.environment, stdout=subprocess.DEVNULL
        )  # type: ignore[attr-defined]
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return usage.ru_maxrss * 1024 / 1e6

    return reading


class Sweep(Process):
    """Each into an empty folder, so that all runs are done."""

    def __call__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.environment["SWEEP_FOLDER"] = str(Path(folder))
            super().__call__()


def sweep(jobs: int, threads: int) -> Callable[[], object]:
    return Sweep("-m", "benchmarks.scripts.sweep", jobs, threads=1)
