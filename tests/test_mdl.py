"""Description length: quantised networks, their bits, and the bounds that follow from the bits."""

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from helpers import BACKENDS, frozen
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import beta, binom

import npintdim as nid
from npintdim.artefact.mdl import (
    BOUNDS,
    QuantisedLandscape,
    binomial_bound,
    catoni_bound,
    certify,
    chernoff_bound,
    describe,
    finetune,
    fit,
    lotfi_bound,
    quantise,
    seeger_bound,
    smallest,
)
from npintdim.artefact.mdl.bounds import kl, kl_inverse, log_tail
from npintdim.artefact.mdl.description import CATALOGUE, FASTFOOD, SEED_BITS, integer_bits
from npintdim.artefact.mdl.levels import Cooling, code_bytes
from npintdim.engine.layers.base import ParameterFree
from npintdim.measurement.runs import RunSpec

NUMPY = nid.get_backend("numpy")
CASES = [
    (0, 10, 0), (0, 1, 0), (3, 10, 2), (476, 1297, 209), (50, 1297, 30), (3000, 60000, 900), (1, 60000, 0),
]  # fmt: skip


# ---- bounds ----
@pytest.mark.parametrize(("errors", "n", "bits"), CASES)
@pytest.mark.parametrize("delta", [0.05, 0.3])
def test_the_binomial_bound_is_a_quantile_of_the_beta_law(errors, n, bits, delta):
    expected = beta.isf(delta * 2.0**-bits, errors + 1, n - errors)
    assert binomial_bound(errors, n, bits, delta) == pytest.approx(expected, rel=1e-9)


def test_the_bounds_do_not_ask_for_numpys_error_state():
    expected = [bound(338, 1297, 900.0) for bound in BOUNDS.values()]
    with np.errstate(all="raise"):
        assert [bound(338, 1297, 900.0) for bound in BOUNDS.values()] == expected


def test_a_tail_too_small_for_a_float():
    """Where SciPy's underflows: against exact integers."""
    k, n, e = 40, 3000, Fraction(1, 2)
    exact = sum(math.comb(n, i) for i in range(k + 1))
    assert binom.logcdf(k, n, 0.5) == -math.inf
    assert log_tail(k, n, float(e)) == pytest.approx(math.log(exact) - n * math.log(2), rel=1e-12)
    e = binomial_bound(100, 60000, 5000)
    assert log_tail(100, 60000, e) == pytest.approx(math.log(0.05) - 5000 * math.log(2), rel=1e-6)


@pytest.mark.parametrize(("errors", "n", "bits"), CASES)
def test_the_kl_bounds_solve_their_equations(errors, n, bits):
    cost = bits * math.log(2) + math.log(1 / 0.05)
    for bound, right in ((chernoff_bound, cost / n), (seeger_bound, (cost + math.log(2 * math.sqrt(n))) / n)):
        p = errors / n
        expected = brentq(lambda q, p=p, c=right: kl(p, q) - c, p + 1e-12, 1 - 1e-12, xtol=1e-13)
        assert bound(errors, n, bits) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("errors", "n", "bits"), CASES)
def test_catoni_is_the_best_temperature_of_its_grid(errors, n, bits):
    def at(j):
        b = 16 * 2 ** (-j / 4)
        cost = bits * math.log(2) + math.log(j * (j + 1) / 0.05)
        return (1 - math.exp(-b * errors / n - cost / n)) / (1 - math.exp(-b))

    assert catoni_bound(errors, n, bits) == pytest.approx(min(1, *(at(j) for j in range(1, 101))), rel=1e-9)


def published(errors, n, bits, epsilon=0.05, alpha=1e-4):
    """Theirs as printed, written once more: every ln γ in steps of .0002, then Brent's method about the best."""

    def bound(log_gamma):
        gamma = np.exp(log_gamma)
        union = 2 * np.log(2 + log_gamma / np.log(1 + alpha))
        q = errors / n + (1 + alpha) / gamma * (bits * np.log(2) + np.log(1 / epsilon) + union)
        return (1 - np.exp(-gamma / n * q)) / (1 - np.exp(-gamma / n))

    grid = np.arange(2, np.log(n) + 6, 0.0002)
    near = grid[bound(grid).argmin()]
    return minimize_scalar(bound, bounds=(near - 0.01, near + 0.01), method="bounded").fun


@pytest.mark.parametrize(
    ("errors", "n", "bits"), [(3000, 60000, 900), (961, 60000, 2583), (476, 1297, 209), (7, 50000, 0)]
)
def test_the_published_bound_is_reproduced(errors, n, bits):
    """To 10⁻⁵ percentage points, with its smallest γ found in another way."""
    assert lotfi_bound(errors, n, bits) == pytest.approx(published(errors, n, bits), abs=1e-7, rel=0)


def test_catonis_shares_of_delta_add_up_to_one():
    assert sum(Fraction(1, j * (j + 1)) for j in range(1, 101)) < 1


def test_catoni_at_its_best_temperature_is_chernoff():
    """sup over β of −β ê − ln(1 − e(1 − exp(−β))) is kl(ê‖e); the grid and its union can only lose."""
    errors, n, bits = 3000, 60000, 900
    e = chernoff_bound(errors, n, bits)
    b = np.linspace(1e-3, 5, 20000)
    best = (-b * errors / n - np.log1p(-e * -np.expm1(-b))).max()
    assert best == pytest.approx(kl(errors / n, e), rel=1e-6)


@pytest.mark.parametrize(("errors", "n", "bits"), CASES)
def test_the_order_of_the_bounds(errors, n, bits):
    binomial, chernoff, *others = (bound(errors, n, bits) for bound in BOUNDS.values())
    assert errors / n < binomial <= chernoff <= min(others)
    assert max(others) <= 1


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_bounds_grow_with_bits_errors_and_certainty_and_shrink_with_n(bound):
    for values in (
        [bound(100, 2000, bits) for bits in (0, 1, 10, 11, 500, 1e5)],
        [bound(errors, 2000, 30) for errors in (0, 1, 2, 500, 1999, 2000)],
        [bound(100, 2000, 30, delta) for delta in (0.5, 0.05, 1e-9)],
        [bound(n // 20, n, 300) for n in (60000, 6000, 600, 60)],
    ):
        assert values == sorted(values)
        assert 0 < values[0] < values[-1] <= 1
    assert bound(2000, 2000, 0) == 1


def test_a_bound_holds_as_often_as_it_says():
    """4 classifiers of 2 bits each, δ = .3: all four bounds hold in at least 70 % of the draws, and not in all."""
    rng = np.random.default_rng(0)
    e = np.array([0.1, 0.15, 0.2, 0.25])
    errors = rng.binomial(50, e, (4000, 4))
    table = {k: binomial_bound(k, 50, 2, 0.3) for k in np.unique(errors)}
    held = (np.vectorize(table.get)(errors) >= e).all(axis=1).mean()
    assert 0.7 <= held < 0.9


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((11, 10, 1), "errors is 11: 0 ≤ errors ≤ n = 10"),
        ((-1, 10, 1), "errors is -1"),
        ((0, 0, 1), "n is 0: n ≥ 1"),
        ((0, 10, -1), "ℓ is -1 bits"),
        ((0, 10, math.nan), "ℓ is nan bits"),
        ((0, 10, math.inf), "ℓ is inf bits"),
        ((0, 10, 1, 0.0), "delta is 0.0: 0 < δ < 1 is needed"),
        ((0, 10, 1, 1), "delta is 1"),
    ],
)
def test_numbers_out_of_range(bound, arguments, message):
    with pytest.raises(ValueError, match=message):
        bound(*arguments)


def test_kl_at_the_ends():
    assert (kl(0, 0), kl(1, 1), kl(0.3, 0.3), kl(0.5, 1), kl(0.5, 0)) == (0, 0, 0, math.inf, math.inf)
    assert kl_inverse(0.0, 0.1) == pytest.approx(-math.expm1(-0.1))
    assert kl_inverse(0.4, 0.0) == pytest.approx(0.4)
    assert kl_inverse(1.0, 0.1) == 1


# ---- the description ----
def elias(m):
    """Elias' δ code, written out: the length of m in the γ code, then m without its leading 1."""
    length = m.bit_length()
    gamma = "0" * (length.bit_length() - 1) + f"{length:b}"
    return gamma + f"{m:b}"[1:]


def test_integers_are_written_in_elias_code():
    codes = sorted(elias(m) for m in range(1, 3000))
    assert not any(b.startswith(a) for a, b in itertools.pairwise(codes))
    assert [integer_bits(m) for m in range(1, 3000)] == [len(elias(m)) for m in range(1, 3000)]


def untrained(sizes=(64, 100, 100, 10), d=30, seed=0, kind="fastfood", seeds=None, **options):
    model = nid.mlp(sizes, NUMPY)
    theta_0_seed, P_seed = seeds or ((3 * seed) << 32 | d, (3 * seed + 1) << 32 | d)
    P = nid.make_projection(kind, model.D, d, P_seed, NUMPY, **options)
    theta_d = np.random.default_rng(0).standard_normal(d)
    return nid.CompressedModel.from_parts(model, theta_0_seed, P, theta_d)


def test_every_part_of_a_description_is_paid():
    plain = untrained()
    assert describe(plain) == {
        "network": 3, "P": 1, "d": len(elias(30)), "seeds": 2, "theta_d": 1 + 32 * 30, "tried": 0,
    }  # fmt: skip
    coded = quantise(plain, "uniform", 5)
    assert describe(coded) == describe(plain) | {"theta_d": 1 + 8 * len(coded.code)}
    other = untrained((64, 99, 10), kind="sparse", seeds=(5, 7))
    text = '{"architecture":"mlp","sizes":[64,99,10]}'
    paid = describe(other, tried=200)
    assert paid["network"] == 3 + len(elias(len(text))) + 8 * len(text)
    assert paid["P"] > 8 * len('{"kind":"sparse","density":0.1}')
    assert (paid["seeds"], paid["tried"]) == (1 + 128, 8)
    with pytest.raises(ValueError, match="tried is 0: tried ≥ 1"):
        describe(plain, 0)


LANGUAGE = {  # for ever: with another order, or one more, a certificate of yesterday has another length
    "000": (nid.mlp, ([784, 200, 200, 10],), {}),
    "001": (nid.mlp, ([64, 100, 100, 10],), {}),
    "010": (nid.lenet, ((1, 28, 28),), {}),
    "011": (nid.lenet, ((1, 28, 28),), {"conv_relu": False}),
    "100": (nid.mlp, ([3072, 200, 200, 10],), {}),
    "101": (nid.lenet, ((3, 32, 32),), {}),
    "110": (nid.lenet, ((3, 32, 32),), {"conv_relu": False}),
}  # 111 and its JSON text: another network


def test_the_language_is_pinned():
    """Every network of the catalogue by its three bits, and a whole description by its golden length."""
    assert len(CATALOGUE) == len(LANGUAGE) == 7
    for bits, (make, sizes, options) in LANGUAGE.items():
        model = make(*sizes, backend=NUMPY, **options)
        assert CATALOGUE[int(bits, 2)] == model.spec()
        P = nid.make_projection("fastfood", model.D, 1600, (1 << 32) + 1600, NUMPY)
        compressed = nid.CompressedModel.from_parts(model, 1600, P, np.ones(1600))
        assert describe(compressed, 100) == {
            "network": 3, "P": 1, "d": 17, "seeds": 2, "theta_d": 51201, "tried": 7,
        }  # fmt: skip
    text = '{"classes":10,"conv_relu":true,"architecture":"lenet","in_shape":[1,16,16]}'
    other = nid.lenet((1, 16, 16), backend=NUMPY)
    P = nid.make_projection("sparse", other.D, 1, 5, NUMPY, density=0.5)
    golden = describe(nid.CompressedModel.from_parts(other, 5, P, np.ones(1)))
    assert golden == {
        "network": 3 + 11 + 8 * len(text), "P": 1 + 9 + 8 * len('{"density":0.5,"kind":"sparse"}'),
        "d": 1, "seeds": 129, "theta_d": 33, "tried": 0,
    }  # fmt: skip
    assert sum(golden.values()) == 1035
    assert (SEED_BITS, FASTFOOD) == (64, {"kind": "fastfood", "blocks": "stacked", "signs": True})


@pytest.mark.parametrize("seed", [0, 1, 6, 1000])
def test_the_seeds_of_a_repetition_cost_its_number(seed):
    spec = RunSpec("digits", {}, {"kind": "fastfood"}, 30, seed)
    found = describe(untrained(seeds=(spec.seeds.theta_0, spec.seeds.P)))["seeds"]
    assert found == 1 + len(elias(seed + 1))
    assert describe(untrained(seeds=(spec.seeds.theta_0, spec.seeds.P + 1)))["seeds"] == 129


# ---- quantised landscapes ----
def landscape(kind="free", K=3, d=12, pull=0.0):
    backend = nid.get_backend("numpy", np.float64)
    model = nid.mlp([4, 8, 3], backend)
    P = nid.make_projection("fastfood", model.D, d, 1, backend)
    return QuantisedLandscape(nid.SubspaceObjective(model, model.init_theta(0), P), kind, K, pull)


def batch():
    rng = np.random.default_rng(2)
    return nid.Batch(frozen(rng.standard_normal((20, 4))), frozen(rng.integers(0, 3, 20)))


@pytest.mark.parametrize(("kind", "K"), [("free", 3), ("free", 1), ("uniform", 4), ("uniform", 5)])
def test_the_gradient_goes_straight_through_and_is_exact_for_the_scales(kind, K):
    quantised, examples = landscape(kind, K), batch()
    v = frozen(np.random.default_rng(0).standard_normal(12))
    vs = frozen(quantised.start(v, fit(kind, K, v)))
    assert quantised.dim == len(vs) == 12 + (K if kind == "free" else 1)
    theta_d, M = quantised.quantised(vs)
    np.testing.assert_array_equal(theta_d, fit(kind, K, v).levels[fit(kind, K, v).nearest(v)])
    loss, grad = quantised.loss_and_grad(vs, examples)
    inner_loss, inner = quantised.landscape.loss_and_grad(theta_d, examples)
    assert loss == inner_loss
    np.testing.assert_array_equal(grad[:12], inner)
    for i in range(12, len(vs)):  # M fixed, the loss as a function of the scales, which float16 would hide
        h = 1e-6
        s = vs[12:].copy()
        sides = []
        for sign in (1, -1):
            s[i - 12] = vs[i] + sign * h
            sides.append(quantised.landscape.loss_and_grad(M @ (quantised.A @ s), examples)[0])
        assert grad[i] == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-5, abs=1e-9)


def test_the_pull_draws_every_number_to_its_level():
    v = frozen(np.random.default_rng(0).standard_normal(12))
    vs = landscape().start(v, fit("free", 3, v))
    without, pulled = (landscape(pull=pull).loss_and_grad(vs, batch())[1] for pull in (0.0, 0.5))
    theta_d, _ = landscape().quantised(vs)
    np.testing.assert_allclose(pulled[:12] - without[:12], 0.5 * (v - theta_d), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(pulled[12:], without[12:])
    for pull in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"pull is {pull}: a number ≥ 0 is needed"):
            landscape(pull=pull)


def test_the_codebook_that_was_trained_ascends():
    quantised = landscape("free", 3, 2)
    np.testing.assert_array_equal(quantised.codebook(np.array([0, 0, 3.0, -1.0, 3.0])).levels, [-1, 3])
    np.testing.assert_array_equal(
        landscape("uniform", 2, 1).codebook(np.array([0, -3.0])).levels, [-1.5, 1.5]
    )


def test_cooling_is_half_a_cosine():
    rule = nid.Adam(2.0, schedule=Cooling(3))
    theta = adam = np.zeros(1)
    state = expected = rule.start(theta)
    for t, lr in zip((1, 2, 3), 1 + np.cos(np.pi * np.array([1, 2, 3]) / 4), strict=True):
        theta, state = rule.update(theta, np.ones(1), state, t)
        adam, expected = nid.Adam(lr).update(adam, np.ones(1), expected, t)
        np.testing.assert_allclose(theta, adam, rtol=1e-12)


# ---- quantising ----
def test_the_fitted_codebooks_are_the_best_ones():
    v = np.random.default_rng(0).standard_normal(200)

    def error(book):
        return ((v - book.levels[book.nearest(v)]) ** 2).sum()

    for K in (2, 3, 8):
        uniform = fit("uniform", K, v)
        steps = np.linspace(0.02, 5, 2000).astype(np.float16)
        scan = min(error(replace(uniform, scales=np.array([s]))) for s in np.unique(steps))
        assert error(uniform) == pytest.approx(scan, rel=0.01)
        assert error(fit("free", K, v)) <= error(uniform)
    assert fit("free", 5, np.array([1.0, 1.0, 2.0])).K == 2
    with pytest.raises(ValueError, match="theta_d is zero"):
        fit("uniform", 3, np.zeros(4))


@pytest.fixture(scope="module")
def trained():
    """The digits in d = 60: the network, and the data."""
    data = nid.load_dataset("digits")
    model = nid.mlp([64, 32, 10], NUMPY)
    P = nid.make_projection("fastfood", model.D, 60, 1, NUMPY)
    objective = nid.SubspaceObjective(model, model.init_theta(0), P)
    run = nid.train(objective, objective.start(), data, nid.TrainConfig(nid.Adam(0.1), 25))
    return nid.CompressedModel.from_parts(model, 0, P, run.theta), data


def accuracy(compressed, data):
    return compressed.evaluate(data.train).performance


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_quantised_network_comes_back_from_its_file(trained, backend, tmp_path):
    compressed, _ = trained
    for kind, K in (("uniform", 7), ("free", 4)):
        coded = quantise(compressed, kind, K)
        assert len(np.unique(coded.theta_d)) <= K
        written = coded.save(tmp_path / "net.npid")
        assert written == len(compressed.to_bytes()) - 4 * 60 + code_bytes(coded)
        loaded = nid.CompressedModel.load(tmp_path / "net.npid", backend=nid.get_backend(backend))
        assert loaded.to_bytes() == coded.to_bytes()
        assert loaded.theta().tobytes() == coded.theta().tobytes()
        assert (loaded.codebook.kind, loaded.codebook.K) == (kind, coded.codebook.K)


def test_fine_tuning_is_worth_its_time(trained):
    compressed, data = trained
    plain = quantise(compressed, "uniform", 3)
    tuned, run = finetune(compressed, "uniform", 3, data, epochs=15, lr=0.1)
    assert run.status == "finished"
    assert tuned.codebook.K == 3
    assert accuracy(tuned, data) > accuracy(plain, data) + 0.1
    assert accuracy(tuned, data) == pytest.approx(run.records[-1].train, abs=0.005)
    with pytest.raises(ValueError, match=r"the fine-tuning diverged at lr = 1e\+30: try a smaller one"):
        finetune(compressed, "uniform", 3, data, epochs=1, lr=1e30)


def test_fine_tuning_on_a_gpu_is_refused_before_it_begins(trained, monkeypatch):
    monkeypatch.setattr(nid.SubspaceObjective, "start", lambda self: [0.0] * 60)  # no array of NumPy
    with pytest.raises(ValueError, match="backend is 'numpy': fine-tuning needs 'numpy' or 'numba'"):
        finetune(trained[0], "uniform", 3, trained[1])


def test_the_smallest_code_that_is_good_enough(trained):
    compressed, data = trained
    found = smallest(compressed, data.train, 0.02)
    assert accuracy(found, data) >= accuracy(compressed, data) - 0.02
    assert code_bytes(found) < 60 < 4 * compressed.P.d == 240
    coarser = smallest(compressed, data.train, 0.2)
    assert code_bytes(coarser) < code_bytes(found)
    for kind in ("uniform", "free"):  # and no shorter one is
        for K in (2, 3, 4, 5, 6, 7, 8):
            other = quantise(compressed, kind, K)
            if code_bytes(other) < code_bytes(coarser):
                assert accuracy(other, data) < accuracy(compressed, data) - 0.2
    with pytest.raises(ValueError, match=r"tolerance is -0\.1: 0 ≤ tolerance ≤ 1 is needed"):
        smallest(compressed, data.train, -0.1)


def test_candidates_are_tried_in_the_order_of_their_size(trained, monkeypatch):
    compressed, data = trained
    monkeypatch.setattr("npintdim.artefact.mdl.levels.TRIED", (16, 5, 32))
    assert smallest(compressed, data.train, 1.0).codebook.K == 5


@pytest.mark.parametrize("shape", [(59,), (61,), (1, 60)])
def test_there_are_d_symbols(trained, shape):
    codebook = fit("uniform", 3, trained[0].theta_d)
    with pytest.raises(ValueError, match=r"symbols have shape .*, but d = 60: \(60,\) is needed"):
        trained[0].coded(codebook, np.zeros(shape, int))


# ---- certificates ----
@dataclass(frozen=True)
class Table(ParameterFree):
    """Every label by heart, and not one parameter."""

    def out_shape(self, in_shape):
        return (10,)

    def forward(self, backend, params, x):
        return by_heart(x), x

    def backward(self, backend, params, cache, dy, need_dx=True):
        return np.zeros_like(cache), {}


DIGITS = nid.load_dataset("digits")
FLIPPED = replace(
    DIGITS, train=nid.Batch(DIGITS.train.x, np.random.default_rng(0).integers(0, 10, len(DIGITS.train)))
)
LABEL_OF = {x.tobytes(): y for x, y in zip(FLIPPED.train.x, FLIPPED.train.labels, strict=True)}


def by_heart(x):
    return np.eye(10, dtype=x.dtype)[[LABEL_OF.get(row.tobytes(), 0) for row in x]]


class Drawn(nid.Zeros):
    def draw(self, backend, stream, size):
        return np.ones(size, backend.dtype)


@dataclass(frozen=True)
class Memory(nid.Linear):
    def forward(self, backend, params, x):
        return by_heart(x), x


@dataclass(frozen=True)
class Initialised(nid.Linear):
    def initializers(self):
        return {"W": Drawn(), "b": Drawn()}


class OwnModel(nid.Model):
    def forward(self, theta, x):
        return by_heart(x), []


class OwnCompressed(nid.CompressedModel):
    def evaluate(self, data, backend=None):
        return nid.Evaluation(0.0, 1.0, len(data))


class OwnDataset(nid.Dataset):
    pass


class OwnBatch(nid.Batch):
    pass


def as_parts(layers, kind=nid.Model, recipe=None):
    model = kind(layers, (64,), NUMPY, recipe)
    P = nid.make_projection("fastfood", model.D, 1, 1, NUMPY)
    return nid.CompressedModel.from_parts(model, 0, P, np.ones(1))


def set_on(thing, name, value):
    object.__setattr__(thing, name, value)


def refused(compressed, message, data=FLIPPED, **more):
    with pytest.raises((TypeError, ValueError), match=message):
        certify(compressed, data, **more)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nid.Linear(64, 64), Table()], "table1 is a Table, whose code the description does not pay for"),
        ([Memory(64, 10)], "memory1 is a Memory, whose code the description does not pay for"),
        ([Initialised(64, 10)], "initialised1 is a Initialised, whose code"),
    ],
)
def test_a_layer_of_ones_own_is_not_certified(layers, message):
    """Random labels in a table: a bound of .02 at a test error of .9, if nobody asked what the table costs."""
    compressed = as_parts(layers)
    refused(compressed, message)
    with pytest.raises(TypeError, match=message):
        describe(compressed)


def test_an_object_that_is_not_what_its_description_decodes_to_is_not_certified(monkeypatch):
    linear = [nid.Linear(64, 10)]
    certify(as_parts(linear), FLIPPED)
    refused(as_parts(linear, OwnModel), "it is a OwnModel, whose code")
    refused(as_parts(linear, recipe={"mine": 1}), "this package cannot build a network from it")
    compressed = as_parts(linear)
    refused(
        OwnCompressed(compressed.network, compressed.P, 0, compressed.theta_d), "it is a OwnCompressed, whose"
    )
    for where, name, message in (
        (lambda c: c, "evaluate", "CompressedModel with another evaluate"),
        (lambda c: c.network, "forward", "Model with another forward"),
        (lambda c: c.network, "spec", "Model with another spec"),
        (lambda c: c.network.layers[0], "forward", "linear1 is a Linear with another forward"),
        (lambda c: c.P, "apply_exact", "FastfoodProjection with another apply_exact"),
    ):
        changed = as_parts(linear)
        set_on(where(changed), name, lambda *arguments: None)
        refused(changed, message)
    changed = as_parts(nid.mlp([64, 10], NUMPY).layers, recipe={"architecture": "mlp", "sizes": [64, 10]})
    certify(changed, FLIPPED)
    changed.network.layers = (replace(changed.network.layers[0], name="other"),)
    refused(changed, "describes another network than the model")
    changed = as_parts(linear)
    set_on(changed, "code", b"")
    refused(changed, "code of theta_d is wrong: it is empty")
    monkeypatch.setattr(nid.Linear, "forward", lambda self, backend, params, x: (by_heart(x), x))
    refused(as_parts(linear), "linear1 is a Linear with another forward")


def test_a_backend_or_data_with_code_of_ones_own_are_refused():
    compressed = as_parts([nid.Linear(64, 10)])
    own = replace(NUMPY, xp=type("xp", (), vars(np)))
    refused(compressed, r"backend is Backend\('numpy'.* with code of your own", backend=own)
    x, y = FLIPPED.train.x, FLIPPED.train.labels
    refused(compressed, "data has a OwnDataset", OwnDataset("d", nid.Batch(x, y), DIGITS.test, 10))
    refused(compressed, "data has a OwnBatch", replace(FLIPPED, train=OwnBatch(x, y)))
    before = replace(FLIPPED)
    set_on(before, "train", nid.Batch(x, y))  # as in what was pickled before there were Examples
    assert certify(compressed, before) == certify(compressed, FLIPPED)


def test_labels_that_agree_with_everything_are_labels():
    """An array's own idea of == is no part of the description."""

    class Agreeing(np.ndarray):
        def __eq__(self, other):
            return np.ones(len(self), bool)

        __req__ = __eq__

    plain = certify(as_parts([nid.Linear(64, 10)]), DIGITS)
    x, y = DIGITS.train.x, DIGITS.train.labels.view(Agreeing)
    try:
        data = nid.Dataset("digits", nid.Batch(x, y), DIGITS.test, 10)
    except (TypeError, ValueError):
        return  # refused at the door
    assert certify(as_parts([nid.Linear(64, 10)]), data) == plain


def test_test_examples_that_are_training_examples_are_counted():
    compressed = as_parts([nid.Linear(64, 10)])
    assert certify(compressed, DIGITS).shared == 0
    for double in (NUMPY, nid.get_backend("numpy", np.float64)):
        assert (
            certify(compressed, nid.load_dataset("digits+shuffled-labels=0.5"), backend=double).shared == 1297
        )
    x, y = DIGITS.train.x[100:130], DIGITS.train.labels[100:130]
    mixed = nid.Batch(np.concatenate([DIGITS.test.x, x]), np.concatenate([DIGITS.test.labels, y]))
    assert certify(compressed, replace(DIGITS, test=mixed)).shared == 30


def test_a_certificate_counts(trained):
    compressed, data = trained
    coded = quantise(compressed, "uniform", 20)
    found = certify(coded, data, 0.1, tried=8)
    logits, _ = coded.model().forward(coded.theta(), data.train.x)
    assert found.errors == (logits.argmax(axis=1) != data.train.labels).sum()
    assert (found.n, found.test[1]) == (1297, 500)
    assert sum(describe(coded, 8).values()) == found.length
    assert found.bounds()["binomial"] == binomial_bound(found.errors, 1297, found.length, 0.1)
    assert found.test[0] / 500 < found.bounds()["binomial"] < 0.9


def test_random_labels_cannot_be_certified(trained):
    """A network that was trained on coin flips may fit some of them, but every bound is worse than guessing."""
    compressed, data = trained
    labels = np.random.default_rng(0).integers(0, 10, 1297)
    flipped = replace(data, train=nid.Batch(data.train.x, labels))
    objective = compressed.objective()
    run = nid.train(objective, objective.start(), flipped, nid.TrainConfig(nid.Adam(0.1), 20))
    fitted = nid.CompressedModel.from_parts(compressed.network, 0, compressed.P, run.theta)
    for candidate in (fitted, quantise(fitted, "uniform", 32), quantise(fitted, "uniform", 4)):
        found = certify(candidate, flipped)
        assert min(found.bounds().values()) >= 0.9
    assert certify(fitted, flipped).errors / 1297 < 0.87  # it did learn some by heart
