"""What npintdim answers to its own test vectors: `answer_of(family, level)(backend name)` is a callable for `Case.check`."""

import tempfile
from pathlib import Path

import numpy as np
import vectors_of_adapters

import npintdim as nid
from npintdim.engine.initializers import HeNormal
from npintdim.kernels.reference.sparse import rows_of
from npintdim.kernels.reference.words import philox4x32


def backend_of(name, p):
    return nid.get_backend(name, p.dtype or "float32", threads=1)


# ---- philox, maps, wht ----
def philox(name, x, p):
    if p.task == "block":
        return philox4x32(x[:, None], p.key.tolist())[:, 0]
    kernels = nid.get_backend(name).kernels
    return nid.Stream(x, p.purpose, p.lane, kernels).words(p.count, p.start)


def maps_given(name, words, p):
    """The maps of kernels whose words are given; those that draw them are given a stream that does not."""
    kernels, stream = nid.get_backend(name).kernels, GivenWords(words)
    if p.task == "signs":
        return kernels.signs(words, p.count)
    if p.task == "permutation":
        return np.argsort(words.astype(np.uint64) << np.uint64(32) | np.arange(p.n, dtype=np.uint64))
    if p.task == "sparse_rows":
        return sparse_rows_of(words, p.D, p.density)
    if p.task == "theta_0":
        return HeNormal(p.fan_in).draw(backend_of(name, p), stream, len(words)).astype(p.dtype)
    if p.task in ("normals", "truncated_normals"):
        return getattr(kernels, p.task)(words)
    return stream.integers(p.m, p.count) if p.task == "integers" else stream.uniform(p.count)


class GivenWords(nid.Stream):
    """A stream whose words are those of a file."""

    def __init__(self, given):
        super().__init__(0, 0)
        object.__setattr__(self, "given", given)

    def words(self, count, start=0):
        return self.given[start : start + count]


def sparse_rows_of(words, D, density):
    """The rows of a column on given words."""
    return rows_of(lambda start, count: np.resize(words, start + count)[start:], D, density)


def maps_seeded(name, seed, p):
    kernels = nid.get_backend(name).kernels
    if p.task == "sparse_rows":
        return kernels.sparse_columns(seed, p.D, p.lane + 1, p.density)[1][-len(p.case.expected["rows"]) :]
    if p.task == "theta_0":
        stream = nid.Stream(seed, 1, p.lane, kernels)
        return HeNormal(p.fan_in).draw(backend_of(name, p), stream, p.count).astype(p.dtype)
    stream = nid.Stream(seed, p.purpose, p.lane, kernels)
    rest = [getattr(p, name) for name in list(p.case.inputs)[3:]]
    return getattr(stream, p.task)(*rest)


def wht_given(name, x, p):
    return nid.get_backend(name).kernels.wht(x)


def wht_seeded(name, seed, p):
    x = nid.Stream(seed, nid.Purpose.CHECK, p.lane).normals(p.n) / (3 * 2.0**20)
    return wht_given(name, x.astype(p.dtype), p)


# ---- operators ----
def fastfood_given(name, x, p):
    P = nid.make_projection("fastfood", p.D, p.d, 0, backend_of(name, p), blocks=p.blocks)
    small = np.uint16 if p.Pi.size < 1 << 16 else np.uint32
    P.__dict__.update(B=packed(p.B), Pi=p.Pi.astype(small), G=p.G, S=packed(p.S))  # the factors, not drawn
    return getattr(P, p.task)(x)


def packed(signs):
    bits = np.packbits(signs.reshape(-1) < 0, bitorder="little")
    return np.resize(np.append(bits, [0] * 3), -(-len(bits) // 4) * 4).astype(np.uint8).view(np.uint32)


def fastfood_seeded(name, x, p):
    backend = backend_of(name, p)
    P = nid.make_projection("fastfood", p.D, p.d, p.seed, backend, blocks=p.blocks, signs=p.signs)
    return getattr(P, p.task)(x)


def dense_given(name, x, p):
    P = nid.make_projection("dense", *p.P.shape, 0, backend_of(name, p))
    P.__dict__.update(matrix=p.P)
    return getattr(P, p.task)(x)


def sparse_given(name, x, p):
    P = nid.make_projection("sparse", p.D, p.d, 0, backend_of(name, p), density=1.0)
    P.__dict__.update(columns=(p.indptr, p.rows.astype(np.int32), None), values=p.values)
    return getattr(P, p.task)(x)


def matrix_seeded(kind, option):
    def answer(name, x, p):
        inputs = p.case.inputs
        options = {option: inputs[option]}
        P = nid.make_projection(kind, inputs["D"], p.d, p.seed, backend_of(name, p), **options)
        return P.to_dense() if p.task == "matrix" else getattr(P, p.task)(x)

    return answer


# ---- networks ----
def subspace_given(name, theta_d, p):
    landscape = Quadratic(p.curvature, p.target)
    P = nid.make_projection("dense", *p.P.shape, 0, backend_of(name, p))
    P.__dict__.update(matrix=p.P)
    return nid.SubspaceObjective(landscape, p.theta_0, P).loss_and_grad(theta_d, nid.Batch())


def subspace_seeded(name, theta_d, p):
    backend = backend_of(name, p)
    theta_0 = HeNormal(p.fan_in).draw(backend, nid.Stream(p.theta_0_seed, 1, 0), p.D).astype(p.dtype)
    P = nid.make_projection(p.kind, p.D, p.d, p.P_seed, backend)
    return nid.SubspaceObjective(Quadratic(p.curvature, p.target), theta_0, P).loss_and_grad(
        theta_d, nid.Batch()
    )


class Quadratic:
    """A user's own landscape, L = ½ Σ λ (θ − t)²."""

    def __init__(self, curvature, target):
        self.curvature, self.target, self.dim = curvature, target, len(target)

    def loss_and_grad(self, theta, batch):
        gap = theta - self.target
        return (self.curvature * gap * gap).sum() / 2, self.curvature * gap


def network_of(name, p):
    backend = backend_of(name, p)
    if "sizes" in p.case.inputs:
        return nid.mlp(p.sizes, backend)
    if "classes" in p.case.inputs:
        return nid.lenet(tuple(p.in_shape), p.classes, backend)
    return nid.model_from_spec({"in_shape": p.in_shape, "layers": p.layers}, backend)


def network_given(name, theta, p):
    return network_of(name, p).loss_and_grad(theta, nid.Batch(p.x, p.labels))


def network_seeded(name, theta_0_seed, p):
    model = network_of(name, p)
    return model.loss_and_grad(model.init_theta(theta_0_seed), nid.Batch(p.x, p.labels))


def lenet_seeded(name, theta_d, p):
    model = network_of(name, p)
    P = nid.make_projection(p.kind, p.D, p.d, p.P_seed, model.backend)
    objective = nid.SubspaceObjective(model, model.init_theta(p.theta_0_seed), P)
    return objective.loss_and_grad(theta_d, nid.Batch(p.x, p.labels))


def trajectory(name, theta_0, p):
    """`theta_0` is the vector, or its seed."""
    model = network_of(name, p)
    if isinstance(theta_0, int):
        theta_0 = model.init_theta(theta_0)
        P = nid.make_projection(p.kind, p.D, p.d, p.P_seed, model.backend)
    else:
        P = nid.make_projection("dense", *p.P.shape, 0, model.backend)
        P.__dict__.update(matrix=p.P)
    objective = nid.SubspaceObjective(model, theta_0, P)
    names = ("lr", "momentum") if p.task == "sgd" else ("lr", "beta1", "beta2", "eps")
    rule = {"sgd": nid.SGD, "adam": nid.Adam}[p.task](*(getattr(p, n) for n in names))
    theta_d, path = objective.start(), []
    state = rule.start(theta_d)
    for t in range(1, 11):
        _, grad = objective.loss_and_grad(theta_d, nid.Batch(p.x, p.labels, t))
        theta_d, state = rule.update(theta_d, grad, state, t)
        path.append(theta_d)
    return np.stack(path)


def artefact(name, data, p):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.npid"
        path.write_bytes(data)
        loaded = nid.CompressedModel.load(path, backend=nid.get_backend(name))
    return loaded.theta() if p.task == "decode" else loaded.theta_d


ANSWERS = {
    ("philox", "given"): philox,
    ("philox", "seeded"): philox,
    ("maps", "given"): maps_given,
    ("maps", "seeded"): maps_seeded,
    ("wht", "given"): wht_given,
    ("wht", "seeded"): wht_seeded,
    ("fastfood", "given"): fastfood_given,
    ("fastfood", "seeded"): fastfood_seeded,
    ("dense", "given"): dense_given,
    ("dense", "seeded"): matrix_seeded("dense", "entries"),
    ("sparse", "given"): sparse_given,
    ("sparse", "seeded"): matrix_seeded("sparse", "density"),
    ("subspace_gradient", "given"): subspace_given,
    ("subspace_gradient", "seeded"): subspace_seeded,
    ("mlp_loss_grad", "given"): network_given,
    ("mlp_loss_grad", "seeded"): network_seeded,
    ("lenet_loss_grad", "given"): network_given,
    ("lenet_loss_grad", "seeded"): lenet_seeded,
    ("trajectory", "given"): trajectory,
    ("trajectory", "seeded"): trajectory,
    ("artefact", "given"): artefact,
    ("artefact", "seeded"): artefact,
    ("said", "given"): vectors_of_adapters.answer,
    ("said", "seeded"): vectors_of_adapters.answer,
    ("lora", "given"): vectors_of_adapters.answer,
    ("lora", "seeded"): vectors_of_adapters.answer,
    ("lora_xs", "given"): vectors_of_adapters.answer,
    ("vera", "given"): vectors_of_adapters.answer,
    ("vera", "seeded"): vectors_of_adapters.answer,
    ("uni_lora", "given"): vectors_of_adapters.answer,
    ("uni_lora", "seeded"): vectors_of_adapters.answer,
}


def answer(name, case):
    """The package's answer, for `Case.check`."""
    return lambda x, p: ANSWERS[case.family, case.level](name, x, p)
