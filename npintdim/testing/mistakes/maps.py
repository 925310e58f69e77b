"""From random words to signs, permutations, integers and normals (docs/random.md, sections 2 and 4)."""

from __future__ import annotations

import numpy as np

from npintdim.kernels.reference.normals import GRID, TWO_SD, quantile
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.table import Mistake, Problem, Table
from npintdim.typing import Array, Words

# ---- signs: fn(words, p), p.count ----


def bits_of(words: Words, count: int) -> Array:
    """Bit i mod 32, lowest first, of word ⌊i/32⌋."""
    i = np.arange(count)
    return words[i // 32] >> (i % 32).astype(np.uint32) & 1


def highest_first(words: Words, count: int) -> Array:
    """Bit 31 − i mod 32 of word ⌊i/32⌋."""
    i = np.arange(count)
    return words[i // 32] >> (31 - i % 32).astype(np.uint32) & 1


SIGNS = Table(
    compute=lambda s, words, p: s["sign"](s["bits"](words, p.count).astype(np.int64)),
    right={"bits": bits_of, "sign": lambda bit: 1 - 2 * bit},
    mistakes=(
        Mistake("highest bit first", "signs are read from the highest bit of a word down; the lowest bit is first", {"bits": highest_first}),
        Mistake("highest bit of a byte first", "bits of each byte are read from the highest down (numpy.unpackbits does unless "
                "bitorder='little'); the lowest bit is first", {"bits": lambda words, count: np.unpackbits(words.view(np.uint8))[:count]}),
        Mistake("bytes reversed", "the bytes of a word come in the other order (big endian); the lowest bit of the word is first",
                {"bits": lambda words, count: bits_of(words.byteswap(), count)}),
        Mistake("a 1 is +1", "signs are negated: a 0 is +1, a 1 is −1", {"sign": lambda bit: 2 * bit - 1}),
        Mistake("bits for signs", "bits 0 and 1 are given; a 0 is +1, a 1 is −1", {"sign": lambda bit: bit}),
    ),
    problems=lambda dtype: (
        Problem(f"count = {count}", _words(-(-count // 32)), {"count": count}, "signs") for count in (32, 33, 70)
    ),
)  # fmt: skip

# ---- permutation: fn(words, p), p.n ----

PERMUTATION = Table(
    compute=lambda s, words, p: s["order"](s["keys"](words, p.n)).astype(np.int64),
    right={
        "keys": lambda words, n: words[:n].astype(np.uint64) << np.uint64(32) | np.arange(n, dtype=np.uint64),
        "order": np.argsort,
    },
    mistakes=(
        Mistake("inverse permutation", "ranks are given; the order that sorts is needed (argsort once, not twice)",
                {"order": lambda keys: np.argsort(np.argsort(keys))}),
        Mistake("descending", "keys are sorted from the largest down; ascending is needed", {"order": lambda keys: np.argsort(keys)[::-1]}),
        Mistake("signed words", "words are compared as signed integers; they are unsigned",
                {"keys": lambda words, n: words[:n].view(np.int32).astype(np.int64)}),
    ),
    problems=lambda dtype: (Problem(f"n = {n}", _words(n), {"n": n}, "permutation") for n in (1, 7, 16, 40)),
)  # fmt: skip


# ---- integers below m, and uniform numbers ----

INTEGERS = Table(
    compute=lambda s, words, p: s["map"](words[: p.count].astype(np.uint64), p.m).astype(np.int64),
    right={"map": lambda w, m: w * np.uint64(m) >> np.uint64(32)},
    mistakes=(
        Mistake("modulo", "w mod m is taken; (w·m) >> 32 is needed", {"map": lambda w, m: w % np.uint64(m)}),
        Mistake("rounded", "w·m/2³² is rounded; its floor, (w·m) >> 32, is needed", {"map": lambda w, m: np.rint(w * m / 2.0**32)}),
        Mistake("32-bit product", "w·m is cut to 32 bits before the shift; 64 are needed",
                {"map": lambda w, m: (w * np.uint64(m) & np.uint64(0xFFFFFFFF)) >> np.uint64(32)}),
    ),
    problems=lambda dtype: (Problem(f"m = {m}", _words(20), {"m": m, "count": 20}, "integers") for m in (2, 1000, 2**32)),
)  # fmt: skip

UNIFORM = Table(
    compute=lambda s, words, p: s["map"](words[: p.count].astype(np.float64)),
    right={"map": lambda w: (2 * np.floor(w / 256) + 1 - 2.0**24) / 2**24},
    mistakes=(
        Mistake("in (0, 1)", "numbers lie between 0 and 1; (−1, 1) is needed: (2(w >> 8) + 1 − 2²⁴)/2²⁴",
                {"map": lambda w: (np.floor(w / 256) + 0.5) / 2**24}),
        Mistake("half a step off", "the grid is half a step off: (2(w >> 8) + 1 − 2²⁴)/2²⁴ with its 1",
                {"map": lambda w: (2 * np.floor(w / 256) - 2.0**24) / 2**24}),
        Mistake("32 bits", "all 32 bits of a word are used; the upper 24 are: w >> 8", {"map": lambda w: (2 * w + 1 - 2.0**32) / 2**32}),
    ),
    problems=lambda dtype: (Problem(f"count = {count}", _words(count), {"count": count}, "uniform") for count in (6, 20)),
)  # fmt: skip

# ---- normals, as integers 2²⁰ z ----


NO_HALF = Mistake(
    "no half", "p = w/2³²; p = (w + ½)/2³² is needed", {"p": lambda w: np.maximum(w, 1e-9) * 2.0**-32}
)
CUT = Mistake(
    "not truncated",
    "normals are not truncated: p = a + (1 − 2a)(w + ½)/2³² with a = Φ(−2)",
    {"cut": lambda p: p},
)


def _normals(share: float, task: str) -> Table:
    return Table(
        compute=lambda s, words, p: s["round"](GRID * s["quantile"](s["cut"](s["p"](words[: p.count].astype(np.float64))))),
        right={
            "p": lambda w: (w + 0.5) * 2.0**-32,
            "cut": lambda p: share + (1 - 2 * share) * p,
            "quantile": quantile,
            "round": lambda g: np.rint(g).astype(np.int64),
        },
        mistakes=(
            Mistake("negated", "normals have the wrong sign: the quantile of p, not of 1 − p", {"p": lambda w: (2.0**32 - w - 0.5) * 2.0**-32}),
            Mistake("cut towards zero", "2²⁰ z is cut towards zero; it is rounded to the nearest integer (rint)", {"round": lambda g: np.trunc(g).astype(np.int64)}),
            Mistake("floor", "2²⁰ z is rounded down; it is rounded to the nearest integer (rint)", {"round": lambda g: np.floor(g).astype(np.int64)}),
            Mistake("not on the grid", "z is given; a normal is the integer rint(2²⁰ z)", {"round": lambda g: g / GRID}),
            CUT if share else NO_HALF,
        ),
        problems=lambda dtype: (Problem(f"count = {count}", _words(count), {"count": count}, task) for count in (10, 50)),
    )  # fmt: skip


NORMALS = _normals(0.0, "normals")
TRUNCATED_NORMALS = _normals(TWO_SD, "truncated_normals")


def _words(count: int) -> Words:
    words = Stream(5, Purpose.CHECK).words(count)
    words[:3] = np.array([1, 2**32 - 3, 0x80000001], np.uint32)[:count]  # the ends, where half a word is seen
    return words
