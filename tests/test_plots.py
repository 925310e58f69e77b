"""What the pictures show, read from their axes; and that it can be read."""

import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'npintdim[plot]'")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from scipy.stats import beta

import npintdim as nid
from npintdim import plots
from npintdim.measurement.estimate import around_crossing, survivors
from npintdim.measurement.recipes import fully_connected
from npintdim.measurement.records import write_record
from npintdim.measurement.runs import RunSpec
from npintdim.plots import (
    curve_figure,
    map_figure,
    nets_figure,
    phase_figure,
    save,
    several_figure,
    spans_of,
    timeline_figure,
    toy_figure,
)
from npintdim.plots.compression import compression_figure
from npintdim.plots.curve import curve_read
from npintdim.plots.style import LETTERS, LOOKS, WIDTH, nice_ticks, spaced
from npintdim.toy.phase import ToyResult
from npintdim.toy.problem import expected_share

GRID = {10: (0.25, 0.31), 50: (0.62, 0.60), 200: (0.88, 0.90), 800: (0.94, 0.95)}
LATER = {d * 3: p for d, p in GRID.items()}
NEVER = {10: (0.2, 0.3), 20: (0.3, 0.4)}
ALREADY = {10: (0.9, 0.92), 20: (0.91, 0.93)}
DIRECT = (0.95, 0.97)
SMALLEST = 8  # points


def measurement(grid, direct=DIRECT, D=1210, **threshold):
    """As `measure` returns it, without the runs."""
    recipe = nid.Recipe("digits", fully_connected(64, 10), tuple(grid), **threshold)
    records = [
        {"spec": {"seed": k}, "status": "finished", "performance": p, "D": D} for k, p in enumerate(direct)
    ]
    for d, performances in grid.items():
        for p in performances:
            status = "diverged" if math.isnan(p) else "finished"
            records.append({"spec": {"d": d}, "status": status, "performance": p, "D": D})
    pairs = [(d, p) for d, ps in grid.items() for p in ps]
    found = nid.d_int(*zip(*pairs, strict=True), direct, **threshold)
    return nid.Measurement(recipe, Path(), tuple(records), found, None)


def drawn(axes):
    """x, y of every line."""
    return [tuple(map(tuple, line.get_data())) for line in axes.lines]


def title(figure):
    return figure._suptitle.get_text()


def texts(axes):
    legend = axes.get_legend().get_texts() if axes.get_legend() else []
    return "\n".join(t.get_text() for t in [*axes.texts, *legend])


def illegible(figure):
    """Texts that are too small, leave the figure, or lie on each other."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    frame = figure.bbox
    axes_ = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    numbers = {text for axis in axes_ for text in axis.findobj(Text)} - {axis.label for axis in axes_}
    inside = {tick.label1 for axis in axes_ for tick in axis._update_ticks()}
    shown = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    shown = [t for t in dict.fromkeys(shown) if t not in numbers - inside]
    boxes = {t: Text.get_window_extent(t, canvas.get_renderer()) for t in shown}
    for t, box in boxes.items():
        if t.get_fontsize() < SMALLEST:
            yield f"{t.get_text()!r} has {t.get_fontsize()} points"
        if box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1:
            yield f"{t.get_text()!r} is cut"
    for (a, box_a), (b, box_b) in combinations(boxes.items(), 2):
        if box_a.shrunk(0.97, 0.9).overlaps(box_b.shrunk(0.97, 0.9)):
            yield f"{a.get_text()!r} lies on {b.get_text()!r}"


# --- one measurement


def test_curve_shows_every_run_the_means_the_lines_and_the_crossing():
    m = measurement(GRID)
    (axes,) = curve_figure(m).axes
    lines = drawn(axes)
    runs = tuple((d, p) for d, ps in GRID.items() for p in ps)
    assert tuple(zip(*runs, strict=True)) in lines
    assert (m.d_int.tried, m.d_int.means) in lines
    assert any(y == (m.d_int.threshold,) * 2 for _, y in lines)
    assert any(y == (np.mean(DIRECT),) * 2 for _, y in lines)
    assert ((m.d_int.d,), (m.d_int.threshold,)) in lines
    low, high = m.d_int.low, m.d_int.high
    assert any(np.isclose([p.get_x(), p.get_x() + p.get_width()], [low, high]).all() for p in axes.patches)
    assert any(np.isclose([p.get_y(), p.get_y() + p.get_height()], DIRECT).all() for p in axes.patches)
    assert axes.get_xscale() == "log"


def line_called(axes, name):
    """x, y of its points."""
    (x, y) = next(line.get_data() for line in axes.lines if line.get_label() == name)
    return np.asarray(x)[np.isfinite(y)], np.asarray(y)[np.isfinite(y)]


def estimators_curve(m):
    """The fit that `d_int` reads, made here once more."""
    groups = {d: p for d, p in m.performances().items() if d is not None}
    return around_crossing(survivors(groups, m.d_int.threshold)[0], m.d_int.threshold)


@pytest.mark.parametrize(
    "grid", [GRID, LATER, {10: (0.2,), 60: (0.5, 0.56), 150: (0.83, 0.85), 170: (0.88, 0.87), 900: (0.95,)}]
)
def test_the_curve_that_is_drawn_is_the_estimator_s_everywhere_between_the_tried_d(grid):
    m = measurement(grid)
    curve = estimators_curve(m)
    (axes,) = curve_figure(m).axes
    (x, y), (x_far, y_far) = line_called(axes, "fitted curve"), line_called(axes, "beyond its reach")
    assert len(x) > 100 and not set(x[1:-1].tolist()) & set(grid)
    assert y == pytest.approx(curve.performance(x), abs=1e-12)
    assert y_far == pytest.approx(curve.performance(x_far), abs=1e-12)
    assert (curve.near(x) > 0.5).all() and (curve.near(x_far) <= 0.5).any()
    assert np.interp(m.d_int.d, x, y) == pytest.approx(m.d_int.threshold, abs=1e-4)
    # no kink: the slope of −log(1 − p) changes by a factor of e^c a log d
    slope = np.diff(-np.log(1 - y)) / np.diff(np.log(x))
    bend = np.diff(np.log(slope)) / np.diff(np.log(x))[1:]
    assert np.ptp(bend) < 1e-3


def test_a_curve_that_contradicts_the_means_is_not_drawn():
    m = measurement(GRID)
    (axes,) = curve_figure(replace(m, d_int=replace(m.d_int, reading="isotonic"))).axes
    x, y = line_called(axes, "pooled means")
    knots = -np.log(1 - np.array(m.d_int.means))
    assert -np.log(1 - y) == pytest.approx(np.interp(np.log(x), np.log(m.d_int.tried), knots))
    assert "fitted curve" not in texts(axes)


def test_a_score_of_its_own_units_is_drawn_in_them():
    from npintdim.engine.score import Score

    error = Score("mean absolute error", guess=8.0, best=0.0)
    m, plain = measurement(GRID), curve_read(measurement(GRID))
    pairs = [(d, 8 * (1 - p)) for d, ps in GRID.items() for p in ps]
    found = nid.d_int(*zip(*pairs, strict=True), [8 * (1 - p) for p in DIRECT], score=error)
    records = tuple(r | {"performance": 8 * (1 - r["performance"])} for r in m.records)
    scored = curve_read(replace(m, d_int=found, records=records))
    assert scored.p == pytest.approx(8 * (1 - plain.p), abs=1e-6)
    assert (scored.near == plain.near).all()


def test_curve_says_what_was_found():
    m = measurement(GRID)
    figure = curve_figure(m)
    (axes,) = figure.axes
    d = f"{m.d_int.d:.0f}"
    assert title(figure) == (
        f"{d} random directions of 1,210 reach 90 % of direct training\ndigits, network 64-10, fastfood"
    )
    assert f"d_int90 = {d}\n{m.d_int.interval()}" in texts(axes)
    assert "90 % of it: 0.864" in texts(axes)
    assert axes.get_ylabel() == "test accuracy"


@pytest.mark.parametrize(("beyond", "side"), [((800, 6400), "left"), ((), "right")])
def test_the_reading_stands_beside_the_crossing_where_there_is_room(beyond, side):
    """To the right of a crossing amid the grid, to the left of one near its end; inside the axes."""
    grid = {10: (0.25, 0.31), 50: (0.62, 0.60), 150: (0.84, 0.85), 200: (0.88, 0.90)}
    figure = curve_figure(measurement(grid | dict.fromkeys(beyond, (0.94, 0.95))))
    (axes,) = figure.axes
    FigureCanvasAgg(figure).draw()
    (text,) = [t for t in axes.texts if t.get_text().startswith("d_int90")]
    assert text.get_ha() == side
    box = Text.get_window_extent(text)
    assert axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1


OUTCOMES = {
    "never": (measurement(NEVER), "No subspace up to d = 20 reaches 90 % of direct training\n"),
    "already": (measurement(ALREADY), "Already d = 10 reaches 90 % of direct training\n"),
    "absolute": (measurement(GRID, threshold=0.9), "random directions of 1,210 reach performance 0.900\n"),
    "diverged": (
        measurement({10: (0.2, 0.3), 20: (math.nan, math.nan), 50: (0.9, 0.95), 100: (0.95, 0.96)}),
        "reach 90 %",
    ),
    "one seed": (measurement({10: (0.2,), 50: (0.9,)}, (0.95,)), "reach 90 %"),
    "interval beyond the grid": (measurement({10: (0.2, 0.3), 50: (0.84, 0.95)}), "reach 90 %"),
    "one d": (measurement({7: (0.9, 0.95)}), "Already d = 7"),
    "no baseline": (measurement(GRID, (), threshold=0.9), "reach performance 0.900"),
}


@pytest.mark.parametrize(("m", "says"), OUTCOMES.values(), ids=OUTCOMES)
def test_curve_of_every_outcome(m, says):
    figure = curve_figure(m)
    assert says in title(figure)
    assert list(illegible(figure)) == []


def test_the_performance_is_called_what_it_is():
    m = measurement(GRID)
    labels = replace(m, recipe=replace(m.recipe, data="mnist+shuffled-labels=0.5"))
    own = replace(m, recipe=replace(m.recipe, model={"objective": "a.module:make", "options": {}}))
    for one, name in ((m, "test accuracy"), (labels, "training accuracy"), (own, "performance")):
        assert curve_figure(one).axes[0].get_ylabel() == name


# --- several measurements


def test_several_shows_each_curve_and_its_interval_in_its_own_look():
    m = {"dense": measurement(GRID), "sparse": measurement(LATER)}
    figure = several_figure(m)
    above, below = figure.axes
    for (label, one), (color, _, marker) in zip(m.items(), LOOKS, strict=False):
        means = next(line for line in above.lines if line.get_data()[1] is not None and drawn_is(line, one))
        assert (means.get_color(), means.get_marker()) == (color, marker)
        found = one.d_int
        assert any(x == (found.low, found.high) for x, _ in drawn(below))
        assert f"{label}: {found.d:,.0f} ({found.low:,.0f} to {found.high:,.0f})" in texts(below)
    assert "dashed: 90 % of direct training, 0.864; bars: 95 % intervals" in title(figure)


def drawn_is(line, m):
    return tuple(map(tuple, line.get_data())) == (m.d_int.tried, m.d_int.means)


@pytest.mark.parametrize(
    ("m", "says"),
    [
        ([GRID, LATER], "d_int90 of b is 3 times that of a: "),
        ([GRID, {d + 1: p for d, p in GRID.items()}], "No difference beyond the noise: d_int90 = "),
        ([GRID, NEVER], "d_int90 of a and b\n"),
        ([NEVER, ALREADY], "d_int90 of a and b\n"),
        ([GRID, LATER, {10: (0.2,), 50: (0.9,)}], "d_int90 = "),
    ],
    ids=["differ", "agree", "one censored", "both censored", "unknown interval"],
)
def test_several_says_whether_they_differ(m, says):
    figure = several_figure({label: measurement(grid) for label, grid in zip("abc", m, strict=False)})
    assert title(figure).startswith(says)
    assert list(illegible(figure)) == []


@pytest.mark.parametrize(
    "grid", [NEVER, ALREADY, {10: (0.2, 0.3), 12: (0.5, 0.99)}], ids=["never", "already", "open"]
)
@pytest.mark.parametrize("scale", [0.3, 400], ids=["left", "right"])
def test_a_row_at_an_edge_covers_neither_the_axis_s_name_nor_leaves_the_picture(grid, scale):
    far = {round(d * 400 / scale): p for d, p in GRID.items()}
    near = {round(d * scale) + i: p for i, (d, p) in enumerate(grid.items())}
    label = "LeNet, 3,000 examples, single block, no S"
    assert list(illegible(several_figure({label: measurement(near), "b": measurement(far)}))) == []


def test_overlapping_intervals_are_not_taken_for_no_difference():
    """283 (264 to 304) and 238 (215 to 267) overlap, but differ by more than the root of the sum of squares."""
    a, b = measurement(GRID), measurement(GRID)
    a = replace(a, d_int=replace(a.d_int, d=238.0, low=215.0, high=267.0))
    b = replace(b, d_int=replace(b.d_int, d=283.0, low=264.0, high=304.0))
    assert "d_int90 of b is 1.2 times that of a: 283 against 238" in title(several_figure({"a": a, "b": b}))


@pytest.mark.parametrize("later", [LATER, {d + 1: p for d, p in GRID.items()}], ids=["differ", "agree"])
def test_a_title_does_not_end_a_line_inside_a_name(later):
    for length in range(20):  # wherever the line ends
        a, b = "x" * length + " LeNet as released, no S", "y" * length + " Untied-LeNet, single block"
        lines = title(several_figure({a: measurement(GRID), b: measurement(later)})).splitlines()
        for name in (a, b):
            assert sum(name in line for line in lines) == 1
        assert later is not LATER or any(re.search(r"\d against \d", line) for line in lines)


def test_several_takes_as_many_as_can_be_told_apart():
    m = {f"network {i}": measurement(GRID if i % 2 else LATER) for i in range(len(LOOKS))}
    assert list(illegible(several_figure(m))) == []
    for wrong in ({}, m | {"one more": measurement(GRID)}):
        with pytest.raises(ValueError, match=f"{len(wrong)} measurements: 1 to 6 are needed"):
            several_figure(wrong)


@pytest.mark.parametrize(
    ("message", "draw"),
    [
        ("m is 'results': a Measurement is needed, e.g. load_measurement(folder)",
            lambda: plots.curve_figure("results")),
        ("measurements is a list: a Mapping is needed, e.g. {'lenet': load_measurement(folder)}",
            lambda: several_figure([measurement(GRID)])),
        ("unknown counted 'number': choose one of numbers, bytes. Did you mean 'numbers'?",
            lambda: plots.methods_figure({"f": {"a": {10: [0.5]}}}, [0.9], "digits", counted="number")),
        ("ax is a Figure: axes, of figure.subplots() for example, are needed",
            lambda: plots.map_figure([("a", 100, 50.0, None)], ax=plots.new_figure(3, 2))),
    ],
    ids=["a folder", "a list", "what is counted", "a figure"],
)  # fmt: skip
def test_what_is_no_measurement_and_what_are_no_axes_are_told(message, draw):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}$"):
        draw()


def test_looks_differ_in_colour_dashes_and_marker():
    for parts in zip(*LOOKS, strict=True):
        assert len(set(parts)) == len(LOOKS)


# --- many networks


def nets():
    """Twenty, as in the paper: D of depth 1 to 5 and four widths, d_int near 750."""
    found = measurement(GRID).d_int
    sizes = [
        (795 * w + 10 + (depth - 1) * w * (w + 1), f"{depth}×{w}")
        for w in (50, 100, 200, 400)
        for depth in range(1, 6)
    ]
    d = np.linspace(675, 900, 20)
    return [
        (D, replace(found, d=x, low=x * 0.95, high=x * 1.05, tried=(100, 2000)), label)
        for (D, label), x in zip(sizes, d, strict=True)
    ]


def test_nets_shows_each_network_with_its_interval_on_an_axis_from_zero():
    figure = nets_figure(nets())
    (axes,) = figure.axes
    for D, found, label in nets():
        assert ((D, D), (found.low, found.high)) in drawn(axes)
        assert ((D,), (found.d,)) in drawn(axes)
        assert label in texts(axes)
    assert axes.get_ylim()[0] == 0
    assert title(figure) == "d_int90 varies by a factor of 1.3 while D grows 24 times"
    assert list(illegible(figure)) == []


def test_nets_that_were_not_read_are_hollow_and_counted():
    some = nets()
    some[3] = (some[3][0], measurement(NEVER).d_int, "never")
    some[9] = (some[9][0], measurement(ALREADY).d_int, "already")
    figure = nets_figure(some)
    assert title(figure).endswith("(hollow: 2 censored)")
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert [(line.get_marker(), *line.get_ydata()) for line in hollow] == [("^", 20), ("v", 10)]
    assert title(nets_figure(some[3:4])) == "d_int90 of 1 network"
    with pytest.raises(ValueError, match="no network to draw"):
        nets_figure([])


def test_labels_keep_their_distance_and_their_order():
    y = np.array([1.0, 1.1, 5.0, 0.9])
    moved = spaced(y, 0.5)
    assert moved == pytest.approx([1.0, 1.5, 5.0, 0.5])
    assert moved.sum() == pytest.approx(y.sum())


# --- compression

FILES = [("θ", 796_840, 0.98), ("float32", 1500, 0.82), ("float32", 3300, 0.90), ("8 bits", 1000, 0.895)]


def test_compression_joins_the_files_of_one_label_and_names_the_smallest_good_one():
    figure = compression_figure([*FILES, ("8 bits", 500, 0.7)])
    (axes,) = figure.axes
    assert ((1500, 3300), (0.82, 0.90)) in drawn(axes)
    assert ((500, 1000), (0.7, 0.895)) in drawn(axes)
    assert title(figure) == "1,000 bytes (8 bits) instead of 796,840 keep 91 % of the performance"
    assert list(illegible(figure)) == []


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (FILES[:1], "1 file: bytes against performance"),
        (FILES[:2], "No file smaller than 796,840 bytes keeps 90 % of its performance"),
        ([("a", 100, 0.0), ("b", 50, 0.0)], "2 files: bytes against performance"),
    ],
)
def test_compression_claims_nothing_that_is_not_there(points, says):
    assert title(compression_figure(points)) == says


def test_compression_needs_files():
    with pytest.raises(ValueError, match="0 labels: 1 to 6 are needed"):
        compression_figure([])


# --- the toy problem

D_TOY = tuple(range(1, 16))


def law_draws(n):
    """The quantiles of the law in place of draws."""
    q = (np.arange(n) + 0.5) / n
    return np.array([beta.ppf(q, (10 - d) / 2, d / 2) if d < 10 else np.zeros(n) for d in D_TOY])


def test_toy_figure_shows_the_draws_the_law_and_the_step():
    shares = law_draws(50)
    performances, trained = np.exp(-385 * shares), tuple(np.exp(-385 * shares[:, 0]))
    figure = toy_figure(ToyResult(D_TOY, shares, performances, trained), "dense")
    above, below = figure.axes
    assert (D_TOY, tuple(expected_share(i) for i in D_TOY)) in drawn(above)
    assert (D_TOY, tuple(performances.mean(axis=1))) in drawn(below)
    assert (D_TOY, trained) in drawn(below)
    assert any(x == (10, 10) for x, _ in drawn(below))
    assert "Each dense direction removes 1/10 of the loss" in above.get_title(loc="left")
    assert below.get_title(loc="left").endswith("d_int100 = 10")
    assert list(illegible(figure)) == []
    figure = toy_figure(ToyResult(D_TOY, shares**0.5, 0 * performances, trained), "fastfood")
    above, below = figure.axes
    assert list(illegible(figure)) == []
    assert "does NOT" in above.get_title(loc="left")
    assert below.get_title(loc="left") == "No d up to 15 meets the solutions"


def test_phase_figure_lays_the_law_over_what_was_measured():
    shares = law_draws(400)
    figure = phase_figure(D_TOY, shares, "dense")
    axes = figure.axes[0]
    assert title(figure).startswith("Success in dense subspaces follows the law: off by up to 0.00")
    for level in (0.05, 0.5, 0.95):
        x, y = next(
            (x, y) for x, y in drawn(axes) if len(x) == 400 and abs(y[200] - beta.ppf(level, 2.5, 2.5)) < 0.01
        )
        marks = next(
            p for d, p in drawn(axes) if d == D_TOY[:9] and abs(p[4] - beta.ppf(level, 2.5, 2.5)) < 0.01
        )
        assert np.interp(D_TOY[:9], x, y) == pytest.approx(marks, abs=0.02)
    cells = axes.collections[0].get_array()
    assert cells.shape == (40, 15)
    assert (cells[:, 9:] == 1).all()
    assert cells[19, 4] == pytest.approx(beta.cdf(19.5 / 40, 2.5, 2.5), abs=0.005)
    assert list(illegible(figure)) == []


def test_phase_figure_says_where_the_law_fails():
    shares = law_draws(100) ** 0.5
    assert "does NOT follow the law: off by up to 0." in title(phase_figure(D_TOY, shares, "fastfood"))


# --- saving


def pictures():
    shares = law_draws(50)
    return {
        "curve": lambda: curve_figure(measurement(GRID)),
        "several": lambda: several_figure({"a": measurement(GRID), "b": measurement(LATER)}),
        "nets": lambda: nets_figure(nets()),
        "compression": lambda: compression_figure(FILES),
        "toy": lambda: toy_figure(ToyResult(D_TOY, shares, np.exp(-385 * shares), (0.0,) * 15), "dense"),
        "phase": lambda: phase_figure(D_TOY, shares, "dense"),
    }


@pytest.mark.parametrize("name", pictures())
def test_a_picture_is_a_png_and_an_svg_with_the_same_bytes_each_time(name, tmp_path):
    draw = pictures()[name]
    figure = draw()
    assert figure.get_figwidth() == WIDTH
    assert max(map(len, title(figure).splitlines() if figure._suptitle else [""])) <= LETTERS
    assert save(figure, tmp_path / f"{name}.png") == tmp_path / f"{name}.png"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{name}.png", f"{name}.svg"]
    root = ElementTree.parse(tmp_path / f"{name}.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert float(root.get("width").removesuffix("pt")) == pytest.approx(72 * WIDTH)
    save(draw(), tmp_path / "again.svg")
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"{name}{suffix}").read_bytes() == (tmp_path / f"again{suffix}").read_bytes()
    assert b"<dc:date>" not in (tmp_path / f"{name}.svg").read_bytes()


AX = {
    "curve": (1, lambda ax: curve_figure(measurement(GRID), ax=ax)),
    "several": (2, lambda ax: several_figure({"a": measurement(GRID), "b": measurement(LATER)}, ax=ax)),
    "nets": (1, lambda ax: nets_figure(nets(), ax=ax)),
    "compression": (1, lambda ax: compression_figure(FILES, ax=ax)),
    "toy": (2, lambda ax: toy_figure(ToyResult(D_TOY, law_draws(50), np.exp(-law_draws(50)), (0.0,) * 15), "dense", ax=ax)),
    "phase": (1, lambda ax: phase_figure(D_TOY, law_draws(50), "dense", ax=ax)),
    "map": (1, lambda ax: map_figure([("FC", 199_210, 750.0, (509.0, 488.0, 532.0))], ax=ax)),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "draw"), AX.values(), ids=AX)
def test_a_picture_is_drawn_into_the_user_s_axes(rows, draw):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4 * rows), layout="constrained")
    ax = figure.subplots(rows, 1)
    assert draw(ax) is figure
    assert figure._suptitle is None
    assert all(axes.lines for axes in np.ravel(ax)) and np.ravel(ax)[0].get_title(loc="left")
    assert list(illegible(figure)) == []


def test_a_figure_shows_itself_in_a_notebook_without_pyplot():
    png, how = curve_figure(measurement(GRID))._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 2 * how["width"] == 1100


def test_a_picture_is_saved_all_or_nothing(tmp_path):
    figure = curve_figure(measurement(GRID))
    assert save(figure, tmp_path / "at-0.9") == tmp_path / "at-0.9.png"
    assert save(figure, tmp_path / "curve.pdf").read_bytes().startswith(b"%PDF")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["at-0.9.png", "at-0.9.svg", "curve.pdf"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        save(figure, tmp_path / "file" / "curve.png")


def test_the_users_style_changes_neither_size_nor_letters():
    from matplotlib import rc_context

    with rc_context({"font.size": 30, "axes.labelsize": 4, "figure.figsize": (1, 1)}):
        assert list(illegible(curve_figure(measurement(GRID)))) == []


@pytest.mark.parametrize("missing", ["matplotlib", "matplotlib.figure"])
def test_without_matplotlib_the_error_has_the_pip_line(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    for draw in pictures().values():
        with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'npintdim\[plot\]'"):
            draw()


def test_plots_do_not_touch_pyplot_and_are_imported_without_matplotlib():
    code = (
        "import sys, npintdim.plots as p; print('matplotlib' in sys.modules); p.new_figure(1, 1).subplots(); "
    )
    code += "print('matplotlib.pyplot' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "False\nFalse\n", run.stderr


def test_the_timeline_shows_what_went_on_together(tmp_path):
    m = replace(measurement(GRID), folder=tmp_path, records=())
    with pytest.raises(ValueError, match=r"has no runs: the folder of a measurement"):
        timeline_figure(spans_of(m))
    (tmp_path / "runs").mkdir()
    spec = RunSpec("digits", fully_connected(64, 10), {"kind": "fastfood"}, 20)
    for k, (end, seconds, d) in enumerate(
        [(110, 10, None), (112, 11.5, 20), (121, 11.5, 20), (121, 8.5, 20)]
    ):
        own = replace(spec, seed=k) if d else replace(spec, seed=k, d=None, projection=None)
        record = {
            "spec": own.spec(),
            "status": "failed",
            "error": "none",
            "performance": None,
            "seconds": seconds,
        }
        write_record(tmp_path / "runs", own, record, None)
        os.utime(tmp_path / "runs" / f"{own.key}.json", (end, end))
        if k < 3:
            m = replace(m, records=(*m.records, record))
    (tmp_path / "runs" / "damaged.json").write_text("{")
    spans = spans_of(m)
    assert spans == [
        (100, 110, True, True),
        (100.5, 112, False, True),
        (109.5, 121, False, True),
        (112.5, 121, False, False),
    ]
    figure = timeline_figure(spans)
    (axes,) = figure.axes
    bars = sorted(
        (bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in axes.patches
    )
    assert bars == [(0, 10, 1), (0.5, 11.5, 2), (9.5, 11.5, 1), (12.5, 8.5, 2)]
    assert "4 runs in 21 s, 2 at once: 99% of that time was training" in title(figure)


def test_every_picture_is_public():
    assert set(plots.__all__) <= set(vars(plots))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (9, 550, [10, 20, 50, 100, 200, 500]),
        (1, 1.2, [1]),
        (0.9, 6, [1, 2, 5]),
        (900, 20_000, [1000, 2000, 5000, 10_000, 20_000]),
        (220, 1180, [300, 400, 500, 600, 800, 1000]),
        (1.2, 4, [2, 3, 4]),
        (700, 1_100_000, [1000, 10_000, 100_000, 1_000_000]),
    ],
)
def test_ticks_are_round_and_have_room(low, high, ticks):
    assert nice_ticks(low, high) == ticks


def test_data_of_ones_own_have_their_own_name_in_the_title():
    m = measurement(GRID)
    own = replace(m, recipe=replace(m.recipe, data="here:spiral"))
    texts = "\n".join(text.get_text() for text in curve_figure(own).findobj(Text))
    assert "spiral, network 64-10" in texts and "here:" not in texts
