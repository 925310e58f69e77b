"""The toy problem: 1000 numbers, ten sums; d_int100 = 10, the Beta law below it, and the phase diagram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np

from npintdim.inputs import counted
from npintdim.plots import phase_figure
from npintdim.plots.style import Figure
from npintdim.reproduce.base import Outcome, Reproduction, Row, Setting
from npintdim.toy.phase import least_shares
from npintdim.toy.problem import ToyProblem
from npintdim.typing import Floats, Spec

PROJECTIONS: dict[str, Spec] = {
    "dense": {"kind": "dense"},
    "Fastfood": {"kind": "fastfood", "blocks": "stacked", "signs": True},
    "released Fastfood": {"kind": "fastfood", "blocks": "single", "signs": False},
}
DS = tuple(range(1, 16))
EXACT = 1e-9  # share of the starting loss that is rounding


@dataclass(frozen=True)
class Toy(Reproduction):
    """Least loss by least squares in many subspaces of each d, for each projection.

    Parameters
    ----------
    draws : random P at each d
    """

    draws: int = 400

    def quick(self) -> Toy:
        """Fewer draws."""
        return replace(self, draws=100)

    def left_out(self) -> list[str]:
        """The other draws."""
        return [f"draws: {self.draws} instead of {TOY.draws}"] if self.draws != TOY.draws else []

    def describe(self) -> list[str]:
        """The problem, d, draws and projections."""
        toy = ToyProblem()
        return [
            f"D = {toy.D}, s = {toy.s}, d = {DS[0]} to {DS[-1]}, "
            f"{counted(self.draws, 'draw')} of P at each d",
            str(PROJECTIONS),
        ]

    def run(self, setting: Setting) -> Outcome:
        """Draw, and compare with the law."""
        setting.folder.mkdir(parents=True, exist_ok=True)  # noticed before the draws, if it cannot be
        toy, began = ToyProblem(), perf_counter()
        double = replace(setting.backend, dtype=np.dtype(np.float64))
        rows: list[Row] = []
        pictures: dict[str, Callable[[], Figure]] = {}
        for name, projection in PROJECTIONS.items():
            setting.step(f"{name}: {counted(self.draws, 'draw')} at each of {len(DS)} d")
            shares = least_shares(projection, DS, self.draws, setting.seed, double, toy)
            rows += [
                Row(f"{name}: d_int100", toy.D, "loss 0 in every draw", "10", str(first_exact(shares)), ""),
                Row(f"{name}: law", toy.D, "Beta((10−d)/2, d/2), worst d < 10", "–", law(shares, toy.s),
                    "the law is not in the paper"),
            ]  # fmt: skip
            pictures[f"phase-{name.replace(' ', '-')}"] = partial(phase_figure, DS, shares, name)
        draws = len(PROJECTIONS) * len(DS) * self.draws
        return Outcome(tuple(rows), draws, perf_counter() - began, pictures, unit="draws")


def first_exact(shares: Floats) -> int | None:
    """The first d from which on every draw reaches loss 0."""
    return next((d for d, share in zip(DS, shares, strict=True) if share.max() < EXACT), None)


def law(shares: Floats, s: int) -> str:
    """The smallest Kolmogorov–Smirnov p over d < s, and where; times the number of d that were looked at."""
    from scipy.stats import beta, kstest  # slow to import

    below = [(d, share) for d, share in zip(DS, shares, strict=True) if d < s]
    p = {d: kstest(share, beta((s - d) / 2, d / 2).cdf).pvalue for d, share in below}
    worst = min(p, key=lambda d: p[d])
    corrected = min(1.0, p[worst] * len(p))
    verdict = "holds" if corrected > 0.01 else "FAILS"
    return f"{verdict} (p = {corrected:.2g} at d = {worst})"


TOY = Toy(
    "toy",
    "the toy problem: d_int100 = 10, the Beta law, the phase diagram",
    "18,000 draws, 1 minute",
    "4,500 draws, 20 s",
)
