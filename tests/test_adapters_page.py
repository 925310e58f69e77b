"""The numbers of page 9 follow from the records beside it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import measured, script

import npintdim as nid

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "walkthrough" / "09-from-here-to-lora.md").read_text(encoding="utf-8")
KEPT = json.loads((DOCS / "records" / "adapters" / "fc-and-lenet.json").read_text(encoding="utf-8"))
CASES = {
    "Fastfood": "Fastfood-DID-", "one-hot": "one-hot", "SAID": "SAID", "SubLoRA, r = 4": "SubLoRA-r-4",
    "Uni-LoRA, r = 4": "Uni-LoRA-r-4", "LoRA-XS": "LoRA-XS", "VeRA": "VeRA", "LoRA-FA": "LoRA-FA", "LoRA": "LoRA",
    "d coordinates at random": "coordinates",
}  # fmt: skip
ROWS = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+: \.\d+[^|]*) \|$", PAGE, re.MULTILINE))
READ = re.findall(r"^\| (FC|LeNet), [^|]* \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)


def accuracies(case):
    return {int(d): np.mean(p) for d, p in KEPT["adapters"][case]["accuracy by d (0: all D)"].items()}


@pytest.mark.parametrize("method", CASES)
def test_accuracies(method):
    told = {int(d.replace(",", "")): float(p) for d, p in re.findall(r"([\d,]+): (\.\d+)", ROWS[method])}
    kept = accuracies(CASES[method])
    del kept[0]
    assert told.keys() == kept.keys()
    for d, p in told.items():
        assert p == pytest.approx(kept[d], abs=6e-4)


def test_the_two_parts_that_are_trained_alone():
    told = dict(re.findall(r"(410|2,010): (\.\d+)", ROWS["biases only; last layer only"]))
    assert float(told["410"]) == pytest.approx(accuracies("biases-only")[410], abs=6e-4)
    assert float(told["2,010"]) == pytest.approx(accuracies("last-layer-only")[2010], abs=6e-4)


PRETRAINED = [("fc", "5-9"), ("fc", "rotated"), ("lenet", "5-9"), ("lenet", "rotated"), ("cifar", "cifar")]


def test_what_pre_training_changes():
    for (name, *told), (net, task) in zip(READ, PRETRAINED, strict=True):
        assert name == {"fc": "FC"}.get(net, "LeNet")
        for text, how in zip(told, ["from-scratch", "pre-trained"], strict=True):
            kept = KEPT[f"pretraining-{net}"][f"{task}-{how}"]
            if (net, task) == ("fc", "rotated"):  # measured with d = 800 too
                kept = KEPT["pretraining-length"][
                    "FC-from-scratch" if how == "from-scratch" else "FC-5-epochs"
                ]
            found = {name: f"{x:,}" if x else None for name, x in kept["d_int90"].items()}
            if found["d"] is None:
                assert text == f"above {found['low']}"
            else:
                assert text == "{d} ({low} to {high})".format(**found)


CIFAR = ("cifar-pre-trained-for-2-epochs", "cifar-from-scratch")


def test_what_the_text_says_of_cifar():
    kept = KEPT["pretraining-cifar"]["cifar-pre-trained"]["accuracy by d (0: all D)"]
    means = {int(d): np.mean(p) for d, p in kept.items()}
    assert "4,000 reach " + f"{means[4_000]:.3f}"[1:] in PAGE
    assert round(100 * means[4_000] / means[0]) == 87 and max(means[d] for d in means if d) == means[4_000]
    assert [round(kept[d][2], 2) for d in ("250", "500", "1000")] == [0.20, 0.33, 0.49]
    assert all(0.53 < p < 0.68 for d in ("250", "500", "1000") for p in kept[d][:2])
    own = [KEPT["pretraining-cifar"][case]["accuracy by d (0: all D)"] for case in CIFAR]
    two, none = ([f"{np.mean(kept[d]):.3f}"[1:] for d in ("1000", "2000", "4000")] for kept in own)
    assert "{}, {} and {} at 1,000, 2,000 and 4,000, from scratch {}, {} and {}".format(*two, *none) in PAGE
    assert "JPEG of quality 75, not\nbit for bit the archive" in PAGE


# ---- the tables that docs/records/adapters/keep.py writes ----
KEEP = script(DOCS / "records" / "adapters" / "keep.py")
SIZES = json.loads(KEEP.BYTES.read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_records():
    assert KEEP.on_page(PAGE, KEPT, SIZES) == PAGE


def cells(row):
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize("tasks", [KEEP.OF_FC, KEEP.OF_LENET])
def test_what_90_percent_needs_is_above_the_line_and_the_size_before_is_not(tasks):
    """Recomputed here: means against .9 × the mean of direct training."""
    table = {name: own for name, *own in map(cells, KEEP.needed(KEPT, tasks).splitlines()[2:])}
    for method, case in (
        ("LoRA", "LoRA"),
        ("VeRA", "VeRA"),
        ("LoRA-FA", "LoRA-FA"),
        ("last layer only", "last-layer-only"),
    ):
        for text, task in zip(table[method], tasks, strict=True):
            kept = KEPT[task][case]["accuracy by d (0: all D)"]
            means = {int(d): np.mean(p) for d, p in kept.items()}
            line = 0.9 * means.pop(0)
            if text.startswith("none up to "):
                assert max(means.values()) < line
            else:
                first = int(text.partition(", r")[0].replace(",", ""))
                assert means[first] >= line
                assert all(p < line for d, p in means.items() if d < first)


def test_every_method_was_measured_on_every_task():
    methods = {KEEP.folder_of(label) for label in KEEP.METHODS}
    assert len(methods) == 13
    for task in KEEP.TASKS:
        assert KEPT[task].keys() == methods
        for kept in KEPT[task].values():
            found = {d: len(p) for d, p in kept["accuracy by d (0: all D)"].items()}
            assert found.pop("0") == 3 and set(found.values()) <= {2, 3}
            assert kept["lr"].keys() > {"direct"}


def test_ranks_have_their_counts():
    assert KEEP.rank("LoRA", "adapters", 3_188) == ", r = 2"
    assert KEEP.rank("LoRA", "adapters-lenet", 1_742) == ", r = 2"
    assert KEEP.rank("VeRA", "adapters", 3 * 64 + 410) == ", r = 64"
    assert KEEP.rank("biases only", "adapters", 410) == ""


@pytest.mark.parametrize("task", SIZES)
def test_bytes_are_those_of_files(task):
    """d numbers of 4 bytes, and what stands before them; a code is shorter and loses little."""
    assert SIZES[task].keys() == KEPT[task].keys()
    for method, own in SIZES[task].items():
        if isinstance(own, str):
            assert method == "LoRA-XS" and own.startswith("no compressed file holds lora_xs")
            continue
        for d, runs in own.items():
            assert len(runs) == 2
            kept = KEPT[task][method]["accuracy by d (0: all D)"][d]
            for (whole, accuracy, coded, after, K, kind), p in zip(
                sorted(runs, key=lambda r: r[1]), sorted(kept), strict=True
            ):
                assert 250 < whole - 4 * int(d) < 450
                assert coded < whole and K <= 128 and kind == "uniform"
                assert accuracy == pytest.approx(p, abs=2e-3)
                assert K == 128 or after > accuracy - 0.03  # 128: where no fewer are enough


def test_the_smallest_files_above_the_line():
    """Recomputed here: no smaller file that was tried is above the line."""
    tasks = [task for task in KEEP.TASKS if task in SIZES]
    table = {name: own for name, *own in map(cells, KEEP.smallest(KEPT, SIZES).splitlines()[2:])}
    assert "LoRA-XS" not in table and len(table) == 12
    for label, texts in table.items():
        for task, text in zip(tasks, texts, strict=True):
            own, kept = SIZES[task][KEEP.folder_of(label)], KEPT[task][KEEP.folder_of(label)]
            line = 0.9 * np.mean(kept["accuracy by d (0: all D)"]["0"])
            found = {d: np.mean([run[2:4] for run in runs], axis=0) for d, runs in own.items()}
            good = [size for size, accuracy in found.values() if accuracy >= line]
            told = int(re.search(r"[\d,]+", text)[0].replace(",", ""))
            assert told == pytest.approx(
                min(good) if good else max(size for size, _ in found.values()), abs=0.51
            )
            assert text.startswith("none up to ") == (not good)


def test_what_the_text_says_of_the_smallest_files():
    table = {name: own for name, *own in map(cells, KEEP.smallest(KEPT, SIZES).splitlines()[2:])}
    size = {
        label: [int(t.partition(" (")[0].replace(",", "")) if t[0] != "n" else np.inf for t in texts]
        for label, texts in table.items()
    }
    shares = []
    for k in range(len(DIGITS)):
        best = min(size, key=lambda label: size[label][k])
        assert best in (*OF_THETA, *OF_LORA)
        shares.append(min(size["LoRA"][k], size["rsLoRA"][k]) / size[best][k])
    assert (round(min(shares), 1), round(max(shares), 1)) == (1.6, 3.0)
    assert "takes 1.6 to 3 times as many bytes" in PAGE


def test_what_the_text_says_of_bytes_and_lengths():
    bits = [
        float(row[6]) for row in map(cells, KEEP.files(SIZES["adapters-scratch"]).splitlines()[2:]) if row[6]
    ]
    assert (
        len(bits) == 12
        and all(3.5 < b < 6.5 for b in bits)
        and "Four to six bits a number do for every method" in PAGE
    )
    length, lenet = KEPT["pretraining-length"], KEPT["pretraining-lenet"]
    read = {name: case["d_int90"] for name, case in length.items()}
    assert [read[f"LeNet-{n}-000-images"]["d"] for n in (10, 3, 1)] == [189, 220, 283]
    assert "10,000, 3,000 and 1,000 of them d_int90 is 189, 220 and 283" in PAGE
    scratch = lenet["rotated-from-scratch"]["d_int90"]
    assert (scratch["d"], read["LeNet-1-epoch"]["d"]) == (230, 195)
    assert all(
        170 < d < 175 for d in (read["LeNet-3-epochs"]["d"], lenet["rotated-pre-trained"]["d_int90"]["d"])
    )
    assert lenet["rotated-pre-trained"]["d_int90"]["high"] < read["LeNet-30-epochs"]["low"]  # five and thirty
    assert read["LeNet-1-000-images"]["low"] < scratch["high"]  # they just meet
    assert (read["FC-30-epochs"]["d"], read["FC-from-scratch"]["d"]) == (587, 417)
    assert read["FC-from-scratch"]["high"] < read["FC-30-epochs"]["low"]


def read_at(task, *labels):
    return [KEPT[task][KEEP.folder_of(label)]["d_int90"] for label in labels]


OF_THETA, OF_LORA = ("Fastfood (DID)", "one-hot", "SAID"), ("Uni-LoRA, r = 4", "SubLoRA, r = 4")
DIGITS = [task for task in KEEP.TASKS if task != "adapters-cifar"]


@pytest.mark.parametrize("task", DIGITS)
def test_what_the_text_says_of_subspaces(task):
    """Those of θ need the fewest, and about as many as each other; LoRA's first rank is far above."""
    own = read_at(task, *OF_THETA)
    for a in own:
        for b in own:
            apart = a["high"] < b["low"] or b["high"] < a["low"]
            assert apart <= (task == "adapters-rotated" and own[2] in (a, b))  # SAID, images turned
    others = [
        KEEP.above(kept) or np.inf
        for label, kept in ((label, KEPT[task][KEEP.folder_of(label)]) for label in KEEP.METHODS)
        if label not in KEEP.ANY_D
    ]
    lora_xs = KEEP.above(KEPT[task]["LoRA-XS"])
    assert min(others) > min(found["d"] for found in own) or min(others) == lora_xs
    assert KEEP.above(KEPT[task]["LoRA"]) > 2 * max(found["d"] for found in own)


def test_what_the_text_says_of_methods_on_cifar():
    own = KEPT["adapters-cifar"]
    for label, told in (("Uni-LoRA-r-4", "Uni-LoRA takes"), ("one-hot", "one-hot")):
        assert f"{told} {KEEP.read(own[label]['d_int90'], [])}" in PAGE
    assert KEEP.above(own["LoRA"]) == KEEP.above(own["rsLoRA"]) == 2_130
    assert KEEP.above(own["Fastfood-DID-"]) is KEEP.above(own["SAID"]) is None
    sub = own["SubLoRA-r-4"]["accuracy by d (0: all D)"]
    assert sorted(round(p, 2) for d in ("2000", "4000") for p in sub[d]) == [0.2, 0.2, 0.2, 0.6]


def test_what_the_text_says_of_subspaces_of_factors():
    for task in ("adapters", "adapters-rotated", "adapters-lenet", "adapters-lenet-digits"):
        best = min(found["high"] for found in read_at(task, *OF_THETA[:2]))
        assert all((found["low"] or 0) <= best for found in read_at(task, *OF_LORA))
    fastfood, sub = (read_at("adapters-scratch", label)[0] for label in ("Fastfood (DID)", "SubLoRA, r = 4"))
    assert (sub["d"], fastfood["d"]) == (1_107, 533) and fastfood["high"] < sub["low"]
    assert "(SubLoRA 1,107, Fastfood 533, and the intervals do not meet)" in PAGE
    for task in ("adapters-lenet", "adapters-lenet-digits"):
        assert KEEP.above(KEPT[task]["LoRA-XS"]) == 180
    assert KEEP.above(KEPT["adapters-lenet-scratch"]["LoRA-XS"]) is None


def test_only_the_runs_of_the_last_recipe_are_kept(tmp_path):
    """A folder keeps the runs of an earlier recipe too, at another rate say."""
    recipe = nid.Recipe(
        "digits",
        {"architecture": "mlp", "sizes": [64, 10]},
        (20,),
        seeds=1,
        direct_seeds=1,
        epochs=1,
        fraction=0.1,
    )
    first, last = (
        measured(replace(recipe, optimizer=nid.Adam(lr).spec()), tmp_path).performances()[20]
        for lr in (3e-2, 1e-4)
    )
    assert first[0] != last[0] and len(list((tmp_path / "runs").glob("*.json"))) == 3
    assert KEEP.case(tmp_path)["accuracy by d (0: all D)"]["20"] == [round(float(last[0]), 4)]
