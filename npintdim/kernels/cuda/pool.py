"""Max-pooling on the device; the definition is `reference/pool.py`."""

from __future__ import annotations

import cupy as cp
import numpy as np

from npintdim.kernels.cuda.launch import cover, fast
from npintdim.typing import Floats, Ints


def max_pool_forward(x: Floats, size: int, stride: int, threads: int = 1) -> tuple[Floats, Ints]:
    """Largest entry of each window and its place; a thread owns a window."""
    n, c, h, w = x.shape
    h_out, w_out = ((side - size) // stride + 1 for side in (h, w))
    y: Floats = cp.empty((n, c, h_out, w_out), dtype=x.dtype)
    winner: Ints = cp.empty(y.shape, dtype=np.int32)
    fast("max_pool_forward", cover(y.size), x, n * c, h, w, size, stride, h_out, w_out, y, winner, T=x.dtype)
    return y, winner


def max_pool_backward(
    dy: Floats, winner: Ints, shape: tuple[int, ...], size: int, stride: int, threads: int = 1
) -> Floats:
    """dx; a thread owns an entry of x and adds the windows that it won."""
    n, c, h, w = shape
    dx: Floats = cp.empty(shape, dtype=dy.dtype)
    sizes = n * c, h, w, size, stride, *dy.shape[2:]
    fast("max_pool_backward", cover(dx.size), dy, winner, *sizes, dx, T=dy.dtype)
    return dx
