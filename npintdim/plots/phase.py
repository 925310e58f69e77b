"""The phase diagram of the toy problem: which share of random subspaces succeeds, at each d and tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npintdim.plots.style import BLACK, ORANGE, Figure, headline, panels, styled
from npintdim.toy.phase import LAWFUL, farthest, success, success_law
from npintdim.typing import Floats

LEVELS = {
    0.05: ((0, (1, 1.5)), "v"),
    0.5: ("-", "o"),
    0.95: ((0, (5, 2)), "^"),
}  # of success; lines and marks
ROWS = 40
PALE = 2.2  # of the darkest grey, so that lines and marks stand out


@styled
def phase_figure(d: Sequence[int], shares: Floats, kind: str, s: int = 10, ax: Any = None) -> Figure:
    """Share of the draws whose least loss is at most ε, as grey; 5, 50 and 95 % as marks, the law's as lines.

    Parameters
    ----------
    d : dimensions tried, one after the other
    shares : least share of the starting loss in every draw, (len(d), draws),
        see `npintdim.toy.phase.least_shares`
    kind : of P, for the title
    s : conditions of the toy problem
    ax : axes to draw into; None for a figure of its own

    Notes
    -----
    P(min L ≤ ε) = I_{ε/L_0}((s − d)/2, d/2) for d < s, and 1 for d ≥ s.
    """
    from scipy.stats import beta  # slow to import

    figure, axes = panels(3.9, ax=ax)
    tolerance = (np.arange(ROWS) + 0.5) / ROWS
    measured = success(shares, tolerance)
    columns = np.append(np.array(d) - 0.5, d[-1] + 0.5)
    cells = axes.pcolormesh(columns, np.arange(ROWS + 1) / ROWS, measured, cmap="Greys", vmin=0, vmax=PALE)
    below = [i for i in d if i < s]
    few = shares[: len(below)]
    real = np.linspace(0.01, s - 0.01, 400)
    for level, (dashes, marker) in LEVELS.items():
        axes.plot(real, beta.ppf(level, (s - real) / 2, real / 2), color=BLACK, ls=dashes, lw=1.3)
        axes.plot(below, np.quantile(few, level, axis=1), marker, color=ORANGE, ms=5.5, mec="white", mew=0.6,
                  clip_on=False, zorder=3)  # fmt: skip
        axes.plot([], [], color=BLACK, marker=marker, mfc=ORANGE, mec="white", ls=dashes, lw=1.3,
                  label=f"{100 * level:g} %")  # fmt: skip
    axes.axvline(s, color=BLACK, lw=0.8)
    axes.set_xlim(columns[0], columns[-1])
    axes.set_ylim(0, 1)
    axes.set_xticks(d)
    axes.set_xlabel("d")
    axes.set_ylabel("tolerance ε / starting loss")
    axes.grid(visible=False)
    box = {"framealpha": 1, "edgecolor": "none", "title": "share that succeeds", "handlelength": 3}
    axes.legend(loc="center right", **box)
    steps, ticks = np.linspace(0, 1, 101), np.linspace(0, 1, 6)
    bar = figure.colorbar(cells, ax=axes, boundaries=steps, ticks=ticks, aspect=30)
    bar.set_label(f"share of {shares.shape[1]} random subspaces that succeed")
    off = np.abs(measured - success_law(np.array(d), tolerance, s)).max()
    follows = "follows" if farthest(d, shares, s)[1] < LAWFUL else "does NOT follow"
    says = f"Success in {kind} subspaces {follows} the law: off by up to {off:.2f}"
    headline(figure, says, "lines: the law of isotropic P; marks and greys: measured", ax)
    return figure
