"""Fastfood and its adjoint on the device; the definition is `reference/fastfood.py`."""

from __future__ import annotations

from typing import Any

import cupy as cp
import numpy as np

from npintdim.kernels.cuda.launch import cover, exact
from npintdim.kernels.cuda.normals import normals
from npintdim.kernels.cuda.wht import hadamard
from npintdim.kernels.cuda.words import words
from npintdim.kernels.purpose import Purpose
from npintdim.typing import Floats, Ints, Words

FASTFOOD_PARTS = 1


def fastfood_apply(
    v: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, D: int, threads: int = 1
) -> Floats:
    """P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D]."""
    blocks, n = Pi.shape
    table = cp.zeros((blocks, m), dtype=v.dtype)
    table[:, : len(v)] = v
    flip(table, B)
    hadamard(table)
    x = cp.empty((blocks, n), dtype=v.dtype)
    exact("gather", cover(x.size), table, Pi, Pi.itemsize, G, n, m, x.size, x, T=v.dtype)
    hadamard(x)
    y: Floats = x.reshape(-1)[:D]
    flip(y, S)
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
    """Add what some blocks, or all, give to Pᵀ g: the factors in reverse; CuPy chooses the order of a sum."""
    here, n = Pi.shape
    x = cp.zeros(here * n, dtype=g.dtype)
    x[: len(g)] = g
    flip(x[: len(g)], S)
    x = x.reshape(here, n)
    hadamard(x)
    x *= G
    table = transposed_gather(x, Pi, sums.shape[1])
    hadamard(table)
    flip(table, B)
    sums[0] += table.sum(axis=0)


def fastfood_normals(
    seed: int, start: int, count: int, scale: float, dtype: np.dtype[Any], threads: int = 1
) -> Floats:
    """Entries of G from `start` on: normals over the scale."""
    return (normals(words(seed, Purpose.FF_G, 0, start, count)) / scale).astype(dtype)


def flip(x: Floats, packed: Words) -> None:
    """x ← signs ∘ x for a contiguous x."""
    exact("flip", cover(x.size), x, packed, x.size, T=x.dtype)


def transposed_gather(x: Floats, Pi: Ints, m: int) -> Floats:
    """Πᵀ x (blocks, m): every entry goes to the place it was read from, and those that meet are added.

    In stacked blocks Π is a permutation and nothing meets. In the single block n/m entries share a place.
    Atomic floating-point sums would change from run to run, a sort would make the host wait; sums of
    integers do neither.
    """
    blocks, n = Pi.shape
    table: Floats = cp.empty((blocks, m), dtype=x.dtype)
    if n == m:
        exact("scatter", cover(x.size), x, Pi, Pi.itemsize, n, x.size, table, T=x.dtype)
        return table
    largest, room = abs(x).max(), (n // m).bit_length() - 1
    total = cp.zeros(m, dtype=np.uint64)
    exact("scatter_add", cover(n), x, Pi, Pi.itemsize, largest, room, n, total, T=x.dtype)
    exact("scatter_sum", cover(m), total, largest, room, m, table, T=x.dtype)
    return table
