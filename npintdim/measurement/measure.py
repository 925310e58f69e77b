"""The measurement: direct baseline, a grid of d, several seeds, d_int with its interval, and a compressed network."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from npintdim.artefact.compress import CompressedModel
from npintdim.backend import Backend, get_backend
from npintdim.inputs import attempt, brief, check_kind, quiet
from npintdim.measurement.adaptive import performance, pursue
from npintdim.measurement.baseline import Baseline, guessing, unread
from npintdim.measurement.content import because, content_of
from npintdim.measurement.estimate import DInt, d_int
from npintdim.measurement.events import Callback, Measured, SearchStep, announce
from npintdim.measurement.measurement import Measurement
from npintdim.measurement.recipes import Recipe
from npintdim.measurement.records import read_theta
from npintdim.measurement.report import COLUMNS, another, as_csv, clear, keep, summary, write_report
from npintdim.measurement.runs import RunSpec, parts
from npintdim.measurement.search import PAIR
from npintdim.measurement.sweep import sweep, width
from npintdim.measurement.tuning import choose_rates
from npintdim.measurement.work import Work
from npintdim.typing import Spec

__all__ = ["COLUMNS", "Measurement", "compress_run", "crossing_run", "measure", "read_off"]


@quiet
def measure(
    recipe: Recipe,
    folder: str | Path,
    *,
    backend: Backend | None = None,
    jobs: int | None = None,
    data_folder: str | None = None,
    progress: bool | None = None,
    tell: Callable[[str], None] | None = None,
    cluster: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> Measurement:
    """Measure d_int: train what has no record yet, read d_int off, keep the network at the crossing.

    With recipe.d = None the d are chosen step by step, until d_int is as precise as the recipe asks; with recipe.rates
    both learning rates are searched before.

    Parameters
    ----------
    recipe : e.g. `DIGITS`, or dataclasses.replace(MNIST, threshold=0.9)
    folder : of the results; a measurement that was interrupted goes on where it stopped. Another recipe in the same
        folder uses those runs that are the same and replaces everything else, which is told
    backend : None for `get_backend(threads=1)`; each process computes with its threads and dtype
    jobs, data_folder, progress, cluster, callbacks : see `sweep`; a search and the end of the measurement are events too
    tell : gets a line for each step of a search: what is run next, and why

    Raises
    ------
    ValueError
        if too few runs finished to read d_int; the first failure is quoted.
    Interrupted, OSError, ...
        see `sweep`.
    """
    own = "objective_recipe(make_objective, data, ...), where make_objective is your function"
    check_kind("recipe", recipe, Recipe, own if callable(recipe) else "recipe_for('mnist')")
    folder = Path(folder)
    backend = backend or get_backend(threads=1)
    dtype, heading = backend.dtype.name, "runs"

    def trained(specs: Sequence[RunSpec]) -> list[Spec]:
        return sweep(specs, folder, backend=backend.name, jobs=jobs, threads=backend.threads,
                     data_folder=data_folder, progress=progress, label=heading, cluster=cluster,
                     callbacks=callbacks, fuse=backend.fuse)  # fmt: skip

    def told(line: str) -> None:
        nonlocal heading
        heading = re.split("[:;]", line)[0]  # the bracket, for instance
        announce(callbacks, SearchStep(line))
        if tell is not None:
            tell(line)

    work = Work(backend.name, backend.threads, data_folder, backend.fuse)
    recipe = replace(recipe, content=content_of(recipe.data, recipe.model))
    guess = recipe.chance
    if "objective" not in recipe.model:
        with suppress(Exception):  # what is wrong with the data is told by the rehearsal
            guess = guessing(recipe.chance, work.data(recipe.direct(0, dtype)), backend)
    asked = recipe = replace(recipe, at_once=at_once(recipe, backend.name, jobs, cluster))
    if changed := because(folder / "runs", recipe.specs(dtype)):
        warnings.warn(changed, stacklevel=3)
    if differs := another(folder, recipe):
        told(f"{folder} has results of another recipe ({differs}): they are replaced, its runs are kept")
    recipe, rates = choose_rates(asked, dtype, trained, told, guess)
    if recipe.d is None:
        specs, found_records = pursue(recipe, dtype, trained, told, guess)
    else:
        specs = recipe.specs(dtype)
        found_records = trained(specs)
    records = tuple(found_records)
    if differs:
        clear(folder)
    keep(folder / "results.csv", as_csv(specs, records))
    try:
        found = read_off(recipe, records, guess)
    except ValueError as error:
        failures = [r["error"] for r in records if r["status"] == "failed"]
        diverged = sum(r["status"] == "diverged" for r in records)
        raise ValueError(
            f"{error}"
            + (f"; diverged: {diverged}, see {folder / 'results.csv'}; try a smaller lr" if diverged else "")
            + (f"; first failure: {failures[0]}" if failures else "")
        ) from error
    at = crossing_run(specs, records, found, 0.0 if recipe.d else found.d)
    compressed, why = None, "d_int was not read" if math.isnan(found.d) else "no d is above the line"
    if at is not None and "objective" in at.model:
        why = "the landscape is your own"
    elif at is not None:
        try:
            compressed, why = keep_network(folder, at, found.name, work, backend), ""
        except Exception as error:  # all runs are done and d_int is read: that is not lost with a file
            why = brief(error)
    measurement = Measurement(asked, folder, records, found, compressed, rates, guess, why)
    keep(folder / "summary.json", json.dumps(summary(measurement), indent=1))
    report, told_of_it = attempt(lambda: write_report(measurement))
    if report is None:
        warnings.warn(f"report {told_of_it}", stacklevel=2)
    announce(callbacks, Measured(measurement))
    return measurement


def at_once(recipe: Recipe, backend: str, jobs: int | None, cluster: str | None) -> int:
    """Runs that a search proposes at a time: as many as can be done at a time, if the recipe does not say."""
    if recipe.at_once is not None:
        return recipe.at_once
    searches = recipe.d is None or recipe.rates is not None
    return max(PAIR, width(recipe.direct(0), backend, jobs, cluster)) if searches else PAIR


def read_off(recipe: Recipe, records: Iterable[Spec], guessing: float = 0.0) -> DInt:
    """`d_int` of the records; a run without performance counts as left out, and so does a dead direct run.

    Parameters
    ----------
    recipe : with fraction, threshold and chance
    records : of all runs
    guessing : performance that needs no learning; where direct training reached no more, nothing is read against it

    Raises
    ------
    ValueError
        if too few runs finished.
    """
    direct, d, reached = [], [], []
    for record in records:
        if "d" in record["spec"]:
            d.append(record["spec"]["d"])
            reached.append(performance(record))
        else:
            direct.append(performance(record))
    baseline = Baseline(tuple(direct), guessing)
    lacking = baseline.nothing if recipe.threshold is None else ""
    if lacking and not d:
        raise ValueError(f"{lacking}: there is no line to search d_int at")
    found = d_int(d, reached, baseline.line, recipe.fraction, recipe.threshold, chance=recipe.chance)
    return unread(found, lacking) if lacking else found


def keep_network(folder: Path, at: RunSpec, name: str, work: Work, backend: Backend) -> Spec:
    """Write a run's compressed network, and say what it is worth when it is read again."""
    data, path = work.data(at), folder / f"{name}.npid"
    assert data is not None  # of a network: `objective` refuses a run without
    size = compress_run(folder, at, backend).save(path)
    performance = CompressedModel.load(path, backend=backend).evaluate(data.test).performance
    return {"file": path.name, "bytes": size, "performance": performance, "d": at.d, "seed": at.seed}


def crossing_run(
    specs: Iterable[RunSpec], records: Iterable[Spec], found: DInt, beyond: float = 0.0
) -> RunSpec | None:
    """The first run above the line at the first d ≥ beyond whose mean is above it: not the best, which would be luck.

    A search tries many d near the line, once each, and the first above is lucky too; so there beyond is d_int.
    """
    if found.first_above is None:
        return None
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
