"""Dropout: in training every entry is 0 with some probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.layers.base import Elementwise, Noisy
from npintdim.rng import Stream
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Dropout(Elementwise, Noisy):
    """y = x ∘ m/(1 − q) in training, each m_i 0 with probability q, else 1 (Srivastava et al. 2014); y = x in evaluation.

    Parameters
    ----------
    rate : q, 0 ≤ q < 1

    Notes
    -----
    Forward   m_i = [w_i ≥ q 2³²] with a random word w_i,   y = x ∘ m/(1 − q)
    Backward  dx = dy ∘ m/(1 − q)

    E y = x. The words are those of the step's address, see `Noisy`: the same mask on every backend, and in a run that is
    done again.
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
