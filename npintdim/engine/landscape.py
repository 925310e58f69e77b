"""What can be optimised: a `Landscape`, and the data and numbers that go in and out of one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from npintdim.backend import as_array, given
from npintdim.engine.arrays import are_targets, parts_of
from npintdim.engine.streamed import Streamed
from npintdim.inputs import check_flag, check_has, check_kind, check_real, shown
from npintdim.specs import settle
from npintdim.typing import Array, Floats

FARTHEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Batch:
    """What a landscape meets at a step: some examples; without data, the step alone.

    Parameters
    ----------
    x : (n, ...) or None for a landscape without data
    labels : (n,) integers, targets (n,) or (n, k) that are numbers, or None
    step : counts the optimisation steps; 0 outside of training
    seed : of the run; with the step it addresses whatever is random in that step
    """

    x: Floats | None = None
    labels: Array | None = None
    step: int = 0
    seed: int = 0

    def __len__(self) -> int:
        try:
            return 0 if self.x is None else len(self.x)
        except TypeError:
            raise TypeError(f"batch.x is {shown(self.x)}: examples (n, ...) are needed") from None


@dataclass(frozen=True)
class Examples(Batch):
    """A part of the data, training or test say: a batch that has x and labels, and is met as a whole.

    Parameters
    ----------
    x : (n, ...)
    labels : (n,) integers, or targets (n,) or (n, k) that are numbers
    step, seed : those of a `Batch`

    Raises
    ------
    ValueError
        where x or labels are None.
    """

    x: Floats = field()
    labels: Array = field()

    def __post_init__(self) -> None:
        for name in ("x", "labels"):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is None: examples have x (n, ...) and labels (n,)")


@dataclass(frozen=True)
class Evaluation:
    """Mean loss and performance over n examples.

    Performance is accuracy in [0, 1] for classifiers, R² for targets that are numbers,
    exp(−loss) for the toy problem. For a landscape without data n is 1.
    """

    loss: float
    performance: float
    n: int


@runtime_checkable
class Landscape(Protocol):
    """An objective over R^dim. A network is one, its random subspace is one, and so may yours be."""

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        ...

    def loss_and_grad(self, theta: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Mean loss of the batch (0-d, on the device) and its gradient (dim,), a fresh array."""
        ...

    def evaluate(self, theta: Floats, data: Batch) -> Evaluation:
        """Loss and performance on data, of any length."""
        ...


def dim_of(landscape: Any, *used: str) -> int:
    """How many coordinates it has; TypeError for what has none, a function, say, or lacks what is used."""
    check_has("landscape", landscape, ("dim", *used), "dim, loss_and_grad and evaluate")
    return landscape.dim


def pair(found: Any) -> tuple[Any, Any]:
    """What `loss_and_grad` of one's own landscape gave, if it is (L, ∇L)."""
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise TypeError(f"loss_and_grad gave {shown(found)}: the pair (loss, gradient) is needed")
    if found[0] is None or np.shape(found[0]):
        raise TypeError(f"the loss is {shown(found[0])}: a number is needed")
    return found[0], found[1]


def evaluation(found: Any) -> Evaluation:
    """What `evaluate` of one's own landscape gave, if it is an `Evaluation`, with its loss as a number."""
    if not hasattr(found, "performance"):
        raise TypeError(
            f"evaluate gave a {type(found).__name__}: an Evaluation(loss, performance, n) is needed"
        )
    check_real("loss", found.loss)
    return found


@dataclass(frozen=True)
class Dataset:
    """Training and test examples.

    Parameters
    ----------
    name : for records and titles
    train, test : with x (n, channels, height, width) and labels (n,); a `Batch` is taken as its `Examples`
    classes : labels are 0, ..., classes − 1; with 0 classes they are targets that are numbers, (n,) or (n, k)
    names : what each class stands for, if anything

    Raises
    ------
    TypeError, ValueError
        for examples that `check_examples` refuses, or of two shapes.

    Notes
    -----
    Another library's array (PyTorch's, JAX's, a column of pandas) is turned into NumPy's here, once.
    """

    name: str
    train: Examples
    test: Examples
    classes: int
    names: tuple[str, ...] = ()

    def __new__(cls, *given: Any, **named: Any) -> Dataset:
        """The usual mistake is told with the call that does."""
        if given and not isinstance(given[0], str):
            raise TypeError(
                f"Dataset(...) begins with a {type(given[0]).__name__}: Dataset.from_arrays(x, y), or "
                "Dataset(name, Examples(x_train, labels), Examples(x_test, labels), classes), is needed"
            )
        return super().__new__(cls)

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        y: Any,
        *,
        test: tuple[Any, Any] | None = None,
        test_share: float = 0.2,
        seed: int = 0,
        standardise: bool = False,
        regression: bool | None = None,
        name: str = "arrays",
    ) -> Dataset:
        """Examples and labels as you have them: arrays, lists, tables and columns of pandas.

        Parameters
        ----------
        x : (n, ...) real numbers, one row an example
        y : (n,) or (n, 1) integers, booleans or texts: the classes are their sorted values, kept in `names`;
            or one-hot (n, K), whose columns are the classes.
            Or numbers (n,) or (n, k), to be met as such
        test : (x, y) of the test part; None takes a share of these
        test_share, seed : so many of every class, drawn from a SPLIT stream
        standardise : features, and targets that are numbers, with mean 0 and sd 1 of the training part
        regression : whether y are numbers; None where some of them is not whole: whole ones are classes
        name : for records and titles

        Raises
        ------
        TypeError, ValueError
            for what is no such thing, one class alone, NaN, or test classes that training does not have.

        Examples
        --------
        >>> x = [[0.0, 1], [1, 0], [0, 2], [2, 0]]
        >>> data = Dataset.from_arrays(x, ["up", "down", "up", "down"], test_share=0.5)
        >>> data.names, len(data.train), len(data.test)
        (('down', 'up'), 2, 2)
        """
        numeric = are_targets(y) if regression is None else check_flag("regression", regression)
        (train, held), names = parts_of(x, y, test, numeric, test_share, seed, standardise)
        return cls(name, Examples(*train), Examples(*held), len(names), names)

    def __repr__(self) -> str:
        parts = ", ".join(f"{part} {np.shape(getattr(self, part).x)}" for part in ("train", "test"))
        what = f"{self.classes} classes" if self.classes else "targets that are numbers"
        return f"<Dataset {self.name}: {parts}, {what}>"

    def __post_init__(self) -> None:
        settle(self, classes=0)
        for part in ("train", "test"):
            batch = plain_arrays(f"{self.name} {part}", getattr(self, part))
            check_examples(f"{self.name} {part}", batch, self.classes)
            object.__setattr__(self, part, batch)
        both = self.train, self.test
        made = {id(b): Examples(b.x, b.labels, b.step, b.seed) for b in both if type(b) is Batch}
        for part, b in zip(("train", "test"), both, strict=True):
            object.__setattr__(self, part, made.get(id(b), b))  # one for both, where they were one
        if self.train.x.shape[1:] != self.test.x.shape[1:]:
            raise ValueError(
                f"{self.name}: an example of train has shape {self.train.x.shape[1:]}, "
                f"one of test {self.test.x.shape[1:]}: they must agree"
            )
        if self.outputs != (self.classes or width(self.test)):
            raise ValueError(
                f"{self.name}: train has {self.outputs} targets, test {width(self.test)}: they must agree"
            )

    @property
    def outputs(self) -> int:
        """That a network needs: one for each class, or for each number of a target."""
        return self.classes or width(self.train)

    def to(self, backend: Any) -> Dataset:
        """The same data on a backend's device, x in its dtype; itself if it is so already."""
        backend = given(backend)

        def move(part: Examples) -> Examples:
            x: Any = part.x
            array: Any
            for what, array in (("x", x), ("targets", part.labels)):
                if array.dtype == np.float64 and backend.dtype == np.float32:
                    far = max(float(array.max()), float(array.min()), key=abs)
                    if abs(far) > FARTHEST:
                        raise ValueError(
                            f"{self.name}: {what} hold {far:g}: float64 is needed, float32 ends before"
                        )
            x = x.to(backend) if isinstance(x, Streamed) else backend.send(x, backend.dtype)
            labels = backend.send(part.labels, None if self.classes else backend.dtype)
            return part if x is part.x and labels is part.labels else Examples(x, labels)

        train, test = move(self.train), move(self.test)
        if train is self.train and test is self.test:
            return self  # looking through all examples once is enough
        return replace(self, train=train, test=test)


def width(part: Examples) -> int:
    """Numbers of a target."""
    return 1 if part.labels.ndim == 1 else int(part.labels.shape[1])


def head(part: Examples, n: int) -> Examples:
    """Its first n examples."""
    return Examples(part.x[:n], part.labels[:n])


def first(data: Dataset, n: int) -> Dataset:
    """The first n examples of both parts."""
    return replace(data, train=head(data.train, n), test=head(data.test, n))


def plain_arrays(name: str, batch: Batch) -> Batch:
    """In arrays of NumPy's own type, labels in this machine's byte order; itself if it is so already."""
    check_kind(name, batch, Batch, "Batch(x, labels), or Dataset.from_arrays(x, y) for both parts,")
    x: Any = batch.x
    x = x if isinstance(x, Streamed) else as_array(f"{name}: x", x)
    labels = as_array(f"{name}: labels", batch.labels)
    if isinstance(labels, np.ndarray):
        labels = labels.astype(labels.dtype.newbyteorder("="), copy=False)
    return batch if x is batch.x and labels is batch.labels else Batch(x, labels)


def check_examples(name: str, batch: Batch, classes: int) -> None:
    """Refuse an empty set, lengths that differ, NaN, and labels out of range, by TypeError or ValueError."""
    for what, array in (("x", batch.x), ("labels", batch.labels)):
        if array is not None and not hasattr(array, "dtype"):
            raise TypeError(f"{name}: {what} is a {type(array).__name__}: an array is needed")
    if batch.x is None or batch.labels is None or not batch.x.shape or len(batch.x) == 0:
        raise ValueError(f"{name}: the data set is empty; x (n, ...) and labels (n,) with n ≥ 1 are needed")
    if batch.x.dtype.kind not in "fiub":
        raise TypeError(f"{name}: x has dtype {batch.x.dtype}: real numbers are needed")
    if classes == 0:
        check_targets(name, batch.labels, len(batch.x))
    elif batch.labels.shape != (len(batch.x),):
        raise ValueError(
            f"{name}: x has {len(batch.x)} examples, but labels have shape {batch.labels.shape}: "
            f"({len(batch.x)},) is needed"
        )
    elif batch.labels.dtype.kind not in "iu":
        raise TypeError(f"{name}: labels have dtype {batch.labels.dtype}: integers are needed")
    elif (low := int(batch.labels.min())) < 0 or int(batch.labels.max()) >= classes:
        raise ValueError(
            f"{name}: labels run from {low} to {int(batch.labels.max())}, "
            f"but {classes} classes need 0 to {classes - 1}"
        )
    x: Any = batch.x
    if not isinstance(x, Streamed) and not float("-inf") < float(x.min()) <= float(x.max()) < float("inf"):
        raise ValueError(f"{name}: x holds NaN or infinity")


def check_targets(name: str, targets: Array, n: int) -> None:
    """Refuse what are no finite numbers (n,) or (n, k)."""
    if len(targets) != n or targets.ndim not in (1, 2) or not targets.size:
        raise ValueError(f"{name}: targets have shape {targets.shape}: ({n},) or ({n}, k) is needed")
    if targets.dtype.kind != "f":
        raise TypeError(
            f"{name}: targets have dtype {targets.dtype}: floats are needed where there are no classes"
        )
    if not float("-inf") < float(targets.min()) <= float(targets.max()) < float("inf"):
        raise ValueError(f"{name}: targets hold NaN or infinity")
