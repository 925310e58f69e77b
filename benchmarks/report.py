"""The numbers, kept in measured.json, as Markdown tables in docs/performance.md between its markers."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import ROWS, SECTIONS, Row

KEPT = Path(__file__).parent / "measured.json"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
Rounds = Mapping[str, Sequence[float]]  # by case


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """p25, median, p75."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def opponent(row: Row, rounds: Rounds) -> str | None:
    """The fastest of the others."""
    return min(row.against, key=lambda case: statistics.median(rounds[case]), default=None)


def compared(row: Row, rounds: Rounds) -> list[float]:
    """What the floor is about, round by round: a ratio, or the value itself."""
    ours, other = rounds[row.ours], opponent(row, rounds)
    if other is None:
        return list(ours)
    pairs = zip(rounds[other], ours, strict=True)
    return [b / a if row.want == "faster" else a / b for b, a in pairs]


def verdict(row: Row, threads: int, value: float) -> str:
    """Whether the floor and the aim are met; nothing where there is no floor."""

    def met(bound: float) -> bool:
        return value >= bound if row.want == "faster" else value <= bound

    if threads in row.aim and met(row.aim[threads]):
        return "aim"
    if threads not in row.floor:
        return ""
    return "yes" if met(row.floor[threads]) else "**no**"


def amount(value: float, row: Row) -> str:
    """Seconds for people, or MB."""
    if "memory" in row.name:
        return f"{value:.0f} MB"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.0f} ns"


def spread(values: Sequence[float], row: Row) -> str:
    """Median (p25–p75)."""
    low, middle, high = quartiles(values)
    return f"{amount(middle, row)} ({amount(low, row)}–{amount(high, row)})"


def line(row: Row, threads: int, rounds: Rounds) -> str:
    """One line of a table."""
    other = opponent(row, rounds)
    low, middle, high = quartiles(compared(row, rounds))
    ratio = "" if other is None else f"{middle:.3g}× ({low:.3g}–{high:.3g})"
    sign = "≥ " if row.want == "faster" else "≤ "

    def bound(bounds: Mapping[int, float]) -> str:
        if threads not in bounds:
            return ""
        return sign + (amount(bounds[threads], row) if other is None else f"{bounds[threads]:g}×")

    cells = [
        row.title, str(threads), spread(rounds[row.ours], row), spread(rounds[other], row) if other else "", ratio,
        bound(row.floor), bound(row.aim), verdict(row, threads, middle),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def tables(measured: Mapping[str, Any], variant: str = "native") -> str:
    """Everything that was measured on one machine."""
    machine, rates = measured["machine"], measured["limits"]
    names = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    text = [
        f"{machine['processor']}, {machine['cores']} cores; Python {machine['python']}, {names}; {measured['date']}.",
        "", "| limit | " + " | ".join(f"{t} thread{'s' if t != '1' else ''}" for t in rates) + " |",
        "|---|" + "--:|" * len(rates),
        "| copy, read and written added up | " + " | ".join(f"{r['copy']:.0f} GB/s" for r in rates.values()) + " |",
        "| float32 multiply-adds | " + " | ".join(f"{r['multiply-adds']:.0f} GFLOP/s" for r in rates.values()) + " |",
    ]  # fmt: skip
    for section, title in SECTIONS.items():
        rows = [row for row in ROWS.values() if row.section == section and row.name in measured["rows"]]
        if not rows:
            continue
        text += [
            "", f"**{title}**", "",
            "| work | threads | npintdim | the other | ratio | required | aim | met |",
            "|---|--:|--:|--:|--:|--:|--:|:-:|",
        ]  # fmt: skip
        for row in rows if variant == "native" else [row.held() for row in rows]:
            by_threads = measured["rows"][row.name]
            text += [line(row, int(t), by_threads[t]) for t in sorted(by_threads)]
    return "\n".join(text) + "\n"


def load() -> dict[str, Any]:
    """What is kept, by variant."""
    kept: dict[str, Any] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    return kept


def keep(everything: Mapping[str, Any]) -> None:
    """Write it down: a line for every series of rounds."""
    text = json.dumps(everything, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)
    KEPT.write_text(text + "\n", "utf-8")


def publish(page: str, variant: str, text: str) -> str:
    """The page with a variant's tables between its markers.

    Raises
    ------
    ValueError
        if the page has no such markers.
    """
    start, end = f"<!-- table {variant} -->\n", f"<!-- end of table {variant} -->"
    if start not in page or end not in page:
        raise ValueError(f"docs/performance.md has no markers {start.strip()} and {end}")
    head, _, rest = page.partition(start)
    return head + start + text + end + rest.partition(end)[2]
