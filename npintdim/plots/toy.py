"""The toy problem against its law."""

from __future__ import annotations

from typing import Any

import numpy as np

from npintdim.inputs import counted
from npintdim.plots.style import BLUE, GREEN, ORANGE, Figure, panels, styled
from npintdim.toy.phase import ToyResult
from npintdim.toy.problem import expected_share


@styled
def toy_figure(result: ToyResult, kind: str, ax: Any = None) -> Figure:
    """Two panels: the share of the loss against d with the law, and the step of the performance at d = s.

    Parameters
    ----------
    result : of `npintdim.toy.phase.explore`
    kind : of P, for the title
    ax : two axes to draw into, one below the other; None for a figure of its own
    """
    from scipy.stats import beta  # slow to import

    d, shares, s = result.d, result.shares, result.s
    figure, (above, below) = panels(5.6, 2, ax)
    few = np.array([i for i in d if i < s])
    low, high = (beta.ppf(q, (s - few) / 2, few / 2) for q in (0.025, 0.975))
    above.fill_between(few, low, high, color=ORANGE, alpha=0.18, lw=0, label="95 % of the draws by theory")
    law = [expected_share(i, s) for i in d]
    above.plot(d, law, "--", color=ORANGE, lw=1.4, label=f"mean by theory, 1 − d/{s}")
    draws = shares.shape[1]
    for i, row in zip(d, shares, strict=True):
        x, alpha = np.full(draws, i), min(0.5, 40 / draws)
        above.plot(x, row, "_", color=BLUE, ms=6, alpha=alpha, rasterized=True)
    label = f"mean of {counted(draws, 'draw')}, and each draw"
    above.plot(d, shares.mean(axis=1), "o", color=BLUE, ms=4.5, label=label)
    above.set_ylabel("share of the starting loss left")
    above.set_ylim(-0.05, 1.05)
    says = f"removes 1/{s} of the loss, as for any isotropic P"
    if not result.lawful:
        says = f"does NOT remove 1/{s}: this P is not isotropic"
    above.set_title(f"Each {kind} direction {says}", loc="left", fontsize=9.5)

    best = result.performances.mean(axis=1)
    below.axvline(s, color=ORANGE, ls="--", lw=1.4, label=f"d = {s} = number of conditions")
    below.plot(d, best, "-o", color=BLUE, ms=4.5, label="best in the subspace, mean")
    below.plot(d, result.trained, "x", color=GREEN, ms=7, mew=1.6, label="gradient descent, one run")
    below.set_ylabel("performance, exp(−loss)")
    below.set_xlabel("d")
    below.set_xticks(d)
    solved = [i for i, p in zip(d, best, strict=True) if p > 0.999]
    says = f"no d up to {max(d)} meets the solutions"
    if solved:
        says = f"from d = {min(solved)} on a subspace meets the solutions: d_int100 = {min(solved)}"
    below.set_title(says[0].upper() + says[1:], loc="left", fontsize=9.5)
    above.legend(frameon=False, loc="upper right")
    below.legend(frameon=False, loc="center left")
    return figure
