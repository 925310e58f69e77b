"""LocallyConnected2D: a convolution that shares nothing; every place has a kernel and a bias of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from npintdim.backend import Backend
from npintdim.engine.initializers import HeNormal, Initializer, Zeros
from npintdim.engine.layers.base import Layer
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class LocallyConnected2D(Layer):
    """y = x ⋆ W + b over images (n, channels, height, width), with other W and b at every place (i, j) of y.

    Parameters
    ----------
    c_in, h, w : shape of one image
    c_out : channels after
    k : side of the square kernels
    stride : the same in both directions
    init : of W, an `Initializer` or its spec; None for He-normal

    Raises
    ------
    TypeError, ValueError
        for numbers below 1, or a kernel larger than the image.

    Notes
    -----
    Forward   y[n,o,i,j] = b[o,i,j] + Σ_{c,a,b} W[i,j,o,c,a,b] x[n, c, i·s+a, j·s+b]
    Backward  dW[i,j,o,c,a,b] = Σ_n dy[n,o,i,j] x[n, c, i·s+a, j·s+b]
              db[o,i,j] = Σ_n dy[n,o,i,j]
              dx[n, c, i·s+a, j·s+b] += Σ_o W[i,j,o,c,a,b] dy[n,o,i,j]

    b[o,i,j] is the bias, (a, b) a place of the kernel, s the stride. With X[i,j] the windows at (i, j) as columns,
    (c_in·k², n), and W[i,j] as (c_out, c_in·k²), the sums are one matrix product a place:
    Y[i,j] = W[i,j] X[i,j], dW[i,j] = dY[i,j] X[i,j]ᵀ, dX[i,j] = W[i,j]ᵀ dY[i,j]. Images stand last in memory, so
    that what is copied and added up is n numbers in a row.
    """

    c_in: int
    h: int
    w: int
    c_out: int
    k: int
    stride: int = 1
    init: Initializer | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        settle(self, c_in=1, h=1, w=1, c_out=1, k=1, stride=1)
        if self.k > min(self.h, self.w):
            raise ValueError(
                f"k is {self.k}, but images are {self.h}×{self.w}: k ≤ {min(self.h, self.w)} is needed"
            )

    @property
    def places(self) -> tuple[int, int]:
        """Rows and columns of y: ((h − k)//s + 1, (w − k)//s + 1)."""
        return (self.h - self.k) // self.stride + 1, (self.w - self.k) // self.stride + 1

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (rows, columns, c_out, c_in, k, k), a `Conv2D` kernel for every place; b in the shape of y."""
        kernel = (self.c_out, self.c_in, self.k, self.k)
        return {"W": (*self.places, *kernel), "b": (self.c_out, *self.places)}

    def initializers(self) -> dict[str, Initializer]:
        """He-normal W with fan_in = c_in·k², as in a convolution; zero b."""
        return {"W": self.init or HeNormal(self.c_in * self.k**2), "b": Zeros()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c_in, h, w) → (c_out, rows, columns)."""
        if in_shape != (self.c_in, self.h, self.w):
            raise ValueError(
                f"{self.name or 'LocallyConnected2D'} takes ({self.c_in}, {self.h}, {self.w}) but gets {in_shape}"
            )
        return (self.c_out, *self.places)

    def taps(self, images: Floats) -> Iterator[tuple[int, int, Floats]]:
        """For each a, b of the kernel the pixels that it meets: of (c, h, w, n) the view (rows, columns, c, n)."""
        (rows, columns), s = self.places, self.stride
        for a in range(self.k):
            for b in range(self.k):
                yield a, b, images[:, a : a + s * rows : s, b : b + s * columns : s].transpose(1, 2, 0, 3)

    def matrices(self, W: Floats) -> Floats:
        """W[i,j] as (c_out, c_in·k²)."""
        return W.reshape(*self.places, self.c_out, -1)

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """Y[i,j] = W[i,j] X[i,j] + b; X is kept."""
        images = backend.xp.ascontiguousarray(x.transpose(1, 2, 3, 0))
        X = backend.xp.empty((*self.places, self.c_in, self.k, self.k, len(x)), dtype=x.dtype)
        for a, b, seen in self.taps(images):
            X[:, :, :, a, b] = seen
        X = X.reshape(*self.places, -1, len(x))
        Y = self.matrices(params["W"]) @ X
        y = backend.xp.ascontiguousarray(Y.transpose(3, 2, 0, 1))
        y += params["b"]
        return y, X

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dW[i,j] = dY[i,j] X[i,j]ᵀ, db = Σ_n dy; dX[i,j] = W[i,j]ᵀ dY[i,j], added up where windows overlap."""
        X = cache
        dY = backend.xp.ascontiguousarray(dy.transpose(2, 3, 1, 0))
        dW = (dY @ X.transpose(0, 1, 3, 2)).reshape(params["W"].shape)
        dparams = {"W": dW, "b": dy.sum(axis=0)}
        if not need_dx:
            return None, dparams
        dX = self.matrices(params["W"]).transpose(0, 1, 3, 2) @ dY
        dX = dX.reshape(*self.places, self.c_in, self.k, self.k, len(dy))
        images = backend.xp.zeros((self.c_in, self.h, self.w, len(dy)), dtype=dy.dtype)
        for a, b, target in self.taps(images):
            target += dX[:, :, :, a, b]
        return backend.xp.ascontiguousarray(images.transpose(3, 0, 1, 2)), dparams
