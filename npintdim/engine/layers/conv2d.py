"""Conv2D: convolution with a bias per channel."""

from __future__ import annotations

from dataclasses import dataclass, field

from npintdim.backend import Backend
from npintdim.engine.initializers import HeNormal, Initializer, Zeros
from npintdim.engine.layers.base import Layer
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Conv2D(Layer):
    """y = x ⋆ W + b over images (n, channels, height, width).

    Parameters
    ----------
    c_in, c_out : channels before and after
    k : side of the square kernel
    stride, padding : the same in both directions
    init : of W, an `Initializer` or its spec; None for He-normal

    Notes
    -----
    Forward   y[n,o,i,j] = b[o] + Σ_{c,a,b} W[o,c,a,b] x[n, c, i·s+a−p, j·s+b−p]
    Backward  dW[o,c,a,b] = Σ_{n,i,j} dy[n,o,i,j] x[n, c, i·s+a−p, j·s+b−p]
              db[o] = Σ_{n,i,j} dy[n,o,i,j]
              dx[n, c, i·s+a−p, j·s+b−p] += Σ_o W[o,c,a,b] dy[n,o,i,j]

    b[o] is the bias, (a, b) a place of the kernel, s the stride, p the padding. The three sums over windows
    are in `kernels/reference/conv.py`.
    """

    c_in: int
    c_out: int
    k: int
    stride: int = 1
    padding: int = 0
    init: Initializer | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        settle(self, c_in=1, c_out=1, k=1, stride=1, padding=0)

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (c_out, c_in, k, k), b (c_out,)."""
        return {"W": (self.c_out, self.c_in, self.k, self.k), "b": (self.c_out,)}

    def initializers(self) -> dict[str, Initializer]:
        """He-normal W with fan_in = c_in·k², zero b."""
        return {"W": self.init or HeNormal(self.c_in * self.k**2), "b": Zeros()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c_in, h, w) → (c_out, (h + 2p − k)//s + 1, (w + 2p − k)//s + 1)."""
        if len(in_shape) != 3 or in_shape[0] != self.c_in or min(in_shape[1:]) + 2 * self.padding < self.k:
            raise ValueError(
                f"{self.name or 'Conv2D'} takes ({self.c_in}, h, w) with h, w ≥ {self.k - 2 * self.padding}, "
                f"but gets {in_shape}"
            )
        h, w = ((side + 2 * self.padding - self.k) // self.stride + 1 for side in in_shape[1:])
        return (self.c_out, h, w)

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = x ⋆ W + b."""
        y: Floats = backend.kernels.conv2d_forward(x, params["W"], self.stride, self.padding, backend.threads)
        y += params["b"][:, None, None]
        return y, x

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx, dW by the kernel; db = Σ dy."""
        dx, dW = backend.kernels.conv2d_backward(
            cache, params["W"], dy, self.stride, self.padding, need_dx, backend.threads
        )
        return dx, {"W": dW, "b": dy.sum(axis=(0, 2, 3))}
