"""Flatten: images to rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from npintdim.backend import Backend
from npintdim.engine.layers.base import ParameterFree
from npintdim.typing import Floats


@dataclass(frozen=True)
class Flatten(ParameterFree):
    """(n, c, h, w) → (n, c·h·w), C order.

    Notes
    -----
    Forward   y = reshape(x)
    Backward  dx = reshape(dy)
    """

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The product of all axes."""
        return (math.prod(in_shape),)

    def forward(
        self, backend: Backend, params: dict[str, Floats], x: Floats
    ) -> tuple[Floats, tuple[int, ...]]:
        """y = x as rows."""
        return x.reshape(len(x), -1), x.shape

    def backward(
        self,
        backend: Backend,
        params: dict[str, Floats],
        cache: tuple[int, ...],
        dy: Floats,
        need_dx: bool = True,
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy in the shape of x."""
        return dy.reshape(cache), {}
