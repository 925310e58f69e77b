"""npintdim toy: Section 2 of the paper, where everything is known in closed form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from npintdim.cli.common import add_command, backend_of, default_folder, say, writable
from npintdim.inputs import check_integer, counted
from npintdim.plots import phase_figure, picture, toy_figure
from npintdim.projections import make_projection
from npintdim.toy.phase import LARGEST_SEED, ToyResult, explore, farthest
from npintdim.toy.problem import ToyProblem, expected_share
from npintdim.typing import Spec

PURPOSE = """\
The paper's toy problem, next to its theory.

1000 numbers in ten groups, group k must sum to k. For d = 1..15 random
directions: the best that can be reached, one trained run, and the law."""
DS = tuple(range(1, 16))
STEPS = 2000


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
        "--out", type=Path, metavar="FOLDER", help="of the pictures; results/toy-PROJECTION by default"
    )


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
    folder = writable(
        args.out
        or default_folder(
            "toy", args.projection, *[args.blocks] * bool(args.blocks), *["no-signs"] * args.no_signs
        )
    )
    result = explore(projection, DS, args.draws, args.seed, backend, STEPS)
    say(
        f"{args.projection} P, D = 1000, {counted(args.draws, 'draw')} at each d; performance = exp(-loss);\ntrained: one run of {STEPS} steps\n"
    )
    say(table(result))
    say(f"\n{theory(result)}")
    draw(result, args.projection, folder)
    return 0


def draw(result: ToyResult, kind: str, folder: Path) -> None:
    """The step and the phase diagram."""
    drawings = {
        "toy": lambda: toy_figure(
            result.d, result.shares, result.performances, result.trained, kind, result.lawful, result.s
        ),
        "phase": lambda: phase_figure(result.d, result.shares, kind, result.s),
    }
    say("")
    for name, drawing in drawings.items():
        say(f"plot  {picture(drawing, folder / f'{name}.png')[1]}")


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


def theory(result: ToyResult) -> str:
    """The law in words, and whether these draws follow it."""
    d, off = farthest(result.d, result.shares)
    verdict = "agree" if result.lawful else "do NOT agree, so this P is not isotropic"
    return (
        "Theory: the solutions are the points with the right ten sums, a plane of dimension 1000 - 10. A random\n"
        "subspace of d >= 10 meets it: the loss can reach 0, so d_int100 = 10. Below 10 it misses it, and if P is\n"
        "isotropic the share of the loss that is left is Beta((10-d)/2, d/2) distributed, on average 1 - d/10.\n"
        f"These draws {verdict}:\nthe mean that is farthest off, at d = {d}, is so by {off:.1f} standard errors."
    )
