"""Who does the runs of a sweep: this process, others of this machine, or a `concurrent.futures.Executor`."""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any, TypeAlias

from npintdim.inputs import brief
from npintdim.machine import cores, need, optional, standard_files, streams
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import Result, Where
from npintdim.signals import STOPS

Results: TypeAlias = Iterator[tuple[RunSpec, Result]]
"""Every run with its result, as they finish."""
Submit: TypeAlias = Callable[..., "Future[Any]"]
"""`concurrent.futures.Executor.submit`."""

PATIENCE = 5.0  # seconds of silence
SETTLING = 10.0  # seconds at most; it takes a millisecond, and on a busy machine more than a second
IDLE = 300  # seconds for which a process waits for more; the next round of a search finds it warm
GLANCE = 1.0  # seconds between two looks whether the parent still lives


@dataclass(frozen=True)
class Serial:
    """One after another, in this process."""

    width = 1

    def rehearse(self, todo: Sequence[RunSpec], where: Where) -> list[float]:
        """Here."""
        return where.rehearse(todo)

    def __call__(self, todo: Iterable[RunSpec], where: Where) -> Results:
        """In their order."""
        for spec in todo:
            yield spec, where(spec)


@dataclass(frozen=True)
class Futures(ABC):
    """Whoever speaks `concurrent.futures`: what it is given comes back as a future."""

    width: int

    @abstractmethod
    def pool(self, where: Where) -> AbstractContextManager[Submit]:
        """What gives it something to do."""

    def rehearse(self, todo: Sequence[RunSpec], where: Where) -> list[float]:
        """In one of its workers, while the others start and read the data."""
        with told_deaths(), self.pool(where) as submit:
            times = submit(rehearsed, where, todo)
            for _ in range(1, self.width):
                submit(where.prepare, todo[0])
            seconds: list[float] = times.result()
        return seconds

    def __call__(self, todo: Iterable[RunSpec], where: Where) -> Results:
        """As they finish."""
        with told_deaths(), self.pool(where) as submit:
            for spec, future in stream(todo, functools.partial(submit, where), lambda: self.width):
                yield spec, future.result()


def rehearsed(where: Where, todo: Sequence[RunSpec]) -> list[float]:
    """`Where.rehearse` in another process: an exception that cannot be made again here breaks the pool."""
    try:
        return where.rehearse(todo)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise RuntimeError(brief(error)) from error
        raise


@dataclass(frozen=True)
class GivenExecutor(Futures):
    """An executor of your own, e.g. `concurrent.futures.ProcessPoolExecutor(4)`; it is not shut down."""

    executor: Executor

    @contextmanager
    def pool(self, where: Where) -> Iterator[Submit]:
        """It; where the sweep is stopped, what it has not begun is taken back."""
        with ExitStack() as stopped:

            def submit(*call: Any) -> Future[Any]:
                future = self.executor.submit(*call)
                stopped.callback(future.cancel)
                return future

            yield submit
            stopped.pop_all()


@dataclass(frozen=True)
class Processes(Futures):
    """So many processes of this machine (loky: they are started afresh, never forked, and used again)."""

    @contextmanager
    def pool(self, where: Where) -> Iterator[Submit]:
        """They hear no signal, their parent stops them; RuntimeError if none can be started."""
        if reason := no_processes():
            raise RuntimeError(f"jobs={self.width} needs other processes, but {reason}: jobs=1 needs none")
        standard_files()
        loky = need_joblib(self.width).externals.loky
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = {name: os.environ.get(name, str(where.threads)) for name in names}
        # Where it is another one: processes that have not imported what was edited.
        env["NPINTDIM_CONTENT"] = where.content
        with warnings.catch_warnings(), deaf():
            # A pool of another width waits until no `prepare` of the last one goes on.
            warnings.filterwarnings("ignore", "Trying to resize an executor with running jobs")
            workers = loky.get_reusable_executor(
                self.width, timeout=IDLE, env=env, initializer=leave_with, initargs=(os.getpid(),)
            )
        latest: deque[Future[Any]] = deque(maxlen=self.width)

        def submit(*call: Any) -> Future[Any]:
            with streams(), deaf():  # the workers inherit it: Ctrl-C is for the parent, which stops them
                latest.append(workers.submit(*call))
            return latest[-1]

        try:
            yield submit
        except BrokenExecutor:
            raise
        except BaseException:  # Ctrl-C, or whoever reads the results stops to do so
            until_taken_up(latest)
            workers.shutdown(kill_workers=True)
            raise


@contextmanager
def told_deaths() -> Iterator[None]:
    """RuntimeError, which says what to do, if a worker process died."""
    try:
        yield
    except BrokenExecutor as error:
        raise RuntimeError(
            "a worker process died (killed, or out of memory): what had finished is kept, and the same "
            "command does the rest; jobs=1 needs the least memory"
        ) from error


def until_taken_up(futures: Iterable[Any]) -> None:
    """Wait a moment until a pool has taken up what it got: loky's thread fails where it is stopped before."""
    give_up = time.monotonic() + SETTLING
    while not all(future.running() or future.done() for future in futures) and time.monotonic() < give_up:
        time.sleep(0.001)


@dataclass(frozen=True)
class Joblib:
    """Whatever `joblib.parallel_config` names, e.g. Ray; runs are taken, and told, in joblib's threads."""

    width: int

    def rehearse(self, todo: Sequence[RunSpec], where: Where) -> list[float]:
        """In the parent."""
        return where.rehearse(todo)

    def __call__(self, todo: Iterable[RunSpec], where: Where) -> Results:
        """As they finish, where that backend can; else in rounds of `width`."""
        joblib = need_joblib(self.width)
        calls = (joblib.delayed(with_spec)(spec, where) for spec in todo)
        backend, _ = active_backend()
        if getattr(backend, "supports_return_generator", False):
            several = joblib.Parallel(self.width, return_as="generator_unordered", pre_dispatch=self.width)
            yield from several(calls)
        else:
            with joblib.Parallel(self.width) as pool:  # its workers are kept
                while together := list(islice(calls, self.width)):
                    yield from pool(together)


def with_spec(spec: RunSpec, where: Where) -> tuple[RunSpec, Result]:
    """The spec goes back with its result, since they arrive in any order."""
    return spec, where(spec)


def stream(
    todo: Iterable[RunSpec],
    submit: Callable[[RunSpec], Future[Any]],
    width: Callable[[], int],
    check: Callable[[], object] = lambda: None,
) -> Iterator[tuple[RunSpec, Future[Any]]]:
    """Keep `width()` runs in flight, and give each with its future when it is done.

    `check` is called every few seconds while nothing arrives; it may raise an exception.
    """
    waiting, flying = iter(todo), dict[Future[Any], RunSpec]()
    arrived: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
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
    """One process a core; one alone on a GPU, without joblib, and where there can be no other: told once."""
    alone = backend == "cupy" or tell_once(no_processes(), os.getpid()) or optional("joblib") is None
    return 1 if alone else cores()


@functools.cache
def tell_once(reason: str, process: int) -> bool:
    """Whether there is a reason for one run at a time; a process forked from this one tells it again."""
    if reason:
        warnings.warn(f"one run at a time: {reason}", stacklevel=3)
    return bool(reason)


def need_joblib(jobs: int) -> Any:
    """The joblib package; ImportError with the pip line."""
    return need("joblib", f"jobs={jobs} needs the joblib package", "pip install 'npintdim[sweep]', or jobs=1")


def no_processes() -> str:
    """Why this process cannot start others that it could talk to; empty where it can."""
    if multiprocessing.current_process().daemon:
        return "this process is daemonic, as Dask's workers are, and may not start any"
    if os.environ.get("JOBLIB_MULTIPROCESSING") == "0":
        return "JOBLIB_MULTIPROCESSING=0 forbids them"
    try:  # without a name that would have to be tracked
        multiprocessing.get_context("fork" if os.name == "posix" else "spawn").Lock()
    except (OSError, ImportError) as error:
        return f"no semaphore can be made, which takes a writable /dev/shm ({error})"
    return ""


@contextmanager
def deaf() -> Iterator[None]:
    """Signals that stop a process wait meanwhile; processes that are started in here never hear them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        resource_tracker.ensure_running()  # Python's start of it ends by hearing Ctrl-C again
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_with(parent: int) -> None:
    """End this process soon after its parent ended, however it did: what it is at is for nobody any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(GLANCE)
        os._exit(1)

    if os.name == "posix":  # elsewhere a dead parent keeps its number, and a worker waits for `IDLE`
        threading.Thread(target=watch, name="npintdim parent", daemon=True).start()
