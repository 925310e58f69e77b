"""Two monotone curves through the runs, and where each meets a line: a smooth one, and pooled means.

−log(1 − p) = a + b (e^{ct} − 1)/c,     t = log d − log d_0,     b > 0

The first has three numbers near the crossing, and knows the noise that the runs share; the second, which is
straight between the means, assumes no curve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.typing import Floats, Ints

LOST = 1e-6  # 1 − performance is not taken below this, so that a perfect score has a logarithm
SLOPE_SD = 1.5  # sd of log b about the slope of all runs: hardly anything, but no run away
LEVEL_SD = 10.0  # sd of a: only so that every matrix has an inverse
# κ tried: .5 follows most curves (.3: the authors' MNIST FC), 4 leaves a plateau at a kink.
BENDS = (0.5, 1.0, 2.0, 4.0)
NOISES = np.geomspace(1e-5, 1.0, 36)  # σ tried
KAPPAS, SIGMAS = np.repeat(BENDS, len(NOISES)), np.tile(NOISES, len(BENDS))  # each with each: (G,)
PRECISION = np.stack([np.full(KAPPAS.shape, LEVEL_SD), np.full(KAPPAS.shape, SLOPE_SD), KAPPAS]) ** -2.0
PRIOR = np.einsum("ig,ij->gij", PRECISION, np.eye(3))  # of (a, log b, c), as matrices
BOUNDS = np.array([[20.0], [5.0], [12.0]])  # of a, log b, c about their priors, on Gauss–Newton's way
WIDER = 1.1  # of every deviation drawn: few runs, placed where they look best, seem surer than they are
STEPS = 40
CHI2 = 3.84  # 95 % of χ² with one degree of freedom
FEWEST = 4  # runs that tell their noise: one more than the curve has numbers
FINE = 1e-3  # a noise that no measurement needs to resolve
LANE = 1 << 31  # of the bootstrap's normals


@dataclass(frozen=True)
class LocalFit:
    """The curve, and how sure it is.

    Parameters
    ----------
    log_d0 : t = 0; near the crossing
    beta : (a, log b, c), each row for a noise level and a bend: one of `SIGMAS` and of `KAPPAS`, (G, 3)
    cov : their covariances, (G, 3, 3)
    share : posterior share of each, (G,)
    """

    log_d0: float
    beta: Floats
    cov: Floats
    share: Floats

    @property
    def best(self) -> int:
        """The likeliest noise level and bend."""
        return int(self.share.argmax())

    @property
    def sigma(self) -> float:
        """Of the noise: sd of one run = σ·sqrt(1 − p)."""
        return float(SIGMAS[self.best])

    def performance(self, d: Floats) -> Floats:
        """Of the curve."""
        t = np.log(d) - self.log_d0
        return 1 - np.exp(-curve_value(self.beta[self.best], t))

    def crossing(self, p: float, model: int | None = None) -> float:
        """log d where the curve, the likeliest or another one, reaches p; inf if it never does."""
        return float(self.log_d0 + root(self.beta[self.best if model is None else model], p))

    @property
    def kinds(self) -> list[tuple[int, float]]:
        """For each bend the likeliest noise level, and the posterior share of the bend."""
        shares = self.share.reshape(len(BENDS), -1)
        best = shares.argmax(axis=1) + len(NOISES) * np.arange(len(BENDS))
        return list(zip(best.tolist(), shares.sum(axis=1).tolist(), strict=True))

    @property
    def smooth(self) -> float:
        """Posterior share of the smallest bend, which follows a curve without a kink or a plateau."""
        return self.kinds[0][1]

    def near(self, d: Floats) -> Floats:
        """1 at the crossing, 1/2 where what three numbers cannot follow is as large as a run's noise."""
        t = np.log(d) - self.log_d0
        beta, sigma, kappa = self.beta[self.best], SIGMAS[self.best], KAPPAS[self.best]
        m = np.exp(-curve_value(beta, t))
        return 1 / (1 + m * (misfit(beta, t, kappa) / sigma) ** 2)

    def draws(self, p: float, baseline: Floats, fraction: float, count: int, seed: int) -> Floats:
        """log d of the crossing in `count` draws of noise level, bend, curve and baseline.

        A bootstrap in one Gauss–Newton step: runs drawn again with the noise they share, and the centre of
        c's prior with them, would move (a, log b, c) by a normal vector with covariance cov, here times
        `WIDER`: a search places runs by the curve and stops when it looks sure,
        and the interval must hold afterwards (docs/measuring.md).
        """
        stream = Stream(seed, Purpose.BOOTSTRAP, LANE)
        level = np.searchsorted(np.cumsum(self.share), (stream.uniform(count) + 1) / 2).clip(
            0, len(SIGMAS) - 1
        )
        z = Stream(seed, Purpose.BOOTSTRAP, LANE + 1).normals(4 * count).reshape(4, count) * (WIDER / 2.0**20)
        beta = self.beta[level] + np.einsum("dij,jd->di", np.linalg.cholesky(self.cov)[level], z[:3])
        line = (
            p + fraction * baseline_sd(baseline, SIGMAS[level]) * z[3] if len(baseline) else np.full(count, p)
        )
        return self.log_d0 + root(beta.T, line)


def baseline_sd(baseline: Floats, sigma: Floats) -> Floats:
    """Standard error of the baseline's mean: its own spread, pooled with one run's worth of shared noise."""
    k = len(baseline)
    own = float(((baseline - baseline.mean()) ** 2).sum())
    return np.sqrt((sigma**2 * (1 - baseline.mean()) + own) / k / k)


def curve_value(beta: Floats, t: Floats | float) -> Floats:
    """a + b (e^{ct} − 1)/c."""
    a, log_b, c = beta
    return np.clip(a + np.exp(log_b) * grown(c, t), -1, -math.log(LOST))


def bend(c: Floats) -> Floats:
    """c, but not 0: what is divided by it has a limit there."""
    return np.where(np.abs(c) < 1e-9, 1e-9, c)


def grown(c: Floats, t: Floats | float) -> Floats:
    """(e^{ct} − 1)/c, t for c = 0."""
    c = bend(c)
    return np.expm1(np.clip(c * t, -30, 30)) / c


def root(beta: Floats, p: Floats | float) -> Floats:
    """The t where the curve reaches p: log(1 + c (y − a)/b)/c."""
    a, log_b, c = beta
    c = bend(c)
    y = -np.log(np.maximum(1 - np.asarray(p), LOST))
    inner = c * (y - a) * np.exp(-log_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.log1p(inner) / c
    return np.where(inner > -1, t, np.where(c < 0, np.inf, -np.inf))


def censored(log_d: Floats, tried: Sequence[int]) -> Floats:
    """exp, and ±inf outside the tried d."""
    inside = np.clip(log_d, math.log(tried[0]), math.log(tried[-1]))
    beyond = np.abs(log_d - inside) > 1e-9
    return np.where(beyond, np.where(log_d < inside, -np.inf, np.inf), np.exp(inside))


def misfit(beta: Floats, t: Floats, kappa: Floats | float) -> Floats:
    """What may be missing at t, in −log(1 − p): the next term, its coefficient of the size of c².

    For c = min(κ, 1): with more, the noise of runs not far away would pass for it.
    """
    return np.exp(beta[1]) * np.minimum(kappa, 1.0) ** 2 * np.abs(t) ** 3 / 6


def local_fit(log_d: Floats, p: Floats, line: float, start: float, slope: float) -> LocalFit:
    """Fit the curve around the d where it reaches a line.

    Parameters
    ----------
    log_d, p : of every run, (n,)
    line : performance at the crossing
    start : log d of a first guess
    slope : of −log(1 − p) against log d, roughly; the centre of b's prior

    Notes
    -----
    The runs of all d share one noise level: var p_i = σ² m_i + (m_i q_i)², m_i = 1 − p of the curve,
    as of errors that are counted; q_i is `misfit`, and makes the fit local: the smaller the noise,
    and the more the curve may bend, the nearer the runs that count. For each σ and κ, the sd of the bend c,
    Gauss–Newton minimises Σ (p_i − curve)²/var p_i and the priors; the likelihood with (a, log b, c)
    integrated out, by Laplace, says how likely that σ and κ are.
    """
    p = np.minimum(p, 1 - LOST)
    low, high = float(log_d.min()), float(log_d.max())
    y = -math.log(max(1 - line, LOST))
    prior = np.array([y, math.log(slope), 0.0])[:, None]
    beta = np.tile(prior, len(SIGMAS))
    for _ in range(6):
        beta, cov, evidence = gauss_newton(beta, prior, log_d - start, p)
        share = np.exp(evidence - evidence.max())
        found = LocalFit(start, beta.T, cov, share / share.sum())
        there = min(max(found.crossing(line), low), high)
        if abs(there - start) < 1e-3:
            break
        ahead = there - start  # the same curve, seen from there
        beta = np.stack([curve_value(beta, ahead), beta[1] + beta[2] * ahead, beta[2]])
        start = there
    return found


def gauss_newton(beta: Floats, prior: Floats, t: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
    """For every σ and κ at once; beta (3, G), covariances (G, 3, 3), log likelihood of each (G,)."""
    for _ in range(STEPS):
        J, w, r, v = linearised(beta, t, p)
        hessian = np.einsum("ign,jgn,gn->gij", J, J, w) + PRIOR
        g = np.einsum("ign,gn,gn->gi", J, w, r) + (PRECISION * (prior - beta)).T
        step = np.linalg.solve(hessian, g[..., None])[..., 0].T
        beta = np.clip(beta + np.clip(step, -0.7, 0.7), prior - BOUNDS, prior + BOUNDS)
        if np.abs(step).max() < 1e-12:
            break
    J, w, r, v = linearised(beta, t, p)
    hessian = np.einsum("ign,jgn,gn->gij", J, J, w) + PRIOR
    square = (w * r**2).sum(axis=1) + (PRECISION * (beta - prior) ** 2).sum(axis=0)
    evidence = -0.5 * (np.log(v).sum(axis=1) + square + np.linalg.slogdet(hessian)[1]) - np.log(KAPPAS)
    return beta, np.linalg.inv(hessian), evidence


def linearised(beta: Floats, t: Floats, p: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """∂y/∂(a, log b, c) (3, G, n); weights, residuals in y, and var p, each (G, n)."""
    beta = beta[..., None]
    J, m = slopes(beta, t)
    v = m**2 * (SIGMAS[:, None] ** 2 / m + misfit(beta, t, KAPPAS[:, None]) ** 2)
    return J, m**2 / v, (p - (1 - m)) / m, v


def slopes(beta: Floats, t: Floats) -> tuple[Floats, Floats]:
    """∂y/∂(a, log b, c), and 1 − p of the curve."""
    b, c = np.exp(beta[1]), bend(beta[2])
    E = grown(c, t)
    exact = (t * np.exp(np.clip(c * t, -30, 30)) - E) / c
    dE = np.where(np.abs(c * t) < 1e-4, t**2 / 2 + c * t**3 / 3, exact)
    return np.stack([np.ones_like(E), b * E, b * dE]), np.exp(-curve_value(beta, t))


def isotonic(y: Floats, weights: Floats | Ints) -> Floats:
    """The non-decreasing sequence nearest to y: pool adjacent violators.

    Minimises Σ w_i (f_i − y_i)² over f_1 ≤ f_2 ≤ ...
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(y.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, w, length = pools.pop()
            both = w + pool[1]
            pool = ((w * mean + pool[1] * pool[0]) / both, both, length + pool[2])
        pools.append(pool)
    return np.repeat([mean for mean, _, _ in pools], [length for _, _, length in pools])


def isotonic_means(groups: Mapping[int, Floats]) -> tuple[Floats, Floats, Ints]:
    """The means at each d, made non-decreasing; the means; and from how many runs each."""
    y, w = np.array([p.mean() for p in groups.values()]), np.array([len(p) for p in groups.values()])
    return isotonic(y, w), y, w


def crossing(d: Sequence[int], p: Floats, threshold: float) -> float:
    """Where −log(1 − p), straight between the points in log d, first reaches that of the threshold.

    p must not decrease. −inf if p is above from the start, inf if it stays below.
    """
    reached = np.flatnonzero(p >= threshold)
    if not len(reached):
        return math.inf
    i = int(reached[0])
    if p[i] == threshold:
        return float(d[i])
    if i == 0:
        return -math.inf
    y_0, y_1, y = (-math.log(max(1 - q, LOST)) for q in (float(p[i - 1]), float(p[i]), threshold))
    share = (y - y_0) / (y_1 - y_0) if y_1 > y_0 else 1.0
    return math.exp(math.log(d[i - 1]) + share * (math.log(d[i]) - math.log(d[i - 1])))


def possible(groups: dict[int, Floats], line: float, sd: float, line_sd: float) -> tuple[float, float]:
    """The 95 % interval of the crossing that any monotone curve allows; ±inf where it leaves the tried d.

    Means f_i that are below the line up to d_k and above it from d_{k+1} on fit worse than the isotonic ones,
    by Σ w_i ((y_i − f_i)² − (y_i − isotonic_i)²)/sd². It is kept where that, and (δ/line_sd)² for a line
    moved by δ, is no more than χ²: a likelihood ratio.
    """
    f, y, w = isotonic_means(groups)
    free = float((w * (y - f) ** 2).sum())

    def likely(k: int, shift: float) -> bool:
        return (crossed(y, w, k, line + shift * line_sd) - free) / sd**2 + shift**2 <= CHI2

    kept = [k for k in range(len(y) + 1) if any(likely(k, shift) for shift in np.linspace(-2, 2, 9))]
    ends = [-math.inf, *map(float, groups), math.inf]
    return ends[kept[0]], ends[kept[-1] + 1]


def crossed(y: Floats, w: Ints, k: int, line: float) -> float:
    """Σ w (y − f)² of the nearest non-decreasing f that crosses the line between the first k and the rest."""
    below, above = np.minimum(isotonic(y[:k], w[:k]), line), np.maximum(isotonic(y[k:], w[k:]), line)
    return float((w * (y - np.concatenate([below, above])) ** 2).sum())


def noise_at(groups: dict[int, Floats], line: float) -> tuple[float, int]:
    """A run's sd at the line about the isotonic means, its variance ∝ 1 − p; from how many runs beyond them.

    NaN where too few tell it; no less than `FINE`: where runs agree to that,
    a curve need not go through every mean.
    """
    f, _, sizes = isotonic_means(groups)
    free = int(sizes.sum()) - len(np.unique(f))
    if free < FEWEST:
        return math.nan, free
    each, p = np.repeat(f, sizes), np.concatenate(list(groups.values()))
    square = float(((p - each) ** 2 * (1 - line) / np.maximum(1 - each, LOST)).sum())
    return max(FINE, math.sqrt(square / free)), free
