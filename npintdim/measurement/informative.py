"""Where one more run narrows the interval of d_int most."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from npintdim.measurement.localfit import KAPPAS, SIGMAS, LocalFit, baseline_sd, misfit, slopes
from npintdim.typing import Floats

REACH = math.log(2.5)  # refinement stays within this of the crossing
FAINT = 0.01  # a bend that has a smaller share is not asked


class Kind:
    """The curve of one bend, and what runs at t would tell of its crossing.

    Parameters
    ----------
    curve : of all bends
    model : of this one, with its likeliest noise level
    line, t : threshold; where runs may go, log d − log d_0, (n,)
    around : crossing of the likeliest curve, at most `REACH` from which this one's is looked for
    """

    def __init__(self, curve: LocalFit, model: int, line: float, t: Floats, around: float) -> None:
        self.beta, self.cov, self.sigma = curve.beta[model], curve.cov[model], float(SIGMAS[model])
        at = float(np.clip(curve.crossing(line, model) - curve.log_d0, around - REACH, around + REACH))
        self.J, m = slopes(self.beta, t)
        self.w = 1 / (self.sigma**2 / m + misfit(self.beta, t, KAPPAS[model]) ** 2)
        self.at, self.steep = at, (1 - line) * math.exp(np.clip(self.beta[1] + self.beta[2] * at, -20, 20))
        sd = math.sqrt(float(self.variance(self.cov[None], np.array([at]))[0]))
        self.where = at + min(sd, REACH) * np.array([-1.0, 0.0, 1.0])

    def after(self) -> Floats:
        """The covariance of (a, log b, c) after one more run at each t, (n, 3, 3)."""
        CJ = np.einsum("ij,jn->in", self.cov, self.J)
        gain = self.w / (1 + self.w * np.einsum("in,in->n", self.J, CJ))
        return self.cov - gain[:, None, None] * np.einsum("in,jn->nij", CJ, CJ)

    def variance(self, cov: Floats, t: Floats) -> Floats:
        """Mean over t of the variance of a crossing there: (J/y')ᵀ cov (J/y'); no more than tells nothing."""
        J, _ = slopes(self.beta, t)
        G = J / np.exp(np.clip(self.beta[1] + self.beta[2] * t, -20, 20))
        return np.minimum(np.einsum("in,kij,jn->k", G, cov, G) / len(t), REACH**2)


def informative(
    curve: LocalFit,
    line: float,
    D: int,
    count: int,
    fraction: float,
    baseline: Floats,
    vain: Collection[int] = (),
) -> tuple[list[int | None], list[float]]:
    """The d's, one after the other, that reduce the variance of the crossing most; and its sd after each of them.

    A run at t adds w J Jᵀ to the inverse of cov. The crossing itself is uncertain, so that variance is averaged over
    where it may be: there the slope counts too; and over the bends, each by its share: where a smooth curve and one with
    a kink are both possible, runs go where these are uncertain. None is one more direct run: the line is fraction × a
    mean of k, and (fraction · s · ∂log d/∂p)²/k of the variance becomes the same over k + 1.
    No run goes to a d in `vain`.
    """
    k, at = len(baseline), curve.crossing(line) - curve.log_d0
    d = np.unique(np.clip(np.exp(curve.log_d0 + np.linspace(at - REACH, at + REACH, 61)).round(), 1, D))
    d = d[~np.isin(d, list(vain))]
    t = np.log(d) - curve.log_d0
    asked = [(model, share) for model, share in curve.kinds if share > FAINT]
    kinds = [Kind(curve, model, line, t, at) for model, _ in asked]
    shares = np.array([share for _, share in asked]) / sum(share for _, share in asked)
    ats = np.array([kind.at for kind in kinds])
    apart = float(shares @ (ats - shares @ ats) ** 2)
    one = 0.0
    if k:
        moved = [fraction * float(baseline_sd(baseline, np.array(kind.sigma))) / kind.steep for kind in kinds]
        one = k * float(shares @ np.minimum(np.square(moved), REACH**2))
    wanted: list[int | None] = []
    sds: list[float] = []
    for _ in range(count):
        after = [kind.after() for kind in kinds]
        now = shares @ [kind.variance(kind.cov[None], kind.where)[0] for kind in kinds]
        left = shares @ [kind.variance(cov, kind.where) for kind, cov in zip(kinds, after, strict=True)]
        best = int(left.argmin())
        if k and one / k - one / (k + 1) > now - left[best]:
            k += 1
            wanted.append(None)
        else:
            for kind, cov in zip(kinds, after, strict=True):
                kind.cov = cov[best]
            wanted.append(int(d[best]))
        inside = shares @ [kind.variance(kind.cov[None], np.array([kind.at]))[0] for kind in kinds]
        sds.append(math.sqrt(inside + apart + (one / k if k else 0.0)))
    return wanted, sds
