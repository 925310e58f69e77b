"""Performance against d of one measurement."""

from __future__ import annotations

import math
import textwrap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npintdim.inputs import check_kind
from npintdim.measurement.curves import LOST, isotonic
from npintdim.measurement.custom import Name
from npintdim.measurement.estimate import DInt, curve_of, shares
from npintdim.measurement.measure import Measurement
from npintdim.measurement.recipes import model_name
from npintdim.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    Figure,
    extent,
    headline,
    line_text,
    log_x,
    panels,
    styled,
)
from npintdim.typing import Floats


@styled
def curve_figure(m: Measurement, ax: Any = None) -> Figure:
    """Performance against d: every run, the means, the baseline, the threshold and where it is crossed.

    Parameters
    ----------
    m : what `measure` found
    ax : axes to draw into; None for a figure of its own
    """
    check_kind("m", m, Measurement, "load_measurement(folder)")
    figure, axes = panels(3.7, ax=ax)
    found = m.d_int
    groups = m.performances()
    direct = groups.pop(None, np.array([]))
    log_x(axes, min(found.tried) / 1.15, max(found.tried) * 1.15, "d, trained numbers (logarithmic)")

    if len(direct):
        mean = float(direct.mean())
        axes.axhspan(direct.min(), direct.max(), color=GREY, alpha=0.25, lw=0)
        axes.axhline(mean, color=GREY, lw=1)
        line_text(axes, mean, f"direct training, D = {m.D:,}: {mean:.3f}", GREY)
    goal = "threshold " if found.fraction is None else f"{100 * found.fraction:g} % of it: "
    axes.axhline(found.threshold, color=ORANGE, lw=1.2, ls="--")
    line_text(axes, found.threshold, f"{goal}{found.threshold:.3f}", ORANGE)

    runs = [(d, p) for d, ps in groups.items() for p in ps]
    axes.plot(*zip(*runs, strict=True), "o", ms=4, mfc="none", mec=BLUE, mew=0.8, alpha=0.7, label="each run")
    axes.plot(found.tried, found.means, "o", color=BLUE, ms=4.5, label="mean at each d")
    bottom, top = axes.get_ylim()
    read = curve_read(m)
    if not read.near.all():
        axes.plot(read.d, read.p, color=BLUE, lw=1, ls="--", label="beyond its reach")
    axes.plot(read.d, np.where(read.near, read.p, np.nan), color=BLUE, lw=1.6, label=read.name)
    axes.set_ylim(bottom - 0.06 * (top - bottom), top)
    mark_crossing(axes, m)

    axes.set_ylabel(score(m))
    lines, _ = axes.get_legend_handles_labels()
    lines.sort(key=lambda line: line.get_label() == "beyond its reach")
    axes.legend(
        handles=lines, loc="lower left", bbox_to_anchor=(0, 0.99), ncols=4, frameon=False, borderaxespad=0.2,
        columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip
    headline(figure, finding(found, m.D), of(m), ax, pad=20)
    return figure


class Read(NamedTuple):
    """What is read, at many d: its performance, and `near` where it is trusted."""

    d: Floats
    p: Floats
    near: NDArray[np.bool_]
    name: str


def curve_read(m: Measurement) -> Read:
    """The estimator's curve of three numbers, trusted where it follows the runs; else pooled means.

    Pooled means are joined by straight lines of −log(1 − p) in log d,
    and are read where the curve contradicts them.
    """
    found = m.d_int
    d = np.geomspace(found.tried[0], found.tried[-1], 400)
    curve = curve_of(found, m.performances())
    if curve is not None:
        p, near, name = curve.performance(d), curve.near(d) > 0.5, "fitted curve"
    else:
        pooled = isotonic(shares(found.means, found.score), np.array(found.counts))
        y = np.interp(np.log(d), np.log(found.tried), -np.log(np.maximum(1 - pooled, LOST)))
        p, near, name = 1 - np.exp(-y), np.ones(len(d), bool), "pooled means"
    return Read(d, p if found.score is None else found.score.value(p), near, name)


def mark_crossing(axes: Any, m: Measurement) -> None:
    """A line down from the crossing, the interval as a band, and beside it both in numbers."""
    found = m.d_int
    if not math.isfinite(found.d):
        return
    low, high = axes.get_xlim()
    _, left, right = extent(found, low, high)
    if left < right:
        axes.axvspan(left, right, color=ORANGE, alpha=0.15, lw=0)
    axes.vlines(found.d, axes.get_ylim()[0], found.threshold, color=ORANGE, lw=1.2)
    axes.plot(found.d, found.threshold, "D", color=ORANGE, ms=6)
    width = 0.35 * math.log(high / low)  # that the words take
    to_the_right = math.log(high / right) > width
    end = left if math.log(left / low) > width else high  # else over the interval
    axes.annotate(
        f"{found.name} = {found.d:,.0f}\n" + textwrap.fill(found.interval(), 28),
        (right if to_the_right else end, 0.03), xycoords=("data", "axes fraction"),
        xytext=(6 if to_the_right else -6, 0), textcoords="offset points", color=ORANGE, va="bottom",
        ha="left" if to_the_right else "right",
    )  # fmt: skip


def finding(found: DInt, D: int) -> str:
    """What came out."""
    goal = f"performance {found.threshold:.3f}"
    if found.fraction is not None:
        goal = f"{100 * found.fraction:g} % of direct training"
    if math.isnan(found.d):
        return f"Direct training learnt nothing, so {found.name} cannot be read"
    if found.d == math.inf:
        return f"No subspace up to d = {found.tried[-1]:,} reaches {goal}"
    if found.d == -math.inf:
        return f"Already d = {found.tried[0]:,} reaches {goal}"
    return f"{found.d:,.0f} random directions of {D:,} reach {goal}"


def of(m: Measurement) -> str:
    """What was measured."""
    P = m.recipe.T
    options = [f"{name} {value}" for name, value in P.items() if name != "kind"]
    net = f"network {model_name(m.recipe.model)}"
    return ", ".join([Name(m.recipe.data).label, net, P["kind"], *options])


def score(m: Measurement) -> str:
    """Name of the performance axis."""
    if m.recipe.scored is not None:
        return m.recipe.scored.name if m.recipe.own else f"test {m.recipe.scored.name}"
    if m.recipe.own:
        return "performance"
    return "training accuracy" if Name(m.recipe.data).relabelled else "test accuracy"
