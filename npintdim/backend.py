"""Which arrays, which kernels, which precision: made once, passed explicitly, never global."""

from __future__ import annotations

import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from npintdim.inputs import brief, check_flag, check_kind, cut, one_of, plain
from npintdim.machine import MOST, check_memory, cores, need
from npintdim.typing import Array

NAMES = ("numpy", "numba", "cupy")


def namespace(array: object) -> ModuleType:
    """cupy for its arrays, numpy for all others."""
    if not isinstance(array, np.ndarray):
        for kind in type(array).__mro__:
            if kind.__name__ == "ndarray":
                return sys.modules[kind.__module__.partition(".")[0]]
    return np


def as_array(what: str, value: Any) -> Any:
    """What another library calls an array as NumPy's own type; as it is if it is none, or lives on a GPU."""
    if type(value) is np.ndarray or not hasattr(value, "__array__"):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array: fill, or leave out, what is masked")
    if hasattr(value, "__cuda_array_interface__"):
        return value
    try:
        return np.asarray(value)
    except Exception as error:  # whatever the other library says
        named = f"{type(value).__module__}.{type(value).__name__}"
        raise TypeError(f"{what} is a {named} that does not become a NumPy array: {error}") from error


@dataclass(frozen=True)
class Backend:
    """Arrays (`xp`), hot loops (`kernels`) and precision (`dtype`) of a computation.

    Parameters
    ----------
    name : "numpy", "numba" or "cupy"
    xp : numpy or cupy; engine code is plain NumPy written with it
    kernels : npintdim.kernels.reference, .numba_cpu or .cuda
    dtype : float32 to run, float64 to check
    threads : of the kernels; results do not depend on it
    fuse : let a network compute runs of its layers in one go where that is faster; results differ by rounding
    """

    name: str
    xp: ModuleType
    kernels: ModuleType
    dtype: np.dtype[Any]
    threads: int
    fuse: bool = True

    def __reduce__(self) -> tuple[Callable[..., Backend], tuple[str, str, int, bool]]:
        return get_backend, (self.name, self.dtype.name, self.threads, self.fuse)

    def __repr__(self) -> str:
        more = "" if self.fuse else ", fuse=False"
        return f"Backend({self.name!r}, dtype={self.dtype.name}, threads={self.threads}{more})"

    def floats(self, array: Array, what: str) -> Array:
        """The array in this backend's dtype; a host array stays on the host, so a GPU refuses it.

        Raises
        ------
        TypeError
            if the array lives on another device, or is not real numbers.
        """
        if type(array) is not self.xp.ndarray:
            array = as_array(what, array) if self.xp is np else array
        if not isinstance(array, self.xp.ndarray):
            if self.xp is not np or hasattr(array, "__cuda_array_interface__"):
                raise TypeError(
                    f"{what} is a {type(array).__module__}.{type(array).__name__}, but backend {self.name!r} "
                    f"computes with {self.xp.__name__} arrays: move it there first with backend.send(...)"
                )
            array = np.asarray(array)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{what} has dtype {array.dtype}: real numbers are needed")
        return array.astype(self.dtype, copy=False)

    def room(self, what: str, size: float, instead: str) -> None:
        """Say what is large before it is taken; a MemoryError for more than is free. A GPU says so itself."""
        if self.xp is np:
            check_memory(what, size, instead)

    def send(self, array: Array, dtype: Any = None) -> Array:
        """Copy a host array to the backend's device (nothing moves where it is there already)."""
        return self.xp.asarray(as_array("the array", array), dtype=dtype)

    def host(self, array: Array) -> Array:
        """The array as a NumPy array."""
        array = as_array("the array", array)
        return array.get() if hasattr(array, "get") else np.asarray(array)


def modules(name: str) -> tuple[ModuleType, ModuleType]:
    """Arrays and kernels of a backend; an ImportError has the pip line, or why it cannot be used."""
    if name == "numpy":
        return np, importlib.import_module("npintdim.kernels.reference")
    if name == "numba":
        with nullcontext() if "numba" in sys.modules else numbas_warnings():
            config = need(
                "numba:config", "backend 'numba' needs the numba package", "pip install 'npintdim[numba]'"
            )
        if config.DISABLE_JIT:
            raise ImportError("backend 'numba': NUMBA_DISABLE_JIT switches its compiler off")
        return np, need("npintdim.kernels.numba_cpu", "backend 'numba' needs its kernels", "")
    pip = "pip install 'npintdim[cuda12]' or 'npintdim[cuda13]', whichever CUDA your driver has"
    cupy, available = (need(what, "backend 'cupy' needs CuPy", pip) for what in ("cupy", "cupy:is_available"))
    try:
        found, why = available(), ""
    except Exception as error:
        found, why = False, f" ({brief(error)})"
    if not found:
        raise ImportError(f"backend 'cupy': CuPy is installed, but it finds no CUDA device{why}")
    return cupy, importlib.import_module("npintdim.kernels.cuda")


@contextmanager
def numbas_warnings() -> Iterator[None]:
    """Numba warns, with a traceback in every process, of a variable it cannot read: one line, then unset."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        line = str(warning.message).partition("\n")[0]
        if variable := re.search(r"NUMBA_\w+", line):
            os.environ.pop(variable[0], None)
            warnings.warn(line, warning.category, stacklevel=2)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def missing(name: str) -> str | None:
    """Why a backend cannot be used here, or None where it can."""
    try:
        modules(name)
    except ImportError as error:
        return str(error)
    return None


def given(backend: Backend | None) -> Backend:
    """The backend, or the default one for None; TypeError for a name, for instance."""
    if backend is None:
        return get_backend()
    name = backend if isinstance(backend, str) else "numpy"
    check_kind("backend", backend, Backend, f"get_backend({name!r})")
    return backend


@cache
def fall_back(why: str) -> None:
    """Say once that the default is not what is installed."""
    warnings.warn(f"{why}: NumPy computes, which is slower", stacklevel=2)


def get_backend(
    name: str | None = None, dtype: Any = np.float32, threads: int | None = None, fuse: bool = True
) -> Backend:
    """Choose arrays, kernels and precision.

    Parameters
    ----------
    name : "numpy", "numba", "cupy" or None
        None takes numba where it is installed, else numpy; the result's `name` says which, and a warning why
        where numba is installed and cannot be used. A backend that is named is never replaced by another.
    dtype : float32 or float64
    threads : None for all cores that this process may use
    fuse : False computes every layer of a network alone, see `Model.plan`

    Raises
    ------
    ImportError
        if the named backend's package or device is missing, or cannot be used; the message has the pip line,
        or the reason.
    ValueError
        for an unknown name, another dtype, or threads that are not an integer with 1 ≤ threads ≤ 4096.
    """
    if name is not None:
        name = one_of("backend", name, NAMES)
    with suppress(TypeError, ValueError):  # where NumPy has no such dtype
        dtype = np.dtype(np.float32 if dtype is None else dtype)
    if not isinstance(dtype, np.dtype) or dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype is {cut(str(dtype), 100)}: float32 (to run) or float64 (to check) is needed")
    if (own := plain(threads)) is not None and (
        type(own) not in (int, float) or not 1 <= own <= MOST or own % 1
    ):
        raise ValueError(f"threads is {threads!r}: an integer with 1 ≤ threads ≤ {MOST} is needed")
    if name is None:
        name = "numba"
        try:
            modules(name)
        except ImportError as error:
            name = "numpy"
            if not isinstance(error, ModuleNotFoundError):
                fall_back(str(error))
    xp, kernels = modules(name)
    return Backend(name, xp, kernels, dtype, int(threads or cores()), check_flag("fuse", fuse))
