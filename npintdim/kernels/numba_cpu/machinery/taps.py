"""Sums over the taps of a convolution in registers: y with lanes of places or of output channels, and dW.

An image lies flat, so that a tap t is a shift by offsets_t, see `conv.py`. Kernels lie as the tiles read
them: blocks of output channels, each W[t, o].
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import jit
from npintdim.kernels.numba_cpu.machinery.simd import LANES, WIDE, load, store
from npintdim.kernels.numba_cpu.machinery.tile import numbers_by_vectors, transpose, vectors_by_numbers

# Of a tile: output channels × vectors of places, or places × vectors of channels, and of dW taps × vectors of
# channels. Where 16 numbers of `FULL` bytes fill one register there is room for twice as many channels.
FEW, MANY = 4, 8
VECTORS, SPOTS, TAPS, FULL = (2, 10, 13, 4) if WIDE else (1, 6, 6, 0)
PLACES = VECTORS * LANES
SHIFTS = np.arange(2) * LANES
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
