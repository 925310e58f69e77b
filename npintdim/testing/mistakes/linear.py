"""The gradient of a linear layer: fn(x, p) with p.W (n_in, n_out), p.b, p.dy gives (dx, dW, db)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Floats


def backward(s: Steps, x: Floats, p: Any) -> tuple[Floats, Floats, Floats]:
    """dx, dW, db of y = x W + b."""
    dy = s["dy"](p.dy)
    return s["dx"](dy, p.W), s["dW"](x, dy), s["db"](dy)


RIGHT: Steps = {
    "dy": lambda dy: dy,
    "dx": lambda dy, W: dy @ W.T,
    "dW": lambda x, dy: x.T @ dy,
    "db": lambda dy: dy.sum(axis=0),
}

MISTAKES = (
    Mistake("dW transposed", "dW is (n_out, n_in), as of PyTorch's Linear, whose weight is transposed; W is (n_in, n_out) here: give "
            "its transpose", {"dW": lambda x, dy: dy.T @ x}),
    Mistake("W for Wᵀ", "dx is dy W; dy Wᵀ is needed", {"dx": lambda dy, W: dy @ W}),
    Mistake("mean of dy", "gradients are averaged over the examples; dy holds the loss's 1/n already, so sum",
            {"dW": lambda x, dy: x.T @ dy / len(dy), "db": lambda dy: dy.mean(axis=0)}),
    Mistake("db averaged", "db is averaged over the examples; sum", {"db": lambda dy: dy.mean(axis=0)}),
    Mistake("db not summed", "db is dy itself, one row an example; sum over the examples", {"db": lambda dy: dy}),
    Mistake("db keeps an axis", "db has shape (1, n_out); (n_out,) is needed", {"db": lambda dy: dy.sum(axis=0, keepdims=True)}),
    Mistake("db summed over features", "db is summed over axis 1; the examples are axis 0", {"db": lambda dy: dy.sum(axis=1)}),
    Mistake("dW averaged", "dW is averaged over the examples; dy holds the loss's 1/n already, so sum",
            {"dW": lambda x, dy: x.T @ dy / len(dy)}),
    Mistake("1/n twice", "all gradients have a factor 1/n too many; dy holds the loss's 1/n already", {"dy": lambda dy: dy / len(dy)}),
    Mistake("n too large", "all gradients are n times too large; dy holds the loss's 1/n already", {"dy": lambda dy: dy * len(dy)}),
    Mistake("sign", "all gradients have the wrong sign", {"dy": lambda dy: -dy}),
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """A square W too, where no shape gives a transposed one away."""
    for n, n_in, n_out in ((5, 4, 4), (7, 6, 3), (3, 3, 3)):
        rest = {
            "W": numbers(dtype, n_in, n_out, lane=1),
            "b": numbers(dtype, n_out, lane=2),
            "dy": numbers(dtype, n, n_out, lane=3),
        }
        yield Problem(f"x {n}×{n_in}, W {n_in}×{n_out}", numbers(dtype, n, n_in), rest)


TABLE = Table(backward, RIGHT, MISTAKES, problems, ("dx", "dW", "db"))
