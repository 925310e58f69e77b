"""The toy problem in random subspaces: what is left of its loss, drawn, trained, and by the law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npintdim.backend import Backend, given
from npintdim.engine.optimizers import SGD
from npintdim.engine.train import TrainConfig, train
from npintdim.inputs import check_integer, check_integers, check_kind, quiet
from npintdim.objective import SubspaceObjective
from npintdim.projections import projection_from_spec
from npintdim.projections.base import Projection
from npintdim.specs import check_spec
from npintdim.toy.problem import ToyProblem, expected_share
from npintdim.typing import Floats, Spec

LAWFUL = 4.0  # standard errors
LARGEST_SEED = (1 << 31) - 1


@dataclass(frozen=True)
class ToyResult:
    """What `explore` found.

    Parameters
    ----------
    d : dimensions tried
    shares : least share of the starting loss in every draw of P, (len(d), draws)
    performances : exp(−L) at that least loss, (len(d), draws)
    trained : performance of one run of gradient descent at each d
    s : conditions of the toy problem
    """

    d: tuple[int, ...]
    shares: Floats
    performances: Floats
    trained: tuple[float, ...]
    s: int = 10

    @property
    def lawful(self) -> bool:
        """Whether the draws follow the law, as far as their means tell."""
        return farthest(self.d, self.shares, self.s)[1] < LAWFUL


@quiet
def explore(
    projection: Spec,
    d: Sequence[int],
    draws: int,
    seed: int,
    backend: Backend,
    steps: int = 2000,
    toy: ToyProblem | None = None,
) -> ToyResult:
    """The least loss by least squares in `draws` subspaces of each d, and a trained run of so many steps."""
    backend, d, toy = given(backend), check_integers("d", d), ToyProblem() if toy is None else toy
    shares = least_shares(projection, d, draws, seed, backend, toy)
    zero = backend.xp.zeros(toy.D, dtype=backend.dtype)
    config = TrainConfig(SGD(lr=0.1), epochs=1, steps_per_epoch=steps)
    trained = []
    for i in d:
        subspace = SubspaceObjective(toy, zero, drawn(projection, toy.D, i, 0, seed, backend))
        run = train(subspace, subspace.start(), None, config, False)
        if run.status == "interrupted":
            raise KeyboardInterrupt
        trained.append(run.records[-1].test)
    L_0 = toy.evaluate(zero).loss
    return ToyResult(tuple(d), shares, np.exp(-L_0 * shares), tuple(trained), toy.s)


def least_shares(
    projection: Spec, d: Sequence[int], draws: int, seed: int, backend: Backend, toy: ToyProblem | None = None
) -> Floats:
    """min L / L_0 over θ_0 + P θ_d, θ_0 = 0, in `draws` random subspaces of each d.

    Returns
    -------
    (len(d), draws)
    """
    check_integer("draws", draws, 1)
    seed = check_integer("seed", seed, 0, LARGEST_SEED)
    backend, d = given(backend), check_integers("d", d)
    toy = ToyProblem() if toy is None else toy
    check_kind("toy", toy, ToyProblem, "ToyProblem(1000, 10)")
    zero = np.zeros(toy.D)

    def least(i: int, k: int) -> float:
        P = drawn(projection, toy.D, i, k, seed, backend)
        return toy.optimum(zero, backend.host(P.to_dense()))[1]

    return np.array([[least(i, k) for k in range(draws)] for i in d]) / toy.evaluate(zero).loss


def drawn(projection: Spec, D: int, d: int, k: int, seed: int, backend: Backend) -> Projection:
    """P of draw k at d; its seed is seed·2³² + 100·k + d."""
    spec = check_spec("projection", projection)
    return projection_from_spec(spec | {"D": D, "d": d, "seed": (seed << 32) + 100 * k + d}, backend)


def success(shares: Floats, tolerance: Floats) -> Floats:
    """Share of the draws with min L ≤ ε.

    Parameters
    ----------
    shares : (len(d), draws)
    tolerance : ε / L_0, (n,)

    Returns
    -------
    (n, len(d))
    """
    return (shares[None] <= tolerance[:, None, None]).mean(axis=2)


def success_law(d: Floats, tolerance: Floats, s: int = 10) -> Floats:
    """P(min L ≤ ε) = I_{ε/L_0}((s − d)/2, d/2) for d < s, and 1 for d ≥ s; (n, len(d)). d may be real."""
    from scipy.special import betainc  # slow to import

    below = np.minimum(d, s - 1e-9)
    law = betainc((s - below) / 2, below / 2, np.minimum(tolerance, 1)[:, None])
    return np.where(np.asarray(d) < s, law, 1.0)


def farthest(d: Sequence[int], shares: Floats, s: int = 10) -> tuple[int, float]:
    """The d < s whose mean share is farthest from 1 − d/s, and how far, in standard errors.

    Beta((s−d)/2, d/2) has variance 2 d (s−d) / (s² (s+2)).
    """
    draws = shares.shape[1]
    off = {
        i: abs(share - expected_share(i, s)) / math.sqrt(2 * i * (s - i) / (s * s * (s + 2) * draws))
        for i, share in zip(d, shares.mean(axis=1), strict=True)
        if i < s
    }
    worst = max(off, key=lambda i: off[i])
    return worst, off[worst]
