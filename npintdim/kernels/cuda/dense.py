"""Dense projections without a matrix, on the device; the definition is `reference/dense.py`."""

from __future__ import annotations

import math

import cupy as cp
import numpy as np
from numpy.typing import NDArray

from npintdim.kernels.cuda.launch import cover, exact
from npintdim.typing import Floats


def gaussian_apply(
    v: Floats, seed: int, norms: NDArray[np.float64], start: int, stop: int, threads: int = 1
) -> Floats:
    """P v, columns ascending; a thread owns four rows, which share the Philox block of every column."""
    y: Floats = cp.empty(stop - start, dtype=v.dtype)
    of_P = np.uint64(seed), norms, len(v), start
    exact("gaussian_apply", cover(-(-len(y) // 4)), v, *of_P, len(y), y, T=v.dtype)
    return y


def gaussian_adjoint(
    g: Floats, seed: int, norms: NDArray[np.float64], start: int, threads: int = 1
) -> Floats:
    """Pᵀ g; a block sums a column, in float64 and in a fixed order."""
    out: Floats = cp.empty(len(norms), dtype=g.dtype)
    exact("gaussian_adjoint", len(norms), g, np.uint64(seed), norms, start, len(g), out, T=g.dtype)
    return out


def rademacher_apply(v: Floats, seed: int, D: int, start: int, stop: int, threads: int = 1) -> Floats:
    """P v, columns ascending; a block of threads owns 128 rows, the signs of one Philox block."""
    scaled = v * v.dtype.type(1.0 / math.sqrt(D))
    y: Floats = cp.empty(stop - start, dtype=v.dtype)
    exact("rademacher_apply", cover(len(y)), scaled, np.uint64(seed), len(v), start, len(y), y, T=v.dtype)
    return y


def rademacher_adjoint(g: Floats, seed: int, D: int, d: int, start: int, threads: int = 1) -> Floats:
    """Pᵀ g; a block sums a column, in float64 and in a fixed order."""
    T = g.dtype
    out: Floats = cp.empty(d, dtype=T)
    exact("rademacher_adjoint", d, g, np.uint64(seed), T.type(1.0 / math.sqrt(D)), start, len(g), out, T=T)
    return out
