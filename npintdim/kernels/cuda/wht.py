"""The Walsh–Hadamard transform on the device; the definition is `reference/wht.py`."""

from __future__ import annotations

import cupy as cp

from npintdim.kernels.cuda.launch import TILE, exact
from npintdim.typing import Floats

NEIGHBOURS = 32  # columns side by side: what a warp reads at once


def wht(x: Floats, threads: int = 1) -> Floats:
    """H x along the last axis."""
    n = x.shape[-1]
    if n < 1 or n & (n - 1):
        raise ValueError(f"x has {n} entries along its last axis: a power of two is needed")
    y: Floats = cp.array(x, order="C")
    hadamard(y)
    return y


def hadamard(y: Floats) -> None:
    """y ← H y along the last axis of a contiguous array.

    A launch does the strides h, 2h, ..., K·h/2 in shared memory: eleven of them at first, six in each
    further one. The butterflies are those of the definition, and so are the bits.
    """
    n, h = y.shape[-1], 1
    while h < n:
        C = min(h, NEIGHBOURS)
        K = min(n // h, TILE // C)
        exact("wht", y.size // (K * C), y, h, K, C, T=y.dtype)
        h *= K
