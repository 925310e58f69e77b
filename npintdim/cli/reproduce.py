"""npintdim reproduce."""

from __future__ import annotations

import argparse
import textwrap
import time
from pathlib import Path

from npintdim.cli.common import Parser, backend_of, check_not_kept, default_folder, note, say
from npintdim.inputs import check_integer
from npintdim.measurement.records import try_writing
from npintdim.reproduce import REPRODUCTIONS, Setting, plain, reproduction, write_report
from npintdim.reproduce.cases import Cases
from npintdim.reproduce.table import TABLE

PURPOSE = """\
Reproduce the paper's table, one line at a time.

Without NAME: what there is, what it costs, what we found. The same command
again goes on where it was stopped; npintdim/reproduce/paper.py has every
number of each."""
EXAMPLE = "npintdim reproduce mnist-fc --quick"
TAKES = "[NAME ...]"


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.option("names NAME", "of the list; several are run one by one", nargs="*")
    parser.option("--list", "what there is, and what it costs", action="store_true")
    parser.option("--table", "paper, ours and cost of every row that was run", action="store_true")
    parser.option("--quick", "minutes on two cores; says what it leaves out", action="store_true")
    parser.option("--data DATA", "another data set of the same shape, e.g. FOLDER/ of yours", default=None)
    parser.option("--l2 W", "penalty W·Σθ² on the kernels", type=float)
    parser.add_many_runs()
    parser.option("--out FOLDER", "results/reproduce-NAME by default", type=Path)


def run(args: argparse.Namespace) -> int:
    """Run what is named; list what there is if nothing is."""
    if args.list or args.table or not args.names:
        say("\n\n".join([listing()] * (not args.table) + [plain(TABLE)] * (not args.list)))
        return 0
    chosen = [reproduction(name, args.quick) for name in args.names]  # a wrong name is noticed before any run
    changes = {name: value for name in ("data", "l2") if (value := getattr(args, name)) is not None}
    asked = [*changes, *["cluster"] * (args.cluster is not None)]
    if asked and not all(isinstance(one, Cases) for one in chosen):
        raise ValueError(f"--{asked[0]} is for networks, and toy has none")
    chosen = [one.changed(**changes) if isinstance(one, Cases) else one for one in chosen]
    if args.out is not None and len(chosen) > 1:
        raise ValueError(f"--out is {args.out}, and {len(chosen)} names are given: it needs one")
    if args.jobs is not None:
        check_integer("jobs", args.jobs, 1)
    backend = backend_of(args)
    folders = [
        args.out or default_folder("reproduce", one.name, *["quick"] * args.quick, *changes.values())
        for one in chosen
    ]
    for folder in folders:
        check_not_kept("--out", folder / "report.md")
        try_writing(folder)
    failed = False
    for one, folder in zip(chosen, folders, strict=True):
        began = time.perf_counter()
        setting = Setting(
            folder, backend, args.jobs, args.folder, args.progress, say, args.seed, args.cluster
        )
        cost = one.quick_cost if args.quick else one.cost
        say(f"{one.name}: {one.title}; expected on two quiet cores: {cost}")
        for line in one.left_out():
            say(f"--quick leaves out: {line}")
        say(f"results in {folder}")
        outcome = one.run(setting)
        wall = time.perf_counter() - began
        report = pictures = "none: nothing was read"
        if outcome.rows:
            report, pictures = write_report(one, outcome, setting, args.typed, wall)
            say(f"\n{plain(outcome.rows)}\n")
        say(f"report   {report}")
        say(f"pictures {pictures}")
        work = f"{outcome.runs:,} {outcome.unit}, {outcome.seconds:,.0f} s of computing"
        say(f"cost     {work}; this time {wall:,.0f} s")
        say(f"again    {args.typed}")
        for line in outcome.failed:
            note(f"failed: {line}")
        failed = failed or bool(outcome.failed)
    return 1 if failed else 0


def listing() -> str:
    """A paragraph for each."""
    lines = []
    for name, one in REPRODUCTIONS.items():
        lines.append(f"{name:<24}{one.title}")
        lines.append(textwrap.indent(f"{one.cost}; --quick: {one.quick_cost}", " " * 24))
    return "\n".join([*lines, "\nexpected cost on two quiet cores; npintdim reproduce NAME [--quick]"])
