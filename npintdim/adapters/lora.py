"""LoRA, and those of its relatives that give each matrix a ΔW of its own.

LoRA (Hu et al. 2021), rsLoRA (Kalajdzievski 2023) and LoRA-FA (Zhang et al. 2023): two factors of rank r.
LoRA-XS (Bałazy et al. 2024): r² numbers between a matrix's own singular vectors. VeRA (Kopiczko et al. 2023):
one frozen random pair for all matrices, two vectors of scales trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import MatrixAdapter, Product
from npintdim.typing import Floats

D_INITIAL = 0.1  # of VeRA, its paper's, and that of the PEFT package


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

    At first A_ij ~ N(0, 1/n_in) and B = 0, so that θ = θ_0 bit for bit. There dA = 0: only B moves in the
    first step, and with A = 0 too nothing ever would. Hu et al. write h = W x with W (n_out, n_in)
    and ΔW = B A; their A is our Aᵀ, their B our Bᵀ. The pair (A S, S⁻¹B) gives the same θ:
    r² numbers of each matrix are a gauge and only d − Σ r² of them are directions.
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


@dataclass(frozen=True, eq=False)
class LoRAXS(MatrixAdapter):
    """W = W_0 + U_r Σ_r R V_rᵀ with W_0 ≈ U_r Σ_r V_rᵀ frozen, R (r, r) trained.

    Parameters
    ----------
    layout, theta_0, seed, backend, r : see `MatrixAdapter`;
        nothing is drawn, the frozen factors are W_0's own
    sigma : False leaves Σ out

    Notes
    -----
    Pullback  dR = Σ_r U_rᵀ dW V_r
    Counted   r² of every matrix

    Linear in R, R = 0 at first. Without Σ the columns of J are orthonormal; with it they have the lengths of
    the singular values: the metric of training follows what W_0 does most.
    U and V are LAPACK's, so no compressed file holds it.
    """

    sigma: bool = True

    kind: ClassVar[str] = "lora_xs"

    @classmethod
    def trained(cls, n_in: int, n_out: int, r: int) -> tuple[tuple[int, ...], ...]:
        """R."""
        return ((r, r),)

    @cached_property
    def frozen(self) -> list[tuple[Floats, Floats]]:
        """U_r Σ_r (n_in, r) and V_rᵀ (r, n_out) of every matrix."""
        found = [self.backend.xp.linalg.svd(W, full_matrices=False) for W in self.matrices(self.theta_0)]
        return [
            (U[:, : self.r] * (sigma[: self.r] if self.sigma else 1), Vt[: self.r]) for U, sigma, Vt in found
        ]

    def delta(self, i: int, factors: list[Floats], product: Product) -> Floats:
        """U_r Σ_r R V_rᵀ."""
        (U_sigma, Vt), (R,) = self.frozen[i], factors
        return product(product(U_sigma, R), Vt)

    def exact(self, v: Floats) -> Floats:
        """None: U and V are LAPACK's."""
        raise ValueError(
            "no compressed file holds lora_xs: U and V are LAPACK's, and another machine's have other bits"
        )

    def gradients(self, i: int, factors: list[Floats], dW: Floats) -> tuple[Floats, ...]:
        """dR = Σ_r U_rᵀ dW V_r."""
        U_sigma, Vt = self.frozen[i]
        return (U_sigma.T @ dW @ Vt.T,)


@dataclass(frozen=True, eq=False)
class VeRA(MatrixAdapter):
    """W = W_0 + A diag(d) B diag(b),   A (n_in, r), B (r, n_out) frozen, shared, d (r,), b (n_out,) trained.

    Notes
    -----
    C = A diag(d) B
    Pullback  db_j = Σ_i dW_ij C_ij,   dd_k = Σ_j (Aᵀ dW)_kj B_kj b_j
    Counted   r + n_out of every matrix

    A_ij ~ N(0, 2/n_in) and B_kj ~ N(0, 2/r) are drawn once, as large as the largest matrix needs;
    each takes the first rows and columns. At first d = 0.1 and b = 0: θ = θ_0 bit for bit.
    In the papers' W (n_out, n_in): ΔW = diag(b) B diag(d) A.
    """

    kind: ClassVar[str] = "vera"

    def check(self) -> None:
        """A and B are random: r may be larger than any matrix, and in VeRA it is."""
        self.shapes(self.layout)

    @classmethod
    def trained(cls, n_in: int, n_out: int, r: int) -> tuple[tuple[int, ...], ...]:
        """d and b."""
        return (r,), (n_out,)

    @cached_property
    def frozen(self) -> list[tuple[Floats, Floats]]:
        """A and B, drawn for the largest n_in and n_out, and cut for every matrix."""
        shapes = self.shapes(self.layout)
        n_in, n_out = (max(sizes) for sizes in zip(*shapes, strict=True))
        A = self.normals(0, n_in, self.r, sd=math.sqrt(2 / n_in))
        B = self.normals(1, self.r, n_out, sd=math.sqrt(2 / self.r))
        return [(A[:n_in], B[:, :n_out]) for n_in, n_out in shapes]

    def start(self) -> Floats:
        """d = 0.1, b = 0."""
        v = super().start()
        for d, _ in self.factors(v):
            d[...] = D_INITIAL
        return v

    def delta(self, i: int, factors: list[Floats], product: Product) -> Floats:
        """A diag(d) B diag(b)."""
        (A, B), (d, b) = self.frozen[i], factors
        return product(A * d, B) * b

    def gradients(self, i: int, factors: list[Floats], dW: Floats) -> tuple[Floats, ...]:
        """dd_k = Σ_j (Aᵀ dW)_kj B_kj b_j,  db_j = Σ_i dW_ij C_ij."""
        (A, B), (d, b) = self.frozen[i], factors
        ATdW = A.T @ dW  # (r, n_out)
        return (ATdW * B * b).sum(axis=1), (ATdW * B * d[:, None]).sum(axis=0)
