"""Random numbers: an integer before it is a float, an address before it is a state.

A `Stream` is (seed, purpose, lane). Its words, normals, signs and permutations are functions of
that address and of an index, nothing else: the same on every machine, backend, NumPy version and
number of threads. `docs/random.md` specifies the scheme for other languages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from npintdim.backend import namespace
from npintdim.inputs import check_integer
from npintdim.kernels import reference
from npintdim.kernels.purpose import Purpose
from npintdim.specs import settle
from npintdim.typing import Floats, Ints, Words

__all__ = ["SCHEME", "Purpose", "Stream"]

SCHEME = "philox4x32-10/normal-grid-20/1"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Stream:
    """Everything random at one address.

    Parameters
    ----------
    seed : 0 ≤ seed < 2⁶⁴
    purpose : one of `Purpose`; for numbers of your own one from 2³¹ on, which the package never uses
    lane : 32-bit sub-address
    kernels : which twin computes; the numbers are the same
    """

    seed: int
    purpose: int
    lane: int = 0
    kernels: ModuleType = reference

    def __post_init__(self) -> None:
        settle(self, purpose=(0, (1 << 32) - 1), lane=(0, (1 << 32) - 1))

    def words(self, count: int, start: int = 0) -> Words:
        """Words start, ..., start + count − 1, uint32."""
        count, start = check_integer("count", count, 0), check_integer("start", start, 0)
        return self.kernels.words(self.seed, int(self.purpose), self.lane, start, count)

    def normals(self, count: int, start: int = 0) -> Ints:
        """Standard normals times 2²⁰, rounded to int32."""
        return self._in_chunks(self.kernels.normals, count, start)

    def truncated_normals(self, count: int, start: int = 0) -> Ints:
        """Normals cut at two standard deviations, times 2²⁰, rounded to int32."""
        return self._in_chunks(self.kernels.truncated_normals, count, start)

    def _in_chunks(self, draw: Callable[[Words], Ints], count: int, start: int) -> Ints:
        """Normals, CHUNK words at a time: while they are drawn the plain kernels take 100 bytes for each."""
        count, start = check_integer("count", count, 0), check_integer("start", start, 0)
        chunks = [draw(self.words(min(CHUNK, count - i), start + i)) for i in range(0, max(count, 1), CHUNK)]
        return chunks[0] if len(chunks) == 1 else namespace(chunks[0]).concatenate(chunks)

    def packed_signs(self, count: int, start: int = 0) -> Words:
        """Signs from start on as bits, 32 to a word, lowest first; a 1 means −1. 32 divides start."""
        return self.words(-(-check_integer("count", count, 0) // 32), start // 32)

    def signs(self, count: int) -> Ints:
        """Signs as int8 ±1."""
        return self.kernels.signs(self.packed_signs(count), count)

    def permutations(self, rows: int, n: int, first: int = 0) -> Ints:
        """A permutation of 0, ..., n − 1 in every row; the first of them is row `first`."""
        rows, n = check_integer("rows", rows, 0), check_integer("n", n, 1)
        first = check_integer("first", first, 0)
        return self.kernels.permutations(self.seed, int(self.purpose), self.lane, rows, n, first)

    def permutation(self, n: int) -> Ints:
        """A permutation of 0, ..., n − 1."""
        return self.permutations(1, n)[0]

    def integers(self, m: int, count: int, start: int = 0) -> Ints:
        """Integers below m ≤ 2³²: (w·m) >> 32."""
        m = check_integer("m", m, 1, 1 << 32)
        products: Ints = self.words(count, start).astype(np.uint64) * np.uint64(m)
        return products >> np.uint64(32)

    def uniform(self, count: int, start: int = 0) -> Floats:
        """Numbers in (−1, 1) on a grid of 2⁻²⁴: (2(w >> 8) + 1 − 2²⁴)/2²⁴."""
        w: Floats = (self.words(count, start) >> np.uint32(8)).astype(np.float64)
        return (2.0 * w + 1.0 - 2.0**24) * 2.0**-24
