"""Training through θ = T(v): every method is a T; in a random subspace it is Eq. (2), with its chain rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from npintdim.backend import as_array, namespace
from npintdim.engine.landscape import Batch, Evaluation, Landscape, dim_of, pair
from npintdim.engine.params import ParamLayout
from npintdim.inputs import check_has, check_kind
from npintdim.projections import Operator
from npintdim.specs import settle
from npintdim.typing import Floats, Spec


def spec_or_name(thing: object, what: str = "landscape") -> Spec:
    """The spec of a landscape, or of P; of a user's own without one, the name of its class."""
    spec = getattr(thing, "spec", None)
    return spec() if spec else {what: type(thing).__qualname__}


def size_of(P: Operator) -> tuple[int, int]:
    """D and d; TypeError for what is no operator, a matrix as it is, say."""
    if not isinstance(P, Operator):
        raise TypeError(f"P is a {type(P).__name__}: shape, apply and adjoint are needed")
    D, d = P.shape
    return D, d


def check_map(name: str, T: object) -> None:
    """TypeError for what is no map, a P without its θ_0, say."""
    check_has(name, T, ("dim", "D"), "dim, D, theta and pullback")


@runtime_checkable
class Parametrisation(Protocol):
    """A map T from R^dim to R^D: the random subspace is linear, LoRA bilinear, and so may yours be."""

    @property
    def dim(self) -> int:
        """How many numbers are trained."""
        ...

    @property
    def D(self) -> int:
        """How many numbers θ has."""
        ...

    def start(self) -> Floats:
        """v where training begins, (dim,)."""
        ...

    def theta(self, v: Floats) -> Floats:
        """θ = T(v), (D,), a fresh array."""
        ...

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """∂L/∂v = J_T(v)ᵀ ∂L/∂θ, (dim,)."""
        ...

    def spec(self) -> Spec:
        """JSON-able description."""
        ...


class Subspace:
    """T(θ_d) = θ_0 + P θ_d, Eq. (2) of the paper; its Jacobian is P wherever θ_d is.

    Parameters
    ----------
    theta_0 : (D,), the frozen starting point
    P : D×d, anything with shape, apply and adjoint

    Raises
    ------
    TypeError, ValueError
        if P is no such thing, or the two do not agree on D.
    """

    def __init__(self, theta_0: Floats, P: Operator) -> None:
        backend, (D, d) = getattr(P, "backend", None), size_of(P)
        theta_0 = backend.floats(theta_0, "theta_0") if backend else as_array("theta_0", theta_0)
        if theta_0.shape != (D,):
            raise ValueError(f"theta_0 has shape {theta_0.shape}, but P is D×d = {D}×{d}: ({D},) is needed")
        self.theta_0, self.P = theta_0, P
        self.D, self.dim = D, d

    def start(self) -> Floats:
        """θ_d = 0, so that θ = θ_0 at first."""
        return namespace(self.theta_0).zeros(self.dim, dtype=self.theta_0.dtype)

    def theta(self, theta_d: Floats) -> Floats:
        """θ = θ_0 + P θ_d, Eq. (2)."""
        return self.theta_0 + self.P.apply(theta_d)

    def pullback(self, theta_d: Floats, grad_theta: Floats) -> Floats:
        """∂L/∂θ_d = Pᵀ ∂L/∂θ."""
        return self.P.adjoint(grad_theta)

    def spec(self) -> Spec:
        """That of P, if it has one; θ_0 has none."""
        return {"P": spec_or_name(self.P, "P")}


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
        D = dim_of(landscape)
        check_map("parametrisation", parametrisation)
        if parametrisation.D != D:
            raise ValueError(
                f"the parametrisation gives θ with D = {parametrisation.D}, but the landscape has D = {D}"
            )
        self.landscape = landscape
        self.parametrisation = parametrisation
        self.dim = parametrisation.dim  # d, in a subspace

    def __repr__(self) -> str:
        T = getattr(self, "P", self.parametrisation)
        return f"<{type(self).__name__}: {self.dim:,} numbers of {self.landscape!r} through {T!r}>"

    def start(self) -> Floats:
        """v where training begins."""
        return self.parametrisation.start()

    def theta(self, v: Floats) -> Floats:
        """θ = T(v)."""
        return self.parametrisation.theta(v)

    def loss_and_grad(self, v: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Loss at θ = T(v) and ∂L/∂v = J_T(v)ᵀ ∂L/∂θ."""
        T = self.parametrisation
        loss, grad_theta = pair(self.landscape.loss_and_grad(T.theta(v), batch))
        return loss, T.pullback(v, grad_theta)

    def evaluate(self, v: Floats, data: Batch) -> Evaluation:
        """The landscape's own evaluation at θ = T(v)."""
        return self.landscape.evaluate(self.theta(v), data)

    def spec(self) -> Spec:
        """The specs of the landscape and of T (of a subspace P), of those that have one."""
        return {"landscape": spec_or_name(self.landscape), **self.parametrisation.spec()}


class SubspaceObjective(ParametrisedObjective):
    """A landscape of dimension d inside one of dimension D: T is the paper's `Subspace`.

    Parameters
    ----------
    landscape : a `Landscape` of dimension D
    theta_0 : (D,), the frozen starting point
    P : D×d, anything with shape, apply and adjoint

    Raises
    ------
    TypeError, ValueError
        if P is no such thing, or the three do not agree on D.

    Notes
    -----
    θ = θ_0 + P θ_d,   ∂L/∂θ_d = Pᵀ ∂L/∂θ,   θ_d = 0 at the start.
    """

    def __init__(self, landscape: Landscape, theta_0: Floats, P: Operator) -> None:
        D, d = size_of(P)
        if (dim := dim_of(landscape)) != D:
            raise ValueError(f"P is D×d = {D}×{d}, but the landscape has D = {dim}")
        subspace = Subspace(theta_0, P)
        super().__init__(landscape, subspace)
        self.theta_0, self.P = subspace.theta_0, P


@dataclass(frozen=True)
class Composed:
    """T(v) = T_outer(T_inner(v)): a subspace of LoRA's factors, for example.

    Parameters
    ----------
    outer, inner : any two, where outer takes what inner gives

    Raises
    ------
    ValueError
        if they do not fit.

    Notes
    -----
    ∂L/∂v = J_inner(v)ᵀ J_outer(w)ᵀ ∂L/∂θ,   w = T_inner(v)
    """

    outer: Parametrisation
    inner: Parametrisation

    def __post_init__(self) -> None:
        check_map("outer", self.outer)
        check_map("inner", self.inner)
        if self.outer.dim != self.inner.D:
            raise ValueError(
                f"the inner parametrisation gives {self.inner.D} numbers, "
                f"but the outer one takes {self.outer.dim}"
            )

    @property
    def dim(self) -> int:
        """That of the inner one."""
        return self.inner.dim

    @property
    def D(self) -> int:
        """That of the outer one."""
        return self.outer.D

    def start(self) -> Floats:
        """That of the inner one."""
        return self.inner.start()

    def theta(self, v: Floats) -> Floats:
        """θ = T_outer(T_inner(v))."""
        return self.outer.theta(self.inner.theta(v))

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """The chain rule, once more."""
        return self.inner.pullback(v, self.outer.pullback(self.inner.theta(v), grad_theta))

    def spec(self) -> Spec:
        """Both."""
        return {"outer": self.outer.spec(), "inner": self.inner.spec()}


@dataclass(frozen=True)
class FromStart:
    """T(v_0 + u) from u = 0 on, v_0 = T.start(): what is trained, and kept, is how far v moves."""

    T: Parametrisation

    @property
    def dim(self) -> int:
        """That of T."""
        return self.T.dim

    @property
    def D(self) -> int:
        """That of T."""
        return self.T.D

    @cached_property
    def v_0(self) -> Floats:
        """Where T begins."""
        return self.T.start()

    def start(self) -> Floats:
        """u = 0."""
        return namespace(self.v_0).zeros_like(self.v_0)

    def theta(self, u: Floats) -> Floats:
        """θ = T(v_0 + u)."""
        return self.T.theta(self.v_0 + u)

    def pullback(self, u: Floats, grad_theta: Floats) -> Floats:
        """That of T at v_0 + u."""
        return self.T.pullback(self.v_0 + u, grad_theta)

    def spec(self) -> Spec:
        """That of T."""
        return self.T.spec()


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
        check_kind("layout", self.layout, ParamLayout, "model.layout")
        if (dim := dim_of(self.landscape)) != self.layout.D:
            raise ValueError(
                f"the layout has D = {self.layout.D}, but the landscape has {dim} coordinates: "
                "wrap the network, not its subspace"
            )

    @property
    def dim(self) -> int:
        """That of the landscape."""
        return self.landscape.dim

    def loss_and_grad(self, theta: Floats, batch: Batch) -> tuple[Any, Floats]:
        """L + w Σ θ²  and  ∇L + 2 w θ, both over kernels only."""
        loss, grad = pair(self.landscape.loss_and_grad(theta, batch))
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
        return {"L2": self.weight, "landscape": spec_or_name(self.landscape)}
