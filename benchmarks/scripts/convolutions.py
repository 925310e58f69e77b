"""Convolutions of every kind beside PyTorch's at one thread: where one is slower, and by how much.

    python -m benchmarks.scripts.convolutions            # 816 cases: y, dW and dx (of more than 3 channels), float32
    python -m benchmarks.scripts.convolutions 20         # every 20th of them

Both take turns in one process, and the medians of their processor times are compared. Cases of less than a tenth of a
millisecond are counted apart: there a call's own work is what is measured.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from npintdim.kernels import conv_spectrum
from npintdim.kernels.numba_cpu.conv import conv2d_backward, conv2d_forward

IMAGES = ((28, 8), (12, 32))  # side, how many
CHANNELS = ((1, 6), (3, 16), (6, 16), (16, 32), (64, 64), (32, 8))
KERNELS, STRIDES = (1, 2, 3, 5, 7, 9, 11, 16, 28, 55), (1, 2, 3, 4)
SECONDS, FEWEST, MOST = 0.35, 4, 25
SMALL = 1e-4


class Case(NamedTuple):
    """A convolution of n images side × side."""

    k: int
    stride: int
    padding: int
    channels: tuple[int, int]
    side: int
    n: int


def cases() -> Iterator[Case]:
    for side, n in IMAGES:
        for channels in CHANNELS:
            for k in KERNELS:
                for padding in sorted({0, k // 2}):
                    if side + 2 * padding >= k:
                        yield from (Case(k, s, padding, channels, side, n) for s in STRIDES)


def duel(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """The medians of their seconds."""
    seconds: tuple[list[float], list[float]] = [], []
    one(), other()
    end = time.perf_counter() + SECONDS
    while len(seconds[0]) < FEWEST or (time.perf_counter() < end and len(seconds[0]) < MOST):
        for work, own in zip((one, other), seconds, strict=True):
            begun = time.process_time()
            work()
            own.append(time.process_time() - begun)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def measured(case: Case) -> tuple[float, float, bool]:
    """Our seconds, PyTorch's, and whether the frequency domain is used."""
    import torch

    torch.set_num_threads(1)
    (c, o), (k, s, p), rng = case.channels, case[:3], np.random.default_rng(0)
    x = rng.standard_normal((case.n, c, case.side, case.side)).astype(np.float32)
    W = rng.standard_normal((o, c, k, k)).astype(np.float32)
    dy = rng.standard_normal(conv2d_forward(x, W, s, p).shape).astype(np.float32)
    need_dx, theirs = c > 3, [torch.from_numpy(a) for a in (x, W, dy)]
    backward: Any = torch.ops.aten.convolution_backward  # type: ignore[attr-defined]

    def ours() -> None:
        conv2d_forward(x, W, s, p)
        conv2d_backward(x, W, dy, s, p, need_dx)

    def pytorchs() -> None:
        torch.nn.functional.conv2d(theirs[0], theirs[1], None, s, p)
        sides = [s, s], [p, p], [1, 1]
        backward(theirs[2], *theirs[:2], None, *sides, False, [0, 0], 1, [need_dx, True, False])

    return *duel(ours, pytorchs), conv_spectrum.pays(x, W, s, p)


def row(name: object, ratios: list[float]) -> str:
    low, middle = min(ratios), statistics.median(ratios)
    return f"| {name} | {len(ratios)} | {sum(r < 1 for r in ratios)} | {sum(r < 0.9 for r in ratios)} | {middle:.2f}× | {low:.2f}× |"


def main(every: int = 1) -> None:
    by_k: dict[object, list[float]] = defaultdict(list)
    slow = []
    for case in list(cases())[::every]:
        ours, theirs, spectrum = measured(case)
        by_k["below 0.1 ms" if ours < SMALL else case.k].append(theirs / ours)
        if theirs < ours and ours >= SMALL:
            slow.append((theirs / ours, case, ours, spectrum))
    print("| k | cases | slower | by more than a tenth | median | least |\n|--:|--:|--:|--:|--:|--:|")
    for name, ratios in sorted(by_k.items(), key=lambda item: (isinstance(item[0], str), item[0])):
        print(row(name, ratios))
    print(row("all", [ratio for ratios in by_k.values() for ratio in ratios]), "\n")
    for ratio, case, ours, spectrum in sorted(slow):
        print(f"{ratio:.2f}× {case}, {1e3 * ours:.2f} ms{', in the frequency domain' * spectrum}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
