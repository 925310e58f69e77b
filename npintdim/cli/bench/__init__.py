"""npintdim bench: time, GB/s and GFLOP/s of projections and training steps, beside the limits of this machine."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from npintdim.backend import Backend
from npintdim.cli.bench.limits import FAR, arithmetic_limit, copy_limit, median_seconds
from npintdim.cli.bench.work import pieces
from npintdim.cli.common import add_command, backend_of, say
from npintdim.inputs import counted

PURPOSE = """\
Time projections and training steps on this machine.

Each line has the share of the limit it is nearest to: a copy of as many bytes,
or multiply-adds in registers. docs/performance.md compares with PyTorch."""


def add(commands: Any) -> None:
    """Options of the command."""
    parser = add_command(commands, "bench", run, PURPOSE, "npintdim bench --threads 2")
    parser.option("--seconds S", "of repetitions for a line (0.15)", type=float, default=0.15)


def run(args: argparse.Namespace) -> int:
    """Print a line as soon as it is measured."""
    if not 0 < args.seconds < 60:
        raise ValueError(f"--seconds is {args.seconds}: a number between 0 and 60 is needed")
    backend = backend_of(args)
    say(f"backend {backend.name}, {backend.dtype.name}, {counted(backend.threads, 'thread')}")
    for line in table(bench(backend, args.seconds)):
        say(line)
    return 0


@dataclass(frozen=True)
class Line:
    """A line of the table: median seconds of a call, and its share of the limit that it is nearer to."""

    name: str
    seconds: float
    gigabytes: float
    gigaflops: float
    share: float
    limit: str


def bench(backend: Backend, seconds: float) -> Iterator[Line]:
    """The two limits, then transforms, projections and steps, each in so many seconds of repetitions.

    A share of "copy" is that of copying as many bytes, which therefore lie in the same cache. What is near 1 cannot
    be made faster by better code.
    """
    top, far = arithmetic_limit(backend, seconds), copy_limit(backend, FAR, seconds)
    arithmetic = "multiply-adds" if backend.name == "numba" else "matrix product"
    yield Line(f"copy of {FAR >> 20} MB", FAR / far / 1e9, far, 0.0, 1.0, "copy")
    yield Line(arithmetic, math.nan, 0.0, top, 1.0, arithmetic)
    for piece in pieces(backend):
        once = median_seconds(backend, piece.call, seconds)
        moved, done = piece.bytes / once / 1e9, piece.flops / once / 1e9
        room = min(FAR, 1 << max(14, math.ceil(math.log2(piece.bytes))))
        shares = {"copy": moved / copy_limit(backend, room, seconds), arithmetic: done / top}
        limit = max(shares, key=lambda name: shares[name])
        yield Line(piece.name, once, moved, done, shares[limit], limit)


def table(lines: Iterable[Line]) -> Iterator[str]:
    """A line of text each, as they are measured."""
    yield f"{'':30} {'time':>9} {'GB/s':>7} {'GFLOP/s':>8}  share of the limit"
    for m in lines:
        time = "" if math.isnan(m.seconds) else duration(m.seconds)
        moved, done = (f"{rate:.1f}" if rate else "" for rate in (m.gigabytes, m.gigaflops))
        yield f"{m.name:30} {time:>9} {moved:>7} {done:>8}  {m.share:4.0%} {m.limit}"


def duration(seconds: float) -> str:
    """In µs or ms."""
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
