"""The plan of a model: which of its layers become one fused step, and which are taken one by one.

A fused step does what its layers do one after another, and is tested against just that. Only
backends that have the kernels fuse; layers know nothing of it.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from npintdim.backend import Backend
from npintdim.layers import Conv2D, Layer, Linear, MaxPool2D, ReLU
from npintdim.params import ParamLayout
from npintdim.typing import Array, Floats, Ints


@dataclass(frozen=True)
class Step(ABC):
    """Layers that are computed together; theta and grad are this step's part of the whole.

    Parameters
    ----------
    layers : in order
    in_shape : of one example, before the first of them
    """

    title: ClassVar[str]
    layers: tuple[Layer, ...]
    in_shape: tuple[int, ...]

    @classmethod
    @abstractmethod
    def reach(cls, layers: Sequence[Layer]) -> int:
        """How many layers from the first on one such step can take."""

    @cached_property
    def layout(self) -> ParamLayout:
        """Its parameters as they lie in theta."""
        return ParamLayout(
            tuple((f"{a.name}.{key}", shape) for a in self.layers for key, shape in a.param_shapes().items())
        )

    @abstractmethod
    def forward(self, backend: Backend, theta: Floats, x: Floats) -> tuple[Floats, Any]:
        """y for a batch x (n, *in_shape), and whatever `backward` needs."""

    @abstractmethod
    def backward(
        self, backend: Backend, theta: Floats, cache: Any, dy: Floats, grad: Floats, need_dx: bool
    ) -> Floats | None:
        """dx (None if not needed); ∂L/∂theta is written to grad."""


@dataclass(frozen=True)
class Alone(Step):
    """One layer, by its own forward and backward."""

    title = "alone"

    @classmethod
    def reach(cls, layers: Sequence[Layer]) -> int:
        """One."""
        return 1

    def params(self, theta: Floats) -> dict[str, Floats]:
        """The layer's parameters as views."""
        views = self.layout.views(theta)
        return {name.rpartition(".")[2]: view for name, view in views.items()}

    def forward(self, backend: Backend, theta: Floats, x: Floats) -> tuple[Floats, Any]:
        """The layer's."""
        return self.layers[0].forward(backend, self.params(theta), x)

    def backward(
        self, backend: Backend, theta: Floats, cache: Any, dy: Floats, grad: Floats, need_dx: bool
    ) -> Floats | None:
        """The layer's; each of its gradients is put into its place."""
        dx, dparams = self.layers[0].backward(backend, self.params(theta), cache, dy, need_dx)
        for key, place in self.params(grad).items():
            place[...] = dparams[key]
        return dx


@dataclass(frozen=True)
class LinearRun(Step):
    """Linear layers, each with ReLU or without."""

    title = "linear run"

    @classmethod
    def reach(cls, layers: Sequence[Layer]) -> int:
        """As far as the pattern goes."""
        i = 0
        while i < len(layers) and type(layers[i]) is Linear:
            i += 2 if type(next(iter(layers[i + 1 :]), None)) is ReLU else 1
        return i

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

    def forward(self, backend: Backend, theta: Floats, x: Floats) -> tuple[Floats, Any]:
        """Of the kernel; all outputs lie in one array, the last one at its end."""
        y = kernels(backend, "chain").linear_forward(x, theta, self.sizes, self.relu, backend.threads)
        last = len(x) * int(self.sizes[-1])
        return y[len(y) - last :].reshape(len(x), -1), (x, y)

    def backward(
        self, backend: Backend, theta: Floats, cache: Any, dy: Floats, grad: Floats, need_dx: bool
    ) -> Floats | None:
        """Of the kernel."""
        x, y = cache
        return kernels(backend, "chain").linear_backward(
            x, theta, self.sizes, self.relu, y, dy, grad, need_dx, backend.threads
        )


@dataclass(frozen=True)
class ConvPoolRun(Step):
    """Plain convolutions, each with ReLU or without and 2×2 max-pooling."""

    title = "convolution and pooling run"

    @classmethod
    def reach(cls, layers: Sequence[Layer]) -> int:
        """As far as the pattern goes."""
        i = 0
        while i < len(layers):
            a, *rest = layers[i : i + 3]
            if not (type(a) is Conv2D and a.stride == 1 and a.padding == 0):
                break
            relu = bool(rest) and type(rest[0]) is ReLU
            pool = next(iter(rest[relu:]), None)
            if not (type(pool) is MaxPool2D and pool.size == 2 and pool.stride in (0, 2)):
                break
            i += 2 + relu
        return i

    @cached_property
    def rows(self) -> tuple[tuple[int, ...], ...]:
        """(c_in, h, w, c_out, k, relu) of each convolution."""
        rows, shape = [], self.in_shape
        for a, after in zip(self.layers, (*self.layers[1:], None), strict=True):
            if isinstance(a, Conv2D):
                rows.append((*shape, a.c_out, a.k, type(after) is ReLU))
            shape = a.out_shape(shape)
        return tuple(rows)

    def forward(self, backend: Backend, theta: Floats, x: Floats) -> tuple[Floats, Any]:
        """Of the kernel."""
        y, cache = kernels(backend, "trunk").conv_pool_forward(x, theta, self.rows, backend.threads)
        return y, cache

    def backward(
        self, backend: Backend, theta: Floats, cache: Any, dy: Floats, grad: Floats, need_dx: bool
    ) -> Floats | None:
        """Of the kernel."""
        return kernels(backend, "trunk").conv_pool_backward(
            theta, self.rows, cache, dy, grad, need_dx, backend.threads
        )


FUSED: tuple[type[Step], ...] = (ConvPoolRun, LinearRun)


def kernels(backend: Backend, file: str) -> ModuleType:
    """A file of fused kernels of the backend."""
    return importlib.import_module(f"{backend.kernels.__name__}.{file}")


def plan(
    layers: Sequence[Layer], in_shape: tuple[int, ...], backend: Backend, fuse: bool
) -> tuple[Step, ...]:
    """The steps that take the place of the layers."""
    kinds: list[type[Step]] = [*(FUSED if fuse and backend.name == "numba" else ()), Alone]
    steps: list[Step] = []
    shape, rest = in_shape, tuple(layers)
    while rest:
        kind = next(kind for kind in kinds if kind.reach(rest))
        steps.append(kind(rest[: kind.reach(rest)], shape))
        for layer in steps[-1].layers:
            shape = layer.out_shape(shape)
        rest = rest[len(steps[-1].layers) :]
    return tuple(steps)
