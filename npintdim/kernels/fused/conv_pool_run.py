"""A run of convolutions with pooling (`conv_pool.py`), block by block: a block stays near through all layers.

A run is an array of rows (c_in, h, w, c_out, k, relu); its parameters lie as in theta. A block holds
the inputs of all layers and the output of the last, one after another.
"""

from __future__ import annotations

import functools
import math
from typing import Any, TypeAlias

import numpy as np

from npintdim.kernels.fused.conv_pool import add_dW, back, conv_pool, frame, pooled, unpool
from npintdim.kernels.numba_cpu.machinery.gemm import transpose
from npintdim.kernels.numba_cpu.machinery.jit import frozen, jit
from npintdim.kernels.numba_cpu.machinery.share import each, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES
from npintdim.kernels.numba_cpu.machinery.tile import seen
from npintdim.typing import Array, Floats

PARTS = 8  # partial sums of the gradient, whatever the number of threads
LINE = 64  # bytes of a cache line
Rows: TypeAlias = tuple[tuple[int, ...], ...]


@jit
def layer(run, m):
    """Its shape, and where its weights, its inputs, its outputs, its winners and its dz begin."""
    W = x = winner = dz = 0
    for i in range(m + 1):
        shape = (run[i, 0], run[i, 1], run[i, 2], run[i, 3], run[i, 4], run[i, 5])
        c_in, h, w, c_out, k, _ = shape
        if i == m:
            break
        p, q = pooled(shape)
        W += (c_in * k * k + 1) * c_out
        x += c_in * h * w * LANES
        winner += c_out * p * q * LANES
        dz += c_out * (2 * p + 2) * (2 * q + 2) * LANES
    return shape, W, x, x + c_in * h * w * LANES, winner, dz


@jit
def to_block(x, q, block):
    """Examples 16 q, 16 q + 1, ... as columns; zeros where there are no more."""
    size = len(block) // LANES
    count = min(LANES, len(x) // size - q * LANES)
    if count < LANES:
        block[:] = 0
    transpose(x, q * LANES * size, size, count, size, block, 0, LANES)


@jit
def from_block(block, q, y):
    """Columns as examples 16 q, 16 q + 1, ..., as far as there are any."""
    size = len(block) // LANES
    transpose(seen(block), 0, LANES, size, min(LANES, len(y) // size - q * LANES), y, q * LANES * size, size)


@shared
def forward(x, theta, run, images, winners, y, work):
    """All layers, block by block."""
    for q in each(work, 0, len(images)):
        image = images[q]
        to_block(x, q, image[: layer(run, 0)[3]])
        for m in range(len(run)):
            shape, W, at, to, place, _ = layer(run, m)
            conv_pool(image, at, theta, W, shape, image, to, winners[q], place)
        from_block(image[to:], q, y)
    linger(work)


@shared
def backward(dy, theta, run, images, winners, scratch, sums, dx, need_dx, work):
    """sums[s] = gradient over part s of the blocks; dx if needed."""
    last = len(run) - 1
    end = layer(run, last)[3]
    _, _, _, _, rank = work
    own = scratch[rank]
    image, dzs = own[: images.shape[1]], own[images.shape[1] :]
    for m in range(len(run)):
        shape, _, _, _, _, framed = layer(run, m)
        frame(shape, dzs[framed:])
    for s in each(work, 0, PARTS):
        for q in range(len(images) * s // PARTS, len(images) * (s + 1) // PARTS):
            to_block(dy, q, image[end:])
            for m in range(last, -1, -1):
                shape, W, at, to, place, framed = layer(run, m)
                dz, b = dzs[framed:], W + shape[0] * shape[4] ** 2 * shape[3]
                unpool(image, to, winners[q], place, shape, dz, sums[s, b:])
                add_dW(dz, images[q], at, shape, sums[s], W)
                if m > 0 or need_dx:
                    back(dz, theta, W, shape, image, at)
            if need_dx:
                from_block(image[: layer(run, 0)[3]], q, dx)
    linger(work)


@jit
def join(sums, grad):
    """The partial sums in their order."""
    grad[:] = sums[0]
    for s in range(1, len(sums)):
        part = sums[s]
        for i in range(len(grad)):
            grad[i] += part[i]


def lines(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array that begins at a cache line, so that each of its vectors lies in as few as possible."""
    raw = np.empty(math.prod(shape) * dtype.itemsize + LINE, dtype=np.uint8)
    start = -raw.__array_interface__["data"][0] % LINE
    return raw[start : start + raw.size - LINE].view(dtype).reshape(shape)


class Geometry:
    """What follows from the layers of a run, given as rows (c_in, h, w, c_out, k, relu)."""

    def __init__(self, rows: Rows) -> None:
        self.rows = np.array(rows, dtype=np.int64)
        c_in, h, w, c_out, k, _ = self.rows.T
        p, q = (h - k + 1) // 2, (w - k + 1) // 2
        self.x_shape = rows[0][:3]
        self.y_shape = int(c_out[-1]), int(p[-1]), int(q[-1])
        self.image = (int((c_in * h * w).sum()) + math.prod(self.y_shape)) * LANES  # numbers in a block
        self.winners = int((c_out * p * q).sum()) * LANES
        self.framed = int((c_out * (2 * p + 2) * (2 * q + 2)).sum()) * LANES
        self.work = float((c_in * k * k * c_out * 4 * p * q).sum())  # products for an example


geometry = functools.cache(Geometry)


def conv_pool_forward(x: Floats, theta: Floats, rows: Rows, threads: int) -> tuple[Floats, Any]:
    """Output (n, c, h, w) of images x (n, c, h, w), and what the way back needs."""
    run = geometry(rows)
    blocks = -(-len(x) // LANES)
    images = lines((blocks, run.image), theta.dtype)
    winners = lines((blocks, run.winners), np.dtype(np.int8))
    y = np.empty((len(x), *run.y_shape), dtype=theta.dtype)
    flat = frozen(x.reshape(-1), theta)
    forward(*flat, run.rows, images, winners, y.reshape(-1), worth(threads, "tile", len(x) * run.work))
    return y, (images, winners)


def conv_pool_backward(
    theta: Floats, rows: Rows, cache: Any, dy: Floats, need_dx: bool, threads: int
) -> tuple[Floats | None, Floats]:
    """dx (None unless needed) and the gradient of the parameters."""
    run = geometry(rows)
    threads = worth(threads, "tile", 2 * len(dy) * run.work)
    scratch = lines((threads, run.image + run.framed), theta.dtype)
    sums = np.zeros((PARTS, len(theta)), dtype=theta.dtype)
    dx = np.empty((len(dy) if need_dx else 0, *run.x_shape), dtype=theta.dtype)
    flat = frozen(dy.reshape(-1), theta)
    backward(*flat, run.rows, *cache, scratch, sums, dx.reshape(-1), need_dx, threads)
    dtheta = np.empty_like(theta)
    join(sums, dtheta)
    return dx if need_dx else None, dtheta
