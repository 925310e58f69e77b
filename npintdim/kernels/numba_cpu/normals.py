"""Gaussian integers; the definition, and the reason for each line, is `reference/normals.py`."""

from __future__ import annotations

import math

import numpy as np

from npintdim.kernels.numba_cpu.jit import frozen, jit
from npintdim.kernels.reference.normals import GRID, LN2, SQRT_HALF, TWO_SD, A, B, C, D
from npintdim.typing import Array, Ints, Words

SERIES = tuple(1.0 / (2 * i + 1) for i in range(11))
KEEP = 1.0 - 2.0 * TWO_SD
MANTISSA, HALF_EXPONENT = np.int64((1 << 52) - 1), np.int64(1022 << 52)


@jit
def horner(c, x):
    """Σ_i c[i] x^i, from the highest power down."""
    total = c[len(c) - 1]
    for i in range(len(c) - 2, -1, -1):
        total = total * x + c[i]
    return total


@jit
def log(x):
    """Natural logarithm of a normal number x > 0; frexp by the bits of x."""
    bits = np.float64(x).view(np.int64)
    e = (bits >> 52) - 1022
    m = np.int64(bits & MANTISSA | HALF_EXPONENT).view(np.float64)
    low = m < SQRT_HALF
    m = m * 2.0 if low else m
    e = e - 1 if low else e
    s = (m - 1.0) / (m + 1.0)
    return e * LN2 + 2.0 * s * horner(SERIES, s * s)


@jit
def quantile(p):
    """Φ⁻¹(p), AS 241."""
    q = p - 0.5
    r = 0.180625 - q * q
    central = q * horner(A, r) / horner(B, r)
    r = math.sqrt(-log(min(p, 1.0 - p))) - 1.6
    tail = horner(C, r) / horner(D, r)
    return central if abs(q) <= 0.425 else (-tail if q < 0.0 else tail)


@jit
def normal(w):
    """One word to one grid normal, still a float64."""
    return np.rint(GRID * quantile((w + 0.5) * 2.0**-32))


@jit
def fill_normals(words, g):
    """Grid normals."""
    for i in range(len(words)):
        g[i] = normal(words[i])


@jit
def fill_truncated(words, g):
    """Grid normals cut at two standard deviations."""
    for i in range(len(words)):
        g[i] = np.rint(GRID * quantile(TWO_SD + KEEP * ((words[i] + 0.5) * 2.0**-32)))


def normals(words: Words) -> Ints:
    """Standard normals on the grid: g = rint(2²⁰ Φ⁻¹((w + ½)/2³²))."""
    g = np.empty(words.shape, dtype=np.int32)
    fill_normals(frozen(words).reshape(-1), g.reshape(-1))
    return g


def truncated_normals(words: Words) -> Ints:
    """Normals cut at two standard deviations: g = rint(2²⁰ Φ⁻¹(a + (1−2a)(w + ½)/2³²)), a = Φ(−2)."""
    g = np.empty(words.shape, dtype=np.int32)
    fill_truncated(frozen(words).reshape(-1), g.reshape(-1))
    return g


@jit
def square_sums(g):
    """Sums of the high and of the low halves of g²."""
    high, low = np.int64(0), np.int64(0)
    for i in range(len(g)):
        square = np.int64(g[i]) * np.int64(g[i])
        high += square >> 32
        low += square & 0xFFFFFFFF
    return high, low


def square_sum(g: Array) -> int:
    """Σ g² without rounding: int64 sums of the high and the low halves, joined as a Python int."""
    high, low = square_sums(frozen(g).reshape(-1))
    return (int(high) << 32) + int(low)
