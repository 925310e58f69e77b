"""Pooling: the largest entry of each window, its mean, or the mean over the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.layers.base import ParameterFree
from npintdim.specs import SAID_WHERE_SET, settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Pool2D(ParameterFree):
    """size×size windows, side by side or `stride` apart; a rest that fills no window is left out."""

    size: int = 2
    stride: int = 0

    def __post_init__(self) -> None:
        settle(self, size=1, stride=0)

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c, h, w) → (c, windows down, windows across)."""
        if len(in_shape) != 3 or min(in_shape[1:]) < self.size:
            raise ValueError(
                f"{self.name or type(self).__name__} takes (c, h, w), h, w ≥ {self.size}, not {in_shape}"
            )
        c, h, w = in_shape
        return (c, self.windows(h), self.windows(w))

    def windows(self, side: int) -> int:
        """That lie along such a side: ⌊(side − size)/s⌋ + 1."""
        return (side - self.size) // self.step + 1

    @property
    def step(self) -> int:
        """Distance of windows."""
        return self.stride or self.size


@dataclass(frozen=True)
class MaxPool2D(Pool2D):
    """Maximum over size×size windows.

    Parameters
    ----------
    size : side of a window
    stride : distance of windows; 0 means `size`, windows side by side
    ceil : a last window may hang over the edge, as in Caffe, if it begins inside the image

    Notes
    -----
    Forward   y[n,c,i,j] = max_{a,b < size} x[n, c, i·s+a, j·s+b]
    Backward  dx[place of the maximum] += dy; on a tie the first place, in C order, has it all

    Both are in `kernels/reference/pool.py`. Outside the image x = −∞, which never wins.
    """

    ceil: bool = field(default=False, kw_only=True, metadata=SAID_WHERE_SET)

    def windows(self, side: int) -> int:
        """⌊(side − size)/s⌋ + 1; with `ceil` ⌈(side − size)/s⌉ + 1, but for one that begins outside."""
        fit = super().windows(side)
        return fit + (self.ceil and (fit - 1) * self.step + self.size < side and fit * self.step < side)

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y and the place of each maximum."""
        shape, s = x.shape, self.step
        over = [max(0, (self.windows(side) - 1) * s + self.size - side) for side in shape[2:]]
        if any(over):
            frame = (0, 0), (0, 0), (0, over[0]), (0, over[1])
            x = backend.xp.pad(x, frame, constant_values=-np.inf)
        y, winner = backend.kernels.max_pool_forward(x, self.size, s, backend.threads)
        return y, (winner, shape, x.shape)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx: every dy goes to the place of its maximum."""
        winner, (_, _, h, w), framed = cache
        s = self.step
        dx = backend.kernels.max_pool_backward(dy, winner, framed, self.size, s, backend.threads)
        return backend.xp.ascontiguousarray(dx[:, :, :h, :w]), {}


@dataclass(frozen=True)
class AveragePool2D(Pool2D):
    """Mean over size×size windows.

    Parameters
    ----------
    size : side of a window
    stride : distance of windows; 0 means `size`, windows side by side

    Notes
    -----
    Forward   y[n,c,i,j] = Σ_{a,b < size} x[n, c, i·s+a, j·s+b] / size²
    Backward  dx[n, c, i·s+a, j·s+b] += dy[n,c,i,j] / size²
    """

    def places(self, x: Floats) -> Iterator[Floats]:
        """x at place (a, b) of every window, as a view, for each a and b."""
        s = self.step
        _, h, w = self.out_shape(x.shape[1:])
        for a in range(self.size):
            for b in range(self.size):
                yield x[:, :, a : a + s * h : s, b : b + s * w : s]

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """The mean of the places."""
        return sum(self.places(x)) / self.size**2, x.shape  # type: ignore[return-value]

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx: every dy goes to all places of its window, in equal parts."""
        dx: Floats = backend.xp.zeros(cache, dtype=dy.dtype)
        for place in self.places(dx):
            place += dy / self.size**2
        return dx, {}


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
