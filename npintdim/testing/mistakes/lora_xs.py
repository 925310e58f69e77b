"""LoRA-XS: fn(x, p) gives W = W_0 + U Σ R Vᵀ, y = x W and dR = Σ Uᵀ dW V, the singular vectors being given."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.testing.mistakes import layer
from npintdim.testing.mistakes.layer import OF_LAYER, adapted
from npintdim.testing.mistakes.table import Problem, Steps, Table, wrong
from npintdim.typing import Floats


def lora_xs(s: Any, x: Floats, p: Any) -> Any:
    """ΔW = left R right, dR = leftᵀ dW rightᵀ."""
    (left, right), dW = s.frozen(p.U, p.S, p.Vt), s.dW(x, p.dy)
    dR = s.c() * (s.left_of_dR(left, p).T @ dW @ right.T)
    return adapted(s, x, p, s.c() * s.delta(left, s.R(p.R), right, p), dW, (s.dR(dR),))


RIGHT: Steps = layer.RIGHT | {
    "frozen": lambda U, S, Vt: (U * S, Vt),
    "R": lambda R: R,
    "delta": lambda left, R, right, p: left @ R @ right,
    "left_of_dR": lambda left, p: left,
    "dR": lambda dR: dR,
}

MISTAKES = (
    wrong("Σ left out", "Σ is left out: W = W_0 + U Σ R Vᵀ", frozen=lambda U, S, Vt: (U, Vt)),
    wrong("Σ on the other side", "ΔW is U R Σ Vᵀ; U Σ R Vᵀ is needed", frozen=lambda U, S, Vt: (U, S[:, None] * Vt)),
    wrong("√Σ on both sides", "ΔW is U √Σ R √Σ Vᵀ; U Σ R Vᵀ is needed", frozen=lambda U, S, Vt: (U * np.sqrt(S), np.sqrt(S)[:, None] * Vt)),
    wrong("Σ on both sides", "ΔW is U Σ R Σ Vᵀ; U Σ R Vᵀ is needed", frozen=lambda U, S, Vt: (U * S, S[:, None] * Vt)),
    wrong("Σ twice", "ΔW is U Σ² R Vᵀ; U Σ R Vᵀ is needed", frozen=lambda U, S, Vt: (U * S**2, Vt)),
    wrong("1/Σ", "ΔW is U Σ⁻¹ R Vᵀ; U Σ R Vᵀ is needed", frozen=lambda U, S, Vt: (U / S, Vt)),
    wrong("V for Vᵀ", "ΔW ends in V; Vt holds the rows of Vᵀ already", frozen=lambda U, S, Vt: (U * S, Vt.T)),
    wrong("R transposed", "R is transposed: W = W_0 + U Σ R Vᵀ", R=lambda R: R.T, dR=lambda dR: dR.T),
    wrong("R transposed in ΔW alone", "R is transposed in ΔW, but not in its gradient", R=lambda R: R.T),
    wrong("dR transposed", "dR is its transpose, PyTorch's order: dR = Σ Uᵀ dW V", dR=lambda dR: dR.T),
    wrong("dR without Σ", "Σ is left out of the gradient: dR = Σ Uᵀ dW V", left_of_dR=lambda left, p: p.U),
    wrong("U Σ Vᵀ replaced", "R stands in place of 1, as if W_0's largest directions were taken out (PiSSA): W = W_0 + U Σ R Vᵀ",
          delta=lambda left, R, right, p: left @ (R - np.eye(len(R))) @ right),
    *OF_LAYER,
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """W_0's own singular vectors."""
    for problem in layer.problems(
        dtype, lambda k, n_in, n_out, r: {"R": np.arange(r * r, dtype=dtype).reshape(r, r) / 7 - 0.3}
    ):
        rest, r = problem.rest, len(problem.rest["R"])
        U, S, Vt = (x.astype(dtype) for x in np.linalg.svd(rest["W_0"], full_matrices=False))
        own = {"W_0": rest["W_0"], "U": U[:, :r], "S": S[:r], "Vt": Vt[:r], "R": rest["R"], "dy": rest["dy"]}
        yield Problem(problem.title, problem.first, own, "layer")


TABLES = {("lora_xs", "given", "layer"): Table(lora_xs, RIGHT, MISTAKES, problems, ("W", "y", "dR"))}
