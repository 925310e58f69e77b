"""Tanh: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass

from npintdim.backend import Backend
from npintdim.engine.layers.base import Elementwise
from npintdim.typing import Floats


@dataclass(frozen=True)
class Tanh(Elementwise):
    """y = tanh x, entry by entry.

    Notes
    -----
    Forward   y = tanh x
    Backward  dx = dy · (1 − y²)
    """

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = tanh x."""
        y = backend.xp.tanh(x)
        return y, y

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy · (1 − y²)."""
        y = cache
        return dy * (1 - y * y), {}
