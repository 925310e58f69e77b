"""Which runs went on at the same time: the gaps are what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npintdim.files import DamagedError
from npintdim.inputs import counted
from npintdim.measurement.measurement import Measurement
from npintdim.measurement.records import load_record
from npintdim.measurement.runs import RunSpec
from npintdim.plots.style import BLUE, ORANGE, Figure, headline, panels, styled

CLOSE = 0.1  # of a run, by which it may seem to begin before its process's last one ended: records come late


def spans_of(m: Measurement) -> list[tuple[float, float, bool, bool]]:
    """Beginning and end of every run in a measurement's folder, if it is direct, and if d_int is read off it.

    A record is written when its run ends, and holds the seconds that it took.
    Copies of a folder may have lost the first.

    Raises
    ------
    ValueError
        where there is no record.
    """
    read = {RunSpec.from_spec(record["spec"]).key for record in m.records}
    spans = []
    for path in sorted((m.folder / "runs").glob("*.json")) if m.folder else ():
        try:
            spec, record = load_record(path)
        except (DamagedError, OSError):
            continue
        end = path.stat().st_mtime
        spans.append((end - record["seconds"], end, spec.d is None, path.stem in read))
    if not spans:
        raise ValueError(f"{m.folder} has no runs: the folder of a measurement, with its runs/, is needed")
    return sorted(spans)


def lanes_of(spans: Sequence[tuple[float, float, bool, bool]]) -> list[int]:
    """A lane for each run, in the order of their beginnings: the first that is free."""
    ends: list[float] = []
    lanes = []
    for begin, end, *_ in spans:
        lane = next(
            (i for i, before in enumerate(ends) if before <= begin + CLOSE * (end - begin)), len(ends)
        )
        ends[lane : lane + 1] = [end]
        lanes.append(lane)
    return lanes


@styled
def timeline_figure(spans: Sequence[tuple[float, float, bool, bool]], ax: Any = None) -> Figure:
    """Every run as a bar from its beginning to its end, those that went on together one above the other.

    Parameters
    ----------
    spans : as `spans_of` gives them, in the order of their beginnings
    ax : axes to draw into; None for a figure of its own
    """
    lanes = lanes_of(spans)
    count, first = max(lanes) + 1, spans[0][0]
    whole = max(end for _, end, *_ in spans) - first
    figure, axes = panels(1.4 + 0.35 * count, ax=ax)
    for (begin, end, direct, read), lane in zip(spans, lanes, strict=True):
        axes.barh(
            lane + 1, end - begin, left=begin - first, height=0.7, color=BLUE if direct else ORANGE,
            alpha=1.0 if read else 0.4, edgecolor="white", linewidth=0.5,
        )  # fmt: skip
    axes.set_yticks(range(1, count + 1))
    axes.set_ylim(0.4, count + 0.6)
    axes.set_xlim(0, whole)
    axes.set_xlabel("seconds since the first run began")
    axes.set_ylabel("runs at once")
    axes.grid(axis="y", visible=False)
    busy = sum(end - begin for begin, end, *_ in spans) / (count * whole)
    headline(
        figure,
        f"{counted(len(spans), 'run')} in {whole:,.0f} s, {count} at once: "
        f"{busy:.0%} of that time was training",
        "blue: direct; orange: in subspaces; pale: runs of the search for learning rates",
        ax=ax,
    )
    return figure
