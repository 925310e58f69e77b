"""How much sooner a search ends with more workers, in simulated time: the search itself is the real one, its runs are drawn.

    python -m benchmarks.scripts.workers            # 60 searches for each number of workers, until ±5 %
    python -m benchmarks.scripts.workers 200 0.08

A run's performance is the authors' curve of MNIST FC, moved by up to a factor of 2, with noise of sd .006 (of a direct
run .002); its duration is 1, give or take 10 %. Both belong to the run, so that every number of workers is given the same.
A run begins as soon as a worker is free, as in a sweep, and a round is decided on when the one before has ended.
"""

from __future__ import annotations

import heapq
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

import npintdim as nid
from benchmarks.curves import BASELINE, LINE, reference, run
from npintdim.measurement.measure import pursue, read_off
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.search import PAIR
from npintdim.typing import Spec

WORKERS = (1, 2, 4, 8, 16)
D, SD = 199_210, 0.006
CURVE = reference()
TRUTH = brentq(lambda x: float(CURVE(np.array(x))) - LINE, math.log(2), math.log(1e5))


class Workers:
    """So many of them, and their clock."""

    def __init__(self, count: int, world: int) -> None:
        self.count, self.world, self.clock, self.rounds = count, world, 0.0, 0
        self.shift = np.random.default_rng(world).uniform(-math.log(2), math.log(2))

    def train(self, specs: Sequence[RunSpec]) -> list[Spec]:
        """The records of runs that are all wanted now."""
        free, records = [self.clock] * self.count, []
        for spec in specs:
            rng = np.random.default_rng([self.world, spec.d or 0, spec.seed])
            p = BASELINE if spec.d is None else float(CURVE(np.array(math.log(spec.d) - self.shift)))
            seconds = float(np.exp(0.1 * rng.standard_normal()))
            heapq.heappush(free, heapq.heappop(free) + seconds)
            reached = run(p, SD if spec.d else SD / 3, "normal", rng)
            of_it = {} if spec.d is None else {"d": spec.d}
            records.append(
                {"spec": of_it, "status": "finished", "performance": reached, "seconds": seconds, "D": D}
            )
        self.clock, self.rounds = max(free), self.rounds + 1
        return records


def search(count: int, world: int, precision: float, budget: int) -> tuple[float, ...]:
    """Time until a search ends, its runs and rounds, the half width of its interval, and whether that holds the truth."""
    recipe = replace(
        nid.recipe_for("mnist"), d=None, precision=precision, budget=budget, at_once=max(PAIR, count)
    )
    workers = Workers(count, world)
    _, records = pursue(recipe, "float32", workers.train, lambda _: None)
    found = read_off(recipe, records, 0.0)
    low, high = math.log(found.low or 0), math.log(found.high or math.inf)
    truth = TRUTH + workers.shift
    return workers.clock, len(records), workers.rounds, (high - low) / 2, float(low <= truth <= high)


def main(searches: int = 60, precision: float = 0.05, budget: int = 96) -> None:
    print("| workers | runs | rounds | time, in runs | as fast | of the ideal | half width | holds |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    alone = 0.0
    for count in WORKERS:
        found = [search(count, world, precision, budget) for world in range(searches)]
        time, runs, rounds, width, holds = (statistics.fmean(column) for column in zip(*found, strict=True))
        alone = alone or time
        cells = f"{count} | {runs:.1f} | {rounds:.1f} | {time:.1f} | {alone / time:.1f}×"
        print(f"| {cells} | {alone / time / count:.0%} | ±{width:.1%} | {holds:.0%} |", flush=True)


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, float, int), sys.argv[1:], strict=False)))
