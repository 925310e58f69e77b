"""LayerNorm, ChannelNorm, Standardise: mean 0, variance 1, of an example, or of what a feature was before."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.initializers import Initializer, Ones, Zeros
from npintdim.engine.layers.base import Layer, ParameterFree
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Norm(Layer):
    """y = γ x̂ + β, with x̂ normed over axes of an example, and a γ and a β for each place along one of them.

    Notes
    -----
    Forward   μ = mean x,  σ² = mean (x − μ)² + ε,  x̂ = (x − μ)/σ,  y = γ x̂ + β
    Backward  dγ = Σ dy x̂,  dβ = Σ dy,  g = γ dy,  dx = (g − mean g − x̂ mean(g x̂))/σ

    Means run over one example, so that, other than with BatchNorm, y depends on no other example and there
    are no statistics beside θ; that is why there is no BatchNorm here. The sums run over all that shares a γ.
    """

    def __post_init__(self) -> None:
        settle(self, n=1, channels=1)
        if not 0 < self.eps < math.inf:
            raise ValueError(f"eps is {self.eps}: a positive number is needed")

    @property
    @abstractmethod
    def eps(self) -> float:
        """ε."""

    @abstractmethod
    def axes(self, ndim: int) -> tuple[tuple[int, ...], int]:
        """Of a batch with so many axes, those that the means run over, and the one of γ and β."""

    def initializers(self) -> dict[str, Initializer]:
        """γ = 1, β = 0."""
        return {"gamma": Ones(), "beta": Zeros()}

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y = γ x̂ + β."""
        means, own = self.axes(x.ndim)
        centred = x - x.mean(axis=means, keepdims=True)
        sigma = backend.xp.sqrt((centred * centred).mean(axis=means, keepdims=True) + self.eps)
        xhat = centred / sigma
        gamma, beta = (params[key].reshape(-1, *[1] * (x.ndim - 1 - own)) for key in ("gamma", "beta"))
        return gamma * xhat + beta, (xhat, sigma, gamma)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dγ, dβ and dx, see above."""
        xhat, sigma, gamma = cache
        means, own = self.axes(dy.ndim)
        others = tuple(axis for axis in range(dy.ndim) if axis != own)
        grads = {"gamma": (dy * xhat).sum(axis=others), "beta": dy.sum(axis=others)}
        if not need_dx:
            return None, grads
        g = gamma * dy
        mean_g, mean_gxhat = (a.mean(axis=means, keepdims=True) for a in (g, g * xhat))
        return (g - mean_g - xhat * mean_gxhat) / sigma, grads


@dataclass(frozen=True)
class LayerNorm(Norm):
    """y = γ x̂ + β, x̂ = (x − mean x)/√(var x + ε) over the last axis, a γ and a β a feature.

    Parameters
    ----------
    n : features, the length of the last axis
    eps : added to the variance, > 0

    Notes
    -----
    Ba, Kiros and Hinton 2016. Forward and backward are `npintdim.engine.layers.norms.Norm`'s, with means over
    the features of one example.
    """

    n: int
    eps: float = 1e-5

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """gamma (n,), beta (n,)."""
        return {"gamma": (self.n,), "beta": (self.n,)}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        if not in_shape or in_shape[-1] != self.n:
            raise ValueError(f"{self.name or 'LayerNorm'} takes (..., {self.n}) but gets {in_shape}")
        return in_shape

    def axes(self, ndim: int) -> tuple[tuple[int, ...], int]:
        """The last."""
        return (ndim - 1,), ndim - 1


@dataclass(frozen=True)
class ChannelNorm(Norm):
    """y = γ x̂ + β, x̂ = (x − mean x)/√(var x + ε) over all of an example, a γ and a β a channel.

    Parameters
    ----------
    channels : c, the length of the first axis of an example (c, ...)
    eps : added to the variance, > 0

    Notes
    -----
    Wu and He 2018, one group. Forward and backward are `npintdim.engine.layers.norms.Norm`'s; the sums of dγ
    and dβ run over examples and places.
    """

    channels: int
    eps: float = 1e-5

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """gamma (c,), beta (c,)."""
        return {"gamma": (self.channels,), "beta": (self.channels,)}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        if not in_shape or in_shape[0] != self.channels:
            raise ValueError(
                f"{self.name or 'ChannelNorm'} takes ({self.channels}, ...), but gets {in_shape}"
            )
        return in_shape

    def axes(self, ndim: int) -> tuple[tuple[int, ...], int]:
        """All of an example, and its first."""
        return tuple(range(1, ndim)), 1


@dataclass(frozen=True)
class Standardise(ParameterFree):
    """y = (x − μ)/σ, cut at ±clip.

    μ and σ are part of the network's spec, not of θ, and so of its compressed file.

    Parameters
    ----------
    mean, sd : one number a feature; sd > 0
    clip : > 0

    Notes
    -----
    Forward   y = min(max((x − μ)/σ, −clip), clip)
    Backward  dx = dy/σ where |y| < clip, else 0
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    clip: float = 5.0

    def __post_init__(self) -> None:
        settle(self)
        for name in ("mean", "sd"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        if len(self.mean) != len(self.sd) or not np.isfinite(self.mean).all():
            raise ValueError(
                f"mean has {len(self.mean)} numbers, sd {len(self.sd)}: as many, and finite, are needed"
            )
        if not all(0 < sd < np.inf for sd in (*self.sd, self.clip)):
            raise ValueError("sd and clip must be positive numbers")

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        if in_shape != (len(self.mean),):
            raise ValueError(f"{self.name or 'Standardise'} takes ({len(self.mean)},), but gets {in_shape}")
        return in_shape

    @cached_property
    def moments(self) -> Floats:
        """μ and σ, (2, features)."""
        return np.array([self.mean, self.sd])

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = (x − μ)/σ, cut."""
        mean, sd = backend.xp.asarray(self.moments, dtype=x.dtype)
        y = backend.xp.clip((x - mean) / sd, -self.clip, self.clip)
        return y, y

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy/σ where nothing was cut."""
        _, sd = backend.xp.asarray(self.moments, dtype=dy.dtype)
        return dy / sd * (abs(cache) < self.clip), {}
