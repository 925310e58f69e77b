"""Checks of anybody's P, in any library: an object with `shape`, `apply` and `adjoint`, or plain callables.

Each raises `CheckError`, an AssertionError, with both numbers, the tolerance and the formula.
`to` sends a NumPy array to your library (`torch.from_numpy`, `jnp.asarray`, `cupy.asarray`);
what comes back is converted by `to_numpy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npintdim.inputs import quiet, shown
from npintdim.projections import Operator
from npintdim.rng import Purpose, Stream
from npintdim.testing.arrays import CheckError, to_numpy, too_coarse
from npintdim.typing import Array, Floats

Function = Callable[[Any], Any]
MOST_COLUMNS = 256  # that a check looks at, evenly spaced, where d is larger


@dataclass(frozen=True)
class Check:
    """One comparison that held: the formula, both numbers, the relative error and what was allowed."""

    formula: str
    left: float
    right: float
    error: float
    tolerance: float


def compare(formula: str, left: float, right: float, tolerance: float, scale: float | None = None) -> Check:
    """|left − right| ≤ tolerance · scale, scale = max(|left|, |right|) unless given.

    Raises
    ------
    CheckError
    """
    scale = max(abs(left), abs(right)) if scale is None else scale
    error = abs(left - right) / scale if scale else abs(left - right)
    if not error <= tolerance:
        raise CheckError(
            f"{formula}: {left:.15g} against {right:.15g}, "
            f"relative error {error:.2g}, tolerance {tolerance:.2g}"
        )
    return Check(formula, left, right, error, tolerance)


def direction(seed: int, n: int, lane: int = 0) -> Floats:
    """n standard normals for checks, float64, from the project's own streams."""
    return Stream(seed, Purpose.CHECK, lane).normals(n) * 2.0**-20


def same(x: Any) -> Any:
    """The `to` of NumPy."""
    return x


def applied(f: Function, x: Array, to: Function) -> Any:
    """f of x in its own library; an error says if x was NumPy's."""
    try:
        return f(to(x))
    except (TypeError, AttributeError) as error:
        if to is same:
            error.add_note(
                "a NumPy array was given: `to` (torch.from_numpy, jnp.asarray) sends it to another library"
            )
        raise


def transport(
    P: Any, name: str = "P", needed: tuple[str, ...] = ("shape", "apply", "adjoint")
) -> tuple[Any, Any]:
    """How a host array gets to P's device, in its dtype, and back."""
    lacking = [method for method in needed if not hasattr(P, method)]
    if lacking:
        kind = "Operator" if name == "P" else "Parametrisation"
        raise TypeError(f"{name} is {shown(P):.40} without {', '.join(lacking)}: see `{kind}`")
    backend = getattr(P, "backend", None)
    if backend is None:
        return (lambda a: a), np.asarray
    return (lambda a: backend.send(a, backend.dtype)), backend.host


@dataclass(frozen=True)
class Callables:
    """v → P v and g → Pᵀ g of any library, on the host."""

    apply_: Function
    adjoint_: Function
    shape: tuple[int, int]
    to: Function
    dtype: DTypeLike = np.float64
    tolerance: float | None = None  # half precision needs one
    back: Function = to_numpy

    def apply(self, v: Array) -> Floats:
        """P v."""
        return self._call("apply", self.apply_, v, self.shape[0])

    def adjoint(self, g: Array) -> Floats:
        """Pᵀ g."""
        return self._call("adjoint", self.adjoint_, g, self.shape[1])

    def allowed(self, *found: Floats, double: float = 1e-12, single: float = 1e-5) -> float:
        """The tolerance that was given, or that of the dtypes that were found."""
        exact = all(y.dtype == np.float64 for y in found)
        return (double if exact else single) if self.tolerance is None else self.tolerance

    def _call(self, name: str, f: Function, x: Array, length: int) -> Floats:
        answer = applied(f, x.astype(self.dtype), self.to)
        if self.tolerance is None and (why := too_coarse(answer)):
            raise CheckError(f"{name}: {why}, or give a tolerance")
        y: Floats = self.back(answer)
        if y.shape != (length,):
            D, d = self.shape
            raise CheckError(f"{name} gives shape {y.shape}, but P is D×d = {D}×{d}: ({length},) is needed")
        if y.dtype.kind != "f":
            raise CheckError(f"{name} gives {y.dtype}: floating-point numbers are needed")
        if not np.isfinite(y).all():
            i = int(np.isfinite(y).argmin())
            raise CheckError(f"{name} gives {y[i]} at [{i}], of finite numbers")
        return y


def operator(P: Operator, tolerance: float | None) -> Callables:
    """An object's methods as callables."""
    send, host = transport(P)
    return Callables(P.apply, P.adjoint, P.shape, send, tolerance=tolerance, back=host)


# ---- the adjoint ----


@quiet
def dot_test(P: Operator, seed: int = 0, tolerance: float | None = None) -> Check:
    """⟨P v, g⟩ = ⟨v, Pᵀ g⟩ for random v and g.

    Parameters
    ----------
    P : anything with shape, apply and adjoint
    seed : of v and g
    tolerance : relative to ‖P v‖ ‖g‖; None for 1e-12 if both are float64, else 1e-5

    Raises
    ------
    CheckError
        if the two differ: apply and adjoint are not each other's transpose.
    """
    return _dot(operator(P, tolerance), seed)


@quiet
def adjoint_matrix_check(P: Operator, tolerance: float | None = None) -> Check:
    """The matrix of columns P e_j equals, entry by entry, the matrix of rows Pᵀ e_i.

    Costs d applications and D adjoints: for small D.

    Raises
    ------
    CheckError
        which names the worst entry.
    """
    return _entries(operator(P, tolerance))


@quiet
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
    """⟨P v, g⟩ = ⟨v, Pᵀ g⟩ for random v and g: `dot_test` of two functions.

    Parameters
    ----------
    apply, adjoint : v (d,) → P v (D,), and g (D,) → Pᵀ g (d,)
    to : from NumPy to your library
    dtype : of v and g
    tolerance : relative to ‖P v‖ ‖g‖; None for 1e-12 where P v and Pᵀ g are float64, else 1e-5.
        Half precision needs one
    seed : of v and g
    entries : also compare P by columns with P by rows, every entry; costs d applications and D adjoints

    Raises
    ------
    CheckError
        if apply and adjoint are not each other's transpose, or give other shapes.
    """
    P = Callables(apply, adjoint, (D, d), to, dtype, tolerance)
    if entries:
        _entries(P)
    return _dot(P, seed)


def _dot(P: Callables, seed: int) -> Check:
    D, d = P.shape
    v, g = direction(seed, d), direction(seed, D, lane=1)
    Pv, PTg = P.apply(v), P.adjoint(g)
    tolerance = P.allowed(Pv, PTg)
    Pv, PTg = Pv.astype(np.float64), PTg.astype(np.float64)
    scale = float(np.linalg.norm(Pv) * np.linalg.norm(g))
    return compare("⟨P v, g⟩ = ⟨v, Pᵀ g⟩", float(Pv @ g), float(v @ PTg), tolerance, scale)


def _entries(P: Callables) -> Check:
    D, d = P.shape
    by_apply = np.stack([P.apply(e) for e in np.eye(d)], axis=1)
    by_adjoint = np.stack([P.adjoint(e) for e in np.eye(D)], axis=0)
    tolerance = P.allowed(by_apply, by_adjoint, double=1e-13, single=1e-6)
    i, j = np.unravel_index(np.abs(by_apply - by_adjoint).argmax(), (D, d))
    scale = float(np.abs(by_apply).max())
    formula = f"(P e_{j})_{i} = (Pᵀ e_{i})_{j}, the worst of {D}×{d} entries"
    return compare(formula, float(by_apply[i, j]), float(by_adjoint[i, j]), tolerance, scale)


# ---- P alone ----


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
    P = Callables(apply, same, (D, d), to, dtype, tolerance)
    u, v = direction(seed, d, 0), direction(seed, d, 1)
    left, right = P.apply(2 * u - 3 * v), 2 * P.apply(u) - 3 * P.apply(v)
    i = int(np.abs(left - right).argmax())
    scale = float(np.abs(right).max())
    formula = f"(P(2u − 3v))_{i} = (2 P u − 3 P v)_{i}, the worst of D = {D} entries"
    return compare(formula, float(left[i]), float(right[i]), P.allowed(left), scale)


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
    tolerance : None for 1e-12 where P v is float64, else 1e-5. Columns that were divided by a norm summed up
        in float32 may be off by √D·2⁻²³: give it where D is large. Fastfood whose n does not divide D has
        unit columns only about: sd ≤ √(n/8)/D stacked, √((1 − D/n)/(2D)) single; give six of them

    Raises
    ------
    CheckError
        which names the worst column.
    """
    P = Callables(apply, same, (D, d), to, dtype, tolerance)
    norms = {}
    for j in np.unique(np.linspace(0, d - 1, min(d, MOST_COLUMNS)).astype(int)):
        column = P.apply((np.arange(d) == j).astype(np.float64))
        norms[int(j)] = float(np.linalg.norm(column.astype(np.float64)))
    worst = max(norms, key=lambda j: abs(norms[j] - 1))
    formula = f"‖P e_{worst}‖ = 1, the worst of {len(norms)} columns over all D = {D} rows"
    return compare(formula, norms[worst], 1.0, P.allowed(column), 1.0)
