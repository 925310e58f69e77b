"""Two-dimensional convolution; the definition is `reference/conv.py`.

An image is laid flat with rows of w' numbers, padding included, so that tap t = (c, a, b) is a shift
by offsets_t = (c h' + a) w' + b, and for all places q = i w' + j of the output at once

    y[o, q] = Σ_t W[o, t] x[q + offsets_t]        dW[o, t] = Σ_q dy[o, q] x[q + offsets_t]

Places between the end of an output row and the next one are computed too, and left out when rows
are copied. dx is the same correlation of dy in a frame of zeros, with the kernels turned round. With a
stride s the pixels of every s×s square become channels, x[c, i·s + α, j·s + β] = x'[(c, α, β), i, j], W too,
and there is no stride any more. Kernels as large as the image are taken to the frequency domain, as in the
definition (`kernels/conv_spectrum.py`).
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
PARTS = 8  # partial sums of dW at most, whatever the number of threads


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
def lay(image, first, height, width, plane, flat):
    """Put entry (i, j) of each channel at row first + i, column first + j of its plane, if there."""
    for c in range(len(image)):
        for i in range(max(0, -first), min(image.shape[1], height - first)):
            line = flat[c * plane + (first + i) * width :]
            for j in range(max(0, -first), min(image.shape[2], width - first)):
                line[first + j] = image[c, i, j]


@jit
def pick(flat, width, run, image):
    """Entry (i, j) of each channel from row i, column j of its plane."""
    for c in range(len(image)):
        for i in range(image.shape[1]):
            line = flat[c * run + i * width :]
            for j in range(image.shape[2]):
                image[c, i, j] = line[j]


@shared
def correlate_images(x, first, frame, W, loops, y, work):
    """y of images x laid into a frame."""
    height, width = frame
    run = reach(y.shape[2], y.shape[3], width)
    flat = np.zeros(x.shape[1] * height * width + PLACES, x.dtype)
    out = np.empty(len(W) * run, x.dtype)
    for i in each(work, 0, len(x)):
        lay(x[i], first, height, width, height * width, flat)
        correlate(flat, W, loops, run, out)
        pick(out, width, run, y[i])
    linger(work)


@shared
def dW_parts(x, padding, frame, offsets, dy, sums, work):
    """sums[q] of part q of the images."""
    height, width = frame
    run = reach(dy.shape[2], dy.shape[3], width)
    flat = np.zeros(x.shape[1] * height * width + PLACES, x.dtype)
    flat_dy = np.zeros(sums.shape[1] * run, x.dtype)
    for q in each(work, 0, len(sums)):
        for i in range(len(x) * q // len(sums), len(x) * (q + 1) // len(sums)):
            lay(x[i], padding, height, width, height * width, flat)
            lay(dy[i], 0, height, width, run, flat_dy)
            add_dW(flat, offsets, flat_dy, run, sums[q])
    linger(work)


@jit
def reach(rows, columns, width):
    """Places from the first to the last of an output, in whole tiles."""
    return (((rows - 1) * width + columns - 1) // PLACES + 1) * PLACES


@jit
def join(sums, dW):
    """dW[o, t] = Σ over parts and lanes."""
    for o in range(dW.shape[0]):
        for t in range(dW.shape[1]):
            s = load(sums[0, o, t], 0)
            for q in range(1, len(sums)):
                s = s + load(sums[q, o, t], 0)
            dW[o, t] = total(s)


def taps(W: Floats, frame: tuple[int, int]) -> tuple[Floats, tuple[tuple[int, ...], ...]]:
    """W[o, t], with zeros up to whole tiles of output channels; and the loops over t, see `tile.py`."""
    c, k = W.shape[1:3]
    flat = np.zeros((len(W) + -len(W) % CHANNELS, c * k * k), dtype=W.dtype)
    flat[: len(W)] = W.reshape(len(W), -1)
    return flat, ((c, k, k), (k * k, k, 1), (frame[0] * frame[1], frame[1], 1))


def squares(x: Floats, s: int, m: int, first: int, sides: tuple[int, int]) -> Floats:
    """x'[n, (c, α, β), i, j] = x[n, c, i·s + α − first, j·s + β − first] for α, β < m and so many i and j, 0 where x ends."""
    n, c, h, w = x.shape
    rows, columns = sides
    framed = np.zeros((n, c, rows * s, columns * s), x.dtype)
    inside = framed[:, :, first : first + h, first : first + w]
    inside[...] = x[:, :, : inside.shape[2], : inside.shape[3]]
    split = framed.reshape(n, c, rows, s, columns, s)[:, :, :, :m, :, :m]
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(n, c * m * m, rows, columns)


def pixels(squared: Floats, s: int, m: int, first: int, like: Floats) -> Floats:
    """The adjoint of `squares`: what each pixel of x got."""
    n, c, h, w = like.shape
    rows, columns = squared.shape[2:]
    framed = np.zeros((n, c, rows, s, columns, s), like.dtype)
    framed[:, :, :, :m, :, :m] = squared.reshape(n, c, m, m, rows, columns).transpose(0, 1, 4, 2, 5, 3)
    found = np.zeros_like(like)
    inside = framed.reshape(n, c, rows * s, columns * s)[:, :, first : first + h, first : first + w]
    found[:, :, : inside.shape[2], : inside.shape[3]] = inside
    return found


def strideless(x: Floats, W: Floats, s: int, padding: int) -> tuple[Floats, Floats, int]:
    """Images and kernels whose convolution without a stride is the same y, and min(k, s)."""
    k, m = W.shape[-1], min(W.shape[-1], s)
    K = -(-k // s)
    h, w = ((side + 2 * padding - k) // s + K for side in x.shape[2:])
    return squares(x, s, m, padding, (h, w)), squares(W, s, m, 0, (K, K)), m


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a − p, j·s + b − p]."""
    if conv_spectrum.pays(x, W, stride):
        return conv_spectrum.conv2d_forward(x, W, padding, threads)
    if stride > 1:
        x, W, _ = strideless(x, W, stride, padding)
        return conv2d_forward(x, W, 1, 0, threads)
    n, _, h, w = x.shape
    k = W.shape[-1]
    frame = h + 2 * padding, w + 2 * padding
    y = np.empty((n, len(W), frame[0] - k + 1, frame[1] - k + 1), dtype=x.dtype)
    threads = worth(threads, "convolution", y.size * W[0].size)
    correlate_images(*frozen(x), padding, frame, *taps(W, frame), y, threads)
    return y


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    if conv_spectrum.pays(x, W, stride):
        return conv_spectrum.conv2d_backward(x, W, dy, padding, need_dx, threads)
    if stride > 1:
        squared, V, m = strideless(x, W, stride, padding)
        d_squared, dV = conv2d_backward(squared, V, dy, 1, 0, need_dx, threads)
        dx = None if d_squared is None else pixels(d_squared, stride, m, padding, x)
        return dx, pixels(dV, stride, m, 0, W)
    c, h, w = x.shape[1:]
    k = W.shape[-1]
    x, dy = frozen(x, dy)
    threads = worth(threads, "convolution", dy.size * W[0].size)
    frame = h + 2 * padding, w + 2 * padding
    place, a, b = np.ogrid[:c, :k, :k]
    offsets = ((place * frame[0] + a) * frame[1] + b).reshape(-1)
    offsets = np.pad(offsets, (0, -len(offsets) % TAPS), mode="edge")
    sums = np.zeros(
        (max(1, min(PARTS, len(x))), len(W) + -len(W) % CHANNELS, len(offsets), LANES), dtype=x.dtype
    )
    dW_parts(x, padding, frame, offsets, dy, sums, threads)
    dW = np.empty(W.shape, dtype=x.dtype)
    join(sums, dW.reshape(len(W), -1))
    if not need_dx:
        return None, dW
    frame = h + k - 1, w + k - 1
    turned = W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    dx = np.empty(x.shape, dtype=x.dtype)
    correlate_images(dy, k - 1 - padding, frame, *taps(turned, frame), dx, threads)
    return dx, dW
