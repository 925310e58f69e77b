"""Dense projections from their matrix; the definition is `reference/stored.py`.

Nothing can be faster than to read the matrix once. One column is one stream, of which a processor reads
ahead too little; four or eight of them side by side reach what its memory gives. The piece of g or of y that
they pass over stays in the smallest cache.
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, share_of, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, WIDE, load, muladd, store, total
from npintdim.kernels.numba_cpu.machinery.tile import vectors_by_vectors
from npintdim.typing import Floats

FOUR, MANY = 4, 8 if WIDE else 4  # columns side by side, of P v and of Pᵀ g, whose sums fill registers
PIECE = 1 << 13  # rows at a time
SHIFTS = np.zeros(1, dtype=np.int64)


@jit
def add_column(columns, j, start, v, y):
    """y += P_j v_j, for the rows from `start` on."""
    for i in range(len(y)):
        y[i] += v[j] * columns[j, start + i]


@jit
def add_columns(columns, j, start, v, y):
    """The same for four columns and whole vectors of rows."""
    D = columns.shape[1]
    p, q, r, s = (j * D + start, (j + 1) * D + start, (j + 2) * D + start, (j + 3) * D + start)
    v0, v1, v2, v3 = v[j], v[j + 1], v[j + 2], v[j + 3]
    for i in range(0, len(y), LANES):
        x = muladd(v0, load(columns, p + i), load(y, i))
        x = muladd(v1, load(columns, q + i), x)
        x = muladd(v2, load(columns, r + i), x)
        store(y, i, muladd(v3, load(columns, s + i), x))


@shared
def rows(v, columns, first, y, work):
    """P v from row `first` on, a piece of its rows at a time."""
    d = len(columns)
    for piece in each(work, 0, (len(y) + PIECE - 1) // PIECE):
        start = first + piece * PIECE
        kept = y[piece * PIECE : (piece + 1) * PIECE]
        kept[:] = 0
        whole = len(kept) - len(kept) % LANES
        for j in range(0, d - d % FOUR, FOUR):
            add_columns(columns, j, start, v, kept[:whole])
            for k in range(j, j + FOUR):
                add_column(columns, k, start + whole, v, kept[whole:])
        for j in range(d - d % FOUR, d):
            add_column(columns, j, start, v, kept)
    linger(work)


def stored_apply(v: Floats, columns: Floats, start: int, stop: int, threads: int = 1) -> Floats:
    """P v = Σ_j P_j v_j."""
    y = np.empty(stop - start, dtype=columns.dtype)
    rows(*frozen(v, columns), start, y, worth(threads, "stored", len(y) * len(v)))
    return y


@jit
def tail(columns, j, first, start, g):
    """Σ_i P_ij g_i over the places from `start` on of g, which begins with row `first`."""
    s = g.dtype.type(0)
    for i in range(start, len(g)):
        s += columns[j, first + i] * g[i]
    return s


@shared
def dots(g, columns, first, sums, parts, work):
    """Entries of Pᵀ g for g from row `first` on, a part of them at a time, piece after piece of the rows."""
    d, D = columns.shape
    whole = len(g) - len(g) % LANES
    for part in each(work, 0, parts):
        low, high = share_of((d + MANY - 1) // MANY, part, parts)
        low, high = low * MANY, min(d, high * MANY)
        for start in range(0, whole, PIECE):
            nest = (min(PIECE, whole - start) // LANES,), (LANES,), (LANES,)
            for j in range(low, high - MANY + 1, MANY):
                t = vectors_by_vectors(
                    MANY, 1, columns, j * D + first + start, D, g, start, SHIFTS, nest, LANES
                )
                for k in range(MANY):
                    sums[j + k] += total(t[k][0])
            for j in range(high - high % MANY, high):
                u = vectors_by_vectors(1, 1, columns, j * D + first + start, D, g, start, SHIFTS, nest, LANES)
                sums[j] += total(u[0][0])
        for j in range(low, high):
            sums[j] += tail(columns, j, first, whole, g)
    linger(work)


def stored_adjoint(g: Floats, columns: Floats, start: int, threads: int = 1) -> Floats:
    """(Pᵀ g)_j = ⟨P_j, g⟩."""
    sums = np.zeros(len(columns))
    threads = worth(threads, "stored", len(g) * len(columns))
    dots(*frozen(g, columns), start, sums, threads, threads)
    return sums.astype(columns.dtype)
