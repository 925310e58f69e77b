"""A step of GPT-2's smallest transformer (124,439,808 parameters, random weights) in a subspace, in place, against fine-tuning.

    python -m benchmarks.scripts.in_place times 1x128 2x512    # batch x length; all ways in turn, ratios within a round
    THREADS=1 python -m benchmarks.scripts.in_place times 1x128   # of the processor's time: for a machine with other work
    python -m benchmarks.scripts.in_place memory 1x128         # peak of a process each

A way is the optimizer of plain fine-tuning, or how P is held; d = 10,000, AdamW on v. `stored` is the same P, faster and
6.25 bytes a parameter; `disk` is drawn, with θ_0 memory-mapped.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

import npintdim as nid
from npintdim.testing import InPlace

F = nn.functional
WORDS, LENGTH, WIDTH, HEADS, LAYERS, d = 50257, 1024, 768, 12, 12, 10_000
WAYS = ("none", "sgd", "adamw", "drawn", "stored", "disk")
THREADS = int(os.environ.get("THREADS", os.cpu_count() or 1))
clock = time.process_time if THREADS == 1 else time.perf_counter
Step = Callable[[torch.Tensor], None]


class Block(nn.Module):
    """Attention and a hidden layer, each added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(n, length, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT2(nn.Module):
    """The smallest; its embedding is its last layer, too."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        for p in self.parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.blocks(self.words(x) + self.places(torch.arange(x.shape[1])))
        return F.linear(self.norm(h), self.words.weight)


def stepper(way: str, spent: dict[str, float]) -> Step:
    """A step of training on a batch of words; `spent` counts the seconds of the subspace."""
    torch.manual_seed(0)
    net = GPT2()
    D = sum(p.numel() for p in net.parameters())

    def backward(x: torch.Tensor) -> None:
        F.cross_entropy(net(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten()).backward()

    if way == "none":  # gradients are freed as they arrive, nothing moves

        def free(p: Any) -> None:
            p.grad = None

        for p in net.parameters():
            p.register_post_accumulate_grad_hook(free)
        return backward
    if way in ("sgd", "adamw"):
        plain = (
            torch.optim.SGD(net.parameters(), lr=1e-3)
            if way == "sgd"
            else torch.optim.AdamW(net.parameters())
        )

        def fine_tuning(x: torch.Tensor) -> None:
            backward(x)
            plain.step()
            plain.zero_grad()

        return fine_tuning
    theta_0 = None
    if way == "disk":
        path = Path(tempfile.mkdtemp()) / "theta_0.pt"
        torch.save(net.state_dict(), path)
        theta_0 = torch.load(path, mmap=True)
    backend = nid.get_backend(threads=THREADS)
    P = nid.make_projection("fastfood", D, d, 0, backend, stored=way == "stored")
    inside = InPlace(net, P, theta_0)
    optimizer = torch.optim.AdamW([inside.v], lr=1e-3)
    for name in ("apply", "adjoint"):
        P.__dict__[name] = timed(getattr(P, name), name, spent)

    def step(x: torch.Tensor) -> None:
        backward(x)
        optimizer.step()
        inside.move()
        optimizer.zero_grad()

    return step


def timed(f: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The function, whose seconds are added up."""

    def call(*args: Any, **more: Any) -> Any:
        began = clock()
        result = f(*args, **more)
        spent[name] = spent.get(name, 0.0) + clock() - began
        return result

    return call


def words(shape: str) -> torch.Tensor:
    """A batch, "2x512"."""
    n, length = map(int, shape.split("x"))
    return torch.randint(0, WORDS, (n, length + 1))


def times(shapes: list[str], rounds: int = int(os.environ.get("ROUNDS", "7"))) -> None:
    """Ratios to plain fine-tuning within a round."""
    ways = [way for way in WAYS if way != "none"]
    spent: dict[str, dict[str, float]] = {way: {} for way in ways}
    steps = {way: stepper(way, spent[way]) for way in ways}
    for shape in shapes:
        x, taken = words(shape), []
        for way in ways:
            steps[way](x)
            spent[way].clear()
        for _ in range(rounds):
            now = {}
            for way in ways:
                began = clock()
                steps[way](x)
                now[way] = clock() - began
                time.sleep(0.2)
            taken.append(now)
        for way in ways:
            parts = ", ".join(f"{k} {s / rounds:.2f} s" for k, s in spent[way].items())
            ratio = {plain: statistics.median(r[way] / r[plain] for r in taken) for plain in ("sgd", "adamw")}
            print(f"{shape} {way:7s} {statistics.median(r[way] for r in taken):6.2f} s, "
                  f"{ratio['sgd']:.2f} of SGD, {ratio['adamw']:.2f} of AdamW; {parts}", flush=True)  # fmt: skip


def memory(shape: str) -> None:
    """Peaks beyond that of a process whose model only computes its gradients and frees them."""
    peaks = {}
    for way in WAYS:
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.scripts.in_place", "peak", way, shape],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        peaks[way] = float(run.stdout.split()[-1])
        print(f"{shape} {way:7s} peak {peaks[way]:.0f} MB, {peaks[way] - peaks['none']:+.0f} MB", flush=True)


def peak(way: str, shape: str) -> None:
    """MB without files that are mapped, at the highest point of three steps."""
    step, x = stepper(way, {}), words(shape)
    step(x)  # compiled
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    for _ in range(3):
        step(x)
    status = Path("/proc/self/status").read_text()
    size = {key: int(status.partition(f"{key}:")[2].split()[0]) * 1024 for key in ("VmHWM", "RssFile")}
    print((size["VmHWM"] - size["RssFile"]) / 1e6)


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    task, *given = sys.argv[1:]
    if task == "times":
        times(given)
    else:
        memory(*given) if task == "memory" else peak(*given)
