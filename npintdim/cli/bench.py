"""npintdim bench: time, GB/s and GFLOP/s of projections and training steps, beside this machine's limits.

The pieces of work, the clock and the limits serve benchmarks/ too,
which holds the work against PyTorch and SciPy.
"""

from __future__ import annotations

import argparse
import importlib
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from npintdim.backend import Backend
from npintdim.cli.common import Parser, backend_of, say
from npintdim.engine.architectures import lenet, mlp
from npintdim.engine.landscape import Batch, Landscape
from npintdim.engine.model import Model
from npintdim.engine.optimizers import SGD, Adam, Optimizer
from npintdim.inputs import counted
from npintdim.objective import SubspaceObjective
from npintdim.projections import (
    DenseProjection,
    FastfoodProjection,
    Projection,
    SparseProjection,
    make_projection,
)
from npintdim.rng import Purpose, Stream
from npintdim.typing import Floats, Spec

PURPOSE = """\
Time projections and training steps on this machine.

Each line has the share of the limit it is nearest to: a copy of as many bytes,
or multiply-adds in registers. docs/performance.md compares with PyTorch."""
EXAMPLE = "npintdim bench --threads 2"
CHUNK = 2e-3  # seconds; shorter calls are timed several at a time
FAR = 1 << 26  # bytes that no cache holds
SHARED = 1 << 22  # bytes from which on several threads copy faster than one
ROUNDS = 100_000
SIDE = 1024

D, d = 199_210, 750  # the paper's MNIST network, and its intrinsic dimension
LENET_d = 290
EXAMPLES = 128
LR = 1e-6  # a step is timed over and over, and must not lead anywhere
EXPONENTS = (10, 14, 18, 22)  # of the lengths that are transformed


def add(parser: Parser) -> None:
    """Options of the command."""
    parser.option("--seconds S", "of repetitions for a line (0.15)", type=float, default=0.15)


def run(args: argparse.Namespace) -> int:
    """Print a line as soon as it is measured."""
    if not 0 < args.seconds < 60:
        raise ValueError(f"--seconds is {args.seconds}: a number between 0 and 60 is needed")
    backend = backend_of(args)
    say(f"backend {backend.name}, {backend.dtype.name}, {counted(backend.threads, 'thread')}")
    for line in table(bench(backend, args.seconds)):
        say(line)
    return 0


class Line(NamedTuple):
    """A line of the table: median seconds of a call, and its share of the limit that it is nearer to."""

    name: str
    seconds: float
    gigabytes: float
    gigaflops: float
    share: float
    limit: str


def bench(backend: Backend, seconds: float) -> Iterator[Line]:
    """The two limits, then transforms, projections and steps, each in so many seconds of repetitions.

    A share of "copy" is that of copying as many bytes, which therefore lie in the same cache.
    What is near 1 cannot be made faster by better code.
    """
    top, far = arithmetic_limit(backend, seconds), copy_limit(backend, FAR, seconds)
    arithmetic = "multiply-adds" if backend.name == "numba" else "matrix product"
    yield Line(f"copy of {FAR >> 20} MB", FAR / far / 1e9, far, 0.0, 1.0, "copy")
    yield Line(arithmetic, math.nan, 0.0, top, 1.0, arithmetic)
    for piece in pieces(backend):
        once = median_seconds(backend, piece.call, seconds)
        moved, done = piece.bytes / once / 1e9, piece.flops / once / 1e9
        room = min(FAR, 1 << max(14, math.ceil(math.log2(piece.bytes))))
        shares = {"copy": moved / copy_limit(backend, room, seconds), arithmetic: done / top}
        limit = max(shares, key=lambda name: shares[name])
        yield Line(piece.name, once, moved, done, shares[limit], limit)


def table(lines: Iterable[Line]) -> Iterator[str]:
    """A line of text each, as they are measured."""
    yield f"{'':30} {'time':>9} {'GB/s':>7} {'GFLOP/s':>8}  share of the limit"
    for m in lines:
        time = "" if math.isnan(m.seconds) else short_time(m.seconds)
        moved, done = (f"{rate:.1f}" if rate else "" for rate in (m.gigabytes, m.gigaflops))
        yield f"{m.name:30} {time:>9} {moved:>7} {done:>8}  {m.share:4.0%} {m.limit}"


def short_time(seconds: float) -> str:
    """In µs or ms."""
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def median_seconds(backend: Backend, call: Callable[[], object], seconds: float) -> float:
    """Median seconds of a call on the backend, after one call that compiles and draws."""

    def done() -> None:
        call()
        if backend.xp is not np:  # a GPU returns before it has done what was asked of it
            backend.xp.cuda.get_current_stream().synchronize()

    done()
    return a_round(done, seconds)()


def a_round(call: Callable[[], object], seconds: float) -> Callable[[], float]:
    """Measures the median seconds of a call, repeated for so long; three calls tell how many those are."""
    once = max(timed(call, 3), 1e-9)
    count = math.ceil(CHUNK / once)
    chunks = max(1, round(seconds / (count * once)))
    return lambda: statistics.median(timed(call, count) for _ in range(chunks))


def timed(call: Callable[[], object], count: int) -> float:
    """Seconds a call."""
    began = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - began) / count


@cache
def copy_limit(backend: Backend, count: int, seconds: float) -> float:
    """GB/s, read and written added up, of a copy in which `count` bytes move."""
    n = count // 2
    x, y = backend.xp.ones(n, dtype=np.uint8), backend.xp.zeros(n, dtype=np.uint8)
    threads = backend.threads if backend.xp is np and count >= SHARED else 1

    def copy(part: int) -> None:
        own = slice(n * part // threads, n * (part + 1) // threads)
        y[own] = x[own]

    if threads == 1:
        return count / median_seconds(backend, partial(copy, 0), seconds) / 1e9
    with ThreadPoolExecutor(threads) as pool:
        return count / median_seconds(backend, lambda: list(pool.map(copy, range(threads))), seconds) / 1e9


def arithmetic_limit(backend: Backend, seconds: float) -> float:
    """GFLOP/s of multiply-adds in registers; without compiled kernels, of a product of matrices."""
    if backend.name != "numba":
        a = backend.xp.ones((SIDE, SIDE), dtype=backend.dtype)
        return 2 * SIDE**3 / median_seconds(backend, lambda: a @ a, seconds) / 1e9
    limits: Any = importlib.import_module("npintdim.kernels.numba_cpu.machinery.limits")
    rates = []
    for chains in (limits.SEVEN, limits.TEN):
        run = partial(limits.multiply_adds, ROUNDS, chains, backend.dtype, backend.threads)
        rates.append(run() / median_seconds(backend, run, seconds) / 1e9)
    return max(rates)


class Piece(NamedTuple):
    """Something to time: the bytes must be read and written, the flops are additions and multiplications."""

    name: str
    call: Callable[[], object]
    bytes: float
    flops: float


def pieces(backend: Backend) -> Iterator[Piece]:
    """Transforms, projections and steps."""
    for k in EXPONENTS:  # n numbers read and written, n log₂ n additions
        n = 1 << k
        yield Piece(f"WHT, n = 2^{k}", transform(backend, k), 2 * n * backend.dtype.itemsize, n * k)
    yield from projections(backend)
    yield from steps(backend)


def transform(backend: Backend, k: int) -> Callable[[], object]:
    """H x of 2^k numbers."""
    return partial(backend.kernels.wht, normal(backend, 1 << k), backend.threads)


def projections(backend: Backend) -> Iterator[Piece]:
    """P v and Pᵀ g of every kind; a MemoryError if the stored matrix does not fit, with its size."""
    v, g = normal(backend, d), normal(backend, D)
    kinds: tuple[tuple[str, str, Spec], ...] = (
        ("Fastfood, stacked", "fastfood", {}),
        ("Fastfood, single", "fastfood", {"blocks": "single"}),
        ("sparse", "sparse", {}),
        ("dense ±1, drawn", "dense", {"entries": "rademacher", "stored": False}),
        ("dense, stored", "dense", {}),
    )
    for name, kind, options in kinds:
        P = make_projection(kind, D, d, 0, backend, **options)
        match P:
            case FastfoodProjection():
                moved = P.B.nbytes + P.Pi.nbytes + P.G.nbytes + P.S.nbytes
                flops = P.count * (P.n * (math.log2(P.n) + 1) + P.m * math.log2(P.m))
            case SparseProjection():
                moved, flops = P.columns[1].nbytes + P.values.nbytes, 2 * len(P.values)
            case DenseProjection(stored=True):
                moved, flops = D * d * backend.dtype.itemsize, 2 * D * d
            case _:
                moved, flops = 0, D * d
        yield Piece(f"{name}, P v", partial(P.apply, v), moved + g.nbytes, flops)
        yield Piece(f"{name}, Pᵀ g", partial(P.adjoint, g), moved + g.nbytes, flops)


def steps(backend: Backend) -> Iterator[Piece]:
    """A step directly, and in a Fastfood subspace; θ is read, its gradient written and read."""
    nets = (("MLP", mlp([784, 200, 200, 10], backend), d), ("LeNet", lenet(backend=backend), LENET_d))
    for name, net, own_d in nets:
        P = make_projection("fastfood", net.D, own_d, 0, backend)
        moved, flops = 3 * net.D * backend.dtype.itemsize, 2 * EXAMPLES * products(net)
        yield Piece(f"{name}, direct step", direct(net), moved, flops)
        yield Piece(f"{name}, Fastfood step, d = {own_d}", subspace(net, P), moved, flops)


def products(net: Model) -> int:
    """Multiplications of an example in a step: x W, xᵀ dy and dy Wᵀ of every layer; no dx of the first."""
    count, shape, times = 0, net.in_shape, 2
    for layer in net.layers:
        shape = layer.out_shape(shape)
        if "W" in layer.param_shapes():
            places = math.prod(shape[1:])  # where a kernel is used, 1 for a matrix
            count += times * places * math.prod(layer.param_shapes()["W"])
            times = 3
    return count


def direct(net: Model) -> Callable[[], object]:
    """A step on all of θ."""
    return step(net, net.init_theta(0), SGD(LR, 0.0), net.backend)


def subspace(net: Model, P: Projection) -> Callable[[], object]:
    """A step on θ_d."""
    objective = SubspaceObjective(net, net.init_theta(0), P)
    return step(objective, objective.start(), Adam(LR), net.backend)


def step(landscape: Landscape, theta: Floats, optimizer: Optimizer, backend: Backend) -> Callable[[], object]:
    """Loss, gradient, update, as `train` does it; on the same batch, over and over."""
    batch = Batch(normal(backend, EXAMPLES, 1, 28, 28), backend.send(np.arange(EXAMPLES) % 10))
    state, t = optimizer.start(theta), 0

    def call() -> None:
        nonlocal theta, state, t
        _, grad = landscape.loss_and_grad(theta, batch)
        t += 1
        theta, state = optimizer.update(theta, grad, state, t)

    return call


def normal(backend: Backend, *shape: int) -> Floats:
    """Normals, the same for everyone."""
    grid = Stream(0, Purpose.CHECK, 0, backend.kernels).normals(math.prod(shape))
    return (grid * 2.0**-20).astype(backend.dtype).reshape(shape)
