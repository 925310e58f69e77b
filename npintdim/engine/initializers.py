"""How theta_0 begins: He-normal kernels, zero biases."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from npintdim.backend import Backend
from npintdim.rng import Stream
from npintdim.specs import kinds, settle
from npintdim.typing import Floats

GRID = 2.0**-20


class Initializer(ABC):
    """Draws one parameter of theta_0 from its own stream."""

    @abstractmethod
    def draw(self, backend: Backend, stream: Stream, size: int) -> Floats:
        """The parameter as (size,) in the backend's dtype."""


@dataclass(frozen=True)
class HeNormal(Initializer):
    """N(0, 2/fan_in) cut at two standard deviations (He et al. 2015; Keras' he_normal in the authors' code).

    The realised standard deviation is 0.88·sqrt(2/fan_in), since the tails are cut and nothing is rescaled.
    """

    fan_in: int

    def __post_init__(self) -> None:
        settle(self, fan_in=1)

    def draw(self, backend: Backend, stream: Stream, size: int) -> Floats:
        """Entry i is dtype(g_i · (2⁻²⁰ · sqrt(2/fan_in))), g_i a truncated grid normal."""
        return stream.truncated_normals(size) * (GRID * math.sqrt(2.0 / self.fan_in))


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zeros."""

    def draw(self, backend: Backend, stream: Stream, size: int) -> Floats:
        """Zeros; the stream is not used."""
        return backend.xp.zeros(size, dtype=backend.dtype)


@dataclass(frozen=True)
class Ones(Initializer):
    """All ones."""

    def draw(self, backend: Backend, stream: Stream, size: int) -> Floats:
        """Ones; the stream is not used."""
        return backend.xp.ones(size, dtype=backend.dtype)


INITIALIZERS: dict[str, type[Initializer]] = kinds(
    "initializer", Initializer, "__name__", HeNormal, Ones, Zeros
)
