"""Two-dimensional convolution; the definition is `reference/conv.py`."""

from __future__ import annotations

import numpy as np
from numba import prange

from npintdim.kernels.numba_cpu.jit import frozen, spread
from npintdim.kernels.reference.conv import pad
from npintdim.typing import Floats

PARTS = 8


@spread
def correlate(x, W, stride, y, parts):
    """y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a, j·s + b]."""
    k = W.shape[2]
    for t in prange(parts):
        for n in range(len(x) * t // parts, len(x) * (t + 1) // parts):
            for o in range(W.shape[0]):
                for i in range(y.shape[2]):
                    line = y[n, o, i]
                    for c in range(W.shape[1]):
                        for a in range(k):
                            seen = x[n, c, i * stride + a]
                            for b in range(k):
                                for j in range(len(line)):
                                    line[j] += W[o, c, a, b] * seen[j * stride + b]


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a − p, j·s + b − p]."""
    k = W.shape[-1]
    n, _, h, w = x.shape
    shape = n, len(W), (h + 2 * padding - k) // stride + 1, (w + 2 * padding - k) // stride + 1
    y = np.zeros(shape, dtype=x.dtype)
    correlate(frozen(pad(x, padding)), frozen(W), stride, y, threads)
    return y


@spread
def weigh(x, dy, stride, dW, parts):
    """dW[q] = sum over part q of the images."""
    for t in prange(parts):
        for q in range(len(dW) * t // parts, len(dW) * (t + 1) // parts):
            for n in range(len(x) * q // len(dW), len(x) * (q + 1) // len(dW)):
                for o in range(dW.shape[1]):
                    for c in range(dW.shape[2]):
                        for a in range(dW.shape[3]):
                            for b in range(dW.shape[4]):
                                total = dy.dtype.type(0)
                                for i in range(dy.shape[2]):
                                    for j in range(dy.shape[3]):
                                        total += dy[n, o, i, j] * x[n, c, i * stride + a, j * stride + b]
                                dW[q, o, c, a, b] += total


@spread
def scatter(dy, W, stride, dx, parts):
    """dx[n, c, i·s + a, j·s + b] += Σ_o W[o, c, a, b] · dy[n, o, i, j]."""
    k = W.shape[2]
    for t in prange(parts):
        for n in range(len(dx) * t // parts, len(dx) * (t + 1) // parts):
            for o in range(W.shape[0]):
                for c in range(W.shape[1]):
                    for i in range(dy.shape[2]):
                        for a in range(k):
                            for b in range(k):
                                for j in range(dy.shape[3]):
                                    dx[n, c, i * stride + a, j * stride + b] += W[o, c, a, b] * dy[n, o, i, j]


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    h, w = x.shape[2:]
    padded, dy = frozen(pad(x, padding)), frozen(dy)
    dW = np.zeros((PARTS, *W.shape), dtype=x.dtype)
    weigh(padded, dy, stride, dW, threads)
    if not need_dx:
        return None, dW.sum(axis=0)
    dx = np.zeros(padded.shape, dtype=x.dtype)
    scatter(dy, frozen(W), stride, dx, threads)
    return np.ascontiguousarray(dx[:, :, padding : padding + h, padding : padding + w]), dW.sum(axis=0)
