"""Products of matrices, C = A B, of the sizes of small networks: nothing is packed, nothing is padded.

A stripe of B, a few vectors wide and at most 256 rows long, stays in the nearest cache while tiles of
rows of A pass over it. An entry of C is one sum in the order of the rows of B, in parts of 256.
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.jit import jit
from npintdim.kernels.numba_cpu.machinery.simd import LANES, WIDE, load, store
from npintdim.kernels.numba_cpu.machinery.tile import (
    load_first,
    numbers_by_vectors,
    store_first,
    transpose_tile,
)

ROWS, VECTORS = (8, 3) if WIDE else (6, 1)
DEPTH = 256
SHIFTS = np.arange(VECTORS) * LANES


@jit
def put(sums, C, at, width, kept, add):
    """Write a tile of C or, with `add`, add it there; `kept` lanes of the last column."""
    for r, line in enumerate(sums):
        for v, s in enumerate(line):
            i = at + r * width + v * LANES
            if v + 1 < len(line):
                store(C, i, load(C, i) + s if add else s)
            else:
                store_first(C, i, load_first(C, i, kept) + s if add else s, kept)


@jit
def stripe(A, at, apart, rows, B, start, loops, vectors, kept, C, to, width, add):
    """1, 2 or 3 vectors of every row of C."""
    i = 0
    while i < rows:
        a, c = at + i * apart, to + i * width
        if rows - i >= ROWS:
            i += ROWS
            if vectors == 3:
                t = numbers_by_vectors(ROWS, 3, A, a, apart, B, start, SHIFTS, loops, kept)
                put(t, C, c, width, kept, add)
            elif vectors == 2:
                u = numbers_by_vectors(ROWS, 2, A, a, apart, B, start, SHIFTS, loops, kept)
                put(u, C, c, width, kept, add)
            else:
                v = numbers_by_vectors(ROWS, 1, A, a, apart, B, start, SHIFTS, loops, kept)
                put(v, C, c, width, kept, add)
        else:
            i += 1
            if vectors == 3:
                x = numbers_by_vectors(1, 3, A, a, apart, B, start, SHIFTS, loops, kept)
                put(x, C, c, width, kept, add)
            elif vectors == 2:
                y = numbers_by_vectors(1, 2, A, a, apart, B, start, SHIFTS, loops, kept)
                put(y, C, c, width, kept, add)
            else:
                z = numbers_by_vectors(1, 1, A, a, apart, B, start, SHIFTS, loops, kept)
                put(z, C, c, width, kept, add)


@jit
def multiply(A, at, row, step, B, start, C, to, rows, depth, width):
    """C = A B with A[i, k] = A[at + i · row + k · step]; rows of B and C are `width` apart, from `start` and `to`."""
    vectors = (width + LANES - 1) // LANES
    most = VECTORS if B.itemsize == 4 else 1  # 16 float64 take two registers
    stripes = (vectors + most - 1) // most
    for k in range(0, depth, DEPTH):
        loops = ((min(DEPTH, depth - k),), (step,), (width,))
        for s in range(stripes):
            first, end = vectors * s // stripes, vectors * (s + 1) // stripes
            j, kept = first * LANES, min(LANES, width - (end - 1) * LANES)
            a, b = at + k * step, start + k * width + j
            stripe(A, a, row, rows, B, b, loops, end - first, kept, C, to + j, width, k > 0)


@jit
def transpose(A, at, pitch, rows, columns, B, to, width):
    """B[to + j · width + i] = A[at + i · pitch + j] for i < rows, j < columns."""
    whole, even = rows - rows % LANES, columns - columns % LANES
    for i in range(0, whole, LANES):
        for j in range(0, even, LANES):
            transpose_tile(A, at + i * pitch + j, pitch, B, to + j * width + i, width)
    for i in range(rows):
        for j in range(even if i < whole else 0, columns):
            B[to + j * width + i] = A[at + i * pitch + j]
