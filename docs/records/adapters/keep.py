"""Keep what `npintdim reproduce adapters...` has found in a few kB: python docs/records/adapters/keep.py FOLDER [NAME ...].

FOLDER has a folder for each NAME (adapters, adapters-scratch, ...), as --out gives it. fc-and-lenet.json gets of each case
the performances by d, the learning rates that were tried and d_int90; with --bytes, bytes.json gets the files of the
networks that were trained from scratch: float32, and with the fewest uniform levels that lose .005 on training examples.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

from npintdim import get_backend, load_dataset
from npintdim.adapters import ADAPTERS, rank_of
from npintdim.artefact.mdl import quantise
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.landscape import Batch
from npintdim.measurement.measure import compress_run
from npintdim.measurement.runs import RunSpec
from npintdim.plots import methods_figure, save
from npintdim.reproduce.adapters import FAMILIES, FC, LENET, METHODS, REPRODUCED

HERE = Path(__file__).parent
KEPT, BYTES = HERE / "fc-and-lenet.json", HERE / "bytes.json"
PAGE = HERE.parents[1] / "walkthrough" / "09-from-here-to-lora.md"
TASKS = {
    "adapters": "FC, 5–9 after 0–4", "adapters-rotated": "FC, rotated after upright", "adapters-scratch": "FC from scratch",
    "adapters-lenet": "LeNet, rotated after upright",
}  # fmt: skip
ANY_D = ("Fastfood (DID)", "one-hot", "SAID", "Uni-LoRA, r = 4", "SubLoRA, r = 4", "coordinates")
LEVELS, LOST = (3, 5, 7, 10, 14, 20, 28, 40, 64, 128), 0.005
IMAGES = HERE.parents[1] / "img"
TOLD = {name: one.title.rpartition(": ")[2] for name, one in REPRODUCED.items()}


def folder_of(label):
    """Of a case."""
    return re.sub(r"[^\w.+-]+", "-", label)


def case(folder):
    """Performances by d, rates by d, and d_int90; beyond what was tried there is no d, and one end of the interval."""
    found, summary = {}, json.loads((folder / "summary.json").read_text())
    for path in sorted((folder / "runs").glob("*.json")):
        record = json.loads(path.read_text())
        spec = record["spec"]
        if "holdout" not in spec:
            found.setdefault(spec.get("d", 0), {})[spec.get("seed", 0)] = record["performance"]
    rates = {
        str(r["d"] or "direct"): dict(
            zip(map(str, r["tried"]), (round(p, 4) for p in r["performance"]), strict=True)
        )
        for r in summary["rates"]
    }
    read = {name: summary["d_int"][name] for name in ("d", "low", "high")}
    return {
        "accuracy by d (0: all D)": {
            str(d): [p for _, p in sorted(own.items())] for d, own in sorted(found.items())
        },
        "lr": rates,
        "d_int90": {
            name: round(x) if isinstance(x, float) and np.isfinite(x) else None for name, x in read.items()
        },
    }


def bytes_of(folder, test, examples):
    """By d, of each run: bytes and accuracy of the file in float32, and of the coded one."""
    backend, found = get_backend("numba"), {}
    for path in sorted((folder / "runs").glob("*.json")):
        record = json.loads(path.read_text())
        spec = RunSpec.from_spec(record["spec"])
        if spec.d is None or spec.holdout is not None or record["status"] != "finished":
            continue
        try:
            whole = compress_run(folder, spec, backend)
        except ValueError as error:
            return str(error)
        coded = shortest(whole, examples)
        row = [x for c in (whole, coded) for x in (len(c.to_bytes()), round(c.evaluate(test).performance, 4))]
        found.setdefault(str(spec.d), []).append([*row, coded.codebook.K, coded.codebook.kind])
    return found


def shortest(whole, examples):
    """Of so many uniform levels the fewest that lose at most LOST on the training examples."""
    needed = whole.evaluate(examples).performance - LOST
    coded = (quantise(whole, "uniform", K) for K in LEVELS)
    return next(c for c in coded if c.evaluate(examples).performance >= needed or LEVELS[-1] == c.codebook.K)


def runs_of(kept):
    """Performances by d, without direct training."""
    return {int(d): p for d, p in kept["accuracy by d (0: all D)"].items() if d != "0"}


def draw(kept, name):
    """Accuracy against trained numbers of one task."""
    own = kept[name]
    families = {
        family: {label: runs_of(own[folder_of(label)]) if folder_of(label) in own else {} for label in labels}
        for family, labels in FAMILIES.items()
    }
    direct = own["LoRA"]["accuracy by d (0: all D)"]["0"]
    save(methods_figure(families, direct, TOLD[name]), IMAGES / f"{name}.png")
    (IMAGES / f"{name}.svg").unlink()


def by_bytes(rows):
    """Accuracies after coding, by the mean bytes of the two files; none where there are no files."""
    if isinstance(rows, str):
        return {}
    return {round(np.mean([row[2] for row in own])): [row[3] for row in own] for own in rows.values()}


def draw_bytes(kept, sizes):
    """Accuracy against bytes of the coded files."""
    families = {
        family: {label: by_bytes(sizes[folder_of(label)]) for label in labels}
        for family, labels in FAMILIES.items()
    }
    direct = kept["adapters-scratch"]["LoRA"]["accuracy by d (0: all D)"]["0"]
    save(
        methods_figure(families, direct, TOLD["adapters-scratch"], counted="bytes"),
        IMAGES / "adapters-bytes.png",
    )
    (IMAGES / "adapters-bytes.svg").unlink()


def read(found, tried):
    """d_int90 with its interval, as the page tells it."""
    d, low, high = (found[name] for name in ("d", "low", "high"))
    if d is None:
        return f"above {low:,}" if low else f"above {max(tried):,}"
    if low is None or high is None:
        return f"{d:,}" + (f" (above {low:,})" if low else f" (up to {high:,})" if high else "")
    return f"{d:,} ({low:,} to {high:,})"


def above(kept):
    """The smallest count tried whose mean is above 90 % of direct training, or None."""
    line = 0.9 * np.mean(kept["accuracy by d (0: all D)"]["0"])
    return min((d for d, p in runs_of(kept).items() if np.mean(p) >= line), default=None)


def needed(kept):
    """d_int90 where d can be any, else the smallest count tried that is above the line, by method and task."""
    tasks = [name for name in TASKS if name in kept]
    rows = [
        "| method | " + " | ".join(TASKS[name] for name in tasks) + " |",
        "| --- |" + " --: |" * len(tasks),
    ]
    for family in FAMILIES.values():
        for label in family:
            cells = []
            for name in tasks:
                own = kept[name].get(folder_of(label))
                if own is None:
                    cells.append("–")
                elif label in ANY_D:
                    cells.append(read(own["d_int90"], runs_of(own)))
                else:
                    first = above(own)
                    cells.append(
                        f"none up to {max(runs_of(own)):,}"
                        if first is None
                        else f"{first:,}{rank(label, name, first)}"
                    )
            rows.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def rank(label, name, d):
    """The r of a count, in the net of a task."""
    if label in ("biases only", "last layer only"):
        return ""
    model = model_from_spec(LENET if "lenet" in name else FC)
    kind = ADAPTERS[METHODS[label][1]["kind"]]
    return f", r = {rank_of(kind, model.layout, d)}"


def lengths(kept):
    """d_int90 by length of the pre-training."""
    own, lenet, fc = kept["pretraining-length"], kept["pretraining-lenet"], kept["pretraining-length"]
    told = {
        "none": (lenet["rotated-from-scratch"], fc["FC-from-scratch"]),
        "30,000 images, 1 epoch": (own["LeNet-1-epoch"], None),
        "30,000 images, 3 epochs": (own["LeNet-3-epochs"], None),
        "30,000 images, 5 epochs": (lenet["rotated-pre-trained"], fc["FC-5-epochs"]),
        "30,000 images, 10 epochs": (own["LeNet-10-epochs"], None),
        "30,000 images, 30 epochs": (own["LeNet-30-epochs"], fc["FC-30-epochs"]),
        "10,000 images, as many steps as 5 epochs": (own["LeNet-10-000-images"], None),
        "3,000 images, as many steps as 5 epochs": (own["LeNet-3-000-images"], None),
        "1,000 images, as many steps as 5 epochs": (own["LeNet-1-000-images"], None),
    }
    rows = ["| pre-training | LeNet | direct | FC | direct |", "| --- | --: | --: | --: | --: |"]
    for what, cases in told.items():
        cells = [
            text
            for one in cases
            for text in (
                ("", "")
                if one is None
                else (
                    read(one["d_int90"], runs_of(one)),
                    f"{np.mean(one['accuracy by d (0: all D)']['0']):.3f}"[1:],
                )
            )
        ]
        rows.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def files(sizes):
    """Bytes and accuracy of the networks trained from scratch, the mean over runs: at each method's largest count."""
    rows = [
        "| method | trained | float32 | accuracy | coded | accuracy | bits a number |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for label in (label for family in FAMILIES.values() for label in family):
        own = sizes[folder_of(label)]
        if isinstance(own, str):
            rows.append(f"| {label} | – | no file: {own.partition(': ')[2].partition(',')[0]} | | | | |")
            continue
        d = max(own, key=int)
        whole, accuracy, coded, after = (float(np.mean([row[k] for row in own[d]])) for k in range(4))
        bits = 8 * (coded - (whole - 4 * int(d))) / int(d)
        rows.append(
            f"| {label} | {int(d):,} | {whole:,.0f} | {accuracy:.3f} | {coded:,.0f} | {after:.3f} | {bits:.1f} |".replace(
                "| 0.", "| ."
            )
        )
    return "\n".join(rows)


def on_page(page, kept, sizes):
    """The page with the tables as they are now."""
    for name, table in (("needed", needed(kept)), ("lengths", lengths(kept)), ("files", files(sizes))):
        begin, end = f"<!-- {name}, by docs/records/adapters/keep.py -->", "<!-- its end -->"
        before, found, rest = page.partition(begin)
        assert found, name
        page = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return page


def lines(kept):
    """JSON with a case on a line."""
    parts = (
        f" {json.dumps(name)}: {{\n"
        + ",\n".join(f"  {json.dumps(c)}: {json.dumps(x)}" for c, x in own.items())
        + "\n }"
        for name, own in kept.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    source, *names = (text for text in sys.argv[1:] if text != "--bytes")
    kept = json.loads(KEPT.read_text())
    for name in names:
        folders = sorted(path for path in (Path(source) / name).iterdir() if (path / "summary.json").exists())
        kept[name] = {folder.name: case(folder) for folder in folders}
    KEPT.write_text(lines(kept))
    if "--bytes" in sys.argv:
        data = load_dataset("mnist", limit_train=30_000)
        examples = Batch(data.train.x[:5_000], data.train.labels[:5_000])
        folders = sorted(path for path in (Path(source) / "adapters-scratch").iterdir() if path.is_dir())
        found = {folder.name: bytes_of(folder, data.test, examples) for folder in folders}
        BYTES.write_text(lines({"adapters-scratch": found}))
    for name in kept:
        if name.startswith("adapters"):
            draw(kept, name)
    sizes = json.loads(BYTES.read_text())["adapters-scratch"]
    draw_bytes(kept, sizes)
    PAGE.write_text(on_page(PAGE.read_text(), kept, sizes))
