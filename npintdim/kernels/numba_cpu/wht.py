"""The Walsh–Hadamard transform; the definition is `reference/wht.py`.

Butterflies of different rounds commute as long as each pair has had its earlier rounds, so they are
done where the data lie: eight rounds on 256 numbers in registers (six on 64, where registers are
fewer), the next while 4096 numbers are in the smallest cache, then three at a time, depth first: as
soon as a stretch is complete it is folded, still in the smallest cache that holds it.
"""

from __future__ import annotations

from npintdim.kernels.numba_cpu.machinery.share import each, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES, WIDE, butterflies
from npintdim.typing import Floats

VECTORS, RADIX = (16, 16) if WIDE else (4, 8)  # of a tile and of a fold, as far as registers go
TILE, LEAF = VECTORS * LANES, 256 * LANES  # numbers in registers; numbers in the smallest cache
SHARED = 1 << 22  # from here on threads share one vector

tile1, tile2, tile4, tile8, tile = (butterflies(r, lanes=True) for r in (1, 2, 4, 8, VECTORS))
radix2, radix4, radix8, radix16 = (butterflies(r) for r in (2, 4, 8, 16))


@jit
def fold(x, start, h, r):
    """The rounds h, 2h, ..., rh/2 on x[start : start + rh]."""
    for k in range(start, start + h, LANES):
        if r == 16:
            radix16(x, k, h)
        elif r == 8:
            radix8(x, k, h)
        elif r == 4:
            radix4(x, k, h)
        elif r == 2:
            radix2(x, k, h)


@jit
def small(x):
    """H x for len(x) < 16."""
    h = 1
    while h < len(x):
        for k in range(len(x)):
            if not k & h:
                x[k], x[k + h] = x[k] + x[k + h], x[k] - x[k + h]
        h *= 2


@jit
def leaf(x, start, n):
    """H on x[start : start + n], 16 ≤ n ≤ LEAF."""
    if n >= TILE:
        for k in range(start, start + n, TILE):
            tile(x, k, LANES)
        h = TILE
        while h < n:
            r = min(RADIX, n // h)
            for k in range(start, start + n, r * h):
                fold(x, k, h, r)
            h *= r
    elif n == 8 * LANES:
        tile8(x, start, LANES)
    elif n == 4 * LANES:
        tile4(x, start, LANES)
    elif n == 2 * LANES:
        tile2(x, start, LANES)
    else:
        tile1(x, start, LANES)


@jit
def hadamard(x):
    """H x in place, len(x) a power of two."""
    n = len(x)
    if n < LANES:
        small(x)
        return
    for start in range(0, n, LEAF):
        leaf(x, start, min(n, LEAF))
        end, h = start + LEAF, LEAF
        while h < n:  # strides of 16 vectors and more would fall into too few cache sets: at most 8 at once
            r = 4 if n // h == 16 else min(8, n // h)
            if end % (r * h) != 0:
                break
            fold(x, end - r * h, h, r)
            h *= r


@jit
def transform(x):
    """H x in place if len(x) is a power of two, and whether it is."""
    fits = len(x) > 0 and len(x) & (len(x) - 1) == 0
    if fits:
        hadamard(x)
    return fits


@jit
def join_eighths(x, low, high):
    """The last three rounds of H x, in the columns low, ..., high − 1 of the eighths of x."""
    for k in range(low, high, LANES):
        radix8(x, k, x.size // 8)


@shared
def hadamard_rows(x, work):
    """Every row of x in place."""
    for r in each(work, 0, len(x)):
        hadamard(x[r])
    linger(work)


@shared
def hadamard_eighths(x, work):
    """H x in place: every eighth, then what joins them."""
    h = len(x) // 8
    for q in each(work, 0, 8):
        hadamard(x[q * h : (q + 1) * h])
    for q in each(work, 1, 8):
        join_eighths(x, q * h // 8, (q + 1) * h // 8)
    linger(work)


def wht(x: Floats, threads: int = 1) -> Floats:
    """H x along the last axis, a power of two long; unnormalised, natural order."""
    y = x.copy()
    if y.ndim == 1 and (threads == 1 or len(y) < SHARED) and transform(y):
        return y  # what is asked below would take as long as the transform of a short vector
    n = y.shape[-1]
    if n < 1 or n & (n - 1):
        raise ValueError(f"x has {n} entries along its last axis: a power of two is needed")
    if y.ndim == 1:
        hadamard_eighths(y, threads)
    else:
        hadamard_rows(y.reshape(-1, n), worth(threads, "transform", y.size))
    return y
