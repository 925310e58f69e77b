"""npintdim info."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from importlib.util import find_spec
from typing import Any

from npintdim._version import __version__
from npintdim.backend import NAMES, cores, get_backend, missing
from npintdim.cli.common import add_command, say
from npintdim.data.download import VARIABLE
from npintdim.rng import SCHEME
from npintdim.runs import versions

PURPOSE = "Versions, backends and why not, threads, data, extras."
EXTRAS = {
    "numba": "numba", "pooch": "data", "matplotlib": "plot", "joblib": "sweep", "threadpoolctl": "sweep",
    "tqdm": "sweep", "distributed": "dask",
}  # fmt: skip


def add(commands: Any) -> None:
    """Options of the command."""
    add_command(commands, "info", run, PURPOSE, "npintdim info")


def run(args: argparse.Namespace) -> int:
    """Say what is there."""
    here = versions("numpy", "scipy")
    say(f"npintdim   {__version__}, random numbers {SCHEME}")
    say(f"Python     {here['python']}, NumPy {here['numpy']}, SciPy {here['scipy']}, {platform.platform()}")
    default = get_backend().name
    for name in NAMES:
        why = missing(name)
        say(f"backend    {name}: {why or ('yes, the default' if name == default else 'yes')}")
    for line in threads():
        say(f"threads    {line}")
    folder = os.environ.get(VARIABLE)
    say(
        f"data       {f'{VARIABLE} = {folder}' if folder else f'{VARIABLE} is not set: the cache, then a download'}"
    )
    for package, extra in EXTRAS.items():
        found = versions(package)[package]
        say(
            f"optional   {package}: {found or f'''not installed, pip install 'npintdim[{extra}]' '''.strip()}"
        )
    return 0


def threads() -> list[str]:
    """Cores, BLAS libraries, and Numba's threading layer."""
    lines = [f"{cores()} cores for this process"]
    if find_spec("threadpoolctl"):
        pools = importlib.import_module("threadpoolctl").threadpool_info()
        lines += [
            f"BLAS {p['internal_api']} {p['version']}: {p['num_threads']}"
            for p in pools
            if p["user_api"] == "blas"
        ]
    if missing("numba") is None:
        numba = importlib.import_module("numba")
        count = numba.get_num_threads()  # starts the layer
        lines.append(f"numba {numba.threading_layer()}: {count}")
    return lines
