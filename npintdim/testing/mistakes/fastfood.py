"""Fastfood with its factors given: P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D], and its adjoint."""

from collections.abc import Iterator
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
from npintdim.testing.mistakes.table import Problem, Steps, Table, factor, of_P, wrong
from npintdim.testing.mistakes.wht import OF_BITS, ORDERS
from npintdim.typing import Array, Floats, Ints

Factors = tuple[Array, Array, Array, Array]  # B, Π, G, S

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

    def factors(B: Array, Pi: Array, G: Array, S: Array) -> Any:
        first = {"B": B[:1], "Π": Pi[:1], "G": G[:1], "S": S[: G.shape[1]]}
        return (
            np.resize(first[name], x.shape) if name in names else x
            for name, x in zip(first, (B, Pi, G, S), strict=True)
        )

    return factors


BOTH: Steps = {
    "factors": lambda B, Pi, G, S: (B, Pi, G, S),
    "H": wht,
    "first_H": lambda x, H: H(x),
    "B": lambda x, B: B * x,
    "scale": lambda y, p: y,
}

OF_BOTH = (
    factor("scale 1/n", "both H are divided by √n (orthonormal), so the answer is n times too small; H is unnormalised "
           "(entries ±1, H H = n I) and G holds the whole scale", lambda p: 1 / sqrt(p.m * p.n)),
    factor("scale 1/√n", "one H is divided by √n (orthonormal), so the answer is √n times too small; H is unnormalised "
           "(entries ±1, H H = n I) and G holds the whole scale", lambda p: 1 / sqrt(p.n)),
    *(factor(f"scale {by}", f"the answer is {by} times too large: take the factor out, H is unnormalised and G holds the whole scale",
             value) for by, value in (("√n", lambda p: sqrt(p.n)), ("n", lambda p: p.n))),
    factor("double column norm", "the column norm is divided out twice: G holds 1/√(n D) already, so scale nothing after it",
           lambda p: 1 / sqrt(p.n * p.D)),
    factor("missing column norm", "columns have norm √(n D), as G without its scale gives: divide by one norm over all D rows",
           lambda p: sqrt(p.n * p.D)),
    *OF_COLUMNS,
    *ORDERS,
    wrong("B and G swapped", "B and G have changed places: the signs B come before the first H, the normals G after Π",
          factors=lambda B, Pi, G, S: (G, Pi, B, S)),
    wrong("column-major factors", "B, Π and G are read column-major (Fortran order); they are (blocks, n) in C order, entry k of "
          "block b at b·n + k", factors=lambda B, Pi, G, S: (*(a.reshape(a.shape[::-1]).T for a in (B, Pi, G)), S)),
    wrong("one block for all", "every block uses the factors of block 0; block b has row b of B, Π and G",
          factors=one_block("B", "Π", "G")),
    *(wrong(f"one {name} for all", f"every block uses block 0's {name}; each has its own", factors=one_block(name)) for name in "BΠGS"),
    wrong("each block normalised alone", "each block's columns have norm 1, so P's have √blocks: one norm over all D rows is "
          "needed (global, not per block or per layer), and G holds it already",
          factors=lambda B, Pi, G, S: (B, Pi, G / np.sqrt(G.shape[1] * (G * G).sum(axis=1, keepdims=True)), S)),
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


def all_positive(s: Any, v: Floats, p: Any) -> Any:
    """|P| v."""
    return np.abs(np.stack([product(s, e, p) for e in np.eye(len(v), dtype=v.dtype)], axis=1)) @ v


def whole_blocks(x: Array, D: int) -> Array:
    """Zero where the last block is not whole."""
    return np.where(np.arange(D) < D - D % x.shape[1], x.reshape(-1)[:D], x.dtype.type(0))


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
    wrong("no output signs", "the output signs S are missing: multiply row i by S_i at the end. Without them P has preferred "
          "directions (signs=False is the authors' form)", S=lambda y, S: y),
    wrong("inverse permutation", "Π is used the wrong way round: x_k = y[Π_k] (gather) is needed, not x[Π_k] = y_k (scatter; "
          "argsort turns one into the other)", G_and_Pi=lambda x, Pi, G: G * gather(x, inverse(Pi))),
    wrong("transposed operator", "each block is transposed: from right to left it is y = S H G Π H B v, B first and S last",
          factors=lambda B, Pi, G, S: (pad(S, B.size).reshape(B.shape), Pi, G, B.reshape(-1)[: len(S)]),
          G_and_Pi=lambda x, Pi, G: gather(G * x, inverse(Pi))),
    *OF_BOTH,
    wrong("S before the second H", "S is applied before the second H; it comes last", S=lambda y, S: y, second_H=S_first),
    wrong("S twice", "S is applied before the second H and again at the end; it comes once, last", second_H=S_first),
    wrong("first H missing", "the first H is missing", first_H=lambda x, H: x),
    wrong("second H missing", "the second H is missing", second_H=lambda x, H, Pi, S: x),
    wrong("no B", "the input signs B are missing", B=lambda x, B: np.broadcast_to(x, B.shape)),
    wrong("no G", "the normals G are missing", G_and_Pi=lambda x, Pi, G: gather(x, Pi)),
    wrong("no Π", "Π is missing: after the first H, entry k is what was entry Π_k",
          G_and_Pi=lambda x, Pi, G: G * np.tile(x, Pi.shape[1] // x.shape[1])),
    wrong("G before Π", "G is multiplied before Π; gather first, then G", G_and_Pi=lambda x, Pi, G: gather(G * x, Pi)),
    wrong("Π after the second H", "Π comes after the second H; it belongs between the first H and G",
          G_and_Pi=lambda x, Pi, G: G * x, second_H=lambda x, H, Pi, S: gather(H(x), Pi)),
    wrong("truncated input", "the input v is cut to the power of two below d; pad it with zeros to the power of two above",
          pad=lambda v, m: pad(v[: 1 << (len(v).bit_length() - 1)], m)),
    wrong("truncated output", "the last block is left out where it is not whole; ⌈D/n⌉ blocks are needed, cut to D rows", cut=whole_blocks),
    wrong("not cut to D", "all blocks·n rows are given; keep the first D",
          cut=lambda x, D: x.reshape(-1), S=lambda y, S: np.append(S, np.ones(len(y) - len(S), S.dtype)) * y),
    wrong("padded in front", "the zeros come before v; they come after it", pad=lambda v, m: pad(v[::-1], m)[::-1]),
    wrong("padded by repetition", "the input v is repeated to fill the block; fill with zeros", pad=np.resize),
    wrong("interleaved rows", "rows come out column-major, one of each block in turn; block after block is needed",
          cut=lambda x, D: x.T.reshape(-1)[:D]),
    wrong("all-positive G", "G's signs are lost; normals of both signs are needed", factors=lambda B, Pi, G, S: (B, Pi, np.abs(G), S)),
    wrong("all-positive P", "all entries of P are positive, so its columns are nearly parallel; normals and signs of both signs "
          "are needed", product=all_positive),
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


def scatter(x: Array, Pi: Ints, m: int) -> Any:
    """Πᵀ x: what was read from place Π_k is added to it."""
    out = np.zeros((len(x), m), x.dtype)
    np.add.at(out, (np.arange(len(x))[:, None], Pi), x)
    return out


def overwrite(x: Array, Pi: Ints, m: int) -> Any:
    """out[Π_k] = x_k: where several k meet, only the last stays."""
    out = np.zeros((len(x), m), x.dtype)
    np.put_along_axis(out, Pi, x, axis=1)
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
    wrong("Π for Πᵀ", "the adjoint gathers with Π again; Πᵀ is needed: add entry k to place Π_k (scatter); or, "
          "by autograd, P itself has Π the wrong way round", scatter=lambda x, Pi, m: gather(x, Pi)),
    wrong("overwritten, not added", "Πᵀ overwrites where Π reads a place several times (blocks=\"single\"); add instead "
          "(np.add.at, index_add_, scatter_add)", scatter=overwrite),
    wrong("no output signs", "S is missing: g is multiplied by S first", S=lambda g, S: g),
    wrong("averaged over blocks", "the blocks' answers are averaged; they must be summed", sum=lambda x: x.mean(axis=0)),
    wrong("first block only", "only the first block's answer is given; sum over the blocks", sum=lambda x: x[0]),
    wrong("no B", "B is missing at the end", B=lambda x, B: x),
    wrong("no G", "the normals G are missing", G=lambda x, G: x),
    wrong("inverse of G", "G is divided by, as in the inverse; the adjoint multiplies by G", G=lambda x, G: x / G),
    wrong("no Πᵀ", "Πᵀ is missing: add entry k to place Π_k", scatter=lambda x, Pi, m: x.reshape(len(x), -1, m).sum(axis=1)),
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


def run(s: Any, v: Floats, p: Any) -> Any:
    """P v or Pᵀ v, whichever the steps have."""
    return s.product(s, v, p)


TABLES = {
    ("fastfood", "given", "apply"): Table(run, FORWARD, OF_PRODUCT, problems),
    ("fastfood", "given", "adjoint"): Table(run, ADJOINT, OF_ADJOINT, partial(problems, task="adjoint")),
}
