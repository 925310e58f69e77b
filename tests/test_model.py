"""The networks over one flat theta: how many parameters, where they lie, how theta_0 is drawn, evaluation."""

import hashlib
import json
import math
import pickle

import numpy as np
import pytest
from helpers import frozen, normal, same_bits
from scipy import stats
from scipy.special import ndtri

from npintdim.backend import get_backend
from npintdim.engine import model as model_module
from npintdim.engine.architectures import (
    fc_lenet,
    fctied_lenet,
    lenet,
    mlp,
    model_from_spec,
    squeezenet,
    untied_lenet,
)
from npintdim.engine.landscape import Batch, Landscape
from npintdim.engine.layers import Conv2D, Flatten, Linear, MaxPool2D, ReLU
from npintdim.engine.model import Model
from npintdim.engine.params import ParamLayout
from npintdim.kernels.reference import words
from npintdim.specs import spec_of

PLAIN = get_backend("numpy", np.float64, threads=1)
MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


def strange(backend=PLAIN):
    layers = [Conv2D(2, 3, 3, stride=2, padding=1), ReLU(), MaxPool2D(2, stride=1), Flatten(), Linear(27, 3)]
    return Model(layers, (2, 7, 8), backend)


# ---- how many ----


@pytest.mark.parametrize(
    ("make", "D"),
    [
        (lambda: mlp([784, 200, 200, 10], PLAIN), 199_210),
        (lambda: mlp([3072, 200, 200, 10], PLAIN), 656_810),
        (lambda: mlp([784, 400, 400, 400, 400, 400, 10], PLAIN), 959_610),  # FC-5 of the shuffled labels
        (lambda: lenet(MNIST, 10, PLAIN), 44_426),
        (lambda: lenet(CIFAR, 10, PLAIN), 62_006),
        (lambda: lenet(MNIST, 10, PLAIN, conv_relu=False), 44_426),
        (lambda: untied_lenet(MNIST, 10, PLAIN), 286_334),
        (lambda: fctied_lenet(MNIST, 10, PLAIN), 193_370),
        (lambda: fc_lenet(MNIST, 10, PLAIN), 3_640_574),
        (lambda: squeezenet(backend=PLAIN), 1_248_424),
        (lambda: mlp([784, 10], PLAIN), 7_850),  # softmax regression
        (lambda: mlp([1, 1], PLAIN), 2),
    ],
)
def test_D_is_the_papers(make, D):
    model = make()
    assert model.D == model.dim == model.layout.D == D
    assert model.init_theta(0).shape == (D,)


def test_the_papers_product_sum_leaves_out_the_biases():
    shapes = dict(mlp([784, 200, 200, 10], PLAIN).layout.entries)
    kernels = [math.prod(shape) for name, shape in shapes.items() if name.endswith(".W")]
    biases = [math.prod(shape) for name, shape in shapes.items() if name.endswith(".b")]
    assert (sum(kernels), sum(biases)) == (198_800, 410)


# ---- where ----


def test_order_of_theta():
    """Layers in order, W then b, C order: part of every file."""
    assert mlp([784, 200, 200, 10], PLAIN).layout.entries == (
        ("fc1.W", (784, 200)), ("fc1.b", (200,)), ("fc2.W", (200, 200)), ("fc2.b", (200,)),
        ("fc3.W", (200, 10)), ("fc3.b", (10,)),
    )  # fmt: skip
    assert lenet(MNIST, 10, PLAIN).layout.entries == (
        ("conv1.W", (6, 1, 5, 5)), ("conv1.b", (6,)), ("conv2.W", (16, 6, 5, 5)), ("conv2.b", (16,)),
        ("fc1.W", (256, 120)), ("fc1.b", (120,)), ("fc2.W", (120, 84)), ("fc2.b", (84,)),
        ("fc3.W", (84, 10)), ("fc3.b", (10,)),
    )  # fmt: skip


def test_views_are_views():
    layout = strange().layout
    theta = np.arange(float(layout.D))
    views = layout.views(theta)
    assert all(np.shares_memory(view, theta) for view in views.values())
    np.testing.assert_array_equal(np.concatenate([view.ravel() for view in views.values()]), theta)
    views["conv2d1.b"][1] = -7
    assert theta[layout.slices["conv2d1.b"]].tolist() == [54, -7, 56]
    assert not layout.views(frozen(theta))["linear1.W"].flags.writeable


def test_layout_of_nothing():
    layout = ParamLayout(())
    assert layout.D == 0
    assert layout.views(np.empty(0)) == {}


def test_names_of_nameless_layers():
    model = Model([Linear(3, 4), ReLU(), Linear(4, 4, name="middle"), Linear(4, 2), ReLU()], (3,), PLAIN)
    assert [layer.name for layer in model.layers] == ["linear1", "relu1", "middle", "linear3", "relu2"]


# ---- theta_0 ----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [strange, lambda b: mlp([30, 20, 10], b), lambda b: lenet(MNIST, 10, b)])
def test_theta_0_has_the_same_bits_on_both_backends(make, dtype):
    pytest.importorskip("numba", reason="numba is not installed")
    for seed in (0, 2**64 - 1):
        plain = make(get_backend("numpy", dtype)).init_theta(seed)
        same_bits(make(get_backend("numba", dtype, threads=2)).init_theta(seed), plain)


def test_float32_theta_0_is_the_rounded_float64_one():
    single, double = (
        lenet(MNIST, 10, get_backend("numpy", t)).init_theta(3) for t in (np.float32, np.float64)
    )
    same_bits(single, double.astype(np.float32))


def test_theta_0_by_its_definition(backend):
    """θ_0 = dtype(g · (2⁻²⁰ · sqrt(2/fan_in))), g = rint(2²⁰ Φ⁻¹(a + (1 − 2a)(w + ½)/2³²)), lane = parameter."""
    model = mlp([7, 5, 3], backend)
    views = model.layout.views(model.init_theta(11))
    a = stats.norm.cdf(-2)
    for lane, fan_in, name in ((0, 7, "fc1.W"), (2, 5, "fc2.W")):
        w = words(11, 1, lane, 0, views[name].size)
        g = np.rint(2**20 * ndtri(a + (1 - 2 * a) * (w + 0.5) / 2**32))
        np.testing.assert_allclose(views[name].ravel(), g * 2.0**-20 * math.sqrt(2 / fan_in), rtol=1e-15)
    assert not views["fc1.b"].any()
    assert not views["fc2.b"].any()


def test_seeds_of_theta_0():
    model = strange()
    same_bits(model.init_theta(5), model.init_theta(5))
    same_bits(model.init_theta(np.int64(5)), model.init_theta(5))
    kernels = model.layout.views(model.init_theta(5))["linear1.W"]
    assert not np.any(kernels == model.layout.views(model.init_theta(6))["linear1.W"])


def test_he_normal_is_cut_at_two_and_has_a_realised_sd_of_088():
    model = lenet(CIFAR, 10, PLAIN)
    views = model.layout.views(model.init_theta(0))
    for name, fan_in in (("conv2.W", 150), ("fc1.W", 400), ("fc2.W", 120)):
        z = views[name].ravel() / math.sqrt(2 / fan_in)
        sd = stats.truncnorm(-2, 2).std()
        assert sd == pytest.approx(0.88, abs=1e-3)
        assert np.abs(z).max() <= 2
        assert np.abs(z).max() > 1.95
        assert z.std() == pytest.approx(sd, rel=4 / math.sqrt(2 * len(z)))
        assert z.mean() == pytest.approx(0, abs=4 * sd / math.sqrt(len(z)))
        assert stats.kstest(z, stats.truncnorm(-2, 2).cdf).pvalue > 1e-3


GOLDEN = {
    "mlp": "d20af09abfdb2b78b237a1463a7790c8c75507273d0e92c7f7e7378104379fe0",
    "lenet": "1dde5a5b819b14dd991c64f2c601675761e61a3ebb33fdc73b7615df7998ac74",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_theta_0(backend_name, name):
    """The first of the two seeds of a compressed file must mean this for ever."""
    make = {"mlp": lambda b: mlp([784, 200, 200, 10], b), "lenet": lambda b: lenet(MNIST, 10, b)}[name]
    theta_0 = make(get_backend(backend_name, np.float32)).init_theta(2**63 + 1)
    assert hashlib.sha256(theta_0.astype("<f4").tobytes()).hexdigest() == GOLDEN[name]


# ---- loss ----


def images(n, shape, seed=0):
    return frozen(np.random.default_rng(seed).random((n, *shape)))


@pytest.mark.parametrize(
    ("make", "shape"),
    [(lambda b: mlp([784, 200, 200, 10], b), MNIST), (lambda b: lenet(MNIST, 10, b), MNIST)],
)
def test_initial_loss_is_near_that_of_a_guess(backend, make, shape):
    model = make(backend)
    batch = Batch(images(64, shape) - 0.5, frozen(np.random.default_rng(1).integers(0, 10, 64)))
    loss, _ = model.loss_and_grad(model.init_theta(0), batch)
    assert float(loss) == pytest.approx(math.log(10), abs=0.35)


def test_a_network_that_knows_nothing_has_exactly_that_loss(backend):
    model = strange(backend)
    loss, gradient = model.loss_and_grad(np.zeros(model.D), Batch(normal(4, 2, 7, 8), np.array([0, 1, 2, 2])))
    assert float(loss) == pytest.approx(math.log(3), rel=1e-15)
    np.testing.assert_allclose(gradient[-3:], [1 / 3 - 1 / 4, 1 / 3 - 1 / 4, 1 / 3 - 1 / 2], rtol=1e-14)
    assert not gradient[:-3].any()


def test_labels_of_any_integer_type(backend):
    model = strange(backend)
    theta, x = model.init_theta(0), normal(3, 2, 7, 8)
    losses = [
        float(model.loss_and_grad(theta, Batch(x, np.array([0, 2, 1], t)))[0]) for t in ("u1", "i4", "i8")
    ]
    assert len(set(losses)) == 1


# ---- evaluation ----


@pytest.mark.parametrize("chunk", [1, 3, 7, 10, 11])
def test_chunks_add_up(backend, monkeypatch, chunk):
    model = strange(backend)
    theta = model.init_theta(0)
    data = Batch(normal(10, 2, 7, 8), frozen(np.random.default_rng(0).integers(0, 3, 10)))
    whole = model.evaluate(theta, data)
    monkeypatch.setattr(model_module, "CHUNK", chunk)
    parts = model.evaluate(theta, data)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-13)
    assert (parts.performance, parts.n) == (whole.performance, whole.n) == (whole.performance, 10)
    assert isinstance(parts.loss, float)
    assert isinstance(parts.performance, float)


@pytest.mark.parametrize(
    ("numbers", "seen"), [(1 << 26, [10]), (52 * 5, [5, 5]), (52 * 3, [3, 3, 3, 1]), (7, [1] * 10)]
)
def test_a_wide_network_is_evaluated_in_smaller_chunks(monkeypatch, numbers, seen):
    monkeypatch.setattr(model_module, "NUMBERS", numbers)
    model = mlp([24, 12, 4], PLAIN)  # 24 + 12 + 12 + 4 numbers an example
    monkeypatch.setattr(model_module, "NUMBERS", 1 << 26)
    chunks, inner = [], model.forward
    monkeypatch.setattr(model, "forward", lambda theta, x: chunks.append(len(x)) or inner(theta, x))
    model.evaluate(model.init_theta(0), Batch(normal(10, 24), np.arange(10) % 4))
    assert chunks == seen


def test_evaluation_is_loss_and_accuracy(backend):
    model = strange(backend)
    theta, x = model.init_theta(0), normal(50, 2, 7, 8)
    labels = frozen(np.random.default_rng(0).integers(0, 3, 50))
    logits, _ = model.forward(theta, x)
    found = model.evaluate(theta, Batch(x, labels))
    assert found.performance == np.mean(logits.argmax(axis=1) == labels)
    assert found.loss == pytest.approx(float(model.loss_and_grad(theta, Batch(x, labels))[0]), rel=1e-12)


def test_an_evaluation_is_the_mean_of_those_of_its_parts():
    model = strange()
    theta, x, labels = model.init_theta(0), normal(9, 2, 7, 8), np.arange(9) % 3
    one, other = (model.evaluate(theta, Batch(x[part], labels[part])) for part in (slice(4), slice(4, None)))
    whole = model.evaluate(theta, Batch(x, labels))
    assert whole.n == one.n + other.n == 9
    assert whole.loss == pytest.approx((4 * one.loss + 5 * other.loss) / 9)
    assert whole.performance == pytest.approx((4 * one.performance + 5 * other.performance) / 9)


def test_images_are_rows_for_an_mlp(backend):
    model = mlp([12, 5, 3], backend)
    theta, x, labels = model.init_theta(0), normal(4, 3, 2, 2), np.array([0, 1, 2, 0])
    image, row = (model.loss_and_grad(theta, Batch(a, labels)) for a in (x, x.reshape(4, 12)))
    assert image[0] == row[0]
    np.testing.assert_array_equal(image[1], row[1])


def test_an_example_is_classified_alike_alone_and_in_a_batch(backend):
    model = strange(backend)
    theta, x = model.init_theta(0), normal(5, 2, 7, 8)
    together, _ = model.forward(theta, x)
    for i in range(5):
        np.testing.assert_allclose(model.forward(theta, x[i : i + 1])[0][0], together[i], rtol=0, atol=1e-13)


def test_backends_agree():
    pytest.importorskip("numba", reason="numba is not installed")
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
        models = [lenet(MNIST, 10, get_backend(name, dtype)) for name in ("numpy", "numba")]
        batch = Batch(images(8, MNIST).astype(dtype), np.arange(8))
        (loss, gradient), (other_loss, other) = (m.loss_and_grad(m.init_theta(0), batch) for m in models)
        assert float(loss) == pytest.approx(float(other_loss), rel=tolerance)
        assert loss.dtype == gradient.dtype == other.dtype == dtype
        np.testing.assert_allclose(gradient, other, rtol=0, atol=tolerance * np.abs(other).max())


# ---- SqueezeNet ----


def test_squeezenet_has_the_published_sizes():
    shape, pooled = (3, 224, 224), []
    for layer in squeezenet(backend=PLAIN).layers:
        shape = layer.out_shape(shape)
        pooled += [shape] if isinstance(layer, MaxPool2D) else []
    assert pooled == [(96, 54, 54), (256, 27, 27), (512, 13, 13)]  # 27 by the ceiling rule, from 54
    for side in range(29, 41):
        assert squeezenet((3, side, side), 10, PLAIN).D == 740_554


@pytest.mark.parametrize("side", range(3, 12))
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (2, 3), (1, 3), (3, 1), (2, 2)])
def test_windows_by_the_ceiling_rule(side, size, stride):
    """All that begin inside, up to the first that reaches the end."""
    starts = range(0, side, stride)
    reached = next((i for i, at in enumerate(starts) if at + size >= side), len(starts) - 1)
    layer = MaxPool2D(size, stride, ceil=True)
    assert layer.out_shape((1, side, side)) == (1, reached + 1, reached + 1)


def test_only_a_pool_with_ceil_says_so_in_its_spec():
    assert spec_of(MaxPool2D(3, 2)) == {"kind": "MaxPool2D", "name": "", "size": 3, "stride": 2}
    assert spec_of(MaxPool2D(3, 2, ceil=True)) == spec_of(MaxPool2D(3, 2)) | {"ceil": True}


# ---- spec ----


@pytest.mark.parametrize(
    "model",
    [
        mlp([8, 5, 3], PLAIN),
        lenet((1, 16, 20), 7, PLAIN),
        lenet(CIFAR, 10, PLAIN, conv_relu=False),
        untied_lenet((2, 16, 18), 3, PLAIN),
        fctied_lenet((2, 16, 16), 3, PLAIN),
        fc_lenet((2, 16, 18), 3, PLAIN),
        squeezenet((2, 32, 29), 3, PLAIN),
        Model(squeezenet((2, 32, 29), 3, PLAIN).layers, (2, 32, 29), PLAIN),
        Model(untied_lenet((2, 16, 18), 3, PLAIN).layers, (2, 16, 18), PLAIN),
        Model(fc_lenet((2, 16, 18), 3, PLAIN).layers, (2, 16, 18), PLAIN),
        strange(),
    ],
)
def test_a_spec_builds_the_same_network_again(model):
    again = model_from_spec(json.loads(json.dumps(model.spec())), PLAIN)
    assert again.spec() == model.spec()
    assert again.layers == model.layers
    assert again.layout == model.layout
    assert (again.in_shape, again.classes) == (model.in_shape, model.classes)
    same_bits(again.init_theta(1), model.init_theta(1))
    travelled = pickle.loads(pickle.dumps(model))
    assert travelled.layers == model.layers
    assert travelled.backend == model.backend


def test_relatives_of_lenet_have_its_sizes():
    """They differ in how places are connected; what is pooled and classified has LeNet's sizes, but for 'same'."""
    shapes = {}
    for make in (lenet, untied_lenet, fc_lenet, fctied_lenet):
        shape = MNIST
        for layer in make(MNIST, 10, PLAIN).layers:
            shape = layer.out_shape(shape)
            if isinstance(layer, MaxPool2D):
                shapes.setdefault(make, []).append(shape)
    assert shapes[lenet] == shapes[untied_lenet] == shapes[fc_lenet] == [(6, 12, 12), (16, 4, 4)]
    assert shapes[fctied_lenet] == [(6, 14, 14), (16, 7, 7)]


def test_specs_are_short():
    assert fc_lenet(MNIST, 10, PLAIN).spec() == {
        "architecture": "fc-lenet", "in_shape": [1, 28, 28], "classes": 10,
    }  # fmt: skip
    assert mlp([784, 200, 10], PLAIN).spec() == {"architecture": "mlp", "sizes": [784, 200, 10]}
    assert lenet(MNIST, 10, PLAIN, conv_relu=False).spec() == {
        "architecture": "lenet", "in_shape": [1, 28, 28], "classes": 10, "conv_relu": False,
    }  # fmt: skip
    assert strange().spec()["layers"][0] == {
        "kind": "Conv2D", "name": "conv2d1", "c_in": 2, "c_out": 3, "k": 3, "stride": 2, "padding": 1,
    }  # fmt: skip


def test_spec_of_numpy_integers_is_json():
    assert json.dumps(mlp(np.array([4, 3]), PLAIN).spec()) == json.dumps(mlp([4, 3], PLAIN).spec())
    sizes = np.array([1, 28, 28, 10])
    assert json.dumps(lenet(sizes[:3], sizes[3], PLAIN).spec()) == json.dumps(lenet(MNIST, 10, PLAIN).spec())


def test_what_spec_gives_away_is_a_copy():
    model = mlp([4, 3], PLAIN)
    model.spec()["sizes"].append(5)
    assert model.spec() == {"architecture": "mlp", "sizes": [4, 3]}


def test_without_conv_relu_convolutions_are_linear(backend):
    """As released by the authors: max-pooling is then the only non-linearity before the dense part."""
    with_relu, without = (
        [type(a).__name__ for a in lenet(MNIST, 10, backend, conv_relu=c).layers] for c in (True, False)
    )
    assert with_relu.count("ReLU") == 4
    assert without == ["Conv2D", "MaxPool2D", "Conv2D", "MaxPool2D", "Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]  # fmt: skip


def test_a_model_is_a_landscape():
    assert isinstance(mlp([2, 2], PLAIN), Landscape)
