"""K-means of numbers on a line, solved exactly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from npintdim.backend import as_array
from npintdim.inputs import check_integer
from npintdim.typing import Floats


def kmeans(x: Floats, K: int) -> NDArray[np.float64]:
    """The K centres with the least Σ_i min_k (x_i − c_k)², ascending; fewer where x has fewer different numbers.

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
    In order, the clusters are runs x_i, ..., x_j, and with E_k(j) the least error of the first j numbers in k of them

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
