"""Sparse P v from compressed columns: indptr, rows, values."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.kernels.reference import sparse_columns
from npintdim.testing.mistakes.projection import SCALES
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Array, Floats, Ints


def product(s: Steps, v: Floats, p: Any) -> Floats:
    """P v = Σ_j v_j P_j: place k holds values_k in row rows_k of its column j."""
    j = np.repeat(np.arange(len(v)), np.diff(p.indptr))
    y = s["add"](p.D, p.rows, s["values"](p.values, np.diff(p.indptr)[j], p) * v[j])
    out: Floats = s["scale"](y, p)
    return out


def add(D: int, rows: Ints, x: Array) -> Array:
    """y[rows_k] += x_k, also where a row comes again."""
    y = np.zeros(D, x.dtype)
    np.add.at(y, rows, x)
    return y


def lose_repeated(D: int, rows: Ints, x: Array) -> Array:
    """y[rows] += x with fancy indexing."""
    y = np.zeros(D, x.dtype)
    y[rows] += x
    return y


RIGHT: Steps = {"values": lambda values, nnz_j, p: values, "add": add, "scale": lambda y, p: y}

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
    Mistake("repeated rows lost", "y[rows] += x keeps one of the entries that meet in a row; all must be added (np.add.at, "
            "index_add_, atomicAdd)", {"add": lose_repeated}),
    *SCALES,
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """P v for three shapes; many entries meet in a row."""
    for D, d in ((41, 12), (64, 8), (150, 20)):
        indptr, rows, sign = sparse_columns(5, D, d, 0.2)
        values = (sign / np.sqrt(np.repeat(np.diff(indptr), np.diff(indptr)))).astype(dtype)
        rest = {"indptr": indptr, "rows": rows.astype(np.int64), "values": values, "D": D, "d": d}
        yield Problem(f"D×d = {D}×{d}", numbers(dtype, d), rest)


TABLE = Table(product, RIGHT, MISTAKES, problems)
