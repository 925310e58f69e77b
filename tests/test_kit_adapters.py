"""`explain` on adapters as users write them in NumPy, a layer's forward and backward by hand: their mistakes get their names.

The list was written from what people do, in loops and einsum, and none of it calls the package or its tables.
"""

import numpy as np
import pytest
import random_from_the_page as page

from npintdim.testing import cases, explain
from npintdim.testing.answers import judge


# ---- LoRA, with the loss ⟨y, dy⟩ whose gradients are written out ----
def lora(x, p, scale=None, out=lambda *a: a, A=None, B=None):
    A, B = p.A if A is None else A, p.B if B is None else B
    r = A.shape[1]
    s = (p.alpha / np.sqrt(r) if p.stabilised else p.alpha / r) if scale is None else scale(p.alpha, r)
    y = np.einsum("ni,io->no", x, p.W_0) + s * np.einsum("ni,ir,ro->no", x, A, B)
    dA, dB = s * np.einsum("ni,no,ro->ir", x, p.dy, B), s * np.einsum("ni,ir,no->ro", x, A, p.dy)
    return out(p.W_0 + s * np.einsum("ir,ro->io", A, B), y, dA, dB)


def merged_and_hooked(x, p):
    """The layer's weight is merged, and its hook still adds the adapter."""
    W, y, dA, dB = lora(x, p)
    return W, y + (y - x @ p.W_0), dA, dB


def merged_again(x, p):
    """merge() was called twice."""
    W, _, dA, dB = lora(x, p)
    W = W + (W - p.W_0)
    return W, x @ W, dA, dB


def in_torchs_order(x, p):
    """weight (n_out, n_in), lora_A (r, n_in), lora_B (n_out, r)."""
    lora_A, lora_B, weight = p.A.T, p.B.T, p.W_0.T
    s = p.alpha / len(lora_A) ** (0.5 if p.stabilised else 1)
    W, dW = weight + s * lora_B @ lora_A, p.dy.T @ x
    return W, x @ W.T, s * lora_B.T @ dW, s * dW @ lora_A.T


def papers_product(x, p):
    """ΔW = B A, (n_out, n_in), added to our W: fits where n_in = n_out."""
    _, _, dA, dB = lora(x, p)
    s = p.alpha / p.A.shape[1] ** (0.5 if p.stabilised else 1)
    W = p.W_0 + s * p.B.T @ p.A.T
    return W, x @ W, dA, dB


def roles_exchanged(x, p):
    """B is taken for A and A for B, each transposed so that it fits."""
    return lora(x, p, A=p.B.T, B=p.A.T)


def b_times_a(x, p):
    """B A where r = n_in = n_out, and its own gradients."""
    r, s = p.A.shape[1], p.alpha / np.sqrt(p.A.shape[1]) if p.stabilised else p.alpha / p.A.shape[1]
    if p.A.shape != (r, r) or p.B.shape != (r, r):
        raise ValueError("does not fit")
    W, dW = p.W_0 + s * p.B @ p.A, x.T @ p.dy
    return W, x @ W, s * p.B.T @ dW, s * dW @ p.A.T


def with_dropout():
    rng = np.random.default_rng(0)

    def fn(x, p):
        W, _, dA, dB = lora(x, p)
        kept = x * (rng.random(x.shape) < 0.5) / 0.5
        return W, x @ p.W_0 + kept @ (W - p.W_0), dA, dB

    return fn


def not_zeroed():
    left = {}

    def fn(x, p):
        W, y, dA, dB = lora(x, p)
        of_A, of_B = left.get(p.A.shape + p.B.shape, (0, 0))
        left[p.A.shape + p.B.shape] = of_A + dA, of_B + dB
        return W, y, of_A + dA, of_B + dB

    return fn


def in_a_buffer(x, p):
    """The numbers of A and B in the order given, laid out as PyTorch's."""
    n_in, r, n_out = len(p.A), p.A.shape[1], p.B.shape[1]
    return lora(x, p, A=p.A.ravel().reshape(r, n_in).T, B=p.B.ravel().reshape(n_out, r).T)


# ---- LoRA-XS, VeRA ----
def xs(x, p, sigma=lambda S: S, right=lambda S: 1 + 0 * S, R=lambda R: R, dR=lambda dR: dR):
    left, V = p.U @ np.diag(sigma(p.S)), np.diag(right(p.S)) @ p.Vt
    W = p.W_0 + left @ R(p.R) @ V
    return W, x @ W, dR(left.T @ x.T @ p.dy @ V.T)


def vera(x, p, A=None, out=lambda *a: a, with_d=True, with_b=True):
    """Number by number of the gradients."""
    A = p.A if A is None else A
    d, b = p.d if with_d else 1 + 0 * p.d, p.b if with_b else 1 + 0 * p.b
    h = x @ A
    W = p.W_0 + np.einsum("ik,k,ko,o->io", A, d, p.B, b)
    dd = np.array([(p.dy * np.outer(h[:, k], p.B[k] * b)).sum() for k in range(len(d))])
    db = ((h * d) @ p.B * p.dy).sum(0)
    return out(W, x @ W, dd if with_d else 0 * dd, db if with_b else 0 * db)


# ---- SAID, Uni-LoRA ----
def said(v, p, P=None, u=None, lam=None, of_lam=lambda t: t, d_of_lam=lambda t: 1.0, u_also=True):
    """A loop over the tensors."""
    m, P = len(p.sizes), p.P if P is None else P
    u, lam = (v[:-m], v[-m:]) if u is None else (u, lam)
    theta, du, dlam, at = p.theta_0.copy(), np.zeros(len(u), v.dtype), np.zeros(m, v.dtype), 0
    for i, size in enumerate(p.sizes):
        rows = slice(at, at + size)
        theta[rows] += of_lam(lam[i]) * (P[rows] @ u)
        du += P[rows].T @ ((of_lam(lam[i]) if u_also else 1) * p.g[rows])
        dlam[i] = d_of_lam(lam[i]) * (P[rows] @ u) @ p.g[rows]
        at += size
    return theta, np.concatenate([du, dlam])


def same_rows(v, p):
    """Each module has a P of its own size, always from the top."""
    return said(v, p, np.vstack([p.P[:size] for size in p.sizes]))


def lambda_in_front(v, p):
    m = len(p.sizes)
    theta, grad = said(v, p, u=v[m:], lam=v[:m])
    return theta, np.roll(grad, m)


def frozen_lambda(v, p):
    theta, grad = said(v, p)
    grad[-len(p.sizes) :] = 0
    return theta, grad


def uni(v, p, weight=None, h=None, peft=False, back=None, times=1, forget=False):
    """Entry by entry; weight(h) are the entries of P."""
    h = p.h if h is None else h
    own = 1 / np.sqrt(np.array([(h == j).sum() for j in h])) if weight is None else weight(h, p)
    w, dw, at, place, theta = own * v[h], np.zeros(len(h)), 0, 0, []
    for n_in, n_out in p.shapes:
        a, b = np.arange(at, at + n_in * p.r), np.arange(at + n_in * p.r, at + (n_in + n_out) * p.r)
        a, b = (
            (a.reshape(p.r, n_in).T, b.reshape(n_out, p.r).T)
            if peft
            else (a.reshape(n_in, p.r), b.reshape(p.r, n_out))
        )
        W_0, dW = (z[place : place + n_in * n_out].reshape(n_in, n_out) for z in (p.theta_0, p.g))
        theta.append((W_0 * (not forget) + times * w[a] @ w[b]).ravel())
        dw[a], dw[b] = dW @ w[b].T, w[a].T @ dW
        at, place = at + (n_in + n_out) * p.r, place + n_in * n_out
    grad = np.zeros(len(v))
    np.add.at(grad, h, (own if back is None else back(h)) * dw)
    return np.concatenate(theta), grad


def modules(h, p):
    """h of every module."""
    return np.split(h, np.cumsum([p.r * (a + b) for a, b in p.shapes])[:-1])


def counted_alone(h, p):
    return np.concatenate([[(part == j).sum() ** -0.5 for j in part] for part in modules(h, p)])


def from_the_top(v, p):
    """Every module makes its map anew."""
    h = np.concatenate([p.h[: len(part)] for part in modules(p.h, p)])
    return uni(v, p, counted_alone, h)


def last_wins(v, p):
    """grad[h] = …; of each entry alone, the last stays."""
    theta, grad = uni(v, p)[0], np.zeros(len(v))
    n = np.array([(p.h == j).sum() for j in p.h])
    for i, j in enumerate(p.h):
        grad[j] = uni(v, p, back=lambda h, i=i: (np.arange(len(h)) == i) / np.sqrt(n))[1][j]
    return theta, grad


# ---- what is drawn ----
def philox_normals(seed, lane, n):
    """docs/random.md by NumPy's own Philox is another generator: the page's, from the tests' copy of it."""
    return np.array(page.normals(seed, 19, lane, n)) / 2**20


def drawn(seed, p, A_zero=False, torchs=False, sd=None, B_too=False):
    g = philox_normals(seed, p.lane, p.n_in * p.r)
    A = g.reshape(p.r, p.n_in).T if torchs else g.reshape(p.n_in, p.r)
    A = A * (p.n_in**-0.5 if sd is None else sd(p))
    return (0 * A if A_zero else A).astype(p.dtype), np.full((p.r, p.n_out), 0.0).astype(p.dtype)


def shared(seed, p, lane_of_B=1, two=2):
    A = philox_normals(seed, 0, p.n_in * p.r).reshape(p.n_in, p.r) * np.sqrt(two / p.n_in)
    B = philox_normals(seed, lane_of_B, p.r * p.n_out).reshape(p.r, p.n_out) * np.sqrt(two / p.r)
    return A.astype(p.dtype), B.astype(p.dtype)


def columns_of_fastfood(p, D, d):
    return np.array([page.fastfood_column(p.seed, D, d, j) for j in range(d)]).T


def seeded_said(v, p):
    return said(v, p, columns_of_fastfood(p, len(p.theta_0), len(v) - len(p.sizes)))


def not_paid(v, p):
    """The m scales come on top of d."""
    P = columns_of_fastfood(p, len(p.theta_0), len(v))
    return said(v, p, P, u=v, lam=np.ones(len(p.sizes)))


def page_map(p, d, each=False):
    sizes = [p.r * int(a + b) for a, b in p.shapes]
    found = [page.permutation(p.seed, 15, 0, n) for n in (sizes if each else [sum(sizes)])]
    return np.concatenate(found) % d


def seeded_uni(v, p):
    return uni(v, p, h=page_map(p, len(v)))


def drawn_per_module(v, p):
    return uni(v, p, counted_alone, page_map(p, len(v), each=True))


RIGHT = {
    "lora": ("lora", "given", lora),
    "lora start": ("lora", "seeded", drawn),
    "lora_xs": ("lora_xs", "given", xs),
    "vera": ("vera", "given", vera),
    "vera shared": ("vera", "seeded", shared),
    "said": ("said", "given", said),
    "said seeded": ("said", "seeded", seeded_said),
    "uni_lora": ("uni_lora", "given", uni),
    "uni_lora seeded": ("uni_lora", "seeded", seeded_uni),
}

WRONG = {  # family, level, fn, what is found, words of the sentence
    "roles exchanged": ("lora", "given", roles_exchanged, "A and B swapped", "the papers' A is our Aᵀ"),
    "B A": ("lora", "given", b_times_a, "factor on the wrong side", "ΔW is B A"),
    "the papers' B A": ("lora", "given", papers_product, "ΔW transposed", "as the papers have it"),
    "α": ("lora", "given", lambda x, p: lora(x, p, lambda a, r: a), "α for α/r", "by α/r is needed"),
    "α/√r": ("lora", "given", lambda x, p: lora(x, p, lambda a, r: a / r**0.5), "α/√r always", "which is rsLoRA"),
    "rsLoRA unknown": ("lora", "given", lambda x, p: lora(x, p, lambda a, r: a / r), "α/r always", "α/√r is needed"),
    "no scale": ("lora", "given", lambda x, p: lora(x, p, lambda a, r: 1), "scale left out", "A B is needed"),
    "scale of its own": ("lora", "given", lambda x, p: lora(x, p, lambda a, r: 0.7 * a / r ** (0.5 if p.stabilised else 1)), "another scale", "0.7"),
    "PyTorch's order": ("lora", "given", in_torchs_order, "PyTorch's order", "W, dA and dB are PyTorch's"),
    "weight of torch": ("lora", "given", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (W.T, y, dA, dB)), "W transposed", "PyTorch's Linear"),
    "grads of torch": ("lora", "given", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (W, y, dA.T, dB.T)), "gradients transposed", "lora_A"),
    "buffers of torch": ("lora", "given", in_a_buffer, "factors read transposed", "(r, n_in)"),
    "merged and hooked": ("lora", "given", merged_and_hooked, "added twice", "in which it is merged already"),
    "merged again": ("lora", "given", merged_again, "merged twice", "merged twice"),
    "not merged": ("lora", "given", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (p.W_0, y, dA, dB)), "not merged", "W is W_0"),
    "dropout": ("lora", "given", with_dropout(), "not the same twice", "dropout left on"),
    "no zero_grad": ("lora", "given", not_zeroed(), "not zeroed", "left from the calls before (zero_grad"),
    "mean of the batch": ("lora", "given", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (W, y, dA / len(x), dB / len(x))), "gradients averaged", "sum"),
    "LoRA-FA": ("lora", "given", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (W, y, 0 * dA, dB)), "A frozen", "LoRA-FA"),
    "A is 0": ("lora", "seeded", lambda seed, p: drawn(seed, p, A_zero=True), "A also zero", "neither ever has a gradient"),
    "A by r": ("lora", "seeded", lambda seed, p: drawn(seed, p, sd=lambda p: p.r**-0.5), "sd 1/√r", "1/√n_in is needed"),
    "A of 0.02": ("lora", "seeded", lambda seed, p: drawn(seed, p, sd=lambda p: 0.02), "another sd", "0.02"),
    "A of torch": ("lora", "seeded", lambda seed, p: drawn(seed, p, torchs=True), "drawn transposed", "PyTorch's order"),
    "no Σ": ("lora_xs", "given", lambda x, p: xs(x, p, lambda S: 1 + 0 * S), "Σ left out", "U Σ R Vᵀ"),
    "Σ right": ("lora_xs", "given", lambda x, p: xs(x, p, lambda S: 1 + 0 * S, lambda S: S), "Σ on the other side", "U R Σ Vᵀ"),
    "√Σ": ("lora_xs", "given", lambda x, p: xs(x, p, np.sqrt, np.sqrt), "√Σ on both sides", "√Σ R √Σ"),
    "Rᵀ": ("lora_xs", "given", lambda x, p: xs(x, p, R=np.transpose, dR=np.transpose), "R transposed", "W_0 + U Σ R Vᵀ"),
    "dRᵀ": ("lora_xs", "given", lambda x, p: xs(x, p, dR=np.transpose), "dR transposed", "dR = Σ Uᵀ dW V"),
    "no d": ("vera", "given", lambda x, p: vera(x, p, with_d=False), "d left out", "A diag(d) B diag(b)"),
    "no b": ("vera", "given", lambda x, p: vera(x, p, with_b=False), "b left out", "A diag(d) B diag(b)"),
    "db, dd": ("vera", "given", lambda x, p: vera(x, p, out=lambda W, y, dd, db: (W, y, db, dd)), "dd and db exchanged", "dd, db is needed"),
    "A's buffer": ("vera", "given", lambda x, p: vera(x, p, p.A.ravel().reshape(-1, len(p.A)).T), "A read transposed", "(r, n_in)"),
    "weight of torch, VeRA": ("vera", "given", lambda x, p: vera(x, p, out=lambda W, y, dd, db: (W.T, y, dd, db)), "W transposed", "(n_in, n_out)"),
    "one lane": ("vera", "seeded", lambda seed, p: shared(seed, p, lane_of_B=0), "one lane", "its own is 1"),
    "no 2": ("vera", "seeded", lambda seed, p: shared(seed, p, two=1), "sd without the 2", "√(2/n_in)"),
    "λ, u": ("said", "given", lambda_in_front, "λ first", "(u, λ) is needed"),
    "1 + λ": ("said", "given", lambda v, p: said(v, p, of_lam=lambda t: 1 + t), "1 + λ", "1 at first"),
    "e^λ": ("said", "given", lambda v, p: said(v, p, of_lam=np.exp, d_of_lam=np.exp), "e^λ", "1 at first"),
    "λ frozen": ("said", "given", frozen_lambda, "λ frozen", "it is trained"),
    "du": ("said", "given", lambda v, p: said(v, p, u_also=False), "du without λ", "λ ∘ g"),
    "P a module": ("said", "given", same_rows, "per-module map", "one map of all D rows"),
    "λ on top": ("said", "seeded", not_paid, "λ not paid out of d", "d + m in all"),
    "one-hot 1": ("uni_lora", "given", lambda v, p: uni(v, p, lambda h, p: 1 + 0.0 * h), "one-hot without 1/√count", "PᵀP = I"),
    "one-hot 1/n": ("uni_lora", "given", lambda v, p: uni(v, p, lambda h, p: np.array([1 / (h == j).sum() for j in h])), "1/count", "1/√n_j is needed"),
    "n of a module": ("uni_lora", "given", lambda v, p: uni(v, p, counted_alone), "counted per module", "one global map"),
    "h of a module": ("uni_lora", "given", from_the_top, "per-module map", "one global map"),
    "in PEFT's order": ("uni_lora", "given", lambda v, p: uni(v, p, peft=True), "PEFT's order", "as in PEFT"),
    "merged twice, Uni": ("uni_lora", "given", lambda v, p: uni(v, p, times=2), "added twice", "W = W_0 + A B"),
    "no W_0": ("uni_lora", "given", lambda v, p: uni(v, p, forget=True), "W_0 forgotten", "W = W_0 + A B"),
    "grad[h] =": ("uni_lora", "given", last_wins, "gradient overwritten", "bincount"),
    "map of a module": ("uni_lora", "seeded", drawn_per_module, "a map for each module", "one global map"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_gets_no_diagnosis(name, dtype):
    family, level, fn = RIGHT[name]
    assert str(explain(family, fn, level, dtype=dtype)) == "Correct to rounding."


@pytest.mark.parametrize("name", WRONG)
def test_a_users_mistake_is_named(name):
    family, level, fn, mistake, words = WRONG[name]
    found = explain(family, fn, level)
    assert (found.correct, found.mistakes) == (False, (mistake,)), found
    assert words in str(found), found


@pytest.mark.parametrize("name", [*RIGHT, *WRONG])
def test_explain_and_the_vectors_have_one_verdict(name):
    """Whoever is told to be right passes all vectors; whoever is told a mistake fails some, or cannot answer."""
    family, level, fn, *_ = (RIGHT | WRONG)[name]
    verdicts = set()
    for case in cases(family, level, "all"):
        if case.valid:
            try:
                got = fn(*case.arguments)
            except ValueError:
                continue
            verdicts.add(judge(case, dict(zip(case.expected, got, strict=True))) is None)
    assert explain(family, fn, level).correct == (verdicts == {True})


def test_what_no_table_knows_is_pointed_at_and_not_accused():
    found = explain("lora", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (W, y, dA, dB**2)))
    assert (found.correct, found.mistakes) == (False, ())
    assert str(found).startswith("No known mistake: first difference on 5×4, r = 2 at dB[0, 0]")
    assert "W is right; y is right; dA is right" in str(found)


@pytest.mark.parametrize("c", [-1, 16])
def test_one_part_of_an_answer_is_not_called_the_answer(c):
    found = explain("lora", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (W, y, dA, c * dB)))
    assert (found.correct, found.mistakes) == (False, ())
    assert str(found).endswith(
        f"ratio {c}; 8 of 8 entries differ, all in this ratio; W is right; y is right; dA is right."
    )


def test_a_gradient_that_is_none_is_named():
    found = explain("lora", lambda x, p: lora(x, p, out=lambda W, y, dA, dB: (W, y, None, dB)))
    assert "dA is None: an array is needed; has it a gradient (requires_grad, no detach)?" in str(found)
