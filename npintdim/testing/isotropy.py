"""Does P prefer directions? The toy problem's law, and the spread along one direction, over many draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import one_of
from npintdim.testing.arrays import CheckError
from npintdim.testing.checks import Callables, Check, direction, same
from npintdim.typing import Floats

LEAST_P = 1e-5  # of the Kolmogorov–Smirnov test: a right P is refused for one in 100,000 sets of seeds
SIGMAS = 6.0  # of the spread, with a long tail: a right P is refused for about one in 10,000 sets of seeds
DIRECTIONS = ("groups", "block", "pair")


def check_isotropy(
    make_P: Callable[[int], Callable[[Any], Any]],
    D: int,
    d: int,
    draws: int = 300,
    to: Callable[[Any], Any] = same,
    directions: str = "groups",
) -> Check:
    """The least share of a loss that d random directions leave is Beta((s−d)/2, d/2) distributed.

    Or, along one special direction: ‖Pᵀu‖² varies no more than that of dense P.

    Parameters
    ----------
    make_P : seed → apply, and apply(v) is P v (D,); called with seeds 0, 1, ..., draws − 1
    D, d : shape of P; small ones will do, d·draws products are made
    draws : how many P; with 300 a mean that is off by a tenth is noticed
    to : from NumPy to your library
    directions : "groups", directions that many parameters share, all at once; or a single one that a
        structured P may treat unlike others: "block", a fixed vector in the first 2^⌈log₂ d⌉ rows,
        a block of Fastfood; "pair", the first two parameters alone, which a sparse P seldom meets

    Returns
    -------
    Check
        left: the largest gap between observed and expected distribution, right: what would be allowed;
        of a single direction the spread and what would be allowed

    Raises
    ------
    CheckError
        with the gap, what is allowed, and the mean share beside the law's (s−d)/s; if all P are the same.
    ValueError
        if D is too small for s groups, draws below 2, or for other directions.

    Notes
    -----
    A single direction u: q = ‖Pᵀu‖² D/(d‖u‖²) is 1 on average, and for dense P of normal entries d q is χ²
    distributed with d degrees of freedom, so that q has the sd √(2/d). The spread √⟨(q−1)²⟩ over N draws may
    be larger by chance: its square, by 6 standard deviations √((2 + 12/d)/N)
    of what it should be. Less spread is no mistake.

    Groups: θ is cut into s groups, u_k is group k's unit vector, and L(θ) = Σ_k (⟨u_k, θ⟩ − k)², as in the
    toy problem. With A = UᵀP (s, d) the best θ_d leaves the share ‖(I − A A⁺) r‖² / ‖r‖², r = (1, ..., s).
    If P's column space has no preferred direction, this is the squared length of a fixed unit vector in s − d
    of s random dimensions: Beta.

    s = d + 2a makes (s−d)/2 = a an integer, and then the distribution has a closed form (its complement is
    the chance of less than a events in a negative binomial law):

        F(x) = 1 − (1−x)^{d/2} Σ_{i<a} Γ(d/2 + i)/(Γ(d/2) i!) x^i

    Kolmogorov and Smirnov's distance K = max |F_observed − F| is compared with λ/(√N + 0.12 + 0.11/√N)
    (Stephens 1970), where 2 exp(−2λ²) = 10⁻⁵.
    """
    one_of("directions", directions, DIRECTIONS)
    if draws < 2:
        raise ValueError(f"draws is {draws}: at least 2 are needed, 300 see something")
    callables = (Callables(make_P(seed), same, (D, d), to, tolerance=np.inf) for seed in range(draws))
    all_P = (np.stack([P.apply(e) for e in np.eye(d)], axis=1).astype(np.float64) for P in callables)
    if directions != "groups":
        return _spread(all_P, D, d, draws, directions)
    a = max(1, (d + 1) // 2)
    s = d + 2 * a
    if s > D:
        raise ValueError(f"D is {D}: at least d + 2⌈d/2⌉ = {s} rows are needed for d = {d}")
    starts = np.arange(s) * D // s
    sizes = np.diff(np.append(starts, D))
    shares = np.sort([_share(P, starts, sizes) for P in all_P])
    F = beta_cdf(shares, a, d / 2)
    steps = np.arange(draws + 1) / draws
    gap = float(np.maximum(F - steps[:-1], steps[1:] - F).max())
    allowed = sqrt(np.log(2 / LEAST_P) / 2) / (sqrt(draws) + 0.12 + 0.11 / sqrt(draws))
    formula = (
        f"share of the loss that d = {d} directions leave of s = {s} ~ Beta({a}, {d / 2:g}), {draws} draws: "
        f"mean {shares.mean():.4f} against {2 * a / s:.4f}"
    )
    found = f"{formula}; largest gap between the distributions {gap:.4f}, allowed {allowed:.4f}"
    return _judged(shares, formula, gap, allowed, found)


def _judged(each: Floats, formula: str, left: float, right: float, found: str) -> Check:
    if each.min() == each.max():
        raise CheckError(f"the seeds 0 to {len(each) - 1} all give the same P")
    if not left <= right:
        raise CheckError(f"{found}: P prefers some directions")
    return Check(formula, left, right, left, right)


def _spread(all_P: Iterator[Floats], D: int, d: int, draws: int, directions: str) -> Check:
    """‖Pᵀu‖² along one direction, over many P."""
    rows = min(D, 2 if directions == "pair" else 1 << (d - 1).bit_length())
    u = np.ones(rows) if directions == "pair" else direction(0, rows, 0)
    q: Floats = np.array([D / d * ((u @ P[:rows]) ** 2).sum() / float(u @ u) for P in all_P])
    spread, law = sqrt(np.mean((q - 1) ** 2)), sqrt(2 / d)
    allowed = law * sqrt(1 + SIGMAS * sqrt((2 + 12 / d) / draws))
    formula = f"‖Pᵀu‖² D/(d‖u‖²) = 1 ± {law:.4f}, u in {rows} rows ({directions}), {draws} draws"
    found = f"{formula}: mean {q.mean():.4f}, spread {spread:.4f}, allowed {allowed:.4f}"
    return _judged(q, formula, spread, allowed, found)


def _share(P: Floats, starts: NDArray[np.intp], sizes: NDArray[np.intp]) -> float:
    """‖(I − A A⁺) r‖² / ‖r‖², A = UᵀP."""
    A = np.add.reduceat(P, starts, axis=0) / np.sqrt(sizes)[:, None]
    r = np.arange(1.0, len(sizes) + 1)
    left = r - A @ np.linalg.lstsq(A, r, rcond=None)[0]
    return float(left @ left / (r @ r))


def beta_cdf(x: NDArray[np.float64], a: int, b: float) -> NDArray[np.float64]:
    """I_x(a, b) for an integer a ≥ 1: 1 − (1−x)^b Σ_{i<a} Γ(b+i)/(Γ(b) i!) x^i."""
    term, total = np.ones_like(x), np.zeros_like(x)
    for i in range(a):
        total += term
        term = term * x * (b + i) / (i + 1)
    return 1 - (1 - x) ** b * total
