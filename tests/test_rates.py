"""The search for learning rates: what it tries, that it never sees the test set, and that it is told."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.cli import main
from npintdim.data.holdout import hold_out
from npintdim.measurement.rates import Rates, choose_rates
from npintdim.measurement.recipes import RateSearch, adam, best, fully_connected, guess
from npintdim.measurement.runs import RunSpec, run
from npintdim.measurement.work import Where, dataset

RECIPE = nid.Recipe(
    "digits", fully_connected(64, 16, 10), (20, 60, 200), optimizer=adam(0.1), direct_optimizer=adam(0.01),
    seeds=2, direct_seeds=2, epochs=2, batch_size=64, limit_train=400, rates=RateSearch(),
)  # fmt: skip


# --- which rates


def tried(reach, centre=0.01, **options):
    """Every rate that a search asks for, in its order."""
    search, found = RateSearch(**options), {}
    while rates := search.following(centre, found):
        assert not set(rates) & set(found)
        found |= {lr: reach(lr) for lr in rates}
    return list(found)


def peak(at, over=math.inf):
    """Best at a rate, diverging above another."""
    return lambda lr: math.nan if lr > over else 0.9 - 0.1 * math.log(lr / at) ** 2


def test_three_rates_are_enough_where_the_guess_is_best():
    assert tried(peak(0.01)) == [0.0033, 0.01, 0.03]
    assert tried(peak(0.01), step=10) == [0.001, 0.01, 0.1]


def test_a_best_rate_on_the_edge_widens_the_grid_until_it_lies_inside():
    assert tried(peak(0.1)) == [0.0033, 0.01, 0.03, 0.09, 0.27]
    assert tried(peak(0.0005)) == [0.0033, 0.01, 0.03, 0.0011, 0.00037, 0.00012]
    assert tried(peak(0.1, over=0.1)) == [0.0033, 0.01, 0.03, 0.09, 0.27]  # what diverges is beyond the best
    assert tried(peak(1, over=1e-3)) == [
        0.0033,
        0.01,
        0.03,
        0.0011,
        0.00037,
        0.00012,
    ]  # all diverged at first


def test_it_ends_and_an_edge_is_said():
    assert len(tried(peak(1e9))) == len(tried(peak(1, over=0))) == 7
    assert len(tried(peak(1e9), most=4)) == 4
    rates = Rates(60, (0.01, 0.03, 0.09), (0.5, 0.6, 0.7), 3, 1.0)
    assert rates.chosen == 0.09
    assert rates.on_edge
    assert rates.summary() == (
        "learning rate, d = 60: 0.09 (held out 0.01: 0.5000, 0.03: 0.6000, 0.09: 0.7000; the best is on the edge, "
        "better ones may lie beyond; 3 runs, 1 s of computing)"
    )
    inside = Rates(None, (0.01, 0.03, 0.09), (0.5, 0.6, math.nan), 3, 1.0)
    assert not inside.on_edge
    assert (
        inside.summary()
        == "learning rate, direct: 0.03 (held out 0.01: 0.5000, 0.03: 0.6000, 0.09: diverged; 3 runs, 1 s of computing)"
    )


def test_of_equals_the_smaller_rate():
    assert best({0.03: 0.9, 0.01: 0.9, 0.003: 0.8, 0.09: math.nan}) == 0.01


def test_the_guess_makes_steps_of_the_same_length():
    """‖P s‖ of a step s of d signs (Adam's first) and of Pᵀ∇ (SGD's, for isotropic P), against direct ones."""
    D, d = 4096, 64
    P = nid.make_projection("fastfood", D, d, 0, nid.get_backend("numpy", np.float64))
    step = guess(1.0, adam(1), D, d) * np.linalg.norm(P @ np.ones(d))
    assert step == pytest.approx(math.sqrt(D), rel=0.15)  # a direct step of D signs
    g = np.random.default_rng(0).standard_normal(D)
    step = guess(1.0, nid.SGD().spec(), D, d) * (g @ (P @ (P.T @ g)))
    assert step == pytest.approx(g @ g, rel=0.3)  # the loss falls as much


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"d": 0}, ValueError, "d is 0: d ≥ 1 is needed"),
        ({"seeds": 0}, ValueError, "seeds is 0: seeds ≥ 1 is needed"),
        ({"most": 2}, ValueError, "most is 2: most ≥ 3 is needed"),
        ({"holdout": 1.0}, ValueError, "holdout is 1.0: 0 < holdout < 1 is needed"),
        ({"holdout": math.nan}, ValueError, "holdout is nan"),
        ({"step": 1.0}, ValueError, "step is 1.0: a number > 1 is needed"),
    ],
)
def test_a_wrong_search_is_refused(arguments, kind, message):
    with pytest.raises(kind, match=message):
        RateSearch(**arguments)


# --- on which data


def test_held_out_examples_are_training_examples_that_are_not_trained_on():
    data = nid.load_dataset("digits")
    held = hold_out(data, 0.2)
    assert (len(held.train), len(held.test)) == (1038, 259)
    rows = [
        {x.tobytes() + bytes([y]) for x, y in zip(b.x, b.labels, strict=True)}
        for b in (held.train, held.test)
    ]
    assert not rows[0] & rows[1]
    whole = {x.tobytes() + bytes([y]) for x, y in zip(data.train.x, data.train.labels, strict=True)}
    assert rows[0] | rows[1] == whole
    assert hold_out(data, 0.2).test.x.tobytes() == held.test.x.tobytes()
    assert hold_out(data, 0.2, seed=1).test.x.tobytes() != held.test.x.tobytes()
    assert np.bincount(held.test.labels, minlength=10).min() > 10  # drawn, not cut off


@pytest.mark.parametrize("share", [0.001, 0.9999])
def test_neither_part_may_be_empty(share):
    data = nid.load_dataset("digits", limit_train=100)
    with pytest.raises(ValueError, match=f"digits: holding out {share} of 100 training examples leaves"):
        hold_out(data, share)


def test_a_held_out_run_is_another_run_and_knows_nothing_of_the_test_set(monkeypatch):
    backend, execute = nid.get_backend("numpy", threads=1), Where("numpy")
    spec = RECIPE.trial(60, 0.1, 0)
    plain = RECIPE.subspace(60, 0)
    assert spec == replace(plain, holdout=0.2)
    assert spec.key != plain.key
    assert "holdout" not in plain.spec()  # so that records of before are found
    record, _ = execute(spec)
    data = nid.load_dataset("digits", limit_train=400)
    by_hand, _ = run(replace(spec, holdout=None), backend, hold_out(data, 0.2))
    assert record["performance"] == by_hand["performance"]
    wrong = nid.Batch(data.test.x * 0, (data.test.labels + 1) % 10)
    monkeypatch.setattr(
        "npintdim.measurement.work.dataset", dataset.__wrapped__
    )  # which was read before is kept
    monkeypatch.setattr(
        "npintdim.measurement.work.load_data", lambda *names: nid.Dataset("digits", data.train, wrong, 10)
    )
    assert execute(spec)[0]["performance"] == record["performance"]
    assert execute(plain)[0]["performance"] < 0.2


@pytest.mark.parametrize("holdout", [0.0, 1.0, -0.1])
def test_a_spec_that_holds_out_nothing_or_all_is_refused(holdout):
    with pytest.raises(ValueError, match=f"holdout is {holdout}: 0 < holdout < 1 is needed"):
        RunSpec("digits", RECIPE.model, holdout=holdout)


# --- chosen


def said(lines):
    """What listens to a search, and keeps its sentences."""
    return lambda event: lines.append(event.why)


def like_sweep(reach, D=6400, done=None):
    """As `sweep`, without training: performance is a function of d and lr."""

    def train(specs):
        if done is not None:
            done.extend(specs)
        reached = [reach(s.d, s.optimizer["lr"], s.seed) for s in specs]
        return [
            {"status": "finished", "performance": None if math.isnan(p) else p, "D": D, "seconds": 1.0}
            for p in reached
        ]

    return train


def test_the_subspace_begins_where_the_direct_search_ended():
    """The best direct rate is .03 and not the recipe's .01; in the subspace .03·sqrt(6400/64) = .3 is the guess."""
    done, lines = [], []
    recipe = replace(RECIPE, rates=RateSearch(d=64, seeds=2))
    train = like_sweep(lambda d, lr, k: peak(0.03 if d is None else 0.3)(lr) + 0.001 * k, done=done)
    chosen, (direct, inside) = choose_rates(recipe, "float32", train, said(lines))
    assert (direct.chosen, inside.chosen) == (0.03, 0.3)
    assert chosen == replace(recipe, direct_optimizer=adam(0.03), optimizer=adam(0.3), lr_at=64)
    assert (direct.d, inside.d) == (None, 64)
    assert (direct.runs, inside.runs, direct.seconds, inside.seconds) == (8, 6, 8.0, 6.0)
    assert direct.performance[2] == pytest.approx(0.9005)  # the mean over both seeds
    assert all(spec.holdout == 0.2 for spec in done)
    assert [spec.seed for spec in done] == [0, 1] * 7
    assert lines == [
        "learning rate, direct: the guess is 0.01; next 0.0033, 0.01, 0.03",
        "learning rate, direct: 0.03 is the best and on the edge; next 0.09",
        direct.summary(),
        "learning rate, d = 64: the guess is 0.3; next 0.1, 0.3, 0.9",
        inside.summary(),
    ]


def crossing(d_90, D=6400, best=0.9):
    """Direct training reaches `best` at .01; 1 − p ∝ 1/sqrt(d) crosses nine tenths of it at d_90."""

    def reach(d, lr, k):
        at = 0.01 if d is None else guess(0.01, adam(1), D, d)
        p = best if d is None else 1 - (1 - 0.9 * best) * math.sqrt(d_90 / d)
        return max(p - 0.02 * math.log(lr / at) ** 2, 0)

    return reach


@pytest.mark.parametrize("grid", [None, (20, 60, 200)])
@pytest.mark.parametrize("d_90", [3, 100, 5000])
def test_the_subspaces_rate_is_searched_near_the_crossing(d_90, grid):
    done, lines = [], []
    train = like_sweep(crossing(d_90), done=done)
    chosen, (_, inside) = choose_rates(replace(RECIPE, d=grid), "float32", train, said(lines))
    assert inside.d == pytest.approx(d_90, rel=0.05)
    assert inside.chosen == pytest.approx(0.01 * math.sqrt(6400 / inside.d), rel=0.05)
    assert chosen.lr_at == inside.d
    bracket = [s for s in done if s.d not in (None, inside.d)]
    assert 2 <= len(bracket) <= 6
    assert all(s.optimizer["lr"] == pytest.approx(0.01 * math.sqrt(6400 / s.d), rel=0.05) for s in bracket)
    assert all(s.holdout == 0.2 for s in done)
    assert inside.runs == len(bracket) + len(inside.tried)
    assert lines[2].startswith(
        "where to search the subspace's learning rate: nothing is known; next d = 64 and 256"
    )


@pytest.mark.parametrize(("reach", "d"), [(crossing(1e9), 6400), (crossing(1e-3), 1)])
def test_without_a_crossing_it_is_searched_at_the_end(reach, d):
    _, (_, inside) = choose_rates(RECIPE, "float32", like_sweep(reach), said([]))
    assert inside.d == d


def test_the_rate_goes_to_other_d_as_steps_of_one_length():
    recipe = replace(RECIPE, lr_at=60)
    assert [recipe.subspace(d, 0).optimizer for d in (15, 60, 240)] == [adam(0.2), adam(0.1), adam(0.05)]
    assert replace(recipe, optimizer=nid.SGD(0.4).spec()).optimizer_at(240) == nid.SGD(0.1).spec()
    assert RECIPE.optimizer_at(15) == RECIPE.optimizer_at(240) == adam(0.1)
    with pytest.raises(ValueError, match="lr_at is 0: lr_at ≥ 1 is needed"):
        replace(RECIPE, lr_at=0)


def test_without_a_search_nothing_is_run():
    recipe = replace(RECIPE, rates=None)
    assert choose_rates(recipe, "float32", None, said([])) == (recipe, ())


def test_where_performance_is_that_of_training_nothing_is_held_out():
    labels = replace(RECIPE, data="digits+shuffled-labels=0.5")
    assert labels.trial(None, 0.1, 0).holdout is labels.trial(60, 0.1, 0).holdout is None
    assert replace(RECIPE, data="digits+shuffled-pixels").trial(60, 0.1, 0).holdout == 0.2


@pytest.mark.parametrize("changes", [{"d": (20, 6401)}, {"rates": RateSearch(d=6401)}])
def test_a_d_above_D_is_refused_as_soon_as_D_is_known(changes):
    with pytest.raises(ValueError, match="d is 6401: 1 ≤ d ≤ D = 6400 is needed"):
        choose_rates(replace(RECIPE, **changes), "float32", like_sweep(crossing(100)), said([]))


def test_if_no_rate_trains_it_is_said():
    with pytest.raises(
        ValueError, match=r"no learning rate from 4e-05 to 0.03 trains, direct: every run diverged"
    ):
        choose_rates(RECIPE, "float32", like_sweep(lambda d, lr, k: math.nan), said([]))


# --- through `measure`


def test_measured_with_searched_rates(tmp_path, monkeypatch):
    lines = []
    m = measured(RECIPE, tmp_path, tell=lines.append)
    direct, inside = m.rates
    assert {r["spec"]["optimizer"]["lr"] for r in m.records if "d" not in r["spec"]} == {direct.chosen}
    used = {r["spec"]["d"]: r["spec"]["optimizer"]["lr"] for r in m.records if "d" in r["spec"]}
    assert used == pytest.approx(
        {d: inside.chosen * math.sqrt(inside.d / d) for d in (20, 60, 200)}, rel=5e-3
    )
    assert all("holdout" not in r["spec"] for r in m.records)
    assert inside.summary() in lines
    assert m.recipe == replace(RECIPE, at_once=2)
    kept = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert [r["chosen"] for r in kept["rates"]] == [direct.chosen, inside.chosen]
    assert kept["rates"][1]["tried"] == list(inside.tried)
    assert kept["recipe"]["rates"]["holdout"] == 0.2
    assert kept["seconds"] == pytest.approx(
        sum(r["seconds"] for r in m.records) + direct.seconds + inside.seconds, abs=0.01
    )
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"| d = {inside.d} | {inside.chosen:g} | " in report
    assert f"and {direct.runs + inside.runs} for the learning rates" in report

    monkeypatch.setattr(Where, "__call__", None)
    again = measured(RECIPE, tmp_path)
    assert (again.rates, again.d_int) == (m.rates, m.d_int)


def test_the_command_searches_the_rates(tmp_path, capsys):
    command = ["measure", "--model", "64-16-10", "--epochs", "1", "--seeds", "1", "--jobs", "1", "--quiet"]
    command += ["--backend", "numpy", "--d", "20,200", "--lr", "search:2", "--out", str(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "3 runs of 1 epoch, learning rates before, 1 at a time" in said
    assert "learning rate, direct: the guess is 0.003; next 0.001, 0.003, 0.009" in said
    assert "\nwhere to search the subspace's learning rate: nothing is known; next d = 64 and 256\n" in said
    assert "\nlearning rate, d = " in said
    kept = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert kept["recipe"]["rates"]["seeds"] == 2
    with pytest.raises(SystemExit):
        main(["measure", "--lr", "fast"])
    assert "'fast' is not a learning rate such as 0.01, nor search or search:3" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["measure", "--lr", "search:x"])


def test_rates_that_diverged_are_written_and_read():
    """JSON has no NaN: null stands for it, and is NaN again."""
    rates = Rates(20, (0.01, 0.1, 1.0), (0.5, 0.75, math.nan), 3, 1.5)
    spec = json.loads(json.dumps(rates.spec(), allow_nan=False))
    assert (spec["performance"], spec["chosen"], spec["on_edge"]) == ([0.5, 0.75, None], 0.1, False)
    again = Rates.from_spec(spec, None)
    assert again.performance[:2] == (0.5, 0.75) and math.isnan(again.performance[2])
    assert (again.spec(), again.chosen, again.summary()) == (rates.spec(), 0.1, rates.summary())
