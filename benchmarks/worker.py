"""One case in a process of its own: `python -m benchmarks.worker CASE ... THREADS SECONDS`, a line in, a number out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

from npintdim.cli import bench


def prepare(name: str, arguments: list[str], threads: int) -> Callable[[], object]:
    """What the case returns: something to call."""
    module, function = name.split(".")
    make = getattr(importlib.import_module(f"benchmarks.cases.{module}"), function)
    call: Callable[[], object] = make(*map(int, arguments), threads=threads)
    return call


def a_round(call: Callable[[], object], seconds: float) -> Callable[[], float]:
    """Median seconds of a call; seconds of the only one, if it is a whole process; or the number that it returns."""
    if getattr(call, "whole", False):
        return lambda: bench.timed(call, 1)
    first = call()  # compiles and draws
    if isinstance(first, float):
        return lambda: float(call())  # type: ignore[arg-type]
    return bench.a_round(call, seconds)


def main() -> None:
    *case, threads, seconds = sys.argv[1:]
    call = prepare(case[0], case[1:], int(threads))
    measure = a_round(call, float(seconds))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(measure(), flush=True)


if __name__ == "__main__":
    main()
