"""Fastfood: P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D] and its adjoint; factors are given, or from a seed."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from npintdim.backend import get_backend
from npintdim.kernels.reference.wht import wht
from npintdim.projections.fastfood import FastfoodProjection
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.dense import ADJOINT_SCALES
from npintdim.testing.mistakes.dense import SCALES as OF_COLUMNS
from npintdim.testing.mistakes.table import UNIT, Given, Mistake, Problem, Steps, Table, factor, of_P, wrong
from npintdim.testing.mistakes.wht import OF_BITS, ORDERS
from npintdim.typing import Array, Floats, Ints

# ---- both ways ----


def pad(v: Array, m: int) -> Array:
    """(v, 0, ..., 0)."""
    return np.pad(v, (0, m - len(v)))


def gather(x: Array, Pi: Ints) -> Array:
    """x[Π] in every block."""
    return np.take_along_axis(x, Pi, axis=1)


def inverse(Pi: Ints) -> Ints:
    """Π⁻¹ of every block."""
    if Pi.max() < Pi.shape[1] - 1:
        raise ValueError("Π is kept modulo m: it has no inverse")
    return np.argsort(Pi, axis=1)


def one_block(*names: str) -> Any:
    """Block 0's factors in every block."""

    def factors(*all_four: Array) -> Any:
        n = all_four[2].shape[1]
        first = (np.resize(x[:1] if x.ndim > 1 else x[:n], x.shape) for x in all_four)
        return (own if name in names else x for name, x, own in zip("BΠGS", all_four, first, strict=True))

    return factors


BOTH: Steps = {
    "factors": lambda B, Pi, G, S: (B, Pi, G, S),
    "H": wht,
    "first_H": lambda x, H: H(x),
    "B": lambda x, B: B * x,
}

OF_BOTH = (
    factor("scale 1/n", "both H are divided by √n (orthonormal), so the answer is n times too small; "
           "H is unnormalised (entries ±1, H H = n I) and G holds the whole scale",
           lambda p: 1 / sqrt(p.m * p.n)),
    factor("scale 1/√n", "one H is divided by √n (orthonormal), so the answer is √n times too small; "
           "H is unnormalised (entries ±1, H H = n I) and G holds the whole scale", lambda p: 1 / sqrt(p.n)),
    *(factor(f"scale {by}", f"the answer is {by} times too large: "
             "take the factor out, H is unnormalised and G holds the whole scale", value)
      for by, value in (("√n", lambda p: sqrt(p.n)), ("n", lambda p: p.n))),
    factor("double column norm", "the column norm is divided out twice: G holds 1/√(n D) already, "
           "so scale nothing after it", lambda p: 1 / sqrt(p.n * p.D)),
    factor("missing column norm", "columns have norm √(n D), as G without its scale gives: "
           "divide by one norm over all D rows", lambda p: sqrt(p.n * p.D)),
    *OF_COLUMNS,
    *ORDERS,
    wrong("B and G swapped", "B and G have changed places: the signs B come before the first H, "
          "the normals G after Π", factors=lambda B, Pi, G, S: (G, Pi, B, S)),
    wrong("column-major factors", "B, Π and G are read column-major (Fortran order); "
          "they are (blocks, n) in C order, entry k of block b at b·n + k",
          factors=lambda B, Pi, G, S: (*(a.reshape(a.shape[::-1]).T for a in (B, Pi, G)), S)),
    wrong("one block for all", "every block uses the factors of block 0; block b has row b of B, Π and G",
          factors=one_block("B", "Π", "G")),
    *(wrong(f"one {name} for all", f"every block uses block 0's {name}; each has its own",
            factors=one_block(name)) for name in "BΠGS"),
    wrong("each block normalised alone", "each block's columns have norm 1, so P's have √blocks: one norm "
          "over all D rows is needed (global, not per block or per layer), and G holds it already",
          factors=lambda B, Pi, G, S: (
              B, Pi, G / np.sqrt(G.shape[1] * (G * G).sum(axis=1, keepdims=True)), S)),
)  # fmt: skip

# ---- P v ----


def product(s: Any, v: Floats, p: Any) -> Any:
    """P v, a step a line."""
    p.n, p.m = p.G.shape[1], p.B.shape[1]
    B, Pi, G, S = s.factors(p.B, p.Pi, p.G, p.S)
    x = s.B(s.pad(v, p.m), B)
    x = s.first_H(x, s.H)
    x = s.G_and_Pi(x, Pi, G)
    x = s.second_H(x, s.H, Pi, S)
    y = s.cut(x, p.D)
    return s.scale(s.S(y, S), p)


def S_first(x: Array, H: Any, Pi: Ints, S: Array) -> Any:
    """S before the second H."""
    return H(pad(S, x.size).reshape(x.shape) * x)


FORWARD: Steps = BOTH | {
    "product": product,
    "pad": pad,
    "G_and_Pi": lambda x, Pi, G: G * gather(x, Pi),
    "second_H": lambda x, H, Pi, S: H(x),
    "cut": lambda x, D: x.reshape(-1)[:D],
    "S": lambda y, S: S * y,
}

OF_PRODUCT = (
    wrong("no output signs", "the output signs S are missing: multiply row i by S_i at the end. "
          "Without them P has preferred directions (signs=False is the authors' form)", S=lambda y, S: y),
    wrong("inverse permutation", "Π is used the wrong way round: x_k = y[Π_k] (gather) is needed, "
          "not x[Π_k] = y_k (scatter; argsort turns one into the other)",
          G_and_Pi=lambda x, Pi, G: G * gather(x, inverse(Pi))),
    wrong("transposed operator", "each block is transposed: from right to left it is y = S H G Π H B v, "
          "B first and S last",
          factors=lambda B, Pi, G, S: (pad(S, B.size).reshape(B.shape), Pi, G, B.reshape(-1)[: len(S)]),
          G_and_Pi=lambda x, Pi, G: gather(G * x, inverse(Pi))),
    *OF_BOTH,
    wrong("S before the second H", "S is applied before the second H; it comes last",
          S=lambda y, S: y, second_H=S_first),
    wrong("S twice", "S is applied before the second H and again at the end; it comes once, last",
          second_H=S_first),
    wrong("first H missing", "the first H is missing", first_H=lambda x, H: x),
    wrong("second H missing", "the second H is missing", second_H=lambda x, H, Pi, S: x),
    wrong("no B", "the input signs B are missing", B=lambda x, B: np.broadcast_to(x, B.shape)),
    wrong("no G", "the normals G are missing", G_and_Pi=lambda x, Pi, G: gather(x, Pi)),
    wrong("no Π", "Π is missing: after the first H, entry k is what was entry Π_k",
          G_and_Pi=lambda x, Pi, G: G * np.tile(x, Pi.shape[1] // x.shape[1])),
    wrong("G before Π", "G is multiplied before Π; gather first, then G",
          G_and_Pi=lambda x, Pi, G: gather(G * x, Pi)),
    wrong("Π after the second H", "Π comes after the second H; it belongs between the first H and G",
          G_and_Pi=lambda x, Pi, G: G * x, second_H=lambda x, H, Pi, S: gather(H(x), Pi)),
    wrong("truncated input", "the input v is cut to the power of two below d; "
          "pad it with zeros to the power of two above",
          pad=lambda v, m: pad(v[: 1 << (len(v).bit_length() - 1)], m)),
    wrong("truncated output", "the last block is left out where it is not whole; "
          "⌈D/n⌉ blocks are needed, cut to D rows",
          cut=lambda x, D: np.where(np.arange(D) < D - D % x.shape[1], x.reshape(-1)[:D], x.dtype.type(0))),
    wrong("not cut to D", "all blocks·n rows are given; keep the first D",
          cut=lambda x, D: x.reshape(-1), S=lambda y, S: np.append(S, np.ones(len(y) - len(S), S.dtype)) * y),
    wrong("padded in front", "the zeros come before v; they come after it",
          pad=lambda v, m: pad(v[::-1], m)[::-1]),
    wrong("padded by repetition", "the input v is repeated to fill the block; fill with zeros",
          pad=np.resize),
    wrong("interleaved rows", "rows come out column-major, one of each block in turn; "
          "block after block is needed", cut=lambda x, D: x.T.reshape(-1)[:D]),
    wrong("all-positive G", "G's signs are lost; normals of both signs are needed",
          factors=lambda B, Pi, G, S: (B, Pi, np.abs(G), S)),
    wrong("all-positive P", "all entries of P are positive, so its columns are nearly parallel; "
          "normals and signs of both signs are needed",
          product=lambda s, v, p: np.abs(
              np.stack([product(s, e, p) for e in np.eye(len(v), dtype=v.dtype)], axis=1)) @ v),
    *OF_BITS,
)  # fmt: skip

# ---- Pᵀ g ----


def adjoint(s: Any, g: Floats, p: Any) -> Any:
    """Pᵀ g = (B ∘ H Πᵀ (G ∘ H pad(S ∘ g)))[:d] summed over the blocks, a step a line."""
    p.n, p.m = p.G.shape[1], p.B.shape[1]
    B, Pi, G, S = s.factors(p.B, p.Pi, p.G, p.S)
    x = pad(s.S(g, S), G.size).reshape(G.shape)
    x = s.G(s.first_H(x, s.H), G)
    x = s.scatter(x, Pi, p.m)
    x = s.B(s.second_H(x, s.H), B)
    return s.scale(s.sum(x)[: p.d], p)


def scatter(x: Array, Pi: Ints, m: int, overwrite: bool = False) -> Any:
    """Πᵀ x: what was read from place Π_k is added to it, or overwrites what others brought there."""
    out, places = np.zeros((len(x), m), x.dtype), (np.arange(len(x))[:, None], Pi)
    if overwrite:
        out[places] = x
    else:
        np.add.at(out, places, x)
    return out


ADJOINT: Steps = BOTH | {
    "product": adjoint,
    "S": lambda g, S: S * g,
    "G": lambda x, G: G * x,
    "scatter": scatter,
    "second_H": lambda x, H: H(x),
    "sum": lambda x: x.sum(axis=0),
}

OF_ADJOINT = (
    wrong("Π for Πᵀ", "the adjoint gathers with Π again; Πᵀ is needed: add entry k to place Π_k (scatter); "
          "or, by autograd, P itself has Π the wrong way round", scatter=lambda x, Pi, m: gather(x, Pi)),
    wrong("overwritten, not added", "Πᵀ overwrites where Π reads a place several times (blocks=\"single\"); "
          "add instead (np.add.at, index_add_, scatter_add)", scatter=partial(scatter, overwrite=True)),
    wrong("no output signs", "S is missing: g is multiplied by S first", S=lambda g, S: g),
    wrong("averaged over blocks", "the blocks' answers are averaged; they must be summed",
          sum=lambda x: x.mean(axis=0)),
    wrong("first block only", "only the first block's answer is given; sum over the blocks",
          sum=lambda x: x[0]),
    wrong("no B", "B is missing at the end", B=lambda x, B: x),
    wrong("no G", "the normals G are missing", G=lambda x, G: x),
    wrong("inverse of G", "G is divided by, as in the inverse; the adjoint multiplies by G",
          G=lambda x, G: x / G),
    wrong("no Πᵀ", "Πᵀ is missing: add entry k to place Π_k",
          scatter=lambda x, Pi, m: x.reshape(len(x), -1, m).sum(axis=1)),
    wrong("first H missing", "the H on g's side is missing", first_H=lambda x, H: x),
    wrong("second H missing", "the H on θ_d's side is missing", second_H=lambda x, H: x),
    *ADJOINT_SCALES,
    *OF_BOTH,
    *OF_BITS,
)  # fmt: skip

SHAPES = (  # D, d, blocks; a power of two, a cut block, a single block
    (64, 16, "stacked"), (80, 5, "stacked"), (101, 13, "stacked"), (50, 6, "stacked"), (100, 16, "single"),
)  # fmt: skip


def given(dtype: np.dtype[Any], D: int, d: int, blocks: str) -> dict[str, Any]:
    """B, Π, G, S as arrays, and D, d, blocks."""
    P = FastfoodProjection(D=D, d=d, seed=5, backend=get_backend("numpy", dtype), blocks=blocks)
    B = Stream(P.seed, Purpose.FF_B).signs(P.count * P.m).reshape(P.count, P.m).astype(dtype)
    S = Stream(P.seed, Purpose.FF_S).signs(D).astype(dtype)
    return {"B": B, "Pi": P.Pi.astype(np.int64), "G": P.G.copy(), "S": S, "D": D, "d": d, "blocks": blocks}


def problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """Each of the SHAPES."""
    for D, d, blocks in SHAPES:
        yield of_P(task, f"D×d = {D}×{d}, {blocks}", dtype, **given(dtype, D, d, blocks))


# ---- B, Π, G and S drawn by docs/random.md, with the column norm inside G ----


def drawn(s: Any, v: Floats, p: Any) -> Any:
    """Draw B, Π, g and S, scale g to G, then P v (or Pᵀ v)."""
    m = 1 << (p.d - 1).bit_length()
    n = m if p.blocks == "stacked" else 1 << (p.D - 1).bit_length()
    count = -(-p.D // n)
    B = s.blocks_of_B(s.draw_signs, Stream(p.seed, Purpose.FF_B), count, m)
    Pi = s.blocks_of_Pi(s.draw_Pi, Stream(p.seed, Purpose.FF_PI), count, n) % m
    g = s.blocks_of_G(s.draw_g, Stream(p.seed, Purpose.FF_G), count, n)
    S = s.draw_signs(Stream(p.seed, s.purpose_of_S(Purpose.FF_S)), p.D) if s.with_S(p.signs) else np.ones(p.D)
    B, G, S = (x.astype(v.dtype) for x in (B, s.norm(g, p.D), S))
    return s.product(s, v, Given(B=B, Pi=Pi, G=G, S=S, g=g, D=p.D, d=p.d))


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
    "norm": lambda g, D: g / norm(g, D),
}
LANES: Steps = {"blocks_of_B": a_lane_each, "blocks_of_Pi": permutations, "blocks_of_G": a_lane_each}

INVERSE = wrong(
    "inverse permutation",
    "Π is inverted: row r is the order that sorts the words (argsort), not their ranks, and x_k = y[Π_k]",
    draw_Pi=lambda stream, count, n: np.argsort(stream.permutations(count, n), axis=1),
)
OF_DRAWING = (
    wrong("a lane for each block", "block b is drawn from lane b; all blocks share lane 0, "
          "entry k of block b at index b·n + k", **LANES),
    *(wrong(f"a lane for each {X}", f"{X}_b is drawn from lane b; all blocks share lane 0, "
            "entry k of block b at index b·n + k", **{name: step})
      for X, (name, step) in zip("BΠG", LANES.items(), strict=True)),
    wrong("B's purpose for S", "S is drawn from the stream of B, FF_B; it has a purpose of its own, FF_S",
          purpose_of_S=lambda own: Purpose.FF_B),
    wrong("missing column norm", "the column norm is missing, columns have norm about √(n D): "
          "divide the normals by √(Σ_b m_b Σ_k g_bk²)", norm=lambda g, D: g * UNIT),
    wrong("missing column norm, integers", "the column norm is missing, and G holds the integers g = 2²⁰ z: "
          "divide them by √(Σ_b m_b Σ_k g_bk²)", norm=lambda g, D: g),
    wrong("double column norm", "the column norm is divided out twice; once is needed",
          norm=lambda g, D: g / norm(g, D) ** 2 / UNIT),
    wrong("expected column norm", "the expected norm √(n D) is divided out instead of this draw's "
          "√(Σ_b m_b Σ_k g_bk²), so columns have norm 1 only about",
          norm=lambda g, D: g * UNIT / sqrt(g.shape[1] * D)),
    wrong("norm before the cut", "the column norm is taken over all blocks·n rows; "
          "take it over the D that are kept", norm=lambda g, D: g / norm(g, g.size)),
    wrong("each block normalised alone", "each block's columns have norm 1, so P's have √blocks: "
          "one norm over all D rows is needed (global, not per block or per layer)",
          norm=lambda g, D: g / np.sqrt(g.shape[1] * (g * g).sum(axis=1, keepdims=True))),
    wrong("no output signs", "the output signs S are missing: multiply row i by S_i at the end. "
          "Without them P has preferred directions (signs=False is the authors' form)",
          with_S=lambda signs: False),
    wrong("S extra", "output signs are drawn although signs=False asks for the authors' form without them",
          with_S=lambda signs: True),
    INVERSE,
    wrong("highest bit first", "signs are read from the highest bit of a word down; the lowest bit is first",
          draw_signs=highest_bit_first),
    wrong("a word for each sign", "each sign takes a word of its own; "
          "a word holds 32 signs, lowest bit first",
          draw_signs=lambda stream, count: 1 - 2 * (stream.words(count) & 1).astype(np.int8)),
)  # fmt: skip


def with_drawing(mistakes: tuple[Mistake, ...], but: Mistake | None = None) -> tuple[Mistake, ...]:
    """And those of given factors, without what drawing has in its own words."""
    names = {m.name for m in OF_DRAWING}
    return (*(m for m in OF_DRAWING if m is not but), *(m for m in mistakes if m.name not in names))


OF_SCALE = (
    Mistake("scale after the second H", "the column norm is divided out at the end; "
            "G = dtype(g / norm), and nothing is scaled after it",
            {"norm": lambda g, D: g, "scale": lambda y, p: y / y.dtype.type(norm(p.g, p.D))}, rounding=True),
    Mistake("scale in B", "the column norm is divided out of v or B; G = dtype(g / norm), "
            "and nothing else is scaled",
            {"norm": lambda g, D: g,
             "product": lambda s, v, p: product(s, v / v.dtype.type(norm(p.g, p.D)), p)}, rounding=True),
)  # fmt: skip


def seeds(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """Each of the SHAPES, with output signs and once without."""
    for D, d, blocks in SHAPES:
        title = f"D×d = {D}×{d}, {blocks}, signs={d != 6}"
        yield of_P(task, title, dtype, D=D, d=d, seed=D + 2**40, blocks=blocks, signs=d != 6)


TABLES = {
    ("fastfood", "given", "apply"): Table(lambda s, v, p: s.product(s, v, p), FORWARD, OF_PRODUCT, problems),
    ("fastfood", "given", "adjoint"): Table(adjoint, ADJOINT, OF_ADJOINT, partial(problems, task="adjoint")),
    ("fastfood", "seeded", "apply"): Table(drawn, FORWARD | DRAW, with_drawing(OF_PRODUCT) + OF_SCALE, seeds),
    ("fastfood", "seeded", "adjoint"): Table(  # Π for Πᵀ says what INVERSE would
        drawn, ADJOINT | DRAW, with_drawing(OF_ADJOINT, but=INVERSE), partial(seeds, task="adjoint")
    ),
}
