"""A command that only reads imports nothing that a folder, a record or a file names."""

import json
import shutil
import sys

import numpy as np
import pytest
from helpers import command
from test_compress_refusals import forge

import npintdim as nid
from npintdim.measurement.custom import Name
from npintdim.measurement.report import read_measurement, write_report
from npintdim.measurement.runs import RunSpec

NAME = "leaves_a_mark:thing"
OBJECTIVE = {"objective": NAME, "options": {}}


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """The mark of a module in the working directory, which can be imported: so much is tried first."""
    place = tmp_path / "mark"
    (tmp_path / "leaves_a_mark.py").write_text(f"open({str(place)!r}, 'w').close()\nthing = None\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    Name(NAME).thing()
    assert place.exists()
    place.unlink()
    del sys.modules["leaves_a_mark"]
    yield place
    sys.modules.pop("leaves_a_mark", None)


def poisoned(measurement, folder, **changes):
    """The measurement, with something else in the spec of all its records, its table and its summary."""
    shutil.copytree(measurement, folder)
    table = (folder / "results.csv").read_text(encoding="utf-8")
    for path in list((folder / "runs").glob("*.json")):
        record = json.loads(path.read_bytes())
        record["spec"] |= changes
        for seal in ("sha256", "theta_d_sha256"):  # as records of an earlier version, which had none
            record.pop(seal, None)
        key = RunSpec(**record["spec"]).key
        table = table.replace(path.stem, key)
        path.rename(path.with_stem(key)).write_text(json.dumps(record), encoding="utf-8")
        if path.with_suffix(".npy").exists():
            path.with_suffix(".npy").rename(path.with_name(f"{key}.npy"))
    (folder / "results.csv").write_text(table, encoding="utf-8")
    summary = json.loads((folder / "summary.json").read_bytes())
    summary["recipe"] |= changes
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return next(p for p in (folder / "runs").glob("*.json") if b'"d": 200' in p.read_bytes())


@pytest.mark.parametrize(
    "changes", [{"data": NAME}, {"model": OBJECTIVE}, {"data": NAME, "model": OBJECTIVE}]
)
def test_a_folder_that_names_code_is_read_without_it(measurement, mark, tmp_path, capsys, changes):
    record = poisoned(measurement, tmp_path / "m", **changes)
    said = {}
    for argv in (
        ("plot", "m"),
        ("plot", "m", "--kind", "compression"),
        ("plot", "m", "--kind", "nets"),
        ("compress", "m", "--out", "new.npid"),
        ("compress", record, "--out", "new.npid"),
        ("certify", "m"),
        ("certify", "m/d_int90.npid"),
        ("evaluate", "m/d_int90.npid"),
        ("quantise", "m/d_int90.npid", "--levels", "3", "--out", "k.npid"),
    ):
        code, out, err = command(capsys, *argv)
        assert code in (0, 2)
        assert err.count("\n") == (code == 2)
        said[argv] = out + err
    write_report(read_measurement("m"))
    assert not mark.exists()
    assert "leaves_a_mark" not in sys.modules
    if changes == {"data": NAME}:  # the network is the package's: it can be had, and tested in Python
        assert (
            "its performance is not known here: leaves_a_mark:thing is code of your own"
            in said["compress", "m", "--out", "new.npid"]
        )
        assert nid.CompressedModel.load("new.npid").P.d == nid.CompressedModel.load("m/d_int90.npid").P.d
        assert "code of your own is not imported by a command that reads" in said["certify", "m"]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": OBJECTIVE},
        {"model": {"architecture": NAME}},
        {"model": {"in_shape": [2], "layers": [{"kind": NAME}]}},
        {"P": {"kind": NAME}},
    ],
)
def test_a_file_that_names_code_is_refused_without_it(mark, tmp_path, capsys, changes):
    (tmp_path / "net.npid").write_bytes(forge(**changes))
    for argv in (("evaluate",), ("certify",), ("quantise", "--levels", "3")):
        code, out, err = command(capsys, argv[0], "net.npid", *argv[1:])
        assert (code, out) == (2, "")
        assert "leaves_a_mark:thing" in err
    assert not mark.exists()


@pytest.mark.parametrize("name", ["evaluate", "certify", "quantise"])
def test_data_of_ones_own_are_not_imported_to_read(mark, tmp_path, capsys, name):
    model = nid.mlp([64, 10], nid.get_backend("numpy"))
    P = nid.make_projection("fastfood", model.D, 3, 0, model.backend)
    nid.CompressedModel.from_parts(model, 0, P, np.ones(3)).save("net.npid")
    code, out, err = command(capsys, name, "net.npid", "--data", NAME)
    assert (code, out) == (2, "")
    assert "data is 'leaves_a_mark:thing': code of your own is not imported" in err
    assert not mark.exists()
