"""Dense P v and Pᵀ g: the matrix is given, or its columns are drawn by docs/random.md."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import projection
from npintdim.testing.mistakes.projection import (
    OF_ADJOINTS,
    SCALES,
    SHAPES,
    column_major,
    column_norms,
    orthonormal,
    per_tensor,
    tensors,
)
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, factor, numbers
from npintdim.typing import Floats

TRANSPOSED: Steps = {"product": lambda P, g: P.T @ g}  # what an adjoint does instead

# ---- given ----


def product(s: Steps, v: Floats, p: Any) -> Floats:
    """P v."""
    p.D, p.d = p.P.shape
    y: Floats = s["scale"](s["product"](s["P"](p.P), v), p)
    return y


RIGHT: Steps = {"P": lambda P: P, "product": lambda P, v: P @ v, "scale": lambda y, p: y}

MISTAKES = (
    Mistake("column-major", "P is read column-major (Fortran order); it is (D, d) in C order", {"P": column_major}),
    factor("double column norm", "P is divided by √D, as if its columns were not unit yet: scale nothing", lambda p: 1 / sqrt(p.D)),
    *(m for m in SCALES if m.name != "scale 1/√D"),
    Mistake("rows normalised", "P's rows are scaled to norm 1; its columns are unit as given, scale nothing",
            {"P": lambda P: P / np.linalg.norm(P, axis=1, keepdims=True)}),
    Mistake("orthonormalised", "P's columns are made orthonormal (QR); the paper only scales them, and they are unit as given",
            {"P": orthonormal}),
    Mistake("all-positive P", "P's entries are made positive, so columns are nearly parallel", {"P": np.abs}),
    Mistake("normalised per tensor", "P is normalised again for each tensor (layer) of D − 18, 5, 10 and 3 rows; its columns are unit "
            "over all D rows as given", {"P": lambda P: per_tensor(P, tensors(len(P)))}),
)  # fmt: skip


def problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """P v or Pᵀ g for each of the SHAPES."""
    for D, d in SHAPES:
        g = numbers(dtype, D, d, lane=1)
        first = numbers(dtype, d if task == "apply" else D)
        yield Problem(f"D×d = {D}×{d}", first, {"P": g / column_norms(g), "D": D, "d": d}, task)


TABLE = Table(product, RIGHT, MISTAKES, problems)
ADJOINT = Table(product, RIGHT | TRANSPOSED, OF_ADJOINTS + MISTAKES, lambda dtype: problems(dtype, "adjoint"))

# ---- seeded: projection's steps, with g from the streams ----
UNIT = 2.0**-20  # of the integers that are normals


def entries(p: Any, lane: int, n: int) -> Floats:
    """n normals of a lane, or n signs."""
    stream = Stream(p.seed, Purpose.DENSE, lane)
    return stream.normals(n) * UNIT if p.entries == "gaussian" else stream.signs(n) * 1.0


def column_by_column(p: Any) -> Floats:
    """g_ij = normal i of lane j."""
    return np.stack([entries(p, j, p.D) for j in range(p.d)], axis=1)


def row_by_row(p: Any) -> Floats:
    """g_ij = normal j of lane i."""
    return np.stack([entries(p, i, p.d) for i in range(p.D)])


def one_lane(p: Any) -> Floats:
    """All D·d normals from lane 0."""
    return entries(p, 0, p.D * p.d)


SEEDED_RIGHT = projection.RIGHT | {"g": column_by_column}

SEEDED_MISTAKES = (
    Mistake("lane = row", "lane i holds row i; lane j must hold column j, entry i at index i", {"g": row_by_row}),
    Mistake("one lane, row-major", "all entries come from lane 0, row after row; column j has a lane of its own, j",
            {"g": lambda p: one_lane(p).reshape(p.D, p.d)}),
    Mistake("one lane, column-major", "all entries come from lane 0, column after column; column j has a lane of its own, j",
            {"g": lambda p: one_lane(p).reshape(p.d, p.D).T}),
    Mistake("all-positive P", "all entries are positive, so columns are nearly parallel; normals of both signs are needed",
            {"g": lambda p: np.abs(column_by_column(p))}),
    Mistake("missing column norm, integers", "columns are not normalised, and hold the integers 2²⁰ z: divide column j by ‖z_j‖",
            {"norm": lambda g, p: g / UNIT}),
    *(m for m in projection.MISTAKES if "g" not in m.steps),
)  # fmt: skip


def seeded_problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """P v or Pᵀ g from a seed."""
    for D, d in SHAPES:
        rest = {"D": D, "d": d, "seed": D + 2**40, "entries": "gaussian", "sizes": tensors(D)}
        yield Problem(f"D×d = {D}×{d}", numbers(dtype, d if task == "apply" else D), rest, task)


SEEDED = Table(projection.product, SEEDED_RIGHT, SEEDED_MISTAKES, seeded_problems)
SEEDED_ADJOINT = Table(
    projection.product,
    SEEDED_RIGHT | TRANSPOSED,
    OF_ADJOINTS + SEEDED_MISTAKES,
    lambda dtype: seeded_problems(dtype, "adjoint"),
)
