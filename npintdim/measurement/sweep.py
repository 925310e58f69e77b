"""Many runs, one record each on disk: interrupted, failed or repeated, nothing that is done is done again."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from npintdim.backend import get_backend
from npintdim.files import canonical
from npintdim.inputs import check_kind, counted
from npintdim.machine import cores
from npintdim.measurement.claims import Claims
from npintdim.measurement.cluster import Dask
from npintdim.measurement.content import because, content_of, find_renamed
from npintdim.measurement.custom import Name, kinds_here, processes, sent
from npintdim.measurement.events import (
    Bar,
    Callback,
    RunFailed,
    RunFinished,
    RunFound,
    RunStarted,
    SweepStarted,
    Tell,
    Waiting,
    announce,
    listeners,
)
from npintdim.measurement.executors import (
    GivenExecutor,
    Joblib,
    Processes,
    Serial,
    active_backend,
    default_jobs,
)
from npintdim.measurement.records import THETA, digest, read_record, try_writing, write_record
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import Result, Where, bytes_on_disk, failed
from npintdim.specs import own_kinds
from npintdim.typing import Floats, Spec

Train: TypeAlias = Callable[[Sequence[RunSpec]], list[Spec]]
"""`records_of` with everything but the specs given."""

Runner: TypeAlias = Serial | Processes | GivenExecutor | Joblib | Dask
"""Does runs, in any order, `width` at a time: it takes the next one only when there is room for it."""

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
    cluster: str | Executor | None = None,
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
    cluster : address of a Dask scheduler, e.g. "tcp://10.0.0.1:8786": its workers do the runs.
        Or an executor of your own, e.g. `concurrent.futures.ProcessPoolExecutor(4)`: it does `jobs` runs
        at once, None for as many as it says that it has workers, and is not shut down
    callbacks : each gets every event of `npintdim.measurement.events`, in this process.
        If it raises an exception, that is told as a warning and the sweep goes on; KeyboardInterrupt stops it
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
    specs = list(specs) if isinstance(specs, Iterable) else [specs]
    for spec in specs:
        check_kind("each of specs", spec, RunSpec, "recipe.subspace(d=100, k=0)")
    name = get_backend(backend, specs[0].dtype, threads).name if specs else backend or "numpy"
    where = Where(name, threads=threads, jobs=jobs, data_folder=data_folder, cluster=cluster, fuse=fuse)
    with Bar(progress, label) as bar:
        return records_of(specs, Path(folder), where, partial(announce, [bar, *listeners(callbacks)]))


def records_of(specs: Sequence[RunSpec], folder: Path, where: Where, tell: Tell) -> list[Spec]:
    """As `sweep`: the records of the specs; those that have none are trained, told as it happens."""
    try_writing(folder)
    runs = folder / "runs"
    specs = identified(specs, runs)
    Claims(runs).tidy()
    find_renamed(runs, specs)
    records = {spec.key: record for spec in specs if (record := done_before(runs, spec))}
    pending = {spec.key: spec for spec in specs if spec.key not in records}
    todo, waiting = tuple(pending.values()), tuple[RunSpec, ...]()
    if not todo:
        return [records[spec.key] for spec in specs]
    alone = where.jobs == 1 or where.cluster is not None
    with told_what_is_kept(records, pending, runs), sent([] if alone else names_of(todo)) as here:
        run, there = runner(todo, where), where.there(todo, here)
        seconds = dict(zip(pending, run.rehearse(todo, there), strict=True))
        needed = bytes_on_disk(todo)
        try_writing(folder, needed)
        runs.mkdir(parents=True, exist_ok=True)
        tell(SweepStarted(todo, len(records), sum(seconds.values()) / run.width, needed))
        began = time.monotonic()

        def done(spec: RunSpec, record: Spec, kind: type[RunFinished | RunFailed | RunFound]) -> None:
            records[spec.key] = record
            del pending[spec.key]
            ahead, total = sum(seconds[key] for key in pending), sum(seconds.values())
            left = (time.monotonic() - began) / (total - ahead) * ahead
            tell(kind(spec, record, len(todo) - len(pending), len(todo), left))

        with Claims(runs) as claims:
            while pending:
                free = unclaimed(list(pending.values()), runs, claims, tell)
                if head := next(free, None):  # for nothing no process is started
                    for spec, result in run(chain([head], free), there):
                        record, theta = arrived(spec, *result)
                        write_record(runs, spec, record, theta)
                        claims.release(spec)
                        done(spec, record, RunFailed if record["status"] == "failed" else RunFinished)
                for spec in list(pending.values()):
                    if found := done_before(runs, spec, told=False):
                        done(spec, found, RunFound)
                if pending:
                    if waiting != (waiting := tuple(pending.values())):
                        tell(Waiting(waiting))
                    time.sleep(LOOK)
    return [records[spec.key] for spec in specs]


@contextmanager
def told_what_is_kept(
    records: Mapping[str, Spec], pending: Mapping[str, RunSpec], runs: Path
) -> Iterator[None]:
    """Ctrl-C becomes `Interrupted`, which says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        kept = sum(record["status"] != "failed" for record in records.values())
        total = len({*records, *pending})
        raise Interrupted(
            f"interrupted: {kept} of {counted(total, 'run')} {'is' if total == 1 else 'are'} kept in "
            f"{runs}; the same command does the rest"
        ) from None


def names_of(todo: Sequence[RunSpec]) -> list[str]:
    """Of their data and landscapes, and of what was registered in this process alone."""
    return [name for spec in todo for name in (spec.data, spec.own, *kinds_here(spec))]


def identified(specs: Sequence[RunSpec], runs: Path) -> list[RunSpec]:
    """With the content of what is one's own, where they lack it; a change of it is told as a warning."""
    found: dict[tuple[object, ...], Spec | None] = {}
    own = []
    for spec in specs:
        spec.honoured()
        parts = [spec.T, spec.optimizer]
        kinds = sorted(map(str, own_kinds([*parts, spec.pretrained])))
        named = canonical({"run": [spec.data, spec.model, spec.pretrained, kinds]})
        what = named, id(Name(spec.data).it), id(Name(spec.own).it)
        if spec.content is None and what not in found:
            found[what] = content_of(spec.data, spec.model, *parts, pretrained=spec.pretrained)
        own.append(replace(spec, content=found[what]) if found.get(what) else spec)
    if any(found.values()) and (changed := because(runs, own)):
        warnings.warn(changed, stacklevel=4)
    return own


def runner(todo: Sequence[RunSpec], where: Where, most: int = 0) -> Runner:
    """Whoever does the runs there; no more processes than runs, or than `most`, which is how many it could.

    An error for a cluster that is none, or if other processes are asked for,
    but only this one knows a run's landscape or data.
    """
    cluster, names = where.cluster, names_of(todo)
    elsewhere = "" if cluster is None else f"cluster is {cluster}"
    jobs = where.jobs if isinstance(cluster, ThreadPoolExecutor) else processes(names, where.jobs, elsewhere)
    if isinstance(cluster, str):
        return Dask(cluster)
    if cluster is not None:
        check_kind("cluster", cluster, Executor, "ProcessPoolExecutor(4), or 'tcp://10.0.0.1:8786'")
        return GivenExecutor(jobs or int(getattr(cluster, "_max_workers", cores())), cluster)
    other, its_jobs = active_backend()
    if other is not None and jobs != 1:
        return Joblib(jobs or its_jobs or 1)
    jobs = min(default_jobs(where.backend) if jobs is None else jobs, most or len(todo))
    return Serial() if jobs == 1 else Processes(jobs)


def runs_at_once(spec: RunSpec, where: Where) -> int:
    """How many such runs are done there at a time, if there are enough of them."""
    return runner([spec], where, most=sys.maxsize).width


def arrived(spec: RunSpec, record: Spec, theta: Floats | None) -> Result:
    """A result if its theta_d is the one that was trained where the run was done, or the record of a failure.

    KeyboardInterrupt if the run heard it in place of the sweep.
    """
    if record["status"] == "interrupted":
        raise KeyboardInterrupt
    if spec.d is None or record["status"] != "finished":
        return record, None
    if theta is None or theta.shape != (spec.d,) or digest(theta) != record.get(THETA):
        why = "theta_d did not arrive as it was trained: its sha256 is another"
        return failed(spec, why, record["seconds"])
    return record, theta


def unclaimed(todo: Sequence[RunSpec], runs: Path, claims: Claims, tell: Tell) -> Iterator[RunSpec]:
    """Those that nobody else has done or is at work on, each taken when there is room for it."""
    for spec in todo:
        if claims.take(spec):
            if done_before(runs, spec, told=False):
                claims.release(spec)
            else:
                tell(RunStarted(spec))
                yield spec


def done_before(runs: Path, spec: RunSpec, told: bool = True) -> Spec | None:
    """The record of a run that need not be done again; for `told` see `read`."""
    record = read_record(runs, spec, told)
    return None if record is None or record["status"] == "failed" else record
