"""Training in a random subspace: Eq. (2) of the paper and its chain rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import as_array, namespace
from npintdim.engine.landscape import Batch, Evaluation, Landscape
from npintdim.engine.params import ParamLayout
from npintdim.projections import Operator
from npintdim.specs import settle
from npintdim.typing import Floats, Spec


def spec_of(thing: object, what: str = "landscape") -> Spec:
    """The spec of a landscape, or of P; of a user's own without one, the name of its class."""
    spec = getattr(thing, "spec", None)
    return spec() if spec else {what: type(thing).__qualname__}


class SubspaceObjective:
    """A landscape of dimension d inside one of dimension D.

    Parameters
    ----------
    landscape : a `Landscape` of dimension D
    theta_0 : (D,), the frozen starting point
    P : D×d, anything with shape, apply and adjoint

    Raises
    ------
    ValueError
        if the three do not agree on D.

    Notes
    -----
    θ = θ_0 + P θ_d,   ∂L/∂θ_d = Pᵀ ∂L/∂θ,   θ_d = 0 at the start.
    """

    def __init__(self, landscape: Landscape, theta_0: Floats, P: Operator) -> None:
        backend, (D, d) = getattr(P, "backend", None), P.shape
        theta_0 = backend.floats(theta_0, "theta_0") if backend else as_array("theta_0", theta_0)
        if theta_0.shape != (landscape.dim,):
            raise ValueError(
                f"theta_0 has shape {theta_0.shape}, but the landscape has D = {landscape.dim}: "
                f"({landscape.dim},) is needed"
            )
        if landscape.dim != D:
            raise ValueError(f"P is D×d = {D}×{d}, but the landscape has D = {landscape.dim}")
        self.landscape = landscape
        self.theta_0 = theta_0
        self.P = P

    @property
    def dim(self) -> int:
        """d."""
        return self.P.shape[1]

    def start(self) -> Floats:
        """θ_d = 0, so that θ = θ_0 at first."""
        zeros: Floats = namespace(self.theta_0).zeros(self.dim, dtype=self.theta_0.dtype)
        return zeros

    def theta(self, theta_d: Floats) -> Floats:
        """θ = θ_0 + P θ_d, Eq. (2)."""
        return self.theta_0 + self.P.apply(theta_d)

    def loss_and_grad(self, theta_d: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Loss at θ(θ_d) and ∂L/∂θ_d = Pᵀ ∂L/∂θ."""
        loss, grad_theta = self.landscape.loss_and_grad(self.theta(theta_d), batch)
        return loss, self.P.adjoint(grad_theta)

    def evaluate(self, theta_d: Floats, data: Batch) -> Evaluation:
        """The landscape's own evaluation at θ(θ_d)."""
        return self.landscape.evaluate(self.theta(theta_d), data)

    def spec(self) -> Spec:
        """The specs of the landscape and of P, of those that have one."""
        return {"landscape": spec_of(self.landscape), "P": spec_of(self.P, "P")}


@dataclass(frozen=True)
class L2:
    """A landscape plus weight · Σ θ² over the kernels (parameters called W), on the full θ.

    Wrap the network, not its subspace: the authors penalise θ = θ_0 + P θ_d, not θ_d.
    `evaluate` reports the loss without the penalty.

    Parameters
    ----------
    landscape : a landscape over θ
    layout : says which entries of θ are kernels
    weight : ≥ 0; 1e-4 in most of the authors' runs, 0 in the dense ones

    Raises
    ------
    ValueError
        for a negative weight, or a layout of another D than the landscape's.
    """

    landscape: Landscape
    layout: ParamLayout
    weight: float

    def __post_init__(self) -> None:
        settle(self)
        if not 0 <= self.weight < np.inf:
            raise ValueError(f"weight is {self.weight}: a number ≥ 0 is needed")
        if self.landscape.dim != self.layout.D:
            raise ValueError(
                f"the layout has D = {self.layout.D}, but the landscape has {self.landscape.dim} coordinates: "
                "wrap the network, not its subspace"
            )

    @property
    def dim(self) -> int:
        """That of the landscape."""
        return self.landscape.dim

    def loss_and_grad(self, theta: Floats, batch: Batch) -> tuple[Any, Floats]:
        """L + w Σ θ²  and  ∇L + 2 w θ, both over kernels only."""
        loss, grad = self.landscape.loss_and_grad(theta, batch)
        for name, where in self.layout.slices.items():
            if name.endswith(".W"):
                kernel = theta[where]
                loss = loss + self.weight * namespace(theta).vdot(kernel, kernel)
                grad[where] += 2 * self.weight * kernel
        return loss, grad

    def evaluate(self, theta: Floats, data: Batch) -> Evaluation:
        """The landscape's own evaluation, without the penalty."""
        return self.landscape.evaluate(theta, data)

    def spec(self) -> Spec:
        """The landscape's spec and the weight."""
        return {"L2": self.weight, "landscape": spec_of(self.landscape)}
