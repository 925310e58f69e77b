"""Training that knows of the codebook: the loss is that of the quantised theta_d, the gradient goes straight through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.coding import Codebook
from npintdim.coding.codebook import matrix
from npintdim.landscape import Batch, Evaluation, Landscape
from npintdim.optimizers import Optimizer
from npintdim.typing import Array, Floats


class QuantisedLandscape:
    """A landscape over (v, s): d numbers that are rounded to the levels, and the scales that make the levels.

    Parameters
    ----------
    landscape : of dimension d; a `SubspaceObjective`, or your own
    kind, K : of the codebook, see `Codebook`

    Notes
    -----
    c = A s,   M_ik = 1 where level k is nearest to v_i, else 0,   θ_d = M c

        ∂L/∂v := ∂L/∂θ_d   (straight through: M's own derivative is zero almost everywhere),   ∂L/∂s = AᵀMᵀ ∂L/∂θ_d

    The scales are rounded to binary16 before they are used, as in the file.
    """

    def __init__(self, landscape: Landscape, kind: str, K: int) -> None:
        self.landscape, self.kind, self.K = landscape, kind, K
        self.A = matrix(kind, K)

    @property
    def dim(self) -> int:
        """The landscape's, and the number of scales."""
        return self.landscape.dim + self.A.shape[1]

    def start(self, theta_d: Floats, codebook: Codebook) -> Floats:
        """(v, s) of θ_d and a codebook that was fitted to it."""
        return np.concatenate([theta_d, codebook.scales.astype(theta_d.dtype)])

    def quantised(self, vs: Floats) -> tuple[Floats, Array]:
        """θ_d = M A s, and M (d, K)."""
        d = self.landscape.dim
        c = self.A.astype(vs.dtype) @ vs[d:].astype(np.float16).astype(vs.dtype)
        M = (np.abs(vs[:d, None] - c).argmin(axis=1)[:, None] == np.arange(self.K)).astype(vs.dtype)
        return M @ c, M

    def loss_and_grad(self, vs: Floats, batch: Batch, out: Floats | None = None) -> tuple[Any, Floats]:
        """Loss at the quantised θ_d, and (∂L/∂θ_d, AᵀMᵀ ∂L/∂θ_d)."""
        theta_d, M = self.quantised(vs)
        loss, g = self.landscape.loss_and_grad(theta_d, batch)
        grad = np.concatenate([g, self.A.T.astype(g.dtype) @ (M.T @ g)])
        if out is None:
            return loss, grad
        out[...] = grad
        return loss, out

    def evaluate(self, vs: Floats, data: Batch) -> Evaluation:
        """The landscape's own, at the quantised θ_d."""
        return self.landscape.evaluate(self.quantised(vs)[0], data)

    def codebook(self, vs: Floats) -> Codebook:
        """The codebook that s stands for, ascending; of levels that have become equal it keeps one."""
        s = np.asarray(vs[self.landscape.dim :], np.float16)
        if self.kind == "free":
            s = np.unique(s)
            return Codebook(self.kind, len(s), s)
        return Codebook(self.kind, self.K, np.abs(s))


@dataclass(frozen=True)
class Cooling(Optimizer):
    """Another rule with a learning rate that falls along half a cosine to zero, so that few levels change at the end.

    Parameters
    ----------
    lr : of the first step
    rule : its own learning rate does not count
    steps : of the whole training

    Notes
    -----
    lr_t = lr · (1 + cos(π t/(steps + 1)))/2
    """

    rule: Optimizer
    steps: int

    def start(self, theta: Floats) -> tuple[Floats, ...]:
        """The rule's."""
        return self.rule.start(theta)

    def update(
        self, theta: Floats, grad: Floats, state: tuple[Floats, ...], t: int
    ) -> tuple[Floats, tuple[Floats, ...]]:
        """The rule's, with lr_t."""
        lr_t = self.lr * (1 + math.cos(math.pi * t / (self.steps + 1))) / 2
        return self.rule.with_lr(lr_t).update(theta, grad, state, t)
