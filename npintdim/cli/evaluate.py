"""npintdim evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from npintdim.adapters import Adapter
from npintdim.cli.common import MADE, Parser, backend_of, compressed_of, data_for, measured_on, say

PURPOSE = """\
Decode a compressed network and test it."""
EXAMPLE = "npintdim evaluate results/digits-64-100-100-10-fastfood/d_int90.npid"
TAKES = "FILE"


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.option("file FILE", MADE, type=Path)
    parser.add_base()
    parser.add_data()


def run(args: argparse.Namespace) -> int:
    """Decode, evaluate, say."""
    backend = backend_of(args)
    compressed = compressed_of(args.file, backend, args.base)
    data = data_for(compressed, args.file, args, backend)
    P = compressed.P
    say(f"{args.file}: {args.file.stat().st_size:,} bytes, D = {P.D:,}, {P.kind}, d = {compressed.d:,}")
    drawn = "T" if isinstance(P, Adapter) else "P"
    theta_0 = f"theta_0 seed {compressed.theta_0_seed}"
    if compressed.base is not None:
        theta_0 = "pre-trained theta_0"
    say(f"{theta_0}, {drawn} seed {P.seed}, sha256 of theta {compressed.theta_sha256}")
    found, part = compressed.evaluate(data.test), measured_on(data, backend)
    values = f"{part} performance {found.performance:.4f}, loss {found.loss:.4f}"
    say(f"{values} on {found.n:,} examples of {args.data}")
    return 0
