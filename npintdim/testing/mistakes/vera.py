"""VeRA: fn(x, p) gives W = W_0 + A diag(d) B diag(b), y = x W, dd and db; fn(seed, p) draws the shared A and B."""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import layer
from npintdim.testing.mistakes.layer import OF_LAYER, adapted, zero
from npintdim.testing.mistakes.table import UNIT, Problem, Steps, Table, fitted, numbers, wrong
from npintdim.typing import Floats


def vera(s: Any, x: Floats, p: Any) -> Any:
    """ΔW = (A diag(d)) (B diag(b))."""
    A, B, (d, b) = s.A(p.A), s.B(p.B), s.scales(p.d, p.b)
    c, dW = s.c(), s.dW(x, p.dy)
    Ad, Bb = s.Ad(A, d), s.Bb(B, b)
    db, dd = c * (dW * (s.Ad_of_db(Ad, A) @ B)).sum(axis=0), c * ((A.T @ dW) * s.Bb_of_dd(Bb, B)).sum(axis=1)
    return adapted(s, x, p, c * (Ad @ Bb), dW, (dd, db))


RIGHT: Steps = layer.RIGHT | {
    "A": lambda A: A,
    "B": lambda B: B,
    "scales": lambda d, b: (d, b),
    "Ad": lambda A, d: A * d,
    "Bb": lambda B, b: B * b,
    "Ad_of_db": lambda Ad, A: Ad,
    "Bb_of_dd": lambda Bb, B: Bb,
}

MISTAKES = (
    wrong("d left out", "d is left out: ΔW = A diag(d) B diag(b)", Ad=lambda A, d: A, grads=lambda dd, db: (zero(dd), db)),
    wrong("b left out", "b is left out: ΔW = A diag(d) B diag(b)", Bb=lambda B, b: B, grads=lambda dd, db: (dd, zero(db))),
    wrong("d and b swapped", "d and b have changed places: d (r,) stands between A and B, b (n_out,) at the outputs",
          scales=lambda d, b: (b, d), grads=lambda dd, db: (db, dd)),
    wrong("factor on the wrong side", "d scales A's rows; diag(d) stands between A and B", Ad=lambda A, d: d[:, None] * A),
    wrong("b on the wrong side", "b scales B's rows; diag(b) stands at the outputs", Bb=lambda B, b: b[:, None] * B),
    wrong("A read transposed", "A is read as (r, n_in), PyTorch's order; it is (n_in, r)", A=lambda A: A.reshape(A.shape[::-1]).T),
    wrong("B read transposed", "B is read as (n_out, r), PyTorch's order; it is (r, n_out)", B=lambda B: B.reshape(B.shape[::-1]).T),
    wrong("dd and db exchanged", "the gradients come as db, dd; dd, db is needed", grads=lambda dd, db: (db, dd)),
    wrong("db without d", "d is left out of db: db_j = Σ_i dW_ij (A diag(d) B)_ij", Ad_of_db=lambda Ad, A: A),
    wrong("dd without b", "b is left out of dd: dd_k = Σ_j (Aᵀ dW)_kj B_kj b_j", Bb_of_dd=lambda Bb, B: B),
    wrong("d frozen", "dd is 0: d is frozen; it is trained too", grads=lambda dd, db: (zero(dd), db)),
    wrong("b frozen", "db is 0: b is frozen; it is trained too", grads=lambda dd, db: (dd, zero(db))),
    *OF_LAYER,
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """r may be as large as n_in or n_out."""

    def factors(k: int, n_in: int, n_out: int, r: int) -> dict[str, Any]:
        A, B = numbers(dtype, n_in, r, lane=4), numbers(dtype, r, n_out, lane=6)
        return {"A": A, "B": B, "d": numbers(dtype, r, lane=7), "b": numbers(dtype, n_out, lane=8)}

    return layer.problems(dtype, factors)


# ---- A and B, drawn once ----


def shared(s: Any, seed: int, p: Any) -> Any:
    """A of one lane, B of another."""
    g_A, g_B = (
        Stream(seed, Purpose.ADAPTER, lane).normals(n * p.r) * UNIT
        for lane, n in zip(s.lanes(), (p.n_in, p.n_out), strict=True)
    )
    return (s.sd_A(p) * s.A(g_A, p)).astype(p.dtype), (s.sd_B(p) * s.B(g_B, p)).astype(p.dtype)


SHARED: Steps = {
    "lanes": lambda: (0, 1),
    "A": lambda g, p: g.reshape(p.n_in, p.r),
    "B": lambda g, p: g.reshape(p.r, p.n_out),
    "sd_A": lambda p: sqrt(2 / p.n_in),
    "sd_B": lambda p: sqrt(2 / p.r),
}

OF_SHARED = (
    wrong("sd without the 2", "A and B have standard deviations 1/√n_in and 1/√r; √(2/n_in) and √(2/r) are needed",
          sd_A=lambda p: 1 / sqrt(p.n_in), sd_B=lambda p: 1 / sqrt(p.r)),
    wrong("A's sd by r", "A has standard deviation √(2/r); √(2/n_in) is needed", sd_A=lambda p: sqrt(2 / p.r)),
    wrong("B's sd by n_out", "B has standard deviation √(2/n_out); √(2/r) is needed", sd_B=lambda p: sqrt(2 / p.n_out)),
    wrong("sds exchanged", "A has standard deviation √(2/r) and B √(2/n_out); √(2/n_in) and √(2/r) are needed",
          sd_A=lambda p: sqrt(2 / p.r), sd_B=lambda p: sqrt(2 / p.n_out)),
    wrong("sd 1", "A and B have standard deviation 1; √(2/n_in) and √(2/r) are needed", sd_A=lambda p: 1.0, sd_B=lambda p: 1.0),
    wrong("one lane", "B is drawn from A's lane 0; its own is 1", lanes=lambda: (0, 0)),
    wrong("lanes exchanged", "A is drawn from lane 1 and B from lane 0; A's is 0", lanes=lambda: (1, 0)),
    wrong("A drawn transposed", "A is drawn as (r, n_in), PyTorch's order; (n_in, r) in C order is needed", A=lambda g, p: g.reshape(p.r, p.n_in).T),
    wrong("B drawn transposed", "B is drawn as (n_out, r), PyTorch's order; (r, n_out) in C order is needed", B=lambda g, p: g.reshape(p.n_out, p.r).T),
    wrong("PyTorch's order", "A and B are PyTorch's, each the transpose of what is needed", A=lambda g, p: g.reshape(p.n_in, p.r).T,
          B=lambda g, p: g.reshape(p.r, p.n_out).T),
    fitted("another sd", "A and B have standard deviation {c}; √(2/n_in) and √(2/r) are needed", 0.02, sd_A=lambda c, p: c, sd_B=lambda c, p: c),
)  # fmt: skip


def draws(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Of several sizes."""
    for k, (n_in, n_out, r) in enumerate([(5, 4, 2), (4, 4, 4), (9, 3, 12), (6, 8, 1)]):
        yield Problem(
            f"{n_in}×{n_out}, r = {r}", 11 + k, {"n_in": n_in, "n_out": n_out, "r": r}, "shared", dtype.name
        )


TABLES = {
    ("vera", "given", "layer"): Table(vera, RIGHT, MISTAKES, problems, ("W", "y", "dd", "db")),
    ("vera", "seeded", "shared"): Table(shared, SHARED, OF_SHARED, draws, ("A", "B")),
}
