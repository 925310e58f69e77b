"""The Walsh–Hadamard transform H x, unnormalised, in natural (Sylvester) order."""

from __future__ import annotations

from npintdim.typing import Floats


def wht(x: Floats, threads: int = 1) -> Floats:
    """H x along the last axis, H₁ = (1), H₂ₙ = ((H, H), (H, −H)), so that H H = n I.

    log₂ n rounds of butterflies with strides h = 1, 2, 4, ...; this order is part of the
    definition, since it decides the bits.

    Parameters
    ----------
    x : (..., n), n a power of two
    threads : ignored here; the result does not depend on it

    Returns
    -------
    (..., n), a fresh array

    Raises
    ------
    ValueError
        if n is no power of two.
    """
    n = x.shape[-1]
    if n < 1 or n & (n - 1):
        raise ValueError(f"x has {n} entries along its last axis: a power of two is needed")
    y = x.copy()
    h = 1
    while h < n:
        pairs = y.reshape(*y.shape[:-1], n // (2 * h), 2, h)
        a, b = pairs[..., 0, :], pairs[..., 1, :]
        a_plus_b = a + b
        pairs[..., 1, :] = a - b
        pairs[..., 0, :] = a_plus_b
        h *= 2
    return y
