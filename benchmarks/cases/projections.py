"""P v and Pᵀ g: npintdim, SciPy, and copies of D floats."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

import npintdim as nid
from benchmarks.cases import D, backend, d, fastfood, normal

FEW = 20  # columns of the Gaussian P whose plain twin would take minutes with 750
LARGE = 25_000_000


def both(P: Any) -> Callable[[], object]:
    """P v, then Pᵀ g."""
    v, g = normal(P.d), normal(P.D)
    return lambda: (P.apply(v), P.adjoint(g))


def dense(name: str, threads: int, columns: int = d, **options: Any) -> Any:
    return nid.make_projection("dense", D, columns, 0, backend(threads, name), **options)


def fastfood_single(threads: int) -> Callable[[], object]:
    return both(fastfood(threads, blocks="single"))


def fastfood_stacked(threads: int) -> Callable[[], object]:
    return both(fastfood(threads))


def two_copies(threads: int) -> Callable[[], object]:
    x, y = normal(D), np.empty(D, dtype=np.float32)

    def copy() -> None:
        np.copyto(y, x)
        np.copyto(y, x)

    return copy


def large(columns: int, threads: int) -> Callable[[], object]:
    return both(fastfood(threads, LARGE, columns))


def large_memory(columns: int, threads: int) -> Callable[[], float]:
    """MB that the products need beyond v, g and their own result: the factors, and whatever is transient."""
    both(fastfood(threads, 100_000, columns))()  # loads what is compiled
    v, g = normal(columns), normal(LARGE)
    before = status("VmRSS")
    P = fastfood(threads, LARGE, columns)
    P.apply(v)

    def reading() -> float:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        P.apply(v)
        P.adjoint(g)
        return status("VmHWM") - before - g.nbytes / 1e6

    return reading


def status(name: str) -> float:
    """MB of this process."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def stored_apply(threads: int) -> Callable[[], object]:
    return partial(dense("numba", threads).apply, normal(d))


def stored_adjoint(threads: int) -> Callable[[], object]:
    return partial(dense("numba", threads).adjoint, normal(D))


def signs_apply(threads: int) -> Callable[[], object]:
    return partial(dense("numba", threads, entries="rademacher", stored=False).apply, normal(d))


def signs_adjoint(threads: int) -> Callable[[], object]:
    return partial(dense("numba", threads, entries="rademacher", stored=False).adjoint, normal(D))


def gaussian_apply(threads: int) -> Callable[[], object]:
    return partial(dense("numba", threads, stored=False).apply, normal(d))


def gaussian_adjoint(threads: int) -> Callable[[], object]:
    return partial(dense("numba", threads, stored=False).adjoint, normal(D))


def few_gaussian(threads: int) -> Callable[[], object]:
    return both(dense("numba", threads, FEW, stored=False))


def few_gaussian_plain(threads: int) -> Callable[[], object]:
    return both(dense("numpy", threads, FEW, stored=False))


def sparse(threads: int) -> Any:
    return nid.make_projection("sparse", D, d, 0, backend(threads))


def sparse_apply(threads: int) -> Callable[[], object]:
    return partial(sparse(threads).apply, normal(d))


def sparse_adjoint(threads: int) -> Callable[[], object]:
    return partial(sparse(threads).adjoint, normal(D))


def csr() -> Any:
    """The same matrix, in SciPy's compressed rows."""
    P = sparse(1)
    indptr, rows, _ = P.columns
    return scipy.sparse.csc_array((P.values, rows, indptr), shape=P.shape).tocsr()


def csr_apply(threads: int) -> Callable[[], object]:
    return partial(csr().__matmul__, normal(d))


def csr_adjoint(threads: int) -> Callable[[], object]:
    return partial(csr().T.__matmul__, normal(D))
