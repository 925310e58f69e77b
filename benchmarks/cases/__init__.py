"""What is timed. Each function takes its numbers and `threads`, prepares everything, and returns something to call."""

from __future__ import annotations

from typing import Any

import numpy as np

import npintdim as nid

D, d = 199_210, 750  # the paper's MNIST network, and its intrinsic dimension
LENET_D, LENET_d = 44_426, 290
EXAMPLES = 128
LR = 1e-6  # a step is timed over and over, and must not lead anywhere


def backend(threads: int, name: str = "numba") -> nid.Backend:
    return nid.get_backend(name, np.float32, threads)


def normal(*shape: int) -> Any:
    """float32 normals, the same for every case."""
    grid = nid.Stream(0, nid.Purpose.CHECK, 0).normals(int(np.prod(shape)))
    return (grid * 2.0**-20).astype(np.float32).reshape(shape)


def images() -> Any:
    return normal(EXAMPLES, 1, 28, 28)


def labels() -> Any:
    return np.arange(EXAMPLES) % 10


def fastfood(threads: int, D: int = D, d: int = d, blocks: str = "stacked", name: str = "numba") -> Any:
    return nid.make_projection("fastfood", D, d, 0, backend(threads, name), blocks=blocks)
