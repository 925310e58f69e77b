"""What the CUDA twins alone must hold, inside of their kernels: for test_gpu.py and for test_cuda_on_host.py.

The fixture `twin` is that of twin_checks.py, and its arrays are CuPy's.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest
from helpers import same_bits
from twin_checks import FLOATS, fastfood_holds

from npintdim import kernels
from npintdim.kernels import reference

PROBES = """
extern "C" __global__ void log_probe(const double *x, i64 n, double *y)
{
    if (thread() < n) y[thread()] = natural_log(x[thread()]);
}
extern "C" __global__ void quantile_probe(const double *p, i64 n, double *y)
{
    if (thread() < n) y[thread()] = quantile(p[thread()]);
}
"""


@pytest.mark.parametrize("name", ["log", "quantile"])
def test_logarithm_and_quantile_before_they_are_rounded_to_the_grid(twin, name):
    code = Path(kernels.__file__).with_name("cuda").joinpath("exact.cu").read_text(encoding="utf-8")
    launch = importlib.import_module(f"{twin.kernels.__name__}.launch")
    module = twin.xp.RawModule(code=code + PROBES, options=launch.options("exact.cu", "float64"))
    p = (reference.words(7, 2, 3, 0, 100_000) + 0.5) * 2.0**-32
    y = twin.send(np.zeros_like(p))
    module.get_function(f"{name}_probe")(
        (launch.cover(len(p)),), (launch.THREADS,), (twin.send(p), len(p), y)
    )
    same_bits(twin.host(y), getattr(importlib.import_module("npintdim.kernels.reference.normals"), name)(p))


def test_entries_that_meet_in_one_place_do_not_overflow(twin):
    transposed_gather = importlib.import_module(f"{twin.kernels.__name__}.fastfood").transposed_gather
    for x in (1.75, -1.75, 2.0 - 2.0**-20):
        row, Pi = np.full((1, 2048), x), np.zeros((1, 2048), np.uint16)
        assert twin.host(transposed_gather(twin.send(row), twin.send(Pi), 1)) == 2048 * x


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("single", [False, True])
def test_fastfood_with_a_table_too_long_for_16_bits(twin, single, dtype):
    fastfood_holds(twin, 70_000, 66_000, single, dtype)
