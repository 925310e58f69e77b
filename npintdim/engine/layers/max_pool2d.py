"""MaxPool2D: the largest entry of each window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.layers.pool2d import Pool2D
from npintdim.specs import SAID_WHERE_SET
from npintdim.typing import Floats


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
