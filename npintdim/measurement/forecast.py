"""How long runs will take: a few steps and one evaluation, timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from npintdim.backend import Backend
from npintdim.engine.landscape import Batch, Dataset
from npintdim.engine.train import batches
from npintdim.measurement.runs import RunSpec, objective

STEPS = 8  # timed, after one that is not
LONGEST = 0.5  # seconds of steps are enough
EXAMPLES = 1000  # evaluated


class Pace(NamedTuple):
    """Seconds before the first step (θ_0, P), and of an epoch."""

    start: float
    epoch: float


def pace(spec: RunSpec, backend: Backend, data: Dataset | None) -> Pace:
    """Of a run, measured on the first steps of it; the kernels must be compiled."""
    began = time.perf_counter()
    landscape, theta = objective(spec, backend, data)
    start = time.perf_counter() - began
    config, steps = spec.config(), list[float]()
    state = config.optimizer.start(theta)
    following = batches(data, config, 0, 0)
    for t, batch in enumerate(islice(following, STEPS + 1)):
        now = time.perf_counter()
        loss, grad = landscape.loss_and_grad(theta, batch)
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
    x, labels = data.test.x, data.test.labels
    assert x is not None and labels is not None
    sample = Batch(x[:EXAMPLES], labels[:EXAMPLES])
    landscape.evaluate(theta, sample)
    example = (time.perf_counter() - now) / len(sample)
    seen = min(config.train_examples, len(data.train)) + len(data.test)
    return Pace(start, -(-len(data.train) // config.batch_size) * step + seen * example)


def predict(spec: RunSpec, few: RunSpec, many: RunSpec, at_few: Pace, at_many: Pace) -> float:
    """Seconds of a run, from the pace at two d of its kind: in between and beyond along the straight line."""
    share = 0.0 if many.d == few.d else ((spec.d or 0) - (few.d or 0)) / ((many.d or 0) - (few.d or 0))
    start, epoch = (a + share * (b - a) for a, b in zip(at_few, at_many, strict=True))
    return start + spec.epochs * epoch


def size(specs: Sequence[RunSpec]) -> int:
    """Bytes of their records and θ_d on disk."""
    return sum(2000 + 160 * s.epochs + 128 + (s.d or 0) * (8 if s.dtype == "float64" else 4) for s in specs)
