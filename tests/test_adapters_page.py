"""The numbers of page 9 follow from the records beside it."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

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


def test_what_pre_training_changes():
    assert len(READ) == 4
    for (net, *told), task in zip(READ, ["5-9", "rotated"] * 2, strict=True):
        for text, how in zip(told, ["from-scratch", "pre-trained"], strict=True):
            kept = KEPT[f"pretraining-{net.lower()}"][f"{task}-{how}"]
            if (net, task) == ("FC", "rotated"):  # measured with d = 800 too
                kept = KEPT["pretraining-length"][
                    "FC-from-scratch" if how == "from-scratch" else "FC-5-epochs"
                ]
            found = kept["d_int90"]
            if found["d"] is None:
                assert text == f"above {found['low']}"
            else:
                assert text == "{d} ({low} to {high})".format(**found)


# ---- the tables that docs/records/adapters/keep.py writes ----
def keeper():
    spec = importlib.util.spec_from_file_location("keep_adapters", DOCS / "records" / "adapters" / "keep.py")
    keep = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(keep)
    return keep


KEEP = keeper()
SIZES = json.loads(KEEP.BYTES.read_text(encoding="utf-8"))["adapters-scratch"]


def test_the_tables_are_those_of_the_records():
    assert KEEP.on_page(PAGE, KEPT, SIZES) == PAGE


def cells(row):
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_what_90_percent_needs_is_above_the_line_and_the_size_before_is_not():
    """Recomputed here: means against .9 × the mean of direct training."""
    table = {name: own for name, *own in map(cells, KEEP.needed(KEPT).splitlines()[2:])}
    for method, case in (("LoRA", "LoRA"), ("VeRA", "VeRA"), ("LoRA-FA", "LoRA-FA")):
        for text, task in zip(table[method], KEEP.TASKS, strict=False):
            if text == "–":  # not measured
                assert case not in KEPT[task]
                continue
            kept = KEPT[task][case]["accuracy by d (0: all D)"]
            means = {int(d): np.mean(p) for d, p in kept.items()}
            line = 0.9 * means.pop(0)
            if text.startswith("none up to "):
                assert max(means.values()) < line
            else:
                first = int(text.partition(", r")[0].replace(",", ""))
                assert means[first] >= line
                assert all(p < line for d, p in means.items() if d < first)


def test_ranks_have_their_counts():
    assert KEEP.rank("LoRA", "adapters", 3_188) == ", r = 2"
    assert KEEP.rank("LoRA", "adapters-lenet", 1_742) == ", r = 2"
    assert KEEP.rank("VeRA", "adapters", 3 * 64 + 410) == ", r = 64"
    assert KEEP.rank("biases only", "adapters", 410) == ""


def test_bytes_are_those_of_files():
    """d numbers of 4 bytes, and what stands before them; a code is shorter and loses little."""
    for method, own in SIZES.items():
        if isinstance(own, str):
            assert method == "LoRA-XS" and own.startswith("no compressed file holds lora_xs")
            continue
        for d, runs in own.items():
            assert len(runs) == 2
            kept = KEPT["adapters-scratch"][method]["accuracy by d (0: all D)"][d]
            for (whole, accuracy, coded, after, K, kind), p in zip(
                sorted(runs, key=lambda r: r[1]), sorted(kept), strict=True
            ):
                assert 250 < whole - 4 * int(d) < 450
                assert coded < whole and K <= 128 and kind == "uniform"
                assert accuracy == pytest.approx(p, abs=2e-3)
                assert K == 128 or after > accuracy - 0.03  # 128: where no fewer are enough


def test_what_the_text_says_of_bytes_and_lengths():
    numbers = {
        method: {d: np.mean([run[2] for run in runs]) for d, runs in own.items()}
        for method, own in SIZES.items()
        if method in ("VeRA", "LoRA")
    }
    assert (
        f"VeRA's of {round(numbers['VeRA']['1178']):,} bytes or LoRA's of {round(numbers['LoRA']['3188']):,} (r = 2)"
        in PAGE
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


def test_what_the_text_says_of_lenet():
    own = KEPT["adapters-lenet"]
    read = [own[KEEP.folder_of(label)]["d_int90"]["d"] for label in KEEP.ANY_D if label != "coordinates"]
    assert (min(read), max(read)) == (170, 197) and "In LeNet they need 170 to 197" in PAGE
    assert KEEP.above(own["LoRA-XS"]) == 180 and KEEP.above(own["LoRA"]) == 871
