"""The pieces of work that are measured, with the bytes and operations that they cannot do without."""

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
from npintdim.projections import DenseProjection, FastfoodProjection, SparseProjection, make_projection
from npintdim.rng import Purpose, Stream
from npintdim.typing import Floats, Spec

D, d = 199_210, 750  # the paper's MNIST network, and its intrinsic dimension
EXAMPLES = 128
EXPONENTS = (10, 14, 18, 22)  # of the lengths that are transformed


@dataclass(frozen=True)
class Piece:
    """Something to time.

    Parameters
    ----------
    name : for people
    call : does it once
    bytes : that have to be read and written
    flops : additions and multiplications
    """

    name: str
    call: Callable[[], object]
    bytes: float
    flops: float


def pieces(backend: Backend) -> Iterator[Piece]:
    """Transforms, projections and steps."""
    yield from transforms(backend)
    yield from projections(backend)
    yield from steps(backend)


def transforms(backend: Backend) -> Iterator[Piece]:
    """H x: n numbers read and written, n log₂ n additions."""
    for k in EXPONENTS:
        x = normal(backend, 1 << k)
        call = partial(backend.kernels.wht, x, backend.threads)
        yield Piece(f"WHT, n = 2^{k}", call, 2 * x.nbytes, len(x) * k)


def projections(backend: Backend) -> Iterator[Piece]:
    """P v and Pᵀ g of every kind.

    Raises
    ------
    MemoryError
        if the stored matrix does not fit, with its size.
    """
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
    """A step of training as `train` does it: directly, and in a Fastfood subspace."""
    for name, net, own_d in (
        ("MLP", mlp([784, 200, 200, 10], backend), d),
        ("LeNet", lenet(backend=backend), 290),
    ):
        theta_0 = net.init_theta(0)
        P = make_projection("fastfood", net.D, own_d, 0, backend)
        subspace = SubspaceObjective(net, theta_0, P)
        moved, flops = 3 * theta_0.nbytes, 2 * EXAMPLES * products(net)
        direct = step(net, theta_0, SGD(1e-6, 0.0), backend)
        yield Piece(f"{name}, direct step", direct, moved, flops)
        projected = step(subspace, subspace.start(), Adam(1e-6), backend)
        yield Piece(f"{name}, Fastfood step, d = {own_d}", projected, moved, flops)


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


def step(landscape: Landscape, theta: Floats, optimizer: Optimizer, backend: Backend) -> Callable[[], object]:
    """A step on the same batch, over and over; the learning rate is too small to lead anywhere."""
    x = normal(backend, EXAMPLES * 784).reshape(EXAMPLES, 1, 28, 28)
    batch = Batch(x, backend.send(np.arange(EXAMPLES) % 10))
    state, t = optimizer.start(theta), 0

    def call() -> None:
        nonlocal theta, state, t
        _, grad = landscape.loss_and_grad(theta, batch)
        t += 1
        theta, state = optimizer.update(theta, grad, state, t)

    return call


def normal(backend: Backend, n: int) -> Floats:
    """Normals, the same for everyone."""
    grid = Stream(0, Purpose.CHECK, 0, backend.kernels).normals(n)
    return (grid * 2.0**-20).astype(backend.dtype)
