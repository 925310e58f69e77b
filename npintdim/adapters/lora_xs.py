"""LoRA-XS (Bałazy et al. 2024): r² numbers a matrix, between its own singular vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import MatrixAdapter, Product
from npintdim.typing import Floats


@dataclass(frozen=True, eq=False)
class LoRAXS(MatrixAdapter):
    """W = W_0 + U_r Σ_r R V_rᵀ with W_0 ≈ U_r Σ_r V_rᵀ frozen, R (r, r) trained.

    Parameters
    ----------
    layout, theta_0, seed, backend, r : see `MatrixAdapter`; nothing is drawn, the frozen factors are W_0's own
    sigma : False leaves Σ out

    Notes
    -----
    Pullback  dR = Σ_r U_rᵀ dW V_r
    Counted   r² of every matrix

    Linear in R, R = 0 at first. Without Σ the columns of J are orthonormal; with it they have the lengths of the
    singular values: the metric of training follows what W_0 does most. U and V are LAPACK's, so no compressed file holds it.
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
        return [(U[:, : self.r] * (S[: self.r] if self.sigma else 1), Vt[: self.r]) for U, S, Vt in found]

    def delta(self, i: int, factors: list[Floats], product: Product) -> Floats:
        """U_r Σ_r R V_rᵀ."""
        (US, Vt), (R,) = self.frozen[i], factors
        return product(product(US, R), Vt)

    def exact(self, v: Floats) -> Floats:
        """None: U and V are LAPACK's."""
        raise ValueError(
            "no compressed file holds lora_xs: U and V are LAPACK's, and another machine's have other bits"
        )

    def gradients(self, i: int, factors: list[Floats], dW: Floats) -> tuple[Floats, ...]:
        """dR = Σ_r U_rᵀ dW V_r."""
        US, Vt = self.frozen[i]
        return (US.T @ dW @ Vt.T,)
