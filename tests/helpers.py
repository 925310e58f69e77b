"""What the tests share: read-only arrays, the CPU backends, one P of every kind."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from npintdim import measure
from npintdim.backend import get_backend
from npintdim.cli import main
from npintdim.projections import make_projection

NO_NUMBA = "numba is not installed: pip install 'npintdim[numba]'"
needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason=NO_NUMBA)
BACKENDS = ["numpy", pytest.param("numba", marks=needs_numba)]

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed"
)

KINDS = {
    "gaussian": ("dense", {}),
    "gaussian, drawn": ("dense", {"stored": False}),
    "rademacher": ("dense", {"entries": "rademacher"}),
    "rademacher, drawn": ("dense", {"entries": "rademacher", "stored": False}),
    "sparse": ("sparse", {}),
    "sparse, 0.9": ("sparse", {"density": 0.9}),
    "stacked": ("fastfood", {}),
    "stacked, drawn": ("fastfood", {"stored": False}),
    "stacked, no S": ("fastfood", {"signs": False}),
    "single": ("fastfood", {"blocks": "single"}),
    "single, drawn": ("fastfood", {"blocks": "single", "stored": False}),
    "single, no S": ("fastfood", {"blocks": "single", "signs": False}),
    "one-hot": ("onehot", {}),
    "one-hot, no S": ("onehot", {"signs": False}),
    "orthonormal": ("orthonormal", {}),
    "coordinates": ("coordinates", {}),
}
SMALL = ["--model", "64-16-10", "--backend", "numpy"]
MEASURE = ["measure", *SMALL, "--d", "20,100,200", "--seeds", "2", "--epochs", "15", "--lr", "0.1"]
MEASURE += ["--jobs", "1"]
SHAPES = [(1, 1), (7, 1), (7, 7), (16, 16), (64, 16), (100, 5), (129, 9), (48, 48), (1000, 20)]


def frozen(array):
    """The array, read-only, so that a test fails where an input is written to."""
    array.flags.writeable = False
    return array


def normal(*shape, seed=0, dtype=np.float64):
    return frozen(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def project(name, D, d, seed=1, backend="numpy", dtype=np.float64, threads=1, **more):
    """P of one of the KINDS; `backend` is a name."""
    kind, options = KINDS[name]
    if name == "sparse" and D < 64:
        more = {"density": 0.8} | more  # at 1/√D a column of so few entries may be empty
    return make_projection(kind, D, d, seed, get_backend(backend, dtype, threads), **options | more)


def same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    np.testing.assert_array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))


def as_good(fast, plain, exact, what="", ulps=4):
    """The largest error is below twice the plain one plus so many units in the last place of the largest entry.

    `exact` is float64; where `fast` is float64 too, both err, and 64 units are allowed.
    """
    assert fast.dtype == plain.dtype
    assert fast.shape == plain.shape == exact.shape
    assert np.isfinite(fast).all(), what
    ulps = ulps if fast.dtype == np.float32 else 64
    floor = ulps * np.finfo(fast.dtype).eps * np.abs(exact).max(initial=0.0)
    error, plain_error = (np.abs(a - exact).max(initial=0.0) for a in (fast, plain))
    assert error <= 2 * plain_error + floor, what


def measured(recipe, folder, **options):
    """A measurement on plain NumPy, here and one run at a time unless told otherwise."""
    return measure(recipe, folder, backend=get_backend("numpy", threads=1), **{"jobs": 1} | options)


def script(path):
    """A Python file that is in no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python(*argv, env=None, timeout=60, **options):
    """A Python process with these arguments, ended; `env` is put on top of this one's."""
    call = [sys.executable, *map(str, argv)]
    return subprocess.run(
        call, capture_output=True, text=True, env=os.environ | (env or {}), timeout=timeout, **options
    )


def command(capsys, *argv):
    """Run a command: exit code, stdout, stderr."""
    capsys.readouterr()
    try:
        code = main([str(a) for a in argv])
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()
