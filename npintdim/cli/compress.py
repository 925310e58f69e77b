"""npintdim compress."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from npintdim.cli.common import add_command, backend_of, check_writable, say
from npintdim.cli.compressed import measured_on
from npintdim.compress import CompressedModel
from npintdim.measuring.measure import compress_run
from npintdim.sweeps.custom import is_own
from npintdim.sweeps.runs import RunSpec
from npintdim.sweeps.work import load

PURPOSE = """\
Compress a network of a measurement, without training.

SOURCE is the measurement's folder (then the run at its crossing, or that
of --d) or one record in its runs/."""


def add(commands: Any) -> None:
    """Options of the command."""
    example = "npintdim compress results/digits-64-100-100-10-fastfood --d 300"
    parser = add_command(commands, "compress", run, PURPOSE, example)
    parser.usage = "npintdim compress SOURCE [options]"
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder, or runs/KEY.json")
    parser.add_argument("--d", type=int, help="another d than the first above the line")
    parser.add_argument("--repetition", type=int, metavar="K", help="seed of the run, as in results.csv")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: SOURCE/d<d>-seed<K>.npid")


def run(args: argparse.Namespace) -> int:
    """Write the file, and say its size and what it is worth."""
    folder, spec = choose(args.source, args.d, args.repetition)
    args.dtype = spec.dtype
    backend = backend_of(args)
    path = args.out or folder / f"d{spec.d}-seed{spec.seed}.npid"
    check_writable("--out", path)
    data = None if is_own(spec.data) else load(spec.data, args.folder, spec.limit_train, backend)
    compressed = compress_run(folder, spec, backend)
    size = compressed.save(path)
    decoded = CompressedModel.load(path, backend=backend)
    D = compressed.P.D
    say(f"{path}: {size:,} bytes instead of {4 * D:,} (D = {D:,}, {spec.label})")
    if data is None:
        say(f"its performance is not known here: {spec.data} is code of your own, which is not imported")
        return 0
    performance = decoded.evaluate(data.test).performance
    say(f"{measured_on(data, backend)} performance {performance:.4f} on {spec.data}, after decoding")
    return 0


def choose(source: Path, d: int | None, repetition: int | None) -> tuple[Path, RunSpec]:
    """The measurement's folder and the run that is meant.

    Raises
    ------
    ValueError
        if there is no such run.
    FileNotFoundError
        if the source does not exist.
    """
    if source.is_file():
        return source.parent.parent, spec_of(source)
    if not (source / "runs").is_dir():
        raise FileNotFoundError(f"{source} is neither a record nor a folder that npintdim measure made")
    if d is None:
        d, repetition = crossing(source, repetition)
    runs = []
    for path in sorted((source / "runs").glob("*.json")):
        record = json.loads(path.read_bytes())
        if record["status"] == "finished" and "d" in record["spec"] and "holdout" not in record["spec"]:
            runs.append(spec_of(path))
    keys = of_recipe(source)
    runs = [s for s in runs if not keys or s.key in keys]
    found = [s for s in runs if s.d == d and repetition in (None, s.seed)]
    if not found:
        tried = ", ".join(map(str, sorted({s.d for s in runs if s.d is not None}))) or "none"
        here = ", ".join(map(str, sorted(s.seed for s in runs if s.d == d)))
        if here:
            raise ValueError(f"{source} has no finished repetition {repetition} at d = {d}; it has {here}")
        raise ValueError(f"{source} has no finished run with d = {d}; it has d = {tried}")
    return source, min(found, key=lambda s: s.seed)


def of_recipe(source: Path) -> set[str]:
    """Keys of the runs of the recipe that was measured last: the folder may hold others, of the same d."""
    try:
        with (source / "results.csv").open(newline="", encoding="utf-8") as file:
            return {row["key"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return set()


def crossing(source: Path, repetition: int | None) -> tuple[int, int]:
    """D and seed of the network that the measurement kept."""
    summary = source / "summary.json"
    kept = json.loads(summary.read_bytes())["compressed"] if summary.exists() else None
    if kept is None:
        why = "no d is above the line" if summary.exists() else "the measurement is not complete"
        raise ValueError(f"{source}: {why}; say which run with --d")
    return kept["d"], kept["seed"] if repetition is None else repetition


def spec_of(path: Path) -> RunSpec:
    """The spec in a record.

    Raises
    ------
    ValueError
        if the file is no record.
    """
    try:
        return RunSpec.from_spec(json.loads(path.read_bytes())["spec"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the record of a run") from error
