"""Orthonormal P: a random d-dimensional subspace with an orthonormal basis, Haar distributed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.projections.dense import computed_rows
from npintdim.projections.seeded import SeededProjection
from npintdim.rng import Purpose
from npintdim.typing import Array, Floats, Ints


def ordered_sum(x: Floats) -> Floats:
    """Sum over the last axis, one half onto the other until one is left: an order that no machine changes."""
    while (n := x.shape[-1]) > 1:
        half = n // 2
        y = x[..., :half] + x[..., half : 2 * half]
        if n % 2:
            y[..., 0] += x[..., -1]
        x = y
    return x[..., 0]


@dataclass(frozen=True)
class OrthonormalProjection(SeededProjection):
    """P = Q of the QR decomposition Z = Q R, with Z_ij ~ N(0, 1) and a positive diagonal of R.

    Parameters
    ----------
    D, d, seed, backend : see `SeededProjection`

    Raises
    ------
    MemoryError
        if the matrix is larger than the memory that is free; it is always stored.

    Notes
    -----
    Apply     P v = Σ_j P_j v_j
    Adjoint   (Pᵀ g)_j = ⟨P_j, g⟩
    PᵀP = I to rounding. Gram–Schmidt (modified), O(D d²) once, in a fixed order instead of LAPACK's:
    the same bits everywhere. Its column space is that of the Gaussian dense P: only the metric inside
    differs. Both products are in `kernels/reference/stored.py`.
    """

    kind: ClassVar[str] = "orthonormal"

    def _check(self) -> None:
        instead = "use kind 'onehot', whose columns are orthonormal too"
        self._room("an orthonormal P", 4 * self.D * self.d * 8, instead)

    def drawn(self, j: int) -> Ints:
        """Grid normals of column j of Z, (D,)."""
        return self._stream(Purpose.ORTHONORMAL, j).normals(self.D)

    @cached_property
    def exact(self) -> Floats:
        """Pᵀ (d, D) in float64: each row of Zᵀ, minus what lies along the rows before it, to unit length."""
        Q: Floats = self.backend.xp.stack([self.drawn(j) for j in range(self.d)]).astype(np.float64)
        for j in range(self.d):
            Q[j] /= self.backend.xp.sqrt(ordered_sum(Q[j] * Q[j]))
            along = ordered_sum(Q[j + 1 :] * Q[j])
            Q[j + 1 :] -= along[:, None] * Q[j]
        return Q

    @cached_property
    def columns(self) -> Floats:
        """The same in the backend's dtype; each column of P is contiguous."""
        return self.exact.astype(self.backend.dtype, copy=False)

    def apply(self, v: Array, rows: slice | None = None) -> Floats:
        """Σ_j P_j v_j."""
        v, a, b = self.begin_apply(v, rows)
        start, stop = computed_rows(a, b, self.D, stored=True)
        Pv = self.backend.kernels.stored_apply(v, self.columns, start, stop, self.backend.threads)
        return Pv[a - start : b - start]

    def adjoint(self, g: Array, rows: slice | None = None, out: Array | None = None) -> Floats:
        """⟨P_j, g⟩ for every j."""
        g, a, b = self.begin_adjoint(g, rows, out)
        start, _ = computed_rows(a, b, self.D, stored=True)
        g = self.backend.xp.pad(g, (a - start, 0)) if a > start else g
        Pt_g: Floats = self.backend.kernels.stored_adjoint(g, self.columns, start, self.backend.threads)
        return Pt_g if out is None else np.add(out, Pt_g, out=out)

    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """Σ_j P_j v_j, j ascending, in float64."""
        y = np.zeros(self.D)
        for P_j, v_j in zip(self.backend.host(self.exact), self.begin_exact(v), strict=True):
            y += P_j * v_j
        return y

    def coverage(self) -> float:
        """1: no row is zero, with probability 1."""
        return 1.0

    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """The grid normals of Z, column after column."""
        for j in range(self.d):
            yield "entries", j * self.D, self.drawn(j)
