"""What the tests share: read-only arrays, the CPU backends, one P of every kind."""

import importlib.util

import numpy as np
import pytest

from npintdim import measure
from npintdim.backend import get_backend
from npintdim.cli import main
from npintdim.projections import make_projection

NO_NUMBA = "numba is not installed: pip install 'npintdim[numba]'"
needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason=NO_NUMBA)
BACKENDS = ["numpy", pytest.param("numba", marks=needs_numba)]

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


def measured(recipe, folder, **options):
    """A measurement on plain NumPy, here and one run at a time unless told otherwise."""
    return measure(recipe, folder, backend=get_backend("numpy", threads=1), **{"jobs": 1} | options)


def command(capsys, *argv):
    """Run a command: exit code, stdout, stderr."""
    capsys.readouterr()
    try:
        code = main([str(a) for a in argv])
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()
