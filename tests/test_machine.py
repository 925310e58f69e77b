"""Memory, cores and BLAS' threads, as the system and a container limit them."""

import math
import os
import re
import subprocess
import sys

import pytest
from helpers import command

from npintdim import get_backend, machine
from npintdim.machine import blas_threads, core_limit, cores, free_memory, memory_limit, numpys_blas
from npintdim.projections import make_projection

GB = 10**9
V1 = "9:name=systemd:/\n4:memory:/docker/a\n3:cpuset:/\n1:cpu,cpuacct:/docker/a\n0::/\n"


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine with 8 cores and 16 GB whose files are in a folder; system(path=content, ...) adds some."""
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)

    def write(files):
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(str(content))

    write({"proc/meminfo": f"MemTotal: {20 * GB // 1000} kB\nMemAvailable: {16 * GB // 1024} kB\n"})
    return write


def cpu_v2(folder, quota):
    return {f"sys/fs/cgroup{folder}/cpu.max": quota}


def cpu_v1(folder, quota, period=100_000):
    return {
        f"sys/fs/cgroup/cpu{folder}/cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/cpu{folder}/cpu.cfs_period_us": period,
    }


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("", {}, 8),  # no such system
        ("0::/\n", {}, 8),
        ("0::/\n", cpu_v2("", "max 100000"), 8),
        ("0::/\n", cpu_v2("", "200000 100000"), 2),  # what a container sees of itself
        ("0::/\n", cpu_v2("", "150000 100000"), 2),
        ("0::/\n", cpu_v2("", "1000 100000"), 1),
        ("0::/a/b\n", cpu_v2("/a/b", "300000 100000"), 3),
        ("0::/a/b\n", cpu_v2("/a", "300000 100000") | cpu_v2("/a/b", "max 100000"), 3),  # of what it lies in
        ("0::/a/b\n", cpu_v2("/a", "300000 100000") | cpu_v2("/a/b", "500000 100000"), 3),
        ("0::/../../c\n", cpu_v2("", "300000 100000"), 3),  # beyond the root of its name space
        ("0::/gone\n", cpu_v2("", "300000 100000"), 3),
        ("0::/a:b\n", cpu_v2("/a:b", "300000 100000"), 3),
        ("0::/\n", cpu_v2("", "1600000 100000"), 8),  # more than there is
        ("0::/\n", cpu_v2("", "garbage"), 8),
        (V1, cpu_v1("", -1), 8),
        (V1, cpu_v1("", 400_000), 4),
        (V1, cpu_v1("/docker/a", 50_000), 1),
        (V1, cpu_v1("/docker/a", 120_000, 50_000), 3),
        (V1, cpu_v1("/docker", 200_000) | cpu_v1("/docker/a", -1), 2),
        (V1, cpu_v1("/another", 100_000), 8),
        ("2:cpuacct:/a\n", cpu_v1("/a", 100_000), 8),  # does not limit
    ],
)
def test_the_cpu_quota_of_a_container(system, own, files, expected):
    system({"proc/self/cgroup": own} | files)
    n, why = core_limit()
    assert cores() == n == expected
    assert ("quota" in why) == (expected < 8)
    assert get_backend("numpy").threads == expected


def test_joblibs_own_limit(system, monkeypatch):
    system({"proc/self/cgroup": "0::/"} | cpu_v2("", "300000 100000"))
    for given, expected in (("1", 1), ("0", 1), ("2", 2), ("5", 3), ("99999999999999999999", 3)):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", given)
        assert cores() == expected
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "x")
    with pytest.raises(ValueError, match=r"^LOKY_MAX_CPU_COUNT is 'x': an integer is needed$"):
        cores()


def test_affinity_and_what_other_systems_say(system, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert core_limit() == (1, "that it may run on")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert core_limit() == (8, "of this machine")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def memory(folder, most, used, cache=0, v1=False):
    names = (
        ("limit_in_bytes", "usage_in_bytes", "total_inactive_file")
        if v1
        else ("max", "current", "inactive_file")
    )
    folder = f"sys/fs/cgroup{'/memory' * v1}{folder}"
    return {
        f"{folder}/memory.{names[0]}": most,
        f"{folder}/memory.{names[1]}": used,
        f"{folder}/memory.stat": f"cache 5\n{names[2]} {cache}\nactive_file 7\n",
    }


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("", {}, 16),
        ("0::/", memory("", "max", GB), 16),
        ("0::/", memory("", 4 * GB, GB), 3),
        ("0::/", memory("", 4 * GB, 3 * GB, 2 * GB), 3),  # what files hold is given back
        ("0::/", memory("", 4 * GB, 5 * GB), 0),
        ("0::/a/b", memory("/a", 4 * GB, GB) | memory("/a/b", "max", 0), 3),
        ("0::/a/b", memory("/a", 4 * GB, GB) | memory("/a/b", 2 * GB, 0), 2),
        ("0::/", memory("", 99 * GB, GB), 16),
        (V1, memory("/docker/a", 9223372036854771712, GB, v1=True), 16),
        (V1, memory("/docker/a", 4 * GB, 2 * GB, GB, v1=True), 3),
        (V1, memory("", 4 * GB, GB, v1=True), 3),
        (V1, memory("/docker", 4 * GB, GB, v1=True) | memory("/docker/a", 9 * GB, GB, v1=True), 3),
        (V1, memory("/another", 4 * GB, GB, v1=True), 16),
    ],
)
def test_the_memory_limit_of_a_container(system, own, files, expected):
    system({"proc/self/cgroup": own} | files)
    free, why = memory_limit()
    assert free_memory() == free == pytest.approx(expected * GB, abs=2000)
    assert (why == "of this machine") == (expected == 16)


def test_a_stored_P_that_the_container_has_no_room_for_is_refused(system):
    system({"proc/self/cgroup": "0::/a"} | memory("/a", 10**6, 0))
    with pytest.raises(MemoryError, match=r"takes 0\.0 GB, but 0\.0 GB are free: use stored=False"):
        make_projection("dense", 100_000, 5, 0, get_backend("numpy"))
    make_projection("dense", 10_000, 5, 0, get_backend("numpy"))


def test_a_system_that_says_less(system, tmp_path, monkeypatch):
    (tmp_path / "proc" / "meminfo").unlink()
    monkeypatch.setattr(os, "sysconf_names", {"SC_PHYS_PAGES": 1}, raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 4, "SC_PAGE_SIZE": 3}.get, raising=False)
    assert free_memory() == 12.0
    monkeypatch.setattr(os, "sysconf_names", {}, raising=False)
    assert memory_limit() == (math.inf, "the system does not say")


def test_info_says_which_limit_holds(system, capsys):
    system({"proc/self/cgroup": "0::/a"} | memory("/a", 4 * GB, GB) | cpu_v2("/a", "300000 100000"))
    code, out, _ = command(capsys, "info")
    assert code == 0
    assert "threads    3 cores for this process (by the CPU quota of /sys/fs/cgroup/a); --threads N" in out
    assert "memory     3.0 GB free (by memory.max of /sys/fs/cgroup/a)" in out


# --- BLAS


def test_numpys_own_blas_is_limited_without_threadpoolctl(monkeypatch):
    own = numpys_blas()
    if own is None:
        pytest.skip("NumPy has another BLAS than OpenBLAS here")
    get, put = own
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    before = get()
    put(2)
    try:
        with blas_threads(1):
            assert get() == 1
            with pytest.raises(RuntimeError), blas_threads(2):
                assert get() == 2
                raise RuntimeError
            assert get() == 1
        assert get() == 2
    finally:
        put(before)


def test_info_without_threadpoolctl_says_what_holds(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    if numpys_blas():
        for n in (1, 2):
            assert f"threads    BLAS of NumPy: {n}\n" in command(capsys, "info", "--threads", n)[1]
    monkeypatch.setattr(machine, "BLAS", ())
    assert numpys_blas() is None
    code, out, _ = command(capsys, "info")
    assert code == 0
    assert "threads    BLAS: as many as it likes" in out


def test_without_extras_every_command_computes_with_one_thread(tmp_path):
    """As it is installed without extras, and in a process that starts with two threads."""
    if numpys_blas() is None:
        pytest.skip("NumPy has another BLAS than OpenBLAS here")
    (tmp_path / "threadpoolctl.py").write_text("raise ModuleNotFoundError(name='threadpoolctl')")
    (tmp_path / "watch.py").write_text(
        "import sys\n"
        "import numpy as np\n"
        "from npintdim import cli, train\n"
        "from npintdim.machine import numpys_blas\n"
        "from npintdim.cli import COMMANDS\n"
        "get, put = numpys_blas()\n"
        "put(2)\n"
        "for command in COMMANDS.values():\n"
        "    command.run = lambda args: print(get())\n"
        "for argv in (['toy'], ['train'], ['measure', '--threads', '2'], ['plot', '.']):\n"
        "    cli.main(argv)\n"
        "print(get())\n"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    call = [sys.executable, str(tmp_path / "watch.py")]
    ended = subprocess.run(call, capture_output=True, text=True, env=env, timeout=60)
    assert (ended.stdout.split(), ended.stderr) == (["1", "1", "2", "1", "2"], "")


@pytest.mark.parametrize("threads", [0, -1, 4097, 10**20])
def test_a_number_of_threads_that_cannot_be(capsys, threads):
    message = f"threads is {threads}: .*1 ≤ threads ≤ 4096 is needed"
    with pytest.raises(ValueError, match=message):
        get_backend("numpy", threads=threads)
    with pytest.raises(ValueError, match=message), blas_threads(threads):
        pass
    for name in ("info", "train", "toy"):
        code, out, err = command(capsys, name, "--threads", threads)
        assert (code, out) == (2, "")
        assert re.fullmatch(f"npintdim: error: {message}\n", err)
