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
from npintdim.artefact.mdl import quantise
from npintdim.engine.landscape import Batch
from npintdim.measurement.measure import compress_run
from npintdim.measurement.runs import RunSpec
from npintdim.plots import methods_figure, save
from npintdim.reproduce.adapters import FAMILIES, REPRODUCED

HERE = Path(__file__).parent
KEPT, BYTES = HERE / "fc-and-lenet.json", HERE / "bytes.json"
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
        f: {x: runs_of(own[folder_of(x)]) for x in labels if folder_of(x) in own}
        for f, labels in FAMILIES.items()
    }
    direct = own["LoRA"]["accuracy by d (0: all D)"]["0"]
    save(methods_figure(families, direct, TOLD[name]), IMAGES / f"{name}.png")
    (IMAGES / f"{name}.svg").unlink()


def draw_bytes(kept, sizes):
    """Accuracy against bytes of the coded files."""
    families = {}
    for family, labels in FAMILIES.items():
        for label in labels:
            if isinstance(rows := sizes[folder_of(label)], dict):
                points = {round(np.mean([r[2] for r in own])): [r[3] for r in own] for own in rows.values()}
                families.setdefault(family, {})[label] = points
    direct = kept["adapters-scratch"]["LoRA"]["accuracy by d (0: all D)"]["0"]
    save(
        methods_figure(families, direct, TOLD["adapters-scratch"], counted="bytes"),
        IMAGES / "adapters-bytes.png",
    )
    (IMAGES / "adapters-bytes.svg").unlink()


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
    if BYTES.exists():
        draw_bytes(kept, json.loads(BYTES.read_text())["adapters-scratch"])
