"""Words of Philox4x32-10: fn(seed, p) gives words p.start, ..., p.start + p.count − 1 of (seed, p.purpose, p.lane)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table
from npintdim.typing import Words

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)


def words(s: Steps, seed: int, p: Any) -> Words:
    """Word i is output i mod 4 of block ⌊i/4⌋."""
    out = []
    for i in range(p.start, p.start + p.count):
        block, place = s["place"](i, p.start)
        key = s["key"](seed & MASK, seed >> 32)
        counter = s["counter"](block & MASK, block >> 32, p.lane, p.purpose)
        out.append(s["philox"](counter, key)[place])
    return np.array(out, dtype=np.uint32)


def philox(
    counter: Any, key: Any, rounds: int = 10, bump: int = 0, low_first: bool = False
) -> tuple[int, ...]:
    """Rounds of multiply, exchange, add the key; the key grows after each round (bump = 1: before it)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        k0, k1 = (k0 + bump * WEYL[0]) & MASK, (k1 + bump * WEYL[1]) & MASK
        p0, p1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        if low_first:
            c0, c1, c2, c3 = (p1 & MASK) ^ c1 ^ k0, p1 >> 32, (p0 & MASK) ^ c3 ^ k1, p0 >> 32
        else:
            c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + (1 - bump) * WEYL[0]) & MASK, (k1 + (1 - bump) * WEYL[1]) & MASK
    return c0, c1, c2, c3


RIGHT: Steps = {
    "place": lambda i, start: (i // 4, i % 4),
    "key": lambda low, high: (low, high),
    "counter": lambda low, high, lane, purpose: (low, high, lane, purpose),
    "philox": philox,
}

MISTAKES = (
    Mistake("key halves swapped", "the key is (high, low) word of the seed; (seed mod 2³², seed >> 32) is needed",
            {"key": lambda low, high: (high, low)}),
    Mistake("seed cut to 32 bits", "the high word of the seed is lost: key = (seed mod 2³², seed >> 32)",
            {"key": lambda low, high: (low, 0)}),
    Mistake("lane and purpose swapped", "lane and purpose are exchanged: counter = (block low, block high, lane, purpose)",
            {"counter": lambda low, high, lane, purpose: (low, high, purpose, lane)}),
    Mistake("block words swapped", "the block's words are exchanged: counter = (block low, block high, lane, purpose)",
            {"counter": lambda low, high, lane, purpose: (high, low, lane, purpose)}),
    Mistake("block last", "the block comes last in the counter: counter = (block low, block high, lane, purpose)",
            {"counter": lambda low, high, lane, purpose: (lane, purpose, low, high)}),
    Mistake("32-bit block", "the high word of the block is lost: counter = (block mod 2³², block >> 32, lane, purpose)",
            {"counter": lambda low, high, lane, purpose: (low, 0, lane, purpose)}),
    Mistake("counter + 1", "the counter is one ahead, as in NumPy's and many state-based generators: block = ⌊i/4⌋, from 0",
            {"place": lambda i, start: (i // 4 + 1, i % 4)}),
    Mistake("start is a block", "start is taken as a block's number, or rounded to one: word i is output i mod 4 of block ⌊i/4⌋",
            {"place": lambda i, start: (start + (i - start) // 4, (i - start) % 4)}),
    Mistake("start rounded down", "words begin at a multiple of 4: word i is output i mod 4 of block ⌊i/4⌋",
            {"place": lambda i, start: ((i - start % 4) // 4, (i - start) % 4)}),
    Mistake("outputs reversed", "the four outputs of a block are read backwards", {"place": lambda i, start: (i // 4, 3 - i % 4)}),
    Mistake("one word a block", "each word has a block of its own; a block gives four",
            {"place": lambda i, start: (i, 0)}),
    Mistake("7 rounds", "7 rounds are done; 10 are needed", {"philox": lambda c, k: philox(c, k, rounds=7)}),
    Mistake("9 rounds", "9 rounds are done; 10 are needed", {"philox": lambda c, k: philox(c, k, rounds=9)}),
    Mistake("11 rounds", "11 rounds are done; 10 are needed", {"philox": lambda c, k: philox(c, k, rounds=11)}),
    Mistake("key grows first", "the key grows before the first round; it grows after each",
            {"philox": lambda c, k: philox(c, k, bump=1)}),
    Mistake("high and low exchanged", "the products' high and low words are exchanged: c0 = high(p1) ⊕ c1 ⊕ k0, c1 = low(p1)",
            {"philox": lambda c, k: philox(c, k, low_first=True)}),
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Streams with and without carries, starts that are and are not divisible by 4."""
    for seed, purpose, lane, start in (
        (0, 1, 0, 0), (2**40 + 7, 7, 3, 6), (2**64 - 1, 14, 2**32 - 1, 2**34 - 3), (2**33 + 1, 5, 1, 8),
    ):  # fmt: skip
        rest = {"purpose": purpose, "lane": lane, "start": start, "count": 9}
        yield Problem(f"seed {seed}, purpose {purpose}, lane {lane}, start {start}", seed, rest, "words")


TABLE = Table(words, RIGHT, MISTAKES, problems, ("words",))
