"""Two answers side by side: do they agree, to which precision, and is the difference rounding?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npintdim.testing.arrays import CheckError, by_name, to_numpy, too_coarse
from npintdim.testing.mistakes.table import SLACK
from npintdim.typing import Array

Answer = tuple[Array, ...]


def answered(answer: Any, names: Sequence[str]) -> Answer:
    """What a stranger's function gave, as arrays of real numbers in the order of names.

    Raises
    ------
    CheckError
        if something is missing, is no real number, or is in half precision.
    TypeError
        if something is no array.
    """
    parts = by_name(answer, names)
    for name, part in parts.items():
        if why := too_coarse(part):
            raise CheckError(why)
        parts[name] = to_numpy(part)
        if parts[name].dtype.kind not in "biuf":
            raise CheckError(f"{name} has dtype {parts[name].dtype}: real numbers are needed")
    return tuple(parts.values())


def arrays(answer: Any) -> Answer:
    """What a table computes, one array or several."""
    return tuple(to_numpy(part) for part in (answer if isinstance(answer, tuple) else (answer,)))


def agree(got: Answer, want: Answer, slack: float = SLACK, at_least: DTypeLike = np.float64) -> bool:
    """Same shapes, and the largest error within `slack` eps of the largest entry.

    Eps of the coarsest of the two dtypes and `at_least`; integers must be equal.
    """
    if [a.shape for a in got] != [b.shape for b in want]:
        return False
    for a, b in zip(got, want, strict=True):
        floats = [x for x in (a.dtype, b.dtype, np.dtype(at_least)) if x.kind == b.dtype.kind == "f"]
        tolerance = slack * max((float(np.finfo(x).eps) for x in floats), default=0.0)
        error = np.abs(a.astype(np.float64) - b.astype(np.float64))
        if not (error <= tolerance * np.abs(b).max(initial=0.0)).all():  # NaN never is
            return False
    return True


def same_bits(got: Answer, want: Answer) -> bool:
    """Same dtypes and bits."""
    pairs = zip(got, want, strict=True)
    return all(a.dtype == b.dtype and np.ascontiguousarray(a).tobytes() == b.tobytes() for a, b in pairs)


def within(got: Answer, want: Answer, bounds: Sequence[float], dtype: np.dtype[Any]) -> bool:
    """Same shapes, and no error above its bound, that of `dtype`: a coarser answer has a wider one."""
    if [a.shape for a in got] != [b.shape for b in want]:
        return False
    for a, b, bound in zip(got, want, bounds, strict=True):
        if a.dtype.kind != "f":
            return False
        wider = max(1.0, float(np.finfo(a.dtype).eps / np.finfo(dtype).eps))
        if not (np.abs(a.astype(np.float64) - b) <= bound * wider).all():
            return False
    return True


def is_rounding(a: Array, b: Array, unit: float) -> bool:
    """Is a − b what rounding to `unit` leaves: of its size, of both signs, and without a share of b?"""
    a, b = np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64)
    kept = b != 0
    error, b = (a - b)[kept], b[kept]
    if len(error) < 8 or not np.isfinite(error).all():
        return False
    size = float(np.sqrt(np.mean(error**2) / np.mean(b**2)))
    share = float(error @ b / np.sqrt(error @ error * (b @ b))) if error.any() else 1.0
    positive = float((error > 0).mean())
    scattered = (error != 0).mean() > 0.9 and 0.2 < positive < 0.8 and abs(share) < 0.6
    return bool(unit / 16 < size < 8 * unit and scattered)


def looks_like_float32(pairs: Sequence[tuple[Answer, Answer]]) -> bool:
    """Every number is one of float32, or off by its rounding; a tie with another change names nothing."""
    parts = [both for got, want in pairs for both in zip(got, want, strict=True)]
    floats = [(a, b) for a, b in parts if a.dtype == b.dtype == np.float64]
    if not floats or any(a.shape != b.shape for a, b in floats):
        return False
    with np.errstate(all="ignore"):
        if all((a == a.astype(np.float32)).all() for a, _ in floats):
            return True
    scaled = [[np.ravel(x) / (np.abs(b).max(initial=0) or 1) for x in (a, b)] for a, b in floats]
    a, b = (np.concatenate(x) for x in zip(*scaled, strict=True))
    return is_rounding(a, b, 2.0**-24)
