"""Convolutions: Conv2D, LocallyConnected2D, which shares nothing, and Fire, SqueezeNet's module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

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

    b[o,i,j] is the bias, (a, b) a place of the kernel, s the stride. With X[i,j] the windows at (i, j)
    as columns, (c_in·k², n), and W[i,j] as (c_out, c_in·k²), the sums are one matrix product a place:
    Y[i,j] = W[i,j] X[i,j], dW[i,j] = dY[i,j] X[i,j]ᵀ, dX[i,j] = W[i,j]ᵀ dY[i,j]. Images stand last in memory,
    so that what is copied and added up is n numbers in a row.
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
                f"{self.name or 'LocallyConnected2D'} takes ({self.c_in}, {self.h}, {self.w}) "
                f"but gets {in_shape}"
            )
        return (self.c_out, *self.places)

    def taps(self, images: Floats) -> Iterator[tuple[int, int, Floats]]:
        """For each a, b of the kernel the pixels it meets: of (c, h, w, n) the view (rows, columns, c, n)."""
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
        """dW[i,j] = dY[i,j] X[i,j]ᵀ, db = Σ_n dy; dX[i,j] = W[i,j]ᵀ dY[i,j], summed where windows overlap."""
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


@dataclass(frozen=True)
class Fire(Layer):
    """A 1×1 convolution to few channels, then 1×1 and 3×3 beside each other (Iandola et al. 2016).

    Parameters
    ----------
    c_in : channels before
    squeeze : channels in between
    expand1, expand3 : channels of the 1×1 and of the 3×3 convolution; they are those after, in this order

    Notes
    -----
    Forward   s = relu(x ⋆ W_s + b_s)                         1×1
              y = [relu(s ⋆ W_1 + b_1), relu(s ⋆ W_3 + b_3)]  1×1 and, padded by 1, 3×3;
                                                              joined along the channels
    Backward  [d_1, d_3] = dy · [y > 0],   ds = (dx of 1×1)(d_1) + (dx of 3×3)(d_3),
              dx = (dx of s)(ds · [s > 0])
    """

    c_in: int
    squeeze: int
    expand1: int
    expand3: int

    def __post_init__(self) -> None:
        settle(self, c_in=1, squeeze=1, expand1=1, expand3=1)

    @cached_property
    def convs(self) -> dict[str, Conv2D]:
        """The three, by the beginning of their parameters' names."""
        return {
            "squeeze": Conv2D(self.c_in, self.squeeze, 1),
            "expand1": Conv2D(self.squeeze, self.expand1, 1),
            "expand3": Conv2D(self.squeeze, self.expand3, 3, padding=1),
        }

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """squeeze.W, squeeze.b, expand1.W, expand1.b, expand3.W, expand3.b."""
        return {
            f"{a}.{k}": shape for a, conv in self.convs.items() for k, shape in conv.param_shapes().items()
        }

    def initializers(self) -> dict[str, Initializer]:
        """Of each convolution."""
        return {f"{a}.{k}": init for a, conv in self.convs.items() for k, init in conv.initializers().items()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c_in, h, w) → (expand1 + expand3, h, w)."""
        if len(in_shape) != 3 or in_shape[0] != self.c_in:
            raise ValueError(f"{self.name or 'Fire'} takes ({self.c_in}, h, w) but gets {in_shape}")
        return (self.expand1 + self.expand3, *in_shape[1:])

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """s, then both expansions, joined."""
        relu, convs = backend.xp.maximum, self.convs
        s = relu(convs["squeeze"].forward(backend, part(params, "squeeze"), x)[0], 0)
        both = [convs[a].forward(backend, part(params, a), s)[0] for a in ("expand1", "expand3")]
        y = relu(backend.xp.concatenate(both, axis=1), 0)
        return y, (x, s, y)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dy is parted between the expansions; what both want of s is added."""
        x, s, y = cache
        dz = dy * (y > 0)
        halves = {"expand1": dz[:, : self.expand1], "expand3": dz[:, self.expand1 :]}
        ds: Any = 0.0
        grads: dict[str, dict[str, Floats]] = {}
        for a, half in halves.items():
            own, grads[a] = self.convs[a].backward(
                backend, part(params, a), s, backend.xp.ascontiguousarray(half)
            )
            ds = ds + own
        dx, grads["squeeze"] = self.convs["squeeze"].backward(
            backend, part(params, "squeeze"), x, ds * (s > 0), need_dx
        )
        return dx, {f"{a}.{key}": grad for a, own in grads.items() for key, grad in own.items()}


def part(params: dict[str, Floats], of: str) -> dict[str, Floats]:
    """W and b of one convolution."""
    return {key: params[f"{of}.{key}"] for key in ("W", "b")}
