"""npintdim quantise."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from npintdim.artefact.coding.codebook import KINDS
from npintdim.artefact.mdl import finetune, quantise, smallest
from npintdim.cli.common import (
    MADE,
    Parser,
    backend_of,
    check_writable,
    compressed_of,
    data_for,
    measured_on,
    say,
)

PURPOSE = """\
Store theta_d of a compressed network in a few bits a number.

Without --levels: the shortest code that loses at most --tolerance on the
training data. With --levels: that many, and --epochs of training with them."""
EXAMPLE = "npintdim quantise lenet.npid --data mnist --levels 3 --epochs 30"
TAKES = "FILE"


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.option("file FILE", MADE, type=Path)
    parser.add_base()
    parser.add_data()
    parser.option("--levels K", "different numbers in theta_d, 1 to 128", type=int)
    parser.option("--codebook", "uniform (default with --levels) or free (k-means)", choices=KINDS)
    parser.option("--epochs N", "of fine-tuning; default 0", type=int, default=0)
    parser.option("--lr", "at its beginning; default 0.05", type=float)
    parser.option("--pull λ", "towards the levels; default 0.001", type=float)
    parser.option("--tolerance X", "training accuracy to lose; default 0.005", type=float)
    parser.option("--out FILE", "default: FILE with -K<levels> (and -free) in its name", type=Path)


def run(args: argparse.Namespace) -> int:
    """Write the file, and say what it took and what it is worth."""
    if args.levels is None and (args.epochs or args.codebook):
        raise ValueError(
            "--epochs and --codebook need --levels: without it the levels are chosen by their size"
        )
    if args.levels is not None and args.tolerance is not None:
        raise ValueError("--levels and --tolerance exclude each other: the tolerance chooses the levels")
    if not args.epochs and not (args.lr is args.pull is None):
        raise ValueError("--lr and --pull need --epochs: without it nothing is trained")
    if not args.epochs and args.seed:
        raise ValueError("--seed needs --epochs: without it nothing is drawn")
    typed = {name: getattr(args, name) for name in ("lr", "pull", "tolerance")}
    given: dict[str, Any] = {name: x for name, x in typed.items() if x is not None}
    backend = backend_of(args)
    compressed = compressed_of(args.file, backend, args.base)
    if args.out is not None and args.out.resolve() == args.file.resolve():
        raise ValueError(
            f"--out is {args.out}, the file that is read: what is lost in fewer bits would be lost for ever"
        )
    check_writable("--out", args.out or args.file)
    data, kind = data_for(compressed, args.file, args, backend), args.codebook or "uniform"
    if args.levels is None:
        found = smallest(compressed, data.train, progress=args.progress, **given)
    elif args.epochs:
        training = {"epochs": args.epochs, "seed": args.seed, "progress": args.progress, **given}
        found, _ = finetune(compressed, kind, args.levels, data, **training)
    else:
        found = quantise(compressed, kind, args.levels)
    codebook = found.codebook
    assert codebook is not None and found.code is not None
    free = "-free" if codebook.kind == "free" else ""
    path = args.out or args.file.with_name(f"{args.file.stem}-K{codebook.K}{free}.npid")
    size = found.save(path)
    before, after = (c.evaluate(data.test).performance for c in (compressed, found))
    d, code = found.d, len(found.code)
    say(
        f"{path}: {size:,} bytes, of these {code:,} for theta_d: d = {d:,}, K = {codebook.K} levels, "
        f"{codebook.kind}, {8 * code / d:.2f} bits a number"
    )
    say(f"{measured_on(data, backend)} performance {after:.4f} on {args.data}, {before:.4f} before")
    return 0
