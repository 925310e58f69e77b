"""How the twins are compiled: `jit` for a loop; `share.py` for one that threads share.

All code is compiled lazily, without the GIL, with IEEE division and without fast-math, and kept on
disk. Numba's own cache watches only the file a function stands in, so that a change in a function
it inlines goes unnoticed, and two processes that save at once can swap their entries. `Cache`
therefore has one file per compiled variant, sealed with a hash of all sources of this folder: a
cache that is stale, broken, read-only or shared costs a compilation and nothing else.
"""

from __future__ import annotations

import contextlib
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
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from npintdim.typing import Array

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


@jit
def own(count, part, parts):
    """First and end of a part's share of count things."""
    return count * part // parts, count * (part + 1) // parts


def frozen(array: Array) -> Array:
    """A contiguous, read-only view, so that one compiled variant serves read-only and other arrays."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
