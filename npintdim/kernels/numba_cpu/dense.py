"""Dense projections without a matrix; the definition is `reference/dense.py`.

A chunk of rows stays in the smallest cache while all columns pass over it, so a row's sum has its
columns in ascending order and no number of threads changes a bit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from npintdim.kernels.numba_cpu.jit import frozen, spread
from npintdim.kernels.numba_cpu.normals import fill_normals, normal, square_sums
from npintdim.kernels.numba_cpu.words import address, fill, signs, words
from npintdim.kernels.reference.dense import DENSE
from npintdim.typing import Floats

ROWS = 2048  # of a chunk
PURPOSE, ZERO = np.uint64(DENSE), np.uint64(0)


def gaussian_column(seed: int, j: int, D: int) -> NDArray[np.int32]:
    """Grid normals g_0j, ..., g_(D−1)j."""
    g = np.empty(D, dtype=np.int32)
    fill_normals(words(seed, DENSE, j, 0, D), g)
    return g


def rademacher_column(seed: int, j: int, D: int) -> NDArray[np.int8]:
    """Signs of column j."""
    return signs(words(seed, DENSE, j, 0, -(-D // 32)), D).astype(np.int8)


@spread
def norm_sums(seed, D, d, sums, parts):
    """The two sums of every column."""
    for t in prange(parts):
        drawn, g = np.empty(ROWS, np.uint32), np.empty(ROWS, np.int32)
        for j in range(d * t // parts, d * (t + 1) // parts):
            for i in range(0, D, ROWS):
                m = min(ROWS, D - i)
                fill(drawn[:m], seed, PURPOSE, np.uint64(j), np.uint64(i))
                fill_normals(drawn[:m], g[:m])
                high, low = square_sums(g[:m])
                sums[j, 0] += high
                sums[j, 1] += low


def gaussian_norms(seed: int, D: int, d: int, threads: int = 1) -> NDArray[np.float64]:
    """Column norms sqrt(Σ_i g_ij²) on the grid; the sum is exact, then rounded once."""
    sums = np.zeros((d, 2), dtype=np.int64)
    norm_sums(*address(seed), D, d, sums, threads)
    return np.array([math.sqrt((int(high) << 32) + int(low)) for high, low in sums])


@spread
def gaussian_rows(v, seed, norms, y, parts):
    """y_i += dtype(g_ij / norm_j) v_j."""
    chunks = (len(y) + ROWS - 1) // ROWS
    for t in prange(parts):
        drawn = np.empty(ROWS, np.uint32)
        for c in range(chunks * t // parts, chunks * (t + 1) // parts):
            kept = y[c * ROWS : (c + 1) * ROWS]
            w = drawn[: len(kept)]
            for j in range(len(v)):
                fill(w, seed, PURPOSE, np.uint64(j), np.uint64(c * ROWS))
                for i in range(len(kept)):
                    kept[i] += v.dtype.type(normal(w[i]) / norms[j]) * v[j]


def gaussian_apply(v: Floats, seed: int, norms: NDArray[np.float64], D: int, threads: int = 1) -> Floats:
    """P v = Σ_j P_j v_j with P_j = dtype(g_j / norm_j)."""
    y = np.zeros(D, dtype=v.dtype)
    gaussian_rows(frozen(v), *address(seed), frozen(norms), y, threads)
    return y


@spread
def gaussian_columns(g, seed, norms, out, parts):
    """out_j = Σ_i dtype(g_ij / norm_j) g_i."""
    for t in prange(parts):
        drawn = np.empty(ROWS, np.uint32)
        for j in range(len(out) * t // parts, len(out) * (t + 1) // parts):
            total = 0.0
            for i in range(0, len(g), ROWS):
                seen = g[i : i + ROWS]
                w = drawn[: len(seen)]
                fill(w, seed, PURPOSE, np.uint64(j), np.uint64(i))
                for k in range(len(seen)):
                    total += g.dtype.type(normal(w[k]) / norms[j]) * seen[k]
            out[j] = total


def gaussian_adjoint(g: Floats, seed: int, norms: NDArray[np.float64], threads: int = 1) -> Floats:
    """(Pᵀ g)_j = ⟨P_j, g⟩."""
    out = np.empty(len(norms), dtype=g.dtype)
    gaussian_columns(frozen(g), *address(seed), frozen(norms), out, threads)
    return out


@spread
def rademacher_rows(v, seed, y, parts):
    """y_i += ± v_j."""
    chunks = (len(y) + ROWS - 1) // ROWS
    for t in prange(parts):
        drawn = np.empty(ROWS // 32, np.uint32)
        for c in range(chunks * t // parts, chunks * (t + 1) // parts):
            kept = y[c * ROWS : (c + 1) * ROWS]
            for j in range(len(v)):
                fill(drawn, seed, PURPOSE, np.uint64(j), np.uint64(c * (ROWS // 32)))
                for i in range(len(kept)):
                    minus = (drawn[i >> 5] >> np.uint32(i & 31)) & np.uint32(1)
                    kept[i] += -v[j] if minus else v[j]


def rademacher_apply(v: Floats, seed: int, D: int, threads: int = 1) -> Floats:
    """P v = Σ_j ± (v_j/√D)."""
    y = np.zeros(D, dtype=v.dtype)
    rademacher_rows(frozen(v * v.dtype.type(1.0 / math.sqrt(D))), *address(seed), y, threads)
    return y


@spread
def rademacher_columns(g, seed, out, parts):
    """out_j = Σ_i ± g_i."""
    for t in prange(parts):
        drawn = np.empty(ROWS // 32, np.uint32)
        for j in range(len(out) * t // parts, len(out) * (t + 1) // parts):
            total = 0.0
            for i in range(0, len(g), ROWS):
                seen = g[i : i + ROWS]
                fill(drawn, seed, PURPOSE, np.uint64(j), np.uint64(i // 32))
                for k in range(len(seen)):
                    minus = (drawn[k >> 5] >> np.uint32(k & 31)) & np.uint32(1)
                    total += -seen[k] if minus else seen[k]
            out[j] = total


def rademacher_adjoint(g: Floats, seed: int, d: int, threads: int = 1) -> Floats:
    """(Pᵀ g)_j = Σ_i ± g_i / √D."""
    out = np.empty(d, dtype=g.dtype)
    rademacher_columns(frozen(g), *address(seed), out, threads)
    out *= g.dtype.type(1.0 / math.sqrt(len(g)))
    return out
