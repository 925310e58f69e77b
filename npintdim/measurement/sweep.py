"""Many runs, one record each on disk: interrupted, failed or repeated, nothing that is done is done again."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from npintdim.backend import get_backend
from npintdim.engine.progress import Progress
from npintdim.files import canonical
from npintdim.inputs import check_integer, counted
from npintdim.measurement.claims import Claims
from npintdim.measurement.cluster import Dask
from npintdim.measurement.content import because, content_of
from npintdim.measurement.custom import kinds_here, processes
from npintdim.measurement.events import (
    Callback,
    RunFailed,
    RunFinished,
    RunStarted,
    SweepStarted,
    Waiting,
    announce,
)
from npintdim.measurement.executors import Executor, Joblib, Processes, Serial, active_backend, default_jobs
from npintdim.measurement.forecast import size
from npintdim.measurement.records import THETA, digest, read, try_writing, write
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import Result, Work, failed
from npintdim.specs import own_kinds
from npintdim.typing import Floats, Spec

LOOK = 0.5  # seconds between two looks for what others have done


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
    label: str = "runs",
    cluster: str | None = None,
    callbacks: Sequence[Callback] = (),
    fuse: bool = True,
) -> list[Spec]:
    """Train every spec that has no valid record yet.

    Several processes or machines may sweep the same folder at once: they share the runs.

    Parameters
    ----------
    specs : what to do; a spec that occurs twice is run once
    folder : results go to folder/runs/<key>.json, theta_d to folder/runs/<key>.npy, written atomically
    backend : name; None for numba where it is installed, else numpy
    jobs : processes at once; None for one a core (one on a GPU, without joblib, and where no other
        process can be had, which is told). Inside of
        `joblib.parallel_config` with another backend than loky, that one does the runs
    threads : of each process; small networks gain nothing from more than one
    data_folder : see `load_dataset`
    progress : show it on stderr; None means only on a terminal
    label : of the progress
    cluster : address of a Dask scheduler, e.g. "tcp://10.0.0.1:8786": its workers do the runs
    callbacks : each gets every event of `npintdim.measurement.events`, in this process. If it raises an exception, that is told
        as a warning and the sweep goes on; KeyboardInterrupt stops it
    fuse : see `get_backend`; it is no part of a run, whose result differs by rounding

    Returns
    -------
    the records, in the order of specs. Status is "finished", "diverged" or "failed" (an exception, kept as
    "error"); what failed is tried again by the next sweep, the others are not.

    Raises
    ------
    Interrupted
        on Ctrl-C, after everything that had arrived was written.
    OSError
        if the folder cannot be written to, or no scheduler answers.
    ValueError, TypeError, MemoryError, ImportError
        before any run, if a network, its projection at the largest d, and the data do not fit together.
    RuntimeError
        if a process of this machine, or the whole cluster, dies, or jobs > 1 and no process can be started.

    Warns
    -----
    UserWarning
        if a record is damaged, and therefore its run is done again.
    """
    if jobs is not None:
        check_integer("jobs", jobs, 1)
    folder = Path(folder)
    try_writing(folder)
    runs = folder / "runs"
    specs = identified(specs, runs)
    Claims(runs).tidy()
    records: dict[str, Spec | None] = {spec.key: read(runs, spec) for spec in specs}
    todo = list({spec.key: spec for spec in specs if not usable(records[spec.key])}.values())
    if todo:
        own = sorted({cls.__module__ for spec in todo for cls in own_kinds(spec.spec())})
        work = Work(get_backend(backend, todo[0].dtype, threads).name, threads, data_folder, fuse, tuple(own))
        execute = executor(todo, work.backend, jobs, cluster)
        try:
            seconds = dict(zip((s.key for s in todo), execute.rehearse(todo, work), strict=True))
            try_writing(folder, size(todo))
            runs.mkdir(parents=True, exist_ok=True)
            kept, together = len(records) - len(todo), sum(seconds.values()) / execute.width
            announce(callbacks, SweepStarted(tuple(todo), kept, together, size(todo)))
            began, done, passed = time.monotonic(), 0, 0.0
            with Progress(len(todo), label, progress) as bar:
                for spec, record, here in shared(todo, runs, execute, work, callbacks):
                    records[spec.key] = record
                    done, passed = done + 1, passed + seconds[spec.key]
                    left = (time.monotonic() - began) / passed * (sum(seconds.values()) - passed)
                    bar.step(f"{outcome(record)} ({spec.label}), about {left:.0f} s left")
                    if here and record["status"] == "failed":
                        announce(callbacks, RunFailed(spec, record))
                    elif here:
                        announce(callbacks, RunFinished(spec, record, done, len(todo), left))
        except KeyboardInterrupt:
            kept = sum(usable(record) for record in records.values())
            raise Interrupted(
                f"interrupted: {kept} of {counted(len(records), 'run')} {'is' if len(records) == 1 else 'are'} kept in {runs}; the same command does the rest"
            ) from None
    return [record for record in map(records.get, (spec.key for spec in specs)) if record is not None]


def identified(specs: Sequence[RunSpec], runs: Path) -> list[RunSpec]:
    """With the content of what is one's own, where they do not have it yet; a change of it is told as a warning."""
    found: dict[tuple[str, bytes], Spec | None] = {}
    own = []
    for spec in specs:
        what = (spec.data, canonical(spec.model))
        if spec.content is None and what not in found:
            found[what] = content_of(spec.data, spec.model)
        own.append(replace(spec, content=found[what]) if found.get(what) else spec)
    if any(found.values()) and (changed := because(runs, own)):
        warnings.warn(changed, stacklevel=3)
    return own


def width(spec: RunSpec, backend: str, jobs: int | None, cluster: str | None) -> int:
    """How many such runs a sweep with these options does at a time, where there are enough of them."""
    if jobs is not None:
        check_integer("jobs", jobs, 1)
    return executor([spec], backend, jobs, cluster, most=sys.maxsize).width


def executor(
    todo: Sequence[RunSpec], backend: str, jobs: int | None, cluster: str | None, most: int = 0
) -> Executor:
    """What the options of a sweep ask for; no more processes than there are runs, or than `most`.

    Raises
    ------
    ValueError
        if other processes are asked for, but a run's landscape or data are known to this one only.
    """
    names = [
        name for spec in todo for name in (spec.data, spec.model.get("objective", ""), *kinds_here(spec))
    ]
    jobs = processes(names, jobs, cluster)
    if cluster is not None:
        return Dask(cluster)
    other, its_jobs = active_backend()
    if other is not None and jobs != 1:
        return Joblib(jobs or its_jobs or 1)
    jobs = min(default_jobs(backend) if jobs is None else jobs, most or len(todo))
    return Serial() if jobs == 1 else Processes(jobs)


def shared(
    todo: Sequence[RunSpec], runs: Path, execute: Executor, work: Work, callbacks: Sequence[Callback]
) -> Iterator[tuple[RunSpec, Spec, bool]]:
    """Every run with its record, which is on disk by then, and whether it was done here or by others on this folder."""
    pending = {spec.key: spec for spec in todo}
    waiting: tuple[RunSpec, ...] = ()
    with Claims(runs) as claims:
        while pending:
            free = unclaimed(list(pending.values()), runs, claims, callbacks)
            for head in islice(free, 1):
                for spec, (record, theta) in execute(chain([head], free), work):
                    if record["status"] == "interrupted":
                        raise KeyboardInterrupt
                    record, theta = arrived(spec, record, theta)
                    write(runs, spec, record, theta)
                    claims.release(spec)
                    del pending[spec.key]
                    yield spec, record, True
            for spec in list(pending.values()):
                found = read(runs, spec, told=False)
                if found is not None and usable(found):
                    del pending[spec.key]
                    yield spec, found, False
            if pending:
                if waiting != (waiting := tuple(pending.values())):
                    announce(callbacks, Waiting(waiting))
                time.sleep(LOOK)


def arrived(spec: RunSpec, record: Spec, theta: Floats | None) -> Result:
    """A result if its theta_d is the one that was trained where the run was done, or the record of a failure."""
    if spec.d is None or record["status"] != "finished":
        return record, None
    if theta is None or theta.shape != (spec.d,) or digest(theta) != record.get(THETA):
        return failed(
            spec, "theta_d did not arrive as it was trained: its sha256 is another", record["seconds"]
        ), None
    return record, theta


def unclaimed(
    todo: Sequence[RunSpec], runs: Path, claims: Claims, callbacks: Sequence[Callback]
) -> Iterator[RunSpec]:
    """Those that nobody else has done or is at work on, each taken when there is room for it."""
    for spec in todo:
        if claims.take(spec):
            if usable(read(runs, spec, told=False)):
                claims.release(spec)
            else:
                announce(callbacks, RunStarted(spec))
                yield spec


def usable(record: Spec | None) -> bool:
    """Whether a run need not be done again."""
    return record is not None and record["status"] != "failed"


def outcome(record: Spec) -> str:
    """A word or a number for the progress line."""
    return f"{record['performance']:.4f}" if record["status"] == "finished" else str(record["status"])
