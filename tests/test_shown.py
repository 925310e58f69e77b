"""What results look like in a notebook and as a table of pandas, and which names are there without being imported."""

import re
import subprocess
import sys
from html import unescape
from itertools import pairwise

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.measurement.recipes import adam, fully_connected

RECIPE = nid.Recipe(
    "digits", fully_connected(64, 16, 10), (10, 60, 200), optimizer=adam(0.1), direct_optimizer=adam(0.01),
    seeds=2, direct_seeds=2, epochs=4, batch_size=64, limit_train=600, fraction=0.8,
)  # fmt: skip


@pytest.fixture(scope="module")
def m(tmp_path_factory):
    return measured(RECIPE, tmp_path_factory.mktemp("measurement"))


@pytest.fixture(scope="module")
def run():
    data = nid.load_dataset("digits", limit_train=300)
    model = nid.mlp([64, 10], nid.get_backend("numpy"))
    return nid.train(model, model.init_theta(0), data, nid.TrainConfig(epochs=30), False)


def table(thing):
    """The cells of what a notebook shows, a list a row; and all of its text."""
    html = thing._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 1
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]
    assert "<th>" in html and len({len(row) for row in rows}) == 1
    return [[unescape(cell) for cell in row] for row in rows], unescape(re.sub(r"<.*?>", " ", html))


def test_a_measurement_is_a_few_lines_and_a_table(m):
    rows, text = table(m)
    assert rows == [list(row) for row in m.rows()]
    assert m.summary in text and m.summary in repr(m)
    assert repr(m).count("\n") == 1 and len(repr(m)) < 600


def test_a_measurement_draws_itself(m):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'npintdim[plot]'")
    from matplotlib.figure import Figure

    figure = m.plot()
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    read = nid.plots.curve.curve_read(m)
    np.testing.assert_array_equal(lines[read.name].get_xdata(), read.d)
    np.testing.assert_array_equal(lines["each run"].get_xdata(), [10, 10, 60, 60, 200, 200])
    mine = Figure()
    assert m.plot(ax=mine.subplots()) is mine and len(mine.axes[0].lines) == len(axes.lines)


def test_d_int_is_a_table(m):
    rows, text = table(m.d_int)
    assert [row[0] for row in rows[1:]] == ["10", "60", "200"]
    assert [row[2] for row in rows[1:]] == [f"{p:.4f}" for p in m.d_int.means]
    assert m.d_int.summary() in text


def test_a_run_is_a_line_and_a_table_of_its_epochs(run):
    rows, text = table(run)
    last = run.records[-1]
    assert 8 <= len(rows) <= 13
    assert rows[-1][:4] == ["29", f"{last.loss:.4f}", f"{last.train:.4f}", f"{last.test:.4f}"]
    assert len({int(b[0]) - int(a[0]) for a, b in pairwise(rows[1:])}) == 1
    for shown in (text, repr(run)):
        assert f"finished after 30 epochs: loss {last.loss:.4f}" in shown and "(650,)" in shown
    assert "\n" not in repr(run)


def test_a_run_without_epochs_shows_itself_too():
    rows, text = table(nid.Run(np.zeros(3), "interrupted", ()))
    assert rows == [["epoch", "loss", "training", "test", "seconds"]] and "after 0 epochs" in text


def test_a_compressed_network_says_what_its_file_holds(m):
    kept = nid.CompressedModel.load(m.folder / m.compressed["file"])
    rows, text = table(kept)
    cells = dict(rows)
    assert f"{m.compressed['bytes']:,} bytes instead of {4 * m.D:,}" in text
    assert cells["θ_d"] == f"{m.compressed['d']} numbers, float32"
    assert cells["sha256 of θ"] == kept.theta_sha256
    assert '"fastfood"' in cells["P"]


def test_what_is_named_like_a_tag_is_text():
    found = nid.DInt(1.0, None, None, None, 0.5, None, None, (1,), (0.1,), (0.1,), 1, 0, "<b>", counts=(1,))
    assert "&lt;b&gt;" in found._repr_html_()


def test_data_frames_have_a_row_a_run_and_a_row_an_epoch(m, run):
    pytest.importorskip("pandas", reason="pandas is not installed: pip install 'npintdim[frame]'")
    frame = m.to_dataframe()
    assert list(frame["d"].dropna()) == [10, 10, 60, 60, 200, 200] and frame["d"].isna().sum() == 2
    assert frame["performance"].tolist() == [r["performance"] for r in m.records]
    assert frame["lr"].tolist() == [0.01] * 2 + [0.1] * 6
    epochs = run.to_dataframe()
    assert epochs["epoch"].tolist() == list(range(30))
    assert epochs["test"].tolist() == [r.test for r in run.records]


def test_without_pandas_the_error_names_the_extra(m, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for thing in (m, run):
        with pytest.raises(ImportError, match=r"to_dataframe needs pandas: pip install 'npintdim\[frame\]'"):
            thing.to_dataframe()


def test_without_matplotlib_a_plot_names_the_extra(m, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'npintdim\[plot\]'"):
        m.plot()


def test_plots_and_testing_are_there_when_they_are_asked_for():
    code = (
        "import sys, npintdim as nid; kept = lambda: [name in sys.modules for name in "
        "('npintdim.plots', 'npintdim.testing', 'matplotlib', 'pandas')]; print(kept()); "
        "nid.plots.curve_figure, nid.testing.explain; print(kept(), hasattr(nid, 'pots'))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout.split("\n")[:2] == [
        "[False, False, False, False]",
        "[True, True, False, False] False",
    ], ended.stderr
