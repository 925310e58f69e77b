"""Implementations as strangers write them: from the papers, in their own libraries, without this package's code.

The wrong ones are wrong on purpose, and are written from scratch, not from `npintdim/testing/mistakes`.
"""

import math

import numpy as np
from scipy.linalg import hadamard

# ---- NumPy, with explicit matrices ----


def fastfood_matrix(B, Pi, G, S, D):
    """S H G Π H B, block under block, as one matrix (D, m)."""
    blocks, n = G.shape
    m = B.shape[1]
    out = []
    for b in range(blocks):
        gather = np.zeros((n, m))
        gather[np.arange(n), Pi[b]] = 1
        out.append(
            hadamard(n) @ np.diag(G[b].astype(float)) @ gather @ hadamard(m) @ np.diag(B[b].astype(float))
        )
    return np.diag(S.astype(float)) @ np.vstack(out)[:D]


def explicit(v, p):
    M = fastfood_matrix(*p.arrays, p.D)
    return M[:, : len(v)] @ v


def explicit_adjoint(g, p):
    return fastfood_matrix(*p.arrays, p.D).T[: p.d] @ g


def loops(v, p):
    """Entry by entry: H_ij = (−1)^popcount(i & j)."""

    def h(x):
        return [sum(x[j] * (-1) ** (i & j).bit_count() for j in range(len(x))) for i in range(len(x))]

    y = []
    for b in range(len(p.G)):
        x = h([float(p.B[b, k]) * (float(v[k]) if k < len(v) else 0.0) for k in range(p.B.shape[1])])
        y += h([float(p.G[b, k]) * x[int(p.Pi[b, k])] for k in range(p.G.shape[1])])
    return np.array([float(s) * value for s, value in zip(p.S, y, strict=False)], dtype=v.dtype)


def with_order(order):
    """Fastfood with the rows of SciPy's H sorted."""

    def f(v, p):
        def h(n):
            return hadamard(n)[order(hadamard(n))]

        y = []
        for b in range(len(p.G)):
            x = np.zeros(p.B.shape[1])
            x[: len(v)] = v
            y.append(h(p.G.shape[1]) @ (p.G[b] * (h(len(x)) @ (p.B[b] * x))[p.Pi[b]]))
        return p.S * np.concatenate(y)[: p.D]

    return f


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


def torch_fastfood(v, B, Pi, G, S, D):
    """The short one of docs/check-your-code.md."""
    import torch

    x = torch.nn.functional.pad(v, (0, B.shape[1] - len(v)))
    x = torch_wht(B * x)
    x = torch_wht(G * x.gather(1, Pi))
    return S * x.flatten()[:D]


def in_torch(f):
    """f(v, B, Pi, G, S, D) of tensors as fn(v, p)."""
    import torch

    return lambda v, p: f(torch.from_numpy(v), *map(torch.from_numpy, p.arrays), p.D)


def torch_orthonormal(v, B, Pi, G, S, D):
    import torch

    def h(x):
        return torch_wht(x) / math.sqrt(x.shape[-1])

    x = torch.zeros_like(B)
    x[:, : len(v)] = v
    return (h(G * torch.gather(h(x * B), 1, Pi)).reshape(-1)[:D]) * S


def torch_unsigned(v, B, Pi, G, S, D):
    return torch_fastfood(v, B, Pi, G, S.abs(), D)


def torch_orthonormal_unsigned(v, B, Pi, G, S, D):
    return torch_orthonormal(v, B, Pi, G, S.abs(), D)


def torch_scatters(v, B, Pi, G, S, D):
    import torch

    x = torch.nn.functional.pad(v, (0, B.shape[1] - len(v)))
    x = torch.empty_like(G).scatter_(1, Pi, torch_wht(B * x))
    return S * torch_wht(G * x).flatten()[:D]


def torch_swapped(v, B, Pi, G, S, D):
    import torch

    x = torch.nn.functional.pad(v, (0, B.shape[1] - len(v)))
    return S * torch_wht(B * torch_wht(G * x).gather(1, Pi)).flatten()[:D]


def torch_float_in_the_middle(v, B, Pi, G, S, D):
    return torch_fastfood(v.float(), B.float(), Pi, G.float(), S.float(), D).double()


def torch_normalises_again(v, B, Pi, G, S, D):
    return torch_fastfood(v, B, Pi, G, S, D) / math.sqrt(D * G.shape[1])


def torch_normalises_blocks(v, B, Pi, G, S, D):
    norm = (G.shape[1] * (G**2).sum(1, keepdim=True)).sqrt()
    return torch_fastfood(v, B, Pi, G / norm, S, D)


def torch_fortran(v, B, Pi, G, S, D):
    blocks, n = G.shape
    return torch_fastfood(
        v, B.reshape(B.shape[1], blocks).T, Pi.reshape(n, blocks).T, G.reshape(n, blocks).T, S, D
    )


def torch_truncates(v, B, Pi, G, S, D):
    return torch_fastfood(v[: 2 ** int(math.log2(len(v)))], B, Pi, G, S, D)


def torch_signs_early(v, B, Pi, G, S, D):
    import torch

    x = torch.nn.functional.pad(v, (0, B.shape[1] - len(v)))
    x = G * torch_wht(B * x).gather(1, Pi)
    S = torch.nn.functional.pad(S, (0, G.numel() - D)).reshape(G.shape)
    return torch_wht(S * x).flatten()[:D]


def torch_adjoint(g, B, Pi, G, S, d):
    import torch

    x = torch.nn.functional.pad(S * g, (0, G.numel() - len(g))).reshape(G.shape)
    x = torch.zeros_like(B).scatter_add_(1, Pi, G * torch_wht(x))
    return (B * torch_wht(x)).sum(0)[:d]


def torch_adjoint_gathers(g, B, Pi, G, S, d):
    import torch

    x = torch.nn.functional.pad(S * g, (0, G.numel() - len(g))).reshape(G.shape)
    return (B * torch_wht((G * torch_wht(x)).gather(1, Pi))).sum(0)[:d]


def torch_adjoint_overwrites(g, B, Pi, G, S, d):
    import torch

    x = torch.nn.functional.pad(S * g, (0, G.numel() - len(g))).reshape(G.shape)
    x = G * torch_wht(x)
    table = torch.zeros_like(B)
    for b in range(len(Pi)):
        for k in range(Pi.shape[1]):
            table[b, Pi[b, k]] = x[b, k]
    return (B * torch_wht(table)).sum(0)[:d]


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


def torch_path(optimizer, before_loss=None):
    """fn(theta_0, p) → θ_d after each of ten steps; optimizer(parameters, p)."""

    def fn(theta_0, p):
        import torch

        theta_0, P = torch.from_numpy(theta_0), torch.from_numpy(p.P)
        theta_d = torch.zeros(P.shape[1], dtype=theta_0.dtype, requires_grad=True)
        rule, rows = optimizer([theta_d], p), []
        for _ in range(10):
            rule.zero_grad()
            torch_mlp_loss(theta_0 + P @ theta_d, p, before_loss=before_loss).backward()
            rule.step()
            rows.append(theta_d.detach().clone())
        return torch.stack(rows)

    return fn


def torch_sgd(**options):
    def make(parameters, p):
        import torch

        return torch.optim.SGD(
            parameters, lr=p.lr, momentum=p.momentum, **{k: f(p) for k, f in options.items()}
        )

    return make


def torch_adam(parameters, p):
    import torch

    return torch.optim.Adam(parameters, lr=p.lr, betas=(p.beta1, p.beta2), eps=p.eps)


def numpy_adam_path(theta_0, p):
    """TensorFlow's form of Adam, with PyTorch's gradient."""
    z, m, v, rows = np.zeros(p.P.shape[1]), 0.0, 0.0, []
    for t in range(1, 11):
        g = torch_mlp()(theta_0 + p.P @ z, p)[1].numpy() @ p.P
        m, v = m + (g - m) * (1 - p.beta1), v + (g**2 - v) * (1 - p.beta2)
        z = z - p.lr * math.sqrt(1 - p.beta2**t) / (1 - p.beta1**t) * m / (p.eps + np.sqrt(v))
        rows.append(z)
    return np.array(rows)
