"""The transform H x: its order, its scale, its rounds."""

from math import sqrt
from typing import Any

import numpy as np

from npintdim.kernels.reference.wht import wht
from npintdim.testing.mistakes.table import Mistake, Problem, Table, factor, numbers, wrong
from npintdim.typing import Array


def rows(x: Array) -> Any:
    """The numbers 0, ..., n − 1 of H's rows."""
    return np.arange(x.shape[-1])


def reversed_bits(k: Any) -> Any:
    """The log₂ n bits of each of n numbers, read backwards."""
    bits = len(k).bit_length() - 1
    return sum(((k >> i & 1) << (bits - 1 - i) for i in range(bits)), 0 * k)


def largest_stride_first(x: Array) -> Array:
    """H x by butterflies h = n/2, ..., 2, 1: the same sums in another order."""
    if x.shape[-1] == 1:
        return x
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([largest_stride_first(a + b), largest_stride_first(a - b)], axis=-1)


ORDERS = (
    wrong("sequency order", "H is in sequency (Walsh) order, row k with k changes of sign; the natural "
          "(Sylvester) order is needed: butterflies h = 1, 2, 4, ... in place and no reordering",
          H=lambda x: wht(x)[..., reversed_bits(rows(x) ^ rows(x) >> 1)]),
    wrong("dyadic order", "H is in dyadic (Paley) order, as with a bit reversal; "
          "the natural (Sylvester) order is needed: leave the bit reversal out",
          H=lambda x: wht(x)[..., reversed_bits(rows(x))]),
    wrong("b − a", "butterflies give (a + b, b − a); (a + b, a − b) is needed",
          H=lambda x: wht(x) * (1 - 2 * (np.bitwise_count(rows(x)) % 2).astype(x.dtype))),
    wrong("first round missing", "the first round of butterflies, h = 1, is missing: begin with h = 1",
          H=lambda x: wht(x.reshape(*x.shape[:-1], -1, 2).swapaxes(-1, -2)).swapaxes(-1, -2).reshape(x.shape)
          if x.shape[-1] > 1 else x),
    wrong("last round missing", "the last round of butterflies, h = n/2, is missing: loop while h < n",
          H=lambda x: wht(x.reshape(*x.shape[:-1], 2, -1)).reshape(x.shape)),
)  # fmt: skip
OF_BITS = (
    Mistake("largest stride first", "butterflies run h = n/2, ..., 2, 1, but h = 1, 2, 4, ... "
            "decides the bits", {"H": largest_stride_first}, rounding=True),
    Mistake("explicit matrix", "H x is a product with the matrix; butterflies h = 1, 2, 4, ... "
            "decide the bits", {"H": lambda x: x @ wht(np.eye(x.shape[-1], dtype=x.dtype))}, rounding=True),
)  # fmt: skip
MISTAKES = (
    factor("scale 1/√n", "H is divided by √n (orthonormal); it must not be: H H = n I, entries ±1",
           lambda p: 1 / sqrt(p.n)),
    factor("scale 1/n", "H is divided by n, as in the inverse transform; entries ±1 are needed, H H = n I",
           lambda p: 1 / p.n),
    factor("scale √n", "H is √n times too large; entries ±1 are needed", lambda p: sqrt(p.n)),
    factor("scale n", "H is n times too large: a factor n for the inverse of an unnormalised transform? "
           "Entries ±1 are needed", lambda p: p.n),
    *ORDERS,
    wrong("reversed", "outputs come in reversed order", H=lambda x: wht(x)[..., ::-1]),
    wrong("H twice", "H is applied twice, which gives n x", H=lambda x: wht(wht(x))),
    *OF_BITS,
)  # fmt: skip


def transform(s: Any, x: Array, p: Any) -> Any:
    """H x."""
    p.n = len(x)
    return s.scale(s.H(x), p)


TABLES = {("wht", "given", "transform"): Table(
    transform, {"H": wht}, MISTAKES,
    # at 1, 2 all orders agree
    lambda dtype: (Problem(f"n = {n}", 4 * numbers(dtype, n), {}) for n in (1, 2, 8, 16, 128)),
)}  # fmt: skip
