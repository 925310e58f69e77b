"""d_int of many networks against the number of their parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from npintdim.measurement.estimate import DInt
from npintdim.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    Figure,
    extent,
    headline,
    log_x,
    panels,
    spaced,
    styled,
)

WIDTH_OF_LABEL = 0.14  # inches, of a label that is turned upright


@styled
def nets_figure(nets: Sequence[tuple[int, DInt, str]], ax: Any = None) -> Figure:
    """d_int with its 95 % interval against D (logarithmic), from 0, so that flat looks flat.

    Parameters
    ----------
    nets : D, d_int and a short label (2×200) of each network, at least one
    ax : axes to draw into; None for a figure of its own
    """
    if not nets:
        raise ValueError("there is no network to draw: at least one (D, d_int, label) is needed")
    nets = sorted(nets, key=lambda net: net[0])
    figure, axes = panels(3.8, ax=ax)
    D = np.array([net[0] for net in nets], dtype=np.float64)
    low, high = D[0] / 1.25, D[-1] * 1.25
    log_x(axes, low, high, "D, all parameters (logarithmic)")
    axes.set_ylim(0, 1.1 * max(up for _, found, _ in nets for _, _, up in [position(found)]) or 1)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    above = np.exp(spaced(np.log(D), WIDTH_OF_LABEL * math.log(high / low) / (WIDTH - 1.2)))
    for (size, found, label), x in zip(nets, above, strict=True):
        at, down, up = position(found)
        read = math.isfinite(found.d)
        marker = "o" if read else {math.inf: "^", -math.inf: "v"}.get(found.d, "x")
        axes.plot([size, size], [down, up], color=BLUE, lw=1.2)
        axes.plot(size, at, marker, color=BLUE, ms=5, mfc=BLUE if read else "white", clip_on=False)
        axes.annotate(
            label, (size, up), xytext=(x, 1.03), textcoords=("data", "axes fraction"), rotation=90,
            ha="center", va="bottom", color=GREY,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.4, "shrinkB": 2},
        )  # fmt: skip
    values = [found.d for _, found, _ in nets if math.isfinite(found.d)]
    if len(values) > 1:
        middle = float(np.median(values))
        axes.axhline(middle, color=ORANGE, lw=1.2, ls="--")
        axes.annotate(
            f"median\n{middle:,.0f}", (1.01, middle),
            xycoords=("axes fraction", "data"), va="center", color=ORANGE,
        )  # fmt: skip
    names = " or ".join(dict.fromkeys(found.name for _, found, _ in nets))
    axes.set_ylabel(f"{names}, with its 95 % interval")
    headline(figure, growth(nets, names), ax=ax, pad=12 + 6 * max(len(label) for *_, label in nets))
    return figure


def position(found: DInt) -> tuple[float, float, float]:
    """`extent` inside the tried d; where d_int was not read, a cross at the bottom."""
    return (0.0, 0.0, 0.0) if math.isnan(found.d) else extent(found, found.tried[0], found.tried[-1])


def growth(nets: Sequence[tuple[int, DInt, str]], names: str) -> str:
    """How much d_int changes while D grows."""
    read = [(D, found.d) for D, found, _ in nets if math.isfinite(found.d)]
    if len(read) < 2:
        return f"{names} of {len(nets)} network{'s' if len(nets) > 1 else ''}"
    D, d = zip(*read, strict=True)
    left_out = len(nets) - len(read)
    hollow = f" (hollow: {left_out} censored)" if left_out else ""
    return (
        f"{names} varies by a factor of {max(d) / min(d):.2g} "
        f"while D grows {max(D) / min(D):.2g} times{hollow}"
    )
