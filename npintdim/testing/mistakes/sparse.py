"""Sparse P v and Pᵀ g from compressed columns: indptr, rows, values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from npintdim.kernels.reference.sparse import sparse_columns
from npintdim.testing.mistakes.projection import OF_ADJOINTS, SCALES
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Array, Floats, Ints


def product(s: Steps, v: Floats, p: Any) -> Floats:
    """P v = Σ_j v_j P_j: place k holds values_k in row rows_k of its column j."""
    j, values = places(s, p)
    out: Floats = s["scale"](s["add"](p.D, p.rows, values * v[j]), p)
    return out


def adjoint(s: Steps, g: Floats, p: Any) -> Floats:
    """(Pᵀ g)_j = Σ_k values_k g[rows_k] over the places k of column j."""
    j, values = places(s, p)
    out: Floats = s["scale"](s["add"](p.d, j, values * g[p.rows]), p)
    return out


def places(s: Steps, p: Any) -> tuple[Ints, Floats]:
    """Column and value of every place."""
    nnz = np.diff(p.indptr)
    j = np.repeat(np.arange(p.d), nnz)
    return j, s["values"](p.values, nnz[j], p)


def add(size: int, to: Ints, x: Array) -> Array:
    """y[to_k] += x_k, also where an index comes again."""
    y = np.zeros(size, x.dtype)
    np.add.at(y, to, x)
    return y


def lose_repeated(size: int, to: Ints, x: Array) -> Array:
    """y[to] += x with fancy indexing."""
    y = np.zeros(size, x.dtype)
    y[to] += x
    return y


RIGHT: Steps = {"values": lambda values, nnz_j, p: values, "add": add, "scale": lambda y, p: y}

REPEATED = Mistake("repeated rows lost", "y[rows] += x keeps one of the entries that meet in a row; all must be added (np.add.at, "
                   "index_add_, atomicAdd)", {"add": lose_repeated})  # fmt: skip
MISTAKES = (
    Mistake("missing column norm", "entries are ±1; column j has ±1/√nnz_j", {"values": lambda values, nnz_j, p: np.sign(values)}),
    Mistake("double column norm", "entries are ±1/nnz_j; column j has ±1/√nnz_j",
            {"values": lambda values, nnz_j, p: values / np.sqrt(nnz_j)}),
    Mistake("expected column norm", "entries are ±1/√(√D), by the expected number of entries √D; column j has ±1/√nnz_j of its own",
            {"values": lambda values, nnz_j, p: np.sign(values) / sqrt(sqrt(p.D))}),
    Mistake("expected norm of d columns", "entries are ±√(√D/d) (Li, Hastie and Church scale rows for d outputs); here column j has "
            "±1/√nnz_j", {"values": lambda values, nnz_j, p: np.sign(values) * sqrt(sqrt(p.D) / p.d)}),
    Mistake("as if dense", "entries are ±1/√D, as of a dense ± matrix; column j has ±1/√nnz_j",
            {"values": lambda values, nnz_j, p: np.sign(values) / sqrt(p.D)}),
    Mistake("all-positive P", "the signs are lost: entries are ±, half of them negative",
            {"values": lambda values, nnz_j, p: np.abs(values)}),
    REPEATED,
    *SCALES,
)  # fmt: skip

ADJOINT_MISTAKES = (
    replace(REPEATED, name="one entry a column", says="y[j] += x keeps one of the entries of a column; all must be added "
            "(np.add.at, index_add_, atomicAdd)"),
    Mistake("mean over a column", "a column's entries are averaged; (Pᵀ g)_j is their sum",
            {"values": lambda values, nnz_j, p: values / nnz_j}),
    *(m for m in OF_ADJOINTS if "product" not in m.steps),  # there is no matrix
    *(m for m in MISTAKES if m is not REPEATED),
)  # fmt: skip


def problems(dtype: np.dtype[Any], task: str = "apply") -> Iterator[Problem]:
    """P v or Pᵀ g for three shapes; many entries meet in a row."""
    for D, d in ((41, 12), (64, 8), (150, 20)):
        indptr, rows, sign = sparse_columns(5, D, d, 0.2)
        values = (sign / np.sqrt(np.repeat(np.diff(indptr), np.diff(indptr)))).astype(dtype)
        rest = {"indptr": indptr, "rows": rows.astype(np.int64), "values": values, "D": D, "d": d}
        yield Problem(f"D×d = {D}×{d}", numbers(dtype, d if task == "apply" else D), rest, task)


TABLE = Table(product, RIGHT, MISTAKES, problems)
ADJOINT = Table(adjoint, RIGHT, ADJOINT_MISTAKES, lambda dtype: problems(dtype, "adjoint"))
