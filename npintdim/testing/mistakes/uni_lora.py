"""Uni-LoRA: fn(v, p) gives θ of W = W_0 + A B, factors one-hot P v, and Pᵀ (dA, dB); h given or drawn."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.table import Problem, Steps, Table, fitted, numbers, wrong
from npintdim.typing import Array, Floats, Ints


def uni_lora(s: Any, v: Floats, p: Any) -> Any:
    """w = v[h]/√n, cut into factors; dw the same way back."""
    d, sizes = len(v), [p.r * (n_in + n_out) for n_in, n_out in p.shapes.tolist()]
    h = s.h(p, sum(sizes), d, sizes)
    entries = s.entries(h, d, sizes)
    w, dw, theta, at = entries * v[h], np.zeros(len(h)), [], 0
    for (n_in, n_out), (a, b) in zip(p.shapes.tolist(), s.places(p.shapes.tolist(), p.r), strict=True):
        own = slice(at, at := at + n_in * n_out)
        W_0, dW = (x[own].reshape(n_in, n_out) for x in (p.theta_0, p.g))
        A, B, c = w[a], w[b], s.c(1.0)
        theta.append(s.W(W_0, c * (A @ B)).ravel())
        dw[a], dw[b] = s.both(c * (dW @ B.T), c * (A.T @ dW))
    return np.concatenate(theta), s.back(s.entries_back(entries, h, d), h, dw, d)


def places(shapes: Any, r: int, a_first: bool = True, peft: bool = False) -> list[tuple[Array, Array]]:
    """Where in w the factors A (n_in, r) and B (r, n_out) of every matrix lie."""
    found, at = [], 0
    for n_in, n_out in shapes:
        a, b = at + np.arange(r * n_in), at + np.arange(r * n_out)
        a, b = (a, b + len(a)) if a_first else (a + len(b), b)
        own = a.reshape(n_in, r), b.reshape(r, n_out)
        found.append((a.reshape(r, n_in).T, b.reshape(n_out, r).T) if peft else own)
        at += r * (n_in + n_out)
    return found


def all_A_first(shapes: Any, r: int) -> list[tuple[Array, Array]]:
    """All A in a row, then all B."""
    n_in, n_out = np.array(shapes).T
    rows = np.split(np.arange(r * np.sum(shapes)), r * np.cumsum([*n_in, *n_out])[:-1])
    both = zip(rows[: len(shapes)], rows[len(shapes) :], strict=True)
    return [(a.reshape(-1, r), b.reshape(r, -1)) for a, b in both]


def counts(h: Ints, d: int) -> Any:
    """n_{h_i}."""
    return np.bincount(h, minlength=d)[h]


def counted_per_module(h: Ints, d: int, sizes: list[int]) -> Any:
    """1/√n_{h_i}, n counted in the part of h that is the module's."""
    return np.concatenate([1 / np.sqrt(counts(part, d)) for part in np.split(h, np.cumsum(sizes)[:-1])])


def last_alone(entries: Floats, h: Ints, dw: Floats, d: int) -> Any:
    """grad[h] = …, so the last of the rows that share a number wins."""
    grad = np.zeros(d)
    grad[h] = entries * dw
    return grad


RIGHT: Steps = {
    "h": lambda p, N, d, sizes: p.h,
    "entries": lambda h, d, sizes: 1 / np.sqrt(counts(h, d)),
    "places": places,
    "W": lambda W_0, delta: W_0 + delta,
    "both": lambda dA, dB: (dA, dB),
    "back": lambda entries, h, dw, d: np.bincount(h, entries * dw, minlength=d),
}

MISTAKES = (
    wrong("one-hot without 1/√count", "1/√n_j is left out: w_i = v_{h_i}/√n_{h_i}, so that PᵀP = I",
          entries=lambda h, d, sizes: np.ones(len(h))),
    wrong("1/count", "entries are 1/n_j; 1/√n_j is needed, so that PᵀP = I",
          entries=lambda h, d, sizes: 1 / counts(h, d)),
    wrong("expected count", "entries are √(d/N); 1/√n_j is needed, n_j counted",
          entries=lambda h, d, sizes: np.full(len(h), np.sqrt(d / len(h)))),
    wrong("1/√N", "entries are 1/√N; 1/√n_j is needed",
          entries=lambda h, d, sizes: np.full(len(h), 1 / np.sqrt(len(h)))),
    wrong("1/√d", "entries are 1/√d; 1/√n_j is needed",
          entries=lambda h, d, sizes: np.full(len(h), 1 / np.sqrt(d))),
    wrong("counted per module", "n_j is counted in each module alone; over all N entries of all modules is "
          "needed (one global map)", entries=counted_per_module),
    wrong("per-module map", "every module begins at entry 0 of h; h is one global map, and a module goes on "
          "where the last one ended",
          h=lambda p, N, d, sizes: np.concatenate([p.h[:size] for size in sizes]),
          entries=counted_per_module),
    wrong("PEFT's order", "h runs through A as (r, n_in) and B as (n_out, r), as in PEFT; "
          "(n_in, r) and (r, n_out) in C order are needed",
          places=lambda shapes, r: places(shapes, r, peft=True)),
    wrong("A and B swapped", "h runs through B before A; A comes first",
          places=lambda shapes, r: places(shapes, r, a_first=False)),
    wrong("all A first", "h runs through all A, then all B; module after module is needed, A then B",
          places=all_A_first),
    wrong("gradient without 1/√count", "1/√n_j is left out of the gradient alone: grad_j = Σ dw_i/√n_j",
          entries_back=lambda entries, h, d: np.ones(len(h))),
    wrong("gradient averaged", "the gradient is a mean over the n_j entries; the chain rule has Σ dw_i/√n_j",
          entries_back=lambda entries, h, d: entries / counts(h, d)),
    wrong("gradient overwritten", "where entries share a number the last gradient wins (grad[h] = …); add: "
          "bincount, index_add_", back=last_alone),
    wrong("no dA", "A's part of the gradient is missing; A and B both listen to v",
          both=lambda dA, dB: (0 * dA, dB)),
    wrong("no dB", "B's part of the gradient is missing; A and B both listen to v",
          both=lambda dA, dB: (dA, 0 * dB)),
    wrong("added twice", "A B is added twice: W = W_0 + A B", W=lambda W_0, delta: W_0 + 2 * delta),
    wrong("not merged", "θ is θ_0; W = W_0 + A B is needed", W=lambda W_0, delta: W_0),
    wrong("W_0 forgotten", "θ is A B alone; W = W_0 + A B is needed", W=lambda W_0, delta: delta),
    wrong("W transposed", "each W is flattened as (n_out, n_in), as PyTorch has it; "
          "(n_in, n_out) in C order is needed", W=lambda W_0, delta: (W_0 + delta).T),
    fitted("another scale", "A B has a factor {c} (α/r?); W = W_0 + A B", 0.3, c=lambda c, one: c),
)  # fmt: skip

# ---- h is drawn ----


def permuted(p: Any, N: int) -> Any:
    """π of docs/random.md."""
    return Stream(p.seed, Purpose.ONEHOT, 0).permutation(N)


DRAWN: Steps = RIGHT | {"h": lambda p, N, d, sizes: permuted(p, N) % d}
OF_DRAWN = (
    wrong("inverse permutation", "h is that of π⁻¹; h_i = π_i mod d",
          h=lambda p, N, d, sizes: np.argsort(permuted(p, N)) % d),
    wrong("not shuffled", "h is 0, 1, ..., d − 1, 0, ...: not shuffled; h_i = π_i mod d",
          h=lambda p, N, d, sizes: np.arange(N) % d),
    wrong("blocks of π", "h_i is ⌊π_i d/N⌋; π_i mod d is needed",
          h=lambda p, N, d, sizes: permuted(p, N) * d // N),
    wrong("independent draws", "h_i are d's integers drawn one by one; π_i mod d is needed, "
          "so that counts differ by one at most",
          h=lambda p, N, d, sizes: Stream(p.seed, Purpose.ONEHOT, 0).integers(d, N)),
    wrong("a map for each module", "each module draws a permutation of its own entries; "
          "one global map of all N is needed",
          h=lambda p, N, d, sizes: np.concatenate([permuted(p, size) % d for size in sizes]),
          entries=counted_per_module),
    *(m for m in MISTAKES if m.name != "per-module map"),
)  # fmt: skip


SIZES = (  # of the matrices, the first of them square or not; r; d
    ([(5, 4), (4, 3)], 2, 7),
    ([(4, 4), (4, 4)], 3, 10),
    ([(6, 5), (5, 5), (5, 3)], 1, 9),
    ([(3, 8), (8, 2)], 2, 11),
)


def problems(dtype: np.dtype[Any], given: bool) -> Iterator[Problem]:
    """Of several matrices; h with all counts but one alike."""
    for k, (shapes, r, d) in enumerate(SIZES):
        N, D = sum(r * (a + b) for a, b in shapes), sum(a * b for a, b in shapes)
        v, theta_0, g = (numbers(dtype, n, lane=lane) for n, lane in ((d, 2), (D, 3), (D, 4)))
        h = np.argsort(numbers(np.dtype(np.float64), N, lane=6)) % d
        rest = {"h": h} if given else {"seed": 5 + k}
        rest |= {"shapes": np.array(shapes), "r": r, "theta_0": theta_0, "g": g}
        title = f"{', '.join(f'{a}×{b}' for a, b in shapes)}, r = {r}, d = {d}"
        yield Problem(title, 4 * v, rest, "theta_grad")


TABLES = {
    ("uni_lora", "given", "theta_grad"): Table(
        uni_lora, RIGHT, MISTAKES, partial(problems, given=True), ("theta", "grad")
    ),
    ("uni_lora", "seeded", "theta_grad"): Table(
        uni_lora, DRAWN, OF_DRAWN, partial(problems, given=False), ("theta", "grad")
    ),
}
