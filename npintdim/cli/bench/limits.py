"""The clock, and the two limits of a machine: how fast it copies, and how fast it multiplies and adds."""

from __future__ import annotations

import importlib
import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import numpy as np

from npintdim.backend import Backend

CHUNK = 2e-3  # seconds; shorter calls are timed several at a time
FAR = 1 << 26  # bytes that no cache holds
SHARED = 1 << 22  # bytes from which on several threads copy faster than one
ROUNDS = 100_000
SIDE = 1024


def median_seconds(backend: Backend, call: Callable[[], object], seconds: float) -> float:
    """Median seconds of a call on the backend, after one call that compiles and draws."""

    def done() -> None:
        call()
        if backend.xp is not np:  # a GPU returns before it has done what was asked of it
            backend.xp.cuda.get_current_stream().synchronize()

    done()
    return a_round(done, seconds)()


def a_round(call: Callable[[], object], seconds: float) -> Callable[[], float]:
    """Measures the median seconds of a call, repeated for so long; three calls tell now how many these are."""
    once = max(timed(call, 3), 1e-9)
    count = math.ceil(CHUNK / once)
    chunks = max(1, round(seconds / (count * once)))
    return lambda: statistics.median(timed(call, count) for _ in range(chunks))


def timed(call: Callable[[], object], count: int) -> float:
    """Seconds a call."""
    began = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - began) / count


@cache
def copy_limit(backend: Backend, count: int, seconds: float) -> float:
    """GB/s, read and written added up, of a copy in which `count` bytes move."""
    n = count // 2
    x, y = backend.xp.ones(n, dtype=np.uint8), backend.xp.zeros(n, dtype=np.uint8)
    threads = backend.threads if backend.xp is np and count >= SHARED else 1

    def copy(part: int) -> None:
        own = slice(n * part // threads, n * (part + 1) // threads)
        y[own] = x[own]

    if threads == 1:
        return count / median_seconds(backend, partial(copy, 0), seconds) / 1e9
    with ThreadPoolExecutor(threads) as pool:
        return count / median_seconds(backend, lambda: list(pool.map(copy, range(threads))), seconds) / 1e9


def arithmetic_limit(backend: Backend, seconds: float) -> float:
    """GFLOP/s of multiply-adds in registers; without compiled kernels, of a product of matrices."""
    if backend.name != "numba":
        a = backend.xp.ones((SIDE, SIDE), dtype=backend.dtype)
        return 2 * SIDE**3 / median_seconds(backend, lambda: a @ a, seconds) / 1e9
    limits: Any = importlib.import_module("npintdim.kernels.numba_cpu.machinery.limits")
    rates = []
    for chains in (limits.SEVEN, limits.TEN):
        run = partial(limits.multiply_adds, ROUNDS, chains, backend.dtype, backend.threads)
        rates.append(run() / median_seconds(backend, run, seconds) / 1e9)
    return max(rates)
