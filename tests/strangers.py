"""Implementations as strangers write them: from the papers, in their own libraries, without this package's code.

The wrong ones are wrong on purpose, and are written from scratch, not from `npintdim/testing/mistakes`.
"""

import math

import numpy as np
import pytest
from scipy.linalg import hadamard
from vectorgen.exact import fastfood_matrix as entries
from vectorgen.exact import product

IN = {
    "torch": ("torch", "smoothing", "temperature", "dropout", "sigmoid"),
    "jax": ("jax",),
}  # library → words of a name


def needs(name):
    """Without the library that a stranger of this name writes in the test skips."""
    for library, words in IN.items():
        if any(word in name for word in words):
            pytest.importorskip(library, reason=f"{library} is not installed: strangers may write in it")


# ---- NumPy, with explicit matrices ----


def fastfood_matrix(B, Pi, G, S, D, H=hadamard):
    """S H G Π H B, block under block, as one matrix (D, m)."""
    blocks, n = G.shape
    m = B.shape[1]
    out = []
    for b in range(blocks):
        gather = np.zeros((n, m))
        gather[np.arange(n), Pi[b]] = 1
        out.append(H(n) @ np.diag(G[b].astype(float)) @ gather @ H(m) @ np.diag(B[b].astype(float)))
    return np.diag(S.astype(float)) @ np.vstack(out)[:D]


def explicit(v, p):
    M = fastfood_matrix(*p.arrays, p.D)
    return M[:, : len(v)] @ v


def explicit_adjoint(g, p):
    return fastfood_matrix(*p.arrays, p.D).T[: p.d] @ g


def loops(v, p):
    """Entry by entry, in Python's floats."""
    return np.array(product(entries(p.B, p.Pi, p.G, p.S, len(v), number=float), v, number=float), v.dtype)


def with_order(order):
    """Fastfood with the rows of SciPy's H sorted."""

    def H(n):
        return hadamard(n)[order(hadamard(n))]

    return lambda v, p: fastfood_matrix(*p.arrays, p.D, H)[:, : len(v)] @ v


def by_sign_changes(H):
    return np.argsort((np.diff(H, axis=1) != 0).sum(axis=1))


def by_reversed_bits(H):
    bits = len(H).bit_length() - 1
    return [int(format(i, f"0{bits}b")[::-1], 2) if bits else 0 for i in range(len(H))]


def transposed(v, p):
    """Each block as (S H G Π H B)ᵀ."""
    blocks, n = p.G.shape
    S = np.concatenate([p.S, np.zeros(blocks * n - p.D)]).reshape(blocks, n)
    x = np.zeros(n)
    x[: len(v)] = v
    y = []
    for b in range(blocks):
        M = fastfood_matrix(p.B[b : b + 1], p.Pi[b : b + 1], p.G[b : b + 1], S[b], n)
        y.append(M.T @ x)
    return np.concatenate(y)[: p.D]


def one_for_all(name):
    """Block 0's B, Π, G or S in every block."""

    def f(v, p):
        factor = {"B": p.B, "Pi": p.Pi, "G": p.G, "S": p.S}[name]
        n = p.G.shape[1]
        for b in range(1, len(p.G)):
            if name == "S":
                part = factor[b * n : (b + 1) * n]
                part[:] = factor[: len(part)]
            else:
                factor[b] = factor[0]
        return explicit(v, p)

    return f


def all_positive(v, p):
    return np.abs(fastfood_matrix(*p.arrays, p.D))[:, : len(v)] @ v


# ---- PyTorch ----


def torch_wht(x):
    import torch

    n = x.shape[-1]
    if n == 1:
        return x
    a, b = x[..., : n // 2], x[..., n // 2 :]
    return torch.cat([torch_wht(a + b), torch_wht(a - b)], dim=-1)


def gather(x, Pi):
    return x.gather(1, Pi)


def torch_fastfood(v, B, Pi, G, S, D, wht=torch_wht, place=gather):
    """The short one of docs/check-your-code.md."""
    import torch

    x = torch.nn.functional.pad(v, (0, B.shape[1] - len(v)))
    x = wht(B * x)
    x = wht(G * place(x, Pi))
    return S * x.flatten()[:D]


def in_torch(f, size="D"):
    """f(v, B, Pi, G, S, D) of tensors as fn(v, p), or f(g, B, Pi, G, S, d)."""

    def fn(v, p):
        import torch

        return f(torch.from_numpy(v), *map(torch.from_numpy, p.arrays), getattr(p, size))

    return fn


def torch_orthonormal(*args):
    return torch_fastfood(*args, wht=lambda x: torch_wht(x) / math.sqrt(x.shape[-1]))


def torch_unsigned(v, B, Pi, G, S, D, fastfood=torch_fastfood):
    return fastfood(v, B, Pi, G, S.abs(), D)


def torch_orthonormal_unsigned(*args):
    return torch_unsigned(*args, fastfood=torch_orthonormal)


def torch_scatters(*args):
    return torch_fastfood(*args, place=lambda x, Pi: x.new_empty(Pi.shape).scatter_(1, Pi, x))


def torch_swapped(v, B, Pi, G, S, D):
    return torch_fastfood(v, G, Pi, B, S, D)


def torch_float_in_the_middle(v, B, Pi, G, S, D):
    return torch_fastfood(v.float(), B.float(), Pi, G.float(), S.float(), D).double()


def torch_normalises_again(v, B, Pi, G, S, D):
    return torch_fastfood(v, B, Pi, G, S, D) / math.sqrt(D * G.shape[1])


def torch_normalises_blocks(v, B, Pi, G, S, D):
    norm = (G.shape[1] * (G**2).sum(1, keepdim=True)).sqrt()
    return torch_fastfood(v, B, Pi, G / norm, S, D)


def torch_fortran(v, B, Pi, G, S, D):
    return torch_fastfood(v, *(x.reshape(x.shape[1], x.shape[0]).T for x in (B, Pi, G)), S, D)


def torch_truncates(v, *args):
    return torch_fastfood(v[: 2 ** int(math.log2(len(v)))], *args)


def torch_signs_early(v, B, Pi, G, S, D):
    import torch

    padded = torch.nn.functional.pad(S, (0, G.numel() - D)).reshape(G.shape)
    return torch_fastfood(v, B, Pi, padded * G, torch.ones_like(S), D)


def scatter_add(x, Pi, B):
    import torch

    return torch.zeros_like(B).scatter_add_(1, Pi, x)


def overwrite(x, Pi, B):
    table = B * 0
    for b in range(len(Pi)):
        for k in range(Pi.shape[1]):
            table[b, Pi[b, k]] = x[b, k]
    return table


def torch_adjoint(g, B, Pi, G, S, d, scatter=scatter_add):
    import torch

    x = torch.nn.functional.pad(S * g, (0, G.numel() - len(g))).reshape(G.shape)
    return (B * torch_wht(scatter(G * torch_wht(x), Pi, B))).sum(0)[:d]


def torch_adjoint_gathers(*args):
    return torch_adjoint(*args, scatter=lambda x, Pi, B: x.gather(1, Pi))


def torch_adjoint_overwrites(*args):
    return torch_adjoint(*args, scatter=overwrite)


# ---- JAX ----


def jax_fastfood(v, B, Pi, G, S, D):
    import jax.numpy as jnp

    def h(x):
        n = x.shape[-1]
        for k in range(n.bit_length() - 1):
            y = x.reshape(*x.shape[:-1], -1, 2, 2**k)
            x = jnp.stack([y[..., 0, :] + y[..., 1, :], y[..., 0, :] - y[..., 1, :]], -2).reshape(x.shape)
        return x

    x = h(B * jnp.pad(v, (0, B.shape[1] - v.shape[0])))
    x = h(G * jnp.take_along_axis(x, Pi, axis=1))
    return S * x.reshape(-1)[:D]


# ---- drawn from a seed: the words are the package's, everything after is theirs ----


def butterflies(x):
    """H of every row, by neighbours first."""
    x = x.copy()
    h = 1
    while h < x.shape[1]:
        for i in range(0, x.shape[1], 2 * h):
            a, b = x[:, i : i + h].copy(), x[:, i + h : i + 2 * h].copy()
            x[:, i : i + h], x[:, i + h : i + 2 * h] = a + b, a - b
        h *= 2
    return x


def seeded(normalise, S=True, fold=False, lanes=False):
    """Fold: the column norm is divided out at the end, not in G. Lanes: B, Π and G of block b come from lane b."""
    from npintdim import Stream

    def fn(v, p):
        m = 2 ** math.ceil(math.log2(p.d))
        n = m if p.blocks == "stacked" else 2 ** math.ceil(math.log2(p.D))
        blocks = math.ceil(p.D / n)

        def signs(purpose, count, lane=0):
            words = Stream(p.seed, purpose, lane).words(count // 32 + 1)
            return np.array([-1.0 if words[i // 32] >> (i % 32) & 1 else 1.0 for i in range(count)], v.dtype)

        B = signs(5, blocks * m).reshape(blocks, m)
        keys = Stream(p.seed, 6).words(blocks * n).reshape(blocks, n)
        Pi = np.argsort(keys, axis=1, kind="stable") % m
        z = Stream(p.seed, 7).normals(blocks * n).reshape(blocks, n) / 2.0**20
        G = (z if fold else normalise(z, p.D)).astype(v.dtype)
        if lanes:
            B = np.stack([signs(5, m, b) for b in range(blocks)])
            Pi = (
                np.stack([np.argsort(Stream(p.seed, 6, b).words(n), kind="stable") for b in range(blocks)])
                % m
            )
            z = np.stack([Stream(p.seed, 7, b).normals(n) for b in range(blocks)]) / 2.0**20
            G = normalise(z, p.D).astype(v.dtype)
        out = (
            signs(5 if S == "of B" else 8, p.D) if S == "always" or (S and p.signs) else np.ones(p.D, v.dtype)
        )
        x = np.zeros((blocks, m), v.dtype)
        x[:, : p.d] = v
        x = np.take_along_axis(butterflies(B * x), Pi, axis=1)
        y = out * butterflies(G * x).reshape(-1)[: p.D]
        return y / v.dtype.type(column_norm(z, p.D)) if fold else y

    return fn


def column_norm(z, D):
    """By the first column of the unsigned operator's squares: Σ_b rows kept · Σ_k z_bk²."""
    n = z.shape[1]
    rows = [min(n, D - b * n) for b in range(len(z))]
    return math.sqrt(sum(r * float(np.dot(row, row)) for r, row in zip(rows, z, strict=True)))


# ---- Philox, vectorised, one's own ----


def my_philox(swap_key=False, rounds=10, ahead=0):
    def fn(seed, p):
        i = np.arange(p.start, p.start + p.count, dtype=np.uint64)
        block = i // np.uint64(4) + np.uint64(ahead)
        c = [
            block & np.uint64(0xFFFFFFFF), block >> np.uint64(32),
            np.full(len(i), p.lane, np.uint64), np.full(len(i), p.purpose, np.uint64),
        ]  # fmt: skip
        k = [seed % 2**32, seed // 2**32]
        if swap_key:
            k = k[::-1]
        for _ in range(rounds):
            p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
            low = np.uint64(0xFFFFFFFF)
            c = [
                (p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), p1 & low,
                (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), p0 & low,
            ]  # fmt: skip
            k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
        return np.stack(c)[(i % np.uint64(4)).astype(int), np.arange(len(i))].astype(np.uint32)

    return fn


# ---- networks and optimizers in PyTorch, with its autograd ----


def torch_mlp(reduction="mean", before_loss=None, torchs_order=False, loss=None):
    """fn(theta, p) → (loss, gradient); torchs_order: θ is torch.nn.utils.parameters_to_vector of the module."""

    def fn(theta, p):
        import torch

        t = torch.from_numpy(theta).requires_grad_()
        L = torch_mlp_loss(t, p, reduction, before_loss, torchs_order, loss)
        L.backward()
        return L, t.grad

    return fn


def nll_of_softmax(x, labels, reduction):
    import torch

    return torch.nn.functional.nll_loss(x.softmax(1), labels, reduction=reduction)


def torch_mlp_loss(theta, p, reduction="mean", before_loss=None, torchs_order=False, loss=None):
    import torch

    x, start = torch.from_numpy(p.x), 0
    for i in range(1, len(p.sizes)):
        n_in, n_out = p.sizes[i - 1], p.sizes[i]
        W, b = theta[start : start + n_in * n_out], theta[start + n_in * n_out : start + (n_in + 1) * n_out]
        start += (n_in + 1) * n_out
        x = x @ (W.reshape(n_out, n_in).T if torchs_order else W.reshape(n_in, n_out)) + b
        if i < len(p.sizes) - 1:
            x = x.relu()
    x = before_loss(x) if before_loss else x
    return (loss or torch.nn.functional.cross_entropy)(x, torch.from_numpy(p.labels), reduction=reduction)


def torch_path(optimizer, before_loss=None, wrong=()):
    """fn(theta_0, p) → θ_d after each of ten steps; optimizer(parameters, p)."""

    def fn(theta_0, p):
        import torch

        theta_0, P = torch.from_numpy(theta_0), torch.from_numpy(p.P)
        if "weights only" in wrong:
            P[[*range(12, 16), *range(24, 26)]] = 0  # the biases of 3-4-2
        theta_d = torch.zeros(P.shape[1], dtype=theta_0.dtype, requires_grad=True)
        rule, rows = optimizer([theta_d], p), []
        for _ in range(10):
            if "no zero_grad" not in wrong:
                rule.zero_grad()
            torch_mlp_loss(theta_0 + P @ theta_d, p, before_loss=before_loss).backward()
            rule.step()
            rows.append(theta_d.detach() if "kept as they are" in wrong else theta_d.detach().clone())
            if "start moves" in wrong:
                theta_0 = (theta_0 + P @ theta_d).detach()
        return torch.stack(rows)

    return fn


def torch_sgd(**options):
    def make(parameters, p):
        import torch

        return torch.optim.SGD(
            parameters, lr=p.lr, momentum=p.momentum, **{k: f(p) for k, f in options.items()}
        )

    return make


def torch_adam(*wrong):
    def make(parameters, p):
        import torch

        kind = torch.optim.AdamW if "AdamW" in wrong else torch.optim.Adam
        betas = (0.9, 0.999) if "default betas" in wrong else (p.beta1, p.beta2)
        return kind(parameters, lr=p.lr, betas=betas, eps=1e-8 if "default eps" in wrong else p.eps)

    return make


def numpy_adam_path(theta_0, p):
    """TensorFlow's form of Adam, with PyTorch's gradient."""
    z, m, v, rows = np.zeros(p.P.shape[1]), 0.0, 0.0, []
    for t in range(1, 11):
        g = torch_mlp()(theta_0 + p.P @ z, p)[1].numpy() @ p.P
        m, v = m + (g - m) * (1 - p.beta1), v + (g**2 - v) * (1 - p.beta2)
        z = z - p.lr * math.sqrt(1 - p.beta2**t) / (1 - p.beta1**t) * m / (p.eps + np.sqrt(v))
        rows.append(z)
    return np.array(rows)
