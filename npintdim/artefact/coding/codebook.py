"""Codebook: the few values that the numbers of a quantised theta_d can have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import check_integer, one_of
from npintdim.typing import Floats, Ints

KINDS = ("uniform", "free")
LARGEST_K = 128


@dataclass(frozen=True, eq=False)
class Codebook:
    """K levels c = A s, where the scales s are what the file stores, in binary16.

    Parameters
    ----------
    kind : "uniform": A_k = k − (K−1)/2 and s = (Δ,), levels Δ apart around zero; "free": A = I and s = c
    K : number of levels
    scales : s, (1,) or (K,); it is rounded to float16

    Raises
    ------
    ValueError
        unless K, the number of scales and their order make K different levels, finite and ascending.
    """

    kind: str
    K: int
    scales: NDArray[np.float16]

    def __post_init__(self) -> None:
        A = matrix(self.kind, self.K)
        with np.errstate(all="ignore"):
            s = np.array(self.scales, np.float16)
        s.flags.writeable = False
        object.__setattr__(self, "scales", s)
        if s.shape != (A.shape[1],):
            raise ValueError(
                f"scales has shape {s.shape}, but a {self.kind} codebook of K = {self.K} levels has {A.shape[1]}"
            )
        if not np.isfinite(s).all():
            raise ValueError("the codebook holds NaN, infinity or a number beyond float16")
        if not (np.diff(self.levels) > 0).all() or (self.kind == "uniform" and not s[0] > 0):
            raise ValueError("the levels of the codebook do not ascend")

    @property
    def levels(self) -> NDArray[np.float32]:
        """The K values c, (K,) ascending; exact in float32."""
        return matrix(self.kind, self.K) @ self.scales.astype(np.float32)

    def nearest(self, v: Floats) -> Ints:
        """The index of the level nearest to each number, (d,); of two that are as near, the lower."""
        c = self.levels.astype(np.float64)
        return np.searchsorted((c[1:] + c[:-1]) / 2, v)


def matrix(kind: str, K: int) -> NDArray[np.float32]:
    """A, (K, number of scales), for a known kind and K in 1, ..., 128."""
    check_integer("K", K, 1, LARGEST_K, f"1 ≤ K ≤ {LARGEST_K} levels")
    if one_of("codebook", kind, KINDS) == "free":
        return np.eye(K, dtype=np.float32)
    return (np.arange(K, dtype=np.float32) - (K - 1) / 2)[:, None]
