"""Many runs, one record each on disk: interrupted, failed or repeated, nothing that is done is done again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from npintdim.backend import get_backend
from npintdim.custom import processes
from npintdim.executors import Executor, Processes, Serial, default_jobs
from npintdim.progress import Progress
from npintdim.records import prepare, read, write
from npintdim.rng import check_integer
from npintdim.runs import RunSpec
from npintdim.typing import Spec
from npintdim.work import Work
from npintdim.work import blas_threads as blas_threads  # for whoever looks for it here
from npintdim.work import load as load


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a sweep; the message says what is kept and how to go on."""


def sweep(
    specs: Sequence[RunSpec],
    folder: str | Path,
    *,
    backend: str | None = None,
    jobs: int | None = None,
    threads: int = 1,
    data_folder: str | None = None,
    progress: bool | None = None,
) -> list[Spec]:
    """Train every spec that has no valid record yet.

    Parameters
    ----------
    specs : what to do; a spec that occurs twice is run once
    folder : results go to folder/runs/<key>.json, theta_d to folder/runs/<key>.npy, written atomically
    backend : name; None for numba where it is installed, else numpy
    jobs : processes at once; None for one a core (one on a GPU, and one without joblib)
    threads : of each process; small networks gain nothing from more than one
    data_folder : see `load_dataset`
    progress : show it on stderr; None means only on a terminal

    Returns
    -------
    the records, in the order of specs. Status is "finished", "diverged" or "failed" (an exception, kept as
    "error"); what failed is tried again by the next sweep, the others are not.

    Raises
    ------
    Interrupted
        on Ctrl-C, after everything that had arrived was written.
    OSError
        if the folder cannot be written to.
    ValueError, TypeError, MemoryError, ImportError
        before any run, if a network, its projection at the largest d, and the data do not fit together.

    Warns
    -----
    UserWarning
        if a record is damaged, and therefore its run is done again.
    """
    if jobs is not None:
        check_integer("jobs", jobs, 1)
    runs = prepare(Path(folder))
    records: dict[str, Spec | None] = {spec.key: read(runs, spec) for spec in specs}
    todo = list({spec.key: spec for spec in specs if not usable(records[spec.key])}.values())
    if todo:
        name = get_backend(backend, todo[0].dtype, threads).name
        jobs = processes((n for spec in todo for n in (spec.data, spec.model.get("objective", ""))), jobs)
        jobs = min(default_jobs(name) if jobs is None else jobs, len(todo))
        execute: Executor = Serial() if jobs == 1 else Processes(jobs)
        work = Work(name, threads, data_folder)
        try:
            work.rehearse(todo)
            began, done = time.monotonic(), 0
            with Progress(len(todo), "runs", progress) as bar:
                for spec, (record, theta) in execute(todo, work):
                    if record["status"] == "interrupted":
                        raise KeyboardInterrupt
                    write(runs, spec, record, theta)
                    records[spec.key] = record
                    done += 1
                    left = (time.monotonic() - began) / done * (len(todo) - done)
                    bar.step(f"{outcome(record)} ({spec.label}), about {left:.0f} s left")
        except KeyboardInterrupt:
            kept = sum(usable(record) for record in records.values())
            raise Interrupted(
                f"interrupted: {kept} of {len(records)} runs are kept in {runs}; the same command does the rest"
            ) from None
    return [record for record in map(records.get, (spec.key for spec in specs)) if record is not None]


def usable(record: Spec | None) -> bool:
    """Whether a run need not be done again."""
    return record is not None and record["status"] != "failed"


def outcome(record: Spec) -> str:
    """A word or a number for the progress line."""
    return f"{record['performance']:.4f}" if record["status"] == "finished" else str(record["status"])
