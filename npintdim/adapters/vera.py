"""VeRA (Kopiczko et al. 2023): one frozen random pair A, B for all matrices, two vectors of scales trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import MatrixAdapter, Product
from npintdim.typing import Floats

D_INITIAL = 0.1  # the paper's, and that of the PEFT package


@dataclass(frozen=True, eq=False)
class VeRA(MatrixAdapter):
    """W = W_0 + A diag(d) B diag(b),   A (n_in, r) and B (r, n_out) frozen and shared, d (r,) and b (n_out,) trained.

    Notes
    -----
    C = A diag(d) B
    Pullback  db_j = Σ_i dW_ij C_ij,   dd_k = Σ_j (Aᵀ dW)_kj B_kj b_j
    Counted   r + n_out of every matrix

    A_ij ~ N(0, 2/n_in) and B_kj ~ N(0, 2/r) are drawn once, as large as the largest matrix needs; each takes the first rows
    and columns. At first d = 0.1 and b = 0: θ = θ_0 bit for bit. In the papers' W (n_out, n_in): ΔW = diag(b) B diag(d) A.
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
