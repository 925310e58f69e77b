"""Linear: the affine map."""

from __future__ import annotations

from dataclasses import dataclass, field

from npintdim.backend import Backend
from npintdim.engine.initializers import HeNormal, Initializer, Zeros
from npintdim.engine.layers.base import Layer
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Linear(Layer):
    """Affine map y = x W + b.

    Parameters
    ----------
    n_in, n_out : features before and after
    init : of W, an `Initializer` or its spec; None for He-normal

    Notes
    -----
    Forward   y = x W + b                 x (n, n_in), W (n_in, n_out), b (n_out,)
    Backward  dW = xᵀ dy,  db = Σ_n dy,  dx = dy Wᵀ

    A network on numba computes a run of these and ReLU by `kernels/fused/linear_run.py`, where that pays.
    """

    n_in: int
    n_out: int
    init: Initializer | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        settle(self, n_in=1, n_out=1)

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (n_in, n_out), b (n_out,)."""
        return {"W": (self.n_in, self.n_out), "b": (self.n_out,)}

    def initializers(self) -> dict[str, Initializer]:
        """He-normal W, zero b."""
        return {"W": self.init or HeNormal(self.n_in), "b": Zeros()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(n_in,) → (n_out,)."""
        if in_shape != (self.n_in,):
            raise ValueError(
                f"{self.name or 'Linear'} takes ({self.n_in},) but gets {in_shape}; put Flatten before it?"
            )
        return (self.n_out,)

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Floats]:
        """y = x W + b."""
        return x @ params["W"] + params["b"], x

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Floats, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dW = xᵀ dy, db = Σ_n dy, dx = dy Wᵀ."""
        x = cache
        dW = x.T @ dy
        db = dy.sum(axis=0)
        dx = dy @ params["W"].T if need_dx else None
        return dx, {"W": dW, "b": db}
