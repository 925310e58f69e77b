"""The machine at hand: its processor, versions, and limits."""

from __future__ import annotations

import importlib
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import npintdim as nid
from npintdim.cli.bench import FAR, arithmetic_limit, copy_limit
from npintdim.machine import cores

PACKAGES = ("numpy", "scipy", "numba", "torch")


def variant() -> str:
    """Either "native" or the processor that Numba is held to."""
    return os.environ.get("NUMBA_CPU_NAME", "native")


def hold_to_avx2() -> None:
    """Let Numba, here and in every case, compile for a processor without AVX-512; the name alone would not do it."""
    features = importlib.import_module("llvmlite.binding").get_host_cpu_features()
    newer = ("avx512", "avx10", "evex512")
    os.environ["NUMBA_CPU_NAME"] = "haswell"
    os.environ["NUMBA_CPU_FEATURES"] = ",".join(
        f"{'+' if there and not name.startswith(newer) else '-'}{name}" for name, there in features.items()
    )


def describe() -> dict[str, Any]:
    """What a table must say about where it was measured."""
    return {
        "processor": processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of what is compared."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def processor() -> str:
    """Model, and the widest vectors that it has."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    text = info.read_text()
    found = {
        key: re.search(rf"^{key}\s*:\s*(.*)$", text, re.MULTILINE)
        for key in ("model name", "cpu family", "flags")
    }
    name, family, flags = (match[1] if match else "" for match in found.values())
    wide = next(
        (label for flag, label in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags.split()), ""
    )
    return f"{name} (family {family}, {wide or 'neither AVX-512 nor AVX2'})" if name else platform.machine()


def limits(threads: int) -> dict[str, float]:
    """Copy in GB/s (read and written added up) and multiply-adds in GFLOP/s."""
    backend = nid.get_backend("numba", np.float32, threads)
    return {"copy": copy_limit(backend, FAR, 1.0), "multiply-adds": arithmetic_limit(backend, 1.0)}
