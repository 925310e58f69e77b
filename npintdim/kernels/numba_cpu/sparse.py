"""Very sparse ± projections in compressed columns; the definition is `reference/sparse.py`."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from npintdim.kernels.numba_cpu.jit import frozen, jit, spread
from npintdim.kernels.numba_cpu.normals import log
from npintdim.kernels.numba_cpu.words import address, philox, signs, words
from npintdim.kernels.reference.sparse import GAP, SIGN
from npintdim.typing import Floats, Ints

PURPOSE = np.uint64(GAP)
PARTS = 64


@jit
def draw_rows(seed, lane, D, log_miss, rows):
    """Fill rows; returns how many non-zeros the column has, which may be more than rows holds."""
    row = np.int64(-1)
    count = 0
    block = np.uint64(0)
    while True:
        for w in philox(block, lane, PURPOSE, seed):
            row += 1 + np.int64(math.floor(log((w + 0.5) * 2.0**-32) / log_miss))
            if row >= D:
                return count
            if count < len(rows):
                rows[count] = row
            count += 1
        block += np.uint64(1)


@jit
def log_of_miss(density):
    """log(1 − density)."""
    return log(1.0 - density)


def sparse_column(seed: int, j: int, D: int, density: float) -> Ints:
    """Rows of the non-zeros of column j, ascending."""
    if density == 1.0:
        return np.arange(D, dtype=np.int64)
    room = 16 + int(density * D + 6.0 * math.sqrt(density * D))
    while True:
        rows = np.empty(room, dtype=np.int64)
        count = draw_rows(*address(seed, j), D, log_of_miss(density), rows)
        if count <= room:
            return rows[:count]
        room = count


def sparse_columns(
    seed: int, D: int, d: int, density: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]:
    """Place and sign of every non-zero, column after column."""
    columns = [sparse_column(seed, j, D, density) for j in range(d)]
    nnz = [len(rows) for rows in columns]
    indptr = np.concatenate([[0], np.cumsum(nnz)]).astype(np.int64)
    drawn = [signs(words(seed, SIGN, j, 0, -(-k // 32)), k) for j, k in enumerate(nnz)]
    return indptr, np.concatenate(columns).astype(np.int32), np.concatenate(drawn).astype(np.int8)


@spread
def sparse_rows(v, indptr, rows, values, y, parts):
    """Each part owns a range of rows, so a row's columns come in ascending order."""
    D = len(y)
    for t in prange(parts):
        low, high = D * t // parts, D * (t + 1) // parts
        for j in range(len(v)):
            a, b = indptr[j], indptr[j + 1]
            if parts > 1:
                ends = np.searchsorted(rows[a:b], np.array([low, high]))
                a, b = a + ends[0], a + ends[1]
            for k in range(a, b):
                y[rows[k]] += values[k] * v[j]


def sparse_apply(v: Floats, indptr: Ints, rows: Ints, values: Floats, D: int, threads: int = 1) -> Floats:
    """P v."""
    y = np.zeros(D, dtype=v.dtype)
    sparse_rows(*map(frozen, (v, indptr, rows, values)), y, threads)
    return y


@spread
def sparse_dots(g, indptr, rows, values, out, parts):
    """out_j = Σ_k values_k g_(rows_k)."""
    for t in prange(parts):
        for j in range(len(out) * t // parts, len(out) * (t + 1) // parts):
            total = g.dtype.type(0)
            for k in range(indptr[j], indptr[j + 1]):
                total += values[k] * g[rows[k]]
            out[j] = total


def sparse_adjoint(g: Floats, indptr: Ints, rows: Ints, values: Floats, threads: int = 1) -> Floats:
    """Pᵀ g."""
    out = np.empty(len(indptr) - 1, dtype=g.dtype)
    sparse_dots(*map(frozen, (g, indptr, rows, values)), out, threads)
    return out
