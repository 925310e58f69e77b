"""The transform H x: its order, its scale, its rounds."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.kernels.reference.wht import wht
from npintdim.testing.mistakes.table import Mistake, Problem, Table, factor, numbers
from npintdim.typing import Array, Ints


def reversed_bits(k: Ints, n: int) -> Ints:
    """The log₂ n bits of each k, read backwards."""
    out = np.zeros_like(k)
    for _ in range(n.bit_length() - 1):
        out, k = 2 * out + k % 2, k // 2
    return out


def dyadic(x: Array) -> Array:
    """Row k of H is row bitreverse(k) of the natural order (Paley)."""
    k = np.arange(x.shape[-1])
    return wht(x)[..., reversed_bits(k, len(k))]


def sequency(x: Array) -> Array:
    """Row k of H changes its sign k times (Walsh): Gray code of k, bits reversed."""
    k = np.arange(x.shape[-1])
    return wht(x)[..., reversed_bits(k ^ (k >> 1), len(k))]


def largest_stride_first(x: Array) -> Array:
    """H x by butterflies h = n/2, ..., 2, 1: the same sums in another order."""
    n = x.shape[-1]
    y, h = x.copy(), n // 2
    while h:
        a, b = np.moveaxis(y.reshape(*y.shape[:-1], n // (2 * h), 2, h), -2, 0)
        y = np.stack([a + b, a - b], axis=-2).reshape(x.shape)
        h //= 2
    return y


def last_round_missing(x: Array) -> Array:
    """Butterflies for h = 1, 2, ... up to n/4 only."""
    halves = x.reshape(*x.shape[:-1], 2, -1)
    return wht(halves).reshape(x.shape)


def minus_first(x: Array) -> Array:
    """Butterflies (a, b) → (a + b, b − a): ((H, H), (−H, H))."""
    y: Array = wht(x) * (1 - 2 * (np.bitwise_count(np.arange(x.shape[-1])) % 2).astype(x.dtype))
    return y


ORDERS = (
    Mistake("sequency order", "H is in sequency (Walsh) order, row k with k changes of sign; the natural "
            "(Sylvester) order is needed: butterflies h = 1, 2, 4, ... in place and no reordering", {"H": sequency}),
    Mistake("dyadic order", "H is in dyadic (Paley) order, as with a bit reversal; the natural (Sylvester) order "
            "is needed: leave the bit reversal out", {"H": dyadic}),
    Mistake("b − a", "butterflies give (a + b, b − a); (a + b, a − b) is needed", {"H": minus_first}),
    Mistake("last round missing", "the last round of butterflies, h = n/2, is missing: loop while h < n",
            {"H": last_round_missing}),
)  # fmt: skip
LARGEST_FIRST = Mistake(
    "largest stride first",
    "butterflies run h = n/2, ..., 2, 1, but h = 1, 2, 4, ... decides the bits",
    {"H": largest_stride_first},
    rounding=True,
)
BY_MATRIX = Mistake(
    "explicit matrix",
    "H x is a product with the matrix; butterflies h = 1, 2, 4, ... decide the bits",
    {"H": lambda x: x @ wht(np.eye(x.shape[-1], dtype=x.dtype))},
    rounding=True,
)


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Lengths from 1 up, so that n = 1, 2, where all orders agree, are right too."""
    for n in (1, 2, 8, 16, 128):
        yield Problem(f"n = {n}", numbers(dtype, n), {})


def _with_n(scale: Any) -> Any:
    return lambda y: y * y.dtype.type(scale(y.shape[-1]))


TABLE = Table(
    compute=lambda s, x, p: s["scale"](s["H"](x)),
    right={"H": wht, "scale": lambda y: y},
    mistakes=(
        Mistake("scale 1/√n", "H is divided by √n (orthonormal); it must not be: H H = n I, entries ±1",
                {"scale": _with_n(lambda n: 1 / sqrt(n))}),
        Mistake("scale 1/n", "H is divided by n, as in the inverse transform; entries ±1 are needed, H H = n I",
                {"scale": _with_n(lambda n: 1 / n)}),
        Mistake("scale √n", "H is √n times too large; entries ±1 are needed", {"scale": _with_n(sqrt)}),
        Mistake("scale n", "H is n times too large: a factor n for the inverse of an unnormalised transform? Entries ±1 are "
                "needed", {"scale": _with_n(lambda n: n)}),
        *ORDERS,
        Mistake("reversed", "outputs come in reversed order", {"H": lambda x: wht(x)[..., ::-1]}),
        LARGEST_FIRST,
        BY_MATRIX,
    ),
    problems=problems,
)  # fmt: skip

__all__ = ["BY_MATRIX", "LARGEST_FIRST", "ORDERS", "TABLE", "dyadic", "factor", "sequency"]
