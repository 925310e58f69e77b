"""Fastfood and its adjoint, block by block; the definition is `reference/fastfood.py`."""

from __future__ import annotations

import numpy as np
from numba import prange

from npintdim.kernels.numba_cpu.jit import frozen, jit, spread
from npintdim.kernels.numba_cpu.wht import hadamard
from npintdim.typing import Floats, Ints, Words

PARTS = 8  # partial sums of an adjoint, whatever the number of threads


@jit
def flip(x, packed, start):
    """x_k *= sign start + k."""
    for k in range(len(x)):
        i = start + k
        if (packed[i >> 5] >> np.uint32(i & 31)) & np.uint32(1):
            x[k] = -x[k]


@spread
def apply_blocks(v, B, Pi, G, S, m, y, parts):
    """Blocks of y."""
    blocks, n = Pi.shape
    for t in prange(parts):
        table = np.empty(m, v.dtype)
        x = np.empty(n, v.dtype)
        for b in range(blocks * t // parts, blocks * (t + 1) // parts):
            table[: len(v)] = v
            table[len(v) :] = 0
            flip(table, B, b * m)
            hadamard(table)
            for k in range(n):
                x[k] = table[Pi[b, k]] * G[b, k]
            hadamard(x)
            kept = y[b * n : (b + 1) * n]
            kept[:] = x[: len(kept)]
            flip(kept, S, b * n)


def fastfood_apply(
    v: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, D: int, threads: int = 1
) -> Floats:
    """P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D]."""
    y = np.empty(D, dtype=v.dtype)
    apply_blocks(*map(frozen, (v, B, Pi, G, S)), m, y, threads)
    return y


@spread
def adjoint_blocks(g, B, Pi, G, S, m, total, parts):
    """total[q] = sum over part q of the blocks."""
    blocks, n = Pi.shape
    for t in prange(parts):
        x = np.empty(n, g.dtype)
        table = np.empty(m, g.dtype)
        for q in range(len(total) * t // parts, len(total) * (t + 1) // parts):
            for b in range(blocks * q // len(total), blocks * (q + 1) // len(total)):
                seen = g[b * n : (b + 1) * n]
                x[: len(seen)] = seen
                x[len(seen) :] = 0
                flip(x[: len(seen)], S, b * n)
                hadamard(x)
                table[:] = 0
                for k in range(n):
                    table[Pi[b, k]] += x[k] * G[b, k]
                hadamard(table)
                flip(table, B, b * m)
                for k in range(m):
                    total[q, k] += table[k]


def fastfood_adjoint(
    g: Floats, B: Words, Pi: Ints, G: Floats, S: Words, m: int, d: int, threads: int = 1
) -> Floats:
    """Pᵀ g: the factors in reverse, S first."""
    total = np.zeros((PARTS, m), dtype=g.dtype)
    adjoint_blocks(*map(frozen, (g, B, Pi, G, S)), m, total, threads)
    Pt_g: Floats = total.sum(axis=0)[:d]
    return Pt_g
