"""Fastfood's P v and Pᵀ g drawn by docs/random.md: from a seed to B, Π, G, S, with the column norm inside G."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import sqrt
from types import SimpleNamespace
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import fastfood
from npintdim.testing.mistakes.table import UNIT, Mistake, Problem, Steps, Table, of_P, wrong
from npintdim.typing import Floats, Ints


def drawn(s: Any, v: Floats, p: Any) -> Any:
    """Draw B, Π, g and S, scale g to G, then P v (or Pᵀ v)."""
    m = 1 << (p.d - 1).bit_length()
    n = m if p.blocks == "stacked" else 1 << (p.D - 1).bit_length()
    count = -(-p.D // n)
    B = s.blocks_of_B(s.draw_signs, Stream(p.seed, Purpose.FF_B), count, m)
    Pi = s.blocks_of_Pi(s.draw_Pi, Stream(p.seed, Purpose.FF_PI), count, n) % m
    g = s.blocks_of_G(s.draw_g, Stream(p.seed, Purpose.FF_G), count, n)
    S = s.draw_signs(Stream(p.seed, s.purpose_of_S()), p.D) if s.with_S(p.signs) else np.ones(p.D)
    factors = {"B": B.astype(v.dtype), "Pi": Pi, "G": s.norm(g, p.D).astype(v.dtype), "S": S.astype(v.dtype)}
    return s.product(s, v, SimpleNamespace(**factors, g=g, D=p.D, d=p.d))


def norm(g: Ints, D: int) -> float:
    """√(Σ_b m_b Σ_k g_bk²), m_b = rows kept of block b: the column norm of P with g in G's place."""
    n = g.shape[1]
    m_b = np.minimum(n, D - n * np.arange(len(g)))
    return sqrt((m_b * (g * g).sum(axis=1)).sum())


def highest_bit_first(stream: Stream, count: int) -> Any:
    """Signs from each word's bits 31, 30, ..., 0."""
    words = stream.signs(-(-count // 32) * 32).reshape(-1, 32)
    return words[:, ::-1].reshape(-1)[:count]


def in_a_row(draw: Any, stream: Stream, count: int, n: int) -> Any:
    """Entry k of block b at index b·n + k."""
    return draw(stream, count * n).reshape(count, n)


def a_lane_each(draw: Any, stream: Stream, count: int, n: int) -> Any:
    """Block b from lane b."""
    return np.stack([draw(replace(stream, lane=b), n) for b in range(count)])


def permutations(draw: Any, stream: Stream, count: int, n: int) -> Any:
    """Permutation b from lane b."""
    return np.concatenate([draw(replace(stream, lane=b), 1, n) for b in range(count)])


DRAW: Steps = {
    "draw_signs": lambda stream, count: stream.signs(count),
    "draw_Pi": lambda stream, count, n: stream.permutations(count, n).astype(np.int64),
    "draw_g": lambda stream, count: stream.normals(count).astype(np.int64),
    "blocks_of_B": in_a_row,
    "blocks_of_Pi": lambda draw, stream, count, n: draw(stream, count, n),
    "blocks_of_G": in_a_row,
    "purpose_of_S": lambda: Purpose.FF_S,
    "with_S": lambda signs: signs,
    "norm": lambda g, D: g / norm(g, D),
}
LANES: Steps = {"blocks_of_B": a_lane_each, "blocks_of_Pi": permutations, "blocks_of_G": a_lane_each}

INVERSE = wrong("inverse permutation", "Π is inverted: row r is the order that sorts the words (argsort), not their ranks, and "
                "x_k = y[Π_k]", draw_Pi=lambda stream, count, n: np.argsort(stream.permutations(count, n), axis=1))  # fmt: skip
OF_DRAWING = (
    wrong("a lane for each block", "block b is drawn from lane b; all blocks share lane 0, entry k of block b at index b·n + k", **LANES),
    *(wrong(f"a lane for each {X}", f"{X}_b is drawn from lane b; all blocks share lane 0, entry k of block b at index b·n + k", **{name: step})
      for X, (name, step) in zip("BΠG", LANES.items(), strict=True)),
    wrong("B's purpose for S", "S is drawn from the stream of B, FF_B; it has a purpose of its own, FF_S",
          purpose_of_S=lambda: Purpose.FF_B),
    wrong("missing column norm", "the column norm is missing, columns have norm about √(n D): divide the normals by "
          "√(Σ_b m_b Σ_k g_bk²)", norm=lambda g, D: g * UNIT),
    wrong("missing column norm, integers", "the column norm is missing, and G holds the integers g = 2²⁰ z: divide them by "
          "√(Σ_b m_b Σ_k g_bk²)", norm=lambda g, D: g),
    wrong("double column norm", "the column norm is divided out twice; once is needed",
          norm=lambda g, D: g / norm(g, D) ** 2 / UNIT),
    wrong("expected column norm", "the expected norm √(n D) is divided out instead of this draw's √(Σ_b m_b Σ_k g_bk²), so columns "
          "have norm 1 only about", norm=lambda g, D: g * UNIT / sqrt(g.shape[1] * D)),
    wrong("norm before the cut", "the column norm is taken over all blocks·n rows; take it over the D that are kept",
          norm=lambda g, D: g / norm(g, g.size)),
    wrong("each block normalised alone", "each block's columns have norm 1, so P's have √blocks: one norm over all D rows is "
          "needed (global, not per block or per layer)",
          norm=lambda g, D: g / np.sqrt(g.shape[1] * (g * g).sum(axis=1, keepdims=True))),
    wrong("no output signs", "the output signs S are missing: multiply row i by S_i at the end. Without them P has preferred "
          "directions (signs=False is the authors' form)", with_S=lambda signs: False),
    wrong("S extra", "output signs are drawn although signs=False asks for the authors' form without them", with_S=lambda signs: True),
    INVERSE,
    wrong("highest bit first", "signs are read from the highest bit of a word down; the lowest bit is first",
          draw_signs=highest_bit_first),
    wrong("a word for each sign", "each sign takes a word of its own; a word holds 32 signs, lowest bit first",
          draw_signs=lambda stream, count: 1 - 2 * (stream.words(count) & 1).astype(np.int8)),
)  # fmt: skip


def with_drawing(mistakes: tuple[Mistake, ...], but: Mistake | None = None) -> tuple[Mistake, ...]:
    """And those of given factors, without what drawing has in its own words."""
    names = {m.name for m in OF_DRAWING}
    return (*(m for m in OF_DRAWING if m is not but), *(m for m in mistakes if m.name not in names))


OF_BITS = (
    Mistake("scale after the second H", "the column norm is divided out at the end; G = dtype(g / norm), and nothing is scaled "
            "after it", {"norm": lambda g, D: g, "scale": lambda y, p: y / y.dtype.type(norm(p.g, p.D))}, rounding=True),
    Mistake("scale in B", "the column norm is divided out of v or B; G = dtype(g / norm), and nothing else is scaled",
            {"norm": lambda g, D: g, "product": lambda s, v, p: fastfood.product(s, v / v.dtype.type(norm(p.g, p.D)), p)},
            rounding=True),
)  # fmt: skip


def problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """Each of the SHAPES, with output signs and once without."""
    for D, d, blocks in fastfood.SHAPES:
        title = f"D×d = {D}×{d}, {blocks}, signs={d != 6}"
        yield of_P(task, title, dtype, D=D, d=d, seed=D + 2**40, blocks=blocks, signs=d != 6)


TABLES = {
    ("fastfood", "seeded", "apply"): Table(
        drawn, fastfood.FORWARD | DRAW, with_drawing(fastfood.OF_PRODUCT) + OF_BITS, problems),
    ("fastfood", "seeded", "adjoint"): Table(  # Π for Πᵀ says what INVERSE would
        drawn, fastfood.ADJOINT | DRAW, with_drawing(fastfood.OF_ADJOINT, but=INVERSE), partial(problems, task="adjoint")),
}  # fmt: skip
