"""ChannelNorm: every image with mean 0 and variance 1, then a scale and a shift per channel that are trained."""

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
class ChannelNorm(Layer):
    """y = γ x̂ + β, γ and β one a channel (Wu and He 2018, with one group).

    Parameters
    ----------
    channels : c, the length of the first axis of an example (c, ...)
    eps : added to the variance, > 0

    Notes
    -----
    Forward   μ = mean x,  σ² = mean (x − μ)² + ε,  x̂ = (x − μ)/σ,  y = γ x̂ + β
    Backward  dγ = Σ dy x̂,  dβ = Σ dy,  g = γ dy,  dx = (g − mean g − x̂ mean(g x̂))/σ

    Means run over all of an example; the sums over examples and places.
    """

    channels: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        settle(self, channels=1)
        if not 0 < self.eps < math.inf:
            raise ValueError(f"eps is {self.eps}: a positive number is needed")

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """gamma (c,), beta (c,)."""
        return {"gamma": (self.channels,), "beta": (self.channels,)}

    def initializers(self) -> dict[str, Initializer]:
        """γ = 1, β = 0."""
        return {"gamma": Ones(), "beta": Zeros()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        if not in_shape or in_shape[0] != self.channels:
            raise ValueError(
                f"{self.name or 'ChannelNorm'} takes ({self.channels}, ...), but gets {in_shape}"
            )
        return in_shape

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y = γ x̂ + β."""
        example = tuple(range(1, x.ndim))
        centred = x - x.mean(axis=example, keepdims=True)
        sigma = backend.xp.sqrt((centred * centred).mean(axis=example, keepdims=True) + self.eps)
        xhat = centred / sigma
        gamma, beta = (params[name].reshape(-1, *[1] * (x.ndim - 2)) for name in ("gamma", "beta"))
        return gamma * xhat + beta, (xhat, sigma, gamma)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dγ, dβ and dx, see above."""
        xhat, sigma, gamma = cache
        example, others = tuple(range(1, dy.ndim)), (0, *range(2, dy.ndim))
        grads = {"gamma": (dy * xhat).sum(axis=others), "beta": dy.sum(axis=others)}
        if not need_dx:
            return None, grads
        g = gamma * dy
        dx = (
            g - g.mean(axis=example, keepdims=True) - xhat * (g * xhat).mean(axis=example, keepdims=True)
        ) / sigma
        return dx, grads
