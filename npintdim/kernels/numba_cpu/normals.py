"""Gaussian integers; the definition, and the reason for each line, is `reference/normals.py`.

The same operations in the same order on 16 numbers at a time. The tails of Φ⁻¹ cost three times
the centre and are met by 15 % of the numbers: these are collected, computed and put back.
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, convert, frexp, load, rint, select, sqrt, store
from npintdim.kernels.numba_cpu.words import address, fill
from npintdim.kernels.reference.normals import GRID, LN2, SQRT_HALF, TWO_SD, A, B, C, D
from npintdim.typing import Array, Ints, Words

CHUNK = 64 * LANES  # numbers at a time
DRAWN = 16 * CHUNK  # normals that a thread takes at a time
SERIES = tuple(1.0 / (2 * i + 1) for i in range(11))


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
    return q * horner(A, r) / horner(B, r)


@jit
def tail(p):
    """Φ⁻¹(p) for |p − ½| > 0.425."""
    low = p < 0.5
    r = sqrt(0.0 - log(select(low, p, 1.0 - p))) - 1.6
    z = horner(C, r) / horner(D, r)
    return select(low, 0.0 - z, z)


@jit
def workspace():
    """p, z, and the tails' values and places."""
    return np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK + LANES), np.empty(CHUNK, np.int64)


@jit
def draw(words, low, width, space):
    """z[i] = rint(2²⁰ Φ⁻¹(low + width (w_i + ½)/2³²)), float64; len(words) ≤ CHUNK is a multiple of 16."""
    p, z, rare, place = space
    n = len(words)
    for i in range(0, n, LANES):
        share = low + width * ((convert(load(words, i), np.float64) + 0.5) * 2.0**-32)
        store(p, i, share)
        store(z, i, centre(share))
    count = 0
    for i in range(n):
        rare[count], place[count] = p[i], i
        count += abs(p[i] - 0.5) > 0.425
    rare[count : count + LANES] = 0.5
    for i in range(0, count, LANES):
        store(rare, i, tail(load(rare, i)))
    for i in range(count):
        z[place[i]] = rare[i]
    for i in range(0, n, LANES):
        store(z, i, rint(GRID * load(z, i)))
    return z[:n]


@jit
def draw_all(words, low, width, g):
    """As int32, for any number of words."""
    space, last = workspace(), np.zeros(CHUNK, np.uint32)
    for start in range(0, len(words), CHUNK):
        n = min(CHUNK, len(words) - start)
        last[:n] = words[start : start + n]
        g[start : start + n] = draw(last, low, width, space)[:n]


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
def draw_stream(drawn, seed, purpose, lane, start, space):
    """Normals of a stream from `start` on, one for each place of drawn."""
    fill(drawn, seed, purpose, lane, np.uint64(start // 4), start % 4)
    return draw(drawn, 0.0, 1.0, space)


@shared
def draw_squares(seed, purpose, lane, start, count, sums, work):
    """The two sums of the squares of each stretch of normals."""
    space, drawn, g = workspace(), np.empty(CHUNK, np.uint32), np.empty(CHUNK, np.int32)
    for piece in each(work, 0, len(sums)):
        for i in range(piece * DRAWN, min(count, (piece + 1) * DRAWN), CHUNK):
            g[:] = draw_stream(drawn, seed, purpose, lane, start + i, space)
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
