"""Philox4x32-10: random words that have an address instead of a state.

Salmon, Moraes, Dror and Shaw, *Parallel random numbers: as easy as 1, 2, 3* (SC 2011).
Word i of a stream is output word i mod 4 of block ⌊i/4⌋. The address of a block:

    key     = (seed low, seed high)
    counter = (block low, block high, lane, purpose)

so any word can be computed alone, in any order, on any device, with the same result.
"""

from __future__ import annotations

import numpy as np

from npintdim.typing import Array, Ints, Words

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
CHUNK = 1 << 20  # words held at once while permutations are made


def philox4x32(counter: Array, key: tuple[int, int]) -> Words:
    """Ten rounds of Philox on a batch of counters.

    Parameters
    ----------
    counter : (4, n) uint32
    key : two 32-bit words

    Returns
    -------
    (4, n) uint32
    """
    c0, c1, c2, c3 = counter.astype(np.uint64)
    k0, k1 = key
    for _ in range(ROUNDS):
        p0 = np.uint64(MULTIPLIERS[0]) * c0
        p1 = np.uint64(MULTIPLIERS[1]) * c2
        c0, c1 = (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0), p1 & np.uint64(MASK)
        c2, c3 = (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1), p0 & np.uint64(MASK)
        k0, k1 = (k0 + KEY_STEPS[0]) & MASK, (k1 + KEY_STEPS[1]) & MASK
    return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def words(seed: int, purpose: int, lane: int, start: int, count: int) -> Words:
    """Words start, ..., start + count − 1 of the stream (seed, purpose, lane).

    Parameters
    ----------
    seed : 0 ≤ seed < 2⁶⁴
    purpose, lane : 32-bit words of the address
    start, count : index of the first word; how many

    Returns
    -------
    (count,) uint32
    """
    first, last = start // 4, (start + count + 3) // 4
    block = np.arange(first, last, dtype=np.uint64)
    counter = np.empty((4, last - first), dtype=np.uint32)
    counter[0] = block & np.uint64(MASK)
    counter[1] = block >> np.uint64(32)
    counter[2] = lane
    counter[3] = purpose
    out = philox4x32(counter, (seed & MASK, seed >> 32))
    return np.ascontiguousarray(out.T).reshape(-1)[start - 4 * first :][:count]


def signs(packed: Words, count: int) -> Ints:
    """Sign i = bit i mod 32 (lowest first) of word ⌊i/32⌋, a 0 is +1, a 1 is −1: (count,) int8."""
    bits = np.unpackbits(packed.astype("<u4").view(np.uint8), bitorder="little", count=count)
    return (1 - 2 * bits.astype(np.int8)).astype(np.int8)


def permutations(
    seed: int, purpose: int, lane: int, rows: int, n: int, first: int = 0, threads: int = 1
) -> Ints:
    """Permute 0, ..., n − 1 once per row: sort the keys word << 32 | k, keep the low half.

    The rows are first, ..., first + rows − 1, and row r uses words r·n, ..., r·n + n − 1. The low half
    makes all keys different, so the order is unique and any sorting algorithm gives it.

    Returns
    -------
    (rows, n) uint16 where n ≤ 2¹⁶, else uint32
    """
    out = np.empty((rows, n), dtype=np.uint16 if n <= 1 << 16 else np.uint32)
    step = max(1, CHUNK // n)
    for r in range(0, rows, step):
        m = min(step, rows - r)
        high = words(seed, purpose, lane, (first + r) * n, m * n).astype(np.uint64).reshape(m, n)
        keys = high << np.uint64(32) | np.arange(n, dtype=np.uint64)
        keys.sort(axis=1)
        out[r : r + m] = keys & np.uint64(MASK)
    return out
