"""Fastfood P: a dense matrix in O(D) memory and O(D log d) time (Le, Sarlós and Smola 2013)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import check_flag, one_of
from npintdim.machine import LARGE
from npintdim.projections.seeded import SeededProjection
from npintdim.rng import Purpose
from npintdim.typing import Array, Floats, Ints, Words

BLOCKS = ("stacked", "single")
PIECE = 1 << 18  # rows whose factors are drawn together


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
    stored : True keeps the factors, 6.25 bytes a parameter in float32; False draws those of some blocks when
        they are needed, and forgets them: what grows with D is then P v alone, and nothing of it with `rows`.
        The single block is one: it is drawn as a whole, for any of its rows. Both are the same P

    Raises
    ------
    MemoryError
        at the first product, if the factors are larger than the memory that is free.

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
    stored: bool = True

    kind: ClassVar[str] = "fastfood"

    @staticmethod
    def check(blocks: str = "stacked", signs: bool = True, stored: bool = True) -> None:
        """Refuse options out of range."""
        one_of("blocks", blocks, BLOCKS)
        check_flag("signs", signs)
        check_flag("stored", stored)

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
        self._check_memory(self.count)
        return self._permutations(0, self.count)

    @cached_property
    def G(self) -> Floats:
        """Normals over the scale that gives P unit columns, (count, n)."""
        g, square_sum = self._normals(0, self.count), self.backend.kernels.square_sum
        return (g / self.scale(square_sum(g), square_sum(g[-1]))).astype(self.backend.dtype)

    @cached_property
    def S(self) -> Words:
        """Output signs, packed; all +1 without `signs`."""
        return self._signs(0, self.D)

    def scale(self, squares: int, last: int) -> float:
        """√(Σ_b m_b Σ_k g_bk²) from Σ g² of all blocks and of the last, of which fewer rows are kept."""
        return math.sqrt(self.n * squares - (self.count * self.n - self.D) * last)

    @cached_property
    def drawn_scale(self) -> float:
        """The scale, by drawing every normal once; only this number is kept."""
        before, n = (self.count - 1) * self.n, self.n
        draw, threads = self.backend.kernels.drawn_square_sum, self.backend.threads
        last = draw(self.seed, Purpose.FF_G, 0, before, n, threads)
        return self.scale(draw(self.seed, Purpose.FF_G, 0, 0, before, threads) + last, last)

    def _permutations(self, first: int, last: int) -> Ints:
        permutations, threads = self.backend.kernels.permutations, self.backend.threads
        Pi = permutations(self.seed, int(Purpose.FF_PI), 0, last - first, self.n, first, threads)
        return Pi if self.n == self.m else (Pi % self.m).astype(np.uint16 if self.m <= 1 << 16 else np.uint32)

    def _signs(self, start: int, stop: int) -> Words:
        S = self._stream(Purpose.FF_S).packed_signs(stop - start, start)
        return S if self.signs else self.backend.xp.zeros_like(S)

    def _normals(self, first: int, last: int) -> Ints:
        g = self._stream(Purpose.FF_G).normals((last - first) * self.n, first * self.n)
        return g.reshape(-1, self.n)

    def _check_memory(self, blocks: int) -> None:
        """Whether the factors of so many blocks fit; each of P's normals is 12 bytes more while G is made."""
        size = blocks * self.n * (self.backend.dtype.itemsize + (2 if self.n <= 1 << 16 else 4) + 0.25)
        if size > LARGE:
            which = "a stored" if self.stored else "a block of the drawn"
            instead = "use stored=False" if self.stored else "use blocks='stacked'"
            self._room(f"{which} Fastfood P", size, instead)

    def pieces(self, a: int, b: int) -> Iterator[tuple[int, int, tuple[Words, Ints, Floats, Words]]]:
        """Whole blocks' rows start, ..., stop − 1 and B, Π, G, S, until rows a, ..., b − 1 are covered.

        All at once where they are stored, else as many as are drawn together.
        """
        n, m, kernels = self.n, self.m, self.backend.kernels
        together = max(1, 32 // m)  # blocks between two that begin a word of B's, and of S's, signs
        first, end = a // n // together * together, -(-b // n)
        step = end - first if self.stored else max(1, PIECE // n)
        for i in range(first, end, step):
            last = min(end, i + step)
            start, stop = i * n, min(self.D, last * n)
            if self.stored:
                B, S = self.B[i * m // 32 :], self.S[start // 32 :]
                yield start, stop, (B, self.Pi[i:last], self.G[i:last], S)
            else:
                self._check_memory(last - i)
                B = self._stream(Purpose.FF_B).packed_signs((last - i) * m, i * m)
                own = self.seed, start, (last - i) * n, self.drawn_scale
                G = kernels.fastfood_normals(*own, self.backend.dtype, self.backend.threads).reshape(-1, n)
                yield start, stop, (B, self._permutations(i, last), G, self._signs(start, stop))

    def apply(self, v: Array, rows: slice | None = None) -> Floats:
        """S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D]."""
        v, a, b = self.begin_apply(v, rows)
        kernels, threads = self.backend.kernels, self.backend.threads
        Pv: Any = None
        for start, stop, factors in self.pieces(a, b):
            y = kernels.fastfood_apply(v, *factors, self.m, stop - start, threads)
            y = y[max(a - start, 0) : b - start]
            if len(y) == b - a:
                return y
            Pv = self.backend.xp.empty(b - a, dtype=self.backend.dtype) if Pv is None else Pv
            Pv[max(start - a, 0) : stop - a] = y
        return Pv

    def adjoint(self, g: Array, rows: slice | None = None, out: Array | None = None) -> Floats:
        """(B ∘ H Πᵀ (G ∘ H pad(S ∘ g)))[:d], summed over the blocks."""
        g, a, b = self.begin_adjoint(g, rows, out)
        kernels, threads, n = self.backend.kernels, self.backend.threads, self.n
        sums = self.backend.xp.zeros((kernels.FASTFOOD_PARTS, self.m), dtype=self.backend.dtype)
        first = None
        for start, stop, factors in self.pieces(a, b):
            first = start // n if first is None else first
            near = g[max(start - a, 0) : stop - a]
            if start < a:
                near = self.backend.xp.pad(near, (a - start, 0))
            kernels.fastfood_adjoint(near, *factors, sums, start // n - first, -(-b // n) - first, threads)
        Pt_g: Floats = sums.sum(axis=0)[: self.d]
        return Pt_g if out is None else np.add(out, Pt_g, out=out)

    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """The transform in float64; its bits are the same on every backend."""
        exact = replace(self, backend=replace(self.backend, dtype=np.dtype(np.float64)))
        return self.backend.host(exact.apply(self.backend.send(self.begin_exact(v))))

    def coverage(self) -> float:
        """1: no row is zero, with probability 1."""
        return 1.0

    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """The words of B and S, Π (modulo m), and the grid normals g."""
        for start, stop, (B, Pi, _, S) in self.pieces(0, self.D):
            yield "B", start // self.n * self.m // 32, B
            yield "Pi", start, Pi
            yield "G", start, self._normals(start // self.n, -(-stop // self.n))
            yield "S", start // 32, S
