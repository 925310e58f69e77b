"""What the CUDA twins must hold. Collected by test_gpu.py (on a GPU) and by test_cuda_on_host.py (without).

The fixture `gpu` has cupy, kernels, send (NumPy to device) and host (back); the truth is kernels/reference.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest

from npintdim import kernels
from npintdim.kernels import reference
from npintdim.rng import Purpose, Stream

FLOATS = (np.float32, np.float64)
SEED = 2**64 - 1


def normal(shape, dtype, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    x.flags.writeable = False
    return x


def same_bits(a, b):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    np.testing.assert_array_equal(a.reshape(-1).view(f"u{a.itemsize}"), b.reshape(-1).view(f"u{b.itemsize}"))


def as_good(fast, plain, exact):
    """Its largest error is below twice that of the plain text plus a few units of the largest entry."""
    assert (fast.dtype, fast.shape) == (plain.dtype, plain.shape)
    floor = (
        (4 if fast.dtype == np.float32 else 64) * np.finfo(fast.dtype).eps * np.abs(exact).max(initial=0.0)
    )
    assert np.abs(fast - exact).max(initial=0.0) <= 2 * np.abs(plain - exact).max(initial=0.0) + floor


def wide(arrays):
    return [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]


@pytest.mark.parametrize(
    ("start", "count"), [(0, 0), (0, 1), (1, 1), (3, 64), (5, 1027), (4 * 2**32 - 6, 13), (2**40, 65)]
)
def test_words(gpu, start, count):
    address = SEED, 2**32 - 1, 2**31, start, count
    same_bits(gpu.host(gpu.kernels.words(*address)), reference.words(*address))


def test_words_of_random123(gpu):
    words = gpu.host(gpu.kernels.words(0, 0, 0, 0, 4))
    assert [f"{w:08x}" for w in words] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1000])
def test_signs(gpu, count):
    packed = reference.words(3, 1, 2, 0, -(-count // 32))
    same_bits(gpu.host(gpu.kernels.signs(gpu.send(packed), count)), reference.signs(packed, count))


@pytest.mark.parametrize(
    ("rows", "n"), [(1, 1), (7, 1), (5, 2), (3, 37), (4, 1024), (1, 2**16), (1, 2**16 + 1)]
)
def test_permutations(gpu, rows, n):
    address = SEED, 6, 1, rows, n
    same_bits(gpu.host(gpu.kernels.permutations(*address)), reference.permutations(*address))


@pytest.mark.parametrize("name", ["normals", "truncated_normals"])
def test_normals(gpu, name):
    ends = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])
    edges = (np.array([0.075, 0.925, 0.0227, 0.9773]) * 2**32).astype(np.int64)[:, None] + np.arange(-50, 50)
    w = np.concatenate([ends, edges.ravel(), reference.words(1, 2, 3, 0, 100_000)]).astype(np.uint32)
    for words in (w, w[:6].reshape(2, 3)):
        same_bits(gpu.host(getattr(gpu.kernels, name)(gpu.send(words))), getattr(reference, name)(words))


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
def test_logarithm_and_quantile_before_they_are_rounded_to_the_grid(gpu, name):
    code = Path(kernels.__file__).with_name("cuda").joinpath("exact.cu").read_text(encoding="utf-8")
    launch = importlib.import_module(f"{gpu.kernels.__name__}.launch")
    module = gpu.cupy.RawModule(code=code + PROBES, options=launch.options("exact.cu", "float64"))
    p = (reference.words(7, 2, 3, 0, 100_000) + 0.5) * 2.0**-32
    y = gpu.send(np.zeros_like(p))
    module.get_function(f"{name}_probe")((launch.cover(len(p)),), (launch.THREADS,), (gpu.send(p), len(p), y))
    same_bits(gpu.host(y), getattr(importlib.import_module("npintdim.kernels.reference.normals"), name)(p))


def test_square_sum_where_one_int64_would_overflow(gpu):
    g = np.full(3_000_000, 2_000_000_000, np.int64)
    assert gpu.kernels.square_sum(gpu.send(g)) == 3_000_000 * 4 * 10**18


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape", [*((2**k,) for k in range(18)), (3, 1), (5, 8), (3, 2, 64), (3, 2**13), (0, 4)]
)
def test_wht(gpu, shape, dtype):
    x = normal(shape, dtype)
    on_device = gpu.send(x)
    same_bits(gpu.host(gpu.kernels.wht(on_device)), reference.wht(x))
    same_bits(gpu.host(on_device), x)
    if x.ndim == 1 and len(x) > 1:
        same_bits(gpu.host(gpu.kernels.wht(on_device[::2])), reference.wht(x[::2]))


def fastfood(D, d, single, dtype):
    m = 1 << (d - 1).bit_length()
    n = 1 << (D - 1).bit_length() if single else m
    blocks = -(-D // n)
    B, S = reference.words(1, 5, 0, 0, -(-blocks * m // 32)), reference.words(1, 8, 0, 0, -(-D // 32))
    Pi = (reference.permutations(1, 6, 0, blocks, n) % m).astype(np.uint16 if m <= 1 << 16 else np.uint32)
    G = (reference.normals(reference.words(1, 7, 0, 0, blocks * n)) * 2.0**-20).astype(dtype)
    return B, Pi, G.reshape(blocks, n), S, m


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(
    ("D", "d"), [(1, 1), (7, 1), (7, 2), (100, 8), (1000, 17), (777, 777), (20_011, 750), (70_000, 66_000)]
)
def test_fastfood(gpu, D, d, single, dtype):
    factors = fastfood(D, d, single, dtype)
    *on_device, m = [gpu.send(f) for f in factors[:-1]] + [factors[-1]]
    v, g = normal(d, dtype), normal(D, dtype, 1)
    Pv = gpu.kernels.fastfood_apply(gpu.send(v), *on_device, m, D)
    same_bits(gpu.host(Pv), reference.fastfood_apply(v, *factors, D))
    Ptg = gpu.kernels.fastfood_adjoint(gpu.send(g), *on_device, m, d)
    B, Pi, G, S, _ = factors
    exact = reference.fastfood_adjoint(g.astype(np.float64), B, Pi, G.astype(np.float64), S, m, d)
    as_good(gpu.host(Ptg), reference.fastfood_adjoint(g, *factors, d), exact)
    again = gpu.kernels.fastfood_adjoint(gpu.send(g), *on_device, m, d)
    same_bits(gpu.host(again), gpu.host(Ptg))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_stays_so(gpu, bad):
    B, Pi, G, S, m = fastfood(1000, 17, True, np.float32)
    g = normal(1000, np.float32).copy()
    g[3] = bad
    Ptg = gpu.host(gpu.kernels.fastfood_adjoint(gpu.send(g), *map(gpu.send, (B, Pi, G, S)), m, 17))
    assert not np.isfinite(Ptg).any()


def test_entries_that_meet_in_one_place_do_not_overflow(gpu):
    transposed_gather = importlib.import_module(f"{gpu.kernels.__name__}.fastfood").transposed_gather
    for x in (1.75, -1.75, 2.0 - 2.0**-20):
        row, Pi = np.full((1, 2048), x), np.zeros((1, 2048), np.uint16)
        assert gpu.host(transposed_gather(gpu.send(row), gpu.send(Pi), 1)) == 2048 * x


@pytest.mark.parametrize("size", [1e-38, 1e30])
def test_an_adjoint_of_any_size(gpu, size):
    B, Pi, G, S, m = fastfood(1000, 17, True, np.float64)
    g = normal(1000, np.float64)
    small, plain = (
        gpu.host(gpu.kernels.fastfood_adjoint(gpu.send(x), *map(gpu.send, (B, Pi, G, S)), m, 17))
        for x in (g * size, g)
    )
    np.testing.assert_allclose(small, plain * size, rtol=1e-12)


@pytest.mark.parametrize("D", [1, 4, 31, 33, 5000])
def test_dense_columns(gpu, D):
    for j in (0, 2**32 - 1):
        stream = Stream(SEED, Purpose.DENSE, j, gpu.kernels)
        same_bits(gpu.host(stream.normals(D)), reference.dense.gaussian_column(SEED, j, D))
        same_bits(gpu.host(stream.signs(D)), reference.dense.rademacher_column(SEED, j, D))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", ["gaussian", "rademacher"])
@pytest.mark.parametrize(
    ("D", "d"), [(1, 1), (31, 2), (33, 33), (128, 3), (2049, 20), (5003, 135), (20_003, 2)]
)
def test_dense_products(gpu, D, d, kind, dtype):
    v, g, seed = normal(d, dtype), normal(D, dtype, 1), 2**63 + 5
    norms, plain_norms = gpu.kernels.gaussian_norms(seed, D, d), reference.gaussian_norms(seed, D, d)
    same_bits(gpu.host(norms), plain_norms)
    up, plain_up = ((norms, D), (plain_norms, D)) if kind == "gaussian" else ((D,), (D,))
    down, plain_down = ((norms,), (plain_norms,)) if kind == "gaussian" else ((d,), (d,))
    apply, adjoint = (getattr(gpu.kernels, f"{kind}_{what}") for what in ("apply", "adjoint"))
    plain_apply, plain_adjoint = (getattr(reference, f"{kind}_{what}") for what in ("apply", "adjoint"))
    same_bits(gpu.host(apply(gpu.send(v), seed, *up)), plain_apply(v, seed, *plain_up))
    exact = plain_adjoint(g.astype(np.float64), seed, *plain_down)
    as_good(gpu.host(adjoint(gpu.send(g), seed, *down)), plain_adjoint(g, seed, *plain_down), exact)


@pytest.mark.parametrize(
    ("D", "density"), [(1, 0.5), (50, 0.3), (1000, 1000**-0.5), (1000, 1.0), (1000, 1e-4), (70_000, 0.01)]
)
def test_sparse_columns(gpu, D, density):
    for fast, plain in zip(
        gpu.kernels.sparse_columns(3, D, 7, density), reference.sparse_columns(3, D, 7, density), strict=True
    ):
        same_bits(gpu.host(fast), plain)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("D", "d", "density"),
    [(1, 1, 1.0), (40, 3, 0.2), (1000, 60, 1000**-0.5), (300, 200, 1.0), (30_000, 150, 0.02)],
)
def test_sparse_products(gpu, D, d, density, dtype):
    indptr, rows, sign = reference.sparse_columns(5, D, d, density)
    nnz = np.maximum(np.diff(indptr), 1)
    P = indptr, rows, (sign / np.sqrt(np.repeat(nnz, np.diff(indptr)))).astype(dtype)
    v, g = normal(d, dtype), normal(D, dtype, 1)
    Pv = gpu.kernels.sparse_apply(gpu.send(v), *map(gpu.send, P), D)
    Ptg = gpu.kernels.sparse_adjoint(gpu.send(g), *map(gpu.send, P))
    as_good(gpu.host(Pv), reference.sparse_apply(v, *P, D), reference.sparse_apply(*wide((v, *P)), D))
    as_good(gpu.host(Ptg), reference.sparse_adjoint(g, *P), reference.sparse_adjoint(*wide((g, *P))))


CONV = [  # n, c_in, h, w, c_out, k, stride, padding
    (1, 1, 1, 1, 1, 1, 1, 0), (2, 1, 5, 7, 3, 3, 1, 0), (3, 3, 8, 8, 4, 3, 1, 1), (2, 2, 9, 6, 5, 2, 2, 0),
    (2, 3, 11, 10, 2, 4, 3, 2), (1, 2, 6, 6, 7, 6, 1, 0), (2, 2, 7, 7, 3, 3, 2, 3), (1, 2, 5, 5, 2, 1, 2, 1),
    (7, 1, 28, 28, 6, 5, 1, 0), (4, 6, 12, 12, 16, 5, 1, 0),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CONV)
def test_conv2d(gpu, case, dtype):
    n, c_in, h, w, c_out, k, *how = case
    x, W = normal((n, c_in, h, w), dtype), normal((c_out, c_in, k, k), dtype, 1)
    y = gpu.kernels.conv2d_forward(gpu.send(x), gpu.send(W), *how)
    plain = reference.conv2d_forward(x, W, *how)
    as_good(gpu.host(y), plain, reference.conv2d_forward(*wide((x, W)), *how))
    dy = normal(plain.shape, dtype, 2)
    back = gpu.kernels.conv2d_backward(*map(gpu.send, (x, W, dy)), *how, True)
    plain_back = reference.conv2d_backward(x, W, dy, *how, True)
    exact = reference.conv2d_backward(*wide((x, W, dy)), *how, True)
    for f, p, e in zip(back, plain_back, exact, strict=True):
        as_good(gpu.host(f), p, e)
    dx, dW = gpu.kernels.conv2d_backward(*map(gpu.send, (x, W, dy)), *how, False)
    assert dx is None
    same_bits(gpu.host(dW), gpu.host(back[1]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [
        ((1, 1, 2, 2), 2, 2),
        ((2, 3, 8, 8), 2, 2),
        ((2, 2, 7, 9), 3, 2),
        ((1, 2, 9, 7), 2, 3),
        ((3, 1, 6, 5), 1, 1),
    ],
)
def test_max_pool(gpu, shape, size, stride, dtype):
    x = np.round(normal(shape, dtype) * 2) / 2  # ties
    x[0, 0, 0, :2] = -np.inf, np.nan
    x[0, 0, 1, 0] = np.nan  # the first NaN is the winner
    plain = reference.max_pool_forward(x, size, stride)
    for fast, p in zip(gpu.kernels.max_pool_forward(gpu.send(x), size, stride), plain, strict=True):
        same_bits(gpu.host(fast), p)
    dy, winner = normal(plain[0].shape, dtype, 1), plain[1]
    back = gpu.kernels.max_pool_backward(gpu.send(dy), gpu.send(winner), shape, size, stride)
    same_bits(gpu.host(back), reference.max_pool_backward(dy, winner, shape, size, stride))
