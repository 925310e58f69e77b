"""The opponents in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks import torch_side
from benchmarks.cases import D, d, fastfood, images, labels, normal
from npintdim.cli.bench import LR, LENET_d

LENET_D = 44_426


def tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(array)


def operator(P: Any, transform: Any) -> Callable[[], object]:
    """P v forward, Pᵀ g by autograd."""
    apply = torch_side.Fastfood(P, transform)
    v, g = tensor(normal(P.d)).requires_grad_(), tensor(normal(P.D))

    def both() -> None:
        v.grad = None
        apply(v).backward(g)

    return both


def fastfood_op(threads: int) -> Callable[[], object]:
    return operator(fastfood(1, blocks="single"), torch_side.hadamard)


def fastfood_by_bits(threads: int) -> Callable[[], object]:
    return operator(fastfood(1, blocks="single"), torch_side.hadamard_by_bits)


def mv_apply(threads: int) -> Callable[[], object]:
    return partial(torch.mv, torch.randn(D, d), tensor(normal(d)))


def mv_adjoint(threads: int) -> Callable[[], object]:
    return partial(torch.mv, torch.randn(D, d).t(), tensor(normal(D)))


def mlp_direct(threads: int) -> Callable[[], object]:
    return torch_side.direct_step(torch_side.mlp_module(), tensor(images()), tensor(labels()), LR)


def lenet_direct(threads: int) -> Callable[[], object]:
    return torch_side.direct_step(torch_side.lenet_module(), tensor(images()), tensor(labels()), LR)


def lenet_channels_last(threads: int) -> Callable[[], object]:
    module = torch_side.lenet_module().to(memory_format=torch.channels_last)
    x = tensor(images()).contiguous(memory_format=torch.channels_last)
    return torch_side.direct_step(module, x, tensor(labels()), LR)


def subspace(logits: Any, D: int, d: int) -> Callable[[], object]:
    P = torch_side.Fastfood(fastfood(1, D, d, "single"))
    net = torch_side.Subspace(logits, tensor(normal(D)) * 0.05, P, d, LR)
    return partial(net.step, tensor(images()), tensor(labels()))


def mlp_fastfood(threads: int) -> Callable[[], object]:
    return subspace(torch_side.mlp, D, d)


def lenet_fastfood(threads: int) -> Callable[[], object]:
    return subspace(torch_side.lenet, LENET_D, LENET_d)


def convolution(
    k: int, stride: int, padding: int, c_in: int, c_out: int, side: int, n: int, threads: int
) -> Callable[[], object]:
    layer = torch.nn.Conv2d(c_in, c_out, k, stride=stride, padding=padding)
    x = tensor(normal(n, c_in, side, side)).requires_grad_(c_in > 3)
    dy = torch.randn_like(layer(x))

    def step() -> None:
        x.grad = layer.weight.grad = layer.bias.grad = None
        layer(x).backward(dy)

    return step
