"""How a kernel of `exact.cu` or `fast.cu` is compiled and started.

A file is compiled by NVRTC at its first use, once for float and once for double; CuPy keeps the binary
for every device, and on disk. A launch returns at once: nothing here waits for the device, and numbers
travel as arguments of the kernel.
"""

from __future__ import annotations

from functools import cache, partial
from importlib.resources import files
from typing import Any

import cupy as cp
import numpy as np

from npintdim.kernels.purpose import Purpose

THREADS = 128  # of every block
TILE = 2048  # numbers of a Walsh–Hadamard transform that a block holds in shared memory
PURPOSES = Purpose.DENSE, Purpose.SPARSE_GAP, Purpose.SPARSE_SIGN  # of the streams that kernels draw from
REAL = {"float32": "float", "float64": "double"}
OPTIONS = {
    "exact.cu": ("--fmad=false",),
    "fast.cu": (),
}  # a fused product-sum would be rounded once, not twice


def options(file: str, dtype: str) -> tuple[str, ...]:
    """What the compiler is told."""
    sizes = f"-DREAL={REAL[dtype]}", f"-DTHREADS={THREADS}", f"-DTILE={TILE}"
    purposes = (f"-D{purpose.name}={purpose.value}" for purpose in PURPOSES)
    return ("--std=c++17", *OPTIONS[file], *sizes, *purposes)


@cache
def module(file: str, dtype: str) -> Any:
    """The file for T = dtype."""
    code = files(__package__).joinpath(file).read_text(encoding="utf-8")
    return cp.RawModule(code=code, options=options(file, dtype))


@cache
def kernel(file: str, name: str, dtype: str) -> Any:
    """A kernel of that file."""
    return module(file, dtype).get_function(name)


def launch(file: str, name: str, blocks: int, *args: Any, T: Any = np.float32) -> None:
    """Start `blocks` blocks of THREADS threads.

    Parameters
    ----------
    file, name : where the kernel stands; its name there
    blocks : 0 starts nothing
    args : arrays (contiguous, as every array made here is; views from outside are copied), and numbers:
        a Python int arrives as 64-bit integer, a float as double, a NumPy scalar as what it is
    T : the floating-point type of the kernel, where it has one
    """
    if blocks:
        args = tuple(cp.ascontiguousarray(a) if isinstance(a, cp.ndarray) and a.ndim else a for a in args)
        kernel(file, name, np.dtype(T).name)((blocks,), (THREADS,), args)


exact = partial(launch, "exact.cu")  # a kernel whose bits are promised
fast = partial(launch, "fast.cu")  # one of which bounds are promised


def cover(count: int) -> int:
    """Blocks that give each of `count` entries a thread."""
    return -(-count // THREADS)
