"""Coordinates: d of the D parameters are trained, all others stay. The control that every P has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.projections.seeded import SeededProjection
from npintdim.rng import Purpose
from npintdim.typing import Array, Floats, Ints


@dataclass(frozen=True)
class CoordinateProjection(SeededProjection):
    """P_j = e_{i_j}: d random columns of the identity, drawn without replacement.

    Parameters
    ----------
    D, d, seed, backend : see `SeededProjection`

    Notes
    -----
    Apply     (P v)_{i_j} = v_j, all others 0
    Adjoint   (Pᵀ g)_j = g_{i_j}

    Orthonormal, and on average over seeds P Pᵀ = (d/D) I; but its directions are the axes, so it is not
    isotropic, and the toy law fails.
    """

    kind: ClassVar[str] = "coordinates"

    def _check(self) -> None:
        # The permutation and its keys.
        self._room("a coordinates P", 16 * self.D, "use kind 'fastfood', stored=False")

    @cached_property
    def rows(self) -> Ints:
        """i_1, ..., i_d: the first d of a random permutation of the rows."""
        return self._stream(Purpose.COORDINATES).permutation(self.D)[: self.d]

    def apply(self, v: Array, rows: slice | None = None) -> Floats:
        """v_j at place i_j."""
        v, a, b = self.begin_apply(v, rows)
        y: Floats = self.backend.xp.zeros(b - a, dtype=self.backend.dtype)
        inside = (self.rows >= a) & (self.rows < b)
        y[self.rows[inside] - a] = v[inside]
        return y

    def adjoint(self, g: Array, rows: slice | None = None, out: Array | None = None) -> Floats:
        """g_{i_j} for every j, 0 where i_j is not among the rows."""
        g, a, b = self.begin_adjoint(g, rows, out)
        inside = (self.rows >= a) & (self.rows < b)
        Pt_g: Floats = self.backend.xp.zeros(self.d, dtype=self.backend.dtype)
        Pt_g[inside] = g[self.rows[inside] - a]
        return Pt_g if out is None else np.add(out, Pt_g, out=out)

    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """v_j at place i_j."""
        y = np.zeros(self.D)
        y[self.backend.host(self.rows)] = self.begin_exact(v)
        return y

    def coverage(self) -> float:
        """d/D: all other parameters are frozen."""
        return self.d / self.D

    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """The chosen rows."""
        yield "rows", 0, self.rows
