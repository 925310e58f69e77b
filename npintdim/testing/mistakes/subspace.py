"""The chain rule through θ = θ_0 + P θ_d: fn(theta_d, p) with L = ½ Σ λ_i (θ_i − t_i)² gives (L, Pᵀ ∂L/∂θ)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.testing.mistakes import dense
from npintdim.testing.mistakes.projection import OF_ADJOINTS
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, factor, numbers
from npintdim.typing import Array, Floats


def loss_and_grad(s: Steps, theta_d: Floats, p: Any) -> tuple[Any, Floats]:
    """Down once, up once."""
    p.D, p.d = p.P.shape
    P = s["P"](p.P)
    theta = s["θ"](p.theta_0, P, theta_d)
    grad_theta = s["∂L/∂θ"](p.curvature, s["at"](theta, p.theta_0) - p.target)
    return s["L"](p.curvature, theta - p.target), s["scale"](s["product"](P, grad_theta), p)


def half_sum_of_squares(curvature: Array, r: Array) -> Any:
    """½ Σ λ r²."""
    return 0.5 * (curvature * r * r).sum()


RIGHT: Steps = dense.RIGHT | {
    "θ": lambda theta_0, P, theta_d: theta_0 + P @ theta_d,
    "at": lambda theta, theta_0: theta,
    "L": half_sum_of_squares,
    "∂L/∂θ": lambda curvature, r: curvature * r,
    "product": dense.TRANSPOSED["product"],
}

MISTAKES = (
    Mistake("θ_0 forgotten", "θ is P θ_d; θ = θ_0 + P θ_d", {"θ": lambda theta_0, P, theta_d: P @ theta_d}),
    Mistake("gradient at θ_0", "∂L/∂θ is taken at θ_0; at θ = θ_0 + P θ_d is needed", {"at": lambda theta, theta_0: theta_0}),
    Mistake("gradient cut off", "the gradient is 0: θ is cut off from θ_d (detach, .data, stop_gradient)",
            {"product": lambda P, grad_theta: np.zeros_like(P[0])}),
    Mistake("no chain rule", "∂L/∂θ (D,) is given; ∂L/∂θ_d = Pᵀ ∂L/∂θ (d,) is needed", {"product": lambda P, grad_theta: grad_theta}),
    Mistake("P² for P", "P's entries are squared, as for a variance; ∂L/∂θ_d = Pᵀ ∂L/∂θ",
            {"product": lambda P, grad_theta: (P * P).T @ grad_theta}),
    *OF_ADJOINTS,
    factor("gradient's sign", "the gradient has the wrong sign", lambda p: -1),
    factor("gradient twice", "the gradient is that of Σ λ r², the loss ½ Σ λ r²", lambda p: 2),
    Mistake("no ½", "the factor ½ is missing: L = ½ Σ λ (θ − t)²",
            {"L": lambda curvature, r: 2 * half_sum_of_squares(curvature, r), "∂L/∂θ": lambda curvature, r: 2 * curvature * r}),
    Mistake("mean for sum", "loss and gradient are means over the D parameters; they are sums",
            {"L": lambda curvature, r: half_sum_of_squares(curvature, r) / len(r), "∂L/∂θ": lambda curvature, r: curvature * r / len(r)}),
    Mistake("mean loss", "the loss is a mean over the D parameters, the gradient that of the sum; both are sums",
            {"L": lambda curvature, r: half_sum_of_squares(curvature, r) / len(r)}),
    Mistake("λ left out of the gradient", "∂L/∂θ is θ − t; λ (θ − t) is needed", {"∂L/∂θ": lambda curvature, r: r}),
    *(m for m in dense.MISTAKES if m.steps.keys() == {"P"}),
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """A start, a target and positive curvatures for each of dense's shapes."""
    for problem in dense.problems(dtype):
        P = problem.rest["P"]
        theta_0, target, curvature = (numbers(dtype, len(P), lane=lane) for lane in (2, 3, 4))
        rest = {"theta_0": theta_0, "P": P, "curvature": 1 + np.abs(curvature), "target": target}
        yield Problem(problem.title, problem.first, rest, "loss_grad")


TABLE = Table(loss_and_grad, RIGHT, MISTAKES, problems, ("loss", "grad"))
