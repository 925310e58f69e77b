"""One matrix with its adapter: merged W, outputs y = x W, gradients from dW = xᵀ dy; and what goes wrong with any of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Problem, Steps, fitted, numbers, wrong
from npintdim.typing import Floats

SHAPES = (  # n, n_in, n_out, r: half of them square, where a transposed matrix still fits
    (3, 5, 4, 2), (2, 3, 3, 3), (3, 4, 6, 3), (2, 4, 4, 2), (3, 7, 3, 1), (4, 6, 6, 2),
)  # fmt: skip


def adapted(s: Any, x: Floats, p: Any, delta: Floats, dW: Floats, grads: tuple[Any, ...]) -> Any:
    """W, y and the gradients of what is trained."""
    return s.W(p.W_0, delta), s.y(x, p.W_0, delta), *s.grads(*grads)


RIGHT: Steps = {
    "c": lambda: 1.0,  # of ΔW
    "dW": lambda x, dy: x.T @ dy,
    "W": lambda W_0, delta: W_0 + delta,
    "y": lambda x, W_0, delta: x @ (W_0 + delta),
    "grads": lambda *grads: grads,
}

OF_LAYER = (
    wrong("added twice", "the adapter is added to the outputs of a matrix in which it is merged already: y = x W, or "
          "x W_0 and the adapter", y=lambda x, W_0, delta: x @ (W_0 + 2 * delta)),
    wrong("merged twice", "the adapter is merged twice: W = W_0 + ΔW", W=lambda W_0, delta: W_0 + 2 * delta,
          y=lambda x, W_0, delta: x @ (W_0 + 2 * delta)),
    wrong("not merged", "W is W_0; W_0 + ΔW is needed", W=lambda W_0, delta: W_0),
    wrong("ΔW for W", "W is ΔW alone; W_0 + ΔW is needed", W=lambda W_0, delta: delta),
    wrong("outputs without the adapter", "y is x W_0; x (W_0 + ΔW) is needed", y=lambda x, W_0, delta: x @ W_0),
    wrong("outputs of the adapter alone", "y is x ΔW; x (W_0 + ΔW) is needed", y=lambda x, W_0, delta: x @ delta),
    wrong("subtracted", "the adapter is subtracted: W = W_0 + ΔW", W=lambda W_0, delta: W_0 - delta,
          y=lambda x, W_0, delta: x @ (W_0 - delta)),
    wrong("W transposed", "W is (n_out, n_in), as PyTorch's Linear has it; (n_in, n_out) is needed", W=lambda W_0, delta: (W_0 + delta).T),
    wrong("x Wᵀ", "y is x Wᵀ, as of PyTorch's Linear; W is (n_in, n_out) here, y = x W", y=lambda x, W_0, delta: x @ (W_0 + delta).T),
    wrong("ΔW transposed", "ΔW is added transposed, (n_out, n_in) as the papers have it; (n_in, n_out) is needed",
          W=lambda W_0, delta: W_0 + delta.T, y=lambda x, W_0, delta: x @ (W_0 + delta.T)),
    wrong("dW transposed", "dW is dyᵀ x, PyTorch's order; xᵀ dy is needed", dW=lambda x, dy: dy.T @ x),
    wrong("gradients averaged", "gradients are averaged over the examples; dy holds the loss's 1/n already, so sum",
          dW=lambda x, dy: x.T @ dy / len(x)),
    wrong("gradients' sign", "the gradients have the wrong sign", grads=lambda *grads: tuple(-g for g in grads)),
    wrong("gradients cut off", "the gradients are 0: the adapter is cut off (detach, .data, merged before it is trained)",
          grads=lambda *grads: tuple(0 * g for g in grads)),
    fitted("another scale", "ΔW has a factor {c} too many", 0.3, c=lambda c: c),
)  # fmt: skip


def matrices(dtype: np.dtype[Any], n: int, n_in: int, n_out: int) -> dict[str, Any]:
    """W_0 and dy."""
    return {"W_0": numbers(dtype, n_in, n_out, lane=2), "dy": numbers(dtype, n, n_out, lane=3)}


def problems(dtype: np.dtype[Any], factors: Any) -> Iterator[Problem]:
    """Every shape; factors(k, n_in, n_out, r) gives what the adapter has, the last of the names being dy."""
    for k, (n, n_in, n_out, r) in enumerate(SHAPES):
        rest = matrices(dtype, n, n_in, n_out)
        dy = rest.pop("dy")
        own = factors(k, n_in, n_out, r)
        rest |= {name: x for name, x in own.items() if isinstance(x, np.ndarray)} | {"dy": dy}
        rest |= {name: x for name, x in own.items() if not isinstance(x, np.ndarray)}
        yield Problem(f"{n_in}×{n_out}, r = {r}", 4 * numbers(dtype, n, n_in), rest, "layer")


def zero(x: Floats) -> Any:
    """A frozen factor's gradient."""
    return np.zeros_like(x)
