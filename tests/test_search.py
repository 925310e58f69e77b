"""The search for d_int: what it tries next, that it ends, and where."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.cli import main
from npintdim.measurement.cluster import Dask
from npintdim.measurement.measure import at_once, pursue
from npintdim.measurement.recipes import adam, fully_connected
from npintdim.measurement.search import Proposal, Search, plan
from npintdim.measurement.work import Where

BASELINE = (0.98, 0.981, 0.979)


def curve(d, d_90=600.0, slope=0.65):
    """p = 0.9 × 0.98 at d_90."""
    return 1 - min(1.0, 0.118 * (d / d_90) ** -slope)


def searched(make_run, search, baseline=BASELINE, count=1):
    """Every run in a subspace that the search asks for, and its words; direct runs repeat those of the baseline."""
    d, p, why, direct = [], [], [], list(baseline)
    while True:
        following = plan(search, d, p, direct, count)
        why.append(following.why)
        if not following.runs:
            return d, p, why
        assert len(following.runs) <= count
        for run in following.runs:
            if run.d is None:
                assert run.seed == len(direct)
                direct.append(baseline[run.seed % len(baseline)])
                continue
            assert run.seed == d.count(run.d)
            assert 1 <= run.d <= search.D
            d.append(run.d)
            p.append(make_run(run.d, run.seed))


def noisy(sd, seed=0, **options):
    rng = np.random.default_rng(seed)
    return lambda d, k: float(np.clip(curve(d, **options) + sd * rng.standard_normal(), 0, 1))


def collapsing(share, seed):
    rng, run = np.random.default_rng(seed), noisy(0.006, seed)
    return lambda d, k: 0.1 if rng.uniform() < share else run(d, k)


def test_it_starts_at_a_power_of_4_next_to_the_root_of_D():
    for D, d in ((199_210, 256), (44_426, 256), (656_810, 1024), (1000, 16), (3, 1), (1, 1)):
        assert plan(Search(D), [], [], BASELINE).runs == (Proposal(d, 0),)
    assert plan(Search(1000, first=50), [], [], BASELINE, 2).runs == (Proposal(50, 0), Proposal(200, 0))
    assert plan(Search(100, first=500), [], [], BASELINE).runs == (Proposal(100, 0),)


def test_it_brackets_by_factors_of_4_and_says_why():
    up = plan(Search(10**6), [256], [0.5], BASELINE)
    assert up[:2] == ((Proposal(1024, 0),), "d = 256 is below 0.8820: 4 times as many; next d = 1024")
    down = plan(Search(10**6), [256], [0.95], BASELINE, 2)
    assert [run.d for run in down.runs] == [64, 16]
    assert down.why == "d = 256 reaches 0.8820: a 4th of it; next d = 64 and 16"
    assert [run.d for run in plan(Search(300), [256], [0.5], BASELINE, 2).runs] == [300]


def test_it_halves_the_bracket_in_log_d():
    halved = plan(Search(10**6), [256, 1024], [0.7, 0.95], BASELINE)
    assert halved[:2] == (
        (Proposal(512, 0),),
        "bracketed between 256 and 1024: halved in log d; next d = 512",
    )
    thirds = plan(Search(10**6), [256, 1024], [0.7, 0.95], BASELINE, 2)
    assert [run.d for run in thirds.runs] == [406, 645]


@pytest.mark.parametrize("d_90", [5.0, 37.0, 600.0, 20_000.0])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_without_noise_it_finds_the_crossing_and_stops(d_90, count):
    search = Search(199_210)
    d, p, why = searched(lambda d, k: curve(d, d_90), search, (0.98, 0.98), count)
    assert nid.d_int(d, p, (0.98, 0.98)).d == pytest.approx(d_90, rel=1e-3)
    assert len(d) <= 7 + 2 * count
    assert why[-1].endswith(" %: as precise as asked (±5 %)")


def test_a_wide_search_begins_on_both_sides_and_takes_a_quarter_of_the_budget():
    first = plan(Search(199_210), [], [], BASELINE, 16)
    assert [run.d for run in first.runs] == [256, 1024, 64, 4096, 16, 16384]
    assert first.why == "nothing is known; next d = 256, 1024, 64, 4096, 16 and 16384"
    assert [run.d for run in plan(Search(1000, budget=40), [], [], BASELINE, 16).runs] == [
        16,
        64,
        4,
        256,
        1,
        1000,
    ]
    assert len(plan(Search(199_210, budget=5), [], [], BASELINE, 16).runs) == 2
    inside = plan(Search(10**6), [256, 1024], [0.7, 0.95], BASELINE, 16)
    assert [run.d for run in inside.runs] == [round(256 * 4 ** (k / 7)) for k in range(1, 7)]


def test_a_wide_search_does_no_more_at_a_time_than_it_expects_to_need():
    """Two always, the whole of what the budget has left at most."""
    counts = [
        len(plan(Search(199_210, precision=precision), NEAR, RUNS, BASELINE, 12).runs)
        for precision in (0.035, 0.03, 0.025, 0.01)
    ]
    assert counts[0] == 2 < counts[1] < counts[2] < counts[3] == 12
    assert len(plan(Search(199_210, precision=0.01, budget=13), NEAR, RUNS, BASELINE, 12).runs) == 5


def test_where_the_means_contradict_the_curve_a_wide_round_has_more_runs_than_the_curve_alone_would_ask_for():
    """By the curve's sd two more would do; but the interval is 1.6 times as wide as that sd says."""
    wiggle = (0.0063, 0.0107, -0.0153, -0.0008, 0.0061, 0.0081, 0.0039, 0.009)
    runs = [curve(d) + w for d, w in zip(NEAR, wiggle, strict=True)]
    assert len(plan(Search(199_210, precision=0.07), NEAR, runs, BASELINE, 12).runs) > 6


def test_two_at_a_time_it_takes_these_steps():
    d, _, _ = searched(noisy(0.006), Search(199_210, budget=14), count=2)
    assert d == STEPS


def test_wide_rounds_take_more_runs_and_a_third_of_the_time():
    """30 simulated searches, 8 runs at a time, until ±8 %."""
    covered, runs, rounds = 0, 0, 0
    for k in range(30):
        d_90 = 600 * math.exp(np.random.default_rng(k).uniform(-0.7, 0.7))
        d, p, why = searched(noisy(0.006, k, d_90=d_90), Search(199_210, precision=0.08), count=8)
        found = nid.d_int(d, p, BASELINE, draws=500)
        covered += found.low <= d_90 <= found.high
        assert len(d) <= 24
        runs, rounds = runs + len(d), rounds + len(why) - 1
    assert covered >= 26
    assert runs / 30 < 18  # 12 with two at a time
    assert rounds / 30 < 3.5  # 6


def test_with_noise_it_stops_at_the_precision_that_is_asked():
    runs = {}
    for precision in (0.2, 0.06):
        d, p, _ = searched(noisy(0.006), Search(199_210, precision=precision, budget=60))
        found = nid.d_int(d, p, BASELINE)
        assert math.log(found.high / found.low) / 2 <= precision
        assert found.low < 600 < found.high
        runs[precision] = len(d)
    assert 7 <= runs[0.2] < runs[0.06] < 20


def test_no_precision_is_believed_before_seven_runs():
    assert len(searched(noisy(0.001), Search(199_210, precision=1.0))[0]) == 7


def test_nine_runs_at_the_noise_of_mnist_are_within_4_percent():
    """RMSE of log d over 60 simulated searches, noise sd .006, baseline of three runs of sd .002."""
    errors, covered = [], 0
    for k in range(60):
        rng = np.random.default_rng(1000 + k)
        base = 0.98 + 0.002 * rng.standard_normal(3)
        d_90 = 600 * math.exp(rng.uniform(-0.7, 0.7))
        d, p, _ = searched(noisy(0.006, k, d_90=d_90), Search(199_210, precision=1e-6, budget=9), base)
        found = nid.d_int(d, p, base, draws=500)
        assert 7 <= len(d) <= 9  # the others are direct
        errors.append(math.log(found.d / d_90))
        covered += found.low <= d_90 <= found.high
    assert math.sqrt(np.mean(np.square(errors))) <= 0.04
    assert covered >= 0.88 * 60


def test_refinement_stays_near_the_crossing():
    d, _, why = searched(noisy(0.006), Search(199_210, precision=1e-6, budget=20))
    refined = [i for i, line in zip(d, why, strict=False) if "most is learnt there" in line]
    assert len(refined) >= 14
    assert all(600 / 2.5 < i < 600 * 2.5 for i in refined)
    assert "crossing between " in why[6]
    assert why[-1] == "budget of 20 runs spent"


STEPS = [256, 1024, 406, 645, 551, 568, 596, 596, 545, 545, 615, 596, 619, 600]
NEAR = [256, 1024, 512, 560, 640, 600, 480, 720]
WIGGLE = (0.003, -0.002, -0.003, 0.002, 0.001, 0.002, -0.001, -0.002)
RUNS = [curve(d) + w for d, w in zip(NEAR, WIGGLE, strict=True)]


def test_few_runs_must_be_more_precise_than_asked():
    """Eight runs by (1 + 2/5)/1.1: their noise may look small by luck."""
    found = nid.d_int(NEAR, RUNS, BASELINE)
    width = math.log(found.high / found.low) / 2
    assert plan(Search(199_210, precision=1.26 * width), NEAR, RUNS, BASELINE).runs
    assert not plan(Search(199_210, precision=1.29 * width), NEAR, RUNS, BASELINE).runs


@pytest.mark.parametrize("spread", [0.0005, 0.001, 0.003, 0.01])
def test_a_direct_run_is_asked_for_where_it_narrows_the_interval_more(spread):
    """Against both intervals: with one more direct run, and with the one more d that would be best."""
    base = [0.98 - spread, 0.98, 0.98 + spread]
    found = nid.d_int(NEAR, RUNS, base)
    search = Search(199_210, precision=1e-6)
    (wanted,) = plan(search, NEAR, RUNS, base).runs
    inside = plan(replace(search, threshold=found.threshold), NEAR, RUNS, base).runs[0].d
    expected = float(np.interp(math.log(inside), np.log(found.tried), found.fit))
    after = {
        None: nid.d_int(NEAR, RUNS, [*base, 0.98], draws=20_000),
        inside: nid.d_int([*NEAR, inside], [*RUNS, expected], base, draws=20_000),
    }
    widths = {d: math.log(r.high / r.low) for d, r in after.items()}
    assert (wanted.d is None) == (widths[None] < widths[inside]) == (spread > 0.002)
    if wanted.d is None:
        assert wanted == Proposal(None, 3)


def test_direct_runs_are_explained_and_count_for_the_budget():
    base = [0.97, 0.98, 0.99]
    both = plan(Search(199_210, precision=0.01), NEAR, RUNS, base, 2)
    assert both.runs == (Proposal(None, 3), Proposal(None, 4))
    assert ": most is learnt from the baseline, known from 3 runs, to ±" in both.why
    assert both.why.endswith(" %; next 2 direct")
    mixed = plan(Search(199_210, precision=0.01), NEAR, RUNS, [0.978, 0.98, 0.982], 3)
    assert {run.d is None for run in mixed.runs} == {True, False}
    assert "most is learnt there and from the baseline, to ±" in mixed.why
    assert " and 1 direct" in mixed.why or " and 2 direct" in mixed.why
    for more, left in ((2, 2), (3, 1), (4, 0)):
        search = Search(199_210, precision=0.01, budget=12)
        assert len(plan(search, NEAR, RUNS, base + [0.98] * more, 9).runs) == left
    assert len(plan(replace(search, direct_seeds=5), NEAR, RUNS, base + [0.98] * 2, 9).runs) == 4


def test_no_direct_run_is_asked_for_where_it_tells_nothing():
    base, search = [0.97, 0.98, 0.99], Search(199_210, precision=1e-6)
    absolute = plan(replace(search, threshold=0.882), NEAR, RUNS, base, 4)
    early = plan(search, NEAR[:6], RUNS[:6], base, 4)  # the noise is not known yet
    assert all(run.d is not None for run in absolute.runs + early.runs)


def test_never_reached_even_by_all_of_D():
    d, _, why = searched(lambda d, k: 0.5, Search(3000))
    assert d == [64, 256, 1024, 3000, 3000]
    assert why[-1] == "never reached: even d = D = 3000 stays below 0.8820"


def test_already_reached_at_1():
    d, _, why = searched(lambda d, k: 0.95, Search(3000))
    assert d == [64, 16, 4, 1, 1]
    assert why[-1] == "already reached at d = 1 (0.8820)"


def test_a_jump_between_neighbours_is_said():
    """The toy problem: nothing up to 9, everything from 10 on."""
    d, p, why = searched(lambda d, k: 1.0 if d >= 10 else 0.01 * d, Search(1000), (1.0, 1.0))
    assert {9, 10} <= set(d)
    assert len(d) < 24
    assert 9 <= nid.d_int(d, p, (1.0, 1.0)).d <= 10
    assert "9 and 10" in why[-1] or "as precise as asked" in why[-1]


def test_runs_that_diverge_are_repeated_and_counted():
    d, p, _ = searched(lambda d, k: math.nan if d > 1000 else curve(d), Search(10**6, budget=12))
    assert sum(map(math.isnan, p)) >= 1
    assert len(d) <= 12


@pytest.mark.parametrize(("D", "tried"), [(10**6, [1024, 4096, 256, 16384, 64, 65536]), (1, [1] * 6)])
def test_a_search_whose_runs_all_diverge_goes_elsewhere_and_says_what_is_needed(D, tried):
    d, _, why = searched(lambda d, k: math.nan, Search(D, budget=12))
    assert d == tried
    assert why[-1].endswith(": a smaller learning rate is needed")
    both = plan(Search(1000), [16, 64], [math.nan] * 2, BASELINE, 2)
    assert [run.d for run in both.runs] == [4, 256]
    assert both.why == "2 runs and none finished: elsewhere; next d = 4 and 256"


@pytest.mark.parametrize(
    ("run", "end"),
    [
        (lambda d, k: math.nan if d > 1000 else 0.5, "is below 0.8820, and none of the runs at d = 1024"),
        (lambda d, k: math.nan if d < 1000 else 0.95, "reaches 0.8820, and none of the runs at d = 724"),
    ],
)
def test_a_d_whose_runs_diverge_is_not_tried_for_ever(run, end):
    d, _, why = searched(run, Search(10**6, budget=24), count=2)
    assert end in why[-1]
    assert why[-1].endswith("finished: a smaller learning rate is needed")
    assert len(d) < 16


def test_where_runs_diverge_amid_the_bracket_the_search_goes_round_them():
    d, _, _ = searched(lambda d, k: math.nan if 500 < d < 530 else curve(d), Search(10**5, budget=16))
    assert max(d.count(i) for i in d if 500 < i < 530) <= 2


@pytest.mark.parametrize(("share", "held"), [(0.05, 10), (0.2, 10)])
def test_collapsed_runs_move_nothing(share, held):
    """12 simulated searches, some of the runs at .1: the interval holds, and is as narrow as ever."""
    covered, widths = 0, []
    for k in range(12):
        d, p, _ = searched(collapsing(share, k), Search(199_210), count=2)
        found = nid.d_int(d, p, BASELINE, draws=500)
        covered += found.low <= 600 <= found.high
        widths.append(math.log(found.high / found.low) / 2)
        assert found.collapsed <= sum(q == 0.1 for q in p)
    assert covered >= held
    assert np.median(widths) < 0.08


def test_the_same_results_give_the_same_plan():
    d, p, _ = searched(noisy(0.02), Search(10**5, budget=11))
    assert plan(Search(10**5), d, p, BASELINE, 2) == plan(Search(10**5), tuple(d), tuple(p), BASELINE, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"D": 0}, "D is 0: D ≥ 1 is needed"),
        ({"first": 0}, "first is 0: first ≥ 1 is needed"),
        ({"budget": 0}, "budget is 0: budget ≥ 1 is needed"),
        ({"direct_seeds": 0}, "direct_seeds is 0: direct_seeds ≥ 1 is needed"),
        ({"precision": 0.0}, "precision is 0.0: a number > 0 is needed, e.g. 0.05 for ±5 %"),
        ({"precision": math.nan}, "precision is nan"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        Search(**{"D": 1000} | arguments)


# ---- through `measure`
RECIPE = nid.Recipe(
    "digits", fully_connected(64, 16, 10), None, optimizer=adam(0.1), direct_optimizer=adam(0.01),
    direct_seeds=2, epochs=4, batch_size=64, limit_train=400, budget=8, first=16,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "jobs", "cluster", "expected"),
    [
        ({}, 8, None, 8),
        ({}, 1, None, 2),
        ({"at_once": 3}, 8, None, 3),
        ({}, None, "tcp://10.0.0.1:8786", 12),
        ({"d": (10, 20)}, 8, None, 2),
        ({"d": (10, 20), "rates": nid.RateSearch()}, 8, None, 8),
    ],
)
def test_a_search_proposes_as_many_runs_as_there_is_room_for(changes, jobs, cluster, expected, monkeypatch):
    """A grid has none to propose: there the number of processes must not make another recipe of it."""
    monkeypatch.setattr(Dask, "width", 12)
    assert at_once(replace(RECIPE, **changes), Where("numpy", jobs=jobs, cluster=cluster)) == expected


def test_what_only_this_process_knows_is_searched_two_runs_at_a_time():
    recipe = replace(RECIPE, data="here:data")
    assert at_once(recipe, Where("numpy")) == 2
    with pytest.raises(ValueError, match="jobs is 8, but other processes do not know 'here:data'"):
        at_once(recipe, Where("numpy", jobs=8))


def test_the_processes_decide_and_the_measurement_remembers(tmp_path):
    """The search of eight processes is repeated by one from its recipe, without a run."""
    pytest.importorskip("joblib")
    recipe = replace(RECIPE, epochs=1, budget=12)
    lines = []
    first = nid.measure(
        recipe, tmp_path, backend=nid.get_backend("numpy", threads=1), jobs=3, tell=lines.append
    )
    assert first.recipe == replace(recipe, at_once=3)
    assert "next d = 16, 64 and 4 (" in lines[2]
    assert measured(first.recipe, tmp_path).records == first.records
    assert "proposed 3 runs at a time" in (tmp_path / "report.md").read_text()


def test_measured_by_search_on_the_digits(tmp_path, monkeypatch):
    lines = []
    m = measured(RECIPE, tmp_path, tell=lines.append)
    d = [r["spec"]["d"] for r in m.records if "d" in r["spec"]]
    assert d[:2] == [16, 64]
    assert len(m.records) == 2 + len(d) <= 10
    assert len({(r["spec"].get("d"), r["spec"]["seed"]) for r in m.records}) == len(m.records)
    assert lines[0] == "baseline: 2 direct runs"
    assert lines[2].startswith("nothing is known; next d = 16 and 64 (so far 2 runs, ")
    assert lines[-1].startswith("budget of 8 runs spent (so far 10 runs, ")
    assert math.isfinite(m.d_int.d)
    assert m.d_int.low < m.d_int.d < m.d_int.high
    assert m.compressed["d"] >= m.d_int.d
    assert asdict(m.recipe)["d"] is None

    monkeypatch.setattr(Where, "__call__", None)
    again = measured(RECIPE, tmp_path)
    assert (again.records, again.d_int) == (m.records, m.d_int)


def test_direct_runs_that_the_search_asks_for_are_repetitions_of_the_baseline():
    done = []

    def train(specs):
        done.extend(specs)
        near = dict(zip(NEAR, WIGGLE, strict=True))
        return [
            {"performance": curve(s.d) + near.get(s.d, 0.002 * (-1) ** s.d) if s.d else 0.98 + 0.02 * (s.seed % 2),
             "spec": s.spec(), "D": 199_210, "seconds": 1.0}
            for s in specs
        ]  # fmt: skip

    recipe = replace(RECIPE, first=None, budget=14, precision=0.01, seed=100)
    specs, records = pursue(recipe, "float32", train, lambda event: None)
    direct = [s for s in specs if s.d is None]
    assert len(direct) > recipe.direct_seeds == 2
    assert direct == [recipe.direct(k) for k in range(len(direct))]
    assert specs == done
    assert len(specs) == len(records) == 2 + 14


def test_a_search_that_was_interrupted_goes_on_where_it_stopped(tmp_path, monkeypatch):
    attempt, done = Where.__call__, []

    def stopping(work, spec):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(spec)
        return attempt(work, spec)

    monkeypatch.setattr(Where, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt, match="the same command does the rest"):
        measured(RECIPE, tmp_path)
    assert len(list((tmp_path / "runs").glob("*.json"))) == 5
    rest = []
    monkeypatch.setattr(Where, "__call__", lambda work, spec: (rest.append(spec), attempt(work, spec))[1])
    m = measured(RECIPE, tmp_path)
    assert {s.key for s in done}.isdisjoint(s.key for s in rest)
    assert len(rest) == len(m.records) - 5


def test_a_finer_search_in_the_same_folder_uses_what_is_there(tmp_path):
    measured(replace(RECIPE, budget=4), tmp_path)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").glob("*.json")}
    measured(replace(RECIPE, budget=6), tmp_path)
    assert len(before) == 6
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_the_command_searches_and_says_what_it_does(tmp_path, capsys):
    command = ["measure", "--model", "64-16-10", "--epochs", "2", "--seeds", "1", "--jobs", "1", "--quiet"]
    command += ["--backend", "numpy", "--d", "search:0.9", "--out", str(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "1 direct run and up to 24 of 2 epochs" in said
    assert [line.partition(":")[0] for line in said.splitlines() if " to do: about " in line] == [
        "1 run to do", "at most 24 runs to do"
    ]  # fmt: skip
    assert "nothing is known; next d = 64 and 256 (so far 1 run, " in said
    assert "(±90 %)" in said or "budget of 24 runs spent" in said
    with pytest.raises(SystemExit):
        main(["measure", "--d", "search:fast"])
    assert "'search:fast' is not a list of integers such as 10,20,50, nor search" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": -1.0}, "precision is -1.0"),
        ({"budget": 0}, "budget is 0"),
        ({"first": 0}, "first is 0"),
        ({"at_once": 0}, "at_once is 0"),
    ],
)
def test_a_wrong_search_is_refused_when_the_recipe_is_made(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **changes)
