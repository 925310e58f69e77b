"""LayerNorm: every example with mean 0 and variance 1, then a scale and a shift that are trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from npintdim.backend import Backend
from npintdim.engine.initializers import Initializer, Ones, Zeros
from npintdim.engine.layers.base import Layer
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class LayerNorm(Layer):
    """y = γ x̂ + β over the last axis (Ba, Kiros and Hinton 2016).

    Parameters
    ----------
    n : features, the length of the last axis
    eps : added to the variance, > 0

    Notes
    -----
    Forward   μ = mean x,  σ² = mean (x − μ)² + ε,  x̂ = (x − μ)/σ,  y = γ x̂ + β
    Backward  dγ = Σ dy x̂,  dβ = Σ dy,  g = γ dy,  dx = (g − mean g − x̂ mean(g x̂))/σ

    Means run over the features of one example, so that, other than with BatchNorm, y depends on no other example and
    there are no statistics beside θ; that is why there is no BatchNorm here.
    """

    n: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        settle(self, n=1)
        if not 0 < self.eps < math.inf:
            raise ValueError(f"eps is {self.eps}: a positive number is needed")

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """gamma (n,), beta (n,)."""
        return {"gamma": (self.n,), "beta": (self.n,)}

    def initializers(self) -> dict[str, Initializer]:
        """γ = 1, β = 0."""
        return {"gamma": Ones(), "beta": Zeros()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        if not in_shape or in_shape[-1] != self.n:
            raise ValueError(f"{self.name or 'LayerNorm'} takes (..., {self.n}) but gets {in_shape}")
        return in_shape

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y = γ x̂ + β."""
        centred = x - x.mean(axis=-1, keepdims=True)
        sigma = backend.xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self.eps)
        xhat = centred / sigma
        return params["gamma"] * xhat + params["beta"], (xhat, sigma)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dγ, dβ and dx, see above."""
        xhat, sigma = cache
        examples = tuple(range(dy.ndim - 1))
        grads = {"gamma": (dy * xhat).sum(axis=examples), "beta": dy.sum(axis=examples)}
        if not need_dx:
            return None, grads
        g = params["gamma"] * dy
        dx = (g - g.mean(axis=-1, keepdims=True) - xhat * (g * xhat).mean(axis=-1, keepdims=True)) / sigma
        return dx, grads
