"""What commands of many runs share: where the runs are done."""

from __future__ import annotations

from npintdim.cli.common import Parser


def add_many_runs(parser: Parser) -> None:
    """The options that say where runs are done."""
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once (default: one a core)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler's, e.g. tcp://10.0.0.1:8786")
