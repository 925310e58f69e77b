"""Gaussian integers; the definition, and the reason for each line, is `reference/normals.py`.

g = rint(2²⁰ Φ⁻¹(p)) is met by a shorter formula: with x = 2p − 1 and w = −ln(1 − x²), Φ⁻¹(p)/x is a smooth
function of w (Giles 2010), of which a polynomial misses 2²⁰ Φ⁻¹ by less than MISSED. Where that could round
to another integer, and in the far tails, 16 numbers at a time take the definition,
its operations in its order: one vector in seventy.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import (
    LANES,
    convert,
    every,
    fabs,
    frexp,
    load,
    muladd,
    rint,
    select,
    sqrt,
    store,
)
from npintdim.kernels.numba_cpu.words import address, fill
from npintdim.kernels.reference.normals import (
    CENTRAL_DENOMINATOR,
    CENTRAL_NUMERATOR,
    GRID,
    LN2,
    SQRT_HALF,
    TAIL_DENOMINATOR,
    TAIL_NUMERATOR,
    TWO_SD,
    quantile,
)
from npintdim.typing import Array, Floats, Ints, Words

CHUNK = 64 * LANES  # numbers at a time
DRAWN = 16 * CHUNK  # normals that a thread takes at a time
SERIES = tuple(1.0 / (2 * i + 1) for i in range(11))
MISSED = 2.0**-11  # over all words at most 0.37 of it is missed
FARTHEST = 6.0  # w; beyond lie 0.12 % of the numbers
LEAST = math.exp(-FARTHEST)


def ratio(w: Floats) -> Floats:
    """2²⁰ Φ⁻¹(p)/x as a function of w."""
    x = np.sqrt(-np.expm1(-w))
    return GRID * quantile((1 + x) / 2) / x


def interpolated(f: Callable[[Floats], Floats], degree: int, low: float, high: float) -> tuple[float, ...]:
    """Coefficients of the polynomial that meets f at Chebyshev's points, constant term first."""
    met = Chebyshev.interpolate(f, degree, (low, high)).convert(kind=Polynomial)
    return tuple(met.coef.tolist())


RATIO = interpolated(ratio, 13, 0.0, FARTHEST)
LOG = interpolated(np.log, 11, 0.5, 1.0)


@jit
def horner(c, x):
    """Σ_i c[i] x^i, from the highest power down."""
    total = c[-1] * x + c[-2]
    for i in range(len(c) - 3, -1, -1):
        total = total * x + c[i]
    return total


@jit
def log(x):
    """Natural logarithm of normal numbers x > 0."""
    m, e = frexp(x)
    low = m < SQRT_HALF
    m = select(low, m * 2.0, m)
    e = select(low, e - 1.0, e)
    s = (m - 1.0) / (m + 1.0)
    return e * LN2 + 2.0 * s * horner(SERIES, s * s)


@jit
def centre(p):
    """Φ⁻¹(p) for |p − ½| ≤ 0.425."""
    q = p - 0.5
    r = 0.180625 - q * q
    return q * horner(CENTRAL_NUMERATOR, r) / horner(CENTRAL_DENOMINATOR, r)


@jit
def tail(p):
    """Φ⁻¹(p) for |p − ½| > 0.425."""
    low = p < 0.5
    r = sqrt(0.0 - log(select(low, p, 1.0 - p))) - 1.6
    z = horner(TAIL_NUMERATOR, r) / horner(TAIL_DENOMINATOR, r)
    return select(low, 0.0 - z, z)


@jit
def halves(c, x):
    """Σ_i c[i] x^i, even and odd powers beside each other, which halves the latency; len(c) is even."""
    square, last = x * x, len(c) - 1
    even, odd = muladd(square, c[last - 1], c[last - 3]), muladd(square, c[last], c[last - 2])
    for i in range(last - 5, -1, -2):
        even, odd = muladd(even, square, c[i]), muladd(odd, square, c[i + 1])
    return muladd(odd, x, even)


@jit
def exactly(p):
    """rint(2²⁰ Φ⁻¹(p)) as it is defined."""
    return rint(GRID * select(fabs(p - 0.5) > 0.425, tail(p), centre(p)))


@jit
def nearly(p):
    """2²⁰ Φ⁻¹(p), and where it is: not in the far tails."""
    x = 2.0 * p - 1.0
    y = 1.0 - x * x
    m, e = frexp(y)
    w = 0.0 - muladd(e, LN2, halves(LOG, m))
    return x * halves(RATIO, w), y > LEAST


@jit
def draw(words, low, width, z):
    """z[i] = rint(2²⁰ Φ⁻¹(low + width (w_i + ½)/2³²)), float64; len(words) ≤ CHUNK is a multiple of 16."""
    for i in range(0, len(words), LANES):
        p = low + width * ((convert(load(words, i), np.float64) + 0.5) * 2.0**-32)
        near, inside = nearly(p)
        g = rint(near)
        if not every(inside & (fabs(near - g) < 0.5 - MISSED)):
            g = exactly(p)
        store(z, i, g)
    return z[: len(words)]


@jit
def draw_all(words, low, width, g):
    """As int32, for any number of words."""
    z, last = np.empty(CHUNK), np.zeros(CHUNK, np.uint32)
    for start in range(0, len(words), CHUNK):
        n = min(CHUNK, len(words) - start)
        last[:n] = words[start : start + n]
        g[start : start + n] = draw(last, low, width, z)[:n]


def normals(words: Words) -> Ints:
    """Standard normals on the grid: g = rint(2²⁰ Φ⁻¹((w + ½)/2³²))."""
    g = np.empty(words.shape, dtype=np.int32)
    draw_all(*frozen(words.reshape(-1)), 0.0, 1.0, g.reshape(-1))
    return g


def truncated_normals(words: Words) -> Ints:
    """Normals cut at two standard deviations: g = rint(2²⁰ Φ⁻¹(a + (1−2a)(w + ½)/2³²)), a = Φ(−2)."""
    g = np.empty(words.shape, dtype=np.int32)
    draw_all(*frozen(words.reshape(-1)), TWO_SD, 1.0 - 2.0 * TWO_SD, g.reshape(-1))
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
    high, low = square_sums(*frozen(g.reshape(-1)))
    return (int(high) << 32) + int(low)


@jit
def draw_stream(drawn, seed, purpose, lane, start, z):
    """Normals of a stream from `start` on, one for each place of drawn."""
    fill(drawn, seed, purpose, lane, np.uint64(start // 4), start % 4)
    return draw(drawn, 0.0, 1.0, z)


@shared
def draw_squares(seed, purpose, lane, start, count, sums, work):
    """The two sums of the squares of each stretch of normals."""
    z, drawn, g = np.empty(CHUNK), np.empty(CHUNK, np.uint32), np.empty(CHUNK, np.int32)
    for piece in each(work, 0, len(sums)):
        for i in range(piece * DRAWN, min(count, (piece + 1) * DRAWN), CHUNK):
            g[:] = draw_stream(drawn, seed, purpose, lane, start + i, z)
            high, low = square_sums(g[: min(CHUNK, count - i)])
            sums[piece, 0] += high
            sums[piece, 1] += low
    linger(work)


def drawn_square_sum(seed: int, purpose: int, lane: int, start: int, count: int, threads: int = 1) -> int:
    """Σ g² of the normals of a stream from `start` on, exactly; none is kept."""
    total, stretch = 0, DRAWN << 12
    for i in range(start, start + count, stretch):
        here = min(stretch, start + count - i)
        sums = np.zeros((-(-here // DRAWN), 2), dtype=np.int64)
        draw_squares(*address(seed, purpose, lane), i, here, sums, worth(threads, "gaussian", here))
        total += (int(sums[:, 0].sum()) << 32) + int(sums[:, 1].sum())
    return total
