"""Mistakes that a stranger makes, over all families, written down before it was tried which of them have a name.

name → (family, level, task, fn, words of which one stands in the name of what is found). ALSO has the names that were found for
the others, each read and right; nothing may be named for the rest.
"""

import math

import numpy as np
import strangers as s
from scipy.linalg import hadamard

import npintdim as nid

LIST = {}


def add(family, level, task, **of):
    for name, (fn, *words) in of.items():
        LIST[f"{family} {level} {task} {name}"] = (family, level, task, fn, words)


# ---- H ----
def H(x):
    return hadamard(len(x)) @ x


add(
    "wht", "given", "transform",
    halved=(lambda x, p: H(x) / 2 ** (len(x).bit_length() - 1), "scale"),
    half_power=(lambda x, p: H(x) * 2 ** (-(len(x).bit_length() - 1) / 2), "scale"),
    negated=(lambda x, p: -H(x),),
    first_round_missing=(lambda x, p: H(x) if len(x) < 2 else np.kron(hadamard(len(x) // 2), np.eye(2)) @ x, "round"),
    bit_reversed_input=(lambda x, p: H(x[s.by_reversed_bits(hadamard(len(x)))]), "dyadic"),
    column_signs=(lambda x, p: H(x) * (-1.0) ** np.arange(len(x)),),
    rolled=(lambda x, p: np.roll(H(x), 1),),
    real_fft=(lambda x, p: np.fft.fft(x).real,),
    skips_zero=(lambda x, p: np.concatenate([[0.0], H(x)[1:]]).astype(x.dtype),),
    twice=(lambda x, p: H(H(x)),),
    float32_halves=(lambda x, p: H(x.astype(np.float32)).astype(x.dtype), "float32"),
    clipped_input=(lambda x, p: H(np.clip(x, -0.5, 0.5)),),
)  # fmt: skip


# ---- Fastfood, dense, sparse ----
def ff(v, p, **changed):
    of = {"B": p.B, "Pi": p.Pi, "G": p.G, "S": p.S} | changed
    return s.fastfood_matrix(*of.values(), p.D)[:, : len(v)] @ v


add(
    "fastfood", "given", "apply",
    S_negated=(lambda v, p: ff(v, p, S=-p.S),),
    S_reversed=(lambda v, p: ff(v, p, S=p.S[::-1]),),
    Pi_reversed=(lambda v, p: ff(v, p, Pi=p.Pi[:, ::-1]),),
    Pi_off_by_one=(lambda v, p: ff(v, p, Pi=(p.Pi + 1) % p.B.shape[1]),),
    blocks_reversed=(lambda v, p: ff(v, p, B=p.B[::-1], Pi=p.Pi[::-1], G=p.G[::-1]),),
    G_squared=(lambda v, p: ff(v, p, G=p.G**2),),
    G_signs_only=(lambda v, p: ff(v, p, G=np.sign(p.G) * np.abs(p.G).mean()),),
    G_rolled=(lambda v, p: ff(v, p, G=np.roll(p.G, 1, axis=1)),),
    B_rolled=(lambda v, p: ff(v, p, B=np.roll(p.B, 1, axis=1)),),
    B_twice=(lambda v, p: ff(v, p, B=np.ones_like(p.B)), "B"),
    lora_two=(lambda v, p: 2 * ff(v, p),),
    lora_D_over_n=(lambda v, p: ff(v, p) * p.D / p.G.shape[1],),
    negative=(lambda v, p: -ff(v, p),),
    relu=(lambda v, p: np.maximum(ff(v, p), 0),),
    clipped_v=(lambda v, p: ff(np.clip(v, -0.3, 0.3), p),),
    unit_v=(lambda v, p: ff(v / (np.linalg.norm(v) or 1), p),),
    nearly_unit=(lambda v, p: ff(v, p) / (1 + 1e-8),),
    last_row_zero=(lambda v, p: np.append(ff(v, p)[:-1], 0),),
    reversed_v=(lambda v, p: ff(v[::-1], p),),
    no_G_at_all=(lambda v, p: ff(v, p, G=np.ones_like(p.G)), "G"),
    bfloat=(lambda v, p: (ff(v, p).astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32).astype(v.dtype),),
    float32=(lambda v, p: ff(v.astype(np.float32), p).astype(np.float32).astype(v.dtype), "float32"),
)  # fmt: skip
add(
    "fastfood", "given", "adjoint",
    no_B=(lambda g, p: s.fastfood_matrix(np.ones_like(p.B), p.Pi, p.G, p.S, p.D).T[: p.d] @ g, "B"),
    twice=(lambda g, p: 2 * s.explicit_adjoint(g, p),),
    over_blocks=(lambda g, p: s.explicit_adjoint(g, p) / len(p.G), "averaged"),
    negated=(lambda g, p: -s.explicit_adjoint(g, p),),
    reversed=(lambda g, p: s.explicit_adjoint(g, p)[::-1],),
    last_block=(lambda g, p: s.explicit_adjoint(np.where(np.arange(p.D) // p.G.shape[1] == len(p.G) - 1, g, 0), p),),
)  # fmt: skip
add(
    "dense", "given", "apply",
    by_rows=(lambda v, p: (p.P / np.linalg.norm(p.P, axis=1, keepdims=True)) @ v, "rows"),
    squared=(lambda v, p: p.P**2 @ v,),
    centred=(lambda v, p: (p.P - p.P.mean(axis=0)) @ v,),
    signs=(lambda v, p: np.sign(p.P) @ v / math.sqrt(len(p.P)),),
    doubled=(lambda v, p: 2 * (p.P @ v),),
    reversed_rows=(lambda v, p: p.P[::-1] @ v,),
    reversed_columns=(lambda v, p: p.P[:, ::-1] @ v,),
    over_epsilon=(lambda v, p: p.P / (1 + 1e-6) @ v,),
    pinv=(lambda v, p: np.linalg.pinv(p.P).T @ v,),
    qr=(lambda v, p: np.linalg.qr(p.P)[0] @ v,),
    sqrt_D=(lambda v, p: math.sqrt(len(p.P)) * (p.P @ v), "√D"),
    with_bias=(lambda v, p: p.P @ v + 0.1,),
)  # fmt: skip


def sparse(p):
    P = np.zeros((p.D, p.d))
    for j in range(p.d):
        for k in range(p.indptr[j], p.indptr[j + 1]):
            P[p.rows[k], j] += p.values[k]
    return P


add(
    "sparse", "given", "apply",
    signs=(lambda v, p: np.sign(sparse(p)) @ v, "norm"),
    absolute=(lambda v, p: np.abs(sparse(p)) @ v, "positive"),
    sqrt_three=(lambda v, p: math.sqrt(3) * (sparse(p) @ v),),
    row_late=(lambda v, p: np.roll(sparse(p), 1, axis=0) @ v,),
    mean_of_column=(lambda v, p: sparse(p) / np.maximum((sparse(p) != 0).sum(axis=0), 1) ** 0.5 @ v, "norm"),
    first_entry_only=(lambda v, p: np.where(np.cumsum(sparse(p) != 0, axis=0) == 1, sparse(p), 0) @ v,),
)  # fmt: skip


# ---- the chain rule ----
def chain(p, z, grad=lambda P, r: P.T @ r, theta=None):
    r = (p.theta_0 + p.P @ z if theta is None else theta) - p.target
    return 0.5 * (p.curvature * r * r).sum(), grad(p.P, p.curvature * r)


add(
    "subspace_gradient", "given", "loss_grad",
    no_theta_0=(lambda z, p: chain(p, z, theta=p.P @ z), "θ_0"),
    negative=(lambda z, p: chain(p, z, lambda P, r: -P.T @ r), "sign"),
    halved=(lambda z, p: chain(p, z, lambda P, r: 0.5 * P.T @ r),),
    normalised=(lambda z, p: chain(p, z, lambda P, r: P.T @ r / np.linalg.norm(P.T @ r)),),
    normalised_eps=(lambda z, p: chain(p, z, lambda P, r: P.T @ r / (1 + 1e-7)),),
    pinv=(lambda z, p: chain(p, z, lambda P, r: np.linalg.pinv(P) @ r), "pseudo"),
    absolute=(lambda z, p: chain(p, z, lambda P, r: np.abs(P).T @ r),),
    subtracted=(lambda z, p: chain(p, z, theta=p.theta_0 - p.P @ z),),
    weight_decay=(lambda z, p: chain(p, z, lambda P, r: P.T @ r + 0.01 * z),),
    clipped=(lambda z, p: chain(p, z, lambda P, r: np.clip(P.T @ r, -0.1, 0.1)),),
    curvature_squared=(lambda z, p: chain(p, z, lambda P, r: P.T @ (r * p.curvature)),),
    loss_only_twice=(lambda z, p: (2 * chain(p, z)[0], chain(p, z)[1]),),
)  # fmt: skip


# ---- networks ----
def net(theta, p, x=None, theta_is=lambda t: t, after=lambda L, g: (L, g), labels=None):
    kind = {"in_shape": p.in_shape, "layers": p.layers} if hasattr(p, "layers") else None
    backend = nid.get_backend("numpy", theta.dtype)
    model = nid.model_from_spec(kind, backend) if kind else nid.mlp(p.sizes, backend)
    batch = nid.Batch(p.x if x is None else x, p.labels if labels is None else labels)
    return after(*model.loss_and_grad(theta_is(theta), batch))


def bits(L, g):
    return L / math.log(2), g / math.log(2)


def torchy(smoothing=0.0, **how):
    def loss(x, labels, reduction):
        import torch

        return torch.nn.functional.cross_entropy(x, labels, reduction=reduction, label_smoothing=smoothing)

    return s.torch_mlp(loss=loss, **how)


def no_last_bias(theta, p):
    n = p.sizes[-1]
    L, g = net(theta, p, theta_is=lambda t: np.append(t[:-n], 0 * t[-n:]))
    return L, g


SHARED = {
    "summed": (lambda t, p: net(t, p, after=lambda L, g: (L * len(p.labels), g * len(p.labels))), "summed"),
    "bits": (lambda t, p: net(t, p, after=bits), "bits"),
    "negative": (lambda t, p: net(t, p, after=lambda L, g: (L, -g)), "sign"),
    "doubled_x": (lambda t, p: net(t, p, x=2 * p.x), "scaled"),
    "percent": (lambda t, p: net(t, p, after=lambda L, g: (100 * L, 100 * g)), "constant"),
    "labels_off": (lambda t, p: net(t, p, labels=(p.labels + 1) % 2),),
    "l2": (lambda t, p: net(t, p, after=lambda L, g: (L, g + 0.1 * t)),),
    "clipped": (lambda t, p: net(t, p, after=lambda L, g: (L, g * min(1, 0.1 / np.linalg.norm(g)))),),
    "order_of_gradient": (lambda t, p: net(t, p, after=lambda L, g: (L, g[::-1])),),
    "scaled_gradient": (lambda t, p: net(t, p, after=lambda L, g: (L, 0.5 * g)),),
    "loss_plus_one": (lambda t, p: net(t, p, after=lambda L, g: (L + 1, g)),),
    "float32": (lambda t, p: tuple(np.float64(np.float32(x)) for x in net(t, p)), "float32"),
}  # fmt: skip
add(
    "mlp_loss_grad", "given", "loss_grad", **SHARED,
    smoothing=(torchy(0.1), "smoothing"),
    small_smoothing=(torchy(0.003), "smoothing"),
    temperature=(s.torch_mlp(before_loss=lambda x: x / 3), "temperature"),
    dropout_scale=(s.torch_mlp(before_loss=lambda x: x / 0.9), "temperature"),
    sigmoid=(s.torch_mlp(before_loss=lambda x: x.sigmoid()),),
    no_last_bias=(no_last_bias, "last bias"),
    torchs_order_summed=(s.torch_mlp("sum", torchs_order=True), "weights transposed", "summed"),
    centred_x=(lambda t, p: net(t, p, x=p.x - p.x.mean(axis=0)),),
    first_layer_frozen=(lambda t, p: net(t, p, after=lambda L, g: (L, np.where(np.arange(len(g)) < p.sizes[0] * p.sizes[1], 0, g))),),
)  # fmt: skip


def kernels(theta, p, change):
    """θ with every W of a convolution changed on the way in, its gradient on the way out."""
    out, at = theta.copy(), 0
    for layer in p.layers:
        if layer["kind"] == "Conv2D":
            shape = (layer["c_out"], layer["c_in"], layer["k"], layer["k"])
            n = math.prod(shape)
            out[at : at + n] = change(theta[at : at + n], shape).ravel()
            at += n + layer["c_out"]
    return out


def kernel_mistake(there, back):
    def fn(theta, p):
        L, g = net(kernels(theta, p, there), p)
        return L, kernels(g, p, back)

    return fn


add(
    "lenet_loss_grad", "given", "loss_grad", **SHARED,
    flipped=(kernel_mistake(lambda w, s: w.reshape(s)[..., ::-1, ::-1], lambda w, s: w.reshape(s)[..., ::-1, ::-1]), "flipped"),
    hwio=(kernel_mistake(lambda w, s: w.reshape(s[2], s[3], s[1], s[0]).transpose(3, 2, 0, 1),
                         lambda w, s: w.reshape(s).transpose(2, 3, 1, 0)), "(k, k, c_in, c_out)"),
    transposed=(kernel_mistake(lambda w, s: w.reshape(s).swapaxes(2, 3), lambda w, s: w.reshape(s).swapaxes(2, 3)), "exchanged"),
    in_out=(kernel_mistake(lambda w, s: w.reshape(s[1], s[0], *s[2:]).swapaxes(0, 1),
                           lambda w, s: w.reshape(s).swapaxes(0, 1)), "(c_in, c_out"),
    fortran=(kernel_mistake(lambda w, s: w.reshape(s, order="F"), lambda w, s: w.reshape(s).ravel(order="F")), "Fortran"),
    flipped_rows=(kernel_mistake(lambda w, s: w.reshape(s)[..., ::-1, :], lambda w, s: w.reshape(s)[..., ::-1, :]),),
    grad_flipped=(kernel_mistake(lambda w, s: w, lambda w, s: w.reshape(s)[..., ::-1, ::-1]),),
    nhwc=(lambda t, p: net(t, p, x=p.x.reshape(len(p.x), *p.x.shape[2:], -1).transpose(0, 3, 1, 2)), "NHWC"),
    images_transposed=(lambda t, p: net(t, p, x=p.x.swapaxes(2, 3)), "transposed"),
    images_upside_down=(lambda t, p: net(t, p, x=p.x[:, :, ::-1]),),
)  # fmt: skip


# ---- training ----
def train(
    p, theta_0, step=None, before=lambda g, t: g, lr=lambda t: 1.0, z0=0.0, P=None, loss=None, after=None
):
    """Ten steps by the rule of the problem, with a change."""
    P = p.P if P is None else P
    z, m, v, rows = np.full(P.shape[1], z0), 0.0, 0.0, []
    for t in range(1, 11):
        g = before(P.T @ (loss or net)(theta_0 + P @ z, p)[1], t)
        if step:
            change, m, v = step(g, m, v, t, z)
        elif hasattr(p, "momentum"):
            m = p.momentum * m + g
            change = p.lr * m
        else:
            m, v = p.beta1 * m + (1 - p.beta1) * g, p.beta2 * v + (1 - p.beta2) * g * g
            change = p.lr * math.sqrt(1 - p.beta2**t) / (1 - p.beta1**t) * m / (np.sqrt(v) + p.eps)
        z = z - lr(t) * change
        z = after(z, t) if after else z
        rows.append(z.copy())
    return np.stack(rows)


def by(**how):
    return lambda theta_0, p: train(p, theta_0, **how)


def redrawn(theta_0, p):
    rng, z, rows = np.random.default_rng(0), 0.0, []
    for _ in range(10):
        P = rng.standard_normal(p.P.shape)
        P /= np.linalg.norm(P, axis=0)
        z = z - p.lr * P.T @ net(theta_0 + P @ np.zeros(P.shape[1]) + P @ (z + np.zeros(P.shape[1])), p)[1]
        rows.append(z)
    return np.stack(rows)


def slices(theta_0, p):
    order, at = [], 0
    for a, b in zip(p.sizes, p.sizes[1:], strict=False):
        order += [*(at + np.arange(a * b).reshape(b, a).T.ravel()), *range(at + a * b, at + a * b + b)]
        at += a * b + b
    return train(p, theta_0, P=p.P[order])


def norm_clip(c):
    return lambda g, t: g * min(1.0, c / np.linalg.norm(g))


BOTH = {
    "clip_1": (by(before=norm_clip(1.0)), "clipped norm"),
    "clip_03": (by(before=norm_clip(0.3)), "clipped norm"),
    "clip_entries": (by(before=lambda g, t: np.clip(g, -0.05, 0.05)), "clipped entries"),
    "gamma": (by(lr=lambda t: 0.9 ** (t - 1)), "schedule"),
    "gamma_late": (by(lr=lambda t: 0.9**t),),
    "step_decay": (by(lr=lambda t: 0.1 if t > 5 else 1.0), "halves at 5"),
    "cosine": (by(lr=lambda t: 0.5 * (1 + math.cos(math.pi * (t - 1) / 10))), "cosine"),
    "half_lr": (by(lr=lambda t: 0.5), "times a constant"),
    "warm": (by(lr=lambda t: min(1, t / 4)), "warm"),
    "start_at_one": (by(z0=0.01),),
    "alpha_over_r": (lambda theta_0, p: train(p, theta_0, P=2 * p.P), "P times"),
    "slices": (slices, "slices"),
    "normalised": (by(before=lambda g, t: g / np.linalg.norm(g)), "normalised"),
    "nearly_normalised": (by(before=lambda g, t: g * (1 - 1e-8)),),
    "summed_loss": (by(loss=lambda t, p: net(t, p, after=lambda L, g: (L, g * len(p.labels)))), "summed"),
    "last_bias": (lambda theta_0, p: train(p, theta_0, loss=no_last_bias), "last bias"),
    "smoothing": (lambda theta_0, p: train(p, theta_0, loss=lambda t, p: [x.numpy() for x in (lambda a: (a[0].detach(), a[1]))(torchy(0.1)(t, p))]), "smoothing"),
    "averaged": (lambda theta_0, p: np.cumsum(train(p, theta_0), axis=0) / np.arange(1, 11)[:, None],),
    "redrawn": (redrawn,),
    "ball": (by(after=lambda z, t: z / max(1.0, np.linalg.norm(z) / 0.1)),),
    "noise": (by(before=lambda g, t: g + 1e-3 * np.sin(np.arange(len(g)) + t)),),
    "frozen_after_5": (by(lr=lambda t: float(t <= 5)),),
    "decay": (by(after=lambda z, t: z * 0.99),),
}  # fmt: skip
add(
    "trajectory", "given", "sgd", **BOTH,
    l2=(lambda theta_0, p: train(p, theta_0, lambda g, m, v, t, z: (p.lr * (m2 := p.momentum * m + g + 0.02 * z), m2, v)), "L2 in θ_d"),
    ema=(lambda theta_0, p: train(p, theta_0, lambda g, m, v, t, z: (p.lr * (m2 := p.momentum * m + (1 - p.momentum) * g), m2, v)), "dampening"),
    fixed_momentum=(lambda theta_0, p: train(p, theta_0, lambda g, m, v, t, z: (p.lr * (m2 := 0.8 * m + g), m2, v)), "another momentum"),
    reset_at_5=(lambda theta_0, p: train(p, theta_0, lambda g, m, v, t, z: (p.lr * (m2 := p.momentum * m * (t != 6) + g), m2, v)),),
)  # fmt: skip


def amsgrad(theta_0, p):
    most = np.zeros(p.P.shape[1])

    def step(g, m, v, t, z):
        m, v = p.beta1 * m + (1 - p.beta1) * g, p.beta2 * v + (1 - p.beta2) * g * g
        np.maximum(most, v, out=most)
        return p.lr * math.sqrt(1 - p.beta2**t) / (1 - p.beta1**t) * m / (np.sqrt(most) + p.eps), m, v

    return train(p, theta_0, step)


def torch_l2(theta_0, p):
    def step(g, m, v, t, z):
        g = g + 0.01 * z
        m, v = p.beta1 * m + (1 - p.beta1) * g, p.beta2 * v + (1 - p.beta2) * g * g
        return p.lr * m / (1 - p.beta1**t) / (np.sqrt(v / (1 - p.beta2**t)) + p.eps), m, v

    return train(p, theta_0, step)


def lion(theta_0, p):
    return train(p, theta_0, lambda g, m, v, t, z: (p.lr * np.sign(p.beta1 * m + (1 - p.beta1) * g), p.beta2 * m + (1 - p.beta2) * g, v))  # fmt: skip


def reset(theta_0, p):
    def step(g, m, v, t, z):
        m, v = (1 - p.beta1) * g, (1 - p.beta2) * g * g
        return p.lr * math.sqrt(1 - p.beta2**t) / (1 - p.beta1**t) * m / (np.sqrt(v) + p.eps), m, v

    return train(p, theta_0, step)


add(
    "trajectory", "given", "adam", **BOTH,
    amsgrad=(amsgrad, "AMSGrad"), torch_l2=(torch_l2, "L2", "PyTorch's ε"), lion=(lion,), reset=(reset, "reset"),
)  # fmt: skip


# ---- words ----
add(
    "maps", "given", "signs",
    all_low_bits=(lambda w, p: 1 - 2 * (np.resize(w, p.count).astype(np.int64) & 1),),
    reversed=(lambda w, p: np.array([1 - 2 * (int(w[i // 32]) >> i % 32 & 1) for i in range(p.count)])[::-1],),
)  # fmt: skip
add(
    "maps", "given", "permutation",
    identity=(lambda w, p: np.arange(p.n),),
    one_based=(lambda w, p: np.argsort(w, kind="stable") + 1,),
    unstable=(lambda w, p: np.lexsort((-np.arange(p.n), w)),),
)  # fmt: skip
add(
    "maps", "given", "uniform",
    doubled=(lambda w, p: 2 * ((2 * np.floor(w[: p.count] / 256) + 1 - 2.0**24) / 2**24),),
    negative=(lambda w, p: -((2 * np.floor(w[: p.count] / 256) + 1 - 2.0**24) / 2**24),),
)  # fmt: skip
add(
    "philox", "seeded", "words",
    eight_rounds=(s.my_philox(rounds=8),),
    two_ahead=(s.my_philox(ahead=2),),
    byteswapped=(lambda seed, p: s.my_philox()(seed, p).byteswap(),),
    sixteen_bits=(lambda seed, p: s.my_philox()(seed, p) & np.uint32(0xFFFF),),
)  # fmt: skip

ALSO = {
    "wht given transform negated": ("negated",),
    "wht given transform rolled": ("early by one",),
    "wht given transform skips_zero": ("input centred",),
    "wht given transform twice": ("H twice",),
    "wht given transform clipped_input": ("input clipped",),
    "fastfood given apply S_negated": ("negated",),
    "fastfood given apply lora_two": ("constant factor",),
    "fastfood given apply negative": ("negated",),
    "fastfood given apply relu": ("rectified answer",),
    "fastfood given apply clipped_v": ("input clipped",),
    "fastfood given apply unit_v": ("input normalised",),
    "fastfood given apply nearly_unit": ("constant factor",),
    "fastfood given apply reversed_v": ("input reversed",),
    "fastfood given adjoint twice": ("constant factor",),
    "fastfood given adjoint negated": ("negated",),
    "fastfood given adjoint reversed": ("in reversed order",),
    "dense given apply doubled": ("constant factor",),
    "dense given apply reversed_rows": ("in reversed order",),
    "dense given apply reversed_columns": ("input reversed",),
    "dense given apply over_epsilon": ("constant factor",),
    "dense given apply with_bias": ("constant added",),
    "sparse given apply sqrt_three": ("constant factor",),
    "sparse given apply row_late": ("early by one",),
    "subspace_gradient given loss_grad halved": ("constant factor",),
    "subspace_gradient given loss_grad normalised": ("normalised answer",),
    "subspace_gradient given loss_grad normalised_eps": ("constant factor",),
    "subspace_gradient given loss_grad weight_decay": ("L2 in the gradient alone",),
    "subspace_gradient given loss_grad clipped": ("answer clipped",),
    "subspace_gradient given loss_grad loss_only_twice": ("loss scaled alone",),
    "mlp_loss_grad given loss_grad l2": ("L2 in the gradient alone",),
    "mlp_loss_grad given loss_grad clipped": ("answer's norm clipped",),
    "mlp_loss_grad given loss_grad order_of_gradient": ("in reversed order",),
    "mlp_loss_grad given loss_grad scaled_gradient": ("constant factor",),
    "mlp_loss_grad given loss_grad loss_plus_one": ("loss off",),
    "lenet_loss_grad given loss_grad l2": ("L2 in the gradient alone",),
    "lenet_loss_grad given loss_grad clipped": ("answer's norm clipped",),
    "lenet_loss_grad given loss_grad order_of_gradient": ("in reversed order",),
    "lenet_loss_grad given loss_grad scaled_gradient": ("constant factor",),
    "lenet_loss_grad given loss_grad loss_plus_one": ("loss off",),
    "trajectory given sgd gamma_late": ("schedule, a step early",),
    "trajectory given sgd start_at_one": ("another start",),
    "trajectory given sgd nearly_normalised": ("lr times a constant",),
    "trajectory given sgd averaged": ("mean of the path",),
    "trajectory given sgd ball": ("ball",),
    "trajectory given sgd frozen_after_5": ("stops after 5",),
    "trajectory given sgd decay": ("decay after the step",),
    "trajectory given adam gamma_late": ("schedule, a step early",),
    "trajectory given adam start_at_one": ("another start",),
    "trajectory given adam averaged": ("mean of the path",),
    "trajectory given adam ball": ("ball",),
    "trajectory given adam frozen_after_5": ("stops after 5",),
    "trajectory given adam decay": ("decay after the step",),
    "maps given signs reversed": ("in reversed order",),
    "maps given permutation one_based": ("off by 1",),
    "maps given uniform doubled": ("constant factor",),
    "maps given uniform negative": ("negated",),
    "philox seeded words byteswapped": ("bytes exchanged",),
}
SLOW = [
    f"trajectory given adam {name}" for name in ("nearly_normalised", "redrawn", "noise", "lion", "torch_l2")
]
