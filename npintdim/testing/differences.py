"""Two answers side by side: do they agree, where do they not, and what can be seen in the difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npintdim.checks import CheckError
from npintdim.testing.arrays import by_name, to_numpy, too_coarse
from npintdim.testing.mistakes.table import SLACK, Problem
from npintdim.typing import Array

Answer = tuple[Array, ...]
HALF = 2.0**-7  # of the largest entry: what half precision or TF32 inside a product may cost


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


def first_difference(
    title: str, got: Answer, want: Answer, names: Sequence[str], slack: float = SLACK
) -> str:
    """Where two answers that disagree do so first, with both numbers and their ratio."""
    right = [agree((a,), (b,), slack) for a, b in zip(got, want, strict=True)]
    part = right.index(False)
    a, b = got[part], want[part]
    name = names[part] if len(names) > 1 else ""
    others = "".join(f"; {other} is right" for other, ok in zip(names, right, strict=True) if ok)
    if a.shape != b.shape:
        return f"on {title} {name or 'the answer'} has shape {a.shape}, but {b.shape} is needed{others}"
    if a.dtype.kind != b.dtype.kind == "f":
        return f"on {title} {name or 'the answer'} has dtype {a.dtype}, but floating-point numbers are needed{others}"
    a, b = a.astype(np.float64), b.astype(np.float64)
    error = np.asarray(np.abs(a - b))
    error[np.isnan(error)] = np.inf
    wrong = np.asarray(error > min(1e-5 * float(np.abs(b).max()), float(error.max()) / 2))
    i = tuple(int(k) for k in np.argwhere(wrong)[0])
    ratio = f", ratio {a[i] / b[i]:.6g}" if b[i] else ""
    place = f"{name}[{', '.join(map(str, i))}]" if i else name
    how_many = f"; {wrong.sum()} of {wrong.size} entries differ{_pattern(a, b)}" if i else ""
    return f"first difference on {title} at {place}: {a[i]:.9g} against {b[i]:.9g}{ratio}{how_many}{others}"


def _pattern(a: Array, b: Array) -> str:
    """One ratio, one size or one order of all entries says more than the first."""
    if a.size == 1 or not np.isfinite(a).all():
        return ""
    largest = float(np.abs(a - b).max() / np.abs(b).max())
    if largest < HALF and (a != b).mean() > 0.95:  # rounding leaves hardly an entry as it was
        return f", by at most {largest:.2g} of the largest entry: is there float16, bfloat16 or TF32 inside?"
    if not b.all():
        return ""
    ratio = (a / b).reshape(-1)
    if np.allclose(ratio, ratio[0], rtol=1e-6, atol=0):
        return ", all in this ratio"
    if np.allclose(np.abs(ratio), 1, rtol=1e-6):
        return ", only in sign"
    if np.allclose(np.sort(np.abs(a), axis=None), np.sort(np.abs(b), axis=None), rtol=1e-6):
        return ", only in order and sign"
    return ""


def facts_of_P(fn: Callable[[Any, Any], Any], problem: Problem) -> str:
    """What the columns fn(e_j) of an unknown P show: signs and norms; empty if nothing is odd, or no column has D entries."""
    v, p = problem.arguments()
    try:
        columns = [to_numpy(fn(e_j, problem.arguments()[1])) for e_j in np.eye(len(v), dtype=v.dtype)]
        P = np.stack(columns, axis=1)
    except Exception:  # what it raises is reported elsewhere
        return ""
    if P.shape != (p.D, len(v)) or P.dtype.kind != "f" or not np.isfinite(P).all():
        return ""
    norms = np.linalg.norm(P.astype(np.float64), axis=0)
    facts = ""
    if (P >= 0).all():
        facts += "; no entry of P is negative, so its columns are nearly parallel: draw both signs"
    if not np.allclose(norms, 1, atol=0.15):
        facts += f"; columns have norms {norms.min():.6g} to {norms.max():.6g}, but 1 over all D = {p.D} rows is needed"
    return facts
