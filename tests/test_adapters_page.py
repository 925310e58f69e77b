"""The numbers of page 9 follow from the records beside it."""

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
            found = KEPT[f"pretraining-{net.lower()}"][f"{task}-{how}"]["d_int90"]
            if found["d"] is None:
                assert text == f"above {found['low']}"
            else:
                assert text == "{d} ({low} to {high})".format(**found)
