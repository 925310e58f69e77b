"""Dense P v and Pᵀ g: the matrix is given, or its normals g (D, d), or these are drawn by docs/random.md."""

from collections.abc import Iterator
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.table import UNIT, Problem, Steps, Table, factor, numbers, of_P, wrong
from npintdim.typing import Array, Floats


def product(s: Any, v: Floats, p: Any) -> Any:
    """P v with P_j = g_j / ‖g_j‖; or Pᵀ g."""
    if hasattr(p, "P"):
        p.D, p.d = p.P.shape
    return s.scale(s.product(s.norm(s.g(p)).astype(v.dtype), v), p)


def column_norms(g: Array) -> Any:
    """‖g_j‖ over all D rows."""
    return np.sqrt((g * g).sum(axis=0))


def per_tensor(g: Array) -> Any:
    """Every tensor's rows scaled to unit columns on their own."""
    parts = np.split(g, np.cumsum(tensors(len(g)))[:-1])
    return np.concatenate([part / column_norms(part) for part in parts])


def tensors(D: int) -> tuple[int, ...]:
    """Sizes of W, b, W, b that add up to D."""
    return D - 18, 5, 10, 3


def rows_normalised(g: Array) -> Any:
    """g_i / ‖g_i‖."""
    return g / np.linalg.norm(g, axis=1, keepdims=True)


def orthonormal(g: Array) -> Any:
    """Q of g = Q R with a positive diagonal of R: Gram–Schmidt."""
    Q, R = np.linalg.qr(g.astype(np.float64))
    return Q * np.sign(np.diag(R))


def column_major(g: Array) -> Any:
    """The D·d numbers of g read in Fortran order."""
    return g.reshape(g.shape[::-1]).T


FORWARD: Steps = {"product": lambda P, v: P @ v}
ADJOINT: Steps = {"product": lambda P, g: P.T @ g}  # what an adjoint does instead

SCALES = (
    factor("scale √D", "columns have norm √D; they must have norm 1 over all D rows", lambda p: sqrt(p.D)),
    factor("scale 1/√D", "there is a factor 1/√D too many: columns must have norm 1",
           lambda p: 1 / sqrt(p.D)),
    factor("scale 1/√d", "there is a factor 1/√d, which makes rows unit; columns must be",
           lambda p: 1 / sqrt(p.d)),
    factor("scale √d", "the answer is √d times too large: columns must have norm 1", lambda p: sqrt(p.d)),
    factor("scale √(D/d)", "there is a factor √(D/d), which keeps the length of a projected gradient; "
           "here columns have norm 1", lambda p: sqrt(p.D / p.d)),
)  # fmt: skip
ADJOINT_SCALES = (
    factor("scale d/D", "there is a factor d/D, as if PᵀP had to be undone; Pᵀ has the scale of P",
           lambda p: p.d / p.D),
    factor("scale D/d", "there is a factor D/d, as in a pseudo-inverse; Pᵀ has the scale of P",
           lambda p: p.D / p.d),
    factor("scale 1/D", "the answer is a mean over the D rows; the chain rule sums, (Pᵀ g)_j = Σ_i P_ij g_i",
           lambda p: 1 / p.D),
)  # fmt: skip
OF_ADJOINTS = (
    *ADJOINT_SCALES,
    wrong("pseudo-inverse", "g is projected by least squares, (PᵀP)⁻¹Pᵀ g; the chain rule has Pᵀ g alone",
          product=lambda P, g: np.linalg.lstsq(P, g)[0]),
)  # fmt: skip

# ---- P is given ----

P_GIVEN: Steps = FORWARD | {"g": lambda p: p.P}
OF_P_GIVEN = (
    wrong("column-major", "P is read column-major (Fortran order); it is (D, d) in C order",
          norm=column_major),
    factor("double column norm", "P is divided by √D, as if its columns were not unit yet: scale nothing",
           lambda p: 1 / sqrt(p.D)),
    *(m for m in SCALES if m.name != "scale 1/√D"),
    wrong("rows normalised", "P's rows are scaled to norm 1; its columns are unit as given, scale nothing",
          norm=rows_normalised),
    wrong("orthonormalised", "P's columns are made orthonormal (QR); the paper only scales them, "
          "and they are unit as given", norm=orthonormal),
    wrong("all-positive P", "P's entries are made positive, so columns are nearly parallel", norm=np.abs),
    wrong("normalised per tensor", "P is normalised again for each tensor (layer) of D − 18, 5, "
          "10 and 3 rows; its columns are unit over all D rows as given", norm=per_tensor),
)  # fmt: skip

# ---- its normals are given ----

OF_NORMS = (
    wrong("missing column norm", "columns are not normalised: divide column j by ‖g_j‖", norm=lambda g: g),
    wrong("double column norm", "columns are divided by ‖g_j‖²; by ‖g_j‖ is needed",
          norm=lambda g: g / column_norms(g) ** 2),
    wrong("normalised per tensor", "each tensor's (layer's) columns have norm 1, so P's have √tensors: "
          "take one norm over all D rows, biases included", norm=per_tensor),
    wrong("expected column norm", "columns are divided by √D, their expected norm, instead of ‖g_j‖: "
          "unit only about", norm=lambda g: g / sqrt(len(g))),
    wrong("divided by √d", "columns are divided by √d; divide column j by ‖g_j‖",
          norm=lambda g: g / sqrt(g.shape[1])),
    wrong("rows normalised", "rows have norm 1; columns must: sum the squares over axis 0 of (D, d)",
          norm=rows_normalised),
    wrong("Frobenius norm", "the whole matrix is divided by its one (Frobenius) norm; "
          "each column has its own", norm=lambda g: g / np.linalg.norm(g)),
    wrong("signed sum", "columns are divided by the sum of their entries; "
          "by the root of the sum of their squares is needed", norm=lambda g: g / g.sum(axis=0)),
    wrong("sum of sizes", "columns are divided by Σ|g_ij| (1-norm); the 2-norm is needed",
          norm=lambda g: g / np.abs(g).sum(axis=0)),
    wrong("standardised", "columns are divided by their standard deviation, so they have norm about √D; "
          "by ‖g_j‖ is needed", norm=lambda g: g / g.std(axis=0)),
    wrong("orthonormalised", "columns are made orthonormal (QR); the paper only scales them",
          norm=orthonormal),
)  # fmt: skip
G_GIVEN: Steps = FORWARD | {"g": lambda p: p.g, "norm": lambda g: g / column_norms(g)}
OF_G_GIVEN = (
    *OF_NORMS,
    wrong("all-positive P", "all entries are positive, so columns are nearly parallel; "
          "normals of both signs are needed", g=lambda p: np.abs(p.g)),
    wrong("column-major", "the matrix is read column-major (Fortran order); g is (D, d) in C order",
          g=lambda p: column_major(p.g)),
    *SCALES,
)  # fmt: skip

# ---- they are drawn ----


def drawn(p: Any, lane: int, n: int) -> Any:
    """n normals of a lane, or n signs."""
    stream = Stream(p.seed, Purpose.DENSE, lane)
    return stream.normals(n) * UNIT if p.entries == "gaussian" else stream.signs(n) * 1.0


def column_by_column(p: Any) -> Any:
    """g_ij = normal i of lane j."""
    return np.stack([drawn(p, j, p.D) for j in range(p.d)], axis=1)


G_DRAWN: Steps = G_GIVEN | {"g": column_by_column}
OF_G_DRAWN = (
    wrong("lane = row", "lane i holds row i; lane j must hold column j, entry i at index i",
          g=lambda p: np.stack([drawn(p, i, p.d) for i in range(p.D)])),
    wrong("one lane, row-major", "all entries come from lane 0, row after row; "
          "column j has a lane of its own, j", g=lambda p: drawn(p, 0, p.D * p.d).reshape(p.D, p.d)),
    wrong("one lane, column-major", "all entries come from lane 0, column after column; "
          "column j has a lane of its own, j", g=lambda p: drawn(p, 0, p.D * p.d).reshape(p.d, p.D).T),
    wrong("all-positive P", "all entries are positive, so columns are nearly parallel; "
          "normals of both signs are needed", g=lambda p: np.abs(column_by_column(p))),
    wrong("missing column norm, integers", "columns are not normalised, and hold the integers 2²⁰ z: "
          "divide column j by ‖z_j‖", norm=lambda g: g / UNIT),
    *OF_NORMS,
    *SCALES,
)  # fmt: skip


def problems(dtype: np.dtype[Any], given: str, task: str = "apply") -> Iterator[Problem]:
    """Three shapes, of which the matrix P, its normals g or their seed is given."""
    for D, d in ((41, 6), (64, 8), (97, 5)):
        g = numbers(dtype, D, d, lane=1)
        rest = {
            "P": {"P": g / column_norms(g)},
            "g": {"g": g, "sizes": tensors(D)},
            "seed": {"seed": D + 2**40, "entries": "gaussian", "sizes": tensors(D)},
        }
        yield of_P(task, f"D×d = {D}×{d}", dtype, **rest[given], D=D, d=d)


TABLES = {
    ("projection", "given", "apply"): Table(product, G_GIVEN, OF_G_GIVEN, partial(problems, given="g")),
    ("dense", "given", "apply"): Table(product, P_GIVEN, OF_P_GIVEN, partial(problems, given="P")),
    ("dense", "given", "adjoint"): Table(
        product, P_GIVEN | ADJOINT, OF_ADJOINTS + OF_P_GIVEN, partial(problems, given="P", task="adjoint")
    ),
    ("dense", "seeded", "apply"): Table(product, G_DRAWN, OF_G_DRAWN, partial(problems, given="seed")),
    ("dense", "seeded", "adjoint"): Table(
        product, G_DRAWN | ADJOINT, OF_ADJOINTS + OF_G_DRAWN, partial(problems, given="seed", task="adjoint")
    ),
}
