"""One run of a sweep where it is done: in this process, in a worker, on another machine."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from npintdim.backend import Backend, get_backend
from npintdim.data import load_dataset
from npintdim.data.holdout import hold_out
from npintdim.engine.landscape import Dataset, first
from npintdim.machine import blas_threads
from npintdim.measurement.custom import is_own, own_data
from npintdim.measurement.forecast import Pace, pace, predict
from npintdim.measurement.records import THETA, digest
from npintdim.measurement.runs import RunSpec, run
from npintdim.typing import Floats, Spec

Result: TypeAlias = tuple[Spec, Floats | None]
"""A record, and theta_d of a finished subspace run."""


@dataclass(frozen=True)
class Work:
    """How runs are done; small, so that it travels with each of them. The data do not: each process loads them once.

    Parameters
    ----------
    backend : name
    threads : of each process
    folder : of the data files on the machine that computes, see `load_dataset`
    fuse : see `get_backend`
    modules : which register the kinds of layers and projections that the runs name
    """

    backend: str
    threads: int = 1
    folder: str | None = None
    fuse: bool = True
    modules: tuple[str, ...] = ()

    def __call__(self, spec: RunSpec) -> Result:
        """Run a spec; an exception becomes a record."""
        began = time.perf_counter()
        try:
            record, theta = self.execute(spec)
        except Exception as error:
            seconds = round(time.perf_counter() - began, 3)
            return failed(spec, f"{type(error).__name__}: {error}", seconds), None
        if spec.d is None or record["status"] != "finished":
            return record, None
        return record | {THETA: digest(theta)}, theta

    def execute(self, spec: RunSpec, examples: int | None = None) -> tuple[Spec, Floats]:
        """Run a spec on its data set, or on the first examples of it."""
        with blas_threads(self.threads):
            engine, data = self.engine(spec), self.data(spec)
            return run(spec, engine, data if data is None or examples is None else first(data, examples))

    def rehearse(self, todo: Sequence[RunSpec]) -> list[float]:
        """One step of every kind of run at its largest d, and a few to see how long each of them will take.

        So bad input is an error before work is lost, and the compiled kernels lie on disk before several
        workers would compile them at once.

        Returns
        -------
        seconds of each run
        """
        kinds: dict[str, list[RunSpec]] = {}
        for spec in todo:
            alike = replace(
                spec, d=spec.d and 1, seed=0, epochs=1, optimizer={"kind": spec.optimizer["kind"]}
            )
            kinds.setdefault(alike.key, []).append(spec)
        ends = [(min(kind, key=by_d), max(kind, key=by_d)) for kind in kinds.values()]
        for _, many in ends:
            self.execute(replace(many, epochs=1), examples=many.batch_size)
        expected: dict[str, float] = {}
        with blas_threads(self.threads), np.errstate(all="ignore"):
            for kind, (few, many) in zip(kinds.values(), ends, strict=True):
                at_many = self.pace(many)
                at_few = at_many if few.d == many.d else self.pace(few)
                expected |= {spec.key: predict(spec, few, many, at_few, at_many) for spec in kind}
        return [expected[spec.key] for spec in todo]

    def prepare(self, spec: RunSpec) -> None:
        """What comes before the first run of a process; what is wrong is told by the rehearsal."""
        with suppress(Exception):
            self.data(spec)

    def pace(self, spec: RunSpec) -> Pace:
        """See `npintdim.measurement.forecast.pace`."""
        return pace(spec, self.engine(spec), self.data(spec))

    def engine(self, spec: RunSpec) -> Backend:
        """The backend of a run, in a process that knows what its spec names."""
        for module in self.modules:
            importlib.import_module(module)
        return get_backend(self.backend, spec.dtype, self.threads, self.fuse)

    def data(self, spec: RunSpec) -> Dataset | None:
        """Its data set, made once a process; what only a notebook knows is made anew, it may have changed."""
        make = dataset.__wrapped__ if spec.data.startswith("here:") else dataset
        content = (spec.content or {}).get("data", "")
        return make(spec.data, self.folder, spec.limit_train, spec.holdout, self.engine(spec), content)


def by_d(spec: RunSpec) -> int:
    """To sort."""
    return spec.d or 0


def failed(spec: RunSpec, error: str, seconds: float) -> Spec:
    """The record of a run that ended with an exception."""
    return {
        "spec": spec.spec(),
        "status": "failed",
        "error": error,
        "performance": None,
        "seconds": seconds,
    }


@functools.cache
def load(name: str, folder: str | None, limit_train: int | None, backend: Backend, content: str) -> Dataset:
    """A data set on the backend's device, once a process and content."""
    return load_dataset(name, folder=folder, limit_train=limit_train).to(backend)


@functools.lru_cache(maxsize=2)
def dataset(
    name: str,
    folder: str | None,
    limit_train: int | None,
    holdout: float | None,
    backend: Backend,
    content: str,
) -> Dataset | None:
    """Of the package or your own, whole or with a part of its training data in the place of the test data."""
    if is_own(name):
        data = own_data(name, limit_train, backend)
    else:
        data = load(name, folder, limit_train, backend, content)
    return data if data is None or holdout is None else hold_out(data, holdout)
