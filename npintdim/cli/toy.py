"""npintdim toy: Section 2 of the paper, where everything is known in closed form."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from npintdim.cli.common import Parser, backend_of, default_folder, say
from npintdim.inputs import check_integer, counted
from npintdim.measurement.records import try_writing
from npintdim.plots import phase_figure, picture, toy_figure
from npintdim.projections import make_projection
from npintdim.toy.phase import LARGEST_SEED, ToyResult, explore, farthest
from npintdim.toy.problem import ToyProblem, expected_share
from npintdim.typing import Spec

PURPOSE = """\
The paper's toy problem, next to its theory.

1000 numbers in ten groups, group k must sum to k. For d = 1..15 random
directions: the best that can be reached, one trained run, and the law."""
EXAMPLE = "npintdim toy --projection fastfood --no-signs"
DS = tuple(range(1, 16))
STEPS = 2000


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.set_defaults(dtype="float64")
    parser.option("--projection KIND", "dense (default), sparse, fastfood", default="dense")
    parser.option("--no-signs", "Fastfood without output signs, as the authors' code", action="store_true")
    parser.option("--blocks B", "of Fastfood: stacked (default) or single")
    parser.option("--draws N", "random P at each d (default 100)", type=int, default=100)
    parser.option("--out FOLDER", "of the pictures; results/toy-PROJECTION by default", type=Path)


def run(args: argparse.Namespace) -> int:
    """Explore, and say what came out and what theory says."""
    projection: Spec = {"kind": args.projection}
    projection |= {"signs": False} if args.no_signs else {}
    projection |= {"blocks": args.blocks} if args.blocks else {}
    if args.projection != "fastfood" and (args.no_signs or args.blocks):
        raise ValueError(
            f"--no-signs and --blocks are options of Fastfood, but --projection is {args.projection}: "
            "--projection fastfood is needed"
        )
    check_integer("seed", args.seed, 0, LARGEST_SEED)
    check_integer("draws", args.draws, 1)
    backend = backend_of(args)
    # Refuses what is wrong before a folder is made.
    make_projection(D=ToyProblem().D, d=1, seed=0, backend=backend, **projection)
    names = ["toy", args.projection, args.blocks, "no-signs" if args.no_signs else None]
    folder = args.out or default_folder(*filter(None, names))
    try_writing(folder)
    folder.mkdir(parents=True, exist_ok=True)
    result = explore(projection, DS, args.draws, args.seed, backend, STEPS)
    draws = f"{args.projection} P, D = 1000, {counted(args.draws, 'draw')} at each d"
    say(f"{draws}; performance = exp(-loss);\ntrained: one run of {STEPS} steps\n")
    say(table(result))
    say(f"\n{theory(result)}")
    step = partial(toy_figure, result, args.projection)
    phase = partial(phase_figure, result.d, result.shares, args.projection, result.s)
    say(f"\nplot  {picture(step, folder / 'toy.png')[1]}")
    say(f"plot  {picture(phase, folder / 'phase.png')[1]}")
    return 0


def table(result: ToyResult) -> str:
    """One line for each d."""
    lines = [
        f"{'':>4}{'share of the loss that is left':^34}{'performance':^24}",
        f"{'d':>4}{'mean':>12}{'law 1 - d/10':>14}{'':>8}{'best, mean':>12}{'trained':>12}",
    ]
    means = (result.shares.mean(axis=1), result.performances.mean(axis=1))
    for d, share, best, trained in zip(result.d, *means, result.trained, strict=True):
        lines.append(f"{d:>4}{share:>12.4f}{expected_share(d):>14.4f}{'':>8}{best:>12.4f}{trained:>12.4f}")
    return "\n".join(lines)


def theory(result: ToyResult) -> str:
    """The law in words, and whether these draws follow it."""
    d, off = farthest(result.d, result.shares)
    verdict = "agree" if result.lawful else "do NOT agree, so this P is not isotropic"
    return (
        "Theory: the solutions are the points with the right ten sums, a plane of dimension 1000 - 10. "
        "A random\nsubspace of d >= 10 meets it: the loss can reach 0, so d_int100 = 10. "
        "Below 10 it misses it, and if P is\nisotropic the share of the loss that is left is "
        "Beta((10-d)/2, d/2) distributed, on average 1 - d/10.\n"
        f"These draws {verdict}:\n"
        f"the mean that is farthest off, at d = {d}, is so by {off:.1f} standard errors."
    )
