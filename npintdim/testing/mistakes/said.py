"""SAID: fn(v, p) gives θ_i = θ_0,i + λ_i (P u)_i a tensor, the gradient by v = (u, λ); P given or drawn."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from npintdim.testing.mistakes.dense import column_norms
from npintdim.testing.mistakes.from_seeds import matrix
from npintdim.testing.mistakes.table import Problem, Steps, Table, numbers, wrong
from npintdim.typing import Array, Floats


def said(s: Any, v: Floats, p: Any) -> Any:
    """P u, then every tensor's λ; the same backwards."""
    m = len(p.sizes)
    u, λ = s.split(v, m)
    P, g = s.per_tensor(s.P(p, len(v), m), p.sizes), p.g
    each, Pu = np.repeat(s.λ(λ), p.sizes), P @ u
    dλ = np.array([a @ b for a, b in zip(parts(s.moved(Pu, p.theta_0), p), parts(g, p), strict=True)])
    return s.theta(p.theta_0, each, Pu), s.grad(P.T @ s.back(each, g), s.dλ(dλ, λ, p))


def parts(x: Array, p: Any) -> list[Array]:
    """One a tensor."""
    return np.split(x, np.cumsum(p.sizes)[:-1])


RIGHT: Steps = {
    "split": lambda v, m: (v[: len(v) - m], v[len(v) - m :]),
    "P": lambda p, d, m: p.P,
    "theta": lambda theta_0, λ, Pu: theta_0 + λ * Pu,
    "back": lambda λ, g: λ * g,
    "grad": lambda du, dλ: np.concatenate([du, dλ]),
}

MISTAKES = (
    wrong("λ left out", "λ is left out, which is DID: θ_i = θ_0,i + λ_i (P u)_i",
          theta=lambda theta_0, λ, Pu: theta_0 + Pu, back=lambda λ, g: g, dλ=lambda dλ, λ, p: 0 * dλ),
    wrong("λ first", "v is read as (λ, u); (u, λ) is needed",
          split=lambda v, m: (v[m:], v[:m]), grad=lambda du, dλ: np.concatenate([dλ, du])),
    wrong("dλ first", "the gradient comes as (dλ, du); (du, dλ) is needed",
          grad=lambda du, dλ: np.concatenate([dλ, du])),
    wrong("θ_0 scaled too", "λ scales θ_0 too: θ_i = θ_0,i + λ_i (P u)_i",
          theta=lambda theta_0, λ, Pu: λ * (theta_0 + Pu), moved=lambda Pu, theta_0: theta_0 + Pu),
    wrong("1 + λ", "the scale is 1 + λ, as if λ began at 0; it is λ, 1 at first", λ=lambda λ: 1 + λ),
    wrong("e^λ", "the scale is e^λ; it is λ, 1 at first", λ=np.exp, dλ=lambda dλ, λ, p: np.exp(λ) * dλ),
    wrong("one λ for all", "the first λ scales all tensors; each has its own", λ=lambda λ: 0 * λ + λ[0]),
    wrong("λ reversed", "λ goes to the tensors in reversed order", λ=lambda λ: λ[::-1]),
    wrong("λ reversed, dλ too", "λ and dλ go to the tensors in reversed order",
          λ=lambda λ: λ[::-1], dλ=lambda dλ, λ, p: dλ[::-1]),
    wrong("λ frozen", "dλ is 0: λ is frozen; it is trained, dλ_i = ⟨(P u)_i, g_i⟩",
          dλ=lambda dλ, λ, p: 0 * dλ),
    wrong("du without λ", "λ is left out of du = Pᵀ(λ ∘ g)", back=lambda λ, g: g),
    wrong("dλ with λ", "dλ_i has a factor λ_i too many: ⟨(P u)_i, g_i⟩", dλ=lambda dλ, λ, p: λ * dλ),
    wrong("dλ averaged", "dλ_i is a mean over its tensor; it is the sum ⟨(P u)_i, g_i⟩",
          dλ=lambda dλ, λ, p: dλ / np.array(p.sizes)),
    wrong("dλ of all tensors", "every dλ_i is the sum over all tensors; over tensor i is needed",
          dλ=lambda dλ, λ, p: 0 * dλ + dλ.sum()),
    wrong("θ_0 forgotten", "θ is λ ∘ P u; θ = θ_0 + λ ∘ P u", theta=lambda theta_0, λ, Pu: λ * Pu),
    wrong("added twice", "λ ∘ P u is added twice: θ = θ_0 + λ ∘ P u",
          theta=lambda theta_0, λ, Pu: theta_0 + 2 * λ * Pu),
    wrong("per-module map", "every tensor begins at row 0 of P; P is one map of all D rows, "
          "and tensor i has those from Σ_{j<i} on",
          per_tensor=lambda P, sizes: np.concatenate([P[:size] for size in sizes])),
)  # fmt: skip

# ---- P is drawn ----


def drawn_for_d(p: Any, d: int, m: int) -> Any:
    """P, D×d."""
    return matrix("fastfood", len(p.theta_0), d, p.seed, "float64")


def all_of_v(v: Floats, m: int) -> Any:
    """m scales beside the d numbers of v, at their start 1."""
    return v, np.ones(m, v.dtype)


DRAWN: Steps = RIGHT | {"P": lambda p, d, m: drawn_for_d(p, d - m, m).astype(p.theta_0.dtype)}
OF_DRAWN = (
    wrong("λ not paid out of d", "all d numbers of v go into P, and the m scales come on top, d + m in all: "
          "u has d − m numbers, P is D×(d − m)", split=all_of_v, P=drawn_for_d),
    wrong("DID of d numbers", "there is no λ, and P takes all d numbers, which is DID: "
          "u has d − m numbers, and each tensor a λ", split=all_of_v, P=drawn_for_d, grad=lambda du, dλ: du),
    wrong("P drawn for d", "P is drawn for d numbers, the first d − m columns used; draw it for d − m",
          P=lambda p, d, m: drawn_for_d(p, d, m)[:, : d - m]),
    *MISTAKES,
)  # fmt: skip


def problems(dtype: np.dtype[Any], given: bool) -> Iterator[Problem]:
    """Tensors of several sizes, two of the same, one alone."""
    for k, (sizes, d) in enumerate([((12, 3, 12, 5), 11), ((20, 7), 9), ((16,), 5), ((6, 8, 10), 12)]):
        D, m = sum(sizes), len(sizes)
        v, theta_0, g = (numbers(dtype, n, lane=lane) for n, lane in ((d, 2), (D, 3), (D, 4)))
        P = numbers(np.dtype(np.float64), D, d - m, lane=6)
        rest = {"theta_0": theta_0} | ({"P": (P / column_norms(P)).astype(dtype)} if given else {})
        rest |= {"sizes": np.array(sizes)} | ({} if given else {"seed": 5 + k}) | {"g": g}
        yield Problem(f"tensors of {', '.join(map(str, sizes))}, d = {d}", 4 * v, rest, "theta_grad")


TABLES = {
    ("said", "given", "theta_grad"): Table(
        said, RIGHT, MISTAKES, partial(problems, given=True), ("theta", "grad")
    ),
    ("said", "seeded", "theta_grad"): Table(
        said, DRAWN, OF_DRAWN, partial(problems, given=False), ("theta", "grad")
    ),
}
