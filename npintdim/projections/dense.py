"""Dense P: Gaussian or ±1 entries, every column scaled to unit norm; stored, or drawn at every use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import check_flag, one_of
from npintdim.projections.seeded import SeededProjection
from npintdim.rng import Purpose
from npintdim.typing import Array, Floats, Ints

ENTRIES = ("gaussian", "rademacher")
GRAIN = {True: 16, False: 2048}  # rows computed together, stored or drawn: a slice is cut from whole ones


def computed_rows(a: int, b: int, D: int, stored: bool) -> tuple[int, int]:
    """First row and end of what is computed for rows a, ..., b − 1."""
    grain = GRAIN[stored]
    return a // grain * grain, min(D, -(-b // grain) * grain)


@dataclass(frozen=True)
class DenseProjection(SeededProjection):
    """P_ij = g_ij / ‖g_j‖ with g_ij ~ N(0, 1), or P_ij = ±1/√D.

    Parameters
    ----------
    D, d, seed, backend : see `SeededProjection`
    entries : "gaussian" or "rademacher"
    stored : True keeps the matrix (D·d numbers, fast); False draws column after column again in every
        product, so that nothing of size D·d is ever allocated. Both are the same P.

    Raises
    ------
    MemoryError
        if the stored matrix is larger than the memory that is free.

    Notes
    -----
    Apply     P v = Σ_j P_j v_j
    Adjoint   (Pᵀ g)_j = ⟨P_j, g⟩

    With the matrix both are in `kernels/reference/stored.py`, without it in `kernels/reference/dense.py`.
    """

    entries: str = "gaussian"
    stored: bool = True

    kind: ClassVar[str] = "dense"

    @staticmethod
    def check(entries: str = "gaussian", stored: bool = True) -> None:
        """Refuse options out of range."""
        one_of("entries", entries, ENTRIES)
        check_flag("stored", stored)

    def _check(self) -> None:
        if self.stored:
            what = f"a stored dense P, D×d = {self.D}×{self.d} {self.backend.dtype.name}"
            size = self.D * self.d * self.backend.dtype.itemsize
            self.backend.room(what, size, "use stored=False, or kind 'fastfood'")

    @cached_property
    def matrix(self) -> Floats:
        """The stored P (D, d); its columns are contiguous."""
        columns = self.backend.xp.empty((self.d, self.D), dtype=self.backend.dtype)
        for j in range(self.d):
            columns[j] = self.column(j)
        return columns.T

    @cached_property
    def norms(self) -> Floats:
        """‖g_j‖ of every column, (d,) float64; each sum is exact, then rounded once."""
        draw, threads = self.backend.kernels.drawn_square_sum, self.backend.threads
        squares = (draw(self.seed, Purpose.DENSE, j, 0, self.D, threads) for j in range(self.d))
        return self.backend.xp.array([math.sqrt(square) for square in squares])

    def drawn(self, j: int) -> Ints:
        """Grid normals, or signs, of column j: (D,)."""
        stream = self._stream(Purpose.DENSE, j)
        return stream.signs(self.D) if self.entries == "rademacher" else stream.normals(self.D)

    def column(self, j: int) -> Floats:
        """P_j before it is rounded to the backend's dtype: (D,) float64."""
        g_j = self.drawn(j)
        if self.entries == "rademacher":
            return g_j * (1.0 / math.sqrt(self.D))
        return g_j / math.sqrt(self.backend.kernels.square_sum(g_j))

    def apply(self, v: Array, rows: slice | None = None) -> Floats:
        """Σ_j P_j v_j."""
        v, a, b = self.begin_apply(v, rows)
        kernels, threads = self.backend.kernels, self.backend.threads
        start, stop = computed_rows(a, b, self.D, self.stored)
        if self.stored:
            Pv = kernels.stored_apply(v, self.matrix.T, start, stop, threads)
        elif self.entries == "rademacher":
            Pv = kernels.rademacher_apply(v, self.seed, self.D, start, stop, threads)
        else:
            Pv = kernels.gaussian_apply(v, self.seed, self.norms, start, stop, threads)
        return Pv[a - start : b - start]

    def adjoint(self, g: Array, rows: slice | None = None, out: Array | None = None) -> Floats:
        """⟨P_j, g⟩ for every j."""
        g, a, b = self.begin_adjoint(g, rows, out)
        kernels, threads = self.backend.kernels, self.backend.threads
        start, _ = computed_rows(a, b, self.D, self.stored)
        if a > start:
            g = self.backend.xp.pad(g, (a - start, 0))
        if self.stored:
            Pt_g = kernels.stored_adjoint(g, self.matrix.T, start, threads)
        elif self.entries == "rademacher":
            Pt_g = kernels.rademacher_adjoint(g, self.seed, self.D, self.d, start, threads)
        else:
            Pt_g = kernels.gaussian_adjoint(g, self.seed, self.norms, start, threads)
        return Pt_g if out is None else np.add(out, Pt_g, out=out)

    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """Σ_j P_j v_j, j ascending, P_j in float64."""
        y = np.zeros(self.D)
        for j, v_j in enumerate(self.begin_exact(v)):
            y += self.backend.host(self.column(j)) * v_j
        return y

    def coverage(self) -> float:
        """1: no row is zero (for Gaussian entries, but for an event of probability below 1e-6)."""
        return 1.0

    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """Grid normals or signs, column after column."""
        for j in range(self.d):
            yield "entries", j * self.D, self.drawn(j)
