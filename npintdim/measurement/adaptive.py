"""The search, run: train what `npintdim.measurement.search` proposes, until it proposes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from npintdim.inputs import counted
from npintdim.measurement.baseline import Baseline
from npintdim.measurement.recipes import Recipe
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.search import PAIR, plan
from npintdim.typing import Spec

Train: TypeAlias = Callable[[Sequence[RunSpec]], list[Spec]]
"""As `sweep` with everything but the specs given."""


def pursue(
    recipe: Recipe, dtype: str, train: Train, tell: Callable[[str], None], guessing: float = 0.0
) -> tuple[list[RunSpec], list[Spec]]:
    """Every run of an adaptive measurement.

    Parameters
    ----------
    recipe : with d = None
    dtype : of the runs
    train : gives the records of specs, those on disk without running them: so a search that was interrupted is
        repeated up to where it stopped, and goes on
    tell : gets a line before each step: what is known, what is run next and why, and the cost so far
    guessing : performance that needs no learning

    Returns
    -------
    specs, records : the baseline's first, then in the order of the search; the baseline's alone if there is no line
    """
    specs = recipe.specs(dtype)
    tell(f"baseline: {counted(len(specs), 'direct run')}")
    records = train(specs)
    baseline = [performance(r) for r in records]
    for doubt in Baseline(tuple(baseline), guessing).doubts({}):
        tell(f"baseline: {doubt}")
    D = next((r["D"] for r in records if "D" in r), None)
    if D is None or (recipe.threshold is None and Baseline(tuple(baseline), guessing).nothing):
        return specs, records
    search = recipe.search(D)
    d: list[int] = []
    reached: list[float] = []
    while True:
        line = Baseline(tuple(baseline), guessing).line
        following = plan(search, d, reached, line, recipe.at_once or PAIR)
        seconds = sum(r["seconds"] for r in records)
        tell(f"{following.why} (so far {counted(len(records), 'run')}, {seconds:.0f} s of computing)")
        if not following.runs:
            return specs, records
        wanted = [
            recipe.direct(k, dtype) if i is None else recipe.subspace(i, k, dtype) for i, k in following.runs
        ]
        arrived = train(wanted)
        specs, records = specs + wanted, records + arrived
        for spec, record in zip(wanted, arrived, strict=True):
            (baseline if spec.d is None else reached).append(performance(record))
        d += [spec.d for spec in wanted if spec.d is not None]


def performance(record: Spec) -> float:
    """NaN if the run has none."""
    return math.nan if record["performance"] is None else float(record["performance"])
