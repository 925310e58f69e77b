"""Checks of anybody's P and gradient, as plain callables, in any library.

Each raises `CheckError`, an AssertionError, with both numbers, the tolerance and the formula. `to` sends a NumPy
array to your library (`torch.from_numpy`, `jnp.asarray`, `cupy.asarray`); what comes back is converted by `to_numpy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

from npintdim.checks import (
    Check,
    CheckError,
    adjoint_matrix_check,
    compare,
    direction,
    dot_test,
    gradient_check,
)
from npintdim.landscape import Batch, Landscape
from npintdim.testing.arrays import to_numpy
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

    def apply(self, v: Array) -> Floats:
        """P v."""
        return self._call("apply", self.apply_, v, self.shape[0])

    def adjoint(self, g: Array) -> Floats:
        """Pᵀ g."""
        return self._call("adjoint", self.adjoint_, g, self.shape[1])

    def _call(self, name: str, f: Function, x: Array, length: int) -> Floats:
        y = to_numpy(f(self.to(x.astype(self.dtype))))
        if y.shape != (length,):
            D, d = self.shape
            raise CheckError(f"{name} gives shape {y.shape}, but P is D×d = {D}×{d}: ({length},) is needed")
        if y.dtype.kind != "f":
            raise CheckError(f"{name} gives {y.dtype}: floating-point numbers are needed")
        return y


def same(x: Any) -> Any:
    """The `to` of NumPy."""
    return x


def _tolerance(tolerance: float | None, y: Floats) -> float:
    return tolerance or (1e-12 if y.dtype == np.float64 else 1e-5)


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
    tolerance : relative to ‖P v‖ ‖g‖; None for 1e-12 where P v is float64, else 1e-5
    seed : of v and g
    entries : also compare P by columns with P by rows, every entry; costs d applications and D adjoints

    Raises
    ------
    CheckError
        if apply and adjoint are not each other's transpose, or give other shapes.
    """
    P = Callables(apply, adjoint, (D, d), to, dtype)
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
    P = Callables(apply, same, (D, d), to, dtype)
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
    tolerance : None for 1e-12 where P v is float64, else 1e-5. Fastfood whose n does not divide D has unit columns
        only about: sd √(n/8)/D stacked, √((1 − D/n)/(2D)) single; give six of them

    Raises
    ------
    CheckError
        which names the worst column.
    """
    P = Callables(apply, same, (D, d), to, dtype)
    norms = {}
    for j in np.unique(np.linspace(0, d - 1, min(d, MOST_COLUMNS)).astype(int)):
        column = P.apply((np.arange(d) == j).astype(np.float64))
        norms[int(j)] = float(np.linalg.norm(column.astype(np.float64)))
    worst = max(norms, key=lambda j: abs(norms[j] - 1))
    formula = f"‖P e_{worst}‖ = 1, the worst of {len(norms)} columns over all D = {D} rows"
    return compare(formula, norms[worst], 1.0, _tolerance(tolerance, column), 1.0)


def check_gradient(
    loss_and_grad: Callable[[Any], tuple[Any, Any]],
    theta: Any,
    to: Function = same,
    directions: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> list[Check]:
    """⟨∇L(θ), v⟩ = (L(θ + h v) − L(θ − h v)) / 2h along random directions v.

    Three steps h are tried and the best counts, since a kink between the two points (ReLU, max-pool) spoils a
    step, and no step agrees with a wrong gradient. If θ itself lies on a kink, the error says so.

    Parameters
    ----------
    loss_and_grad : θ → (L, ∇L), e.g. `jax.value_and_grad(loss)`; of θ (D,), of θ_d (d,), of LoRA's A and B in one vector
    theta : (D,) float64
    to : from NumPy to your library
    directions : how many v
    tolerance : relative
    seed : of the v

    Raises
    ------
    CheckError
        if the slopes disagree at every step, or the gradient has another shape than θ.
    TypeError
        if θ or the loss is not float64: differences would drown in rounding.
    """
    theta = to_numpy(theta)

    def both(x: Array) -> tuple[Any, Floats]:
        loss, grad = (to_numpy(part) for part in loss_and_grad(to(x)))
        if loss.dtype != np.float64:
            raise TypeError(
                f"the loss is {loss.dtype}: a gradient check needs float64 (torch.float64; jax_enable_x64)"
            )
        if grad.shape != theta.shape:
            raise CheckError(f"the gradient has shape {grad.shape}, but θ has shape {theta.shape}")
        return loss.reshape(()), grad

    checks = []
    for k in range(seed, seed + directions):
        try:
            checks += gradient_check(_landscape(both), theta, directions=1, seed=k, tolerance=tolerance)
        except CheckError as error:
            raise CheckError(f"{error}{_kink(both, theta, k)}") from None
    return checks


def _landscape(both: Callable[[Array], tuple[Any, Floats]]) -> Landscape:
    class Callback:
        def loss_and_grad(self, theta: Floats, batch: Batch, out: Floats | None = None) -> tuple[Any, Floats]:
            return both(theta)

    return cast(Landscape, Callback())


def _kink(both: Callable[[Array], tuple[Any, Floats]], theta: Floats, seed: int) -> str:
    """Slopes to the right and to the left of θ that differ make a kink."""
    if theta.ndim != 1:
        return ""
    v = direction(seed, len(theta))
    h = 1e-7 * (1 + float(np.abs(theta).max())) / float(np.linalg.norm(v))
    left, here, right = (float(both(theta + step * v)[0]) for step in (-h, 0, h))
    unit = h * float(np.linalg.norm(v))
    up, down = (right - here) / unit, (here - left) / unit
    if abs(up - down) < 1e-3 * max(abs(up), abs(down)):
        return ""
    return f"; θ lies on a kink or a jump: the slope is {up:.6g} ahead and {down:.6g} behind; move θ a little"
