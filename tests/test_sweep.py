"""Sweeps: each run once, whatever interrupts, damages or kills them."""

import errno
import json
import math
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import python

import npintdim as nid
from npintdim import machine
from npintdim.measurement import executors, runs
from npintdim.measurement.events import RunFinished
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.sweep import Interrupted, runner
from npintdim.measurement.work import Where
from npintdim.signals import STOPS

MODEL = {"architecture": "mlp", "sizes": [64, 12, 10]}
FASTFOOD = {"kind": "fastfood"}
ADAM = nid.Adam(lr=0.05).spec()
DIRECT = RunSpec("digits", MODEL, optimizer=ADAM, epochs=2, batch_size=64, limit_train=300)
SUBSPACE = replace(DIRECT, projection=FASTFOOD, d=20)
SPECS = [DIRECT, SUBSPACE, replace(SUBSPACE, d=40), replace(SUBSPACE, d=40, seed=1)]


def swept(folder, specs=SPECS, **options):
    return nid.sweep(specs, folder, **{"backend": "numpy", "jobs": 1} | options)


def timeless(records):
    """Records without what a repetition changes."""
    return [
        {k: v for k, v in r.items() if k not in ("seconds", "epochs")}
        | {"epochs": [{k: v for k, v in e.items() if k != "seconds"} for e in r["epochs"]]}
        for r in records
    ]


def count_runs(monkeypatch):
    """The keys of the runs that are really trained from now on."""
    done, attempt = [], Where.__call__
    monkeypatch.setattr(Where, "__call__", lambda work, spec: (done.append(spec), attempt(work, spec))[1])
    return done


# --- the spec


def test_no_two_runs_share_a_seed_and_no_two_parts_of_a_run():
    grid = [replace(DIRECT, seed=s) for s in range(4)]
    grid += [replace(SUBSPACE, d=d, seed=s) for d in (1, 2, 3, 20) for s in range(4)]
    seeds = [seed for spec in grid for seed in spec.seeds]
    assert len(set(seeds)) == 3 * len(grid)
    assert replace(SUBSPACE, d=7, seed=2).seeds == (6 * 2**32 + 7, 7 * 2**32 + 7, 8 * 2**32 + 7)


def test_each_part_of_a_run_gets_its_own_seed():
    backend = nid.get_backend("numpy", threads=1)
    model, theta_0, P = runs.parts_of_run(SUBSPACE, backend)
    assert P.seed == SUBSPACE.seeds.P
    assert (P.kind, P.D, P.d) == ("fastfood", model.D, 20)
    assert theta_0.tobytes() == model.init_theta(SUBSPACE.seeds.theta_0).tobytes()
    assert SUBSPACE.config().seed == SUBSPACE.seeds.batches


def test_the_key_is_a_function_of_the_meaning():
    assert RunSpec(**dict(reversed(SUBSPACE.spec().items()))).key == SUBSPACE.key
    assert RunSpec(**json.loads(json.dumps(SUBSPACE.spec()))).key == SUBSPACE.key
    changes = {
        "data": "mnist", "model": MODEL | {"sizes": [64, 10]}, "projection": {"kind": "dense"}, "d": 21, "seed": 1,
        "optimizer": nid.SGD().spec(), "epochs": 3, "batch_size": 32, "l2": 1e-4, "limit_train": None,
        "dtype": "float64",
    }  # fmt: skip
    assert set(changes) == set(SUBSPACE.spec())
    keys = {replace(SUBSPACE, **{name: value}).key for name, value in changes.items()} | {SUBSPACE.key}
    assert len(keys) == len(changes) + 1


def test_the_key_is_the_same_for_ever():
    """Or an interrupted sweep would start again with the next version."""
    assert RunSpec("digits", MODEL).key == "981c54528f454db4"
    assert RunSpec("mnist", MODEL, FASTFOOD, 750, seed=2, limit_train=50_000).key == "65bc681acddc20fb"


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"d": None},
            ValueError,
            "d is None and projection {'kind': 'fastfood'}: both or neither are needed",
        ),
        ({"projection": None}, ValueError, "d is 20 and projection None: both or neither are needed"),
        ({"d": 0}, ValueError, "d is 0: "),
        ({"d": 2.5}, TypeError, "d is 2.5: an integer"),
        ({"seed": -1}, ValueError, "seed is -1: 0 ≤ seed ≤ 1000000000 is needed"),
        ({"seed": "x"}, TypeError, "seed is 'x'"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"l2": -1.0}, ValueError, "l2 is -1.0: a number ≥ 0 is needed"),
        ({"l2": math.nan}, ValueError, "l2 is nan"),
        ({"optimizer": {"kind": "adm"}}, ValueError, "unknown optimizer 'adm'.* Did you mean 'adam'"),
        ({"optimizer": {"kind": "adam", "lr": -1}}, ValueError, "lr is -1"),
    ],
)
def test_a_wrong_spec_is_refused_when_it_is_made(changes, kind, message):
    with pytest.raises(kind, match=message):
        replace(SUBSPACE, **changes)


# --- one run


def test_a_run_is_a_function_of_its_spec():
    backend = nid.get_backend("numpy", threads=1)
    data = nid.load_dataset("digits", limit_train=300)
    (first, theta), (again, theta_again) = (runs.run(SUBSPACE, backend, data) for _ in range(2))
    assert timeless([first]) == timeless([again])
    assert theta.tobytes() == theta_again.tobytes()
    _, other = runs.run(replace(SUBSPACE, seed=1), backend, data)
    assert theta.tobytes() != other.tobytes()


def test_a_record_says_what_was_done_and_where():
    backend = nid.get_backend("numpy", np.float64, threads=1)
    spec = replace(SUBSPACE, dtype="float64", l2=1e-3)
    record, theta = runs.run(spec, backend, nid.load_dataset("digits", limit_train=300))
    assert theta.shape == (20,)
    assert record["spec"] == spec.spec()
    assert record["D"] == nid.mlp([64, 12, 10], backend).D
    assert record["seeds"] == {k: str(v) for k, v in spec.seeds._asdict().items()}
    assert [e["epoch"] for e in record["epochs"]] == [0, 1]
    assert record["performance"] == record["epochs"][-1]["test"]
    assert (record["status"], record["backend"], record["threads"]) == ("finished", "numpy", 1)
    assert {"npintdim", "python", "numpy", "scipy"} <= set(record["versions"])
    json.dumps(record, allow_nan=False)


def test_the_penalty_enters_the_training_loss():
    backend, data = nid.get_backend("numpy", threads=1), nid.load_dataset("digits", limit_train=300)
    plain, penalised = (
        runs.run(replace(SUBSPACE, l2=w, epochs=1), backend, data)[0]["loss"] for w in (0.0, 0.1)
    )
    assert penalised > plain + 0.1


def test_a_backend_of_another_precision_is_refused():
    with pytest.raises(ValueError, match="backend computes in float64, but the run is specified in float32"):
        runs.run(SUBSPACE, nid.get_backend("numpy", np.float64), nid.load_dataset("digits"))


# --- records


def test_every_run_leaves_a_record_and_every_subspace_run_its_theta_d(tmp_path):
    records = swept(tmp_path)
    assert [r["spec"] for r in records] == [s.spec() for s in SPECS]
    assert all(r["status"] == "finished" and 0 < r["performance"] <= 1 for r in records)
    expected = {f"{s.key}.json" for s in SPECS} | {f"{s.key}.npy" for s in SPECS if s.d}
    assert {p.name for p in (tmp_path / "runs").iterdir()} == expected
    backend, data = nid.get_backend("numpy", threads=1), nid.load_dataset("digits", limit_train=300)
    objective, _ = runs.objective(SUBSPACE, backend, data)
    theta_d = np.load(tmp_path / "runs" / f"{SUBSPACE.key}.npy")
    assert objective.evaluate(theta_d, data.test).performance == records[1]["performance"]


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    records = swept(tmp_path)
    done = count_runs(monkeypatch)
    assert swept(tmp_path) == records
    assert done == []


def test_a_spec_that_occurs_twice_is_run_once(tmp_path, monkeypatch):
    done = count_runs(monkeypatch)
    first, second = swept(tmp_path, [SUBSPACE, SUBSPACE])
    assert first == second
    assert len(done) == 1


def test_only_missing_records_are_made(tmp_path, monkeypatch):
    records = swept(tmp_path)
    for spec in SPECS[::2]:
        (tmp_path / "runs" / f"{spec.key}.json").unlink()
    done = count_runs(monkeypatch)
    assert timeless(swept(tmp_path)) == timeless(records)
    assert done == SPECS[::2]


DAMAGE = {
    "an empty record": lambda json_file, npy_file: json_file.write_bytes(b""),
    "half a record": lambda json_file, npy_file: json_file.write_bytes(json_file.read_bytes()[:100]),
    "not JSON": lambda json_file, npy_file: json_file.write_bytes(b"\xff\xfe{"),
    "a list": lambda json_file, npy_file: json_file.write_text("[]"),
    "no performance": lambda json_file, npy_file: json_file.write_text(
        json.dumps(json.loads(json_file.read_text()) | {"performance": None})
    ),
    "an unknown status": lambda json_file, npy_file: json_file.write_text(
        json.dumps(json.loads(json_file.read_text()) | {"status": "interrupted"})
    ),
    "the record of another spec": lambda json_file, npy_file: json_file.write_text(
        json.dumps(json.loads(json_file.read_text()) | {"spec": DIRECT.spec()})
    ),
    "no theta_d": lambda json_file, npy_file: npy_file.unlink(),
    "half a theta_d": lambda json_file, npy_file: npy_file.write_bytes(npy_file.read_bytes()[:150]),
    "an empty theta_d": lambda json_file, npy_file: npy_file.write_bytes(b""),
    "theta_d of another d": lambda json_file, npy_file: np.save(npy_file, np.zeros(21)),
    "theta_d with NaN": lambda json_file, npy_file: np.save(npy_file, np.full(20, np.nan)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_told_and_done_again(tmp_path, damage, monkeypatch):
    records = swept(tmp_path, SPECS[:2])
    npy_file = tmp_path / "runs" / f"{SUBSPACE.key}.npy"
    theta_d = npy_file.read_bytes()
    DAMAGE[damage](npy_file.with_suffix(".json"), npy_file)
    done = count_runs(monkeypatch)
    with pytest.warns(UserWarning, match=rf"{SUBSPACE.key}.* the run is done again"):
        again = swept(tmp_path, SPECS[:2])
    assert done == [SUBSPACE]
    assert timeless(again) == timeless(records)
    assert npy_file.read_bytes() == theta_d


def test_a_full_disk_leaves_no_part_of_a_record(tmp_path, monkeypatch):
    swept(tmp_path, SPECS[:1])
    before = sorted(tmp_path.rglob("*"))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        real, calls = os.fsync, []
        patch.setattr(os, "fsync", lambda fd: (calls.append(fd), full(fd) if len(calls) > 1 else real(fd)))
        with pytest.raises(OSError, match="No space left"):
            swept(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert len(swept(tmp_path)) == len(SPECS)


# --- runs that do not finish


def test_a_run_that_diverges_is_a_result(tmp_path, monkeypatch):
    wild = replace(SUBSPACE, optimizer=nid.SGD(lr=1e6).spec())
    records = swept(tmp_path, [wild, DIRECT])
    assert [r["status"] for r in records] == ["diverged", "finished"]
    assert records[0]["performance"] is None
    done = count_runs(monkeypatch)
    assert swept(tmp_path, [wild, DIRECT]) == records
    assert done == []


def spoil(monkeypatch, d, what):
    """Runs at d get a landscape whose fifth gradient is `what`."""
    plain = runs.objective

    def spoiled(spec, backend, data, folder=None):
        landscape, start = plain(spec, backend, data)
        if spec.d == d and spec.epochs > 1:  # the rehearsal has one epoch
            calls, loss_and_grad = [], landscape.loss_and_grad

            def fifth(theta, batch):
                calls.append(batch)
                return what() if len(calls) == 5 else loss_and_grad(theta, batch)

            landscape.loss_and_grad = fifth
        return landscape, start

    monkeypatch.setattr(runs, "objective", spoiled)


def test_a_run_that_fails_is_recorded_told_and_tried_again(tmp_path, monkeypatch):
    def fail():
        raise MemoryError("no memory for the fifth step")

    with monkeypatch.context() as patch:
        spoil(patch, 20, fail)
        records = swept(tmp_path)
    assert [r["status"] for r in records] == ["finished", "failed", "finished", "finished"]
    assert records[1]["error"] == "MemoryError: no memory for the fifth step"
    assert records[1]["spec"] == SUBSPACE.spec()
    assert "in fail\n" in records[1]["traceback"]
    done = count_runs(monkeypatch)
    assert [r["status"] for r in swept(tmp_path)] == ["finished"] * 4
    assert done == [SUBSPACE]


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        spoil(patch, 40, interrupt)
        with pytest.raises(
            Interrupted, match=r"2 of 4 runs are kept in .*runs; the same command does the rest"
        ):
            swept(tmp_path)
    assert {p.name for p in (tmp_path / "runs").glob("*.json")} == {f"{s.key}.json" for s in SPECS[:2]}
    done = count_runs(monkeypatch)
    assert timeless(swept(tmp_path)) == timeless(swept(tmp_path / "undisturbed"))
    assert done[:2] == SPECS[2:]


# --- bad input


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        (replace(SUBSPACE, d=5000), ValueError, r"d is 5000: 1 ≤ d ≤ D = 910 is needed"),
        (replace(SUBSPACE, projection={"kind": "fastfod"}), ValueError, "Did you mean 'fastfood'"),
        (replace(SUBSPACE, projection={"kind": "fastfood", "bloks": 1}), ValueError, "Did you mean 'blocks'"),
        (replace(DIRECT, model={"architecture": "mpl", "sizes": [64, 10]}), ValueError, "Did you mean 'mlp'"),
        (replace(DIRECT, data="digit"), ValueError, "Did you mean 'digits'"),
        (
            replace(DIRECT, model=MODEL | {"sizes": [64, 5]}),
            ValueError,
            "has 5 outputs, but digits has 10 classes",
        ),
        (replace(DIRECT, model=MODEL | {"sizes": [63, 10]}), ValueError, "the model takes"),
        (
            replace(DIRECT, batch_size=301),
            ValueError,
            "batch_size is 301, but the training set has 300 examples",
        ),
        (replace(DIRECT, limit_train=10**6), ValueError, "limit_train"),
    ],
)
def test_bad_input_is_an_error_before_any_run(tmp_path, spec, kind, message, monkeypatch):
    done = count_runs(monkeypatch)
    with pytest.raises(kind, match=message):
        swept(tmp_path, [DIRECT, spec])
    assert done == []
    assert list(tmp_path.iterdir()) == []


def test_the_largest_d_is_rehearsed(tmp_path, monkeypatch):
    done = count_runs(monkeypatch)
    with pytest.raises(ValueError, match="d is 911"):
        swept(tmp_path, [SUBSPACE, replace(SUBSPACE, d=911), replace(SUBSPACE, d=30)])
    assert done == []


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        OSError, match=r"the results cannot be written to .*file.*: (Not a directory|File exists)"
    ):
        swept(tmp_path / "file")
    with pytest.raises(OSError, match="the results cannot be written to"):
        swept(tmp_path / "file" / "below")


@pytest.mark.parametrize(("jobs", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_jobs_must_be_a_positive_integer(tmp_path, jobs, kind):
    with pytest.raises(kind, match=f"jobs is {jobs}"):
        swept(tmp_path, jobs=jobs)


def test_several_jobs_need_joblib_and_one_does_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(
        ImportError, match=r"jobs=2 needs the joblib package: pip install 'npintdim\[sweep\]', or jobs=1"
    ):
        swept(tmp_path, jobs=2)
    assert len(swept(tmp_path)) == len(SPECS)


def test_without_joblib_the_default_is_one_job(monkeypatch):
    assert executors.default_jobs("cupy") == 1
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert executors.default_jobs("numpy") == 1


def daemonic(patch):
    patch.setitem(multiprocessing.current_process()._config, "daemon", True)


def forbidden(patch):
    patch.setenv("JOBLIB_MULTIPROCESSING", "0")


def no_semaphores(patch):
    def fail(context):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    patch.setattr("multiprocessing.context.BaseContext.Lock", fail)


@pytest.mark.parametrize(
    ("hinder", "why"),
    [
        (daemonic, "this process is daemonic, as Dask's workers are, and may not start any"),
        (forbidden, "JOBLIB_MULTIPROCESSING=0 forbids them"),
        (no_semaphores, "no semaphore can be made, which takes a writable /dev/shm .*Read-only file system"),
    ],
)
def test_where_no_second_process_can_be_had_one_does_the_runs_and_says_why(
    tmp_path, monkeypatch, hinder, why
):
    pytest.importorskip("joblib")
    executors.tell_once.cache_clear()
    hinder(monkeypatch)
    with pytest.warns(UserWarning, match=f"^one run at a time: {why}"):
        assert isinstance(runner(SPECS, Where("numpy")), executors.Serial)
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        assert len(swept(tmp_path, jobs=None)) == len(SPECS)
    with pytest.raises(RuntimeError, match=f"^jobs=2 needs other processes, but {why}.*: jobs=1 needs none$"):
        swept(tmp_path / "two", jobs=2)


def test_joblibs_own_way_out_without_processes_is_nobodys_choice(monkeypatch):
    joblib = pytest.importorskip("joblib")
    monkeypatch.setattr(joblib.parallel, "mp", None)
    monkeypatch.setattr(joblib.parallel, "DEFAULT_BACKEND", "threading")
    assert executors.active_backend() == (None, None)


def test_without_threadpoolctl_a_sweep_works(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert len(swept(tmp_path, SPECS[:1], jobs=None)) == 1


def test_blas_is_limited_while_a_run_lasts():
    info = pytest.importorskip("threadpoolctl").threadpool_info
    with machine.blas_threads(1):
        assert {pool["num_threads"] for pool in info() if pool["user_api"] == "blas"} == {1}


def test_progress_is_shown_when_it_is_asked_for(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)  # plain lines
    swept(tmp_path, SPECS[:2], progress=False)
    assert capsys.readouterr().err == ""
    swept(tmp_path / "again", SPECS[:2], progress=True)
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "d = 20, seed 0" in shown


# --- several processes


def test_two_processes_give_the_records_of_one(tmp_path):
    pytest.importorskip("joblib")
    one, two = swept(tmp_path / "one"), swept(tmp_path / "two", jobs=2)
    assert timeless(two) == timeless(one)
    assert [r["threads"] for r in two] == [1] * len(SPECS)
    for spec in SPECS[1:]:
        thetas = [(tmp_path / folder / "runs" / f"{spec.key}.npy").read_bytes() for folder in ("one", "two")]
        assert thetas[0] == thetas[1]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="masks POSIX signals")
def test_workers_start_deaf_to_ctrl_c_and_the_parent_hears_it_afterwards(tmp_path, monkeypatch):
    """They inherit it; a worker that is interrupted while it imports would print its traceback."""

    class Pool:
        def submit(self, function, *arguments):
            at_start.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
            if len(at_start) == 3:
                # It is not lost. Sent to this thread: another one, e.g. of OpenMP, would hear it at once.
                signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            future = Future()
            future.set_result(function(*arguments))
            return future

        def shutdown(self, kill_workers):
            at_start.append(kill_workers)

    at_start, before = [], signal.pthread_sigmask(signal.SIG_BLOCK, ())
    loky = pytest.importorskip("joblib").externals.loky
    monkeypatch.setattr(loky, "get_reusable_executor", lambda jobs, **options: Pool())
    with pytest.raises(Interrupted, match=r"\d of 4 runs are kept"):
        swept(tmp_path, jobs=2)
    *masks, killed = at_start
    assert len(masks) >= 3
    assert all(set(STOPS) <= mask for mask in masks)
    assert killed is True
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_pool_that_is_stopped_right_after_it_was_given_work_stops_quietly():
    """Loky's thread would end with a KeyError, and its traceback, for work that it had not taken up yet."""
    pytest.importorskip("joblib")
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt), executors.Processes(2).pool(Where("numpy")) as submit:
            submit(time.sleep, 0).result()  # now a worker is awake
            submit(time.sleep, 60)
            raise KeyboardInterrupt


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="masks POSIX signals")
def test_workers_are_deaf_though_python_starts_its_resource_tracker_before_the_first_of_them():
    """In a process of its own: here the tracker may run already."""
    text = """
import signal
from multiprocessing import resource_tracker
from npintdim.signals import STOPS
from npintdim.measurement.executors import deaf
with deaf():
    resource_tracker.ensure_running()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set(STOPS)
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
"""
    python("-c", text, check=True)


def test_a_pool_of_another_width_waits_in_silence_for_what_the_last_one_left():
    """What a process does to prepare itself is not waited for."""
    pytest.importorskip("joblib")
    with executors.Processes(2).pool(Where("numpy")) as submit:
        submit(time.sleep, 0.5)
    with executors.Processes(3).pool(Where("numpy")) as submit:
        assert submit(abs, -3).result() == 3


def test_a_sweep_outside_of_the_main_thread_leaves_signals_alone(tmp_path):
    pytest.importorskip("joblib")
    with ThreadPoolExecutor(1) as thread:
        assert len(thread.submit(swept, tmp_path, SPECS[:2], jobs=2).result()) == 2


def command(folder, *options):
    """A sweep of 16 runs in another process."""
    return [
        sys.executable, "-m", "npintdim", "measure", "--backend", "numpy", "--model", "64-12-10", "--epochs", "25",
        "--d", "10,30,100", "--seeds", "4", "--out", str(folder), *options,
    ]  # fmt: skip


def start(folder, *options):
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command(folder, *options), stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def wait_for(condition):
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "it does not happen"
        time.sleep(0.02)


def wait_for_records(folder, count):
    wait_for(lambda: len(list((folder / "runs").glob("*.json"))) >= count)


def test_two_sweeps_in_one_folder_do_not_spoil_each_other(tmp_path):
    both = [start(tmp_path, "--jobs", "1", "--epochs", "3") for _ in range(2)]
    outputs = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0].splitlines()[-1] == outputs[1][0].splitlines()[-1]
    assert not list(tmp_path.rglob("*.part"))


def processes_of(session):
    """Numbers of the processes of a session that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # they come and go
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds the processes in /proc")
@pytest.mark.parametrize("send", [os.kill, getattr(os, "killpg", None)], ids=["to it alone", "to all"])
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_stops_all_processes_with_one_line_and_the_same_command_goes_on(
    tmp_path, name, status, send
):
    pytest.importorskip("joblib")
    process = start(tmp_path, "--jobs", "2")
    wait_for_records(tmp_path, 3)
    send(process.pid, getattr(signal, name))
    _, err = process.communicate(timeout=60)  # the workers have stderr too: all have ended
    assert process.returncode == status
    assert len(err.splitlines()) == 1, err
    assert err.startswith("npintdim: interrupted: ")
    wait_for(lambda: not processes_of(process.pid))
    kept = {path: path.read_bytes() for path in (tmp_path / "runs").glob("*.json")}
    assert len(kept) < 16
    if name != "SIGTERM":
        return
    again = subprocess.run(command(tmp_path, "--jobs", "1"), capture_output=True, text=True, timeout=100)
    assert again.returncode == 0, again.stderr
    assert "d_int90" in again.stdout.splitlines()[-1]
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert len(list((tmp_path / "runs").glob("*.json"))) == 16


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds the processes in /proc")
def test_workers_leave_when_their_parent_is_gone(tmp_path):
    """As after the OOM killer; what they are at takes far longer than they may."""
    pytest.importorskip("joblib")
    process = start(tmp_path, "--jobs", "2", "--epochs", "100000")
    wait_for(lambda: len(list((tmp_path / "runs").glob("*.claim"))) == 2)
    assert len(processes_of(process.pid)) >= 3
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not processes_of(process.pid))


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_sweep_that_is_killed_loses_only_the_runs_it_was_at(tmp_path):
    pytest.importorskip("joblib")
    process = start(tmp_path, "--jobs", "2")
    wait_for_records(tmp_path, 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    kept = {path: path.read_bytes() for path in (tmp_path / "runs").glob("*.json")}
    assert len(list((tmp_path / "runs").glob("*.claim"))) <= 2  # they count for nothing any more
    owner = json.dumps({"host": socket.gethostname(), "pid": process.pid})
    next(iter(kept)).with_suffix(".claim").write_text(owner)  # killed between a record and its release
    again = subprocess.run(command(tmp_path, "--jobs", "1"), capture_output=True, text=True, timeout=100)
    assert again.returncode == 0, again.stderr
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert len(list((tmp_path / "runs").glob("*.json"))) == 16
    assert not list((tmp_path / "runs").glob("*.claim"))


def claimed(folder, owner):
    """Whether there is a claim with this in it."""
    for path in folder.glob("*.claim"):
        with suppress(FileNotFoundError):
            if owner in path.read_bytes():
                return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_whenever_a_sweep_is_killed_it_ends_as_if_it_had_not_been(tmp_path):
    """A dozen times, at any moment of its work, not of its start; then it is left alone. Nothing lies about."""
    options = ("--jobs", "1", "--epochs", "4")
    undisturbed = subprocess.run(
        command(tmp_path / "whole", *options), capture_output=True, text=True, check=True, timeout=100
    )
    folder, moments = tmp_path / "killed", np.random.default_rng(0)
    for _ in range(12):
        done = len(list((folder / "runs").glob("*.json")))
        process = start(folder, *options)
        give_up, at_work = time.monotonic() + 60, f'"pid": {process.pid},'.encode()
        while process.poll() is None and not claimed(folder / "runs", at_work):
            assert time.monotonic() < give_up
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.2))
        process.kill()
        process.communicate(timeout=60)
        assert len(list((folder / "runs").glob("*.json"))) >= done
    again = subprocess.run(command(folder, *options), capture_output=True, text=True, check=True, timeout=100)
    assert again.stdout.splitlines()[-1] == undisturbed.stdout.splitlines()[-1]
    assert again.stderr == ""
    names = [{path.relative_to(root) for path in root.rglob("*")} for root in (folder, tmp_path / "whole")]
    assert names[0] == names[1]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the worker in /proc")
def test_a_killed_worker_is_told_and_loses_only_its_run(tmp_path):
    pytest.importorskip("joblib")
    process = start(tmp_path, "--jobs", "2")
    wait_for_records(tmp_path, 1)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(
        next(int(pid) for pid in workers if "LokyProcess" in Path(f"/proc/{pid}/cmdline").read_text()),
        signal.SIGKILL,
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "npintdim: error: a worker process died (killed, or out of memory)" in err
    assert "Traceback" not in err
    assert all(
        json.loads(path.read_bytes())["status"] == "finished" for path in (tmp_path / "runs").glob("*.json")
    )


def test_another_joblib_backend_does_the_runs_where_it_is_named(tmp_path):
    joblib = pytest.importorskip("joblib")
    one, threads = swept(tmp_path / "one"), tmp_path / "threads"
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert isinstance(runner(SPECS, Where("numpy")), executors.Joblib)
        assert timeless(swept(threads, jobs=None)) == timeless(one)
        assert isinstance(runner(SPECS, Where("numpy", jobs=1)), executors.Serial)
    assert not isinstance(runner(SPECS, Where("numpy")), executors.Joblib)


def test_a_joblib_backend_that_cannot_stream_works_in_rounds(tmp_path, monkeypatch):
    """As Ray's does."""
    joblib = pytest.importorskip("joblib")
    monkeypatch.setattr(
        sys.modules["joblib._parallel_backends"].ThreadingBackend, "supports_return_generator", False
    )
    with joblib.parallel_config(backend="threading", n_jobs=3):
        assert [record["status"] for record in swept(tmp_path, jobs=None)] == ["finished"] * len(SPECS)


# --- an executor of one's own


SPAWN = multiprocessing.get_context("spawn")  # threads of the tests are no place to fork from


@pytest.mark.parametrize("make", [ThreadPoolExecutor, lambda n: ProcessPoolExecutor(n, SPAWN)])
def test_an_executor_of_ones_own_does_the_runs_and_is_not_shut_down(tmp_path, make):
    one = swept(tmp_path / "one")
    with make(2) as mine:
        assert runner(SPECS, Where("numpy", cluster=mine)).width == 2
        assert runner(SPECS, Where("numpy", jobs=3, cluster=mine)).width == 3
        assert timeless(swept(tmp_path / "mine", jobs=None, cluster=mine)) == timeless(one)
        assert mine.submit(abs, -3).result() == 3
    for spec in SPECS[1:]:
        thetas = [(tmp_path / folder / "runs" / f"{spec.key}.npy").read_bytes() for folder in ("one", "mine")]
        assert thetas[0] == thetas[1]


def test_a_measurement_takes_it_too_and_threads_know_what_only_this_process_knows(tmp_path):
    def local(d, seed):
        P = nid.make_projection("dense", 100, d or 100, seed, nid.get_backend("numpy", "float64", 1))
        return nid.SubspaceObjective(nid.ToyProblem(D=100, s=5), np.ones(100), P)

    recipe = nid.objective_recipe(local, d=(4, 8), direct_seeds=1, seeds=1, epochs=1)
    backend = nid.get_backend("numpy", "float64", threads=1)
    with ThreadPoolExecutor(2) as mine:
        m = nid.measure(recipe, tmp_path / "threads", backend=backend, cluster=mine)
    assert [record["status"] for record in m.records] == ["finished"] * 3
    with (
        ProcessPoolExecutor(1, SPAWN) as mine,
        pytest.raises(
            ValueError, match=r"^cluster is <.*ProcessPoolExecutor.*>, but other processes do not know 'here:"
        ),
    ):
        nid.measure(recipe, tmp_path / "processes", backend=backend, cluster=mine)


def test_what_is_no_executor_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"^cluster is 7: a Executor is needed, e\.g\. ProcessPoolExecutor"):
        swept(tmp_path, cluster=7)
    assert list(tmp_path.iterdir()) == []


def deadly(d, seed):
    """A landscape whose process dies."""
    os._exit(1)


def test_an_executor_whose_process_dies_is_told(tmp_path):
    spec = RunSpec("none", {"objective": f"{__name__}:deadly", "options": {}}, {"kind": "own"}, 5, epochs=1)
    with (
        ProcessPoolExecutor(1, SPAWN) as mine,
        pytest.raises(RuntimeError, match=r"^a worker process died .*: what had finished is kept"),
    ):
        swept(tmp_path, [spec], jobs=None, cluster=mine)


def test_a_sweep_that_is_stopped_takes_back_what_an_executor_has_not_begun(tmp_path):
    given, long = [], [*SPECS[:2], *(replace(spec, epochs=100) for spec in SPECS[2:])]

    class Slow(ThreadPoolExecutor):
        def submit(self, *call):
            given.append(super().submit(*call))
            return given[-1]

    def stop(event):
        if isinstance(event, RunFinished):
            raise KeyboardInterrupt

    with Slow(1) as mine, pytest.raises(Interrupted, match=r"\d of 4 runs (is|are) kept"):
        swept(tmp_path, long, jobs=4, cluster=mine, callbacks=[stop])
    assert given[-1].cancelled()
    assert not list((tmp_path / "runs").glob("*.claim"))
