"""MaxPool2D: the largest entry of each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from npintdim.backend import Backend
from npintdim.engine.layers.pool2d import Pool2D
from npintdim.typing import Floats


@dataclass(frozen=True)
class MaxPool2D(Pool2D):
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

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y and the place of each maximum."""
        s = self.step
        y, winner = backend.kernels.max_pool_forward(x, self.size, s, backend.threads)
        return y, (winner, x.shape)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx: every dy goes to the place of its maximum."""
        winner, shape = cache
        s = self.step
        return backend.kernels.max_pool_backward(dy, winner, shape, self.size, s, backend.threads), {}
