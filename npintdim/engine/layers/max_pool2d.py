"""MaxPool2D: the largest entry of each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from npintdim.backend import Backend
from npintdim.engine.layers.base import ParameterFree
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class MaxPool2D(ParameterFree):
    """Maximum over size×size windows.

    Parameters
    ----------
    size : side of a window
    stride : distance of windows; 0 means `size`, windows side by side

    Notes
    -----
    Forward   y[n,c,i,j] = max_{a,b < size} x[n, c, i·s+a, j·s+b]
    Backward  dx[place of the maximum] += dy; on a tie the first place, in C order, has it all

    Both are in `kernels/reference/pool.py`.
    """

    size: int = 2
    stride: int = 0

    def __post_init__(self) -> None:
        settle(self, size=1, stride=0)

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c, h, w) → (c, (h − size)//s + 1, (w − size)//s + 1)."""
        if len(in_shape) != 3 or min(in_shape[1:]) < self.size:
            raise ValueError(
                f"{self.name or 'MaxPool2D'} takes (c, h, w), h, w ≥ {self.size}, not {in_shape}"
            )
        s = self.stride or self.size
        c, h, w = in_shape
        return (c, (h - self.size) // s + 1, (w - self.size) // s + 1)

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y and the place of each maximum."""
        s = self.stride or self.size
        y, winner = backend.kernels.max_pool_forward(x, self.size, s, backend.threads)
        return y, (winner, x.shape)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx: every dy goes to the place of its maximum."""
        winner, shape = cache
        s = self.stride or self.size
        return backend.kernels.max_pool_backward(dy, winner, shape, self.size, s, backend.threads), {}
