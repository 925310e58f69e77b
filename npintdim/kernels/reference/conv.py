"""Two-dimensional convolution (cross-correlation, as every deep-learning text means it) by windows.

y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a − p, j·s + b − p]

Large kernels are taken to the frequency domain (`kernels/conv_spectrum.py`); everything else is done here.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from npintdim.kernels import conv_spectrum
from npintdim.typing import Floats


def windows(x: Floats, k: int, stride: int) -> Floats:
    """All k×k windows of padded images as a view: (n, c, h_out, w_out, k, k)."""
    return sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]


def pad(x: Floats, padding: int) -> Floats:
    """Frame every image with `padding` zeros."""
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))) if padding else x


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """Convolve.

    Parameters
    ----------
    x : (n, c_in, h, w)
    W : (c_out, c_in, k, k)
    stride, padding : the same in both directions
    threads : ignored here

    Returns
    -------
    (n, c_out, h_out, w_out), h_out = (h + 2 padding − k) // stride + 1
    """
    if conv_spectrum.pays(x, W, stride, padding):
        return conv_spectrum.conv2d_forward(x, W, padding)
    seen = windows(pad(x, padding), W.shape[-1], stride)
    y = np.tensordot(seen, W, axes=((1, 4, 5), (1, 2, 3)))
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """Gradients of conv2d_forward.

    dW[o, c, a, b] = Σ_{n, i, j} dy[n, o, i, j] · x[n, c, i·s + a − p, j·s + b − p]
    dx[n, c, i·s + a − p, j·s + b − p] += Σ_o W[o, c, a, b] · dy[n, o, i, j]

    Returns
    -------
    dx : shape of x, or None where need_dx is False
    dW : shape of W
    """
    if conv_spectrum.pays(x, W, stride, padding):
        return conv_spectrum.conv2d_backward(x, W, dy, padding, need_dx)
    k = W.shape[-1]
    n, c, h, w = x.shape
    seen = windows(pad(x, padding), k, stride)
    dW = np.tensordot(dy, seen, axes=((0, 2, 3), (0, 2, 3)))
    if not need_dx:
        return None, dW
    spread = np.tensordot(dy, W, axes=((1,), (0,)))  # (n, h_out, w_out, c, k, k): what each window gets
    dx = np.zeros((n, c, h + 2 * padding, w + 2 * padding), dtype=x.dtype)
    rows, columns = stride * dy.shape[2], stride * dy.shape[3]
    for a in range(k):
        for b in range(k):
            target = dx[:, :, a : a + rows : stride, b : b + columns : stride]
            target += spread[:, :, :, :, a, b].transpose(0, 3, 1, 2)
    return np.ascontiguousarray(dx[:, :, padding : padding + h, padding : padding + w]), dW
