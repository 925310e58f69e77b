"""Sums over the taps of a convolution in registers: y with lanes of places or of output channels, and dW.

An image lies flat, so that a tap t is a shift by offsets_t, see `conv.py`. Kernels lie as the tiles read
them: blocks of output channels, each W[t, o].
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import jit
from npintdim.kernels.numba_cpu.machinery.simd import LANES, WIDE, load, store
from npintdim.kernels.numba_cpu.machinery.tile import numbers_by_vectors, transpose, vectors_by_numbers

# Of a tile: output channels × vectors of places, or places (or images) × vectors of channels,
# and of dW taps × vectors of channels.
# Where 16 numbers of `FULL` bytes fill one register there is room for twice as many channels.
FEW, MANY = 4, 8
VECTORS, SPOTS, TAPS, IMAGES, FULL = (2, 10, 13, 8, 4) if WIDE else (1, 6, 6, 4, 0)
PLACES = VECTORS * LANES
SHIFTS, BESIDE = np.arange(2) * LANES, np.arange(IMAGES)
BATCH = 16 * SPOTS  # places whose y is turned at once, while it is near


@jit
def correlate(x, W, kernel, offsets, rows, lines, y):
    """y[o, q] = Σ_t W[t, o] x[q + offsets_t] for all q in lines = (how many, so long each, so far apart, w').

    Taps that meet only the frame of x, whose content lies in `rows`, are left out.
    """
    (c, high, wide), (many, long, apart, width), o = kernel, lines, 0
    channels = len(W) // len(offsets)
    while o < channels:
        eight = x.itemsize == FULL and channels - o >= MANY
        block = MANY if eight else FEW
        for line in range(0, many * apart, apart):
            for q in range(line, line + long, PLACES):
                a, below = max(0, rows[0] - (q + PLACES - 1) // width), min(high, rows[1] - q // width)
                steps, at = (high * wide, 1), o * len(offsets) + a * wide * block
                some = (c, (below - a) * wide), (steps[0] * block, block), steps, (offsets, a * wide)
                if eight:
                    m = numbers_by_vectors(MANY, VECTORS, W, at, 1, x, q, SHIFTS, some, LANES)
                    keep(m, y, o * many * apart + q, many * apart, LANES)
                else:
                    f = numbers_by_vectors(FEW, VECTORS, W, at, 1, x, q, SHIFTS, some, LANES)
                    keep(f, y, o * many * apart + q, many * apart, LANES)
        o += block


@jit
def keep(tile, y, at, row, column):
    """Write its vectors, so far apart."""
    for r, line in enumerate(tile):
        for v, s in enumerate(line):
            store(y, at + r * row + v * column, s)


@jit
def all_places(images, size, rows, columns, width, s, start):
    """Where the places (i, j) of several images lie, the last one again and again up to whole tiles."""
    places = np.empty(images * rows * columns + SPOTS, np.intp)
    for q in range(len(places)):
        i = min(q, images * rows * columns - 1) // columns
        j = min(q, images * rows * columns - 1) % columns
        places[q] = i // rows * size + (i % rows * width + j) * s + start
    return places


@jit
def correlate_channels(x, W, kernel, offsets, rows, s, places, shape, near, y):
    """The same at all (i, j) of images of y, shape = (channels, rows, columns) each; lanes are channels."""
    (c, high, wide), (channels, height, columns), o = kernel, shape, 0
    run, all_of_them = height * columns, len(places) - SPOTS
    while o < len(W) // len(offsets):
        two = x.itemsize == FULL and len(W) // len(offsets) - o >= 2 * LANES
        block = 2 * LANES if two else LANES
        for first in range(0, all_of_them, BATCH):
            end = min(first + BATCH, all_of_them)
            for q in range(first, end, SPOTS):
                last = min(q + SPOTS, all_of_them) - 1
                a, below = 0, high
                if q // run == last // run:
                    a = max(0, rows[0] - last % run // columns * s)
                    below = min(high, rows[1] - q % run // columns * s)
                steps, at = (high * wide, 1), o * len(offsets) + a * wide * block
                some = (c, (below - a) * wide), (steps[0] * block, block), steps, (offsets, a * wide)
                if two:
                    m = vectors_by_numbers(2, SPOTS, W, at, LANES, x, 0, places[q:], some, LANES)
                    keep(m, near, (q - first) * block, LANES, block)
                else:
                    f = vectors_by_numbers(1, SPOTS, W, at, LANES, x, 0, places[q:], some, LANES)
                    keep(f, near, (q - first) * block, LANES, block)
            q = first
            while q < end:
                image, many = q // run, min(run - q % run, end - q)
                to = (image * channels + o) * run + q % run
                transpose(near, (q - first) * block, block, many, min(block, channels - o), y, to, run)
                q += many
        o += block


@jit
def correlate_inside(x, W, kernel, sides, first, s, shape, many, run, near, y):
    """The same for images side by side, x[row, column, channel, image], and a block of W[a, b, c, o].

    At the first place of y the kernel begins at `first`; no tap is computed there that meets only the frame.
    The images of y are `run` numbers apart.
    """
    (c, high, wide), (h, w), (channels, rows, columns) = kernel, sides, shape
    two = x.itemsize == FULL and channels > LANES
    block, places = 2 * LANES if two else LANES, rows * columns
    for begun in range(0, places, BATCH):
        end = min(begun + BATCH, places)
        for q in range(begun, end):
            i, j = first[0] + q // columns * s, first[1] + q % columns * s
            a, b = max(0, -i), max(0, -j)
            steps = (
                (min(high, h - i) - a, (min(wide, w - j) - b) * c),
                (wide * c * block, block),
                (w * c * LANES, LANES),
            )
            at, to = (a * wide + b) * c * block, (q - begun) * block
            for image in range(0, many, IMAGES):
                start, line = ((i + a) * w + j + b) * c * LANES + image, image * BATCH * block + to
                if two:
                    m = vectors_by_numbers(2, IMAGES, W, at, LANES, x, start, BESIDE, steps, LANES)
                    keep(m, near, line, LANES, BATCH * block)
                else:
                    f = vectors_by_numbers(1, IMAGES, W, at, LANES, x, start, BESIDE, steps, LANES)
                    keep(f, near, line, LANES, BATCH * block)
        for image in range(many):
            transpose(
                near, image * BATCH * block, block, end - begun, channels, y, image * run + begun, places
            )


@jit
def add_dW(x, offsets, dyT, loops, sums):
    """sums[t, o] += Σ_q dyT[q, o] x[q + offsets_t]; the loops walk through the places q."""
    many = sums.shape[1]
    for t in range(0, len(sums), TAPS):
        o = 0
        while o < many:
            if x.itemsize == FULL and many - o >= 2 * LANES:
                two = vectors_by_numbers(2, TAPS, dyT, o, LANES, x, 0, offsets[t:], loops, LANES)
                add_to(two, sums, t, 1, o)
                o += 2 * LANES
            else:
                one = vectors_by_numbers(1, TAPS, dyT, o, LANES, x, 0, offsets[t:], loops, LANES)
                add_to(one, sums, t, 1, o)
                o += LANES


@jit
def add_dW_inside(x, planes, tap, dyT, loops, sums):
    """The same of one tap of each channel, whose planes begin at these offsets; `tap` = (a k + b, k²)."""
    many = sums.shape[1]
    for c in range(0, len(planes), IMAGES):
        t, o = c * tap[1] + tap[0], 0
        while o < many:
            if x.itemsize == FULL and many - o >= 2 * LANES:
                two = vectors_by_numbers(2, IMAGES, dyT, o, LANES, x, 0, planes[c:], loops, LANES)
                add_to(two, sums, t, tap[1], o)
                o += 2 * LANES
            else:
                one = vectors_by_numbers(1, IMAGES, dyT, o, LANES, x, 0, planes[c:], loops, LANES)
                add_to(one, sums, t, tap[1], o)
                o += LANES


@jit
def add_to(tile, sums, t, apart, o):
    """Add its vectors, each of one tap and of some channels."""
    for v, line in enumerate(tile):
        for c, s in enumerate(line):
            row = sums[t + c * apart]
            store(row, o + v * LANES, load(row, o + v * LANES) + s)
