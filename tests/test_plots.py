"""What the pictures show, read from their axes."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'npintdim[plot]'")

import npintdim as nid
from npintdim.plots import curve_figure, nice_ticks, save, toy_figure
from npintdim.recipes import fully_connected
from npintdim.toy import expected_share

GRID = {10: (0.25, 0.31), 50: (0.62, 0.60), 200: (0.88, 0.90), 800: (0.94, 0.95)}
DIRECT = (0.95, 0.97)


def measurement(grid, direct=DIRECT, **threshold):
    """As `measure` returns it, without the runs."""
    recipe = nid.Recipe("digits", fully_connected(64, 10), tuple(grid), **threshold)
    records = [
        {"spec": {"seed": k}, "status": "finished", "performance": p, "D": 1210} for k, p in enumerate(direct)
    ]
    for d, performances in grid.items():
        for p in performances:
            status = "diverged" if math.isnan(p) else "finished"
            records.append({"spec": {"d": d}, "status": status, "performance": p, "D": 1210})
    pairs = [(d, p) for d, ps in grid.items() for p in ps]
    found = nid.d_int(*zip(*pairs, strict=True), direct, **threshold)
    return nid.Measurement(recipe, Path(), tuple(records), found, None)


def drawn(axes):
    """x, y of every line."""
    return [tuple(map(tuple, line.get_data())) for line in axes.lines]


def texts(axes):
    legend = [t.get_text() for t in axes.get_legend().get_texts()]
    return "\n".join([t.get_text() for t in axes.texts] + legend + [axes.get_title(loc="left")])


def test_curve_shows_every_run_the_means_the_lines_and_the_crossing():
    m = measurement(GRID)
    (axes,) = curve_figure(m).axes
    lines = drawn(axes)
    for d, p in GRID.items():
        assert ((d, d), p) in lines
    assert (m.d_int.tried, m.d_int.means) in lines
    assert any(y == (m.d_int.threshold,) * 2 for _, y in lines)
    assert any(y == (np.mean(DIRECT),) * 2 for _, y in lines)
    assert ((m.d_int.d,), (m.d_int.threshold,)) in lines
    low, high = m.d_int.low, m.d_int.high
    assert any(np.isclose([p.get_x(), p.get_x() + p.get_width()], [low, high]).all() for p in axes.patches)
    assert any(np.isclose([p.get_y(), p.get_y() + p.get_height()], DIRECT).all() for p in axes.patches)
    assert axes.get_xscale() == "log"


def test_the_fit_goes_through_the_means_and_the_crossing():
    m = measurement(GRID)
    (axes,) = curve_figure(m).axes
    x, y = next(line.get_data() for line in axes.lines if line.get_label() == "monotone fit")
    for d, p in [*zip(m.d_int.tried, m.d_int.fit, strict=True), (m.d_int.d, m.d_int.threshold)]:
        assert np.interp(d, x, y) == pytest.approx(p, abs=1e-3)


def test_curve_says_what_was_found():
    m = measurement(GRID)
    (axes,) = curve_figure(m).axes
    d = f"{m.d_int.d:.0f}"
    assert axes.get_title(loc="left") == (
        f"{d} random directions of 1,210 reach 90 % of direct training\ndigits, network 64-10, fastfood"
    )
    assert f"d_int90 = {d}" in texts(axes)
    assert m.d_int.interval() in texts(axes)
    assert "90 % of it: 0.864" in texts(axes)
    assert axes.get_ylabel() == "test accuracy"


@pytest.mark.parametrize(
    ("m", "title"),
    [
        (
            measurement({10: (0.2, 0.3), 20: (0.3, 0.4)}),
            "No subspace up to d = 20 reaches 90 % of direct training\n",
        ),
        (
            measurement({10: (0.9, 0.92), 20: (0.91, 0.93)}),
            "Already d = 10 reaches 90 % of direct training\n",
        ),
        (measurement(GRID, threshold=0.9), "random directions of 1,210 reach performance 0.900\n"),
        (measurement({10: (0.2, 0.3), 20: (math.nan, math.nan), 50: (0.9, 0.95)}), "reach 90 %"),
        (measurement({10: (0.2,), 50: (0.9,)}, (0.95,)), "reach 90 %"),
        (measurement({10: (0.2, 0.3), 50: (0.84, 0.95)}), "reach 90 %"),
        (measurement({7: (0.9, 0.95)}), "Already d = 7"),
    ],
    ids=["never", "already", "absolute", "diverged", "one seed", "interval beyond the grid", "one d"],
)
def test_curve_of_every_outcome(m, title, tmp_path):
    figure = curve_figure(m)
    assert title in figure.axes[0].get_title(loc="left")
    assert save(figure, tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_toy_figure_shows_the_draws_the_law_and_the_step():
    d = tuple(range(1, 16))
    shares = np.tile([[expected_share(i)] for i in d], (1, 5))
    performances, trained = np.exp(-385 * shares), tuple(np.exp(-385 * shares[:, 0]))
    left, right = toy_figure(d, shares, performances, trained, "dense", True).axes
    assert (d, tuple(expected_share(i) for i in d)) in drawn(left)
    assert (d, tuple(performances.mean(axis=1))) in drawn(right)
    assert (d, trained) in drawn(right)
    assert any(x == (10, 10) for x, _ in drawn(right))
    assert "Each dense direction removes a tenth of the loss" in left.get_title(loc="left")
    left, _ = toy_figure(d, shares, performances, trained, "fastfood", False).axes
    assert "does NOT" in left.get_title(loc="left")


def test_a_picture_is_saved_as_its_suffix_says_all_or_nothing(tmp_path):
    figure = curve_figure(measurement(GRID))
    assert b"<svg" in save(figure, tmp_path / "curve.svg").read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["curve.svg"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        save(figure, tmp_path / "file" / "curve.png")


def test_without_matplotlib_the_error_has_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'npintdim\[plot\]'"):
        curve_figure(measurement(GRID))


def test_plots_do_not_touch_pyplot():
    code = "import sys, npintdim.plots as p; p.new_figure(1, 1).subplots(); print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (9, 550, [10, 20, 50, 100, 200, 500]),
        (1, 1.2, [1]),
        (0.9, 6, [1, 2, 5]),
        (900, 20_000, [1000, 2000, 5000, 10_000, 20_000]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert nice_ticks(low, high) == ticks
