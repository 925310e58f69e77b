"""The paper's toy problem, where everything is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npintdim.backend import as_array, namespace
from npintdim.engine.landscape import Batch, Evaluation
from npintdim.inputs import check_integer, quiet
from npintdim.specs import settle
from npintdim.typing import Floats, Spec


@dataclass(frozen=True)
class ToyProblem:
    """D numbers in s equal groups; group k must sum to k. The solutions have dimension D − s: d_int100 = s.

    Parameters
    ----------
    D : multiple of s
    s : number of groups

    Raises
    ------
    TypeError, ValueError
        for numbers out of range, or s that does not divide D.

    Notes
    -----
    L(θ) = Σ_k (Σ_{i in group k} θ_i − k)²,  performance = exp(−L)                        Section 2
    ∂L/∂θ_i = 2 (Σ_{group of i} θ − k)

    For any isotropic P the least reachable share of the starting loss is Beta((s−d)/2, d/2) distributed for
    d < s, with mean 1 − d/s, and 0 for d ≥ s.
    """

    D: int = 1000
    s: int = 10

    def __post_init__(self) -> None:
        settle(self, D=1)
        check_integer("s", self.s, 1, self.D)
        if self.D % self.s:
            raise ValueError(f"D is {self.D}: a multiple of the number of groups s = {self.s} is needed")

    @property
    def dim(self) -> int:
        """D."""
        return self.D

    def residual(self, theta: Floats) -> Floats:
        """Σ_{group k} θ − k for k = 1, ..., s; columns are treated alone if theta is (D, columns).

        Raises
        ------
        ValueError
            if theta has not D rows.
        """
        theta = as_array("theta", theta)
        if not hasattr(theta, "shape"):
            raise TypeError(f"theta is a {type(theta).__name__}: an array of shape ({self.D},) is needed")
        if len(theta) != self.D:
            raise ValueError(f"theta has shape {theta.shape}, but D = {self.D}: ({self.D},) is needed")
        sums = theta.reshape(self.s, self.D // self.s, *theta.shape[1:]).sum(axis=1)
        k = namespace(theta).arange(1, self.s + 1, dtype=theta.dtype)
        return sums - k.reshape(self.s, *[1] * (theta.ndim - 1))

    def loss_and_grad(self, theta: Floats, batch: Batch) -> tuple[Any, Floats]:
        """L and ∇L; the batch is not used."""
        r = self.residual(theta)
        return (r * r).sum(), namespace(theta).repeat(2 * r, self.D // self.s)

    @quiet
    def evaluate(self, theta: Floats, data: Batch | None = None) -> Evaluation:
        """L and exp(−L)."""
        r = self.residual(theta)
        loss = float((r * r).sum())
        return Evaluation(loss=loss, performance=float(np.exp(-loss)), n=1)

    def spec(self) -> Spec:
        """D and s."""
        return {"toy": {"D": self.D, "s": self.s}}

    def optimum(self, theta_0: Floats, P: Floats) -> tuple[Floats, float]:
        """Best θ_d in closed form: least squares on the s sums of θ_0 + P θ_d.

        Parameters
        ----------
        theta_0 : (D,)
        P : (D, d), e.g. from `Projection.to_dense()`

        Returns
        -------
        theta_d : (d,)
        L : the least loss in the subspace
        """
        zero = np.zeros((self.D, 1))
        AP = self.residual(P.astype(np.float64)) - self.residual(zero)  # sums of P's columns, (s, d)
        r_0 = self.residual(theta_0.astype(np.float64))
        theta_d = np.linalg.lstsq(AP, -r_0, rcond=None)[0]
        r = r_0 + AP @ theta_d
        return theta_d, float(r @ r)


def expected_share(d: int, s: int = 10) -> float:
    """Mean least share of the starting loss in d random directions: 1 − d/s, and 0 from d = s on."""
    return max(0.0, 1.0 - check_integer("d", d, 0) / check_integer("s", s, 1))
