"""A stand-in for `cupy.RawModule` that compiles CUDA source with the host's C++ compiler and runs it here.

Every kernel runs unchanged, block after block (see cuda_on_host.h). Beyond what a GPU does, it checks that
the arguments of a launch have the types that the kernel declares, which CuPy does not look at.
"""

import ctypes
import importlib
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import gpu_standin
import numpy as np

from npintdim import kernels

COMPILER = shutil.which("g++") or shutil.which("clang++")
ENTRY = """
extern "C" __attribute__((visibility("default"))) int host_run_{0}(unsigned grid, int backwards, void **args) {{ return host::Launch<{0}>::run(grid, {1}, backwards, args); }}
extern "C" __attribute__((visibility("default"))) const char *host_types_{0}() {{ return host::Launch<{0}>::types(); }}
"""
BARRIER = re.compile("__syncthreads|block_sum")
order = {"backwards": False}  # of threads and blocks


@cache
def compile_on_host(code, options):
    found = re.findall(r'extern "C" __global__ void (\w+)(.*?)^}', code, re.DOTALL | re.MULTILINE)
    folder = Path(tempfile.mkdtemp(prefix="cuda_on_host"))
    source, library = folder / "kernels.cpp", folder / "kernels.so"
    source.write_text(
        code + "".join(ENTRY.format(name, int(bool(BARRIER.search(body)))) for name, body in found)
    )
    macros = [option for option in options if option.startswith("-D")]
    flags = [
        "-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall",
        "-Werror", "-Wno-unused",
    ]  # fmt: skip
    header = ["-include", str(Path(__file__).with_name("cuda_on_host.h"))]
    subprocess.run([COMPILER, *flags, *macros, *header, source, "-o", library], check=True)
    loaded = ctypes.CDLL(str(library))
    shutil.rmtree(folder)
    return loaded


class RawModule:
    def __init__(self, *, code, options):
        self.library = compile_on_host(code, options)

    def get_function(self, name):
        run, types = (getattr(self.library, f"host_{what}_{name}") for what in ("run", "types"))
        types.restype = ctypes.c_char_p
        declared = types().decode().split()

        def kernel(grid, block, args):
            (blocks,), values = grid, [plain(a) for a in args]
            given = [("*" if v.ndim else "") + v.dtype.str[1:] for v in values]
            fits = [
                g == d or (d == "*?" and g in ("*u2", "*u4")) for g, d in zip(given, declared, strict=True)
            ]
            assert all(fits), f"{name} takes {declared}, but was given {given}"
            assert all(v.flags.c_contiguous for v in values), f"{name} was given a view with gaps"
            pointers = [ctypes.c_void_p(v.ctypes.data) for v in values]
            slots = [
                ctypes.addressof(p) if v.ndim else v.ctypes.data
                for v, p in zip(values, pointers, strict=True)
            ]
            failed = run(blocks, order["backwards"], (ctypes.c_void_p * len(slots))(*slots))
            assert not failed, f"{name}: threads of a block do not meet at a barrier"

        return kernel


def plain(argument):
    """A pointer as an array, a number as a 0-d array of the type in which CuPy passes it."""
    if hasattr(argument, "_a"):
        return argument._a if argument.ndim else argument._a.reshape(1)
    assert isinstance(argument, (int, float, np.generic)), f"{type(argument)} is no kernel argument"
    return np.asarray(argument)


@contextmanager
def twins_on_host(backwards=False):
    """The package npintdim.kernels.cuda, imported on the CuPy stand-in with its kernels run here."""

    def forget():
        names = [n for n in sys.modules if n == "cupy" or n.startswith(("cupy.", "npintdim.kernels.cuda"))]
        return {name: sys.modules.pop(name) for name in names}

    before = forget()
    gpu_standin.RawModule, sys.modules["cupy"], order["backwards"] = RawModule, gpu_standin, backwards
    try:
        yield importlib.import_module("npintdim.kernels.cuda")
    finally:
        forget()
        sys.modules.update(before)
        del gpu_standin.RawModule, kernels.cuda
