"""The map: every number of the page's table follows from the records that are kept, and the page shows the table."""

import json
import math
import re
from pathlib import Path

import pytest
from helpers import script

from npintdim.cli import main
from npintdim.reproduce import markdown, plain
from npintdim.reproduce.table import TABLE, Found, said

RECORDS = Path(__file__).parents[1] / "docs" / "records"
PAGE = (RECORDS.parent / "results.md").read_text(encoding="utf-8")
KEPT = [one for one in TABLE if one.record]


@pytest.fixture(scope="module")
def keep():
    pytest.importorskip("matplotlib", reason="the script draws: pip install 'npintdim[plot]'")
    return script(RECORDS / "keep.py")


def test_the_page_shows_the_table(keep):
    assert markdown(TABLE) in PAGE
    assert keep.on_page(PAGE) == PAGE
    assert "img/map.png" in PAGE and (RECORDS.parent / "img" / "map.png").is_file()


@pytest.mark.parametrize("one", KEPT, ids=lambda one: f"{one.what}, {one.read}")
def test_a_number_follows_from_its_records(one, keep):
    threshold = None if "baseline" in one.read else float(one.read.removeprefix("accuracy "))
    found, runs, seconds = keep.read(one.record, threshold)
    assert (runs, round(seconds)) == (one.runs, one.seconds)
    assert json.loads((RECORDS / f"{one.record}.json").read_text())["kept"]["D"] == one.D
    if one.ours is not None:
        assert (found.d, found.low, found.high) == pytest.approx(one.ours, rel=5e-4, abs=0.5)


def test_every_record_is_used_or_said_and_small():
    used = {one.record for one in KEPT}
    files = list(RECORDS.glob("*.json"))
    assert len(files) >= 2
    for path in files:
        assert path.stem in used or path.name in PAGE
        assert path.stat().st_size < 16_000
        assert all(math.isfinite(run["seconds"]) for run in json.loads(path.read_text())["runs"])


@pytest.mark.parametrize("path", sorted(RECORDS.rglob("*.json")), ids=lambda path: path.stem)
def test_no_record_names_a_folder_of_the_machine_it_was_made_on(path):
    assert not re.search(r'"(/|~|[A-Za-z]:\\)', path.read_text())


def test_a_record_is_what_a_folder_holds(keep, tmp_path, monkeypatch):
    folder = tmp_path / "m"
    assert main(["measure", "--d", "40,90,200,400", "--seeds", "2", "--epochs", "12", "--jobs", "1", "--backend", "numpy", "--quiet", "--out", str(folder)]) == 0  # fmt: skip
    monkeypatch.setattr(keep, "HERE", tmp_path)
    assert keep.keep(folder, "digits").stat().st_size < 16_000
    found, runs, _ = keep.read("digits", None)
    summary = json.loads((folder / "summary.json").read_text())["d_int"]
    assert runs == 10
    assert (found.d, found.low, found.high) == pytest.approx((summary["d"], summary["low"], summary["high"]))


def test_the_command_prints_it(capsys):
    assert main(["reproduce", "--table"]) == 0
    assert capsys.readouterr().out == plain(TABLE) + "\n"
    assert main(["reproduce"]) == 0
    out = capsys.readouterr().out
    assert plain(TABLE) in out and "npintdim reproduce NAME [--quick]" in out


def test_a_row_without_a_number():
    text = plain(
        [Found("a", 1_000, "loss 0", None, None, differs="why"), Found("b", 10, "x", 3, (4, 2, 6), 5, 90)]
    )
    assert text.splitlines()[1].split() == ["a", "1,000", "loss", "0", "–", "–", "–"]
    assert "4 (2 to 6)  5 runs, 2 min" in text and text.endswith("a: why")


def test_data_of_ones_own_take_the_place_of_a_recipes(tmp_path, capsys):
    from npintdim.reproduce import reproduction

    changed = reproduction("cifar10-lenet").changed(data="my/", l2=1e-4)
    assert {(c.recipe.data, c.recipe.l2) for c in changed.cases} == {("my/", 1e-4)}
    assert all(c.differs.startswith("data my/; l2 0.0001; ") for c in changed.cases)
    assert main(["reproduce", "toy", "--l2", "0.1"]) == 2
    assert "--l2 is for networks, and toy has none" in capsys.readouterr().err


def test_the_map_dots_an_open_end():
    pytest.importorskip("matplotlib")
    from npintdim.plots.map import map_figure

    axes = map_figure([("a", 500, 4.0, (10, 8, math.inf)), ("b", 900, None, (20, -math.inf, 30))]).axes[0]
    vertical = [line for line in axes.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    drawn = [(line.get_xdata()[0], line.get_linestyle(), *line.get_ydata()) for line in vertical]
    assert drawn == [(500, "-", 8, 10), (500, ":", 10, 500), (900, "-", 20, 30), (900, ":", 20, 1)]


def test_an_open_end_is_said():
    assert said(10, 7.51, math.inf) == "10 (8 or more)"
    assert said(4_360, -math.inf, 5_901) == "4,360 (5,901 or less)"
