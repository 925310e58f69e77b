"""Adam, AdamW, SGD, decay and schedules: against PyTorch, and in the definition's own numbers."""

import json
import math

import numpy as np
import pytest

import npintdim as nid
from npintdim.engine.optimizers import SGD, Adam, AdamW, Constant, Cosine, Step, optimizer_from_spec

RNG = np.random.default_rng(0)
START = RNG.normal(size=30)
HERE = RNG.normal(size=30)
SCALE = 10.0 ** np.linspace(-9, 2, 30)  # gradients near ε and far from it


def path(optimizer, steps=40):
    theta, state, seen = START, optimizer.start(START), []
    for t in range(1, steps + 1):
        theta, state = optimizer.update(theta, SCALE * (theta - HERE), state, t)
        seen.append(theta)
    return np.array(seen)


def theirs(make, schedule=None, steps=40):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a second opinion")
    theta = torch.nn.Parameter(torch.from_numpy(START.copy()))
    optimizer = make(torch.optim, [theta])
    scheduler = schedule and schedule(torch.optim.lr_scheduler, optimizer)
    seen = []
    for _ in range(steps):
        theta.grad = torch.from_numpy(SCALE) * (theta.detach() - torch.from_numpy(HERE))
        optimizer.step()
        if scheduler:
            scheduler.step()
        seen.append(theta.detach().numpy().copy())
    return np.array(seen)


PAIRS = {
    "Adam": (Adam(0.05, 0.9, 0.98, 1e-6, rule="torch"), lambda o, p: o.Adam(p, 0.05, (0.9, 0.98), 1e-6), None),
    "AdamW": (AdamW(0.05, decay=0.3), lambda o, p: o.AdamW(p, 0.05, weight_decay=0.3), None),
    "AdamW's defaults": (AdamW(), lambda o, p: o.AdamW(p), None),
    "SGD": (SGD(0.01, 0.8), lambda o, p: o.SGD(p, 0.01, 0.8), None),
    "cosine": (SGD(0.01, 0.8, schedule=Cosine(25)), lambda o, p: o.SGD(p, 0.01, 0.8),
               lambda s, o: s.SequentialLR(o, [s.CosineAnnealingLR(o, 25), s.ConstantLR(o, 0.0, 10**6)], [26])),
    "step": (AdamW(0.05, schedule=Step(7, 0.5)), lambda o, p: o.AdamW(p, 0.05), lambda s, o: s.StepLR(o, 7, 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_like_pytorch(pair):
    ours, make, schedule = PAIRS[pair]
    np.testing.assert_allclose(path(ours), theirs(make, schedule), rtol=1e-11, atol=1e-13)


def test_tensorflows_epsilon_is_another():
    ours = path(Adam(0.05, 0.9, 0.98, 1e-6))
    assert not np.allclose(ours, theirs(PAIRS["Adam"][1]), rtol=1e-3)
    assert np.array_equal(ours, path(Adam(0.05, 0.9, 0.98, 1e-6, schedule=Constant())))


def test_decay_pulls_theta_d_to_zero_and_so_theta_to_theta_0():
    for make in (SGD, Adam, AdamW):
        optimizer = make(0.1, decay=0.5)
        theta, _ = optimizer.update(START, 0 * START, optimizer.start(START), 1)
        np.testing.assert_allclose(theta, (1 - 0.1 * 0.5) * START, rtol=1e-15)
    late = SGD(0.1, decay=0.5, schedule=Step(2, 0.1))
    theta, _ = late.update(START, 0 * START, late.start(START), 3)
    np.testing.assert_allclose(theta, (1 - 0.01 * 0.5) * START, rtol=1e-15)


def test_schedules():
    cosine = Cosine(10, least=0.2)
    assert (
        cosine(1) == 1 and cosine(6) == pytest.approx(0.6) and cosine(11) == cosine(999) == pytest.approx(0.2)
    )
    assert [Step(3, 0.5)(t) for t in (1, 3, 4, 6, 7)] == [1, 1, 0.5, 0.5, 0.25]
    for schedule in (cosine, Step(3), Constant()):
        assert Adam(schedule=json.loads(json.dumps(schedule.spec()))).schedule == schedule


SPECS = [
    Adam(),
    Adam(rule="torch"),
    AdamW(),
    AdamW(decay=None),
    AdamW(rule=None),
    SGD(decay=0.1),
    SGD(schedule=Cosine(5)),
]


@pytest.mark.parametrize("optimizer", SPECS, ids=repr)
def test_a_spec_gives_the_optimizer_back(optimizer):
    spec = json.loads(json.dumps(optimizer.spec()))
    assert optimizer_from_spec(spec) == optimizer
    assert nid.RunSpec("digits", nid.mlp([64, 10]), optimizer=optimizer).config().optimizer == optimizer


def test_what_was_there_before_has_the_spec_it_had():
    assert Adam().spec() == {"kind": "adam", "lr": 0.001, "beta1": 0.9, "beta2": 0.99, "eps": 1e-08}
    assert SGD().spec() == {"kind": "sgd", "lr": 0.1, "momentum": 0.9}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Adam(rule="keras"), "unknown rule 'keras': choose one of torch"),
        (lambda: SGD(decay=-1.0), "decay is -1.0: a number ≥ 0 is needed"),
        (lambda: SGD(decay=math.inf), "decay is inf"),
        (lambda: SGD(schedule={"kind": "cosin", "steps": 3}), "unknown schedule 'cosin'.*cosine"),
        (lambda: SGD(schedule="cosine"), "'cosine' lacks steps"),
        (lambda: Cosine(0), "steps is 0"),
        (lambda: Cosine(3, 1.5), "least is 1.5"),
        (lambda: Step(3, 0.0), "factor is 0.0"),
    ],
)
def test_refusals(make, says):
    with pytest.raises((TypeError, ValueError), match=says):
        make()
