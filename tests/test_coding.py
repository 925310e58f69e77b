"""A quantised theta_d as bits: the range coder, its table, codebooks and exact k-means."""

import itertools
import math
from fractions import Fraction

import format_from_the_page as from_the_page
import numpy as np
import pytest
from helpers import frozen

from npintdim.artefact.coding import Codebook, kmeans, pack, unpack
from npintdim.artefact.coding.arithmetic import LARGEST_TOTAL, Decoder, Encoder, Frequencies
from npintdim.artefact.coding.payload import LONGEST, decode, encode

SHAPES = [(1, 1), (1, 500), (2, 1), (2, 3), (3, 40), (16, 750), (128, 300), (128, 3000), (2, 5000)]


def symbols(K, d, seed=0):
    """Bell-shaped, as quantised numbers are."""
    x = np.random.default_rng(seed).standard_normal(d) * K / 6 + (K - 1) / 2
    return frozen(np.clip(np.rint(x), 0, K - 1).astype(np.int64))


def probability(sequence, K):
    """What Krichevsky and Trofimov give a sequence, as an exact fraction."""
    p, n = Fraction(1), [0] * K
    for i, k in enumerate(map(int, sequence)):
        p *= Fraction(2 * n[k] + 1, 2 * i + K)
        n[k] += 1
    return p


def log2(p):
    """Of a fraction that may be far too small for a float."""
    return math.log2(p.numerator) - math.log2(p.denominator)


# ---- the range coder ----
@pytest.mark.parametrize(("K", "d"), SHAPES)
def test_symbols_come_back(K, d):
    sent = symbols(K, d)
    bits = np.array(encode(sent, K))
    np.testing.assert_array_equal(decode(bits, K, d), sent)
    np.testing.assert_array_equal(decode(np.append(bits, [1, 1, 0, 1] * 20), K, d), sent)  # it knows its end
    assert from_the_page.encode_symbols(sent.tolist(), K) == bits.tolist()
    assert from_the_page.decode_symbols(bits.tolist(), K, d) == sent.tolist()


@pytest.mark.parametrize("which", ["rare", "frequent", "alternating", "first"])
def test_extreme_sequences_come_back(which):
    d, K = 4000, 5
    sent = {
        "rare": np.where(np.arange(d) % 1000 == 999, 4, 0),
        "frequent": np.full(d, 4),
        "alternating": np.arange(d) % 2 * 4,
        "first": (np.arange(d) < 2000) * 3,
    }[which]
    bits = encode(sent, K)
    np.testing.assert_array_equal(decode(np.array(bits), K, d), sent)
    assert len(bits) <= -log2(probability(sent, K)) + 2.1


@pytest.mark.parametrize(("K", "d"), [(2, 1), (2, 9), (3, 6), (4, 5), (7, 3), (30, 2)])
def test_no_code_is_the_beginning_of_another(K, d):
    """So Kraft's inequality holds; both are checked over all K^d sequences."""
    codes = sorted("".join(map(str, encode(np.array(s), K))) for s in itertools.product(range(K), repeat=d))
    assert not any(b.startswith(a) for a, b in itertools.pairwise(codes))
    assert sum(Fraction(1, 2 ** len(code)) for code in codes) <= 1


@pytest.mark.parametrize(("K", "d"), SHAPES)
def test_a_code_is_within_two_bits_of_its_probability(K, d):
    sent = symbols(K, d)
    assert 0 <= len(encode(sent, K)) + log2(probability(sent, K)) <= 2.01


@pytest.mark.parametrize(("K", "d"), [(K, d) for K, d in SHAPES if d > 1])
def test_the_entropy_and_half_a_logarithm_for_each_frequency(K, d):
    sent = symbols(K, d)
    n = np.bincount(sent, minlength=K)
    entropy = -sum(c * math.log2(c / d) for c in n if c)
    assert entropy <= len(encode(sent, K)) <= entropy + (K - 1) / 2 * math.log2(d) + math.log2(K) + 2.01


def test_the_share_of_a_symbol_is_never_empty():
    """With the largest total that is allowed, every one of the shares of 1 can be sent."""
    for a in (0, 1, LARGEST_TOTAL // 2, LARGEST_TOTAL - 1):
        coder = Encoder()
        coder.low, coder.high = 2**30 + 1, 3 * 2**30  # near the narrowest that can occur
        coder.narrow(a, a + 1, LARGEST_TOTAL)
        assert coder.high > coder.low
        assert coder.high - coder.low > 2**30


def test_any_bits_decode_to_some_symbols():
    """Whatever the bits, the decoder stays inside its interval and its table."""
    rng = np.random.default_rng(3)
    for K in (1, 2, 5, 128):
        for _ in range(20):
            bits = rng.integers(0, 2, rng.integers(0, 80))
            assert decode(bits, K, 60).max() < K


def test_constriction_needs_as_many_bits():
    """A range coder by others, given the same probabilities."""
    constriction = pytest.importorskip("constriction")
    K, d = 16, 750
    sent, table = symbols(K, d), Frequencies(K)
    coder = constriction.stream.queue.RangeEncoder()
    for k in map(int, sent):
        f = np.array(table.f) / table.total
        coder.encode(k, constriction.stream.model.Categorical(f.astype(np.float32), perfect=False))
        table.learn(k)
    assert abs(coder.num_bits() - len(encode(sent, K))) <= 66  # it ends on a word of 32 bits, and may add one
    assert -log2(probability(sent, K)) == pytest.approx(len(encode(sent, K)), abs=2.01)


def test_the_decoder_finds_the_share_that_the_encoder_took():
    rng = np.random.default_rng(5)
    totals = [1, 2, 3, 1000, 2**20 + 7, LARGEST_TOTAL]
    shares = []
    for total in [totals[i] for i in rng.integers(0, len(totals), 300)]:
        a = int(rng.integers(0, total))
        shares.append((a, int(rng.integers(a + 1, total + 1)), total))
    coder = Encoder()
    for share in shares:
        coder.narrow(*share)
    decoder = Decoder(coder.finish())
    for a, b, total in shares:
        assert a <= decoder.target(total) < b
        decoder.narrow(a, b, total)


# ---- the whole code ----
BOOKS = {
    "uniform": Codebook("uniform", 5, np.array([0.1])),
    "free": Codebook("free", 4, np.array([-2.0, -0.25, 0.0, 7.5])),
    "one": Codebook("free", 1, np.array([0.3])),
}


@pytest.mark.parametrize("book", BOOKS)
def test_a_code_comes_back(book):
    codebook = BOOKS[book]
    sent = symbols(codebook.K, 100)
    code = pack(codebook, sent)
    again, found = unpack(code, 100)
    np.testing.assert_array_equal(found, sent)
    np.testing.assert_array_equal(again.levels, codebook.levels)
    assert (again.kind, again.K) == (codebook.kind, codebook.K)
    assert from_the_page.decode_theta_d(code, 100) == codebook.levels[sent].tolist()
    bits = len(encode(sent, codebook.K))
    assert len(code) == 1 + 2 * len(codebook.scales) + -(-bits // 8)


@pytest.mark.parametrize("book", BOOKS)
def test_whatever_is_accepted_is_what_would_be_written(book):
    """Any byte changed, cut or added: refused, or the canonical code of another theta_d."""
    code = pack(BOOKS[book], symbols(BOOKS[book].K, 30))
    rng = np.random.default_rng(0)
    wrong = [code[:i] for i in range(len(code))] + [code + b"\0", code + b"\x01"]
    for i in range(len(code)):
        for mask in (1, 128, int(rng.integers(1, 256))):
            wrong.append(code[:i] + bytes([code[i] ^ mask]) + code[i + 1 :])
    refused = 0
    for other in wrong:
        try:
            assert pack(*unpack(other, 30)) == other
        except ValueError:
            refused += 1
    assert refused >= len(code) + 2
    with pytest.raises(ValueError, match=r"not those of d = 29 numbers|levels"):
        unpack(pack(BOOKS["uniform"], symbols(5, 30)), 29)


@pytest.mark.parametrize("d", [0, LONGEST + 1, 2**40, 2**63])
def test_a_d_beyond_the_coder_allocates_nothing(d):
    with pytest.raises(ValueError, match=f"d is {d}: 1 to {LONGEST} symbols can be coded"):
        unpack(pack(BOOKS["uniform"], symbols(5, 30)), d)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ([], "there are 0 symbols"),
        ([0, 5], "symbols run from 0 to 5, but the codebook has K = 5 levels"),
        ([-1, 2], "symbols run from -1 to 2"),
    ],
)
def test_symbols_that_are_none(sent, message):
    with pytest.raises(ValueError, match=message):
        pack(BOOKS["uniform"], np.array(sent, int))


# ---- codebooks ----
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("uniform", 0, [1.0]), "K is 0: 1 ≤ K ≤ 128 levels is needed"),
        (("uniform", 129, [1.0]), "K is 129"),
        (("unifrom", 3, [1.0]), "unknown codebook 'unifrom'"),
        (("free", 3, [1.0, 2.0]), r"scales has shape \(2,\), but a free codebook of K = 3 levels has 3"),
        (("uniform", 3, [1e6]), "NaN, infinity or a number beyond float16"),
        (("free", 2, [0.0, np.nan]), "NaN, infinity"),
        (("free", 2, [1.0, 1.00001]), "do not ascend"),
        (("free", 2, [1.0, -1.0]), "do not ascend"),
        (("uniform", 2, [-1.0]), "do not ascend"),
        (("uniform", 1, [0.0]), "do not ascend"),
    ],
)
def test_a_codebook_that_is_none(arguments, message):
    kind, K, scales = arguments
    with pytest.raises(ValueError, match=message):
        Codebook(kind, K, np.array(scales))


@pytest.mark.parametrize("book", BOOKS)
def test_nearest_is_nearest(book):
    codebook, v = BOOKS[book], np.random.default_rng(1).standard_normal(500) * 3
    distance = np.abs(v[:, None] - codebook.levels.astype(np.float64))
    np.testing.assert_array_equal(codebook.nearest(v), distance.argmin(axis=1))


# ---- k-means ----
def least_error(x, K):
    """Over all ways to cut the sorted numbers into at most K runs."""
    x = np.sort(x)
    best = math.inf
    for cuts in itertools.chain(*(itertools.combinations(range(1, len(x)), k) for k in range(K))):
        best = min(best, sum(((run - run.mean()) ** 2).sum() for run in np.split(x, cuts)))
    return best


@pytest.mark.parametrize("K", [1, 2, 3, 4, 6, 9])
@pytest.mark.parametrize("law", ["normal", "ties", "far away", "equal"])
def test_kmeans_is_exact(K, law):
    rng = np.random.default_rng(K)
    for n in (1, 2, 5, 9):
        x = {
            "normal": rng.standard_normal(n),
            "ties": rng.integers(0, 4, n) / 3,
            "far away": 1000 + rng.standard_normal(n) ** 3,
            "equal": np.full(n, 0.7),
        }[law]
        centres = kmeans(frozen(x), K)
        assert len(centres) == min(K, len(np.unique(x)))
        assert (np.diff(centres) > 0).all()
        error = (np.abs(x[:, None] - centres).min(axis=1) ** 2).sum()
        assert error == pytest.approx(least_error(x, K), rel=1e-9, abs=1e-9)


def test_kmeans_of_many_numbers_is_a_fixed_point_and_beats_quantiles():
    x, K = np.random.default_rng(0).standard_normal(2000), 12
    centres = kmeans(x, K)
    cell = np.abs(x[:, None] - centres).argmin(axis=1)
    np.testing.assert_allclose(centres, [x[cell == k].mean() for k in range(K)], rtol=1e-12)
    quantiles = np.quantile(x, (np.arange(K) + 0.5) / K)
    errors = [(np.abs(x[:, None] - c).min(axis=1) ** 2).sum() for c in (centres, quantiles)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("x", [[], [0.0, np.nan], [np.inf]])
def test_kmeans_of_nothing(x):
    with pytest.raises(ValueError, match="at least one, and only finite ones, are needed"):
        kmeans(np.array(x), 2)
