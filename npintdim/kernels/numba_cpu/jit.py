"""How the twins are compiled: `jit` for a loop, `spread` for a loop that threads may share.

All code is compiled lazily, without the GIL, with IEEE division and without fast-math, and kept on
disk. Numba's own cache watches only the file a function stands in, so that a change in a function
it inlines goes unnoticed, and two processes that save at once can swap their entries. `Cache`
therefore has one file per compiled variant, sealed with a hash of all sources of this folder: a
cache that is stale, broken, read-only or shared costs a compilation and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps
from numba.np.ufunc.parallel import threading_layer

from npintdim.typing import Array

SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


class Cache(FunctionCache):
    """One sealed file per function, signature, processor and `parallel`."""

    def __init__(self, function: Callable[..., Any], parallel: bool) -> None:
        super().__init__(function)
        self.name = f"{self._impl.filename_base}-{'parallel' if parallel else 'serial'}"

    def file(self, signature: Any, codegen: Any) -> Path:
        """Where a variant is kept."""
        variant = repr((numba.__version__, str(signature), codegen.magic_tuple()))
        return Path(self.cache_path, f"{self.name}-{hashlib.sha256(variant.encode()).hexdigest()[:16]}.nbc")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled variant, or None where there is none that can be trusted."""
        target_context.refresh()
        with contextlib.suppress(Exception):
            kept = self.file(sig, target_context.codegen()).read_bytes()
            if seal(kept[32:]) == kept[:32]:
                return self._impl.rebuild(target_context, pickle.loads(kept[32:]))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a variant if that is possible; atomically, since other processes do the same."""
        with contextlib.suppress(Exception):
            content = dumps(self._impl.reduce(data))
            path = self.file(sig, data.codegen)
            part = path.with_suffix(f".{uuid.uuid4().hex[:16]}")
            part.write_bytes(seal(content) + content)
            os.replace(part, path)  # noqa: PTH105


def seal(content: bytes) -> bytes:
    """Hash of a compiled variant and of the sources it belongs to."""
    h = SOURCES.copy()
    h.update(content)
    return h.digest()


def jit(function: Callable[..., Any], parallel: bool = False) -> Any:
    """Compile a function of arrays and numbers."""
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", parallel=parallel)(function)
    with contextlib.suppress(RuntimeError):  # no folder can be written to: compile in every process
        dispatcher._cache = Cache(function, parallel)
    return dispatcher


@functools.cache
def concurrent() -> bool:
    """Start the threads; whether two Python threads may use them at once.

    They shall sleep while they wait: a thread that spins keeps its core from the one it waits for,
    and on a machine with other work to do a kernel of 0.1 ms then takes 10 ms. OpenMP reads this
    wish once, when it is loaded. Numba's workqueue layer aborts when two Python threads meet in it.
    """
    given = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = given or "passive"
    numba.get_num_threads()
    if given is None:
        del os.environ["OMP_WAIT_POLICY"]
    return bool(threading_layer() != "workqueue")


def worth(threads: int, microseconds: float) -> int:
    """The threads where the work of one thread is long enough to wake others (about 50 µs), else 1."""
    return threads if microseconds > 200.0 else 1


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function whose last parameter is the number of parts of its outer prange loop.

    It is compiled twice, serial and parallel, each when first needed. The caller's last argument is
    the number of threads.
    """
    serial, parallel = jit(function), jit(function, parallel=True)

    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        *others, threads = arguments
        if threads > 1 and concurrent():
            return parallel(*others, threads)
        return serial(*others, 1)

    return run


def frozen(array: Array) -> Array:
    """A contiguous, read-only view, so that one compiled variant serves read-only and other arrays."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
