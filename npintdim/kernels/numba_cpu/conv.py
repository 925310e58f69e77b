"""Two-dimensional convolution; the definition is `reference/conv.py`.

An image is laid flat with rows of w' numbers, padding included, so that tap t = (c, a, b) is a shift
by offsets_t = (c h' + a) w' + b, and for all places q = i w' + j of the output at once

    y[o, q] = Σ_t W[o, t] x[q + offsets_t]        dW[o, t] = Σ_q dy[o, q] x[q + offsets_t]

The lanes of y are places: those between the end of an output row and the next one are computed too, and left out when
rows are copied. The lanes of dW are output channels. dx is the same correlation of dy in a frame of zeros, with the
kernels turned round. With a stride s the pixels of every s×s square become channels, W too, and there is no stride any
more: x[c, i·s + α, j·s + β] = x'[(c, α, β), i, j]. Kernels as large as the image are taken to the frequency domain, as
in the definition (`kernels/conv_spectrum.py`).
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels import conv_spectrum
from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, WIDE, load, store
from npintdim.kernels.numba_cpu.machinery.tile import numbers_by_vectors, seen, transpose, vectors_by_numbers
from npintdim.typing import Floats

# Of a tile in registers: output channels × vectors of places, and of dW taps × vectors of channels. Where 16 numbers of
# `FULL` bytes fill one register there is room for twice as many channels.
FEW, MANY = 4, 8
VECTORS, TAPS, FULL = (2, 13, 4) if WIDE else (1, 6, 0)
PLACES = VECTORS * LANES
SHIFTS = np.arange(2) * LANES
PARTS = 8  # partial sums of dW at most, whatever the number of threads


@jit
def correlate(x, W, loops, rows, run, y):
    """y[o · run + q] = Σ_t W[o, t] x[q + offsets_t] for q < run; the loops walk through the taps.

    Taps that meet only the frame of x, whose content lies in `rows`, are left out.
    """
    (c, k, _), by_W, by_x = loops
    channels, o = y.size // run, 0
    while o < channels:
        many = x.itemsize == FULL and channels - o >= MANY
        for q in range(0, run, PLACES):
            a = max(0, rows[0] - (q + PLACES - 1) // by_x[1])
            some = (c, min(k, rows[1] - q // by_x[1]) - a, k), by_W, by_x
            at, p = o * c * k * k + a * k, q + a * by_x[1]
            if many:
                m = numbers_by_vectors(MANY, VECTORS, W, at, c * k * k, x, p, SHIFTS, some, LANES)
                keep(m, y, o * run + q, run)
            else:
                f = numbers_by_vectors(FEW, VECTORS, W, at, c * k * k, x, p, SHIFTS, some, LANES)
                keep(f, y, o * run + q, run)
        o += MANY if many else FEW


@jit
def keep(tile, y, at, run):
    """Write its rows, `run` apart."""
    for r, line in enumerate(tile):
        for v, s in enumerate(line):
            store(y, at + r * run + v * LANES, s)


@jit
def add_dW(x, offsets, dyT, loops, sums):
    """sums[t, o] += Σ_q dyT[q, o] x[q + offsets_t]; the loops walk through the places q."""
    many = sums.shape[1]
    for t in range(0, len(sums), TAPS):
        o = 0
        while o < many:
            if x.itemsize == FULL and many - o >= 2 * LANES:
                two = vectors_by_numbers(2, TAPS, dyT, o, LANES, x, 0, offsets[t:], loops, LANES)
                add_to(two, sums, t, o)
                o += 2 * LANES
            else:
                one = vectors_by_numbers(1, TAPS, dyT, o, LANES, x, 0, offsets[t:], loops, LANES)
                add_to(one, sums, t, o)
                o += LANES


@jit
def add_to(tile, sums, t, o):
    """Add its vectors, each of one tap and of some channels."""
    for v, line in enumerate(tile):
        for c, s in enumerate(line):
            store(sums[t + c], o + v * LANES, load(sums[t + c], o + v * LANES) + s)


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
    rows = max(0, first), min(height, first + x.shape[2])
    framed = x.reshape(len(x), x.shape[1] * x.shape[2] * x.shape[3])
    for i in each(work, 0, len(x)):
        image = framed[i]
        if first or (len(x) - 1 - i) * len(image) < PLACES:  # the last tile reads on, into the next images
            lay(x[i], first, height, width, height * width, flat)
            image = seen(flat)
        correlate(image, W, loops, rows, run, out)
        pick(out, width, run, y[i])
    linger(work)


@shared
def dW_parts(x, padding, frame, offsets, dy, sums, work):
    """sums[q] of part q of the images."""
    height, width = frame
    many, rows, columns = sums.shape[2], dy.shape[2], dy.shape[3]
    loops = (rows, columns), (columns * many, many), (width, 1)
    flat = np.zeros(x.shape[1] * height * width, x.dtype)
    dyT = np.zeros(rows * columns * many, x.dtype)
    framed = x.reshape(len(x), x.shape[1] * x.shape[2] * x.shape[3])
    for q in each(work, 0, len(sums)):
        for i in range(len(x) * q // len(sums), len(x) * (q + 1) // len(sums)):
            if padding:
                lay(x[i], padding, height, width, height * width, flat)
            transpose(dy[i].ravel(), 0, rows * columns, dy.shape[1], rows * columns, dyT, 0, many)
            add_dW(seen(flat) if padding else framed[i], offsets, dyT, loops, sums[q])
    linger(work)


@jit
def reach(rows, columns, width):
    """Places from the first to the last of an output, in whole tiles."""
    return (((rows - 1) * width + columns - 1) // PLACES + 1) * PLACES


@jit
def join(sums, dW):
    """dW[o, t] = Σ over parts."""
    for o in range(dW.shape[0]):
        for t in range(dW.shape[1]):
            s = sums[0, t, o]
            for q in range(1, len(sums)):
                s = s + sums[q, t, o]
            dW[o, t] = s


def taps(W: Floats, frame: tuple[int, int]) -> tuple[Floats, tuple[tuple[int, ...], ...]]:
    """W[o, t], with zeros up to whole tiles of output channels; and the loops over t, see `tile.py`."""
    c, k = W.shape[1:3]
    flat = np.zeros((len(W) + -len(W) % FEW, c * k * k), dtype=W.dtype)
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
    sums = np.zeros((max(1, min(PARTS, len(x))), len(offsets), len(W) + -len(W) % LANES), dtype=x.dtype)
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
