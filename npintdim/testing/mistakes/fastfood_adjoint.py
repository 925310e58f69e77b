"""Fastfood's adjoint, Pᵀ g = (B ∘ H Πᵀ (G ∘ H pad(S ∘ g)))[:d] summed over the blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.kernels.reference.wht import wht
from npintdim.testing.mistakes.fastfood import SHAPES, SHARED, gather, given, pad
from npintdim.testing.mistakes.projection import OF_ADJOINTS
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.testing.mistakes.wht import BY_MATRIX, LARGEST_FIRST
from npintdim.typing import Array, Floats, Ints


def adjoint(s: Steps, g: Floats, p: Any) -> Floats:
    """Pᵀ g, a step a line."""
    p.n, p.m = p.G.shape[1], p.B.shape[1]
    B, Pi, G, S = s["factors"](p.B, p.Pi, p.G, p.S)
    x = pad(s["S"](g, S), G.size).reshape(G.shape)
    x = s["G"](s["first H"](x, s["H"]), G)
    x = s["Πᵀ"](x, Pi, p.m)
    x = s["B"](s["second H"](x, s["H"]), B)
    return s["scale"](s["sum"](x)[: p.d], p)


def scatter(x: Array, Pi: Ints, m: int) -> Array:
    """Πᵀ x: what was read from place Π_k is added to it."""
    out = np.zeros((len(x), m), x.dtype)
    np.add.at(out, (np.arange(len(x))[:, None], Pi), x)
    return out


def overwrite(x: Array, Pi: Ints, m: int) -> Array:
    """out[Π_k] = x_k: where several k meet, only the last stays."""
    out = np.zeros((len(x), m), x.dtype)
    np.put_along_axis(out, Pi, x, axis=1)
    return out


RIGHT: Steps = {
    "product": adjoint,
    "factors": lambda B, Pi, G, S: (B, Pi, G, S),
    "S": lambda g, S: S * g,
    "H": wht,
    "first H": lambda x, H: H(x),
    "G": lambda x, G: G * x,
    "Πᵀ": scatter,
    "second H": lambda x, H: H(x),
    "B": lambda x, B: B * x,
    "sum": lambda x: x.sum(axis=0),
    "scale": lambda y, p: y,
}

MISTAKES = (
    Mistake("Π for Πᵀ", "the adjoint gathers with Π again; Πᵀ is needed: add entry k to place Π_k (scatter); or, "
            "by autograd, P itself has Π the wrong way round",
            {"Πᵀ": lambda x, Pi, m: gather(x, Pi)}),
    Mistake("overwritten, not added", "Πᵀ overwrites where Π reads a place several times (blocks=\"single\"); add instead "
            "(np.add.at, index_add_, scatter_add)", {"Πᵀ": overwrite}),
    Mistake("no output signs", "S is missing: g is multiplied by S first", {"S": lambda g, S: g}),
    Mistake("averaged over blocks", "the blocks' answers are averaged; they must be summed",
            {"sum": lambda x: x.mean(axis=0)}),
    Mistake("first block only", "only the first block's answer is given; sum over the blocks", {"sum": lambda x: x[0]}),
    Mistake("no B", "B is missing at the end", {"B": lambda x, B: x}),
    Mistake("no G", "the normals G are missing", {"G": lambda x, G: x}),
    Mistake("inverse of G", "G is divided by, as in the inverse; the adjoint multiplies by G", {"G": lambda x, G: x / G}),
    Mistake("no Πᵀ", "Πᵀ is missing: add entry k to place Π_k", {"Πᵀ": lambda x, Pi, m: x.reshape(len(x), -1, m).sum(axis=1)}),
    Mistake("first H missing", "the H on g's side is missing", {"first H": lambda x, H: x}),
    Mistake("second H missing", "the H on θ_d's side is missing", {"second H": lambda x, H: x}),
    *(m for m in OF_ADJOINTS if "product" not in m.steps),  # there is no matrix
    *SHARED,
    LARGEST_FIRST,
    BY_MATRIX,
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Pᵀ g for each of the SHAPES."""
    for D, d, blocks in SHAPES:
        yield Problem(f"D×d = {D}×{d}, {blocks}", numbers(dtype, D), given(dtype, D, d, blocks), "adjoint")


TABLE = Table(lambda s, g, p: s["product"](s, g, p), RIGHT, MISTAKES, problems)
