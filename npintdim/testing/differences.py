"""Two answers side by side: do they agree, where do they not, and what can be seen in the difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npintdim.testing.arrays import to_numpy
from npintdim.testing.mistakes.table import SLACK, Problem
from npintdim.typing import Array

Answer = tuple[Array, ...]


def arrays(answer: Any) -> Answer:
    """An answer as NumPy arrays, one or several."""
    if isinstance(answer, dict):
        answer = tuple(answer.values())
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


def first_difference(title: str, got: Answer, want: Answer, slack: float = SLACK) -> str:
    """Where two answers that disagree do so first, with both numbers and their ratio."""
    if len(got) != len(want):
        return f"on {title} fn gives {len(got)} arrays, but {len(want)} are needed"
    part = next(k for k in range(len(want)) if not agree(got[k : k + 1], want[k : k + 1], slack))
    a, b = got[part], want[part]
    name = f"output {part}, " if len(want) > 1 else ""
    if a.shape != b.shape:
        return f"on {title} fn gives {name}shape {a.shape}, but {b.shape} is needed"
    a, b = a.astype(np.float64), b.astype(np.float64)
    error = np.abs(a - b)
    error[np.isnan(error)] = np.inf
    wrong = error > min(1e-5 * float(np.abs(b).max()), float(error.max()) / 2)
    i = tuple(int(k) for k in np.argwhere(wrong)[0])
    ratio = f", ratio {a[i] / b[i]:.6g}" if b[i] else ""
    return (
        f"first difference on {title} at {name}[{', '.join(map(str, i))}]: {a[i]:.9g} against {b[i]:.9g}{ratio}; "
        f"{wrong.sum()} of {wrong.size} entries differ{_pattern(a, b)}"
    )


def _pattern(a: Array, b: Array) -> str:
    """One ratio, one size or one order of all entries says more than the first."""
    if a.size == 1 or not np.isfinite(a).all() or not b.all():
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
        P = np.stack(columns, axis=1).astype(np.float64)
    except Exception:  # what it raises is reported elsewhere
        return ""
    if P.shape != (p.D, len(v)):
        return ""
    norms = np.linalg.norm(P, axis=0)
    facts = ""
    if (P >= 0).all():
        facts += "; no entry of P is negative, so its columns are nearly parallel: draw both signs"
    if not np.allclose(norms, 1, atol=0.15):
        facts += f"; columns have norms {norms.min():.6g} to {norms.max():.6g}, but 1 over all D = {p.D} rows is needed"
    return facts
