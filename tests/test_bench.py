"""npintdim bench: what a piece of work needs at least, the limits, and the table."""

import math
import time

import numpy as np
import pytest
from helpers import needs_numba

import npintdim as nid
from npintdim.cli import bench, main
from npintdim.cli.bench import Piece, products

QUICK = 1e-3


@pytest.fixture
def small(monkeypatch):
    """A projection of 500 × 20 and short transforms."""
    monkeypatch.setattr(bench, "D", 500)
    monkeypatch.setattr(bench, "d", 20)
    monkeypatch.setattr(bench, "EXPONENTS", (3, 6))
    monkeypatch.setattr(bench, "EXAMPLES", 2)
    monkeypatch.setattr(bench, "SIDE", 32)
    monkeypatch.setattr(bench, "ROUNDS", 100)
    monkeypatch.setattr(bench, "FAR", 1 << 16)


def test_multiplications_of_a_step():
    """112.5 and 194 million operations for 128 examples, counted by hand."""
    mlp, lenet = nid.mlp([784, 200, 200, 10]), nid.lenet()
    assert products(mlp) == 2 * 784 * 200 + 3 * (200 * 200 + 200 * 10)
    conv = 2 * 24 * 24 * 6 * 25 + 3 * 8 * 8 * 16 * 6 * 25
    assert products(lenet) == conv + 3 * (256 * 120 + 120 * 84 + 84 * 10)


def test_every_piece_of_work_is_measured(small, backend_name):
    backend = nid.get_backend(backend_name, np.float32, threads=2)
    lines = list(bench.bench(backend, QUICK))
    names = [line.name for line in lines]
    assert len(set(names)) == len(names) == 2 + 2 + 10 + 4
    for line in lines[2:]:
        assert 0 < line.seconds < 1
        assert 0 < line.gigabytes < 1e4
        assert 0 < line.gigaflops < 1e4
        assert 0 < line.share < 100


def test_rates_are_per_second_and_the_nearer_limit_is_named(monkeypatch):
    pieces = [
        Piece("moves", lambda: time.sleep(0.01), bytes=1e9, flops=1.0),
        Piece("counts", lambda: time.sleep(0.01), bytes=1.0, flops=1e9),
    ]
    monkeypatch.setattr(bench, "pieces", lambda backend: iter(pieces))
    monkeypatch.setattr(bench, "copy_limit", lambda *_: 200.0)
    monkeypatch.setattr(bench, "arithmetic_limit", lambda *_: 400.0)
    copy, arithmetic, moves, counts = bench.bench(nid.get_backend("numpy"), QUICK)
    assert (copy.gigabytes, arithmetic.gigaflops) == (200.0, 400.0)
    assert 0.01 <= moves.seconds < 1
    assert moves.gigabytes == pytest.approx(1 / moves.seconds)
    assert (moves.limit, moves.share) == ("copy", pytest.approx(moves.gigabytes / 200))
    assert (counts.limit, counts.share) == ("matrix product", pytest.approx(counts.gigaflops / 400))


@needs_numba
def test_multiply_adds_do_what_they_count():
    from npintdim.kernels.numba_cpu.machinery.limits import TEN, multiply_adds

    dtype = np.dtype(np.float32)
    assert multiply_adds(100, TEN, dtype, 2) == 2 * 16 * TEN * 100 * 2
    multiply_adds(1, TEN, dtype)
    once, tenfold = (min(seconds(multiply_adds, n, TEN, dtype) for _ in range(5)) for n in (10**5, 10**6))
    assert tenfold > 3 * once  # no compiler has left them out


def seconds(f, *arguments):
    began = time.perf_counter()
    f(*arguments)
    return time.perf_counter() - began


def test_the_copy_limit_counts_what_is_read_and_written():
    backend = nid.get_backend("numpy", threads=2)
    count = bench.SHARED  # two threads
    x, y = np.ones(count // 2, np.uint8), np.zeros(count // 2, np.uint8)
    once = min(seconds(np.copyto, y, x) for _ in range(20))
    assert 0.05 < bench.copy_limit(backend, count, 0.05) / (count / once / 1e9) < 20


def test_the_table():
    lines = [
        bench.Line("multiply-adds", math.nan, 0.0, 280.0, 1.0, "multiply-adds"),
        bench.Line("WHT", 1.25e-6, 6.0, 7.9, 0.17, "copy"),
        bench.Line("step", 0.00125, 2.0, 100.0, 0.4, "multiply-adds"),
    ]
    header, *text = bench.table(lines)
    assert [" ".join(line.split()) for line in text] == [
        "multiply-adds 280.0 100% multiply-adds",
        "WHT 1.2 µs 6.0 7.9 17% copy",
        "step 1.25 ms 2.0 100.0 40% multiply-adds",
    ]
    assert all(line.index("%") == text[0].index("%") for line in text)
    assert len(header) <= 80


def test_the_command(small, capsys):
    assert main(["bench", "--backend", "numpy", "--seconds", str(QUICK), "--threads", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "backend numpy, float32, 2 threads"
    assert len(lines) == 2 + 18
    assert any(line.startswith("MLP, Fastfood step, d = 20 ") for line in lines)


def test_the_command_refuses_no_time(capsys):
    assert main(["bench", "--seconds", "0"]) == 2
    assert "--seconds is 0.0: a number between 0 and 60 is needed" in capsys.readouterr().err
