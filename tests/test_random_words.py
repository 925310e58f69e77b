"""The random numbers against what others published, against SciPy, and against their own algebra."""

import math

import numpy as np
import pytest
from helpers import needs_numba, python
from scipy.special import ndtri
from scipy.stats import kstest

from npintdim.kernels import reference
from npintdim.kernels.reference.normals import TWO_SD, log, quantile
from npintdim.kernels.reference.words import philox4x32
from npintdim.rng import Purpose

SEED = 2**64 - 1
GRID = 2**20


def address_of(counter, key):
    """(seed, purpose, lane, first word) whose block has this counter and key."""
    low, high, lane, purpose = counter
    return key[0] | key[1] << 32, purpose, lane, 4 * (low | high << 32)


# Random123's known answers for philox4x32 with ten rounds: counter, key, output.
KNOWN = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN)
def test_known_answers_of_the_generator(counter, key, output):
    np.testing.assert_array_equal(philox4x32(np.array(counter, dtype=np.uint32)[:, None], key)[:, 0], output)


@pytest.mark.parametrize(("counter", "key", "output"), [KNOWN[0], KNOWN[2]])
def test_known_answers_at_an_address(counter, key, output, kernels):
    seed, purpose, lane, start = address_of(counter, key)
    words = kernels.words(seed, purpose, lane, start, 4)
    assert words.dtype == np.uint32
    np.testing.assert_array_equal(words, output)


def philox_by_hand(counter, key):
    """Ten rounds in Python's own integers, from the paper of Salmon and others."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 % 2**32, p0 >> 32 ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


@pytest.mark.parametrize("block", [0, 1, 15, 16, 2**32 - 1, 2**32, 2**32 + 17, 2**40 - 1])
def test_words_are_the_blocks_of_their_address_also_across_the_carry(block, kernels):
    seed, purpose, lane = 0xFEDCBA9876543210, 7, 2**32 - 1
    counter = block % 2**32, block >> 32, lane, purpose
    expected = philox_by_hand(counter, (seed % 2**32, seed >> 32))
    np.testing.assert_array_equal(kernels.words(seed, purpose, lane, 4 * block, 4), expected)


@pytest.mark.parametrize("first", [0, 4 * 2**32 - 150])
def test_a_word_does_not_depend_on_where_the_drawing_began(first, kernels):
    whole = kernels.words(SEED, 2, 3, first, 300)
    for start in (0, 1, 2, 3, 4, 5, 63, 64, 65, 147, 150):
        for count in (1, 2, 3, 4, 5, 61, 64, 130):
            part = kernels.words(SEED, 2, 3, first + start, count)
            np.testing.assert_array_equal(part, whole[start : start + count])


def test_every_part_of_the_address_matters(kernels):
    addresses = [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (2**32, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 4 * 2**32),
    ]
    drawn = np.array([kernels.words(*address, 64) for address in addresses])
    assert len(np.unique(drawn)) == drawn.size


def test_words_are_uniform_and_bits_are_fair():
    words = reference.words(5, 11, 0, 0, 1 << 16)
    assert kstest(words / 2**32, "uniform").pvalue > 0.01
    ones = np.unpackbits(words.view(np.uint8).reshape(-1, 4), axis=1).sum(axis=0, dtype=np.int64)
    assert np.abs(ones - 2**15).max() < 5 * math.sqrt(2**16 / 4)


def test_signs_are_the_bits_lowest_first(kernels):
    packed = np.array([0b1011, 1 << 31], dtype=np.uint32)
    expected = np.ones(64, dtype=np.int8)
    expected[[0, 1, 3, 63]] = -1
    for count in (1, 3, 32, 33, 64):
        signs = kernels.signs(packed, count)
        assert signs.dtype == np.int8
        np.testing.assert_array_equal(signs, expected[:count])


@pytest.mark.parametrize(
    ("rows", "n", "dtype"), [(3, 1, np.uint16), (50, 7, np.uint16), (2, 2**16 + 5, np.uint32)]
)
def test_permutations_are_the_places_of_sorted_words(rows, n, dtype, kernels):
    Pi = kernels.permutations(SEED, 6, 2, rows, n)
    assert (Pi.dtype, Pi.shape) == (dtype, (rows, n))
    words = reference.words(SEED, 6, 2, 0, rows * n).reshape(rows, n)
    np.testing.assert_array_equal(Pi, np.argsort(words, axis=1, kind="stable"))
    np.testing.assert_array_equal(np.sort(Pi, axis=1), np.broadcast_to(np.arange(n), (rows, n)))


def test_permutations_made_in_chunks_are_the_same(kernels, monkeypatch):
    at_once = kernels.permutations(1, 6, 0, 20, 30)
    monkeypatch.setitem(kernels.permutations.__globals__, "CHUNK", 64)
    np.testing.assert_array_equal(kernels.permutations(1, 6, 0, 20, 30), at_once)


# Normals.


def test_the_ends_of_the_grid(kernels):
    w = np.array([0, 2**31 - 1, 2**31, 2**32 - 1], dtype=np.uint32)
    g = kernels.normals(w)
    assert g.dtype == np.int32
    assert g.tolist() == [-6645830, 0, 0, 6645830]
    assert kernels.truncated_normals(w).tolist() == [-(2**21), 0, 0, 2**21]


@pytest.mark.parametrize("name", ["normals", "truncated_normals"])
def test_a_word_and_its_complement_give_opposite_normals(name, kernels):
    w = reference.words(3, 2, 0, 0, 100_000)
    draw = getattr(kernels, name)
    np.testing.assert_array_equal(draw(w), -draw(~w))


def test_normals_are_the_quantiles_of_scipy_rounded_to_the_grid(kernels):
    w = reference.words(4, 2, 0, 0, 200_000)
    share = (w + 0.5) / 2**32
    assert np.abs(kernels.normals(w) - GRID * ndtri(share)).max() < 0.5 + 1e-7
    share = TWO_SD + (1 - 2 * TWO_SD) * share
    assert np.abs(kernels.truncated_normals(w) - GRID * ndtri(share)).max() < 0.5 + 1e-7


def test_the_quantile_agrees_with_scipy_to_the_last_digits():
    p = np.concatenate(
        [(reference.words(4, 2, 0, 0, 100_000) + 0.5) / 2**32, 0.075 + np.linspace(-1e-9, 1e-9, 99)]
    )
    np.testing.assert_allclose(quantile(p), ndtri(p), rtol=1e-14, atol=1e-15)


def test_the_logarithm_agrees_with_the_library():
    x = np.concatenate([2.0 ** -np.arange(0, 53), np.random.default_rng(0).uniform(0, 3, 100_000) + 1e-9])
    np.testing.assert_allclose(log(x), np.log(x), rtol=4e-16, atol=2e-16)


def test_two_sd_is_the_share_below_two_standard_deviations():
    assert ndtri(TWO_SD) == pytest.approx(-2.0, rel=1e-15)


def test_normals_are_standard_normal():
    z = reference.normals(reference.words(6, 2, 0, 0, 200_000)) / GRID
    assert kstest(z, "norm").pvalue > 0.01
    assert abs(z.mean()) < 5 / math.sqrt(200_000)
    assert abs((z**2).mean() - 1) < 5 * math.sqrt(2 / 200_000)


def test_square_sums_are_exact(kernels):
    g = reference.normals(reference.words(6, 2, 0, 0, 1001))
    assert kernels.square_sum(g) == sum(int(x) ** 2 for x in g)
    big = np.full(10, 2**31 - 1, dtype=np.int32)
    assert kernels.square_sum(big) == 10 * (2**31 - 1) ** 2


# The same bits on a processor that can do less.

FINGERPRINT = """
import hashlib, importlib, sys
import numpy as np
kernels = importlib.import_module("npintdim.kernels." + sys.argv[1])
w = kernels.words(2**64 - 1, 2, 3, 4 * 2**32 - 50, 20_000)
g, x = kernels.normals(w), kernels.normals(kernels.words(1, 2, 2, 0, 2**12)).astype(np.float32)
norms = np.sqrt([float(kernels.drawn_square_sum(1, 2, j, 0, 5000)) for j in range(3)])
y = kernels.gaussian_apply(x[:3], 1, norms, 0, 5000)
arrays = w, g, kernels.truncated_normals(w), kernels.signs(w, 9999), kernels.permutations(1, 2, 3, 9, 128)
arrays += kernels.wht(x), kernels.wht(x.astype(float)), norms, y, kernels.rademacher_apply(x[:9], 1, 5000, 0, 5000)
arrays += kernels.sparse_columns(1, 5000, 4, 0.02)
print(hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest())
"""


def fingerprint(package, **environment):
    result = python("-W", "ignore", "-c", FINGERPRINT, package, env=environment, timeout=600, check=True)
    return result.stdout


@pytest.mark.slow
@needs_numba
def test_the_same_bits_with_processor_features_switched_off():
    dispatched = " ".join(np._core._multiarray_umath.__cpu_dispatch__)
    plain = fingerprint("reference")
    assert len(plain.strip()) == 64
    assert fingerprint("reference", NPY_DISABLE_CPU_FEATURES=dispatched) == plain
    assert fingerprint("numba_cpu") == plain
    assert fingerprint("numba_cpu", NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == plain


def test_purposes_keep_their_numbers():
    """A number is part of every file and seed."""
    names = "THETA_0 DENSE SPARSE_GAP SPARSE_SIGN FF_B FF_PI FF_G FF_S BATCHES SPLIT SHUFFLE BOOTSTRAP CHECK NOISE "
    names += "ONEHOT ONEHOT_SIGN ORTHONORMAL COORDINATES ADAPTER"
    assert {p.name: p.value for p in Purpose}.items() >= {
        n: k for k, n in enumerate(names.split(), 1)
    }.items()
