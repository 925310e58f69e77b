"""npintdim quantise and npintdim certify: what they print, what they leave, how they end."""

import re

import numpy as np
import pytest

import npintdim as nid
from npintdim.artefact.mdl import BOUNDS, binomial_bound
from npintdim.cli import main


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network of the digits, as `train --save` leaves it."""
    folder = tmp_path_factory.mktemp("mdl")
    small = ["--model", "64-16-10", "--backend", "numpy", "--quiet"]
    file = folder / "net.npid"
    assert main(["train", *small, "--d", "60", "--epochs", "15", "--lr", "0.1", "--save", str(file)]) == 0
    return folder


@pytest.mark.parametrize(
    ("options", "K"),
    [
        (["--tolerance", "0.05"], None),
        (["--levels", "4"], 4),
        (["--levels", "3", "--codebook", "free"], 3),
        (["--levels", "3", "--epochs", "3", "--lr", "0.1"], 3),
    ],
)
def test_quantise_then_certify(cli, saved, tmp_path, options, K):
    path = tmp_path / "out.npid"
    code, out, _ = cli("quantise", saved / "net.npid", *options, "--out", path, "--quiet")
    assert code == 0
    said = re.fullmatch(
        r".*out\.npid: (\d+) bytes, of these (\d+) for theta_d: d = 60, K = (\d+) levels, (uniform|free), "
        r"(\d+\.\d\d) bits a number",
        out[0],
    )
    loaded = nid.CompressedModel.load(path)
    assert int(said[1]) == path.stat().st_size
    assert int(said[2]) == len(loaded.code)
    assert int(said[3]) == loaded.codebook.K
    assert K in (None, loaded.codebook.K)
    assert said[4] == loaded.codebook.kind == (options[-1] if "free" in options else "uniform")
    assert float(said[5]) == pytest.approx(8 * len(loaded.code) / 60, abs=0.005)
    assert re.fullmatch(r"test performance 0\.\d{4} on digits, 0\.\d{4} before", out[1])

    code, out, err = cli("certify", path, "--tried", "5", "--delta", "0.1")
    assert (code, err) == (0, "")
    assert out[0].startswith(f"{path}: 64-16-10, D = 1,210, fastfood, d = 60, K = {loaded.codebook.K} levels")
    total, *paid = map(int, re.findall(r"\d+", out[1].replace(",", "").replace("theta_d", "")))
    assert total == sum(paid)
    assert "network " in out[1] and f"theta_d {1 + 8 * len(loaded.code)} + tried 3" in out[1]
    errors, n = map(int, re.search(r"(\d+) of (\d+) examples", out[2].replace(",", "")).groups())
    assert out[3] == f"bound       error ≤ {binomial_bound(errors, n, total, 0.1):.4f}  binomial"
    assert [line.split()[-1] for line in out[3:8]] == [*BOUNDS]
    assert [*BOUNDS] == ["binomial", "Chernoff", "Seeger-Maurer", "Catoni", "Lotfi"]
    assert re.fullmatch(r"test        error 0\.\d{4}, \d+ of 500 examples; the bounds do not use it", out[-1])


def test_the_name_says_the_levels(cli, saved):
    assert cli("quantise", saved / "net.npid", "--levels", 5)[0] == 0
    assert nid.CompressedModel.load(saved / "net-K5.npid").codebook.K == 5
    assert cli("quantise", saved / "net.npid", "--levels", 5, "--codebook", "free")[0] == 0
    assert nid.CompressedModel.load(saved / "net-K5-free.npid").codebook.kind == "free"


def test_the_file_that_is_read_is_not_replaced(cli, saved):
    before = (saved / "net.npid").read_bytes()
    code, _, err = cli("quantise", saved / "net.npid", "--levels", 5, "--out", saved / "net.npid")
    assert code == 2
    assert "the file that is read: what is lost in fewer bits would be lost for ever" in err
    assert (saved / "net.npid").read_bytes() == before


@pytest.mark.parametrize(
    "argv",
    [
        ("compress", "{m}", "--out"),
        ("compress", "{m}", "--d", "20", "--out"),
        ("compress", "{record}", "--out"),
        ("quantise", "{net}", "--levels", "3", "--out"),
        ("quantise", "{m}/d_int90.npid", "--levels", "3", "--out"),
        ("plot", "{m}", "--out"),
        ("train", "--d", "5", "--epochs", "1", "--save"),
        ("vectors", "export", "--family", "wht", "--out"),
    ],
)
def test_a_measurements_own_files_are_not_overwritten(cli, saved, measurement, argv, monkeypatch):
    folder = measurement
    record = next((folder / "runs").glob("*.json"))
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    argv = [a.format(m=folder, net=saved / "net.npid", record=record) for a in argv]
    names = [
        "results.csv",
        "summary.json",
        "report.md",
        "d_int90.npid",
        f"runs/{record.name}",
        "runs/new.json",
    ]
    for name in names:
        code, out, err = cli(*argv, folder / name)
        assert (code, out) == (2, [])
        assert "a measurement keeps that file, give another name" in err or "the file that is read" in err
    monkeypatch.chdir(folder)
    assert cli(*argv, "results.csv")[0] == 2
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept


def test_folders_of_results_are_not_put_into_a_measurement(cli, measurement):
    for argv in (
        ("reproduce", "toy", "--out", measurement),
        ("vectors", "export", "--format", "npy", "--family", "wht", "--out", measurement / "runs"),
    ):
        code, out, err = cli(*argv)
        assert (code, out) == (2, [])
        assert "a measurement keeps that file" in err


def test_binary32_is_vacuous_and_it_is_said(cli, saved):
    code, out, _ = cli("certify", saved / "net.npid")
    assert code == 0
    assert "binary32" in out[0]
    assert "theta_d 1,921" in out[1]
    assert any(line.strip() == "vacuous: guessing among 10 classes errs 0.90" for line in out)


def test_a_measurement_is_certified_at_its_crossing(cli, measurement):
    code, out, _ = cli("certify", measurement)
    assert code == 0
    d = nid.CompressedModel.load(measurement / "d_int90.npid").P.d
    assert f"d = {d}, binary32" in out[0]
    assert "seeds 2 " in out[1]
    assert out[-1].endswith("; the bounds do not use it; the run was chosen by it")
    kept = cli("certify", measurement / "d_int90.npid")[1]
    assert kept[1:] == out[1:]


def test_a_test_part_of_training_examples_is_no_test(cli, saved):
    """Where labels are shuffled the test part is the training part: its error says nothing of unseen data."""
    shuffled = ["--data", "digits+shuffled-labels=0.5"]
    out = cli("certify", saved / "net.npid", *shuffled)[1]
    assert out[-1] == (
        "test        none: the 1,297 test examples of digits+shuffled-labels=0.5 are training examples"
    )
    for argv in (("evaluate",), ("quantise", "--levels", "9")):
        command, *options = argv
        assert cli(command, saved / "net.npid", *options, *shuffled)[1][-1].startswith("training performance")
        assert cli(command, saved / "net.npid", *options)[1][-1].startswith("test performance")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("quantise", "nope.npid"), "there is no file nope.npid: one that measure, compress or train"),
        (("quantise", "."), "there is no file .: one that measure, compress or train"),
        (("quantise", "{net}", "--levels", "0"), "K is 0: 1 ≤ K ≤ 128 levels is needed"),
        (("quantise", "{net}", "--levels", "129"), "K is 129: 1 ≤ K ≤ 128 levels is needed"),
        (("quantise", "{net}", "--levels", "3", "--epochs", "-1"), "epochs is -1: epochs ≥ 1 is needed"),
        (("quantise", "{net}", "--levels", "3", "--epochs", "1", "--lr", "0"),
            "lr is 0.0: a positive number"),
        (("quantise", "{net}", "--levels", "3", "--epochs", "1", "--pull", "-1"),
            "pull is -1.0: a number ≥ 0"),
        (("quantise", "{net}", "--epochs", "3"), "--epochs and --codebook need --levels"),
        (("quantise", "{net}", "--tolerance", "2"), "tolerance is 2.0: 0 ≤ tolerance ≤ 1 is needed"),
        (("quantise", "{net}", "--out", "no/such/place"), "--out is no/such/place: there is no folder"),
        (("quantise", "{net}", "--out", "/"), "--out is /: that is a folder, the name of a file is needed"),
        (("quantise", "{net}", "--data", "minst"), "unknown dataset 'minst'"),
        (("quantise", "{net}", "--levels", "3", "--tolerance", "0.1"),
            "--levels and --tolerance exclude each other"),
        (("quantise", "{net}", "--levels", "3", "--lr", "-1"), "--lr and --pull need --epochs"),
        (("quantise", "{net}", "--pull", "0.1"), "--lr and --pull need --epochs"),
        (("certify", "nope.npid"), "there is no file nope.npid: one that measure, compress or train"),
        (("certify", "{net}", "--delta", "1.5"), "delta is 1.5: 0 < δ < 1 is needed"),
        (("certify", "{net}", "--tried", "0"), "tried is 0: tried ≥ 1 is needed"),
        (("certify", "."), "is neither a record nor a folder that npintdim measure made"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(cli, saved, argv, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*(str(a).format(net=saved / "net.npid") for a in argv))
    assert (code, out) == (2, [])
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [("quantise", "--levels", "3"), ("quantise",), ("certify",)])
def test_data_of_another_shape_leave_nothing(cli, tmp_path, argv):
    model = nid.mlp([30, 10], nid.get_backend("numpy"))
    P = nid.make_projection("dense", model.D, 3, 0, model.backend)
    nid.CompressedModel.from_parts(model, 0, P, np.ones(3)).save(tmp_path / "net.npid")
    command, *options = argv
    code, out, err = cli(command, tmp_path / "net.npid", *options)
    assert (code, out) == (2, [])
    assert err.endswith(
        "net.npid is a network for inputs of shape (30,), but digits has (1, 8, 8): which --data was it trained on?\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["net.npid"]


def test_an_altered_code_is_refused(cli, saved, tmp_path):
    coded = tmp_path / "coded.npid"
    cli("quantise", saved / "net.npid", "--levels", "3", "--out", coded)
    content = bytearray(coded.read_bytes())
    content[-40] ^= 1
    coded.write_bytes(content)
    code, _, err = cli("certify", coded)
    assert code == 2
    assert "altered: its checksum does not hold" in err


def test_ctrl_c_leaves_nothing(cli, saved, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("npintdim.objective.SubspaceObjective.loss_and_grad", stop)
    out = tmp_path / "out.npid"
    assert cli("quantise", saved / "net.npid", "--levels", "3", "--epochs", "2", "--out", out)[0] == 130
    assert not out.exists()


def test_one_number_has_no_shorter_code(cli, tmp_path):
    model = nid.mlp([64, 10], nid.get_backend("numpy"))
    P = nid.make_projection("fastfood", model.D, 1, 0, model.backend)
    nid.CompressedModel.from_parts(model, 0, P, np.ones(1)).save(tmp_path / "net.npid")
    code, _, err = cli("quantise", tmp_path / "net.npid", "--tolerance", "0", "--quiet")
    assert code == 2
    assert "error: no code shorter than binary32 reaches 0." in err
