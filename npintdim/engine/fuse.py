"""Fused layers: what a run of layers does, computed in one go; `fuse` puts them in the runs' places.

A fused layer is a `Layer` like any other and is tested against the layers it stands for, which know nothing
of it. Only backends that have the kernels fuse, and only where that pays.
"""

from __future__ import annotations

import importlib
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.initializers import Initializer
from npintdim.engine.layers import Conv2D, Layer, Linear, MaxPool2D, ReLU
from npintdim.engine.layers.base import layout_of
from npintdim.typing import Array, Floats, Ints


@dataclass(frozen=True)
class Fused(Layer):
    """Layers computed together; their parameters are one vector, "theta", in which theirs lie in order."""

    title: ClassVar[str]
    pattern: ClassVar[str]  # of `letter`s: what it can stand for
    layers: tuple[Layer, ...]
    in_shape: tuple[int, ...]  # of one example, before the first of them

    @classmethod
    @abstractmethod
    def pays(cls) -> bool:
        """Whether it is faster on this processor than its layers one by one."""

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """theta (D,), of all its layers."""
        return {"theta": (layout_of(self.layers).D,)}

    def initializers(self) -> dict[str, Initializer]:
        """Of its layers, by their names."""
        return {f"{a.name}.{key}": init for a in self.layers for key, init in a.initializers().items()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one example after the last of them."""
        for layer in self.layers:
            in_shape = layer.out_shape(in_shape)
        return in_shape


@dataclass(frozen=True)
class LinearRun(Fused):
    """Linear layers, each with ReLU or without: the kernel is `kernels/fused/linear_run.py`."""

    title = "linear run"
    pattern = "(LR?)+"

    @classmethod
    def pays(cls) -> bool:
        """Where a register holds 16 float32 (AVX-512); elsewhere NumPy's own products are as fast."""
        return bool(compiled("linear_run").WIDE)

    @cached_property
    def sizes(self) -> Ints:
        """Features from the first input to the last output."""
        linear = [a for a in self.layers if isinstance(a, Linear)]
        return np.array([linear[0].n_in, *(a.n_out for a in linear)], dtype=np.int64)

    @cached_property
    def relu(self) -> Array:
        """Which Linear has a ReLU behind it."""
        kinds = [type(a) for a in (*self.layers, None)]
        return np.array([kinds[i + 1] is ReLU for i, kind in enumerate(kinds) if kind is Linear])

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """All outputs lie in one array, the last one at its end."""
        y = compiled("linear_run").linear_forward(x, params["theta"], self.sizes, self.relu, backend.threads)
        last = len(x) * int(self.sizes[-1])
        return y[len(y) - last :].reshape(len(x), -1), (x, y)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx and dtheta by the kernel."""
        x, y = cache
        dx, dtheta = compiled("linear_run").linear_backward(
            x, params["theta"], self.sizes, self.relu, y, dy, need_dx, backend.threads
        )
        return dx, {"theta": dtheta}


@dataclass(frozen=True)
class ConvPoolRun(Fused):
    """Plain convolutions, each with ReLU or without and 2×2 pooling; kernel: `kernels/fused/conv_pool.py`."""

    title = "convolution and pooling run"
    pattern = "(CR?P)+"

    @classmethod
    def pays(cls) -> bool:
        """Everywhere: it moves a quarter of what its layers move."""
        return True

    @cached_property
    def rows(self) -> tuple[tuple[int, ...], ...]:
        """(c_in, h, w, c_out, k, relu) of each convolution."""
        rows, shape = [], self.in_shape
        for a, after in zip(self.layers, (*self.layers[1:], None), strict=True):
            if isinstance(a, Conv2D):
                rows.append((*shape, a.c_out, a.k, type(after) is ReLU))
            shape = a.out_shape(shape)
        return tuple(rows)

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """By the kernel."""
        return compiled("conv_pool").conv_pool_forward(x, params["theta"], self.rows, backend.threads)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx and dtheta by the kernel."""
        dx, dtheta = compiled("conv_pool").conv_pool_backward(
            params["theta"], self.rows, cache, dy, need_dx, backend.threads
        )
        return dx, {"theta": dtheta}


FUSED: tuple[type[Fused], ...] = (ConvPoolRun, LinearRun)


@cache
def compiled(file: str) -> ModuleType:
    """A file of compiled runs; only who has Numba asks."""
    return importlib.import_module(f"npintdim.kernels.fused.{file}")


def letter(a: Layer) -> str:
    """L for Linear, R for ReLU, C for a plain convolution, P for 2×2 max-pooling, - for all else."""
    if type(a) is Linear or type(a) is ReLU:
        return type(a).__name__[0]
    if type(a) is Conv2D and (a.stride, a.padding) == (1, 0):
        return "C"
    return "P" if type(a) is MaxPool2D and a.size == 2 and a.stride in (0, 2) and not a.ceil else "-"


def fuse(layers: Sequence[Layer], in_shape: tuple[int, ...], backend: Backend) -> tuple[Layer, ...]:
    """The layers, with a fused one in the place of each run that is faster so."""
    kinds = [kind for kind in FUSED if backend.name == "numba" and backend.fuse and kind.pays()]
    out: list[Layer] = []
    shape, letters, i = in_shape, "".join(map(letter, layers)), 0
    while i < len(layers):
        runs = ((kind, re.compile(kind.pattern).match(letters, i)) for kind in kinds)
        kind, found = next(((kind, found) for kind, found in runs if found), (None, None))
        run = tuple(layers[i : found.end() if found else i + 1])
        out.append(kind(run, shape, name=" ".join(a.name for a in run)) if kind else run[0])
        shape, i = out[-1].out_shape(shape), i + len(run)
    return tuple(out)


def plan_of(layers: Sequence[Layer], backend: Backend) -> str:
    """Which of a model's layers are fused and which alone, a line each; what is not, as it does not pay."""
    lines = [f"{a.title if isinstance(a, Fused) else 'alone'}: {a.name}" for a in layers]
    for kind in FUSED if backend.name == "numba" and backend.fuse else ():
        if re.search(kind.pattern, "".join(map(letter, layers))) and not kind.pays():
            lines.append(f"{kind.title}s are not fused: {kind.pays.__doc__}")
    return "\n".join(lines)
