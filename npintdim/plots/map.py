"""The map of the paper's table: D against d_int90 of every objective, as in its last figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npintdim.plots.style import BLUE, GREY, ORANGE, Figure, headline, panels, spaced, styled


@styled
def map_figure(
    points: Sequence[tuple[str, int, float | None, tuple[float, float, float] | None]], ax: Any = None
) -> Figure:
    """Both axes logarithmic: ours filled with its 95 % interval, the paper's hollow; d = D is the diagonal.

    Parameters
    ----------
    points : of each objective its label, D, the paper's d_int90 and ours with its interval,
        None where there is none
    ax : axes to draw into; None for a figure of its own

    Raises
    ------
    ValueError
        where none has a number.
    """
    points = [point for point in points if point[2:] != (None, None)]
    if not points:
        raise ValueError("no objective has a number: at least one is needed")
    figure, axes = panels(4.6, ax=ax)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for _, D, paper, ours in points:
        if paper is not None:
            axes.plot(D, paper, "o", color=ORANGE, mfc="none", ms=7)
        if ours is not None:
            d, low, high = ours
            axes.plot([D, D], [end if np.isfinite(end) else d for end in (low, high)], color=BLUE, lw=1.4)
            for end, furthest in ((low, 1), (high, D)):
                if not np.isfinite(end):  # an open end
                    axes.plot([D, D], [d, furthest], color=BLUE, lw=1.0, ls=":")
            axes.plot(D, d, "o", color=BLUE, ms=4)
    heights = {at: ours[0] if ours else float(paper or 0) for at, (_, _, paper, ours) in enumerate(points)}
    order = sorted(heights, key=heights.__getitem__)
    logs = np.log10([heights[at] for at in order])
    for at, y in zip(order, spaced(logs, float(np.ptp(logs)) / 24), strict=True):
        axes.annotate(
            points[at][0], (points[at][1], heights[at]), xytext=(1.03, 10**y), va="center", color=GREY,
            textcoords=("axes fraction", "data"),
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.4, "shrinkB": 4},
        )  # fmt: skip
    ends = [min(D for _, D, _, _ in points), max(D for _, D, _, _ in points)]
    axes.plot(ends, ends, color=GREY, lw=0.8, ls=":")
    axes.set_xlabel("D, all parameters (logarithmic)")
    axes.set_ylabel("d_int90 (logarithmic)")
    measured = sum(ours is not None for _, _, _, ours in points)
    headline(
        figure,
        f"{measured} objectives measured, with 95 % intervals; hollow: the paper's; "
        "dotted: d = D, and open ends",
        ax=ax,
    )
    return figure
