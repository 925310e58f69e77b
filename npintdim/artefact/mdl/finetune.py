"""Training that knows of the codebook: the loss is that of the quantised theta_d, the gradient goes straight through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.artefact.coding import Codebook
from npintdim.artefact.coding.codebook import matrix
from npintdim.engine.landscape import Batch, Evaluation, Landscape
from npintdim.engine.optimizers import Adam, Optimizer
from npintdim.typing import Array, Floats


class QuantisedLandscape:
    """A landscape over (v, s): d numbers that are rounded to the levels, and the scales that make the levels.

    Parameters
    ----------
    landscape : of dimension d; a `SubspaceObjective`, or your own
    kind, K : of the codebook, see `Codebook`
    pull : λ ≥ 0, which draws v to its level

    Raises
    ------
    ValueError
        for a codebook that there is not, or a pull that is negative or not finite.

    Notes
    -----
    c = A s,   M_ik = 1 where level k is nearest to v_i, else 0,   θ_d = M c

        ∂L/∂v := ∂L/∂θ_d + λ (v − θ_d),   ∂L/∂s = AᵀMᵀ ∂L/∂θ_d

    Straight through: the derivative of M is zero almost everywhere, and is left out. Without the pull a v_i drifts
    far beyond the outermost level, or comes to rest between two of them and changes to and fro with every batch.
    The scales are rounded to binary16 before they are used, as in the file.
    """

    def __init__(self, landscape: Landscape, kind: str, K: int, pull: float = 0.0) -> None:
        if not 0 <= pull < math.inf:
            raise ValueError(f"pull is {pull}: a number ≥ 0 is needed")
        self.landscape, self.kind, self.K, self.pull = landscape, kind, K, pull
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

    def loss_and_grad(self, vs: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Loss at the quantised θ_d, and (∂L/∂θ_d + λ (v − θ_d), AᵀMᵀ ∂L/∂θ_d)."""
        theta_d, M = self.quantised(vs)
        loss, g = self.landscape.loss_and_grad(theta_d, batch)
        dv = g + self.pull * (vs[: len(g)] - theta_d)
        ds = self.A.T.astype(g.dtype) @ (M.T @ g)
        return loss, np.concatenate([dv, ds])

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
    """Adam with a learning rate that falls along half a cosine to zero, so that few levels change at the end.

    Parameters
    ----------
    lr : of the first step
    steps : of the whole training

    Notes
    -----
    lr_t = lr · (1 + cos(π t/(steps + 1)))/2
    """

    steps: int

    def start(self, theta: Floats) -> tuple[Floats, ...]:
        """Adam's."""
        return Adam(self.lr).start(theta)

    def update(
        self, theta: Floats, grad: Floats, state: tuple[Floats, ...], t: int
    ) -> tuple[Floats, tuple[Floats, ...]]:
        """Adam's, with lr_t."""
        lr_t = self.lr * (1 + math.cos(math.pi * t / (self.steps + 1))) / 2
        return Adam(lr_t).update(theta, grad, state, t)
