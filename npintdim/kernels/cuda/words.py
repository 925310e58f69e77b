"""Philox4x32-10 on the device; the definition is `reference/words.py`."""

from __future__ import annotations

import cupy as cp
import numpy as np

from npintdim.kernels.cuda.launch import cover, exact
from npintdim.kernels.reference.words import CHUNK, MASK
from npintdim.typing import Ints, Words


def words(seed: int, purpose: int, lane: int, start: int, count: int) -> Words:
    """Words start, ..., start + count − 1; a thread makes the four words of a Philox block."""
    out: Words = cp.empty(count, dtype=np.uint32)
    blocks = (start + count + 3) // 4 - start // 4 if count else 0
    address = np.uint64(seed), np.uint32(purpose), np.uint32(lane)
    exact("words", cover(blocks), *address, start, count, out)
    return out


def signs(packed: Words, count: int) -> Ints:
    """Bits to int8 ±1."""
    out: Ints = cp.empty(count, dtype=np.int8)
    exact("signs", cover(count), packed, count, out)
    return out


def permutations(
    seed: int, purpose: int, lane: int, rows: int, n: int, first: int = 0, threads: int = 1
) -> Ints:
    """A permutation of 0, ..., n − 1 in every row: CuPy sorts the keys word << 32 | k."""
    out: Ints = cp.empty((rows, n), dtype=np.uint16 if n <= 1 << 16 else np.uint32)
    step = max(1, CHUNK // n)
    for r in range(0, rows, step):
        m = min(step, rows - r)
        high = words(seed, purpose, lane, (first + r) * n, m * n).astype(np.uint64).reshape(m, n)
        keys = high << np.uint64(32) | cp.arange(n, dtype=np.uint64)
        keys.sort(axis=1)
        out[r : r + m] = (keys & np.uint64(MASK)).astype(out.dtype)
    return out
