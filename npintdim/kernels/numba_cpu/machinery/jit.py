"""How the twins are compiled: `jit` for a loop; `share.py` for one that threads share.

All code is compiled lazily, without the GIL, with IEEE division and without fast-math, and kept on
disk: `cache.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from npintdim.kernels.numba_cpu.machinery.cache import Cache
from npintdim.typing import Array


def jit(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays and numbers, once per dtype, when first called."""
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = Cache(function)
    return dispatcher


@jit
def own(count, part, parts):
    """First and end of a part's share of count things."""
    return count * part // parts, count * (part + 1) // parts


def frozen(*arrays: Array) -> list[Array]:
    """Contiguous, read-only views, so that one compiled variant serves read-only and other arrays."""
    views = [np.ascontiguousarray(array).view() for array in arrays]
    for view in views:
        view.flags.writeable = False
    return views
