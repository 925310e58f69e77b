"""The pieces of work that are measured, with the bytes and operations that they cannot do without.

`npintdim bench` holds them against the limits of the machine; benchmarks/ beside the package, against PyTorch and SciPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from npintdim.backend import Backend
from npintdim.engine.architectures import lenet, mlp
from npintdim.engine.landscape import Batch, Landscape
from npintdim.engine.model import Model
from npintdim.engine.optimizers import SGD, Adam, Optimizer
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

D, d = 199_210, 750  # the paper's MNIST network, and its intrinsic dimension
LENET_d = 290
EXAMPLES = 128
LR = 1e-6  # a step is timed over and over, and must not lead anywhere
EXPONENTS = (10, 14, 18, 22)  # of the lengths that are transformed


@dataclass(frozen=True)
class Piece:
    """Something to time: the bytes have to be read and written, the flops are additions and multiplications."""

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
    """Multiplications for an example in a step: x W, xᵀ dy and dy Wᵀ of every layer, but no dx of the first."""
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
