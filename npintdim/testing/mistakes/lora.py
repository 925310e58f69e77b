"""LoRA: fn(x, p) gives W = W_0 + s A B, y = x W, dA = s dW Bᵀ and dB = s Aᵀ dW; fn(seed, p) draws A and B."""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import layer
from npintdim.testing.mistakes.layer import OF_LAYER, adapted, zero
from npintdim.testing.mistakes.table import UNIT, Problem, Steps, Table, fitted, numbers, wrong
from npintdim.typing import Floats


def lora(s: Any, x: Floats, p: Any) -> Any:
    """Both factors may be exchanged first; c is what ΔW has, s what it should have."""
    A, B = s.pair(p.A, p.B)
    scale, dW = s.c() * s.s(p.alpha, p.A.shape[1], p.stabilised), s.dW(x, p.dy)
    return adapted(s, x, p, scale * s.AB(A, B), dW, s.dAB(s.s_of_grads(scale), A, B, dW))


def own_scale(α: float, r: int, stabilised: bool) -> float:
    """α/r, or rsLoRA's."""
    return α / (sqrt(r) if stabilised else r)


RIGHT: Steps = layer.RIGHT | {
    "pair": lambda A, B: (A, B),
    "s": own_scale,
    "AB": lambda A, B: A @ B,
    "s_of_grads": lambda s: s,
    "dAB": lambda s, A, B, dW: (s * (dW @ B.T), s * (A.T @ dW)),
}

MISTAKES = (
    wrong("α for α/r", "ΔW is scaled by α; by α/r is needed (stabilised: α/√r)", s=lambda α, r, stabilised: α),
    wrong("α/√r always", "ΔW is scaled by α/√r always, which is rsLoRA; unless stabilised α/r is needed", s=lambda α, r, stabilised: α / sqrt(r)),
    wrong("α/r always", "ΔW is scaled by α/r always; stabilised (rsLoRA), α/√r is needed", s=lambda α, r, stabilised: α / r),
    wrong("scale left out", "ΔW is A B; (α/r) A B is needed", s=lambda α, r, stabilised: 1.0),
    wrong("1/r", "ΔW is scaled by 1/r; by α/r is needed (stabilised: α/√r)", s=lambda α, r, stabilised: 1 / r),
    wrong("r/α", "ΔW is scaled by r/α; by α/r is needed (stabilised: α/√r)", s=lambda α, r, stabilised: r / α),
    wrong("√(α/r)", "ΔW is scaled by √(α/r); by α/r is needed (stabilised: α/√r)", s=lambda α, r, stabilised: sqrt(α / r)),
    wrong("scale twice", "ΔW is scaled by s², as if both factors held s = α/r", s=lambda α, r, stabilised: own_scale(α, r, stabilised) ** 2),
    wrong("A and B swapped", "A and B have changed places: A is (n_in, r), B is (r, n_out), ΔW = A B; the papers' A is our Aᵀ",
          pair=lambda A, B: (B.T, A.T)),
    wrong("factor on the wrong side", "ΔW is B A; A B is needed with A (n_in, r) and y = x W",
          AB=lambda A, B: B @ A, dAB=lambda s, A, B, dW: (s * (B.T @ dW), s * (dW @ A.T))),
    wrong("B A for A B", "ΔW is B A, though the gradients are those of A B", AB=lambda A, B: B @ A),
    wrong("factors read transposed", "A is read as (r, n_in) and B as (n_out, r), PyTorch's order; they are (n_in, r) and (r, n_out)",
          pair=lambda A, B: (A.reshape(A.shape[::-1]).T, B.reshape(B.shape[::-1]).T)),
    wrong("gradients without s", "s is left out of the gradients: dA = s dW Bᵀ, dB = s Aᵀ dW", s_of_grads=lambda s: 1.0),
    wrong("gradients with s²", "s stands twice in the gradients: dA = s dW Bᵀ, dB = s Aᵀ dW", s_of_grads=lambda s: s * s),
    wrong("dA and dB exchanged", "the gradients come as dB, dA; dA, dB is needed", grads=lambda dA, dB: (dB, dA)),
    wrong("gradients transposed", "gradients are (r, n_in) and (n_out, r), as PyTorch's lora_A and lora_B; (n_in, r) and (r, n_out) are needed",
          grads=lambda dA, dB: (dA.T, dB.T)),
    wrong("PyTorch's order", "W, dA and dB are PyTorch's, each the transpose of what is needed: (n_in, n_out), (n_in, r), (r, n_out)",
          W=lambda W_0, delta: (W_0 + delta).T, grads=lambda dA, dB: (dA.T, dB.T)),
    wrong("A frozen", "dA is 0: A is frozen, which is LoRA-FA", grads=lambda dA, dB: (zero(dA), dB)),
    wrong("B frozen", "dB is 0: B is frozen; it is trained too", grads=lambda dA, dB: (dA, zero(dB))),
    *OF_LAYER,
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Plain and stabilised."""

    def factors(k: int, n_in: int, n_out: int, r: int) -> dict[str, Any]:
        A, B = numbers(dtype, n_in, r, lane=4), numbers(dtype, r, n_out, lane=6)
        return {"A": A, "B": B, "alpha": (8.0, 5.0, 7.0, 16.0, 0.5, 3.0)[k], "stabilised": k % 2 == 1}

    return layer.problems(dtype, factors)


# ---- what it starts with ----


def start(s: Any, seed: int, p: Any) -> Any:
    """A drawn, B = 0."""
    g = s.g(Stream(seed, Purpose.ADAPTER, s.lane(p)).normals(p.n_in * p.r) * UNIT, p)
    return tuple(x.astype(p.dtype) for x in s.start(s.sd(p.n_in, p.n_out, p.r) * g, p))


START: Steps = {
    "lane": lambda p: p.lane,
    "g": lambda g, p: g.reshape(p.n_in, p.r),
    "sd": lambda n_in, n_out, r: 1 / sqrt(n_in),
    "start": lambda A, p: (A, np.zeros((p.r, p.n_out))),
}


def b_drawn(A: Floats, p: Any) -> Any:
    """The roles of A and B exchanged."""
    g = Stream(p.seed, Purpose.ADAPTER, p.lane).normals(p.r * p.n_out) * UNIT
    return np.zeros((p.n_in, p.r)), g.reshape(p.r, p.n_out) / sqrt(p.r)


OF_START = (
    wrong("A also zero", "A is 0 as B is: neither ever has a gradient; draw A", start=lambda A, p: (0 * A, np.zeros((p.r, p.n_out)))),
    wrong("B also random", "B is random too, so training does not start at W_0; B = 0", start=lambda A, p: (A, np.resize(A, (p.r, p.n_out)))),
    wrong("sd 1/√r", "A has standard deviation 1/√r; 1/√n_in is needed", sd=lambda n_in, n_out, r: 1 / sqrt(r)),
    wrong("sd 1/√n_out", "A has standard deviation 1/√n_out; 1/√n_in is needed", sd=lambda n_in, n_out, r: 1 / sqrt(n_out)),
    wrong("sd √(2/n_in)", "A has He's standard deviation √(2/n_in); 1/√n_in is needed", sd=lambda n_in, n_out, r: sqrt(2 / n_in)),
    wrong("variance for sd", "A has standard deviation 1/n_in; 1/√n_in is needed", sd=lambda n_in, n_out, r: 1 / n_in),
    wrong("sd 1", "A has standard deviation 1; 1/√n_in is needed", sd=lambda n_in, n_out, r: 1.0),
    wrong("2²⁰ left in", "A holds the integers 2²⁰ z: multiply by 2⁻²⁰", g=lambda g, p: g.reshape(p.n_in, p.r) / UNIT),
    wrong("drawn transposed", "A is drawn as (r, n_in), PyTorch's order; (n_in, r) in C order is needed", g=lambda g, p: g.reshape(p.r, p.n_in).T),
    wrong("lane 0 for all", "every matrix draws from lane 0; matrix k has lane k", lane=lambda p: 0),
    fitted("another sd", "A has standard deviation {c}; 1/√n_in is needed", 0.02, sd=lambda c, n_in, n_out, r: c),
)  # fmt: skip


def starts(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Of several matrices."""
    for lane, (n_in, n_out, r) in enumerate([(5, 4, 2), (4, 4, 2), (9, 3, 3), (6, 8, 1)]):
        rest = {"lane": lane, "n_in": n_in, "n_out": n_out, "r": r}
        yield Problem(f"{n_in}×{n_out}, r = {r}, lane {lane}", 11 + lane, rest, "start", dtype.name)


TABLES = {
    ("lora", "given", "layer"): Table(lora, RIGHT, MISTAKES, problems, ("W", "y", "dA", "dB")),
    ("lora", "seeded", "start"): Table(start, START, OF_START, starts, ("A", "B")),
}
