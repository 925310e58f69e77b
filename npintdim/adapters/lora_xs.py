"""LoRA-XS (Bałazy et al. 2024): r² numbers a matrix, between its own singular vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import MatrixAdapter, Product
from npintdim.engine.params import ParamLayout
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
    def count(cls, layout: ParamLayout, r: int) -> int:
        """r² of every matrix."""
        return r * r * len(cls.shapes(layout))

    @cached_property
    def frozen(self) -> list[tuple[Floats, Floats]]:
        """U_r Σ_r (n_in, r) and V_rᵀ (r, n_out) of every matrix."""
        found = [self.backend.xp.linalg.svd(W, full_matrices=False) for W in self.W_0]
        return [(U[:, : self.r] * (S[: self.r] if self.sigma else 1), Vt[: self.r]) for U, S, Vt in found]

    def factors(self, v: Floats) -> Iterator[list[Floats]]:
        """R of every matrix."""
        return self.parts(v, lambda n_in, n_out: (self.r, self.r))

    def start(self) -> Floats:
        """R = 0."""
        zeros: Floats = self.backend.xp.zeros(self.dim, dtype=self.backend.dtype)
        return zeros

    def deltas(self, v: Floats, product: Product) -> Iterator[Floats]:
        """U_r Σ_r R V_rᵀ."""
        for (US, Vt), (R,) in zip(self.frozen, self.factors(v), strict=True):
            yield product(product(US, R), Vt)

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """dR = Σ_r U_rᵀ dW V_r."""
        grad: Floats = self.backend.xp.empty_like(self.checked(v))
        for (US, Vt), (dR,), dW in zip(
            self.frozen, self.factors(grad), self.matrices(grad_theta), strict=True
        ):
            dR[...] = US.T @ dW @ Vt.T
        return grad
