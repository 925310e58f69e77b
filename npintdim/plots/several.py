"""Several measurements in one figure: projections, networks or data sets side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npintdim.inputs import check_kind
from npintdim.measurement.estimate import DInt
from npintdim.measurement.measure import Measurement
from npintdim.measurement.search import half_width
from npintdim.plots.curve import curve_read, score
from npintdim.plots.style import (
    GREY,
    LOOKS,
    WIDTH,
    Figure,
    check_looks,
    extent,
    headline,
    log_x,
    panels,
    styled,
    unbroken,
)

LETTER = 0.075  # inches that one takes at most, on average


@styled
def several_figure(measurements: Mapping[str, Measurement], ax: Any = None) -> Figure:
    """Performance against d of up to six measurements, and below it d_int of each with its 95 % interval.

    A line leads from where a curve reaches its threshold down to its row, which bears its name.

    Parameters
    ----------
    measurements : by the labels that they get, from top to bottom in the lower panel
    ax : two axes to draw into, upper and lower; None for a figure of its own

    Raises
    ------
    ValueError
        for none, or more than six, which nobody could tell apart.
    """
    check_kind("measurements", measurements, Mapping, "{'lenet': load_measurement(folder)}")
    check_looks("measurements", len(measurements))
    found = {label: m.d_int for label, m in measurements.items()}
    rows = len(found)
    tall, short = 3.0, 0.15 + 0.22 * rows
    figure, (above, below) = panels(tall + short + 0.9, 2, ax, height_ratios=(tall, short))
    tried = [d for f in found.values() for d in f.tried]
    low, high = min(tried) / 1.15, max(tried) * 1.15
    log_x(below, low, high, "d, trained numbers (logarithmic)")

    for m, (color, _, marker) in zip(measurements.values(), LOOKS, strict=False):
        marks(above, m, color, marker)
    names = " or ".join(dict.fromkeys(score(m) for m in measurements.values()))
    above.set_ylabel(f"{names} (filled: means)")
    line = thresholds(above, list(found.values()))

    bottom, top = above.get_ylim()
    reads = [curve_read(m) for m in measurements.values()]
    for read, (color, dashes, _) in zip(reads, LOOKS, strict=False):
        above.plot(read.d, np.where(read.near, read.p, np.nan), color=color, ls=dashes, lw=1.4)
        above.plot(read.d, np.where(read.near, np.nan, read.p), color=color, ls=dashes, lw=0.8, alpha=0.5)
    for y, ((label, f), (color, dashes, marker)) in enumerate(zip(found.items(), LOOKS, strict=False)):
        interval(below, y, label, f, color, marker)
        if math.isfinite(f.d):
            above.vlines(f.d, bottom, f.threshold, color=color, ls=dashes, lw=0.9)
            below.vlines(f.d, -0.6, y, color=color, ls=dashes, lw=0.9)
    above.set_ylim(bottom, top)
    below.set_ylim(rows - 0.4, -0.6)
    below.set_yticks([])
    below.set_ylabel("\n".join(dict.fromkeys(f.name for f in found.values())))
    below.grid(axis="y", visible=False)
    outside = "; " + unbroken("faint: beyond the fit") if not all(read.near.all() for read in reads) else ""
    headline(figure, comparison(found), f"dashed: {line}; bars: 95 % intervals{outside}", ax)
    return figure


def marks(axes: Any, m: Measurement, color: str, marker: str) -> None:
    """Runs and means of one measurement."""
    found = m.d_int
    runs = [(d, p) for d, ps in m.performances().items() if d is not None for p in ps]
    axes.plot(*zip(*runs, strict=True), marker, ms=3.5, mfc="none", mec=color, mew=0.7, alpha=0.6)
    axes.plot(found.tried, found.means, marker, color=color, ms=4.5)


def thresholds(axes: Any, found: Sequence[DInt]) -> str:
    """The dashed threshold, a band where those of the measurements differ; and what it is."""
    low, high = min(f.threshold for f in found), max(f.threshold for f in found)
    axes.axhspan(low, high, color=GREY, alpha=0.3, lw=0)
    for y in {low, high}:
        axes.axhline(y, color=GREY, lw=0.8, ls="--")
    rules = {
        "performance" if f.fraction is None else f"{100 * f.fraction:g} % of direct training" for f in found
    }
    numbers = f"{low:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{low:.3f} to {high:.3f}"
    return f"{' or '.join(sorted(rules))}, {numbers}"


def interval(axes: Any, y: int, label: str, f: DInt, color: str, marker: str) -> None:
    """One row: d_int as a mark, its interval as a bar, both as a text where there is more room."""
    low, high = axes.get_xlim()
    at, left, right = extent(f, low, high)
    known = f.interval().removeprefix("95 % interval ") if f.low is not None else "interval unknown"
    unread = {math.inf: f"above {f.tried[-1]:,}", -math.inf: f"{f.tried[0]:,} or less"}.get(f.d, "not read")
    text = f"{label}: " + (f"{f.d:,.0f} ({known})" if math.isfinite(f.d) else unread)
    axes.plot([left, right], [y, y], color=color, lw=2.2, solid_capstyle="butt")
    axes.plot(at, y, marker, color=color, ms=5, mfc=color if math.isfinite(f.d) else "white")
    needed = math.log(high / low) * len(text) * LETTER / WIDTH
    if max(math.log(high / right), math.log(left / low)) < needed:  # no room: over the bar, beside the mark
        left = right = at
    to_the_right = math.log(high / right) > math.log(left / low)
    axes.annotate(
        text, (right if to_the_right else left, y), xytext=(7 if to_the_right else -7, 0),
        textcoords="offset points", ha="left" if to_the_right else "right", va="center", color=color,
        bbox={"fc": "white", "ec": "none", "pad": 0.8}, zorder=4,
    )  # fmt: skip


def comparison(found: Mapping[str, DInt]) -> str:
    """The two that are farthest apart, and whether that is more than their noise."""
    found = {unbroken(label): f for label, f in found.items()}
    read = {label: f for label, f in found.items() if math.isfinite(f.d)}
    names = " and ".join(dict.fromkeys(f.name for f in found.values()))
    if len(read) < 2:
        return f"{names} of {' and '.join(found)}"
    least, most = min(read, key=lambda x: read[x].d), max(read, key=lambda x: read[x].d)
    ratio = math.log(read[most].d / read[least].d)
    noise = math.hypot(half_width(read[least]), half_width(read[most]))
    if ratio > noise:
        against = unbroken(f"{read[most].d:,.0f} against {read[least].d:,.0f}")
        return f"{names} of {most} is {math.exp(ratio):.2g} times that of {least}: {against}"
    numbers = f"{names} = {read[least].d:,.0f} ({least}) to {read[most].d:,.0f} ({most})"
    return f"No difference beyond the noise: {numbers}" if math.isfinite(noise) else numbers
