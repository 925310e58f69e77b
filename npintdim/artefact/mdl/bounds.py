"""From a description's bits to a bound on the error on unseen data (docs/description-length.md, section 4).

A classifier h with a description of ℓ(h) bits, in a prefix-free language that was fixed before the data were
seen, makes `errors` mistakes on n independent examples, ê = errors/n. With probability 1 − δ over the
examples, each bound holds for all h at once, so also for the one that training chose: h may fail with
probability δ·2^−ℓ(h), and Σ_h 2^−ℓ(h) ≤ 1 (Kraft).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from npintdim.inputs import check_integer, check_real, quiet
from npintdim.typing import Floats

STEPS = 60  # halvings of an interval of length 1
ALPHA = 1e-4  # of `lotfi_bound`


def binomial_bound(errors: int, n: int, bits: float, delta: float = 0.05) -> float:
    """The largest e for which at most `errors` mistakes in n are not too unlikely.

    Pr(Bin(n, e) ≤ errors) ≥ δ 2^−ℓ. Nothing is lost for one deterministic h (Langford 2005, theorem 3.3).

    Parameters
    ----------
    errors, n : 0 ≤ errors ≤ n examples
    bits : ℓ ≥ 0, of the description
    delta : δ, in (0, 1)

    Raises
    ------
    TypeError, ValueError
        for numbers out of range.
    """
    log_delta = log_share(errors, n, bits, delta)
    return largest(lambda e: log_tail(errors, n, e) >= log_delta, errors / n)


def chernoff_bound(errors: int, n: int, bits: float, delta: float = 0.05) -> float:
    """The largest e with kl(ê‖e) ≤ (ℓ ln 2 + ln 1/δ)/n, since Pr(Bin(n, e) ≤ ê n) ≤ exp(−n kl(ê‖e)).

    Parameters and errors are those of `binomial_bound`.
    """
    log_delta = log_share(errors, n, bits, delta)
    return kl_inverse(errors / n, -log_delta / n)


def seeger_bound(errors: int, n: int, bits: float, delta: float = 0.05) -> float:
    """The largest e with kl(ê‖e) ≤ (ℓ ln 2 + ln(2√n/δ))/n.

    PAC-Bayes (Seeger 2002, Maurer 2004) for a point posterior. Parameters and errors are those of
    `binomial_bound`.
    """
    log_delta = log_share(errors, n, bits, delta)
    return kl_inverse(errors / n, (math.log(2 * math.sqrt(n)) - log_delta) / n)


def catoni_bound(errors: int, n: int, bits: float, delta: float = 0.05) -> float:
    """The least (1 − exp(−β_j ê − (ℓ ln 2 + ln(j(j+1)/δ))/n))/(1 − exp(−β_j)) over β_j = 2^(−j/4)·16, j ≥ 1.

    The bound with one temperature β may be used for every β_j, if it is allowed the share δ/(j(j+1)) of δ
    (Catoni 2007, theorem 1.2.6; the grid is ours).

    Parameters and errors are those of `binomial_bound`.
    """
    cost = -log_share(errors, n, bits, delta)
    j = np.arange(1, 101)
    beta = 16 * 2 ** (-j / 4)
    exponents = beta * (errors / n) + (cost + np.log(j * (j + 1))) / n
    return min(1.0, float((np.expm1(-exponents) / np.expm1(-beta)).min()))


def lotfi_bound(errors: int, n: int, bits: float, delta: float = 0.05) -> float:
    """The bound of published certificates (Lotfi et al. 2022): Catoni's, over γ = (1 + α)^k with α = 10⁻⁴.

        min_γ (1 − exp(−a q))/(1 − exp(−a)),     a = γ/n,
        q = ê + (1 + α)/γ · (ℓ ln 2 + ln 1/δ + 2 ln(2 + ln γ/ln(1 + α)))

    (1 + α) pays for a γ between two of the grid. Here ln γ is looked for between 0 and ln 1000 n.

    Parameters and errors are those of `binomial_bound`.
    """
    cost = -log_share(errors, n, bits, delta)

    def at(log_gamma: Floats) -> Floats:
        gamma = np.exp(log_gamma)
        paid = cost + 2 * np.log(2 + log_gamma / math.log1p(ALPHA))
        return np.expm1(-(gamma * errors / n + (1 + ALPHA) * paid) / n) / np.expm1(-gamma / n)

    low, high = 0.0, math.log(1000 * n)
    for _ in range(3):  # a grid, then twice a finer one about its best point
        log_gamma = np.linspace(low, high, 2001)
        best = int(at(log_gamma).argmin())
        low, high = log_gamma[max(best - 1, 0)], log_gamma[min(best + 1, 2000)]
    return min(1.0, float(at(log_gamma)[best]))


BOUNDS: dict[str, Callable[..., float]] = {
    "binomial": binomial_bound,
    "Chernoff": chernoff_bound,
    "Seeger-Maurer": seeger_bound,
    "Catoni": catoni_bound,
    "Lotfi": lotfi_bound,
}


@quiet  # a term far below the largest is 0
def log_tail(k: int, n: int, e: float) -> float:
    """ln Pr(Bin(n, e) ≤ k), also where it is far below what a float can hold."""
    from scipy.special import gammaln, xlog1py, xlogy  # slow to import

    if e in (0.0, 1.0):
        return 0.0 if e == 0 or k == n else -math.inf
    i = np.arange(k + 1)
    terms = gammaln(n + 1) - gammaln(i + 1) - gammaln(n - i + 1) + xlogy(i, e) + xlog1py(n - i, -e)
    top = float(terms.max())
    return top + math.log(float(np.exp(terms - top).sum()))


def kl(p: float, q: float) -> float:
    """kl(p‖q) = p ln(p/q) + (1 − p) ln((1 − p)/(1 − q)), of two coins."""
    from scipy.special import xlogy  # slow to import

    if p == q:
        return 0.0
    if q in (0.0, 1.0):
        return math.inf
    return float(xlogy(p, p / q) + xlogy(1 - p, (1 - p) / (1 - q)))


def kl_inverse(p: float, c: float) -> float:
    """The largest q ≥ p with kl(p‖q) ≤ c."""
    return largest(lambda q: kl(p, q) <= c, p)


def largest(holds: Callable[[float], bool], low: float) -> float:
    """The largest x in [low, 1] for which it holds, which it does below and does not above; rounded up."""
    high = 1.0
    if holds(high):
        return high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def log_share(errors: int, n: int, bits: float, delta: float) -> float:
    """ln(δ·2^−ℓ), after the numbers were looked at."""
    check_integer("n", n, 1)
    check_integer("errors", errors, 0, n, f"0 ≤ errors ≤ n = {n}")
    if not 0 <= check_real("ℓ", bits) < math.inf:
        raise ValueError(f"ℓ is {bits} bits: a number ≥ 0 is needed")
    if not 0 < check_real("delta", delta) < 1:
        raise ValueError(f"delta is {delta}: 0 < δ < 1 is needed")
    return math.log(delta) - bits * math.log(2)
