"""GlobalAveragePool: one number a channel, the mean over the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from npintdim.backend import Backend
from npintdim.engine.layers.base import ParameterFree
from npintdim.typing import Floats


@dataclass(frozen=True)
class GlobalAveragePool(ParameterFree):
    """(n, c, h, w) → (n, c), the mean over all places (Lin, Chen and Yan 2013).

    Notes
    -----
    Forward   y[n,c] = Σ_{i,j} x[n,c,i,j] / (h w)
    Backward  dx[n,c,i,j] = dy[n,c] / (h w)
    """

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c, h, w) → (c,)."""
        if len(in_shape) != 3:
            raise ValueError(f"{self.name or 'GlobalAveragePool'} takes (c, h, w) but gets {in_shape}")
        return in_shape[:1]

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """The mean over both axes of the image."""
        return x.mean(axis=(2, 3)), x.shape

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx: every place has an equal part."""
        _, _, h, w = cache
        dx: Floats = backend.xp.empty(cache, dtype=dy.dtype)
        dx[...] = (dy / (h * w))[:, :, None, None]
        return dx, {}
