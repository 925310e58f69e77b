"""Convolution with bias, ReLU or not, and 2×2 max-pooling, forward and backward, for blocks of 16 examples.

A block holds its examples as [channel][row][column][example], so that every operation works lane by
lane: no edges, no shuffles, and a weight is one number for all lanes. Of a convolution only the
largest of each window and its place are kept. `shape` is (c_in, h, w, c_out, k, relu).

A run of them is an array of such rows; its parameters lie as in theta. It is done block by block,
so that a block stays near through all layers: it holds the inputs of all layers and the output of the last,
one after another.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any, TypeAlias

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, WIDE, binary, load, select, store, total, zeros
from npintdim.kernels.numba_cpu.machinery.tile import (
    load_first,
    numbers_by_vectors,
    seen,
    store_first,
    totals,
    transpose,
    vectors_by_vectors,
)
from npintdim.typing import Array, Floats

CHANNELS, TAPS = 3 if WIDE else 2, 5  # of a tile
PARTS = 8  # partial sums of the gradient, whatever the number of threads
LINE = 64  # bytes of a cache line
Rows: TypeAlias = tuple[tuple[int, ...], ...]
CLOSED = np.int8(4)  # the place in the window where ReLU lets no gradient through

binary(operator.eq, "fcmp_ordered", "icmp_unsigned", ("==",))
binary(operator.ne, "fcmp_unordered", "icmp_unsigned", ("!=",))


@jit
def pooled(shape):
    """Height and width of the output."""
    _, h, w, _, k, _ = shape
    return (h - k + 1) // 2, (w - k + 1) // 2


@jit
def keep(sums, b, relu, y, at, winners, place, plane):
    """Of each channel's four sums the largest, plus b, and where it was: the first on a tie; NaN wins."""
    nothing, zero = zeros(winners), zeros(y)
    for c, (s0, s1, s2, s3) in enumerate(sums):
        best, winner = s0, nothing
        for i, s in ((np.int8(1), s1), (np.int8(2), s2), (np.int8(3), s3)):
            wins = (best < s) | (s != s)
            best, winner = select(wins, s, best), select(wins, i, winner)
        best = best + b[c]
        if relu:
            winner = select(zero < best, winner, CLOSED)
            best = select(best < zero, zero, best)
        store(y, at + c * plane, best)
        store(winners, place + c * plane, winner)


@jit
def conv_pool(x, at, theta, W, shape, y, to, winners, place):
    """y[o, i, j] = b[o] + max over u, v < 2 of Σ_{c, a, b} W[o, c, a, b] · x[c, 2i + u + a, 2j + v + b]."""
    c_in, h, w, c_out, k, relu = shape
    p, q = pooled(shape)
    taps, plane, b = c_in * k * k, p * q * LANES, theta[W + c_out * c_in * k * k :]
    window = np.array([0, 1, w, w + 1]) * LANES
    loops = ((c_in, k, k), (k * k, k, 1), (h * w * LANES, w * LANES, LANES))
    for i in range(p):
        o = 0
        while o < c_out:
            whole, V = o + CHANNELS <= c_out, W + o * taps
            for j in range(q):
                corner, here = at + 2 * (i * w + j) * LANES, o * plane + (i * q + j) * LANES
                if whole:
                    s = numbers_by_vectors(CHANNELS, 4, theta, V, taps, x, corner, window, loops, LANES)
                    keep(s, b[o:], relu, y, to + here, winners, place + here, plane)
                else:
                    t = numbers_by_vectors(1, 4, theta, V, taps, x, corner, window, loops, LANES)
                    keep(t, b[o:], relu, y, to + here, winners, place + here, plane)
            o += CHANNELS if whole else 1


@jit
def frame(shape, dz):
    """Zeros around each channel of dz."""
    p, q = pooled(shape)
    height, width = 2 * p + 2, (2 * q + 2) * LANES
    for o in range(shape[3]):
        plane = dz[o * height * width :]
        plane[:width] = 0
        for i in range(1, height):
            plane[i * width - LANES : i * width + LANES] = 0
        plane[(height - 1) * width : height * width] = 0


@jit
def unpool(dy, at, winners, place, shape, dz, db):
    """Every dy at its winner's place in dz, which has a frame of zeros; db += Σ dz."""
    c_out, (p, q), zero = shape[3], pooled(shape), zeros(dy)
    width = 2 * q + 2
    for o in range(c_out):
        s = zero
        for i in range(p):
            for j in range(q):
                here = ((o * p + i) * q + j) * LANES
                corner = ((o * (2 * p + 2) + 2 * i + 1) * width + 2 * j + 1) * LANES
                d, winner = load(dy, at + here), load(winners, place + here)
                for u, shift in enumerate((0, 1, width, width + 1)):
                    store(dz, corner + shift * LANES, select(winner == np.int8(u), d, zero))
                s = s + select(winner == CLOSED, zero, d)
        db[o] += total(s)


@jit
def add(sums, dW, at, apart):
    """dW[o, t] += the sums over the lanes of a tile."""
    for o, line in enumerate(sums):
        i = at + o * apart
        store_first(dW, i, load_first(dW, i, len(line)) + totals(line), len(line))


@jit
def add_dW(dz, x, at, shape, grad, W):
    """dW[o, t] += Σ_{i, j} dz[o, i, j] · x[c, i + a, j + b] for all taps t = (c, a, b)."""
    c_in, h, w, c_out, k, _ = shape
    p, q = pooled(shape)
    width, taps = 2 * q + 2, c_in * k * k
    plane = (2 * p + 2) * width * LANES
    shifts = np.array([((t // (k * k) * h + t // k % k) * w + t % k) * LANES for t in range(taps)])
    loops = ((2 * p, 2 * q), (width * LANES, LANES), (w * LANES, LANES))
    o = 0
    while o < c_out:
        whole, corner = o + CHANNELS <= c_out, o * plane + (width + 1) * LANES
        t = 0
        while t < taps:
            many, here, V = t + TAPS <= taps, shifts[t:], W + o * taps + t
            if whole and many:
                a = vectors_by_vectors(CHANNELS, TAPS, dz, corner, plane, x, at, here, loops, LANES)
                add(a, grad, V, taps)
            elif whole:
                b = vectors_by_vectors(CHANNELS, 1, dz, corner, plane, x, at, here, loops, LANES)
                add(b, grad, V, taps)
            elif many:
                c = vectors_by_vectors(1, TAPS, dz, corner, plane, x, at, here, loops, LANES)
                add(c, grad, V, taps)
            else:
                d = vectors_by_vectors(1, 1, dz, corner, plane, x, at, here, loops, LANES)
                add(d, grad, V, taps)
            t += TAPS if many else 1
        o += CHANNELS if whole else 1


@jit
def put(sums, dx, at, plane, below, right, w):
    """Four sums of each channel, as far as the image goes."""
    for c, (s0, s1, s2, s3) in enumerate(sums):
        i = at + c * plane
        store(dx, i, s0)
        if right:
            store(dx, i + LANES, s1)
        if below:
            store(dx, i + w * LANES, s2)
        if below and right:
            store(dx, i + (w + 1) * LANES, s3)


@jit
def back(dz, theta, W, shape, dx, to):
    """dx[c, i, j] = Σ_{o, a, b} W[o, c, a, b] · dz[o, i − a, j − b], less taps that meet only the frame."""
    c_in, h, w, c_out, k, _ = shape
    p, q = pooled(shape)
    width = 2 * q + 2
    window = np.array([0, 1, width, width + 1]) * LANES
    for i in range(0, h, 2):
        a = max(0, i - 2 * p + 1)
        for j in range(0, w, 2):
            b = max(0, j - 2 * q + 1)
            counts = (c_out, min(k, i + 2) - a, min(k, j + 2) - b)
            loops = (counts, (c_in * k * k, k, 1), ((2 * p + 2) * width * LANES, -width * LANES, -LANES))
            corner = ((i - a + 1) * width + j - b + 1) * LANES
            c = 0
            while c < c_in:
                V, here = W + (c * k + a) * k + b, to + ((c * h + i) * w + j) * LANES
                if c + CHANNELS <= c_in:
                    s = numbers_by_vectors(CHANNELS, 4, theta, V, k * k, dz, corner, window, loops, LANES)
                    put(s, dx, here, h * w * LANES, i + 1 < h, j + 1 < w, w)
                    c += CHANNELS
                else:
                    t = numbers_by_vectors(1, 4, theta, V, k * k, dz, corner, window, loops, LANES)
                    put(t, dx, here, h * w * LANES, i + 1 < h, j + 1 < w, w)
                    c += 1


# ---- a run, block by block ----


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
