"""Dense projections without a matrix: column j is drawn again from its address whenever it is needed.

Gaussian    P_ij = g_ij / sqrt(Σ_i g_ij²),  g_ij = normal i of lane j
Rademacher  P_ij = ± 1/√D,                  sign i of lane j

P v is summed with columns ascending, product and sum each rounded. All products are those of some rows,
start, ..., stop − 1, where 2048 divides start.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from npintdim.kernels.purpose import Purpose
from npintdim.kernels.reference.normals import normals
from npintdim.kernels.reference.words import signs, words
from npintdim.typing import Floats


def gaussian_column(seed: int, j: int, start: int, stop: int) -> NDArray[np.int32]:
    """Grid normals g_ij of column j, (stop − start,) int32."""
    return normals(words(seed, Purpose.DENSE, j, start, stop - start)).astype(np.int32)


def rademacher_column(seed: int, j: int, start: int, stop: int) -> NDArray[np.int8]:
    """Signs of column j, (stop − start,) int8."""
    packed = words(seed, Purpose.DENSE, j, start // 32, -(-(stop - start) // 32))
    return signs(packed, stop - start).astype(np.int8)


def gaussian_apply(
    v: Floats, seed: int, norms: NDArray[np.float64], start: int, stop: int, threads: int = 1
) -> Floats:
    """P v = Σ_j P_j v_j with P_j = dtype(g_j / norm_j): (stop − start,), dtype of v."""
    y = np.zeros(stop - start, dtype=v.dtype)
    for j in range(len(v)):
        y += (gaussian_column(seed, j, start, stop) / norms[j]).astype(v.dtype) * v[j]
    return y


def gaussian_adjoint(
    g: Floats, seed: int, norms: NDArray[np.float64], start: int, threads: int = 1
) -> Floats:
    """(Pᵀ g)_j = ⟨P_j, g⟩: (d,), dtype of g."""
    drawn = (gaussian_column(seed, j, start, start + len(g)) for j in range(len(norms)))
    columns = ((g_j / norm).astype(g.dtype) for g_j, norm in zip(drawn, norms, strict=True))
    return np.array([column @ g for column in columns], dtype=g.dtype)


def rademacher_apply(v: Floats, seed: int, D: int, start: int, stop: int, threads: int = 1) -> Floats:
    """P v = Σ_j ± (v_j/√D): (stop − start,), dtype of v."""
    scaled = v * v.dtype.type(1.0 / math.sqrt(D))
    y = np.zeros(stop - start, dtype=v.dtype)
    for j in range(len(v)):
        y += rademacher_column(seed, j, start, stop) * scaled[j]
    return y


def rademacher_adjoint(g: Floats, seed: int, D: int, d: int, start: int, threads: int = 1) -> Floats:
    """(Pᵀ g)_j = Σ_i ± g_i / √D: (d,), dtype of g."""
    sums = [rademacher_column(seed, j, start, start + len(g)) @ g for j in range(d)]
    return np.array(sums, dtype=g.dtype) * g.dtype.type(1.0 / math.sqrt(D))
