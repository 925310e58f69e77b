"""Numba's twins of the plain kernels: what every twin must hold, the same names, and threads."""

import ast
import inspect
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import NO_NUMBA, frozen, same_bits
from scipy.special import ndtri
from twin_checks import *  # noqa: F403
from twin_checks import FLOATS, SEED, factors, fastfood_holds, normal

from npintdim import kernels
from npintdim.backend import get_backend
from npintdim.kernels import reference

pytest.importorskip("numba", reason=NO_NUMBA)

from npintdim.kernels import numba_cpu
from npintdim.kernels.numba_cpu.dense import quotient
from npintdim.kernels.numba_cpu.machinery import share
from npintdim.kernels.numba_cpu.machinery.simd import LANES, load, select, store
from npintdim.kernels.numba_cpu.normals import FARTHEST, MISSED, nearly
from npintdim.kernels.numba_cpu.words import address


@pytest.fixture(autouse=True)
def wake_threads_for_any_work(monkeypatch):
    """Small cases would run serial however many threads are asked for."""
    monkeypatch.setattr(share, "LEAST", 0.0)


@pytest.fixture
def twin():
    return get_backend("numba", threads=3)


def signatures(package):
    """Name to parameters of what a kernel package exports, read from its text so that no GPU is needed."""
    folder = Path(kernels.__file__).parent / package
    found = {}
    for node in ast.walk(ast.parse((folder / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("npintdim.kernels."):
            text = (folder / f"{node.module.rpartition('.')[2]}.py").read_text()
            defined = {
                f.name: ast.unparse(f.args) for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)
            }
            names = {alias.name for alias in node.names} - {"FASTFOOD_PARTS"}  # a number of their own
            found |= {name: defined[name] for name in names}
    return found


def test_the_twins_have_the_same_files():
    files = [
        {path.name for path in Path(twin.__file__).parent.glob("*.py")} for twin in (numba_cpu, reference)
    ]
    assert files[0] == files[1]


def test_the_twins_have_the_names_and_signatures_of_the_reference():
    ours, plain = (dict(inspect.getmembers(k, inspect.isfunction)) for k in (numba_cpu, reference))
    assert ours.keys() == plain.keys() == signatures("reference").keys()
    for name in plain:
        assert inspect.signature(ours[name]) == inspect.signature(plain[name]), name


@pytest.mark.parametrize(
    "package",
    [p.parent.name for p in Path(kernels.__file__).parent.glob("*/__init__.py") if p.parent.name != "fused"],
)
def test_every_kernel_package_has_the_signatures_of_the_reference_by_its_text(package):
    assert signatures(package) == signatures("reference")


@pytest.mark.parametrize(
    ("D", "density"), [(1, 0.5), (50, 0.3), (1000, 1000**-0.5), (1000, 1.0), (1000, 1e-4), (70_000, 0.01)]
)
def test_sparse_columns_of_any_lane(D, density):
    for j in (0, 1, 4, 2**32 - 1):
        plain = reference.sparse.sparse_column(SEED, j, D, density)
        rows, log_miss = np.empty_like(plain), numba_cpu.sparse.log_of_miss(density)
        assert numba_cpu.sparse.draw_rows(*address(SEED, j), D, log_miss, rows) == len(plain)
        same_bits(rows, plain)


# ---- so long that threads share it, and a table too long for 16 bits ----


def test_wht_of_a_vector_so_long_that_threads_share_it():
    x = normal(2**22, np.float32)
    same_bits(numba_cpu.wht(x, 2), reference.wht(x))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("single", [False, True])
def test_fastfood_of_long_blocks(twin, single, dtype):
    fastfood_holds(twin, 70_001, 9000, single, dtype)


def test_fastfood_with_a_table_too_long_for_16_bits():
    P, v = factors(70_000, 66_000, False, np.float32), normal(66_000, np.float32)
    same_bits(numba_cpu.fastfood_apply(v, *P, 70_000, 2), reference.fastfood_apply(v, *P, 70_000))


# ---- two callers, and a machine that can do less ----


def test_two_python_threads_at_once_get_the_same_bits():
    D, d = 50_000, 100
    P, v = factors(D, d, False, np.float32), normal(d, np.float32)
    expected = reference.fastfood_apply(v, *P, D)
    with ThreadPoolExecutor(4) as pool:
        for Pv in pool.map(lambda threads: numba_cpu.fastfood_apply(v, *P, D, threads), [1, 2] * 20):
            same_bits(Pv, expected)


def test_a_short_piece_of_work_wakes_no_thread(monkeypatch):
    monkeypatch.setattr(share, "LEAST", 20.0)
    count = share.LEAST * share.PER_MICROSECOND["sparse"]
    assert (share.worth(2, "sparse", count), share.worth(2, "sparse", count + 1)) == (1, 2)


# ---- what stands in the place of a dearer formula ----


@share.jit
def nearly_all(p, near, inside):
    """2²⁰ Φ⁻¹ by the shorter formula, and where it is used."""
    for i in range(0, len(p), LANES):
        z, where = nearly(load(p, i))
        store(near, i, z)
        store(inside, i, select(where, 1.0, z - z))


def test_the_shorter_formula_of_a_normal_misses_less_than_it_is_trusted_with():
    w = np.concatenate([np.arange(0, 2**32, 4099), np.arange(2**16), 2**32 - 1 - np.arange(2**16)])
    p = frozen((w[: len(w) // LANES * LANES] + 0.5) * 2.0**-32)
    near, inside = np.empty_like(p), np.empty_like(p)
    nearly_all(p, near, inside)
    np.testing.assert_array_equal(inside == 1, 4 * p * (1 - p) > np.exp(-FARTHEST))
    missed = np.abs(near - 2**20 * ndtri(p))[inside == 1].max()
    assert MISSED / 10 < missed < MISSED / 2


@share.jit
def quotients(g, norm, out):
    """g/norm as dense products take it."""
    for i in range(0, len(g), LANES):
        store(out, i, quotient(load(g, i), norm, 1.0 / norm))


def test_a_quotient_is_that_of_a_division():
    g = np.arange(-6_645_840.0, 6_645_840.0, 7)[: 16 * 100_000]
    for norm in (
        2.0**20,
        np.nextafter(2.0**31, 0),
        np.nextafter(2.0**25, np.inf),
        *normal(9, float) ** 2 * 2**29,
    ):
        out = np.empty_like(g)
        quotients(frozen(g), norm, out)
        np.testing.assert_array_equal(out, g / norm)
