"""The paper's table: sizes of its networks, every recipe run small on made-up files, the command and what it leaves."""

import json
import re
import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from data_helpers import cifar_archive, file_of, folder_of_images, idx_bytes

from npintdim.backend import get_backend
from npintdim.cli import main
from npintdim.data import fetch, registry
from npintdim.data.registry import IDX_NAMES, Published
from npintdim.measurement import work
from npintdim.measurement.events import Measured, ReproductionStep
from npintdim.reproduce import (
    REPRODUCTIONS,
    Setting,
    agents,
    markdown,
    plain,
    reproduction,
    write_report,
)
from npintdim.reproduce.cases import Cases
from npintdim.reproduce.toy import TOY

CASES = {name: one for name, one in REPRODUCTIONS.items() if isinstance(one, Cases)}
OF_IMAGES = "squeezenet", "squeezenet-cifar10"  # from a folder of images
AGENTS = {one.name for one in agents.AGENTS}  # whose runs are those of test_es: an epoch is 100 generations
NETWORKS = [name for name in CASES if name not in AGENTS]
TINY = {
    "epochs": 1,
    "limit_train": 48,
    "batch_size": 16,
    "d": (4, 9),
    "seeds": 1,
    "direct_seeds": 1,
    "rates": None,
}


def gz(content):
    import gzip

    return gzip.compress(content, 1, mtime=0)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with MNIST and CIFAR-10 of 60 training and 20 test images, noise of the right shapes in the right formats."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    arrays = [rng.integers(0, high, shape) for high, shape in
              ((256, (60, 28, 28)), (10, (60,)), (256, (20, 28, 28)), (10, (20,)))]  # fmt: skip
    mnist = {name: gz(idx_bytes(array)) for name, array in zip(IDX_NAMES, arrays, strict=True)}

    def batch(n):
        labels = rng.integers(0, 10, (n, 1))
        return np.hstack((labels, rng.integers(0, 256, (n, 3072)))).astype(np.uint8).tobytes()

    names = [f"data_batch_{k}.bin" for k in range(1, 6)]
    cifar = {
        "cifar-10-binary.tar.gz": cifar_archive(
            {**{n: batch(12) for n in names}, "test_batch.bin": batch(20)}
        )
    }
    for name, kind, contents in (("mnist", "idx", mnist), ("cifar10", "cifar", cifar)):
        (folder / name).mkdir(parents=True)
        for file, content in contents.items():
            (folder / name / file).write_bytes(content)
        source = Published(
            name, kind, (), tuple(file_of(file, content) for file, content in contents.items())
        )
        monkeypatch.setitem(registry.REGISTRY, name, source)
    work.load_data.cache_clear()
    yield folder
    work.load_data.cache_clear()


def tiny(cases):
    """Few examples and d, and a batch that fits; every network, projection and parametrisation stays."""

    def short(recipe):
        first = {"pretrained": recipe.pretrained and {"data": recipe.pretrained["data"]}}
        return replace(recipe, **TINY | first | ({"d": recipe.d[:2]} if recipe.parametrisation else {}))

    return replace(cases, cases=tuple(replace(c, recipe=short(c.recipe)) for c in cases.cases))


# ---- what the recipes are ----


def test_every_network_has_the_papers_D():
    D = {name: [case.D for case in cases.cases] for name, cases in CASES.items() if name in NETWORKS}
    assert set(D["mnist-fc"] + D["mnist-fc-projections"]) == {199_210}
    assert set(D["lenet"] + D["lenet-as-released"] + D["lenet-projections"]) == {44_426}
    assert D["shuffled-pixels"] == [199_210, 44_426]
    assert D["shuffled-labels"] == [959_610] * 3
    assert D["softmax"] == [7_850]
    assert D["lenet-variants"] == [44_426, 286_334, 193_370, 3_640_574]
    assert D["cifar10-fc"] + D["cifar10-lenet"] == [656_810, 62_006]
    assert D["squeezenet"] + D["squeezenet-cifar10"] == [1_248_424, 740_554]
    assert len(set(D["fc-nets"])) == 20
    assert 199_210 in D["fc-nets"]
    assert max(D["fc-nets"]) / min(D["fc-nets"]) == pytest.approx(24.1, abs=0.05)


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_is_complete(name):
    cases = CASES[name]
    labels = [case.label for case in cases.cases]
    assert len({case.folder for case in cases.cases}) == len(labels)
    assert set(cases.kept) <= set(labels)
    assert cases.left_out() == []
    short = cases.quick()
    left_out = "; ".join(short.left_out())
    fewer = "budget: " if cases.cases[0].recipe.d is None else "seeds: "
    assert ("epochs: " in left_out) or (name in AGENTS and fewer in left_out)
    for gone in set(labels) - {case.label for case in short.cases}:
        assert gone in left_out
    for case, line in zip(cases.cases, cases.describe(), strict=True):
        for number in (
            "lr",
            "epochs",
            "batch_size",
            "limit_train",
            "beta2" if case.recipe.optimizer["kind"] == "adam" else "momentum",
            "direct_seeds",
            "precision",
            "kind",
        ):
            assert f'"{number}"' in line
        assert case.recipe.epochs > short.cases[0].recipe.epochs or name in AGENTS
        assert name in NETWORKS or most(case.recipe) > most(short.cases[0].recipe)
        assert case.differs
        assert None in case.paper


def most(recipe):
    """Runs in subspaces, at most."""
    return recipe.budget if recipe.d is None else len(recipe.d) * recipe.seeds


def test_projections_are_compared_with_nothing_else_different():
    for name in ("mnist-fc-projections", "lenet-projections"):
        assert len({str(replace(c.recipe, projection={"kind": "dense"})) for c in CASES[name].cases}) == 1
        assert len({str(c.recipe.projection) for c in CASES[name].cases}) == 6


# ---- every recipe, run ----


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_recipe_of_images_says_its_price_and_runs(name, tmp_path, monkeypatch, capsys):
    """With its optimizers, P and data as they are; fewer classes, and images as small as the network takes."""
    pytest.importorskip("PIL", reason="Pillow is not installed: pip install 'npintdim[images]'")
    (case,) = CASES[name].cases
    net = {**case.recipe.model, "in_shape": [3, 29, 29], "classes": 3}
    short = replace(case.recipe, model=net, **TINY, projection={"kind": "fastfood"})
    monkeypatch.setitem(
        REPRODUCTIONS, name, replace(CASES[name], cases=(replace(case, recipe=short),), shorter={})
    )
    data = folder_of_images(tmp_path / "images", train=60, size=lambda i: (32 + i % 3, 31))
    argv = ["reproduce", name, "--data", f"{data}/+crop=29+mean", "--jobs", "1", "--quiet", "--threads", "1"]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert out.index(CASES[name].cost) < out.index("results in")
    assert "D = 736,963" in out and case.differs in out
    assert len(list((tmp_path / "out").glob("*/runs/*.json"))) == 3


def test_without_the_images_the_folder_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "squeezenet", "--jobs", "1"]) == 2
    error = capsys.readouterr().err
    assert "there is no folder imagenet: one with train/CLASS" in error and error.count("\n") == 1


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in OF_IMAGES])
def test_every_recipe_runs(name, files, tmp_path):
    cases = tiny(CASES[name] if len(CASES[name].cases) < 20 else CASES[name].quick())
    told = []
    setting = Setting(tmp_path / "out", get_backend(threads=1), 1, str(files), False, told.append)
    outcome = cases.run(setting)
    assert outcome.failed == ()
    baselines = {case.recipe.specs()[0].key for case in cases.cases}  # the same for every P
    trained = {spec.key for case in cases.cases for spec in case.recipe.specs() if spec.d is not None}
    assert outcome.runs == len(trained) + len(baselines)
    assert [row.what for row in outcome.rows] == [case.label for case in cases.cases for _ in case.paper]
    assert {row.paper for row in outcome.rows} >= {
        paper for case in cases.cases for paper in case.paper.values()
    }
    text = "\n".join(told)
    for case in cases.cases:
        assert case.label in text
        assert (setting.folder / case.folder / "summary.json").exists()
    again = cases.run(setting)
    assert again.rows == outcome.rows
    assert again.seconds == outcome.seconds  # of the records: nothing was done again


def test_a_baseline_is_trained_once_for_all_projections(files, tmp_path):
    cases = tiny(CASES["mnist-fc-projections"])
    cases = replace(cases, cases=cases.cases[:2])
    setting = Setting(tmp_path / "out", get_backend(threads=1), 1, str(files), False)
    outcome = cases.run(setting)
    name = f"{cases.cases[0].recipe.specs()[0].key}.json"
    first, second = (setting.folder / case.folder / "runs" / name for case in cases.cases)
    assert json.loads(first.read_bytes()) == json.loads(second.read_bytes())
    assert outcome.runs == 5


def test_a_case_that_cannot_be_read_does_not_stop_the_others(files, tmp_path):
    cases = tiny(CASES["mnist-fc-projections"])
    five = {"architecture": "mlp", "sizes": [784, 5]}
    wrong = replace(cases.cases[0], recipe=replace(cases.cases[0].recipe, model=five))
    outcome = replace(cases, cases=(wrong, *cases.cases[1:])).run(
        Setting(tmp_path / "out", get_backend(threads=1), 1, str(files), False)
    )
    assert {row.what for row in outcome.rows} == {case.label for case in cases.cases[1:]}
    assert re.match("FC, stacked, S: the model has 5 outputs", outcome.failed[0])


def test_a_reproduction_tells_what_happens_where_its_measurements_do(files, tmp_path):
    cases = tiny(CASES["mnist-fc-projections"])
    five = {"architecture": "mlp", "sizes": [784, 5]}
    wrong = replace(cases.cases[0], recipe=replace(cases.cases[0].recipe, model=five))
    told, heard = [], []
    setting = Setting(
        tmp_path / "out", get_backend(threads=1), 1, str(files), False, told.append, callbacks=[heard.append]
    )
    outcome = replace(cases, cases=(wrong, cases.cases[1])).run(setting)
    (m,) = (event.measurement for event in heard if isinstance(event, Measured))
    steps = [event.says for event in heard if isinstance(event, ReproductionStep)]
    assert steps == [
        f"\n[1/2] {wrong.label}: 784-5, D = {wrong.D:,}", f"not read: {outcome.failed[0].partition(': ')[2]}",
        f"\n[2/2] {cases.cases[1].label}: 784-200-200-10, D = {m.D:,}", m.summary,
    ]  # fmt: skip
    assert [line for line in told if line in steps] == steps


def test_no_run_of_a_reproduction_is_lost_for_a_line_that_cannot_be_written(files, tmp_path):
    def full(line):
        raise OSError("the output cannot be written: No space left on device")

    cases = tiny(CASES["mnist-fc-projections"])
    setting = Setting(tmp_path / "out", get_backend(threads=1), 1, str(files), False, full)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        outcome = replace(cases, cases=cases.cases[:1]).run(setting)
    of_its_steps = [str(w.message) for w in seen if "failed on ReproductionStep" in str(w.message)]
    assert len(of_its_steps) == 2 and all("the sweep goes on: OSError: the output" in w for w in of_its_steps)
    assert outcome.rows[0].ours and not outcome.failed


# ---- the toy ----


def test_toy(tmp_path):
    outcome = replace(TOY, draws=40).run(Setting(tmp_path, get_backend("numpy", threads=1)))
    ours = {row.what: row.ours for row in outcome.rows}
    for kind in ("dense", "Fastfood", "released Fastfood"):
        assert ours[f"{kind}: d_int100"] == "10"
    assert ours["dense: law"].startswith("holds")
    assert ours["Fastfood: law"].startswith("holds")
    assert ours["released Fastfood: law"].startswith("FAILS")  # no S: not isotropic
    assert len(outcome.pictures) == 3
    assert TOY.quick().left_out() == ["draws: 100 instead of 400"]


# ---- the command ----


def test_the_list(capsys):
    for argv in (["reproduce"], ["reproduce", "--list"]):
        assert main(argv) == 0
        out = capsys.readouterr().out
        for name, one in REPRODUCTIONS.items():
            assert re.search(rf"^{re.escape(name)} +{re.escape(one.title)}$", out, re.MULTILINE)
            assert one.cost in out


def test_the_command(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(REPRODUCTIONS, "softmax", tiny(CASES["softmax"]))
    argv = ["reproduce", "softmax", "--folder", str(files), "--jobs", "1", "--quiet"]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "[1/1] softmax regression: 784-10, D = 7,850" in out
    assert re.search(r"^3 runs to do: about \d+ s, \d+ kB$", out, re.MULTILINE)
    assert f"again    npintdim reproduce softmax --folder {files} --jobs 1 --quiet" in out
    assert re.search(r"cost +3 runs, \d+ s of computing; this time \d+ s", out)
    report = (tmp_path / "results" / "reproduce-softmax" / "report.md").read_text(encoding="utf-8")
    assert "| softmax regression | 7,850 | 0.9 × baseline | – |" in report
    assert '"batch_size": 16' in report
    if find_spec("matplotlib"):
        assert "![softmax.png](softmax.png)" in report
        assert (tmp_path / "results" / "reproduce-softmax" / "softmax.png").stat().st_size > 1000


def test_quick_says_what_it_leaves_out(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    short = tiny(CASES["softmax"]).cases
    small = replace(CASES["softmax"], cases=short, shorter={"epochs": 2, "limit_train": 32})
    monkeypatch.setitem(REPRODUCTIONS, "softmax", small)
    assert main(["reproduce", "softmax", "--quick", "--folder", str(files), "--jobs", "1", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "--quick leaves out: limit_train: 32 instead of 48" in out
    assert "softmax regression: shortened by --quick; in full: " in out
    report = (tmp_path / "results" / "reproduce-softmax-quick" / "report.md").read_text(encoding="utf-8")
    assert "**Left out by --quick:** epochs: 2 instead of 1; limit_train: 32 instead of 48." in report


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["mnist-fcc"], "unknown reproduction 'mnist-fcc': .*Did you mean 'mnist-fc'"),
        (["toy", "softmax", "--out", "x"], "--out is x, and 2 names are given: it needs one"),
        (
            ["cifar10-fc", "--folder", "."],
            "cifar10: cifar-10-binary.tar.gz not found, neither in cifar10 nor",
        ),
        (["mnist-fc", "--jobs", "0"], "jobs is 0: jobs ≥ 1 is needed"),
        (["toy", "--jobs", "0"], "jobs is 0: jobs ≥ 1 is needed"),
    ],
)
def test_errors_in_one_line(argv, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *argv, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert re.search(message, err)
    assert err.count("\n") == 1


def test_the_toy_tries_its_folder_before_the_draws(tmp_path, monkeypatch, capsys):
    def draws(*_, **__):
        raise AssertionError("the work has begun")

    monkeypatch.setattr("npintdim.reproduce.toy.least_shares", draws)
    (tmp_path / "file").write_text("")
    assert main(["reproduce", "toy", "--out", str(tmp_path / "file" / "below")]) == 2
    assert "Not a directory" in capsys.readouterr().err


def test_without_the_cifar_archive_it_says_where_to_put_it(monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    monkeypatch.setenv("NPINTDIM_DATA", str(tmp_path))
    source = replace(registry.CIFAR10, mirrors=())
    with pytest.raises(
        OSError,
        match=r"put cifar-10-binary.tar.gz \(170,052,171 bytes\) into a folder and set NPINTDIM_DATA to it",
    ):
        fetch.locate(source, cache=tmp_path / "cache")


def test_the_table_says_what_differs_once():
    rows = tiny(CASES["lenet"]).cases[0].paper
    assert set(rows) == {None, 0.9}
    assert reproduction("lenet").cases[0].paper[0.9] == "290"
    from npintdim.reproduce import Row

    two = [
        Row("LeNet", 44_426, at, paper, "266 (241 to 297)", "epochs")
        for at, paper in (("a", "275"), ("b", "290"))
    ]
    assert plain(two).count("epochs") == 1
    assert markdown(two).splitlines()[2] == "| LeNet | 44,426 | a | 275 | 266 (241 to 297) | epochs |"


def test_a_report_without_pictures_says_why(tmp_path):
    from npintdim.reproduce import Outcome, Row

    def no_matplotlib():
        raise ImportError("plots need matplotlib: pip install 'npintdim[plot]'")

    outcome = Outcome(
        (Row("a", 1, "b", "c", "d", "e"),), 1, 0.5, {"curve": no_matplotlib}, failed=("broken",)
    )
    setting = Setting(tmp_path, get_backend("numpy", threads=1))
    report, pictures = write_report(TOY, outcome, setting, "npintdim reproduce toy", 1.0)
    assert report == str(tmp_path / "report.md")
    assert pictures == "none: plots need matplotlib: pip install 'npintdim[plot]'"
    assert "**Failed:** broken" in (tmp_path / "report.md").read_text(encoding="utf-8")
