"""What is timed. Each function takes its numbers and `threads`, prepares everything, and returns something to call.

What `npintdim bench` times too comes from `npintdim.cli.bench`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import npintdim as nid
from npintdim.cli import bench
from npintdim.cli.bench import EXAMPLES, D, d


def backend(threads: int, name: str = "numba", dtype: str = "float32") -> nid.Backend:
    return nid.get_backend(name, np.dtype(dtype), threads)


def normal(*shape: int) -> Any:
    """float32 normals, the same for every case."""
    return bench.normal(nid.get_backend("numpy"), *shape)


def images() -> Any:
    return normal(EXAMPLES, 1, 28, 28)


def labels() -> Any:
    return np.arange(EXAMPLES) % 10


def fastfood(
    threads: int, D: int = D, d: int = d, blocks: str = "stacked", name: str = "numba", dtype: str = "float32"
) -> Any:
    return nid.make_projection("fastfood", D, d, 0, backend(threads, name, dtype), blocks=blocks)
