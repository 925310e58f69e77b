"""Fastfood P: a dense matrix in O(D) memory and O(D log d) time (Le, Sarlós and Smola 2013)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import check_flag, one_of
from npintdim.projections.seeded import SeededProjection
from npintdim.rng import Purpose, Stream
from npintdim.typing import Array, Floats, Ints, Spec, Words

BLOCKS = ("stacked", "single")


def power_of_two(x: int) -> int:
    """2^⌈log₂ x⌉."""
    return 1 << (x - 1).bit_length()


@dataclass(frozen=True)
class FastfoodProjection(SeededProjection):
    """y = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D], scaled to unit columns.

    Parameters
    ----------
    D, d, seed, backend : see `SeededProjection`
    blocks : "stacked", ⌈D/n⌉ blocks of n = 2^⌈log₂ d⌉ (Le et al.), or "single", one block of
        n = 2^⌈log₂ D⌉ as in the authors' code
    signs : True draws D random output signs S; False leaves them out, as the authors' code does

    Notes
    -----
    B signs, Π a permutation, G normal, S signs; H the n×n Walsh–Hadamard matrix, so that H H = n I. Both
    products are in `kernels/reference/fastfood.py`, H in `wht.py` beside it.

    Adjoint: the factors in reverse, Pᵀ g = (B ∘ H Πᵀ (G ∘ H pad(S ∘ g)))[:d], summed over the blocks.

    Scale: every column of H diag(G) Π H B has n·Σ_k G_k² = ‖·‖² over n rows, so
    G_bk = g_bk / sqrt(Σ_b m_b Σ_k g_bk²), m_b = rows kept of block b, gives columns of unit norm: exactly
    if n divides D, else within an sd of at most sqrt(n/8)/D (stacked) or sqrt((1 − D/n)/(2D)) (single).

    Without S the operator is not isotropic: a direction that is constant along a block meets few
    entries of G (docs/decisions.md).
    """

    blocks: str = "stacked"
    signs: bool = True

    kind: ClassVar[str] = "fastfood"

    @staticmethod
    def check(blocks: str = "stacked", signs: bool = True) -> None:
        """Refuse options out of range."""
        one_of("blocks", blocks, BLOCKS)
        check_flag("signs", signs)

    def _check(self) -> None:
        self.check(self.blocks, self.signs)

    @cached_property
    def m(self) -> int:
        """Inputs of a block: v padded to 2^⌈log₂ d⌉."""
        return power_of_two(self.d)

    @cached_property
    def n(self) -> int:
        """Outputs of a block."""
        return self.m if self.blocks == "stacked" else power_of_two(self.D)

    @cached_property
    def count(self) -> int:
        """Number of blocks."""
        return -(-self.D // self.n)

    @cached_property
    def B(self) -> Words:
        """Input signs, packed; index b·m + k."""
        return self._stream(Purpose.FF_B).packed_signs(self.count * self.m)

    @cached_property
    def Pi(self) -> Ints:
        """A permutation of 0, ..., n − 1 per block, modulo m, (count, n)."""
        Pi = self._stream(Purpose.FF_PI).permutations(self.count, self.n)
        return Pi if self.n == self.m else (Pi % self.m).astype(np.uint16 if self.m <= 1 << 16 else np.uint32)

    @cached_property
    def G(self) -> Floats:
        """Normals over the scale that gives P unit columns, (count, n)."""
        g, square_sum = self._normals(), self.backend.kernels.square_sum
        cut = self.count * self.n - self.D  # rows of the last block that are not kept
        scale = math.sqrt(self.n * square_sum(g) - cut * square_sum(g[-1]))
        return (g / scale).astype(self.backend.dtype)

    @cached_property
    def S(self) -> Words:
        """Output signs, packed; all +1 without `signs`."""
        S = self._stream(Purpose.FF_S).packed_signs(self.D)
        return S if self.signs else self.backend.xp.zeros_like(S)

    def _normals(self) -> Ints:
        return self._stream(Purpose.FF_G).normals(self.count * self.n).reshape(self.count, self.n)

    def _stream(self, purpose: Purpose) -> Stream:
        return Stream(self.seed, purpose, 0, self.backend.kernels)

    def apply(self, v: Array) -> Floats:
        """S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D]."""
        v, backend = self.checked("theta_d", v, self.d), self.backend
        return backend.kernels.fastfood_apply(
            v, self.B, self.Pi, self.G, self.S, self.m, self.D, backend.threads
        )

    def adjoint(self, g: Array) -> Floats:
        """(B ∘ H Πᵀ (G ∘ H pad(S ∘ g)))[:d], summed over the blocks."""
        g, backend = self.checked("grad_theta", g, self.D), self.backend
        return backend.kernels.fastfood_adjoint(
            g, self.B, self.Pi, self.G, self.S, self.m, self.d, backend.threads
        )

    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """The transform in float64; its bits are the same on every backend."""
        exact = replace(self, backend=replace(self.backend, dtype=np.dtype(np.float64)))
        return self.backend.host(exact.apply(self.backend.xp.asarray(v, dtype=np.float64)))

    def options(self) -> Spec:
        """`blocks` and `signs`."""
        return {"blocks": self.blocks, "signs": self.signs}

    def coverage(self) -> float:
        """1: no row is zero, with probability 1."""
        return 1.0

    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """The words of B and S, Π (modulo m), and the grid normals g."""
        yield "B", 0, self.B
        yield "Pi", 0, self.Pi
        yield "G", 0, self._normals()
        yield "S", 0, self.S
