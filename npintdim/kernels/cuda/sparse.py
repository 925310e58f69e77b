"""Very sparse ± projections on the device; the definition is `reference/sparse.py`."""

from __future__ import annotations

import cupy as cp
import numpy as np
from numpy.typing import NDArray

from npintdim.kernels.cuda.launch import cover, exact
from npintdim.kernels.reference.sparse import log_of_miss
from npintdim.typing import Floats, Ints


def sparse_columns(
    seed: int, D: int, d: int, density: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]]:
    """Columns compressed; a thread walks down each, once to count and once to fill.

    The number of non-zeros decides how much memory is needed, so the host waits for it.
    """
    address = np.uint64(seed), d, D, log_of_miss(density)
    indptr: NDArray[np.int64] = cp.zeros(d + 1, dtype=np.int64)
    rows: NDArray[np.int32] = cp.empty(0, dtype=np.int32)
    sign: NDArray[np.int8] = cp.empty(0, dtype=np.int8)
    exact("sparse_columns", cover(d), *address, 0, indptr, rows, sign)
    indptr = cp.cumsum(indptr)
    nnz = int(indptr[-1])
    rows, sign = cp.empty(nnz, dtype=np.int32), cp.empty(nnz, dtype=np.int8)
    exact("sparse_columns", cover(d), *address, 1, indptr, rows, sign)
    return indptr, rows, sign


def sparse_apply(
    v: Floats, indptr: Ints, rows: Ints, values: Floats, D: int, start: int, stop: int, threads: int = 1
) -> Floats:
    """P v, columns ascending.

    cuSPARSE promises no bits for compressed columns, and a sort by rows would make the host wait; instead
    a block of threads finds the pieces of the columns that lie in its 128 rows.
    """
    y: Floats = cp.empty(stop - start, dtype=v.dtype)
    exact("sparse_apply", cover(len(y)), v, indptr, rows, values, len(v), start, len(y), y, T=v.dtype)
    return y


def sparse_adjoint(
    g: Floats, indptr: Ints, rows: Ints, values: Floats, D: int, start: int, threads: int = 1
) -> Floats:
    """Pᵀ g; a block sums a column, in float64 and in a fixed order."""
    d = len(indptr) - 1
    out: Floats = cp.empty(d, dtype=g.dtype)
    exact("sparse_adjoint", d, g, indptr, rows, values, start, len(g), out, T=g.dtype)
    return out
