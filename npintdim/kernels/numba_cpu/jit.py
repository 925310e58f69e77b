"""How the twins are compiled and run: `jit` for a loop, `spread` for a loop that threads share.

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
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from npintdim.typing import Array

WAKING = 200.0  # microseconds of work; another thread sleeps and takes about 50 to wake
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


class Cache(FunctionCache):
    """One sealed file per function, signature and processor."""

    def file(self, signature: Any, codegen: Any) -> Path:
        """Where a variant is kept."""
        variant = repr((numba.__version__, str(signature), codegen.magic_tuple()))
        return Path(
            self.cache_path,
            f"{self._impl.filename_base}-{hashlib.sha256(variant.encode()).hexdigest()[:16]}.nbc",
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled variant, or None where there is none that can be trusted."""
        rtsys.initialize(
            target_context
        )  # all that compiled code needs; the compiler prepares the rest for itself
        with contextlib.suppress(Exception):
            kept = self.file(sig, target_context.codegen()).read_bytes()
            if seal(kept[32:]) == kept[:32]:
                return self._impl.rebuild(target_context, pickle.loads(kept[32:]))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a variant if that is possible; atomically, since other processes do the same."""
        with contextlib.suppress(Exception):
            if not self._impl.check_cachable(data):
                return
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


def jit(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays and numbers, once per dtype, when first called."""
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    with contextlib.suppress(RuntimeError):  # no folder can be written to: compile in every process
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
