"""The search, run: train what `npintdim.measuring.search` proposes, until it proposes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from npintdim.inputs import counted
from npintdim.measuring.recipes import Recipe
from npintdim.measuring.search import PAIR, plan
from npintdim.sweeps.runs import RunSpec
from npintdim.typing import Spec

Train: TypeAlias = Callable[[Sequence[RunSpec]], list[Spec]]
"""As `sweep` with everything but the specs given."""


def pursue(
    recipe: Recipe, dtype: str, train: Train, tell: Callable[[str], None]
) -> tuple[list[RunSpec], list[Spec]]:
    """Every run of an adaptive measurement.

    Parameters
    ----------
    recipe : with d = None
    dtype : of the runs
    train : gives the records of specs, those on disk without running them: so a search that was interrupted is
        repeated up to where it stopped, and goes on
    tell : gets a line before each step: what is known, what is run next and why, and the cost so far

    Returns
    -------
    specs, records : the baseline's first, then in the order of the search; the baseline's alone if none of it finished
    """
    specs = recipe.specs(dtype)
    tell(f"baseline: {counted(len(specs), 'direct run')}")
    records = train(specs)
    baseline = [performance(r) for r in records]
    if all(map(math.isnan, baseline)):
        return specs, records
    search = recipe.search(next(r["D"] for r in records if "D" in r))
    d: list[int] = []
    reached: list[float] = []
    while True:
        following = plan(search, d, reached, baseline, recipe.at_once or PAIR)
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
