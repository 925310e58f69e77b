"""PyTorch's autograd as a second opinion, to 1e-10 in float64. PyTorch is no dependency; without it these tests skip."""

import math

import numpy as np
import pytest
from helpers import frozen, normal, project

from npintdim.engine.architectures import lenet, mlp
from npintdim.engine.landscape import Batch
from npintdim.engine.layers import (
    GELU,
    AveragePool2D,
    Conv2D,
    GlobalAveragePool,
    LayerNorm,
    MaxPool2D,
    Sigmoid,
    Tanh,
)
from npintdim.engine.losses import CrossEntropy
from npintdim.engine.optimizers import SGD, Adam
from npintdim.objective import L2, SubspaceObjective

torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a second opinion")
F = torch.nn.functional
torch.set_num_threads(1)


def tensor(array, grad=False):
    return torch.tensor(array, dtype=None if array.dtype.kind == "i" else torch.float64, requires_grad=grad)


def close(ours, theirs, tolerance=1e-10):
    theirs = theirs.detach().numpy()
    assert np.shape(ours) == theirs.shape
    size = np.abs(theirs).max()
    assert size > 1e-6
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * size)


def agree(layer, backend, x, params, theirs):
    """y and the gradients of x and of all parameters, for a dy that is not ones."""
    y, cache = layer.forward(backend, params, x)
    dy = normal(*y.shape, seed=3)
    dx, grads = layer.backward(backend, params, cache, dy)
    tensors = [tensor(a, True) for a in (x, *params.values())]
    ty = theirs(*tensors)
    ty.backward(tensor(dy))
    close(y, ty)
    for ours, given in zip((dx, *(grads[name] for name in params)), tensors, strict=True):
        close(ours, given.grad)


# ---- layers ----

CONV = [  # n, c_in, h, w, c_out, k, stride, padding
    (1, 1, 1, 1, 1, 1, 1, 0), (2, 1, 5, 7, 3, 3, 1, 0), (3, 3, 8, 8, 4, 3, 1, 1), (2, 2, 9, 6, 5, 2, 2, 0),
    (2, 3, 11, 10, 2, 4, 3, 2), (1, 2, 6, 6, 7, 6, 1, 0), (2, 2, 7, 7, 3, 3, 2, 3), (1, 2, 5, 5, 2, 1, 2, 1),
    (5, 1, 28, 28, 6, 5, 1, 0), (1, 3, 40, 33, 9, 5, 1, 2),
]  # fmt: skip


@pytest.mark.parametrize("case", CONV)
def test_conv2d(backend, case):
    n, c_in, h, w, c_out, k, stride, padding = case
    layer = Conv2D(c_in, c_out, k, stride, padding)
    x, W, b = normal(n, c_in, h, w), normal(c_out, c_in, k, k, seed=1), normal(c_out, seed=2)
    agree(layer, backend, x, {"W": W, "b": b}, lambda x, W, b: F.conv2d(x, W, b, stride, padding))


@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [((1, 1, 2, 2), 2, 0), ((2, 3, 8, 8), 2, 0), ((2, 2, 7, 9), 3, 2), ((1, 2, 9, 7), 2, 3), ((3, 1, 6, 5), 1, 0),
     ((2, 2, 5, 5), 3, 1), ((2, 2, 6, 8), 3, 2)],
)  # fmt: skip
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("ceil", [False, True])
def test_max_pool2d(backend, shape, size, stride, ties, ceil):
    x = np.random.default_rng(0).standard_normal(shape)
    x = frozen(np.round(x) if ties else x)
    layer = MaxPool2D(size, stride, ceil=ceil)
    y, cache = layer.forward(backend, {}, x)
    dy = normal(*y.shape, seed=3)
    dx, _ = layer.backward(backend, {}, cache, dy)
    tx = tensor(x, True)
    ty = F.max_pool2d(tx, size, stride or size, ceil_mode=ceil)
    ty.backward(tensor(dy))
    np.testing.assert_array_equal(y, ty.detach().numpy())
    close(dx, tx.grad)  # on a tie both give all to the first place


SMOOTH = {
    "tanh": (Tanh(), torch.tanh), "sigmoid": (Sigmoid(), torch.sigmoid), "gelu": (GELU(), F.gelu),
    "gelu, tanh": (GELU("tanh"), lambda x: F.gelu(x, approximate="tanh")),
    "global average": (GlobalAveragePool(), lambda x: x.mean((2, 3))),
    "average": (AveragePool2D(2), lambda x: F.avg_pool2d(x, 2)),
    "average, overlapping": (AveragePool2D(3, 2), lambda x: F.avg_pool2d(x, 3, 2)),
    "average, gaps": (AveragePool2D(2, 3), lambda x: F.avg_pool2d(x, 2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_layer_without_parameters(backend, kind, scale):
    layer, theirs = SMOOTH[kind]
    agree(layer, backend, frozen(scale * normal(2, 3, 7, 8)), {}, theirs)


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4, 5)])
def test_layer_norm(backend, shape):
    layer = LayerNorm(5, eps=1e-3)
    x, gamma, beta = normal(*shape), normal(5, seed=1), normal(5, seed=2)
    agree(
        layer, backend, x, {"gamma": gamma, "beta": beta}, lambda *tensors: F.layer_norm(tensors[0], (5,), *tensors[1:], 1e-3)
    )  # fmt: skip


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_loss(scale):
    z, labels = frozen(scale * normal(7, 10)), frozen(np.random.default_rng(1).integers(0, 10, 7))
    loss, dz = CrossEntropy().value_and_grad(np, z, labels)
    tz = tensor(z, True)
    theirs = F.cross_entropy(tz, tensor(labels))
    theirs.backward()
    close(loss, theirs)
    close(dz, tz.grad)


# ---- networks ----


def forward_mlp(p, x):
    x = x.flatten(1)
    depth = len(p) // 2
    for i in range(1, depth + 1):
        x = F.linear(x, p[f"fc{i}.W"].T, p[f"fc{i}.b"])
        x = F.relu(x) if i < depth else x
    return x


def forward_lenet(p, x, conv_relu):
    for name in ("conv1", "conv2"):
        x = F.conv2d(x, p[f"{name}.W"], p[f"{name}.b"])
        x = F.max_pool2d(F.relu(x) if conv_relu else x, 2)
    return forward_mlp({name: value for name, value in p.items() if name.startswith("fc")}, x)


def named(layout, theta):
    """Names to pieces of a flat tensor, through which gradients flow."""
    sizes = [math.prod(shape) for _, shape in layout.entries]
    pieces = torch.split(theta, sizes)
    return {name: piece.reshape(shape) for (name, shape), piece in zip(layout.entries, pieces, strict=True)}


NETS = {
    "mlp": (lambda b: mlp([20, 9, 8, 4], b), (20,), forward_mlp),
    "lenet, MNIST": (lambda b: lenet((1, 28, 28), 10, b), (1, 28, 28), lambda p, x: forward_lenet(p, x, True)),
    "lenet, CIFAR": (lambda b: lenet((3, 32, 32), 10, b), (3, 32, 32), lambda p, x: forward_lenet(p, x, True)),
    "lenet, MNIST, no conv ReLU": (
        lambda b: lenet((1, 28, 28), 10, b, conv_relu=False), (1, 28, 28), lambda p, x: forward_lenet(p, x, False),
    ),
    "lenet, CIFAR, no conv ReLU": (
        lambda b: lenet((3, 32, 32), 10, b, conv_relu=False), (3, 32, 32), lambda p, x: forward_lenet(p, x, False),
    ),
}  # fmt: skip


def problem(name, backend, n=3):
    make, shape, forward = NETS[name]
    model = make(backend)
    theta = frozen(model.init_theta(1) + 0.02 * np.random.default_rng(0).standard_normal(model.D))
    batch = Batch(normal(n, *shape), frozen(np.random.default_rng(1).integers(0, model.classes, n)))
    return model, theta, batch, forward


def loss_and_grad(model, forward, theta, batch):
    theta = theta if torch.is_tensor(theta) else tensor(theta, True)
    logits = forward(named(model.layout, theta), tensor(batch.x))
    return logits, F.cross_entropy(logits, tensor(batch.labels))


@pytest.mark.parametrize("name", NETS)
def test_model(backend, name):
    model, theta, batch, forward = problem(name, backend)
    loss, gradient = model.loss_and_grad(theta, batch)
    t = tensor(theta, True)
    logits, theirs = loss_and_grad(model, forward, t, batch)
    theirs.backward()
    close(model.forward(theta, batch.x)[0], logits)
    close(loss, theirs)
    close(gradient, t.grad)
    for ours, full in zip(
        model.layout.views(gradient).values(), named(model.layout, t.grad).values(), strict=True
    ):
        close(ours, full)  # every parameter by its own size


def test_l2_is_weight_decay_of_the_kernels(backend):
    model, theta, batch, forward = problem("mlp", backend)
    loss, gradient = L2(model, model.layout, 0.01).loss_and_grad(theta, batch)
    t = tensor(theta, True)
    _, theirs = loss_and_grad(model, forward, t, batch)
    theirs = theirs + 0.01 * sum(
        (p**2).sum() for key, p in named(model.layout, t).items() if key.endswith("W")
    )
    theirs.backward()
    close(loss, theirs)
    close(gradient, t.grad)


def test_subspace(draw):
    model, theta_0, batch, forward = problem("mlp", draw(1, 1).backend)
    P, theta_d = draw(model.D, 15), normal(15, seed=5)
    loss, gradient = SubspaceObjective(model, theta_0, P).loss_and_grad(theta_d, batch)
    t = tensor(theta_d, True)
    _, theirs = loss_and_grad(model, forward, tensor(theta_0) + tensor(P.to_dense()) @ t, batch)  # Eq. (2)
    theirs.backward()
    close(loss, theirs)
    close(gradient, t.grad)


@pytest.mark.parametrize("kind", ["sparse", "stacked"])
def test_subspace_of_lenet(backend, backend_name, kind):
    model, theta_0, batch, forward = problem("lenet, MNIST", backend)
    P, theta_d = project(kind, model.D, 12, backend=backend_name), normal(12, seed=5)
    loss, gradient = SubspaceObjective(model, theta_0, P).loss_and_grad(theta_d, batch)
    t = tensor(theta_d, True)
    _, theirs = loss_and_grad(model, forward, tensor(theta_0) + tensor(P.to_dense()) @ t, batch)
    theirs.backward()
    close(loss, theirs)
    close(gradient, t.grad)


# ---- optimizers ----


def gradients(n, steps=10):
    return [normal(n, seed=seed) * 10.0 ** (seed - 5) for seed in range(steps)]


def theirs_after(make, theta, grads):
    parameter = torch.nn.Parameter(tensor(theta))
    optimizer = make([parameter])
    for grad in grads:
        parameter.grad = tensor(grad)
        optimizer.step()
        yield parameter.detach().numpy().copy()


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_is_torchs(momentum):
    theta, grads = normal(20), gradients(20)
    ours = SGD(lr=0.1, momentum=momentum)
    state = ours.start(theta)
    expected = theirs_after(lambda p: torch.optim.SGD(p, lr=0.1, momentum=momentum), theta, grads)
    for t, (grad, theirs) in enumerate(zip(grads, expected, strict=True), 1):
        theta, state = ours.update(theta, grad, state, t)
        np.testing.assert_allclose(theta, theirs, rtol=1e-12)


def adam_path(optimizer, theta, grads):
    state = optimizer.start(theta)
    for t, grad in enumerate(grads, 1):
        theta, state = optimizer.update(theta, grad, state, t)
        yield theta


@pytest.mark.parametrize("beta2", [0.99, 0.999])
def test_adam_is_torchs_but_for_the_place_of_epsilon(beta2):
    """TensorFlow: lr_t m / (sqrt(v) + ε). PyTorch: lr m̂ / (sqrt(v̂) + ε), v̂ = v / (1 − β2^t).

    So TensorFlow's ε is PyTorch's times sqrt(1 − β2^t): with a vanishing ε both agree, and with an ε that is so
    scaled the first steps are the same.
    """
    theta, grads = normal(20), gradients(20)

    def torchs(eps):
        return list(
            theirs_after(lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, beta2), eps=eps), theta, grads)
        )

    tiny = adam_path(Adam(lr=0.01, beta2=beta2, eps=1e-300), theta, grads)
    for ours, theirs in zip(tiny, torchs(1e-300), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)

    eps = 1e-3
    path, expected = list(adam_path(Adam(lr=0.01, beta2=beta2, eps=eps), theta, grads)), torchs(eps)
    assert np.abs(path[0] - expected[0]).max() > 1e-5  # the gradients of step 1 are of the size of ε
    scaled = list(adam_path(Adam(lr=0.01, beta2=beta2, eps=eps * math.sqrt(1 - beta2)), theta, grads))
    np.testing.assert_allclose(scaled[0], expected[0], rtol=1e-12)
