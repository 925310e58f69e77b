"""ReLU: the positive part."""

from __future__ import annotations

from dataclasses import dataclass

from npintdim.backend import Backend
from npintdim.engine.layers.base import Elementwise
from npintdim.typing import Floats


@dataclass(frozen=True)
class ReLU(Elementwise):
    """y = max(x, 0), entry by entry.

    Notes
    -----
    Forward   y = max(x, 0)
    Backward  dx = dy · [y > 0]           the derivative at 0 is taken as 0
    """

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = max(x, 0)."""
        y = backend.xp.maximum(x, 0)
        return y, y

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy · [y > 0]."""
        y = cache
        return dy * (y > 0), {}
