"""Standardise: features with the mean and sd of observations that were seen before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.layers.base import ParameterFree
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Standardise(ParameterFree):
    """y = (x − μ)/σ, cut at ±clip. μ and σ are part of the network's spec, not of θ, and so of its compressed file.

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
