"""Dense P v: the matrix is given, or its columns are drawn by docs/random.md."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import projection
from npintdim.testing.mistakes.projection import SHAPES, column_major, column_norms, per_tensor, tensors
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Floats

# ---- given ----


def product(s: Steps, v: Floats, p: Any) -> Floats:
    """P v."""
    y: Floats = s["scale"](s["P"](p.P) @ v, *p.P.shape)
    return y


RIGHT: Steps = {"P": lambda P: P, "scale": lambda y, D, d: y}

MISTAKES = (
    Mistake("column-major", "P is read column-major (Fortran order); it is (D, d) in C order", {"P": column_major}),
    Mistake("double column norm", "P is divided by √D, as if its columns were not unit yet: scale nothing",
            {"scale": lambda y, D, d: y / sqrt(D)}),
    Mistake("scale √D", "the answer is √D times too large: P's columns are unit as given",
            {"scale": lambda y, D, d: y * sqrt(D)}),
    Mistake("scale 1/√d", "there is a factor 1/√d, which makes rows unit; columns must be",
            {"scale": lambda y, D, d: y / sqrt(d)}),
    Mistake("scale √(D/d)", "there is a factor √(D/d), which keeps the length of a projected gradient; here columns have norm 1",
            {"scale": lambda y, D, d: y * sqrt(D / d)}),
    Mistake("rows normalised", "P's rows are scaled to norm 1; its columns are unit as given, scale nothing",
            {"P": lambda P: P / np.linalg.norm(P, axis=1, keepdims=True)}),
    Mistake("all-positive P", "P's entries are made positive, so columns are nearly parallel", {"P": np.abs}),
    Mistake("normalised per tensor", "P is normalised again for each tensor (layer) of D − 18, 5, 10 and 3 rows; its columns are unit "
            "over all D rows as given", {"P": lambda P: per_tensor(P, tensors(len(P)))}),
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """P v for each of the SHAPES."""
    for D, d in SHAPES:
        g = numbers(dtype, D, d, lane=1)
        yield Problem(f"D×d = {D}×{d}", numbers(dtype, d), {"P": g / column_norms(g), "D": D, "d": d})


TABLE = Table(product, RIGHT, MISTAKES, problems)

# ---- seeded: projection's steps, with g from the streams ----


def column_by_column(p: Any) -> Floats:
    """g_ij = normal i of lane j."""
    return np.stack([Stream(p.seed, Purpose.DENSE, j).normals(p.D) for j in range(p.d)], axis=1) * 1.0


def row_by_row(p: Any) -> Floats:
    """g_ij = normal j of lane i."""
    return np.stack([Stream(p.seed, Purpose.DENSE, i).normals(p.d) for i in range(p.D)]) * 1.0


def one_lane(p: Any) -> Floats:
    """All D·d normals from lane 0."""
    return Stream(p.seed, Purpose.DENSE).normals(p.D * p.d) * 1.0


SEEDED_RIGHT = projection.RIGHT | {"g": column_by_column}
UNIT = 2.0**-20

SEEDED_MISTAKES = (
    Mistake("lane = row", "lane i holds row i; lane j must hold column j, entry i at index i", {"g": row_by_row}),
    Mistake("one lane, row-major", "all entries come from lane 0, row after row; column j has a lane of its own, j",
            {"g": lambda p: one_lane(p).reshape(p.D, p.d)}),
    Mistake("one lane, column-major", "all entries come from lane 0, column after column; column j has a lane of its own, j",
            {"g": lambda p: one_lane(p).reshape(p.d, p.D).T}),
    Mistake("all-positive P", "all entries are positive, so columns are nearly parallel; normals of both signs are needed",
            {"g": lambda p: np.abs(column_by_column(p))}),
    Mistake("missing column norm", "columns are not normalised: divide column j by ‖g_j‖", {"norm": lambda g, sizes: g * UNIT}),
    Mistake("missing column norm, integers", "columns are not normalised, and hold the integers 2²⁰ z: divide column j by ‖g_j‖",
            {"norm": lambda g, sizes: g}),
    Mistake("double column norm", "columns are divided by ‖z_j‖²; by ‖z_j‖ is needed",
            {"norm": lambda g, sizes: g / column_norms(g) ** 2 / UNIT}),
    Mistake("expected column norm", "columns are divided by √D, their expected norm, instead of ‖z_j‖: unit only about",
            {"norm": lambda g, sizes: g * UNIT / sqrt(len(g))}),
    Mistake("divided by √d", "columns are divided by √d; divide column j by ‖z_j‖",
            {"norm": lambda g, sizes: g * UNIT / sqrt(g.shape[1])}),
    *(m for m in projection.MISTAKES if m.steps.keys() == {"scale"} or m.name in
      {"normalised per tensor", "rows normalised", "Frobenius norm", "signed sum", "orthonormalised"}),
)  # fmt: skip


def seeded_problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """P v from a seed."""
    for D, d in SHAPES:
        rest = {"D": D, "d": d, "seed": D + 2**40, "entries": "gaussian", "sizes": tensors(D)}
        yield Problem(f"D×d = {D}×{d}", numbers(dtype, d), rest)


SEEDED = Table(projection.product, SEEDED_RIGHT, SEEDED_MISTAKES, seeded_problems)
