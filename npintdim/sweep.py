"""Many runs, one record each on disk: interrupted, failed or repeated, nothing that is done is done again."""

from __future__ import annotations

import functools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from npintdim.backend import Backend, cores, get_backend
from npintdim.custom import is_own, own_data, processes
from npintdim.data import load_dataset
from npintdim.landscape import Dataset, first
from npintdim.progress import Progress
from npintdim.records import prepare, read, write
from npintdim.rng import check_integer
from npintdim.runs import RunSpec, run
from npintdim.typing import Floats, Spec

Result: TypeAlias = tuple[Spec, Floats | None]
"""A record, and theta_d of a finished subspace run."""


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
        work = partial(attempt, backend=name, threads=threads, folder=data_folder)
        try:
            rehearse(todo, work)
            began, done = time.monotonic(), 0
            with Progress(len(todo), "runs", progress) as bar:
                for spec, (record, theta) in results(todo, work, jobs):
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


# --- one run, here or in a worker


def attempt(spec: RunSpec, backend: str, threads: int, folder: str | None) -> Result:
    """Run a spec; an exception becomes a record."""
    began = time.perf_counter()
    try:
        record, theta = execute(spec, backend, threads, folder)
    except Exception as error:
        seconds = round(time.perf_counter() - began, 3)
        message = f"{type(error).__name__}: {error}"
        return {
            "spec": spec.spec(),
            "status": "failed",
            "error": message,
            "performance": None,
            "seconds": seconds,
        }, None
    return record, theta if spec.d is not None and record["status"] == "finished" else None


def execute(
    spec: RunSpec, backend: str, threads: int, folder: str | None, examples: int | None = None
) -> tuple[Spec, Floats]:
    """Run a spec on its data set, or on the first examples of it."""
    with blas_threads(threads):
        engine = get_backend(backend, spec.dtype, threads)
        if is_own(spec.data):
            data = own_data(spec.data, spec.limit_train, engine)
        else:
            data = load(spec.data, folder, spec.limit_train, engine)
        return run(spec, engine, data if data is None or examples is None else first(data, examples))


@functools.cache
def load(name: str, folder: str | None, limit_train: int | None, backend: Backend) -> Dataset:
    """A data set on the backend's device, once a process."""
    return load_dataset(name, folder=folder, limit_train=limit_train).to(backend)


def blas_threads(threads: int) -> AbstractContextManager[Any]:
    """Limit BLAS to so many threads, where threadpoolctl is installed."""
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(threads, user_api="blas")
    return limits


# --- many runs


def rehearse(todo: Sequence[RunSpec], work: partial[Result]) -> None:
    """One step of every kind of run at its largest d.

    So bad input is an error before work is lost, and the compiled kernels lie on disk before several
    workers would compile them at once.
    """
    kinds: dict[str, RunSpec] = {}
    for spec in sorted(todo, key=lambda spec: spec.d or 0):
        kinds[json.dumps([spec.data, spec.model, spec.projection, spec.dtype], sort_keys=True)] = spec
    for spec in kinds.values():
        execute(replace(spec, epochs=1), **work.keywords, examples=spec.batch_size)


def results(
    todo: Sequence[RunSpec], work: Callable[[RunSpec], Result], jobs: int
) -> Iterator[tuple[RunSpec, Result]]:
    """Every spec with its result, as they finish."""
    if jobs == 1:
        for spec in todo:
            yield spec, work(spec)
        return
    joblib = need_joblib(jobs)
    pool = joblib.Parallel(
        n_jobs=jobs, return_as="generator_unordered", pre_dispatch=f"{2 * jobs}", batch_size=1
    )
    with deaf_to_interrupts():  # the workers inherit it: Ctrl-C is for the parent, which stops them
        stream = pool(joblib.delayed(numbered)(spec, work) for spec in todo)
    try:
        yield from stream
    except joblib.externals.loky.process_executor.TerminatedWorkerError as error:
        raise RuntimeError(
            "a worker process died (killed, or out of memory): what had finished is kept, and the same command "
            "does the rest; jobs=1 needs the least memory"
        ) from error


def numbered(spec: RunSpec, work: Callable[[RunSpec], Result]) -> tuple[RunSpec, Result]:
    """The spec goes back with its result, since they arrive in any order."""
    return spec, work(spec)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """No Ctrl-C meanwhile; only the main thread may decide that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def default_jobs(backend: str) -> int:
    """One process a core, but one alone on a GPU and without joblib."""
    return 1 if backend == "cupy" or find_spec("joblib") is None else cores()


def need_joblib(jobs: int) -> Any:
    """The joblib package.

    Raises
    ------
    ImportError
        with the pip line.
    """
    try:
        import joblib
    except ImportError as error:
        raise ImportError(
            f"jobs={jobs} needs the joblib package: pip install 'npintdim[sweep]', or jobs=1"
        ) from error
    return joblib
