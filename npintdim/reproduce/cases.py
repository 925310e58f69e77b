"""Measurements of d_int beside the paper's: `measure`, once for each case."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from npintdim.backend import get_backend
from npintdim.data.shuffled import change_of
from npintdim.engine.architectures import model_from_spec
from npintdim.measurement.custom import own_objective
from npintdim.measurement.estimate import DInt
from npintdim.measurement.measure import Measurement, measure, read_off
from npintdim.measurement.recipes import Recipe, model_name
from npintdim.measurement.records import read_record, write_record
from npintdim.plots import curve_figure, nets_figure, several_figure
from npintdim.plots.style import LOOKS, Figure
from npintdim.reproduce.base import Outcome, Reproduction, Row, Setting


@dataclass(frozen=True)
class MeasuredCase:
    """One network, data set and projection.

    Parameters
    ----------
    label : short; its folder has the same name
    recipe : every number that decides the outcome
    paper : the paper's number for each rule: a threshold (absolute),
        or None for recipe.fraction × own baseline
    differs : from what the authors did
    """

    label: str
    recipe: Recipe
    paper: Mapping[float | None, str]
    differs: str

    @property
    def folder(self) -> str:
        """Of its results."""
        return re.sub(r"[^\w.+-]+", "-", self.label)

    @property
    def D(self) -> int:
        """Number of all parameters."""
        if self.recipe.own:
            return own_objective(self.recipe.model, None, 0, get_backend(threads=1))[0].dim
        return model_from_spec(self.recipe.model).D


@dataclass(frozen=True)
class Cases(Reproduction):
    """Several cases, one after the other.

    Parameters
    ----------
    cases : in the order of the table
    shorter : what --quick changes in each recipe
    kept : labels of the cases that --quick keeps; empty for all
    shortened_from : the whole one, if this is a short one
    """

    cases: tuple[MeasuredCase, ...] = ()
    shorter: Mapping[str, Any] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    shortened_from: Cases | None = None

    def changed(self, **changes: Any) -> Cases:
        """With other numbers in every recipe, data="my/" or l2=1e-4 say; each row tells of them.

        What a case makes of its data ("mnist+classes=0-4") it makes of the others, in pre-training too.
        """
        told_of = "".join(f"{name} {value}; " for name, value in changes.items())
        cases = (
            replace(case, recipe=changed(case.recipe, **changes), differs=told_of + case.differs)
            for case in self.cases
        )
        return replace(self, cases=tuple(cases))

    def quick(self) -> Cases:
        """Fewer examples, epochs and runs, as `shorter` says, and only the cases in `kept`."""
        cases = tuple(
            replace(case, recipe=replace(case.recipe, **self.shorter))
            for case in self.cases
            if not self.kept or case.label in self.kept
        )
        return replace(self, cases=cases, shortened_from=self)

    def left_out(self) -> list[str]:
        """Whatever differs from the whole one."""
        whole = self.shortened_from
        if whole is None:
            return []
        own = [case.label for case in self.cases]
        before = next(case.recipe for case in whole.cases if case.label == own[0])
        old, new = asdict(before), asdict(self.cases[0].recipe)
        lines = [
            f"{name}: {told(new[name])} instead of {told(old[name])}"
            for name in self.shorter
            if old[name] != new[name]
        ]
        gone = ", ".join(case.label for case in whole.cases if case.label not in own)
        return lines + ([f"without {gone}"] if gone else [])

    def describe(self) -> list[str]:
        """The recipes in full, one a line."""
        return [f"{case.label}: {json.dumps(asdict(case.recipe), ensure_ascii=False)}" for case in self.cases]

    def run(self, setting: Setting) -> Outcome:
        """Measure every case; one that cannot be read does not stop the others."""
        found: dict[str, Measurement] = {}
        failed: list[str] = []
        for number, case in enumerate(self.cases, start=1):
            setting.step(
                f"\n[{number}/{len(self.cases)}] {case.label}: "
                f"{model_name(case.recipe.model)}, D = {case.D:,}"
            )
            recipe, folder = replace(case.recipe, seed=setting.seed), setting.folder / case.folder
            borrow_baseline(recipe, folder, [setting.folder / other.folder for other in self.cases])
            try:
                found[case.label] = measure(
                    recipe, folder, backend=setting.backend,
                    jobs=setting.jobs, data_folder=setting.data_folder, cluster=setting.cluster,
                    progress=setting.progress, tell=setting.tell, callbacks=setting.callbacks,
                )  # fmt: skip
            except ValueError as error:
                as_the_first = f"{self.cases[0].label}: {error}" in failed and not folder.exists()
                if not found and (as_the_first or number == len(self.cases)):
                    raise  # no case works, or none has begun: it is the input
                failed.append(f"{case.label}: {error}")
                setting.step(f"not read: {error}")
                continue
            failed += [f"{case.label}: {r['error']}" for r in found[case.label].failed]
            setting.step(found[case.label].summary)
        rows = [row for c in self.cases if c.label in found for row in self.rows(c, found[c.label])]
        records = {json.dumps(r["spec"], sort_keys=True): r for m in found.values() for r in m.records}
        tuned = [(rates, m.recipe.rates) for m in found.values() for rates in m.rates]
        return Outcome(
            rows=tuple(rows),
            runs=len(records) + sum(len(rates.tried) * how.seeds for rates, how in tuned if how),
            seconds=sum(r["seconds"] for r in records.values()) + sum(rates.seconds for rates, _ in tuned),
            pictures={self.name: partial(self.picture, found)} if found else {},
            details=tuple(
                f"### {label}\n\n```text\n{m.table()}\n```"
                + "".join(f"\n\nDoubtful: {line}." for line in m.doubts)
                for label, m in found.items()
            ),
            failed=tuple(failed),
        )

    def picture(self, found: Mapping[str, Measurement]) -> Figure:
        """Curves of up to six cases in one figure; of more, d_int against D."""
        if len(found) == 1:
            return curve_figure(*found.values())
        if len(found) <= len(LOOKS):
            return several_figure(found)
        return nets_figure([(m.D, m.d_int, label) for label, m in found.items()])

    def rows(self, case: MeasuredCase, m: Measurement) -> list[Row]:
        """One for each rule; the records are the same."""
        short = "shortened by --quick; in full: " if self.shortened_from else ""
        rows = []
        for threshold, paper in case.paper.items():
            reading = m.d_int
            if threshold != case.recipe.threshold:
                reading = read_off(replace(case.recipe, threshold=threshold), m.records, m.guessing)
            read = f"{case.recipe.fraction:g} × baseline" if threshold is None else f"accuracy {threshold:g}"
            rows.append(Row(case.label, m.D, read, paper, ours(reading), short + case.differs))
        return rows


def changed(recipe: Recipe, data: str | None = None, **changes: Any) -> Recipe:
    """With other numbers; of other data are made the same tasks."""
    if data is not None:
        changes["data"] = data + task_of(recipe.data)
        if recipe.pretrained:
            changes["pretrained"] = recipe.pretrained | {"data": data + task_of(recipe.pretrained["data"])}
    return replace(recipe, **changes)


def task_of(name: str) -> str:
    """What is made of the data of that name, "+classes=0-4" say; "" where nothing is."""
    how = name.partition("+")[2]
    return f"+{how}" if change_of(name, how) else ""


def borrow_baseline(recipe: Recipe, folder: Path, others: Sequence[Path]) -> None:
    """Copy records of the same direct runs from other cases: a baseline does not depend on P."""
    for spec in recipe.specs():
        here = read_record(folder / "runs", spec, told=False)
        there = filter(None, (read_record(other / "runs", spec, told=False) for other in others))
        if spec.d is None and here is None and (record := next(there, None)):
            (folder / "runs").mkdir(parents=True, exist_ok=True)
            write_record(folder / "runs", spec, record, None)


def ours(found: DInt) -> str:
    """A number with its interval, as short as it can be said."""
    if math.isnan(found.d):
        return "not read"
    if found.d == math.inf:
        return f"> {found.tried[-1]:,}"
    if found.d == -math.inf:
        return f"< {found.tried[0]:,}"
    return f"{found.d:,.0f} ({found.interval().removeprefix('95 % interval ')})"


def told(value: Any) -> str:
    """A number of a recipe for people."""
    if isinstance(value, dict):
        if "sizes" in value:
            return model_name(value)
        return f"{value['kind']} at {value['lr']:g}" if "lr" in value else "a search"
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else f"{value}"
