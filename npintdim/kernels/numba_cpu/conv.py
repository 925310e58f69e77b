"""Two-dimensional convolution; the definition is `reference/conv.py`.

An image is laid flat with rows of w' numbers, padding included, so that tap t = (c, a, b) is a shift
by offsets_t = (c h' + a) w' + b, and for all places q = i w' + j of the output at once

    y[o, q] = Σ_t W[o, t] x[q + offsets_t]        dW[o, t] = Σ_q dy[o, q] x[q + offsets_t]

Places between the end of an output row and the next one are computed too, and left out when rows
are copied; with a stride s the places in between are as well. dx is the same correlation of dy,
spread out by the stride in a frame of zeros, with the kernels turned round.
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.jit import frozen, jit
from npintdim.kernels.numba_cpu.machinery.lanes import total
from npintdim.kernels.numba_cpu.machinery.share import each, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, load, muladd, store, zeros
from npintdim.typing import Floats, Ints

CHANNELS, PLACES, TAPS = 4, 2 * LANES, 5  # of a tile, which is held in registers
PARTS = 8  # partial sums of dW, whatever the number of threads


@jit
def correlate(x, offsets, W, run, y):
    """y[o · run + q] = Σ_t W[t, o] x[q + offsets_t] for q < run."""
    for o in range(0, W.shape[1], CHANNELS):
        for q in range(0, run, PLACES):
            a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = zeros(x)
            for t in range(len(offsets)):
                x0, x1 = load(x, q + offsets[t]), load(x, q + offsets[t] + LANES)
                a0, a1 = muladd(W[t, o], x0, a0), muladd(W[t, o], x1, a1)
                b0, b1 = muladd(W[t, o + 1], x0, b0), muladd(W[t, o + 1], x1, b1)
                c0, c1 = muladd(W[t, o + 2], x0, c0), muladd(W[t, o + 2], x1, c1)
                d0, d1 = muladd(W[t, o + 3], x0, d0), muladd(W[t, o + 3], x1, d1)
            for c, (s0, s1) in enumerate(((a0, a1), (b0, b1), (c0, c1), (d0, d1))):
                store(y, (o + c) * run + q, s0)
                store(y, (o + c) * run + q + LANES, s1)


@jit
def add_products(w, x, sums):
    """sums + w x, for five x."""
    return (
        muladd(w, x[0], sums[0]),
        muladd(w, x[1], sums[1]),
        muladd(w, x[2], sums[2]),
        muladd(w, x[3], sums[3]),
        muladd(w, x[4], sums[4]),
    )


@jit
def weigh(x, offsets, dy, run, sums):
    """sums[o, t, lane] += Σ_q dy[o · run + q] x[q + offsets_t] over every 16th q."""
    nothing = zeros(x)
    for o in range(0, len(sums), CHANNELS):
        for t in range(0, len(offsets), TAPS):
            a = b = c = d = (nothing, nothing, nothing, nothing, nothing)
            f0, f1, f2, f3, f4 = offsets[t], offsets[t + 1], offsets[t + 2], offsets[t + 3], offsets[t + 4]
            for q in range(0, run, LANES):
                taps = load(x, q + f0), load(x, q + f1), load(x, q + f2), load(x, q + f3), load(x, q + f4)
                a = add_products(load(dy, o * run + q), taps, a)
                b = add_products(load(dy, (o + 1) * run + q), taps, b)
                c = add_products(load(dy, (o + 2) * run + q), taps, c)
                d = add_products(load(dy, (o + 3) * run + q), taps, d)
            for i, channel in enumerate((a, b, c, d)):
                for j, s in enumerate(channel):
                    kept = sums[o + i, t + j]
                    store(kept, 0, load(kept, 0) + s)


@jit
def lay(image, first, step, height, width, plane, flat):
    """Put entry (i, j) of each channel at row first + i · step, column first + j · step of its plane, if there."""
    low = max(0, (step - 1 - first) // step)
    for c in range(len(image)):
        for i in range(low, min(image.shape[1], (height - first + step - 1) // step)):
            line = flat[c * plane + (first + i * step) * width :]
            for j in range(low, min(image.shape[2], (width - first + step - 1) // step)):
                line[first + j * step] = image[c, i, j]


@jit
def pick(flat, step, width, run, image):
    """Entry (i, j) of each channel from row i · step, column j · step of its plane."""
    for c in range(len(image)):
        for i in range(image.shape[1]):
            line = flat[c * run + i * step * width :]
            for j in range(image.shape[2]):
                image[c, i, j] = line[j * step]


@shared
def correlate_images(x, first, spacing, frame, offsets, W, stride, y, work):
    """y of images x laid into a frame."""
    height, width = frame
    run = reach(y.shape[2], y.shape[3], stride, width)
    flat = np.zeros(x.shape[1] * height * width + PLACES, x.dtype)
    out = np.empty(W.shape[1] * run, x.dtype)
    for i in each(work, 0, len(x)):
        lay(x[i], first, spacing, height, width, height * width, flat)
        correlate(flat, offsets, W, run, out)
        pick(out, stride, width, run, y[i])
    linger(work)


@shared
def weigh_images(x, padding, frame, offsets, dy, stride, sums, work):
    """sums[q] of part q of the images."""
    height, width = frame
    run = reach(dy.shape[2], dy.shape[3], stride, width)
    flat = np.zeros(x.shape[1] * height * width + PLACES, x.dtype)
    flat_dy = np.zeros(sums.shape[1] * run, x.dtype)
    for q in each(work, 0, PARTS):
        for i in range(len(x) * q // PARTS, len(x) * (q + 1) // PARTS):
            lay(x[i], padding, 1, height, width, height * width, flat)
            lay(dy[i], 0, stride, height, width, run, flat_dy)
            weigh(flat, offsets, flat_dy, run, sums[q])
    linger(work)


@jit
def reach(rows, columns, stride, width):
    """Places from the first to the last of an output, in whole tiles."""
    last = ((rows - 1) * width + columns - 1) * stride
    return (last // PLACES + 1) * PLACES


@jit
def join(sums, dW):
    """dW[o, t] = Σ over parts and lanes."""
    for o in range(dW.shape[0]):
        for t in range(dW.shape[1]):
            s = load(sums[0, o, t], 0)
            for q in range(1, PARTS):
                s = s + load(sums[q, o, t], 0)
            dW[o, t] = total(s)


def shifts(channels: int, k: int, frame: tuple[int, int]) -> Ints:
    """offsets_t of the taps t = (c, a, b)."""
    c, a, b = np.ogrid[:channels, :k, :k]
    offsets: Ints = ((c * frame[0] + a) * frame[1] + b).reshape(-1)
    return offsets


def columns(W: Floats) -> Floats:
    """W[t, o], with zeros up to whole tiles of output channels."""
    flat = W.reshape(len(W), -1).T
    return np.pad(flat, ((0, 0), (0, -len(W) % CHANNELS)))


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a − p, j·s + b − p]."""
    n, c, h, w = x.shape
    k = W.shape[-1]
    frame = h + 2 * padding, w + 2 * padding
    y = np.empty((n, len(W), (frame[0] - k) // stride + 1, (frame[1] - k) // stride + 1), dtype=x.dtype)
    threads = worth(threads, "convolution", y.size * W[0].size)
    correlate_images(frozen(x), padding, 1, frame, shifts(c, k, frame), columns(W), stride, y, threads)
    return y


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    c, h, w = x.shape[1:]
    k = W.shape[-1]
    x, dy = frozen(x), frozen(dy)
    threads = worth(threads, "convolution", dy.size * W[0].size)
    frame = h + 2 * padding, w + 2 * padding
    offsets = shifts(c, k, frame)
    offsets = np.pad(offsets, (0, -len(offsets) % TAPS), mode="edge")
    sums = np.zeros((PARTS, len(W) + -len(W) % CHANNELS, len(offsets), LANES), dtype=x.dtype)
    weigh_images(x, padding, frame, offsets, dy, stride, sums, threads)
    dW = np.empty(W.shape, dtype=x.dtype)
    join(sums, dW.reshape(len(W), -1))
    if not need_dx:
        return None, dW
    frame = h + k - 1, w + k - 1
    turned = columns(W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    dx = np.empty(x.shape, dtype=x.dtype)
    correlate_images(dy, k - 1 - padding, stride, frame, shifts(len(W), k, frame), turned, 1, dx, threads)
    return dx, dW
