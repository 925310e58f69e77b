"""What results look like in a notebook and as a table of pandas, what is told meanwhile, and how progress is shown there."""

import re
import sys
import types
from dataclasses import replace
from html import unescape
from itertools import pairwise

import numpy as np
import pytest
from helpers import measured, python

import npintdim as nid
from npintdim.engine import progress
from npintdim.engine.progress import Progress
from npintdim.machine import in_notebook
from npintdim.measurement.events import RunFinished, SearchStep, Sentences, SweepStarted, Waiting
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


def test_a_file_of_another_T_says_so():
    net = nid.mlp([8, 6, 3], backend=nid.get_backend("numpy"))
    T = nid.make_adapter("lora", net.layout, net.init_theta(0), 0, net.backend, r=1)
    rows, _ = table(nid.CompressedModel.from_parts(net, 0, T, T.start()))
    cells = dict(rows)
    assert '"lora"' in cells["T"] and "P" not in cells and cells["θ_d"] == f"{T.dim} numbers, float32"


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
    ended = python("-c", code)
    assert ended.stdout.split("\n")[:2] == [
        "[False, False, False, False]",
        "[True, True, False, False] False",
    ], ended.stderr


# --- told meanwhile


def test_a_grid_says_how_long_it_takes_and_what_each_d_reached(tmp_path):
    lines = []
    m = measured(RECIPE, tmp_path, tell=lines.append)
    p = [f"{r['performance']:.4f}" for r in m.records]
    assert re.fullmatch(r"8 runs to do: about \d+ s, \d+ kB", lines[0])
    parts = [re.fullmatch(r"(.*) \((\d) of 8 runs(, about \d+ s left)?\)", line) for line in lines[1:]]
    assert [part[1] for part in parts] == [
        f"direct: {p[0]}, {p[1]}", f"d = 10: {p[2]}, {p[3]}", f"d = 60: {p[4]}, {p[5]}", f"d = 200: {p[6]}, {p[7]}"
    ]  # fmt: skip
    assert [part[2] for part in parts] == ["2", "4", "6", "8"] and parts[2][3] and not parts[3][3]
    lines.clear()
    measured(replace(RECIPE, seeds=3), tmp_path, tell=lines.append)
    assert re.match(r"3 runs to do \(8 kept\): about ", lines[1]) and len(lines) == 5


def test_what_is_said_of_a_run_that_has_no_performance():
    lines = []
    told = Sentences(lines.append)
    specs = tuple(nid.RunSpec("digits", {}, {"kind": "dense"}, d, k) for d in (1000, 2000) for k in (0, 1))
    told(SweepStarted(specs, 0, 8000.0, 2_000_000))
    statuses = ["finished", "diverged", "failed", "finished"]
    for done, (spec, status) in enumerate(zip(specs, statuses, strict=True), 1):
        record = {"status": status, "performance": 0.5 if status == "finished" else None}
        told(RunFinished(spec, record, done, 4, 400.0))
    told(Waiting(specs[:1]))
    assert lines == [
        "4 runs to do: about 2.2 h, 2.0 MB",
        "d = 1,000: 0.5000, diverged (2 of 4 runs, about 7 min left)",
        "d = 2,000: failed, 0.5000 (4 of 4 runs)",
        "waiting for 1 run that other processes on this folder are at",
    ]


def test_what_is_told_stands_above_the_bar_not_in_it(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    with Progress(3, "walking", True) as bar:
        bar.step()
        capsys.readouterr()
        drawn = []
        Sentences(lambda line: drawn.append(capsys.readouterr().err))(SearchStep("here"))
        (before,) = drawn
        assert before.strip() == "" and "\r" in before  # the bar was wiped away
        assert "1/3" in capsys.readouterr().err  # and is there again


# --- in a notebook


class Kernel:
    """A notebook as far as it is asked: which cell runs, and what its results are."""

    kernel, execution_count = "there", 7

    def __init__(self):
        self.shown, self.updates = [], []

    def display(self, data, raw, display_id):
        assert raw and display_id is True
        self.shown.append(data)
        return self

    def update(self, data, raw):
        self.updates.append(data)


@pytest.fixture
def notebook(monkeypatch):
    kernel, module = Kernel(), types.ModuleType("IPython")
    module.get_ipython = lambda: kernel
    module.display = types.ModuleType("IPython.display")
    module.display.display = kernel.display
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    progress.display_place.cache_clear()
    yield kernel
    progress.display_place.cache_clear()


def test_a_bar_in_a_notebook_is_one_result_that_changes_and_goes(notebook, capsys):
    with Progress(1000, "runs <1>") as bar:
        for _ in range(1000):
            bar.step("0.9 <good>")
        assert bar.done == 1000
    assert len(notebook.shown) == 1 and 2 <= len(notebook.updates) < 100
    assert notebook.updates[0]["text/plain"] == "runs <1>: 0/1000 "
    assert 'value="0" max="1000"></progress> runs &lt;1&gt;' in notebook.updates[0]["text/html"]
    assert notebook.updates[-1] == {"text/plain": ""}
    assert capsys.readouterr() == ("", "")


def test_the_bars_of_a_cell_take_turns_in_one_place(notebook, monkeypatch):
    monkeypatch.setattr(progress, "DRAWN", 0.0)
    for cell, places in ((7, 1), (7, 1), (8, 2)):
        notebook.execution_count = cell
        with Progress(2, "walking") as bar:
            bar.step("well")
        assert len(notebook.shown) == places
        assert notebook.updates[-2]["text/plain"] == "walking: 1/2 well"


def test_a_notebook_can_be_asked_to_be_quiet(notebook):
    with Progress(2, "walking", False) as bar:
        bar.step()
    assert notebook.shown == [] and bar.done == 1


def test_ipython_on_a_terminal_is_a_terminal(monkeypatch):
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: types.SimpleNamespace(execution_count=1)
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert in_notebook() is None


NOTEBOOK = """
import warnings, tempfile, npintdim as nid
warnings.simplefilter("error")

def make(d, seed):
    model = nid.mlp([64, 16, 10], nid.get_backend("numpy"))
    if d is None:
        return model
    return nid.SubspaceObjective(model, model.init_theta(seed), nid.make_projection("dense", model.D, d, seed, model.backend))

recipe = nid.objective_recipe(
    make, "digits", d=(20, 200), optimizer=nid.Adam(0.1), direct_optimizer=nid.Adam(0.01), seeds=2,
    direct_seeds=2, epochs=2, limit_train=300,
)
m = nid.measure(recipe, tempfile.mkdtemp(), backend=nid.get_backend("numpy", threads=1), jobs=2, tell=print)
m
"""


def test_a_real_notebook_measures_with_its_own_function_in_two_processes():
    """No line but those that were asked for, one bar that is gone at the end, and the table."""
    reason = "is not installed: pip install nbclient ipykernel"
    client = pytest.importorskip("nbclient", reason=f"nbclient {reason}")
    pytest.importorskip("ipykernel", reason=f"ipykernel {reason}")
    pytest.importorskip("joblib", reason="joblib is not installed: pip install 'npintdim[sweep]'")
    from nbformat import v4

    book = v4.new_notebook(cells=[v4.new_code_cell(NOTEBOOK)])
    client.NotebookClient(book, timeout=300).execute()
    outputs = book.cells[0].outputs
    told = "".join(o.text for o in outputs if o.output_type == "stream")
    first, *others = [line.split(":")[0] for line in told.splitlines()]
    assert first == "6 runs to do" and sorted(others) == ["d = 20", "d = 200", "direct"]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert [o.data for o in outputs if o.output_type == "display_data"] == [{"text/plain": ""}]
    assert (
        "first above the line" in outputs[-1].data["text/html"]
        or "never reached" in outputs[-1].data["text/html"]
    )
