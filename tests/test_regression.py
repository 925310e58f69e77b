"""Targets that are numbers, scores in their own units, the epoch that counts."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers import measured, normal

import npintdim as nid
from npintdim.data import own
from npintdim.engine.losses import LOSSES
from npintdim.measurement.baseline import Baseline
from npintdim.measurement.estimate import curve_of
from npintdim.measurement.runs import run
from npintdim.plots import curve_figure
from npintdim.testing.gradient import gradient_check

NUMPY = nid.get_backend("numpy", threads=1)
EXACT = nid.get_backend("numpy", dtype="float64", threads=1)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
Y = 150 + 50 * X[:, 0] - 30 * X[:, 1] + 20 * RNG.normal(size=300)
DATA = nid.Dataset.from_arrays(X, Y, standardise=True, name="six-features")
NET = nid.mlp([6, 16, 1], loss="mse")
RECIPE = nid.Recipe(
    DATA, NET, (1, 4, 12, 40), optimizer=nid.Adam(0.1), direct_optimizer=nid.Adam(0.01), seeds=2, direct_seeds=2,
    epochs=30, batch_size=32,
)  # fmt: skip


def test_mse_and_its_gradient(backend):
    y, t = normal(5, 3, seed=1), normal(5, 3, seed=2)
    L, dy = nid.MSE().value_and_grad(np, y, t)
    assert pytest.approx(np.mean((y - t) ** 2), rel=1e-14) == L
    h = 1e-6
    for place in np.ndindex(y.shape):
        e = np.zeros_like(y)
        e[place] = h
        up, down = (float(nid.MSE().value_and_grad(np, y + s * e, t)[0]) for s in (1, -1))
        assert dy[place] == pytest.approx((up - down) / (2 * h), rel=1e-6)
    net = nid.mlp([6, 8, 3], backend, activation="tanh", loss="mse")
    gradient_check(net, net.init_theta(0), nid.Batch(normal(5, 6), t))


def test_performance_is_r2_whatever_the_chunks(monkeypatch):
    net = nid.mlp([6, 8, 2], EXACT, loss="mse")
    theta, t = net.init_theta(3), 5 + normal(100, 2, seed=4)
    whole = net.evaluate(theta, nid.Batch(X[:100], t))
    y, _ = net.forward(theta, X[:100])
    assert whole.performance == pytest.approx(
        1 - ((y - t) ** 2).sum() / ((t - t.mean(axis=0)) ** 2).sum(), rel=1e-12
    )
    monkeypatch.setattr("npintdim.engine.model.CHUNK", 7)
    assert net.evaluate(theta, nid.Batch(X[:100], t)).performance == pytest.approx(
        whole.performance, rel=1e-12
    )
    with pytest.raises(ValueError, match="R² is not defined: the targets of 5 examples are all the same"):
        net.evaluate(theta, nid.Batch(X[:5], np.ones((5, 2))))


def test_float_targets_are_numbers_and_whole_ones_on_request():
    assert DATA.classes == 0 and DATA.outputs == 1 and len(DATA.train) == 240
    assert DATA.train.labels.mean() == pytest.approx(
        0, abs=1e-12
    ) and DATA.train.labels.std() == pytest.approx(1)
    two = nid.Dataset.from_arrays(X, np.stack([Y, -Y], axis=1), test_share=0.5)
    assert two.outputs == 2 and two.test.labels.shape == (150, 2)
    rows = {tuple(x): t for x, t in zip(X, Y, strict=True)}
    assert all(rows[tuple(x)] == t[0] == -t[1] for x, t in zip(two.test.x, two.test.labels, strict=True))
    whole = nid.Dataset.from_arrays(X, np.round(Y), regression=True)
    assert whole.classes == 0 and set(whole.train.labels) <= set(np.round(Y))
    for wrong, says in (
        (lambda: nid.Dataset.from_arrays(X, np.round(Y)), "need regression=True"),
        (lambda: nid.Dataset.from_arrays(X, Y[:9]), r"y has shape \(9,\), but there are 300 examples"),
        (lambda: nid.Dataset.from_arrays(X, np.where(Y > 150, np.nan, Y)), "y holds NaN or infinity"),
        (lambda: nid.Dataset.from_arrays(X, 0 * Y, regression=True), "y holds 0.0 alone"),
        (
            lambda: nid.Dataset("d", nid.Batch(X, Y), nid.Batch(X, two.train.labels[:1]), 0),
            "targets have shape",
        ),
    ):
        with pytest.raises(ValueError, match=says):
            wrong()


def test_a_csv_with_a_float_column(tmp_path):
    lines = ["a,b,y", *(f"{a},{b},{y}" for (a, b), y in zip(X[:40, :2], Y[:40], strict=True))]
    (tmp_path / "own.csv").write_text("\n".join(lines))
    data, told = own.read(str(tmp_path / "own.csv"))
    assert data.classes == 0 and "targets of 1 number" in told
    assert set(data.train.labels) <= set(Y[:40])
    (tmp_path / "whole.csv").write_text("\n".join(["a,y", *(f"{i},{i}" for i in range(20))]))
    assert own.read(f"{tmp_path / 'whole.csv'}+regression")[0].classes == 0


def test_the_loss_is_part_of_the_spec_and_only_where_it_is_another():
    assert "loss" not in nid.mlp([6, 16, 1]).spec()
    again = nid.model_from_spec(NET.spec(), NUMPY)
    assert again.loss == nid.MSE() and again.spec() == NET.spec() == NET.spec() | {"loss": {"kind": "MSE"}}
    assert nid.lenet().with_loss("mse").spec()["loss"] == {"kind": "MSE"}
    with pytest.raises(ValueError, match="has numbers as targets: a model with loss='mse' is needed"):
        run(replace(RECIPE, model=nid.mlp([6, 16, 1])).direct(0), NUMPY, DATA.to(NUMPY))
    with pytest.raises(ValueError, match="targets that are numbers need Model"):
        nid.mlp([6, 1], EXACT).loss_and_grad(np.zeros(7), nid.Batch(X, Y))


def test_a_regression_is_measured_and_drawn(tmp_path):
    m = measured(RECIPE, tmp_path)
    assert m.baseline.line[0] > 0.7 and 1 < m.d_int.d < 41
    assert m.d_int.threshold == pytest.approx(0.9 * np.mean(m.baseline.line))
    assert nid.load_measurement(tmp_path).summary == m.summary
    assert curve_figure(m).axes[0].get_ylabel() == "test R²"
    assert (
        nid.CompressedModel.load(tmp_path / m.compressed["file"]).evaluate(DATA.test).performance
        > m.d_int.threshold
    )


RUNS = [(100, 0.80), (100, 0.81), (200, 0.87), (400, 0.91), (400, 0.92), (800, 0.94)]


def test_an_error_is_read_as_its_share():
    score = nid.Score("error", guess=60, best=10)
    d, p = zip(*RUNS, strict=True)
    shares = nid.d_int(d, p, [0.98, 0.98])
    found = nid.d_int(d, [60 - 50 * i for i in p], [11, 11], score=score)
    assert (found.first_above, found.runs) == (shares.first_above, shares.runs)
    assert (found.d, found.low, found.high) == pytest.approx((shares.d, shares.low, shares.high), rel=1e-6)
    assert found.threshold == pytest.approx(60 - 0.9 * 49) and found.noise == pytest.approx(50 * shares.noise)
    assert found.means == pytest.approx([60 - 50 * i for i in shares.means])
    assert "threshold 15.9000 = 60 + 0.9 × (11.0000 − 60)" in found.summary()
    absolute = nid.d_int(d, [60 - 50 * i for i in p], threshold=16, score=score)
    assert absolute.threshold == pytest.approx(16) and absolute.d == pytest.approx(
        nid.d_int(d, p, threshold=0.88).d
    )
    groups = {i: np.array([q for e, q in RUNS if e == i]) for i in d}
    curve, alike = curve_of(found, {i: 60 - 50 * q for i, q in groups.items()}), curve_of(shares, groups)
    between = np.geomspace(100, 800)
    y = score.value(curve.performance(between))
    assert y == pytest.approx(60 - 50 * alike.performance(between)) and (np.diff(y) < 0).all()
    assert score.value(curve.performance(np.array(found.d))) == pytest.approx(found.threshold)
    worse = nid.d_int((1, 2, *d), (70, 65, *(60 - 50 * i for i in p)), [11, 11], score=score)
    assert worse.means[:2] == (60, 60)  # as guessing
    for options, says in (
        ({"threshold": 70}, "threshold is 70: between guess = 60 and best = 10 of error is needed"),
        ({"chance": 0.1}, "with a score it is its guess, 60"),
        ({"baseline": [5]}, "error has 5, better than best = 10"),
    ):
        with pytest.raises(ValueError, match=says):
            nid.d_int(d, [60 - 50 * i for i in p], **{"baseline": [11]} | options, score=score)
    with pytest.raises(ValueError, match="two different numbers are needed"):
        nid.Score("error", 1, 1)


def test_a_baseline_is_judged_in_shares():
    score = nid.Score("error", guess=60, best=10)
    assert Baseline((61.0, 62.0), 60, score).nothing.startswith("the direct runs learnt nothing: 60.0000")
    assert np.isnan(Baseline((20.0, 21.0, 55.0), 60, score).line).tolist() == [False, False, True]


@dataclass(frozen=True)
class Absolute(nid.Loss):
    """Mean absolute error; lower is better."""

    numbers = True
    score = nid.Score("mean absolute error", guess=0.8, best=0.0)

    def value_and_grad(self, xp, y, targets):
        return abs(y - targets).mean(), xp.sign(y - targets) / y.size

    def tally(self, xp, y, targets):
        return abs(y - targets).mean(axis=1).sum()


def test_a_loss_and_a_score_of_ones_own(own_tables, tmp_path):
    nid.register(Absolute)
    assert LOSSES["Absolute"] is Absolute
    told = []
    recipe = replace(
        RECIPE, model=nid.mlp([6, 16, 1], loss="absolute"), d=None, budget=8, rates=nid.RateSearch()
    )
    m = measured(recipe, tmp_path, tell=told.append)
    assert 0 < m.d_int.baseline < m.d_int.threshold < 0.8 and m.d_int.first_above in m.d_int.tried
    assert all(min(r.performance) == r.reached for r in m.rates)
    below = [line for line in told if " is below " in line or " reaches " in line or "bracketed" in line]
    assert below and m.d_int.above(0.0) and not m.d_int.above(0.8)
    again = nid.load_measurement(tmp_path)
    assert again.summary == m.summary and again.rates == m.rates


@dataclass(frozen=True)
class Slow(nid.SGD):
    """An optimizer of one's own."""

    slower: float = 2.0

    def rate(self, t):
        return super().rate(t) / self.slower


def test_an_optimizer_of_ones_own(own_tables, tmp_path):
    nid.register(Slow)
    recipe = replace(
        RECIPE, optimizer={"kind": "slow", "lr": 0.1}, direct_optimizer=Slow(0.02), d=(4,), epochs=3
    )
    m = measured(recipe, tmp_path)
    assert (
        not m.failed
        and m.records[0]["spec"]["optimizer"]["slower"] == 2
        and "kinds" in m.records[0]["spec"]["content"]
    )


def test_the_best_epoch_on_held_out_data_counts(tmp_path):
    plain = RECIPE.direct(0)
    assert "best_epoch" not in plain.spec()
    spec = replace(plain, best_epoch=0.25, epochs=60)
    record, theta = run(spec, NUMPY, DATA.to(NUMPY))
    held = [epoch["held"] for epoch in record["epochs"]]
    assert len(held) < 60 and held[-1] == min(held) and held.count(min(held)) == 1
    assert record["performance"] == record["epochs"][-1]["test"]
    shorter, same = run(replace(spec, epochs=len(held)), NUMPY, DATA.to(NUMPY))
    assert np.array_equal(theta, same) and shorter["performance"] == record["performance"]
    assert NET.evaluate(theta, DATA.test).performance == pytest.approx(record["performance"], rel=1e-6)
    assert "held" not in run(replace(plain, epochs=1), NUMPY, DATA.to(NUMPY))[0]["epochs"][0]
    m = measured(replace(RECIPE, best_epoch=0.25, d=(4, 40)), tmp_path)
    assert not m.failed and nid.load_measurement(tmp_path).recipe.best_epoch == 0.25
    with pytest.raises(ValueError, match="best_epoch is 1"):
        replace(RECIPE, best_epoch=1.0)


def overfitting(train, direct=0.506):
    """A measurement whose test R² is that of diabetes."""
    base = {"status": "finished", "seconds": 1.0, "D": 601}
    rows = [(None, direct, 0.6), *zip((16, 64, 193), (0.429, 0.427, 0.273), train, strict=True)]
    records = tuple(
        base | {"spec": {} if d is None else {"d": d}, "performance": p, "train_performance": t}
        for d, p, t in rows
    )
    recipe = replace(RECIPE, d=(16, 64, 193), projection="dense")
    return nid.Measurement(
        recipe, "folder", records, nid.measurement.measurement.read_off(recipe, records), None
    )


def test_what_only_overfits_says_so():
    told = overfitting((0.52, 0.6, 0.84)).summary
    assert "never reached" in told and "the best is 0.4290 at d = 16, 84.8 % of direct training" in told
    assert (
        "it overfits: from d = 16 to 193 it falls to 0.2730 while on the training data it rises from 0.5200 to 0.8400"
        in told
    )
    low = overfitting((0.52, 0.6, 0.84), direct=0.43)  # a line that d = 16 reaches, d = 193 no more
    assert low.d_int.d == -math.inf and low.d_int.collapsed == 1
    assert (
        "left out, far below runs with fewer numbers: 1 run; it overfits: from d = 16 to 193" in low.summary
    )
    assert "overfits" not in overfitting((0.52, 0.6, 0.5), direct=0.43).summary  # it collapsed
    told = overfitting((0.45, 0.44, 0.3)).summary
    assert "overfits" not in told and "even on the training data d = 193 reaches 0.3000 alone" in told
