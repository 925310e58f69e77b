"""Ten steps of SGD or Adam in θ_d over a small network: fn(theta_0, p) gives θ_d after each, (10, d)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from npintdim.testing.mistakes import mlp
from npintdim.testing.mistakes.projection import column_norms
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Floats


def path(s: Steps, theta_0: Floats, p: Any) -> Floats:
    """θ = θ_0 + P θ_d, g = Pᵀ ∂L/∂θ, one update a step."""
    P = s["P"](p.P, p.sizes)
    theta_d = np.zeros(P.shape[1], theta_0.dtype)
    state, gradients, rows = (theta_d, theta_d), [], [theta_d]
    for t in range(1, 11):
        _, grad = mlp.loss_and_grad(s, s["θ"](theta_0, P, theta_d), p)
        gradients.append(s["g"](P, grad))
        step, state = s["step"](s, s["gradient"](gradients), state, t, p)
        theta_d = s["decay"](theta_d, p) - step
        theta_0 = s["θ_0"](theta_0, P, theta_d)
        rows.append(theta_d)
    return s["rows"](np.stack(rows))


def no_biases(P: Floats, sizes: list[int]) -> Floats:
    """P with the rows of every b zero."""
    layers: mlp.Layers = [(np.ones((n_in, n_out)), np.zeros(n_out)) for n_in, n_out in pairwise(sizes)]
    return P * mlp.join(layers)[:, None].astype(P.dtype)


RIGHT = mlp.RIGHT | {
    "P": lambda P, sizes: P,
    "θ": lambda theta_0, P, theta_d: theta_0 + P @ theta_d,
    "g": lambda P, grad: P.T @ grad,
    "gradient": lambda gradients: gradients[-1],
    "decay": lambda theta_d, p: theta_d,
    "θ_0": lambda theta_0, P, theta_d: theta_0,
    "rows": lambda rows: rows[1:],
}

SHARED = (
    Mistake("gradients add up", "gradients of earlier steps are never cleared, so each step takes their sum (zero_grad)",
            {"gradient": sum}),
    Mistake("rows are one array", "all rows are θ_d after the last step: the same array was kept ten times; copy it after each step",
            {"rows": lambda rows: np.repeat(rows[-1:], 10, axis=0)}),
    Mistake("θ_0 moves", "θ_0 becomes θ after each step, so earlier steps are added again; θ_0 is frozen, θ = θ_0 + P θ_d",
            {"θ_0": lambda theta_0, P, theta_d: theta_0 + P @ theta_d}),
    Mistake("biases left out", "the biases stay at θ_0, as if P had only the weights' rows; θ is all D parameters", {"P": no_biases}),
    Mistake("uphill", "steps go uphill; −g is needed, θ_d ← θ_d − lr·g", {"g": lambda P, grad: -(P.T @ grad)}),
    Mistake("start included", "the path begins with θ_d = 0; it has θ_d after each step", {"rows": lambda rows: rows[:-1]}),
    Mistake("θ_0 forgotten", "θ is P θ_d; θ = θ_0 + P θ_d", {"θ": lambda theta_0, P, theta_d: P @ theta_d}),
    *(m for m in mlp.MISTAKES if m.name not in ("1/n twice", "summed gradient", "gradient's sign")),  # told by the loss alone
)  # fmt: skip

# ---- SGD: u ← momentum·u + g, θ_d ← θ_d − lr·u ----


def sgd(s: Steps, g: Floats, state: Any, t: int, p: Any) -> Any:
    """The step and the new velocity."""
    u = p.momentum * state[0] + s["own"](t, p) * g
    return p.lr * s["ahead"](u, g, p), (u, u)


SGD = Table(
    path,
    RIGHT | {"step": sgd, "own": lambda t, p: 1.0, "ahead": lambda u, g, p: u},
    (
        Mistake("dampening", "g enters the velocity with 1 − momentum; u ← momentum·u + g",
                {"own": lambda t, p: 1 - p.momentum}),
        Mistake("PyTorch's dampening", "g enters the velocity with 1 − momentum from the second step on (dampening=momentum); "
                "u ← momentum·u + g", {"own": lambda t, p: 1 - p.momentum if t > 1 else 1.0}),
        Mistake("Nesterov", "the step looks ahead (Nesterov); θ_d ← θ_d − lr·u",
                {"ahead": lambda u, g, p: p.momentum * u + g}),
        Mistake("no momentum", "momentum is ignored: u ← momentum·u + g", {"ahead": lambda u, g, p: g}),
        *SHARED,
    ),
    lambda dtype: _problems("sgd", ({"lr": 0.5, "momentum": 0.0}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.2, "momentum": 0.5})),
    outputs=("path",),
    slack=2**14,
)  # fmt: skip

# ---- Adam: θ_d ← θ_d − lr √(1 − β2^t)/(1 − β1^t) · m/(√v + ε) ----


def adam(s: Steps, g: Floats, state: Any, t: int, p: Any) -> Any:
    """m and v as they are; rule(m, v, c1, c2, ε) is the step with lr = 1, c = 1 − β^t."""
    (b1, b2), t = s["β"](p), s["t"](t)
    m, v = b1 * state[0] + (1 - b1) * g, b2 * state[1] + (1 - b2) * g * g
    return p.lr * s["rule"](m, v, 1 - b1**t, 1 - b2**t, s["ε"](p)), (m, v)


def tensorflow(m: Floats, v: Floats, c1: float, c2: float, eps: float) -> Floats:
    """Ours: ε beside √v before it is corrected."""
    return sqrt(c2) / c1 * m / (np.sqrt(v) + eps)


ADAM = Table(
    path,
    RIGHT | {"step": adam, "rule": tensorflow, "β": lambda p: (p.beta1, p.beta2), "t": lambda t: t, "ε": lambda p: p.eps},
    (
        Mistake("PyTorch's ε", "ε is added to √v after v is corrected, as PyTorch does; here lr_t·m/(√v + ε), TensorFlow's form: "
                "PyTorch's ε is ours / √(1 − β2^t)", {"rule": lambda m, v, c1, c2, eps: m / c1 / (np.sqrt(v / c2) + eps)}),
        Mistake("ε under the root", "ε stands under the root, √(v + ε); √v + ε is needed",
                {"rule": lambda m, v, c1, c2, eps: sqrt(c2) / c1 * m / np.sqrt(v + eps)}),
        Mistake("ε under the corrected root", "ε stands under the root of the corrected v, √(v/(1 − β2^t) + ε); √v + ε is needed",
                {"rule": lambda m, v, c1, c2, eps: m / c1 / np.sqrt(v / c2 + eps)}),
        Mistake("no bias correction", "the factor √(1 − β2^t)/(1 − β1^t) is missing",
                {"rule": lambda m, v, c1, c2, eps: m / (np.sqrt(v) + eps)}),
        Mistake("m not corrected", "only v is corrected for its start at zero; the factor is √(1 − β2^t)/(1 − β1^t)",
                {"rule": lambda m, v, c1, c2, eps: sqrt(c2) * m / (np.sqrt(v) + eps)}),
        Mistake("v not corrected", "only m is corrected for its start at zero; the factor is √(1 − β2^t)/(1 − β1^t)",
                {"rule": lambda m, v, c1, c2, eps: m / c1 / (np.sqrt(v) + eps)}),
        Mistake("t late by one", "t is one too large in the first step; it starts at 1", {"t": lambda t: t + 1}),
        Mistake("β2 = 0.999", "β2 is 0.999 whatever is given (the authors have 0.99)", {"β": lambda p: (p.beta1, 0.999)}),
        Mistake("PyTorch's β", "β1 and β2 are PyTorch's 0.9 and 0.999 whatever is given", {"β": lambda p: (0.9, 0.999)}),
        Mistake("ε = 1e-8", "ε is 1e-8 whatever is given", {"ε": lambda p: 1e-8}),
        Mistake("weight decay", "θ_d decays by 0.01·lr a step, as in AdamW; there is no decay", {"decay": lambda theta_d, p: theta_d * (1 - 0.01 * p.lr)}),
        Mistake("β1 and β2 swapped", "β1 and β2 are exchanged", {"β": lambda p: (p.beta2, p.beta1)}),
        *SHARED,
    ),
    lambda dtype: _problems("adam", (
        {"lr": 0.0625, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3}, {"lr": 0.01, "beta1": 0.8, "beta2": 0.999, "eps": 1e-8},
        {"lr": 0.02, "beta1": 0.9, "beta2": 0.95, "eps": 1e-4},
    )),
    outputs=("path",),
    slack=2**14,
)  # fmt: skip


def _problems(task: str, settings: tuple[dict[str, float], ...]) -> Iterator[Problem]:
    """In float64 always: ten steps enlarge float32's rounding too much to tell rules apart."""
    dtype, sizes, D, d = np.dtype(np.float64), [3, 4, 2], 26, 5
    g = numbers(dtype, D, d, lane=2)
    for options in settings:
        rest = {"P": g / column_norms(g), **mlp.data(dtype, sizes, 6), **options}
        title = ", ".join(f"{name} {value:g}" for name, value in options.items())
        yield Problem(title, numbers(dtype, D) * 2, rest, task)
