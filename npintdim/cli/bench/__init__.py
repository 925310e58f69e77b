"""npintdim bench."""

from __future__ import annotations

import argparse
from typing import Any

from npintdim.cli.bench.lines import bench, table
from npintdim.cli.common import add_command, backend_of, say

PURPOSE = """\
Time projections and training steps on this machine.

Each line has the share of the limit it is nearest to: a copy of as many bytes,
or multiply-adds in registers. docs/performance.md compares with PyTorch."""


def add(commands: Any) -> None:
    """Options of the command."""
    parser = add_command(commands, "bench", run, PURPOSE, "npintdim bench --threads 2")
    parser.add_argument(
        "--seconds", type=float, default=0.15, metavar="S", help="of repetitions for a line (0.15)"
    )


def run(args: argparse.Namespace) -> int:
    """Print a line as soon as it is measured."""
    if not 0 < args.seconds < 60:
        raise ValueError(f"--seconds is {args.seconds}: a number between 0 and 60 is needed")
    backend = backend_of(args)
    plural = "s" if backend.threads > 1 else ""
    say(f"backend {backend.name}, {backend.dtype.name}, {backend.threads} thread{plural}")
    for line in table(bench(backend, args.seconds)):
        say(line)
    return 0
