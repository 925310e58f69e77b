"""How long a call takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from npintdim.backend import Backend


def median_seconds(backend: Backend, call: Callable[[], object], seconds: float) -> float:
    """Median of a call, repeated for so long, after one call that compiles and draws."""
    call()
    wait(backend)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        call()
        wait(backend)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def wait(backend: Backend) -> None:
    """Until a GPU has done what was asked of it."""
    if backend.xp is not np:
        backend.xp.cuda.get_current_stream().synchronize()
