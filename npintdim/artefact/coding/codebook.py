"""Codebook: the few values that numbers of a quantised theta_d can have; and k-means on a line, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from npintdim.backend import as_array
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
        A = scale_matrix(self.kind, self.K)
        object.__setattr__(self, "K", len(A))
        with np.errstate(all="ignore"):
            s = np.array(self.scales, np.float16)
        s.flags.writeable = False
        object.__setattr__(self, "scales", s)
        if s.shape != (A.shape[1],):
            raise ValueError(
                f"scales has shape {s.shape}, "
                f"but a {self.kind} codebook of K = {self.K} levels has {A.shape[1]}"
            )
        if not np.isfinite(s).all():
            raise ValueError("the codebook holds NaN, infinity or a number beyond float16")
        if not (np.diff(self.levels) > 0).all() or (self.kind == "uniform" and not s[0] > 0):
            raise ValueError("the levels of the codebook do not ascend")

    @property
    def levels(self) -> NDArray[np.float32]:
        """The K values c, (K,) ascending; exact in float32."""
        return scale_matrix(self.kind, self.K) @ self.scales.astype(np.float32)

    def nearest(self, v: Floats) -> Ints:
        """The index of the level nearest to each number, (d,); of two that are as near, the lower."""
        c = self.levels.astype(np.float64)
        return np.searchsorted((c[1:] + c[:-1]) / 2, v)


def scale_matrix(kind: str, K: int) -> NDArray[np.float32]:
    """A, (K, number of scales), for a known kind and K in 1, ..., 128."""
    K = check_integer("K", K, 1, LARGEST_K, f"1 ≤ K ≤ {LARGEST_K} levels")
    if one_of("codebook", kind, KINDS) == "free":
        return np.eye(K, dtype=np.float32)
    return (np.arange(K, dtype=np.float32) - (K - 1) / 2)[:, None]


def kmeans(x: Floats, K: int) -> NDArray[np.float64]:
    """The K centres with the least Σ_i min_k (x_i − c_k)², ascending; fewer if x has fewer different numbers.

    Parameters
    ----------
    x : (n,) finite
    K : ≥ 1

    Raises
    ------
    ValueError
        if x is empty or not finite.

    Notes
    -----
    In order, the clusters are runs x_i, ..., x_j, and with E_k(j)
    the least error of the first j numbers in k of them

        E_k(j) = min_i E_{k−1}(i) + e(i, j),     e(i, j) = Σ x² − (Σ x)²/(j − i)  over x_i, ..., x_{j−1}.

    The best i does not fall as j grows, so the middle j halves the choice for both sides: O(K n log n).
    """
    check_integer("K", K, 1)
    x = np.sort(np.asarray(as_array("x", x), np.float64).ravel())
    if len(x) == 0 or not np.isfinite(x).all():
        raise ValueError(f"x has {len(x)} numbers: at least one, and only finite ones, are needed")
    K = min(K, len(np.unique(x)))
    middle = x.mean()  # so that e does not cancel
    sums, squares = (np.concatenate([[0.0], np.cumsum((x - middle) ** p)]) for p in (1, 2))

    def error(i: NDArray[np.intp], j: int) -> NDArray[np.float64]:
        return squares[j] - squares[i] - (sums[j] - sums[i]) ** 2 / (j - i)

    n = len(x)
    E = np.array([0.0, *(error(np.array([0]), j)[0] for j in range(1, n + 1))])
    starts = []  # of the last cluster, for every j
    for k in range(2, K + 1):
        longer, best = np.full(n + 1, np.inf), np.zeros(n + 1, np.intp)
        todo = [(k, n, k - 1, n - 1)]  # j from, to; the best i from, to
        while todo:
            first, last, least, most = todo.pop()
            j = (first + last) // 2
            i = np.arange(least, min(j - 1, most) + 1)
            errors = E[i] + error(i, j)
            best[j] = i[errors.argmin()]
            longer[j] = errors.min()
            if first < j:
                todo.append((first, j - 1, least, int(best[j])))
            if j < last:
                todo.append((j + 1, last, int(best[j]), most))
        E = longer
        starts.append(best)
    ends = [n]
    for best in reversed(starts):
        ends.append(int(best[ends[-1]]))
    bounds = [*ends, 0][::-1]
    return np.array([x[a:b].mean() for a, b in pairwise(bounds)])
