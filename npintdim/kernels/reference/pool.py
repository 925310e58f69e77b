"""Max-pooling: the largest entry of each window, and the way back to it."""

from __future__ import annotations

import numpy as np

from npintdim.kernels.reference.conv import windows
from npintdim.typing import Floats, Ints


def max_pool_forward(x: Floats, size: int, stride: int, threads: int = 1) -> tuple[Floats, Ints]:
    """y[n, c, i, j] = max_{a, b < size} x[n, c, i·stride + a, j·stride + b].

    Parameters
    ----------
    x : (n, c, h, w)
    size, stride : of the window
    threads : ignored here

    Returns
    -------
    y : (n, c, h_out, w_out), h_out = (h − size) // stride + 1
    winner : int32, the shape of y: a·size + b of the maximum, the first one on a tie
    """
    seen = windows(x, size, stride)
    flat = seen.reshape(*seen.shape[:4], size * size)
    winner = flat.argmax(axis=-1).astype(np.int32)
    y = np.take_along_axis(flat, winner[..., None].astype(np.intp), axis=-1)[..., 0]
    return y, winner


def max_pool_backward(
    dy: Floats, winner: Ints, shape: tuple[int, ...], size: int, stride: int, threads: int = 1
) -> Floats:
    """dx[winner of each window] += dy; windows may overlap.

    Parameters
    ----------
    dy, winner : (n, c, h_out, w_out)
    shape : of x

    Returns
    -------
    dx of that shape
    """
    dx = np.zeros(shape, dtype=dy.dtype)
    rows, columns = stride * dy.shape[2], stride * dy.shape[3]
    for place in range(size * size):
        a, b = divmod(place, size)
        target = dx[:, :, a : a + rows : stride, b : b + columns : stride]
        target += np.where(winner == place, dy, 0)
    return dx
