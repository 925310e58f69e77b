"""Fastfood's P v and Pᵀ g drawn by docs/random.md: from a seed to B, Π, G, S, with the column norm inside G."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from types import SimpleNamespace
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import fastfood, fastfood_adjoint
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Floats, Ints

UNIT = 2.0**-20  # of the integers that are normals


def drawn(s: Steps, v: Floats, p: Any) -> Floats:
    """Draw B, Π, g and S, scale g to G, then P v (or Pᵀ v)."""
    m = 1 << (p.d - 1).bit_length()
    n = m if p.blocks == "stacked" else 1 << (p.D - 1).bit_length()
    count = -(-p.D // n)
    B = s["blocks of B"](s["draw signs"], Stream(p.seed, Purpose.FF_B), count, m)
    Pi = s["blocks of Π"](s["draw Π"], Stream(p.seed, Purpose.FF_PI), count, n) % m
    g = s["blocks of G"](s["draw g"], Stream(p.seed, Purpose.FF_G), count, n)
    S = s["draw signs"](Stream(p.seed, s["purpose of S"]()), p.D) if s["with S"](p.signs) else np.ones(p.D)
    factors = SimpleNamespace(
        B=B.astype(v.dtype), Pi=Pi.astype(np.int64), G=s["norm"](g, p.D).astype(v.dtype), S=S.astype(v.dtype),
        g=g, D=p.D, d=p.d,
    )  # fmt: skip
    y: Floats = s["product"](s, v, factors)
    return y


def norm(g: Ints, D: int) -> float:
    """√(Σ_b m_b Σ_k g_bk²), m_b = rows kept of block b: the column norm of P with g in G's place."""
    n = g.shape[1]
    m_b = np.minimum(n, D - n * np.arange(len(g)))
    return sqrt((m_b * (g * g).sum(axis=1)).sum())


def highest_bit_first(stream: Stream, count: int) -> Ints:
    """Signs from each word's bits 31, 30, ..., 0."""
    words = stream.signs(-(-count // 32) * 32).reshape(-1, 32)
    return words[:, ::-1].reshape(-1)[:count]


def one_word_each(stream: Stream, count: int) -> Ints:
    """Sign i from the lowest bit of word i."""
    return 1 - 2 * (stream.words(count) & 1).astype(np.int8)


def by_value(stream: Stream, count: int, n: int) -> Ints:
    """Ranks instead of order: the inverse of the permutation that is meant."""
    return np.argsort(stream.permutations(count, n), axis=1)


DRAW: Steps = {
    "draw signs": lambda stream, count: stream.signs(count),
    "draw Π": lambda stream, count, n: stream.permutations(count, n),
    "draw g": lambda stream, count: stream.normals(count).astype(np.int64),
    "blocks of B": lambda draw, stream, count, m: draw(stream, count * m).reshape(count, m),
    "blocks of Π": lambda draw, stream, count, n: draw(stream, count, n),
    "blocks of G": lambda draw, stream, count, n: draw(stream, count * n).reshape(count, n),
    "purpose of S": lambda: Purpose.FF_S,
    "with S": lambda signs: signs,
    "norm": lambda g, D: g / norm(g, D),
}

LANES: Steps = {  # block b from lane b
    "blocks of B": lambda draw, stream, count, m: np.stack(
        [draw(replace(stream, lane=b), m) for b in range(count)]
    ),
    "blocks of Π": lambda draw, stream, count, n: np.concatenate(
        [draw(replace(stream, lane=b), 1, n) for b in range(count)]
    ),
}
LANES["blocks of G"] = LANES["blocks of B"]

OF_DRAWING = (
    Mistake("a lane for each block", "block b is drawn from lane b; all blocks share lane 0, entry k of block b at index b·n + k", LANES),
    *(Mistake(f"a lane for each {X}", f"{X}_b is drawn from lane b; all blocks share lane 0, entry k of block b at index b·n + k",
              {f"blocks of {X}": LANES[f"blocks of {X}"]}) for X in ("B", "Π", "G")),
    Mistake("B's purpose for S", "S is drawn from the stream of B, FF_B; it has a purpose of its own, FF_S",
            {"purpose of S": lambda: Purpose.FF_B}),
    Mistake("missing column norm", "the column norm is missing, columns have norm about √(n D): divide the normals by "
            "√(Σ_b m_b Σ_k g_bk²)", {"norm": lambda g, D: g * UNIT}),
    Mistake("missing column norm, integers", "the column norm is missing, and G holds the integers g = 2²⁰ z: divide them by "
            "√(Σ_b m_b Σ_k g_bk²)", {"norm": lambda g, D: g}),
    Mistake("double column norm", "the column norm is divided out twice; once is needed",
            {"norm": lambda g, D: g / norm(g, D) ** 2 / UNIT}),
    Mistake("expected column norm", "the expected norm √(n D) is divided out instead of this draw's √(Σ_b m_b Σ_k g_bk²), so columns "
            "have norm 1 only about", {"norm": lambda g, D: g * UNIT / sqrt(g.shape[1] * D)}),
    Mistake("norm before the cut", "the column norm is taken over all blocks·n rows; take it over the D that are kept",
            {"norm": lambda g, D: g / norm(g, g.size)}),
    Mistake("each block normalised alone", "each block's columns have norm 1, so P's have √blocks: one norm over all D rows is "
            "needed (global, not per block or per layer)",
            {"norm": lambda g, D: g / np.sqrt(g.shape[1] * (g * g).sum(axis=1, keepdims=True))}),
    Mistake("no output signs", "the output signs S are missing: multiply row i by S_i at the end. Without them P has preferred "
            "directions (signs=False is the authors' form)", {"with S": lambda signs: False}),
    Mistake("S extra", "output signs are drawn although signs=False asks for the authors' form without them",
            {"with S": lambda signs: True}),
    Mistake("inverse permutation", "Π is inverted: row r is the order that sorts the words (argsort), not their ranks, and "
            "x_k = y[Π_k]", {"draw Π": by_value}),
    Mistake("highest bit first", "signs are read from the highest bit of a word down; the lowest bit is first",
            {"draw signs": highest_bit_first}),
    Mistake("a word for each sign", "each sign takes a word of its own; a word holds 32 signs, lowest bit first",
            {"draw signs": one_word_each}),
)  # fmt: skip


def besides(mistakes: tuple[Mistake, ...]) -> Iterator[Mistake]:
    """Those of given factors, without what drawing has in its own words."""
    names = {m.name for m in OF_DRAWING}
    return (m for m in mistakes if m.name not in names)


MISTAKES = (
    *OF_DRAWING,
    *besides(fastfood.MISTAKES),
    Mistake("scale after the second H", "the column norm is divided out at the end; G = dtype(g / norm), and nothing is scaled "
            "after it", {"norm": lambda g, D: g, "scale": lambda y, p: y / y.dtype.type(norm(p.g, p.D))}, rounding=True),
    Mistake("scale in B", "the column norm is divided out of v or B; G = dtype(g / norm), and nothing else is scaled",
            {"norm": lambda g, D: g, "product": lambda s, v, p: fastfood.product(s, v / v.dtype.type(norm(p.g, p.D)), p)},
            rounding=True),
)  # fmt: skip


def problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """P v or Pᵀ g for each of the SHAPES, with output signs and once without."""
    for D, d, blocks in fastfood.SHAPES:
        rest = {"D": D, "d": d, "seed": D + 2**40, "blocks": blocks, "signs": d != 6}
        yield Problem(
            f"D×d = {D}×{d}, {blocks}, signs={rest['signs']}",
            numbers(dtype, d if task == "apply" else D),
            rest,
            task,
        )


TABLE = Table(drawn, fastfood.RIGHT | DRAW, MISTAKES, problems)
ADJOINT = Table(
    drawn,
    fastfood_adjoint.RIGHT | DRAW,
    (
        *(m for m in OF_DRAWING if m.name != "inverse permutation"),
        *besides(fastfood_adjoint.MISTAKES),
    ),  # Π for Πᵀ says it
    lambda dtype: problems(dtype, "adjoint"),
)
