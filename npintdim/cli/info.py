"""npintdim info."""

from __future__ import annotations

import argparse
import os
import platform

from npintdim._version import __version__
from npintdim.backend import NAMES, get_backend, missing
from npintdim.cli.common import Parser, say
from npintdim.data import NAMES as DATA
from npintdim.data.download import VARIABLE
from npintdim.data.shuffled import FORMS
from npintdim.inputs import counted
from npintdim.machine import BROKEN, core_limit, memory_limit, numpys_blas, optional
from npintdim.measurement.runs import versions
from npintdim.rng import SCHEME

PURPOSE = "Versions, backends and why not, threads, data, extras."
EXAMPLE = "npintdim info"
EXTRAS = {
    "numba": "numba", "pooch": "data", "matplotlib": "plot", "joblib": "sweep", "threadpoolctl": "sweep",
    "tqdm": "sweep", "distributed": "dask",
}  # fmt: skip


def add(parser: Parser) -> None:
    """Options of the command."""


def run(args: argparse.Namespace) -> int:
    """Say what is there."""
    here = versions("numpy", "scipy")
    say(f"npintdim   {__version__}, random numbers {SCHEME}")
    say(f"Python     {here['python']}, NumPy {here['numpy']}, SciPy {here['scipy']}, {platform.platform()}")
    default = get_backend().name
    for name in NAMES:
        why = missing(name)
        say(f"backend    {name}: {why or ('yes, the default' if name == default else 'yes')}")
    for line in threads(args.threads):
        say(f"threads    {line}")
    free, why = memory_limit()
    say(f"memory     {free / 1e9:.1f} GB free ({why})")
    folder = os.environ.get(VARIABLE)
    say(f"data       {VARIABLE} {f'= {folder}' if folder else 'is not set: the cache, then a download'}")
    say(f"data       {', '.join(DATA)}; {' or '.join(FORMS)}")
    for package, extra in EXTRAS.items():
        state = versions(package)[package] or "of no known version"
        if optional(package) is None and package in BROKEN:
            state += f", but does not import ({BROKEN[package]})"
        elif optional(package) is None:
            state = f"not installed, pip install 'npintdim[{extra}]'"
        say(f"optional   {package}: {state}")
    return 0


def threads(given: int) -> list[str]:
    """Where how many are used, if --threads says so many."""
    n, why = core_limit()
    short = ", but 1 where the work is too short to share (docs/performance.md)"
    return [
        f"{counted(n, 'core')} for this process ({why}); "
        f"--threads N (default 1) holds each of these to N, here {given}:",
        *([] if missing("numba") else [f"backend numba: {given}{short * (given > 1)}"]),
        *blas(),
        "several runs: --jobs processes, each with 1 of its own",
    ]


def blas() -> list[str]:
    """The BLAS libraries that are loaded, as far as they can be asked."""
    if info := optional("threadpoolctl:threadpool_info"):
        pools = [pool for pool in info() if pool["user_api"] == "blas"]
        found = [f"BLAS {pool['internal_api']} {pool['version']}: {pool['num_threads']}" for pool in pools]
    else:
        found = [f"BLAS of NumPy: {own[0]()}" for own in [numpys_blas()] if own]
    return found or ["BLAS: as many as it likes; the variables of its own, e.g. OMP_NUM_THREADS, limit it"]
