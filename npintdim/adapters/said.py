"""SAID (Aghajanyan et al. 2020): the subspace with a trained scale for every tensor. DID is the subspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import Adapter
from npintdim.projections import SeededProjection, make_projection
from npintdim.typing import Floats, Spec


@dataclass(frozen=True, eq=False)
class SAID(Adapter):
    """θ_i = θ_0,i + λ_i (P u)_i for each of the m tensors;   v = (u, λ), u in R^(d−m), λ in R^m.

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`
    d : of all trained numbers, above m: the m scales are paid out of d
    P : kind and options of P, D×(d−m)

    Notes
    -----
    Pullback  du = Pᵀ (λ ∘ g),   dλ_i = ⟨(P u)_i, g_i⟩
    Counted   d

    At first u = 0 and λ = 1: θ = θ_0 bit for bit. Aghajanyan et al. scale each layer; here each tensor has
    its own λ, its bias too. Without λ, SAID is DID: our `Subspace` with Fastfood P.
    """

    d: int = 100
    P: Spec = field(default_factory=lambda: {"kind": "fastfood"})

    kind: ClassVar[str] = "said"

    def check(self) -> None:
        """d above m."""
        m = len(self.layout.entries)
        if self.d <= m:
            raise ValueError(f"d is {self.d}, but SAID pays {m} scales out of it: d > {m} is needed")

    @property
    def dim(self) -> int:
        """d."""
        return self.d

    @cached_property
    def projection(self) -> SeededProjection:
        """P, D×(d−m)."""
        d = self.d - len(self.layout.entries)
        return make_projection(D=self.D, d=d, seed=self.seed, backend=self.backend, **self.P)

    def start(self) -> Floats:
        """u = 0, λ = 1."""
        v: Floats = self.backend.xp.zeros(self.d, dtype=self.backend.dtype)
        v[self.projection.d :] = 1
        return v

    def scales(self, v: Floats) -> Iterator[tuple[slice, Floats]]:
        """The place of every tensor in θ, and its λ."""
        return zip(self.layout.slices.values(), v[self.projection.d :], strict=True)

    def theta(self, v: Floats) -> Floats:
        """θ_i = θ_0,i + λ_i (P u)_i."""
        return self.moved(v, self.projection.apply)

    def exact(self, v: Floats) -> Floats:
        """As `theta`, with P's own order."""
        return self.moved(v, self.projection.apply_exact)

    def moved(self, v: Floats, apply: Callable[[Floats], Floats]) -> Floats:
        """θ by one product P u or another."""
        v = self.checked(v)
        moved = apply(v[: self.projection.d])
        for where, scale in self.scales(v):
            moved[where] *= scale
        return self.theta_0 + moved

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """du = Pᵀ (λ ∘ g),  dλ_i = ⟨(P u)_i, g_i⟩."""
        v, grad_theta = self.checked(v), self.checked_grad(grad_theta)
        scaled = grad_theta.copy()
        Pu = self.projection.apply(v[: self.projection.d])
        grad: Floats = self.backend.xp.empty_like(v)
        for i, (where, scale) in enumerate(self.scales(v), start=self.projection.d):
            scaled[where] *= scale
            grad[i] = Pu[where] @ grad_theta[where]
        grad[: self.projection.d] = self.projection.adjoint(scaled)
        return grad
