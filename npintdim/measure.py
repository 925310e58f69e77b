"""The measurement: direct baseline, a grid of d, several seeds, d_int with its interval, and a compressed network."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from npintdim.adaptive import performance, pursue
from npintdim.backend import Backend, get_backend
from npintdim.compress import CompressedModel
from npintdim.estimate import DInt, d_int
from npintdim.fileformat import write_atomically
from npintdim.recipes import Recipe, model_name
from npintdim.records import read_theta
from npintdim.runs import RunSpec, number, parts
from npintdim.sweep import sweep
from npintdim.typing import Floats, Spec
from npintdim.work import load

COLUMNS = (
    "key", "data", "model", "projection", "D", "d", "seed", "theta_0_seed", "P_seed", "batches_seed", "status",
    "performance", "train_performance", "loss", "epochs", "lr", "batch_size", "seconds", "backend", "threads", "error",
)  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """What `measure` found.

    Parameters
    ----------
    recipe : what was measured
    folder : where it lies: runs/, results.csv, summary.json, and compressed networks
    records : one per run, see `npintdim.runs.run`
    d_int : both readings, with the interval
    compressed : {"file", "bytes", "performance", "d", "seed"} of the network kept at the first d above the line,
        its performance measured after decoding the file; None if no d is above the line, or the landscape is your own
    """

    recipe: Recipe
    folder: Path
    records: tuple[Spec, ...]
    d_int: DInt
    compressed: Spec | None

    @property
    def D(self) -> int:
        """Number of all parameters."""
        return next(int(r["D"]) for r in self.records if "D" in r)

    @property
    def failed(self) -> list[Spec]:
        """Records of runs that ended with an exception."""
        return [r for r in self.records if r["status"] == "failed"]

    def performances(self) -> dict[int | None, Floats]:
        """Of the finished runs at each d, ascending; None is the baseline."""
        groups: dict[int | None, list[float]] = {}
        for r in self.records:
            group = groups.setdefault(r["spec"].get("d"), [])
            if r["status"] == "finished":
                group.append(r["performance"])
        return {d: np.array(p) for d, p in groups.items()}

    def table(self) -> str:
        """A line for the baseline and for each d."""
        lines = [f"{'d':>7} {'runs':>5} {'performance':>12} {'sd':>7} {'of baseline':>12} {'seconds':>8}"]
        for d, p in self.performances().items():
            seconds = np.mean([r["seconds"] for r in self.records if r["spec"].get("d") == d])
            mean = f"{p.mean():.4f}" if len(p) else "-"
            sd = f"{p.std(ddof=1):.4f}" if len(p) > 1 else "-"
            share = (
                f"{100 * p.mean() / self.d_int.baseline:.1f} %"
                if len(p) and d and self.d_int.baseline
                else ""
            )
            mark = "  first above the line" if d is not None and d == self.d_int.first_above else ""
            lines.append(
                f"{d or 'direct':>7} {len(p):>5} {mean:>12} {sd:>7} {share:>12} {seconds:>8.2f}{mark}"
            )
        return "\n".join(lines)


def measure(
    recipe: Recipe,
    folder: str | Path,
    *,
    backend: Backend | None = None,
    jobs: int | None = None,
    data_folder: str | None = None,
    progress: bool | None = None,
    tell: Callable[[str], None] | None = None,
) -> Measurement:
    """Measure d_int: train what has no record yet, read d_int off, keep the network at the crossing.

    With recipe.d = None the d are chosen one after the other, until d_int is as precise as the recipe asks.

    Parameters
    ----------
    recipe : e.g. `DIGITS`, or dataclasses.replace(MNIST, threshold=0.9)
    folder : of the results; a measurement that was interrupted goes on where it stopped
    backend : None for `get_backend(threads=1)`; each process computes with its threads and dtype
    jobs, data_folder, progress : see `sweep`
    tell : gets a line for each step of an adaptive search: what is run next, and why

    Raises
    ------
    ValueError
        if too few runs finished to read d_int; the first failure is quoted.
    Interrupted, OSError, ...
        see `sweep`.
    """
    folder = Path(folder)
    backend = backend or get_backend(threads=1)
    dtype = backend.dtype.name

    def trained(specs: Sequence[RunSpec]) -> list[Spec]:
        return sweep(specs, folder, backend=backend.name, jobs=jobs, threads=backend.threads,
                     data_folder=data_folder, progress=progress)  # fmt: skip

    if recipe.d is None:
        specs, found_records = pursue(recipe, dtype, trained, tell or (lambda line: None))
    else:
        specs = recipe.specs(dtype)
        found_records = trained(specs)
    records = tuple(found_records)
    write_atomically(folder / "results.csv", as_csv(specs, records).encode())
    try:
        found = read_off(recipe, records)
    except ValueError as error:
        failures = [r["error"] for r in records if r["status"] == "failed"]
        diverged = sum(r["status"] == "diverged" for r in records)
        raise ValueError(
            f"{error}"
            + (f"; diverged: {diverged}, see {folder / 'results.csv'}; try a smaller lr" if diverged else "")
            + (f"; first failure: {failures[0]}" if failures else "")
        ) from error
    compressed = None
    at = crossing_run(specs, records, found, 0.0 if recipe.d else found.d)
    if at is not None and "objective" not in at.model:
        data = load(at.data, data_folder, at.limit_train, backend)
        path = folder / f"{found.name}.npid"
        size = compress_run(folder, at, backend).save(path)
        decoded = CompressedModel.load(path, backend=backend)
        performance = decoded.evaluate(data.test).performance
        compressed = {
            "file": path.name,
            "bytes": size,
            "performance": performance,
            "d": at.d,
            "seed": at.seed,
        }
    measurement = Measurement(recipe, folder, records, found, compressed)
    write_atomically(folder / "summary.json", json.dumps(summary(measurement), indent=1).encode())
    return measurement


def read_off(recipe: Recipe, records: Iterable[Spec]) -> DInt:
    """`d_int` of the records; a run without performance counts as left out."""
    direct, d, reached = [], [], []
    for record in records:
        if "d" in record["spec"]:
            d.append(record["spec"]["d"])
            reached.append(performance(record))
        else:
            direct.append(performance(record))
    return d_int(d, reached, direct, recipe.fraction, recipe.threshold, chance=recipe.chance)


def crossing_run(
    specs: Iterable[RunSpec], records: Iterable[Spec], found: DInt, beyond: float = 0.0
) -> RunSpec | None:
    """The first run above the line at the first d ≥ beyond whose mean is above it: not the best, which would be luck.

    A search tries many d near the line, once each, and the first above is lucky too; so there beyond is d_int.
    """
    above = [
        d for d, mean in zip(found.tried, found.means, strict=True) if mean > found.threshold and d >= beyond
    ]
    for spec, record in zip(specs, records, strict=True):
        if above and spec.d == above[0] and (record["performance"] or 0) > found.threshold:
            return spec
    return None


def compress_run(folder: Path, spec: RunSpec, backend: Backend) -> CompressedModel:
    """The network of a finished run in a subspace, from its kept theta_d.

    Raises
    ------
    ValueError
        for a direct run.
    """
    model, _, P = parts(spec, backend)
    if P is None:
        raise ValueError("a direct run has no theta_d: only a run in a subspace can be compressed")
    return CompressedModel.from_parts(model, spec.seeds.theta_0, P, read_theta(folder / "runs", spec))


def as_csv(specs: Iterable[RunSpec], records: Iterable[Spec]) -> str:
    """One line per run, under `COLUMNS`."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for spec, record in zip(specs, records, strict=True):
        seeds = {f"{name}_seed": seed for name, seed in spec.seeds._asdict().items()}
        projection = json.dumps(spec.projection) if spec.projection else ""
        told = {
            "key": spec.key,
            "model": model_name(spec.model),
            "projection": projection,
            "lr": spec.optimizer["lr"],
        }
        table.writerow(spec.spec() | record | seeds | told | {"epochs": len(record.get("epochs", ()))})
    return text.getvalue()


def summary(m: Measurement) -> Spec:
    """For summary.json."""
    found = {k: number(v) if isinstance(v, float) else v for k, v in asdict(m.d_int).items()}
    return {
        "summary": m.d_int.summary(),
        "recipe": asdict(m.recipe),
        "D": m.D,
        "d_int": found,
        "compressed": m.compressed,
        "seconds": round(sum(r["seconds"] for r in m.records), 3),
    }
