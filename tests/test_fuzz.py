"""Seeded damage to compressed files, and odd command lines: a documented error, or the right answer."""

import shutil

import numpy as np
import pytest
from fuzz import damaged
from helpers import command
from test_compress_refusals import seal

import npintdim as nid
from npintdim.artefact import mdl
from npintdim.artefact.fileformat import FormatError

NUMPY = nid.get_backend("numpy")


def layered():
    """A network that is spelled layer by layer."""
    layers = [nid.Conv2D(1, 2, 3, stride=2), nid.ReLU(), nid.MaxPool2D(2), nid.Flatten(), nid.Linear(2, 3)]
    model = nid.Model(layers, (1, 6, 6), NUMPY)
    P = nid.make_projection("sparse", model.D, 3, 7, NUMPY, density=0.5)
    return nid.CompressedModel.from_parts(model, 5, P, np.ones(3))


def variety():
    """Files of every kind of P, of both versions, and of three kinds of network."""
    dense, fastfood = (
        nid.CompressedModel.from_parts(
            model, 5, nid.make_projection(kind, model.D, 4, 7, NUMPY), np.arange(4.0)
        )
        for model, kind in (
            (nid.mlp([2, 3, 2], NUMPY), "dense"),
            (nid.lenet((1, 16, 16), 3, NUMPY), "fastfood"),
        )
    )
    coded = mdl.quantise(fastfood, "uniform", 3)
    return [found.to_bytes() for found in (dense, fastfood, coded, layered())]


def outcome(path, data):
    """What a file is read as; its FormatError, or the network that writes just these bytes."""
    path.write_bytes(data)
    try:
        found = nid.CompressedModel.load(path, backend=NUMPY)
    except FormatError as error:
        assert str(error).startswith(f"{path}: ")
        return None
    assert found.to_bytes() == data
    return found


def test_damaged_files_are_refused(tmp_path):
    rng, files = np.random.default_rng(1), variety()
    for k in range(1200):
        data = damaged(files[k % len(files)], rng)
        assert (outcome(tmp_path / "net.npid", data) is None) == (data not in files)


def test_damage_under_a_checksum_that_holds_is_refused_too(tmp_path):
    """Or it does not matter, which only a change of θ_d's code or of an option of no consequence for θ can be."""
    rng, files = np.random.default_rng(2), variety()
    for k in range(1200):
        data = damaged(files[k % len(files)][:-32], rng)
        outcome(tmp_path / "net.npid", seal(data) if len(data) > 22 else data)


VALUES = (
    *["a", "..", "/", "0", "-1", "1", "2", "3", "1e9", "1.5", "nan", "inf", "-inf", "é", "None", "[", "[]", "{}", "=", "--", "-", "x=1", "1,2", "0.5", "99999999999999999999"],
    "", " ", "\udcff", "x" * 5000, "\n", "digits", "mnist+shuffled-labels=2", "numpy", "cupy", "64-16-10", "wht", "net.npid",
)  # fmt: skip
LINES = (
    "evaluate net.npid --backend numpy", "evaluate net.npid --data digits --threads 1",
    "certify net.npid --delta 0.1 --tried 5", "certify coded.npid --backend numpy",
    "quantise net.npid --levels 3 --codebook free --out o.npid",
    "compress net.npid --d 3 --repetition 1 --out o.npid", "plot a b --kind nets --label x --out o.png",
    "train --data digits --model 64-16-10 --d 5 --lr 0.1 --epochs 1 --batch-size 9 --l2 0 --save o.npid",
    "train --optimizer sgd --projection sparse --option density=0.5 --seed 3 --d 4",
    "measure --d 5,9 --seeds 1 --epochs 1 --fraction 0.9 --jobs 1 --out o",
    "measure --threshold 0.5 --lr 0.1 --direct-lr 0.1 --l2 0.1 --dtype float64 --out o",
    "vectors list --family wht --level given",
    "vectors export --family wht --format json --questions --out o.json",
    "vectors check net.npid --family wht", "info --backend numpy --dtype float32",
    "reproduce toy --quick --seed 1 --jobs 1 --out o",
    "toy --projection dense --draws 3 --blocks single --out o", "bench --seconds 0.1 --threads 1",
    "check --d 3 --model 64-5-10 --projection fastfood --option blocks=single",
)  # fmt: skip


class BeganError(ValueError):
    """Everything that was asked is right, and work would begin."""


@pytest.fixture
def no_work(monkeypatch):
    def began(*arguments, **options):
        raise BeganError("work begins")

    for name in ("train.train_run", "measure.measured", "toy.explore", "bench.bench", "check.dot_test"):
        monkeypatch.setattr(f"npintdim.cli.{name}", began)
    monkeypatch.setattr("npintdim.reproduce.toy.least_shares", began)


def test_odd_command_lines_end_in_one_line(tmp_path, monkeypatch, capsys, no_work):
    monkeypatch.chdir(tmp_path)
    model = nid.mlp([64, 16, 10], NUMPY)
    P = nid.make_projection("fastfood", model.D, 6, 7, NUMPY)
    found = nid.CompressedModel.from_parts(model, 5, P, np.arange(6.0))
    found.save("net.npid")
    mdl.quantise(found, "uniform", 3).save("coded.npid")
    rng, n = np.random.default_rng(4), 0
    kept = {name: (tmp_path / name).read_bytes() for name in ("net.npid", "coded.npid")}
    for k in range(950):
        words = LINES[k % len(LINES)].split(" ")
        for _ in range(1 + int(rng.integers(0, 2))):
            i = int(rng.integers(1, len(words) + 1))
            other = VALUES[int(rng.integers(0, len(VALUES)))]
            words[i : i + int(rng.integers(0, 2))] = [other] * int(rng.integers(0, 5) > 0)
        code, _, err = command(capsys, *words)
        assert code in (0, 1, 2), words
        assert "Traceback" not in err
        if code == 2:
            n += 1
            last = err.splitlines()[-1] if err else ""
            assert "error: " in err or "usage: " in err, (words, last)
        for name in set(tmp_path.iterdir()) - {tmp_path / name for name in kept}:
            shutil.rmtree(name) if name.is_dir() else name.unlink()
        for name, content in kept.items():
            (tmp_path / name).write_bytes(content)
    assert n > 400
