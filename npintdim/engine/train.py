"""The training loop: any landscape, any optimizer. It does not know what a subspace is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from npintdim.backend import as_array, namespace
from npintdim.engine.landscape import Batch, Dataset, Landscape, dim_of, evaluation, head, pair
from npintdim.engine.optimizers import Adam, Optimizer
from npintdim.engine.progress import Progress
from npintdim.engine.streamed import Streamed, ahead
from npintdim.inputs import check_kind, check_real, counted, quiet, shown, table_html
from npintdim.machine import check_memory, data_frame
from npintdim.rng import Purpose, Stream
from npintdim.specs import settle
from npintdim.typing import Floats

SHOWN = 12  # epochs in a notebook's table, at most
LARGE = 2**26  # bytes of theta from which on the memory of a step is looked at


@dataclass(frozen=True)
class TrainConfig:
    """The paper's procedure (docs/walkthrough/05-training.md).

    Parameters
    ----------
    optimizer : `Adam` or `SGD`
    epochs : passes over the training data
    batch_size : 128 in the paper; the last, smaller batch is used too
    seed : of the order of the examples, drawn anew each epoch, and of what is random in a step (`Batch.seed`)
    steps_per_epoch : length of an epoch for a landscape without data
    train_examples : the training performance is measured on so many of the first training examples

    Raises
    ------
    TypeError, ValueError
        for another optimizer, or numbers out of range.
    """

    optimizer: Optimizer = field(default_factory=Adam)
    epochs: int = 10
    batch_size: int = 128
    seed: int = 0
    steps_per_epoch: int = 100
    train_examples: int = 10_000

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(f"optimizer is {shown(self.optimizer)}: an Adam(...) or SGD(...) is needed")
        settle(self, epochs=1, batch_size=1, steps_per_epoch=1, train_examples=1)

    def check(self, data: Dataset) -> None:
        """Refuse data with fewer training examples than a batch."""
        if self.batch_size > len(data.train):
            raise ValueError(
                f"batch_size is {self.batch_size}, but the training set has {len(data.train)} examples"
            )


@dataclass(frozen=True)
class Record:
    """One epoch: mean training loss, performance on both parts at its end (0 if it diverged), seconds.

    `held` is the loss on held-out data.
    """

    epoch: int
    loss: float
    train: float
    test: float
    seconds: float
    held: float | None = None


@dataclass(frozen=True, repr=False)
class Run:
    """What `train` reached; it shows itself in a line, in a notebook as a table.

    Parameters
    ----------
    theta : after the last step; where the run diverged, after its last finite epoch
    status : "finished", "diverged" (a loss was not finite, of a step or at the end of an epoch) or
        "interrupted" (Ctrl-C)
    records : one per epoch
    """

    theta: Floats
    status: str
    records: tuple[Record, ...]

    @property
    def summary(self) -> str:
        """The line that is quoted."""
        told = f"{self.status} after {counted(len(self.records), 'epoch')}"
        if self.records:
            last = self.records[-1]
            told += f": loss {last.loss:.4f}, training {last.train:.4f}, test {last.test:.4f}"
        return told

    def __repr__(self) -> str:
        return f"<Run: {self.summary}; theta has shape {np.shape(self.theta)}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = [("epoch", "loss", "training", "test", "seconds")]
        step = max(1, -(-len(self.records) // SHOWN))
        for r in self.records[::-step][::-1]:  # the last is always shown
            rows.append((r.epoch, f"{r.loss:.4f}", f"{r.train:.4f}", f"{r.test:.4f}", f"{r.seconds:.2f}"))
        return table_html(f"theta has shape {np.shape(self.theta)}", rows, self.summary)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame, one row an epoch: the fields of `Record`.

        Raises
        ------
        ImportError
            without pandas, with the pip line.
        """
        return data_frame([asdict(record) for record in self.records])


@quiet  # divergence is a status, not a warning
def train(
    landscape: Landscape,
    theta: Floats,
    data: Dataset | None,
    config: TrainConfig,
    progress: bool | None = None,
    label: str = "training",
    held: Batch | None = None,
) -> Run:
    """Minimise a landscape from theta.

    Parameters
    ----------
    landscape : a `Model` (direct training), a `SubspaceObjective`, or your own
    theta : (landscape.dim,), where to start; it is not changed
    data : None for a landscape without data
    config : see `TrainConfig`
    progress : show it on stderr; None means only on a terminal
    label : of the progress bar
    held : examples in neither part of data; the run is then cut after the epoch whose loss there is least

    Raises
    ------
    TypeError
        if data has no training and test part.
    ValueError
        if theta or a gradient has another shape than (dim,), or the batch is larger than the training set.

    Notes
    -----
    NumPy's settings (`np.seterr`) do not count inside, nor in a landscape of your own:
    what underflows is 0, what overflows ends as "diverged".
    The losses of an epoch stay on the device and are transferred once, at its end.
    """
    theta, dim = as_array("theta", theta), dim_of(landscape, "loss_and_grad", "evaluate")
    check_kind("config", config, TrainConfig, "TrainConfig(Adam(1e-3), epochs=10)")
    if not hasattr(theta, "shape"):
        raise TypeError(f"theta is a {type(theta).__name__}: an array of shape ({dim},) is needed")
    if theta.shape != (dim,):
        raise ValueError(f"theta has shape {theta.shape}: ({dim},) is needed")
    if theta.dtype.kind not in "fiub":
        raise TypeError(f"theta has dtype {theta.dtype}: real numbers are needed")
    if held is not None:
        check_kind("held", held, Batch, "Batch(x, labels)")
    if data is not None and not (hasattr(data, "train") and hasattr(data, "test")):
        raise TypeError(f"data is a {type(data).__name__}: a Dataset with train and test, or None, is needed")
    if data is not None:
        config.check(data)
    check_room(theta, config.optimizer)
    records: list[Record] = []
    state = config.optimizer.start(theta)
    reached, t = theta, 0
    kept, best = 0, math.inf
    status = "finished"
    try:
        with Progress(config.epochs, label, progress) as bar:
            for epoch in range(config.epochs):
                began = time.perf_counter()
                total: Any = 0.0
                n = 0
                for batch in ahead(batches(data, config, epoch, t), data and data.train.x):
                    loss, grad = pair(landscape.loss_and_grad(theta, batch))
                    if type(grad) is not type(theta) or grad.shape != theta.shape:  # of one's own landscape
                        grad = like_theta(grad, theta)
                    t += 1
                    theta, state = config.optimizer.update(theta, grad, state, t)
                    total = total + loss * max(1, len(batch))
                    n += max(1, len(batch))
                mean = float(total) / n
                scores = performances(landscape, theta, data, config) if math.isfinite(mean) else None
                if scores is None:
                    records.append(Record(epoch, mean, 0.0, 0.0, time.perf_counter() - began))
                    status = "diverged"
                    break
                judged = None if held is None else check_real("loss", landscape.evaluate(theta, held).loss)
                records.append(Record(epoch, mean, *scores, time.perf_counter() - began, judged))
                if judged is None or judged < best:
                    reached, kept, best = theta, len(records), math.inf if judged is None else judged
                bar.step(f"loss {mean:.4f}, test {scores[1]:.4f}")
    except KeyboardInterrupt:
        reached, status = theta, "interrupted"
    if held is not None and status == "finished":
        if not kept:  # never finite on what was held out
            return Run(theta=reached, status="diverged", records=tuple(records))
        records = records[:kept]
    return Run(theta=reached, status=status, records=tuple(records))


def check_room(theta: Floats, optimizer: Optimizer) -> None:
    """A MemoryError before any work if a step needs more than is free."""
    if isinstance(theta, np.ndarray) and theta.nbytes > LARGE:
        state = sum(np.size(part) for part in optimizer.start(theta[:1]) or ())
        what = f"a training step, {len(theta):,} numbers: gradient, next ones, the optimizer's state"
        check_memory(what, (2 + state) * theta.nbytes, "train fewer, in a subspace")


def like_theta(grad: Any, theta: Floats) -> Floats:
    """∂L/∂θ as an array of θ's shape: another one would be broadcast, and train something else."""
    grad = as_array("grad", grad)
    if getattr(grad, "shape", None) != theta.shape:
        raise ValueError(f"the gradient has shape {np.shape(grad)}: {theta.shape} is needed")
    return grad


def batches(data: Dataset | None, config: TrainConfig, epoch: int, step: int) -> Iterator[Batch]:
    """The batches of an epoch: a new order from the stream (seed, BATCHES, epoch), the last one smaller."""
    if data is None:
        for i in range(config.steps_per_epoch):
            yield Batch(step=step + i, seed=config.seed)
        return
    x: Any = data.train.x
    labels = data.train.labels
    order = Stream(config.seed, Purpose.BATCHES, epoch).permutation(len(x)).astype(np.intp)
    order = namespace(labels).asarray(order)
    if not isinstance(x, Streamed):
        x = namespace(x).ascontiguousarray(x)  # or each take would copy all of x
    for i, start in enumerate(range(0, len(x), config.batch_size)):
        own = order[start : start + config.batch_size]
        yield Batch(x.take(own, axis=0), labels[own], step + i, config.seed)


def performances(
    landscape: Landscape, theta: Floats, data: Dataset | None, config: TrainConfig
) -> tuple[float, float] | None:
    """Performance on (the first examples of) the training data, and on all test data.

    None where the loss is no longer finite: the last step of the epoch went too far.
    """
    if data is None:
        on_train = on_test = landscape.evaluate(theta, Batch())
    else:
        on_train = landscape.evaluate(theta, head(data.train, config.train_examples))
        on_test = landscape.evaluate(theta, data.test)
    both = evaluation(on_train), evaluation(on_test)
    of_train, of_test = (check_real("performance", found.performance) for found in both)
    return (of_train, of_test) if math.isfinite(on_train.loss) else None
