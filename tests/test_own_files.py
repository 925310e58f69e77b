"""Files and folders of one's own as data sets."""

import csv
import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers import measured
from numpy.testing import assert_array_equal

import npintdim as nid
from npintdim.cli import main
from npintdim.data import images, own
from npintdim.engine.streamed import made
from npintdim.measurement import records
from npintdim.measurement.content import content_of
from npintdim.measurement.custom import Name, named
from npintdim.measurement.events import RunFinished
from npintdim.measurement.report import read_measurement

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 6, 5)).astype(np.uint8)
Y = np.tile([0, 1, 2, 1], 10)
SHADES = X // 4 + (60 * Y).astype(np.uint8)[:, None, None]  # can be learnt
TEST = {"x_test": X[:8], "y_test": Y[:8]}


def saved(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def test_npz_with_both_parts(tmp_path):
    name = saved(tmp_path / "my.npz", x_train=X, y_train=Y, **TEST)
    data, told = own.read(name)
    assert told == f"{name}: 40 + 8 examples of shape (1, 6, 5), uint8 ÷ 255; 3 classes: 0, 1, 2"
    np.testing.assert_allclose(data.train.x[:, 0], X / 255, rtol=1e-6)
    assert_array_equal(data.test.labels, Y[:8])
    assert data.train.x.dtype == np.float32
    assert_array_equal(nid.load_dataset(name, limit_train=7).train.x, data.train.x[:7])
    for limit in (0, len(data.train) + 1):
        with pytest.raises(
            ValueError, match=rf"limit_train is {limit}: 1 ≤ limit_train ≤ {len(data.train)} is needed"
        ):
            nid.load_dataset(name, limit_train=limit)


def test_npz_of_floats_is_split(tmp_path):
    x = RNG.normal(size=(40, 3)) * 5
    name = saved(tmp_path / "my.npz", x=x, y=np.array(["u", "v", "w"])[Y])
    data, told = own.read(f"{name}+test-share=0.5")
    assert told.endswith(
        "20 + 20 examples (a share held out) of shape (3,), float64 as it is; 3 classes: u, v, w"
    )
    rows = {tuple(row) for row in x}
    assert {tuple(row) for row in np.vstack([data.train.x, data.test.x])} == rows
    moved = nid.load_dataset(f"{name}+standardise")
    np.testing.assert_allclose(moved.train.x.mean(axis=0), 0, atol=1e-12)
    assert len(moved.test) == 8


def test_a_folder_of_npy_is_memory_mapped(tmp_path):
    for key, array in {"x_train": X, "y_train": Y, **TEST}.items():
        np.save(tmp_path / f"{key}.npy", array)
    assert_array_equal(nid.load_dataset(f"{tmp_path}/").train.labels, Y)
    arrays = own.folder_of_arrays(own.source_of(str(tmp_path)))
    assert isinstance(arrays.x, np.memmap)


def test_channels_last_is_turned(tmp_path):
    colour = RNG.integers(0, 256, (40, 6, 5, 3)).astype(np.uint8)
    data, told = own.read(saved(tmp_path / "c.npz", x=colour, y=Y))
    assert "of shape (3, 6, 5), uint8, channels last ÷ 255" in told
    at = [
        int(np.flatnonzero((np.abs(colour / 255 - image.transpose(1, 2, 0)) < 1e-6).all((1, 2, 3)))[0])
        for image in data.test.x
    ]
    assert_array_equal(Y[at], data.test.labels)


def table(path, rows, encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


ROWS = [["a", "kind", "b"], *([i, "xyz"[i % 3], i * i / 7] for i in range(30))]


def test_csv(tmp_path):
    name = table(tmp_path / "t.csv", ROWS, "utf-8-sig")
    data = nid.load_dataset(f"{name}+label=kind")
    assert data.names == ("x", "y", "z") and data.train.x.shape == (24, 2)
    a = data.train.x[:, 0].astype(int)
    np.testing.assert_allclose(data.train.x[:, 1], a * a / 7, rtol=1e-6)
    assert_array_equal(data.train.labels, a % 3)
    named = table(tmp_path / "n.csv", [["label", "a"], *([i % 2, i] for i in range(10))])
    assert nid.load_dataset(named).classes == 2


def test_a_csv_with_empty_lines_and_blanks_after_its_commas(tmp_path):
    (tmp_path / "t.csv").write_text("a, label\n1, 0\n\n2, 1\n3, 0\n4, 1\n\n")
    data = nid.load_dataset(str(tmp_path / "t.csv"))
    assert sorted([*data.train.x[:, 0], *data.test.x[:, 0]]) == [1, 2, 3, 4]


def test_parts_that_are_scaled_otherwise_are_told(tmp_path):
    name = saved(tmp_path / "my.npz", x_train=X, y_train=Y, x_test=X[:8] / 255, y_test=Y[:8])
    assert "uint8 ÷ 255, test float64 as it is; 3 classes" in own.read(name)[1]


@pytest.mark.parametrize("which", ["x", "targets"])
def test_what_float32_cannot_hold_is_not_called_infinity(which):
    x, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    x, y = (x * 1e300, y) if which == "x" else (x, y * 1e300)
    data = nid.Dataset.from_arrays(x, y, name="far", regression=True)
    with pytest.raises(
        ValueError, match=rf"far: {which} hold .*e\+300: float64 is needed, float32 ends before"
    ):
        data.to(nid.get_backend("numpy"))
    assert data.to(nid.get_backend("numpy", np.float64)) is data


@pytest.fixture
def pictures(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'npintdim[images]'")
    for part, share in (("train", X), ("test", X[:8])):
        for i, pixels in enumerate(share):
            folder = tmp_path / "images" / part / f"class {Y[i]}"
            folder.mkdir(parents=True, exist_ok=True)
            image.fromarray(pixels).save(folder / f"{i:02}.png")
    return tmp_path / "images"


def test_folder_of_images(pictures):
    data, told = own.read(str(pictures))
    assert "40 + 8 examples of shape (1, 6, 5), uint8 ÷ 255; 3 classes: class 0, class 1, class 2" in told
    order = np.argsort(Y, kind="stable")  # the folders' order
    np.testing.assert_allclose(data.train.x[:, 0], X[order] / 255, rtol=1e-6)
    assert_array_equal(data.train.labels, Y[order])


def test_an_image_that_is_none(pictures):
    bad = pictures / "train" / "class 0" / "00.png"
    bad.write_bytes(bad.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"00.png is no image that can be read"):
        own.read(str(pictures))


def test_folders_behind_links_are_read_and_known_by_their_content(pictures, tmp_path):
    there, linked = str(pictures), tmp_path / "linked"
    for part in ("train", "test"):
        (linked / part).mkdir(parents=True)
        for folder in (pictures / part).iterdir():
            (linked / part / folder.name).symlink_to(folder)
    (linked / "train" / "class 0" / "round").symlink_to(pictures / "train")
    assert_array_equal(nid.load_dataset(there).train.x, nid.load_dataset(f"{linked}/").train.x)
    assert own.content(str(linked)) == own.content(there)
    (pictures / "train" / "class 0" / "00.png").rename(pictures / "train" / "class 0" / "000.png")
    assert own.content(str(linked)) == own.content(there)


def test_what_is_hidden_is_no_class_no_image_and_no_content(pictures):
    before = own.content(str(pictures))
    hidden = pictures / "train" / ".ipynb_checkpoints"
    hidden.mkdir()
    (hidden / "00.png").write_bytes((pictures / "train" / "class 0" / "00.png").read_bytes())
    (pictures / "train" / "class 0" / "._00.png").write_bytes(b"of macOS")
    (pictures / ".DS_Store").write_bytes(b"of macOS")
    assert "40 + 8 examples" in own.read(str(pictures))[1] and own.content(str(pictures)) == before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("train/loose.png", r"loose.png lies in no folder of a class: .*/train/CLASS/loose.png is needed"),
        ("train/class 1/x.webp", r"x.webp is another kind of image: .png, .jpg, .jpeg are needed"),
        ("train/class 1/gone.png", r"gone.png is no image that can be read: .*No such file"),
    ],
)
def test_an_image_that_would_be_left_out(pictures, name, says):
    (pictures / name).symlink_to(pictures / ("nowhere" if "gone" in name else "train/class 0/00.png"))
    with pytest.raises(ValueError, match=says):
        own.read(str(pictures))


def test_an_image_of_16_bits_is_not_cut_off_at_255(pictures):
    from PIL import Image

    path = pictures / "train" / "class 0" / "00.png"
    Image.fromarray(X[0].astype(np.uint16) * 257).save(path)
    data = nid.load_dataset(str(pictures))
    np.testing.assert_allclose(data.train.x[0, 0], X[0] / 255, rtol=1e-6)
    assert nid.load_dataset(f"{pictures}/+crop=5").train.x.shape[1:] == (1, 5, 5)


def stored(folder):
    """The content of a folder whose files are read as they are."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_an_image_is_turned_as_its_exif_says(pictures, kind):
    from PIL import Image

    path, before = pictures / "train" / "class 0" / "00.png", own.content(str(pictures))
    exif, lying = Image.Exif(), np.kron(X[0].T, np.ones((8, 8), np.uint8))
    exif[0x0112] = 6  # turn it clockwise
    path.unlink()
    Image.fromarray(lying).save(path.with_suffix(f".{kind}"), exif=exif)
    seen = images.pixels(path.with_suffix(f".{kind}"))[0]
    assert seen.shape == (48, 40)  # that of the others, times 8
    with Image.open(path.with_suffix(f".{kind}")) as image:
        assert_array_equal(seen, np.rot90(np.asarray(image), -1))
    assert own.content(str(pictures)) != stored(pictures)  # runs that saw it lie count no more
    path.with_suffix(f".{kind}").unlink()
    Image.fromarray(X[0]).save(path)
    assert own.content(str(pictures)) == before == stored(pictures)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_an_image_that_is_in_its_transparency_alone_is_not_read_as_one_colour(pictures, mode):
    from PIL import Image

    path = pictures / "train" / "class 0" / "00.png"
    drawn = Image.merge("LA", [Image.new("L", (5, 6)), Image.fromarray(X[0])])
    if mode == "P":
        drawn = Image.fromarray((X[0] > 99).astype(np.uint8), "P")
        drawn.putpalette([0] * 768)
    drawn.convert(mode).save(path, **({"transparency": 0} if mode == "P" else {}))
    for words in ("", "/+crop=5"):
        with pytest.raises(ValueError, match=r"00.png is no image that can be read: .*a background is need"):
            made(own.read(f"{pictures}{words}")[0].train.x)


@pytest.mark.parametrize("words", ["", "+crop=5"])
def test_val_is_the_test_part_where_there_is_no_other(pictures, words):
    wanted = made(own.read(f"{pictures}/{words}")[0].test.x)
    (pictures / "test").rename(pictures / "val")
    data, told = own.read(f"{pictures}/{words}")
    assert "40 + 8 examples of" in told and ", val is the test part; 3 classes" in told
    assert_array_equal(made(data.test.x), wanted)
    assert own.content(str(pictures)) != stored(pictures)  # runs that did not read it count no more
    (pictures / "val" / "class 0").rename(pictures / "val" / "another")
    with pytest.raises(ValueError, match="class 'another' is in one of train and val alone"):
        own.read(f"{pictures}/{words}")
    shutil.copytree(pictures / "train", pictures / "test")
    _, told = own.read(f"{pictures}/{words}")
    assert "40 + 40 examples of" in told and ", val is not read; 3 classes" in told


def test_what_is_not_read_of_a_file_is_told(tmp_path):
    name = saved(tmp_path / "my.npz", x_train=X, y_train=Y, **TEST, x_val=X)
    assert "uint8 ÷ 255, x_val is not read; 3 classes" in own.read(name)[1]


def test_names_that_are_no_utf_8(pictures, tmp_path, capsys):
    path = pictures / "train" / "class 0" / "00.png"
    try:
        path.rename(path.with_name("\udce4.png"))
    except OSError:
        pytest.skip("this file system has UTF-8 names alone")
    assert len(own.content(str(pictures))) == 64
    name = f"{tmp_path}/\udce4.npz"
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, **TEST)
    (tmp_path / "a.npz").rename(name)
    recipe = nid.Recipe(name, nid.mlp([30, 8, 3]), (5,), seeds=1, direct_seeds=1, epochs=2, batch_size=10)
    measured(recipe, tmp_path / "m")
    assert read_measurement(tmp_path / "m").recipe.data == name


def test_classes_that_differ_and_sizes_that_differ(pictures):
    from PIL import Image

    (pictures / "test" / "another").mkdir()
    Image.fromarray(X[0]).save(pictures / "test" / "another" / "1.png")
    with pytest.raises(ValueError, match="class 'another' is in one of train and test alone"):
        own.read(str(pictures))
    (pictures / "test" / "another" / "1.png").unlink()
    Image.fromarray(X[0, :5]).save(pictures / "train" / "class 1" / "zz.png")
    with pytest.raises(
        ValueError, match=r"zz.png has shape \(1, 5, 5\), and the others \(1, 6, 5\): one size"
    ):
        own.read(str(pictures))


def test_it_is_known_by_its_content(tmp_path):
    name = saved(tmp_path / "my.npz", x_train=X, y_train=Y, **TEST)
    recipe = nid.Recipe(name, nid.mlp([30, 8, 3]), (5,), seeds=1, direct_seeds=1, epochs=2, batch_size=10)
    options = {"backend": nid.get_backend("numpy", threads=1), "jobs": 1}
    first = nid.measure(recipe, tmp_path / "m", **options)
    assert list(first.recipe.content) == ["data"]
    saved(tmp_path / "my.npz", x_train=255 - X, y_train=Y, **TEST)
    with pytest.warns(UserWarning, match=r"^kept 0, new 2, because .*my.npz changed since the old runs"):
        second = nid.measure(recipe, tmp_path / "m", **options)
    assert first.records[0]["loss"] != second.records[0]["loss"]


def test_what_a_pre_training_saw_is_known_by_its_content(tmp_path):
    name = saved(tmp_path / "my.npz", x_train=X, y_train=Y, **TEST)
    before = saved(tmp_path / "before.npz", x_train=X, y_train=Y, **TEST)
    recipe = nid.Recipe(
        name, nid.mlp([30, 8, 3]), (5,), seeds=1, direct_seeds=1, epochs=1, batch_size=10, pretrained={"data": before}
    )  # fmt: skip
    options = {"backend": nid.get_backend("numpy", threads=1), "jobs": 1}
    first = nid.measure(recipe, tmp_path / "m", **options)
    assert list(first.recipe.content) == ["data", "pretrained"]
    saved(tmp_path / "before.npz", x_train=255 - X, y_train=Y, **TEST)
    with pytest.warns(UserWarning, match=r"^kept 0, new 2, because .*before.npz changed since the old runs"):
        second = nid.measure(recipe, tmp_path / "m", **options)
    assert [r["loss"] for r in first.records] != [r["loss"] for r in second.records]
    assert first.recipe.content["data"] == second.recipe.content["data"]


def test_numbers_as_targets_have_a_default_recipe(tmp_path, capsys):
    x = RNG.normal(size=(300, 3))
    y = 3 * x[:, 0] - 2 * x[:, 1] + 0.1 * RNG.normal(size=300)
    file = tmp_path / "my.csv"
    np.savetxt(file, np.column_stack([x, y]), delimiter=",", header="a,b,c,y", comments="")
    recipe = nid.recipe_for(f"{file}+label=y")
    assert recipe.model == {"architecture": "mlp", "sizes": [3, 100, 100, 1], "loss": {"kind": "MSE"}}
    few = ["--d", "20,60", "--lr", "0.05", "--seeds", "1", "--epochs", "2", "--jobs", "1", "--quiet"]
    out = ["--backend", "numpy", "--out", str(tmp_path / "m")]
    assert main(["measure", "--data", str(file), "--label", "y", *few, *out]) == 0
    assert "targets of 1 number" in capsys.readouterr().out
    assert nid.load_measurement(tmp_path / "m").recipe.scored.name == "R²"


def test_the_content_of_a_folder_is_its_names_and_bytes(tmp_path):
    def of():
        return content_of(f"{tmp_path}/", {})["data"]

    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "b").write_bytes(b"3")
    first = of()
    (tmp_path / "b").rename(tmp_path / "c")
    assert of() != first
    (tmp_path / "c").rename(tmp_path / "b")
    assert of() == first
    (tmp_path / "b").write_bytes(b"4")
    assert of() != first


def test_refusals(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cases = {
        "absent": (str(tmp_path / "no.npz"), "there is no file or folder .*no.npz"),
        "form": (table(tmp_path / "x.tsv", ROWS), r"one of FILE.npz, FILE.csv, FOLDER is needed"),
        "members": (saved(tmp_path / "m.npz", images=X, y=Y), "m.npz has images, y: x_train, y_train, x_test, y_test, or x and y, are needed"),
        "share of a test part": (saved(tmp_path / "s.npz", x_train=X, y_train=Y, **TEST) + "+test-share=0.2", "test-share is 0.2, but .* has a test part"),
        "one class": (saved(tmp_path / "o.npz", x=X, y=Y * 0), "o.npz: y holds one class alone, 0"),
        "other classes": (saved(tmp_path / "t.npz", x_train=X, y_train=Y, x_test=X, y_test=Y + 1), "test y holds '3', but training has"),
        "objects": (saved(tmp_path / "p.npz", x=np.array([{}] * 4), y=Y), "p.npz cannot be read: .*allow_pickle"),
        "label of no table": (saved(tmp_path / "v.npz", x=X, y=Y) + "+label=y", "label is 'y', a column of a CSV, and .*v.npz is none"),
        "two tasks": (f"{tmp_path}/s.npz+classes=0-1+rotated=60", "'rotated=60' comes after another of its kind"),
        "two labels": (f"{tmp_path}/s.npz+label=a+label=b", "'label=b' comes after another of its kind"),
        "task": (f"{tmp_path}/s.npz+classes=0", "or one of .*classes=LOW-HIGH, or rotated=DEGREES$"),
        "word": (f"{tmp_path}/s.npz+shuffle", "after a .* label=COLUMN, test-share=SHARE, standardise or regression is needed"),
        "a path with +": (table(tmp_path / "a+b.csv", ROWS) + "+label=kind", "or rotated=DEGREES. There is such a path: give it another name, without .$"),
        "the same, without its folder": ("a+b.csv+label=kind", "There is such a path: give it another name, without .$"),
        "no label": (table(tmp_path / "l.csv", ROWS), "l.csv has no column 'label' or 'class' or 'target' or 'y': .*one of a, kind, b"),
        "text": (table(tmp_path / "n.csv", [*ROWS, ["4", "x", "?"]]) + "+label=kind", "n.csv, line 32, b: '[?]' is no number"),
        "ragged": (table(tmp_path / "r.csv", [*ROWS, ["4", "x"]]) + "+label=kind", "r.csv, line 32 has 2 entries, and the first line 3"),
        "missing": (table(tmp_path / "i.csv", [*ROWS, ["nan", "x", 1]]) + "+label=kind", r"i.csv: x holds NaN or infinity, first at \(30, 0\)"),
        "empty folder": (f"{tmp_path}/empty", "has no folder train"),
        "two columns of labels": (table(tmp_path / "w.csv", [["label", "a", "label"], [0, 1, 0], [1, 2, 1]]), "w.csv has 2 columns 'label': one is needed"),
        "no label in a line": (table(tmp_path / "b.csv", [*ROWS, [1, " ", 2]]) + "+label=kind", "b.csv, line 32, kind: the label is missing"),
        "semicolons": (table(tmp_path / "c.csv", [["a;b;label"], ["1;2;3"]]), "c.csv has one column, 'a;b;label': names with commas between them"),
        "beyond float32": (table(tmp_path / "f.csv", [*ROWS, ["1e60", "x", 2]]) + "+label=kind", "f.csv, line 32, a: 1e60 is beyond float32"),
        "numbers of the lines": (table(tmp_path / "u.csv", [["", "a", "y"], *([i, i % 5, i % 2] for i in range(1, 9))]), "column without a name that numbers the lines, and is no feature"),
        "texts as objects": (saved(tmp_path / "q.npz", x=X, y=Y.astype(object)), r"q.npz cannot be read: y: .*allow_pickle=False; y.astype\(str\), or numbers, are needed"),
        "another file": (str((tmp_path / "z.npz").write_text("x,y") and tmp_path / "z.npz"), "z.npz cannot be read: .*it is no .npz"),
    }  # fmt: skip
    (tmp_path / "empty").mkdir()
    cases["name of a folder"] = (
        "empty",
        r"unknown dataset 'empty'.* There is such a folder: empty/ reads it\.",
    )
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    cases["damaged"] = (str(tmp_path / "bad.npz"), "bad.npz cannot be read")
    for name, says in cases.values():
        with pytest.raises((ValueError, FileNotFoundError), match=says):
            nid.load_dataset(name)
    for name in ("empty", "Digits", "MNIST"):
        assert main(["train", "--data", name]) == 2
    assert re.findall(r"empty/ reads it|Did you mean .*", capsys.readouterr().err) == [
        "empty/ reads it", "Did you mean 'digits'?", "Did you mean 'mnist'?",
    ]  # fmt: skip


# ---- the commands ----


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of its own, with my.npz and t.csv."""
    monkeypatch.chdir(tmp_path)
    saved("my.npz", x_train=SHADES, y_train=Y, x_test=SHADES[:8], y_test=Y[:8])
    table(tmp_path / "t.csv", ROWS)
    return tmp_path


QUICK = ["--backend", "numpy", "--quiet", "--epochs", "10"]


def test_measure_takes_a_file(here, capsys):
    assert main(["measure", "--data", f"{here}/my.npz", "--d", "3,100", "--seeds", "2", "--lr", "0.03", "--direct-lr", "0.01", "--threshold", "0.45", "--jobs", "1", *QUICK]) == 0  # fmt: skip
    told = capsys.readouterr().out
    assert f"{here}/my.npz: 40 + 8 examples of shape (1, 6, 5), uint8 ÷ 255; 3 classes: 0, 1, 2" in told
    folder = here / "results" / "my.npz-30-100-100-3-fastfood"
    record = json.loads(next((folder / "runs").glob("*.json")).read_text())
    assert record["spec"]["content"] == {"data": own.content("my.npz")}
    assert main(["evaluate", next(folder.glob("*.npid")).as_posix(), "--data", "my.npz", "--backend", "numpy"]) == 0  # fmt: skip
    assert "on 8 examples of my.npz" in capsys.readouterr().out
    saved("my.npz", x_train=255 - X, y_train=Y, **TEST)
    assert main(["certify", str(folder), "--backend", "numpy"]) == 2
    assert "my.npz changed since the runs in" in capsys.readouterr().err


def test_a_measurement_whose_data_lie_elsewhere_now(here, capsys):
    """They are known by their content: compress needs none of them, certify takes them from where --data says."""
    measured = [
        "measure", "--data", "my.npz", "--d", "100", "--seeds", "1", "--lr", "0.03", "--jobs", "1", *QUICK,
    ]  # fmt: skip
    assert main([*measured, "--out", "m", "--threshold", "0.3"]) == 0
    (here / "my.npz").rename("moved.npz")
    saved("other.npz", x_train=255 - SHADES, y_train=Y, x_test=SHADES[:8], y_test=Y[:8])
    capsys.readouterr()
    for data, told in (
        ([], "there is no file or folder my.npz"),
        (
            ["--data", "other.npz"],
            "--data is other.npz, and the runs in m saw other data, my.npz: the data they",
        ),
        (["--data", "digits"], "--data is digits, and the runs in m saw other data, my.npz"),
        (
            ["--data", "moved.npz", "--standardise"],
            "--data is moved.npz.standardise, and the runs in m saw other",
        ),
        (["--standardise"], "--standardise is for a file of yours, and --data is not given"),
    ):
        assert main(["certify", "m", *data, "--backend", "numpy"]) == 2
        assert re.search(told, capsys.readouterr().err)
    assert main(["certify", "m", "--data", "moved.npz", "--backend", "numpy"]) == 0
    assert "of 40 examples of moved.npz" in capsys.readouterr().out
    assert main(["compress", "m", "--d", "100"]) == 0
    assert "its performance is not known here: there is no file or folder my.npz" in capsys.readouterr().out
    (here / "other.npz").rename("my.npz")
    assert main(["compress", "m", "--d", "100"]) == 0
    assert "its performance is not known here: my.npz changed since the run" in capsys.readouterr().out
    assert (here / "m" / "d100-seed0.npid").stat().st_size > 400


@pytest.mark.parametrize("status", ["finished", "failed"])
def test_a_file_that_was_renamed_is_not_learnt_anew(status, here):
    """Its content is the same: that of the data, of a pre-trained θ_0, and of the data that one learnt."""
    net = nid.mlp([30, 8, 3], backend=nid.get_backend("numpy"))
    np.save("base.npy", net.init_theta(3))
    options = {"backend": nid.get_backend("numpy", threads=1), "jobs": 1}
    common = {"seeds": 1, "direct_seeds": 1, "epochs": 2, "batch_size": 10}
    for before in ({"file": "base.npy"}, {"data": "my.npz+classes=0-1"}):
        recipe = nid.Recipe("my.npz+rotated=60", net, (5,), **common, pretrained=before)
        first = nid.measure(recipe, "m", **options)
        for path in (here / "m" / "runs").glob("*.json") if status == "failed" else ():
            old = records.load_record(path)
            if old[1]["performance"] in [r["performance"] for r in first.records]:
                records.write_record(
                    path.parent, old[0], old[1] | {"status": "failed", "error": "of late"}, None
                )
        (here / "base.npy").rename("moved.npy")
        (here / "my.npz").rename("moved.npz")
        there = {k: v.replace("base", f"{here}/moved").replace("my", "./moved") for k, v in before.items()}
        heard = []
        moved = replace(recipe, data=f"{here}/moved.npz+rotated=60", pretrained=there)
        second = nid.measure(moved, "m", **options, callbacks=[heard.append])
        assert any(isinstance(event, RunFinished) for event in heard) == (status == "failed")
        assert [r["performance"] for r in second.records] == [r["performance"] for r in first.records]
        assert read_measurement("m").recipe == second.recipe
        heard = []
        nid.measure(replace(moved, data="./moved.npz"), "m", **options, callbacks=[heard.append])
        assert sum(isinstance(event, RunFinished) for event in heard) == 2  # not turned: another run
        (here / "moved.npy").rename("base.npy")
        (here / "moved.npz").rename("my.npz")


def test_a_colon_in_the_name_of_a_file_makes_it_no_module(here):
    """Of every file on Windows: C:\\data\\my.npz."""
    name = "C:my.npz"
    saved(name, x_train=SHADES, y_train=Y, **TEST)
    content = {"data": own.content(name)}
    assert content_of(name, {}) == content
    recipe = replace(nid.recipe_for(name), d=(5,), rates=None, seeds=1, direct_seeds=1, epochs=1)
    m = measured(recipe, here / "m")
    assert m.recipe.content == content
    held = nid.load_dataset("my.npz")  # whose name is that of its file
    assert Name(named(held)).own and not Name(r"C:\data\my.csv").own and Name("package.module:name").own


def test_train_and_check_take_a_table(here, capsys):
    options = ["--data", "t.csv", "--label", "kind", "--test-share", "0.5", "--standardise"]
    assert main(["train", *options, *QUICK]) == 0
    told = capsys.readouterr().out
    assert (
        "t.csv+label=kind+test-share=0.5+standardise: 15 + 15 examples (a share held out) of shape (2,)"
        in told
    )
    assert "2-100-100-3" in told
    assert main(["check", *options, "--model", "2-4-3", "--d", "5", "--backend", "numpy"]) == 0
    assert "all checks passed" in capsys.readouterr().out


def test_the_recipe_of_a_file(here):
    recipe = nid.recipe_for("my.npz")
    assert (recipe.data, recipe.model, recipe.d) == ("my.npz", nid.mlp([30, 100, 100, 3]).spec(), None)
    assert recipe.rates is not None and (recipe.batch_size, recipe.epochs) == (20, 600)  # of 40 examples
    assert nid.recipe_for("my.npz", nid.mlp([30, 8, 3]).spec()).model["sizes"] == [30, 8, 3]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--label", "kind"], "--label kind is for a file of yours, and --data is digits"),
        (["--data", "mnist", "--standardise"], "--standardise is for a file of yours, and --data is mnist"),
        (["--data", "t.csv", "--label", "c"], "t.csv has no column 'c'"),
        (["--data", "my.npz", "--test-share", "0.2"], "test-share is 0.2, but my.npz has a test part"),
        (["--data", "t.csv", "--label", "kind", "--test-share", "1.5"], "test.share is 1.5"),
        (["--data", "no.npz"], "there is no file or folder no.npz"),
    ],
)
@pytest.mark.parametrize("command", ["measure", "train", "check"])
def test_what_is_wrong_is_one_line_before_any_run(command, options, says, here, capsys):
    assert main([command, *options, "--backend", "numpy"]) == 2
    told = capsys.readouterr().err
    assert re.search(says, told) and told.count("\n") == 1
    assert not (here / "results").exists()


def test_a_task_is_made_of_a_file(tmp_path):
    """What may stand after a name may stand after a file: it is done last, to the examples that limit_train leaves."""
    name = saved(tmp_path / "my.npz", x_train=SHADES, y_train=Y, **TEST)
    whole, part = nid.load_dataset(name), nid.load_dataset(f"{name}+classes=1-2")
    assert_array_equal(part.train.x, whole.train.x[Y > 0])
    assert part.name == f"{name}+classes=1-2" and part.classes == 3 and len(part.test) == np.sum(Y[:8] > 0)
    assert len(nid.load_dataset(f"{name}+classes=1-2", limit_train=4).train) == 3
    assert own.content(part.name) == own.content(name)
    assert_array_equal(nid.load_dataset(f"{name}+rotated=0").train.x, whole.train.x)
    mixed = nid.load_dataset(f"{name}+shuffled-labels=1")
    assert np.bincount(mixed.train.labels).tolist() == np.bincount(Y).tolist() and mixed.test is mixed.train
    assert own.read(f"{name}+classes=1-2")[1].startswith(f"{name}+classes=1-2: 30 + 6 examples")


def test_what_cannot_be_made_of_a_file(tmp_path):
    name = saved(tmp_path / "my.npz", x_train=X, y_train=np.sort(Y), **TEST)
    with pytest.raises(ValueError, match=r"classes=2-2: none of the 10 examples is of these classes"):
        nid.load_dataset(f"{name}+classes=2-2", limit_train=10)
    with pytest.raises(ValueError, match=r"classes=2-3: 0 ≤ LOW ≤ HIGH < 3 is needed"):
        nid.load_dataset(f"{name}+classes=2-3")
    for words in ("classes=0-1+rotated=60", "classes=0-1+classes=1-2", "label=y+label=z"):
        with pytest.raises(ValueError, match="comes after another of its kind, one is needed"):
            nid.load_dataset(f"{name}+{words}")
    with pytest.raises(ValueError, match=r"after a \+ .* is needed.* classes=LOW-HIGH, or rotated=DEGREES"):
        nid.load_dataset(f"{name}+clases=0-1")
    decimals = saved(tmp_path / "numbers.npz", x=X, y=Y + 0.5)
    with pytest.raises(ValueError, match=r"classes=0-1 is for classes, and the targets of .* are numbers"):
        nid.load_dataset(f"{decimals}+classes=0-1")
    features = saved(tmp_path / "table.npz", x=X.reshape(40, 30), y=Y)
    for how in ("rotated=60", "shuffled-pixels"):
        with pytest.raises(ValueError, match=r"is for images, and examples of .* have shape \(30,\)"):
            nid.load_dataset(f"{features}+{how}")


def test_a_pre_training_on_a_file_is_kept_under_its_bytes(tmp_path):
    name, other = (
        saved(tmp_path / f, x_train=x, y_train=Y, **TEST) for f, x in (("a.npz", X), ("b.npz", SHADES))
    )
    net = {"architecture": "mlp", "sizes": [30, 3]}
    content = content_of(
        f"{name}+classes=1-2", net, None, None, None, pretrained={"data": f"{other}+classes=0-1"}
    )
    assert content == {"data": own.content(name), "pretrained": own.content(other)}
