"""A check of anybody's gradient, in any library."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from npintdim.checks import Check, CheckError, direction, gradient_check
from npintdim.engine.landscape import Landscape
from npintdim.testing.arrays import to_numpy
from npintdim.testing.checks import Function, called, same
from npintdim.typing import Array, Floats


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
        if the slopes disagree at every step, the gradient has another shape than θ, a number is not finite, or the
        loss of one θ changes from call to call.
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
        answer = called(loss_and_grad, x, to)
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
        return loss.reshape(()), grad

    both(theta)
    landscape = cast(Landscape, SimpleNamespace(loss_and_grad=lambda x, batch: both(x)))
    checks = []
    for k in range(seed, seed + directions):
        try:
            checks += gradient_check(landscape, theta, directions=1, seed=k, tolerance=tolerance)
        except CheckError as error:
            raise CheckError(f"{error}{_why(both, theta, k)}") from None
    return checks


def _why(both: Callable[[Array], tuple[Any, Floats]], theta: Floats, seed: int) -> str:
    """A loss that changes from call to call is none of θ; slopes right and left of θ that differ make a kink."""
    first, second = (float(both(theta)[0]) for _ in range(2))
    if abs(first - second) > 1e-9 * abs(first):
        return f"; the loss of one θ is {first:.9g}, then {second:.9g}: fix the batch, and leave out dropout"
    v = direction(seed, len(theta))
    h = 1e-7 * (1 + float(np.abs(theta).max())) / float(np.linalg.norm(v))
    left, here, right = (float(both(theta + step * v)[0]) for step in (-h, 0, h))
    unit = h * float(np.linalg.norm(v))
    up, down = (right - here) / unit, (here - left) / unit
    if abs(up - down) < 1e-3 * max(abs(up), abs(down)):
        return ""
    return f"; θ lies on a kink or a jump: the slope is {up:.6g} ahead and {down:.6g} behind; move θ a little"
