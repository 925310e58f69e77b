"""Evolution strategies: the gradient of a landscape from its values at random points around the vector."""

from __future__ import annotations

import hashlib
import math
import pickle
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from npintdim.engine.landscape import Batch, Evaluation, Landscape, evaluation
from npintdim.inputs import check_has
from npintdim.kernels import reference
from npintdim.objective import spec_or_name
from npintdim.rng import Purpose, Stream
from npintdim.specs import settle
from npintdim.typing import Floats, Spec

EXECUTOR: ContextVar[Executor | None] = ContextVar("EXECUTOR", default=None)
HELD: dict[str, EvolutionStrategy] = {}  # by a worker, under the sha256 of its pickle


@contextmanager
def spread(executor: Executor) -> Iterator[None]:
    """Inside, an executor tries pairs of every population, e.g. that of a Dask client or a process pool.

    Examples
    --------
    >>> from concurrent.futures import ProcessPoolExecutor
    >>> with ProcessPoolExecutor(2) as pool, spread(pool):
    ...     pass  # train, or measure with jobs=1
    """
    token = EXECUTOR.set(executor)
    try:
        yield
    finally:
        EXECUTOR.reset(token)


@dataclass(frozen=True)
class EvolutionStrategy:
    """A landscape whose gradient is an estimate (Salimans et al. 2017); wrap the subspace, not the network.

    Parameters
    ----------
    landscape : only its `evaluate` is asked
    sigma : σ > 0, length of the perturbation of each number
    pairs : n ≥ 1, antithetic: the population has 2n members
    seed : of the perturbations
    ranks : what counts is the order of the members; False takes their losses, and the estimate is unbiased

    Raises
    ------
    TypeError, ValueError
        for numbers out of range.

    Notes
    -----
    ∇ ≈ Σ_i (F(v + σ ε_i) − F(v − σ ε_i)) ε_i / (2 n σ),   ε_i ~ N(0, I)

    F is the loss or its centred rank in [−½, ½]. On average this is the gradient of E_ε L(v + σ ε), which for
    L = ½ vᵀA v + bᵀv is A v + b.

    ε_i has an address, (seed, NOISE, step) from i·dim on: whoever tries it needs the seed and not the vector,
    and the sum is made here in the order of i, so that it has the same bits for any number of workers.
    A landscape that has `learn` (see `Episodes`) is told the members' evaluations after each generation.
    Members are evaluated at batch.step + 1; what is evaluated outside of a generation has step 0.
    """

    landscape: Landscape
    sigma: float
    pairs: int
    seed: int = 0
    ranks: bool = True

    def __post_init__(self) -> None:
        settle(self, pairs=1)
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma is {self.sigma}: a number > 0 is needed")
        check_has("landscape", self.landscape, ("dim", "evaluate"), "dim and evaluate")

    @property
    def dim(self) -> int:
        """That of the landscape."""
        return self.landscape.dim

    def start(self) -> Floats:
        """Where the landscape starts; an AttributeError if it does not say."""
        start: Floats = self.landscape.start()  # type: ignore[attr-defined]
        return start

    def theta(self, v: Floats) -> Floats:
        """The landscape's θ; v itself where it has none."""
        theta: Floats = self.landscape.theta(v) if hasattr(self.landscape, "theta") else v
        return theta

    def noise(self, step: int, i: int) -> Floats:
        """ε_i of a step, (dim,) float64."""
        kernels = getattr(getattr(innermost(self), "backend", None), "kernels", reference)
        return Stream(self.seed, Purpose.NOISE, step, kernels).normals(self.dim, i * self.dim) * 2.0**-20

    def pair(self, v: Floats, batch: Batch, i: int) -> tuple[Evaluation, Evaluation]:
        """The landscape at v + σ ε_i and at v − σ ε_i."""
        shift = (self.sigma * self.noise(batch.step, i)).astype(v.dtype)
        batch = replace(batch, step=batch.step + 1)
        plus, minus = (self.landscape.evaluate(tried, batch) for tried in (v + shift, v - shift))
        return evaluation(plus), evaluation(minus)

    def loss_and_grad(self, v: Floats, batch: Batch) -> tuple[float, Floats]:
        """Mean loss of the population, and the estimate of the gradient."""
        tried = self.population(v, batch)
        losses = np.array([[plus.loss, minus.loss] for plus, minus in tried])
        F = centred_ranks(losses) if self.ranks else losses
        grad = np.zeros(self.dim)
        for i, (F_plus, F_minus) in enumerate(F):
            if F_plus != F_minus:
                grad += (F_plus - F_minus) * self.noise(batch.step, i)
        inner = innermost(self)
        if hasattr(inner, "learn"):
            inner.learn([member for pair in tried for member in pair])
        return float(losses.mean()), (grad / (2 * self.pairs * self.sigma)).astype(v.dtype)

    def population(self, v: Floats, batch: Batch) -> list[tuple[Evaluation, Evaluation]]:
        """Every pair, tried here or by the executor that `spread` gave."""
        executor = EXECUTOR.get()
        if executor is None:
            return [self.pair(v, batch, i) for i in range(self.pairs)]
        key, packed = self.packed
        known = getattr(innermost(self), "statistics", None)
        futures = [executor.submit(try_there, key, None, known, v, batch, i) for i in range(self.pairs)]
        tried = [future.result() for future in futures]
        again: dict[int, Future[Any]] = {  # by whoever did not hold the strategy yet
            i: executor.submit(try_there, key, packed, known, v, batch, i)
            for i, pair in enumerate(tried)
            if pair is None
        }
        return [pair or again[i].result() for i, pair in enumerate(tried)]

    @cached_property
    def packed(self) -> tuple[str, bytes]:
        """Itself for workers, which are sent it once, under its sha256."""
        packed = pickle.dumps(self)
        return hashlib.sha256(packed).hexdigest(), packed

    def evaluate(self, v: Floats, data: Batch) -> Evaluation:
        """The landscape's own evaluation, without perturbation."""
        return self.landscape.evaluate(v, data)

    def spec(self) -> Spec:
        """σ, n, seed and the landscape's spec."""
        numbers = {"sigma": self.sigma, "pairs": self.pairs, "seed": str(self.seed), "ranks": self.ranks}
        return {"evolution strategy": numbers, "landscape": spec_or_name(self.landscape)}


def try_there(
    key: str, packed: bytes | None, statistics: Any, v: Floats, batch: Batch, i: int
) -> tuple[Evaluation, Evaluation] | None:
    """`EvolutionStrategy.pair` in a worker; None where it does not hold the strategy and is not given it."""
    strategy = HELD.get(key)  # another thread may let it go meanwhile
    if strategy is None:
        if packed is None:
            return None
        HELD.clear()
        strategy = HELD[key] = pickle.loads(packed)
    if statistics is not None:
        innermost(strategy).statistics = statistics
    return strategy.pair(v, batch, i)


def centred_ranks(F: Floats) -> Floats:
    """Ranks of all entries, from −½ to ½; equal entries share the mean of theirs."""
    _, place, count = np.unique(F, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - (count + 1) / 2
    centred: Floats = (ranks / max(1, F.size - 1) - 0.5)[place].reshape(F.shape)
    return centred


def innermost(landscape: Any) -> Any:
    """What lies inside of subspaces and penalties."""
    while hasattr(landscape, "landscape"):
        landscape = landscape.landscape
    return landscape
