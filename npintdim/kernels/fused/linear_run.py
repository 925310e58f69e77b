"""A run of Linear layers, with ReLU or without: y_m = max(y_{m−1} W_m + b_m, 0), m = 1, ..., M.

`sizes` are the features n_0, n_1, ..., n_M; the parameters lie as in theta: W_1, b_1, W_2, ... All y_m
lie one after another in one array, as if y_0 = x did too; so do the dz_m = ∂L/∂(y_{m−1} W_m + b_m).
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import WIDE
from npintdim.kernels.numba_cpu.machinery.tile import multiply, seen, transpose
from npintdim.typing import Array, Floats, Ints

__all__ = ["WIDE", "linear_backward", "linear_forward"]

EXAMPLES, INPUTS = 32, 64  # rows of y, rows of dW that one thread makes at a time
NEXT = np.int64(1)  # a step of 1; a plain 1 would have `multiply` compiled for it alone


@jit
def layer(sizes, m, n):
    """n_{m−1}, n_m, and where W_m, y_{m−1} and y_m of n examples begin."""
    W = before = 0
    for i in range(1, m):
        W += (sizes[i - 1] + 1) * sizes[i]
        before += n * sizes[i - 1]
    return sizes[m - 1], sizes[m], W, before, before + n * sizes[m - 1]


@jit
def affine(y, at, b, rows, relu):
    """Add b to rows of y and, with relu, take the positive part; NaN stays."""
    floor = y.dtype.type(0 if relu else -np.inf)
    for i in range(rows):
        line = y[at + i * len(b) :][: len(b)]
        for j in range(len(b)):
            z = line[j] + b[j]
            line[j] = floor if z < floor else z


@jit
def close(dz, y):
    """Dz = dy · [y > 0], in place."""
    zero = dz.dtype.type(0)
    for i in range(len(dz)):
        dz[i] = dz[i] if y[i] > zero else zero


@shared
def forward(x, theta, sizes, relu, y, work):
    """Every y_m, for a few examples at a time."""
    n = len(x) // sizes[0]
    for part in each(work, 0, (n + EXAMPLES - 1) // EXAMPLES):
        low = part * EXAMPLES
        rows = min(EXAMPLES, n - low)
        for m in range(1, len(sizes)):
            n_in, n_out, W, before, after = layer(sizes, m, n)
            here, b = after + low * n_out, theta[W + n_in * n_out :][:n_out]
            source, at = (x, 0) if m == 1 else (seen(y), before)
            multiply(source, at + low * n_in, n_in, NEXT, theta, W, y, here, rows, n_in, n_out)
            affine(y, here, b, rows, relu[m - 1])
    linger(work)


@jit
def descend(turned, sizes, relu, y, dz, lowest, n, low, rows):
    """dz_{m−1} = (dz_m W_mᵀ) · [y_{m−1} > 0] for a few examples; `turned` holds the W_mᵀ."""
    for m in range(len(sizes) - 1, 0, -1):
        n_in, n_out, W, before, after = layer(sizes, m, n)
        here = after + low * n_out
        if relu[m - 1]:
            close(dz[here:][: rows * n_out], y[here:][: rows * n_out])
        if m >= lowest:
            to = before + low * n_in
            multiply(seen(dz), here, n_out, NEXT, seen(turned), W, dz, to, rows, n_out, n_in)


@jit
def parts(sizes):
    """Into how many parts the rows of some dW are shared out."""
    count = 0
    for n_in in sizes:
        count += (n_in + INPUTS - 1) // INPUTS
    return count


@jit
def dW_rows(source, at, dz, after, n, n_in, n_out, dW, low, rows):
    """A few rows of dW_m = y_{m−1}ᵀ dz_m; with the first ones db_m = Σ dz_m, which lies behind dW_m."""
    multiply(source, at + low, NEXT, n_in, dz, after, dW, low * n_out, rows, n, n_out)
    if low == 0:
        db = dW[n_in * n_out :][:n_out]
        db[:] = 0
        for i in range(n):
            line = dz[after + i * n_out :][:n_out]
            for j in range(n_out):
                db[j] += line[j]


@shared
def backward(x, theta, sizes, relu, y, dz, turned, grad, lowest, work):
    """W_mᵀ layer by layer, then every dz_m, then every dW_m and db_m."""
    n = len(x) // sizes[0]
    for m in each(work, 0, len(sizes) - lowest):
        n_in, n_out, W, _, _ = layer(sizes, lowest + m, 0)
        transpose(theta, W, n_out, n_in, n_out, turned, W, n_in)
    for part in each(work, 1, (n + EXAMPLES - 1) // EXAMPLES):
        low = part * EXAMPLES
        descend(turned, sizes, relu, y, dz, lowest, n, low, min(EXAMPLES, n - low))
    for part in each(work, 2, parts(sizes[:-1])):
        m = 1
        while part >= parts(sizes[m - 1 : m]):
            part -= parts(sizes[m - 1 : m])
            m += 1
        n_in, n_out, W, before, after = layer(sizes, m, n)
        low = part * INPUTS
        rows = min(INPUTS, n_in - low)
        source, at = (x, 0) if m == 1 else (seen(y), before)
        dW_rows(source, at, seen(dz), after, n, n_in, n_out, grad[W:], low, rows)
    linger(work)


def linear_forward(x: Floats, theta: Floats, sizes: Ints, relu: Array, threads: int) -> Floats:
    """All y_m of examples x (n, n_0), the last one at the end."""
    y = np.empty(len(x) * int(sizes.sum()), dtype=theta.dtype)
    threads = worth(threads, "tile", len(x) * len(theta))
    forward(*frozen(x.reshape(-1), theta), sizes, relu, y, threads)
    return y


def linear_backward(
    x: Floats, theta: Floats, sizes: Ints, relu: Array, y: Floats, dy: Floats, need_dx: bool, threads: int
) -> tuple[Floats | None, Floats]:
    """dx (None unless needed) and the gradient of the parameters, from dy = ∂L/∂y_M."""
    dz, turned, dtheta = np.empty_like(y), np.empty_like(theta), np.empty_like(theta)
    dz[len(dz) - dy.size :] = dy.reshape(-1)
    threads = worth(threads, "tile", 2 * len(x) * len(theta))
    lowest = 1 if need_dx else 2
    backward(*frozen(x.reshape(-1), theta), sizes, relu, y, dz, turned, dtheta, lowest, threads)
    return dz[: x.size].reshape(x.shape) if need_dx else None, dtheta
