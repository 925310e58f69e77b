"""`python -m benchmarks`: measure rows, print them, and keep them in docs/performance.md."""

from __future__ import annotations

import argparse
import datetime
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.duel import CaseError, duel
from benchmarks.rows import ROWS, Row, missing

SITTINGS = 3  # of rows whose cases live through many rounds


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rows", metavar="NAME,...", help=f"of: {', '.join(ROWS)}; wht- is all that begin so"
    )
    parser.add_argument("--threads", default="1,2", metavar="N,...", help="1,2")
    parser.add_argument("--quick", action="store_true", help="3 short rounds, not kept: to see that it runs")
    parser.add_argument("--rounds", type=int, default=15, help="of each row, unless it says fewer (15)")
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS",
                        help="that a case waits, at most, for others to leave the machine alone (0)")  # fmt: skip
    parser.add_argument("--avx2", action="store_true", help="hold Numba to AVX2; its tables stand apart")
    parser.add_argument("--tables-only", action="store_true", help="write the tables of what is kept")
    return parser.parse_args()


def chosen(names: str | None) -> list[Row]:
    """The rows that the option names."""
    if names is None:
        return list(ROWS.values())
    rows = []
    for name in names.split(","):
        found = [
            row
            for row in ROWS.values()
            if row.name == name or (name.endswith("-") and row.name.startswith(name))
        ]
        if not found:
            raise SystemExit(f"unknown row {name!r}: choose from {', '.join(ROWS)}")
        rows += found
    return rows


def mnist() -> bool:
    """Whether its files are at hand."""
    folder = os.environ.get("NPINTDIM_DATA")
    return folder is not None and any(Path(folder).glob("**/train-images-idx3-ubyte.gz"))


def collection(everything: dict[str, Any], threads: list[int]) -> dict[str, Any]:
    """Where this variant's rows go: emptied if they were measured elsewhere."""
    here = machine.describe()
    kept: dict[str, Any] = everything.get(machine.variant(), {})
    if kept.get("machine") != here:
        kept = {"machine": here, "limits": {}, "rows": {}}
    kept["date"] = datetime.date.today().isoformat()
    for t in threads:
        now, before = machine.limits(t), kept["limits"].get(str(t), {})
        kept["limits"][str(t)] = {name: max(rate, before.get(name, 0.0)) for name, rate in now.items()}
    return kept


def main() -> None:
    args = options()
    if args.avx2:
        machine.hold_to_avx2()
    everything = report.load()
    if not args.tables_only:
        threads = [int(t) for t in args.threads.split(",")]
        rounds, seconds = (3, 0.05) if args.quick else (args.rounds, 0.2)
        measured = collection({} if args.quick else everything, threads)
        for row in chosen(args.rows):
            why = missing(row, find_spec("torch") is not None, mnist())
            if why:
                print(f"| {row.title} | skipped: {why} |", flush=True)
                continue
            for t in (t for t in threads if t in row.threads):
                sittings = 1 if args.quick or row.section == "processes" else SITTINGS
                try:
                    found = duel(row.cases, t, min(rounds, row.rounds), seconds, args.patience, sittings)
                except CaseError as failure:
                    raise SystemExit(f"row {row.name}: {failure}") from None
                measured["rows"].setdefault(row.name, {})[str(t)] = found
                print(report.line(row.held() if args.avx2 else row, t, found), flush=True)
                if not args.quick:
                    report.keep(everything | {machine.variant(): measured})
        if args.quick:
            return
    page = report.PAGE.read_text("utf-8")
    for variant, kept in report.load().items():
        page = report.publish(page, variant, report.tables(kept, variant))
    report.PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
