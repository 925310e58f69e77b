"""Checks of derivatives: of a landscape, of anybody's loss in any library, of a parametrisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npintdim.engine.landscape import Batch, Landscape
from npintdim.inputs import check_has, check_integer, quiet
from npintdim.objective import Parametrisation
from npintdim.testing.arrays import CheckError, to_numpy
from npintdim.testing.checks import Check, Function, applied, compare, direction, same, transport
from npintdim.typing import Array, Floats

STEPS = (1e-4, 1e-5, 1e-6)  # of central differences, relative to ‖θ‖∞ + 1


def gradient_check(
    landscape: Landscape,
    theta: Floats,
    batch: Batch | None = None,
    directions: int = 3,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> list[Check]:
    """⟨∇L(θ), v⟩ = (L(θ + h v) − L(θ − h v)) / 2h along random v: `check_gradient` of a landscape, one batch.

    Parameters
    ----------
    landscape, theta, batch : float64, or the differences drown in rounding
    directions : how many v
    seed : of the v
    tolerance : relative

    Raises
    ------
    CheckError, TypeError, ValueError
        as `check_gradient`: if a direction disagrees at every step; if theta is not float64.
    """
    check_has("landscape", landscape, ("loss_and_grad",), "dim, loss_and_grad and evaluate")
    one = Batch() if batch is None else batch  # a batch without data is falsy
    return check_gradient(
        lambda at: landscape.loss_and_grad(at, one), theta, np.asarray, directions, tolerance, seed
    )


@quiet
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
    loss_and_grad : θ → (L, ∇L), e.g. `jax.value_and_grad(loss)`;
        of θ (D,), of θ_d (d,), of LoRA's A and B in one vector
    theta : (D,) float64
    to : from NumPy to your library
    directions : how many v
    tolerance : relative
    seed : of the v

    Raises
    ------
    CheckError
        if the slopes disagree at every step, the gradient has another shape than θ, a number is not finite,
        or the loss of one θ changes from call to call.
    TypeError
        if θ or the loss is not float64: differences would drown in rounding.
    ValueError
        if θ is not flat.
    """
    theta = to_numpy(theta)
    if theta.dtype != np.float64:
        raise TypeError(f"theta has dtype {theta.dtype}: a gradient check needs float64")
    if theta.ndim != 1:
        raise ValueError(f"θ has shape {theta.shape}: a flat vector (D,) is needed")

    def both(x: Array) -> tuple[Any, Floats]:
        answer = applied(loss_and_grad, x, to)
        if not (isinstance(answer, tuple | list) and len(answer) == 2):
            raise CheckError(f"loss_and_grad gives a {type(answer).__name__}: the pair (L, ∇L) is needed")
        loss, grad = map(to_numpy, answer)
        if loss.size != 1:
            raise CheckError(f"the loss has shape {loss.shape}: one number is needed")
        if loss.dtype != np.float64:
            raise TypeError(
                f"the loss is {loss.dtype}: a gradient check needs float64 (torch.float64; jax_enable_x64)"
            )
        if grad.shape != theta.shape:
            raise CheckError(f"the gradient has shape {grad.shape}, but θ has shape {theta.shape}")
        for name, part in (("loss", loss), ("gradient", grad)):
            if not np.isfinite(part).all():
                odd = part[~np.isfinite(part)][0]
                raise CheckError(
                    f"the {name} has a {odd}, where θ has its entries between {x.min():.6g} and {x.max():.6g}"
                )
        return float(loss.reshape(())), grad

    directions = check_integer("directions", directions, 1)
    _, grad = both(theta)
    checks = []
    for k in range(directions):
        v = direction(seed, len(theta), lane=k)
        v /= np.linalg.norm(v)
        slope, differences = float(grad @ v), []
        for h in STEPS:
            h *= 1 + float(np.abs(theta).max())
            differences.append((both(theta + h * v)[0] - both(theta - h * v)[0]) / (2 * h))
        best = min(differences, key=lambda x: abs(x - slope))
        try:
            checks.append(compare("⟨∇L(θ), v⟩ = (L(θ + h v) − L(θ − h v)) / 2h", slope, best, tolerance))
        except CheckError as error:
            raise CheckError(f"{error}{_why_not_smooth(both, theta, v)}") from None
    return checks


def _why_not_smooth(both: Callable[[Array], tuple[Any, Floats]], theta: Floats, v: Floats) -> str:
    """A loss that changes from call to call is none of θ; slopes that differ make a kink, or are noise.

    Notes
    -----
    What a kink or a jump adds to L(θ + h v) − 2 L(θ) + L(θ − h v) is K h + J; of rounding it is anything.
    """
    first, second = (both(theta)[0] for _ in range(2))
    if abs(first - second) > 1e-9 * abs(first):
        return f"; the loss of one θ is {first:.9g}, then {second:.9g}: fix the batch, and leave out dropout"
    h = 1e-7 * (1 + float(np.abs(theta).max()))
    left, here, right = (both(theta + step * v)[0] for step in (-h, 0, h))
    up, down = (right - here) / h, (here - left) / h
    if abs(up - down) < 1e-3 * max(abs(up), abs(down)):
        return ""
    steps = h * np.linspace(0.2, 1, 7)
    bends = np.array([both(theta + step * v)[0] - 2 * here + both(theta - step * v)[0] for step in steps])
    jitter = float(np.abs(bends).max())
    if np.abs(bends - np.polyval(np.polyfit(steps / h, bends, 1), steps / h)).max() > 0.1 * jitter:
        return (
            f"; the loss jitters by {jitter:.1g} around θ, in which differences drown: "
            "is there float32 inside, a cast or a layer?"
        )
    return f"; θ lies on a kink or a jump: the slope is {up:.6g} ahead and {down:.6g} behind; move θ a little"


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
    directions = check_integer("directions", directions, 1)
    send, host = transport(parametrisation, "T", ("start", "theta", "pullback"))
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
        left, right = float(J_delta @ g), float(delta @ JT_g)
        checks.append(compare("⟨J δ, g⟩ = ⟨δ, Jᵀ g⟩", left, right, tolerance, scale))
    return checks
