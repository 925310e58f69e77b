"""The baseline is judged before anything is read against it: dead direct runs, all of them, one of several."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers import command, measured
from test_report import RECIPE, made_up

import npintdim as nid
from npintdim.engine.landscape import Batch, Dataset
from npintdim.measurement import records
from npintdim.measurement.baseline import Baseline, guessing
from npintdim.measurement.measure import Measurement, read_off
from npintdim.measurement.recipes import RateSearch, fully_connected
from npintdim.measurement.report import read_measurement, summary, write_report
from npintdim.measurement.runs import RunSpec
from npintdim.plots import curve_figure, nets_figure, several_figure
from npintdim.reproduce.cases import ours

NAN = math.nan
CHANCE = 0.14
NOTHING = "the direct runs learnt nothing: 0.1000, 0.1100, 0.0900, and guessing reaches 0.1400"
DIED = "1 of 3 direct runs (0.1000) learnt less than half of the median one, 0.9500: left out of the baseline"


def with_direct(folder, direct, recipe=RECIPE):
    """The measurement of test_report with other direct runs."""
    recipe = replace(recipe, direct_seeds=len(direct))
    m = made_up(folder, recipe)
    baseline = [r for r in m.records if "d" not in r["spec"]]
    for record, p in zip(baseline, direct, strict=True):
        record |= {
            "performance": None if math.isnan(p) else p,
            "status": "diverged" if math.isnan(p) else "finished",
        }
    found = read_off(recipe, m.records, CHANCE)
    return Measurement(recipe, folder, m.records, found, None, (), CHANCE, "d_int was not read")


# --- what is judged


@pytest.mark.parametrize(
    ("direct", "line"),
    [
        ([0.95, 0.97, 0.96], [0.95, 0.97, 0.96]),
        ([0.95, 0.1, 0.96], [0.95, NAN, 0.96]),
        ([0.95, 0.1], [0.95, NAN]),
        ([0.95, NAN, 0.1, 0.96], [0.95, NAN, NAN, 0.96]),
        ([0.95, 0.54, 0.95], [0.95, NAN, 0.95]),  # half of what was learnt is .545
        ([0.95, 0.55, 0.95], [0.95, 0.55, 0.95]),
        ([0.3], [0.3]),
    ],
)
def test_dead_runs_among_others_are_not_of_the_line(direct, line):
    baseline = Baseline(tuple(direct), CHANCE)
    assert baseline.nothing == ""
    np.testing.assert_array_equal(baseline.line, line)


@pytest.mark.parametrize("direct", [[0.1], [0.14], [0.1, 0.11, 0.95], [NAN, 0.1], [NAN, NAN]])
def test_where_the_median_run_guesses_there_is_no_line(direct):
    assert Baseline(tuple(direct), CHANCE).nothing
    assert Baseline((0.1, 0.1, 0.9), CHANCE).nothing.startswith(
        "most direct runs learnt nothing: 0.1000, 0.1000, 0.9"
    )
    assert (
        Baseline((0.0, 0.0)).nothing
        == "the direct runs learnt nothing: 0.0000, 0.0000, and guessing reaches 0.0000"
    )


@pytest.mark.parametrize(
    ("direct", "doubts"),
    [
        ([0.95, 0.97, 0.96], []),
        ([0.94], []),
        ([0.95, 0.1, 0.95], [DIED]),
        ([NAN, 0.95, NAN], ["2 of 3 direct runs diverged or failed"]),
        ([0.99, 0.85], ["the direct runs differ much: 0.8500 to 0.9900"]),
        (
            [0.3, 0.3],
            ["direct training reached 0.3000, less than d = 400 with 0.9400: another learning rate or more epochs for it"],
        ),
        ([0.1, 0.11, 0.09], [NOTHING]),
    ],
)  # fmt: skip
def test_what_is_doubtful_is_told(direct, doubts):
    inside = {20: np.array([0.5, 0.52]), 30: np.array([]), 400: np.array([0.93, 0.95])}
    assert Baseline(tuple(direct), CHANCE).doubts(inside) == doubts


def test_guessing_is_the_most_frequent_class_or_luck():
    backend = nid.get_backend("numpy")

    def among(labels, classes):
        batch = Batch(np.zeros((len(labels), 1, 1, 1), np.float32), np.array(labels))
        return Dataset("made up", batch, batch, classes)

    digits = nid.load_dataset("digits")
    assert guessing(0.0, digits, backend) == 0.1 + 3 * math.sqrt(0.09 / 500)
    assert guessing(0.0, among([0] * 900 + [1] * 100, 2), backend) == 0.9
    assert guessing(0.95, among([0] * 900 + [1] * 100, 2), backend) == 0.95
    assert guessing(0.2, None, backend) == 0.2


# --- what is made of it


def test_one_dead_run_of_three_does_not_move_the_reading(tmp_path):
    alive, died = with_direct(tmp_path, [0.95, 0.95]), with_direct(tmp_path, [0.95, 0.1, 0.95])
    assert died.d_int == alive.d_int
    assert died.d_int.baseline == 0.95
    assert alive.doubts == []
    assert alive.summary == alive.d_int.summary()
    assert died.summary == f"{died.d_int.summary()}; {DIED}"
    text = write_report(died).read_text(encoding="utf-8")
    assert f"\n**{died.summary}**\n" in text
    assert f"\n- **doubtful:** {DIED}\n" in text
    assert "\n- baseline 0.9500, mean of 2 direct runs, sd 0.0000\n" in text
    kept = summary(died)
    assert kept["baseline"] == {"guessing": CHANCE, "line": [0.95, None, 0.95], "doubts": [DIED]}
    assert kept["summary"] == died.summary


def test_against_a_baseline_that_learnt_nothing_no_number_is_left(tmp_path):
    m = with_direct(tmp_path, [0.1, 0.11, 0.09])
    found = m.d_int
    assert m.summary == f"d_int90 not read: {NOTHING}"
    assert math.isnan(found.d) and math.isnan(found.isotonic)
    assert (found.low, found.high, found.first_above, found.noise) == (None,) * 4
    assert "%" not in m.table()
    assert "first above" not in m.table()
    text = write_report(m).read_text(encoding="utf-8")
    assert f"- {NOTHING}\n- so there is no threshold, 0.9 × baseline, and nothing is read\n" in text
    assert "None: d_int was not read.\n" in text
    assert summary(m)["d_int"]["d"] is None
    assert summary(m)["baseline"]["doubts"] == [NOTHING]
    assert ours(found) == "not read"


def test_an_absolute_threshold_is_read_and_the_baseline_is_doubtful(tmp_path):
    recipe = replace(RECIPE, threshold=0.85)
    well, dead = with_direct(tmp_path, [0.95] * 3, recipe), with_direct(tmp_path, [0.1, 0.11, 0.09], recipe)
    assert replace(dead.d_int, baseline=0.95) == replace(well.d_int, baseline=0.95)
    assert dead.summary == f"{dead.d_int.summary()}; {NOTHING}"
    gone = with_direct(tmp_path, [NAN] * 3, recipe)
    assert gone.d_int.d == well.d_int.d
    assert gone.summary.endswith("; every direct run diverged or failed")


def test_the_pictures_say_it(tmp_path):
    dead, well = with_direct(tmp_path, [0.1, 0.11, 0.09]), with_direct(tmp_path, [0.95] * 3)
    title = curve_figure(dead).get_suptitle() or curve_figure(dead).texts[0].get_text()
    assert "Direct training learnt nothing, so d_int90 cannot be read" in title
    below = several_figure({"dead": dead, "well": well}).axes[1]
    assert "dead: not read" in [text.get_text() for text in below.texts]
    for nets in ([dead, well], [dead]):
        nets_figure([(m.D, m.d_int, "1×16") for m in nets]).canvas.draw()


# --- from end to end

QUICK = ("--backend", "numpy", "--jobs", "1", "--seeds", "2", "--epochs", "2", "--model", "64-16-10")


def test_on_screen_and_in_the_folder(capsys, tmp_path):
    code, out, _ = command(capsys, "measure", *QUICK, "--direct-lr", "30", "--d", "20,200", "--out", tmp_path)
    last = out.splitlines()[-1]
    assert code == 0
    assert last.startswith("d_int90 not read: the direct runs learnt nothing: ")
    assert "compressed  none: d_int was not read" in out
    assert f"\n**{last}**\n" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "summary.json").read_bytes())["summary"] == last
    assert not list(tmp_path.glob("*.npid"))
    assert read_measurement(tmp_path).summary == last
    assert command(capsys, "plot", tmp_path)[1].splitlines()[0] == f"64-16-10: {last}"


def test_a_search_does_not_begin_without_a_line_but_with_an_absolute_one(capsys, tmp_path):
    code, out, error = command(
        capsys, "measure", *QUICK, "--direct-lr", "30", "--d", "search", "--out", tmp_path
    )
    assert code == 2
    assert "the direct runs learnt nothing: " in error
    assert error.endswith(": there is no line to search d_int at\n")
    assert out.splitlines()[-1].startswith("baseline: the direct runs learnt nothing: ")
    assert len(list((tmp_path / "runs").glob("*.json"))) == 2
    options = (
        "--direct-lr", "1e30", "--lr", "0.1", "--d", "search:0.5", "--threshold", "0.5", "--out", tmp_path,
    )  # fmt: skip
    code, out, _ = command(capsys, "measure", *QUICK, *options)
    assert code == 0
    assert "d_int = " in out.splitlines()[-1]
    assert out.endswith("; every direct run diverged or failed\n")


def test_the_search_leaves_a_dead_direct_run_out(tmp_path, monkeypatch):
    """As if the run were not there: the same d, the same reading."""
    recipe = replace(RECIPE, d=None, budget=6, seeds=1, epochs=4)
    plain = measured(replace(recipe, direct_seeds=1), tmp_path / "one")
    runs = measured(replace(recipe, direct_seeds=2), tmp_path / "two").records
    dead = next(r for r in runs if "d" not in r["spec"] and r["spec"]["seed"] == 1)
    epochs = [*dead["epochs"][:-1], dead["epochs"][-1] | {"test": 0.1}]
    record = dead | {"performance": 0.1, "epochs": epochs}
    records.write_record(tmp_path / "two" / "runs", RunSpec.from_spec(dead["spec"]), record, None)
    m = measured(replace(recipe, direct_seeds=2), tmp_path / "two")
    assert m.d_int == plain.d_int
    assert "1 of 2 direct runs (0.1000) learnt less than half" in m.summary


def test_no_rate_is_chosen_among_dead_ones(tmp_path):
    recipe = replace(
        RECIPE, d=(20, 200), direct_optimizer=nid.Adam(1e-9).spec(), rates=RateSearch(most=4), limit_train=200
    )
    lines = []
    with pytest.raises(
        ValueError, match=r"no learning rate from 1\.1e-10 to 3e-09 trains, direct: \S+ reached 0\.\d+ at"
    ):
        measured(recipe, tmp_path, tell=lines.append)
    assert lines[-2] == "learning rate, direct: no rate learnt anything; next 1.1e-10"


def test_cases_refused_for_one_reason_are_refused_once(tmp_path):
    from npintdim.reproduce.base import Setting
    from npintdim.reproduce.cases import Cases, MeasuredCase

    wide = replace(RECIPE, model=fully_connected(65, 10), d=(20,), rates=None)
    told = []
    cases = tuple(
        MeasuredCase(label, replace(wide, seed=k), {None: "–"}, "") for k, label in enumerate("abcd")
    )
    with pytest.raises(ValueError, match=r"the model takes examples of shape \(65,\), but digits has"):
        Cases("four", "", "", "", cases=cases).run(
            Setting(tmp_path, nid.get_backend("numpy", threads=1), jobs=1, tell=told.append)
        )
    assert [line for line in told if line.startswith("\n")] == [
        f"\n[{n}/4] {label}: 65-10, D = 660" for n, label in ((1, "a"), (2, "b"))
    ]


def test_a_reproduction_says_that_nothing_was_read(tmp_path):
    from npintdim.reproduce.base import Setting
    from npintdim.reproduce.cases import Cases, MeasuredCase

    dead = replace(RECIPE, direct_optimizer=nid.Adam(30.0).spec(), d=(20, 200))
    told = []
    case = MeasuredCase("dead", dead, {None: "750", 0.3: "400"}, "")
    outcome = Cases("two", "", "", "", cases=(case,)).run(
        Setting(tmp_path, nid.get_backend("numpy", threads=1), jobs=1, tell=told.append)
    )
    assert outcome.rows[0].ours == "not read"
    assert outcome.rows[1].ours != "not read"  # of an absolute threshold
    assert told[-1].startswith("d_int90 not read: the direct runs learnt nothing: ")
    assert "Doubtful: the direct runs learnt nothing" in outcome.details[0]
