"""npintdim vectors."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from npintdim.cli.common import Parser, check_not_kept, check_writable, say
from npintdim.files import write_atomically
from npintdim.inputs import counted, one_of
from npintdim.measurement.records import try_writing
from npintdim.testing.answers import explained, judge, read_answers, unknown_ids
from npintdim.testing.cases import FAMILIES, Case, cases
from npintdim.testing.export import as_c_header, as_json, fits_c, write_npy

PURPOSE = """\
Test vectors for an implementation in any language.

  vectors list                 families and tasks; with --family F its tests
  vectors export --format F    json, npy (a folder) or c-header
  vectors check answers.json   {id: hex words, numbers or "refused"}; exit code
                               1 if anything failed (docs/vectors.md)"""
EXAMPLE = "npintdim vectors export --format c-header --family wht --out wht.h"
TAKES = "list|export|check [answers.json]"
GROUP = "{:<20}{:<8}{:<20}"
FORMATS = ("json", "npy", "c-header")


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.option("action list|export|check", "see above")
    parser.option("answers", "the file to check", nargs="?", type=Path)
    parser.option("--family F", "only these (again for another)", action="append")
    parser.option("--level L", "only given, or only seeded")
    parser.option("--format F", "json (default), npy, c-header")
    parser.option("--questions", "json, npy: without what is expected", action="store_true")
    parser.option("--out PATH", "file; of npy the folder (default: stdout)", type=Path)


def run(args: argparse.Namespace) -> int:
    """List, export or check."""
    one_of("action", args.action, ACTIONS)
    if (args.answers is None) == (args.action == "check"):
        if args.answers is None:
            raise ValueError("vectors check needs a file of answers: npintdim vectors check answers.json")
        raise ValueError(f"vectors {args.action} takes no file, but {args.answers} is given")
    if args.action != "export" and (args.out or args.questions or args.format):
        raise ValueError(
            f"vectors {args.action} writes no vectors: --format, --questions and --out are for export"
        )
    return ACTIONS[args.action](args)


def chosen(args: argparse.Namespace) -> list[Case]:
    """The cases that the options name."""
    families = dict.fromkeys(args.family or FAMILIES)  # a name that is given twice counts once
    return [case for family in families for case in cases(family, args.level, "all")]


def group_of(case: Case) -> str:
    """That it is counted in: the beginning of a line of a table."""
    return GROUP.format(case.family, case.level, case.task)


def show(args: argparse.Namespace) -> int:
    """A line for every group, or for every test of the families that are named."""
    found = chosen(args)
    if args.family:
        width = max(len(case.id) for case in found)
        for case in found:
            flags = f"  [{', '.join(case.flags)}]" if case.flags else ""
            say(f"{case.id:<{width}}  {'' if case.valid else 'refuse: '}{case.comment}{flags}")
        notes = {flag: case.notes[flag] for case in found for flag in case.flags}
        for flag, note in sorted(notes.items()):
            say(f"\n{flag}: {note}")
        return 0
    say(f"{GROUP.format('family', 'level', 'task')}{'tests':>6}{'refuse':>8}")
    refused = Counter(group_of(case) for case in found if not case.valid)
    for name, count in Counter(map(group_of, found)).items():
        say(f"{name}{count:>6}{refused[name]:>8}")
    say(f"\n{counted(len(found), 'test')}; --family NAME lists them")
    return 0


def export(args: argparse.Namespace) -> int:
    """Write the vectors in the format that is asked for."""
    args.format = one_of("format", args.format or "json", FORMATS)
    if args.out is not None and args.format != "npy":
        check_writable("--out", args.out)
    found = chosen(args)
    if args.format == "npy":
        if args.out is None:
            raise ValueError("--format npy writes a folder: --out FOLDER is needed")
        check_not_kept("--out", args.out / "index.json")
        try_writing(args.out)
        files = counted(write_npy(found, args.out, args.questions), "file")
        say(f"{args.out}: {files}, {counted(len(found), 'test')}")
        return 0
    if args.format == "c-header":
        if args.questions:
            raise ValueError("--questions is for json and npy: a C program compares by itself")
        found = [case for case in found if fits_c(case)]
        data = as_c_header(found).encode()
    else:
        data = as_json(found, args.questions).encode()
    if args.out is None:
        say(data)
    else:
        write_atomically(args.out, data)
        say(f"{args.out}: {counted(len(found), 'test')}")
    return 0


def check(args: argparse.Namespace) -> int:
    """A table of what passed, then the reasons; of a family that is named every test must be answered."""
    answers, found = read_answers(Path(args.answers)), chosen(args)
    reasons = unknown_ids(answers, [case for family in FAMILIES for case in cases(family, task="all")])
    table: dict[str, Counter[str]] = {}
    for case in found:
        counts = table.setdefault(group_of(case), Counter())
        if case.id not in answers:
            counts["missing"] += 1
            continue
        reason = judge(case, answers[case.id])
        counts["failed" if reason else "passed"] += 1
        reasons += [reason] if reason else []
    say(f"{GROUP.format('family', 'level', 'task')}{'passed':>7}{'failed':>7}{'not answered':>14}")
    for name, counts in table.items():
        say(f"{name}{counts['passed']:>7}{counts['failed']:>7}{counts['missing']:>14}")
    total = sum(table.values(), Counter())
    for reason in reasons:
        say(f"\nFAILED {reason}")
    for step, sentence in explained(found, answers):
        say(f"\nWHY {step}: {sentence}")
    say(f"\npassed {total['passed']}, failed {len(reasons)}, not answered {total['missing']}")
    if not total["passed"] and not reasons:
        raise ValueError(f"{args.answers} answers none of these tests: npintdim vectors list shows their ids")
    return 1 if reasons or (args.family and total["missing"]) else 0


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {"list": show, "export": export, "check": check}
