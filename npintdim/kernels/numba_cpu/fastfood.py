"""Fastfood and its adjoint; the definition is `reference/fastfood.py`.

Many small blocks: each is done from end to end in the smallest cache, and threads share the blocks.
Few large ones: each step runs over a whole block, and threads share the step. The shape alone
decides which, and an adjoint is always a sum of eight parts, so threads change no bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, share_of, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, convert, flip, gather, load, mask, store
from npintdim.kernels.numba_cpu.normals import CHUNK, DRAWN, draw_stream
from npintdim.kernels.numba_cpu.wht import hadamard, join_eighths
from npintdim.kernels.numba_cpu.words import address
from npintdim.kernels.purpose import Purpose
from npintdim.typing import Floats, Ints, Words

FASTFOOD_PARTS = 8  # of the blocks, whose sums are added at the end, and of a large block
LARGE = 1 << 15  # numbers in a block that threads may share
PIECE, COLUMNS = 1 << 12, 1 << 9  # numbers of y, or columns of its eighths, that a thread takes at a time
NORMALS, LANE_0 = np.uint64(Purpose.FF_G), np.uint64(0)


@jit
def sign(x, packed, start, y):
    """y_k = ± x_k with the signs start + k; the signs of 16 numbers or more start on a byte."""
    whole = len(x) // LANES * LANES
    for k in range(0, whole, LANES):
        store(y, k, flip(load(x, k), mask(packed, start + k)))
    for k in range(whole, len(x)):
        i = start + k
        y[k] = -x[k] if (packed[i >> 5] >> np.uint32(i & 31)) & np.uint32(1) else x[k]


@jit
def permute(table, Pi, G, y):
    """y = G ∘ table[Π]."""
    whole = len(y) // LANES * LANES
    for k in range(0, whole, LANES):
        store(y, k, gather(table, Pi, k) * load(G, k))
    for k in range(whole, len(y)):
        y[k] = table[Pi[k]] * G[k]


@jit
def permute_back(x, Pi, G, table):
    """Πᵀ (G ∘ x): entries that read a place add to it."""
    table[:] = 0
    for k in range(len(x)):
        table[Pi[k]] += x[k] * G[k]


@jit
def read_table(v, B, start, table):
    """H (B ∘ pad v)."""
    sign(v, B, start, table[: len(v)])
    table[len(v) :] = 0
    hadamard(table)


@jit
def read_back(table, B, start):
    """B ∘ (H table) in place."""
    hadamard(table)
    sign(table, B, start, table)


@shared
def apply_blocks(v, B, Pi, G, S, m, y, work):
    """Blocks of y from end to end, a few at a time."""
    blocks, n = Pi.shape
    table, x = np.empty(m, v.dtype), np.empty(n, v.dtype)
    few = max(1, PIECE // n)
    for piece in each(work, 0, (blocks + few - 1) // few):
        for b in range(piece * few, min(blocks, (piece + 1) * few)):
            read_table(v, B, b * m, table)
            permute(table, Pi[b], G[b], x)
            hadamard(x)
            kept = y[b * n : (b + 1) * n]
            sign(x[: len(kept)], S, b * n, kept)
    linger(work)


@shared
def adjoint_blocks(g, B, Pi, G, S, sums, first, blocks, work):
    """sums[q] += sum over part q of `blocks` blocks, as far as they are here: from `first` on."""
    here, n = Pi.shape
    m = sums.shape[1]
    table, x = np.empty(m, g.dtype), np.empty(n, g.dtype)
    for q in each(work, 0, FASTFOOD_PARTS):
        low, high = share_of(blocks, q, FASTFOOD_PARTS)
        for b in range(max(0, low - first), min(here, high - first)):
            seen = g[b * n : (b + 1) * n]
            sign(seen, S, b * n, x[: len(seen)])
            x[len(seen) :] = 0
            hadamard(x)
            permute_back(x, Pi[b], G[b], table)
            read_back(table, B, b * m)
            for k in range(m):
                sums[q, k] += table[k]
    linger(work)


@shared
def apply_eighths(table, Pi, G, S, start, x, y, work):
    """y = S ∘ H (G ∘ table[Π]), whose first row is `start`; Pi, G and x have eight rows."""
    h = x.shape[1]
    for q in each(work, 0, FASTFOOD_PARTS):
        permute(table, Pi[q], G[q], x[q])
        hadamard(x[q])
    for piece in each(work, 1, h // COLUMNS):
        low, high = piece * COLUMNS, (piece + 1) * COLUMNS
        join_eighths(x, low, high)
        for q in range(FASTFOOD_PARTS):
            kept = y[q * h + low : q * h + high]
            sign(x[q][low : low + len(kept)], S, start + q * h + low, kept)
    linger(work)


@shared
def adjoint_eighths(g, Pi, G, S, start, x, tables, work):
    """tables[q] = Πᵀ (G ∘ H pad(S ∘ g)) of eighth q: the last three rounds of H first."""
    h = x.shape[1]
    for piece in each(work, 0, h // COLUMNS):
        low, high = piece * COLUMNS, (piece + 1) * COLUMNS
        for q in range(FASTFOOD_PARTS):
            seen = g[q * h + low : q * h + high]
            sign(seen, S, start + q * h + low, x[q][low : low + len(seen)])
            x[q][low + len(seen) : high] = 0
        join_eighths(x, low, high)
    for q in each(work, 1, FASTFOOD_PARTS):
        hadamard(x[q])
        permute_back(x[q], Pi[q], G[q], tables[q])
    linger(work)


def apply_large(v: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, y: Floats, threads: int) -> None:
    """Block after block of y."""
    n = Pi.shape[1]
    table, x = np.empty(m, dtype=v.dtype), np.empty((FASTFOOD_PARTS, n // FASTFOOD_PARTS), dtype=v.dtype)
    for b, kept in enumerate(np.split(y, range(n, len(y), n))):
        read_table(v, B, b * m, table)
        apply_eighths(table, Pi[b].reshape(x.shape), G[b].reshape(x.shape), S, b * n, x, kept, threads)


def adjoint_large(g: Floats, B: Words, Pi: Ints, G: Floats, S: Words, sums: Floats, threads: int) -> None:
    """sums[b] = block b of Pᵀ g."""
    m, n = sums.shape[1], Pi.shape[1]
    tables = np.empty((FASTFOOD_PARTS, m), dtype=g.dtype)
    x = np.empty((FASTFOOD_PARTS, n // FASTFOOD_PARTS), dtype=g.dtype)
    for b, seen in enumerate(np.split(g, range(n, len(g), n))):
        adjoint_eighths(seen, Pi[b].reshape(x.shape), G[b].reshape(x.shape), S, b * n, x, tables, threads)
        tables.sum(axis=0, out=sums[b])
        read_back(sums[b], B, b * m)


def fastfood_apply(
    v: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, D: int, threads: int = 1
) -> Floats:
    """P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D]."""
    y = np.empty(D, dtype=v.dtype)
    kernel: Any = apply_large if len(Pi) < FASTFOOD_PARTS and Pi.shape[1] >= LARGE else apply_blocks
    kernel(*frozen(v, B, Pi, G, S), m, y, worth(threads, "fastfood", D))
    return y


def fastfood_adjoint(
    g: Floats,
    B: Words,
    Pi: Ints,
    G: Floats,
    S: Words,
    sums: Floats,
    first: int,
    blocks: int,
    threads: int = 1,
) -> None:
    """Add what some blocks, or all, give to Pᵀ g, each to the sum of its part."""
    kernel: Any = adjoint_blocks
    to: tuple[Any, ...] = sums, first, blocks
    if blocks < FASTFOOD_PARTS and Pi.shape[1] >= LARGE:  # threads share the steps
        kernel, to = adjoint_large, (sums[first:],)
    kernel(*frozen(g, B, Pi, G, S), *to, worth(threads, "fastfood", len(g)))


@shared
def draw_G(seed, start, scale, G, work):
    """G from one of its places on."""
    z, drawn = np.empty(CHUNK), np.empty(CHUNK, np.uint32)
    for piece in each(work, 0, (len(G) + DRAWN - 1) // DRAWN):
        for at in range(piece * DRAWN, min(len(G), (piece + 1) * DRAWN), CHUNK):
            near, g = G[at : at + CHUNK], draw_stream(drawn, seed, NORMALS, LANE_0, start + at, z)
            whole = len(near) // LANES * LANES
            for i in range(0, whole, LANES):
                store(near, i, convert(load(g, i) / scale, near.dtype))
            for i in range(whole, len(near)):
                near[i] = g[i] / scale
    linger(work)


def fastfood_normals(
    seed: int, start: int, count: int, scale: float, dtype: np.dtype[Any], threads: int = 1
) -> Floats:
    """Entries of G from `start` on: normals over the scale."""
    G = np.empty(count, dtype=dtype)
    draw_G(*address(seed), start, scale, G, worth(threads, "gaussian", count))
    return G
