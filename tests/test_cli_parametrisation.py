"""LoRA and its relatives on the command line: trained, measured, compressed; what cannot be is one line."""

import re

import pytest

import npintdim as nid
from npintdim.adapters import ADAPTERS, own_count

text = "\n".join
SMALL = ("--backend", "numpy", "--quiet", "--model", "64-10-10", "--epochs", "1")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_rank_says_how_many_numbers_and_the_file_holds_them(cli, tmp_path):
    code, out, _ = cli("train", *SMALL, "--parametrisation", "lora", "--option", "r=2", "--save", "l.npid")
    assert code == 0 and "d = 188, lora" in text(out)  # 2·(64 + 10) + 2·(10 + 10)
    made = nid.CompressedModel.load("l.npid")
    assert (made.P.kind, made.P.r, made.d) == ("lora", 2, 188)
    told = re.search(r"test performance (0\.\d+) after decoding", text(out))[1]
    code, out, _ = cli("evaluate", "l.npid")
    assert (
        code == 0
        and "lora, d = 188" in text(out)
        and "T seed" in text(out)
        and f"performance {told}" in text(out)
    )
    assert cli("quantise", "l.npid", "--levels", "5")[0] == 0
    code, out, _ = cli("certify", "l-K5.npid")
    assert code == 0 and "lora, d = 188, K = 5 levels" in text(out)


def test_a_number_says_the_rank(cli):
    code, out, _ = cli("train", *SMALL, "--parametrisation", "lora", "--d", "94")
    assert code == 0 and "d = 94, lora" in text(out)


def test_measured_and_compressed(cli):
    argv = (
        *SMALL, "--seeds", "1", "--parametrisation", "said", "--option", "P={'kind': 'onehot'}", "--d",
        "20,60",
    )  # fmt: skip
    code, out, _ = cli("measure", *argv, "--out", "m", "--fraction", "0.01")
    assert code == 0 and "said: 3 runs" in text(out)
    assert re.search(r"compressed  m/.*npid, ", text(out))
    code, out, _ = cli("compress", "m", "--d", "60", "--out", "s.npid")
    assert code == 0 and nid.CompressedModel.load("s.npid").P.spec()["P"] == {"kind": "onehot"}


def test_a_parametrisation_without_d_is_measured_at_its_own_count(cli):
    code, out, _ = cli("measure", *SMALL, "--seeds", "1", "--parametrisation", "only")
    assert code == 0 and "results/digits-64-10-10-only" in text(out) and "d = 20" in text(out)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("train --parametrisation lora", "--parametrisation lora needs --d, or --option r=4"),
        ("train --parametrisation said", "--parametrisation said needs --d$"),
        ("train --parametrisation lora --d 0", "d is 0"),
        ("train --parametrisation lora --d 100", "no rank of lora trains so many numbers here: d = 94 or 188"),
        ("train --parametrisation lora --option r=2 --d 7", "trains 188 numbers of this network, but d is 7"),
        ("train --parametrisation lora --option r=400", "r is 400, but the smallest matrix has"),
        ("train --parametrisation lora --option rank=4", "unknown option of 'lora' 'rank'"),
        ("train --parametrisation lor --d 5", "unknown parametrisation 'lor'.*Did you mean 'lora'"),
        ("train --parametrisation lora --projection fastfood", "--parametrisation lora and --projection fastfood exclude"),
        ("train --parametrisation lora_xs --option r=2 --save x.npid", "no compressed file holds lora_xs"),
        ("measure --parametrisation lora --projection dense", "exclude each other"),
        ("measure --parametrisation lora --d search", "lora trains only the counts of its ranks: --d GRID is needed"),
        ("measure --parametrisation lora --d 94,100", "d is 100, but no rank of lora trains so many numbers"),
        ("train --parametrisation lora --option r=1 --option r=2", "--option r is given twice"),
        ("train --d 9 --save x.npy", "a .npy holds all of theta, and a run in a subspace is saved as FILE.npid"),
        ("measure --base none.npy --d 9", "error: base is none.npy: there is no such file"),
        ("measure --parametrisation said --d 3", "d is 3, but SAID pays 4 scales out of it"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_before_any_work(cli, argv, message, tmp_path):
    name, *rest = argv.split()
    code, out, err = cli(name, *SMALL, *rest)
    assert code != 0 and len(err.splitlines()) == 1 and not text(out).strip()
    assert re.search(message, err.strip()), err
    assert not list(tmp_path.iterdir())


def test_counts_that_a_spec_has_by_itself():
    layout = nid.mlp([64, 10, 10]).layout
    assert own_count({"kind": "lora", "r": 2}, layout) == 188
    assert own_count({"kind": "only", "names": "fc2.*"}, layout) == 110
    for kind in ADAPTERS:
        assert own_count({"kind": kind}, layout) == (20 if kind == "only" else None)
