"""The report of a reproduction: table, what was left out, pictures, cost, command, the recipe's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from npintdim.files import write_atomically
from npintdim.inputs import attempt
from npintdim.plots import picture
from npintdim.reproduce.base import Outcome, Reproduction, Row, Setting
from npintdim.reproduce.table import Found

LEFT = ("", "read at", "what differs")  # columns of words; those of numbers end at the right


def markdown(rows: Sequence[Row] | Sequence[Found]) -> str:
    """The table in Markdown."""
    names = list(rows[0].cells)
    rule = ["---" if name in LEFT else "--:" for name in names]
    lines = [names, rule, *(row.cells.values() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(rows: Sequence[Row] | Sequence[Found]) -> str:
    """The table for a terminal; what differs, the last column, stands below, once."""
    *columns, _ = zip(rows[0].cells, *(row.cells.values() for row in rows), strict=True)
    padded = [
        [f"{cell:{'<' if column[0] in LEFT else '>'}{max(map(len, column))}}" for cell in column]
        for column in columns
    ]
    different = dict.fromkeys(f"  {row.what}: {row.differs}" for row in rows if row.differs)
    return "\n".join([*map("  ".join, zip(*padded, strict=True)), "", "What differs", *different])


def write_report(
    done: Reproduction, outcome: Outcome, setting: Setting, command: str, wall: float
) -> tuple[str, str]:
    """Write report.md and its pictures.

    Returns
    -------
    what to tell of the report and of the pictures: where they lie, or "none: reason"
    """
    drawn = [picture(figure, setting.folder / f"{name}.png") for name, figure in outcome.pictures.items()]
    names = [path.name for path, _ in drawn if path is not None]
    left_out = done.left_out()
    parts = [
        f"# {done.title}",
        markdown(outcome.rows),
        "\n\n".join(f"![{name}]({name})" for name in names),
        "**Left out by --quick:** " + "; ".join(left_out) + "." if left_out else "",
        "**Failed:** " + "; ".join(outcome.failed) if outcome.failed else "",
        f"{outcome.runs:,} {outcome.unit}, {outcome.seconds:,.0f} s of computing; "
        f"this command took {wall:,.0f} s, what lay on disk included. "
        f"Backend {setting.backend.name}, {setting.backend.threads} thread(s) a run.",
        f"```bash\n{command}\n```",
        *outcome.details,
        "## Every number",
        "\n".join(f"- `{line}`" for line in done.describe()),
    ]
    report, text = setting.folder / "report.md", "\n\n".join(filter(None, parts)) + "\n"

    def write() -> Path:
        setting.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(report, text.encode(errors="backslashreplace"))
        return report

    told = [str(path) if path is not None else why for path, why in drawn]
    return attempt(write)[1], ", ".join(dict.fromkeys(told))
