"""Several sweeps on one folder share the runs; what a sweep tells before, while and after it works."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim import files
from npintdim.files import owner, write_atomically
from npintdim.measurement import claims, records, sweep, work
from npintdim.measurement.claims import Claims
from npintdim.measurement.events import (
    Measured,
    RunFailed,
    RunFinished,
    RunStarted,
    SearchStep,
    SweepStarted,
    Waiting,
)
from npintdim.measurement.recipes import adam, fully_connected
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.sweep import Interrupted
from npintdim.measurement.work import Pace, Where, pace, predict

MODEL = {"architecture": "mlp", "sizes": [64, 12, 10]}
SUBSPACE = RunSpec(
    "digits", MODEL, {"kind": "fastfood"}, 20, optimizer=nid.Adam(lr=0.05).spec(), epochs=2, batch_size=64,
    limit_train=300,
)  # fmt: skip
SPECS = [replace(SUBSPACE, d=d) for d in (20, 30, 40)]
NUMPY = nid.get_backend("numpy", threads=1)


def swept(folder, specs=SPECS, **options):
    return nid.sweep(specs, folder, **{"backend": "numpy", "jobs": 1} | options)


# --- sharing

SHARING = """
import sys
import npintdim as nid
from npintdim.measurement.events import RunStarted
recipe = nid.Recipe("digits", {"architecture": "mlp", "sizes": [64, 12, 10]}, d=(10, 20, 30, 40), epochs=20)
started = []
print("ready", flush=True)
sys.stdin.readline()
records = nid.sweep(recipe.specs(), sys.argv[1], backend="numpy", jobs=1, callbacks=[started.append])
print(*(e.spec.key for e in started if isinstance(e, RunStarted)))
print(sum(record["status"] == "finished" for record in records))
"""


def test_processes_on_one_folder_share_the_runs(tmp_path):
    command = [sys.executable, "-c", SHARING, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=100)[0].splitlines() for process in both]
    done = [set(output[0].split()) for output in outputs]
    assert [output[1] for output in outputs] == ["15", "15"]  # both end with everything
    assert len(done[0] | done[1]) == 15
    assert done[0] & done[1] == set()
    assert min(map(len, done)) > 0
    assert not list((tmp_path / "runs").glob("*.claim"))


def foreign(folder, spec, host="elsewhere", pid=1, age=0.0, **owner):
    """A claim of another process."""
    path = folder / "runs" / f"{spec.key}.claim"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"host": host, "pid": pid, **owner}))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_what_another_machine_is_at_is_left_to_it(tmp_path):
    swept(tmp_path / "there")
    claim = foreign(tmp_path, SPECS[1])
    started = []

    def arrive():
        for end in (".npy", ".json"):  # as `records.write_record` does
            file = tmp_path / "there" / "runs" / f"{SPECS[1].key}{end}"
            file.replace(tmp_path / "runs" / file.name)
        claim.unlink()

    def tell(event):
        started.append(event)
        if isinstance(event, RunFinished) and event.spec == SPECS[2]:
            threading.Timer(0.3, arrive).start()

    swept_records = swept(tmp_path, callbacks=[tell])
    assert [record["status"] for record in swept_records] == ["finished"] * 3
    assert [e.spec for e in started if isinstance(e, RunStarted)] == [SPECS[0], SPECS[2]]
    assert [e.specs for e in started if isinstance(e, Waiting)] == [(SPECS[1],)]


@pytest.mark.parametrize(
    "leaver", [{"age": 2 * claims.STALE}, {"host": claims.socket.gethostname(), "pid": "a dead one"}]
)
def test_what_another_process_left_behind_is_done(tmp_path, leaver):
    if "pid" in leaver:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        leaver = leaver | {"pid": gone.pid}
    foreign(tmp_path, SPECS[1], **leaver)
    assert [record["status"] for record in swept(tmp_path)] == ["finished"] * 3
    assert not list((tmp_path / "runs").glob("*.claim"))


def test_a_claim_is_one_processs_alone(tmp_path):
    with Claims(tmp_path) as ours, Claims(tmp_path) as theirs:
        assert ours.take(SPECS[0])
        assert not theirs.take(SPECS[0])  # our process lives
        assert theirs.take(SPECS[1])
        ours.release(SPECS[0])
        assert theirs.take(SPECS[0])
    assert list(tmp_path.iterdir()) == []


HERE = claims.socket.gethostname()
NOBODYS = {
    "empty": "",
    "half": '{"host"',
    "no text": "\udcff",
    "deep": "[" * 100_000,
    "a list": "[]",
    "no process": "{}",
    "strange kinds": '{"host": 1, "pid": [], "owner": {}}',
    "a strange owner": json.dumps({"host": HERE, "pid": 1, "owner": "../../x"}),
    "a PID alone, of a process that lives": json.dumps({"host": HERE, "pid": os.getpid()}),
}


@pytest.mark.parametrize("content", NOBODYS)
def test_a_claim_of_nobody_is_told_and_counts_for_nothing(tmp_path, content):
    path = tmp_path / "runs" / f"{SPECS[0].key}.claim"
    path.parent.mkdir()
    path.write_text(NOBODYS[content], errors="surrogateescape")
    began = time.monotonic()
    with pytest.warns(
        UserWarning, match=rf"{path.name} is not the claim of a process .*: it counts for nothing"
    ):
        assert [record["status"] for record in swept(tmp_path)] == ["finished"] * 3
    assert time.monotonic() - began < 20
    assert left_over(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells when a process began")
def test_a_pid_that_was_given_away_is_noticed(tmp_path):
    place, pid, began = owner().split("-")
    foreign(tmp_path, SPECS[0], HERE, os.getpid(), owner=f"{place}-{pid}-{int(began) - 1}")
    foreign(tmp_path, SPECS[1], HERE, owner=f"{place}-99999999999"[:18] + "-1")
    (tmp_path / "runs" / f".{place}-{pid}-{int(began) - 1}-{'0' * 16}.part").touch()
    assert len(swept(tmp_path)) == 3
    assert left_over(tmp_path) == []


def test_a_claim_of_the_same_name_in_another_container_is_left_to_it_until_it_is_old(tmp_path):
    """Its PIDs are others, though the host has the same name."""
    with Claims(tmp_path) as ours:
        path = tmp_path / f"{SPECS[0].key}.claim"
        path.write_text(json.dumps({"host": HERE, "pid": 1, "owner": "00000000-4000000-1"}))
        assert not ours.take(SPECS[0])
        os.utime(path, (time.time() - 2 * claims.STALE,) * 2)
        assert ours.take(SPECS[0])


def test_whoever_sees_a_claim_sees_all_of_it(tmp_path, monkeypatch):
    """It is written beside, and appears at a stroke: an empty one is nobody's."""
    seen, link = [], os.link

    def watched(part, path):
        seen.append((json.loads(part.read_bytes())["owner"], path.exists()))
        link(part, path)

    monkeypatch.setattr(os, "link", watched)
    with Claims(tmp_path) as ours:
        assert ours.take(SPECS[0])
        assert seen == [(owner(), False)]


def test_a_file_system_without_links_has_claims_too(tmp_path, monkeypatch):
    def refused(part, path):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with Claims(tmp_path) as ours, Claims(tmp_path) as theirs:
        assert ours.take(SPECS[0])
        assert not theirs.take(SPECS[0])
    assert list(tmp_path.iterdir()) == []


def test_a_claim_that_was_taken_over_meanwhile_is_given_back(tmp_path, monkeypatch):
    """Two find the same claim abandoned; the second to remove it would remove the first one's."""
    path = foreign(tmp_path, SPECS[0], age=2 * claims.STALE)
    with Claims(path.parent) as ours, Claims(path.parent) as theirs:
        judge = theirs.abandoned

        def slowly(path):
            found = judge(path)
            assert ours.take(SPECS[0])
            return found

        monkeypatch.setattr(theirs, "abandoned", slowly)
        assert not theirs.take(SPECS[0])
        assert path.read_bytes() == ours.content
    assert left_over(tmp_path) == []


def left_over(folder):
    """What a sweep must not leave."""
    return [path for end in ("part", "claim") for path in folder.rglob(f"*.{end}")]


def test_parts_that_no_living_process_writes_are_removed(tmp_path):
    swept(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", "from npintdim.files import owner; print(owner())"],
                            stdout=subprocess.PIPE, text=True)  # fmt: skip
    theirs = gone.communicate()[0].strip()
    name = "0123456789abcdef.part"
    dead = [tmp_path / f".{theirs}-{name}", tmp_path / "runs" / f".{theirs}-{name}"]
    dead += [tmp_path / f".{name}", tmp_path / "runs" / f".{name}", tmp_path / "runs" / "x.part"]
    old = tmp_path / f".00000000-1-1-{name}"
    alive = [tmp_path / f".{owner()}-{name}", tmp_path / "runs" / f".{owner()}-{name}"]
    others = [tmp_path / "film.part", tmp_path / ".cache.part", tmp_path / f".00000001-1-1-{name}"]
    for path in [*dead, old, *alive, *others]:
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    swept(tmp_path)  # though there is nothing to do
    assert sorted(left_over(tmp_path)) == sorted(alive + others)


def test_every_write_removes_what_a_killed_process_left_there(tmp_path):
    left = tmp_path / ".0123456789abcdef.part"
    left.write_bytes(b"half")
    write_atomically(tmp_path / "net.npid", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["net.npid"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells of zombies")
def test_a_process_that_was_killed_but_not_waited_for_is_gone():
    child = subprocess.Popen(
        [sys.executable, "-c", "from npintdim.files import owner; print(owner(), flush=True); input()"],
        stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True,
    )  # fmt: skip
    theirs = child.stdout.readline().strip()
    assert not files.gone(theirs)
    child.kill()
    give_up = time.monotonic() + 30
    while not files.gone(theirs):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    child.communicate()
    assert files.gone(theirs)


def test_a_claim_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with Claims(tmp_path) as ours:
        ours.take(SPECS[0])
        (path,) = tmp_path.glob("*.claim")
        os.utime(path, (0, 0))
        give_up = time.monotonic() + 30
        while path.stat().st_mtime == 0:
            assert time.monotonic() < give_up
            time.sleep(0.01)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_claims_end_with_the_sweep_however_it_ends(tmp_path, monkeypatch, stop):
    def fail(*arguments):
        raise stop

    monkeypatch.setattr(sweep, "write_record", fail)
    with pytest.raises(stop):
        swept(tmp_path)
    assert list((tmp_path / "runs").iterdir()) == []


# --- events


def test_a_sweep_tells_what_happens_in_order(tmp_path):
    events = []
    swept(tmp_path, SPECS[:1])
    swept(tmp_path, callbacks=[events.append])
    first, *others = events
    assert isinstance(first, SweepStarted)
    assert (first.specs, first.kept) == (tuple(SPECS[1:]), 1)
    assert first.seconds > 0
    assert [(type(e), e.spec) for e in others] == [
        (kind, spec) for spec in SPECS[1:] for kind in (RunStarted, RunFinished)
    ]
    assert [(e.done, e.total) for e in others[1::2]] == [(1, 2), (2, 2)]
    assert others[-1].left == 0
    assert others[1].record["performance"] > 0
    events.clear()
    swept(tmp_path, callbacks=[events.append])
    assert events == []  # nothing was done


def test_the_estimate_of_the_disk_is_about_right(tmp_path):
    specs = [replace(SUBSPACE, d=d, epochs=e) for d in (20, 700) for e in (1, 12)]
    swept(tmp_path, specs)
    real = sum(path.stat().st_size for path in (tmp_path / "runs").iterdir())
    assert real / 2 < work.bytes_on_disk(specs) < 2 * real


def test_a_run_that_fails_is_told(tmp_path, monkeypatch):
    attempt, events = Where.__call__, []

    def spoiled(work, spec):
        record, theta = attempt(work, spec)
        return (record | {"status": "failed", "error": "no"}, None) if spec == SPECS[1] else (record, theta)

    monkeypatch.setattr(Where, "__call__", spoiled)
    swept(tmp_path, callbacks=[events.append])
    (told,) = [e for e in events if isinstance(e, RunFailed)]
    assert (told.spec, told.record["error"]) == (SPECS[1], "no")


def test_a_callback_that_fails_loses_no_run(tmp_path):
    def fails(event):
        if isinstance(event, RunFinished) and event.done == 2:
            raise ValueError("no room in the tracker")

    events = []
    with pytest.warns(
        UserWarning, match=r"fails failed on RunFinished, the sweep goes on: ValueError: no room"
    ):
        found = swept(tmp_path, callbacks=[fails, events.append])
    assert [record["status"] for record in found] == ["finished"] * 3
    assert sum(isinstance(e, RunFinished) for e in events) == 3


def test_a_callback_may_stop_the_sweep(tmp_path):
    def enough(event):
        if isinstance(event, RunFinished) and event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="2 of 3 runs are kept"):
        swept(tmp_path, callbacks=[enough])


def test_a_measurement_tells_its_search_and_its_end(tmp_path):
    numbers = {"optimizer": adam(0.1), "direct_optimizer": adam(0.01), "direct_seeds": 2, "epochs": 3}
    recipe = nid.Recipe("digits", fully_connected(64, 12, 10), None, budget=3, limit_train=400, **numbers)
    events, lines = [], []
    m = measured(recipe, tmp_path, tell=lines.append, callbacks=[events.append])
    assert [e.why for e in events if isinstance(e, SearchStep)] == [
        line for line in lines if " to do: about " not in line
    ]
    assert events[-1] == Measured(m)
    assert sum(isinstance(e, RunFinished) for e in events) == 5


def test_the_progress_of_a_search_names_its_bracket(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)  # plain lines
    lines = []
    numbers = {"optimizer": adam(0.1), "direct_optimizer": adam(0.01), "direct_seeds": 2, "epochs": 3}
    recipe = nid.Recipe("digits", fully_connected(64, 12, 10), None, budget=4, limit_train=400, **numbers)
    measured(recipe, tmp_path, progress=True, tell=lines.append)
    shown = [line.split(": ")[0] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["baseline", "nothing is known", lines[4].split(":")[0]]


# --- estimates


class Clock:
    """A landscape whose steps take 1 s and whose evaluation .01 s an example, on a clock of its own."""

    dim, now = 3, 0.0

    def perf_counter(self):
        return self.now

    def start(self):
        self.now += 5
        return np.zeros(3)

    def loss_and_grad(self, theta, batch):
        self.now += 1 if batch.step else 100  # the first is not counted
        return 0.0, np.zeros(3)

    def evaluate(self, theta, data):
        self.now += 0.01 * max(1, len(data))
        return nid.Evaluation(0.0, 0.5, max(1, len(data)))


def test_the_pace_of_a_run_is_that_of_its_parts(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(work, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(work, "LONGEST", 1000.0)
    monkeypatch.setattr(work, "objective", lambda *arguments: (clock, clock.start()))
    data = nid.load_dataset("digits", limit_train=300)
    found = pace(SUBSPACE, NUMPY, data)
    assert found.start == 5
    assert found.epoch == pytest.approx(
        5 * 1 + 0.01 * (300 + len(data.test))
    )  # 300 examples are 5 batches of 64
    without = pace(SUBSPACE, NUMPY, None)
    assert without.epoch == pytest.approx(100 * 1 + 2 * 0.01)


def test_a_runs_seconds_lie_on_the_line_between_two_d():
    few, many = replace(SUBSPACE, d=10), replace(SUBSPACE, d=30)
    at = [predict(replace(few, d=d, epochs=4), few, many, Pace(1, 2), Pace(2, 5)) for d in (10, 20, 30)]
    assert at == [1 + 4 * 2, 1.5 + 4 * 3.5, 2 + 4 * 5]
    assert predict(few, few, few, Pace(1, 2), Pace(1, 2)) == 5


def test_each_kind_of_run_is_timed_at_its_ends(monkeypatch):
    timed = []

    def told(spec, *_):
        timed.append(spec)
        return Pace(0.0, float(spec.d or 7))

    monkeypatch.setattr(work, "pace", told)
    direct = replace(SUBSPACE, d=None, projection=None)
    todo = [direct, *(replace(SUBSPACE, d=d, seed=s, epochs=3) for d in (20, 25, 30) for s in range(2))]
    assert Where("numpy").rehearse(todo) == [7 * 2, 60, 60, 75, 75, 90, 90]
    assert sorted(spec.d or 0 for spec in timed) == [0, 20, 30]


def test_a_disk_without_room_is_told_before_any_run(tmp_path, monkeypatch):
    monkeypatch.setattr(records.shutil, "disk_usage", lambda path: SimpleNamespace(free=2000))
    with pytest.raises(OSError, match=r"the results need about 0\.0\d MB, but .* has 0\.00 MB free"):
        swept(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_events_leave_the_estimate_of_the_time_left_falling(tmp_path, monkeypatch):
    """Every run is expected to take as long as every other, and does, on a clock of its own."""
    ticks = iter(range(100))
    monkeypatch.setattr(sweep, "time", SimpleNamespace(monotonic=lambda: next(ticks), sleep=time.sleep))
    monkeypatch.setattr(Where, "rehearse", lambda work, todo: [1.0] * len(todo))
    left = []
    swept(tmp_path, callbacks=[lambda e: left.append(e.left) if isinstance(e, RunFinished) else None])
    assert all(a > b for a, b in pairwise(left))
    assert left[-1] == 0
