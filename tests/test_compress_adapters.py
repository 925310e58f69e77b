"""A network trained by another parametrisation than a subspace, in a file: T(v_0 + u) with u kept."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import BACKENDS
from test_compress_refusals import seal

import npintdim as nid
from npintdim.adapters import Adapter, Only
from npintdim.artefact.fileformat import FormatError, TooLargeError
from npintdim.artefact.mdl import certify, describe, finetune, quantise
from npintdim.projections import KINDS
from npintdim.testing import check_gradient

NUMPY = nid.get_backend("numpy")
METHODS = {
    "lora": {"r": 2, "alpha": 3.0},
    "rslora": {"r": 2, "stabilised": True},
    "lora_fa": {"r": 2},
    "vera": {"r": 7},
    "said": {"d": 30, "P": {"kind": "onehot"}},
    "uni_lora": {"d": 30, "r": 3},
    "sub_lora": {"d": 30, "P": {"kind": "dense"}},
    "only": {"names": "fc2.*"},
}


def adapter(method, backend=NUMPY, seed=3, **options):
    net = nid.mlp([20, 30, 5], backend)
    kind = "lora" if method == "rslora" else method
    options = METHODS[method] | options
    return net, nid.make_adapter(kind, net.layout, net.init_theta(seed), 4, backend, **options)


def moved(T, seed=0):
    return T.start() + np.random.default_rng(seed).normal(size=T.dim, scale=0.3).astype(T.backend.dtype)


def compressed(method, backend=NUMPY):
    net, T = adapter(method, backend)
    return nid.CompressedModel.from_parts(net, 3, T, moved(T))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_file_brings_back_what_was_trained(method, backend, tmp_path):
    backend = nid.get_backend(backend)
    net, T = adapter(method, backend)
    v = moved(T)
    made = nid.CompressedModel.from_parts(net, 3, T, v)
    assert made.d == T.dim == len(made.theta_d)
    np.testing.assert_allclose(made.theta(), backend.host(T.theta(v)), atol=3e-6)
    made.save(tmp_path / "net.npid")
    again = nid.CompressedModel.load(tmp_path / "net.npid", backend=backend)
    assert again.theta().tobytes() == made.theta().tobytes()
    assert again.P.spec() == T.spec()
    assert again.to_bytes() == made.to_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_moved_is_theta_0(method):
    """All but Uni-LoRA begin at θ_0, and the file says so bit for bit."""
    net, T = adapter(method)
    made = nid.CompressedModel.from_parts(net, 3, T, T.start())
    assert not made.theta_d.any()
    theta_0 = nid.mlp([20, 30, 5], nid.get_backend("numpy", "float64")).init_theta(3).astype(np.float32)
    assert (made.theta() == theta_0).all() == (method != "uni_lora")


@pytest.mark.parametrize("method", METHODS)
def test_training_goes_on_where_the_file_stopped(method):
    made = compressed(method)
    objective = made.objective(nid.get_backend("numpy", "float64"))
    u = made.theta_d.astype(np.float64)
    np.testing.assert_allclose(objective.theta(u), made.theta(), atol=3e-6)
    assert not objective.start().any()
    x = np.random.default_rng(1).normal(size=(8, 20))
    batch = nid.Batch(x, np.arange(8) % 5)
    check_gradient(lambda u: objective.loss_and_grad(u, batch), u)


def digits():
    rng = np.random.default_rng(2)
    parts = (nid.Batch(rng.normal(size=(40, 20)).astype("f4"), np.arange(40) % 5) for _ in range(2))
    return nid.Dataset("mine", *parts, classes=5)


@pytest.mark.parametrize("method", METHODS)
def test_levels_and_a_certificate(method):
    """The description pays for T by its text, for d, the seeds and the code; nothing is free."""
    made = compressed(method)
    coded = quantise(made, "uniform", 5)
    assert coded.code is not None and coded.codebook.K == 5
    assert coded.reread().theta().tobytes() == coded.theta().tobytes()
    bits = describe(coded)
    text = {k: v for k, v in made.P.spec().items() if k not in ("seed", "d")}
    assert bits["P"] > 8 * len(json.dumps(text, separators=(",", ":")))
    assert bits["theta_d"] == 1 + 8 * len(coded.code)
    assert bits["seeds"] == 1 + 2 * 64
    found = certify(coded, digits())
    assert found.length == sum(bits.values())


def test_fine_tuning_with_levels():
    made = compressed("lora_fa")
    found, _ = finetune(made, "free", 3, digits(), epochs=1, batch_size=20)
    assert found.codebook.K <= 3
    assert found.d == made.d


# ---- refused ----
def test_singular_vectors_and_foreign_maps_are_in_no_file():
    net = nid.mlp([20, 30, 5], NUMPY)
    for kind, options, why in (
        ("lora_xs", {"r": 2}, "U and V are LAPACK's"),
        ("uni_lora", {"d": 30, "index": "peft"}, "index='peft': NumPy may change"),
    ):
        T = nid.make_adapter(kind, net.layout, net.init_theta(3), 4, NUMPY, **options)
        with pytest.raises(ValueError, match=f"no compressed file holds {kind}.*{why}"):
            nid.CompressedModel.from_parts(net, 3, T, T.start())


def test_another_theta_0_than_the_seeds_is_refused():
    net, T = adapter("lora")
    with pytest.raises(ValueError, match="theta_0 of T is not the one that theta_0_seed = 5 draws"):
        nid.CompressedModel.from_parts(net, 5, T, T.start())


def test_another_network_is_refused():
    _, T = adapter("lora")
    with pytest.raises(ValueError, match=r"P is D×d = 785×170, but the model has D = 26"):
        nid.CompressedModel.from_parts(nid.mlp([3, 4, 2], NUMPY), 3, T, T.start())
    turned = nid.mlp([5, 30, 20], NUMPY)
    if turned.D == T.D:
        with pytest.raises(ValueError, match="T is over"):
            nid.CompressedModel.from_parts(turned, 3, T, T.start())


def forged(tmp_path, T=None, **header):
    """A file of a LoRA whose header says something else, under a checksum that holds."""
    source = compressed("lora")
    told = source.header()
    text = told | {"T": {k: v for k, v in (told["T"] | (T or {})).items() if v is not None}} | header
    text = json.dumps(text, sort_keys=True, separators=(",", ":")).encode()
    old = source.to_bytes()
    h = int.from_bytes(old[10:14], "little")
    data = old[:10] + len(text).to_bytes(4, "little") + bytes(8) + text + old[22 + h : -32]
    path = tmp_path / "forged.npid"
    path.write_bytes(seal(data))
    return path


@pytest.mark.parametrize(
    ("T", "error", "message"),
    [
        ({"kind": "dora"}, FormatError, "T cannot be made: unknown parametrisation 'dora'"),
        ({"kind": None}, FormatError, "T cannot be made: .*without 'kind'"),
        ({"r": None}, FormatError, "is not what T says of itself"),
        ({"r": 6}, FormatError, "T cannot be made: r is 6, but the smallest matrix has"),
        ({"r": 1 << 39}, TooLargeError, "decoding D = 785, r = 549755813888 takes at least"),
        ({"r": True}, FormatError, "T cannot be made: r is True"),
        ({"r": 3}, FormatError, "theta_d has 170 numbers, but lora trains 255 of this network"),
        ({"seed": "04"}, FormatError, "T cannot be made: seed is '04': a string of decimal digits"),
        ({"seed": 4}, FormatError, "T cannot be made: seed is 4: a string of decimal digits"),
        ({"beta": 1}, FormatError, "T cannot be made: .*'beta'"),
        ({"alpha": "x"}, FormatError, "T cannot be made: alpha is 'x'"),
        ({"alpha": 4.0}, FormatError, "T has the fingerprint .* here, but .* in the file"),
        ({"seed": "5"}, FormatError, "T has the fingerprint .* here, but .* in the file"),
    ],
)
def test_a_header_that_is_wrong(T, error, message, tmp_path):
    with pytest.raises(error, match=f"forged.npid: .*{message}"):
        nid.CompressedModel.load(forged(tmp_path, T), backend=NUMPY)


def test_a_P_inside_that_does_not_exist(tmp_path):
    T = {"kind": "said", "d": 170, "P": {"kind": "haar"}, "r": None, "alpha": None, "stabilised": None}
    with pytest.raises(FormatError, match="T cannot be made: unknown projection 'haar'"):
        nid.CompressedModel.load(forged(tmp_path, T), backend=NUMPY)


def test_what_the_forger_does_not_change_is_loaded(tmp_path):
    again = nid.CompressedModel.load(forged(tmp_path), backend=NUMPY)
    assert again.theta().tobytes() == compressed("lora").theta().tobytes()


# ---- what no bit pays for ----
def test_no_certificate_for_a_T_of_ones_own(own_tables):
    """A class that was registered, a P inside of it that was, or a method put on the object: each could hold the labels."""

    @nid.register
    @dataclass(frozen=True, eq=False)
    class Mine(Only):
        kind = "mine"

    @nid.register
    @dataclass(frozen=True)
    class Other(KINDS["onehot"]):
        kind = "other"

    net = nid.mlp([20, 30, 5], NUMPY)
    theta_0 = net.init_theta(3)
    own = nid.make_adapter("mine", net.layout, theta_0, 4, NUMPY)
    inside = nid.make_adapter("said", net.layout, theta_0, 4, NUMPY, d=30, P={"kind": "other"})
    for T, named in ((own, "it is a Mine"), (inside, "it is a Other")):
        made = nid.CompressedModel.from_parts(net, 3, T, T.start())
        assert made.reread().theta().tobytes() == made.theta().tobytes()  # a file it may have
        with pytest.raises(TypeError, match=f"{named}, whose code the description does not pay for"):
            describe(made)
    made = compressed("lora")
    object.__setattr__(made.P, "exact", lambda v: made.theta())
    with pytest.raises(TypeError, match="with another exact"):
        describe(made)
    assert compressed("lora").reread().theta().tobytes() == compressed("lora").theta().tobytes()


def test_an_order_of_operations_is_needed(own_tables):
    @nid.register
    @dataclass(frozen=True, eq=False)
    class Without(Only):
        kind = "without"
        exact = Adapter.exact

    net = nid.mlp([20, 30, 5], NUMPY)
    T = nid.make_adapter("without", net.layout, net.init_theta(3), 4, NUMPY)
    with pytest.raises(
        ValueError, match=r"no compressed file holds without: an order of operations, exact\(v\), is needed"
    ):
        nid.CompressedModel.from_parts(net, 3, T, T.start())
