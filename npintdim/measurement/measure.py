"""The measurement: direct baseline, d's, several seeds, d_int with its interval, a compressed network."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npintdim.adapters import Adapter
from npintdim.artefact.base import write_base
from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.decode import Map
from npintdim.backend import Backend, get_backend, given
from npintdim.engine.model import Model
from npintdim.inputs import attempt, brief, check_kind, counted, quiet
from npintdim.measurement.baseline import Baseline, guessing
from npintdim.measurement.content import because, content_before, content_of, named_by
from npintdim.measurement.estimate import DInt
from npintdim.measurement.events import (
    Bar,
    Callback,
    Measured,
    SearchStep,
    Sentences,
    Tell,
    announce,
    listeners,
)
from npintdim.measurement.measurement import Measurement, read_off
from npintdim.measurement.rates import choose_rates
from npintdim.measurement.recipes import Recipe
from npintdim.measurement.records import direct_and_inside, performance, read_theta
from npintdim.measurement.report import another, as_csv, clear, keep, summary, write_report
from npintdim.measurement.runs import RunSpec, parts_of_run
from npintdim.measurement.search import PAIR, plan
from npintdim.measurement.sweep import Train, records_of, runs_at_once
from npintdim.measurement.work import Where
from npintdim.typing import Spec

__all__ = ["Measurement", "compress_run", "crossing_run", "measure", "measured", "read_off"]


def measure(
    recipe: Recipe,
    folder: str | Path,
    *,
    backend: Backend | None = None,
    jobs: int | None = None,
    data_folder: str | None = None,
    progress: bool | None = None,
    tell: Callable[[str], None] | None = None,
    cluster: str | Executor | None = None,
    callbacks: Sequence[Callback] = (),
) -> Measurement:
    """Measure d_int: train what has no record, read d_int off, keep its network, write the report.

    With recipe.d = None the d are chosen step by step, until d_int is as precise as the recipe asks;
    with recipe.rates both learning rates are searched before.

    Parameters
    ----------
    recipe : e.g. `DIGITS`, or dataclasses.replace(MNIST, threshold=0.9)
    folder : of the results; a measurement that was interrupted goes on where it stopped.
        Another recipe in the same folder uses the runs that are the same and replaces all else, which is told
    backend : None for `get_backend(threads=1)`; each process computes with its threads and dtype
    jobs, data_folder, progress, cluster, callbacks
        see `sweep`; a search and the end of the measurement are events too
    tell : gets a line, e.g. `print`: how long it will take; what each d of a grid reached;
        for each step of a search what is run next, and why

    Raises
    ------
    ValueError
        if too few runs finished to read d_int; the first failure is quoted.
    Interrupted, OSError, ...
        see `sweep`.
    """
    own = "objective_recipe(make_objective, data, ...), where make_objective is your function"
    check_kind("recipe", recipe, Recipe, own if callable(recipe) else "recipe_for('mnist')")
    backend = get_backend(threads=1) if backend is None else given(backend)
    where = Where.on(backend, jobs=jobs, data_folder=data_folder, cluster=cluster)
    told = [] if tell is None else [Sentences(tell, 0 if recipe.d else recipe.budget)]
    m = measured(recipe, Path(folder), where, progress, [*told, *listeners(callbacks)])
    report, told_of_it = attempt(lambda: write_report(m))
    if report is None:
        warnings.warn(f"report {told_of_it}", stacklevel=2)
    return m


@quiet
def measured(
    recipe: Recipe, folder: Path, where: Where, progress: bool | None, callbacks: Sequence[Callback]
) -> Measurement:
    """As `measure`, without its report: whoever calls writes that."""
    with Bar(progress) as bar:
        tell = partial(announce, [bar, *callbacks])
        train = partial(records_of, folder=folder, where=where, tell=tell)
        backend = get_backend(where.backend, where.dtype, where.threads, where.fuse)
        optimizers = recipe.optimizer, recipe.direct_optimizer
        content = content_of(recipe.data, recipe.model, recipe.T, *optimizers, pretrained=recipe.pretrained)
        recipe = replace(recipe, content=content)
        guess = recipe.chance if recipe.scored is None else recipe.scored.guess
        if recipe.scored is None and not recipe.own:
            with suppress(Exception):  # what is wrong with the data is told by the rehearsal
                guess = guessing(recipe.chance, where.data(recipe.direct(0, where.dtype)), backend)
        asked = recipe = replace(recipe, at_once=at_once(recipe, where))
        if changed := because(folder / "runs", recipe.specs(where.dtype)):
            warnings.warn(changed, stacklevel=4)
        if differs := another(folder, recipe):
            replaced = f"results of another recipe ({differs}): they are replaced, its runs are kept"
            tell(SearchStep(f"{folder} has {replaced}"))
        recipe, rates = choose_rates(asked, where.dtype, train, tell, guess)
        if recipe.d is None:
            specs, records = pursue(recipe, where.dtype, train, tell, guess)
        else:
            specs = recipe.specs(where.dtype)
            records = train(specs)
    if differs:
        clear(folder)
    keep(folder / "results.csv", as_csv(specs, records))
    try:
        found = read_off(recipe, records, guess)
    except ValueError as error:
        failures = [f"; first failure: {r['error']}" for r in records if r["status"] == "failed"]
        diverged = sum(r["status"] == "diverged" for r in records)
        see = f"; diverged: {diverged}, see {folder / 'results.csv'}; try a smaller lr" if diverged else ""
        raise ValueError(f"{error}{see}{''.join(failures[:1])}") from error
    at = crossing_run(specs, records, found, 0.0 if recipe.d else found.d)
    compressed, why = None, "d_int was not read" if math.isnan(found.d) else "no d is above the line"
    if at is not None and at.own:
        why = "the landscape is your own"
    elif at is not None:
        try:
            compressed, why = keep_network(folder, at, found.name, where, backend), ""
        except Exception as error:  # all runs are done and d_int is read: that is not lost with a file
            why = brief(error)
    m = Measurement(asked, folder, tuple(records), found, compressed, rates, guess, why)
    keep(folder / "summary.json", json.dumps(summary(m), indent=1))
    tell(Measured(m))
    return m


def at_once(recipe: Recipe, where: Where) -> int:
    """Runs that a search proposes at a time: as many as can be done at a time, if the recipe does not say."""
    if recipe.at_once is not None:
        return recipe.at_once
    searches = recipe.d is None or recipe.rates is not None
    return max(PAIR, runs_at_once(recipe.direct(0), where)) if searches else PAIR


def pursue(
    recipe: Recipe, dtype: str, train: Train, tell: Tell, guessing: float = 0.0
) -> tuple[list[RunSpec], list[Spec]]:
    """Every run of an adaptive measurement: the baseline's, alone if there is no line; then the search's.

    `train` gives the records of specs, those on disk without running them:
    so a search that was interrupted is repeated up to where it stopped, and goes on.
    `tell` hears before each step what is known, what is run next and why, and the cost so far.
    `guessing` is the performance that needs no learning.
    """
    specs = recipe.specs(dtype)
    tell(SearchStep(f"baseline: {counted(len(specs), 'direct run')}", "baseline"))
    records = train(specs)
    baseline = Baseline(direct_and_inside(records)[0], guessing, recipe.scored)
    for doubt in baseline.doubts({}):
        tell(SearchStep(f"baseline: {doubt}"))
    D = next((r["D"] for r in records if "D" in r), None)
    if D is None or (recipe.threshold is None and baseline.nothing):
        return specs, records
    search = recipe.search(D)
    while True:
        direct, d, reached = direct_and_inside(records)
        line = recipe.shares(replace(baseline, direct=direct).line)
        following = plan(search, d, recipe.shares(reached), line, recipe.at_once or PAIR)
        cost = f"{counted(len(records), 'run')}, {sum(r['seconds'] for r in records):.0f} s of computing"
        tell(SearchStep(f"{following.why} (so far {cost})", following.known))
        if not following.runs:
            return specs, records
        wanted = [
            recipe.direct(k, dtype) if i is None else recipe.subspace(i, k, dtype) for i, k in following.runs
        ]
        specs, records = specs + wanted, records + train(wanted)


def keep_network(folder: Path, at: RunSpec, name: str, where: Where, backend: Backend) -> Spec:
    """Write a run's compressed network, and say what it is worth when it is read again."""
    data, path = where.data(at), folder / f"{name}.npid"
    assert data is not None  # of a network: `objective` refuses a run without
    compressed = compress_run(folder, at, backend, where.data_folder)
    size = save_network(compressed, path)
    again = CompressedModel.load(path, backend=backend, base=compressed.base)
    performance = again.evaluate(data.test).performance
    return {"file": path.name, "bytes": size, "performance": performance, "d": at.d, "seed": at.seed}


def save_network(compressed: CompressedModel, path: Path) -> int:
    """Write the file, and beside it a pre-trained θ_0, which it only names; the bytes of the file."""
    if compressed.base is not None:
        write_base(base_beside(path), compressed.base)
    return compressed.save(path)


def base_beside(path: Path) -> Path:
    """Where the θ_0 lies that a file names."""
    return path.with_name(f"{path.stem}-base.npy")


def crossing_run(
    specs: Iterable[RunSpec], records: Iterable[Spec], found: DInt, beyond: float = 0.0
) -> RunSpec | None:
    """The first run above the line at the first d ≥ beyond whose mean is above it; the best would be luck.

    A search tries many d near the line, once each, and the first above is lucky too: there beyond is d_int.
    """
    if found.first_above is None:
        return None
    above = [d for d, mean in zip(found.tried, found.means, strict=True) if found.above(mean) and d >= beyond]
    for spec, record in zip(specs, records, strict=True):
        if above and spec.d == above[0] and found.above(performance(record)):
            return spec
    return None


def compress_run(
    folder: Path, spec: RunSpec, backend: Backend, data_folder: str | None = None
) -> CompressedModel:
    """A finished subspace run's network, from its kept theta_d; what θ_0 learnt before is learnt again.

    ValueError for a direct run, and where the file of θ_0, or of the data that it learnt, is another one now.
    """
    if content_before(spec.data, spec.pretrained) != (spec.content or {}).get("pretrained"):
        named = named_by(spec, "pretrained")
        raise ValueError(
            f"{named} changed since the runs in {folder}: the theta_0 that they began at is needed"
        )
    model, seed, T, base = parts_of_file(spec, backend, data_folder)
    return CompressedModel.from_parts(model, seed, T, read_theta(folder / "runs", spec), base)


def parts_of_file(
    spec: RunSpec, backend: Backend, data_folder: str | None = None
) -> tuple[Model, int | None, Map, NDArray[np.float32] | None]:
    """A run's network, θ_0's seed, the P or T that a file names (ValueError without), a pre-trained θ_0."""
    model, theta_0, T = parts_of_run(spec, backend, data_folder)
    if T is None:
        raise ValueError("a direct run has no theta_d: only a run in a subspace can be compressed")
    if spec.pretrained is None:
        return model, spec.seeds.theta_0, T, None
    base = backend.host(theta_0).astype(np.float32)
    if isinstance(T, Adapter):
        T = replace(T, theta_0=backend.send(base, backend.dtype))  # as whoever reads the file will have it
    return model, None, T, base
