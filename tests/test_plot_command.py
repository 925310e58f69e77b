"""`npintdim plot`: pictures from the folders of measurements, without data and without training."""

import json
import re
import shutil
import sys
from dataclasses import replace

import pytest
from helpers import needs_matplotlib

import npintdim as nid
from npintdim.artefact.fileformat import FIXED
from npintdim.cli.plot import legend
from npintdim.measurement.recipes import fully_connected
from npintdim.measurement.report import read_measurement

RECIPE = nid.Recipe("digits", fully_connected(64, 16, 10), (20, 200), seeds=2, direct_seeds=2, epochs=4,
                    optimizer=nid.Adam(lr=0.1).spec(), direct_optimizer=nid.Adam(lr=0.01).spec())  # fmt: skip


@pytest.fixture(scope="module")
def measurements(tmp_path_factory):
    """A measurement by a grid, and one by a search; both with their folders."""
    root = tmp_path_factory.mktemp("measured")
    backend = nid.get_backend("numpy", threads=1)
    searched = replace(RECIPE, d=None, budget=8, projection={"kind": "sparse"}, rates=nid.RateSearch(most=3))
    return [
        nid.measure(recipe, root / name, backend=backend, jobs=1, progress=False)
        for name, recipe in (("grid", RECIPE), ("search", searched))
    ]


def test_a_measurement_is_read_back_as_it_was(measurements):
    for m in measurements:
        assert read_measurement(m.folder) == m


def test_what_is_no_measurement_is_refused(measurements, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no finished measurement, summary\.json is missing"):
        read_measurement(tmp_path)
    (tmp_path / "summary.json").write_bytes((measurements[0].folder / "summary.json").read_bytes())
    (tmp_path / "results.csv").write_bytes((measurements[0].folder / "results.csv").read_bytes())
    with pytest.raises(FileNotFoundError, match=r"holds no finished measurement, \w{16}.json is missing"):
        read_measurement(tmp_path)
    for content in ("{}", "[]", "{"):
        (tmp_path / "summary.json").write_text(content)
        with pytest.raises(ValueError, match="is damaged, measure again: "):
            read_measurement(tmp_path)


@needs_matplotlib
def test_one_folder_gives_its_curve_beside_its_results(cli, measurements):
    m = measurements[0]
    code, out, err = cli("plot", m.folder)
    assert (code, err) == (0, "")
    assert out == [f"64-16-10: {m.d_int.summary()}", f"plot  {m.folder / 'curves.png'} and .svg"]
    assert (m.folder / "curves.svg").stat().st_size > 10_000


@needs_matplotlib
@pytest.mark.parametrize("kind", ["curves", "compression", "nets"])
def test_several_folders_give_one_figure(cli, measurements, tmp_path, kind):
    code, out, err = cli("plot", *(m.folder for m in measurements), "--kind", kind, "--backend", "numpy")
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out[:2]] == ["fastfood", "sparse"]
    assert out[2] == f"plot  {kind}.png and .svg"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{kind}.png", f"{kind}.svg"]


@needs_matplotlib
def test_bytes_are_those_of_the_files(measurements):
    from npintdim.plots import files_of

    m = measurements[0]
    points = files_of(m, nid.get_backend("numpy"), "net")
    assert points[0] == ("net: θ, float32", 4 * m.D, m.performances()[None].mean())
    for d, (label, size, performance) in zip((20, 200), points[1:], strict=True):
        assert label == "net: θ_d, float32"
        assert FIXED + 4 * d < size < FIXED + 4 * d + 300
        assert performance == m.performances()[d].mean()
    own = replace(m, recipe=replace(m.recipe, model={"objective": "a.module:make", "options": {}}))
    with pytest.raises(ValueError, match="a landscape of your own: only networks can be compressed"):
        files_of(own, nid.get_backend("numpy"))


def test_labels_say_what_differs(measurements):
    grid, search = measurements
    assert legend([grid, search]) == ["fastfood", "sparse"]
    other = replace(
        grid,
        recipe=replace(
            grid.recipe, model=fully_connected(64, 10), projection={"kind": "fastfood", "signs": False}
        ),
    )
    assert legend([grid, other]) == ["64-16-10, fastfood", "64-10, fastfood signs=False"]
    assert legend([grid, replace(grid, folder=grid.folder / "x")]) == [
        str(grid.folder),
        str(grid.folder / "x"),
    ]


@needs_matplotlib
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere"], "nowhere holds no finished measurement, summary.json is missing"),
        (["MEASURED", "--kind", "net"], "unknown kind 'net': .* Did you mean 'nets'"),
        (["MEASURED", "--label", "a", "--label", "b"], "labels are a, b: 1 different ones are needed"),
        (["MEASURED", "MEASURED", "--label", "a", "--label", "a"], "labels are a, a: 2 different ones are needed"),
        (["MEASURED", "--out", "file/x.png"], "--out is file/x.png: there is no folder "),
        (["MEASURED", "--out", "nowhere/at/all/x.png"], "--out is nowhere/at/all/x.png: there is no folder "),
        (["MEASURED", "--out", "."], "--out is .: that is a folder, the name of a file is needed"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(cli, measurements, tmp_path, argv, message):
    (tmp_path / "file").write_text("")
    code, out, err = cli("plot", *(measurements[0].folder if a == "MEASURED" else a for a in argv))
    assert (code, out, [path.name for path in tmp_path.iterdir()]) == (2, [], ["file"])
    (line,) = err.splitlines()
    assert re.search(message, line)


def test_without_matplotlib_it_says_how_to_get_it(cli, measurements, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = cli("plot", measurements[0].folder)
    assert (code, err) == (0, "")
    assert out[-1] == "plot  none: plots need matplotlib: pip install 'npintdim[plot]', then run it again"


def test_the_summary_of_an_older_version_is_read(measurements, tmp_path):
    """Numbers that a recipe got later have their defaults."""
    m = measurements[0]
    for path in m.folder.rglob("*"):
        if path.suffix in (".json", ".csv"):
            target = tmp_path / path.relative_to(m.folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    summary = json.loads((tmp_path / "summary.json").read_bytes())
    for name in ("chance", "precision", "budget", "first", "at_once", "rates", "lr_at"):
        del summary["recipe"][name]
    del summary["rates"]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert read_measurement(tmp_path).recipe == replace(m.recipe, at_once=None)


def test_a_folder_in_the_picture_s_place_does_not_take_the_reading_with_it(cli, measurements, tmp_path):
    shutil.copytree(measurements[0].folder, tmp_path / "m")
    (tmp_path / "m" / "curves.png").unlink(missing_ok=True)
    (tmp_path / "m" / "curves.png").mkdir()
    code, out, err = cli("plot", "m")
    assert (code, err) == (0, "")
    assert out[-2:] == [f"64-16-10: {measurements[0].summary}", "plot  none: m/curves.png: Is a directory"]
    code, out, err = cli("plot", "m", "--out", "m/curves.png")  # named: refused
    assert (code, out) == (2, [])
