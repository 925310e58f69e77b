"""npintdim measure."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from npintdim.adapters import ADAPTERS, adapter_of, own_count
from npintdim.backend import Backend, get_backend
from npintdim.cli.common import (
    add_command,
    add_network,
    add_no_fuse,
    backend_of,
    data_of,
    default_folder,
    default_recipe,
    map_of,
    model_of,
    note,
    say,
)
from npintdim.cli.limits import MOST
from npintdim.cli.many import add_many_runs
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.landscape import Dataset
from npintdim.inputs import attempt, check_integer, counted
from npintdim.measurement.cluster import Dask
from npintdim.measurement.executors import default_jobs
from npintdim.measurement.measure import measured
from npintdim.measurement.recipes import RateSearch, Recipe, model_name
from npintdim.measurement.records import try_writing
from npintdim.measurement.report import write_report
from npintdim.measurement.runs import check_fit
from npintdim.measurement.sentences import Sentences
from npintdim.measurement.work import Where
from npintdim.plots import curve_figure, picture
from npintdim.projections import make_projection

PURPOSE = "Measure d_int90: baseline, runs over d, report; repeated, goes on."


def add(commands: Any) -> None:
    """Options of the command."""
    parser = add_command(
        commands, "measure", run, PURPOSE, "npintdim measure --data mnist --model lenet --seeds 3"
    )
    add_network(parser, parametrisation=True)
    parser.add_argument(
        "--d", type=grid, metavar="GRID", help="e.g. 10,20,50; or search, or search:0.03 for ±3 %%"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="repetitions at each d and of the baseline")
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="passes over the training data; default by data"
    )
    parser.add_argument("--batch-size", type=int, metavar="N", help="examples in a step")
    parser.add_argument("--lr", type=rate, help="Adam's in the subspaces; or search, for both rates")
    parser.add_argument(
        "--direct-lr", type=float, metavar="LR", help="the baseline's, or where its search begins"
    )
    parser.add_argument("--l2", type=float, metavar="W", help="penalty W·Σθ² on the kernels")
    parser.add_argument("--fraction", type=float, metavar="Q", help="threshold Q × baseline (default 0.9)")
    parser.add_argument(
        "--best-epoch",
        type=float,
        metavar="Q",
        help="the epoch counts that is best on Q held-out data",
    )
    parser.add_argument("--threshold", type=float, metavar="P", help="an absolute threshold instead")
    add_no_fuse(parser)
    add_many_runs(parser)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="results/DATA-NET-PROJECTION by default")


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
    names = [f"{name}-{value}" for name, value in recipe.T.items() if name != "kind"]
    model = model_name(recipe.model)
    kind = recipe.T["kind"]
    base = [] if args.base is None else [args.base.stem]
    folder = args.out or default_folder(args.data, model, kind, *names, *base)
    count = len(recipe.specs())
    jobs = default_jobs(backend.name) if args.jobs is None else check_integer("jobs", args.jobs, 1)
    check_first(recipe, backend, data)
    if args.cluster is not None:
        Dask(args.cluster)
    try_writing(folder)
    many = counted(count, "run") if recipe.d else f"{counted(count, 'direct run')} and up to {recipe.budget}"
    many += f" of {counted(recipe.epochs, 'epoch')}" + (", learning rates before" if recipe.rates else "")
    where = (
        f"{min(jobs, count) if recipe.d else jobs} at a time"
        if args.cluster is None
        else f"on {args.cluster}"
    )
    say(f"{args.data}, {model}, {kind}: {many}, {where}, results in {folder}")
    place = Where(
        backend.name, backend.dtype.name, backend.threads, args.jobs, args.folder, args.cluster, backend.fuse
    )
    told = Sentences(say, 0 if recipe.d else recipe.budget)
    m = measured(recipe, folder, place, args.progress, [told])
    say(f"\nD = {m.D:,}\n{m.table()}\n")
    plot, drawn = picture(lambda: curve_figure(m), folder / "curve.png")
    _, report = attempt(lambda: write_report(m, args.typed, plot))
    say(f"report      {report}")
    table = folder / "results.csv"
    say(f"csv         {table if table.is_file() else 'none: see the warning'}")
    say(f"plot        {drawn}")
    if m.compressed is None:
        say(f"compressed  none: {m.uncompressed}")
    else:
        c = m.compressed
        say(
            f"compressed  {folder / c['file']}, {c['bytes']:,} bytes instead of {4 * m.D:,}; "
            f"performance {c['performance']:.4f} after decoding (d = {c['d']}, seed {c['seed']})"
        )
    for record in m.failed:
        note(f"a run failed and is tried again next time: {record['error']}")
    say(m.summary)
    return 1 if m.failed else 0


def check_first(recipe: Recipe, backend: Backend, data: Dataset) -> None:
    """What does not fit together is an error before anything is said; the rehearsal of the runs would find it too.

    Raises
    ------
    TypeError, ValueError
        see `check_fit` and `make_projection`.
    """
    model = model_from_spec(recipe.model, backend)
    check_fit(recipe.direct(0, backend.dtype.name), model, data)
    smallest = min(recipe.d or [recipe.search(model.D).start])
    for d in (smallest, max(recipe.d or [smallest])):
        check_integer("d", d, 1, model.D, f"1 ≤ d ≤ D = {model.D}")
    seed = recipe.subspace(smallest, 0).seeds.P
    if T := recipe.parametrisation:
        if recipe.d is None and "d" not in ADAPTERS[T["kind"]].__dataclass_fields__:
            raise ValueError(
                f"--d search tries any d, and {T['kind']} trains only the counts of its ranks: --d GRID is needed"
            )
        for d in recipe.d or (smallest,):
            adapter_of(T, d, model.layout, model.init_theta(0), seed, backend)
        return
    make_projection(D=model.D, d=smallest, seed=seed, backend=backend, **recipe.projection)


def recipe_of(args: argparse.Namespace, recipe: Recipe) -> Recipe:
    """The default recipe, with whatever the options say otherwise."""
    changes: dict[str, Any] = {**map_of(args), "seed": args.seed}
    if T := changes.get("parametrisation"):
        d = own_count(T, model_from_spec(recipe.model, get_backend("numpy")).layout)
        changes |= {"d": (d,)} if d is not None else {}
    changes |= args.d or {}
    for name in ("seeds", "epochs", "batch_size", "l2", "fraction", "threshold", "best_epoch"):
        if getattr(args, name) is not None:
            changes[name] = getattr(args, name)
    if args.seeds is not None:
        changes["direct_seeds"] = args.seeds
    if args.base is not None:
        changes["pretrained"] = {"file": str(args.base)}
    if args.lr is not None:
        changes |= args.lr if "rates" in args.lr else {"optimizer": recipe.optimizer | args.lr, "rates": None}
    if args.direct_lr is not None:
        changes["direct_optimizer"] = recipe.direct_optimizer | {"lr": args.direct_lr}
    return replace(recipe, **changes)
