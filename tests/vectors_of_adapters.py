"""What npintdim's adapters answer to the vectors: a network of one kernel, or of kernels alone, whose frozen factors are given."""

import math

import numpy as np

import npintdim as nid
from npintdim.adapters import make_adapter
from npintdim.adapters.in_lora import OneHot
from npintdim.engine.params import ParamLayout
from npintdim.objective import Composed, Subspace


def adapter(name, kind, shapes, theta_0, p, seed=0, **options):
    layout = ParamLayout(tuple((f"fc{k}.W", tuple(map(int, shape))) for k, shape in enumerate(shapes, 1)))
    return make_adapter(kind, layout, theta_0, seed, nid.get_backend(name, p.dtype, threads=1), **options)


def layer(T, x, dy, *factors):
    """Of the one matrix: W, y and the gradients of what is trained, in the shapes of the factors."""
    v = np.concatenate([np.ravel(factor) for factor in factors])
    W, grads = T.theta(v).reshape(T.layout.entries[0][1]), T.pullback(v, (x.T @ dy).reshape(-1))
    ends = np.cumsum([factor.size for factor in factors])[:-1]
    own = [part.reshape(f.shape) for part, f in zip(np.split(grads, ends), factors, strict=True)]
    return W, x @ W, *own


def lora(name, x, p):
    r, options = p.A.shape[1], {"alpha": p.alpha, "stabilised": p.stabilised}
    return layer(adapter(name, "lora", [p.W_0.shape], p.W_0.ravel(), p, r=r, **options), x, p.dy, p.A, p.B)


def lora_start(name, seed, p):
    """Matrix number `lane` of so many of the same shape."""
    shapes = [(p.n_in, p.n_out)] * (p.lane + 1)
    T = adapter(name, "lora", shapes, np.zeros(math.prod(shapes[0]) * len(shapes), p.dtype), p, seed, r=p.r)
    return tuple(list(T.factors(T.start()))[-1])


def lora_xs(name, x, p):
    T = adapter(name, "lora_xs", [p.W_0.shape], p.W_0.ravel(), p, r=len(p.S))
    T.__dict__["frozen"] = [(p.U * p.S, p.Vt)]
    return layer(T, x, p.dy, p.R)


def vera(name, x, p):
    T = adapter(name, "vera", [p.W_0.shape], p.W_0.ravel(), p, r=p.A.shape[1])
    T.__dict__["frozen"] = [(p.A, p.B)]
    return layer(T, x, p.dy, p.d, p.b)


def vera_shared(name, seed, p):
    shape = p.n_in, p.n_out
    return adapter(name, "vera", [shape], np.zeros(math.prod(shape), p.dtype), p, seed, r=p.r).frozen[0]


def said(name, v, p):
    T = adapter(name, "said", p.sizes[:, None], p.theta_0, p, getattr(p, "seed", 0), d=len(v))
    if hasattr(p, "P"):
        T.__dict__["projection"] = nid.make_projection("dense", *p.P.shape, 0, T.backend)
        T.projection.__dict__.update(matrix=p.P)
    return T.theta(v), T.pullback(v, p.g)


def uni_lora(name, v, p):
    T = adapter(name, "uni_lora", p.shapes, p.theta_0, p, getattr(p, "seed", 0), d=len(v), r=p.r)
    if hasattr(p, "h"):
        lora = T.composed.outer
        T.__dict__["composed"] = Composed(lora, Subspace(np.zeros(lora.dim, p.dtype), OneHot(p.h, T.d)))
    return T.theta(v), T.pullback(v, p.g)


ANSWERS = {
    ("lora", "layer"): lora,
    ("lora", "start"): lora_start,
    ("lora_xs", "layer"): lora_xs,
    ("vera", "layer"): vera,
    ("vera", "shared"): vera_shared,
    ("said", "theta_grad"): said,
    ("uni_lora", "theta_grad"): uni_lora,
}


def answer(name, x, p):
    """By family and task: what is drawn or given differs inside."""
    return ANSWERS[p.case.family, p.task](name, x, p)
