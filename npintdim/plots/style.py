"""What the pictures share: size, letters, colours, axes, and how they are saved."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from npintdim.files import write_atomically
from npintdim.inputs import attempt, named_kind
from npintdim.machine import need
from npintdim.measurement.curves import isotonic
from npintdim.measurement.estimate import DInt
from npintdim.typing import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure
else:
    Figure = Any  # matplotlib is imported where something is drawn, not before

# Okabe and Ito's colours: told apart by the colour-blind,
# and in grey by the marker and the dashes that go with each.
BLUE, ORANGE, GREEN, PINK, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"
GREY = "#666666"
LOOKS: tuple[tuple[str, Any, str], ...] = (
    (BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"),
    (PINK, ":", "v"), (BLACK, (0, (6, 1, 1, 1, 1, 1)), "P"), (SKY, (0, (1, 1)), "X"),
)  # fmt: skip
WIDTH = 5.5  # inches, the text of a one-column article: printed at that width, letters have the size below
LETTERS = 80  # of a title, on one line
NO_BREAK = "\N{NO-BREAK SPACE}"
ROOM = 70  # letters under an axis, with the blanks between numbers
STYLE: dict[Any, Any] = {
    "font.size": 8.5, "axes.titlesize": 8.5, "axes.labelsize": 8.5, "figure.titlesize": 9.5,
    "legend.fontsize": 8.0, "xtick.labelsize": 8.0, "ytick.labelsize": 8.0,
    "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.6, "svg.hashsalt": "npintdim",
}  # fmt: skip
Drawing = ParamSpec("Drawing")


def matplotlib(name: str) -> Any:
    """Something of matplotlib, or an ImportError with the pip line or with the reason."""
    return need(name, "plots need matplotlib", "pip install 'npintdim[plot]', then run it again")


def styled(draw: Callable[Drawing, Figure]) -> Callable[Drawing, Figure]:
    """Draw in our style, whatever the user's is."""

    @wraps(draw)
    def drawn(*args: Drawing.args, **kwargs: Drawing.kwargs) -> Figure:
        with matplotlib("matplotlib:rc_context")(STYLE):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, outside of pyplot, so that nothing of the user's is touched.

    It shows itself in a notebook, where pyplot may never have been imported.
    """
    figure: Any = matplotlib("matplotlib.figure:Figure")(figsize=(width, height), layout="constrained")
    figure._repr_png_ = partial(in_a_notebook, figure)
    return figure


def in_a_notebook(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """A PNG with two dots a pixel, and how wide it is shown."""
    return rendered(figure, "png"), {"width": round(100 * figure.get_figwidth())}


def panels(height: float, rows: int = 1, ax: Any = None, **options: Any) -> tuple[Figure, Any]:
    """A figure as wide as the text, and its axes, one below the other over the same x; or the user's."""
    if ax is not None:
        if not all(hasattr(one, "plot") for one in np.ravel(ax)):
            raise TypeError(f"ax is {named_kind(ax)}: axes, of figure.subplots() for example, are needed")
        return np.ravel(ax)[0].figure, ax
    figure = new_figure(WIDTH, height)
    return figure, figure.subplots(rows, 1, sharex=True, **options)


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG and an SVG, or one file of another format if the path ends so; each all or nothing.

    The same figure gives the same bytes: no date is in them.

    Returns
    -------
    the path of the PNG, or of the one file
    """
    other = path.suffix[1:] in figure.canvas.get_supported_filetypes() and path.suffix not in (".png", ".svg")
    stem = path.with_suffix("") if path.suffix in (".png", ".svg") else path
    paths = [path] if other else [stem.with_name(stem.name + suffix) for suffix in (".png", ".svg")]
    for target in paths:
        write_atomically(target, rendered(figure, target.suffix[1:]))
    return paths[0]


def rendered(figure: Figure, kind: str) -> bytes:
    """Of a file of that kind, without a date."""
    date = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    content = io.BytesIO()
    with matplotlib("matplotlib:rc_context")(STYLE):
        figure.savefig(content, format=kind, dpi=200, metadata=date)
    return content.getvalue()


def check_looks(what: str, count: int) -> None:
    """Refuse no line, and more lines than can be told apart."""
    if not 1 <= count <= len(LOOKS):
        raise ValueError(f"{count} {what}: 1 to {len(LOOKS)} are needed in one figure")


def picture(draw: Callable[[], Figure], path: Path) -> tuple[Path | None, str]:
    """Draw and `save` what decorates a result: its path and what to tell of it, see `attempt`."""
    saved, told = attempt(lambda: save(draw(), path))
    return saved, f"{told} and .svg" if saved is not None and saved.suffix == ".png" else told


def headline(figure: Figure, finding: str, context: str = "", ax: Any = None, pad: float = 6) -> None:
    """The title: what was found, and below it of what; no line ends inside of what is `unbroken`.

    Over the user's axes, if there are any, `pad` points above them; else over the figure.
    """
    lines = [textwrap.fill(text, LETTERS, break_on_hyphens=False) for text in (finding, context) if text]
    title = "\n".join(lines).replace(NO_BREAK, " ")
    if ax is None:
        figure.suptitle(title, x=0.01, ha="left")
    else:
        np.ravel(ax)[0].set_title(title, loc="left", pad=pad)


def unbroken(text: str) -> str:
    """A name or numbers that stay on one line of a title."""
    return text.replace(" ", NO_BREAK)


def nice_ticks(low: float, high: float) -> list[int]:
    """1, 2, 5, 10, 20, ... between low and high; more where these are few, powers of 10 without room."""

    def ticks(*steps: float) -> list[int]:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        between = [t * 10.0**k for k in powers for t in steps if low <= t * 10.0**k <= high]
        return [round(t) for t in between if t >= 1 and abs(t - round(t)) < 1e-6]

    found = ticks(1, 2, 5)
    if len(found) < 3:
        found = ticks(1, 1.5, 2, 3, 4, 5, 6, 8)
    return found if sum(len(f"{t:,}") + 3 for t in found) <= ROOM else ticks(1)


def log_x(axes: Any, low: float, high: float, label: str) -> None:
    """A logarithmic x axis from low to high with round numbers written out."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = nice_ticks(low, high)
    if len(ticks) < 2:
        inside = np.geomspace(low, high, 5)[1:-1]
        ticks = sorted({round(float(f"{t:.2g}")) for t in inside} - {0})
    axes.set_xticks(ticks, [f"{t:,}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)


def line_text(axes: Any, y: float, text: str, color: str, right: bool = False, above: bool = False) -> None:
    """A text at the left or right end of a horizontal line, just below or above it."""
    axes.annotate(
        text, (0.99 if right else 0.01, y), xycoords=("axes fraction", "data"),
        xytext=(0, 3 if above else -3), textcoords="offset points", color=color,
        ha="right" if right else "left", va="bottom" if above else "top",
    )  # fmt: skip


def extent(found: DInt, low: float, high: float) -> tuple[float, float, float]:
    """Where d_int stands, its interval's ends between low and high; beyond the tried d all up to there."""
    first, last = found.tried[0], found.tried[-1]
    if math.isnan(found.d):
        return first, first, first
    if math.isinf(found.d):
        return (last, last, high) if found.d > 0 else (first, low, first)
    if found.low is None or found.high is None:
        return found.d, found.d, found.d
    return found.d, max(found.low, low), min(found.high, high)


def spaced(y: Floats, gap: float) -> Floats:
    """The nearest numbers to y, in the same order, that keep a gap: places for labels.

    z_i = y_i − i·gap must not decrease, and Σ (z_i − y_i + i·gap)² is least: isotonic regression.
    """
    order = np.argsort(y, kind="stable")
    steps = gap * np.arange(len(y))
    moved = np.empty(len(y))
    moved[order] = isotonic(y[order] - steps, np.ones(len(y))) + steps
    return moved
