"""The chain rule through θ = θ_0 + P θ_d: fn(theta_d, p), L = ½ Σ λ_i (θ_i − t_i)², gives (L, Pᵀ ∂L/∂θ)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.testing.mistakes.dense import ADJOINT, OF_ADJOINTS, OF_P_GIVEN, P_GIVEN
from npintdim.testing.mistakes.dense import problems as of_dense
from npintdim.testing.mistakes.table import Problem, Steps, Table, factor, numbers, wrong
from npintdim.typing import Floats


def loss_and_grad(s: Any, theta_d: Floats, p: Any) -> Any:
    """Down once, up once."""
    p.D, p.d = p.P.shape
    P = s.norm(p.P)
    theta = s.theta(p.theta_0, P, theta_d)
    dtheta = s.dL(p.curvature, s.at(theta, p.theta_0) - p.target)
    return s.L(p.curvature, theta - p.target), s.scale(s.product(P, dtheta), p)


RIGHT: Steps = P_GIVEN | ADJOINT | {
    "theta": lambda theta_0, P, theta_d: theta_0 + P @ theta_d,
    "L": lambda λ, r: 0.5 * (λ * r * r).sum(),
    "dL": lambda λ, r: λ * r,
}  # fmt: skip

MISTAKES = (
    wrong("θ_0 forgotten", "θ is P θ_d; θ = θ_0 + P θ_d", theta=lambda theta_0, P, theta_d: P @ theta_d),
    wrong("gradient at θ_0", "∂L/∂θ is taken at θ_0; at θ = θ_0 + P θ_d is needed",
          at=lambda theta, theta_0: theta_0),
    wrong("gradient cut off", "the gradient is 0: θ is cut off from θ_d (detach, .data, stop_gradient)",
          product=lambda P, dtheta: np.zeros_like(P[0])),
    wrong("no chain rule", "∂L/∂θ (D,) is given; ∂L/∂θ_d = Pᵀ ∂L/∂θ (d,) is needed",
          product=lambda P, dtheta: dtheta),
    wrong("P² for P", "P's entries are squared, as for a variance; ∂L/∂θ_d = Pᵀ ∂L/∂θ",
          product=lambda P, dtheta: (P * P).T @ dtheta),
    *OF_ADJOINTS,
    factor("gradient's sign", "the gradient has the wrong sign", lambda p: -1),
    factor("gradient twice", "the gradient is that of Σ λ r², the loss ½ Σ λ r²", lambda p: 2),
    wrong("no ½", "the factor ½ is missing: L = ½ Σ λ (θ − t)²",
          L=lambda λ, r: (λ * r * r).sum(), dL=lambda λ, r: 2 * λ * r),
    wrong("mean for sum", "loss and gradient are means over the D parameters; they are sums",
          L=lambda λ, r: 0.5 * (λ * r * r).mean(), dL=lambda λ, r: λ * r / len(r)),
    wrong("mean loss", "the loss is a mean over the D parameters, the gradient that of the sum; "
          "both are sums", L=lambda λ, r: 0.5 * (λ * r * r).mean()),
    wrong("λ left out of the gradient", "∂L/∂θ is θ − t; λ (θ − t) is needed", dL=lambda λ, r: r),
    *(m for m in OF_P_GIVEN if "norm" in m.steps),
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """A start, a target and positive curvatures for each of dense's shapes."""
    for problem in of_dense(dtype, "P"):
        P = problem.rest["P"]
        theta_0, target, curvature = (numbers(dtype, len(P), lane=lane) for lane in (2, 3, 4))
        rest = {"theta_0": theta_0, "P": P, "curvature": 1 + np.abs(curvature), "target": target}
        yield Problem(problem.title, problem.first, rest, "loss_grad")


TABLES = {
    ("subspace_gradient", "given", "loss_grad"): Table(
        loss_and_grad, RIGHT, MISTAKES, problems, ("loss", "grad")
    )
}
