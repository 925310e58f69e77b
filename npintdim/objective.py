"""Training through θ = T(v): in a random subspace it is Eq. (2) of the paper and its chain rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import namespace
from npintdim.engine.landscape import Batch, Evaluation, Landscape
from npintdim.engine.params import ParamLayout
from npintdim.parametrisation import Parametrisation, Subspace, spec_of
from npintdim.projections import Operator
from npintdim.specs import settle
from npintdim.typing import Floats, Spec


class ParametrisedObjective:
    """A landscape of dimension dim inside one of dimension D, through θ = T(v).

    Parameters
    ----------
    landscape : a `Landscape` of dimension D
    parametrisation : T

    Raises
    ------
    ValueError
        if the two do not agree on D.

    Notes
    -----
    L(v) = L(T(v)),   ∂L/∂v = J_T(v)ᵀ ∂L/∂θ.
    """

    def __init__(self, landscape: Landscape, parametrisation: Parametrisation) -> None:
        if landscape.dim != parametrisation.D:
            raise ValueError(
                f"the parametrisation gives θ with D = {parametrisation.D}, but the landscape has D = {landscape.dim}"
            )
        self.landscape = landscape
        self.parametrisation = parametrisation

    @property
    def dim(self) -> int:
        """How many numbers are trained: d, in a subspace."""
        return self.parametrisation.dim

    def start(self) -> Floats:
        """v where training begins."""
        return self.parametrisation.start()

    def theta(self, v: Floats) -> Floats:
        """θ = T(v)."""
        return self.parametrisation.theta(v)

    def loss_and_grad(self, v: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Loss at θ = T(v) and ∂L/∂v = J_T(v)ᵀ ∂L/∂θ."""
        loss, grad_theta = self.landscape.loss_and_grad(self.theta(v), batch)
        return loss, self.parametrisation.pullback(v, grad_theta)

    def evaluate(self, v: Floats, data: Batch) -> Evaluation:
        """The landscape's own evaluation at θ = T(v)."""
        return self.landscape.evaluate(self.theta(v), data)

    def spec(self) -> Spec:
        """The specs of the landscape and of T (of a subspace P), of those that have one."""
        return {"landscape": spec_of(self.landscape), **self.parametrisation.spec()}


class SubspaceObjective(ParametrisedObjective):
    """A landscape of dimension d inside one of dimension D: T is the paper's `Subspace`.

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
        D, d = P.shape
        if landscape.dim != D:
            raise ValueError(f"P is D×d = {D}×{d}, but the landscape has D = {landscape.dim}")
        subspace = Subspace(theta_0, P)
        super().__init__(landscape, subspace)
        self.theta_0, self.P = subspace.theta_0, P


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
