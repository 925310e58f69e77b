"""Every kernel against its plain twin: the same names, the same bits where bits are promised, bounds elsewhere."""

import ast
import inspect
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import NO_NUMBA, frozen

from npintdim import kernels
from npintdim.kernels import reference

pytest.importorskip("numba", reason=NO_NUMBA)

from npintdim.kernels import numba_cpu
from npintdim.kernels.numba_cpu.machinery import share
from npintdim.kernels.numba_cpu.words import address
from npintdim.rng import Purpose, Stream

FLOATS = (np.float32, np.float64)
SEED = 2**64 - 1


@pytest.fixture(autouse=True)
def wake_threads_for_any_work(monkeypatch):
    """Small cases would run serial however many threads are asked for."""
    monkeypatch.setattr(share, "LEAST", 0.0)


THREADS = (2, 3)


def normal(shape, dtype, seed=0):
    return frozen(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    np.testing.assert_array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))


def as_good(fast, plain, exact):
    """The largest error is below twice the plain one plus a few units in the last place of the largest entry.

    `exact` is float64; where `fast` is float64 too, both err.
    """
    ulps = 4 if fast.dtype == np.float32 else 64
    assert fast.dtype == plain.dtype
    assert fast.shape == plain.shape
    floor = ulps * np.finfo(fast.dtype).eps * np.abs(exact).max(initial=0.0)
    error, plain_error = (np.abs(a - exact).max(initial=0.0) for a in (fast, plain))
    assert error <= 2 * plain_error + floor


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
            found |= {alias.name: defined[alias.name] for alias in node.names}
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


# Bits: random numbers.

ADDRESSES = [
    (0, 1),
    (1, 1),
    (2, 5),
    (3, 64),
    (5, 127),
    (4 * 2**32 - 6, 13),
    (4 * 2**32 + 3, 200),
    (2**40, 65),
]


@pytest.mark.parametrize(("start", "count"), ADDRESSES)
@pytest.mark.parametrize("seed", [0, 1, 2**63, SEED])
def test_words(seed, start, count):
    address = seed, 2**32 - 1, 2**31, start, count
    same_bits(numba_cpu.words(*address), reference.words(*address))


def test_no_words():
    assert numba_cpu.words(0, 0, 0, 5, 0).shape == reference.words(0, 0, 0, 5, 0).shape == (0,)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1000])
def test_signs(count):
    packed = frozen(reference.words(3, 1, 2, 0, -(-count // 32)))
    same_bits(numba_cpu.signs(packed, count), reference.signs(packed, count))


@pytest.mark.parametrize(
    ("rows", "n"), [(1, 1), (7, 1), (5, 2), (3, 37), (4, 1024), (1, 2**16), (1, 2**16 + 1)]
)
def test_permutations(rows, n):
    same_bits(numba_cpu.permutations(SEED, 6, 1, rows, n), reference.permutations(SEED, 6, 1, rows, n))


@pytest.mark.parametrize("name", ["normals", "truncated_normals"])
def test_normals(name):
    ends = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], dtype=np.uint32)
    edges = (np.array([0.075, 0.925, 0.0227, 0.9773]) * 2**32).astype(np.int64)[:, None] + np.arange(-50, 50)
    w = frozen(np.concatenate([ends, edges.ravel().astype(np.uint32), reference.words(1, 2, 3, 0, 100_003)]))
    same_bits(getattr(numba_cpu, name)(w), getattr(reference, name)(w))
    same_bits(getattr(numba_cpu, name)(w[:6].reshape(2, 3)), getattr(reference, name)(w[:6].reshape(2, 3)))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_square_sum_where_one_int64_would_overflow(dtype):
    g = frozen(
        np.concatenate(
            [np.full(3_000_000, 2_000_000_000, dtype), reference.normals(reference.words(0, 0, 0, 0, 99))]
        )
    )
    assert (
        numba_cpu.square_sum(g)
        == reference.square_sum(g)
        == sum(int(x) ** 2 for x in g[-99:]) + 3_000_000 * 4 * 10**18
    )


# Bits: the Walsh–Hadamard transform and Fastfood.


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape", [*((2**k,) for k in range(18)), (3, 1), (5, 8), (3, 2, 64), (2, 1024), (3, 2**13), (0, 4)]
)
def test_wht(shape, dtype):
    x = normal(shape, dtype)
    for threads in (1, *THREADS):
        same_bits(numba_cpu.wht(x, threads), reference.wht(x))


def test_wht_of_a_vector_so_long_that_threads_share_it():
    x = normal(2**22, np.float32)
    same_bits(numba_cpu.wht(x, 2), reference.wht(x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_wht_of_every_second_entry(dtype):
    x = normal((4, 64), dtype)[:, ::2]
    same_bits(numba_cpu.wht(x), reference.wht(x))


def fastfood(D, d, single, dtype):
    """Factors as projections/fastfood.py makes them, up to the scale."""
    m = 1 << (d - 1).bit_length()
    n = 1 << (D - 1).bit_length() if single else m
    blocks = -(-D // n)
    B = reference.words(1, 5, 0, 0, -(-blocks * m // 32))
    Pi = reference.permutations(1, 6, 0, blocks, n) % m
    Pi = Pi.astype(np.uint16 if m <= 1 << 16 else np.uint32)
    G = (
        (reference.normals(reference.words(1, 7, 0, 0, blocks * n)) * 2.0**-20)
        .astype(dtype)
        .reshape(blocks, n)
    )
    S = reference.words(1, 8, 0, 0, -(-D // 32))
    return *map(frozen, (B, Pi, G, S)), m


FASTFOOD = [
    (1, 1), (7, 1), (7, 2), (33, 3), (100, 5), (100, 8), (129, 9), (64, 16), (1000, 17), (1000, 40), (4096, 64),
    (777, 777), (5000, 100), (20_011, 750), (70_001, 9000),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(("D", "d"), FASTFOOD)
def test_fastfood(D, d, single, dtype):
    factors = fastfood(D, d, single, dtype)
    v, g = normal(d, dtype), normal(D, dtype, 1)
    Pv, Ptg = numba_cpu.fastfood_apply(v, *factors, D), numba_cpu.fastfood_adjoint(g, *factors, d)
    same_bits(Pv, reference.fastfood_apply(v, *factors, D))
    B, Pi, G, S, m = factors
    exact = reference.fastfood_adjoint(g.astype(np.float64), B, Pi, G.astype(np.float64), S, m, d)
    as_good(Ptg, reference.fastfood_adjoint(g, *factors, d), exact)
    for threads in THREADS:
        same_bits(numba_cpu.fastfood_apply(v, *factors, D, threads), Pv)
        same_bits(numba_cpu.fastfood_adjoint(g, *factors, d, threads), Ptg)


def test_fastfood_with_a_table_too_long_for_16_bits():
    D, d = 70_000, 66_000
    factors = fastfood(D, d, False, np.float32)
    assert factors[1].dtype == np.uint32
    v = normal(d, np.float32)
    same_bits(numba_cpu.fastfood_apply(v, *factors, D, 2), reference.fastfood_apply(v, *factors, D))


# Dense projections without a matrix.

DENSE = [(1, 1), (5, 3), (31, 2), (32, 2), (33, 33), (127, 4), (128, 3), (2047, 5), (2049, 20), (10_007, 35)]


@pytest.mark.parametrize("D", [1, 4, 31, 33, 5000])
def test_dense_columns(D):
    for j in (0, 1, 2**32 - 1):
        stream = Stream(SEED, Purpose.DENSE, j, numba_cpu)
        same_bits(stream.normals(D), reference.dense.gaussian_column(SEED, j, D))
        same_bits(stream.signs(D), reference.dense.rademacher_column(SEED, j, D))


@pytest.mark.parametrize(("D", "d"), DENSE)
def test_gaussian_norms(D, d):
    norms = reference.gaussian_norms(SEED, D, d)
    for threads in (1, 2):
        same_bits(numba_cpu.gaussian_norms(SEED, D, d, threads), norms)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", ["gaussian", "rademacher"])
@pytest.mark.parametrize(("D", "d"), DENSE)
def test_dense_products(D, d, kind, dtype):
    v, g, seed = normal(d, dtype), normal(D, dtype, 1), 2**63 + 5
    norms = frozen(reference.gaussian_norms(seed, D, d))
    up = (norms, D) if kind == "gaussian" else (D,)
    down = (norms,) if kind == "gaussian" else (d,)
    apply, adjoint = getattr(numba_cpu, f"{kind}_apply"), getattr(numba_cpu, f"{kind}_adjoint")
    plain_apply, plain_adjoint = getattr(reference, f"{kind}_apply"), getattr(reference, f"{kind}_adjoint")
    Pv, Ptg = apply(v, seed, *up), adjoint(g, seed, *down)
    same_bits(Pv, plain_apply(v, seed, *up))
    as_good(Ptg, plain_adjoint(g, seed, *down), plain_adjoint(g.astype(np.float64), seed, *down))
    for threads in THREADS:
        same_bits(apply(v, seed, *up, threads), Pv)
        same_bits(adjoint(g, seed, *down, threads), Ptg)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("D", "d"), [(1, 1), (17, 7), (16, 8), (8193, 9), (20_011, 30)])
def test_stored_products(D, d, dtype):
    columns, v, g = normal((d, D), dtype), normal(d, dtype, 1), normal(D, dtype, 2)
    exact = columns.astype(np.float64)
    Pv, Ptg = numba_cpu.stored_apply(v, columns), numba_cpu.stored_adjoint(g, columns)
    as_good(Pv, reference.stored_apply(v, columns), exact.T @ v)
    as_good(Ptg, reference.stored_adjoint(g, columns), exact @ g)
    for threads in THREADS:
        same_bits(numba_cpu.stored_apply(v, columns, threads), Pv)
        same_bits(numba_cpu.stored_adjoint(g, columns, threads), Ptg)
    for j in range(d):
        same_bits(numba_cpu.stored_apply(np.eye(d, dtype=dtype)[j], columns), columns[j])


# Sparse projections.


@pytest.mark.parametrize(
    ("D", "density"), [(1, 0.5), (50, 0.3), (1000, 1000**-0.5), (1000, 1.0), (1000, 1e-4), (70_000, 0.01)]
)
def test_sparse_columns(D, density):
    for j in (0, 4, 2**32 - 1):
        plain = reference.sparse.sparse_column(SEED, j, D, density)
        rows, log_miss = np.empty_like(plain), numba_cpu.sparse.log_of_miss(density)
        assert numba_cpu.sparse.draw_rows(*address(SEED, j), D, log_miss, rows) == len(plain)
        same_bits(rows, plain)
    for fast, plain in zip(
        numba_cpu.sparse_columns(3, D, 7, density), reference.sparse_columns(3, D, 7, density), strict=True
    ):
        same_bits(fast, plain)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("D", "d", "density"), [(1, 1, 1.0), (40, 3, 0.2), (1000, 60, 1000**-0.5), (30_000, 50, 0.02)]
)
def test_sparse_products(D, d, density, dtype):
    indptr, rows, sign = reference.sparse_columns(5, D, d, density)
    nnz = np.maximum(np.diff(indptr), 1)
    values = (sign / np.sqrt(np.repeat(nnz, np.diff(indptr)))).astype(dtype)
    P = (*map(frozen, (indptr, rows, values)),)
    exact = indptr, rows, values.astype(np.float64)
    v, g = normal(d, dtype), normal(D, dtype, 1)
    Pv, Ptg = numba_cpu.sparse_apply(v, *P, D), numba_cpu.sparse_adjoint(g, *P)
    as_good(Pv, reference.sparse_apply(v, *P, D), reference.sparse_apply(v.astype(np.float64), *exact, D))
    as_good(Ptg, reference.sparse_adjoint(g, *P), reference.sparse_adjoint(g.astype(np.float64), *exact))
    for threads in THREADS:
        same_bits(numba_cpu.sparse_apply(v, *P, D, threads), Pv)
        same_bits(numba_cpu.sparse_adjoint(g, *P, threads), Ptg)


# Images.

CONV = [  # n, c_in, h, w, c_out, k, stride, padding
    (1, 1, 1, 1, 1, 1, 1, 0), (2, 1, 5, 7, 3, 3, 1, 0), (3, 3, 8, 8, 4, 3, 1, 1), (2, 2, 9, 6, 5, 2, 2, 0),
    (2, 3, 11, 10, 2, 4, 3, 2), (1, 2, 6, 6, 7, 6, 1, 0), (2, 2, 7, 7, 3, 3, 2, 3), (1, 2, 5, 5, 2, 1, 2, 1),
    (17, 1, 28, 28, 6, 5, 1, 0), (4, 6, 12, 12, 16, 5, 1, 0), (2, 7, 8, 8, 9, 1, 2, 0), (1, 3, 40, 33, 9, 5, 1, 2),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CONV)
def test_conv2d(case, dtype):
    n, c_in, h, w, c_out, k, stride, padding = case
    x, W = normal((n, c_in, h, w), dtype), normal((c_out, c_in, k, k), dtype, 1)
    x64, W64 = x.astype(np.float64), W.astype(np.float64)
    y = numba_cpu.conv2d_forward(x, W, stride, padding)
    plain = reference.conv2d_forward(x, W, stride, padding)
    as_good(y, plain, reference.conv2d_forward(x64, W64, stride, padding))
    dy = normal(plain.shape, dtype, 2)
    exact = reference.conv2d_backward(x64, W64, dy.astype(np.float64), stride, padding, True)
    fast = numba_cpu.conv2d_backward(x, W, dy, stride, padding, True)
    plain = reference.conv2d_backward(x, W, dy, stride, padding, True)
    for f, p, e in zip(fast, plain, exact, strict=True):
        as_good(f, p, e)
    assert numba_cpu.conv2d_backward(x, W, dy, stride, padding, False)[0] is None
    same_bits(numba_cpu.conv2d_backward(x, W, dy, stride, padding, False)[1], fast[1])
    for threads in THREADS:
        same_bits(numba_cpu.conv2d_forward(x, W, stride, padding, threads), y)
        again = numba_cpu.conv2d_backward(x, W, dy, stride, padding, True, threads)
        for one, other in zip(fast, again, strict=True):
            same_bits(one, other)


POOL = [
    ((1, 1, 2, 2), 2, 2),
    ((2, 3, 8, 8), 2, 2),
    ((2, 2, 7, 9), 3, 2),
    ((1, 2, 9, 7), 2, 3),
    ((3, 1, 6, 5), 1, 1),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "size", "stride"), POOL)
def test_max_pool(shape, size, stride, dtype):
    x = np.round(normal(shape, dtype) * 2) / 2  # ties
    x[0, 0, 0, :2] = np.nan, -np.inf
    plain = reference.max_pool_forward(frozen(x), size, stride)
    dy = normal(plain[0].shape, dtype, 1)
    back = reference.max_pool_backward(dy, frozen(plain[1]), shape, size, stride)
    for threads in (1, *THREADS):
        for f, p in zip(numba_cpu.max_pool_forward(x, size, stride, threads), plain, strict=True):
            same_bits(f, p)
        same_bits(numba_cpu.max_pool_backward(dy, plain[1], shape, size, stride, threads), back)


# Two callers, and a machine that can do less.


def test_two_python_threads_at_once_get_the_same_bits():
    D, d = 50_000, 100
    factors, v = fastfood(D, d, False, np.float32), normal(d, np.float32)
    expected = reference.fastfood_apply(v, *factors, D)
    with ThreadPoolExecutor(4) as pool:
        for Pv in pool.map(lambda threads: numba_cpu.fastfood_apply(v, *factors, D, threads), [1, 2] * 20):
            same_bits(Pv, expected)


def test_a_short_piece_of_work_wakes_no_thread(monkeypatch):
    monkeypatch.setattr(share, "LEAST", 20.0)
    count = share.LEAST * share.PER_MICROSECOND["sparse"]
    assert (share.worth(2, "sparse", count), share.worth(2, "sparse", count + 1)) == (1, 2)
