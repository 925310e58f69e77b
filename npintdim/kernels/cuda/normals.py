"""Gaussian integers on the device; the definition is `reference/normals.py`."""

from __future__ import annotations

import cupy as cp
import numpy as np

from npintdim.kernels.cuda.launch import cover, exact
from npintdim.kernels.cuda.words import words
from npintdim.kernels.reference.words import CHUNK
from npintdim.typing import Array, Ints, Words


def normals(words: Words) -> Ints:
    """rint(2²⁰ Φ⁻¹((w + ½)/2³²))."""
    return _draw("normals", words)


def truncated_normals(words: Words) -> Ints:
    """rint(2²⁰ Φ⁻¹(a + (1−2a)(w + ½)/2³²)), a = Φ(−2)."""
    return _draw("truncated_normals", words)


def _draw(name: str, words: Words) -> Ints:
    g: Ints = cp.empty(words.shape, dtype=np.int32)
    exact(name, cover(g.size), words, g.size, g)
    return g


def square_sum(g: Array) -> int:
    """Σ g² without rounding; this waits for the device."""
    squares = g.astype(np.int64) ** 2
    return (int((squares >> 32).sum()) << 32) + int((squares & 0xFFFFFFFF).sum())


def drawn_square_sum(seed: int, purpose: int, lane: int, start: int, count: int, threads: int = 1) -> int:
    """Σ g² of the normals of a stream from `start` on, exactly; the host waits for each piece."""
    stop = start + count
    drawn = (words(seed, purpose, lane, i, min(CHUNK, stop - i)) for i in range(start, stop, CHUNK))
    return sum(square_sum(normals(w)) for w in drawn)
