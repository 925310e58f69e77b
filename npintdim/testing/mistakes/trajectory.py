"""Ten steps of SGD or Adam in θ_d over a small network: fn(theta_0, p) gives θ_d after each, (10, d)."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from math import cos, pi, sqrt
from types import SimpleNamespace
from typing import Any

import numpy as np

from npintdim.testing.mistakes import networks
from npintdim.testing.mistakes.anywhere import clipped, clipped_norm
from npintdim.testing.mistakes.dense import column_major, column_norms, orthonormal
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, fitted, numbers, wrong
from npintdim.typing import Array, Floats


def path(s: Any, theta_0: Floats, p: Any) -> Any:
    """θ = θ_0 + P θ_d, g = Pᵀ ∂L/∂θ, one update a step."""
    P = s.P(p.P, p)
    theta_d = s.start(np.zeros(P.shape[1], theta_0.dtype))
    state, gradients, rows = (0 * theta_d,) * 3, [], [theta_d]
    for t in range(1, 11):
        _, grad = networks.loss_and_grad(s, s.theta(theta_0, P, theta_d), s.batch(p, t))
        gradients.append(s.penalty(s.clip(s.g(P, grad)), P, theta_0, theta_d))
        step, state = s.step(s, s.gradient(gradients), s.state(state), t, p)
        theta_d = s.after(s.decay(theta_d, p) - s.lr(t) * step)
        theta_0 = s.trained(s.theta_0(theta_0, P, theta_d), p.lr * grad)
        rows.append(theta_d)
    return s.rows(np.stack(rows))


STEPS: Steps = networks.NETWORK | {
    "theta": lambda theta_0, P, theta_d: theta_0 + P @ theta_d,
    "g": lambda P, grad: P.T @ grad,
    "gradient": lambda gradients: gradients[-1],
    "lr": lambda t: 1.0,
    "rows": lambda rows: rows[1:],
}


def examples(which: Callable[[int, int], Any]) -> Steps:
    """Step t takes which(t, n) of the n examples alone."""

    def batch(p: Any, t: int) -> Any:
        some = which(t, len(p.x))
        return SimpleNamespace(**(vars(p) | {"x": p.x[some], "labels": p.labels[some]}))

    return {"batch": batch}


def by_tensor(change: Callable[[Array], Any], D: int, p: Any) -> Any:
    """What change makes of the row numbers of every W and b, in a row."""
    shapes = [shape for layer in networks.layers_of(p) for shape in networks.shapes_of(layer)]
    return np.concatenate([change(rows).ravel() for rows in networks.tensors(np.arange(D), shapes)])


SHARED = (
    wrong("gradients add up", "gradients of earlier steps are never cleared, so each step takes their sum "
          "(zero_grad)", gradient=sum),
    wrong("rows are one array", "all rows are θ_d after the last step: the same array was kept ten times; "
          "copy it after each step", rows=lambda rows: np.repeat(rows[-1:], 10, axis=0)),
    wrong("θ_0 moves", "θ_0 becomes θ after each step, so earlier steps are added again; "
          "θ_0 is frozen, θ = θ_0 + P θ_d", theta_0=lambda theta_0, P, theta_d: theta_0 + P @ theta_d),
    wrong("biases left out", "the biases stay at θ_0, as if P had only the weights' rows; "
          "θ is all D parameters",
          P=lambda P, p:
              P * by_tensor(lambda rows: 0 * rows + (rows.ndim > 1), len(P), p)[:, None].astype(P.dtype)),
    wrong("uphill", "steps go uphill; −g is needed, θ_d ← θ_d − lr·g", g=lambda P, grad: -(P.T @ grad)),
    wrong("start included", "the path begins with θ_d = 0; it has θ_d after each step",
          rows=lambda rows: rows[:-1]),
    wrong("θ_0 forgotten", "θ is P θ_d; θ = θ_0 + P θ_d", theta=lambda theta_0, P, theta_d: P @ theta_d),
    wrong("θ_0 trained", "θ_0 takes steps of its own along −∂L/∂θ; it is frozen, and θ_d alone is trained",
          trained=lambda theta_0, step: theta_0 - step),
    wrong("always the first gradient", "each step takes the gradient at θ_0; it is taken at θ_0 + P θ_d",
          gradient=lambda gradients: gradients[0]),
    wrong("gradient late by one", "each step takes the gradient of the step before (the first takes none)",
          gradient=lambda gradients: gradients[-2] if len(gradients) > 1 else 0 * gradients[0]),
    wrong("mean of gradients", "each step takes the mean of all gradients so far",
          gradient=lambda gradients: sum(gradients) / len(gradients)),
    wrong("one example a step", "step t takes example t mod n alone; the whole batch is needed",
          **examples(lambda t, n: [(t - 1) % n])),
    wrong("first example only", "each step takes the first example alone; the whole batch is needed",
          **examples(lambda t, n: [0])),
    wrong("half of the batch", "each step takes the batch's first half; the whole batch is needed",
          **examples(lambda t, n: slice(n // 2))),
    wrong("halves in turn", "steps take the batch's halves in turn; the whole batch is needed",
          **examples(lambda t, n: slice((t - 1) % 2 * (n // 2), ((t - 1) % 2 + 1) * (n // 2)))),
    wrong("slices transposed", "P θ_d is cut into W of shape (n_out, n_in) as a module keeps them, "
          "θ_0 rightly; each W is (n_in, n_out), so transpose the slices",
          P=lambda P, p: P[by_tensor(lambda rows: rows.reshape(rows.shape[::-1]).T, len(P), p)]),
    wrong("P column-major", "P is read column-major (Fortran order); it is (D, d) in C order",
          P=lambda P, p: column_major(P)),
    wrong("P orthonormalised", "P's columns are made orthonormal (QR); they are only scaled",
          P=lambda P, p: orthonormal(P)),
    wrong("least squares for Pᵀ", "g is (PᵀP)⁻¹Pᵀ ∂L/∂θ; the chain rule has Pᵀ alone",
          g=lambda P, grad: np.linalg.lstsq(P, grad)[0]),
    wrong("gradient normalised", "g is divided by its norm", clip=lambda g: g / np.linalg.norm(g)),
    wrong("sign of the gradient", "steps take the sign of g", clip=np.sign),
    wrong("linear schedule", "lr falls linearly, lr (1 − (t − 1)/10); it is constant",
          lr=lambda t: 1 - (t - 1) / 10),
    wrong("cosine schedule", "lr falls as a cosine over the ten steps; it is constant",
          lr=lambda t: (1 + cos(pi * (t - 1) / 10)) / 2),
    wrong("lr/t", "lr is divided by t; it is constant", lr=lambda t: 1 / t),
    wrong("lr/√t", "lr is divided by √t; it is constant", lr=lambda t: 1 / sqrt(t)),
    fitted("schedule", "lr is multiplied by {c} after each step; it is constant",
           0.95, lr=lambda c, t: c ** (t - 1)),
    fitted("lr/(1 + c t)", "lr is divided by 1 + {c}·(t − 1); it is constant",
           0.1, lr=lambda c, t: 1 / (1 + c * (t - 1))),
    *(fitted(f"lr halves at {k}", f"lr is multiplied by {{c}} every {k} steps; it is constant",
             0.5, lr=lambda c, t, k=k: c ** ((t - 1) // k)) for k in (2, 3, 4, 5)),
    fitted("warm-up", "lr grows linearly over the first {c} steps; it is constant",
           4.0, lr=lambda c, t: min(1, t / c)),
    fitted("schedule, a step early", "lr is multiplied by {c} before each step; it is constant",
           0.95, lr=lambda c, t: c**t),
    *(wrong(f"stops after {k}", f"no step is taken after {k}", lr=lambda t, k=k: float(t <= k))
      for k in (1, 2, 5, 8, 9)),
    fitted("decay after the step", "θ_d is multiplied by {c} after each step; there is no decay",
           0.99, after=lambda c, θ_d: c * θ_d),
    fitted("ball", "θ_d is kept within a ball of radius {c}; it is free", 0.1, after=clipped_norm),
    fitted("another start", "θ_d starts at {c}; it starts at 0", 0.01, start=lambda c, θ_d: θ_d + c),
    wrong("mean of the path", "the path is the mean of θ_d over all steps so far; θ_d itself is needed",
          rows=lambda rows: np.cumsum(rows[1:], axis=0) / np.arange(1, len(rows))[:, None]),
    fitted("clipped norm", "gradients are clipped to norm {c} (clip_grad_norm_); they are taken as they are",
           1.0, clip=clipped_norm),
    fitted("clipped entries", "gradients are clipped to ±{c}; they are taken as they are", 0.1, clip=clipped),
    fitted("L2 in θ_d", "{c}·θ_d is added to the gradient (weight_decay); there is none",
           0.01, penalty=lambda c, g, P, theta_0, theta_d: g + c * theta_d),
    fitted("L2 in θ", "{c}·Pᵀθ is added to the gradient (an L2 penalty of θ); there is none", 0.01,
           penalty=lambda c, g, P, theta_0, theta_d: g + c * (P.T @ (theta_0 + P @ theta_d))),
    fitted("decoupled decay", "θ_d decays by {c}·lr a step (AdamW); there is no decay",
           0.05, decay=lambda c, θ_d, p: θ_d * (1 - c * p.lr)),
    fitted("decay", "θ_d decays by {c} a step; there is no decay",
           0.02, decay=lambda c, θ_d, p: θ_d * (1 - c)),
    fitted("lr times a constant", "each step is {c} times as long as lr says", 2.0, lr=lambda c, t: c),
    fitted("P times a constant", "P is multiplied by {c} (α/r?); its columns are unit as given",
           2.0, P=lambda c, P, p: P * c),
    fitted("averaged path", "the path is a moving average of decay {c}; θ_d itself is needed",
           0.9, rows=lambda c, rows: np.stack(
               list(accumulate(rows, lambda mean, row: c * mean + (1 - c) * row)))[1:]),
    *(m for m in networks.OF_NETWORK if m.name not in (  # told by the loss alone
        "summed gradient", "1/n twice", "gradient's sign", "loss times a constant", "mean over classes")),
)  # fmt: skip

# ---- SGD: u ← momentum·u + g, θ_d ← θ_d − lr·u ----


def sgd(s: Any, g: Floats, state: Any, t: int, p: Any) -> Any:
    """The step and the new velocity."""
    u = s.momentum(p.momentum) * state[0] + s.own(t, p) * g
    return p.lr * s.ahead(u, g, p), (u, u, u)


OF_SGD = (
    wrong("dampening", "g enters the velocity with 1 − momentum; u ← momentum·u + g",
          own=lambda t, p: 1 - p.momentum),
    wrong("PyTorch's dampening", "g enters the velocity with 1 − momentum from the second step on "
          "(dampening=momentum); u ← momentum·u + g", own=lambda t, p: 1 - p.momentum if t > 1 else 1.0),
    wrong("Nesterov", "the step looks ahead (Nesterov); θ_d ← θ_d − lr·u",
          ahead=lambda u, g, p: p.momentum * u + g),
    fitted("another momentum", "the velocity keeps {c} of itself whatever momentum is given",
           0.3, momentum=lambda c, momentum: c),
    wrong("no momentum", "momentum is ignored, or the velocity starts at zero in every step "
          "(an optimizer made anew in the loop): u ← momentum·u + g", ahead=lambda u, g, p: g),
)  # fmt: skip

# ---- Adam: θ_d ← θ_d − lr √(1 − β2^t)/(1 − β1^t) · m/(√v + ε), TensorFlow's: ε beside √v uncorrected ----


def adam(s: Any, g: Floats, state: Any, t: int, p: Any) -> Any:
    """m and v as they are; rule(m, v, c1, c2, ε) is the step with lr = 1, c = 1 − β^t."""
    (b1, b2), t = s.β((p.beta1, p.beta2)), s.t(t)
    m, v = s.m(b1, state[0], g), s.v(b2, state[1], g, state[0])
    c1, c2 = 1 - b1**t, 1 - b2**t
    most = s.most(state[2], v, c2)
    return p.lr * s.rule(s.m_used(m, g, b1), s.v_used(v, most), c1, c2, s.ε(p.eps)), (m, v, most)


OF_ADAM = (
    wrong("PyTorch's ε", "ε is added to √v after v is corrected, as PyTorch does; "
          "here lr_t·m/(√v + ε), TensorFlow's form: PyTorch's ε is ours / √(1 − β2^t)",
          rule=lambda m, v, c1, c2, ε: m / c1 / (np.sqrt(v / c2) + ε)),
    wrong("ε under the root", "ε stands under the root, √(v + ε); √v + ε is needed",
          rule=lambda m, v, c1, c2, ε: sqrt(c2) / c1 * m / np.sqrt(v + ε)),
    wrong("ε under the corrected root", "ε stands under the root of the corrected v, √(v/(1 − β2^t) + ε); "
          "√v + ε is needed", rule=lambda m, v, c1, c2, ε: m / c1 / np.sqrt(v / c2 + ε)),
    wrong("no bias correction", "the factor √(1 − β2^t)/(1 − β1^t) is missing",
          rule=lambda m, v, c1, c2, ε: m / (np.sqrt(v) + ε)),
    wrong("m not corrected", "only v is corrected for its start at zero; "
          "the factor is √(1 − β2^t)/(1 − β1^t)",
          rule=lambda m, v, c1, c2, ε: sqrt(c2) * m / (np.sqrt(v) + ε)),
    wrong("v not corrected", "only m is corrected for its start at zero; "
          "the factor is √(1 − β2^t)/(1 − β1^t)", rule=lambda m, v, c1, c2, ε: m / c1 / (np.sqrt(v) + ε)),
    wrong("t late by one", "t is one too large in the first step; it starts at 1", t=lambda t: t + 1),
    wrong("β2 = 0.999", "β2 is 0.999 whatever is given (the authors have 0.99)", β=lambda β: (β[0], 0.999)),
    wrong("PyTorch's β", "β1 and β2 are PyTorch's 0.9 and 0.999 whatever is given", β=lambda β: (0.9, 0.999)),
    wrong("ε = 1e-8", "ε is 1e-8 whatever is given", ε=lambda ε: 1e-8),
    wrong("weight decay", "θ_d decays by 0.01·lr a step, as in AdamW; there is no decay",
          decay=lambda θ_d, p: θ_d * (1 - 0.01 * p.lr)),
    wrong("state reset", "the optimizer's state starts at zero in every step (made anew inside the loop); "
          "keep it", state=lambda state: tuple(0 * x for x in state)),
    wrong("AMSGrad", "v's largest value so far stands for v (amsgrad); v itself is needed",
          v_used=lambda v, most: most),
    wrong("AMSGrad of the corrected v", "the largest corrected v so far stands for v "
          "(amsgrad, Keras or optax); v itself is needed",
          most=lambda most, v, c2: np.maximum(most, v / c2), v_used=lambda v, most: most,
          rule=lambda m, v, c1, c2, ε: m / c1 / (np.sqrt(v) + ε)),
    wrong("AdaBelief", "v averages (g − m)²; g² is needed",
          v=lambda b2, v, g, m: b2 * v + (1 - b2) * (g - m) ** 2),
    wrong("AdaMax", "v is the largest |g|, decaying by β2; it averages g²",
          v=lambda b2, v, g, m: np.maximum(b2 * v, np.abs(g)), rule=lambda m, v, c1, c2, ε: m / c1 / (v + ε)),
    wrong("Adagrad's v", "v is the sum of g²; it averages them by β2", v=lambda b2, v, g, m: v + g * g),
    wrong("no m", "the step takes g for m (RMSprop); m ← β1 m + (1 − β1) g", m_used=lambda m, g, b1: g),
    wrong("Nadam", "the step looks ahead, β1 m + (1 − β1) g (Nesterov); m is needed",
          m_used=lambda m, g, b1: b1 * m + (1 - b1) * g),
    wrong("no root", "the step divides by v; by √v + ε is needed",
          rule=lambda m, v, c1, c2, ε: sqrt(c2) / c1 * m / (v + ε)),
    wrong("g without 1 − β1", "g enters m without its factor 1 − β1", m=lambda b1, m, g: b1 * m + g),
    wrong("g² without 1 − β2", "g² enters v without its factor 1 − β2", v=lambda b2, v, g, m: b2 * v + g * g),
    wrong("|g| for g²", "v averages |g|; g² is needed", v=lambda b2, v, g, m: b2 * v + (1 - b2) * np.abs(g)),
    wrong("one v for all", "v averages the mean of g² over all entries; each has its own",
          v=lambda b2, v, g, m: b2 * v + (1 - b2) * (g * g).mean()),
    wrong("t stays 1", "the bias correction has t = 1 in every step", t=lambda t: 1),
    wrong("v corrected without the root", "the factor is (1 − β2^t)/(1 − β1^t); "
          "√(1 − β2^t)/(1 − β1^t) is needed", rule=lambda m, v, c1, c2, ε: c2 / c1 * m / (np.sqrt(v) + ε)),
    wrong("ε left out", "ε is left out; √v + ε is needed", ε=lambda ε: 0.0),
    wrong("ε²", "ε is squared; √v + ε is needed", ε=lambda ε: ε**2),
    wrong("√ε", "the root of ε is added; √v + ε is needed", ε=lambda ε: sqrt(ε)),
    wrong("SGD", "the step is lr·g; Adam's is needed", rule=lambda m, v, c1, c2, ε: m, m=lambda b1, m, g: g),
    wrong("momentum alone", "the step is lr·m/(1 − β1^t), without v", rule=lambda m, v, c1, c2, ε: m / c1),
    fitted("another ε", "ε is {c} whatever is given", 1e-2, ε=lambda c, ε: c),
    fitted("another β1", "β1 is {c} whatever is given", 0.7, β=lambda c, β: (c, β[1])),
    fitted("another β2", "β2 is {c} whatever is given", 0.9, β=lambda c, β: (β[0], c)),
    wrong("β1 and β2 swapped", "β1 and β2 are exchanged", β=lambda β: (β[1], β[0])),
)  # fmt: skip


def of(step: Any, steps: Steps, mistakes: tuple[Mistake, ...], *settings: dict[str, float]) -> Table:
    """In float64 always: ten steps enlarge float32's rounding too much to tell rules apart."""

    def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
        dtype, D, d = np.dtype(np.float64), 26, 5
        g = numbers(dtype, D, d, lane=2)
        for options in settings:
            rest = {"P": g / column_norms(g), **networks.data(dtype, [3, 4, 2], 6), **options}
            title = ", ".join(f"{name} {value:g}" for name, value in options.items())
            yield Problem(title, numbers(dtype, D) * 2, rest, step.__name__)
        for size in (8.0, 0.01):  # gradients above 1 that then vanish, and small ones
            other = rest | {"x": rest["x"] * size}
            yield Problem(f"{title}, x times {size:g}", numbers(dtype, D) * 2, other, step.__name__)

    right = STEPS | {"step": step} | steps
    return Table(
        path, right, mistakes + SHARED, problems, ("path",), slack=2**14, conventions=("PyTorch's ε",)
    )


TABLES = {
    ("trajectory", "given", "sgd"): of(
        sgd, {"own": lambda t, p: 1.0}, OF_SGD,
        {"lr": 0.5, "momentum": 0.0}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.2, "momentum": 0.5}),
    ("trajectory", "given", "adam"): of(
        adam,
        {"rule": lambda m, v, c1, c2, ε: sqrt(c2) / c1 * m / (np.sqrt(v) + ε),
         "m": lambda b1, m, g: b1 * m + (1 - b1) * g,
         "v": lambda b2, v, g, m: b2 * v + (1 - b2) * g * g,
         "most": lambda most, v, c2: np.maximum(most, v)},
        OF_ADAM,
        {"lr": 0.0625, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3},
        {"lr": 0.01, "beta1": 0.8, "beta2": 0.999, "eps": 1e-8},
        {"lr": 0.02, "beta1": 0.9, "beta2": 0.95, "eps": 1e-4}),
}  # fmt: skip
