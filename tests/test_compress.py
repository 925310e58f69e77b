"""A network as two seeds and theta_d: what comes back, bit for bit, and how the file is written."""

import copy
import hashlib
import json
import os
import pickle
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import format_from_the_page as from_the_page
import numpy as np
import pytest
from helpers import BACKENDS, frozen, needs_numba, python

import npintdim as nid
from npintdim.adapters import ADAPTERS
from npintdim.artefact.coding import Codebook
from npintdim.artefact.fileformat import FormatError
from npintdim.engine.layers import Layer
from npintdim.rng import Purpose, Stream

GOLDEN = Path(__file__).parent / "golden"
NUMPY = nid.get_backend("numpy")
SEED = 2**64 - 1

# name: network, kind, d, options of P, sha256 of theta
LENET = {"in_shape": (1, 16, 16), "classes": 4}
GOLDENS = {
    "mlp-dense": ((6, 5, 3), "dense", 4, {},
        "ccf4cb013e005aed9bc3df3dbd10a7b2e11fab3b909b1e2076bfb929eb697799"),
    "mlp-rademacher": ((6, 5, 3), "dense", 4, {"entries": "rademacher"},
        "d4afd169b7f15212a803dfd3633d490084f656c20f011db6c089c39034b8b0fd"),
    "mlp-sparse": ((6, 5, 3), "sparse", 5, {"density": 0.3},
        "d252a08d7a8fddbaf86a3c4bccb9d95a501e141ad27b24ab78603cb6c8a7a5c6"),
    "mlp-stacked": ((6, 5, 3), "fastfood", 5, {},
        "db48f9fc77c50eee42aa4c053824ff0ac3c3153f738cb149932918032d8e3d33"),
    "mlp-single": ((6, 5, 3), "fastfood", 5, {"blocks": "single"},
        "30e66a3f97d16a729eaa349e665584a67c663417a07107ace5e6f6fe7fff6222"),
    "mlp-no-signs": ((6, 5, 3), "fastfood", 1, {"blocks": "single", "signs": False},
        "d1d455b64680a7935bc008f93000e5ab8e1b33d0c4990da01f1fde0f8d87c2b5"),
    "lenet-dense": (LENET, "dense", 3, {},
        "13bde2f61f4b92d63ae4a340d3053715ce5c466e9282ec0f5c5fc1c1f570f69f"),
    "lenet-sparse": (LENET, "sparse", 9, {},
        "997fb64d665efe866549747a162ac929e0df42647be89fb1fbd440959d6c672f"),
    "lenet-stacked": (LENET | {"conv_relu": False}, "fastfood", 20, {},
        "799beb6bdbf0977137dd5ccc84b4b8ac39026260f3a4c9d66b67a0b740cc3fe3"),
    "lenet-single": (LENET, "fastfood", 20, {"blocks": "single"},
        "3f401900d626f42c178baf7f0266a1853b7099ab4a2abe5bc9036fb13de1da99"),
    "mlp-coded-free": ((6, 5, 3), "fastfood", 20, {"coded": ("free", 3, (-0.5, 0.03, 0.3))},
        "e56fe3ffb5fc46fed620a8fb0c1d994b7ef895af6d8d7155ef8c8fce4fb2d513"),
    "lenet-coded-uniform": (LENET, "fastfood", 50, {"coded": ("uniform", 6, (0.2,))},
        "6bc2a54029b435f3348ee5c4a22519b299ab33aa30ccf9d0374cef40cd52dd24"),
    "mlp-lora": ((6, 5, 3), "lora", 38, {"r": 2},
        "9f6438ebe5ac93bde358540dfff0546a68747b4fe60745544840af93a3dfcd52"),
    "mlp-rslora-coded": ((6, 5, 3), "lora", 57,
        {"r": 3, "alpha": 5.0, "stabilised": True, "coded": ("free", 3, (-0.5, 0.0, 0.3))},
        "8eaf02b6f95d50b78aba7a7b2bad2948377ebbd238f62c4979caa077e687f3b7"),
    "mlp-lora-fa": ((6, 5, 3), "lora_fa", 16, {"r": 2},
        "179c7afd1dcebf5f9551f20a09c7254ea7bd182ecfab28f3eb2252fedae7d8b9"),
    "lenet-vera": (LENET, "vera", 245, {"r": 3},
        "c6596c166ccb10420302005fa0e045f692033bf63e8a736c5b723436d607c207"),
    "mlp-said": ((6, 5, 3), "said", 9, {},
        "b4c109dbce837185b4fc5467cf59d6d1018400b647bed81ccd8c29ea136acabc"),
    "mlp-uni-lora": ((6, 5, 3), "uni_lora", 7, {"r": 2},
        "ef2c698ac4b0a3651570a0d67fbe2d2c71ea78d62b3f382355b7bf4bdd7b0cf5"),
    "mlp-sub-lora-coded": ((6, 5, 3), "sub_lora", 20, {"r": 2, "coded": ("uniform", 6, (0.2,))},
        "8aa197c27044ab1ab17e88bae35bbf9fec9ad25a1010c3721514c8647839b8ff"),
    "mlp-only": ((6, 5, 3), "only", 8, {},
        "eba2d5eba9071201f07b15950489d582b3ea8c4a011b52388686f9e910c78653"),
}  # fmt: skip


def golden(name, backend=NUMPY):
    """The golden file made again."""
    spec, kind, d, options, _ = GOLDENS[name]
    options = dict(options)
    codebook = Codebook(*options.pop("coded")) if "coded" in options else None
    model = nid.lenet(backend=backend, **spec) if isinstance(spec, dict) else nid.mlp(spec, backend)
    theta_d = Stream(d, Purpose.CHECK).normals(d) / 2**20 / 3  # thirds: every product is rounded
    if kind in ADAPTERS:
        options |= {"d": d} if kind in ("said", "uni_lora", "sub_lora") else {}
        P = nid.make_adapter(kind, model.layout, model.init_theta(SEED), SEED - d, backend, **options)
        theta_d = P.backend.host(P.start()) + theta_d
    else:
        P = nid.make_projection(kind, model.D, d, SEED - d, backend, **options)
    compressed = nid.CompressedModel.from_parts(model, SEED, P, theta_d)
    return compressed if codebook is None else compressed.coded(codebook, codebook.nearest(theta_d))


def write_goldens():
    """By hand and only for a new version or scheme: python -c "import test_compress as t; print(t.write_goldens())"."""
    for name in GOLDENS:
        golden(name).save(GOLDEN / f"{name}.npid")
    return {name: golden(name).theta_sha256 for name in GOLDENS}


def small(kind="fastfood", backend=NUMPY, **options):
    model = nid.mlp([4, 3, 2], backend)
    P = nid.make_projection(kind, model.D, 3, 7, backend, **options)
    return nid.CompressedModel.from_parts(model, 5, P, frozen(np.array([0.1, -2.0, 3e-5])))


# ---- golden files ----
DECODE = """
import hashlib, json, sys
import npintdim as nid
backend = nid.get_backend(sys.argv[1], threads=int(sys.argv[2]))
loaded = {path: nid.CompressedModel.load(path, backend=backend) for path in sys.argv[3:]}
print(json.dumps({path: hashlib.sha256(c.theta().tobytes()).hexdigest() for path, c in loaded.items()}))
"""


def plainest_processor():
    """Environment in which NumPy uses none of the processor's features that it can do without."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return {"NPY_DISABLE_CPU_FEATURES": " ".join(f for f in __cpu_dispatch__ if __cpu_features__.get(f))}


@pytest.mark.parametrize(
    ("backend", "threads", "environment"),
    [
        ("numpy", "1", dict),
        ("numpy", "1", plainest_processor),
        pytest.param("numba", "1", dict, marks=needs_numba),
        pytest.param("numba", "2", dict, marks=needs_numba),
    ],
)
def test_golden_files_decode_to_their_golden_bits_in_another_process(backend, threads, environment):
    paths = {str(GOLDEN / f"{name}.npid"): sha for name, (*_, sha) in GOLDENS.items()}
    answer = python("-W", "error", "-c", DECODE, backend, threads, *paths, env=environment(), timeout=600)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == paths


@pytest.mark.parametrize("name", GOLDENS)
def test_a_reader_written_from_the_page_decodes_the_golden_files(name):
    parts = from_the_page.read(GOLDEN / f"{name}.npid")
    assert from_the_page.fingerprint(parts) == parts["fingerprint"]
    theta = from_the_page.decode(parts)
    assert hashlib.sha256(theta).hexdigest() == parts["theta_sha256"] == GOLDENS[name][-1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", GOLDENS)
def test_golden_files_are_written_again_byte_for_byte(name, backend):
    data = (GOLDEN / f"{name}.npid").read_bytes()
    assert golden(name, nid.get_backend(backend)).to_bytes() == data
    assert nid.CompressedModel.load(GOLDEN / f"{name}.npid").to_bytes() == data


def test_every_golden_file_has_its_line():
    assert sorted(p.stem for p in GOLDEN.iterdir()) == sorted(GOLDENS)


# ---- theta ----
@pytest.mark.parametrize("name", [name for name, (_, kind, *_) in GOLDENS.items() if kind in ADAPTERS])
def test_theta_of_another_T_is_its_formula_rounded(name):
    """Against T itself in float64, whose products of matrices are another order of the same sums."""
    compressed = golden(name)
    double = nid.get_backend("numpy", np.float64)
    T = replace(compressed.P, theta_0=compressed.model(double).init_theta(SEED), backend=double)
    exact = T.theta(T.start() + compressed.theta_d)
    assert (abs(compressed.theta() - exact) <= 0.501 * np.spacing(abs(compressed.theta())) + 1e-15).all()


@pytest.mark.parametrize(
    "name", [name for name, (_, kind, *_) in GOLDENS.items() if "mlp" in name and kind not in ADAPTERS]
)
def test_theta_is_the_exact_sum_rounded(name):
    """Against rational arithmetic: float64 leaves far less than the half unit of the last rounding."""
    compressed = golden(name)
    double = nid.get_backend("numpy", np.float64)
    P = nid.projection_from_spec(compressed.P.spec(), double).to_dense()
    theta_0 = compressed.model(double).init_theta(SEED)
    for i, theta_i in enumerate(compressed.theta()):
        exact = Fraction(float(theta_0[i])) + sum(
            Fraction(float(a)) * Fraction(float(b)) for a, b in zip(P[i], compressed.theta_d, strict=True)
        )
        assert abs(Fraction(float(theta_i)) - exact) <= Fraction(float(np.spacing(abs(theta_i)))) * Fraction(
            501, 1000
        )


def test_theta_d_zero_is_theta_0_bit_for_bit():
    nets = nid.lenet, nid.untied_lenet, nid.fctied_lenet, nid.fc_lenet
    for model in (nid.mlp([20, 10, 5], NUMPY), *(net((1, 16, 16), 3, NUMPY) for net in nets)):
        P = nid.make_projection("fastfood", model.D, 9, 0, NUMPY)
        theta = nid.CompressedModel.from_parts(model, 3, P, np.zeros(9)).theta()
        assert theta.tobytes() == model.init_theta(3).tobytes()


def test_a_file_names_the_relatives_of_lenet(tmp_path):
    for net, side in (
        (nid.untied_lenet, 16),
        (nid.fctied_lenet, 16),
        (nid.fc_lenet, 16),
        (nid.squeezenet, 29),
    ):
        model = net((1, side, side), 3, NUMPY)
        P = nid.make_projection("fastfood", model.D, 9, 0, NUMPY)
        compressed = nid.CompressedModel.from_parts(model, 3, P, np.arange(9.0))
        compressed.save(tmp_path / "net.npid")
        again = nid.CompressedModel.load(tmp_path / "net.npid", backend=NUMPY)
        assert again.network.layers == model.layers
        assert again.theta().tobytes() == compressed.theta().tobytes()


def test_theta_does_not_depend_on_the_precision_of_the_backends():
    single, double = (small(backend=nid.get_backend("numpy", t)) for t in (np.float32, np.float64))
    assert single.to_bytes() == double.to_bytes()


@pytest.mark.parametrize("kind", ["dense", "sparse", "fastfood"])
def test_theta_is_near_that_of_the_objective_it_was_trained_in(kind):
    compressed = small(kind, **({"density": 0.5} if kind == "sparse" else {}))
    theta = compressed.objective().theta(compressed.theta_d)
    np.testing.assert_allclose(compressed.theta(), theta, rtol=0, atol=1e-6)


def test_theta_is_a_fresh_array_and_theta_d_is_read_only():
    compressed = small()
    sha256 = hashlib.sha256(compressed.theta().tobytes()).hexdigest()
    compressed.theta()[:] = 0
    assert hashlib.sha256(compressed.theta().tobytes()).hexdigest() == sha256 == compressed.theta_sha256
    assert not compressed.theta_d.flags.writeable


def test_theta_d_is_copied_and_rounded_to_float32():
    given = np.array([0.1, 0.2, 1 + 2**-40])
    model = nid.mlp([4, 3, 2], NUMPY)
    P = nid.make_projection("fastfood", model.D, 3, 7, NUMPY)
    compressed = nid.CompressedModel.from_parts(model, 5, P, given)
    given[:] = 9
    assert compressed.theta_d.dtype == np.float32
    assert compressed.theta_d.tolist() == [float(np.float32(0.1)), float(np.float32(0.2)), 1.0]


# ---- there and back ----
@pytest.mark.parametrize("reader", BACKENDS)
@pytest.mark.parametrize("writer", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("dense", {}),
        ("dense", {"entries": "rademacher", "stored": False}),
        ("sparse", {"density": 0.5}),
        ("fastfood", {"signs": False}),
        ("fastfood", {"blocks": "single"}),
    ],
)
def test_a_file_comes_back_on_either_backend(kind, options, writer, reader, tmp_path):
    compressed = small(kind, nid.get_backend(writer), **options)
    size = compressed.save(tmp_path / "net.npid")
    loaded = nid.CompressedModel.load(str(tmp_path / "net.npid"), backend=nid.get_backend(reader))
    assert size == (tmp_path / "net.npid").stat().st_size
    assert loaded.model().backend.name == loaded.P.backend.name == reader
    assert loaded.header() == compressed.header()
    assert loaded.fingerprint == compressed.fingerprint
    assert loaded.theta_0_seed == 5
    assert loaded.theta_d.tobytes() == compressed.theta_d.tobytes()
    assert not loaded.theta_d.flags.writeable
    assert loaded.theta().tobytes() == compressed.theta().tobytes()


@pytest.mark.parametrize("kind", ["dense", "sparse", "fastfood"])
@pytest.mark.parametrize("seed", [0, SEED])
def test_seeds_of_64_bits_survive(kind, seed, tmp_path):
    model = nid.mlp([9, 9], NUMPY)
    P = nid.make_projection(kind, model.D, 2, seed, NUMPY)
    nid.CompressedModel.from_parts(model, np.uint64(seed), P, np.ones(2)).save(tmp_path / "net.npid")
    loaded = nid.CompressedModel.load(tmp_path / "net.npid")
    assert (loaded.theta_0_seed, loaded.P.seed) == (seed, seed)
    assert from_the_page.read(tmp_path / "net.npid")["header"]["theta_0_seed"] == str(seed)


def test_the_mnist_network_takes_less_than_3600_bytes(tmp_path):
    model = nid.mlp([784, 200, 200, 10])
    P = nid.make_projection("fastfood", model.D, 750, SEED)
    theta_d = np.random.default_rng(0).standard_normal(750)
    size = nid.CompressedModel.from_parts(model, SEED, P, theta_d).save(tmp_path / "net.npid")
    assert size == (tmp_path / "net.npid").stat().st_size < 3600


def test_copies_and_pickles_are_the_same_network():
    compressed = small()
    for twin in (copy.deepcopy(compressed), pickle.loads(pickle.dumps(compressed))):
        assert twin.to_bytes() == compressed.to_bytes()


# ---- what can be done with it ----
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_performance_is_that_of_the_decoded_theta(backend):
    compressed, rng = small(), np.random.default_rng(1)
    data = nid.Batch(frozen(rng.standard_normal((50, 4)).astype(np.float32)), frozen(rng.integers(0, 2, 50)))
    model = nid.mlp([4, 3, 2], nid.get_backend(backend))
    assert compressed.evaluate(data, nid.get_backend(backend)) == model.evaluate(compressed.theta(), data)
    assert compressed.evaluate(data) == nid.mlp([4, 3, 2], NUMPY).evaluate(compressed.theta(), data)


def test_training_goes_on_where_the_file_stopped():
    compressed = small("dense")
    double = nid.get_backend("numpy", np.float64)
    objective = compressed.objective(double)
    assert objective.landscape.backend == objective.P.backend == double
    assert (objective.dim, objective.landscape.D) == (3, 23)
    x = frozen(np.random.default_rng(0).standard_normal((8, 4)))
    loss, grad = objective.loss_and_grad(compressed.theta_d, nid.Batch(x, frozen(np.arange(8) % 2)))
    assert np.isfinite(loss)
    assert grad.shape == (3,)


def test_a_loaded_dense_projection_is_matrix_free_until_it_is_asked_for(tmp_path):
    small("dense").save(tmp_path / "net.npid")
    loaded = nid.CompressedModel.load(tmp_path / "net.npid")
    assert not loaded.P.stored
    assert loaded.objective(stored=True).P.stored
    with pytest.raises(ValueError, match="make another P"):
        loaded.objective(entries="rademacher")


# ---- layers of one's own ----
@dataclass(frozen=True)
class Scale(Layer):
    """y = a·W x with W (n,) beginning at zero."""

    n: int
    a: float = 0.1
    axes: tuple[int, ...] = (1, 2)

    def param_shapes(self):
        return {"W": (self.n,)}

    def initializers(self):
        return {"W": nid.Zeros()}

    def out_shape(self, in_shape):
        return in_shape

    def forward(self, backend, params, x):
        return self.a * params["W"] * x, x

    def backward(self, backend, params, cache, dy, need_dx=True):
        return self.a * params["W"] * dy, {"W": self.a * (cache * dy).sum(axis=0)}


def own(a=0.1, backend=NUMPY):
    return nid.Model([nid.Linear(4, 3), Scale(3, a), nid.Linear(3, 2)], (4,), backend)


def own_file(path):
    model = own()
    P = nid.make_projection("fastfood", model.D, 3, 7, NUMPY)
    compressed = nid.CompressedModel.from_parts(model, 5, P, np.ones(3))
    compressed.save(path)
    return compressed


def test_a_network_of_built_in_layers_needs_no_help(tmp_path):
    layers = [
        nid.Conv2D(1, 2, 3, stride=2, padding=1),
        nid.ReLU(),
        nid.MaxPool2D(2),
        nid.Flatten(),
        nid.Linear(8, 3, name="é"),
    ]
    model = nid.Model(layers, (1, 8, 8), NUMPY)
    P = nid.make_projection("fastfood", model.D, 3, 7, NUMPY)
    compressed = nid.CompressedModel.from_parts(model, 5, P, np.ones(3))
    compressed.save(tmp_path / "net.npid")
    loaded = nid.CompressedModel.load(tmp_path / "net.npid", backend=NUMPY)
    assert loaded.model().layers == model.layers
    assert loaded.theta().tobytes() == compressed.theta().tobytes()
    assert from_the_page.decode(from_the_page.read(tmp_path / "net.npid")) == compressed.theta().tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_layer_of_ones_own_comes_back_with_the_model(backend, tmp_path):
    compressed = own_file(tmp_path / "net.npid")
    loaded = nid.CompressedModel.load(tmp_path / "net.npid", own(backend=nid.get_backend(backend)))
    assert loaded.model().backend.name == backend
    assert isinstance(loaded.model().layers[1], Scale)
    assert loaded.theta().tobytes() == compressed.theta().tobytes()
    assert loaded.to_bytes() == compressed.to_bytes()


def test_a_given_model_is_moved_to_a_given_backend(tmp_path):
    own_file(tmp_path / "net.npid")
    double = nid.get_backend("numpy", np.float64)
    assert nid.CompressedModel.load(tmp_path / "net.npid", own(), double).model().backend == double


# ---- what cannot be compressed ----
def parts(**changes):
    model = nid.mlp([4, 3, 2], NUMPY)
    P = nid.make_projection("fastfood", model.D, 3, 7, NUMPY)
    return {"model": model, "theta_0_seed": 5, "P": P, "theta_d": np.ones(3)} | changes


def too_far():
    """A theta_d within float32 whose first row of P theta_d, √2·3.4e38, is not."""
    P = nid.make_projection("dense", 2, 2, 0, NUMPY, entries="rademacher")
    return {"model": nid.mlp([1, 1], NUMPY), "P": P, "theta_d": np.array([3.4e38, 3.4e38])}


class MyProjection(type(nid.make_projection("sparse", 23, 1, 0, NUMPY))):
    kind = "mine"


def impostor():
    """A class of one's own by the name of one of the package's."""
    return dataclass(frozen=True)(type("Linear", (nid.Linear,), {}))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"theta_d": np.ones(4)}, ValueError, r"theta_d has shape \(4,\), but P is D×d = 23×3"),
        ({"theta_d": np.ones((3, 1))}, ValueError, r"theta_d must have shape \(3,\)"),
        ({"theta_d": np.ones(3, complex)}, TypeError, "theta_d has dtype complex128: real numbers"),
        ({"theta_d": np.array([0, np.nan, 0])}, FormatError, "theta_d holds NaN, infinity"),
        ({"theta_d": np.array([0, -np.inf, 0])}, FormatError, "theta_d holds NaN, infinity"),
        ({"theta_d": np.array([0, 1e39, 0])}, FormatError, "a number beyond float32"),
        (too_far(), FormatError, r"theta = theta_0 \+ P theta_d goes beyond float32"),
        ({"theta_0_seed": -1}, ValueError, r"theta_0_seed is -1: 0 ≤ theta_0_seed < 2\*\*64"),
        ({"theta_0_seed": 2**64}, ValueError, r"theta_0_seed < 2\*\*64 is needed"),
        ({"theta_0_seed": 0.5}, TypeError, r"theta_0_seed is 0.5: an integer"),
        ({"model": nid.mlp([5, 3, 2], NUMPY)}, ValueError, "P is D×d = 23×3, but the model has D = 26"),
        ({"P": np.zeros((23, 3))}, TypeError, "P is a ndarray: a file can name only dense, sparse, fastfood"),
        ({"P": MyProjection(23, 3, 7, NUMPY, 0.9)}, TypeError,
            "P is a MyProjection: a file can name only dense, sparse, fastfood"),
        ({"model": nid.Model([impostor()(4, 3), nid.Linear(3, 2)], (4,), NUMPY)}, ValueError,
            "describes another network"),
        (
            {
                "model": nid.Model(
                    [nid.Linear(4, 3), nid.Linear(3, 2)],
                    (4,),
                    NUMPY,
                    {"architecture": "mlp", "sizes": [4, 3, 2]},
                )
            },
            ValueError,
            "a recipe must build these layers",
        ),
        ({"model": nid.Model([nid.Linear(4, 3), nid.Linear(3, 2)], (4,), NUMPY, {"mine": float("nan")})},
            TypeError, "cannot be written as JSON"),
        ({"model": nid.Model([nid.Linear(4, 3), nid.Linear(3, 2)], (4,), NUMPY, {"mine": {1, 2}})}, TypeError,
            "cannot be written as JSON"),
    ],
)  # fmt: skip
def test_parts_that_make_no_file_are_refused(changes, error, message):
    nid.CompressedModel.from_parts(**parts())
    with pytest.raises(error, match=message):
        nid.CompressedModel.from_parts(**parts(**changes))


CODED = golden("mlp-coded-free")


def coded_parts(**changes):
    """The parts of a coded network, with something changed."""
    names = ("network", "P", "theta_0_seed", "theta_d", "code")
    return nid.CompressedModel(**{name: getattr(CODED, name) for name in names} | changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"code": golden("lenet-coded-uniform").code}, FormatError, "code of theta_d is wrong: its symbols"),
        ({"theta_d": np.zeros(20, np.float32)}, FormatError, "code is that of another theta_d"),
        ({"theta_d": CODED.theta_d[::-1]}, FormatError, "code is that of another theta_d"),
        ({"code": CODED.code + b"\0"}, FormatError, "code of theta_d is wrong"),
        ({"code": b""}, FormatError, "code of theta_d is wrong: it is empty"),
        ({"code": "text"}, FormatError, "code is a str: bytes are needed"),
        ({"code": bytearray(CODED.code)}, FormatError, "code is a bytearray: bytes are needed"),
        ({"theta_d": CODED.theta_d.astype(np.float64)}, TypeError, "theta_d has dtype float64: float32"),
        ({"theta_d": CODED.theta_d[:19], "code": None}, ValueError, r"theta_d has shape \(19,\)"),
        ({"network": nid.mlp([7, 3], NUMPY)}, ValueError, "but the model has D = 24"),
        ({"P": replace(CODED.P, d=19)}, ValueError, r"theta_d has shape \(20,\), but P is D×d = 53×19"),
        ({"P": replace(CODED.P, D=60)}, ValueError, "P is D×d = 60×20, but the model has D = 53"),
        ({"theta_0_seed": 2**64}, ValueError, "theta_0_seed < 2"),
        ({"theta_0_seed": "0"}, TypeError, "theta_0_seed is '0': an integer"),
    ],
)
def test_no_network_exists_whose_parts_disagree(changes, error, message):
    """Its bits would be counted by one part, and its mistakes by another."""
    assert coded_parts().to_bytes() == CODED.to_bytes()
    for make in (lambda: coded_parts(**changes), lambda: replace(CODED, **changes)):
        with pytest.raises(error, match=message):
            make()
    twin = copy.copy(CODED)
    for name, value in changes.items():
        object.__setattr__(twin, name, value)
    data = pickle.dumps(twin)
    with pytest.raises(error, match=message):
        pickle.loads(data)


def test_the_numbers_of_a_network_stay_as_they_are():
    mine = np.array([0.1, 0.2, 0.3], np.float32)
    compressed = replace(small(), theta_d=mine)
    mine[:] = 9
    for theta_d in (compressed.theta_d, pickle.loads(pickle.dumps(compressed)).theta_d):
        assert theta_d.tolist() == np.array([0.1, 0.2, 0.3], np.float32).tolist()
        with pytest.raises(ValueError, match="WRITEABLE"):
            theta_d.flags.writeable = True


def test_a_network_read_again_is_the_same():
    for compressed in (small(), CODED):
        again = compressed.reread()
        assert again.network is not compressed.network
        assert again.to_bytes() == compressed.to_bytes()
        assert again.network.backend == compressed.network.backend
    assert small().reread(nid.get_backend("numpy", np.float64)).network.backend.dtype == np.float64


def test_a_header_that_no_reader_would_take_is_not_written():
    model = nid.Model(
        [nid.Linear(4, 3), nid.Linear(3, 2)], (4,), NUMPY, {"architecture": "mine", "text": "x" * (1 << 20)}
    )
    with pytest.raises(ValueError, match="the header has 1048760 bytes: at most 1048576"):
        nid.CompressedModel.from_parts(**parts(model=model)).to_bytes()


# ---- all or nothing ----
def fails(*args, **kwargs):
    raise OSError(28, "No space left on device")


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("failure", [fails, interrupted])
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("old", [b"what was there before", None])
def test_a_failed_save_leaves_what_was_there_and_nothing_else(step, old, failure, tmp_path, monkeypatch):
    path = tmp_path / "net.npid"
    if old is not None:
        path.write_bytes(old)
    monkeypatch.setattr(os, step, failure)
    with pytest.raises((OSError, KeyboardInterrupt)) as caught:
        small().save(path)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == (["net.npid"] if old else [])
    assert old is None or path.read_bytes() == old
    if failure is fails:
        assert str(caught.value) == f"[Errno 28] No space left on device: '{path}'"
    assert small().save(path) == path.stat().st_size


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    path, done = tmp_path / "net.npid", []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: done.append(("fsync", os.fstat(f).st_size)) or fsync(f))
    monkeypatch.setattr(os, "replace", lambda a, b: done.append(("replace", Path(a).parent)) or replace(a, b))
    size = small().save(path)
    assert done == [("fsync", size), ("replace", tmp_path)]


@pytest.mark.parametrize("where", ["missing/net.npid", "a_file/net.npid", "a_folder"])
def test_an_error_of_the_system_names_the_path_that_was_given(where, tmp_path):
    (tmp_path / "a_file").write_bytes(b"")
    (tmp_path / "a_folder").mkdir()
    with pytest.raises(OSError, match=r"\[Errno \d+\]") as caught:
        small().save(tmp_path / where)
    assert f"'{tmp_path / where}'" in str(caught.value)
    assert ".part" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_file", "a_folder"]


def test_a_saved_file_has_the_usual_rights(tmp_path):
    small().save(tmp_path / "net.npid")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "net.npid").stat().st_mode == (tmp_path / "plain").stat().st_mode
