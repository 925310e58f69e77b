"""Flatten and Unflatten: images to rows, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from npintdim.backend import Backend
from npintdim.engine.layers.base import ParameterFree
from npintdim.specs import settle
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


@dataclass(frozen=True)
class Unflatten(ParameterFree):
    """(n, c·h·w) → (n, c, h, w), C order; undoes `Flatten`.

    Parameters
    ----------
    c, h, w : channels, height, width

    Notes
    -----
    Forward   y = reshape(x)
    Backward  dx = reshape(dy)
    """

    c: int
    h: int
    w: int

    def __post_init__(self) -> None:
        settle(self, c=1, h=1, w=1)

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c·h·w,) → (c, h, w)."""
        if in_shape != (self.c * self.h * self.w,):
            raise ValueError(
                f"{self.name or 'Unflatten'} takes ({self.c * self.h * self.w},) but gets {in_shape}"
            )
        return (self.c, self.h, self.w)

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, None]:
        """y = x as images."""
        return x.reshape(len(x), self.c, self.h, self.w), None

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: None, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy as rows."""
        return dy.reshape(len(dy), -1), {}
