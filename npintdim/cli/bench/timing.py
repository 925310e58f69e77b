"""How long a call takes."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import numpy as np

from npintdim.backend import Backend

CHUNK = 2e-3  # seconds; shorter calls are timed several at a time


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
