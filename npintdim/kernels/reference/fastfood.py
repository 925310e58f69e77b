"""Fastfood, y = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D], and its adjoint (Le, Sarlós and Smola 2013).

One text for both forms of the operator. It has `blocks` blocks of n outputs; each reads a table
of m inputs:

- stacked: n = m = 2^⌈log₂ d⌉, as many blocks as cover D;
- single: one block of n = 2^⌈log₂ D⌉, m = 2^⌈log₂ d⌉. Its first transform has length n in the
  formula, but only the first m inputs are non-zero, so H_n (B ∘ pad v) is H_m (B ∘ pad v)
  repeated n/m times: it is computed once, and Π is kept modulo m.

The scale that gives P unit columns is inside G (see `projections/fastfood.py`).
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.reference.wht import wht
from npintdim.kernels.reference.words import signs
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


def fastfood_adjoint(
    g: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, d: int, threads: int = 1
) -> Floats:
    """Pᵀ g: the factors in reverse, S first; H = Hᵀ.

    Parameters
    ----------
    g : (D,)
    B, Pi, G, S, m, threads : as in `fastfood_apply`
    d : columns of P

    Returns
    -------
    (d,)
    """
    blocks, n = Pi.shape
    x = np.zeros(blocks * n, dtype=g.dtype)
    x[: len(g)] = g * signs(S, len(g))
    x = wht(x.reshape(blocks, n)) * G
    table = np.zeros((blocks, m), dtype=g.dtype)
    np.add.at(table, (np.arange(blocks)[:, None], Pi), x)  # Πᵀ: entries that read a place add to it
    table = wht(table) * signs(B, blocks * m).reshape(blocks, m)
    total: Floats = table.sum(axis=0)
    return total[:d]
