"""Fastfood, y = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D], and its adjoint (Le, Sarlós and Smola 2013).

One text for both forms of the operator. It has `blocks` blocks of n outputs; each reads a table
of m inputs:

- stacked: n = m = 2^⌈log₂ d⌉, as many blocks as cover D;
- single: one block of n = 2^⌈log₂ D⌉, m = 2^⌈log₂ d⌉. Its first transform has length n in the
  formula, but only the first m inputs are non-zero, so H_n (B ∘ pad v) is H_m (B ∘ pad v)
  repeated n/m times: it is computed once, and Π is kept modulo m.

The scale that gives P unit columns is inside G (see `projections/fastfood.py`).

Blocks know nothing of each other: some of them, with their own factors, are those rows of P.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npintdim.kernels.purpose import Purpose
from npintdim.kernels.reference.normals import normals, square_sum
from npintdim.kernels.reference.wht import wht
from npintdim.kernels.reference.words import CHUNK, permutations, signs, words
from npintdim.typing import Floats, Ints, Words


def fastfood_apply(
    v: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, D: int, threads: int = 1
) -> Floats:
    """P v.

    Parameters
    ----------
    v : (d,), d ≤ m
    B : packed signs, index b·m + k
    Pi : (blocks, n) integers below m
    G : (blocks, n), dtype of v
    S : packed signs, index = row
    m, D : length of the input table; rows kept
    threads : ignored here; the result does not depend on it

    Returns
    -------
    (D,)
    """
    blocks = len(Pi)
    x = np.zeros((blocks, m), dtype=v.dtype)
    x[:, : len(v)] = v
    x *= signs(B, blocks * m).reshape(blocks, m)
    x = wht(x)
    x = np.take_along_axis(x, Pi.astype(np.intp), axis=1) * G
    y = wht(x).reshape(-1)[:D]
    y *= signs(S, D)
    return y


def adjoints(g: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int) -> Floats:
    """What each block gives to Pᵀ g: the factors in reverse, S first; H = Hᵀ.

    Returns
    -------
    (blocks, m)
    """
    blocks, n = Pi.shape
    x = np.zeros(blocks * n, dtype=g.dtype)
    x[: len(g)] = g * signs(S, len(g))
    x = wht(x.reshape(blocks, n)) * G
    table = np.zeros((blocks, m), dtype=g.dtype)
    np.add.at(table, (np.arange(blocks)[:, None], Pi), x)  # Πᵀ: entries that read a place add to it
    return wht(table) * signs(B, blocks * m).reshape(blocks, m)


def fastfood_adjoint(
    g: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, d: int, threads: int = 1
) -> Floats:
    """Pᵀ g, the sum over the blocks.

    Parameters
    ----------
    g : (D,)
    B, Pi, G, S, m, threads : as in `fastfood_apply`
    d : columns of P

    Returns
    -------
    (d,)
    """
    total: Floats = adjoints(g, B, Pi, G, S, m).sum(axis=0)
    return total[:d]


# ---- some blocks at a time, drawn when they are needed ----


def fastfood_factors(
    seed: int, first: int, blocks: int, n: int, m: int, scale: float, dtype: np.dtype[Any], threads: int = 1
) -> tuple[Words, Ints, Floats]:
    """B, Π and G of the blocks first, ..., first + blocks − 1; first·m is a multiple of 32.

    Returns
    -------
    B, Pi, G : as in `fastfood_apply`, the signs from first·m on
    """
    B = words(seed, Purpose.FF_B, 0, first * m // 32, -(-blocks * m // 32))
    Pi = permutations(seed, Purpose.FF_PI, 0, blocks, n, first, threads)
    Pi = Pi if n == m else (Pi % m).astype(np.uint16 if m <= 1 << 16 else np.uint32)
    G = np.empty(blocks * n, dtype=dtype)
    for i in range(0, len(G), CHUNK):
        part = G[i : i + CHUNK]
        part[:] = normals(words(seed, Purpose.FF_G, 0, first * n + i, len(part))) / scale
    return B, Pi, G.reshape(blocks, n)


def fastfood_square_sum(seed: int, start: int, count: int, threads: int = 1) -> int:
    """Σ g² of the normals of G from `start` on, exactly; none is kept."""
    ends = range(start, start + count, CHUNK)
    return sum(
        square_sum(normals(words(seed, Purpose.FF_G, 0, i, min(CHUNK, start + count - i)))) for i in ends
    )


def fastfood_parts(m: int, dtype: np.dtype[Any]) -> Floats:
    """Sums to which `fastfood_add` adds; their sum is Pᵀ g.

    Returns
    -------
    (parts, m)
    """
    return np.zeros((1, m), dtype=dtype)


def fastfood_add(
    sums: Floats,
    g: Floats,
    B: Words,
    Pi: Ints,
    G: Floats,
    S: Words,
    first: int,
    blocks: int,
    threads: int = 1,
) -> None:
    """Add some blocks of Pᵀ g, in the order in which `fastfood_adjoint` adds all of them.

    Parameters
    ----------
    sums : of `fastfood_parts`
    g, B, Pi, G, S : of these blocks
    first, blocks : number of the first of them; of all that are added one after another
    """
    tables = adjoints(g, B, Pi, G, S, sums.shape[1])
    sums[0] = (np.concatenate([sums, tables]) if first else tables).sum(axis=0)
