"""The comparison with PyTorch compares the same mathematics, and its tables say what was measured."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import NO_NUMBA, needs_numba

import npintdim as nid
from benchmarks import duel, estimator, report, worker
from benchmarks.rows import ROWS, SECTIONS, Row, missing
from benchmarks.scripts.workers import Workers, search

FASTER = Row("a", "networks", "A", "m.ours", ("m.slow", "m.quick"), floor={1: 2.0}, aim={1: 3.0})
ROUNDS = {"m.ours": [1e-3, 2e-3, 3e-3], "m.slow": [9e-3] * 3, "m.quick": [4e-3, 5e-3, 6e-3]}


# --- the same mathematics


def torch_side():
    pytest.importorskip("torch", reason="PyTorch is not installed: it is only the opponent")
    return importlib.import_module("benchmarks.torch_side")


@pytest.mark.parametrize("D", [1000, 1024])
@pytest.mark.parametrize("form", ["hadamard", "hadamard_by_bits"])
def test_fastfood_in_pytorch_is_ours(D, form):
    side = torch_side()
    P = nid.make_projection("fastfood", D, 20, 3, nid.get_backend("numpy"), blocks="single")
    apply = side.Fastfood(P, getattr(side, form))
    rng = np.random.default_rng(0)
    v, g = rng.standard_normal(20).astype(np.float32), rng.standard_normal(D).astype(np.float32)
    x = side.torch.tensor(v, requires_grad=True)
    y = apply(x)
    y.backward(side.torch.tensor(g))
    np.testing.assert_allclose(y.detach().numpy(), P.apply(v), atol=1e-5)
    np.testing.assert_allclose(x.grad.numpy(), P.adjoint(g), atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "lenet"])
def test_networks_in_pytorch_are_ours(name):
    side = torch_side()
    backend = nid.get_backend("numpy")
    net = nid.mlp([784, 200, 200, 10], backend) if name == "mlp" else nid.lenet(backend=backend)
    theta = net.init_theta(0) + np.float32(0.01)
    x = np.random.default_rng(0).standard_normal((3, 1, 28, 28)).astype(np.float32)
    logits = getattr(side, name)(side.torch.tensor(theta), side.torch.tensor(x))
    np.testing.assert_allclose(logits.numpy(), net.forward(theta, x)[0], atol=1e-4)
    module = getattr(side, f"{name}_module")()
    assert sum(p.numel() for p in module.parameters()) == net.D


@needs_numba
def test_csr_in_scipy_is_ours(monkeypatch):
    projections = importlib.import_module("benchmarks.cases.projections")
    monkeypatch.setattr(projections, "D", 400)
    monkeypatch.setattr(projections, "d", 7)
    P = projections.sparse(1)
    np.testing.assert_array_equal(projections.csr().toarray(), P.to_dense())


# --- rows and cases


def test_every_case_exists():
    pytest.importorskip("numba", reason=NO_NUMBA)
    for case in {case for row in ROWS.values() for case in row.cases}:
        name, *arguments = case.split()
        module, function = name.split(".")
        if module != "pytorch" or torch_side():
            count = getattr(
                importlib.import_module(f"benchmarks.cases.{module}"), function
            ).__code__.co_argcount
            assert count == len(arguments) + 1, case


def test_rows_are_well_formed():
    for name, row in ROWS.items():
        assert row.name == name
        assert row.section in SECTIONS
        assert bool(row.against) != (row.want == "under"), name
        assert set(row.floor) <= set(row.threads), name
        for threads, aim in row.aim.items():
            floor = row.floor[threads]
            assert aim >= floor if row.want == "faster" else aim <= floor, name


def test_what_is_missing_is_said():
    assert "PyTorch is not installed" in missing(ROWS["mlp-direct"], torch=False, mnist=True)
    assert "NPINTDIM_DATA" in missing(ROWS["epoch"], torch=True, mnist=False)
    assert missing(ROWS["wht-10"], torch=False, mnist=False) is None
    assert missing(ROWS["epoch"], torch=True, mnist=True) is None


# --- rounds


def test_a_round_is_the_median_of_its_calls(monkeypatch):
    passed = [0.3, 0.1, 9.0, 0.1]  # three calls at once, to see how long one takes; then one at a time
    clock = iter([time for i, span in enumerate(passed) for time in (i, i + span)])
    calls = []
    with monkeypatch.context() as patched:
        patched.setattr("time.perf_counter", lambda: next(clock))
        measured = worker.a_round(lambda: calls.append(1), seconds=0.3)()
    assert measured == pytest.approx(0.1)
    assert len(calls) == 1 + 3 + 3


def test_a_number_is_passed_on_and_a_process_is_called_once():
    assert worker.a_round(lambda: 7.5, 0.1)() == 7.5

    class Whole:
        whole, calls = True, 0

        def __call__(self):
            self.calls += 1

    process = Whole()
    measure = worker.a_round(process, 0.1)
    measure()
    assert process.calls == 1


@needs_numba
def test_a_duel_in_two_processes(monkeypatch):
    monkeypatch.setattr(duel, "PAUSE", 0.0)
    cases = ["transform.ours 4", "transform.plain 4"]
    found = duel.duel(cases, threads=1, rounds=3, seconds=1e-3, sittings=2)
    assert list(found) == cases
    assert all(len(rounds) == 3 and all(0 < s < 1 for s in rounds) for rounds in found.values())


@needs_numba
def test_a_case_that_fails_is_an_error(capfd):
    with pytest.raises(duel.CaseError, match=r"transform.nothing 4: the process ended with status 1"):
        duel.duel(["transform.nothing 4"], 1, 1, 1e-3)
    assert "nothing" in capfd.readouterr().err


# --- tables


def test_a_ratio_is_taken_round_by_round_against_the_fastest():
    assert report.opponent(FASTER, ROUNDS) == "m.quick"
    assert report.compared(FASTER, ROUNDS) == pytest.approx([4.0, 2.5, 2.0])
    cells = [cell.strip() for cell in report.line(FASTER, 1, ROUNDS).split("|")[1:-1]]
    assert cells == ["A", "1", "2 ms (1.5 ms–2.5 ms)", "5 ms (4.5 ms–5.5 ms)", "2.5× (2.25–3.25)", "≥ 2×", "≥ 3×", "yes"]  # fmt: skip


@pytest.mark.parametrize(
    ("want", "value", "word"),
    [("faster", 1.9, "**no**"), ("faster", 2.0, "yes"), ("faster", 3.0, "aim"),
     ("within", 3.1, "**no**"), ("within", 2.9, "yes"), ("within", 2.0, "aim")],
)  # fmt: skip
def test_verdicts(want, value, word):
    floor, aim = (2.0, 3.0) if want == "faster" else (3.0, 2.0)
    row = Row("a", "networks", "A", "m.ours", ("m.other",), want, {1: floor}, {1: aim})
    assert report.verdict(row, 1, value) == word
    assert report.verdict(row, 2, value) == ""


def test_publishing_replaces_what_is_between_the_markers():
    page = "before\n<!-- table native -->\nold\n<!-- end of table native -->\nafter\n"
    new = report.publish(page, "native", "new\n")
    assert new == page.replace("old", "new")
    with pytest.raises(ValueError, match="no markers <!-- table haswell -->"):
        report.publish(page, "haswell", "")


def test_the_page_shows_the_kept_numbers():
    page = report.PAGE.read_text("utf-8")
    kept = report.load()
    assert "native" in kept
    for variant, measured in kept.items():
        assert report.tables(measured, variant) in page, variant


def test_a_case_waits_for_an_idle_machine_but_not_for_ever(monkeypatch):
    clock, slept = [0.0], []

    def sleep(seconds):
        clock[0] += seconds
        slept.append(seconds)

    monkeypatch.setattr(duel, "time", type("Clock", (), {"sleep": sleep, "monotonic": lambda: clock[0]}))
    idle = iter([0, 10, 10, 20, 20, 39])  # of 20 ticks in each pause: half, half, nearly all
    everything = iter([0, 20, 20, 40, 40, 60])
    monkeypatch.setattr(duel, "times", lambda: (next(idle), next(everything)))
    duel.pause(patience=10.0)
    assert len(slept) == 3
    busy = iter(range(0, 1000, 20))
    monkeypatch.setattr(duel, "times", lambda: (0, next(busy)))
    slept.clear()
    duel.pause(patience=1.0)
    assert 1.0 <= sum(slept) <= 1.4


def test_a_search_that_gave_up_is_counted_as_one_that_holds_nothing(capsys):
    """One run tells no noise, and so no interval."""
    values = np.stack([estimator.logs(nid.d_int([256], [0.5], [0.98])), np.log([1.0, 0.9, 1.1])])
    assert np.isnan(values[0, 1:]).all()
    cells = estimator.row("x", values).split("|")
    assert (cells[4].strip(), cells[5].strip()) == ("50.0 %", "±10.0 %")


# --- what is read or simulated


@needs_numba
def test_a_fold_of_the_transform_is_all_vectors_where_registers_are_narrow():
    """8 vectors of 16 floats through three rounds: 96 additions of four each; 64 loads and stores; nothing by the stack."""
    code = [sys.executable, "-m", "benchmarks.scripts.neon", "neoverse-n1", "float32", "transform: fold"]
    root = Path(report.__file__).parents[1]
    said = subprocess.run(code, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    head, row = ([cell.strip() for cell in said[k].split("|")[2:-1]] for k in (0, -1))
    found = dict(zip(head, map(int, row), strict=True))
    assert (found["vector"], found["registers"]) == (96, 64)
    assert found["floats"] == found["less"] == found["stack"] == found["calls"] == 0
    assert sum("\tfadd\tv" in f"\t{line}" or "\tfsub\tv" in f"\t{line}" for line in said) == 96


def test_simulated_workers_take_the_next_run_when_they_are_free():
    specs = [nid.recipe_for("mnist").subspace(600, k) for k in range(3)]
    one, two = Workers(1, 0), Workers(2, 0)
    a, b, c = (record["seconds"] for record in one.train(specs))
    two.train(specs)
    assert one.clock == pytest.approx(a + b + c)
    assert two.clock == pytest.approx(max(a, b, min(a, b) + c))
    assert one.rounds == two.rounds == 1


def test_a_search_with_more_workers_ends_sooner():
    times = [search(count, world=1, precision=0.08, budget=24)[0] for count in (1, 2, 8)]
    assert times == sorted(times, reverse=True)
    assert times[0] / times[1] > 1.7
