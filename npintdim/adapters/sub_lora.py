"""SubLoRA (Lotfi et al. 2024): a random subspace of LoRA's factors, T = LoRA ∘ subspace."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import Adapter
from npintdim.adapters.lora import LoRA
from npintdim.objective import Composed, Subspace
from npintdim.projections import SeededProjection, make_projection
from npintdim.typing import Floats, Spec


@dataclass(frozen=True, eq=False)
class InLoRA(Adapter):
    """(A, B) = w_0 + P v of all matrices at once, P N×d, N being LoRA's count.

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`
    d : of v
    r : rank of the factors
    """

    d: int = 100
    r: int = 4

    @property
    @abstractmethod
    def lora(self) -> LoRA:
        """Whose factors move."""

    @property
    @abstractmethod
    def subspace(self) -> Subspace:
        """w_0 + P v."""

    @cached_property
    def composed(self) -> Composed:
        """LoRA ∘ subspace."""
        return Composed(self.lora, self.subspace)

    @property
    def dim(self) -> int:
        """d."""
        return self.d

    def theta(self, v: Floats) -> Floats:
        """T_LoRA(w_0 + P v)."""
        return self.composed.theta(self.checked(v))

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """Pᵀ (dA, dB)."""
        return self.composed.pullback(self.checked(v), grad_theta)


@dataclass(frozen=True, eq=False)
class SubLoRA(InLoRA):
    """(A, B) = (A_0, 0) + P v of all matrices at once,   W = W_0 + (α/r) A B.

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`
    d : of v
    r, alpha : of the LoRA
    P : kind and options of P, N×d, N being LoRA's count

    Notes
    -----
    Pullback  Pᵀ (dA, dB)
    Counted   d

    At first v = 0, and θ = θ_0 bit for bit, as B = 0.
    """

    alpha: float = 8.0
    P: Spec = field(default_factory=lambda: {"kind": "fastfood"})

    kind: ClassVar[str] = "sub_lora"

    @cached_property
    def lora(self) -> LoRA:
        """Whose factors move."""
        return LoRA(self.layout, self.theta_0, self.seed, self.backend, self.r, self.alpha)

    @cached_property
    def projection(self) -> SeededProjection:
        """P, N×d."""
        return make_projection(D=self.lora.dim, d=self.d, seed=self.seed, backend=self.backend, **self.P)

    @cached_property
    def subspace(self) -> Subspace:
        """LoRA's start + P v."""
        return Subspace(self.lora.start(), self.projection)

    def exact(self, v: Floats) -> Floats:
        """As `theta`, with P's own order and LoRA's."""
        return self.lora.exact(self.lora.start() + self.projection.apply_exact(self.checked(v)))
