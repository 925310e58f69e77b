"""Training in a random subspace: Eq. (2) of the paper and its chain rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import namespace
from npintdim.engine.landscape import Batch, Evaluation, Landscape
from npintdim.engine.params import ParamLayout
from npintdim.projections import Projection
from npintdim.specs import settle
from npintdim.typing import Floats, Spec


def spec_of(landscape: Landscape) -> Spec:
    """Its spec; of a user's landscape without one, the name of its class."""
    spec = getattr(landscape, "spec", None)
    return spec() if spec else {"landscape": type(landscape).__qualname__}


class SubspaceObjective:
    """A landscape of dimension d inside one of dimension D.

    Parameters
    ----------
    landscape : a `Landscape` of dimension D
    theta_0 : (D,), the frozen starting point
    P : D×d

    Raises
    ------
    ValueError
        if the three do not agree on D.

    Notes
    -----
    θ = θ_0 + P θ_d,   ∂L/∂θ_d = Pᵀ ∂L/∂θ,   θ_d = 0 at the start.
    """

    def __init__(self, landscape: Landscape, theta_0: Floats, P: Projection) -> None:
        theta_0 = P.backend.floats(theta_0, "theta_0")
        if theta_0.shape != (landscape.dim,):
            raise ValueError(
                f"theta_0 has shape {theta_0.shape}, but the landscape has D = {landscape.dim}: "
                f"({landscape.dim},) is needed"
            )
        if landscape.dim != P.D:
            raise ValueError(f"P is D×d = {P.D}×{P.d}, but the landscape has D = {landscape.dim}")
        self.landscape = landscape
        self.theta_0 = theta_0
        self.P = P

    @property
    def dim(self) -> int:
        """d."""
        return self.P.d

    def start(self) -> Floats:
        """θ_d = 0, so that θ = θ_0 at first."""
        zeros: Floats = self.P.backend.xp.zeros(self.P.d, dtype=self.P.backend.dtype)
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
        """The landscape's spec, if it has one, and that of P."""
        return {"landscape": spec_of(self.landscape), "P": self.P.spec()}


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
