"""What this machine reaches: time, GB/s and GFLOP/s of projections and training steps, beside its limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from npintdim.backend import Backend
from npintdim.cli.bench.limits import arithmetic_limit, copy_limit
from npintdim.cli.bench.timing import median_seconds
from npintdim.cli.bench.work import pieces

FAR = 1 << 26  # bytes that no cache holds


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Parameters
    ----------
    name : of the work
    seconds : median of a call
    gigabytes, gigaflops : a second
    share : of `limit`, "copy" or "multiply-adds" ("matrix product" without compiled kernels), whichever
        it is nearer to
    """

    name: str
    seconds: float
    gigabytes: float
    gigaflops: float
    share: float
    limit: str


def bench(backend: Backend, seconds: float = 0.15) -> Iterator[Line]:
    """Measure, a line at a time: the two limits, then transforms, projections and steps.

    Parameters
    ----------
    backend : whose kernels, threads and dtype are measured
    seconds : of repetitions for a line

    Yields
    ------
    A `Line` for each piece of work. Its share of "copy" is that of copying as many bytes, which
    therefore lie in the same cache. What is near 1 cannot be made faster by better code.
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
        gigabytes = f"{m.gigabytes:.1f}" if m.gigabytes else ""
        gigaflops = f"{m.gigaflops:.1f}" if m.gigaflops else ""
        yield f"{m.name:30} {time:>9} {gigabytes:>7} {gigaflops:>8}  {m.share:4.0%} {m.limit}"


def duration(seconds: float) -> str:
    """In µs or ms."""
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
