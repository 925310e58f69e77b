"""One-hot P: every parameter listens to one of the d numbers. The cheapest isotropic P, and Uni-LoRA's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import check_flag
from npintdim.projections.seeded import SeededProjection
from npintdim.rng import Purpose
from npintdim.typing import Array, Floats, Ints


@dataclass(frozen=True)
class OneHotProjection(SeededProjection):
    """P_ij = s_i/√n_j where h_i = j, else 0; n_j rows have h_i = j.

    Parameters
    ----------
    D, d, seed, backend : see `SeededProjection`
    signs : True draws D random signs s; False leaves them out, as Uni-LoRA does (Li et al. 2025)

    Notes
    -----
    Apply     y_i = s_i v_{h_i}/√n_{h_i}                  O(D)
    Adjoint   (Pᵀ g)_j = (1/√n_j) Σ_{i: h_i = j} s_i g_i

    h = π mod d of a random permutation π of the rows: every column has ⌊D/d⌋ or ⌈D/d⌉ of them, none is empty.
    Columns are exactly orthonormal, PᵀP = I, as no two share a row. Without signs √n is the sum of all
    columns weighted by √n_j: the all-ones vector lies in the subspace, for every seed,
    and P is not isotropic.
    """

    signs: bool = True

    kind: ClassVar[str] = "onehot"

    @staticmethod
    def check(signs: bool = True) -> None:
        """Refuse options out of range."""
        check_flag("signs", signs)

    def _check(self) -> None:
        # The permutation, its keys and h; then s, √n and the entries.
        self._room("a one-hot P", 28 * self.D, "use kind 'fastfood', stored=False")

    @cached_property
    def h(self) -> Ints:
        """Which number each parameter listens to, (D,)."""
        return self._stream(Purpose.ONEHOT).permutation(self.D) % self.d

    @cached_property
    def s(self) -> Ints:
        """Signs, (D,); all +1 without `signs`."""
        s = self._stream(Purpose.ONEHOT_SIGN).signs(self.D)
        return s if self.signs else self.backend.xp.ones_like(s)

    @cached_property
    def exact(self) -> Floats:
        """The one entry of every row, (D,) float64."""
        xp = self.backend.xp
        return self.s / xp.sqrt(xp.bincount(self.h, minlength=self.d).astype(np.float64))[self.h]

    @cached_property
    def entries(self) -> Floats:
        """The same in the backend's dtype."""
        return self.exact.astype(self.backend.dtype)

    def apply(self, v: Array, rows: slice | None = None) -> Floats:
        """s_i v_{h_i}/√n_{h_i}."""
        v, a, b = self.begin_apply(v, rows)
        return self.entries[a:b] * v[self.h[a:b]]

    def adjoint(self, g: Array, rows: slice | None = None, out: Array | None = None) -> Floats:
        """Σ_{i: h_i = j} s_i g_i/√n_j, summed in float64."""
        g, a, b = self.begin_adjoint(g, rows, out)
        sums: Floats = self.backend.xp.bincount(self.h[a:b], self.entries[a:b] * g, minlength=self.d)
        Pt_g: Floats = sums.astype(self.backend.dtype)
        return Pt_g if out is None else np.add(out, Pt_g, out=out)

    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """One product a row, in float64."""
        host = self.backend.host
        return host(self.exact) * self.begin_exact(v)[host(self.h)]

    def coverage(self) -> float:
        """1: every row has an entry."""
        return 1.0

    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """h and s."""
        yield "h", 0, self.h
        yield "s", 0, self.s
