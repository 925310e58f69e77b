"""What a measurement found: its records, both readings, the compressed network; shown, drawn, in tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.inputs import counted, table_html
from npintdim.machine import data_frame, need
from npintdim.measurement.baseline import DOUBT, Baseline
from npintdim.measurement.custom import Name
from npintdim.measurement.estimate import DInt, d_int
from npintdim.measurement.rates import Rates
from npintdim.measurement.recipes import Recipe, model_name
from npintdim.measurement.records import direct_and_inside
from npintdim.typing import Floats, Spec


@dataclass(frozen=True, repr=False)
class Measurement:
    """What `measure` found.

    It shows itself in a few lines, in a notebook as a table; `plot` draws it.

    Parameters
    ----------
    recipe : what was measured
    folder : where it lies: runs/, results.csv, summary.json, report.md, and compressed networks
    records : one per run, see `npintdim.measurement.runs.run`
    d_int : both readings, with the interval
    compressed : {"file", "bytes", "performance", "d", "seed"} of the network kept at the first d above the
        line, its performance measured after decoding the file;
        None if no d is above the line, or the landscape is your own
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
    def worth(self) -> str:
        """Of the compressed network: its size, and what it reaches; or why there is none."""
        if (c := self.compressed) is None:
            return self.uncompressed
        reached = f"performance {c['performance']:.4f} after decoding (d = {c['d']}, seed {c['seed']})"
        return f"{c['bytes']:,} bytes instead of {4 * self.D:,}; {reached}"

    @property
    def baseline(self) -> Baseline:
        """The direct runs, judged."""
        return Baseline(direct_and_inside(self.records)[0], self.guessing, self.recipe.scored)

    @property
    def doubts(self) -> list[str]:
        """What is wrong with the baseline, a sentence each; most often nothing."""
        inside = {d: p for d, p in self.performances().items() if d is not None}
        return self.baseline.doubts(inside) if self.baseline.direct else []

    @property
    def summary(self) -> str:
        """The line that is quoted: the reading, why there is none, and what is doubtful about it."""
        doubts = [] if math.isnan(self.d_int.d) else self.doubts
        return "; ".join([self.d_int.summary(), *self.seen, *doubts])

    @property
    def seen(self) -> list[str]:
        """Where the line was never reached the best that was, and why it ended there; also overfitting."""
        if self.d_int.d != math.inf:
            return [self.overfits] if self.d_int.collapsed and self.overfits else []
        on_test, on_train = self.means("performance"), self.means("train_performance")
        best, last = max(on_test, key=lambda d: on_test[d][0]), max(on_test)
        (p, said), base = on_test[best], self.d_int.baseline
        share = f", {100 * p / self.recipe.shares([base])[0]:.1f} % of direct training" if base and p else ""
        told = [f"the best is {said} at d = {best:,}{share}"]
        line = self.recipe.shares([self.d_int.threshold])[0]
        if self.overfits:
            told.append(self.overfits)
        elif {best, last} <= set(on_train) and on_train[last][0] < line:
            told.append(
                f"even on the training data d = {last:,} reaches {on_train[last][1]} alone: "
                "a larger d, more epochs or another rate"
            )
        return told

    @property
    def overfits(self) -> str:
        """That beyond the best d performance falls while it rises on the training data; else ""."""
        on_test, on_train = self.means("performance"), self.means("train_performance")
        best, last = max(on_test, key=lambda d: on_test[d][0]), max(on_test)
        if best == last or not {best, last} <= set(on_train):
            return ""
        if on_train[last][0] <= on_train[best][0] or on_test[last][0] >= (1 - DOUBT) * on_test[best][0]:
            return ""
        return (
            f"it overfits: from d = {best:,} to {last:,} it falls to {on_test[last][1]} "
            f"while on the training data it rises from {on_train[best][1]} to {on_train[last][1]}; "
            "best_epoch=0.2, fewer epochs or l2 may help, a larger d does not"
        )

    def means(self, part: str) -> dict[int, tuple[float, str]]:
        """Mean over the finished runs at each d, as a share and as text in its own units."""
        found = [(d, p) for d, p in self.performances(part).items() if d is not None and len(p)]
        return {d: (float(np.mean(self.recipe.shares(p))), f"{p.mean():.4f}") for d, p in found}

    @property
    def title(self) -> str:
        """What was measured."""
        T = self.recipe.T
        options = [f"{name} {value}" for name, value in T.items() if name != "kind"]
        parts = [Name(self.recipe.data).label, model_name(self.recipe.model)]
        return ", ".join([*parts, *([] if self.recipe.own else [T["kind"]]), *options])

    def __repr__(self) -> str:
        n = len(self.records)
        return (
            f"<Measurement: {self.title}; D = {self.D:,}, {counted(n, 'run')} in {self.folder}\n"
            f"{self.summary}>"
        )

    def _repr_html_(self) -> str:
        return table_html(f"{self.title}: D = {self.D:,}", self.rows(), self.summary)

    def plot(self, ax: Any = None) -> Any:
        """Performance against d with the fitted curve, the line, d_int and its interval: a matplotlib Figure.

        Parameters
        ----------
        ax : axes to draw into; None for a figure of its own, which shows itself in a notebook

        Raises
        ------
        ImportError
            without matplotlib, with the pip line.
        """
        return need("npintdim.plots:curve_figure", "", "")(self, ax)  # it lies above, see docs/decisions.md

    def to_dataframe(self) -> Any:
        """A pandas DataFrame, one row a run.

        Columns: d (missing of direct training), seed, status, performance, lr, epochs, seconds.

        Raises
        ------
        ImportError
            without pandas, with the pip line.
        """
        told = ("status", "performance", "train_performance", "loss", "seconds")
        rows = [
            {"d": r["spec"].get("d"), "seed": r["spec"]["seed"], "lr": r["spec"]["optimizer"]["lr"]}
            | {name: r.get(name) for name in told}
            | {"epochs": len(r.get("epochs", ()))}
            for r in self.records
        ]
        numbers = dict.fromkeys(("performance", "train_performance", "loss"), float)
        return data_frame(rows).astype({"d": "Int64"} | numbers)

    def performances(self, part: str = "performance") -> dict[int | None, Floats]:
        """Of the finished runs at each d, ascending, or another number of theirs; None is the baseline."""
        groups: dict[int | None, list[float]] = {}
        for r in self.records:
            group = groups.setdefault(r["spec"].get("d"), [])
            if r["status"] == "finished" and r.get(part) is not None:
                group.append(r[part])
        return {d: np.array(groups[d]) for d in sorted(groups, key=lambda d: d or 0)}

    def rows(self) -> list[tuple[str, ...]]:
        """A header, then a line for the baseline and for each d."""
        rows: list[tuple[str, ...]] = [("d", "runs", "performance", "sd", "of baseline", "seconds", "")]
        base = None if self.baseline.nothing else self.d_int.baseline
        for d, p in self.performances().items():
            seconds = np.mean([r["seconds"] for r in self.records if r["spec"].get("d") == d])
            mean, whole = self.recipe.shares([p.mean(), base]) if len(p) and d and base else (0, None)
            share = "" if whole is None else f"{100 * mean / whole:.1f} %"
            told = f"{p.mean():.4f}" if len(p) else "-"
            sd = f"{p.std(ddof=1):.4f}" if len(p) > 1 else "-"
            mark = "first above the line" if d is not None and d == self.d_int.first_above else ""
            rows.append((f"{d or 'direct'}", f"{len(p)}", told, sd, share, f"{seconds:.2f}", mark))
        return rows

    def table(self) -> str:
        """The rows in columns."""
        lines = []
        for *cells, mark in self.rows():
            line = " ".join(f"{cell:>{n}}" for cell, n in zip(cells, (7, 5, 12, 7, 12, 8), strict=True))
            lines.append(f"{line}  {mark}" if mark else line)
        return "\n".join(lines)


def read_off(recipe: Recipe, records: Sequence[Spec], guessing: float = 0.0) -> DInt:
    """`d_int` of the records; a run without performance counts as left out, and so does a dead direct run.

    Parameters
    ----------
    recipe : with fraction, threshold and chance
    records : of all runs
    guessing : performance that needs no learning; where direct training reached no more,
        nothing is read against it

    Raises
    ------
    ValueError
        if too few runs finished.
    """
    direct, d, reached = direct_and_inside(records)
    baseline = Baseline(direct, guessing, recipe.scored)
    lacking = baseline.nothing if recipe.threshold is None else ""
    if lacking and not d:
        raise ValueError(f"{lacking}: there is no line to search d_int at")
    rule: dict[str, Any] = {"threshold": recipe.threshold, "chance": recipe.chance, "score": recipe.scored}
    found = d_int(d, reached, baseline.line, recipe.fraction, **rule)
    if not lacking:
        return found
    unread = replace(found, d=math.nan, low=None, high=None, first_above=None, isotonic=math.nan, noise=None)
    return replace(unread, unknown=lacking)  # no number is left that somebody might quote
