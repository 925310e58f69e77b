"""From normals g to a dense P with unit columns: fn(v, p) with p.g (D, d), and p.sizes, the tensors that the D rows are."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, factor, numbers
from npintdim.typing import Array, Floats

SHAPES = ((41, 6), (64, 8), (97, 5))  # D, d


def column_norms(g: Array) -> Array:
    """‖g_j‖ over all D rows."""
    return np.sqrt((g * g).sum(axis=0))


def per_tensor(g: Array, sizes: tuple[int, ...]) -> Array:
    """Every tensor's rows scaled to unit columns on their own."""
    parts = np.split(g, np.cumsum(sizes)[:-1])
    return np.concatenate([part / column_norms(part) for part in parts])


def orthonormal(g: Array) -> Array:
    """Q of g = Q R with a positive diagonal of R: Gram–Schmidt."""
    Q, R = np.linalg.qr(g.astype(np.float64))
    return Q * np.sign(np.diag(R))


def column_major(g: Array) -> Array:
    """The D·d numbers of g read in Fortran order."""
    return g.reshape(-1).reshape(g.shape[::-1]).T


SCALES = (
    factor("scale √D", "columns have norm √D; they must have norm 1 over all D rows", lambda p: sqrt(p.D)),
    factor("scale 1/√D", "there is a factor 1/√D too many: columns must have norm 1", lambda p: 1 / sqrt(p.D)),
    factor("scale 1/√d", "there is a factor 1/√d, which makes rows unit; columns must be", lambda p: 1 / sqrt(p.d)),
    factor("scale √d", "the answer is √d times too large: columns must have norm 1", lambda p: sqrt(p.d)),
    factor("scale √(D/d)", "there is a factor √(D/d), which keeps the length of a projected gradient; here columns have norm 1",
           lambda p: sqrt(p.D / p.d)),
)  # fmt: skip

OF_ADJOINTS = (  # and of nothing else
    factor("scale d/D", "there is a factor d/D, as if PᵀP had to be undone; Pᵀ has the scale of P", lambda p: p.d / p.D),
    factor("scale D/d", "there is a factor D/d, as in a pseudo-inverse; Pᵀ has the scale of P", lambda p: p.D / p.d),
    factor("scale 1/D", "the answer is a mean over the D rows; the chain rule sums, (Pᵀ g)_j = Σ_i P_ij g_i", lambda p: 1 / p.D),
    Mistake("pseudo-inverse", "g is projected by least squares, (PᵀP)⁻¹Pᵀ g; the chain rule has Pᵀ g alone",
            {"product": lambda P, g: np.linalg.lstsq(P, g)[0]}),
)  # fmt: skip


def product(s: Steps, v: Floats, p: Any) -> Floats:
    """P v with P_j = g_j / ‖g_j‖."""
    g = s["g"](p)
    P = s["norm"](g, p).astype(v.dtype)
    y: Floats = s["scale"](s["product"](P, v), p)
    return y


RIGHT: Steps = {
    "g": lambda p: p.g,
    "norm": lambda g, p: g / column_norms(g),
    "product": lambda P, v: P @ v,
    "scale": lambda y, p: y,
}

MISTAKES = (
    Mistake("missing column norm", "columns are not normalised: divide column j by ‖g_j‖", {"norm": lambda g, p: g}),
    Mistake("double column norm", "columns are divided by ‖g_j‖²; by ‖g_j‖ is needed",
            {"norm": lambda g, p: g / column_norms(g) ** 2}),
    Mistake("normalised per tensor", "each tensor's (layer's) columns have norm 1, so P's have √tensors: take one norm over all D "
            "rows, biases included", {"norm": lambda g, p: per_tensor(g, p.sizes)}),
    Mistake("expected column norm", "columns are divided by √D, their expected norm, instead of ‖g_j‖: unit only about",
            {"norm": lambda g, p: g / sqrt(len(g))}),
    Mistake("divided by √d", "columns are divided by √d; divide column j by ‖g_j‖",
            {"norm": lambda g, p: g / sqrt(g.shape[1])}),
    Mistake("rows normalised", "rows have norm 1; columns must: sum the squares over axis 0 of (D, d)",
            {"norm": lambda g, p: g / np.linalg.norm(g, axis=1, keepdims=True)}),
    Mistake("Frobenius norm", "the whole matrix is divided by its one (Frobenius) norm; each column has its own",
            {"norm": lambda g, p: g / np.linalg.norm(g)}),
    Mistake("signed sum", "columns are divided by the sum of their entries; by the root of the sum of their squares is needed",
            {"norm": lambda g, p: g / g.sum(axis=0)}),
    Mistake("sum of sizes", "columns are divided by Σ|g_ij| (1-norm); the 2-norm is needed",
            {"norm": lambda g, p: g / np.abs(g).sum(axis=0)}),
    Mistake("standardised", "columns are divided by their standard deviation, so they have norm about √D; by ‖g_j‖ is needed",
            {"norm": lambda g, p: g / g.std(axis=0)}),
    Mistake("orthonormalised", "columns are made orthonormal (QR); the paper only scales them",
            {"norm": lambda g, p: orthonormal(g)}),
    Mistake("all-positive P", "all entries are positive, so columns are nearly parallel; normals of both signs are needed",
            {"g": lambda p: np.abs(p.g)}),
    Mistake("column-major", "the matrix is read column-major (Fortran order); g is (D, d) in C order",
            {"g": lambda p: column_major(p.g)}),
    *SCALES,
)  # fmt: skip


def tensors(D: int) -> tuple[int, ...]:
    """Sizes of W, b, W, b that add up to D."""
    return D - 18, 5, 10, 3


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """P v from normals."""
    for D, d in SHAPES:
        rest = {"g": numbers(dtype, D, d, lane=1), "D": D, "d": d, "sizes": tensors(D)}
        yield Problem(f"D×d = {D}×{d}", numbers(dtype, d), rest)


TABLE = Table(product, RIGHT, MISTAKES, problems)
