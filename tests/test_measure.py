"""A measurement from end to end: its reading, its files, its compressed network."""

import csv
import json
import math
import shutil
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.artefact.compress import CompressedModel
from npintdim.measurement import runs
from npintdim.measurement.measure import compress_run, crossing_run
from npintdim.measurement.recipes import LENET_GRIDS, MNIST, RECIPES, adam, fully_connected, model_name
from npintdim.measurement.report import COLUMNS
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import Where

RECIPE = nid.Recipe(
    "digits", fully_connected(64, 16, 10), (10, 60, 200), optimizer=adam(0.1), direct_optimizer=adam(0.01),
    seeds=3, direct_seeds=2, epochs=8, batch_size=64, limit_train=600,
)  # fmt: skip


@pytest.fixture(scope="module")
def m(tmp_path_factory):
    return measured(RECIPE, tmp_path_factory.mktemp("measurement"))


def test_d_int_is_that_of_the_records(m):
    pairs = [(r["spec"]["d"], r["performance"]) for r in m.records if "d" in r["spec"]]
    baseline = [r["performance"] for r in m.records if "d" not in r["spec"]]
    assert len(pairs) == 9
    assert len(baseline) == 2
    assert m.d_int == nid.d_int(*zip(*pairs, strict=True), baseline)
    assert 10 < m.d_int.d <= 200
    assert m.d_int.first_above in (60, 200)
    assert m.D == nid.mlp([64, 16, 10]).D


def test_every_repetition_has_seeds_of_its_own_and_every_d_is_tried(m):
    specs = RECIPE.specs()
    assert [s.d for s in specs] == [None] * 2 + [10] * 3 + [60] * 3 + [200] * 3
    assert len({seed for s in specs for seed in s.seeds}) == 3 * len(specs)
    assert specs[0].optimizer == adam(0.01)
    assert specs[-1].optimizer == adam(0.1)
    assert {s.seed for s in replace(RECIPE, seed=7).specs()} == {7, 8, 9}


def test_every_run_computes_as_the_backend_says(tmp_path):
    """Also whether layers are fused, which a record tells where they are not."""
    few = replace(RECIPE, d=(10, 60), seeds=2, direct_seeds=1, epochs=1)
    m = nid.measure(few, tmp_path, backend=nid.get_backend("numpy", threads=1, fuse=False), jobs=1)
    assert [r.get("fuse") for r in m.records] == 5 * [False]


def test_csv_has_a_line_for_each_run(m):
    with (m.folder / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [float(row["performance"]) for row in rows] == [r["performance"] for r in m.records]
    assert [row["d"] for row in rows] == ["", ""] + ["10"] * 3 + ["60"] * 3 + ["200"] * 3
    assert all(len(row) == len(COLUMNS) and None not in row for row in rows)
    first = rows[2]
    seeds = replace(RECIPE).specs()[2].seeds
    assert (first["theta_0_seed"], first["P_seed"], first["batches_seed"]) == tuple(map(str, seeds))
    assert (first["model"], first["projection"], first["lr"]) == ("64-16-10", '{"kind": "fastfood"}', "0.1")
    assert (first["epochs"], first["D"], first["status"], first["error"]) == ("8", str(m.D), "finished", "")


def test_summary_json_holds_the_line_the_recipe_and_the_reading(m):
    kept = json.loads((m.folder / "summary.json").read_text(encoding="utf-8"))
    assert kept["summary"] == m.d_int.summary()
    assert kept["recipe"] == json.loads(json.dumps(asdict(replace(RECIPE, at_once=2))))
    assert kept["d_int"]["d"] == m.d_int.d
    assert kept["d_int"]["first_above"] == m.d_int.first_above
    assert kept["compressed"] == m.compressed


def test_compressed_network_is_the_first_run_above_the_line_and_is_worth_what_is_said(m):
    c = m.compressed
    at = next(s for s in RECIPE.specs() if (s.d, s.seed) == (c["d"], c["seed"]))
    assert c["d"] == m.d_int.first_above
    records = {(r["spec"].get("d"), r["spec"]["seed"]): r for r in m.records}
    assert records[at.d, at.seed]["performance"] > m.d_int.threshold
    assert all(records[at.d, k]["performance"] <= m.d_int.threshold for k in range(at.seed))
    path = m.folder / c["file"]
    assert path.name == "d_int90.npid"
    assert path.stat().st_size == c["bytes"] < 4 * m.D / 3
    decoded = CompressedModel.load(path, backend=nid.get_backend("numpy", threads=1))
    assert (decoded.theta_0_seed, decoded.P.seed) == at.seeds[:2]
    assert decoded.evaluate(nid.load_dataset("digits").test).performance == c["performance"]
    assert c["performance"] == pytest.approx(records[at.d, at.seed]["performance"], abs=2 / 500)


def test_the_table_has_a_line_for_the_baseline_and_for_each_d(m):
    lines = m.table().splitlines()
    assert lines[0].split() == ["d", "runs", "performance", "sd", "of", "baseline", "seconds"]
    assert [line.split()[0] for line in lines[1:]] == ["direct", "10", "60", "200"]
    direct, ten = lines[1].split(), lines[2].split()
    p = m.performances()
    assert direct[1:4] == ["2", f"{p[None].mean():.4f}", f"{p[None].std(ddof=1):.4f}"]
    assert ten[4] == f"{100 * p[10].mean() / p[None].mean():.1f}"
    marked = [line.split()[0] for line in lines if line.endswith("first above the line")]
    assert marked == [str(m.d_int.first_above)]


def test_measured_again_nothing_is_run_and_the_same_comes_out(m, monkeypatch):
    monkeypatch.setattr(Where, "__call__", None)
    again = measured(RECIPE, m.folder)
    assert again.d_int == m.d_int
    assert again.records == m.records
    assert again.compressed == m.compressed


def test_a_finer_grid_in_the_same_folder_runs_only_what_is_new(m, monkeypatch):
    done, attempt = [], Where.__call__
    monkeypatch.setattr(Where, "__call__", lambda work, spec: (done.append(spec), attempt(work, spec))[1])
    finer = measured(replace(RECIPE, d=(10, 60, 100, 200)), m.folder)
    assert {s.d for s in done} == {100}
    assert finer.d_int.tried == (10, 60, 100, 200)
    measured(RECIPE, m.folder)  # leaves the folder as the other tests expect it


def test_absolute_threshold(m):
    found = measured(replace(RECIPE, threshold=0.5), m.folder)
    assert (found.d_int.threshold, found.d_int.name) == (0.5, "d_int")
    assert found.compressed["file"] == "d_int.npid"
    measured(RECIPE, m.folder)


def test_never_reached_is_said_and_nothing_is_compressed(tmp_path):
    m = measured(replace(RECIPE, d=(2, 3), epochs=1, seeds=1), tmp_path)
    assert m.d_int.d == math.inf
    assert m.compressed is None
    assert "never reached by d = 3" in m.d_int.summary()
    assert json.loads((tmp_path / "summary.json").read_text())["d_int"]["d"] is None
    assert not list(tmp_path.glob("*.npid"))
    assert "first above" not in m.table()


def test_a_network_that_cannot_be_kept_does_not_take_the_result_with_it(m, tmp_path):
    shutil.copytree(m.folder / "runs", tmp_path / "runs")
    (tmp_path / "d_int90.npid").mkdir()
    found = measured(RECIPE, tmp_path)
    assert found.d_int == m.d_int
    assert found.compressed is None
    assert found.uncompressed.endswith("d_int90.npid: Is a directory")
    assert f"None: {found.uncompressed}." in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert m.uncompressed == ""


def test_diverged_runs_are_reported_not_averaged(tmp_path):
    recipe = replace(RECIPE, optimizer=nid.SGD(lr=1e6).spec(), d=(10, 20), epochs=2, seeds=1)
    with pytest.raises(ValueError, match="none of 2 runs finished: there is nothing to read d_int from"):
        measured(recipe, tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == [
            "finished",
            "finished",
            "diverged",
            "diverged",
        ]


def test_some_diverged_runs_are_counted(tmp_path, monkeypatch):
    spoil_train(monkeypatch, lambda label: label == "d = 60, seed 1")
    m = measured(replace(RECIPE, epochs=2), tmp_path)
    assert m.d_int.excluded == 1
    assert m.d_int.summary().endswith("; runs left out because they diverged or failed: 1")
    assert next(line for line in m.table().splitlines() if line.split()[0] == "60").split()[1] == "2"
    assert m.failed == []


def spoil_train(monkeypatch, which):
    """Runs with such a label end at once with status diverged."""
    train = runs.train

    def spoiled(landscape, start, data, config, progress, label, held):
        run = train(landscape, start, data, config, progress, label, held)
        return replace(run, status="diverged") if which(label) else run

    monkeypatch.setattr(runs, "train", spoiled)


def test_if_everything_fails_the_first_failure_is_quoted(tmp_path, monkeypatch):
    plain = runs.objective

    def broken(spec, backend, data, folder=None):
        if spec.epochs > 1:
            raise MemoryError("no room")
        return plain(spec, backend, data)

    monkeypatch.setattr(runs, "objective", broken)
    with pytest.raises(ValueError, match=r"none of 9 runs finished.*; first failure: MemoryError: no room"):
        measured(RECIPE, tmp_path)


def test_the_run_that_is_compressed_is_not_chosen_for_its_luck():
    specs = [
        RunSpec("digits", RECIPE.model, {"kind": "fastfood"}, d, seed) for d in (10, 20) for seed in range(3)
    ]
    records = [{"performance": p} for p in (0.95, 0.5, 0.5, None, 0.91, 0.99)]
    found = nid.d_int([10] * 3 + [20] * 3, [0.95, 0.5, 0.5, math.nan, 0.91, 0.99], threshold=0.9)
    assert crossing_run(specs, records, found) == specs[4]


def test_a_direct_run_cannot_be_compressed(tmp_path):
    with pytest.raises(
        ValueError, match="a direct run has no theta_d: only a run in a subspace can be compressed"
    ):
        compress_run(tmp_path, RECIPE.specs()[0], nid.get_backend("numpy"))


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"d": ()}, ValueError, "the grid of d is empty: at least one d is needed"),
        ({"d": (10, 0)}, ValueError, "d is 0"),
        ({"seeds": 0}, ValueError, "seeds is 0: seeds ≥ 1 is needed"),
        ({"direct_seeds": 0}, ValueError, "direct_seeds is 0"),
        ({"epochs": -1}, ValueError, "epochs is -1"),
        ({"fraction": 1.5}, ValueError, "fraction is 1.5: 0 < q ≤ 1 is needed in threshold = q × baseline"),
        ({"threshold": 0.0}, ValueError, "threshold is 0.0: a performance with 0 < threshold ≤ 1 is needed"),
        ({"chance": 1.0}, ValueError, "chance is 1.0: 0 ≤ chance < 1 is needed"),
        ({"optimizer": {"kind": "sdg"}}, ValueError, "Did you mean 'sgd'"),
    ],
)
def test_a_wrong_recipe_is_refused_when_it_is_made(changes, kind, message):
    with pytest.raises(kind, match=message):
        replace(RECIPE, **changes)


def test_recipes():
    assert nid.recipe_for("mnist") == MNIST
    assert nid.recipe_for("kmnist").data == "kmnist"
    assert nid.recipe_for("mnist", fully_connected(784, 400, 10)).d == MNIST.d
    lenet = nid.lenet().spec()
    assert nid.recipe_for("mnist", lenet).d == LENET_GRIDS["mnist"]
    assert nid.recipe_for("cifar10", lenet).d == LENET_GRIDS["cifar10"]
    with pytest.raises(ValueError, match=r"unknown dataset 'mnst'.* Did you mean 'mnist'"):
        nid.recipe_for("mnst")
    for name, recipe in RECIPES.items():
        assert recipe.data == name
        assert all(0 < d < 20_001 for d in recipe.d)


def test_names_of_networks():
    assert model_name(fully_connected(784, 200, 200, 10)) == "784-200-200-10"
    assert model_name(nid.lenet().spec()) == "lenet"
    assert model_name(nid.lenet(conv_relu=False).spec()) == "lenet-as-released"


def test_a_measurement_keeps_its_recipe_complete(m):
    assert {f.name for f in fields(m.recipe)} == set(
        json.loads((m.folder / "summary.json").read_text())["recipe"]
    )
    assert np.isfinite(m.d_int.d)
