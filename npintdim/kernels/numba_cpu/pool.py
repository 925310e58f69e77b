"""Max-pooling; the definition is `reference/pool.py`."""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
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
                    wins = (not seen <= best) & (best == best)
                    best = seen if wins else best
                    place = a * size + b if wins else place
            y[i, j], winner[i, j] = best, place


@shared
def pool_planes(x, size, stride, y, winner, work):
    """All planes."""
    for p in each(work, 0, len(x)):
        pool_plane(x[p], size, stride, y[p], winner[p])
    linger(work)


def max_pool_forward(x: Floats, size: int, stride: int, threads: int = 1) -> tuple[Floats, Ints]:
    """y[n, c, i, j] = max_{a, b < size} x[n, c, i·stride + a, j·stride + b], and where it was."""
    n, c, h, w = x.shape
    shape = n, c, (h - size) // stride + 1, (w - size) // stride + 1
    y, winner = np.empty(shape, dtype=x.dtype), np.empty(shape, dtype=np.int32)
    outputs = (array.reshape(n * c, *shape[2:]) for array in (y, winner))
    pool_planes(*frozen(x.reshape(n * c, h, w)), size, stride, *outputs, worth(threads, "pool", x.size))
    return y, winner


@shared
def unpool_planes(dy, winner, size, stride, dx, work):
    """Windows in descending order: those that share a winner then add to it in the definition's order."""
    for p in each(work, 0, len(dx)):
        for i in range(dy.shape[1] - 1, -1, -1):
            for j in range(dy.shape[2] - 1, -1, -1):
                a, b = divmod(winner[p, i, j], size)
                dx[p, i * stride + a, j * stride + b] += dy[p, i, j]
    linger(work)


def max_pool_backward(
    dy: Floats, winner: Ints, shape: tuple[int, ...], size: int, stride: int, threads: int = 1
) -> Floats:
    """dx[winner of each window] += dy; windows may overlap."""
    n, c, h, w = shape
    dx = np.zeros((n * c, h, w), dtype=dy.dtype)
    dy, winner = frozen(*(array.reshape(n * c, *array.shape[2:]) for array in (dy, winner)))
    unpool_planes(dy, winner, size, stride, dx, worth(threads, "unpool", dy.size))
    return dx.reshape(shape)
