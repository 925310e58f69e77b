"""Where the runs of a sweep are done: one after another here, or in processes of this machine."""

from __future__ import annotations

import functools
import os
import queue
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeAlias

from npintdim.machine import cores, need, optional, standard_files, streams
from npintdim.measurement.children import deaf, leave_with, no_processes
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import Result, Work

Results: TypeAlias = Iterator[tuple[RunSpec, Result]]
"""Every run with its result, as they finish."""


PATIENCE = 5.0  # seconds of silence
SETTLING = 1.0  # seconds; it takes a millisecond
IDLE = 300  # seconds for which a process waits for more; the next round of a search finds it warm


class Executor(Protocol):
    """Does runs."""

    @property
    def width(self) -> int:
        """How many at a time."""
        ...

    def rehearse(self, todo: Sequence[RunSpec], work: Work) -> list[float]:
        """`Work.rehearse` where the runs will be done."""
        ...

    def __call__(self, todo: Iterable[RunSpec], work: Work) -> Results:
        """All of them, in any order; `todo` is asked for the next one only when there is room for it."""
        ...


@dataclass(frozen=True)
class Serial:
    """One after another, in this process."""

    width = 1

    def rehearse(self, todo: Sequence[RunSpec], work: Work) -> list[float]:
        """Here."""
        return work.rehearse(todo)

    def __call__(self, todo: Iterable[RunSpec], work: Work) -> Results:
        """In their order."""
        for spec in todo:
            yield spec, work(spec)


@dataclass(frozen=True)
class Processes:
    """So many processes of this machine (loky: they are started afresh, never forked, and used again)."""

    width: int

    def rehearse(self, todo: Sequence[RunSpec], work: Work) -> list[float]:
        """In one of them, while the others start and read the data."""
        with self.pool(work) as submit:
            times = submit(work.rehearse, todo)
            for _ in range(1, self.width):
                submit(work.prepare, todo[0])
            seconds: list[float] = times.result()
        return seconds

    def __call__(self, todo: Iterable[RunSpec], work: Work) -> Results:
        """As they finish."""
        with self.pool(work) as submit:
            for spec, future in stream(todo, lambda spec: submit(work, spec), lambda: self.width):
                yield spec, future.result()

    @contextmanager
    def pool(self, work: Work) -> Iterator[Callable[..., Any]]:
        """What gives them something to do.

        Raises
        ------
        ImportError
            without joblib, with the pip line.
        RuntimeError
            if no process can be started, with the reason, or one dies.
        """
        if reason := no_processes():
            raise RuntimeError(f"jobs={self.width} needs other processes, but {reason}: jobs=1 needs none")
        standard_files()
        loky = need_joblib(self.width).externals.loky
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = {name: os.environ.get(name, str(work.threads)) for name in names}
        with warnings.catch_warnings(), deaf():
            # A pool of another width waits until no `prepare` of the last one goes on.
            warnings.filterwarnings("ignore", "Trying to resize an executor with running jobs")
            workers = loky.get_reusable_executor(
                self.width, timeout=IDLE, env=env, initializer=leave_with, initargs=(os.getpid(),)
            )
        latest: deque[Any] = deque(maxlen=self.width)

        def submit(*call: Any) -> Any:
            with streams(), deaf():  # the workers inherit it: Ctrl-C is for the parent, which stops them
                latest.append(workers.submit(*call))
            return latest[-1]

        try:
            yield submit
        except loky.process_executor.TerminatedWorkerError as error:
            raise RuntimeError(
                "a worker process died (killed, or out of memory): what had finished is kept, and the same "
                "command does the rest; jobs=1 needs the least memory"
            ) from error
        except BaseException:  # Ctrl-C, or whoever reads the results stops to do so
            settle(latest)
            workers.shutdown(kill_workers=True)
            raise


def settle(futures: Iterable[Any]) -> None:
    """Wait a moment until a pool has taken up what it was given: loky's thread fails where it is stopped before."""
    give_up = time.monotonic() + SETTLING
    while not all(future.running() or future.done() for future in futures) and time.monotonic() < give_up:
        time.sleep(0.001)


@dataclass(frozen=True)
class Joblib:
    """Whatever `joblib.parallel_config` names, e.g. Ray; runs are taken, and told as started, in joblib's threads."""

    width: int

    def rehearse(self, todo: Sequence[RunSpec], work: Work) -> list[float]:
        """In the parent."""
        return work.rehearse(todo)

    def __call__(self, todo: Iterable[RunSpec], work: Work) -> Results:
        """As they finish, where that backend can; else in rounds of `width`."""
        Parallel, delayed = need_joblib(self.width).Parallel, need_joblib(self.width).delayed
        calls = (delayed(numbered)(spec, work) for spec in todo)
        backend, _ = active_backend()
        if getattr(backend, "supports_return_generator", False):
            yield from Parallel(self.width, return_as="generator_unordered", pre_dispatch=self.width)(calls)
        else:
            with Parallel(self.width) as pool:  # its workers are kept
                while together := list(islice(calls, self.width)):
                    yield from pool(together)


def numbered(spec: RunSpec, work: Work) -> tuple[RunSpec, Result]:
    """The spec goes back with its result, since they arrive in any order."""
    return spec, work(spec)


def stream(
    todo: Iterable[RunSpec],
    submit: Callable[[RunSpec], Any],
    width: Callable[[], int],
    check: Callable[[], object] = lambda: None,
) -> Iterator[tuple[RunSpec, Any]]:
    """Keep `width()` runs in flight, and give each with its future when it is done.

    Parameters
    ----------
    todo : runs
    submit : makes a future of a run
    width : how many there is room for
    check : called every few seconds while nothing arrives; it may raise an exception
    """
    waiting, flying = iter(todo), dict[Any, RunSpec]()
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    while True:
        for spec in islice(waiting, max(0, width() - len(flying))):
            future = submit(spec)
            flying[future] = spec
            future.add_done_callback(arrived.put)
        if not flying:
            return
        try:
            future = arrived.get(timeout=PATIENCE)
        except queue.Empty:
            check()
        else:
            yield flying.pop(future), future


def active_backend() -> tuple[Any, int | None]:
    """The joblib backend that is in force, if it is another than its default, and its number of jobs."""
    if sys.modules.get("joblib") is None:
        return None, None
    parallel = sys.modules["joblib"].parallel
    backend, jobs = parallel.get_active_backend()
    if type(backend).__name__ == ("LokyBackend" if parallel.mp else "ThreadingBackend"):
        return None, None
    return backend, backend.effective_n_jobs(-1 if jobs is None else jobs)


def default_jobs(backend: str) -> int:
    """One process a core, but one alone on a GPU, without joblib, and where there cannot be another.

    Warns
    -----
    UserWarning
        in the last case, with the reason, once.
    """
    alone = backend == "cupy" or tell_once(no_processes(), os.getpid()) or optional("joblib") is None
    return 1 if alone else cores()


@functools.cache
def tell_once(reason: str, process: int) -> bool:
    """Whether there is a reason for one run at a time; a process that was forked from this one tells it again."""
    if reason:
        warnings.warn(f"one run at a time: {reason}", stacklevel=3)
    return bool(reason)


def need_joblib(jobs: int) -> Any:
    """The joblib package.

    Raises
    ------
    ImportError
        with the pip line.
    """
    return need("joblib", f"jobs={jobs} needs the joblib package", "pip install 'npintdim[sweep]', or jobs=1")
