"""npintdim measure."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from npintdim.adapters import ADAPTERS, own_count
from npintdim.backend import Backend, get_backend
from npintdim.cli.common import (
    MOST,
    Parser,
    backend_of,
    data_of,
    default_folder,
    default_recipe,
    map_of,
    model_of,
    note,
    say,
)
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.landscape import Dataset
from npintdim.inputs import attempt, check_integer, counted
from npintdim.measurement.cluster import Dask
from npintdim.measurement.events import Sentences
from npintdim.measurement.executors import default_jobs
from npintdim.measurement.measure import measured
from npintdim.measurement.recipes import RateSearch, Recipe, model_name
from npintdim.measurement.records import try_writing
from npintdim.measurement.report import write_report
from npintdim.measurement.runs import begin, check_fit, drawn_map
from npintdim.measurement.work import Where
from npintdim.plots import curve_figure, picture

PURPOSE = "Measure d_int90: baseline, runs over d, report; repeated, goes on."
EXAMPLE = "npintdim measure --data mnist --model lenet --seeds 3"


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.add_network(parametrisation=True)
    parser.option("--d GRID", "e.g. 10,20,50; or search, or search:0.03 for ±3 %%", type=grid)
    parser.option("--seeds N", "repetitions at each d and of the baseline", type=int)
    parser.option("--lr", "Adam's in the subspaces; or search, for both rates", type=rate)
    parser.option("--direct-lr LR", "the baseline's, or where its search begins", type=float)
    parser.option("--fraction Q", "threshold Q × baseline (default 0.9)", type=float)
    parser.option("--best-epoch Q", "the epoch counts that is best on Q held-out data", type=float)
    parser.option("--threshold P", "an absolute threshold instead", type=float)
    parser.add_training()
    parser.add_many_runs()
    parser.option("--out FOLDER", "results/DATA-NET-PROJECTION by default", type=Path)


def grid(text: str) -> dict[str, Any]:
    """10,20,50 as a grid; search, or search:0.03, as an adaptive search and its precision."""
    word, _, precision = text.partition(":")
    try:
        if word == "search" and precision and float(precision) >= 1:
            raise argparse.ArgumentTypeError(
                f"{text!r} asks for ±{100 * float(precision):g} %: search:0.03 is ±3 %"
            )
        if word == "search":
            return {"d": None} | ({"precision": float(precision)} if precision else {})
        return {"d": tuple(int(d) for d in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of integers such as 10,20,50, nor search or search:0.03"
        ) from None


def rate(text: str) -> dict[str, Any]:
    """0.01 as a learning rate; search, or search:3, as a search of both and its repetitions."""
    word, _, seeds = text.partition(":")
    try:
        if word == "search":
            most = MOST["seeds"]
            if seeds and int(seeds) > most:
                raise argparse.ArgumentTypeError(f"{text!r} asks for more than {most} runs at each rate")
            return {"rates": RateSearch(seeds=int(seeds)) if seeds else RateSearch()}
        return {"lr": float(text)}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a learning rate such as 0.01, nor search or search:3 (runs at each rate)"
        ) from None


def run(args: argparse.Namespace) -> int:
    """Measure, and say what came out."""
    backend = backend_of(args)
    data = data_of(args, backend)
    recipe = recipe_of(args, default_recipe(data, model_of(args.model, data)))
    model, kind = model_name(recipe.model), recipe.T["kind"]
    options = [f"{name}-{value}" for name, value in recipe.T.items() if name != "kind"]
    base = [] if args.base is None else [args.base.stem]
    folder = args.out or default_folder(args.data, model, kind, *options, *base)
    count = len(recipe.specs())
    jobs = default_jobs(backend.name) if args.jobs is None else check_integer("jobs", args.jobs, 1)
    check_first(recipe, backend, data)
    if args.cluster is not None:
        Dask(args.cluster)
    try_writing(folder)
    many = counted(count, "run") if recipe.d else f"{counted(count, 'direct run')} and up to {recipe.budget}"
    many += f" of {counted(recipe.epochs, 'epoch')}" + (", learning rates before" if recipe.rates else "")
    at_once = f"{min(jobs, count) if recipe.d else jobs} at a time"
    said = f"{args.data}, {model}, {kind}: {many}"
    say(f"{said}, {at_once if args.cluster is None else f'on {args.cluster}'}, results in {folder}")
    place = Where.on(backend, jobs=args.jobs, data_folder=args.folder, cluster=args.cluster)
    told = Sentences(say, 0 if recipe.d else recipe.budget)
    m = measured(recipe, folder, place, args.progress, [told])
    say(f"\nD = {m.D:,}\n{m.table()}\n")
    plot, drawn = picture(lambda: curve_figure(m), folder / "curve.png")
    say(f"report      {attempt(lambda: write_report(m, args.typed, plot))[1]}")
    table = folder / "results.csv"
    say(f"csv         {table if table.is_file() else 'none: see the warning'}")
    say(f"plot        {drawn}")
    kept = "none: " if m.compressed is None else f"{folder / m.compressed['file']}, "
    say(f"compressed  {kept}{m.worth}")
    for record in m.failed:
        note(f"a run failed and is tried again next time: {record['error']}")
    say(m.summary)
    return 1 if m.failed else 0


def check_first(recipe: Recipe, backend: Backend, data: Dataset) -> None:
    """What does not fit together is an error before anything is said; the rehearsal would find it too."""
    model = model_from_spec(recipe.model, backend)
    first = recipe.direct(0, backend.dtype.name)
    check_fit(first, model, data)
    grid = recipe.d or (recipe.search(model.D).start,)
    for d in (min(grid), max(grid)):
        check_integer("d", d, 1, model.D, f"1 ≤ d ≤ D = {model.D}")
    T = recipe.parametrisation
    if T and recipe.d is None and "d" not in ADAPTERS[T["kind"]].__dataclass_fields__:
        raise ValueError(
            f"--d search tries any d, and {T['kind']} trains only the counts of its ranks: --d GRID is needed"
        )
    theta_0 = begin(first, model)  # of --base too
    for d in grid if T else [min(grid)]:
        drawn_map(recipe.subspace(d, 0), model, theta_0)


def recipe_of(args: argparse.Namespace, recipe: Recipe) -> Recipe:
    """The default recipe, with whatever the options say otherwise."""
    if args.fraction is not None and args.threshold is not None:
        raise ValueError("--fraction and --threshold exclude each other: each says where the line is")
    changes: dict[str, Any] = {**map_of(args), "seed": args.seed, "direct_seeds": args.seeds}
    if T := changes.get("parametrisation"):
        d = own_count(T, model_from_spec(recipe.model, get_backend("numpy")).layout)
        changes["d"] = None if d is None else (d,)
    for name in ("seeds", "epochs", "batch_size", "l2", "fraction", "threshold", "best_epoch"):
        changes[name] = getattr(args, name)
    changes["pretrained"] = None if args.base is None else {"file": str(args.base)}
    if args.direct_lr is not None:
        changes["direct_optimizer"] = recipe.direct_optimizer | {"lr": args.direct_lr}
    changes = {name: value for name, value in changes.items() if value is not None} | (args.d or {})
    if args.lr is not None:
        changes |= args.lr if "rates" in args.lr else {"optimizer": recipe.optimizer | args.lr, "rates": None}
    return replace(recipe, **changes)
