"""How the twins are compiled and run: `jit` for a loop, `spread` for a loop that threads share.

All code is compiled lazily, without the GIL, with IEEE division and without fast-math, and kept on
disk: `cache.py`.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from npintdim.kernels.numba_cpu.cache import Cache
from npintdim.typing import Array

WAKING = 200.0  # microseconds of work; another thread sleeps and takes about 50 to wake


def jit(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays and numbers, once per dtype, when first called."""
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = Cache(function)
    return dispatcher


@functools.cache
def helpers() -> ThreadPoolExecutor:
    """Threads that sleep until they are handed a part."""
    return ThreadPoolExecutor(os.cpu_count(), "npintdim")


def spread(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function whose last two parameters are (part, parts), and run its parts on threads.

    The caller's last argument is the number of threads. The caller works too, and takes back what no
    helper has begun, so that a busy machine costs nothing. Unlike Numba's own parallel loops these
    may be called from several Python threads at once, keep no core spinning, survive a fork, and
    need no second compilation.
    """
    kernel = jit(function)

    @functools.wraps(function)
    def run(*arguments: Any) -> None:
        *given, threads = arguments
        if threads == 1:
            kernel(*given, 0, 1)
            return
        works = [functools.partial(kernel, *given, part, threads) for part in range(threads)]
        begun: list[Future[None]] = []
        with contextlib.suppress(RuntimeError):  # where the interpreter is closing there are no helpers
            for work in works[1:]:
                begun.append(helpers().submit(work))
        works[0]()
        for part in range(threads - 1, 0, -1):  # helpers begin at the other end
            if part > len(begun) or begun[part - 1].cancel():
                works[part]()
        for future in begun:
            if not future.cancelled():
                future.result()

    return run


@jit
def own(count, part, parts):
    """First and end of a part's share of count things."""
    return count * part // parts, count * (part + 1) // parts


def worth(threads: int, microseconds: float) -> int:
    """The threads where one would work long enough for it to pay to wake others, else 1."""
    return threads if microseconds > WAKING else 1


def frozen(array: Array) -> Array:
    """A contiguous, read-only view, so that one compiled variant serves read-only and other arrays."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
