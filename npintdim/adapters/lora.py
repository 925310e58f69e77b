"""LoRA (Hu et al. 2021), rsLoRA (Kalajdzievski 2023) and LoRA-FA (Zhang et al. 2023): ΔW of rank r, two factors trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import MatrixAdapter, Product
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
    def trained(cls, n_in: int, n_out: int, r: int) -> tuple[tuple[int, ...], ...]:
        """A and B."""
        return (n_in, r), (r, n_out)

    @property
    def scale(self) -> float:
        """s."""
        return self.alpha / (math.sqrt(self.r) if self.stabilised else self.r)

    def start(self) -> Floats:
        """A drawn, B = 0."""
        v = super().start()
        for lane, (A, _) in enumerate(self.factors(v)):
            A[...] = self.normals(lane, *A.shape, sd=1 / math.sqrt(len(A)))
        return v

    def delta(self, i: int, factors: list[Floats], product: Product) -> Floats:
        """s A B."""
        A, B = factors
        return self.scale * product(A, B)

    def gradients(self, i: int, factors: list[Floats], dW: Floats) -> tuple[Floats, ...]:
        """dA = s dW Bᵀ,  dB = s Aᵀ dW."""
        A, B = factors
        return self.scale * (dW @ B.T), self.scale * (A.T @ dW)


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
    def trained(cls, n_in: int, n_out: int, r: int) -> tuple[tuple[int, ...], ...]:
        """B."""
        return ((r, n_out),)

    @cached_property
    def A(self) -> list[Floats]:
        """The frozen factors: those that LoRA of the same seed begins with."""
        shapes = enumerate(self.shapes(self.layout))
        return [self.normals(lane, n_in, self.r, sd=1 / math.sqrt(n_in)) for lane, (n_in, _) in shapes]

    def delta(self, i: int, factors: list[Floats], product: Product) -> Floats:
        """(α/r) A B."""
        return self.alpha / self.r * product(self.A[i], *factors)

    def gradients(self, i: int, factors: list[Floats], dW: Floats) -> tuple[Floats, ...]:
        """dB = (α/r) Aᵀ dW."""
        return (self.alpha / self.r * (self.A[i].T @ dW),)
