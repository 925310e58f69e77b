"""npintdim plot."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from npintdim.cli.common import Parser, backend_of, check_writable, say
from npintdim.inputs import one_of
from npintdim.measurement.measure import Measurement
from npintdim.measurement.recipes import model_name
from npintdim.measurement.report import read_measurement
from npintdim.plots import (
    check_looks,
    compression_figure,
    curve_figure,
    files_of,
    nets_figure,
    picture,
    several_figure,
    spans_of,
    timeline_figure,
)
from npintdim.plots.style import Figure

PURPOSE = """\
Draw measurements again, from their folders.

Nothing is trained, no data is needed. One folder: performance against d.
Several: all of them in one figure. Each is saved as PNG and SVG."""
EXAMPLE = "npintdim plot results/mnist-lenet-fastfood results/mnist-lenet-sparse"
TAKES = "FOLDER [FOLDER ...]"
KINDS = ("curves", "compression", "nets", "timeline")


def add(parser: Parser) -> None:
    """Options of the command."""
    kinds = (
        "curves (default); compression: bytes against performance; nets: d_int against D; "
        "timeline: which runs went on together"
    )
    parser.option("folders FOLDER", "made by npintdim measure", type=Path, nargs="+")
    parser.option("--kind", kinds, default="curves")
    parser.option("--label TEXT", "one for each folder; by default what differs", action="append")
    parser.option("--out FILE", "default: KIND.png, in FOLDER if there is only one", type=Path)


def run(args: argparse.Namespace) -> int:
    """Read, draw, save."""
    one_of("kind", args.kind, KINDS)
    found = [read_measurement(folder) for folder in args.folders]
    labels = args.label or legend(found)
    if len(labels) != len(found) or len(set(labels)) < len(labels):
        raise ValueError(f"labels are {', '.join(labels)}: {len(found)} different ones are needed")
    path = args.out or (args.folders[0] if len(found) == 1 else Path()) / f"{args.kind}.png"
    if args.out is not None:  # else nobody named a file, and the reading comes first
        check_writable("--out", path)
    drawing = figure_of(args, found, labels)
    for m, label in zip(found, labels, strict=True):
        say(f"{label}: {m.summary}")
    say(f"plot  {picture(drawing, path)[1]}")
    return 0


def figure_of(
    args: argparse.Namespace, found: Sequence[Measurement], labels: Sequence[str]
) -> Callable[[], Figure]:
    """What draws the figure that --kind says; what it cannot show is refused here."""
    if args.kind == "nets":
        return partial(nets_figure, [(m.D, m.d_int, label) for m, label in zip(found, labels, strict=True)])
    if args.kind == "compression":
        backend = backend_of(args)
        names = labels if len(found) > 1 else [""]
        points = [point for m, name in zip(found, names, strict=True) for point in files_of(m, backend, name)]
        check_looks("labels", len({label for label, _, _ in points}))
        return partial(compression_figure, points)
    if args.kind == "timeline":
        if len(found) > 1:
            raise ValueError(f"{len(found)} folders are given: a timeline is of one")
        return partial(timeline_figure, spans_of(found[0]))
    if len(found) == 1:
        return partial(curve_figure, found[0])
    check_looks("measurements", len(found))
    return partial(several_figure, dict(zip(labels, found, strict=True)))


def legend(found: Sequence[Measurement]) -> list[str]:
    """What tells the measurements apart: data, network, projection; the folder where these do not."""

    def parts_of(m: Measurement) -> tuple[str, str, str]:
        P = " ".join(f"{v}" if k == "kind" else f"{k}={v}" for k, v in m.recipe.T.items())
        return m.recipe.data, model_name(m.recipe.model), P

    parts = [parts_of(m) for m in found]
    differ = [i for i in range(3) if len({part[i] for part in parts}) > 1] or [1]
    labels = [", ".join(part[i] for i in differ) for part in parts]
    return labels if len(set(labels)) == len(labels) else [str(m.folder) for m in found]
