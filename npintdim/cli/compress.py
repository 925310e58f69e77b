"""npintdim compress."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path

import numpy as np

from npintdim.artefact.base import read_base
from npintdim.artefact.compress import CompressedModel
from npintdim.backend import Backend
from npintdim.cli.common import Parser, backend_of, check_folder, check_writable, measured_on, say
from npintdim.data import own
from npintdim.engine.landscape import Dataset
from npintdim.files import DamagedError, read_json
from npintdim.measurement.custom import Name
from npintdim.measurement.measure import base_beside, compress_run, save_network
from npintdim.measurement.records import load_record
from npintdim.measurement.report import keys_in
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import load_data
from npintdim.typing import Floats, Spec

PURPOSE = """\
Compress a network of a measurement, without training.

SOURCE is the measurement's folder (then the run at its crossing, or that
of --d) or one record in its runs/."""
EXAMPLE = "npintdim compress results/digits-64-100-100-10-fastfood --d 300"
TAKES = "SOURCE"


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.set_defaults(data=None, dtype=None)
    parser.option("source SOURCE", "folder, or runs/KEY.json", type=Path)
    parser.option("--d", "another d than the first above the line", type=int)
    parser.option("--repetition K", "seed of the run, as in results.csv", type=int)
    parser.option("--out FILE", "default: SOURCE/d<d>-seed<K>.npid", type=Path)


def run(args: argparse.Namespace) -> int:
    """Write the file, and say its size and what it is worth."""
    folder, spec = choose(args.source, args.d, args.repetition)
    check_folder(args.folder, spec.data, (spec.pretrained or {}).get("data", ""))
    args.dtype = dtype_of(args, spec)
    backend = backend_of(args)
    path = args.out or folder / f"d{spec.d}-seed{spec.seed}.npid"
    check_writable("--out", path)
    data, why = data_of_run(spec, args.folder, backend)
    compressed = compress_run(folder, spec, backend, args.folder)
    if compressed.base is not None and not path.exists():
        check_beside(path, compressed.base)
    size = save_network(compressed, path)
    decoded = CompressedModel.load(path, backend=backend, base=compressed.base)
    D = compressed.P.D
    say(f"{path}: {size:,} bytes instead of {4 * D:,} (D = {D:,}, {spec.label})")
    if compressed.base is not None:
        say(f"{base_beside(path)}: the pre-trained theta_0 that it names, {4 * D:,} bytes not counted")
    if data is None:
        say(f"its performance is not known here: {why}")
        return 0
    performance = decoded.evaluate(data.test).performance
    say(f"{measured_on(data, backend)} performance {performance:.4f} on {spec.data}, after decoding")
    return 0


def data_of_run(spec: RunSpec, folder: str | None, backend: Backend) -> tuple[Dataset | None, str]:
    """The data that a run saw; or None and why they cannot be had, which no file depends on."""
    if Name(spec.data).own:
        return None, f"{spec.data} is code of your own, which is not imported"
    try:
        if other_data(spec, spec.data):
            return None, f"{spec.data} changed since the run"
        return load_data(spec.data, folder, spec.limit_train, backend), ""
    except OSError as error:
        return None, str(error)


def other_data(spec: RunSpec, name: str) -> bool:
    """Whether the data of that name are others than a run saw; one's own file is known by its content."""
    if not own.is_file(name):
        return name != spec.data
    own.reader_of(own.source_of(name).path)  # a FileNotFoundError if there is none
    (path, _, how), seen = name.partition("+"), spec.data.partition("+")[2]
    return how != seen or own.content(path) != (spec.content or {}).get("data")


def check_beside(path: Path, base: Floats) -> None:
    """Refuse to write theta_0 where another lies, which is of no file that is replaced with it."""
    beside = base_beside(path)
    with suppress(FileNotFoundError, ValueError):
        if np.array_equal(read_base(beside), base):
            return
    if beside.exists():
        raise ValueError(
            f"--out is {path}: the theta_0 that it names goes to {beside}, and that holds another"
        )


def dtype_of(args: argparse.Namespace, spec: RunSpec) -> str:
    """That in which a run was computed, and so is its network; ValueError where --dtype says another one."""
    if args.dtype not in (None, spec.dtype):
        raise ValueError(f"--dtype is {args.dtype}, and {args.source} was measured in {spec.dtype}")
    return spec.dtype


def choose(source: Path, d: int | None, repetition: int | None) -> tuple[Path, RunSpec]:
    """The measurement's folder and the run that is meant."""
    if source.is_file():
        if d is not None or repetition is not None:
            raise ValueError(f"{source} is one run: --d and --repetition choose among those of a folder")
        try:
            return source.parent.parent, load_record(source)[0]
        except DamagedError as error:
            raise DamagedError(f"{source} is not the record of a run: {error}") from error
    if not (source / "runs").is_dir():
        raise FileNotFoundError(f"{source} is neither a record nor a folder that npintdim measure made")
    if d is None:
        d, repetition = kept_run(source, repetition)
    keys: set[str] = set()  # of the recipe that was measured last: the folder may hold others, of the same d
    with suppress(FileNotFoundError):
        keys |= set(keys_in(source / "results.csv"))
    paths = [p for p in sorted((source / "runs").glob("*.json")) if not keys or p.stem in keys]
    found = map(load_record, paths)
    runs = [s for s, r in found if r["status"] == "finished" and s.d is not None and s.holdout is None]
    meant = [s for s in runs if s.d == d and repetition in (None, s.seed)]
    if not meant:
        tried = ", ".join(map(str, sorted({s.d for s in runs if s.d is not None}))) or "none"
        here = ", ".join(map(str, sorted(s.seed for s in runs if s.d == d)))
        if here:
            raise ValueError(f"{source} has no finished repetition {repetition} at d = {d}; it has {here}")
        raise ValueError(f"{source} has no finished run with d = {d}; it has d = {tried}")
    return source, min(meant, key=lambda s: s.seed)


def kept_run(source: Path, repetition: int | None) -> tuple[int, int]:
    """The d and the seed of the network that the measurement kept."""
    summary = source / "summary.json"
    incomplete: Spec = {"uncompressed": "the measurement is not complete"}
    told = read_json(summary) if summary.exists() else incomplete
    kept = told.get("compressed")
    if kept is None:
        why = told.get("uncompressed") or "no d is above the line"
        raise ValueError(f"{source}: {why}; say which run with --d")
    try:
        return int(kept["d"]), int(kept["seed"]) if repetition is None else repetition
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{summary} is damaged (d and seed of its network are needed)") from error
