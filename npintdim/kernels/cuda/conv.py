"""Convolution on the device by windows and one matrix product; the definition is `reference/conv.py`.

The windows are laid out as a matrix X of c_in·k·k rows and n·h_out·w_out columns. With W as a matrix of
c_out rows, and y and dy of c_out rows likewise,

    y = W X,   dW = dy Xᵀ,   dX = Wᵀ dy, collected in dx.
"""

from __future__ import annotations

import cupy as cp

from npintdim.kernels.cuda.launch import cover, fast
from npintdim.typing import Floats


def windows(x: Floats, k: int, stride: int, padding: int) -> tuple[Floats, int, int]:
    """X (c_in·k·k, n·h_out·w_out), h_out, w_out."""
    n, c, h, w = x.shape
    h_out, w_out = ((side + 2 * padding - k) // stride + 1 for side in (h, w))
    X: Floats = cp.empty((c * k * k, n * h_out * w_out), dtype=x.dtype)
    fast("spread_windows", cover(X.size), x, n, c, h, w, k, stride, padding, h_out, w_out, X, T=x.dtype)
    return X, h_out, w_out


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """Convolve."""
    c_out = len(W)
    X, h_out, w_out = windows(x, W.shape[-1], stride, padding)
    y = (W.reshape(c_out, -1) @ X).reshape(c_out, len(x), h_out, w_out)
    return cp.ascontiguousarray(y.transpose(1, 0, 2, 3))


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """Gradients of conv2d_forward."""
    k = W.shape[-1]
    n, c, h, w = x.shape
    X, h_out, w_out = windows(x, k, stride, padding)
    flat = cp.ascontiguousarray(dy.transpose(1, 0, 2, 3)).reshape(len(W), -1)
    dW = (flat @ X.T).reshape(W.shape)
    if not need_dx:
        return None, dW
    dX = W.reshape(len(W), -1).T @ flat
    dx: Floats = cp.empty(x.shape, dtype=x.dtype)
    fast("collect_windows", cover(dx.size), dX, n, c, h, w, k, stride, padding, h_out, w_out, dx, T=x.dtype)
    return dx, dW
