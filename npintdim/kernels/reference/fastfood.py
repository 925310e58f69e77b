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
from npintdim.kernels.reference.normals import normals
from npintdim.kernels.reference.wht import wht
from npintdim.kernels.reference.words import CHUNK, signs, words
from npintdim.typing import Floats, Ints, Words

FASTFOOD_PARTS = 1  # sums that `fastfood_adjoint` adds to


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
    """Add what some blocks, or all, give to Pᵀ g: the factors in reverse, S first; H = Hᵀ.

    Parameters
    ----------
    g, B, Pi, G, S, threads : of these blocks, as in `fastfood_apply`
    sums : (FASTFOOD_PARTS, m), zeros at first; at the end the first d of their sum are Pᵀ g
    first, blocks : number of the first of them; of all that are added one after another
    """
    here, n = Pi.shape
    m = sums.shape[1]
    x = np.zeros(here * n, dtype=g.dtype)
    x[: len(g)] = g * signs(S, len(g))
    x = wht(x.reshape(here, n)) * G
    table = np.zeros((here, m), dtype=g.dtype)
    np.add.at(table, (np.arange(here)[:, None], Pi), x)  # Πᵀ: entries that read a place add to it
    table = wht(table) * signs(B, here * m).reshape(here, m)
    sums[0] = (np.concatenate([sums, table]) if first else table).sum(axis=0)


def fastfood_normals(
    seed: int, start: int, count: int, scale: float, dtype: np.dtype[Any], threads: int = 1
) -> Floats:
    """Entries of G from `start` on, normals over the scale: (count,) dtype."""
    G = np.empty(count, dtype=dtype)
    for i in range(0, count, CHUNK):
        part = G[i : i + CHUNK]
        part[:] = normals(words(seed, Purpose.FF_G, 0, start + i, len(part))) / scale
    return G
