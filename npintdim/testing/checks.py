"""Checks of anybody's P, as plain callables, in any library.

Each raises `CheckError`, an AssertionError, with both numbers, the tolerance and the formula. `to` sends a NumPy
array to your library (`torch.from_numpy`, `jnp.asarray`, `cupy.asarray`); what comes back is converted by `to_numpy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npintdim.checks import (
    Check,
    CheckError,
    adjoint_matrix_check,
    compare,
    direction,
    dot_test,
)
from npintdim.testing.arrays import to_numpy, too_coarse
from npintdim.typing import Array, Floats

Function = Callable[[Any], Any]
MOST_COLUMNS = 256  # that a check looks at, evenly spaced, where d is larger


@dataclass(frozen=True)
class Callables:
    """Two functions as the operator that `npintdim.checks` takes."""

    apply_: Function
    adjoint_: Function
    shape: tuple[int, int]
    to: Function
    dtype: DTypeLike = np.float64
    half: bool = False  # whether answers in half precision can be judged

    def apply(self, v: Array) -> Floats:
        """P v."""
        return self._call("apply", self.apply_, v, self.shape[0])

    def adjoint(self, g: Array) -> Floats:
        """Pᵀ g."""
        return self._call("adjoint", self.adjoint_, g, self.shape[1])

    def _call(self, name: str, f: Function, x: Array, length: int) -> Floats:
        answer = called(f, x.astype(self.dtype), self.to)
        if not self.half and (why := too_coarse(answer)):
            raise CheckError(f"{name}: {why}, or give a tolerance")
        y = to_numpy(answer)
        if y.shape != (length,):
            D, d = self.shape
            raise CheckError(f"{name} gives shape {y.shape}, but P is D×d = {D}×{d}: ({length},) is needed")
        if y.dtype.kind != "f":
            raise CheckError(f"{name} gives {y.dtype}: floating-point numbers are needed")
        if not np.isfinite(y).all():
            i = int(np.isfinite(y).argmin())
            raise CheckError(f"{name} gives {y[i]} at [{i}], of finite numbers")
        return y


def same(x: Any) -> Any:
    """The `to` of NumPy."""
    return x


def called(f: Function, x: Array, to: Function) -> Any:
    """f of x in its own library; an error says if x was NumPy's."""
    try:
        return f(to(x))
    except (TypeError, AttributeError) as error:
        if to is same:
            error.add_note(
                "a NumPy array was given: `to` (torch.from_numpy, jnp.asarray) sends it to another library"
            )
        raise


def _tolerance(tolerance: float | None, y: Floats) -> float:
    return (1e-12 if y.dtype == np.float64 else 1e-5) if tolerance is None else tolerance


def check_adjoint(
    apply: Function,
    adjoint: Function,
    D: int,
    d: int,
    to: Function = same,
    dtype: DTypeLike = np.float64,
    tolerance: float | None = None,
    seed: int = 0,
    entries: bool = False,
) -> Check:
    """⟨P v, g⟩ = ⟨v, Pᵀ g⟩ for random v and g.

    Parameters
    ----------
    apply, adjoint : v (d,) → P v (D,), and g (D,) → Pᵀ g (d,)
    to : from NumPy to your library
    dtype : of v and g
    tolerance : relative to ‖P v‖ ‖g‖; None for 1e-12 where P v and Pᵀ g are float64, else 1e-5. Half precision
        needs one
    seed : of v and g
    entries : also compare P by columns with P by rows, every entry; costs d applications and D adjoints

    Raises
    ------
    CheckError
        if apply and adjoint are not each other's transpose, or give other shapes.
    """
    P = Callables(apply, adjoint, (D, d), to, dtype, half=tolerance is not None)
    if entries:
        adjoint_matrix_check(P, tolerance)
    return dot_test(P, seed, tolerance)


def check_linear(
    apply: Function,
    D: int,
    d: int,
    to: Function = same,
    dtype: DTypeLike = np.float64,
    tolerance: float | None = None,
    seed: int = 0,
) -> Check:
    """P(2u − 3v) = 2 P u − 3 P v, at the worst entry, for random u and v.

    Parameters are those of `check_adjoint`. A constant term, a clipping, or a state that changes from call to
    call show here.

    Raises
    ------
    CheckError
    """
    P = Callables(apply, same, (D, d), to, dtype, half=tolerance is not None)
    u, v = direction(seed, d, 0), direction(seed, d, 1)
    left, right = P.apply(2 * u - 3 * v), 2 * P.apply(u) - 3 * P.apply(v)
    i = int(np.abs(left - right).argmax())
    scale = float(np.abs(right).max())
    formula = f"(P(2u − 3v))_{i} = (2 P u − 3 P v)_{i}, the worst of D = {D} entries"
    return compare(formula, float(left[i]), float(right[i]), _tolerance(tolerance, left), scale)


def check_unit_columns(
    apply: Function,
    D: int,
    d: int,
    to: Function = same,
    dtype: DTypeLike = np.float64,
    tolerance: float | None = None,
) -> Check:
    """‖P e_j‖ = 1 over all D rows, for every j; where d > 256, for 256 of them.

    Parameters
    ----------
    apply, D, d, to, dtype : as in `check_adjoint`
    tolerance : None for 1e-12 where P v is float64, else 1e-5. Columns that were divided by a norm summed up in
        float32 may be off by √D·2⁻²³: give it where D is large. Fastfood whose n does not divide D has unit columns
        only about: sd ≤ √(n/8)/D stacked, √((1 − D/n)/(2D)) single; give six of them

    Raises
    ------
    CheckError
        which names the worst column.
    """
    P = Callables(apply, same, (D, d), to, dtype, half=tolerance is not None)
    norms = {}
    for j in np.unique(np.linspace(0, d - 1, min(d, MOST_COLUMNS)).astype(int)):
        column = P.apply((np.arange(d) == j).astype(np.float64))
        norms[int(j)] = float(np.linalg.norm(column.astype(np.float64)))
    worst = max(norms, key=lambda j: abs(norms[j] - 1))
    formula = f"‖P e_{worst}‖ = 1, the worst of {len(norms)} columns over all D = {D} rows"
    return compare(formula, norms[worst], 1.0, _tolerance(tolerance, column), 1.0)
