"""Very sparse ± projections in compressed columns; the definition is `reference/sparse.py`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, share_of, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, convert, floor, load, store
from npintdim.kernels.numba_cpu.normals import log
from npintdim.kernels.numba_cpu.words import BATCH, address, fill_blocks, unpack
from npintdim.kernels.purpose import Purpose
from npintdim.kernels.reference.sparse import log_of_miss
from npintdim.typing import Floats, Ints

GAPS, SIGNS = np.uint64(Purpose.SPARSE_GAP), np.uint64(Purpose.SPARSE_SIGN)
COLUMNS = 16  # that a thread takes at a time


@jit
def draw_rows(seed, j, D, log_miss, rows):
    """Rows of the non-zeros of column j; returns how many there are, even where `rows` is too short."""
    words, gaps = np.empty(BATCH, np.uint32), np.empty(BATCH)
    row, count, block = np.int64(-1), np.int64(0), np.uint64(0)
    while True:
        fill_blocks(words, seed, GAPS, np.uint64(j), block)
        for i in range(0, BATCH, LANES):
            share = (convert(load(words, i), np.float64) + 0.5) * 2.0**-32
            store(gaps, i, floor(log(share) / log_miss))
        for gap in gaps:
            row += 1 + np.int64(gap)
            if row >= D:
                return count
            if count < len(rows):
                rows[count] = row
            count += 1
        block += np.uint64(BATCH // 4)


@jit
def draw_signs(seed, j, sign):
    """The first signs of column j."""
    words = np.empty(BATCH, np.uint32)
    for start in range(0, len(sign), 32 * BATCH):
        fill_blocks(words, seed, SIGNS, np.uint64(j), np.uint64(start // 128))
        unpack(words, sign[start : start + 32 * BATCH])


@jit
def draw_columns(seed, D, log_miss, indptr, rows, sign):
    """All columns; returns the number of non-zeros, even where there is not room for all."""
    for j in range(len(indptr) - 1):
        first = indptr[j]
        indptr[j + 1] = first + draw_rows(seed, j, D, log_miss, rows[first:])
        draw_signs(seed, j, sign[first : indptr[j + 1]])
    return indptr[-1]


def room(entries: float) -> int:
    """Places that are enough but for one draw in a million."""
    return 16 + int(entries + 5.0 * math.sqrt(entries))


def sparse_columns(
    seed: int, D: int, d: int, density: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]:
    """Place and sign of every non-zero, column after column."""
    indptr = np.zeros(d + 1, dtype=np.int64)
    count, places = room(density * D * d), 0
    while count > places:
        rows, sign = np.empty(places := count, dtype=np.int32), np.empty(count, dtype=np.int8)
        count = draw_columns(*address(seed), D, log_of_miss(density), indptr, rows, sign)
    return indptr, rows[:count].copy(), sign[:count].copy()


@jit
def first_at(rows, a, b, row):
    """The first of the places a, ..., b − 1 whose row is not below `row`, else b."""
    while a < b:
        middle = (a + b) // 2
        if rows[middle] < row:
            a = middle + 1
        else:
            b = middle
    return a


@shared
def sparse_rows(v, indptr, rows, values, D, first, y, parts, work):
    """Each part is a range of the rows from `first` on, so a row's columns come in ascending order."""
    for part in each(work, 0, parts):
        low, high = share_of(len(y), part, parts)
        for j in range(len(v)):
            a, b = indptr[j], indptr[j + 1]
            if first + low > 0:
                a = first_at(rows, a, b, first + low)
            if first + high < D:
                b = first_at(rows, a, b, first + high)
            scale = v[j]
            for k in range(a, b):
                y[np.uint64(rows[k] - first)] += values[k] * scale
    linger(work)


def sparse_apply(
    v: Floats, indptr: Ints, rows: Ints, values: Floats, D: int, start: int, stop: int, threads: int = 1
) -> Floats:
    """P v."""
    y = np.zeros(stop - start, dtype=v.dtype)
    threads = worth(threads, "sparse", len(rows) * (len(y) / D))
    sparse_rows(*frozen(v, indptr, rows, values), D, start, y, threads, threads)
    return y


@jit
def dot(place, value, first, g):
    """Σ_k value_k g_(place_k − first), four sums at a time."""
    s0 = s1 = s2 = s3 = g.dtype.type(0)
    whole = len(place) // 4 * 4
    for k in range(0, whole, 4):
        s0 += value[k] * g[np.uint64(place[k] - first)]
        s1 += value[k + 1] * g[np.uint64(place[k + 1] - first)]
        s2 += value[k + 2] * g[np.uint64(place[k + 2] - first)]
        s3 += value[k + 3] * g[np.uint64(place[k + 3] - first)]
    for k in range(whole, len(place)):
        s0 += value[k] * g[np.uint64(place[k] - first)]
    return (s0 + s1) + (s2 + s3)


@shared
def sparse_dots(g, indptr, rows, values, D, first, Pt_g, work):
    """(Pᵀ g)_j for g from row `first` on, a few columns at a time."""
    d = len(Pt_g)
    for piece in each(work, 0, (d + COLUMNS - 1) // COLUMNS):
        for j in range(piece * COLUMNS, min(d, (piece + 1) * COLUMNS)):
            a, b = indptr[j], indptr[j + 1]
            if first > 0:
                a = first_at(rows, a, b, first)
            if first + len(g) < D:
                b = first_at(rows, a, b, first + len(g))
            Pt_g[j] = dot(rows[a:b], values[a:b], first, g)
    linger(work)


def sparse_adjoint(
    g: Floats, indptr: Ints, rows: Ints, values: Floats, D: int, start: int, threads: int = 1
) -> Floats:
    """Pᵀ g."""
    Pt_g = np.empty(len(indptr) - 1, dtype=g.dtype)
    threads = worth(threads, "sparse", len(rows) * (len(g) / D))
    sparse_dots(*frozen(g, indptr, rows, values), D, start, Pt_g, threads)
    return Pt_g
