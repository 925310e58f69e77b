"""VeRA (Kopiczko et al. 2023): one frozen random pair A, B for all matrices, two vectors of scales trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import MatrixAdapter, Product
from npintdim.engine.params import ParamLayout
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
    def count(cls, layout: ParamLayout, r: int) -> int:
        """r + n_out of every matrix."""
        return sum(r + n_out for _, n_out in cls.shapes(layout))

    @cached_property
    def shared(self) -> tuple[Floats, Floats]:
        """A and B for the largest n_in and n_out."""
        n_in, n_out = (max(sizes) for sizes in zip(*self.shapes(self.layout), strict=True))
        A = self.normals(0, n_in, self.r, sd=math.sqrt(2 / n_in))
        return A, self.normals(1, self.r, n_out, sd=math.sqrt(2 / self.r))

    def factors(self, v: Floats) -> Iterator[list[Floats]]:
        """d and b of every matrix."""
        return self.parts(v, lambda n_in, n_out: (self.r,), lambda n_in, n_out: (n_out,))

    def frozen(self) -> Iterator[tuple[Floats, Floats]]:
        """A and B, cut for every matrix."""
        A, B = self.shared
        for n_in, n_out in self.shapes(self.layout):
            yield A[:n_in], B[:, :n_out]

    def start(self) -> Floats:
        """d = 0.1, b = 0."""
        v: Floats = self.backend.xp.zeros(self.dim, dtype=self.backend.dtype)
        for d, _ in self.factors(v):
            d[...] = D_INITIAL
        return v

    def deltas(self, v: Floats, product: Product) -> Iterator[Floats]:
        """A diag(d) B diag(b)."""
        for (A, B), (d, b) in zip(self.frozen(), self.factors(v), strict=True):
            yield product(A * d, B) * b

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """db_j = Σ_i dW_ij C_ij,  dd_k = Σ_j (Aᵀ dW)_kj B_kj b_j."""
        grad: Floats = self.backend.xp.empty_like(self.checked(v))
        trained = zip(self.factors(v), self.factors(grad), strict=True)
        for (A, B), ((d, b), (dd, db)), dW in zip(
            self.frozen(), trained, self.matrices(grad_theta), strict=True
        ):
            ATdW = A.T @ dW  # (r, n_out)
            db[...] = (ATdW * B * d[:, None]).sum(axis=0)
            dd[...] = (ATdW * B * b).sum(axis=1)
        return grad
