"""Max-pooling; the definition is `reference/pool.py`."""

from __future__ import annotations

import numpy as np
from numba import prange

from npintdim.kernels.numba_cpu.jit import frozen, jit, spread
from npintdim.typing import Floats, Ints


@jit
def pool_plane(x, size, stride, y, winner):
    """One image of one channel; a NaN wins as in np.argmax."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            best, place = x[i * stride, j * stride], 0
            for a in range(size):
                for b in range(size):
                    seen = x[i * stride + a, j * stride + b]
                    if seen > best or (seen != seen and best == best):
                        best, place = seen, a * size + b
            y[i, j], winner[i, j] = best, place


@spread
def pool_planes(x, size, stride, y, winner, parts):
    """All planes."""
    for t in prange(parts):
        for p in range(len(x) * t // parts, len(x) * (t + 1) // parts):
            pool_plane(x[p], size, stride, y[p], winner[p])


def max_pool_forward(x: Floats, size: int, stride: int, threads: int = 1) -> tuple[Floats, Ints]:
    """y[n, c, i, j] = max_{a, b < size} x[n, c, i·stride + a, j·stride + b], and where it was."""
    n, c, h, w = x.shape
    shape = n, c, (h - size) // stride + 1, (w - size) // stride + 1
    y, winner = np.empty(shape, dtype=x.dtype), np.empty(shape, dtype=np.int32)
    planes = frozen(x).reshape(n * c, h, w)
    pool_planes(planes, size, stride, y.reshape(-1, *shape[2:]), winner.reshape(-1, *shape[2:]), threads)
    return y, winner


@spread
def unpool_planes(dy, winner, size, stride, dx, parts):
    """Places ascending, so that overlapping windows add in the order of the definition."""
    for t in prange(parts):
        for p in range(len(dx) * t // parts, len(dx) * (t + 1) // parts):
            for place in range(size * size):
                a, b = place // size, place % size
                for i in range(dy.shape[1]):
                    for j in range(dy.shape[2]):
                        if winner[p, i, j] == place:
                            dx[p, i * stride + a, j * stride + b] += dy[p, i, j]


def max_pool_backward(
    dy: Floats, winner: Ints, shape: tuple[int, ...], size: int, stride: int, threads: int = 1
) -> Floats:
    """dx[winner of each window] += dy; windows may overlap."""
    n, c, h, w = shape
    dx = np.zeros((n * c, h, w), dtype=dy.dtype)
    planes = dy.shape[2:]
    unpool_planes(
        frozen(dy).reshape(-1, *planes), frozen(winner).reshape(-1, *planes), size, stride, dx, threads
    )
    return dx.reshape(shape)
