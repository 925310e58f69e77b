"""What a PyTorch user would write: Fastfood by chunk and cat, networks over a flat theta, and torch.nn for direct training."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import npintdim as nid
from npintdim.kernels.reference import signs

MLP_SHAPES = ((784, 200), (200,), (200, 200), (200,), (200, 10), (10,))
LENET_SHAPES = (
    (6, 1, 5, 5),
    (6,),
    (16, 6, 5, 5),
    (16,),
    (256, 120),
    (120,),
    (120, 84),
    (84,),
    (84, 10),
    (10,),
)


def hadamard(x: Tensor) -> Tensor:
    """H x: butterflies with chunk and cat, largest stride first, which is the fastest order in PyTorch."""
    h = len(x) // 2
    while h:
        a, b = x.view(-1, 2, h).chunk(2, dim=1)
        x = torch.cat((a + b, a - b), dim=1)
        h //= 2
    return x.reshape(-1)


def hadamard_by_bits(x: Tensor) -> Tensor:
    """H x as most ports have it: a dimension for every bit of the index."""
    k = len(x).bit_length() - 1
    x = x.view([2] * k)
    for bit in range(k):
        a, b = torch.chunk(x, 2, dim=bit)
        x = torch.cat((a + b, a - b), dim=bit)
    return x.reshape(-1)


class Fastfood:
    """The operator of a `FastfoodProjection` with blocks="single", from its factors: S (H G Π H B pad v)[:D]."""

    def __init__(self, P: Any, transform: Callable[[Tensor], Tensor] = hadamard) -> None:
        self.D, self.n, self.transform = P.D, P.n, transform
        B = np.ones(P.n, dtype=np.float32)
        B[: P.m] = signs(P.B, P.m)
        Pi = nid.Stream(P.seed, nid.Purpose.FF_PI, 0, P.backend.kernels).permutations(1, P.n)[0]
        self.B, self.Pi = torch.tensor(B), torch.tensor(Pi.astype(np.int64))
        self.G, self.S = torch.tensor(P.G[0]), torch.tensor(signs(P.S, P.D).astype(np.float32))

    def __call__(self, v: Tensor) -> Tensor:
        x = self.transform(self.B * F.pad(v, (0, self.n - len(v))))
        return self.S * self.transform(self.G * x[self.Pi])[: self.D]


def parameters(theta: Tensor, shapes: tuple[tuple[int, ...], ...]) -> list[Tensor]:
    """Views of a flat theta; one split, whose backward is one cat."""
    return [part.view(shape) for part, shape in zip(theta.split([*map(prod, shapes)]), shapes, strict=True)]


def dense(parameters: list[Tensor], x: Tensor) -> Tensor:
    """Affine maps with ReLU between them."""
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    for W, b in layers[:-1]:
        x = F.relu(torch.addmm(b, x, W))
    W, b = layers[-1]
    return torch.addmm(b, x, W)


def mlp(theta: Tensor, x: Tensor) -> Tensor:
    """Logits of 784-200-200-10 with flat parameters."""
    return dense(parameters(theta, MLP_SHAPES), x.flatten(1))


def lenet(theta: Tensor, x: Tensor) -> Tensor:
    """Logits of LeNet on 28×28 images with flat parameters."""
    W1, b1, W2, b2, *rest = parameters(theta, LENET_SHAPES)
    x = F.max_pool2d(F.relu(F.conv2d(x, W1, b1)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, W2, b2)), 2)
    return dense(rest, x.flatten(1))


def mlp_module() -> nn.Module:
    """The same network for direct training."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10)
    )


def lenet_module() -> nn.Module:
    """LeNet for direct training."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def direct_step(module: nn.Module, x: Tensor, labels: Tensor, lr: float) -> Callable[[], None]:
    """SGD on all parameters."""
    optimizer = torch.optim.SGD(module.parameters(), lr=lr)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(module(x), labels).backward()
        optimizer.step()

    return step


class Subspace:
    """θ = θ_0 + P θ_d with Adam on θ_d."""

    def __init__(
        self, logits: Callable[[Tensor, Tensor], Tensor], theta_0: Tensor, P: Fastfood, d: int, lr: float
    ):
        self.logits, self.theta_0, self.P = logits, theta_0, P
        self.theta_d = torch.zeros(d, requires_grad=True)
        self.optimizer = torch.optim.Adam([self.theta_d], lr=lr, betas=(0.9, 0.99))

    def __call__(self, x: Tensor) -> Tensor:
        return self.logits(self.theta_0 + self.P(self.theta_d), x)

    def step(self, x: Tensor, labels: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self(x), labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()
