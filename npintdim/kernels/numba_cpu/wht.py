"""The Walsh–Hadamard transform; the definition is `reference/wht.py`."""

from __future__ import annotations

import numpy as np
from numba import prange

from npintdim.kernels.numba_cpu.jit import jit, spread
from npintdim.typing import Floats


@jit
def hadamard(x):
    """H x in place, len(x) a power of two."""
    h = 1
    while h < len(x):
        for i in range(0, len(x), 2 * h):
            low, high = x[i : i + h], x[i + h : i + 2 * h]
            for k in range(h):
                a, b = low[k], high[k]
                low[k], high[k] = a + b, a - b
        h *= 2


@spread
def hadamard_rows(x, parts):
    """Every row of x in place."""
    for t in prange(parts):
        for r in range(len(x) * t // parts, len(x) * (t + 1) // parts):
            hadamard(x[r])


def wht(x: Floats, threads: int = 1) -> Floats:
    """H x along the last axis, a power of two long; unnormalised, natural order."""
    y = np.array(x, order="C")
    hadamard_rows(y.reshape(-1, y.shape[-1]), threads)
    return y
