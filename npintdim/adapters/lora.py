"""LoRA (Hu et al. 2021), rsLoRA (Kalajdzievski 2023) and LoRA-FA (Zhang et al. 2023): ΔW of rank r, two factors trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import MatrixAdapter, Product
from npintdim.engine.params import ParamLayout
from npintdim.typing import Floats


@dataclass(frozen=True, eq=False)
class LoRA(MatrixAdapter):
    """W = W_0 + s A B,   A (n_in, r), B (r, n_out),   s = α/r, or α/√r with `stabilised` (rsLoRA).

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`
    r : rank
    alpha : α
    stabilised : True for rsLoRA's scale, with which the size of ΔW does not fall with r

    Notes
    -----
    Pullback  dA = s dW Bᵀ,   dB = s Aᵀ dW
    Counted   r (n_in + n_out) of every matrix

    At first A_ij ~ N(0, 1/n_in) and B = 0, so that θ = θ_0 bit for bit. There dA = 0: only B moves in the first step, and
    with A = 0 too nothing ever would. Hu et al. write h = W x with W (n_out, n_in) and ΔW = B A; their A is our Aᵀ, their B our Bᵀ.
    The pair (A S, S⁻¹B) gives the same θ: r² numbers of each matrix are a gauge and only d − Σ r² of them are directions.
    """

    alpha: float = 8.0
    stabilised: bool = False

    kind: ClassVar[str] = "lora"

    @classmethod
    def count(cls, layout: ParamLayout, r: int) -> int:
        """r (n_in + n_out) of every matrix."""
        return sum(r * (n_in + n_out) for n_in, n_out in cls.shapes(layout))

    @property
    def scale(self) -> float:
        """s."""
        return self.alpha / (math.sqrt(self.r) if self.stabilised else self.r)

    def factors(self, v: Floats) -> Iterator[list[Floats]]:
        """A and B of every matrix."""
        return self.parts(v, lambda n_in, n_out: (n_in, self.r), lambda n_in, n_out: (self.r, n_out))

    def start(self) -> Floats:
        """A drawn, B = 0."""
        v: Floats = self.backend.xp.zeros(self.dim, dtype=self.backend.dtype)
        for lane, (A, _) in enumerate(self.factors(v)):
            A[...] = self.normals(lane, *A.shape, sd=1 / math.sqrt(len(A)))
        return v

    def deltas(self, v: Floats, product: Product) -> Iterator[Floats]:
        """s A B."""
        for A, B in self.factors(v):
            yield self.scale * product(A, B)

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """dA = s dW Bᵀ,  dB = s Aᵀ dW."""
        grad: Floats = self.backend.xp.empty_like(self.checked(v))
        both = zip(self.factors(v), self.factors(grad), self.matrices(grad_theta), strict=True)
        for (A, B), (dA, dB), dW in both:
            dA[...] = self.scale * (dW @ B.T)
            dB[...] = self.scale * (A.T @ dW)
        return grad


@dataclass(frozen=True, eq=False)
class LoRAFA(MatrixAdapter):
    """W = W_0 + (α/r) A B with A frozen: the tangent of LoRA at its start, and linear in B.

    Notes
    -----
    Pullback  dB = (α/r) Aᵀ dW
    Counted   r n_out of every matrix

    θ = θ_0 + P v with P = (α/r) A ⊗ I in every matrix: a subspace of low rank, chosen matrix by matrix.
    """

    alpha: float = 8.0

    kind: ClassVar[str] = "lora_fa"

    @classmethod
    def count(cls, layout: ParamLayout, r: int) -> int:
        """r n_out of every matrix."""
        return sum(r * n_out for _, n_out in cls.shapes(layout))

    @cached_property
    def A(self) -> list[Floats]:
        """The frozen factors: those that LoRA of the same seed begins with."""
        shapes = enumerate(self.shapes(self.layout))
        return [self.normals(lane, n_in, self.r, sd=1 / math.sqrt(n_in)) for lane, (n_in, _) in shapes]

    def start(self) -> Floats:
        """B = 0."""
        zeros: Floats = self.backend.xp.zeros(self.dim, dtype=self.backend.dtype)
        return zeros

    def factors(self, v: Floats) -> Iterator[list[Floats]]:
        """B of every matrix."""
        return self.parts(v, lambda n_in, n_out: (self.r, n_out))

    def deltas(self, v: Floats, product: Product) -> Iterator[Floats]:
        """(α/r) A B."""
        for A, (B,) in zip(self.A, self.factors(v), strict=True):
            yield self.alpha / self.r * product(A, B)

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """dB = (α/r) Aᵀ dW."""
        grad: Floats = self.backend.xp.empty_like(self.checked(v))
        for A, (dB,), dW in zip(self.A, self.factors(grad), self.matrices(grad_theta), strict=True):
            dB[...] = self.alpha / self.r * (A.T @ dW)
        return grad
