"""Philox4x32-10 words, signs and permutations; the definition is `reference/words.py`."""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.jit import frozen, jit
from npintdim.kernels.numba_cpu.machinery.lanes import counted, store_pairs
from npintdim.kernels.numba_cpu.machinery.simd import LANES
from npintdim.typing import Array, Ints, Words

MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
STEP0, STEP1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
BATCH = 4 * LANES  # words of 16 blocks
CHUNK = 1 << 20  # words held at once while permutations are made


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
        c0, c1, c2, c3 = philox(counted(block), lane, purpose, seed)
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


def permutations(seed: int, purpose: int, lane: int, rows: int, n: int) -> Ints:
    """Permute 0, ..., n − 1 once per row: sort the keys word << 32 | k, keep the low half."""
    out = np.empty((rows, n), dtype=np.uint16 if n <= 1 << 16 else np.uint32)
    step = max(1, CHUNK // n)
    for r in range(0, rows, step):
        m = min(step, rows - r)
        key: Array = np.empty(m * n, dtype=np.uint64)
        keys(words(seed, purpose, lane, r * n, m * n), n, key)
        key.shape = m, n
        key.sort(axis=1)
        out[r : r + m] = key & MASK
    return out
