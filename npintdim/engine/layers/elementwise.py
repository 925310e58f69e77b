"""Functions of each number alone: ReLU, Tanh, Sigmoid, GELU, and Dropout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.layers.base import Elementwise, Noisy
from npintdim.inputs import one_of
from npintdim.machine import need
from npintdim.rng import Stream
from npintdim.specs import settle
from npintdim.typing import Floats

FACTOR = math.sqrt(2 / math.pi)  # of u, in GELU's form with tanh
CUBIC = 0.044715


@dataclass(frozen=True)
class ReLU(Elementwise):
    """y = max(x, 0), entry by entry.

    Notes
    -----
    Forward   y = max(x, 0)
    Backward  dx = dy · [y > 0]           the derivative at 0 is taken as 0
    """

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = max(x, 0)."""
        y = backend.xp.maximum(x, 0)
        return y, y

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy · [y > 0]."""
        y = cache
        return dy * (y > 0), {}


@dataclass(frozen=True)
class Tanh(Elementwise):
    """y = tanh x, entry by entry.

    Notes
    -----
    Forward   y = tanh x
    Backward  dx = dy · (1 − y²)
    """

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = tanh x."""
        y = backend.xp.tanh(x)
        return y, y

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy · (1 − y²)."""
        y = cache
        return dy * (1 - y * y), {}


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """y = 1/(1 + exp(−x)), entry by entry.

    Notes
    -----
    Forward   y = 1/(1 + exp(−x)) = (1 + tanh(x/2))/2     the second form never overflows
    Backward  dx = dy · y (1 − y)
    """

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = (1 + tanh(x/2))/2."""
        y = (1 + backend.xp.tanh(x / 2)) / 2
        return y, y

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy · y (1 − y)."""
        y = cache
        return dy * (y * (1 - y)), {}


@dataclass(frozen=True)
class GELU(Elementwise):
    """y = x Φ(x), entry by entry (Hendrycks and Gimpel 2016).

    Parameters
    ----------
    form : "exact", or "tanh" for the approximation of GPT-2 and BERT (`approximate="tanh"` in PyTorch)

    Notes
    -----
    exact     y = x Φ(x),   Φ(x) = (1 + erf(x/√2))/2          dx = dy · (Φ(x) + x exp(−x²/2)/√(2π))
    tanh      y = x T(x),   T(x) = (1 + tanh u)/2,            dx = dy · (T(x) + x (1 − tanh² u) u′/2)
              u = √(2/π) (x + 0.044715 x³)                    u′ = √(2/π) (1 + 3·0.044715 x²)
    """

    form: str = "exact"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("form", self.form, ("exact", "tanh"))

    def weight(self, backend: Backend, x: Floats) -> Floats:
        """Φ(x) or T(x)."""
        if self.form == "tanh":
            return (1 + backend.xp.tanh(FACTOR * (x + CUBIC * x**3))) / 2
        return (1 + erf(backend)(x / math.sqrt(2))) / 2

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y = x Φ(x)."""
        weight = self.weight(backend, x)
        return x * weight, (x, weight)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy · (Φ(x) + x Φ′(x))."""
        x, weight = cache
        if self.form == "tanh":  # 1 − tanh² u = 4 T (1 − T)
            slope = 2 * weight * (1 - weight) * (FACTOR * (1 + 3 * CUBIC * x * x))
        else:
            slope = backend.xp.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return dy * (weight + x * slope), {}


def erf(backend: Backend) -> Any:
    """The error function for the backend's arrays."""
    where = "cupyx.scipy.special" if backend.name == "cupy" else "scipy.special"
    return need(f"{where}:erf", "GELU needs the error function", "pip install scipy")


@dataclass(frozen=True)
class Dropout(Elementwise, Noisy):
    """y = x ∘ m/(1 − q) in training, each m_i 0 with probability q, else 1; y = x in evaluation.

    Parameters
    ----------
    rate : q, 0 ≤ q < 1

    Notes
    -----
    Forward   m_i = [w_i ≥ q 2³²] with a random word w_i,   y = x ∘ m/(1 − q)
    Backward  dx = dy ∘ m/(1 − q)

    Srivastava et al. 2014; E y = x. The words are those of the step's address, see `Noisy`: the same mask on
    every backend, and in a run that is done again.
    """

    rate: float = 0.5

    def __post_init__(self) -> None:
        settle(self)
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate is {self.rate}: 0 ≤ rate < 1 is needed")

    def noisy_forward(
        self, backend: Backend, params: dict[str, Floats], x: Floats, stream: Stream, start: int
    ) -> tuple[Floats, Any]:
        """y = x ∘ m/(1 − q)."""
        words = stream.words(x.size, start).reshape(x.shape)
        mask = (words >= np.uint32(self.rate * 2**32)).astype(x.dtype) / (1 - self.rate)
        return x * mask, mask

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """y = x."""
        return x, None

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dx = dy ∘ m/(1 − q)."""
        mask = cache
        return dy if mask is None else dy * mask, {}
