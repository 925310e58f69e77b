"""Sweeps on a Dask cluster: two worker processes on loopback, and what befalls them."""

import json
import logging
import os
import signal
import socket
import sys
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

import npintdim as nid
from npintdim.cli import main
from npintdim.measurement import cluster, executors
from npintdim.measurement.events import RunFinished, RunStarted
from npintdim.measurement.runs import RunSpec

distributed = pytest.importorskip(
    "distributed", reason="distributed is not installed: pip install 'npintdim[dask]'"
)

MODEL = {"architecture": "mlp", "sizes": [64, 12, 10]}
SUBSPACE = RunSpec(
    "digits", MODEL, {"kind": "fastfood"}, 20, optimizer=nid.Adam(lr=0.05).spec(), epochs=5, batch_size=64
)
SPECS = [replace(SUBSPACE, d=d, seed=seed) for d in (20, 40) for seed in range(5)]


@pytest.fixture(scope="module")
def two_workers():
    """A scheduler and two worker processes, restarted when they die."""
    with local_cluster(2) as made:
        yield made


def local_cluster(workers):
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, host="127.0.0.1", scheduler_port=0, dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL + 1,
    )  # fmt: skip


def swept(folder, address, specs=SPECS, **options):
    return nid.sweep(specs, folder, backend="numpy", cluster=address, **options)


def timeless(record):
    """What a run computed."""
    return record["spec"], record["status"], record["performance"], [e["loss"] for e in record["epochs"]]


def test_the_records_are_those_of_one_process_and_arrive_as_they_finish(two_workers, tmp_path):
    events = []
    records = swept(tmp_path / "dask", two_workers.scheduler_address, callbacks=[events.append])
    here = nid.sweep(SPECS, tmp_path / "here", backend="numpy", jobs=1)
    assert [*map(timeless, records)] == [*map(timeless, here)]
    for spec in SPECS:
        thetas = [(tmp_path / where / "runs" / f"{spec.key}.npy").read_bytes() for where in ("dask", "here")]
        assert thetas[0] == thetas[1]
    kinds = [type(event) for event in events]
    assert kinds.count(RunStarted) == kinds.count(RunFinished) == len(SPECS)
    assert kinds.index(RunFinished) < len(SPECS)  # the first is here before the last has begun


def test_a_worker_killed_in_the_middle_costs_only_its_run(two_workers, tmp_path):
    killed, written = [], []

    def kill(event):
        if isinstance(event, RunFinished):
            written.append(len(list((tmp_path / "runs").glob("*.json"))))
            if len(written) == 2:
                killed.append(two_workers.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)

    records = swept(tmp_path, two_workers.scheduler_address, callbacks=[kill])
    assert killed
    assert [record["status"] for record in records] == ["finished"] * len(SPECS)
    assert written == [*range(1, len(SPECS) + 1)]  # each record was on disk when it was told


def deadly(d, seed):
    """A toy whose process dies in the middle one of three d."""
    if d == 5:
        os._exit(1)
    problem = nid.ToyProblem(D=100, s=5)
    P = nid.make_projection("dense", 100, d, seed, nid.get_backend("numpy", "float64", 1))
    return nid.SubspaceObjective(problem, np.ones(100), P)


def test_a_run_that_kills_its_workers_fails_and_those_that_waited_there_do_not(tmp_path):
    model = {"objective": f"{__name__}:deadly", "options": {}}
    specs = [RunSpec("none", model, {"kind": "own"}, d, epochs=1, dtype="float64") for d in (4, 5, 6)]
    with local_cluster(1) as made:
        records = swept(tmp_path, made.scheduler_address, specs)
    assert [record["status"] for record in records] == ["finished", "failed", "finished"]
    assert records[1]["error"].startswith("KilledWorker: ")


def test_a_worker_that_dies_in_the_rehearsal_is_told(tmp_path):
    model = {"objective": f"{__name__}:deadly", "options": {}}
    with (
        local_cluster(1) as made,
        pytest.raises(
            RuntimeError, match=r"worker tcp://.*: it died in the rehearsal, killed or out of memory"
        ),
    ):
        swept(
            tmp_path,
            made.scheduler_address,
            [RunSpec("none", model, {"kind": "own"}, 5, epochs=1, dtype="float64")],
        )


def test_what_is_wrong_with_a_worker_is_told_before_any_run(two_workers, tmp_path, monkeypatch):
    address = two_workers.scheduler_address
    with pytest.raises(Exception, match=r"worker tcp://127.0.0.1:\d+: .*no such folder"):
        swept(tmp_path, address, [replace(SUBSPACE, data="mnist")], data_folder=str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"worker tcp://127.0.0.1:\d+: d is 5000: 1 ≤ d ≤ D = 910 is needed"):
        swept(tmp_path, address, [replace(SUBSPACE, d=5000)])
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "__version__", "0.0.1")
        with pytest.raises(
            RuntimeError, match=r"worker tcp://.* has npintdim .*, but here is npintdim 0\.0\.1"
        ):
            swept(tmp_path, address)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_without_the_package_is_told(two_workers, tmp_path, monkeypatch):
    def lacking(client, function):
        raise ModuleNotFoundError("No module named 'npintdim'")

    monkeypatch.setattr(distributed.Client, "run", lacking)
    with pytest.raises(
        RuntimeError, match=f"a worker of tcp://.* lacks npintdim {nid.__version__}: No module"
    ):
        swept(tmp_path, two_workers.scheduler_address)


def test_a_function_of_this_process_cannot_go_there(two_workers, tmp_path):
    def local(d, seed):
        return deadly(d, seed)

    recipe = nid.objective_recipe(local, d=(4,), direct_seeds=1, seeds=1)
    with pytest.raises(ValueError, match=r"cluster is tcp://.*, but other processes do not know 'here:"):
        swept(tmp_path, two_workers.scheduler_address, recipe.specs())


def test_no_scheduler_no_address_no_package(tmp_path, monkeypatch, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setattr(cluster, "ANSWER", 0.5)
        with pytest.raises(
            OSError, match=f"no Dask scheduler answers at {address}: start one with `dask sch"
        ):
            swept(tmp_path, address)
    for wrong in ("127.0.0.1", "tpc://127.0.0.1:8786"):
        with pytest.raises(ValueError, match=f"cluster is '{wrong}': an address such as tcp://"):
            swept(tmp_path, wrong)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"needs the distributed package: pip install 'npintdim\[dask\]'"):
        swept(tmp_path, address)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_that_dies_keeps_what_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "JOIN", 0.5)
    monkeypatch.setattr("npintdim.measurement.executors.PATIENCE", 0.1)
    with local_cluster(1) as made:

        def stop(event):
            if isinstance(event, RunFinished):
                made.scale(0)

        with pytest.raises(RuntimeError, match=r"no worker of tcp://.* is left: what has finished is kept"):
            swept(tmp_path, made.scheduler_address, callbacks=[stop])
        kept = [json.loads(path.read_text())["status"] for path in (tmp_path / "runs").glob("*.json")]
        assert 0 < len(kept) < len(SPECS)
        assert set(kept) == {"finished"}
        assert not list((tmp_path / "runs").glob("*.claim"))
        with pytest.raises(OSError, match=r"the scheduler tcp://.* has no worker: dask worker tcp://"):
            swept(tmp_path, made.scheduler_address)


def test_a_result_that_died_with_its_worker_is_waited_for_while_there_is_hope(monkeypatch):
    """Its future is done when it is here: another worker does it again, or the check gives up."""
    monkeypatch.setattr(executors, "PATIENCE", 0.01)
    lost, checked = Future(), []

    def check():
        checked.append(1)
        if len(checked) == 2:
            lost.set_result(({"status": "finished"}, None))

    ((spec, future),) = executors.stream([SUBSPACE], lambda spec: lost, lambda: 1, check)
    assert cluster.outcome(spec, future) == ({"status": "finished"}, None)
    assert len(checked) == 2

    def give_up():
        raise RuntimeError("no worker is left")

    with pytest.raises(RuntimeError, match="no worker is left"):
        list(executors.stream([SUBSPACE], lambda spec: Future(), lambda: 1, give_up))


def test_a_scheduler_that_is_gone_keeps_what_is_done(tmp_path):
    with local_cluster(1) as made:

        def close(event):
            if isinstance(event, RunFinished):
                made.close()

        with pytest.raises(RuntimeError, match=r"the scheduler tcp://.* is gone: what has finished is kept"):
            swept(tmp_path, made.scheduler_address, callbacks=[close])
    assert 0 < len(list((tmp_path / "runs").glob("*.json"))) < len(SPECS)


def test_measure_on_a_cluster_from_the_command_line(two_workers, tmp_path, capsys):
    command = ["measure", "--backend", "numpy", "--model", "64-12-10", "--d", "20,200", "--seeds", "2"]
    options = ["--epochs", "2", "--out", str(tmp_path), "--cluster", two_workers.scheduler_address]
    assert main([*command, *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"of 2 epochs, on {two_workers.scheduler_address}, results in" in out
    assert out.splitlines()[-1].startswith("d_int90")


@pytest.mark.parametrize("command", [["measure"], ["reproduce", "softmax", "--quick"]])
def test_a_wrong_address_is_one_line(tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--backend", "numpy", "--cluster", "10.0.0.1"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err == ["npintdim: error: cluster is '10.0.0.1': an address such as tcp://10.0.0.1:8786 is needed"]
