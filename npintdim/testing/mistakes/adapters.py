"""A matrix with its adapter: fn(x, p) gives W, y = x W, gradients from dW = xᵀ dy; fn(seed, p) its start."""

from collections.abc import Callable, Iterator
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes.table import UNIT, Problem, Steps, Table, fitted, numbers, wrong
from npintdim.typing import Floats


def adapted(s: Any, x: Floats, p: Any, delta: Floats, *grads: Floats) -> Any:
    """W, y and the gradients of what is trained."""
    delta = s.delta(delta)
    return s.W(p.W_0, delta), x @ s.W_of_y(p.W_0, delta), *s.grads(*grads)


ADAPTED: Steps = {
    "dW": lambda x, dy: x.T @ dy,
    "W": lambda W_0, delta: W_0 + delta,
    "W_of_y": lambda W_0, delta: W_0 + delta,
    "grads": lambda *grads: grads,
}

OF_ANY = (
    wrong("added twice", "the adapter is added to the outputs of a matrix in which it is merged already: "
          "y = x W, or x W_0 and the adapter", W_of_y=lambda W_0, delta: W_0 + 2 * delta),
    wrong("merged twice", "the adapter is merged twice: W = W_0 + ΔW", delta=lambda delta: 2 * delta),
    wrong("not merged", "W is W_0; W_0 + ΔW is needed", W=lambda W_0, delta: W_0),
    wrong("ΔW for W", "W is ΔW alone; W_0 + ΔW is needed", W=lambda W_0, delta: delta),
    wrong("outputs without the adapter", "y is x W_0; x (W_0 + ΔW) is needed", W_of_y=lambda W_0, delta: W_0),
    wrong("outputs of the adapter alone", "y is x ΔW; x (W_0 + ΔW) is needed",
          W_of_y=lambda W_0, delta: delta),
    wrong("subtracted", "the adapter is subtracted: W = W_0 + ΔW", delta=lambda delta: -delta),
    wrong("W transposed", "W is (n_out, n_in), as PyTorch's Linear has it; (n_in, n_out) is needed",
          W=lambda W_0, delta: (W_0 + delta).T),
    wrong("x Wᵀ", "y is x Wᵀ, as of PyTorch's Linear; W is (n_in, n_out) here, y = x W",
          W_of_y=lambda W_0, delta: (W_0 + delta).T),
    wrong("ΔW transposed", "ΔW is added transposed, (n_out, n_in) as the papers have it; "
          "(n_in, n_out) is needed", delta=np.transpose),
    wrong("dW transposed", "dW is dyᵀ x, PyTorch's order; xᵀ dy is needed", dW=lambda x, dy: dy.T @ x),
    wrong("gradients averaged", "gradients are averaged over the examples; "
          "dy holds the loss's 1/n already, so sum", dW=lambda x, dy: x.T @ dy / len(x)),
    wrong("gradients' sign", "the gradients have the wrong sign",
          grads=lambda *grads: tuple(-g for g in grads)),
    wrong("gradients cut off", "the gradients are 0: the adapter is cut off "
          "(detach, .data, merged before it is trained)", grads=lambda *grads: tuple(0 * g for g in grads)),
    fitted("another scale", "ΔW has a factor {c} too many", 0.3, c=lambda c, one: c),
)  # fmt: skip

SHAPES = (  # n, n_in, n_out, r: half of them square, where a transposed matrix still fits
    (3, 5, 4, 2), (2, 3, 3, 3), (3, 4, 6, 3), (2, 4, 4, 2), (3, 7, 3, 1), (4, 6, 6, 2),
)  # fmt: skip


def problems(dtype: np.dtype[Any], factors: Callable[[int, Floats, int], Any]) -> Iterator[Problem]:
    """Every shape; factors(k, W_0, r) gives the adapter's arrays, and what else p has."""
    for k, (n, n_in, n_out, r) in enumerate(SHAPES):
        W_0, dy = numbers(dtype, n_in, n_out, lane=2), numbers(dtype, n, n_out, lane=3)
        own, others = factors(k, W_0, r)
        rest = {"W_0": W_0, **own, "dy": dy, **others}
        yield Problem(f"{n_in}×{n_out}, r = {r}", 4 * numbers(dtype, n, n_in), rest, "layer")


def A_and_B(W_0: Floats, r: int) -> dict[str, Floats]:
    """Both factors, of normals."""
    n_in, n_out = W_0.shape
    return {"A": numbers(W_0.dtype, n_in, r, lane=4), "B": numbers(W_0.dtype, r, n_out, lane=6)}


# ---- LoRA: W = W_0 + s A B, dA = s dW Bᵀ, dB = s Aᵀ dW ----


def lora(s: Any, x: Floats, p: Any) -> Any:
    """Both factors may be exchanged first; c is what ΔW has, s what it should have."""
    A, B = s.pair(p.A, p.B)
    scale, dW = s.c(1.0) * s.s(p.alpha, p.A.shape[1], p.stabilised), s.dW(x, p.dy)
    return adapted(s, x, p, scale * s.AB(A, B), *s.dAB(s.s_of_grads(scale), A, B, dW))


def own_scale(α: float, r: int, stabilised: bool) -> float:
    """α/r, or rsLoRA's."""
    return α / (sqrt(r) if stabilised else r)


LORA: Steps = ADAPTED | {
    "pair": lambda A, B: (A, B),
    "s": own_scale,
    "AB": lambda A, B: A @ B,
    "dAB": lambda s, A, B, dW: (s * (dW @ B.T), s * (A.T @ dW)),
}

OF_LORA = (
    wrong("α for α/r", "ΔW is scaled by α; by α/r is needed (stabilised: α/√r)",
          s=lambda α, r, stabilised: α),
    wrong("α/√r always", "ΔW is scaled by α/√r always, which is rsLoRA; unless stabilised α/r is needed",
          s=lambda α, r, stabilised: α / sqrt(r)),
    wrong("α/r always", "ΔW is scaled by α/r always; stabilised (rsLoRA), α/√r is needed",
          s=lambda α, r, stabilised: α / r),
    wrong("scale left out", "ΔW is A B; (α/r) A B is needed", s=lambda α, r, stabilised: 1.0),
    wrong("1/r", "ΔW is scaled by 1/r; by α/r is needed (stabilised: α/√r)",
          s=lambda α, r, stabilised: 1 / r),
    wrong("r/α", "ΔW is scaled by r/α; by α/r is needed (stabilised: α/√r)",
          s=lambda α, r, stabilised: r / α),
    wrong("√(α/r)", "ΔW is scaled by √(α/r); by α/r is needed (stabilised: α/√r)",
          s=lambda α, r, stabilised: sqrt(α / r)),
    wrong("scale twice", "ΔW is scaled by s², as if both factors held s = α/r",
          s=lambda α, r, stabilised: own_scale(α, r, stabilised) ** 2),
    wrong("A and B swapped", "A and B have changed places: A is (n_in, r), B is (r, n_out), ΔW = A B; "
          "the papers' A is our Aᵀ", pair=lambda A, B: (B.T, A.T)),
    wrong("factor on the wrong side", "ΔW is B A; A B is needed with A (n_in, r) and y = x W",
          AB=lambda A, B: B @ A, dAB=lambda s, A, B, dW: (s * (B.T @ dW), s * (dW @ A.T))),
    wrong("B A for A B", "ΔW is B A, though the gradients are those of A B", AB=lambda A, B: B @ A),
    wrong("factors read transposed", "A is read as (r, n_in) and B as (n_out, r), PyTorch's order; "
          "they are (n_in, r) and (r, n_out)",
          pair=lambda A, B: (A.reshape(A.shape[::-1]).T, B.reshape(B.shape[::-1]).T)),
    wrong("gradients without s", "s is left out of the gradients: dA = s dW Bᵀ, dB = s Aᵀ dW",
          s_of_grads=lambda s: 1.0),
    wrong("gradients with s²", "s stands twice in the gradients: dA = s dW Bᵀ, dB = s Aᵀ dW",
          s_of_grads=lambda s: s * s),
    wrong("dA and dB exchanged", "the gradients come as dB, dA; dA, dB is needed",
          grads=lambda dA, dB: (dB, dA)),
    wrong("gradients transposed", "gradients are (r, n_in) and (n_out, r), as PyTorch's lora_A and lora_B; "
          "(n_in, r) and (r, n_out) are needed", grads=lambda dA, dB: (dA.T, dB.T)),
    wrong("PyTorch's order", "W, dA and dB are PyTorch's, each the transpose of what is needed: "
          "(n_in, n_out), (n_in, r), (r, n_out)",
          W=lambda W_0, delta: (W_0 + delta).T, grads=lambda dA, dB: (dA.T, dB.T)),
    wrong("A frozen", "dA is 0: A is frozen, which is LoRA-FA", grads=lambda dA, dB: (0 * dA, dB)),
    wrong("B frozen", "dB is 0: B is frozen; it is trained too", grads=lambda dA, dB: (dA, 0 * dB)),
    *OF_ANY,
)  # fmt: skip


def of_lora(k: int, W_0: Floats, r: int) -> Any:
    """Plain and stabilised."""
    return A_and_B(W_0, r), {"alpha": (8.0, 5.0, 7.0, 16.0, 0.5, 3.0)[k], "stabilised": k % 2 == 1}


# ---- it starts with A drawn, B = 0 ----


def start(s: Any, seed: int, p: Any) -> Any:
    """A drawn, B = 0."""
    g = s.g(Stream(seed, Purpose.ADAPTER, s.lane(p.lane)).normals(p.n_in * p.r) * UNIT, p)
    return tuple(x.astype(p.dtype) for x in s.start(s.sd(p.n_in, p.n_out, p.r) * g, p))


START: Steps = {
    "g": lambda g, p: g.reshape(p.n_in, p.r),
    "sd": lambda n_in, n_out, r: 1 / sqrt(n_in),
    "start": lambda A, p: (A, np.zeros((p.r, p.n_out))),
}

OF_START = (
    wrong("A also zero", "A is 0 as B is: neither ever has a gradient; draw A",
          start=lambda A, p: (0 * A, np.zeros((p.r, p.n_out)))),
    wrong("B also random", "B is random too, so training does not start at W_0; B = 0",
          start=lambda A, p: (A, np.resize(A, (p.r, p.n_out)))),
    wrong("sd 1/√r", "A has standard deviation 1/√r; 1/√n_in is needed",
          sd=lambda n_in, n_out, r: 1 / sqrt(r)),
    wrong("sd 1/√n_out", "A has standard deviation 1/√n_out; 1/√n_in is needed",
          sd=lambda n_in, n_out, r: 1 / sqrt(n_out)),
    wrong("sd √(2/n_in)", "A has He's standard deviation √(2/n_in); 1/√n_in is needed",
          sd=lambda n_in, n_out, r: sqrt(2 / n_in)),
    wrong("variance for sd", "A has standard deviation 1/n_in; 1/√n_in is needed",
          sd=lambda n_in, n_out, r: 1 / n_in),
    wrong("sd 1", "A has standard deviation 1; 1/√n_in is needed", sd=lambda n_in, n_out, r: 1.0),
    wrong("2²⁰ left in", "A holds the integers 2²⁰ z: multiply by 2⁻²⁰",
          g=lambda g, p: g.reshape(p.n_in, p.r) / UNIT),
    wrong("drawn transposed", "A is drawn as (r, n_in), PyTorch's order; (n_in, r) in C order is needed",
          g=lambda g, p: g.reshape(p.r, p.n_in).T),
    wrong("lane 0 for all", "every matrix draws from lane 0; matrix k has lane k", lane=lambda k: 0),
    fitted("another sd", "A has standard deviation {c}; 1/√n_in is needed",
           0.02, sd=lambda c, n_in, n_out, r: c),
)  # fmt: skip


def starts(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Of several matrices."""
    for lane, (n_in, n_out, r) in enumerate([(5, 4, 2), (4, 4, 2), (9, 3, 3), (6, 8, 1)]):
        rest = {"lane": lane, "n_in": n_in, "n_out": n_out, "r": r}
        yield Problem(f"{n_in}×{n_out}, r = {r}, lane {lane}", 11 + lane, rest, "start", dtype.name)


# ---- LoRA-XS: W = W_0 + U Σ R Vᵀ, dR = Σ Uᵀ dW V, the singular vectors being given ----


def lora_xs(s: Any, x: Floats, p: Any) -> Any:
    """ΔW = left R right, dR = leftᵀ dW rightᵀ."""
    (left, right), dW, c = s.frozen(p.U, p.S, p.Vt), s.dW(x, p.dy), s.c(1.0)
    dR = c * (s.left_of_dR(left, p).T @ dW @ right.T)
    return adapted(s, x, p, c * (left @ s.R_of_delta(s.R(p.R)) @ right), s.dR(dR))


LORA_XS: Steps = ADAPTED | {"frozen": lambda U, S, Vt: (U * S, Vt)}

OF_LORA_XS = (
    wrong("Σ left out", "Σ is left out: W = W_0 + U Σ R Vᵀ", frozen=lambda U, S, Vt: (U, Vt)),
    wrong("Σ on the other side", "ΔW is U R Σ Vᵀ; U Σ R Vᵀ is needed",
          frozen=lambda U, S, Vt: (U, S[:, None] * Vt)),
    wrong("√Σ on both sides", "ΔW is U √Σ R √Σ Vᵀ; U Σ R Vᵀ is needed",
          frozen=lambda U, S, Vt: (U * np.sqrt(S), np.sqrt(S)[:, None] * Vt)),
    wrong("Σ on both sides", "ΔW is U Σ R Σ Vᵀ; U Σ R Vᵀ is needed",
          frozen=lambda U, S, Vt: (U * S, S[:, None] * Vt)),
    wrong("Σ twice", "ΔW is U Σ² R Vᵀ; U Σ R Vᵀ is needed", frozen=lambda U, S, Vt: (U * S**2, Vt)),
    wrong("1/Σ", "ΔW is U Σ⁻¹ R Vᵀ; U Σ R Vᵀ is needed", frozen=lambda U, S, Vt: (U / S, Vt)),
    wrong("V for Vᵀ", "ΔW ends in V; Vt holds the rows of Vᵀ already", frozen=lambda U, S, Vt: (U * S, Vt.T)),
    wrong("R transposed", "R is transposed: W = W_0 + U Σ R Vᵀ", R=lambda R: R.T, dR=lambda dR: dR.T),
    wrong("R transposed in ΔW alone", "R is transposed in ΔW, but not in its gradient", R=lambda R: R.T),
    wrong("dR transposed", "dR is its transpose, PyTorch's order: dR = Σ Uᵀ dW V", dR=lambda dR: dR.T),
    wrong("dR without Σ", "Σ is left out of the gradient: dR = Σ Uᵀ dW V", left_of_dR=lambda left, p: p.U),
    wrong("U Σ Vᵀ replaced", "R stands in place of 1, as if W_0's largest directions were taken out (PiSSA): "
          "W = W_0 + U Σ R Vᵀ", R_of_delta=lambda R: R - np.eye(len(R))),
    *OF_ANY,
)  # fmt: skip


def of_lora_xs(k: int, W_0: Floats, r: int) -> Any:
    """W_0's own singular vectors."""
    U, S, Vt = np.linalg.svd(W_0, full_matrices=False)
    R = np.arange(r * r, dtype=W_0.dtype).reshape(r, r) / 7 - 0.3
    return {"U": U[:, :r], "S": S[:r], "Vt": Vt[:r], "R": R}, {}


# ---- VeRA: W = W_0 + A diag(d) B diag(b), and dd, db ----


def vera(s: Any, x: Floats, p: Any) -> Any:
    """ΔW = (A diag(d)) (B diag(b))."""
    A, B, (d, b) = s.A(p.A), s.B(p.B), s.scales(p.d, p.b)
    c, dW = s.c(1.0), s.dW(x, p.dy)
    Ad, Bb = s.Ad(A, d), s.Bb(B, b)
    db, dd = c * (dW * (s.Ad_of_db(Ad, A) @ B)).sum(axis=0), c * ((A.T @ dW) * s.Bb_of_dd(Bb, B)).sum(axis=1)
    return adapted(s, x, p, c * (Ad @ Bb), dd, db)


VERA: Steps = ADAPTED | {
    "scales": lambda d, b: (d, b),
    "Ad": lambda A, d: A * d,
    "Bb": lambda B, b: B * b,
}

OF_VERA = (
    wrong("d left out", "d is left out: ΔW = A diag(d) B diag(b)",
          Ad=lambda A, d: A, grads=lambda dd, db: (0 * dd, db)),
    wrong("b left out", "b is left out: ΔW = A diag(d) B diag(b)",
          Bb=lambda B, b: B, grads=lambda dd, db: (dd, 0 * db)),
    wrong("d and b swapped", "d and b have changed places: d (r,) stands between A and B, b (n_out,) "
          "at the outputs", scales=lambda d, b: (b, d), grads=lambda dd, db: (db, dd)),
    wrong("factor on the wrong side", "d scales A's rows; diag(d) stands between A and B",
          Ad=lambda A, d: d[:, None] * A),
    wrong("b on the wrong side", "b scales B's rows; diag(b) stands at the outputs",
          Bb=lambda B, b: b[:, None] * B),
    wrong("A read transposed", "A is read as (r, n_in), PyTorch's order; it is (n_in, r)",
          A=lambda A: A.reshape(A.shape[::-1]).T),
    wrong("B read transposed", "B is read as (n_out, r), PyTorch's order; it is (r, n_out)",
          B=lambda B: B.reshape(B.shape[::-1]).T),
    wrong("dd and db exchanged", "the gradients come as db, dd; dd, db is needed",
          grads=lambda dd, db: (db, dd)),
    wrong("db without d", "d is left out of db: db_j = Σ_i dW_ij (A diag(d) B)_ij", Ad_of_db=lambda Ad, A: A),
    wrong("dd without b", "b is left out of dd: dd_k = Σ_j (Aᵀ dW)_kj B_kj b_j", Bb_of_dd=lambda Bb, B: B),
    wrong("d frozen", "dd is 0: d is frozen; it is trained too", grads=lambda dd, db: (0 * dd, db)),
    wrong("b frozen", "db is 0: b is frozen; it is trained too", grads=lambda dd, db: (dd, 0 * db)),
    *OF_ANY,
)  # fmt: skip


def of_vera(k: int, W_0: Floats, r: int) -> Any:
    """r may be as large as n_in or n_out."""
    return A_and_B(W_0, r) | {
        "d": numbers(W_0.dtype, r, lane=7),
        "b": numbers(W_0.dtype, W_0.shape[1], lane=8),
    }, {}


# ---- its A and B are drawn once, of a lane each ----


def shared(s: Any, seed: int, p: Any) -> Any:
    """sd √(2/n_in) and √(2/r)."""
    A, B = (
        Stream(seed, Purpose.ADAPTER, lane).normals(n * p.r) * UNIT
        for lane, n in zip(s.lanes((0, 1)), (p.n_in, p.n_out), strict=True)
    )
    return (s.sd_A(p) * s.A(A, p)).astype(p.dtype), (s.sd_B(p) * s.B(B, p)).astype(p.dtype)


SHARED: Steps = {
    "A": lambda g, p: g.reshape(p.n_in, p.r),
    "B": lambda g, p: g.reshape(p.r, p.n_out),
    "sd_A": lambda p: sqrt(2 / p.n_in),
    "sd_B": lambda p: sqrt(2 / p.r),
}

OF_SHARED = (
    wrong("sd without the 2", "A and B have standard deviations 1/√n_in and 1/√r; "
          "√(2/n_in) and √(2/r) are needed", sd_A=lambda p: 1 / sqrt(p.n_in), sd_B=lambda p: 1 / sqrt(p.r)),
    wrong("A's sd by r", "A has standard deviation √(2/r); √(2/n_in) is needed",
          sd_A=lambda p: sqrt(2 / p.r)),
    wrong("B's sd by n_out", "B has standard deviation √(2/n_out); √(2/r) is needed",
          sd_B=lambda p: sqrt(2 / p.n_out)),
    wrong("sds exchanged", "A has standard deviation √(2/r) and B √(2/n_out); "
          "√(2/n_in) and √(2/r) are needed", sd_A=lambda p: sqrt(2 / p.r), sd_B=lambda p: sqrt(2 / p.n_out)),
    wrong("sd 1", "A and B have standard deviation 1; √(2/n_in) and √(2/r) are needed",
          sd_A=lambda p: 1.0, sd_B=lambda p: 1.0),
    wrong("one lane", "B is drawn from A's lane 0; its own is 1", lanes=lambda both: (0, 0)),
    wrong("lanes exchanged", "A is drawn from lane 1 and B from lane 0; A's is 0", lanes=lambda both: (1, 0)),
    wrong("A drawn transposed", "A is drawn as (r, n_in), PyTorch's order; (n_in, r) in C order is needed",
          A=lambda g, p: g.reshape(p.r, p.n_in).T),
    wrong("B drawn transposed", "B is drawn as (n_out, r), PyTorch's order; (r, n_out) in C order is needed",
          B=lambda g, p: g.reshape(p.n_out, p.r).T),
    wrong("PyTorch's order", "A and B are PyTorch's, each the transpose of what is needed",
          A=lambda g, p: g.reshape(p.n_in, p.r).T, B=lambda g, p: g.reshape(p.r, p.n_out).T),
    fitted("another sd", "A and B have standard deviation {c}; √(2/n_in) and √(2/r) are needed",
           0.02, sd_A=lambda c, p: c, sd_B=lambda c, p: c),
)  # fmt: skip


def draws(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Of several sizes."""
    for k, (n_in, n_out, r) in enumerate([(5, 4, 2), (4, 4, 4), (9, 3, 12), (6, 8, 1)]):
        rest = {"n_in": n_in, "n_out": n_out, "r": r}
        yield Problem(f"{n_in}×{n_out}, r = {r}", 11 + k, rest, "shared", dtype.name)


TABLES = {
    ("lora", "given", "layer"): Table(
        lora, LORA, OF_LORA, partial(problems, factors=of_lora), ("W", "y", "dA", "dB")),
    ("lora", "seeded", "start"): Table(start, START, OF_START, starts, ("A", "B")),
    ("lora_xs", "given", "layer"): Table(
        lora_xs, LORA_XS, OF_LORA_XS, partial(problems, factors=of_lora_xs), ("W", "y", "dR")),
    ("vera", "given", "layer"): Table(
        vera, VERA, OF_VERA, partial(problems, factors=of_vera), ("W", "y", "dd", "db")),
    ("vera", "seeded", "shared"): Table(shared, SHARED, OF_SHARED, draws, ("A", "B")),
}  # fmt: skip
