"""Two-dimensional convolution; the definition is `reference/conv.py`.

An image is laid flat with rows of w' numbers, padding included, so that tap t = (c, a, b) is a shift
by offsets_t = (c h' + a) w' + b, and for all places q = i w' + j of the output at once

    y[o, q] = Σ_t W[o, t] x[q + offsets_t]        dW[o, t] = Σ_q dy[o, q] x[q + offsets_t]

The lanes of y are places: those between the end of an output row and the next one are computed too, and left out when
rows are copied. The lanes of dW are output channels. With a stride s the pixels (α, β) of all s×s squares of an image
make a plane of their own, x'[c, α, β, i, j] = x[c, i·s + α, j·s + β], so that a tap is a shift again. dx is the
correlation of dy in a frame of zeros with the kernels turned round; with a stride each pixel of such a square has its
own part of them, W[o, c, α + s A, β + s B]. Large kernels are taken to the frequency domain, as in the definition
(`kernels/conv_spectrum.py`).
"""

from __future__ import annotations

import math
from functools import lru_cache

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
# Partial sums of dW at most, whatever the number of threads; two where all would be more numbers than stay in a cache.
PARTS, NEAR = 8, 2**18


@jit
def correlate(x, W, kernel, offsets, rows, s, lines, y):
    """y[o, q] = Σ_t W[t, o] x[q + offsets_t] for all q in lines = (how many, so long each, so far apart, w').

    Taps that meet only the frame of x, whose content lies in `rows`, are left out.
    """
    (c, high, wide), channels, o = kernel, W.shape[1], 0
    many, long, apart, width = lines
    while o < channels:
        eight = x.itemsize == FULL and channels - o >= MANY
        for line in range(0, many * apart, apart):
            for q in range(line, line + long, PLACES):
                a = max(0, rows[0] - (q + PLACES - 1) // width * s)
                below = min(high, rows[1] - q // width * s)
                steps, at = (high * wide, 1), a * wide * channels + o
                some = (c, (below - a) * wide), (steps[0] * channels, channels), steps, (offsets, a * wide)
                if eight:
                    m = numbers_by_vectors(MANY, VECTORS, W, at, 1, x, q, SHIFTS, some, LANES)
                    keep(m, y, o * many * apart + q, many * apart)
                else:
                    f = numbers_by_vectors(FEW, VECTORS, W, at, 1, x, q, SHIFTS, some, LANES)
                    keep(f, y, o * many * apart + q, many * apart)
        o += MANY if eight else FEW


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
def every(s, a, first, end):
    """Of a, a + s, ...: the first that is not below `first`, and how many there are from it on below `end`."""
    start = max(a, first + (a - first) % s)
    return start, (end - start + s - 1) // s


@jit
def lay(image, first, frame, s, m, flat):
    """Put the pixel of channel c at (i, j) = first + its place there into plane (c, i mod s, j mod s), at (i // s, j // s)."""
    (height, width), (above, left) = frame, first
    for c in range(len(image)):
        for a in range(m):
            top, rows = every(s, a, above, min(above + image.shape[1], height * s))
            for b in range(m):
                side, columns = every(s, b, left, min(left + image.shape[2], width * s))
                start = ((c * m + a) * m + b) * height * width + top // s * width + side // s
                for i in range(rows):
                    line, pixels = flat[start + i * width :], image[c, top - above + i * s, side - left :]
                    if s == 1:
                        for j in range(columns):
                            line[j] = pixels[j]
                    else:
                        for j in range(columns):
                            line[j] = pixels[j * s]


@jit
def pick(flat, width, run, image, first, s):
    """Pixel first + s (i, j) of each channel, where there is one, from row i, column j of its plane."""
    (above, left), (height, wide) = first, image.shape[1:]
    top, rows = every(s, above, 0, height)
    side, columns = every(s, left, 0, wide)
    start = (top - above) // s * width + (side - left) // s
    for c in range(len(image)):
        for i in range(rows):
            line = flat[c * run + start + i * width :]
            if s == 1:
                for j in range(columns):
                    image[c, i, j] = line[j]
            else:
                for j in range(columns):
                    image[c, top + i * s, side + j * s] = line[j]


@jit
def tiled(rows, columns, width):
    """The lines of `correlate` for so many places: the rows, if whole tiles fit into them, else one through all."""
    long = (columns + PLACES - 1) // PLACES * PLACES
    if long <= width:
        return rows, long, width, width
    all_rows = ((rows - 1) * width + columns + PLACES - 1) // PLACES * PLACES
    return 1, all_rows, all_rows, width


@shared
def correlate_images(x, first, frame, s, W, phases, offsets, y, step, work):
    """y of images x laid into a frame; of the pixels of each step×step square of y, every one has its own W."""
    (height, width), k = frame, phases[0, 0]
    m, more = min(k, s), (k - 1) // s
    lines = tiled(height - more, width - more, width)
    run = lines[0] * lines[2]
    flat = np.zeros(x.shape[1] * m * m * height * width + PLACES, x.dtype)
    out = np.empty(W.shape[2] * run, x.dtype)
    framed = x.reshape(len(x), x.shape[1] * x.shape[2] * x.shape[3])
    as_is = s == 1 and first == (0, 0) and frame == x.shape[2:]
    for i in each(work, 0, len(x)):
        image = framed[i]
        # the last tile reads on, into the next images
        if not as_is or (len(x) - 1 - i) * len(image) < PLACES:
            lay(x[i], first, frame, s, m, flat)
            image = seen(flat)
        for f in range(len(phases)):
            high, wide, above, left = phases[f]
            rows = max(0, first[0]) + high - k, first[0] + x.shape[2] + high - k
            correlate(image, W[f], (x.shape[1], high, wide), offsets[f], rows, s, lines, out)
            pick(out, width, run, y[i], (above, left), step)
    linger(work)


@shared
def dW_parts(x, first, frame, s, m, offsets, dy, sums, work):
    """sums[q] of part q of the images."""
    height, width = frame
    many, rows, columns = sums.shape[2], dy.shape[2], dy.shape[3]
    loops = (rows, columns), (columns * many, many), (width, 1)
    flat = np.zeros(x.shape[1] * m * m * height * width, x.dtype)
    dyT = np.zeros(rows * columns * many, x.dtype)
    framed = x.reshape(len(x), x.shape[1] * x.shape[2] * x.shape[3])
    as_is = s == 1 and first == (0, 0) and frame == x.shape[2:]
    for q in each(work, 0, len(sums)):
        for i in range(len(x) * q // len(sums), len(x) * (q + 1) // len(sums)):
            if not as_is:
                lay(x[i], first, frame, s, m, flat)
            transpose(dy[i].ravel(), 0, rows * columns, dy.shape[1], rows * columns, dyT, 0, many)
            add_dW(framed[i] if as_is else seen(flat), offsets, dyT, loops, sums[q])
    linger(work)


@jit
def join(sums, dW):
    """dW[o, t] = Σ over parts."""
    for o in range(dW.shape[0]):
        for t in range(dW.shape[1]):
            s = sums[0, t, o]
            for q in range(1, len(sums)):
                s = s + sums[q, t, o]
            dW[o, t] = s


@lru_cache(maxsize=256)
def taps(c: int, k: int, s: int, frame: tuple[int, int]) -> Floats:
    """offsets_t of t = (c, a, b), up to whole tiles of dW."""
    m, (height, width) = min(k, s), frame
    place, a, b = np.ogrid[:c, :k, :k]
    offsets = ((((place * m + a % s) * m + b % s) * height + a // s) * width + b // s).reshape(-1)
    return np.pad(offsets, (0, -len(offsets) % TAPS), mode="edge")


@lru_cache(maxsize=256)
def turned(o: int, k: int, s: int, padding: int, frame: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    """Of every pixel of an s×s square of dx that meets a kernel.

    Returns
    -------
    rows and columns of its kernel, and its place in the first square; which entries of W[:, c] that are; their offsets
    """
    K, m, (height, width) = -(-k // s), min(k, s), frame
    phases = np.zeros((m * m, 4), int)
    entries, offsets = np.zeros((2, m * m, o * K * K), int)
    for f, (i, j) in enumerate(np.ndindex(m, m)):
        n, a, b = np.ix_(range(o), range(i, k, s)[::-1], range(j, k, s)[::-1])
        phases[f] = a.size, b.size, i - padding % s, j - padding % s
        t = slice(o * a.size * b.size)
        entries[f, t] = ((n * k + a) * k + b).reshape(-1)
        offsets[f, t] = ((n * height + K - 1 - a // s) * width + K - 1 - b // s).reshape(-1)
    return phases, entries, offsets


def numbers(W: Floats) -> Floats:
    """W[f, t, o] of W[f, o, t], with zeros up to whole tiles of output channels."""
    many, o, t = W.shape
    padded = np.zeros((many, t, o + -o % FEW), dtype=W.dtype)
    padded[:, :, :o] = W.transpose(0, 2, 1)
    return padded


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a − p, j·s + b − p]."""
    if conv_spectrum.pays(x, W, stride, padding):
        return conv_spectrum.conv2d_forward(x, W, padding)
    (o, c, k), s, p = W.shape[:3], stride, padding
    sides = [(side + 2 * p - k) // s + 1 for side in x.shape[2:]]
    y = np.empty((len(x), o, *sides), dtype=x.dtype)
    frame, alone = framed(y, k, s), np.array([[k, k, 0, 0]])
    V, offsets = numbers(W.reshape(1, o, -1)), taps(c, k, s, frame)[None]
    threads = worth(threads, "convolution", y.size * W[0].size)
    correlate_images(*frozen(x), (p, p), frame, s, V, alone, offsets, y, 1, threads)
    return y


def framed(y: Floats, k: int, s: int) -> tuple[int, int]:
    """Rows and columns of the planes of x."""
    return y.shape[2] + (k - 1) // s, y.shape[3] + (k - 1) // s


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    if conv_spectrum.pays(x, W, stride, padding):
        return conv_spectrum.conv2d_backward(x, W, dy, padding, need_dx)
    (o, c, k), s, p = W.shape[:3], stride, padding
    x, dy = frozen(x, dy)
    threads = worth(threads, "convolution", dy.size * W[0].size)
    frame = framed(dy, k, s)
    offsets = taps(c, k, s, frame)
    each_part = len(offsets), o + -o % LANES
    parts = min(PARTS, max(2, NEAR // math.prod(each_part)), max(1, len(x)))
    sums = np.zeros((parts, *each_part), dtype=x.dtype)
    dW_parts(x, (p, p), frame, s, min(k, s), offsets, dy, sums, threads)
    dW = np.empty(W.shape, dtype=x.dtype)
    join(sums, dW.reshape(o, -1))
    if not need_dx:
        return None, dW
    dx = np.zeros(x.shape, dtype=x.dtype)  # where k < s some pixels meet no kernel
    last = -(-k // s) - 1
    h, w = ((side - 1 + p % s) // s + 1 + last for side in x.shape[2:])
    phases, entries, offsets = turned(o, k, s, p, (h, w))
    V = numbers(W.transpose(1, 0, 2, 3).reshape(c, -1)[:, entries].transpose(1, 0, 2))
    correlate_images(dy, (last - p // s, last - p // s), (h, w), 1, V, phases, offsets, dx, s, threads)
    return dx, dW
