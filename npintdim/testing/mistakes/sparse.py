"""Sparse P v and Pᵀ g: compressed columns (indptr, rows, values) are given, or drawn by docs/random.md."""

from collections.abc import Iterator
from functools import partial
from math import log, log1p, sqrt
from typing import Any

import numpy as np

from npintdim.kernels.reference.sparse import sparse_column, sparse_columns
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.dense import ADJOINT_SCALES, SCALES
from npintdim.testing.mistakes.table import Problem, Steps, Table, of_P, wrong
from npintdim.typing import Array, Floats, Ints


def product(s: Any, v: Floats, p: Any) -> Any:
    """P v = Σ_j v_j P_j: place k holds values_k in row rows_k of its column j."""
    j, values = places(s, v, p)
    return s.scale(s.add(p.D, p.rows, values * v[j]), p)


def adjoint(s: Any, g: Floats, p: Any) -> Any:
    """(Pᵀ g)_j = Σ_k values_k g[rows_k] over the places k of column j."""
    j, values = places(s, g, p)
    return s.scale(s.add(p.d, j, values * g[p.rows]), p)


def places(s: Any, x: Floats, p: Any) -> tuple[Ints, Floats]:
    """Column and value of every place."""
    p.indptr, p.rows, p.values = s.columns(s, p)
    nnz = np.diff(p.indptr)
    j = np.repeat(np.arange(p.d), nnz)
    return j, s.values(p.values.astype(x.dtype), nnz[j], p)


def add(size: int, to: Ints, x: Array, lose_repeated: bool = False) -> Array:
    """y[to_k] += x_k, also where an index comes again; or, as fancy indexing does it, the last alone."""
    y = np.zeros(size, x.dtype)
    if lose_repeated:
        y[to] += x
    else:
        np.add.at(y, to, x)
    return y


LOSE_REPEATED: Steps = {"add": partial(add, lose_repeated=True)}


GIVEN: Steps = {
    "columns": lambda s, p: (p.indptr, p.rows, p.values),
    "add": add,
}

OF_VALUES = (
    wrong("missing column norm", "entries are ±1; column j has ±1/√nnz_j",
          values=lambda values, nnz_j, p: np.sign(values)),
    wrong("double column norm", "entries are ±1/nnz_j; column j has ±1/√nnz_j",
          values=lambda values, nnz_j, p: values / np.sqrt(nnz_j)),
    wrong("expected column norm", "entries are ±1/√(√D), by the expected number of entries √D; "
          "column j has ±1/√nnz_j of its own",
          values=lambda values, nnz_j, p: np.sign(values) / sqrt(sqrt(p.D))),
    wrong("expected norm of d columns", "entries are ±√(√D/d) (Li, Hastie and Church scale rows for d "
          "outputs); here column j has ±1/√nnz_j",
          values=lambda values, nnz_j, p: np.sign(values) * sqrt(sqrt(p.D) / p.d)),
    wrong("as if dense", "entries are ±1/√D, as of a dense ± matrix; column j has ±1/√nnz_j",
          values=lambda values, nnz_j, p: np.sign(values) / sqrt(p.D)),
    wrong("all-positive P", "the signs are lost: entries are ±, half of them negative",
          values=lambda values, nnz_j, p: np.abs(values)),
)  # fmt: skip
OF_PRODUCT = (
    *OF_VALUES,
    wrong("repeated rows lost", "y[rows] += x keeps one of the entries that meet in a row; "
          "all must be added (np.add.at, index_add_, atomicAdd)", **LOSE_REPEATED),
    *SCALES,
)  # fmt: skip
OF_ADJOINT = (
    wrong("one entry a column", "y[j] += x keeps one of the entries of a column; "
          "all must be added (np.add.at, index_add_, atomicAdd)", **LOSE_REPEATED),
    wrong("mean over a column", "a column's entries are averaged; (Pᵀ g)_j is their sum",
          values=lambda values, nnz_j, p: values / nnz_j),
    *ADJOINT_SCALES,
    *OF_VALUES,
    *SCALES,
)  # fmt: skip


def problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """Three shapes; many entries meet in a row."""
    for D, d in ((41, 12), (64, 8), (150, 20)):
        indptr, rows, sign = sparse_columns(5, D, d, 0.2)
        values = (sign / np.sqrt(np.repeat(np.diff(indptr), np.diff(indptr)))).astype(dtype)
        rest = {"indptr": indptr, "rows": rows.astype(np.int64), "values": values}
        yield of_P(task, f"D×d = {D}×{d}", dtype, **rest, D=D, d=d)


# ---- drawn ----


def columns(s: Any, p: Any) -> tuple[Any, ...]:
    """Rows and signs of every column, divided by √nnz_j."""
    rows = [s.rows(p, j) for j in range(p.d)]
    nnz = [len(of_column) for of_column in rows]
    signs = np.concatenate([s.signs(p, j, nnz) for j in range(p.d)])
    return np.cumsum([0, *nnz]), np.concatenate(rows), signs / np.sqrt(np.repeat(nnz, nnz))


def by_gaps(p: Any, j: int, log_miss: float, step: int = 1, first: int = -1) -> Any:
    """row_k = row_(k−1) + step + ⌊log u_k / log_miss⌋ from row_(−1) = first, below D."""
    if p.density == 1:
        return np.arange(p.D)
    u = (Stream(p.seed, Purpose.SPARSE_GAP, j).words(4 * p.D + 64) + 0.5) / 2**32
    rows = first + np.cumsum(step + np.floor(np.log(u) / log_miss).astype(np.int64))
    return rows[: np.searchsorted(rows, p.D)]


def signs(p: Any, lane: int, n: int, purpose: Purpose = Purpose.SPARSE_SIGN) -> Ints:
    """The first n signs of a lane."""
    return Stream(p.seed, purpose, lane).signs(n)


DRAWN: Steps = GIVEN | {
    "columns": columns,
    "rows": lambda p, j: sparse_column(p.seed, j, p.D, p.density),
    "signs": lambda p, j, nnz: signs(p, j, nnz[j]),
}

OF_DRAWING = (
    wrong("density ignored", "the density is 1/√D whatever is given",
          rows=lambda p, j: by_gaps(p, j, log1p(-(p.D**-0.5)))),
    wrong("log ρ for log(1 − ρ)", "gaps are divided by log ρ; the chance to miss a row is 1 − ρ: log(1 − ρ)",
          rows=lambda p, j: by_gaps(p, j, log(p.density))),
    wrong("row 0 skipped", "rows begin at row_(−1) = 0, so row 0 stays empty; row_(−1) = −1",
          rows=lambda p, j: by_gaps(p, j, log1p(-p.density), first=0)),
    wrong("rows without + 1", "the + 1 is missing, so rows repeat: row_k = row_(k−1) + 1 + ⌊gap⌋",
          rows=lambda p, j: by_gaps(p, j, log1p(-p.density), step=0, first=0)),
    wrong("signs of one lane", "all signs come from lane 0, column after column; column j has lane j",
          signs=lambda p, j, nnz: signs(p, 0, sum(nnz))[sum(nnz[:j]) : sum(nnz[: j + 1])]),
    wrong("signs by row", "sign i of the lane belongs to row i; it belongs to non-zero i of the column",
          signs=lambda p, j, nnz: signs(p, j, p.D)[sparse_column(p.seed, j, p.D, p.density)]),
    wrong("gaps' purpose for signs", "signs are drawn from the stream of the gaps, SPARSE_GAP; "
          "they have SPARSE_SIGN", signs=lambda p, j, nnz: signs(p, j, nnz[j], Purpose.SPARSE_GAP)),
)  # fmt: skip


def drawn_problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """From a seed."""
    for D, d, density in ((41, 6, 0.2), (64, 8, 0.25), (150, 5, 1 / 150**0.5)):
        title = f"D×d = {D}×{d}, density {density:.4g}"
        yield of_P(task, title, dtype, D=D, d=d, seed=D + 2**40, density=density)


TABLES = {
    ("sparse", "given", "apply"): Table(product, GIVEN, OF_PRODUCT, problems),
    ("sparse", "given", "adjoint"): Table(adjoint, GIVEN, OF_ADJOINT, partial(problems, task="adjoint")),
    ("sparse", "seeded", "apply"): Table(product, DRAWN, OF_DRAWING + OF_PRODUCT, drawn_problems),
    ("sparse", "seeded", "adjoint"): Table(
        adjoint, DRAWN, OF_DRAWING + OF_ADJOINT, partial(drawn_problems, task="adjoint")
    ),
}
