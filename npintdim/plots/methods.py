"""Accuracy against the count of trained numbers, for methods that move θ in different ways."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npintdim.inputs import one_of
from npintdim.measurement.curves import LOST
from npintdim.plots.style import GREY, LOOKS, Figure, headline, line_text, log_x, panels, styled, unbroken
from npintdim.typing import Floats

Runs = Mapping[int, Sequence[float] | Floats]
COLORS = (*(color for color, _, _ in LOOKS[:5]), GREY)  # of a family
MEMBERS: tuple[tuple[Any, str], ...] = (("-", "o"), ("--", "s"), (":", "^"))  # in a family
WHAT = {"numbers": "trained numbers", "bytes": "bytes of the file"}
SIDE = 1.02  # ratio of neighbouring points of equal counts
TICKS = (0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)


@styled
def methods_figure(
    families: Mapping[str, Mapping[str, Runs]],
    direct: Sequence[float] | Floats,
    task: str,
    fraction: float = 0.9,
    ax: Any = None,
    counted: str = "numbers",
) -> Figure:
    """Means and their 95 % intervals by method, one colour a family.

    Parameters
    ----------
    families : up to six, of up to three methods; of each method the performances of its runs by d;
        one without runs keeps its looks for other pictures
    direct : performances of direct training
    task : for the title
    fraction : the dashed line is fraction × mean of direct
    ax : to draw into; None for a figure of its own
    counted : what the d of `families` count: "numbers" that are trained, or "bytes" of the file

    Raises
    ------
    ValueError
        for no method, or more than can be told apart.

    Notes
    -----
    The y axis is −log(1 − p). One noise a family: sd of a run = σ √(1 − p), from all its sizes with several
    runs; bars are ± t σ √((1 − p)/n), with Student's t. Methods of equal counts stand side by side.
    """
    methods = {label: runs for family in families.values() for label, runs in family.items() if runs}
    if not methods or len(families) > len(COLORS) or max(map(len, families.values())) > len(MEMBERS):
        raise ValueError(
            f"{len(families)} families of methods: "
            f"1 to {len(COLORS)} of 1 to {len(MEMBERS)} methods with runs are needed"
        )
    figure, axes = panels(4.6, 1, ax)
    d = [i for runs in methods.values() for i in runs]
    log_x(axes, min(d) / 1.15, max(d) * 1.15, f"{WHAT[one_of('counted', counted, WHAT)]} (logarithmic)")
    line, drawn = fraction * float(np.mean(direct)), 0
    for color, family in zip(COLORS, families.values(), strict=False):
        sigma = noise([*family.values()])
        for (dashes, marker), (label, runs) in zip(MEMBERS, family.items(), strict=False):
            if not runs:
                continue
            sizes = sorted(runs)
            means = np.array([np.mean(runs[i]) for i in sizes])
            half = sigma * np.sqrt((1 - means) / [len(runs[i]) for i in sizes])
            bars = np.abs(height(np.stack([means - half, means + half])) - height(means))
            aside = SIDE ** (drawn % 5 - 2) if counted == "numbers" else 1
            drawn += 1
            axes.errorbar(
                np.array(sizes) * aside, height(means), bars, color=color, ls=dashes, marker=marker,
                ms=4, lw=1.2, capsize=2, label=label, elinewidth=0.8, ecolor=color,
            )  # fmt: skip
    axes.axhline(height(line), color=GREY, lw=0.8, ls="--")
    right = nearness(methods, line, min(d)) < nearness(methods, line, max(d))  # where there is more room
    line_text(axes, float(height(line)), f"{100 * fraction:g} % = {line:.3f}", GREY, right, above=not right)
    low, high = axes.get_ylim()
    ticks = [p for p in TICKS if low - 0.03 <= height(p) <= high]
    axes.set_yticks([float(height(p)) for p in ticks], [f"{p:g}" for p in ticks])
    axes.set_ylabel("accuracy (logarithmic in the error)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.46, -0.13), ncols=4, frameon=False, handlelength=2.6)
    several = any(len(p) > 1 for own in methods.values() for p in own.values())
    told = "bars: 95 % intervals of the means" if several else "one run a point"
    headline(figure, first_above(methods, line, fraction, counted), f"{task}; {told}", ax)
    return figure


def nearness(methods: Mapping[str, Runs], line: float, end: int) -> float:
    """How near the means come to the line, at sizes within a factor of 3 of this end of the picture."""
    return min(
        abs(float(height(np.mean(p)) - height(line)))
        for runs in methods.values()
        for i, p in runs.items()
        if 1 / 3 < i / end < 3
    )


def height(p: Any) -> Floats:
    """−log(1 − p)."""
    return -np.log(np.maximum(1 - np.asarray(p, float), LOST))


def noise(methods: Sequence[Runs]) -> float:
    """t σ: σ² = Σ (p − mean)²/(1 − mean) over its degrees of freedom; 0 where no size has two runs."""
    from scipy.special import stdtrit  # slow to import

    groups = [np.asarray(p, float) for runs in methods for p in runs.values() if len(p) > 1]
    free = sum(len(p) - 1 for p in groups)
    total = sum(float(((p - p.mean()) ** 2).sum()) / max(1 - float(p.mean()), LOST) for p in groups)
    return float(stdtrit(free, 0.975)) * math.sqrt(total / free) if free else 0.0


def first_above(methods: Mapping[str, Runs], line: float, fraction: float, counted: str = "numbers") -> str:
    """Which reach the line with the fewest among those that were tried."""
    above = {
        label: min(reached)
        for label, runs in methods.items()
        if (reached := [i for i, p in runs.items() if np.mean(p) >= line])
    }
    where = f"{100 * fraction:g} % of direct training"
    if not above:
        return f"None reaches {where}"
    least = min(above.values())
    names = ", ".join(unbroken(label) for label, i in above.items() if i == least)
    return f"{where} with the fewest {counted} tried, {least:,}: {names}"
