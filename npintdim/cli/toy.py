"""npintdim toy: Section 2 of the paper, where everything is known in closed form."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.backend import Backend
from npintdim.cli.common import add_command, backend_of, default_folder, say
from npintdim.objective import SubspaceObjective
from npintdim.optimizers import SGD
from npintdim.projections import make_projection
from npintdim.rng import check_integer
from npintdim.toy import ToyProblem, expected_share
from npintdim.train import TrainConfig, train
from npintdim.typing import Floats, Spec

PURPOSE = """\
The paper's toy problem, next to its theory.

1000 numbers in ten groups, group k must sum to k. For d = 1..15 random
directions: the best that can be reached, one trained run, and the law."""
DS = tuple(range(1, 16))
STEPS = 2000
LAWFUL = 4.0  # standard errors


@dataclass(frozen=True)
class ToyResult:
    """What `explore` found.

    Parameters
    ----------
    d : dimensions tried
    shares : least share of the starting loss in every draw of P, (len(d), draws)
    performances : exp(−L) at that least loss, (len(d), draws)
    trained : performance of one run of gradient descent at each d
    """

    d: tuple[int, ...]
    shares: Floats
    performances: Floats
    trained: tuple[float, ...]


def add(commands: Any) -> None:
    """Options of the command."""
    parser = add_command(
        commands, "toy", run, PURPOSE, "npintdim toy --projection fastfood --no-signs", "float64"
    )
    parser.add_argument(
        "--projection", default="dense", metavar="KIND", help="dense (default), sparse, fastfood"
    )
    parser.add_argument(
        "--no-signs", action="store_true", help="Fastfood without output signs, as the authors' code"
    )
    parser.add_argument("--blocks", metavar="B", help="of Fastfood: stacked (default) or single")
    parser.add_argument(
        "--draws", type=int, default=100, metavar="N", help="random P at each d (default 100)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="for toy.png; results/toy-PROJECTION by default"
    )


def run(args: argparse.Namespace) -> int:
    """Explore, and say what came out and what theory says."""
    projection: Spec = {"kind": args.projection}
    projection |= {"signs": False} if args.no_signs else {}
    projection |= {"blocks": args.blocks} if args.blocks else {}
    check_integer("draws", args.draws, 1)
    result = explore(projection, args.draws, args.seed, backend_of(args))
    say(
        f"{args.projection} P, D = 1000, {args.draws} draws at each d; performance = exp(-loss);\ntrained: one run of {STEPS} steps\n"
    )
    say(table(result))
    say(f"\n{theory(result)}")
    folder = args.out or default_folder(
        "toy", args.projection, *[args.blocks] * bool(args.blocks), *["no-signs"] * args.no_signs
    )
    try:
        from npintdim.plots import save, toy_figure

        lawful = farthest(result)[1] < LAWFUL
        figure = toy_figure(
            result.d, result.shares, result.performances, result.trained, args.projection, lawful
        )
        folder.mkdir(parents=True, exist_ok=True)
        say(f"\nplot  {save(figure, folder / 'toy.png')}")
    except ImportError as error:
        say(f"\nplot  none: {error}")
    return 0


def explore(projection: Spec, draws: int, seed: int, backend: Backend) -> ToyResult:
    """The least loss by least squares in `draws` subspaces of each d, and one trained run.

    Draw k at d has the seed seed·2³² + 100·k + d.
    """
    toy = ToyProblem()
    zero = backend.xp.zeros(toy.D, dtype=backend.dtype)
    start = toy.evaluate(zero).loss
    config = TrainConfig(SGD(lr=0.1), epochs=1, steps_per_epoch=STEPS)
    least, trained = [], []
    for d in DS:
        Ps = [
            make_projection(D=toy.D, d=d, seed=(seed << 32) + 100 * k + d, backend=backend, **projection)
            for k in range(draws)
        ]
        least.append([toy.optimum(backend.host(zero), backend.host(P.to_dense()))[1] for P in Ps])
        subspace = SubspaceObjective(toy, zero, Ps[0])
        run = train(subspace, subspace.start(), None, config, False)
        if run.status == "interrupted":
            raise KeyboardInterrupt
        trained.append(run.records[-1].test)
    losses = np.array(least)
    return ToyResult(DS, losses / start, np.exp(-losses), tuple(trained))


def table(result: ToyResult) -> str:
    """One line for each d."""
    lines = [
        f"{'':>4}{'share of the loss that is left':^34}{'performance':^24}",
        f"{'d':>4}{'mean':>12}{'law 1 - d/10':>14}{'':>8}{'best, mean':>12}{'trained':>12}",
    ]
    for d, share, best, trained in zip(
        result.d, result.shares.mean(axis=1), result.performances.mean(axis=1), result.trained, strict=True
    ):
        lines.append(f"{d:>4}{share:>12.4f}{expected_share(d):>14.4f}{'':>8}{best:>12.4f}{trained:>12.4f}")
    return "\n".join(lines)


def farthest(result: ToyResult) -> tuple[int, float]:
    """The d < 10 whose mean share is farthest from 1 − d/10, and how far, in standard errors.

    Beta((10−d)/2, d/2) has variance d(10−d)/600.
    """
    draws = result.shares.shape[1]
    off = {
        d: abs(share - expected_share(d)) / math.sqrt(d * (10 - d) / (600 * draws))
        for d, share in zip(result.d, result.shares.mean(axis=1), strict=True)
        if d < 10
    }
    worst = max(off, key=lambda d: off[d])
    return worst, off[worst]


def theory(result: ToyResult) -> str:
    """The law in words, and whether these draws follow it."""
    d, off = farthest(result)
    verdict = "agree" if off < LAWFUL else "do NOT agree, so this P is not isotropic"
    return (
        "Theory: the solutions are the points with the right ten sums, a plane of dimension 1000 - 10. A random\n"
        "subspace of d >= 10 meets it: the loss can reach 0, so d_int100 = 10. Below 10 it misses it, and if P is\n"
        "isotropic the share of the loss that is left is Beta((10-d)/2, d/2) distributed, on average 1 - d/10.\n"
        f"These draws {verdict}:\nthe mean that is farthest off, at d = {d}, is so by {off:.1f} standard errors."
    )
