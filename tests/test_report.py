"""report.md says what was found and how to find it again; the files of a folder belong to one recipe."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.measurement.measure import read_off
from npintdim.measurement.measurement import Measurement
from npintdim.measurement.rates import Rates
from npintdim.measurement.recipes import adam, fully_connected
from npintdim.measurement.report import write_report
from npintdim.measurement.work import Where

RECIPE = nid.Recipe(
    "digits", fully_connected(64, 16, 10), (20, 60, 200), optimizer=adam(0.1), direct_optimizer=adam(0.01),
    seeds=2, direct_seeds=3, epochs=2, batch_size=64, limit_train=400,
)  # fmt: skip


def made_up(folder, recipe=RECIPE, rates=(), **reached):
    """A measurement without training: 1 − p ∝ d^−.8, just below .9 × .95 at d = 60; repetitions a little apart."""
    records = []
    for spec in recipe.specs():
        p = 0.95 if spec.d is None else 1 - 0.146 * (60 / spec.d) ** 0.8
        p += 0.01 * (spec.seed - 0.5 * (recipe.seeds - 1 if spec.d else recipe.direct_seeds - 1))
        records.append(
            {
                "spec": spec.spec(), "status": "finished", "performance": round(p, 4), "D": 1210, "seconds": 1.5,
                "backend": "numpy", "threads": 1, "machine": "x86_64", "versions": {"numpy": "2.4.6"},
            }
        )  # fmt: skip
    compressed = {"file": "d_int90.npid", "bytes": 567, "performance": 0.861, "d": 60, "seed": 1}
    return Measurement(recipe, folder, tuple(records), read_off(recipe, records), compressed, rates)


def test_every_part_is_there(tmp_path):
    m = made_up(tmp_path)
    (tmp_path / "curve.png").touch()
    path = write_report(m, "npintdim measure --seeds 2", tmp_path / "curve.png")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert path == tmp_path / "report.md"
    assert lines[0] == "# d_int90 of 64-16-10 on digits, fastfood"
    assert lines[2] == f"**{m.d_int.summary()}**"
    low, high = m.d_int.low, m.d_int.high
    for line in (
        "![performance against d](curve.png)",
        f"- ours, a monotone curve through 6 runs: {m.d_int.d:.0f}, 95 % interval {low:.0f} to {high:.0f}",
        f"- the paper's, first tried d strictly above the threshold: {m.d_int.first_above}",
        "- threshold 0.8550, 0.9 × baseline",
        "- baseline 0.9500, mean of 3 direct runs, sd 0.0100",
        "| d | runs | performance | sd | of baseline | seconds |  |",
        "| direct | 3 | 0.9500 | 0.0100 |  | 1.50 |  |",
        "| 60 | 2 | 0.8540 | 0.0071 | 89.9 % | 1.50 |  |",
        "Given: 0.1 in the subspaces (adam), 0.01 directly (adam).",
        "[d_int90.npid](d_int90.npid): 567 bytes instead of 4,840; performance 0.8610 after decoding (d = 60, seed 1).",
        "9 runs, 14 s of computing in all (wall time is less where several run at once); backend numpy, 1 thread(s) a "
        "run, x86_64; numpy 2.4.6.",
        "npintdim measure --seeds 2",
    ):
        assert line in lines, line


def test_searched_rates_are_told_with_their_table(tmp_path):
    rates = (
        Rates(None, (0.0033, 0.01, 0.03), (0.9, 0.93, 0.92), 3, 6.0),
        Rates(60, (0.04, 0.12, 0.36), (0.7, 0.8, math.nan), 5, 7.0),
        Rates(90, (0.04, 0.12, 0.36), (0.7, 0.8, 0.9), 3, 0.0),
    )
    text = write_report(
        made_up(tmp_path, replace(RECIPE, rates=nid.RateSearch()), rates), "npintdim"
    ).read_text()
    assert "\n| direct | 0.01 | 0.9300 | **chosen** |\n" in text
    assert "\n| d = 60 | 0.12 | 0.8000 | **chosen** |\n| d = 60 | 0.36 | diverged |  |\n" in text
    assert "\n| d = 90 | 0.36 | 0.9000 | **chosen**, on the edge: better ones may lie beyond |\n" in text
    assert (
        "trained on 80 % of the training data and judged on the rest; the test set was not looked at" in text
    )
    assert "9 runs and 11 for the learning rates, 26 s of computing in all" in text


@pytest.mark.parametrize(
    ("optimizer", "rule"), [(nid.Adam(), "1/√d"), (nid.AdamW(), "1/√d"), (nid.SGD(), "1/d")]
)
def test_the_rule_that_is_told_is_the_rule_of_the_recipe(tmp_path, optimizer, rule):
    recipe = replace(RECIPE, optimizer=optimizer.spec(), rates=nid.RateSearch(), lr_at=100)
    text = write_report(made_up(tmp_path, recipe, (Rates(100, (0.1,), (0.9,), 1, 1.0),))).read_text()
    assert f"The subspace's rate goes to other d as {rule}: steps" in text
    quarter = recipe.optimizer_at(400)["lr"] / recipe.optimizer_at(100)["lr"]
    assert quarter == pytest.approx({"1/√d": 0.5, "1/d": 0.25}[rule], rel=0.01)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"threshold": 0.8}, "- threshold 0.8000, absolute"),
        ({"chance": 0.1}, "- threshold 0.8650, 0.1 + 0.9 × (baseline − 0.1)"),
        ({"d": (20, 30)}, "- ours, a monotone curve through 4 runs: beyond the tried d, "),
        ({"d": (200, 400)}, "- a check without a curve, isotonic means: below the tried d"),
    ],
)
def test_rules_and_readings_outside_the_tried_d(changes, line, tmp_path):
    assert f"\n{line}" in write_report(made_up(tmp_path, replace(RECIPE, **changes))).read_text()


def test_the_python_call_in_it_is_the_measurement(tmp_path, monkeypatch):
    """Without a command the report holds the call; it is run here, up to `measure`."""
    recipe = replace(RECIPE, d=None, rates=nid.RateSearch(seeds=2), lr_at=60)
    block = write_report(made_up(tmp_path, replace(recipe, d=(20, 60)))).read_text()
    block = block.split("```python\n")[1].split("```")[0].replace("d=(20, 60)", "d=None")
    called = []
    monkeypatch.setattr(nid, "measure", lambda *arguments, **options: called.append((arguments, options)))
    exec(block, {})
    backend = nid.get_backend("numpy", np.float32, threads=1)
    assert called == [((recipe, str(tmp_path)), {"backend": backend})]


# --- one folder, several recipes


def test_another_recipe_in_the_folder_is_told_and_replaces_what_is_not_a_run(tmp_path, monkeypatch):
    recipe, lines = replace(RECIPE, epochs=8, seeds=1, fraction=0.5), []
    first = measured(recipe, tmp_path, tell=lines.append)
    assert not [line for line in lines if "another recipe" in line]
    assert (tmp_path / "d_int50.npid").exists()
    (tmp_path / "curve.png").touch()
    runs = sorted((tmp_path / "runs").iterdir())
    other = measured(replace(recipe, seeds=2, threshold=0.5), tmp_path, tell=lines.append)
    assert [line for line in lines if "another recipe" in line] == [
        f"{tmp_path} has results of another recipe (seeds was 1, threshold was null): they are replaced, "
        "its runs are kept"
    ]
    assert not (tmp_path / "d_int50.npid").exists()
    assert not (tmp_path / "curve.png").exists()
    assert (tmp_path / "d_int.npid").exists() == (other.compressed is not None)
    assert set(runs) < set((tmp_path / "runs").iterdir())

    monkeypatch.setattr(Where, "__call__", None)
    again = measured(recipe, tmp_path)
    assert again == first
    assert json.loads((tmp_path / "summary.json").read_text())["summary"] == first.d_int.summary()
    assert (tmp_path / "d_int50.npid").exists()


def test_the_same_recipe_again_is_nothing_to_tell_and_removes_nothing(tmp_path):
    lines = []
    recipe = replace(RECIPE, d=(20, 60), rates=nid.RateSearch(d=20))
    for _ in range(2):
        measured(recipe, tmp_path, tell=lines.append)
        (tmp_path / "curve.png").touch()
    assert not [line for line in lines if "another recipe" in line]
    (tmp_path / "summary.json").write_text("{")  # damaged: nobody knows whose it was
    measured(recipe, tmp_path, tell=lines.append)
    assert (tmp_path / "curve.png").exists()


def test_an_interrupted_measurement_leaves_the_results_that_were_there(tmp_path, monkeypatch):
    measured(replace(RECIPE, d=(20, 60)), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def stop(work, spec):
        raise KeyboardInterrupt

    monkeypatch.setattr(Where, "__call__", stop)
    with pytest.raises(KeyboardInterrupt):
        measured(RECIPE, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_which_reading_stands_and_which_runs_were_left_out_is_said(tmp_path):
    m = made_up(tmp_path)
    assert "- ours, a monotone curve through " in write_report(m).read_text(encoding="utf-8")
    found = replace(m.d_int, reading="isotonic", collapsed=1)
    text = write_report(replace(m, d_int=found)).read_text(encoding="utf-8")
    assert "- ours, isotonic means, since a curve misses them, through " in text
    assert "- left out, far below runs with fewer numbers: 1 run\n" in text
