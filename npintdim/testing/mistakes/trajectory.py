"""Ten steps of SGD or Adam in θ_d over a small network: fn(theta_0, p) gives θ_d after each, (10, d)."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from npintdim.testing.mistakes import mlp
from npintdim.testing.mistakes.dense import column_norms
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers, wrong
from npintdim.typing import Floats


def path(s: Any, theta_0: Floats, p: Any) -> Any:
    """θ = θ_0 + P θ_d, g = Pᵀ ∂L/∂θ, one update a step."""
    P = s.P(p.P, p.sizes)
    theta_d = np.zeros(P.shape[1], theta_0.dtype)
    state, gradients, rows = (theta_d, theta_d), [], [theta_d]
    for t in range(1, 11):
        _, grad = mlp.loss_and_grad(s, s.theta(theta_0, P, theta_d), p)
        gradients.append(s.g(P, grad))
        step, state = s.step(s, s.gradient(gradients), state, t, p)
        theta_d = s.decay(theta_d, p) - step
        theta_0 = s.theta_0(theta_0, P, theta_d)
        rows.append(theta_d)
    return s.rows(np.stack(rows))


RIGHT: Steps = mlp.NETWORK | {
    "P": lambda P, sizes: P,
    "theta": lambda theta_0, P, theta_d: theta_0 + P @ theta_d,
    "g": lambda P, grad: P.T @ grad,
    "gradient": lambda gradients: gradients[-1],
    "decay": lambda theta_d, p: theta_d,
    "theta_0": lambda theta_0, P, theta_d: theta_0,
    "rows": lambda rows: rows[1:],
}


def no_biases(P: Floats, sizes: list[int]) -> Any:
    """P with the rows of every b zero."""
    layers = [(np.ones((n_in, n_out)), np.zeros(n_out)) for n_in, n_out in pairwise(sizes)]
    return P * mlp.join(layers)[:, None].astype(P.dtype)


SHARED = (
    wrong("gradients add up", "gradients of earlier steps are never cleared, so each step takes their sum (zero_grad)", gradient=sum),
    wrong("rows are one array", "all rows are θ_d after the last step: the same array was kept ten times; copy it after each step",
          rows=lambda rows: np.repeat(rows[-1:], 10, axis=0)),
    wrong("θ_0 moves", "θ_0 becomes θ after each step, so earlier steps are added again; θ_0 is frozen, θ = θ_0 + P θ_d",
          theta_0=lambda theta_0, P, theta_d: theta_0 + P @ theta_d),
    wrong("biases left out", "the biases stay at θ_0, as if P had only the weights' rows; θ is all D parameters", P=no_biases),
    wrong("uphill", "steps go uphill; −g is needed, θ_d ← θ_d − lr·g", g=lambda P, grad: -(P.T @ grad)),
    wrong("start included", "the path begins with θ_d = 0; it has θ_d after each step", rows=lambda rows: rows[:-1]),
    wrong("θ_0 forgotten", "θ is P θ_d; θ = θ_0 + P θ_d", theta=lambda theta_0, P, theta_d: P @ theta_d),
    *(m for m in mlp.OF_NETWORK if m.name not in ("summed gradient", "1/n twice", "gradient's sign")),  # told by the loss alone
)  # fmt: skip

# ---- SGD: u ← momentum·u + g, θ_d ← θ_d − lr·u ----


def sgd(s: Any, g: Floats, state: Any, t: int, p: Any) -> Any:
    """The step and the new velocity."""
    u = p.momentum * state[0] + s.own(t, p) * g
    return p.lr * s.ahead(u, g, p), (u, u)


OF_SGD = (
    wrong("dampening", "g enters the velocity with 1 − momentum; u ← momentum·u + g", own=lambda t, p: 1 - p.momentum),
    wrong("PyTorch's dampening", "g enters the velocity with 1 − momentum from the second step on (dampening=momentum); "
          "u ← momentum·u + g", own=lambda t, p: 1 - p.momentum if t > 1 else 1.0),
    wrong("Nesterov", "the step looks ahead (Nesterov); θ_d ← θ_d − lr·u", ahead=lambda u, g, p: p.momentum * u + g),
    wrong("no momentum", "momentum is ignored: u ← momentum·u + g", ahead=lambda u, g, p: g),
)  # fmt: skip

# ---- Adam: θ_d ← θ_d − lr √(1 − β2^t)/(1 − β1^t) · m/(√v + ε), TensorFlow's: ε beside √v before it is corrected ----


def adam(s: Any, g: Floats, state: Any, t: int, p: Any) -> Any:
    """m and v as they are; rule(m, v, c1, c2, ε) is the step with lr = 1, c = 1 − β^t."""
    (b1, b2), t = s.β(p), s.t(t)
    m, v = b1 * state[0] + (1 - b1) * g, b2 * state[1] + (1 - b2) * g * g
    return p.lr * s.rule(m, v, 1 - b1**t, 1 - b2**t, s.ε(p)), (m, v)


OF_ADAM = (
    wrong("PyTorch's ε", "ε is added to √v after v is corrected, as PyTorch does; here lr_t·m/(√v + ε), TensorFlow's form: "
          "PyTorch's ε is ours / √(1 − β2^t)", rule=lambda m, v, c1, c2, ε: m / c1 / (np.sqrt(v / c2) + ε)),
    wrong("ε under the root", "ε stands under the root, √(v + ε); √v + ε is needed",
          rule=lambda m, v, c1, c2, ε: sqrt(c2) / c1 * m / np.sqrt(v + ε)),
    wrong("ε under the corrected root", "ε stands under the root of the corrected v, √(v/(1 − β2^t) + ε); √v + ε is needed",
          rule=lambda m, v, c1, c2, ε: m / c1 / np.sqrt(v / c2 + ε)),
    wrong("no bias correction", "the factor √(1 − β2^t)/(1 − β1^t) is missing", rule=lambda m, v, c1, c2, ε: m / (np.sqrt(v) + ε)),
    wrong("m not corrected", "only v is corrected for its start at zero; the factor is √(1 − β2^t)/(1 − β1^t)",
          rule=lambda m, v, c1, c2, ε: sqrt(c2) * m / (np.sqrt(v) + ε)),
    wrong("v not corrected", "only m is corrected for its start at zero; the factor is √(1 − β2^t)/(1 − β1^t)",
          rule=lambda m, v, c1, c2, ε: m / c1 / (np.sqrt(v) + ε)),
    wrong("t late by one", "t is one too large in the first step; it starts at 1", t=lambda t: t + 1),
    wrong("β2 = 0.999", "β2 is 0.999 whatever is given (the authors have 0.99)", β=lambda p: (p.beta1, 0.999)),
    wrong("PyTorch's β", "β1 and β2 are PyTorch's 0.9 and 0.999 whatever is given", β=lambda p: (0.9, 0.999)),
    wrong("ε = 1e-8", "ε is 1e-8 whatever is given", ε=lambda p: 1e-8),
    wrong("weight decay", "θ_d decays by 0.01·lr a step, as in AdamW; there is no decay", decay=lambda θ_d, p: θ_d * (1 - 0.01 * p.lr)),
    wrong("β1 and β2 swapped", "β1 and β2 are exchanged", β=lambda p: (p.beta2, p.beta1)),
)  # fmt: skip


def of(
    step: Callable[..., Any], steps: Steps, mistakes: tuple[Mistake, ...], *settings: dict[str, float]
) -> Table:
    """In float64 always: ten steps enlarge float32's rounding too much to tell rules apart."""

    def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
        dtype, D, d = np.dtype(np.float64), 26, 5
        g = numbers(dtype, D, d, lane=2)
        for options in settings:
            rest = {"P": g / column_norms(g), **mlp.data(dtype, [3, 4, 2], 6), **options}
            title = ", ".join(f"{name} {value:g}" for name, value in options.items())
            yield Problem(title, numbers(dtype, D) * 2, rest, step.__name__)

    return Table(path, RIGHT | {"step": step} | steps, mistakes + SHARED, problems, ("path",), slack=2**14)


TABLES = {
    ("trajectory", "given", "sgd"): of(
        sgd, {"own": lambda t, p: 1.0, "ahead": lambda u, g, p: u}, OF_SGD,
        {"lr": 0.5, "momentum": 0.0}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.2, "momentum": 0.5}),
    ("trajectory", "given", "adam"): of(
        adam,
        {"rule": lambda m, v, c1, c2, ε: sqrt(c2) / c1 * m / (np.sqrt(v) + ε), "β": lambda p: (p.beta1, p.beta2), "t": lambda t: t,
         "ε": lambda p: p.eps},
        OF_ADAM,
        {"lr": 0.0625, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3}, {"lr": 0.01, "beta1": 0.8, "beta2": 0.999, "eps": 1e-8},
        {"lr": 0.02, "beta1": 0.9, "beta2": 0.95, "eps": 1e-4}),
}  # fmt: skip
