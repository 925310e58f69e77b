"""What every fast twin of the plain kernels must hold: collected for Numba, for CUDA on a GPU and on its stand-in.

The fixture `twin` is a backend with such kernels, each tried with 1 to `twin.threads` threads; the truth is
kernels/reference: the same bits where bits are promised, bounds elsewhere.
"""

import numpy as np
import pytest
from helpers import as_good, frozen, same_bits

from npintdim.backend import get_backend
from npintdim.kernels import reference
from npintdim.rng import Purpose, Stream

FLOATS = (np.float32, np.float64)
SEED = 2**64 - 1
dtypes = pytest.mark.parametrize("dtype", FLOATS)


def normal(shape, dtype, seed=0):
    return frozen(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def wide(*arrays):
    return [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]


def more_threads(twin):
    return range(2, twin.threads + 1)


def run(twin, name, *arguments):
    """What the fast kernel gives, on the host: the same bits with any number of threads, and no input changed."""

    def once(*threads):
        sent = [twin.send(x) if isinstance(x, np.ndarray) else x for x in arguments]
        answer = getattr(twin.kernels, name)(*sent, *threads)
        for x, given in zip(arguments, sent, strict=True):
            if isinstance(x, np.ndarray):
                same_bits(twin.host(given), x)
        parts = answer if isinstance(answer, tuple) else (answer,)
        return [part if part is None else twin.host(part) for part in parts]

    first = once()
    for threads in more_threads(twin):
        for one, other in zip(first, once(threads), strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                same_bits(one, other)
    return first if len(first) > 1 else first[0]


def plain(name, *arguments):
    return getattr(reference, name)(*arguments)


def assert_same(twin, name, *arguments):
    fast, slow = run(twin, name, *arguments), plain(name, *arguments)
    for f, p in zip(fast, slow, strict=True) if isinstance(slow, tuple) else [(fast, slow)]:
        same_bits(f, p)
    return fast


def assert_as_good(twin, name, *arguments):
    """Against the plain kernel on float64 copies."""
    exact = plain(name, *(wide(x)[0] if isinstance(x, np.ndarray) else x for x in arguments))
    fast, slow = run(twin, name, *arguments), plain(name, *arguments)
    for parts in zip(fast, slow, exact, strict=True) if isinstance(slow, tuple) else [(fast, slow, exact)]:
        as_good(*parts)
    return fast


# ---- random numbers ----


@pytest.mark.parametrize(
    ("start", "count"),
    [(0, 0), (5, 0), (0, 1), (1, 1), (2, 5), (3, 64), (5, 127), (5, 1027), (4 * 2**32 - 6, 13), (4 * 2**32 + 3, 200), (2**40, 65)],
)  # fmt: skip
@pytest.mark.parametrize("seed", [0, 1, 2**63, SEED])
def test_words(twin, seed, start, count):
    address = seed, 2**32 - 1, 2**31, start, count
    same_bits(twin.host(twin.kernels.words(*address)), reference.words(*address))


def test_words_of_random123(twin):
    words = twin.host(twin.kernels.words(0, 0, 0, 0, 4))
    assert [f"{w:08x}" for w in words] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1000])
def test_signs(twin, count):
    packed = frozen(reference.words(3, 1, 2, 0, -(-count // 32)))
    same_bits(twin.host(twin.kernels.signs(twin.send(packed), count)), reference.signs(packed, count))


@pytest.mark.parametrize(
    ("rows", "n"), [(1, 1), (7, 1), (5, 2), (3, 37), (7, 511), (40, 513), (4, 1024), (1, 2**16), (1, 2**16 + 1), (1, 2**18 + 1)]
)  # fmt: skip
@pytest.mark.parametrize("first", [0, 2**34 + 1])
def test_permutations(twin, rows, n, first):
    address = SEED, 6, 1, rows, n, first
    assert_same(twin, "permutations", *address)


@pytest.mark.parametrize("name", ["normals", "truncated_normals"])
def test_normals(twin, name):
    ends = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])
    edges = (np.array([0.075, 0.925, 0.0227, 0.9773, 0.0006201, 0.9993799]) * 2**32).astype(np.int64)[
        :, None
    ] + np.arange(-50, 50)
    w = np.concatenate([ends, edges.ravel(), reference.words(1, 2, 3, 0, 100_003)]).astype(np.uint32)
    for words in (frozen(w), frozen(w[:6].reshape(2, 3))):
        same_bits(twin.host(getattr(twin.kernels, name)(twin.send(words))), plain(name, words))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_square_sum_where_one_int64_would_overflow(twin, dtype):
    odd = reference.normals(reference.words(0, 0, 0, 0, 99))
    g = frozen(np.concatenate([np.full(3_000_000, 2_000_000_000, dtype), odd.astype(dtype)]))
    exact = sum(int(x) ** 2 for x in odd) + 3_000_000 * 4 * 10**18
    assert twin.kernels.square_sum(twin.send(g)) == reference.square_sum(g) == exact


# ---- the Walsh–Hadamard transform and Fastfood ----


@dtypes
@pytest.mark.parametrize(
    "shape", [*((2**k,) for k in range(18)), (3, 1), (5, 8), (3, 2, 64), (2, 1024), (3, 2**13), (0, 4)]
)
def test_wht(twin, shape, dtype):
    assert_same(twin, "wht", normal(shape, dtype))


@dtypes
@pytest.mark.parametrize("shape", [*((2**k,) for k in range(1, 18)), (4, 64)])
def test_wht_of_every_second_entry(twin, shape, dtype):
    x = normal(shape, dtype)
    same_bits(twin.host(twin.kernels.wht(twin.send(x)[..., ::2])), reference.wht(x[..., ::2]))


def factors(D, d, single, dtype):
    """B, Π, G, S, m as projections/fastfood.py makes them, up to the scale."""
    m = 1 << (d - 1).bit_length()
    n = 1 << (D - 1).bit_length() if single else m
    blocks = -(-D // n)
    B, S = reference.words(1, 5, 0, 0, -(-blocks * m // 32)), reference.words(1, 8, 0, 0, -(-D // 32))
    Pi = (reference.permutations(1, 6, 0, blocks, n) % m).astype(np.uint16 if m <= 1 << 16 else np.uint32)
    G = (reference.normals(reference.words(1, 7, 0, 0, blocks * n)) * 2.0**-20).astype(dtype)
    return *map(frozen, (B, Pi, G.reshape(blocks, n), S)), m


@dtypes
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(
    ("D", "d"),
    [(1, 1), (7, 1), (7, 2), (33, 3), (100, 5), (100, 8), (129, 9), (64, 16), (1000, 17), (1000, 40), (4096, 64), (777, 777),
     (5000, 100), (20_011, 750)],
)  # fmt: skip
def test_fastfood(twin, D, d, single, dtype):
    fastfood_holds(twin, D, d, single, dtype)


def adjoint(twin, g, B, Pi, G, S, m, d):
    """Pᵀ g of all blocks at once: the same bits with any number of threads."""
    sent = [twin.send(x) for x in (g, B, Pi, G, S)]
    found = []
    for threads in ((), *((n,) for n in more_threads(twin))):
        sums = twin.send(np.zeros((twin.kernels.FASTFOOD_PARTS, m), g.dtype))
        twin.kernels.fastfood_adjoint(*sent, sums, 0, len(Pi), *threads)
        found.append(twin.host(sums.sum(axis=0)[:d]))
        same_bits(found[-1], found[0])
    for x, given in zip((g, B, Pi, G, S), sent, strict=True):
        same_bits(twin.host(given), x)
    return found[0]


PLAIN = get_backend("numpy", threads=1)


def fastfood_holds(twin, D, d, single, dtype):
    P = factors(D, d, single, dtype)
    assert P[1].dtype == (np.uint32 if d > 1 << 16 else np.uint16)
    assert_same(twin, "fastfood_apply", normal(d, dtype), *P, D)
    g = normal(D, dtype, 1)
    Ptg = adjoint(twin, g, *P, d)
    as_good(Ptg, adjoint(PLAIN, g, *P, d), adjoint(PLAIN, *wide(g, *P[:4]), P[4], d))
    if twin.threads == 1:
        same_bits(adjoint(twin, g, *P, d), Ptg)


@dtypes
@pytest.mark.parametrize("n", [1, 4, 16, 64, 1024, 2**14])
def test_some_blocks_of_fastfood(twin, n, dtype):
    """Drawn, and added one after another, from a first block whose words lie beyond a Philox counter of 32 bits."""
    seed, first, blocks, scale = 2**63 + 5, 2**35 // n, max(3, 96 // n), 1.5e7
    B = frozen(reference.words(seed, Purpose.FF_B, 0, first * n // 32, -(-blocks * n // 32)))
    Pi = frozen(assert_same(twin, "permutations", seed, Purpose.FF_PI, 0, blocks, n, first))
    drawn = seed, first * n, blocks * n, scale, np.dtype(dtype)
    G = frozen(assert_same(twin, "fastfood_normals", *drawn)).reshape(blocks, n)
    with pytest.raises(AssertionError):
        same_bits(G.reshape(-1), reference.fastfood_normals(seed, first * n - 2**34, *drawn[2:]))
    S, g = frozen(reference.words(1, 8, 0, 0, -(-blocks * n // 32))), normal(blocks * n, dtype, 1)
    whole = adjoint(twin, g, B, Pi, G, S, n, n)
    sums = twin.send(np.zeros((twin.kernels.FASTFOOD_PARTS, n), dtype))
    together = max(1, 32 // n)
    for b in range(0, blocks, together):
        part = (
            g[b * n :][: together * n],
            B[b * n // 32 :],
            Pi[b : b + together],
            G[b : b + together],
            S[b * n // 32 :],
        )
        twin.kernels.fastfood_adjoint(*map(twin.send, part), sums, b, blocks)
    total = twin.host(sums.sum(axis=0))
    np.testing.assert_allclose(total, whole, rtol=0, atol=50 * np.finfo(dtype).eps * np.abs(whole).max())
    if n > 1 and twin.kernels.__name__ == "npintdim.kernels.numba_cpu":
        same_bits(total, whole)


@pytest.mark.parametrize(("start", "count"), [(0, 1), (7, 3000), (4 * 2**32 - 5, 70_000), (12, 3_000_000)])
def test_square_sum_of_normals_that_are_not_kept(twin, start, count):
    for lane in (0, 2**32 - 1):
        expected = reference.square_sum(
            reference.normals(reference.words(9, Purpose.FF_G, lane, start, count))
        )
        for threads in ((), *((n,) for n in more_threads(twin))):
            assert twin.kernels.drawn_square_sum(9, Purpose.FF_G, lane, start, count, *threads) == expected
        assert reference.drawn_square_sum(9, Purpose.FF_G, lane, start, count) == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_stays_so(twin, bad):
    g = normal(1000, np.float32).copy()
    g[3] = bad
    assert not np.isfinite(adjoint(twin, g, *factors(1000, 17, True, np.float32), 17)).any()


@pytest.mark.parametrize("size", [1e-38, 1e30])
def test_an_adjoint_of_any_size(twin, size):
    g = normal(1000, np.float64)
    of_P = factors(1000, 17, True, np.float64)
    small, usual = (adjoint(twin, x, *of_P, 17) for x in (g * size, g))
    np.testing.assert_allclose(small, usual * size, rtol=1e-12)


# ---- dense projections, with and without a matrix ----


@pytest.mark.parametrize("D", [1, 4, 31, 33, 5000])
def test_dense_columns(twin, D):
    for j in (0, 1, 2**32 - 1):
        stream = Stream(SEED, Purpose.DENSE, j, twin.kernels)
        same_bits(twin.host(stream.normals(D)), reference.dense.gaussian_column(SEED, j, 0, D))
        same_bits(twin.host(stream.signs(D)), reference.dense.rademacher_column(SEED, j, 0, D))


@dtypes
@pytest.mark.parametrize("kind", ["gaussian", "rademacher"])
@pytest.mark.parametrize(
    ("D", "d"),
    [(1, 1), (5, 3), (31, 2), (32, 2), (33, 33), (127, 4), (128, 3), (2047, 5), (2049, 20), (5003, 135), (10_007, 35), (20_003, 2)],
)  # fmt: skip
def test_dense_products(twin, D, d, kind, dtype):
    v, g, seed = normal(d, dtype), normal(D, dtype, 1), 2**63 + 5
    squares = [reference.drawn_square_sum(seed, Purpose.DENSE, j, 0, D) for j in range(d)]
    assert [twin.kernels.drawn_square_sum(seed, Purpose.DENSE, j, 0, D) for j in range(d)] == squares
    norms = (frozen(np.sqrt(np.array(squares, float))),) if kind == "gaussian" else ()
    of_P = (seed, *norms) if norms else (seed, D)
    assert_same(twin, f"{kind}_apply", v, *of_P, 0, D)
    assert_as_good(twin, f"{kind}_adjoint", g, *of_P, *(() if norms else (d,)), 0)
    start = D // 2 // 2048 * 2048
    assert_same(twin, f"{kind}_apply", v, *of_P, start, D - D // 5)
    assert_as_good(twin, f"{kind}_adjoint", g[start:], *of_P, *(() if norms else (d,)), start)


@dtypes
@pytest.mark.parametrize(("D", "d"), [(1, 1), (17, 7), (16, 8), (8193, 9), (20_011, 30)])
def test_stored_products(twin, D, d, dtype):
    columns = normal((d, D), dtype)
    v, g = normal(d, dtype, 1), normal(D, dtype, 2)
    assert_as_good(twin, "stored_apply", v, columns, 0, D)
    assert_as_good(twin, "stored_adjoint", g, columns, 0)
    start = D // 2 // 16 * 16
    assert_as_good(twin, "stored_apply", v, columns, start, D)
    assert_as_good(twin, "stored_adjoint", g[start:], columns, start)
    for e_j, column in zip(np.eye(d, dtype=dtype), columns, strict=True):
        same_bits(run(twin, "stored_apply", e_j, columns, 0, D), column)


# ---- sparse projections ----


@pytest.mark.parametrize(
    ("D", "density"), [(1, 0.5), (50, 0.3), (1000, 1000**-0.5), (1000, 1.0), (1000, 1e-4), (70_000, 0.01)]
)
def test_sparse_columns(twin, D, density):
    fast, slow = (k.sparse_columns(3, D, 7, density) for k in (twin.kernels, reference))
    for f, p in zip(fast, slow, strict=True):
        same_bits(twin.host(f), p)


@dtypes
@pytest.mark.parametrize(
    ("D", "d", "density"),
    [(1, 1, 1.0), (40, 3, 0.2), (1000, 60, 1000**-0.5), (300, 200, 1.0), (30_000, 50, 0.02), (30_000, 150, 0.02)],
)  # fmt: skip
def test_sparse_products(twin, D, d, density, dtype):
    indptr, rows, sign = reference.sparse_columns(5, D, d, density)
    nnz = np.maximum(np.diff(indptr), 1)
    values = (sign / np.sqrt(np.repeat(nnz, np.diff(indptr)))).astype(dtype)
    P = (*map(frozen, (indptr, rows, values)),)
    v, g = normal(d, dtype), normal(D, dtype, 1)
    for start, stop in ((0, D), (D // 3, D - D // 5)):
        assert_as_good(twin, "sparse_apply", v, *P, D, start, stop)
        assert_as_good(twin, "sparse_adjoint", g[start:stop], *P, D, start)


# ---- images ----


@dtypes
@pytest.mark.parametrize(
    "case",
    [  # n, c_in, h, w, c_out, k, stride, padding
        (1, 1, 1, 1, 1, 1, 1, 0), (2, 1, 5, 7, 3, 3, 1, 0), (3, 3, 8, 8, 4, 3, 1, 1), (2, 2, 9, 6, 5, 2, 2, 0),
        (2, 3, 11, 10, 2, 4, 3, 2), (1, 2, 6, 6, 7, 6, 1, 0), (2, 2, 7, 7, 3, 3, 2, 3), (1, 2, 5, 5, 2, 1, 2, 1),
        (7, 1, 28, 28, 6, 5, 1, 0), (17, 1, 28, 28, 6, 5, 1, 0), (4, 6, 12, 12, 16, 5, 1, 0), (2, 7, 8, 8, 9, 1, 2, 0), (1, 3, 40, 33, 9, 5, 1, 2),
        (3, 4, 20, 21, 6, 8, 4, 2), (2, 2, 9, 11, 3, 2, 3, 1), (9, 3, 13, 13, 4, 5, 4, 4),  # squares of 4×4 and 3×3 pixels
        (5, 1, 2, 2, 9, 1, 1, 0), (4, 1, 3, 3, 12, 2, 1, 0),  # the last tile reaches beyond several images
        (2, 13, 7, 9, 33, 3, 1, 1), (2, 9, 6, 5, 49, 1, 1, 0), (3, 17, 9, 8, 8, 8, 1, 0),  # tiles of dW, rows of the frame
        (2, 2, 5, 6, 3, 2, 1, 4), (2, 2, 9, 11, 3, 3, 2, 5), (1, 2, 4, 7, 2, 3, 3, 7),  # a frame wider than the kernel: dx is cut
        (2, 2, 5, 32, 9, 3, 1, 1), (1, 3, 7, 65, 9, 5, 2, 2), (2, 1, 3, 64, 4, 2, 1, 0),  # tiles row by row
        (3, 5, 12, 12, 17, 7, 5, 3),  # squares of 5×5 pixels
        (2, 16, 9, 7, 32, 3, 1, 1), (2, 33, 8, 11, 50, 3, 2, 1), (1, 3, 29, 27, 64, 5, 2, 2), (2, 32, 14, 15, 7, 2, 1, 0), (1, 32, 9, 25, 5, 3, 2, 1),  # lanes of channels
        (3, 4, 6, 6, 5, 6, 1, 0), (2, 3, 5, 8, 34, 5, 4, 0), (2, 300, 3, 3, 18, 1, 1, 0),  # one place, one row, one tap
        (31, 5, 6, 7, 34, 5, 1, 2), (15, 16, 7, 6, 16, 5, 2, 2), (16, 9, 5, 6, 8, 5, 3, 4),  # images side by side, of y
        (32, 6, 9, 8, 17, 7, 2, 3), (16, 9, 9, 6, 8, 5, 1, 0), (16, 20, 9, 6, 6, 4, 1, 0),  # and of dx
    ],
)  # fmt: skip
def test_conv2d(twin, case, dtype):
    n, c_in, h, w, c_out, k, *how = case
    x, W = normal((n, c_in, h, w), dtype), normal((c_out, c_in, k, k), dtype, 1)
    y = assert_as_good(twin, "conv2d_forward", x, W, *how)
    dy = normal(y.shape, dtype, 2)
    _, dW = assert_as_good(twin, "conv2d_backward", x, W, dy, *how, True)
    none, dW_alone = run(twin, "conv2d_backward", x, W, dy, *how, False)
    assert none is None
    same_bits(dW_alone, dW)


@dtypes
@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [((1, 1, 2, 2), 2, 2), ((2, 3, 8, 8), 2, 2), ((2, 2, 7, 9), 3, 2), ((1, 2, 9, 7), 2, 3), ((3, 1, 6, 5), 1, 1)],
)  # fmt: skip
@pytest.mark.parametrize("start", [(-np.inf, np.nan), (np.nan, -np.inf)])
def test_max_pool(twin, shape, size, stride, start, dtype):
    x = np.round(normal(shape, dtype) * 2) / 2  # ties
    x[0, 0, 0, :2] = start
    if np.isneginf(start[0]):
        x[0, 0, 1, 0] = np.nan  # the first NaN is the winner
    y, winner = assert_same(twin, "max_pool_forward", frozen(x), size, stride)
    dy = normal(y.shape, dtype, 1)
    assert_same(twin, "max_pool_backward", dy, frozen(winner), shape, size, stride)
