"""`explain`: strangers' mistakes get their names, whatever is right gets none, and the table tells its own apart."""

import importlib
import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import strangers as s
from scipy import stats
from scipy.linalg import hadamard

import npintdim as nid
from npintdim.cli import main
from npintdim.testing import FAMILIES, cases, explain
from npintdim.testing.answers import explained
from npintdim.testing.facts import relation
from npintdim.testing.mistakes import TABLES

FLOATS = [np.float32, np.float64]
pytestmark = pytest.mark.usefixtures("variants_once")


def projection(norm):
    return lambda v, p: norm(p.g, p) @ v


def per_layer(g, p):
    """A port that keeps a matrix for every tensor."""
    rows, out = 0, []
    for size in p.sizes:
        part = g[rows : rows + size]
        out.append(part / np.linalg.norm(part, axis=0))
        rows += size
    return np.vstack(out)


def sparse_loses(v, p):
    y = np.zeros(p.D, v.dtype)
    column = np.repeat(np.arange(p.d), np.diff(p.indptr))
    y[p.rows] += p.values * v[column]
    return y


def torch_linear(x, p):
    import torch

    layer = torch.nn.Linear(*p.W.shape, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(p.W.T))
    tx = torch.from_numpy(x).requires_grad_()
    layer(tx).backward(torch.from_numpy(p.dy))
    return tx.grad, layer.weight.grad, layer.bias.grad


def unnormalised(z, D):
    return z


def gram_schmidt(P):
    columns = []
    for x in P.astype(np.float64).T:
        x = x - sum((x @ c) * c for c in columns)
        columns.append(x / np.linalg.norm(x))
    return np.array(columns).T


def by_rows(P):
    return P / np.linalg.norm(P, axis=1, keepdims=True)


def drawn(p):
    """Normals or signs of docs/random.md, without their norm."""
    lanes = [nid.Stream(p.seed, nid.Purpose.DENSE, j) for j in range(p.d)]
    of = [x.normals(p.D) / 2**20 if p.entries == "gaussian" else x.signs(p.D) for x in lanes]
    return np.stack(of, axis=1)


def transpose(fn):
    """Pᵀ g by the columns P e_j of a stranger's P."""
    return lambda g, p: np.stack([fn(e, p) for e in np.eye(p.d, dtype=g.dtype)], axis=1).T @ g


def sparse_adjoint(value=lambda values, nnz: values, assign=False):
    """Pᵀ g, an entry after the other; value(±1/√nnz_j, nnz_j) is what stands in P."""

    def fn(g, p):
        y = np.zeros(p.d, g.dtype)
        for j in range(p.d):
            first, last = p.indptr[j], p.indptr[j + 1]
            for k in range(first, last):
                term = value(p.values[k], last - first) * g[p.rows[k]]
                y[j] = term if assign else y[j] + term
        return y

    return fn


def chain_rule(change=lambda z, p, jax: p, gradient=None):
    """JAX's own, of ½ Σ λ (θ_0 + P z − t)²."""

    def fn(theta_d, p):
        import jax

        with jax.enable_x64(True):
            arrays = {name: jax.numpy.asarray(x) for name, x in vars(p).items() if isinstance(x, np.ndarray)}
            a = SimpleNamespace(**arrays)

            def loss(z):
                q = change(z, a, jax)
                return 0.5 * jax.numpy.sum(q.curvature * (q.theta_0 + q.P @ z - q.target) ** 2)

            L, grad = jax.value_and_grad(loss)(jax.numpy.asarray(theta_d))
            return L, np.asarray(gradient(grad, a) if gradient else grad)

    return fn


def at_theta_0(grad, a):
    return a.P.T @ (a.curvature * (a.theta_0 - a.target))


def by_pinv(grad, a):
    return np.linalg.pinv(np.asarray(a.P)) @ np.linalg.pinv(np.asarray(a.P).T) @ np.asarray(grad)


def seeded_sparse(first=-1, one_lane=False, norm=math.sqrt, dense=lambda p: p.density):
    """A row after the other, from words and docs/random.md."""

    def fn(v, p):
        y, used = np.zeros(p.D), 0
        for j in range(p.d):
            gaps, k, row, rows = nid.Stream(p.seed, 3, j).words(5 * p.D), 0, first, []
            miss = -math.inf if dense(p) == 1 else math.log(1 - dense(p))
            while (row := row + 1 + math.floor(math.log((int(gaps[k]) + 0.5) / 2**32) / miss)) < p.D:
                rows.append(row)
                k += 1
            sign = nid.Stream(p.seed, 4, 0 if one_lane else j).signs(used + k)[used if one_lane else 0 :]
            used += k
            for row, one in zip(rows, sign, strict=False):
                y[row] += int(one) / norm(len(rows)) * float(v[j])
        return y.astype(v.dtype)

    return fn


def changed(**of):
    return lambda z, a, jax: SimpleNamespace(**vars(a) | {name: f(a) for name, f in of.items()})


def torch_steps(*wrong, adam=True):
    """Ten steps as PyTorch's users write them, with mistakes."""
    return s.torch_path(s.torch_adam(*wrong) if adam else s.torch_sgd(), wrong=wrong)


def softmax(x):
    return x.softmax(1)


WRONG = {  # family, level, task; fn; the names of the mistakes; words of the sentence
    "torch, orthonormal H": ("fastfood", None, None, s.in_torch(s.torch_orthonormal), ("scale 1/n",), "n times too small"),
    "torch, no S": ("fastfood", None, None, s.in_torch(s.torch_unsigned), ("no output signs",), "multiply row i by S_i"),
    "torch, both": ("fastfood", None, None, s.in_torch(s.torch_orthonormal_unsigned), ("no output signs", "scale 1/n"), "; and "),
    "torch, S early": ("fastfood", None, None, s.in_torch(s.torch_signs_early), ("S before the second H",), "it comes last"),
    "torch, scatters": ("fastfood", None, None, s.in_torch(s.torch_scatters), ("inverse permutation",), "the wrong way round"),
    "torch, B and G": ("fastfood", None, None, s.in_torch(s.torch_swapped), ("B and G swapped",), "changed places"),
    "torch, float32 inside": ("fastfood", None, None, s.in_torch(s.torch_float_in_the_middle), ("float32 accumulation",), "float32 only"),
    "torch, norm again": ("fastfood", None, None, s.in_torch(s.torch_normalises_again), ("double column norm",), "twice"),
    "torch, norm per block": ("fastfood", None, None, s.in_torch(s.torch_normalises_blocks), ("each block normalised alone",), "√blocks"),
    "torch, Fortran order": ("fastfood", None, None, s.in_torch(s.torch_fortran), ("column-major factors",), "C order"),
    "torch, truncates": ("fastfood", None, None, s.in_torch(s.torch_truncates), ("truncated input",), "pad it with zeros"),
    "numpy, sequency": ("fastfood", None, None, s.with_order(s.by_sign_changes), ("sequency order",), "natural"),
    "numpy, dyadic": ("fastfood", None, None, s.with_order(s.by_reversed_bits), ("dyadic order",), "bit reversal"),
    "numpy, transposed": ("fastfood", None, None, s.transposed, ("transposed operator",), "from right to left"),
    "numpy, |G|": ("fastfood", None, None, lambda v, p: s.fastfood_matrix(p.B, p.Pi, np.abs(p.G), p.S, p.D)[:, : len(v)] @ v,
                   ("all-positive G",), "G's signs are lost"),
    "numpy, positive": ("fastfood", None, None, s.all_positive, ("all-positive P",), "nearly parallel"),
    "H, orthonormal": ("wht", None, None, lambda x, p: hadamard(len(x)) @ x / math.sqrt(len(x)), ("scale 1/√n",), "divided by √n"),
    "H, sequency": ("wht", None, None, lambda x, p: (hadamard(len(x)) @ x)[s.by_sign_changes(hadamard(len(x)))],
                    ("sequency order",), "changes of sign"),
    "torch, adjoint gathers": ("fastfood", "given", "adjoint", s.in_torch(s.torch_adjoint_gathers, "d"), ("Π for Πᵀ",), "scatter"),
    "torch, adjoint overwrites": ("fastfood", "given", "adjoint", s.in_torch(s.torch_adjoint_overwrites, "d"), ("overwritten, not added",), "add instead"),
    "seeded, no norm": ("fastfood", "seeded", None, s.seeded(unnormalised), ("missing column norm",), "divide the normals"),
    "seeded, √(nD)": ("fastfood", "seeded", None, s.seeded(lambda z, D: z / math.sqrt(z.shape[1] * D)),
                      ("expected column norm",), "unit only about|1 only about"),
    "seeded, norm before the cut": ("fastfood", "seeded", None, s.seeded(lambda z, D: z / s.column_norm(z, z.size)),
                                    ("norm before the cut",), "that are kept"),
    "seeded, lanes": ("fastfood", "seeded", None, s.seeded(lambda z, D: z / s.column_norm(z, D), lanes=True),
                      ("a lane for each block",), "index b·n + k"),
    "seeded, S of B": ("fastfood", "seeded", None, s.seeded(lambda z, D: z / s.column_norm(z, D), S="of B"), ("B's purpose for S",), "FF_S"),
    "seeded, S always": ("fastfood", "seeded", None, s.seeded(lambda z, D: z / s.column_norm(z, D), S="always"), ("S extra",), "signs=False"),
    "port, no norm": ("projection", None, None, projection(lambda g, p: g), ("missing column norm",), "divide column j"),
    "port, per layer": ("projection", None, None, projection(per_layer), ("normalised per tensor",), "over all D rows"),
    "port, rows": ("projection", None, None, projection(lambda g, p: (g.T / np.linalg.norm(g, axis=1)).T), ("rows normalised",), "axis 0"),
    "port, Fortran": ("dense", "given", None, lambda v, p: np.reshape(p.P.ravel(), p.P.shape, order="F") @ v, ("column-major",), "C order"),
    "adjoint, one B": ("fastfood", "given", "adjoint", transpose(s.one_for_all("B")), ("one B for all",), "each has its own"),
    "numpy, one S": ("fastfood", None, None, s.one_for_all("S"), ("one S for all",), "block 0's S"),
    "numpy, √d": ("fastfood", None, None, lambda v, p: s.explicit(v, p) * math.sqrt(p.d), ("scale √d",), "√d times too large"),
    "seeded adjoint, no norm": ("fastfood", "seeded", "adjoint", transpose(s.seeded(unnormalised)), ("missing column norm",), "divide the normals"),
    "seeded adjoint, S always": ("fastfood", "seeded", "adjoint", transpose(
        s.seeded(lambda z, D: z / s.column_norm(z, D), S="always")), ("S extra",), "signs=False"),
    "seeded adjoint, mean": ("fastfood", "seeded", "adjoint", lambda g, p: transpose(
        s.seeded(lambda z, D: z / s.column_norm(z, D)))(g, p) / p.D, ("scale 1/D",), "the chain rule sums"),
    "dense adjoint, pinv": ("dense", "given", "adjoint", lambda g, p: np.linalg.pinv(p.P) @ g, ("pseudo-inverse",), "the chain rule has Pᵀ g alone"),
    "dense adjoint, QR": ("dense", "given", "adjoint", lambda g, p: gram_schmidt(p.P).T @ g, ("orthonormalised",), "only scales"),
    "dense adjoint, mean": ("dense", "given", "adjoint", lambda g, p: (p.P * g[:, None]).mean(0), ("scale 1/D",), "the chain rule sums"),
    "dense adjoint, Fortran and √D": ("dense", "given", "adjoint", lambda g, p: math.sqrt(len(g)) * np.reshape(p.P.ravel(), p.P.shape, order="F").T @ g, ("column-major", "scale √D"), "; and "),
    "dense seeded adjoint, rows": ("dense", "seeded", "adjoint", lambda g, p: by_rows(drawn(p)).T @ g, ("rows normalised",), "axis 0"),
    "dense seeded adjoint, no norm": ("dense", "seeded", "adjoint", lambda g, p: drawn(p).T @ g, ("missing column norm",), "divide column j"),
    "sparse adjoint, =": ("sparse", "given", "adjoint", sparse_adjoint(assign=True), ("one entry a column",), "index_add_"),
    "sparse adjoint, ±1": ("sparse", "given", "adjoint", sparse_adjoint(lambda v, nnz: np.sign(v)), ("missing column norm",), "1/√nnz_j"),
    "sparse adjoint, mean": ("sparse", "given", "adjoint", sparse_adjoint(lambda v, nnz: v / nnz), ("mean over a column",), "their sum"),
    "sparse seeded, geometric from row 0": ("sparse", "seeded", None, seeded_sparse(first=0), ("row 0 skipped",), "stays empty"),
    "sparse seeded, signs in a row": ("sparse", "seeded", None, seeded_sparse(one_lane=True), ("signs of one lane",), "lane j"),
    "sparse seeded adjoint, ±1": ("sparse", "seeded", "adjoint", transpose(seeded_sparse(norm=lambda nnz: 1)), ("missing column norm",), "1/√nnz_j"),
    "sparse seeded adjoint, 1/√D": ("sparse", "seeded", "adjoint", transpose(seeded_sparse(dense=lambda p: p.D ** -0.5)),
                                    ("density ignored",), "whatever is given"),
    "jax, θ_0": ("subspace_gradient", None, None, chain_rule(changed(theta_0=lambda a: 0 * a.theta_0)), ("θ_0 forgotten",), "θ = θ_0 + P θ_d"),
    "jax, stop_gradient": ("subspace_gradient", None, None, chain_rule(
        lambda z, a, jax: SimpleNamespace(**vars(a) | {"P": 0 * a.P, "theta_0": jax.lax.stop_gradient(a.theta_0 + a.P @ z)})),
        ("gradient cut off",), "stop_gradient"),
    "jax, linearised": ("subspace_gradient", None, None, chain_rule(gradient=at_theta_0), ("gradient at θ_0",), "at θ = θ_0 + P θ_d"),
    "jax, no ½": ("subspace_gradient", None, None, chain_rule(changed(curvature=lambda a: 2 * a.curvature)), ("no ½",), "½"),
    "jax, mean": ("subspace_gradient", None, None, chain_rule(changed(curvature=lambda a: a.curvature / len(a.P))), ("mean for sum",), "they are sums"),
    "jax, least squares": ("subspace_gradient", None, None, chain_rule(gradient=by_pinv), ("pseudo-inverse",), "least squares"),
    "torch, no zero_grad": ("trajectory", "given", "sgd", torch_steps("no zero_grad", adam=False), ("gradients add up",), "zero_grad"),
    "torch, not cloned": ("trajectory", "given", "sgd", torch_steps("kept as they are", adam=False), ("rows are one array",), "copy it"),
    "torch, start moves": ("trajectory", "given", "sgd", torch_steps("start moves", adam=False), ("θ_0 moves",), "frozen"),
    "torch, weights only": ("trajectory", "given", "sgd", torch_steps("weights only", adam=False), ("biases left out",), "all D parameters"),
    "torch.optim.AdamW": ("trajectory", "given", "adam", torch_steps("AdamW"), ("PyTorch's ε", "weight decay"), "; and "),
    "torch, β of PyTorch": ("trajectory", "given", "adam", torch_steps("default betas"), ("PyTorch's ε", "PyTorch's β"), "0.999"),
    "torch, ε of PyTorch": ("trajectory", "given", "adam", torch_steps("default eps"), ("PyTorch's ε", "ε = 1e-8"), "1e-8 whatever is given"),
    "torch, no zero_grad, Adam": ("trajectory", "given", "adam", torch_steps("no zero_grad"), ("PyTorch's ε", "gradients add up"), "zero_grad"),
    "torch, nll_loss of softmax": ("mlp_loss_grad", None, None, s.torch_mlp(loss=s.nll_of_softmax), ("log missing",), "log_softmax"),
    "sparse, fancy +=": ("sparse", None, None, sparse_loses, ("repeated rows lost",), "index_add_"),
    "torch, weight.grad": ("linear", None, None, torch_linear, ("dW transposed",), "its transpose"),
    "signs, unpackbits": ("maps", "given", "signs", lambda w, p: 1 - 2 * np.unpackbits(w.view(np.uint8))[: p.count].astype(int), ("highest bit of a byte first",), "unpackbits"),
    "signs, 1 is +": ("maps", "given", "signs", lambda w, p: np.array([1 if int(w[i // 32]) >> i % 32 & 1 else -1 for i in range(p.count)]), ("a 1 is +1",), "negated"),
    "ranks": ("maps", "given", "permutation", lambda w, p: np.array([sorted(w).index(x) for x in w]), ("inverse permutation",), "Ranks"),
    "modulo": ("maps", "given", "integers", lambda w, p: w.astype(np.int64) % p.m, ("modulo",), "(w·m) >> 32"),
    "uniform": ("maps", "given", "uniform", lambda w, p: ((w >> 8) + 0.5) / 2**24, ("in (0, 1)",), "(−1, 1)"),
    "normals, int()": ("maps", "given", "normals", lambda w, p: (stats.norm.ppf((w + 0.5) / 2**32) * 2**20).astype(np.int64), ("cut towards zero",), "rint"),
    "torch, parameters_to_vector": ("mlp_loss_grad", None, None, s.torch_mlp(torchs_order=True),
                                    ("weights transposed",), "to_state_dict"),
    "torch, softmax and cross_entropy": ("mlp_loss_grad", None, None, s.torch_mlp(before_loss=softmax),
                                         ("softmax twice",), "leave the softmax out"),
    "torch, reduction sum": ("mlp_loss_grad", None, None, s.torch_mlp("sum"), ("summed loss",), "they are means"),
    "torch, ReLU on logits": ("mlp_loss_grad", None, None, s.torch_mlp(before_loss=lambda x: x.relu()),
                              ("ReLU on the logits",), "the logits have none"),
    "torch.optim.Adam": ("trajectory", "given", "adam", s.torch_path(s.torch_adam()), ("PyTorch's ε",), "TensorFlow's form"),
    "torch.optim.SGD, dampening": ("trajectory", "given", "sgd", s.torch_path(s.torch_sgd(dampening=lambda p: p.momentum)),
                                   ("PyTorch's dampening",), "from the second step on"),
    "torch.optim.SGD, softmax": ("trajectory", "given", "sgd", s.torch_path(s.torch_sgd(), before_loss=softmax),
                                 ("softmax twice",), "leave the softmax out"),
    "philox, key": ("philox", None, None, s.my_philox(swap_key=True), ("key halves swapped",), "seed >> 32"),
    "philox, ahead": ("philox", None, None, s.my_philox(ahead=1), ("counter + 1",), "NumPy's"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_strangers_mistake_is_named(name):
    s.needs(name)
    family, level, task, fn, mistakes, words = WRONG[name]
    found = explain(family, fn, level, task)
    assert found.mistakes == mistakes, found
    assert not found.correct
    assert any(word in str(found) for word in words.split("|")), found


def package(name, dtype, task="apply"):
    """The package's own kernels, by their compiled twin where Numba is installed."""

    def fn(v, p):
        backend = nid.get_backend(dtype=dtype)
        options = {k: getattr(p, k) for k in ("blocks", "signs", "entries") if hasattr(p, k)}
        P = nid.make_projection(name, p.D, p.d, p.seed, backend, **options)
        return P.apply(v)

    return fn


def in_jax(v, p):
    jax = importlib.import_module("jax")
    jitted = jax.jit(s.jax_fastfood, static_argnums=5)
    return jitted(jax.numpy.asarray(v), *map(jax.numpy.asarray, p.arrays), p.D)


RIGHT = {
    "torch": ("fastfood", None, None, s.in_torch(s.torch_fastfood)),
    "jax": ("fastfood", None, None, in_jax),
    "explicit matrix": ("fastfood", None, None, s.explicit),
    "loops": ("fastfood", None, None, s.loops),
    "torch adjoint": ("fastfood", "given", "adjoint", s.in_torch(s.torch_adjoint, "d")),
    "seeded adjoint": ("fastfood", "seeded", "adjoint", transpose(s.seeded(lambda z, D: z / s.column_norm(z, D)))),
    "dense adjoint": ("dense", "given", "adjoint", lambda g, p: np.einsum("ij,i->j", p.P, g)),
    "dense seeded adjoint": ("dense", "seeded", "adjoint", lambda g, p: (drawn(p) / np.linalg.norm(drawn(p), axis=0)).T @ g),
    "sparse adjoint": ("sparse", "given", "adjoint", sparse_adjoint()),
    "sparse seeded": ("sparse", "seeded", None, seeded_sparse()),
    "sparse seeded adjoint": ("sparse", "seeded", "adjoint", transpose(seeded_sparse())),
    "jax chain rule": ("subspace_gradient", None, None, chain_rule()),
    "explicit adjoint": ("fastfood", "given", "adjoint", s.explicit_adjoint),
    "seeded": ("fastfood", "seeded", None, s.seeded(lambda z, D: z / s.column_norm(z, D))),
    "scipy's hadamard": ("wht", None, None, lambda x, p: hadamard(len(x)) @ x),
    "kron": ("projection", None, None, lambda v, p: np.einsum("ij,j->i", p.g, v / np.linalg.norm(p.g, axis=0))),
    "dense": ("dense", "given", None, lambda v, p: sum(x * column for x, column in zip(v, p.P.T, strict=True))),
    "sparse": ("sparse", None, None, lambda v, p: np.bincount(p.rows, p.values * np.repeat(v, np.diff(p.indptr)), p.D)),
    "linear": ("linear", None, None, lambda x, p: (np.einsum("no,io->ni", p.dy, p.W), np.einsum("ni,no->io", x, p.dy), p.dy.T @ np.ones(len(x)))),
    "philox": ("philox", None, None, s.my_philox()),
    "torch mlp": ("mlp_loss_grad", None, None, s.torch_mlp()),
    "torch sgd": ("trajectory", "given", "sgd", s.torch_path(s.torch_sgd())),
    "torch adam by hand": ("trajectory", "given", "adam", s.numpy_adam_path),
    "signs": ("maps", "given", "signs", lambda w, p: np.array([-1 if int(w[i // 32]) >> i % 32 & 1 else 1 for i in range(p.count)])),
    "permutation": ("maps", "given", "permutation", lambda w, p: np.array(sorted(range(p.n), key=lambda k: w[k]))),
    "integers": ("maps", "given", "integers", lambda w, p: np.array([int(x) * p.m >> 32 for x in w])),
    "normals": ("maps", "given", "normals", lambda w, p: np.rint(stats.norm.ppf((w + 0.5) / 2**32) * 2**20).astype(np.int64)),
    "truncated": ("maps", "given", "truncated_normals", lambda w, p: np.rint(stats.truncnorm(-2, 2).ppf((w + 0.5) / 2**32) * 2**20).astype(np.int64)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_gets_no_diagnosis(name, dtype):
    s.needs(name)
    family, level, task, fn = RIGHT[name]
    found = explain(family, fn, level, task, dtype)
    assert (found.correct, found.mistakes) == (True, ())
    assert str(found) == "Correct to rounding."


@pytest.mark.parametrize("kind", ["fastfood", "dense"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_packages_own_are_right_bit_for_bit(kind, dtype):
    found = explain(kind, package(kind, dtype), "seeded", dtype=dtype, bits=kind == "fastfood")
    assert str(found) == ("Correct, bit for bit." if kind == "fastfood" else "Correct to rounding.")


def test_jax_in_float64():
    s.needs("jax")
    with importlib.import_module("jax").enable_x64(True):
        assert in_jax(np.ones(2), SimpleNamespace(arrays=ones_of_two(), D=2)).dtype == np.float64
        assert str(explain("fastfood", in_jax)) == "Correct to rounding."


def ones_of_two():
    return np.ones((1, 2)), np.array([[0, 1]]), np.ones((1, 2)), np.ones(2)


def test_a_float32_implementation_asked_in_float64_is_right_to_its_own_precision():
    def single(v, p):
        return s.explicit(v, p).astype(np.float32)

    assert explain("fastfood", single).correct


# ---- bits ----


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_place_of_the_scale_decides_bits(dtype):
    inside = s.seeded(lambda z, D: z / s.column_norm(z, D))
    assert str(explain("fastfood", inside, "seeded", dtype=dtype, bits=True)) == "Correct, bit for bit."
    last = s.seeded(None, fold=True)
    assert explain("fastfood", last, "seeded", dtype=dtype).correct
    found = explain("fastfood", last, "seeded", dtype=dtype, bits=True)
    assert (found.correct, found.mistakes) == (False, ("scale after the second H",))
    assert str(found).startswith(
        "Right to rounding, but not in bits: the column norm is divided out at the end"
    )


def test_strides_from_the_largest_down_are_named():
    def largest_first(x, p):
        x, h = x.copy(), len(x) // 2
        while h:
            for i in range(len(x)):
                if not i & h:
                    x[i], x[i + h] = x[i] + x[i + h], x[i] - x[i + h]
            h //= 2
        return x

    for dtype in FLOATS:
        assert explain("wht", largest_first, dtype=dtype).correct
        found = explain("wht", largest_first, dtype=dtype, bits=True)
        assert found.mistakes == ("largest stride first",)
        assert "h = 1, 2, 4, ... decides the bits" in str(found)


def test_another_dtype_is_said():
    found = explain("wht", lambda x, p: hadamard(len(x)) @ x.astype(np.float64), dtype=np.float32, bits=True)
    assert "the dtype is float64, float32 is needed" in str(found)


# ---- the tables ----


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("key", TABLES, ids="-".join)
def test_every_mistake_of_a_table_is_told_from_all_others(key, dtype):
    table = TABLES[key]
    family, level, task = key

    def variant(*mistakes):
        return lambda x, p: table.variant(mistakes, x, p)

    assert explain(family, variant(), level, task, dtype, bits=True).correct
    for mistake in table.mistakes:
        found = explain(family, variant(mistake), level, task, dtype, bits=mistake.rounding)
        assert found.mistakes == (mistake.name,)
    assert len({m.name for m in table.mistakes}) == len(table.mistakes)


def test_what_may_happen_to_any_answer_is_named_of_a_file_too():
    negated = lambda file, p: -TABLES["artefact", "given", "theta_d"].variant((), file, p)  # noqa: E731
    assert explain("artefact", negated).mistakes == ("negated",)


# ---- from answers that another program wrote ----


def answers(fn, *which):
    found = cases(*which)
    return found, {c.id: answer_of(fn(*c.arguments)) if c.valid else "refused" for c in found}


def answer_of(x):
    if isinstance(x, dict):
        return {name: np.asarray(value).tolist() for name, value in x.items()}
    return np.asarray(x).tolist()


def package_dense(v, p):
    """Normals and signs: the vectors have both."""
    return nid.make_projection(
        "dense", p.D, p.d, p.seed, nid.get_backend("numpy", v.dtype), entries=p.entries
    ).apply(v)


def half_gradient(theta, p):
    model = nid.mlp(p.sizes, nid.get_backend("numpy", theta.dtype))
    loss, grad = model.loss_and_grad(theta, nid.Batch(p.x, p.labels))
    return {"grad": grad / 2, "loss": loss}


def nesterov(theta_0, p):
    model = nid.mlp(p.sizes, nid.get_backend("numpy", np.float64))
    z, u, rows = np.zeros(p.P.shape[1]), 0.0, []
    for _ in range(10):
        g = p.P.T @ model.loss_and_grad(theta_0 + p.P @ z, nid.Batch(p.x, p.labels))[1]
        u = p.momentum * u + g
        z = z - p.lr * (g + p.momentum * u)
        rows.append(z)
    return np.array(rows)


@pytest.mark.parametrize(
    ("which", "fn", "sentence"),
    [
        (("fastfood", "given", "apply"), s.with_order(s.by_sign_changes), "H is in sequency (Walsh) order"),
        (("fastfood", "given", "adjoint"), lambda g, p: s.explicit_adjoint(g, p) / len(p.G), "blocks' answers are averaged"),
        (("fastfood", "seeded", "apply"), s.seeded(unnormalised), "The column norm is missing"),
        (("philox", "seeded", "words"), s.my_philox(swap_key=True), "The key is (high, low)"),
        (("wht", "given", "transform"), lambda x, p: hadamard(len(x)) @ x / len(x), "H is divided by n"),
        (("trajectory", "given", "sgd"), nesterov, "The step looks ahead (Nesterov)"),
        (("mlp_loss_grad", "given", "loss_grad"), half_gradient, "(of loss and gradient, the gradient) is 0.5 times the right one"),
        (("dense", "given", "apply"), lambda v, p: np.abs(p.P) @ v, "P's entries are made positive"),
        (("sparse", "given", "adjoint"), sparse_adjoint(lambda v, nnz: np.sign(v)), "Entries are ±1"),
        (("dense", "seeded", "apply"), lambda v, p: package_dense(v, p) * math.sqrt(p.D), "Columns have norm √D"),
        (("dense", "seeded", "adjoint"), lambda g, p: transpose(package_dense)(g, p) / p.D, "a mean over the D rows"),
        (("lenet_loss_grad", "given", "loss_grad"), lambda theta, p: {"loss": 0, "grad": theta}, "at loss: 0 against"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, tuple) else "",
)  # fmt: skip
def test_answers_to_the_vectors_are_explained(which, fn, sentence):
    found = list(explained(*answers(fn, *which)))
    if sentence is None:
        assert found == []
    else:
        assert [name for name, _ in found] == [" ".join(which)]
        assert sentence in found[0][1]


@pytest.mark.parametrize("key", [key for key in TABLES if key[0] in FAMILIES], ids="-".join)
def test_a_table_is_right_about_all_vectors_of_its_group(key):
    """One answer is wrong in a way that no table knows: it is pointed at, and none of the right ones."""
    found = [case for case in cases(*key) if case.valid]
    given = {case.id: answer_of(case.expected) for case in found}
    odd = max(found, key=lambda case: sum(x.size for x in case.expected.values()))
    given[odd.id] = answer_of(
        {name: x + np.arange(x.size).reshape(x.shape) % 3 + 1 for name, x in odd.expected.items()}
    )
    ((group, sentence),) = explained(found, given)
    assert group == " ".join(key)
    assert sentence.startswith("No known mistake: first difference on ") and f"{odd.id} at" in sentence


def test_integers_in_json_stand_for_numbers():
    found = cases("wht", "given")
    known = next(case for case in found if "Known" in case.flags)
    ((_, sentence),) = explained(found, {known.id: [4, 2, 0, -2, 0, 2, 0, 3]})
    assert "at [7]: 3 against 2, ratio 1.5" in sentence


def test_a_refusal_does_not_hide_the_others():
    found, given = answers(lambda x, p: hadamard(len(x)) @ x / len(x), "wht", "given")
    given[next(c.id for c in found if c.valid)] = "refused"
    assert [name for name, _ in explained(found, given)] == ["wht given transform"]
    assert list(explained(found, dict.fromkeys(given, "refused"))) == []


def test_right_answers_to_the_vectors_get_no_explanation():
    assert list(explained(*answers(s.explicit, "fastfood", "given", "apply"))) == []


@pytest.mark.parametrize(("scale", "code"), [(1, 0), (2, 1)])
def test_the_command_says_why(scale, code, tmp_path, capsys):
    _, given = answers(lambda x, p: hadamard(len(x)) @ x / np.sqrt(len(x)) ** (scale - 1), "wht", "given")
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(given))
    assert main(["vectors", "check", str(file), "--family", "wht", "--level", "given"]) == code
    out = capsys.readouterr().out
    assert ("WHY wht given transform: H is divided by √n (orthonormal)" in out) == bool(code)


# ---- where nothing is known ----


def test_an_unknown_mistake_gets_the_first_difference():
    def one_entry(v, p):
        y = s.explicit(v, p)
        y[7] *= 3
        return y

    found = explain("fastfood", one_entry)
    assert (found.correct, found.mistakes) == (False, ())
    assert "first difference on D×d = 64×16, stacked at [7]" in str(found)
    assert "ratio 3; 1 of 64 entries differ" in str(found)


def test_what_can_be_seen_in_an_unknown_P_is_said():
    def uniform(v, p):
        P = np.random.default_rng(p.D).random((p.D, p.d))
        return P @ v

    found = explain("dense", uniform, "seeded")
    assert "no entry of P is negative" in str(found)
    assert "columns have norms" in str(found)


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (
            lambda v, p: 1.7 * s.explicit(v, p),
            "The answer (of loss and gradient, the gradient) is 1.7 times the right one",
        ),
        (lambda v, p: s.explicit(v, p)[::-1], "The answer comes in reversed order"),
        (lambda v, p: s.explicit(v, p)[np.argsort(np.sin(np.arange(p.D)))], "only in order: another one"),
        (lambda v, p: s.explicit(v, p) * (-1) ** np.arange(p.D), "only in sign"),
        (lambda v, p: s.explicit(v, p)[:-1], "the answer has shape (63,), but (64,) is needed"),
        (lambda v, p: (v, v), "the answer must be y, but is a tuple of 2"),
        (lambda v, p: s.explicit(v, p) * np.nan, "nan against"),
        (
            lambda v, p: None,
            "No answer at all: on D×d = 64×16, stacked the answer is None: an array is needed; is there a return?",
        ),
    ],
)
def test_other_answers(fn, words):
    assert words in str(explain("fastfood", fn))


def test_one_ratio_and_one_order_are_seen():
    x = np.sin(np.arange(1.0, 13))
    assert relation(1.7 * x, x) == "all in this ratio"
    assert relation(x[::-1], x) == "only in order: reversed"
    assert relation(x.reshape(3, 4).T.ravel(), x) == "only in order: transposed, (3, 4) read as (4, 3)"


def test_columns_of_another_shape_have_no_norms():
    answer = str(explain("fastfood", lambda v, p: s.explicit(v, p)[None]))
    assert (
        answer
        == "No known mistake: on D×d = 64×16, stacked the answer has shape (1, 64), but (64,) is needed; "
        "in C order the numbers are right."
    )


def test_a_refusal_is_said_and_the_rest_compared():
    def powers_of_two(v, p):
        if len(v) & (len(v) - 1):
            raise ValueError("d must be a power of two")
        return s.explicit(v, p)

    found = explain("fastfood", powers_of_two)
    assert found.correct
    assert "(not compared: fn raises ValueError on D×d = 80×5, stacked: d must be a power of two)" in str(
        found
    )


def test_a_mistake_that_hardly_any_problem_can_show_is_not_named():
    """Asked about single blocks only, where an inverse of Π modulo m does not exist, it must not be blamed."""

    def single_only(v, p):
        if p.blocks != "single":
            raise NotImplementedError("single blocks only")
        return s.explicit(v, p) + np.arange(p.D)

    found = explain("fastfood", single_only)
    assert found.mistakes == ()
    assert "No known mistake" in str(found) and "single blocks only" in str(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fastfod",), "fastfood"),
        (("fastfood", None, None, np.float16), "unknown dtype 'float16': choose one of float32, float64"),
        (("fastfood", "given", "adjont"), r"no table for level='given', task='adjont', but for level='given', task='apply'"),
    ],
)  # fmt: skip
def test_unknown_names_are_refused(arguments, message):
    family, *rest = arguments
    with pytest.raises(ValueError, match=message):
        explain(family, s.explicit, *rest)


def test_a_long_refusal_is_shortened_to_one_line():
    def refuses(v, p):
        raise RuntimeError("a shape\n" + "and another " * 50)

    sentence = str(explain("wht", refuses))
    assert sentence.startswith("No answer at all: fn raises RuntimeError on n = 1: a shape and another ")
    assert sentence.endswith(" ...") and "\n" not in sentence and len(sentence) < 150


def test_inputs_are_fresh_copies():
    def spoils(v, p):
        y = s.explicit(v, p)
        v[:] = np.nan
        for array in p.arrays:
            array[...] = 0
        return y

    assert explain("fastfood", spoils).correct


# --- one verdict


def of_group(key):
    every = cases(key[0], task="all") if key[0] in FAMILIES else []
    return [case for case in every if (case.family, case.level, case.task) == key and case.valid]


def refused(key, fn):
    """How many of the vectors fn fails."""
    failed = 0
    for case in of_group(key):
        try:
            with np.errstate(all="ignore"):
                case.check(fn)
        except Exception:
            failed += 1
    return failed


@pytest.mark.parametrize("key", [key for key in TABLES if of_group(key)], ids="-".join)
def test_whatever_mistake_explain_knows_the_vectors_refuse(key):
    for mistake in TABLES[key].mistakes:
        if not mistake.rounding:
            assert refused(key, lambda x, p, m=mistake: TABLES[key].variant((m,), x, p)), mistake.name


def of_numbers(key):
    """Whether what fn is asked about is an array of numbers, not a seed."""
    firsts = [problem.first for problem in TABLES[key].problems(np.dtype(np.float64))]
    return bool(firsts) and all(isinstance(first, np.ndarray) and first.dtype.kind == "f" for first in firsts)


@pytest.mark.parametrize("key", [key for key in TABLES if of_numbers(key)], ids="-".join)
def test_numbers_are_as_large_as_normals_so_that_a_clip_shows(key):
    """Of entries all below 1 nobody would see it; explain and vectors see it both."""
    clipped = lambda x, p: TABLES[key].variant((), np.clip(x, -1, 1), p)  # noqa: E731
    assert explain(key[0], clipped, *key[1:]).mistakes == ("input clipped",)
    assert refused(key, clipped) or not of_group(key)


def with_factors(**changed):
    """P v with factors that a stranger has changed."""

    def fn(v, p):
        factors = (changed.get(name, np.asarray)(getattr(p, name)) for name in ("B", "Pi", "G", "S"))
        return s.fastfood_matrix(*factors, p.D)[:, : len(v)] @ v

    return fn


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"B": lambda B: B * B[:, ::-1]}, "as long as B changes nothing (in the formula after it Π, G, S): the first step that differs is B"),
        ({"G": lambda G: G[:, ::-1]}, "as long as G changes nothing (in the formula after it S): the first step that differs is G, or its place"),
        ({"S": lambda S: S[::-1]}, "as long as S changes nothing: the first step that differs is S"),
        ({"Pi": lambda Pi: np.roll(Pi, 1, axis=1)}, "wrong already: H, padding, an order of entries"),
    ],
    ids=["B", "G", "S", "order"],
)  # fmt: skip
def test_the_first_step_of_fastfood_that_differs_is_named(wrong, says):
    assert explain("fastfood", with_factors()).correct
    found = explain("fastfood", with_factors(**wrong))
    assert found.mistakes == () and says in found.sentence


def test_the_first_step_of_an_adjoint_and_a_wrong_permutation_that_is_no_usual_one():
    def transposed(g, p):
        Pi = np.where(p.Pi == np.arange(p.G.shape[1]) % p.B.shape[1], p.Pi, p.Pi[:, ::-1])
        return s.fastfood_matrix(p.B, Pi, p.G, p.S, p.D).T[: p.d] @ g

    said = explain("fastfood", transposed, task="adjoint").sentence
    assert "the first step that differs is Π" in said


def test_a_factor_that_is_nearly_one_is_told_by_how_much():
    found = explain("projection", lambda v, p: p.g / (np.linalg.norm(p.g, axis=0) + 1e-8) @ v)
    assert not found.correct and found.mistakes == ()
    assert re.search(r"a multiple of the right one, by 1 -\d\.?\d*e-09 to 1 -\d\.?\d*e-09", found.sentence)
