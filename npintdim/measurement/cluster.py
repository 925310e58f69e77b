"""The runs of a sweep on the workers of a Dask cluster, on this machine or many."""

from __future__ import annotations

import logging
import platform
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from npintdim._version import __version__
from npintdim.machine import need
from npintdim.measurement import executors
from npintdim.measurement.executors import Results, stream
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import Result, Where, failed

ANSWER = 5.0  # seconds within which a scheduler answers
JOIN = 60.0  # and within which it has a worker, at first or again
KILLED = "KilledWorker"  # what Dask calls a run whose workers died


@dataclass(frozen=True)
class Dask:
    """The workers of a Dask scheduler. Specs go there, records and θ_d come back; each worker reads the data.

    A worker that dies costs the runs it was at: the scheduler gives them to others. Its address is e.g.
    "tcp://10.0.0.1:8786"; ValueError for something else.
    """

    address: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(tcp|tls|ucx|ws|wss)://.+:\d+", self.address):
            raise ValueError(f"cluster is {self.address!r}: an address such as tcp://10.0.0.1:8786 is needed")

    @property
    def width(self) -> int:
        """Threads of all workers."""
        with self.client() as client:
            return capacity(client)

    def rehearse(self, todo: Sequence[RunSpec], where: Where) -> list[float]:
        """On every worker: one that lacks data or a package, or has another npintdim, is found before a run.

        Errors of the rehearsal are those of a run, with the worker's address.
        """
        with self.client() as client:
            here = must_agree()
            try:
                told = client.run(must_agree)
            except (ImportError, AttributeError) as error:
                raise RuntimeError(
                    f"a worker of {self.address} lacks npintdim {__version__}: {error}"
                ) from error
            for worker, there in told.items():
                if there != here:
                    raise RuntimeError(f"worker {worker} has {there}, but here is {here}")
            ask = partial(client.submit, where.rehearse, todo, allow_other_workers=True, pure=False)
            times = []
            for worker, future in {worker: ask(workers=[worker]) for worker in told}.items():
                try:
                    times.append(rehearsal(client, worker, future))
                except Exception as error:
                    raise led_by(error, f"worker {worker}") from error
        return [sum(seconds) / len(seconds) for seconds in zip(*times, strict=True)]

    def __call__(self, todo: Iterable[RunSpec], where: Where) -> Results:
        """As they finish; two for each thread of a worker are under way, so that none waits for the next.

        Dask blames a worker's death on every run that was there, also on those that only waited.
        So whoever is blamed is tried once more when nothing else is under way. A result that died with its
        worker is made again by another: its future is done only when it is here.
        RuntimeError if all workers are gone, or the scheduler is.
        """
        with self.client() as client:
            alone = time.monotonic()

            def check() -> None:
                nonlocal alone
                if client.status == "running" and capacity(client):
                    alone = time.monotonic()
                elif time.monotonic() - alone > JOIN:
                    raise RuntimeError(f"no worker of {self.address} is left: {KEPT}")

            def width() -> int:
                check()
                return 2 * max(1, capacity(client))

            submit, blamed = partial(client.get_executor(pure=False).submit, where), list[RunSpec]()
            try:
                for spec, future in stream(todo, submit, width, check):
                    if type(future.exception()).__name__ == KILLED:
                        blamed.append(spec)
                    else:
                        yield spec, outcome(spec, future)
                for spec, future in stream(blamed, submit, lambda: 1, check):
                    yield spec, outcome(spec, future)
            except (CancelledError, OSError) as error:  # of the connection
                raise RuntimeError(f"the scheduler {self.address} is gone: {KEPT}") from error

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A connection; OSError without scheduler or workers. Once closed, what is not done is forgotten."""
        who = f"cluster={self.address} needs the distributed package"
        client_to = need("distributed:Client", who, "pip install 'npintdim[dask]'")
        try:
            client = client_to(self.address, timeout=ANSWER, set_as_default=False)
        except OSError as error:
            raise OSError(
                f"no Dask scheduler answers at {self.address}: start one with `dask scheduler`, "
                f"and its workers with `dask worker {self.address} --nthreads 1`"
            ) from error
        with silent("distributed.client"), client:
            try:
                client.wait_for_workers(1, timeout=JOIN)
            except TimeoutError as error:
                raise OSError(
                    f"the scheduler {self.address} has no worker: dask worker {self.address} --nthreads 1"
                ) from error
            yield client


@contextmanager
def silent(name: str) -> Iterator[None]:
    """A logger, while what it would log is told as an error."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


KEPT = "what has finished is kept, and the same command does the rest"


def rehearsal(client: Any, worker: str, future: Any) -> list[float]:
    """The rehearsal's result; Dask waits for ever where the only worker that was asked has died."""
    while True:
        try:
            times: list[float] = future.result(timeout=executors.PATIENCE)
        except TimeoutError:
            if worker not in client.nthreads():
                raise RuntimeError("it died in the rehearsal, killed or out of memory") from None
        else:
            return times


def outcome(spec: RunSpec, future: Future[Result]) -> Result:
    """Of a run; if the workers that tried it all died, or could not, a record that says so."""
    error = future.exception()
    return failed(spec, error) if isinstance(error, Exception) else future.result()


def capacity(client: Any) -> int:
    """Runs that the workers can do at a time."""
    return sum(client.nthreads().values())


def must_agree() -> str:
    """What must be the same everywhere."""
    return f"npintdim {__version__}, Python {'.'.join(platform.python_version_tuple()[:2])}"


def led_by(error: Exception, note: str) -> Exception:
    """The same kind of error, its text led by a note where the kind allows that."""
    try:
        return type(error)(f"{note}: {error}")
    except TypeError:
        return RuntimeError(f"{note}: {type(error).__name__}: {error}")
