"""Rows of P v, and what they add to Pᵀ g: the same numbers as in the whole, for every P, stored or drawn."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import random_from_the_page as page
from helpers import BACKENDS, normal, same_bits

from npintdim import machine
from npintdim.backend import get_backend
from npintdim.cli import main
from npintdim.engine.architectures import mlp
from npintdim.engine.optimizers import Adam
from npintdim.engine.train import TrainConfig, train
from npintdim.projections import fastfood, make_projection

backends = pytest.mark.parametrize("backend", BACKENDS)


def cuts(D):
    return [
        slice(0, D),
        slice(0, 1),
        slice(D - 1, D),
        slice(D // 3, D // 3 + 1),
        slice(D // 3, D - D // 4),
        slice(None),
    ]


@pytest.mark.parametrize(("D", "d"), [(7, 1), (100, 5), (129, 9), (5000, 30), (70_001, 100)])
def test_rows_are_those_of_the_whole(draw, D, d):
    P, v, g = draw(D, d), normal(d), normal(D, seed=1)
    Pv, Pt_g = P.apply(v), P.adjoint(g)
    for rows in cuts(D):
        part = P.apply(v, rows=rows)
        if P.backend.name == "numpy" and (P.kind == "orthonormal" or (P.kind == "dense" and P.stored)):
            np.testing.assert_allclose(part, Pv[rows], rtol=0, atol=1e-14 * np.abs(Pv).max())
        else:
            same_bits(part.copy(), Pv[rows].copy())
    total, ends = np.zeros(d), np.unique([0, D // 7, D // 3, D // 3 + 1, D - 1, D])
    for a, b in itertools.pairwise(ends):
        assert P.adjoint(g[a:b], rows=slice(int(a), int(b)), out=total) is total
    np.testing.assert_allclose(total, Pt_g, rtol=0, atol=1e-13 * np.linalg.norm(g))
    same_bits(P.adjoint(g, rows=slice(0, D)), Pt_g)


@backends
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("blocks", ["stacked", "single"])
@pytest.mark.parametrize(
    ("D", "d"), [(1, 1), (100, 5), (5000, 3), (5000, 30), (70_001, 900), (100_000, 20_000)]
)
def test_drawn_and_stored_fastfood_are_the_same_P(monkeypatch, backend, dtype, blocks, D, d):
    monkeypatch.setattr(fastfood, "PIECE", 1 << 11)  # many pieces
    stored, drawn = (
        make_projection("fastfood", D, d, 3, get_backend(backend, dtype, 2), blocks=blocks, stored=kept)
        for kept in (True, False)
    )
    v, g = normal(d), normal(D, seed=1)
    same_bits(drawn.apply(v), stored.apply(v))
    same_bits(drawn.adjoint(g), stored.adjoint(g))
    rows = slice(D // 3, D - D // 5)
    same_bits(drawn.adjoint(g[rows], rows=rows), stored.adjoint(g[rows], rows=rows))
    assert drawn.fingerprint() == stored.fingerprint()
    assert drawn.spec() == stored.spec()
    assert not {"B", "Pi", "G", "S"} & set(vars(drawn))


@backends
def test_rows_beyond_2_to_the_32_where_philox_carries(backend):
    """Rows of D = 2³⁴ + 100,000 around 2³⁴: word 2³⁴ is in block 2³², whose counter carries."""
    D, d, edge = (1 << 34) + 100_000, 600, 1 << 34
    P = make_projection("fastfood", D, d, 5, get_backend(backend, np.float64, 1), stored=False)
    P.__dict__["drawn_scale"] = 2.0**37  # a pass over all of G would take a minute or an hour
    v, rows = normal(d), slice(edge - 1500, edge + 1500)
    y = P.apply(v, rows=rows)
    n = P.n
    for b in (edge // n - 1, edge // n):  # each block by itself, as docs/random.md says
        B, S = (page.words(5, purpose, 0, b * n // 32, n // 32) for purpose in (page.FF_B, page.FF_S))
        B, S = (1.0 - 2 * np.unpackbits(np.array(x, "<u4").view(np.uint8), bitorder="little") for x in (B, S))
        G = np.array([page.normal(w) for w in page.words(5, page.FF_G, 0, b * n, n)]) / 2.0**37
        Pi = page.permutation(5, page.FF_PI, 0, n, row=b)
        x = np.array(page.wht(B * np.pad(v, (0, n - d)), float))
        block = S * page.wht(G * x[Pi], float)
        low, high = max(rows.start, b * n), min(rows.stop, (b + 1) * n)
        same_bits(y[low - rows.start : high - rows.start].copy(), block[low - b * n : high - b * n].copy())
    early = make_projection("fastfood", D, d, 5, P.backend, stored=False)
    early.__dict__["drawn_scale"] = 2.0**37
    assert not np.array_equal(early.apply(v, rows=slice(0, 1500)), y[1500:])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (slice(0, 10, 2), r"^rows is slice\(0, 10, 2\), with a step: rows=slice\(a, b\) with 0 ≤ a < b ≤ D = 100 is needed$"),
        (slice(0, 101), r"^b is 101: rows=slice\(a, b\) with 0 ≤ a < b ≤ D = 100 is needed$"),
        (slice(5, 5), r"^a is 5: rows=slice\(a, b\) with 0 ≤ a < b ≤ D = 100 is needed$"),
        (slice(-5, 100), r"^a is -5: rows=slice"),
        (slice(0.5, 100), r"^a is 0.5: an integer with rows=slice"),
        (7, r"^rows is 7: a slice is needed, e.g. slice\(0, D\)$"),
    ],
)  # fmt: skip
def test_rows_out_of_range(draw, rows, message):
    P = draw(100, 5)
    with pytest.raises((ValueError, TypeError), match=message):
        P.apply(normal(5), rows=rows)
    with pytest.raises((ValueError, TypeError), match=message):
        P.adjoint(normal(100), rows=rows)


def test_a_part_of_g_of_another_length(draw):
    P, out = draw(100, 5), np.zeros(5)
    with pytest.raises(ValueError, match=r"^grad_theta has shape \(9,\), but P is D×d = 100×5 and rows are 10 to 19: "
                       r"grad_theta must have shape \(10,\)$"):  # fmt: skip
        P.adjoint(normal(9), rows=slice(10, 20), out=out)
    with pytest.raises(ValueError, match=r"^out is float64 \(4,\): float64 \(5,\) is needed$"):
        P.adjoint(normal(10), rows=slice(10, 20), out=np.zeros(4))
    assert not out.any()


def test_what_is_large_is_said_once_before_it_is_taken(monkeypatch):
    backend = get_backend("numpy")
    monkeypatch.setattr(machine, "free_memory", lambda: 8e9)
    said = r"^a stored dense P, D×d = 10000000×30 float32, takes 1\.2 GB of 8 GB; where that is too much, use stored=False, or"
    with pytest.warns(UserWarning, match=said):
        make_projection("dense", 10_000_000, 30, 0, backend)
    make_projection("dense", 10_000_000, 30, 1, backend)
    make_projection("dense", 10_000_000, 25, 0, backend)


class Wide:
    """A landscape on which nobody should come so far as to compute."""

    dim, loss_and_grad, evaluate = 100_000_000, None, None


def test_memory_is_said_before_it_is_taken(monkeypatch):
    backend = get_backend("numpy")
    monkeypatch.setattr(machine, "free_memory", lambda: 1e9)
    P = make_projection("fastfood", 7_000_000_000, 10_000, 1, backend)
    with pytest.raises(MemoryError, match=r"^a stored Fastfood P, D×d = 7000000000×10000, takes 43\.8 GB, but 1\.0 GB are free: "
                       r"use stored=False$"):  # fmt: skip
        P.apply(np.ones(10_000), rows=slice(0, 10))
    with pytest.raises(MemoryError, match=r"^P v, rows 0 to 6999999999 of D×d = .*, takes 28\.0 GB, .*: "
                       r"ask for fewer by rows=slice\(a, b\)$"):  # fmt: skip
        P.apply(np.ones(10_000))
    with pytest.raises(
        MemoryError, match=r"^a sparse P, D×d = 2000000000×50000 at density 2.24e-05, takes 20\.1 GB"
    ):
        make_projection("sparse", 2_000_000_000, 50_000, 0, backend)
    for kind, what in (("onehot", "a one-hot P, .* 196"), ("coordinates", "a coordinates P, .* 112")):
        with pytest.raises(MemoryError, match=rf"^{what}\.0 GB, .*: use kind 'fastfood', stored=False$"):
            make_projection(kind, 7_000_000_000, 10, 1, backend)
    drawn = make_projection("fastfood", 7_000_000_000, 10, 1, backend, stored=False)
    with pytest.raises(MemoryError, match=r"^P v in float64, D×d = 7000000000×10, takes 56\.0 GB"):
        drawn.apply_exact(np.ones(10))
    with pytest.raises(MemoryError, match=r"^the matrix of P, D×d = 7000000000×10 float32, takes 280\.0 GB"):
        drawn.to_dense()
    model = mlp([64, 100_000, 100_000, 10], backend)
    with pytest.raises(MemoryError, match=r"^theta_0, D = 10,007,600,010 float32, takes 40\.0 GB, but 1\.0 GB are free: "
                       r"take fewer parameters; "):  # fmt: skip
        model.init_theta(0)
    with pytest.raises(MemoryError, match=r"^a training step, 100,000,000 numbers: .* state, takes 1\.6 GB, but 1\.0 GB are "
                       r"free: train fewer, in a subspace$"):  # fmt: skip
        train(Wide(), np.zeros(Wide.dim, np.float32), None, TrainConfig(Adam()))
    single = make_projection("fastfood", 7_000_000_000, 10, 1, backend, blocks="single", stored=False)
    single.__dict__["drawn_scale"] = 1.0
    with pytest.raises(MemoryError, match=r"^a block of the drawn Fastfood P, .*: use blocks='stacked'$"):
        single.apply(np.ones(10), rows=slice(0, 10))


FAR = """
import sys
import numpy as np
from npintdim import get_backend, make_projection
D, d, rows = 7_000_000_000, 10_000, slice(7_000_000_000 - (1 << int(sys.argv[2])), 7_000_000_000)
P = make_projection("fastfood", D, d, 1, get_backend(sys.argv[1], threads=1), stored=False)
P.__dict__["drawn_scale"] = 1e12  # of a pass over all normals
y = P.apply(np.ones(d, np.float32), rows=rows)
P.adjoint(y, rows=rows, out=np.zeros(d, np.float32))
print(int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process is read from /proc")
@backends
def test_7_billion_parameters_by_slices_take_less_than_300_MB(backend):
    run = subprocess.run(
        [sys.executable, "-c", FAR, backend, "24"], capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 300e6


def test_the_commands_take_a_drawn_fastfood_and_give_the_same_numbers(capsys, tmp_path):
    small = ["--model", "64-16-10", "--epochs", "1", "--backend", "numpy"]
    said = []
    for option in ([], ["--option", "stored=False"]):
        assert main(["train", "--d", "20", *small, *option]) == 0
        said.append([line.split()[1:4] for line in capsys.readouterr().out.splitlines() if "0." in line][:-1])
    assert len(said[0]) == 1
    assert said[0] == said[1]
    one = ["--d", "20,200", "--seeds", "1", "--jobs", "1", "--option", "stored=False", "--out", str(tmp_path)]
    assert main(["measure", *small, *one]) == 0
    assert "d_int90" in capsys.readouterr().out
    assert main(["train", "--d", "20", *small, "--option", "stored=no"]) == 2
    assert "stored is 'no': True or False is needed" in capsys.readouterr().err
