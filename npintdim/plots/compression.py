"""Bytes against performance of compressed networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npintdim.backend import Backend
from npintdim.measurement.measure import Measurement, compress_run
from npintdim.measurement.runs import RunSpec
from npintdim.plots.style import GREY, LOOKS, Figure, check_looks, headline, line_text, log_x, panels, styled

KEPT = 0.9  # of the performance: what a small file must have


@styled
def compression_figure(points: Sequence[tuple[str, int, float]], ax: Any = None) -> Figure:
    """Size of a file against what its network is worth.

    Parameters
    ----------
    points : (label, bytes, performance) of every file. Those of one label are joined. The largest file of all
        is what the others are compared with: the whole network
    ax : axes to draw into; None for a figure of its own

    Raises
    ------
    ValueError
        for no file, or more than six labels.
    """
    groups: dict[str, list[tuple[int, float]]] = {}
    for label, size, performance in points:
        groups.setdefault(label, []).append((size, performance))
    check_looks("labels", len(groups))
    figure, axes = panels(3.6, ax=ax)
    sizes = [size for _, size, _ in points]
    log_x(axes, min(sizes) / 1.3, max(sizes) * 1.3, "bytes of the file (logarithmic)")
    for (label, group), (color, dashes, marker) in zip(groups.items(), LOOKS, strict=False):
        dashes = dashes if len(group) > 1 else ""
        x, y = zip(*sorted(group), strict=True)
        axes.plot(x, y, color=color, ls=dashes, marker=marker, ms=5, lw=1.3, label=label)
    whole = max(points, key=lambda point: point[1])[2]
    axes.axhline(KEPT * whole, color=GREY, lw=0.8, ls=":")
    line_text(axes, KEPT * whole, f"{100 * KEPT:g} % of the largest file's", GREY, right=True)
    axes.legend(loc="lower right", frameon=False)  # where large files would be poor: nothing else is there
    axes.set_ylabel("performance")
    headline(figure, smallest_file(points), ax=ax)
    return figure


def smallest_file(points: Sequence[tuple[str, int, float]]) -> str:
    """The smallest file that keeps 90 % of the largest one's performance."""
    _, whole, best = max(points, key=lambda point: point[1])
    kept = [point for point in points if point[2] >= KEPT * best]
    if len(points) < 2 or not kept or best <= 0:
        return f"{len(points)} file{'s' if len(points) > 1 else ''}: bytes against performance"
    label, size, performance = min(kept, key=lambda point: point[1])
    if size == whole:
        return f"No file smaller than {whole:,} bytes keeps {100 * KEPT:g} % of its performance"
    return (
        f"{size:,} bytes ({label}) instead of {whole:,} keep {100 * performance / best:.0f} % "
        "of the performance"
    )


def files_of(m: Measurement, backend: Backend, name: str = "") -> list[tuple[str, int, float]]:
    """(label, bytes, mean performance) at each d of a measurement, and of all of θ after direct training.

    Parameters
    ----------
    name : stands before the labels, where several measurements are shown together

    Raises
    ------
    ValueError
        if the landscape is the user's own, which no file can name.
    """
    if m.recipe.own:
        raise ValueError(f"{m.folder} measured a landscape of your own: only networks can be compressed")
    points: list[tuple[str, int, float]] = []
    for d, performances in m.performances().items():
        if not len(performances):
            continue
        what, size = "θ", 4 * m.D
        if d is not None:
            record = next(r for r in m.records if r["spec"].get("d") == d and r["status"] == "finished")
            compressed = compress_run(m.folder, RunSpec.from_spec(record["spec"]), backend)
            what, size = "θ_d", len(compressed.to_bytes())
        points.append((f"{name}{name and ': '}{what}, float32", size, float(performances.mean())))
    return points
