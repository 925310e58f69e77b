"""Sparse P: few entries, all ± the same size in a column."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import check_integer, check_real
from npintdim.projections.seeded import SeededProjection
from npintdim.typing import Array, Floats, Ints

LEAST = 2.0**-53  # below it 1 − density is 1


@dataclass(frozen=True)
class SparseProjection(SeededProjection):
    """P_ij ≠ 0 with probability `density`, and then ±1/√nnz_j.

    Parameters
    ----------
    D, d, seed, backend : see `SeededProjection`
    density : in (0, 1]; None for 1/√D (Li, Hastie and Church 2006, as the paper says; the authors'
        code takes 1/√n_i for each variable of n_i entries)

    Raises
    ------
    ValueError
        if density is out of range, or a column comes out empty (tiny D): another seed, a higher density
        or another kind is needed. It is never drawn again silently.

    Notes
    -----
    Apply     P v = Σ_j v_j P_j           O(d·√D)
    Adjoint   (Pᵀ g)_j = ⟨P_j, g⟩

    Both, and how the places of the non-zeros are drawn, are in `kernels/reference/sparse.py`.
    """

    density: float | None = None

    kind: ClassVar[str] = "sparse"

    @staticmethod
    def check(density: float | None = None) -> None:
        """Refuse options out of range."""
        if density is not None and not LEAST <= check_real("density", density) <= 1:
            raise ValueError(f"density is {density}: a number in (0, 1], at least 2**-53, is needed")

    def _check(self) -> None:
        density = float(self.density or 1.0 / math.sqrt(self.D))
        object.__setattr__(self, "density", density)
        check_integer("D", self.D, 1, 2**31 - 1)  # rows are int32
        size = density * self.D * self.d * (4 + 1 + self.backend.dtype.itemsize)
        what = f"a sparse P, D×d = {self.D}×{self.d} at density {density:.3g}"
        self.backend.room(what, size, "use kind 'fastfood', stored=False")
        empty = self.backend.xp.flatnonzero(self.nnz == 0)
        if len(empty):
            raise ValueError(
                f"column {int(empty[0])} of the sparse P, D×d = {self.D}×{self.d}, seed {self.seed}, "
                f"is empty at density {self.density:.3g}: "
                "take another seed, a higher density, or kind 'dense'"
            )

    @cached_property
    def columns(self) -> tuple[Ints, Ints, Ints]:
        """Compressed columns: indptr (d + 1,), and row and sign of every non-zero."""
        return self.backend.kernels.sparse_columns(self.seed, self.D, self.d, self.density)

    @cached_property
    def nnz(self) -> Ints:
        """Non-zeros of every column."""
        return self.backend.xp.diff(self.columns[0])

    @cached_property
    def values(self) -> Floats:
        """±1/√nnz_j of every non-zero."""
        xp = self.backend.xp
        indptr, _, sign = self.columns
        norms = xp.sqrt(self.nnz.astype(np.float64))
        # The column of every non-zero; CuPy before 14.1 cannot repeat each norm its own number of times.
        column = xp.searchsorted(indptr, xp.arange(len(sign)), side="right") - 1
        return (sign / norms[column]).astype(self.backend.dtype)

    def apply(self, v: Array, rows: slice | None = None) -> Floats:
        """Σ_j v_j P_j."""
        v, a, b = self.begin_apply(v, rows)
        indptr, places, _ = self.columns
        kernels, threads = self.backend.kernels, self.backend.threads
        return kernels.sparse_apply(v, indptr, places, self.values, self.D, a, b, threads)

    def adjoint(self, g: Array, rows: slice | None = None, out: Array | None = None) -> Floats:
        """⟨P_j, g⟩ for every j."""
        g, a, _ = self.begin_adjoint(g, rows, out)
        indptr, places, _ = self.columns
        kernels, threads = self.backend.kernels, self.backend.threads
        Pt_g: Floats = kernels.sparse_adjoint(g, indptr, places, self.values, self.D, a, threads)
        return Pt_g if out is None else np.add(out, Pt_g, out=out)

    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """Σ_j P_j v_j over the non-zeros, j ascending, P_j in float64."""
        indptr, rows, sign = (self.backend.host(a) for a in self.columns)
        y = np.zeros(self.D)
        for j, v_j in enumerate(self.begin_exact(v)):
            own = slice(int(indptr[j]), int(indptr[j + 1]))
            y[rows[own]] += sign[own] / math.sqrt(own.stop - own.start) * v_j
        return y

    def coverage(self) -> float:
        """Share of rows with a non-zero; about 1 − (1 − density)^d."""
        return len(self.backend.xp.unique(self.columns[1])) / self.D

    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """Rows and signs of all non-zeros, column after column."""
        _, rows, sign = self.columns
        yield "nnz", 0, self.nnz
        yield "rows", 0, rows
        yield "sign", 0, sign
