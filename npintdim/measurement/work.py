"""Where the runs of a sweep are done, and how long they take there; one of them, done in this process."""

from __future__ import annotations

import functools
import hashlib
import importlib
import math
import statistics
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from npintdim.backend import Backend, get_backend
from npintdim.data import load_dataset
from npintdim.data.holdout import hold_out
from npintdim.engine.landscape import Batch, Dataset, first, head, pair
from npintdim.engine.train import batches
from npintdim.inputs import check_integer
from npintdim.machine import blas_threads
from npintdim.measurement.custom import Name, own_data, receive
from npintdim.measurement.records import THETA, digest
from npintdim.measurement.runs import RunSpec, objective, run
from npintdim.specs import own_kinds
from npintdim.typing import Floats, Spec

Result: TypeAlias = tuple[Spec, Floats | None]
"""A record, and theta_d of a finished subspace run."""

STEPS = 8  # timed, after one that is not
LONGEST = 0.5  # seconds of steps are enough
EXAMPLES = 1000  # evaluated


@dataclass(frozen=True)
class Where:
    """Where runs are done; small, as it travels with each. The data do not: each process loads them once.

    Parameters
    ----------
    backend, dtype : names; a run has its own dtype
    threads : of each process
    jobs : processes at once, see `npintdim.sweep`
    data_folder : of the data files on the machine that computes, see `load_dataset`
    cluster : address of a Dask scheduler, or an executor of your own, see `npintdim.sweep`
    fuse : see `get_backend`
    modules : which register the kinds of layers and projections that the runs name
    here : a file with what only the process that asks knows, see `npintdim.measurement.custom.sent`
    content : of the runs' own data and landscapes: a process that knows others is not used again

    Raises
    ------
    TypeError, ValueError
        for jobs that are no number ≥ 1.
    """

    backend: str
    dtype: str = "float32"
    threads: int = 1
    jobs: int | None = None
    data_folder: str | None = None
    cluster: str | Executor | None = None
    fuse: bool = True
    modules: tuple[str, ...] = ()
    here: str = ""
    content: str = ""

    def __post_init__(self) -> None:
        if self.jobs is not None:
            object.__setattr__(self, "jobs", check_integer("jobs", self.jobs, 1))

    @classmethod
    def on(cls, backend: Backend, **where: Any) -> Where:
        """On such a backend."""
        return cls(backend.name, backend.dtype.name, backend.threads, fuse=backend.fuse, **where)

    def there(self, todo: Sequence[RunSpec], here: str = "") -> Where:
        """For whoever does these runs one by one: an executor does not travel, modules that register do."""
        own = sorted({cls.__module__ for spec in todo for cls in own_kinds(spec.spec())})
        content = "".join(sorted({str(spec.content) for spec in todo if spec.content}))
        content = content and hashlib.sha256(content.encode()).hexdigest()
        return replace(self, jobs=1, cluster=None, modules=tuple(own), here=here, content=content)

    def __call__(self, spec: RunSpec) -> Result:
        """Do a run, in this process; an exception becomes a record."""
        began = time.perf_counter()
        try:
            with blas_threads(self.threads):
                record, theta = run(spec, self.engine(spec), self.data(spec), folder=self.data_folder)
        except Exception as error:
            return failed(spec, error, round(time.perf_counter() - began, 3))
        if spec.d is None or record["status"] != "finished":
            return record, None
        return record | {THETA: digest(theta)}, theta

    def rehearse(self, todo: Sequence[RunSpec]) -> list[float]:
        """One step of every kind of run at its largest d, and a few to see how long each of them will take.

        So bad input is an error before work is lost, and the compiled kernels lie on disk before several
        workers would compile them at once. What is returned are the seconds of each run.
        """
        kinds: dict[str, list[RunSpec]] = {}
        for spec in todo:
            alike = replace(spec, d=spec.d and 1, seed=0, epochs=1, optimizer=spec.optimizer | {"lr": 1.0})
            kinds.setdefault(alike.key, []).append(spec)
        ends = [(min(kind, key=order), max(kind, key=order)) for kind in kinds.values()]
        expected: dict[str, float] = {}

        def paced(spec: RunSpec) -> Pace:
            return pace(spec, self.engine(spec), self.data(spec), self.data_folder)

        with blas_threads(self.threads), np.errstate(all="ignore"):
            for _, many in ends:
                data = self.data(many)
                needed = math.ceil(many.batch_size / (1 - (many.best_epoch or 0))) + bool(many.best_epoch)
                few_data = data and first(data, needed)
                once = replace(many, epochs=1)
                record, _ = run(once, self.engine(many), few_data, folder=self.data_folder, steps=1)
                if record["status"] == "interrupted":
                    raise KeyboardInterrupt
            for kind, (few, many) in zip(kinds.values(), ends, strict=True):
                at_many = paced(many)
                at_few = at_many if few.d == many.d else paced(few)
                expected |= {spec.key: predict(spec, few, many, at_few, at_many) for spec in kind}
        return [expected[spec.key] for spec in todo]

    def prepare(self, spec: RunSpec) -> None:
        """What comes before the first run of a process; what is wrong is told by the rehearsal."""
        with suppress(Exception):
            self.data(spec)

    def engine(self, spec: RunSpec) -> Backend:
        """The backend of a run, in a process that knows what its spec names."""
        for module in self.modules:
            importlib.import_module(module)
        if self.here and Path(self.here).is_file():
            receive(self.here)
        return get_backend(self.backend, spec.dtype, self.threads, self.fuse)

    def data(self, spec: RunSpec) -> Dataset | None:
        """Its data set, made once a process; what only a notebook knows is made anew, it may have changed."""
        make = dataset.__wrapped__ if Name(spec.data).here else dataset
        content = (spec.content or {}).get("data", "")
        return make(spec.data, self.data_folder, spec.limit_train, spec.holdout, self.engine(spec), content)


def order(spec: RunSpec) -> int:
    """To sort."""
    return spec.d or 0


def failed(spec: RunSpec, error: Exception | str, seconds: float = 0.0) -> Result:
    """The record of a run that ended with an exception, or in whose result something is wrong."""
    why = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    record = {"spec": spec.spec(), "status": "failed", "error": why, "performance": None, "seconds": seconds}
    if isinstance(error, Exception):
        record["traceback"] = "".join(traceback.format_exception(error))
    return record, None


@functools.cache
def load_data(
    name: str, folder: str | None, limit_train: int | None, backend: Backend, content: str = ""
) -> Dataset:
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
    if Name(name).own:
        data = own_data(name, limit_train, backend)
    else:
        data = load_data(name, folder, limit_train, backend, content)
    return data if data is None or holdout is None else hold_out(data, holdout)


class Pace(NamedTuple):
    """Seconds before the first step (θ_0, P), and of an epoch."""

    start: float
    epoch: float


def pace(spec: RunSpec, backend: Backend, data: Dataset | None, folder: str | None = None) -> Pace:
    """Of a run, measured on the first steps of it; the kernels must be compiled."""
    began = time.perf_counter()
    landscape, theta = objective(spec, backend, data, folder)
    start = time.perf_counter() - began
    config, steps = spec.config(), list[float]()
    state = config.optimizer.start(theta)
    following = batches(data, config, 0, 0)
    for t, batch in enumerate(islice(following, STEPS + 1)):
        now = time.perf_counter()
        loss, grad = pair(landscape.loss_and_grad(theta, batch))
        theta, state = config.optimizer.update(theta, grad, state, t + 1)
        float(loss)  # a GPU answers when it is done
        steps.append(time.perf_counter() - now)
        if sum(steps) > LONGEST:
            break
    step = statistics.median(steps[1:] or steps)
    now = time.perf_counter()
    if data is None:
        landscape.evaluate(theta, Batch())
        return Pace(start, config.steps_per_epoch * step + 2 * (time.perf_counter() - now))
    sample = head(data.test, EXAMPLES)
    landscape.evaluate(theta, sample)
    example = (time.perf_counter() - now) / len(sample)
    seen = min(config.train_examples, len(data.train)) + len(data.test)
    return Pace(start, -(-len(data.train) // config.batch_size) * step + seen * example)


def predict(spec: RunSpec, few: RunSpec, many: RunSpec, at_few: Pace, at_many: Pace) -> float:
    """Seconds of a run, from the pace at two d of its kind: in between and beyond along the straight line."""
    share = 0.0 if many.d == few.d else ((spec.d or 0) - (few.d or 0)) / ((many.d or 0) - (few.d or 0))
    start, epoch = (a + share * (b - a) for a, b in zip(at_few, at_many, strict=True))
    return start + spec.epochs * epoch


def bytes_on_disk(specs: Sequence[RunSpec]) -> int:
    """Of their records and θ_d."""
    return sum(2000 + 160 * s.epochs + 128 + (s.d or 0) * (8 if s.dtype == "float64" else 4) for s in specs)
