"""Gaussian integers: z = Φ⁻¹((w + ½)/2³²), then g = rint(2²⁰ z).

Φ⁻¹ is Wichura's AS 241 (PPND16, 1988) with a logarithm of our own, so that only + − × ÷ and sqrt
occur, in a fixed order and never fused: these are rounded the same way by every IEEE processor,
and the integers are the same on every machine. The last rounding, to a grid of 2⁻²⁰, hides nothing:
before it the error against the true quantile is 2·10⁻¹⁵.
"""

from __future__ import annotations

import numpy as np

from npintdim.kernels.reference.words import CHUNK, words
from npintdim.typing import Array, Floats, Ints, Words

GRID = 2.0**20
LN2 = 0.6931471805599453
SQRT_HALF = 0.7071067811865476
TWO_SD = float.fromhex("0x1.74bcf82c9d85cp-6")  # Φ(−2): the share below the cut

# Numerators and denominators of AS 241, constant term first.
CENTRAL_NUMERATOR = (
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
CENTRAL_DENOMINATOR = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
)  # fmt: skip
TAIL_NUMERATOR = (
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
TAIL_DENOMINATOR = (
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
    1.05075007164441684324e-9,
)  # fmt: skip


def horner(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """Σ_i coefficients[i] x^i, from the highest power down."""
    total = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def log(x: Floats) -> Floats:
    """Natural logarithm of x > 0: e·ln 2 + 2s·Σ_{i=0..10} s^{2i}/(2i+1), x = m·2^e, s = (m−1)/(m+1).

    m lies in [√½, √2), so |s| < 0.172 and eleven terms reach the last bit.
    """
    m, e = np.frexp(x)
    low = m < SQRT_HALF
    m = np.where(low, m * 2.0, m)
    e = np.where(low, e - 1, e)
    s = (m - 1.0) / (m + 1.0)
    series = horner(tuple(1.0 / (2 * i + 1) for i in range(11)), s * s)
    return e * LN2 + 2.0 * s * series


def quantile(p: Floats) -> Floats:
    """Φ⁻¹(p), AS 241; exact enough for 2⁻³³ ≤ p ≤ 1 − 2⁻³³ (the third branch is never needed)."""
    q = p - 0.5
    r = 0.180625 - q * q
    central = q * horner(CENTRAL_NUMERATOR, r) / horner(CENTRAL_DENOMINATOR, r)
    r = np.sqrt(-log(np.minimum(p, 1.0 - p))) - 1.6
    tail = horner(TAIL_NUMERATOR, r) / horner(TAIL_DENOMINATOR, r)
    return np.where(np.abs(q) <= 0.425, central, np.where(q < 0.0, -tail, tail))


def normals(words: Words) -> Ints:
    """Standard normals on the grid: g = rint(2²⁰ Φ⁻¹((w + ½)/2³²)).

    Returns
    -------
    int32, the shape of `words`; |g| ≤ 6,645,830
    """
    p = (words + 0.5) * 2.0**-32
    return np.rint(GRID * quantile(p)).astype(np.int32)


def truncated_normals(words: Words) -> Ints:
    """Normals cut at two standard deviations: g = rint(2²⁰ Φ⁻¹(a + (1−2a)(w + ½)/2³²)), a = Φ(−2).

    Returns
    -------
    int32, the shape of `words`; |g| ≤ 2²¹
    """
    p = TWO_SD + (1.0 - 2.0 * TWO_SD) * ((words + 0.5) * 2.0**-32)
    return np.rint(GRID * quantile(p)).astype(np.int32)


def square_sum(g: Array) -> int:
    """Σ g² without rounding: int64 sums of the high and the low halves, joined as a Python int.

    One int64 would overflow above 8.4 million normals.
    """
    squares = g.astype(np.int64) ** 2
    return (int((squares >> 32).sum()) << 32) + int((squares & 0xFFFFFFFF).sum())


def drawn_square_sum(seed: int, purpose: int, lane: int, start: int, count: int, threads: int = 1) -> int:
    """Σ g² of the normals of a stream from `start` on, exactly; none is kept."""
    stop = start + count
    drawn = (words(seed, purpose, lane, i, min(CHUNK, stop - i)) for i in range(start, stop, CHUNK))
    return sum(square_sum(normals(w)) for w in drawn)
