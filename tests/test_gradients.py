"""Every gradient in the package against central differences in float64, relative, with a random upstream dy."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers import frozen, normal, project

from npintdim.engine.architectures import fc_lenet, fctied_lenet, lenet, mlp, squeezenet, untied_lenet
from npintdim.engine.landscape import Batch, Evaluation
from npintdim.engine.layers import (
    GELU,
    AveragePool2D,
    ChannelNorm,
    Conv2D,
    Dropout,
    Fire,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    Linear,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Standardise,
    Tanh,
    Unflatten,
)
from npintdim.engine.losses import CrossEntropy
from npintdim.engine.model import Model
from npintdim.objective import L2, SubspaceObjective
from npintdim.rng import Purpose, Stream
from npintdim.testing.checks import CheckError
from npintdim.testing.gradient import gradient_check
from npintdim.toy.problem import ToyProblem

TOLERANCE = 1e-7


def differences(f, x, h=1e-6):
    """(f(x + h e_i) − f(x − h e_i)) / 2h for every entry i of x."""
    slopes = np.empty(x.size)
    for i in range(x.size):
        up, down = x.copy(), x.copy()
        up.flat[i] += h
        down.flat[i] -= h
        slopes[i] = (f(frozen(up)) - f(frozen(down))) / (2 * h)
    return slopes.reshape(x.shape)


def assert_close(gradient, slopes, tolerance=TOLERANCE):
    """‖gradient − slopes‖ relative to ‖slopes‖, which must not be zero."""
    size = np.linalg.norm(slopes)
    assert size > 1e-3
    assert gradient.shape == slopes.shape
    assert np.linalg.norm(gradient - slopes) <= tolerance * size


# ---- layers ----

LAYERS = [
    (Linear(1, 1), (2, 1)),
    (Linear(5, 3), (4, 5)),
    (Conv2D(1, 1, 1), (1, 1, 1, 1)),
    (Conv2D(1, 2, 3), (2, 1, 5, 4)),
    (Conv2D(3, 2, 2, stride=2), (2, 3, 6, 5)),
    (Conv2D(2, 3, 3, stride=1, padding=1), (2, 2, 4, 5)),
    (Conv2D(2, 2, 4, stride=3, padding=2), (1, 2, 7, 6)),
    (Conv2D(1, 2, 1, stride=2, padding=1), (2, 1, 3, 4)),
    (Conv2D(2, 1, 5, padding=3), (1, 2, 2, 3)),
    (Conv2D(3, 2, 7, stride=2), (2, 3, 12, 9)),  # the last column belongs to no window
    (Conv2D(2, 3, 7, padding=3), (2, 2, 4, 4)),  # 'same', and every place sees every pixel
    (LocallyConnected2D(1, 1, 1, 1, 1), (1, 1, 1, 1)),
    (LocallyConnected2D(2, 5, 4, 3, 3), (3, 2, 5, 4)),
    (LocallyConnected2D(2, 6, 7, 2, 3, stride=2), (2, 2, 6, 7)),  # the last row belongs to no window
    (MaxPool2D(2), (2, 2, 4, 6)),
    (MaxPool2D(2), (1, 1, 5, 7)),  # the last row and column belong to no window
    (MaxPool2D(3, stride=2), (2, 1, 7, 5)),  # windows overlap
    (MaxPool2D(3, stride=1), (1, 2, 4, 4)),
    (MaxPool2D(2, stride=3), (1, 2, 8, 5)),  # windows with gaps
    (MaxPool2D(1), (1, 1, 2, 3)),
    (MaxPool2D(3, 2, ceil=True), (2, 2, 6, 5)),  # the last windows of each column hang over
    (MaxPool2D(3, 2, ceil=True), (1, 2, 7, 8)),
    (MaxPool2D(2, 3, ceil=True), (1, 2, 7, 6)),  # one begins in the last row; the next would begin outside
    (GlobalAveragePool(), (2, 3, 4, 5)),
    (GlobalAveragePool(), (1, 2, 1, 1)),
    (Fire(3, 2, 2, 3), (2, 3, 4, 5)),
    (Fire(1, 5, 4, 2), (2, 1, 3, 4)),
    (Fire(4, 3, 6, 2), (2, 4, 1, 5)),
    (Fire(4, 6, 2, 3), (3, 4, 1, 1)),
    (ReLU(), (3, 4)),
    (ReLU(), (2, 2, 3, 3)),
    (Tanh(), (3, 4)),
    (Sigmoid(), (2, 2, 3, 3)),
    (GELU(), (3, 4)),
    (GELU("tanh"), (2, 2, 3, 3)),
    (AveragePool2D(2), (2, 2, 5, 7)),  # the last row and column belong to no window
    (AveragePool2D(3, stride=2), (2, 1, 7, 5)),  # windows overlap
    (AveragePool2D(2, stride=3), (1, 2, 8, 5)),  # windows with gaps
    (Dropout(0.9), (3, 5)),  # in evaluation
    (LayerNorm(5), (3, 5)),
    (LayerNorm(3, eps=0.5), (2, 2, 4, 3)),
    (ChannelNorm(3), (2, 3, 4, 2)),
    (ChannelNorm(5, eps=0.5), (3, 5)),
    (Standardise((0.5, -1.0, 0.0), (2.0, 0.5, 1.0), 2.0), (4, 3)),  # some are cut
    (Flatten(), (2, 2, 3, 4)),
    (Unflatten(2, 3, 4), (2, 24)),
]
layers = pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda x: repr(x).replace("name='', ", ""))


def away_from_kinks(shape, seed=0):
    """Entries that differ from each other and from 0 by far more than h."""
    values = np.arange(1, np.prod(shape) + 1) * 0.05 * np.where(np.arange(np.prod(shape)) % 3, 1, -1)
    return frozen(np.random.default_rng(seed).permutation(values).reshape(shape))


def parameters(layer):
    return {key: normal(*shape, seed=5 + i) for i, (key, shape) in enumerate(layer.param_shapes().items())}


@layers
def test_layer(backend, layer, shape):
    x, params = away_from_kinks(shape), parameters(layer)
    y, cache = layer.forward(backend, params, x)
    assert y.shape == (len(x), *layer.out_shape(shape[1:]))
    dy = normal(*y.shape, seed=9)
    dx, dparams = layer.backward(backend, params, cache, dy)
    assert set(dparams) == set(params)

    def upstream(x, params):
        return float((layer.forward(backend, params, x)[0] * dy).sum())

    assert_close(dx, differences(lambda x: upstream(x, params), x))
    for key, value in params.items():
        assert_close(dparams[key], differences(lambda p, key=key: upstream(x, params | {key: p}), value))


@layers
def test_layer_without_dx_gives_the_same_other_gradients(backend, layer, shape):
    x, params = away_from_kinks(shape), parameters(layer)
    y, cache = layer.forward(backend, params, x)
    dy = normal(*y.shape, seed=9)
    _, expected = layer.backward(backend, params, cache, dy)
    dx, found = layer.backward(backend, params, cache, dy, need_dx=False)
    assert dx is None or not params
    for key in params:
        np.testing.assert_array_equal(found[key], expected[key])


def test_a_locally_connected_layer_with_equal_places_is_a_convolution(backend):
    """And its gradients at the places add up to the convolution's."""
    for stride in (1, 2):
        conv, local = Conv2D(3, 4, 3, stride), LocallyConnected2D(3, 7, 8, 4, 3, stride)
        x, params = normal(5, 3, 7, 8), parameters(conv)
        W = np.broadcast_to(params["W"], local.param_shapes()["W"])
        b = np.broadcast_to(params["b"][:, None, None], local.param_shapes()["b"])
        y, cache = conv.forward(backend, params, x)
        own, own_cache = local.forward(backend, {"W": frozen(W), "b": frozen(b)}, x)
        np.testing.assert_allclose(own, y, rtol=0, atol=1e-13)
        dy = normal(*y.shape, seed=9)
        dx, dparams = conv.backward(backend, params, cache, dy)
        own_dx, own_dparams = local.backward(backend, {"W": W, "b": b}, own_cache, dy)
        np.testing.assert_allclose(own_dx, dx, rtol=0, atol=1e-12)
        np.testing.assert_allclose(own_dparams["W"].sum(axis=(0, 1)), dparams["W"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(own_dparams["b"].sum(axis=(1, 2)), dparams["b"], rtol=0, atol=1e-12)


def test_on_a_tie_the_first_place_has_it_all(backend):
    x = frozen(np.zeros((1, 1, 4, 4)))
    dy = frozen(np.arange(1.0, 5).reshape(1, 1, 2, 2))
    layer = MaxPool2D(2)
    _, cache = layer.forward(backend, {}, x)
    dx, _ = layer.backward(backend, {}, cache, dy)
    expected = np.zeros((4, 4))
    expected[::2, ::2] = dy[0, 0]
    np.testing.assert_array_equal(dx[0, 0], expected)


def test_a_maximum_of_two_windows_has_both_gradients(backend):
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 7
    layer = MaxPool2D(2, stride=1)
    _, cache = layer.forward(backend, {}, frozen(x))
    dx, _ = layer.backward(backend, {}, cache, frozen(np.array([[[[1.0, 20], [300, 4000]]]])))
    np.testing.assert_array_equal(dx[0, 0], [[0, 0, 0], [0, 4321, 0], [0, 0, 0]])


def test_derivative_of_relu_at_zero_is_zero(backend):
    y, cache = ReLU().forward(backend, {}, frozen(np.array([[-0.0, 0.0, 1e-300, -1.0]])))
    assert not np.signbit(y[0, 2])
    dx, _ = ReLU().backward(backend, {}, cache, frozen(np.array([[5.0, 6.0, 7.0, 8.0]])))
    np.testing.assert_array_equal(dx, [[0, 0, 7, 0]])


def test_dropout_is_off_in_evaluation_and_has_its_gradient_at_a_fixed_step(backend):
    net = Model([Linear(6, 40), Dropout(0.3), Tanh(), Dropout(0.5), Linear(40, 3)], (6,), backend)
    without = Model([Linear(6, 40), Tanh(), Linear(40, 3)], (6,), backend)
    theta, x, labels = net.init_theta(0), normal(9, 6), np.arange(9) % 3
    batch = Batch(x, labels, step=4, seed=8)
    gradient_check(net, theta, batch)
    assert net.evaluate(theta, batch) == without.evaluate(theta, batch)
    losses = {
        float(net.loss_and_grad(theta, Batch(x, labels, step, seed))[0])
        for step in (4, 5)
        for seed in (8, 9)
        for _ in range(2)
    }
    assert len(losses) == 4  # one for each address, and none for a repetition


def test_the_mask_of_dropout_by_its_definition(backend):
    net = Model([Dropout(0.25), Dropout(0.75)], (50,), backend)
    _, (first, second) = net.forward(np.empty(0), np.ones((3, 50)), Batch(step=7, seed=5))
    words = Stream(5, Purpose.NOISE, 7).words
    np.testing.assert_array_equal(first, (words(150).reshape(3, 50) >= 2**30) / 0.75)
    np.testing.assert_array_equal(second, (words(150, 2**34).reshape(3, 50) >= 3 * 2**30) * 4)


# ---- loss ----


@pytest.mark.parametrize(("n", "classes"), [(1, 2), (5, 3), (4, 10), (3, 1)])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_loss(n, classes, scale):
    z = frozen(scale * np.random.default_rng(0).standard_normal((n, classes)))
    labels = frozen(np.random.default_rng(1).integers(0, classes, n))
    L, dz = CrossEntropy().value_and_grad(np, z, labels)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert float(L) == pytest.approx(-np.log(p[np.arange(n), labels]).mean(), abs=1e-12)
    np.testing.assert_allclose(dz.sum(axis=1), 0, atol=1e-15)
    if classes == 1:
        assert not dz.any()
    elif scale == 1.0:
        assert_close(
            dz, differences(lambda z: float(CrossEntropy().value_and_grad(np, z, labels)[0]), z, h=1e-5)
        )


def test_loss_of_enormous_logits_is_finite():
    z = frozen(np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4]]))
    L, dz = CrossEntropy().value_and_grad(np, z, np.array([1, 1]))
    assert float(L) == pytest.approx((2e4 + np.log(2)) / 2)
    assert np.isfinite(dz).all()


# ---- models ----


def pattern(model, theta, batch):
    """Which side of every kink of the network the examples are on."""
    model = Model(model.layers, model.in_shape, model.backend, fuse=False)
    _, caches = model.forward(theta, batch.x)
    sides = {
        ReLU: lambda cache: [cache > 0],
        MaxPool2D: lambda cache: [cache[0]],
        Fire: lambda cache: [cache[1] > 0, cache[2] > 0],
    }
    pairs = zip(model.layers, caches, strict=True)
    return [side for layer, cache in pairs if type(layer) in sides for side in sides[type(layer)](cache)]


def slope_against_gradient(landscape, theta, batch, same_pattern, directions=4, h=1e-6):
    """⟨∇L, v⟩ and the central difference along v, for v with the same active pattern at both points."""
    _, gradient = landscape.loss_and_grad(theta, batch)
    pairs = []
    for seed in range(10 * directions):
        v = normal(len(theta), seed=100 + seed)
        ends = frozen(theta + h * v), frozen(theta - h * v)
        if not same_pattern(*ends):
            continue
        up, down = (float(landscape.loss_and_grad(end, batch)[0]) for end in ends)
        pairs.append((float(gradient @ v), (up - down) / (2 * h)))
        if len(pairs) == directions:
            break
    assert len(pairs) == directions, "the active pattern changed in nearly every direction"
    slopes, found = np.array(pairs).T
    assert np.abs(slopes).min() > 1e-4
    np.testing.assert_allclose(found, slopes, rtol=1e-6, atol=0)


MODELS = {
    "mlp": (lambda b: mlp([6, 8, 7, 3], b), (6,)),
    "mlp without a hidden layer": (lambda b: mlp([6, 3], b), (6,)),
    "lenet, 1 channel": (lambda b: lenet((1, 16, 16), 5, b), (1, 16, 16)),
    "lenet, 3 channels": (lambda b: lenet((3, 16, 18), 4, b), (3, 16, 18)),
    "lenet, no conv ReLU": (lambda b: lenet((1, 16, 16), 5, b, conv_relu=False), (1, 16, 16)),
    "lenet, 3 channels, no conv ReLU": (lambda b: lenet((3, 20, 16), 4, b, conv_relu=False), (3, 20, 16)),
    "untied lenet": (lambda b: untied_lenet((2, 16, 18), 4, b), (2, 16, 18)),
    "fctied lenet": (lambda b: fctied_lenet((1, 16, 16), 4, b), (1, 16, 16)),
    "fc lenet": (lambda b: fc_lenet((2, 16, 18), 4, b), (2, 16, 18)),
    "squeezenet": (lambda b: squeezenet((3, 29, 30), 4, b), (3, 29, 30)),
    "a small squeezenet": (
        lambda b: Model(
            [Conv2D(2, 4, 7, stride=2), ReLU(), MaxPool2D(3, 2, ceil=True), Fire(4, 2, 3, 4), Fire(7, 3, 2, 3),
             MaxPool2D(3, 2, ceil=True), Conv2D(5, 3, 1), ReLU(), GlobalAveragePool()],
            (2, 21, 23), b,
        ),
        (2, 21, 23),
    ),
    "strange": (
        lambda b: Model(
            [ReLU(), Conv2D(2, 3, 3, stride=2, padding=1), MaxPool2D(2, stride=1), ReLU(), Flatten(),
             Linear(27, 4), ReLU(), Linear(4, 3)],
            (2, 7, 8), b,
        ),
        (2, 7, 8),
    ),
}  # fmt: skip


def problem(name, backend, n=5, moved=0.05):
    make, shape = MODELS[name]
    model = make(backend)
    theta = frozen(model.init_theta(3) + moved * np.random.default_rng(4).standard_normal(model.D))
    labels = frozen(np.random.default_rng(2).integers(0, model.classes, n))
    return model, theta, Batch(normal(n, *shape, seed=1), labels)


@pytest.mark.parametrize("name", MODELS)
def test_model(backend, name):
    large = name == "squeezenet"  # a quarter of a million kinks in five images: one, and closer
    model, theta, batch = problem(name, backend, 1, 0.005) if large else problem(name, backend)

    def same(up, down):
        pairs = zip(pattern(model, up, batch), pattern(model, down, batch), strict=True)
        return all(np.array_equal(a, b) for a, b in pairs)

    slope_against_gradient(model, theta, batch, same, h=1e-7 if large else 1e-6)


def test_model_entry_by_entry(backend):
    model, theta, batch = problem("mlp", backend)
    _, gradient = model.loss_and_grad(theta, batch)
    assert_close(gradient, differences(lambda t: float(model.loss_and_grad(t, batch)[0]), theta))


def test_a_models_gradient_is_fresh(backend):
    for name in ("mlp", "strange"):
        model, theta, batch = problem(name, backend)
        loss, gradient = model.loss_and_grad(theta, batch)
        kept = gradient.copy()
        gradient[:] = np.nan
        again, fresh = model.loss_and_grad(theta, batch)
        assert again == loss
        np.testing.assert_array_equal(fresh, kept)


def test_gradient_of_a_batch_is_the_mean_of_its_examples(backend):
    model, theta, batch = problem("mlp", backend)
    single = [
        model.loss_and_grad(theta, Batch(batch.x[i : i + 1], batch.labels[i : i + 1])) for i in range(5)
    ]
    loss, gradient = model.loss_and_grad(theta, batch)
    assert float(loss) == pytest.approx(np.mean([one for one, _ in single]))
    np.testing.assert_allclose(gradient, np.mean([one for _, one in single], axis=0), atol=1e-14)


# ---- L2, subspace, toy ----


def test_l2_is_on_kernels_of_the_full_theta(backend):
    model, theta, batch = problem("strange", backend)
    penalised = L2(model, model.layout, 0.3)
    loss, gradient = model.loss_and_grad(theta, batch)
    views = model.layout.views(theta)
    kernels = [views[name] for name in views if name.endswith(".W")]
    found, found_gradient = penalised.loss_and_grad(theta, batch)
    assert float(found) == pytest.approx(float(loss) + 0.3 * sum((W**2).sum() for W in kernels), rel=1e-13)
    extra = model.layout.views(found_gradient - gradient)
    for name, view in views.items():
        np.testing.assert_allclose(extra[name], 0.6 * view if name.endswith(".W") else 0 * view, atol=1e-14)
    assert_close(found_gradient, differences(lambda t: float(penalised.loss_and_grad(t, batch)[0]), theta))
    assert penalised.evaluate(theta, batch) == model.evaluate(theta, batch)
    nothing, no_gradient = L2(model, model.layout, 0.0).loss_and_grad(
        theta, batch
    )  # a weight of 0 is a weight
    assert float(nothing) == float(loss)
    np.testing.assert_array_equal(no_gradient, gradient)
    with pytest.raises(ValueError, match="weight is inf: a number ≥ 0 is needed"):
        L2(model, model.layout, np.inf)


def test_subspace(draw):
    backend = draw(1, 1).backend
    for name in ("mlp", "strange"):
        model, theta_0, batch = problem(name, backend)
        P = draw(model.D, 12)
        objective = SubspaceObjective(L2(model, model.layout, 1e-2), theta_0, P)
        theta_d = normal(12, seed=8)
        _, gradient = objective.loss_and_grad(theta_d, batch)
        dense = P.to_dense()
        _, grad_theta = objective.landscape.loss_and_grad(frozen(theta_0 + dense @ theta_d), batch)
        np.testing.assert_allclose(gradient, dense.T @ grad_theta, rtol=1e-11, atol=1e-14)

        def same(up, down, model=model, batch=batch, objective=objective):
            pairs = zip(*(pattern(model, objective.theta(end), batch) for end in (up, down)), strict=True)
            return all(np.array_equal(a, b) for a, b in pairs)

        slope_against_gradient(objective, theta_d, batch, same)


@pytest.mark.parametrize("name", ["lenet, 1 channel", "lenet, 3 channels, no conv ReLU"])
@pytest.mark.parametrize("kind", ["gaussian", "sparse", "stacked", "single"])
def test_subspace_of_lenet(backend_name, backend, kind, name):
    model, theta_0, batch = problem(name, backend)
    P = project(kind, model.D, 30, backend=backend_name)
    theta_d = normal(30, seed=8)
    objective = SubspaceObjective(model, theta_0, P)
    _, gradient = objective.loss_and_grad(theta_d, batch)
    dense = P.to_dense()
    _, grad_theta = model.loss_and_grad(frozen(theta_0 + dense @ theta_d), batch)
    np.testing.assert_allclose(gradient, dense.T @ grad_theta, rtol=1e-10, atol=1e-14)
    gradient_check(objective, theta_d, batch)


@pytest.mark.parametrize(("D", "s"), [(1000, 10), (12, 3), (7, 7), (5, 1)])
def test_toy(D, s):
    toy, theta = ToyProblem(D, s), normal(D)
    loss, gradient = toy.loss_and_grad(theta, Batch())
    groups = theta.reshape(s, -1)
    assert float(loss) == pytest.approx(sum((g.sum() - k) ** 2 for k, g in enumerate(groups, 1)), rel=1e-12)
    assert_close(gradient, differences(lambda t: float(toy.loss_and_grad(t, Batch())[0]), theta, h=1e-3))


def test_toy_in_a_subspace(draw):
    toy, P = ToyProblem(60, 6), draw(60, 4)
    objective = SubspaceObjective(toy, normal(60), P)
    theta_d = normal(4, seed=1)
    _, gradient = objective.loss_and_grad(theta_d, Batch())
    assert_close(
        gradient, differences(lambda t: float(objective.loss_and_grad(t, Batch())[0]), theta_d, h=1e-3), 1e-9
    )


# ---- the test of the test ----


class Flipped(Linear):
    """Linear with one sign wrong, as it is written by mistake."""

    def backward(self, backend, params, cache, dy, need_dx=True):
        dx, grads = super().backward(backend, params, cache, dy, need_dx)
        if self.name == "dx":
            dx = -dx
        elif self.name == "entry":
            grads["W"][0, 0] *= -1
        else:
            grads[self.name] = -grads[self.name]
        return dx, grads


@pytest.mark.parametrize("mistake", ["W", "b", "dx", "entry"])
def test_a_flipped_sign_fails(backend, mistake):
    wrong = Model([Linear(6, 5), ReLU(), Flipped(5, 4, name=mistake), ReLU(), Linear(4, 3)], (6,), backend)
    theta = frozen(wrong.init_theta(0) + 0.1)
    batch = Batch(normal(5, 6), np.array([0, 1, 2, 0, 1]))
    with pytest.raises(CheckError, match=r"⟨∇L\(θ\), v⟩ = .*against .*relative error .*tolerance 1e-06"):
        gradient_check(wrong, theta, batch)
    with pytest.raises(AssertionError):
        slope_against_gradient(wrong, theta, batch, lambda up, down: True)


@dataclass
class Parabola:
    """L = Σ θ²/2 with a gradient that is `factor` times too large."""

    factor: float
    dim: int = 3

    def loss_and_grad(self, theta, batch):
        return (theta @ theta) / 2 + batch.step, self.factor * theta

    def evaluate(self, theta, data):
        return Evaluation(0.0, 0.0, 1)


def test_gradient_check_tells_both_numbers():
    theta = frozen(np.array([1.0, 2.0, 3.0]))
    assert len(gradient_check(Parabola(1.0), theta, directions=5)) == 5
    for factor in (1 + 3e-6, 1 - 3e-6, 0.0, -1.0):
        with pytest.raises(CheckError):
            gradient_check(Parabola(factor), theta)
    with pytest.raises(CheckError) as error:
        gradient_check(Parabola(2.0), theta)
    numbers = [float(word) for word in str(error.value).split(": ")[1].split(",")[0].split(" against ")]
    assert numbers[0] == pytest.approx(2 * numbers[1], rel=1e-6)


def test_gradient_check_keeps_the_step_of_a_batch_without_data():
    class Noisy(Parabola):
        def loss_and_grad(self, theta, batch):
            assert batch.step == 7
            return super().loss_and_grad(theta, replace(batch, step=0))

    gradient_check(Noisy(1.0), frozen(np.ones(3)), Batch(step=7))


def test_gradient_check_needs_float64():
    with pytest.raises(TypeError, match="theta has dtype float32: a gradient check needs float64"):
        gradient_check(Parabola(1.0), np.ones(3, np.float32))
