"""H x of one vector of n = 2^k."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.linalg

from benchmarks.cases import backend, normal
from npintdim.cli.bench import transform
from npintdim.kernels import reference
from npintdim.kernels.numba_cpu.wht import hadamard


def ours(k: int, threads: int) -> Callable[[], object]:
    return transform(backend(threads), k)


def in_place(k: int, threads: int) -> Callable[[], object]:
    """As Fastfood uses it: no new array."""
    return partial(hadamard, np.zeros(1 << k, dtype=np.float32))


def plain(k: int, threads: int) -> Callable[[], object]:
    return partial(reference.wht, normal(1 << k))


def matrix(k: int, threads: int) -> Callable[[], object]:
    """scipy.linalg.hadamard(n) @ x."""
    H = scipy.linalg.hadamard(1 << k, dtype="float32")
    return partial(H.__matmul__, normal(1 << k))
