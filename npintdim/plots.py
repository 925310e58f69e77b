"""Pictures of a measurement and of the toy problem; needs matplotlib, opens no window."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import beta

from npintdim.estimate import DInt
from npintdim.fileformat import write_atomically
from npintdim.localfit import LOST
from npintdim.measure import Measurement
from npintdim.recipes import model_name
from npintdim.toy import expected_share
from npintdim.typing import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"  # told apart by the colour-blind
TICKS = (1, 2, 5)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure outside of pyplot, so that nothing of the user's is touched.

    Raises
    ------
    ImportError
        with the pip line.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'npintdim[plot]', then run it again") from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG, or another format by the path's suffix, all or nothing."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:] or "png", dpi=160)
    write_atomically(path, content.getvalue())
    return path


def curve_figure(m: Measurement) -> Figure:
    """Performance against d: every run, the means, the baseline, the threshold and where it is crossed."""
    figure = new_figure(7.2, 4.6)
    axes = figure.subplots()
    found = m.d_int
    groups = m.performances()
    direct = groups.pop(None, np.array([]))
    span = min(found.tried) / 1.15, max(found.tried) * 1.15
    axes.set_xscale("log")
    axes.set_xlim(*span)

    if len(direct):
        mean = float(direct.mean())
        axes.axhspan(direct.min(), direct.max(), color=GREY, alpha=0.25, lw=0)
        axes.axhline(mean, color=GREY, lw=1)
        below(axes, mean, f"direct training, D = {m.D:,}: {mean:.3f}", GREY)
    goal = "" if found.fraction is None else f"{100 * found.fraction:g} % of it: "
    axes.axhline(found.threshold, color=ORANGE, lw=1.2, ls="--")
    below(axes, found.threshold, f"{goal}{found.threshold:.3f}", ORANGE)

    for d, p in groups.items():
        axes.plot(np.full(len(p), d), p, "o", ms=4, mfc="none", mec=BLUE, mew=0.8, alpha=0.7)
    axes.plot(found.tried, found.means, "o", color=BLUE, ms=5, label="mean of the runs (circles)")
    axes.plot(*fitted(found), "-", color=BLUE, lw=1.6, label="monotone fit")
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom - 0.06 * (top - bottom), top)
    mark_crossing(axes, m)

    axes.set_xticks(nice_ticks(*span), [f"{t:,}" for t in nice_ticks(*span)])
    axes.minorticks_off()
    axes.set_xlabel("d, trained numbers (logarithmic)")
    axes.set_ylabel("test accuracy")
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", framealpha=0.9, edgecolor="none")
    axes.set_title(finding(m), loc="left", fontsize=11)
    return figure


def below(axes: Any, y: float, text: str, color: str) -> None:
    """A text at the left end of a horizontal line, just below it."""
    axes.annotate(
        text, (0.01, y), xycoords=("axes fraction", "data"), xytext=(0, -4), textcoords="offset points",
        color=color, va="top",
    )  # fmt: skip


def fitted(found: DInt) -> tuple[Floats, Floats]:
    """The curve that is read: −log(1 − p) straight in log d between the tried d and the crossing."""
    knots = dict(zip(found.tried, found.fit, strict=True)) | {found.d: found.threshold}
    d = sorted(x for x in knots if math.isfinite(x))
    log_d = np.union1d(np.linspace(math.log(d[0]), math.log(d[-1]), 400), np.log(d))
    y = np.interp(log_d, np.log(d), [-math.log(max(1 - knots[x], LOST)) for x in d])
    return np.exp(log_d), 1 - np.exp(-y)


def mark_crossing(axes: Any, m: Measurement) -> None:
    """A line down from the crossing, and the interval as a band."""
    found = m.d_int
    if not math.isfinite(found.d):
        return
    low, high = axes.get_xlim()
    if found.low is not None and found.high is not None:
        axes.axvspan(
            max(found.low, low), min(found.high, high), color=ORANGE, alpha=0.15, lw=0, label=found.interval()
        )
    axes.vlines(found.d, axes.get_ylim()[0], found.threshold, color=ORANGE, lw=1.2)
    axes.plot(found.d, found.threshold, "D", color=ORANGE, ms=7, label=f"{found.name} = {found.d:.0f}")


def finding(m: Measurement) -> str:
    """The title: what came out."""
    found = m.d_int
    goal = f"performance {found.threshold:.3f}"
    if found.fraction is not None:
        goal = f"{100 * found.fraction:g} % of direct training"
    where = f"{m.recipe.data}, network {model_name(m.recipe.model)}, {m.recipe.projection['kind']}"
    if found.d == math.inf:
        return f"No subspace up to d = {found.tried[-1]:,} reaches {goal}\n{where}"
    if found.d == -math.inf:
        return f"Already d = {found.tried[0]:,} reaches {goal}\n{where}"
    return f"{found.d:,.0f} random directions of {m.D:,} reach {goal}\n{where}"


def nice_ticks(low: float, high: float) -> list[int]:
    """1, 2, 5, 10, 20, ... between low and high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [round(t * 10**k) for k in powers for t in TICKS if low <= t * 10**k <= high and t * 10**k >= 1]


def toy_figure(
    d: tuple[int, ...],
    shares: Floats,
    performances: Floats,
    trained: tuple[float, ...],
    kind: str,
    lawful: bool,
) -> Figure:
    """Two panels: the share of the loss against d with the law, and the step of the performance at d = 10.

    Parameters
    ----------
    d : dimensions tried
    shares, performances : of every draw, (len(d), draws)
    trained : performance of one trained run at each d
    kind : of P, for the title
    lawful : whether the draws follow the law
    """
    figure = new_figure(9.6, 4.4)
    left, right = figure.subplots(1, 2)
    below = np.array([i for i in d if i < 10])
    low, high = (beta.ppf(q, (10 - below) / 2, below / 2) for q in (0.025, 0.975))
    left.fill_between(below, low, high, color=ORANGE, alpha=0.18, lw=0, label="95 % of the draws by theory")
    left.plot(d, [expected_share(i) for i in d], "--", color=ORANGE, lw=1.4, label="mean by theory, 1 − d/10")
    for i, row in zip(d, shares, strict=True):
        left.plot(np.full(len(row), i), row, "_", color=BLUE, ms=7, alpha=0.25)
    left.plot(
        d, shares.mean(axis=1), "o", color=BLUE, ms=5, label=f"mean of {shares.shape[1]} draws, and each draw"
    )
    left.set_ylabel("share of the starting loss that is left")
    left.set_ylim(-0.05, 1.3)
    left.set_yticks(np.arange(6) / 5)
    says = (
        "removes a tenth of the loss,\nas for any isotropic P"
        if lawful
        else "does NOT remove a tenth:\nthis P is not isotropic"
    )
    left.set_title(f"Each {kind} direction {says}", loc="left", fontsize=10.5)

    right.axvline(10, color=ORANGE, ls="--", lw=1.4, label="d = 10 = conditions")
    right.plot(d, performances.mean(axis=1), "-o", color=BLUE, ms=5, label="best in the subspace, mean")
    right.plot(d, trained, "x", color=GREEN, ms=8, mew=1.8, label="gradient descent, one run")
    right.set_ylabel("performance, exp(−loss)")
    right.set_title(
        "From d = 10 on a subspace meets the solutions:\nd_int100 = 10", loc="left", fontsize=10.5
    )
    for axes in (left, right):
        axes.set_xlabel("d")
        axes.set_xticks(d)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=9, loc="upper right")
    right.legend(frameon=False, fontsize=9, loc="center left")
    return figure
