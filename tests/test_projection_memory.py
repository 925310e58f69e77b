"""What P costs in memory: nothing of size D·d where that is promised, and a clear word where it does not fit."""

import tracemalloc

import numpy as np
import pytest
from helpers import BACKENDS, project, python

from npintdim import machine, rng
from npintdim.backend import get_backend
from npintdim.projections import make_projection


def peak(work):
    """Bytes at the highest point, beyond those at the start."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def use(P):
    P.adjoint(P.apply(np.ones(P.d)))


@pytest.mark.parametrize("name", ["gaussian, drawn", "rademacher, drawn"])
def test_drawn_entries_are_never_all_there(backend_name, name):
    D, d = 8_000, 150
    use(project(name, 100, 3, backend=backend_name))  # compiled before it is measured
    of_the_matrix = D * d * 8
    assert peak(lambda: use(project(name, D, d, backend=backend_name))) < of_the_matrix / 5
    assert peak(lambda: use(project(name.partition(",")[0], D, d, backend=backend_name))) > of_the_matrix


@pytest.mark.parametrize(("name", "limit"), [("stacked", 60), ("single", 100)])
def test_fastfood_takes_memory_for_D_not_for_D_times_d(name, limit):
    """limit: bytes for each of the n·⌈D/n⌉ outputs."""
    assert peak(lambda: use(project(name, 1 << 20, 4096))) < limit * (1 << 20) + 150e6 // 4


@pytest.mark.parametrize("threads", [1, 2])
def test_products_leave_nothing_behind(threads):
    """What threads share their work with was never freed: 400 bytes a kernel, 60 MB in a run of 40,000 steps."""
    pytest.importorskip("numba", reason="only its kernels have threads")
    P = make_projection("fastfood", 50_000, 10, 0, get_backend("numba", threads=threads))
    use(P)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(2000):
            use(P)
        assert (
            tracemalloc.get_traced_memory()[0] - before < 500_000
        )  # a helper may still hold the last arrays
    finally:
        tracemalloc.stop()


def test_stored_P_that_does_not_fit(monkeypatch):
    with pytest.raises(MemoryError, match=r"^a stored dense P, D×d = 25000000×10000 float32, takes 1000\.0 GB, "
                       r"but \d+\.\d GB are free: use stored=False, or kind 'fastfood'$"):  # fmt: skip
        make_projection("dense", 25_000_000, 10_000, 0, get_backend("numpy"))
    monkeypatch.setattr(machine, "free_memory", lambda: 8 * 100 * 5 - 1)
    with pytest.raises(MemoryError, match="D×d = 100×5 float64"):
        project("gaussian", 100, 5)
    project("gaussian", 99, 5)
    project("gaussian", 100, 5, dtype=np.float32)
    project("gaussian, drawn", 100, 5)


def test_free_memory_is_what_the_system_says():
    assert 1e6 < machine.free_memory() < 1e15


def test_of_a_P_that_is_only_described_nothing_is_drawn():
    P = make_projection("fastfood", 10**12, 10**6, 0, get_backend("numpy"))
    assert P.spec() == {
        "kind": "fastfood", "D": 10**12, "d": 10**6, "seed": "0", "blocks": "stacked", "signs": True,
    }  # fmt: skip
    assert P.shape == (10**12, 10**6)
    make_projection("dense", 10**12, 10**6, 0, get_backend("numpy"), stored=False)


LARGE = """
import resource, sys
import numpy as np
from npintdim import get_backend, make_projection
P = make_projection("fastfood", 25_000_000, 10_000, 1, get_backend(sys.argv[1], threads=1), blocks=sys.argv[2])
rng = np.random.default_rng(0)
v, g = (rng.standard_normal(n, dtype=np.float32) for n in (P.d, P.D))
Pv, Ptg = P.apply(v).astype(np.float64), P.adjoint(g).astype(np.float64)
error = abs(Pv @ g - v @ Ptg) / np.linalg.norm(Pv) / np.linalg.norm(g)  # as dot_test has it
column = P.apply(np.eye(1, 10_000, 7, dtype=np.float32)[0])
try:  # its own peak; ru_maxrss of Linux begins with that of whoever started it
    status = open("/proc/self/status").read()
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(peak, error, np.linalg.norm(column.astype(np.float64)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("blocks", ["stacked", "single"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_fastfood_of_25_million_parameters_takes_less_than_2_GB(backend, blocks):
    pytest.importorskip("resource", reason="Windows does not tell a process its peak memory")
    run = python("-c", LARGE, backend, blocks, timeout=600)
    assert run.returncode == 0, run.stderr
    peak, error, norm = map(float, run.stdout.split())
    assert peak < 2e9
    assert error < 1e-5
    assert norm == pytest.approx(1, abs=1e-3)


def test_normals_drawn_in_chunks_are_those_drawn_at_once(monkeypatch):
    stream = rng.Stream(5, rng.Purpose.CHECK)
    whole = [draw(1000, start) for draw in (stream.normals, stream.truncated_normals) for start in (0, 7)]
    monkeypatch.setattr(rng, "CHUNK", 33)
    again = [draw(1000, start) for draw in (stream.normals, stream.truncated_normals) for start in (0, 7)]
    np.testing.assert_array_equal(again, whole)
    np.testing.assert_array_equal(stream.normals(1000, 7), stream.normals(1007)[7:])
    assert stream.normals(0).shape == (0,)
    assert stream.normals(33).shape == (33,)
