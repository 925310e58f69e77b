"""What every layer is: a pure map with its derivative, holding hyper-parameters only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from npintdim.backend import Backend
from npintdim.engine.initializers import Initializer
from npintdim.engine.params import ParamLayout
from npintdim.rng import Stream
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Layer(ABC):
    """y = f(x; params) and, from dy = ∂L/∂y, the gradients dx and one per parameter.

    A layer whose hot loop is a kernel names the file in its notes; the others are all there.

    Parameters
    ----------
    name : prefix of its parameters in the layout; a `Model` gives one where it is empty
    """

    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        settle(self)

    @abstractmethod
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters in the order in which they lie in theta, e.g. W then b."""

    @abstractmethod
    def initializers(self) -> dict[str, Initializer]:
        """How each parameter of theta_0 is drawn."""

    @abstractmethod
    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one example after the layer; ValueError if it cannot take `in_shape`."""

    @abstractmethod
    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y for a batch x (n, *in_shape), and whatever `backward` needs."""

    @abstractmethod
    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx (None if not needed) and the gradient of every parameter."""


@dataclass(frozen=True)
class ParameterFree(Layer):
    """A layer without parameters."""

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """None."""
        return {}

    def initializers(self) -> dict[str, Initializer]:
        """None."""
        return {}


@dataclass(frozen=True)
class Elementwise(ParameterFree):
    """A function of each entry alone."""

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Unchanged."""
        return in_shape


@dataclass(frozen=True)
class Noisy(Layer):
    """A layer that is random in training; its `forward` is what it does in evaluation.

    Whatever is random has an address: the j-th such layer of a network, j = 0, 1, ..., takes words from j·2³⁴
    on of the stream (batch.seed, NOISE, batch.step). So the same step has the same noise,
    however often it is computed.
    """

    @abstractmethod
    def noisy_forward(
        self, backend: Backend, params: dict[str, Floats], x: Floats, stream: Stream, start: int
    ) -> tuple[Floats, Any]:
        """y for x in training, with words from `start` on of the step's stream, and what `backward` needs."""


def layout_of(layers: Iterable[Layer]) -> ParamLayout:
    """The parameters of layers as they lie in theta."""
    return ParamLayout(
        tuple((f"{a.name}.{key}", shape) for a in layers for key, shape in a.param_shapes().items())
    )


def initializers_of(layers: Iterable[Layer]) -> list[Initializer]:
    """How each parameter is drawn, in the order of `layout_of`; ValueError unless the names are the same."""
    found = []
    for a in layers:
        own, keys = a.initializers(), list(a.param_shapes())
        if sorted(own) != sorted(keys):
            raise ValueError(
                f"{a.name} has initializers for {sorted(own)}: those of {sorted(keys)} are needed"
            )
        found += [own[key] for key in keys]
    return found
