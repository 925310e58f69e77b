"""Sparse P v and Pᵀ g drawn by docs/random.md: from a seed to compressed columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import log, log1p
from typing import Any

import numpy as np

from npintdim.kernels.reference.sparse import sparse_column
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import sparse
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Floats, Ints


def drawn(product: Callable[..., Floats]) -> Callable[..., Floats]:
    """Draw rows and signs of every column, divide by √nnz_j, then P v or Pᵀ g."""

    def compute(s: Steps, v: Floats, p: Any) -> Floats:
        rows = [s["rows"](p, j) for j in range(p.d)]
        nnz = [len(of_column) for of_column in rows]
        signs = [s["signs"](p, j, nnz) for j in range(p.d)]
        p.indptr, p.rows = np.cumsum([0, *nnz]), np.concatenate(rows)
        p.values = (np.concatenate(signs) / np.sqrt(np.repeat(nnz, nnz))).astype(v.dtype)
        return product(s, v, p)

    return compute


def by_gaps(p: Any, j: int, log_miss: float, step: int = 1, first: int = -1) -> Ints:
    """row_k = row_(k−1) + step + ⌊log u_k / log_miss⌋ from row_(−1) = first, below D."""
    if p.density == 1:
        return np.arange(p.D)
    u = (Stream(p.seed, Purpose.SPARSE_GAP, j).words(4 * p.D + 64) + 0.5) / 2**32
    rows = first + np.cumsum(step + np.floor(np.log(u) / log_miss).astype(np.int64))
    return rows[: np.searchsorted(rows, p.D)]


def signs(p: Any, j: int, nnz: list[int]) -> Ints:
    """Sign k of lane j."""
    return Stream(p.seed, Purpose.SPARSE_SIGN, j).signs(nnz[j])


DRAW: Steps = {"rows": lambda p, j: sparse_column(p.seed, j, p.D, p.density), "signs": signs}

OF_DRAWING = (
    Mistake("density ignored", "the density is 1/√D whatever is given", {"rows": lambda p, j: by_gaps(p, j, log1p(-(p.D**-0.5)))}),
    Mistake("log ρ for log(1 − ρ)", "gaps are divided by log ρ; the chance to miss a row is 1 − ρ: log(1 − ρ)",
            {"rows": lambda p, j: by_gaps(p, j, log(p.density))}),
    Mistake("row 0 skipped", "rows begin at row_(−1) = 0, so row 0 stays empty; row_(−1) = −1",
            {"rows": lambda p, j: by_gaps(p, j, log1p(-p.density), first=0)}),
    Mistake("rows without + 1", "the + 1 is missing, so rows repeat: row_k = row_(k−1) + 1 + ⌊gap⌋",
            {"rows": lambda p, j: by_gaps(p, j, log1p(-p.density), step=0, first=0)}),
    Mistake("signs of one lane", "all signs come from lane 0, column after column; column j has lane j",
            {"signs": lambda p, j, nnz: Stream(p.seed, Purpose.SPARSE_SIGN).signs(sum(nnz))[sum(nnz[:j]) : sum(nnz[: j + 1])]}),
    Mistake("signs by row", "sign i of the lane belongs to row i; it belongs to non-zero i of the column",
            {"signs": lambda p, j, nnz: Stream(p.seed, Purpose.SPARSE_SIGN, j).signs(p.D)[sparse_column(p.seed, j, p.D, p.density)]}),
    Mistake("gaps' purpose for signs", "signs are drawn from the stream of the gaps, SPARSE_GAP; they have SPARSE_SIGN",
            {"signs": lambda p, j, nnz: Stream(p.seed, Purpose.SPARSE_GAP, j).signs(nnz[j])}),
)  # fmt: skip


def problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """P v or Pᵀ g from a seed."""
    for D, d, density in ((41, 6, 0.2), (64, 8, 0.25), (150, 5, 1 / 150**0.5)):
        rest = {"D": D, "d": d, "seed": D + 2**40, "density": density}
        yield Problem(
            f"D×d = {D}×{d}, density {density:.4g}", numbers(dtype, d if task == "apply" else D), rest, task
        )


TABLE = Table(drawn(sparse.product), sparse.RIGHT | DRAW, OF_DRAWING + sparse.MISTAKES, problems)
ADJOINT = Table(
    drawn(sparse.adjoint),
    sparse.RIGHT | DRAW,
    OF_DRAWING + sparse.ADJOINT_MISTAKES,
    lambda dtype: problems(dtype, "adjoint"),
)
