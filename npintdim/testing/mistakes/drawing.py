"""Random words, and signs, permutations, integers and normals of them (docs/random.md, sections 2 and 4)."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from npintdim.kernels.reference.normals import GRID, TWO_SD, quantile
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.table import Problem, Steps, Table, wrong

# ---- words of Philox4x32-10: fn(seed, p) gives p.count of (seed, p.purpose, p.lane), from p.start on ----

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


WORDS: Steps = {
    "place": lambda i, start: (i // 4, i % 4),
    "key": lambda low, high: (low, high),
    "counter": lambda *words: words,
    "philox": philox,
}

OF_WORDS = (
    wrong("key halves swapped", "the key is (high, low) word of the seed; "
          "(seed mod 2³², seed >> 32) is needed", key=lambda low, high: (high, low)),
    wrong("seed cut to 32 bits", "the high word of the seed is lost: key = (seed mod 2³², seed >> 32)",
          key=lambda low, high: (low, 0)),
    wrong("lane and purpose swapped", "lane and purpose are exchanged: "
          "counter = (block low, block high, lane, purpose)",
          counter=lambda low, high, lane, purpose: (low, high, purpose, lane)),
    wrong("block words swapped", "the block's words are exchanged: counter = "
          "(block low, block high, lane, purpose)",
          counter=lambda low, high, lane, purpose: (high, low, lane, purpose)),
    wrong("block last", "the block comes last in the counter: counter = (block low, block high, lane, "
          "purpose)", counter=lambda low, high, lane, purpose: (lane, purpose, low, high)),
    wrong("32-bit block", "the high word of the block is lost: counter = (block mod 2³², block >> 32, lane, "
          "purpose)", counter=lambda low, high, lane, purpose: (low, 0, lane, purpose)),
    wrong("counter + 1", "the counter is one ahead, as in NumPy's and many state-based generators: "
          "block = ⌊i/4⌋, from 0", place=lambda i, start: (i // 4 + 1, i % 4)),
    wrong("start is a block", "start is taken as a block's number, or rounded to one: "
          "word i is output i mod 4 of block ⌊i/4⌋",
          place=lambda i, start: (start + (i - start) // 4, (i - start) % 4)),
    wrong("start rounded down", "words begin at a multiple of 4: word i is output i mod 4 of block ⌊i/4⌋",
          place=lambda i, start: ((i - start % 4) // 4, (i - start) % 4)),
    wrong("outputs reversed", "the four outputs of a block are read backwards",
          place=lambda i, start: (i // 4, 3 - i % 4)),
    wrong("one word a block", "each word has a block of its own; a block gives four",
          place=lambda i, start: (i, 0)),
    *(wrong(f"{r} rounds", f"{r} rounds are done; 10 are needed", philox=lambda c, k, r=r: philox(c, k, r))
      for r in (7, 9, 11)),
    wrong("key grows first", "the key grows before the first round; it grows after each",
          philox=lambda c, k: philox(c, k, first=1)),
    wrong("high and low exchanged", "the products' high and low words are exchanged: "
          "c0 = high(p1) ⊕ c1 ⊕ k0, c1 = low(p1)", philox=lambda c, k: philox(c, k, low_first=True)),
)  # fmt: skip


def streams(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Streams with and without carries, starts that are and are not divisible by 4."""
    for seed, purpose, lane, start in (
        (0, 1, 0, 0), (2**40 + 7, 7, 3, 6), (2**64 - 1, 14, 2**32 - 1, 2**34 - 3), (2**33 + 1, 5, 1, 8),
    ):  # fmt: skip
        rest = {"purpose": purpose, "lane": lane, "start": start, "count": 9}
        yield Problem(f"seed {seed}, purpose {purpose}, lane {lane}, start {start}", seed, rest, "words")


# ---- what is made of words ----


def asked(task: str, name: str, *values: int, words: Callable[[int], int] = int, **rest: int) -> Any:
    """A problem for each value of p.name, with so many words, three at the ends, where half of one counts."""

    def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
        for value in values:
            given = Stream(5, Purpose.CHECK).words(words(value))
            given[:3] = np.array([1, 2**32 - 3, 0x80000001], np.uint32)[: len(given)]
            yield Problem(f"{name} = {value}", given, {name: value, **rest}, task)

    return problems


def bit(w: Any, count: int, place: Callable[[Any], Any] = lambda k: k) -> Any:
    """Bit i mod 32, lowest first, of word ⌊i/32⌋."""
    i = np.arange(count, dtype=np.uint32)
    return w[i // 32] >> place(i % 32) & 1


SIGNS = Table(
    lambda s, w, p: s.sign(s.bits(w, p.count).astype(np.int64)),
    {"bits": bit, "sign": lambda bit: 1 - 2 * bit},
    (
        wrong("highest bit first", "signs are read from the highest bit of a word down; "
              "the lowest bit is first", bits=lambda w, count: bit(w, count, lambda k: 31 - k)),
        wrong("highest bit of a byte first", "bits of each byte are read from the highest down "
              "(numpy.unpackbits does unless bitorder='little'); the lowest bit is first",
              bits=lambda w, count: np.unpackbits(w.view(np.uint8))[:count]),
        wrong("bytes reversed", "the bytes of a word come in the other order (big endian); "
              "the lowest bit of the word is first", bits=lambda w, count: bit(w.byteswap(), count)),
        wrong("a 1 is +1", "signs are negated: a 0 is +1, a 1 is −1", sign=lambda bit: 2 * bit - 1),
        wrong("bits for signs", "bits 0 and 1 are given; a 0 is +1, a 1 is −1", sign=lambda bit: bit),
    ),
    asked("signs", "count", 32, 33, 70, words=lambda count: -(-count // 32)),
)  # fmt: skip

PERMUTATION = Table(
    lambda s, w, p: s.order(s.keys(w, p.n)).astype(np.int64),
    {"keys": lambda w, n: w[:n].astype(np.uint64) << np.uint64(32) | np.arange(n, dtype=np.uint64),
     "order": np.argsort},
    (
        wrong("inverse permutation", "ranks are given; the order that sorts is needed "
              "(argsort once, not twice)", order=lambda keys: np.argsort(np.argsort(keys))),
        wrong("descending", "keys are sorted from the largest down; ascending is needed",
              order=lambda keys: np.argsort(keys)[::-1]),
        wrong("signed words", "words are compared as signed integers; they are unsigned",
              keys=lambda w, n: w[:n].view(np.int32).astype(np.int64)),
    ),
    asked("permutation", "n", 1, 7, 16, 40),
)  # fmt: skip

INTEGERS = Table(
    lambda s, w, p: s.map(w[: p.count].astype(np.uint64), np.uint64(p.m)).astype(np.int64),
    {"map": lambda w, m: w * m >> np.uint64(32)},
    (
        wrong("modulo", "w mod m is taken; (w·m) >> 32 is needed", map=lambda w, m: w % m),
        wrong("rounded", "w·m/2³² is rounded; its floor, (w·m) >> 32, is needed",
              map=lambda w, m: np.rint(w * m / 2.0**32)),
        wrong("32-bit product", "w·m is cut to 32 bits before the shift; 64 are needed",
              map=lambda w, m: (w * m & np.uint64(0xFFFFFFFF)) >> np.uint64(32)),
    ),
    asked("integers", "m", 2, 1000, 2**32, words=lambda m: 20, count=20),
)  # fmt: skip

UNIFORM = Table(
    lambda s, w, p: s.map(w[: p.count].astype(np.float64)),
    {"map": lambda w: (2 * np.floor(w / 256) + 1 - 2.0**24) / 2**24},
    (
        wrong("in (0, 1)", "numbers lie between 0 and 1; (−1, 1) is needed: (2(w >> 8) + 1 − 2²⁴)/2²⁴",
              map=lambda w: (np.floor(w / 256) + 0.5) / 2**24),
        wrong("half a step off", "the grid is half a step off: (2(w >> 8) + 1 − 2²⁴)/2²⁴ with its 1",
              map=lambda w: (2 * np.floor(w / 256) - 2.0**24) / 2**24),
        wrong("32 bits", "all 32 bits of a word are used; the upper 24 are: w >> 8",
              map=lambda w: (2 * w + 1 - 2.0**32) / 2**32),
    ),
    asked("uniform", "count", 6, 20),
)  # fmt: skip


def normals(task: str, a: float) -> Table:
    """Normals, as integers 2²⁰ z, without the shares a at both ends."""
    return Table(
        lambda s, w, p: s.round(GRID * quantile(s.cut(s.p(w[: p.count].astype(np.float64))))),
        {
            "p": lambda w: (w + 0.5) * 2.0**-32,
            "cut": lambda p: a + (1 - 2 * a) * p,
            "round": lambda g: np.rint(g).astype(np.int64),
        },
        (
            wrong("negated", "normals have the wrong sign: the quantile of p, not of 1 − p",
                  p=lambda w: (2.0**32 - w - 0.5) * 2.0**-32),
            wrong("cut towards zero", "2²⁰ z is cut towards zero; it is rounded to the nearest integer "
                  "(rint)", round=lambda g: np.trunc(g).astype(np.int64)),
            wrong("floor", "2²⁰ z is rounded down; it is rounded to the nearest integer (rint)",
                  round=lambda g: np.floor(g).astype(np.int64)),
            wrong("not on the grid", "z is given; a normal is the integer rint(2²⁰ z)",
                  round=lambda g: g / GRID),
            wrong("not truncated", "normals are not truncated: p = a + (1 − 2a)(w + ½)/2³² with a = Φ(−2)",
                  cut=lambda p: p) if a
            else wrong("no half", "p = w/2³²; p = (w + ½)/2³² is needed",
                       p=lambda w: np.maximum(w, 1e-9) * 2.0**-32),
        ),
        asked(task, "count", 10, 50),
    )  # fmt: skip


TABLES = {
    ("philox", "seeded", "words"): Table(words, WORDS, OF_WORDS, streams, ("words",)),
    ("maps", "given", "signs"): SIGNS,
    ("maps", "given", "permutation"): PERMUTATION,
    ("maps", "given", "integers"): INTEGERS,
    ("maps", "given", "uniform"): UNIFORM,
    ("maps", "given", "normals"): normals("normals", 0.0),
    ("maps", "given", "truncated_normals"): normals("truncated_normals", TWO_SD),
}
