"""One epoch of MNIST in a Fastfood subspace of d = 750 with evaluation, in PyTorch; `npintdim train` does the same."""

import gzip
import math
import os
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks import torch_side

D, d, TRAIN, BATCH = 199_210, 750, 50_000, 128


def read(name: str, head: int) -> torch.Tensor:
    folder = Path(os.environ["NPINTDIM_DATA"])
    path = next(p for p in (folder / "mnist" / name, folder / name) if p.exists())
    return torch.tensor(np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=head))


def split(part: str) -> tuple[torch.Tensor, torch.Tensor]:
    images = read(f"{part}-images-idx3-ubyte.gz", 16).view(-1, 784)
    return images / 255, read(f"{part}-labels-idx1-ubyte.gz", 8).long()


class RandomFastfood(torch_side.Fastfood):
    """Drawn by PyTorch."""

    def __init__(self, D: int, d: int) -> None:
        self.D, self.n, self.transform = D, 1 << (D - 1).bit_length(), torch_side.hadamard
        self.B = torch.randint(2, (self.n,)) * 2.0 - 1.0
        self.Pi = torch.randperm(self.n)
        self.G = torch.randn(self.n)
        self.G /= math.sqrt(D) * self.G.norm()
        self.S = torch.randint(2, (D,)) * 2.0 - 1.0


def he_normal(shape: tuple[int, ...]) -> torch.Tensor:
    if len(shape) == 1:
        return torch.zeros(shape)
    sd = math.sqrt(2 / shape[0])
    return torch.nn.init.trunc_normal_(torch.empty(shape), std=sd, a=-2 * sd, b=2 * sd).flatten()


torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
x, labels = (part[:TRAIN] for part in split("train"))
x_test, labels_test = split("t10k")
theta_0 = torch.cat([he_normal(shape) for shape in torch_side.MLP_SHAPES])
net = torch_side.Subspace(torch_side.mlp, theta_0, RandomFastfood(D, d), d, 1e-2)
losses = []
for own in torch.randperm(TRAIN).split(BATCH):
    losses.append(net.step(x[own], labels[own]))
with torch.no_grad():
    scores = [
        (net(images).argmax(1) == truth).float().mean().item()
        for images, truth in ((x[:10_000], labels[:10_000]), (x_test, labels_test))
    ]
print(f"loss {torch.stack(losses).mean():.4f}, train {scores[0]:.4f}, test {scores[1]:.4f}")
