"""Two-dimensional convolution; the definition is `reference/conv.py`.

An image is laid flat with rows of w' numbers, padding included, so that tap t = (c, a, b) is a shift
by offsets_t = (c h' + a) w' + b, and for all places q = i w' + j of the output at once

    y[o, q] = Σ_t W[o, t] x[q + offsets_t]        dW[o, t] = Σ_q dy[o, q] x[q + offsets_t]

Places between the end of an output row and the next one are computed too, and left out when rows
are copied; with a stride s the places in between are as well. dx is the same correlation of dy,
spread out by the stride in a frame of zeros, with the kernels turned round. Kernels as large as the image are
taken to the frequency domain, as in the definition (`kernels/conv_spectrum.py`).
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels import conv_spectrum
from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, load, store, total
from npintdim.kernels.numba_cpu.machinery.tile import numbers_by_vectors, vectors_by_vectors
from npintdim.typing import Floats

CHANNELS, PLACES, TAPS = 4, 2 * LANES, 5  # of a tile, which is held in registers
SHIFTS = np.arange(2) * LANES
PARTS = 8  # partial sums of dW, whatever the number of threads


@jit
def correlate(x, W, loops, run, y):
    """y[o · run + q] = Σ_t W[o, t] x[q + offsets_t] for q < run; the loops walk through the taps."""
    taps = W.size // (y.size // run)
    for o in range(0, y.size // run, CHANNELS):
        for q in range(0, run, PLACES):
            tile = numbers_by_vectors(CHANNELS, 2, W, o * taps, taps, x, q, SHIFTS, loops, LANES)
            for c, (s0, s1) in enumerate(tile):
                store(y, (o + c) * run + q, s0)
                store(y, (o + c) * run + q + LANES, s1)


@jit
def add_dW(x, offsets, dy, run, sums):
    """sums[o, t, lane] += Σ_q dy[o · run + q] x[q + offsets_t] over every 16th q."""
    loops = (run // LANES,), (LANES,), (LANES,)
    for o in range(0, len(sums), CHANNELS):
        for t in range(0, len(offsets), TAPS):
            tile = vectors_by_vectors(CHANNELS, TAPS, dy, o * run, run, x, 0, offsets[t:], loops, LANES)
            for i, channel in enumerate(tile):
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
def correlate_images(x, first, spacing, frame, W, loops, stride, y, work):
    """y of images x laid into a frame."""
    height, width = frame
    run = reach(y.shape[2], y.shape[3], stride, width)
    flat = np.zeros(x.shape[1] * height * width + PLACES, x.dtype)
    out = np.empty(len(W) * run, x.dtype)
    for i in each(work, 0, len(x)):
        lay(x[i], first, spacing, height, width, height * width, flat)
        correlate(flat, W, loops, run, out)
        pick(out, stride, width, run, y[i])
    linger(work)


@shared
def dW_parts(x, padding, frame, offsets, dy, stride, sums, work):
    """sums[q] of part q of the images."""
    height, width = frame
    run = reach(dy.shape[2], dy.shape[3], stride, width)
    flat = np.zeros(x.shape[1] * height * width + PLACES, x.dtype)
    flat_dy = np.zeros(sums.shape[1] * run, x.dtype)
    for q in each(work, 0, PARTS):
        for i in range(len(x) * q // PARTS, len(x) * (q + 1) // PARTS):
            lay(x[i], padding, 1, height, width, height * width, flat)
            lay(dy[i], 0, stride, height, width, run, flat_dy)
            add_dW(flat, offsets, flat_dy, run, sums[q])
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


def taps(W: Floats, frame: tuple[int, int]) -> tuple[Floats, tuple[tuple[int, ...], ...]]:
    """W[o, t], with zeros up to whole tiles of output channels; and the loops over t, see `tile.py`."""
    c, k = W.shape[1:3]
    flat = np.zeros((len(W) + -len(W) % CHANNELS, c * k * k), dtype=W.dtype)
    flat[: len(W)] = W.reshape(len(W), -1)
    return flat, ((c, k, k), (k * k, k, 1), (frame[0] * frame[1], frame[1], 1))


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a − p, j·s + b − p]."""
    if conv_spectrum.pays(x, W, stride):
        return conv_spectrum.conv2d_forward(x, W, padding, threads)
    n, _, h, w = x.shape
    k = W.shape[-1]
    frame = h + 2 * padding, w + 2 * padding
    y = np.empty((n, len(W), (frame[0] - k) // stride + 1, (frame[1] - k) // stride + 1), dtype=x.dtype)
    threads = worth(threads, "convolution", y.size * W[0].size)
    correlate_images(*frozen(x), padding, 1, frame, *taps(W, frame), stride, y, threads)
    return y


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    if conv_spectrum.pays(x, W, stride):
        return conv_spectrum.conv2d_backward(x, W, dy, padding, need_dx, threads)
    c, h, w = x.shape[1:]
    k = W.shape[-1]
    x, dy = frozen(x, dy)
    threads = worth(threads, "convolution", dy.size * W[0].size)
    frame = h + 2 * padding, w + 2 * padding
    place, a, b = np.ogrid[:c, :k, :k]
    offsets = ((place * frame[0] + a) * frame[1] + b).reshape(-1)
    offsets = np.pad(offsets, (0, -len(offsets) % TAPS), mode="edge")
    sums = np.zeros((PARTS, len(W) + -len(W) % CHANNELS, len(offsets), LANES), dtype=x.dtype)
    dW_parts(x, padding, frame, offsets, dy, stride, sums, threads)
    dW = np.empty(W.shape, dtype=x.dtype)
    join(sums, dW.reshape(len(W), -1))
    if not need_dx:
        return None, dW
    frame = h + k - 1, w + k - 1
    turned = W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    dx = np.empty(x.shape, dtype=x.dtype)
    correlate_images(dy, k - 1 - padding, stride, frame, *taps(turned, frame), 1, dx, threads)
    return dx, dW
