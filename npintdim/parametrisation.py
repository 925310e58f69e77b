"""How a short vector v becomes θ: every method of this family is a T with θ = T(v) and ∂L/∂v = J_T(v)ᵀ ∂L/∂θ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from npintdim.backend import as_array, namespace
from npintdim.projections import Operator
from npintdim.typing import Floats, Spec


def spec_of(thing: object, what: str = "landscape") -> Spec:
    """The spec of a landscape, or of P; of a user's own without one, the name of its class."""
    spec = getattr(thing, "spec", None)
    return spec() if spec else {what: type(thing).__qualname__}


@runtime_checkable
class Parametrisation(Protocol):
    """A map T from R^dim to R^D. The random subspace is the linear one, LoRA a bilinear one, and so may yours be."""

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
    ValueError
        if the two do not agree on D.
    """

    def __init__(self, theta_0: Floats, P: Operator) -> None:
        backend, (D, d) = getattr(P, "backend", None), P.shape
        theta_0 = backend.floats(theta_0, "theta_0") if backend else as_array("theta_0", theta_0)
        if theta_0.shape != (D,):
            raise ValueError(f"theta_0 has shape {theta_0.shape}, but P is D×d = {D}×{d}: ({D},) is needed")
        self.theta_0, self.P = theta_0, P
        self.D, self.dim = D, d

    def start(self) -> Floats:
        """θ_d = 0, so that θ = θ_0 at first."""
        zeros: Floats = namespace(self.theta_0).zeros(self.dim, dtype=self.theta_0.dtype)
        return zeros

    def theta(self, theta_d: Floats) -> Floats:
        """θ = θ_0 + P θ_d, Eq. (2)."""
        return self.theta_0 + self.P.apply(theta_d)

    def pullback(self, theta_d: Floats, grad_theta: Floats) -> Floats:
        """∂L/∂θ_d = Pᵀ ∂L/∂θ."""
        return self.P.adjoint(grad_theta)

    def spec(self) -> Spec:
        """That of P, if it has one; θ_0 has none."""
        return {"P": spec_of(self.P, "P")}


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
        if self.outer.dim != self.inner.D:
            raise ValueError(
                f"the inner parametrisation gives {self.inner.D} numbers, but the outer one takes {self.outer.dim}"
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
