"""Fastfood, P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D], with its factors given."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.backend import get_backend
from npintdim.kernels.reference.wht import wht
from npintdim.projections.fastfood import FastfoodProjection
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.projection import SCALES as OF_COLUMNS
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, factor, numbers
from npintdim.testing.mistakes.wht import BY_MATRIX, LARGEST_FIRST, ORDERS
from npintdim.typing import Array, Floats, Ints


def product(s: Steps, v: Floats, p: Any) -> Floats:
    """P v, a step a line."""
    p.n, p.m = p.G.shape[1], p.B.shape[1]
    B, Pi, G, S = s["factors"](p.B, p.Pi, p.G, p.S)
    x = s["B"](s["pad"](v, p.m), B)
    x = s["first H"](x, s["H"])
    x = s["G and Π"](x, Pi, G)
    x = s["second H"](x, s["H"], Pi, S)
    y = s["cut"](x, p.D)
    y = s["S"](y, S)
    return s["scale"](y, p)


def gather(x: Array, Pi: Ints) -> Array:
    """x[Π] in every block."""
    return np.take_along_axis(x, Pi, axis=1)


def pad(v: Array, m: int) -> Array:
    """(v, 0, ..., 0)."""
    return np.pad(v, (0, m - len(v)))


RIGHT: Steps = {
    "product": product,
    "factors": lambda B, Pi, G, S: (B, Pi, G, S),
    "pad": pad,
    "B": lambda x, B: B * x,
    "H": wht,
    "first H": lambda x, H: H(x),
    "G and Π": lambda x, Pi, G: G * gather(x, Pi),
    "second H": lambda x, H, Pi, S: H(x),
    "cut": lambda x, D: x.reshape(-1)[:D],
    "S": lambda y, S: S * y,
    "scale": lambda y, p: y,
}


def inverse(Pi: Ints) -> Ints:
    """Π⁻¹ of every block."""
    if Pi.max() < Pi.shape[1] - 1:
        raise ValueError("Π is kept modulo m: it has no inverse")
    return np.argsort(Pi, axis=1)


def column_major(B: Array, Pi: Array, G: Array, S: Array) -> tuple[Array, ...]:
    """The numbers of (blocks, n) arrays, read with the block as the fastest index."""
    return (*(a.reshape(a.shape[::-1]).T for a in (B, Pi, G)), S)


def one_block(*names: str) -> Any:
    """Block 0's factors in every block."""

    def factors(B: Array, Pi: Array, G: Array, S: Array) -> tuple[Array, ...]:
        first = {"B": B[:1], "Π": Pi[:1], "G": G[:1], "S": S[: G.shape[1]]}
        all_ = {"B": B, "Π": Pi, "G": G, "S": S}
        return tuple(np.resize(first[name], a.shape) if name in names else a for name, a in all_.items())

    return factors


def each_block_alone(B: Array, Pi: Array, G: Array, S: Array) -> tuple[Array, ...]:
    """n Σ_k G_bk² = 1 in every block b."""
    return B, Pi, G / np.sqrt(G.shape[1] * (G * G).sum(axis=1, keepdims=True)), S


def transposed(B: Array, Pi: Array, G: Array, S: Array) -> tuple[Array, ...]:
    """S where B was and B where S was."""
    return pad(S, B.size).reshape(B.shape), Pi, G, B.reshape(-1)[: len(S)]


def cut_to_power_of_two(v: Array, m: int) -> Array:
    """The first 2^⌊log₂ d⌋ entries of v."""
    return pad(v[: 1 << (len(v).bit_length() - 1)], m)


def whole_blocks(x: Array, D: int) -> Array:
    """Zero where the last block is not whole."""
    y = x.reshape(-1)[:D].copy()
    y[D - D % x.shape[1] :] = 0
    return y


def all_positive(s: Steps, v: Floats, p: Any) -> Floats:
    """|P| v."""
    P = np.stack([product(s, e, p) for e in np.eye(len(v), dtype=v.dtype)], axis=1)
    return np.abs(P) @ v


SCALES = (
    factor("scale 1/n", "both H are divided by √n (orthonormal), so the answer is n times too small; H is unnormalised "
           "(entries ±1, H H = n I) and G holds the whole scale", lambda p: 1 / sqrt(p.m * p.n)),
    factor("scale 1/√n", "one H is divided by √n (orthonormal), so the answer is √n times too small; H is unnormalised "
           "(entries ±1, H H = n I) and G holds the whole scale", lambda p: 1 / sqrt(p.n)),
    factor("scale √n", "the answer is √n times too large: take the factor out, H is unnormalised and G holds the whole "
           "scale", lambda p: sqrt(p.n)),
    factor("scale n", "the answer is n times too large: take the factor out, H is unnormalised and G holds the whole "
           "scale", lambda p: p.n),
    factor("double column norm", "the column norm is divided out twice: G holds 1/√(n D) already, so scale nothing after it",
           lambda p: 1 / sqrt(p.n * p.D)),
    factor("missing column norm", "columns have norm √(n D), as G without its scale gives: divide by one norm over all D rows",
           lambda p: sqrt(p.n * p.D)),
    *OF_COLUMNS,
)  # fmt: skip

SHARED = (
    *SCALES,
    *ORDERS,
    Mistake("B and G swapped", "B and G have changed places: the signs B come before the first H, the normals G after Π",
            {"factors": lambda B, Pi, G, S: (G, Pi, B, S)}),
    Mistake("column-major factors", "B, Π and G are read column-major (Fortran order); they are (blocks, n) in C order, entry k of "
            "block b at b·n + k", {"factors": column_major}),
    Mistake("one block for all", "every block uses the factors of block 0; block b has row b of B, Π and G",
            {"factors": one_block("B", "Π", "G")}),
    *(Mistake(f"one {name} for all", f"every block uses block 0's {name}; each has its own", {"factors": one_block(name)})
      for name in ("B", "Π", "G", "S")),
    Mistake("each block normalised alone", "each block's columns have norm 1, so P's have √blocks: one norm over all D rows is "
            "needed (global, not per block or per layer), and G holds it already", {"factors": each_block_alone}),
)  # fmt: skip

MISTAKES = (
    Mistake("no output signs", "the output signs S are missing: multiply row i by S_i at the end. Without them P has preferred "
            "directions (signs=False is the authors' form)", {"S": lambda y, S: y}),
    Mistake("inverse permutation", "Π is used the wrong way round: x_k = y[Π_k] (gather) is needed, not x[Π_k] = y_k (scatter; "
            "argsort turns one into the other)", {"G and Π": lambda x, Pi, G: G * gather(x, inverse(Pi))}),
    Mistake("transposed operator", "each block is transposed: from right to left it is y = S H G Π H B v, B first and S last",
            {"factors": transposed, "G and Π": lambda x, Pi, G: gather(G * x, inverse(Pi))}),
    *SHARED,
    Mistake("S before the second H", "S is applied before the second H; it comes last",
            {"S": lambda y, S: y, "second H": lambda x, H, Pi, S: H(pad(S, x.size).reshape(x.shape) * x)}),
    Mistake("S twice", "S is applied before the second H and again at the end; it comes once, last",
            {"second H": lambda x, H, Pi, S: H(pad(S, x.size).reshape(x.shape) * x)}),
    Mistake("first H missing", "the first H is missing", {"first H": lambda x, H: x}),
    Mistake("second H missing", "the second H is missing", {"second H": lambda x, H, Pi, S: x}),
    Mistake("no B", "the input signs B are missing", {"B": lambda x, B: np.broadcast_to(x, B.shape)}),
    Mistake("no G", "the normals G are missing", {"G and Π": lambda x, Pi, G: gather(x, Pi)}),
    Mistake("no Π", "Π is missing: after the first H, entry k is what was entry Π_k",
            {"G and Π": lambda x, Pi, G: G * np.tile(x, Pi.shape[1] // x.shape[1])}),
    Mistake("G before Π", "G is multiplied before Π; gather first, then G", {"G and Π": lambda x, Pi, G: gather(G * x, Pi)}),
    Mistake("Π after the second H", "Π comes after the second H; it belongs between the first H and G",
            {"G and Π": lambda x, Pi, G: G * x, "second H": lambda x, H, Pi, S: gather(H(x), Pi)}),
    Mistake("truncated input", "the input v is cut to the power of two below d; pad it with zeros to the power of two above",
            {"pad": cut_to_power_of_two}),
    Mistake("truncated output", "the last block is left out where it is not whole; ⌈D/n⌉ blocks are needed, cut to D rows",
            {"cut": whole_blocks}),
    Mistake("not cut to D", "all blocks·n rows are given; keep the first D",
            {"cut": lambda x, D: x.reshape(-1), "S": lambda y, S: np.append(S, np.ones(len(y) - len(S), S.dtype)) * y}),
    Mistake("padded in front", "the zeros come before v; they come after it", {"pad": lambda v, m: pad(v[::-1], m)[::-1]}),
    Mistake("padded by repetition", "the input v is repeated to fill the block; fill with zeros", {"pad": lambda v, m: np.resize(v, m)}),
    Mistake("interleaved rows", "rows come out column-major, one of each block in turn; block after block is needed",
            {"cut": lambda x, D: x.T.reshape(-1)[:D]}),
    Mistake("all-positive G", "G's signs are lost; normals of both signs are needed",
            {"factors": lambda B, Pi, G, S: (B, Pi, np.abs(G), S)}),
    Mistake("all-positive P", "all entries of P are positive, so its columns are nearly parallel; normals and signs of both signs "
            "are needed", {"product": all_positive}),
    LARGEST_FIRST,
    BY_MATRIX,
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


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """P v for each of the SHAPES."""
    for D, d, blocks in SHAPES:
        yield Problem(f"D×d = {D}×{d}, {blocks}", numbers(dtype, d), given(dtype, D, d, blocks))


TABLE = Table(lambda s, v, p: s["product"](s, v, p), RIGHT, MISTAKES, problems)
