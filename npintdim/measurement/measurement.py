"""What a measurement found: the records of its runs, both readings, the compressed network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.inputs import counted
from npintdim.machine import need
from npintdim.measurement.baseline import Baseline
from npintdim.measurement.estimate import DInt
from npintdim.measurement.rates import Rates
from npintdim.measurement.recipes import Recipe, model_name
from npintdim.typing import Floats, Spec


@dataclass(frozen=True, repr=False)
class Measurement:
    """What `measure` found.

    It shows itself in a few lines, in a notebook as a table.

    Parameters
    ----------
    recipe : what was measured
    folder : where it lies: runs/, results.csv, summary.json, report.md, and compressed networks
    records : one per run, see `npintdim.measurement.runs.run`
    d_int : both readings, with the interval
    compressed : {"file", "bytes", "performance", "d", "seed"} of the network kept at the first d above the line,
        its performance measured after decoding the file; None if no d is above the line, or the landscape is your own
    rates : how the learning rates were searched, directly and in a subspace; empty if they were given
    guessing : performance that needs no learning, see `npintdim.measurement.baseline.guessing`
    uncompressed : why no network was kept, if none was
    """

    recipe: Recipe
    folder: Path
    records: tuple[Spec, ...]
    d_int: DInt
    compressed: Spec | None
    rates: tuple[Rates, ...] = ()
    guessing: float = 0.0
    uncompressed: str = ""

    @property
    def D(self) -> int:
        """Number of all parameters."""
        return next(int(r["D"]) for r in self.records if "D" in r)

    @property
    def seconds(self) -> float:
        """Of computing, all runs together, the search for learning rates included."""
        return round(sum(r["seconds"] for r in self.records) + sum(r.seconds for r in self.rates), 3)

    @property
    def failed(self) -> list[Spec]:
        """Records of runs that ended with an exception."""
        return [r for r in self.records if r["status"] == "failed"]

    @property
    def baseline(self) -> Baseline:
        """The direct runs, judged."""
        direct = (r["performance"] for r in self.records if "d" not in r["spec"])
        return Baseline(tuple(math.nan if p is None else p for p in direct), self.guessing)

    @property
    def doubts(self) -> list[str]:
        """What is wrong with the baseline, a sentence each; most often nothing."""
        inside = {d: p for d, p in self.performances().items() if d is not None}
        return self.baseline.doubts(inside) if self.baseline.direct else []

    @property
    def summary(self) -> str:
        """The line that is quoted: the reading, and what is doubtful about it."""
        doubts = [] if math.isnan(self.d_int.d) else self.doubts
        return "; ".join([self.d_int.summary(), *doubts])

    @property
    def title(self) -> str:
        """What was measured."""
        options = [f"{name} {value}" for name, value in self.recipe.projection.items() if name != "kind"]
        own = "objective" in self.recipe.model
        parts = [self.recipe.data.removeprefix("here:"), model_name(self.recipe.model)]
        return ", ".join([*parts, *([] if own else [self.recipe.projection["kind"]]), *options])

    def __repr__(self) -> str:
        n = len(self.records)
        return f"<Measurement: {self.title}; D = {self.D:,}, {counted(n, 'run')} in {self.folder}\n{self.summary}>"

    def _repr_html_(self) -> str:
        header, *rows = self.rows()
        cells = "".join(f"<th>{cell}</th>" for cell in header)
        lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return (
            f"<p>{escape(self.title)}: D = {self.D:,}</p><table><tr>{cells}</tr>{lines}</table>"
            f"<p><b>{escape(self.summary)}</b></p>"
        )

    def to_dataframe(self) -> Any:
        """A pandas DataFrame, one row a run: d (missing of direct training), seed, status, performance, lr, epochs, seconds.

        Raises
        ------
        ImportError
            without pandas.
        """
        pandas = need("pandas", "to_dataframe needs pandas", "pip install pandas")
        told = ("status", "performance", "train_performance", "loss", "seconds")
        rows = [
            {"d": r["spec"].get("d"), "seed": r["spec"]["seed"], "lr": r["spec"]["optimizer"]["lr"]}
            | {name: r.get(name) for name in told}
            | {"epochs": len(r.get("epochs", ()))}
            for r in self.records
        ]
        frame = pandas.DataFrame(rows)
        return frame.astype(
            {"d": "Int64"} | dict.fromkeys(("performance", "train_performance", "loss"), float)
        )

    def performances(self) -> dict[int | None, Floats]:
        """Of the finished runs at each d, ascending; None is the baseline."""
        groups: dict[int | None, list[float]] = {}
        for r in self.records:
            group = groups.setdefault(r["spec"].get("d"), [])
            if r["status"] == "finished":
                group.append(r["performance"])
        return {d: np.array(groups[d]) for d in sorted(groups, key=lambda d: d or 0)}

    def rows(self) -> list[tuple[str, ...]]:
        """A header, then a line for the baseline and for each d."""
        rows: list[tuple[str, ...]] = [("d", "runs", "performance", "sd", "of baseline", "seconds", "")]
        for d, p in self.performances().items():
            seconds = np.mean([r["seconds"] for r in self.records if r["spec"].get("d") == d])
            base = None if self.baseline.nothing else self.d_int.baseline
            share = f"{100 * p.mean() / base:.1f} %" if len(p) and d and base else ""
            above = d is not None and d == self.d_int.first_above
            rows.append(
                (
                    f"{d or 'direct'}",
                    f"{len(p)}",
                    f"{p.mean():.4f}" if len(p) else "-",
                    f"{p.std(ddof=1):.4f}" if len(p) > 1 else "-",
                    share,
                    f"{seconds:.2f}",
                    "first above the line" if above else "",
                )
            )
        return rows

    def table(self) -> str:
        """The rows in columns."""
        widths = (7, 5, 12, 7, 12, 8)
        lines = []
        for *cells, mark in self.rows():
            line = " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
            lines.append(f"{line}  {mark}" if mark else line)
        return "\n".join(lines)
