"""AveragePool2D: the mean of each window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from npintdim.backend import Backend
from npintdim.engine.layers.pool2d import Pool2D
from npintdim.typing import Floats


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
