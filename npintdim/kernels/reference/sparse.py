"""Very sparse ± projections (Li, Hastie and Church 2006) in compressed columns.

An entry is non-zero with probability `density`. Instead of a coin for each of the D·d entries, the
gaps between non-zeros of a column are drawn, which are geometric: ⌊log u / log(1 − density)⌋.
The cost is O(non-zeros).

Both products are those of some rows, start, ..., stop − 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npintdim.kernels.purpose import Purpose
from npintdim.kernels.reference.normals import log
from npintdim.kernels.reference.words import signs, words
from npintdim.typing import Floats, Ints, Words


def sparse_column(seed: int, j: int, D: int, density: float) -> Ints:
    """Rows of the non-zeros of column j, ascending: (nnz_j,) int64."""
    return rows_of(lambda start, count: words(seed, Purpose.SPARSE_GAP, j, start, count), D, density)


def rows_of(draw: Callable[[int, int], Words], D: int, density: float) -> Ints:
    """Rows from words w_k = draw(k, 1).

    row_k = row_(k−1) + 1 + ⌊log((w_k + ½)/2³²) / log(1 − density)⌋, row_(−1) = −1, up to D − 1.
    """
    if density == 1.0:
        return np.arange(D, dtype=np.int64)
    count = 16 + int(1.25 * density * D)
    rows = np.array([-1], dtype=np.int64)
    while rows[-1] < D:  # draw on until the column is passed; each word has its own index
        w = draw(len(rows) - 1, count)
        gaps = np.floor(log((w + 0.5) * 2.0**-32) / log_of_miss(density)).astype(np.int64)
        rows = np.concatenate([rows, rows[-1] + np.cumsum(1 + gaps)])
    return rows[1 : np.searchsorted(rows, D)]


def log_of_miss(density: float) -> float:
    """log(1 − density); −∞ makes every gap 0."""
    return float(log(np.array([1.0 - density]))[0]) if density < 1.0 else -math.inf


def sparse_columns(
    seed: int, D: int, d: int, density: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]:
    """Place and sign of every non-zero, column after column.

    Returns
    -------
    indptr : (d + 1,) int64; column j owns the places indptr[j], ..., indptr[j+1] − 1
    rows : (nnz,) int32
    sign : (nnz,) int8; non-zero k of column j has sign k of lane j
    """
    columns = [sparse_column(seed, j, D, density) for j in range(d)]
    nnz = [len(rows) for rows in columns]
    indptr = np.concatenate([[0], np.cumsum(nnz)]).astype(np.int64)
    drawn = [signs(words(seed, Purpose.SPARSE_SIGN, j, 0, -(-k // 32)), k) for j, k in enumerate(nnz)]
    return indptr, np.concatenate(columns).astype(np.int32), np.concatenate(drawn).astype(np.int8)


def matrix(indptr: Ints, rows: Ints, values: Floats, D: int) -> Any:
    """P as SciPy has it; imported here, because it takes longer to import than NumPy."""
    from scipy.sparse import csc_array

    return csc_array((values, rows, indptr), shape=(D, len(indptr) - 1))


def sparse_apply(
    v: Floats, indptr: Ints, rows: Ints, values: Floats, D: int, start: int, stop: int, threads: int = 1
) -> Floats:
    """P v by SciPy: (stop − start,), dtype of v."""
    P = matrix(indptr, rows, values, D)
    return (P if stop - start == D else P[start:stop]) @ v


def sparse_adjoint(
    g: Floats, indptr: Ints, rows: Ints, values: Floats, D: int, start: int, threads: int = 1
) -> Floats:
    """Pᵀ g by SciPy: (d,), dtype of g."""
    P = matrix(indptr, rows, values, D)
    return (P if len(g) == D else P[start : start + len(g)]).T @ g
