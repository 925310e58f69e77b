"""Words of Philox4x32-10: fn(seed, p) gives words p.start, ..., p.start + p.count − 1 of (seed, p.purpose, p.lane)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Problem, Steps, Table, wrong

MASK = 0xFFFFFFFF


def words(s: Any, seed: int, p: Any) -> Any:
    """Word i is output i mod 4 of block ⌊i/4⌋."""
    out = []
    for i in range(p.start, p.start + p.count):
        block, place = s.place(i, p.start)
        counter = s.counter(block & MASK, block >> 32, p.lane, p.purpose)
        out.append(s.philox(counter, s.key(seed & MASK, seed >> 32))[place])
    return np.array(out, dtype=np.uint32)


def philox(c: Any, k: Any, rounds: int = 10, first: int = 0, low_first: bool = False) -> list[int]:
    """Rounds of multiply, exchange, add the key, which is key + r·Weyl in round r = first, first + 1, ..."""
    for r in range(first, first + rounds):
        halves = [divmod(0xD2511F53 * c[0], 1 << 32), divmod(0xCD9E8D57 * c[2], 1 << 32)]
        (high_0, low_0), (high_1, low_1) = (half[::-1] if low_first else half for half in halves)
        k0, k1 = (k[0] + r * 0x9E3779B9) & MASK, (k[1] + r * 0xBB67AE85) & MASK
        c = [high_1 ^ c[1] ^ k0, low_1, high_0 ^ c[3] ^ k1, low_0]
    return list(c)


RIGHT: Steps = {
    "place": lambda i, start: (i // 4, i % 4),
    "key": lambda low, high: (low, high),
    "counter": lambda low, high, lane, purpose: (low, high, lane, purpose),
    "philox": philox,
}

MISTAKES = (
    wrong("key halves swapped", "the key is (high, low) word of the seed; (seed mod 2³², seed >> 32) is needed",
          key=lambda low, high: (high, low)),
    wrong("seed cut to 32 bits", "the high word of the seed is lost: key = (seed mod 2³², seed >> 32)",
          key=lambda low, high: (low, 0)),
    wrong("lane and purpose swapped", "lane and purpose are exchanged: counter = (block low, block high, lane, purpose)",
          counter=lambda low, high, lane, purpose: (low, high, purpose, lane)),
    wrong("block words swapped", "the block's words are exchanged: counter = (block low, block high, lane, purpose)",
          counter=lambda low, high, lane, purpose: (high, low, lane, purpose)),
    wrong("block last", "the block comes last in the counter: counter = (block low, block high, lane, purpose)",
          counter=lambda low, high, lane, purpose: (lane, purpose, low, high)),
    wrong("32-bit block", "the high word of the block is lost: counter = (block mod 2³², block >> 32, lane, purpose)",
          counter=lambda low, high, lane, purpose: (low, 0, lane, purpose)),
    wrong("counter + 1", "the counter is one ahead, as in NumPy's and many state-based generators: block = ⌊i/4⌋, from 0",
          place=lambda i, start: (i // 4 + 1, i % 4)),
    wrong("start is a block", "start is taken as a block's number, or rounded to one: word i is output i mod 4 of block ⌊i/4⌋",
          place=lambda i, start: (start + (i - start) // 4, (i - start) % 4)),
    wrong("start rounded down", "words begin at a multiple of 4: word i is output i mod 4 of block ⌊i/4⌋",
          place=lambda i, start: ((i - start % 4) // 4, (i - start) % 4)),
    wrong("outputs reversed", "the four outputs of a block are read backwards", place=lambda i, start: (i // 4, 3 - i % 4)),
    wrong("one word a block", "each word has a block of its own; a block gives four", place=lambda i, start: (i, 0)),
    *(wrong(f"{r} rounds", f"{r} rounds are done; 10 are needed", philox=lambda c, k, r=r: philox(c, k, r)) for r in (7, 9, 11)),
    wrong("key grows first", "the key grows before the first round; it grows after each",
          philox=lambda c, k: philox(c, k, first=1)),
    wrong("high and low exchanged", "the products' high and low words are exchanged: c0 = high(p1) ⊕ c1 ⊕ k0, c1 = low(p1)",
          philox=lambda c, k: philox(c, k, low_first=True)),
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Streams with and without carries, starts that are and are not divisible by 4."""
    for seed, purpose, lane, start in (
        (0, 1, 0, 0), (2**40 + 7, 7, 3, 6), (2**64 - 1, 14, 2**32 - 1, 2**34 - 3), (2**33 + 1, 5, 1, 8),
    ):  # fmt: skip
        rest = {"purpose": purpose, "lane": lane, "start": start, "count": 9}
        yield Problem(f"seed {seed}, purpose {purpose}, lane {lane}, start {start}", seed, rest, "words")


TABLES = {("philox", "seeded", "words"): Table(words, RIGHT, MISTAKES, problems, ("words",))}
