"""The searches, run: train what `npintdim.rates` or `npintdim.search` proposes, until it proposes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from npintdim.rates import Rates, best, guess
from npintdim.recipes import Recipe
from npintdim.runs import RunSpec
from npintdim.search import plan
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
    tell(f"baseline: {len(specs)} direct runs")
    records = train(specs)
    baseline = [performance(r) for r in records]
    if all(map(math.isnan, baseline)):
        return specs, records
    search = recipe.search(next(r["D"] for r in records if "D" in r))
    d: list[int] = []
    reached: list[float] = []
    while True:
        following = plan(search, d, reached, baseline, recipe.at_once)
        seconds = sum(r["seconds"] for r in records)
        tell(f"{following.why} (so far {len(records)} runs, {seconds:.0f} s of computing)")
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


def choose_rates(
    recipe: Recipe, dtype: str, train: Train, tell: Callable[[str], None]
) -> tuple[Recipe, tuple[Rates, ...]]:
    """The recipe with both learning rates chosen on held-out training data, and how: direct, then in a subspace.

    Parameters
    ----------
    recipe : its `rates` says how; with None nothing is done
    dtype, train, tell : as in `pursue`

    Raises
    ------
    ValueError
        if training diverged or failed at every rate.
    """
    if recipe.rates is None:
        return recipe, ()
    direct, D = try_rates(recipe, None, recipe.direct(0).config().optimizer.lr, dtype, train, tell)
    d = recipe.rates.d or (sorted(recipe.d)[len(recipe.d) // 2] if recipe.d else recipe.search(D).start)
    inside, _ = try_rates(recipe, d, guess(direct.chosen, recipe.optimizer, D, d), dtype, train, tell)
    chosen = replace(
        recipe,
        direct_optimizer=recipe.direct_optimizer | {"lr": direct.chosen},
        optimizer=recipe.optimizer | {"lr": inside.chosen},
        lr_at=d,
    )
    return chosen, (direct, inside)


def try_rates(
    recipe: Recipe, d: int | None, centre: float, dtype: str, train: Train, tell: Callable[[str], None]
) -> tuple[Rates, int]:
    """Learning rates around a first guess, directly or in a subspace; and D, which direct runs tell."""
    how, where = recipe.rates, "direct" if d is None else f"d = {d}"
    assert how is not None
    found: dict[float, float] = {}
    records: list[Spec] = []
    while rates := how.following(centre, found):
        at = f"{best(found):g} is the best and on the edge" if found else f"the guess is {centre:.2g}"
        at = "every rate diverged" if found and all(map(math.isnan, found.values())) else at
        tell(f"learning rate, {where}: {at}; next {', '.join(f'{lr:g}' for lr in rates)}")
        arrived = train([recipe.trial(d, lr, k, dtype) for lr in rates for k in range(how.seeds)])
        reached = np.array([performance(r) for r in arrived]).reshape(len(rates), how.seeds)
        found |= zip(rates, reached.mean(axis=1).tolist(), strict=True)
        records += arrived
    tried = tuple(sorted(found))
    rates_found = Rates(
        d, tried, tuple(found[lr] for lr in tried), round(sum(r["seconds"] for r in records), 3)
    )
    if all(map(math.isnan, found.values())):
        failures = [r["error"] for r in records if r["status"] == "failed"]
        raise ValueError(
            f"no learning rate from {tried[0]:g} to {tried[-1]:g} trains, {where}: "
            + (f"first failure: {failures[0]}" if failures else "every run diverged")
        )
    tell(rates_found.summary())
    return rates_found, next((int(r["D"]) for r in records if "D" in r), 0)


def performance(record: Spec) -> float:
    """NaN if the run has none."""
    return math.nan if record["performance"] is None else float(record["performance"])
