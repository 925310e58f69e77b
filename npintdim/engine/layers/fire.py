"""Fire: SqueezeNet's module, few channels and then many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from npintdim.backend import Backend
from npintdim.engine.initializers import Initializer
from npintdim.engine.layers.base import Layer
from npintdim.engine.layers.conv2d import Conv2D
from npintdim.specs import settle
from npintdim.typing import Floats


@dataclass(frozen=True)
class Fire(Layer):
    """A 1×1 convolution to few channels, then 1×1 and 3×3 beside each other (Iandola et al. 2016).

    Parameters
    ----------
    c_in : channels before
    squeeze : channels in between
    expand1, expand3 : channels of the 1×1 and of the 3×3 convolution; they are those after, in this order

    Notes
    -----
    Forward   s = relu(x ⋆ W_s + b_s)                         1×1
              y = [relu(s ⋆ W_1 + b_1), relu(s ⋆ W_3 + b_3)]  1×1 and, padded by 1, 3×3; joined along the channels
    Backward  [d_1, d_3] = dy · [y > 0],   ds = (dx of 1×1)(d_1) + (dx of 3×3)(d_3),   dx = (dx of s)(ds · [s > 0])
    """

    c_in: int
    squeeze: int
    expand1: int
    expand3: int

    def __post_init__(self) -> None:
        settle(self, c_in=1, squeeze=1, expand1=1, expand3=1)

    @cached_property
    def convs(self) -> dict[str, Conv2D]:
        """The three, by the beginning of their parameters' names."""
        return {
            "squeeze": Conv2D(self.c_in, self.squeeze, 1),
            "expand1": Conv2D(self.squeeze, self.expand1, 1),
            "expand3": Conv2D(self.squeeze, self.expand3, 3, padding=1),
        }

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """squeeze.W, squeeze.b, expand1.W, expand1.b, expand3.W, expand3.b."""
        return {
            f"{a}.{k}": shape for a, conv in self.convs.items() for k, shape in conv.param_shapes().items()
        }

    def initializers(self) -> dict[str, Initializer]:
        """Of each convolution."""
        return {f"{a}.{k}": init for a, conv in self.convs.items() for k, init in conv.initializers().items()}

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c_in, h, w) → (expand1 + expand3, h, w)."""
        if len(in_shape) != 3 or in_shape[0] != self.c_in:
            raise ValueError(f"{self.name or 'Fire'} takes ({self.c_in}, h, w) but gets {in_shape}")
        return (self.expand1 + self.expand3, *in_shape[1:])

    def forward(self, backend: Backend, params: dict[str, Floats], x: Floats) -> tuple[Floats, Any]:
        """s, then both expansions, joined."""
        relu, convs = backend.xp.maximum, self.convs
        s = relu(convs["squeeze"].forward(backend, part(params, "squeeze"), x)[0], 0)
        both = [convs[a].forward(backend, part(params, a), s)[0] for a in ("expand1", "expand3")]
        y = relu(backend.xp.concatenate(both, axis=1), 0)
        return y, (x, s, y)

    def backward(
        self, backend: Backend, params: dict[str, Floats], cache: Any, dy: Floats, need_dx: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """dy is parted between the expansions; what both want of s is added."""
        x, s, y = cache
        d = dy * (y > 0)
        halves = {"expand1": d[:, : self.expand1], "expand3": d[:, self.expand1 :]}
        ds: Any = 0.0
        grads: dict[str, dict[str, Floats]] = {}
        for a, half in halves.items():
            own, grads[a] = self.convs[a].backward(
                backend, part(params, a), s, backend.xp.ascontiguousarray(half)
            )
            ds = ds + own
        dx, grads["squeeze"] = self.convs["squeeze"].backward(
            backend, part(params, "squeeze"), x, ds * (s > 0), need_dx
        )
        return dx, {f"{a}.{key}": grad for a, own in grads.items() for key, grad in own.items()}


def part(params: dict[str, Floats], of: str) -> dict[str, Floats]:
    """W and b of one convolution."""
    return {key: params[f"{of}.{key}"] for key in ("W", "b")}
