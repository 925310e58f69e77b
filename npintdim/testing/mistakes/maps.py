"""From random words to signs, permutations, integers and normals (docs/random.md, sections 2 and 4)."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from npintdim.kernels.reference.normals import GRID, TWO_SD, quantile
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.table import Problem, Table, wrong


def asked(task: str, name: str, *values: int, words: Callable[[int], int] = int, **rest: int) -> Any:
    """A problem for each value of p.name, with so many words, the first three at the ends, where half a word is seen."""

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
        wrong("highest bit first", "signs are read from the highest bit of a word down; the lowest bit is first",
              bits=lambda w, count: bit(w, count, lambda k: 31 - k)),
        wrong("highest bit of a byte first", "bits of each byte are read from the highest down (numpy.unpackbits does unless "
              "bitorder='little'); the lowest bit is first", bits=lambda w, count: np.unpackbits(w.view(np.uint8))[:count]),
        wrong("bytes reversed", "the bytes of a word come in the other order (big endian); the lowest bit of the word is first",
              bits=lambda w, count: bit(w.byteswap(), count)),
        wrong("a 1 is +1", "signs are negated: a 0 is +1, a 1 is −1", sign=lambda bit: 2 * bit - 1),
        wrong("bits for signs", "bits 0 and 1 are given; a 0 is +1, a 1 is −1", sign=lambda bit: bit),
    ),
    asked("signs", "count", 32, 33, 70, words=lambda count: -(-count // 32)),
)  # fmt: skip

PERMUTATION = Table(
    lambda s, w, p: s.order(s.keys(w, p.n)).astype(np.int64),
    {"keys": lambda w, n: w[:n].astype(np.uint64) << np.uint64(32) | np.arange(n, dtype=np.uint64), "order": np.argsort},
    (
        wrong("inverse permutation", "ranks are given; the order that sorts is needed (argsort once, not twice)",
              order=lambda keys: np.argsort(np.argsort(keys))),
        wrong("descending", "keys are sorted from the largest down; ascending is needed", order=lambda keys: np.argsort(keys)[::-1]),
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
        wrong("rounded", "w·m/2³² is rounded; its floor, (w·m) >> 32, is needed", map=lambda w, m: np.rint(w * m / 2.0**32)),
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
        wrong("32 bits", "all 32 bits of a word are used; the upper 24 are: w >> 8", map=lambda w: (2 * w + 1 - 2.0**32) / 2**32),
    ),
    asked("uniform", "count", 6, 20),
)  # fmt: skip

NO_HALF = wrong("no half", "p = w/2³²; p = (w + ½)/2³² is needed", p=lambda w: np.maximum(w, 1e-9) * 2.0**-32)
CUT = wrong(
    "not truncated", "normals are not truncated: p = a + (1 − 2a)(w + ½)/2³² with a = Φ(−2)", cut=lambda p: p
)


def normals(task: str, a: float) -> Table:
    """Normals, as integers 2²⁰ z, without the shares a at both ends."""
    return Table(
        lambda s, w, p: s.round(GRID * s.quantile(s.cut(s.p(w[: p.count].astype(np.float64))))),
        {
            "p": lambda w: (w + 0.5) * 2.0**-32,
            "cut": lambda p: a + (1 - 2 * a) * p,
            "quantile": quantile,
            "round": lambda g: np.rint(g).astype(np.int64),
        },
        (
            wrong("negated", "normals have the wrong sign: the quantile of p, not of 1 − p", p=lambda w: (2.0**32 - w - 0.5) * 2.0**-32),
            wrong("cut towards zero", "2²⁰ z is cut towards zero; it is rounded to the nearest integer (rint)",
                  round=lambda g: np.trunc(g).astype(np.int64)),
            wrong("floor", "2²⁰ z is rounded down; it is rounded to the nearest integer (rint)", round=lambda g: np.floor(g).astype(np.int64)),
            wrong("not on the grid", "z is given; a normal is the integer rint(2²⁰ z)", round=lambda g: g / GRID),
            CUT if a else NO_HALF,
        ),
        asked(task, "count", 10, 50),
    )  # fmt: skip


TABLES = {
    ("maps", "given", "signs"): SIGNS,
    ("maps", "given", "permutation"): PERMUTATION,
    ("maps", "given", "integers"): INTEGERS,
    ("maps", "given", "uniform"): UNIFORM,
    ("maps", "given", "normals"): normals("normals", 0.0),
    ("maps", "given", "truncated_normals"): normals("truncated_normals", TWO_SD),
}
