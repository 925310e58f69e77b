"""What a processor can do at most: multiply-adds that never leave the registers.

It has no twin: it computes nothing. `npintdim.cli.bench` reads it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, linger, shared
from npintdim.kernels.numba_cpu.machinery.simd import LANES, muladd, store, zeros

# Two units with a result after four or five cycles need eight to ten vectors in flight; where a register
# holds half a vector, as with AVX2, more than seven would not stay in registers.
SEVEN, TEN = 7, 10


@shared
def seven(x, rounds, y, work):
    """y_part = the end of c ← c·a + b, seven times side by side."""
    a, b = x[0], zeros(x) + x[1]
    for part in each(work, 0, len(y) // LANES):
        c0 = c1 = c2 = c3 = c4 = c5 = c6 = zeros(x)
        for _ in range(rounds):
            c0, c1, c2 = muladd(c0, a, b), muladd(c1, a, b), muladd(c2, a, b)
            c3, c4, c5 = muladd(c3, a, b), muladd(c4, a, b), muladd(c5, a, b)
            c6 = muladd(c6, a, b)
        store(y, part * LANES, c0 + c1 + c2 + c3 + c4 + c5 + c6)
    linger(work)


@shared
def ten(x, rounds, y, work):
    """The same with ten."""
    a, b = x[0], zeros(x) + x[1]
    for part in each(work, 0, len(y) // LANES):
        c0 = c1 = c2 = c3 = c4 = c5 = c6 = c7 = c8 = c9 = zeros(x)
        for _ in range(rounds):
            c0, c1, c2 = muladd(c0, a, b), muladd(c1, a, b), muladd(c2, a, b)
            c3, c4, c5 = muladd(c3, a, b), muladd(c4, a, b), muladd(c5, a, b)
            c6, c7, c8 = muladd(c6, a, b), muladd(c7, a, b), muladd(c8, a, b)
            c9 = muladd(c9, a, b)
        store(y, part * LANES, c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9)
    linger(work)


def multiply_adds(rounds: int, chains: int, dtype: np.dtype[Any], threads: int = 1) -> int:
    """Run SEVEN or TEN chains on every thread; returns the operations done, two for a multiply-add."""
    x, y = np.full(2, 0.5, dtype=dtype), np.zeros(threads * LANES, dtype=dtype)
    (seven if chains == SEVEN else ten)(x, rounds, y, threads)
    return 2 * LANES * chains * rounds * threads
