"""Checks that anyone can run on a projection or a landscape; each raises with both numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import as_array
from npintdim.engine.landscape import Batch, Landscape
from npintdim.inputs import quiet, shown
from npintdim.objective import Parametrisation
from npintdim.projections import Operator
from npintdim.rng import Purpose, Stream
from npintdim.typing import Floats

STEPS = (1e-4, 1e-5, 1e-6)  # of central differences, relative to ‖θ‖∞ + 1


class CheckError(AssertionError):
    """A check that failed; the message holds both numbers, the tolerance and the formula."""


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
            f"{formula}: {left:.15g} against {right:.15g}, relative error {error:.2g}, tolerance {tolerance:.2g}"
        )
    return Check(formula, left, right, error, tolerance)


def direction(seed: int, n: int, lane: int = 0) -> Floats:
    """n standard normals for checks, float64, from the project's own streams."""
    return Stream(seed, Purpose.CHECK, lane).normals(n) * 2.0**-20


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
    send, host = _transport(P)
    D, d = P.shape
    v, g = direction(seed, d), direction(seed, D, lane=1)
    Pv, PTg = P.apply(send(v)), P.adjoint(send(g))
    if tolerance is None:
        tolerance = 1e-12 if Pv.dtype == PTg.dtype == np.float64 else 1e-5
    Pv, PTg = host(Pv).astype(np.float64), host(PTg).astype(np.float64)
    scale = float(np.linalg.norm(Pv) * np.linalg.norm(g))
    return compare("⟨P v, g⟩ = ⟨v, Pᵀ g⟩", float(Pv @ g), float(v @ PTg), tolerance, scale)


@quiet
def adjoint_matrix_check(P: Operator, tolerance: float | None = None) -> Check:
    """The matrix of columns P e_j equals, entry by entry, the matrix of rows Pᵀ e_i.

    Costs d applications and D adjoints: for small D.

    Raises
    ------
    CheckError
        which names the worst entry.
    """
    send, host = _transport(P)
    D, d = P.shape
    by_apply = np.stack([host(P.apply(send(e))) for e in np.eye(d)], axis=1)
    by_adjoint = np.stack([host(P.adjoint(send(e))) for e in np.eye(D)], axis=0)
    if tolerance is None:
        tolerance = 1e-13 if by_apply.dtype == by_adjoint.dtype == np.float64 else 1e-6
    i, j = np.unravel_index(np.abs(by_apply - by_adjoint).argmax(), (D, d))
    scale = float(np.abs(by_apply).max())
    formula = f"(P e_{j})_{i} = (Pᵀ e_{i})_{j}, the worst of {D}×{d} entries"
    return compare(formula, float(by_apply[i, j]), float(by_adjoint[i, j]), tolerance, scale)


@quiet
def gradient_check(
    landscape: Landscape,
    theta: Floats,
    batch: Batch | None = None,
    directions: int = 3,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> list[Check]:
    """⟨∇L(θ), v⟩ = (L(θ + h v) − L(θ − h v)) / 2h for random directions v.

    Three steps h are tried and the best counts: a kink (ReLU, max-pool) between the two points, or
    rounding, spoils one step, but no step agrees with a wrong gradient.

    Parameters
    ----------
    landscape, theta, batch : float64, or the differences drown in rounding
    directions : how many v
    tolerance : relative

    Raises
    ------
    CheckError
        if a direction disagrees at every step.
    TypeError
        if theta is not float64.
    """
    theta = as_array("theta", theta)
    if theta.dtype != np.float64:
        raise TypeError(f"theta has dtype {theta.dtype}: a gradient check needs float64")
    batch = Batch() if batch is None else batch  # a batch without data is falsy
    _, grad = landscape.loss_and_grad(theta, batch)
    checks = []
    for k in range(directions):
        v = direction(seed, len(theta), lane=k)
        v /= np.linalg.norm(v)
        slope = float(grad @ v)
        best: tuple[float, float] | None = None
        for h in STEPS:
            h *= 1 + float(np.abs(theta).max())
            up, _ = landscape.loss_and_grad(theta + h * v, batch)
            down, _ = landscape.loss_and_grad(theta - h * v, batch)
            difference = (float(up) - float(down)) / (2 * h)
            if best is None or abs(difference - slope) < best[0]:
                best = abs(difference - slope), difference
        assert best is not None
        checks.append(compare("⟨∇L(θ), v⟩ = (L(θ + h v) − L(θ − h v)) / 2h", slope, best[1], tolerance))
    return checks


@quiet
def check_pullback(
    parametrisation: Parametrisation,
    v: Floats | None = None,
    directions: int = 3,
    seed: int = 0,
    tolerance: float = 1e-7,
) -> list[Check]:
    """⟨J δ, g⟩ = ⟨δ, Jᵀ g⟩ for random δ and g, where J δ = (T(v + h δ) − T(v − h δ)) / 2h.

    Parameters
    ----------
    parametrisation : T, anything with start, theta and pullback, in float64
    v : where; None for a random place near the start (at LoRA's start itself half of the gradient is zero)
    directions : how many pairs δ, g
    seed : of these
    tolerance : relative to ‖J δ‖ ‖g‖

    Raises
    ------
    CheckError
        if a pair disagrees, or the pullback has another shape than v.
    TypeError
        if θ is not float64: differences would drown in rounding.
    """
    send, host = _transport(parametrisation, "T", ("start", "theta", "pullback"))
    start = host(parametrisation.start()) if v is None else host(v)
    v = start + 0.1 * direction(seed, start.size, lane=2).reshape(start.shape) if v is None else start
    theta = host(parametrisation.theta(send(v)))
    if theta.dtype != np.float64 or v.dtype != np.float64:
        raise TypeError(f"v is {v.dtype} and θ {theta.dtype}: a check of the pullback needs float64")
    checks = []
    for k in range(directions):
        delta, g = direction(seed, v.size, lane=3 + 2 * k), direction(seed, theta.size, lane=4 + 2 * k)
        delta /= np.linalg.norm(delta)
        h = 1e-4 * (1 + float(np.abs(v).max()))
        up, down = (host(parametrisation.theta(send(v + step * delta))) for step in (h, -h))
        J_delta, JT_g = (up - down) / (2 * h), host(parametrisation.pullback(send(v), send(g)))
        if JT_g.shape != v.shape:
            raise CheckError(f"the pullback has shape {JT_g.shape}, but v has shape {v.shape}")
        scale = float(np.linalg.norm(J_delta) * np.linalg.norm(g))
        checks.append(
            compare("⟨J δ, g⟩ = ⟨δ, Jᵀ g⟩", float(J_delta @ g), float(delta @ JT_g), tolerance, scale)
        )
    return checks


def _transport(
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
