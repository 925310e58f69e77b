"""Philox4x32-10 words, signs and permutations; the definition is `reference/words.py`."""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, count_from, store_pairs
from npintdim.kernels.reference.words import CHUNK, KEY_STEPS, MULTIPLIERS
from npintdim.typing import Array, Ints, Words

MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
M0, M1 = map(np.uint64, MULTIPLIERS)
STEP0, STEP1 = map(np.uint64, KEY_STEPS)
BATCH = 4 * LANES  # words of 16 blocks
SHORT, LONG = 1 << 9, 1 << 18  # rows that are sorted by counting
FEW = 1 << 12  # numbers of short rows that a thread takes at a time


@jit
def philox(block, lane, purpose, seed):
    """Four words of each of 16 blocks; everything is uint64, of which the upper halves do not count."""
    nothing = block ^ block
    c0, c1, c2, c3 = block, block >> HALF, nothing | lane, nothing | purpose
    k0, k1 = seed & MASK, seed >> HALF
    for _ in range(10):
        p0, p1 = M0 * (c0 & MASK), M1 * (c2 & MASK)
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1, (p0 >> HALF) ^ c3 ^ k1, p0
        k0, k1 = (k0 + STEP0) & MASK, (k1 + STEP1) & MASK
    return c0, c1, c2, c3


@jit
def fill_blocks(out, seed, purpose, lane, block):
    """Whole blocks, 16 at a time: out holds a multiple of 64 words."""
    for i in range(0, len(out), BATCH):
        c0, c1, c2, c3 = philox(count_from(block), lane, purpose, seed)
        store_pairs(out, i, c0 & MASK | c1 << HALF, c2 & MASK | c3 << HALF)
        block += np.uint64(LANES)


@jit
def fill(out, seed, purpose, lane, block, skip):
    """out[i] = word skip + i of a block and those after it, skip < 4."""
    head = min(len(out), -skip % 4)
    body = head + (len(out) - head) // BATCH * BATCH
    spare = np.empty(BATCH, np.uint32)
    if head > 0:
        fill_blocks(spare, seed, purpose, lane, block)
        out[:head] = spare[skip : skip + head]
        block += np.uint64(1)
    fill_blocks(out[head:body], seed, purpose, lane, block)
    if body < len(out):
        fill_blocks(spare, seed, purpose, lane, block + np.uint64((body - head) // 4))
        out[body:] = spare[: len(out) - body]


def address(*numbers: int) -> tuple[np.uint64, ...]:
    """Numbers of an address as Numba must see them."""
    return tuple(np.uint64(number) for number in numbers)


def words(seed: int, purpose: int, lane: int, start: int, count: int) -> Words:
    """Words start, ..., start + count − 1 of the stream (seed, purpose, lane)."""
    out = np.empty(count, dtype=np.uint32)
    fill(out, *address(seed, purpose, lane, start // 4), start % 4)
    return out


@jit
def unpack(packed, out):
    """Signs out of bits."""
    for start in range(0, len(out), 32):
        part, word = out[start : start + 32], packed[start >> 5]
        for bit in range(len(part)):
            part[bit] = 1 - 2 * ((word >> np.uint32(bit)) & np.uint32(1))


def signs(packed: Words, count: int) -> Ints:
    """Sign i = bit i mod 32 (lowest first) of word ⌊i/32⌋; a 0 is +1, a 1 is −1."""
    out = np.empty(count, dtype=np.int8)
    unpack(*frozen(packed), out)
    return out


@jit
def keys(drawn, n, out):
    """word << 32 | k, k counted in each row of n."""
    for i in range(len(out)):
        out[i] = np.uint64(drawn[i]) << HALF | np.uint64(i % n)


@jit
def sort(drawn, shift, count, key, order):
    """The low halves of the keys word << 32 | k, sorted.

    Uniform words lie nearly where their leading bits say: counted by these, few are left to be moved.
    """
    count[:] = 0
    for w in drawn:
        count[w >> shift] += np.uint32(1)
    first = np.uint32(0)
    for b in range(len(count)):
        count[b], first = first, first + count[b]
    for k in range(len(drawn)):
        b = drawn[k] >> shift
        key[count[b]] = np.uint64(drawn[k]) << HALF | np.uint64(k)
        count[b] += np.uint32(1)
    for k in range(1, len(key)):
        x, i = key[k], np.uint64(k)
        while i > 0 and key[i - np.uint64(1)] > x:
            key[i] = key[i - np.uint64(1)]
            i -= np.uint64(1)
        key[i] = x
    for k in range(len(order)):
        order[k] = key[k] & MASK


@shared
def sort_rows(seed, purpose, lane, first, bits, out, work):
    """Permutations that are counted by the leading bits of their words: twice as many counts as words."""
    rows, n = out.shape
    drawn, key, count = np.empty(n, np.uint32), np.empty(n, np.uint64), np.empty(1 << bits, np.uint32)
    few = max(1, FEW // n)
    for piece in each(work, 0, (rows + few - 1) // few):
        for r in range(piece * few, min(rows, (piece + 1) * few)):
            start = (first + r) * n
            fill(drawn, seed, purpose, lane, np.uint64(start // 4), start % 4)
            sort(drawn, np.uint32(32 - bits), count, key, out[r])
    linger(work)


def permutations(
    seed: int, purpose: int, lane: int, rows: int, n: int, first: int = 0, threads: int = 1
) -> Ints:
    """Permute 0, ..., n − 1 once per row: sort the keys word << 32 | k, keep the low half.

    NumPy's sort is faster on short rows, and on rows whose counts fit no cache.
    """
    out = np.empty((rows, n), dtype=np.uint16 if n <= 1 << 16 else np.uint32)
    if SHORT <= n <= LONG:
        threads = worth(threads, "permutation", rows * n)
        sort_rows(*address(seed, purpose, lane), first, (2 * n - 1).bit_length(), out, threads)
        return out
    step = max(1, CHUNK // n)
    for r in range(0, rows, step):
        m = min(step, rows - r)
        key: Array = np.empty(m * n, dtype=np.uint64)
        keys(words(seed, purpose, lane, (first + r) * n, m * n), n, key)
        key.shape = m, n
        key.sort(axis=1)
        out[r : r + m] = key & MASK
    return out
