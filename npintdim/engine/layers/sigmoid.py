"""Sigmoid: the logistic function."""

from __future__ import annotations

from dataclasses import dataclass

from npintdim.backend import Backend
from npintdim.engine.layers.base import Elementwise
from npintdim.typing import Floats


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """y = 1/(1 + exp(−x)), entry by entry.

    Notes
    -----
    Forward   y = 1/(1 + exp(−x)) = (1 + tanh(x/2))/2     the second form never overflows
    Backward  dx = dy · y (1 − y)
    """

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = (1 + tanh(x/2))/2."""
        y = (1 + backend.xp.tanh(x / 2)) / 2
        return y, y

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy · y (1 − y)."""
        y = cache
        return dy * (y * (1 - y)), {}
