"""Where one more run narrows the interval of d_int most."""

from __future__ import annotations

import math

import numpy as np

from npintdim.estimation.localfit import SIGMAS, LocalFit, baseline_sd, misfit, slopes
from npintdim.typing import Floats

REACH = math.log(2.5)  # refinement stays within this of the crossing


def informative(
    curve: LocalFit, line: float, D: int, count: int, fraction: float, baseline: Floats
) -> tuple[list[int | None], list[float]]:
    """The d's, one after the other, that reduce the variance of the crossing most; and its sd after each of them.

    A run at t adds w J Jᵀ to the inverse of cov. The crossing itself is uncertain, so that variance is averaged over
    where it may be: there the slope counts too. None is one more direct run: the line is fraction × a mean of k, and
    (fraction · s · ∂log d/∂p)²/k of the variance becomes the same over k + 1.
    """
    beta, cov, k = curve.beta[curve.best], curve.cov[curve.best], len(baseline)
    at = curve.crossing(line) - curve.log_d0
    sd = math.sqrt(float(variance(cov[None], beta, np.array([at]))[0]))
    where = at + min(sd, REACH) * np.array([-1.0, 0.0, 1.0])
    d = np.unique(np.clip(np.exp(curve.log_d0 + np.linspace(at - REACH, at + REACH, 61)).round(), 1, D))
    t = np.log(d) - curve.log_d0
    J, m = slopes(beta, t)
    w = 1 / (SIGMAS[curve.best] ** 2 / m + misfit(beta, t) ** 2)
    steep = (1 - line) * math.exp(beta[1] + beta[2] * at)  # ∂p/∂log d
    one = k * float(fraction * baseline_sd(baseline, SIGMAS[curve.best]) / steep) ** 2 if k else 0.0
    wanted: list[int | None] = []
    sds: list[float] = []
    for _ in range(count):
        CJ = np.einsum("ij,jn->in", cov, J)
        gain = w / (1 + w * np.einsum("in,in->n", J, CJ))
        after = cov - gain[:, None, None] * np.einsum("in,jn->nij", CJ, CJ)
        left = variance(after, beta, where)
        best = int(left.argmin())
        if k and one / k - one / (k + 1) > float(variance(cov[None], beta, where)[0] - left[best]):
            k += 1
            wanted.append(None)
        else:
            cov = after[best]
            wanted.append(int(d[best]))
        inside = float(variance(cov[None], beta, np.array([at]))[0])
        sds.append(math.sqrt(inside + (one / k if k else 0.0)))
    return wanted, sds


def variance(cov: Floats, beta: Floats, t: Floats) -> Floats:
    """Mean over t of the variance of a crossing there: (J/y')ᵀ cov (J/y')."""
    J, _ = slopes(beta, t)
    G = J / np.exp(beta[1] + beta[2] * t)
    return np.einsum("in,kij,jn->k", G, cov, G) / len(t)
