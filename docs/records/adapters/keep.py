"""Keep what `npintdim reproduce adapters...` has found in a few kB: python docs/records/adapters/keep.py FOLDER [NAME ...].

FOLDER has a folder for each NAME (adapters, adapters-scratch, ...), as --out gives it. fc-and-lenet.json gets of each case
the performances by d, the learning rates that were tried and d_int90; with --bytes, bytes.json gets instead the files of
each NAME's networks: float32, and with the fewest uniform levels that lose .005 on training examples.
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
from npintdim.measurement.report import keys_in
from npintdim.measurement.runs import RunSpec
from npintdim.plots import methods_figure, save
from npintdim.reproduce import REPRODUCTIONS
from npintdim.reproduce.adapters import ANY_D, FAMILIES, METHODS

HERE = Path(__file__).parent
KEPT, BYTES = HERE / "fc-and-lenet.json", HERE / "bytes.json"
PAGE = HERE.parents[1] / "walkthrough" / "09-from-here-to-lora.md"
TASKS = {
    "adapters": "5–9 after 0–4", "adapters-rotated": "rotated after upright", "adapters-scratch": "from scratch",
    "adapters-lenet-digits": "5–9 after 0–4", "adapters-lenet": "rotated after upright",
    "adapters-lenet-scratch": "from scratch", "adapters-cifar": "CIFAR-10 (as JPEG), five classes after five",
}  # fmt: skip
OF_FC, OF_LENET = list(TASKS)[:3], list(TASKS)[3:]
EXAMPLES = 5_000
LEVELS, LOST = (3, 5, 7, 10, 14, 20, 28, 40, 64, 128), 0.005
IMAGES = HERE.parents[1] / "img"
TOLD = {name: one.title.rpartition(": ")[2] for name, one in REPRODUCTIONS.items()}
TOLD["adapters-cifar"] += " (images as JPEG)"  # not the published bytes


def folder_of(label):
    """Of a case."""
    return re.sub(r"[^\w.+-]+", "-", label)


def records(folder):
    """Of the recipe that was measured last; a folder may have runs of another one, at other rates say."""
    return [
        json.loads((folder / "runs" / f"{key}.json").read_text()) for key in keys_in(folder / "results.csv")
    ]


def case(folder):
    """Performances by d, rates by d, and d_int90; beyond what was tried there is no d, and one end of the interval."""
    found, summary = {}, json.loads((folder / "summary.json").read_text())
    for record in records(folder):
        spec = record["spec"]
        if "holdout" not in spec:
            found.setdefault(spec.get("d", 0), {})[spec.get("seed", 0)] = round(record["performance"], 4)
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


def bytes_of(folder):
    """By d, of each run: bytes and accuracy of the file in float32, and of the coded one."""
    backend, found = get_backend("numba"), {}
    data = None
    for record in records(folder):
        spec = RunSpec.from_spec(record["spec"])
        if spec.d is None or spec.holdout is not None or record["status"] != "finished":
            continue
        if data is None:
            data = load_dataset(spec.data, limit_train=spec.limit_train)
            some = slice(None, None, len(data.train) // EXAMPLES)  # of a file that is sorted by class, all
            examples = Batch(data.train.x[some], data.train.labels[some])
        try:
            whole = compress_run(folder, spec, backend)
        except ValueError as error:
            return str(error)
        coded = shortest(whole, examples)
        row = [
            x
            for c in (whole, coded)
            for x in (len(c.to_bytes()), round(c.evaluate(data.test).performance, 4))
        ]
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


def draw_bytes(kept, sizes, name, picture):
    """Accuracy against bytes of the coded files of one task."""
    families = {
        family: {label: by_bytes(sizes[name][folder_of(label)]) for label in labels}
        for family, labels in FAMILIES.items()
    }
    direct = kept[name]["LoRA"]["accuracy by d (0: all D)"]["0"]
    save(methods_figure(families, direct, TOLD[name], counted="bytes"), IMAGES / f"{picture}.png")
    (IMAGES / f"{picture}.svg").unlink()


def read(found, tried):
    """d_int90 with its interval, as the page tells it."""
    d, low, high = (found[name] for name in ("d", "low", "high"))
    if d is None:
        return f"above {low:,}" if low else f"above {max(tried):,}"
    if low is None or high is None:
        return f"{d:,}" + (f" (above {low:,})" if low else f" (up to {high:,})" if high else " (no interval)")
    return f"{d:,} ({low:,} to {high:,})"


def line_of(kept):
    """90 % of direct training."""
    return 0.9 * np.mean(kept["accuracy by d (0: all D)"]["0"])


def above(kept):
    """The smallest count tried whose mean is above 90 % of direct training, or None."""
    return min((d for d, p in runs_of(kept).items() if np.mean(p) >= line_of(kept)), default=None)


def needed(kept, tasks):
    """d_int90 where d can be any, else the smallest count tried that is above the line, by method and task."""
    tasks = [name for name in tasks if name in kept]
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
    model = model_from_spec(REPRODUCTIONS[name].cases[0].recipe.model)
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


def smallest(kept, sizes):
    """Bytes of the smallest coded file tried whose mean accuracy is above 90 % of direct training, by method and task."""
    tasks = [name for name in TASKS if name in sizes]
    told = [f"{'FC' if name in OF_FC else 'LeNet'}, {TASKS[name].partition(' after')[0]}" for name in tasks]
    rows = ["| method | " + " | ".join(told) + " |", "| --- |" + " --: |" * len(tasks)]
    for label in (label for family in FAMILIES.values() for label in family):
        case = folder_of(label)
        cells = [smallest_file(sizes[name][case], line_of(kept[name][case])) for name in tasks]
        if any(cell != "–" for cell in cells):
            rows.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def smallest_file(own, line):
    """In bytes, and how many numbers are in it."""
    if isinstance(own, str):
        return "–"
    means = {int(d): np.mean([row[2:4] for row in rows], axis=0) for d, rows in own.items()}
    good = [(size, d) for d, (size, accuracy) in means.items() if accuracy >= line]
    return (
        "{:,.0f} (d = {:,})".format(*min(good))
        if good
        else f"none up to {max(means.values(), key=lambda m: m[0])[0]:,.0f}"
    )


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
    tables = {
        "needed, FC": needed(kept, OF_FC), "needed, LeNet": needed(kept, OF_LENET), "lengths": lengths(kept),
        "files": files(sizes["adapters-scratch"]), "smallest": smallest(kept, sizes),
    }  # fmt: skip
    for name, table in tables.items():
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
    kept, sizes = (json.loads(path.read_text()) for path in (KEPT, BYTES))
    for name in names:
        folders = sorted(path for path in (Path(source) / name).iterdir() if (path / "summary.json").exists())
        found, of = (sizes, bytes_of) if "--bytes" in sys.argv else (kept, case)
        found[name] = {folder.name: of(folder) for folder in folders}
    KEPT.write_text(lines(kept))
    BYTES.write_text(lines(sizes))
    for name in kept:
        if name.startswith("adapters"):
            draw(kept, name)
    draw_bytes(kept, sizes, "adapters-scratch", "adapters-bytes")
    draw_bytes(kept, sizes, "adapters", "adapters-bytes-tuned")
    PAGE.write_text(on_page(PAGE.read_text(), kept, sizes))
