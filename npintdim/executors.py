"""Where the runs of a sweep are done: one after another here, or in processes of this machine."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from typing import Any, Protocol, TypeAlias

from npintdim.backend import cores
from npintdim.runs import RunSpec
from npintdim.work import Result, Work

Results: TypeAlias = Iterator[tuple[RunSpec, Result]]
"""Every run with its result, as they finish."""


PATIENCE = 5.0  # seconds of silence


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
        """In the parent, which is no worker but leaves the compiled kernels on disk."""
        return work.rehearse(todo)

    def __call__(self, todo: Iterable[RunSpec], work: Work) -> Results:
        """As they finish.

        Raises
        ------
        ImportError
            without joblib, with the pip line.
        RuntimeError
            if a process dies.
        """
        loky = need_joblib(self.width).externals.loky
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        pool = loky.get_reusable_executor(
            self.width, env={name: os.environ.get(name, str(work.threads)) for name in names}
        )

        def submit(spec: RunSpec) -> Any:
            with deaf_to_interrupts():  # the workers inherit it: Ctrl-C is for the parent, which stops them
                return pool.submit(work, spec)

        try:
            for spec, future in stream(todo, submit, lambda: self.width):
                yield spec, future.result()
        except loky.process_executor.TerminatedWorkerError as error:
            raise RuntimeError(
                "a worker process died (killed, or out of memory): what had finished is kept, and the same "
                "command does the rest; jobs=1 needs the least memory"
            ) from error
        except BaseException:  # Ctrl-C, or whoever reads the results stops to do so
            pool.shutdown(kill_workers=True)
            raise


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


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C waits meanwhile; processes that are started in here never hear it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
