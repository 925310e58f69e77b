"""Dense projections without a matrix; the definition is `reference/dense.py`.

A chunk of rows stays in the smallest cache while the columns pass over it in ascending order, so no
number of threads changes a bit. Vectors are padded with zeros to whole chunks and columns.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, share_of, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import (
    HAS_FMA,
    LANES,
    convert,
    count_from,
    flip_highest,
    fma,
    load,
    store,
    total,
    zeros,
)
from npintdim.kernels.numba_cpu.machinery.tile import seen, transpose
from npintdim.kernels.numba_cpu.normals import CHUNK, draw
from npintdim.kernels.numba_cpu.words import BATCH, address, fill_blocks, philox
from npintdim.kernels.purpose import Purpose
from npintdim.typing import Array, Floats

ROWS = 32 * BATCH  # rows whose signs are one batch of words
COLUMNS = 4  # that pass over a chunk together
PURPOSE = np.uint64(Purpose.DENSE)


def whole(count: int, step: int) -> int:
    """The count rounded up to whole steps."""
    return -(-count // step) * step


def padded(x: Array, step: int) -> Array:
    """The vector with zeros up to whole steps."""
    return frozen(np.pad(x, (0, whole(len(x), step) - len(x))))[0]


@jit
def draw_normals(drawn, seed, j, start, z):
    """Grid normals start, ... of column j, one for each place of drawn."""
    fill_blocks(drawn, seed, PURPOSE, np.uint64(j), np.uint64(start // 4))
    return draw(drawn, 0.0, 1.0, z)


@jit
def quotient(g, norm, inverse):
    """g/norm as a division rounds it: g·inverse, corrected twice by what it leaves over (Markstein 1990)."""
    if not HAS_FMA:
        return g / norm
    q = g * inverse
    q = fma(fma(0.0 - q, norm, g), inverse, q)
    return fma(fma(0.0 - q, norm, g), inverse, q)


@shared
def gaussian_rows(v, seed, norms, first, y, work):
    """y_i += dtype(g_ij / norm_j) v_j, from row `first` on."""
    z, drawn = np.empty(CHUNK), np.empty(CHUNK, np.uint32)
    for chunk in each(work, 0, (len(y) + CHUNK - 1) // CHUNK):
        start = chunk * CHUNK
        kept = y[start : start + CHUNK]
        for j in range(len(v)):
            inverse = 1.0 / norms[j]
            g = draw_normals(drawn[: len(kept)], seed, j, first + start, z)
            for i in range(0, len(kept), LANES):
                store(
                    kept, i, load(kept, i) + convert(quotient(load(g, i), norms[j], inverse), y.dtype) * v[j]
                )
    linger(work)


def gaussian_apply(
    v: Floats, seed: int, norms: NDArray[np.float64], start: int, stop: int, threads: int = 1
) -> Floats:
    """P v = Σ_j P_j v_j with P_j = dtype(g_j / norm_j)."""
    y = np.zeros(whole(stop - start, BATCH), dtype=v.dtype)
    threads = worth(threads, "gaussian", len(y) * len(v))
    gaussian_rows(*frozen(v), *address(seed), *frozen(norms), start, y, threads)
    return y[: stop - start]


@shared
def gaussian_columns(g, seed, norms, first, Pt_g, work):
    """(Pᵀ g)_j += Σ_i dtype(g_ij / norm_j) g_i, chunk after chunk from row `first` on."""
    z, drawn = np.empty(CHUNK), np.empty(CHUNK, np.uint32)
    for j in each(work, 0, len(Pt_g)):
        inverse = 1.0 / norms[j]
        for start in range(0, len(g), CHUNK):
            near = g[start : start + CHUNK]
            entries = draw_normals(drawn[: len(near)], seed, j, first + start, z)
            sums = zeros(g)
            for i in range(0, len(near), LANES):
                sums = sums + convert(quotient(load(entries, i), norms[j], inverse), g.dtype) * load(near, i)
            Pt_g[j] += total(sums)
    linger(work)


def gaussian_adjoint(
    g: Floats, seed: int, norms: NDArray[np.float64], start: int, threads: int = 1
) -> Floats:
    """(Pᵀ g)_j = ⟨P_j, g⟩."""
    Pt_g = np.zeros(len(norms))
    threads = worth(threads, "gaussian", len(g) * len(norms))
    gaussian_columns(padded(g, BATCH), *address(seed), *frozen(norms), start, Pt_g, threads)
    return Pt_g.astype(g.dtype)


@jit
def draw_signs(seed, j, start):
    """Signs of ROWS rows of column j: bit t of lane L of vector k is that of row start + 128 L + 32 k + t."""
    w0, w1, w2, w3 = philox(count_from(np.uint64(start // 128)), np.uint64(j), PURPOSE, seed)
    return convert(w0, np.uint32), convert(w1, np.uint32), convert(w2, np.uint32), convert(w3, np.uint32)


@jit
def draw_columns(seed, j, start):
    """The same of COLUMNS columns."""
    return (
        draw_signs(seed, j, start),
        draw_signs(seed, j + 1, start),
        draw_signs(seed, j + 2, start),
        draw_signs(seed, j + 3, start),
    )


@jit
def add_columns(kept, at, v, j, signs):
    """y_i += ± v_j for four columns and 32 vectors of rows, the highest bit of each lane first."""
    a, b, c, d = signs
    for i in range(at + 31 * LANES, at - 1, -LANES):
        x = load(kept, i) + flip_highest(v[j], a)
        x = x + flip_highest(v[j + 1], b)
        x = x + flip_highest(v[j + 2], c)
        store(kept, i, x + flip_highest(v[j + 3], d))
        a, b, c, d = a + a, b + b, c + c, d + d


@shared
def rademacher_rows(v, seed, first, y, work):
    """y_i += ± v_j from row `first` on, for rows that lie as their signs do: 16 × 128, turned to 128 × 16."""
    kept = np.empty(ROWS, y.dtype)
    for chunk in each(work, 0, len(y) // ROWS):
        start = chunk * ROWS
        kept[:] = 0
        for j in range(0, len(v), COLUMNS):
            a, b, c, d = draw_columns(seed, j, first + start)
            for k in range(4):
                add_columns(kept, 32 * k * LANES, v, j, (a[k], b[k], c[k], d[k]))
        transpose(seen(kept), 0, LANES, 128, LANES, y, start, 128)
    linger(work)


def rademacher_apply(v: Floats, seed: int, D: int, start: int, stop: int, threads: int = 1) -> Floats:
    """P v = Σ_j ± (v_j/√D)."""
    y = np.empty(whole(stop - start, ROWS), dtype=v.dtype)
    scaled = padded(v * v.dtype.type(1.0 / math.sqrt(D)), COLUMNS)
    rademacher_rows(scaled, *address(seed), start, y, worth(threads, "rademacher", len(y) * len(v)))
    return y[: stop - start]


@jit
def add_rows(turned, at, signs, sums):
    """sums + Σ ± g_i for four columns and 32 vectors of rows, the highest bit of each lane first."""
    a, b, c, d = signs
    s0, s1, s2, s3 = sums
    for i in range(at + 31 * LANES, at - 1, -LANES):
        x = load(turned, i)
        s0, s1 = s0 + flip_highest(x, a), s1 + flip_highest(x, b)
        s2, s3 = s2 + flip_highest(x, c), s3 + flip_highest(x, d)
        a, b, c, d = a + a, b + b, c + c, d + d
    return s0, s1, s2, s3


@shared
def rademacher_columns(g, seed, first, sums, parts, work):
    """sums_j += Σ_i ± g_i, chunk after chunk from row `first` on, each turned as in `rademacher_rows`."""
    turned = np.empty(ROWS, g.dtype)
    for part in each(work, 0, parts):
        low, high = share_of(len(sums) // COLUMNS, part, parts)
        for start in range(0, len(g), ROWS):
            transpose(g, start, 128, LANES, 128, turned, 0, LANES)
            for j in range(low * COLUMNS, high * COLUMNS, COLUMNS):
                a, b, c, d = draw_columns(seed, j, first + start)
                s = zeros(g), zeros(g), zeros(g), zeros(g)
                for k in range(4):
                    s = add_rows(turned, 32 * k * LANES, (a[k], b[k], c[k], d[k]), s)
                for i in range(COLUMNS):
                    sums[j + i] += total(s[i])
    linger(work)


def rademacher_adjoint(g: Floats, seed: int, D: int, d: int, start: int, threads: int = 1) -> Floats:
    """(Pᵀ g)_j = Σ_i ± g_i / √D."""
    sums = np.zeros(whole(d, COLUMNS))
    threads = worth(threads, "rademacher", len(g) * d)
    rademacher_columns(padded(g, ROWS), *address(seed), start, sums, threads, threads)
    return (sums[:d] / math.sqrt(D)).astype(g.dtype)
