"""Learning rates, searched: directly, then in a subspace near the crossing, all on held-out training data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from npintdim.engine.score import Score
from npintdim.inputs import check_integer, counted
from npintdim.measurement.estimate import d_int, shares, value
from npintdim.measurement.events import SearchStep, Tell
from npintdim.measurement.recipes import RateSearch, Recipe, best, guess, rounded
from npintdim.measurement.records import performance
from npintdim.measurement.runs import number
from npintdim.measurement.search import PAIR, plan
from npintdim.measurement.sweep import Train
from npintdim.typing import Spec


@dataclass(frozen=True)
class Rates:
    """What was found.

    Parameters
    ----------
    d : of the subspace; None for direct training
    tried : ascending
    performance : on what was held out, mean over seeds; NaN where training diverged
    runs, seconds : that it took, with those that found d
    score : of performances that are no shares
    """

    d: int | None
    tried: tuple[float, ...]
    performance: tuple[float, ...]
    runs: int
    seconds: float
    score: Score | None = None

    @property
    def chosen(self) -> float:
        """The best rate, the smaller of equals."""
        return best(dict(zip(self.tried, shares(self.performance, self.score).tolist(), strict=True)))

    @property
    def reached(self) -> float:
        """By the chosen rate, on what was held out."""
        return self.performance[self.tried.index(self.chosen)]

    @property
    def on_edge(self) -> bool:
        """Whether better ones may lie beyond those that were tried."""
        return self.chosen in (self.tried[0], self.tried[-1])

    def spec(self) -> Spec:
        """JSON-able."""
        reached = [number(p) for p in self.performance]
        return asdict(self) | {"performance": reached, "chosen": self.chosen, "on_edge": self.on_edge}

    @classmethod
    def from_spec(cls, spec: Spec, score: Score | None) -> Rates:
        """That of `spec()`; JSON has null for NaN."""
        reached = tuple(math.nan if p is None else p for p in spec["performance"])
        return cls(spec["d"], tuple(spec["tried"]), reached, spec["runs"], spec["seconds"], score)

    def summary(self) -> str:
        """One line: every rate with what it reached, and the one that is chosen."""
        where = "direct" if self.d is None else f"d = {self.d}"
        pairs = zip(self.tried, self.performance, strict=True)
        reached = ", ".join(f"{lr:g}: {'diverged' if math.isnan(p) else f'{p:.4f}'}" for lr, p in pairs)
        edge = "; the best is on the edge, better ones may lie beyond" if self.on_edge else ""
        cost = f"{counted(self.runs, 'run')}, {self.seconds:.0f} s of computing"
        return f"learning rate, {where}: {self.chosen:g} (held out {reached}{edge}; {cost})"


@dataclass
class Trials:
    """Trains on what is not held out, as `how`, the recipe's `rates`, says; and remembers the records."""

    recipe: Recipe
    how: RateSearch
    dtype: str
    train: Train
    tell: Tell
    guessing: float
    records: list[Spec] = field(default_factory=list)

    def __call__(self, pairs: Sequence[tuple[int | None, float]]) -> list[float]:
        """Performance (its share) at every (d, learning rate), mean over seeds; NaN if one diverged."""
        specs = [self.recipe.trial(d, lr, k, self.dtype) for d, lr in pairs for k in range(self.how.seeds)]
        arrived = self.train(specs)
        self.records += arrived
        reached = shares([performance(r) for r in arrived], self.recipe.scored)
        means: list[float] = reached.reshape(len(pairs), -1).mean(axis=1).tolist()
        return means

    def near_crossing(self, direct: Rates, D: int) -> int:
        """A d near the crossing, where a rate matters most: bracketed by factors of 4, with guessed rates.

        Nothing of it enters the measurement.
        """
        recipe, known = self.recipe, "where to search the subspace's learning rate"
        search, baseline = recipe.search(D), recipe.shares([direct.reached])
        d: list[int] = []
        reached: list[float] = []
        while True:
            following = plan(search, d, reached, baseline, recipe.at_once or PAIR)
            wanted = [run.d for run in following.runs if run.d is not None]
            if not wanted or set(wanted) & set(d):
                return d[-1]
            self.tell(SearchStep(f"{known}: {following.why}", known))
            reached += self([(i, rounded(guess(direct.chosen, recipe.optimizer, D, i))) for i in wanted])
            d += wanted
            if not all(map(math.isnan, reached)):
                found = d_int(d, reached, baseline, recipe.fraction, search.threshold, chance=recipe.chance)
                if math.isfinite(found.isotonic):
                    return round(found.isotonic)

    def rates(self, d: int | None, centre: float) -> Rates:
        """Learning rates around a first guess, directly or in a subspace."""
        where = "direct" if d is None else f"d = {d}"
        known, score = f"learning rate, {where}", self.recipe.scored
        found: dict[float, float] = {}
        learnt: dict[float, float] = {}  # NaN where nothing was: no rate is better than another by luck
        while rates := self.how.following(centre, learnt):
            at = f"{best(found):g} is the best and on the edge" if found else f"the guess is {centre:.2g}"
            at = "no rate learnt anything" if found and all(map(math.isnan, learnt.values())) else at
            at = "every rate diverged" if found and all(map(math.isnan, found.values())) else at
            self.tell(SearchStep(f"{known}: {at}; next {', '.join(f'{lr:g}' for lr in rates)}", known))
            found |= zip(rates, self([(d, lr) for lr in rates]), strict=True)
            learnt = {lr: p if p > self.guessing else math.nan for lr, p in found.items()}
        tried = tuple(sorted(found))
        if all(map(math.isnan, learnt.values())):
            failures = [f"first failure: {r['error']}" for r in self.records if r["status"] == "failed"]
            why, most = [*failures, "every run diverged"][0], found[best(found)]
            if not (diverged := all(map(math.isnan, found.values()))):
                why = f"{best(found):g} reached {value(most, score):.4f} at most"
            lacking = f"no learning rate from {tried[0]:g} to {tried[-1]:g} trains, {where}: {why}"
            if diverged or (d is None and self.recipe.threshold is None):
                raise ValueError(lacking)
            self.tell(SearchStep(lacking))
        seconds = round(sum(r["seconds"] for r in self.records), 3)
        chosen = Rates(
            d, tried, tuple(value(found[lr], score) for lr in tried), len(self.records), seconds, score
        )
        self.tell(SearchStep(chosen.summary()))
        return chosen


def choose_rates(
    recipe: Recipe, dtype: str, train: Train, tell: Tell, guessing: float = 0.0
) -> tuple[Recipe, tuple[Rates, ...]]:
    """The recipe with both rates chosen on held-out training data, and how: direct, then in a subspace.

    Where the recipe's `rates` is None nothing is done; for other parameters see `measure.pursue`.
    ValueError if training diverged, failed or learnt nothing at every rate, or for d > D;
    where the threshold is absolute, or in a subspace, that nothing is learnt is told and no more.
    """
    if recipe.rates is None:
        return recipe, ()
    trials = Trials(recipe, recipe.rates, dtype, train, tell, recipe.shares([guessing])[0])
    direct = trials.rates(None, recipe.direct(0).config().optimizer.lr)
    D = next((int(r["D"]) for r in trials.records if "D" in r), 0)
    for d in (*(recipe.d or ()), recipe.rates.d or 1):
        check_integer("d", d, 1, D, f"1 ≤ d ≤ D = {D}")
    trials = replace(trials, records=[])
    d = recipe.rates.d or trials.near_crossing(direct, D)
    inside = trials.rates(d, guess(direct.chosen, recipe.optimizer, D, d))
    baseline = recipe.direct_optimizer | {"lr": direct.chosen}
    optimizer = recipe.optimizer | {"lr": inside.chosen}
    return replace(recipe, direct_optimizer=baseline, optimizer=optimizer, lr_at=d), (direct, inside)
