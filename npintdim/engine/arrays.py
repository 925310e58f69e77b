"""Arrays, tables and lists as examples and labels: what `Dataset.from_arrays` reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from npintdim.backend import as_array
from npintdim.inputs import check_flag, check_integer, check_real, counted, named_kind, plain, shown
from npintdim.rng import Purpose, Stream
from npintdim.typing import Array, Floats, Ints

FEW = 2  # examples of a class, one for each part


def parts_of(
    x: Any, y: Any, test: tuple[Any, Any] | None, numeric: bool, share: float, seed: int, standardise: bool
) -> tuple[list[tuple[Floats, Array]], tuple[str, ...]]:
    """The training and the test part, with labels, or targets if y is numeric; what the classes stand for."""
    examples = examples_of("x", x)
    own, names = (targets_of("y", y, len(examples)), ()) if numeric else labels_of("y", y, len(examples))
    if test is not None and not (isinstance(test, tuple | list) and len(test) == 2):
        raise TypeError(f"test is {named_kind(test)}: the pair (x, y) of the test part is needed")
    if test is None:
        groups: Any = np.zeros(len(examples), np.int64) if numeric else own
        parts = [(examples[at], own[at]) for at in split(groups, share, seed)]
    else:
        others = examples_of("test x", test[0])
        if others.shape[1:] != examples.shape[1:]:
            raise ValueError(
                f"an example of x has shape {examples.shape[1:]}, one of test x {others.shape[1:]}: "
                "they must agree"
            )
        theirs: Array
        if numeric:
            theirs = targets_of("test y", test[1], len(others))
        else:
            labels, known = labels_of("test y", test[1], len(others), least=1)
            if unknown := sorted(set(known) - set(names)):
                raise ValueError(
                    f"test y holds {shown(unknown[0])}, but training has {', '.join(map(shown, names))}"
                )
            theirs = np.array([names.index(name) for name in known])[labels]
        parts = [(examples, own), (others, theirs)]
    if check_flag("standardise", standardise):
        xs, ys = zip(*parts, strict=True)
        parts = list(zip(standardised(*xs), standardised(*ys) if numeric else ys, strict=True))
    return parts, names


def examples_of(name: str, x: Any) -> Floats:
    """Real numbers (n, ...), a row an example: from lists, arrays, or a table's columns (its `__array__`)."""
    try:
        array = np.asarray(as_array(name, x))
    except ValueError as error:
        raise ValueError(f"{name}: the rows do not form an array: {error}") from None
    if array.dtype == object:  # a table with columns of several types
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} holds something else than numbers: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}: real numbers are needed")
    if array.ndim < 2 or not array.size:
        raise ValueError(
            f"{name} has shape {array.shape}: (n, features) or (n, channels, height, width) is needed"
        )
    floats: Floats = array.astype(np.float64 if array.dtype == np.float64 else np.float32)
    if not np.isfinite(floats).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(floats))[0])
        raise ValueError(
            f"{name} holds NaN or infinity, first at {where}: fill, or leave out, what is missing"
        )
    return floats


def labels_of(name: str, y: Any, n: int, least: int = 2) -> tuple[Ints, tuple[str, ...]]:
    """Labels 0, ..., K − 1, and what each stood for, sorted.

    Classes are integers, booleans or texts, (n,) or (n, 1), or one-hot (n, K), whose columns are the classes.
    """
    array = np.asarray(as_array(name, y))
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        return one_hot(name, array, n)
    if array.shape != (n,):
        raise ValueError(
            f"{name} has shape {array.shape}, but there are {counted(n, 'example')}: ({n},) is needed"
        )
    if array.dtype == object:
        array = np.array([plain(value) for value in array.tolist()])
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise TypeError(
            f"{name} holds {array[array != np.floor(array)][0]}: classes are integers, booleans or texts"
        )
    if array.dtype.kind not in "iubfUS":
        raise TypeError(f"{name} has dtype {array.dtype}: integers, booleans or texts are needed")
    if array.dtype.kind == "f":
        array = array.astype(np.int64)
    values, labels = np.unique(array, return_inverse=True)
    if len(values) < least:
        raise ValueError(f"{name} holds one class alone, {shown(plain(values[0]))}: at least two are needed")
    return labels.reshape(-1).astype(np.int64), tuple(str(plain(value)) for value in values)


def are_targets(y: Any) -> bool:
    """Whether y holds a number that is not whole: then they are targets, and no classes."""
    try:
        array = np.asarray(as_array("y", y))
        array = array.astype(np.float64) if array.dtype == object else array
    except (TypeError, ValueError):
        return False
    return array.dtype.kind == "f" and bool((array != np.floor(array)).any()) and not np.isnan(array).all()


def targets_of(name: str, y: Any, n: int) -> Floats:
    """Numbers (n,) or (n, k), finite, of which not all are the same."""
    array = np.asarray(as_array(name, y))
    try:
        floats: Floats = array.astype(np.float32 if array.dtype == np.float32 else np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} holds something else than numbers: {error}") from None
    if floats.ndim not in (1, 2) or len(floats) != n:
        raise ValueError(
            f"{name} has shape {array.shape}, but there are {counted(n, 'example')}: "
            f"({n},) or ({n}, k) is needed"
        )
    if not np.isfinite(floats).all():
        raise ValueError(f"{name} holds NaN or infinity: leave out what is missing")
    if n > 1 and (floats == floats[0]).all():
        raise ValueError(f"{name} holds {floats[0]} alone: numbers that differ are needed")
    return floats


def one_hot(name: str, array: Array, n: int) -> tuple[Ints, tuple[str, ...]]:
    """The column of the one in each row."""
    if (
        len(array) != n
        or array.shape[1] < 2
        or not (((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all())
    ):
        raise ValueError(
            f"{name} has shape {array.shape}, and is not one-hot with one row for each of "
            f"{counted(n, 'example')}: ({n},), or rows of zeros and a single one, are needed"
        )
    return array.argmax(axis=1).astype(np.int64), tuple(map(str, range(array.shape[1])))


def split(labels: Ints, share: float, seed: int) -> tuple[Ints, Ints]:
    """Places of the training and the test part, ascending: a share of every class, at least one in each."""
    if not 0 < check_real("test_share", share) < 1:
        raise ValueError(f"test_share is {share}: 0 < test_share < 1 is needed")
    check_integer("seed", seed, 0, (1 << 64) - 1)
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) < FEW:
            raise ValueError(
                f"class {label} has one example alone: two are needed, one for each part; "
                "labels that are numbers to be met, and no classes, need regression=True"
            )
        order = Stream(seed, Purpose.SPLIT, int(label)).permutation(len(own)).astype(np.intp)
        test[own[order[: min(max(round(share * len(own)), 1), len(own) - 1)]]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


def standardised(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Every feature with mean 0 and sd 1 over the training part alone; a constant one becomes 0."""
    mean, sd = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    sd = np.where(sd > 0, sd, 1)
    moved: list[Floats] = [((part - mean) / sd).astype(part.dtype) for part in (train, test)]
    return moved[0], moved[1]
