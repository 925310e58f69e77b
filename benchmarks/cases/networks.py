"""A step of training as `train` does it: loss, gradient, update."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import npintdim as nid
from benchmarks.cases import backend, fastfood, normal
from npintdim.cli.bench import LENET_d, direct, subspace


def mlp(threads: int, name: str = "numba", dtype: str = "float32") -> nid.Model:
    return nid.mlp([784, 200, 200, 10], backend(threads, name, dtype))


def lenet(threads: int, dtype: str = "float32") -> nid.Model:
    return nid.lenet(backend=backend(threads, dtype=dtype))


def mlp_direct(threads: int) -> Callable[[], object]:
    return direct(mlp(threads))


def mlp_direct_float64(threads: int) -> Callable[[], object]:
    return direct(mlp(threads, dtype="float64"))


def mlp_plain(threads: int) -> Callable[[], object]:
    return direct(mlp(threads, "numpy"))


def mlp_fastfood(threads: int) -> Callable[[], object]:
    return subspace(mlp(threads), fastfood(threads))


def mlp_fastfood_float64(threads: int) -> Callable[[], object]:
    return subspace(mlp(threads, dtype="float64"), fastfood(threads, dtype="float64"))


def mlp_fastfood_single(threads: int) -> Callable[[], object]:
    return subspace(mlp(threads), fastfood(threads, blocks="single"))


def lenet_direct(threads: int) -> Callable[[], object]:
    return direct(lenet(threads))


def lenet_direct_float64(threads: int) -> Callable[[], object]:
    return direct(lenet(threads, "float64"))


def lenet_fastfood(threads: int) -> Callable[[], object]:
    return lenet_subspace(threads, "float32")


def lenet_fastfood_float64(threads: int) -> Callable[[], object]:
    return lenet_subspace(threads, "float64")


def lenet_subspace(threads: int, dtype: str) -> Callable[[], object]:
    net = lenet(threads, dtype)
    return subspace(net, fastfood(threads, net.D, LENET_d, dtype=dtype))


def convolution(
    k: int, stride: int, padding: int, c_in: int, c_out: int, side: int, n: int, threads: int
) -> Callable[[], object]:
    layer = nid.Conv2D(c_in, c_out, k, stride=stride, padding=padding)
    computed, x = backend(threads), normal(n, c_in, side, side)
    params = {"W": normal(c_out, c_in, k, k), "b": np.zeros(c_out, np.float32)}
    dy = normal(*layer.forward(computed, params, x)[0].shape)

    def step() -> None:
        _, cache = layer.forward(computed, params, x)
        layer.backward(computed, params, cache, dy, need_dx=c_in > 3)

    return step
