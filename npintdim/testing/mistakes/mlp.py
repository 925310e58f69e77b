"""The gradient of a linear layer, and loss and gradient of a ReLU network over flat θ."""

from itertools import pairwise
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Problem, Steps, Table, fitted, numbers, wrong
from npintdim.typing import Floats

# ---- y = x W + b: fn(x, p) with p.W (n_in, n_out), p.b, p.dy gives (dx, dW, db) ----

LINEAR: Steps = {
    "dy": lambda dy: dy,
    "dx": lambda dy, W: dy @ W.T,
    "dW": lambda x, dy: x.T @ dy,
    "db": lambda dy: dy.sum(axis=0),
}

OF_LINEAR = (
    wrong("dW transposed", "dW is (n_out, n_in), as of PyTorch's Linear, whose weight is transposed; W is (n_in, n_out) here: give "
          "its transpose", dW=lambda x, dy: dy.T @ x),
    wrong("W for Wᵀ", "dx is dy W; dy Wᵀ is needed", dx=lambda dy, W: dy @ W),
    wrong("mean of dy", "gradients are averaged over the examples; dy holds the loss's 1/n already, so sum",
          dW=lambda x, dy: x.T @ dy / len(dy), db=lambda dy: dy.mean(axis=0)),
    wrong("db averaged", "db is averaged over the examples; sum", db=lambda dy: dy.mean(axis=0)),
    wrong("db not summed", "db is dy itself, one row an example; sum over the examples", db=lambda dy: dy),
    wrong("db keeps an axis", "db has shape (1, n_out); (n_out,) is needed", db=lambda dy: dy.sum(axis=0, keepdims=True)),
    wrong("db summed over features", "db is summed over axis 1; the examples are axis 0", db=lambda dy: dy.sum(axis=1)),
    wrong("dW averaged", "dW is averaged over the examples; dy holds the loss's 1/n already, so sum",
          dW=lambda x, dy: x.T @ dy / len(dy)),
    wrong("1/n twice", "all gradients have a factor 1/n too many; dy holds the loss's 1/n already", dy=lambda dy: dy / len(dy)),
    wrong("n too large", "all gradients are n times too large; dy holds the loss's 1/n already", dy=lambda dy: dy * len(dy)),
    wrong("sign", "all gradients have the wrong sign", dy=lambda dy: -dy),
)  # fmt: skip


def backward(s: Any, x: Floats, p: Any) -> Any:
    """dx, dW, db."""
    dy = s.dy(p.dy)
    return s.dx(dy, p.W), s.dW(x, dy), s.db(dy)


def of_linear(dtype: np.dtype[Any], n: int, n_in: int, n_out: int) -> Problem:
    """n examples."""
    W, b, dy = (
        numbers(dtype, *shape, lane=i) for i, shape in enumerate([(n_in, n_out), (n_out,), (n, n_out)], 1)
    )
    return Problem(f"x {n}×{n_in}, W {n_in}×{n_out}", numbers(dtype, n, n_in), {"W": W, "b": b, "dy": dy})


# ---- L(θ): fn(theta, p) with p.x, p.labels, p.sizes gives (L, ∂L/∂θ) ----


def loss_and_grad(s: Any, theta: Floats, p: Any) -> Any:
    """Forward, loss, and the chain rule backwards."""
    layers = s.split(theta, p.sizes)
    xs, zs = [s.x(p.x)], []
    for k, (W, b) in enumerate(layers):
        zs.append(s.affine(xs[-1], W, s.bias(b, k, len(layers))))
        xs.append(s.relu(zs[-1]))
    loss, dlogits = s.loss(s.logits(zs[-1]), p.labels)
    dz, grads = s.dlogits(zs[-1], dlogits), []
    for k in reversed(range(len(layers))):
        grads.append((xs[k].T @ dz, s.db(dz)))
        if k:
            dz = (dz @ layers[k][0].T) * s.drelu(zs[k - 1])
    return loss, s.join(grads[::-1])


def split(theta: Floats, sizes: list[int], biases_first: bool = False) -> Any:
    """W (n_in, n_out) and b of every layer; θ has W, then b."""
    layers, at = [], 0
    for n_in, n_out in pairwise(sizes):
        W, b = (at + n_out, at) if biases_first else (at, at + n_in * n_out)
        layers.append((theta[W : W + n_in * n_out].reshape(n_in, n_out), theta[b : b + n_out]))
        at += (n_in + 1) * n_out
    return layers


def join(grads: Any) -> Floats:
    """The inverse of split."""
    return np.concatenate([part.reshape(-1) for layer in grads for part in layer])


def join_transposed(grads: Any) -> Floats:
    """dW as (n_out, n_in)."""
    return join([(dW.T, db) for dW, db in grads])


def softmax(z: Floats) -> Any:
    """exp z / Σ exp z, of every row."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def through_softmax(z: Floats, dy: Floats) -> Any:
    """∂L/∂z where y = softmax(z)."""
    y = softmax(z)
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


def cross_entropy(z: Floats, labels: Any) -> Any:
    """L = −(1/n) Σ log softmax(z)[label] and ∂L/∂z."""
    shifted = z - z.max(axis=1, keepdims=True)
    L = (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(z)), labels]).mean()
    return L, (softmax(z) - hits(z, labels)) / z.dtype.type(len(z))


def hits(z: Floats, labels: Any) -> Any:
    """1 at every example's label, else 0."""
    return (labels[:, None] == np.arange(z.shape[1])).astype(z.dtype)


def without_log(z: Floats, labels: Any) -> Any:
    """L = −(1/n) Σ softmax(z)[label] and ∂L/∂z."""
    hit = hits(z, labels) / z.dtype.type(len(z))
    return -(softmax(z) * hit).sum(), through_softmax(z, -hit)


def times(loss: Any, gradient: Any = None) -> Any:
    """Cross-entropy with L, and ∂L/∂z, multiplied by functions of n and the number of classes."""

    def step(z: Floats, labels: Any) -> Any:
        L, dz = cross_entropy(z, labels)
        return L * loss(*z.shape), dz * z.dtype.type((gradient or loss)(*z.shape))

    return step


def smoothed(c: float, z: Floats, labels: Any) -> Any:
    """Cross-entropy with the targets (1 − c) hit + c/classes."""
    n, classes = z.shape
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    target = (1 - c) * hits(z, labels) + c / classes
    return -(target * log_p).sum() / n, (softmax(z) - target) / n


def squared(z: Floats, labels: Any) -> Any:
    """Mean squared error against one-hot targets."""
    off = z - hits(z, labels)
    return (off**2).mean(), 2 * off / off.size


def scaled(c: float, z: Floats, labels: Any) -> Any:
    """Cross-entropy times c."""
    L, dz = cross_entropy(z, labels)
    return c * L, c * dz


def at_temperature(c: float, z: Floats, labels: Any) -> Any:
    """Cross-entropy of z/c."""
    L, dz = cross_entropy(z / c, labels)
    return L, dz / c


def slope(c: float, z: Floats) -> Any:
    """1, and c below 0."""
    return np.where(z > 0, 1.0, c).astype(z.dtype)


def tanhs(z: Floats) -> Any:
    """1 − tanh²."""
    return 1 - np.tanh(z) ** 2


NETWORK: Steps = {
    "x": lambda x: x,
    "bias": lambda b, k, count: b,
    "split": split,
    "affine": lambda x, W, b: x @ W + b,
    "relu": lambda z: np.maximum(z, 0),
    "logits": lambda z: z,
    "loss": cross_entropy,
    "dlogits": lambda z, dy: dy,
    "drelu": lambda z: (z > 0).astype(z.dtype),
    "db": lambda dz: dz.sum(axis=0),
    "join": join,
}

OF_NETWORK = (
    wrong("weights transposed", "each W is read from θ as (n_out, n_in), as PyTorch keeps it; here W is (n_in, n_out), y = x W "
          "(to_state_dict converts)", join=join_transposed,
          split=lambda theta, sizes: [(W.reshape(W.shape[::-1]).T, b) for W, b in split(theta, sizes)]),
    wrong("gradient transposed", "θ is read rightly, but each dW is written as (n_out, n_in), as PyTorch's weight.grad; transpose "
          "it", join=join_transposed),
    wrong("biases first", "b is taken before W; inside a layer θ has W, then b",
          split=lambda theta, sizes: split(theta, sizes, True), join=lambda grads: join(layer[::-1] for layer in grads)),
    wrong("ReLU on the logits", "the last layer has a ReLU too; the logits have none",
          logits=lambda z: np.maximum(z, 0), dlogits=lambda z, dy: dy * (z > 0)),
    wrong("softmax twice", "the loss takes logits, but gets probabilities (a softmax before PyTorch's cross_entropy); leave the softmax out",
          logits=softmax, dlogits=through_softmax),
    wrong("summed loss", "loss and gradient are sums over the batch; they are means", loss=times(lambda n, c: n)),
    wrong("summed gradient", "the gradient is n times too large: it belongs to the sum over the batch, the loss to the mean",
          loss=times(lambda n, c: 1, lambda n, c: n)),
    wrong("1/n twice", "the gradient is divided by n twice", loss=times(lambda n, c: 1, lambda n, c: 1 / n)),
    wrong("mean over classes", "the mean runs over batch and classes; over the batch alone is needed", loss=times(lambda n, c: 1 / c)),
    wrong("loss in bits", "the loss is in bits (log₂), with its gradient; the natural logarithm is needed",
          loss=times(lambda n, c: 1 / np.log(2))),
    wrong("no ReLU", "there is no ReLU between the layers", relu=lambda z: z, drelu=np.ones_like),
    wrong("ReLU's derivative", "the gradient passes where ReLU is 0: multiply by (z > 0)", drelu=np.ones_like),
    wrong("db averaged", "db is averaged over the examples; dlogits holds the 1/n already, so sum", db=lambda dz: dz.mean(axis=0)),
    wrong("no biases", "the biases are not added", affine=lambda x, W, b: x @ W),
    wrong("no biases at all", "the biases are not added, and db is 0", affine=lambda x, W, b: x @ W, db=lambda dz: 0 * dz[0]),
    wrong("db is 0", "db is 0: the biases are left out of the gradient", db=lambda dz: 0 * dz[0]),
    wrong("log missing", "the loss is −softmax(logits)[label], as of nll_loss without log_softmax; the logarithm is needed",
          loss=without_log),
    wrong("gradient's sign", "the gradient has the wrong sign", loss=times(lambda n, c: 1, lambda n, c: -1)),
    wrong("last bias missing", "the last layer's bias is not added", bias=lambda b, k, count: b * (k < count - 1)),
    wrong("first bias missing", "the first layer's bias is not added", bias=lambda b, k, count: b * (k > 0)),
    wrong("squared error", "the loss is the mean squared error against one-hot targets; it is softmax cross-entropy", loss=squared),
    wrong("tanh for ReLU", "tanh stands between the layers; ReLU is needed", relu=np.tanh, drelu=tanhs),
    wrong("ReLU on the input", "x goes through a ReLU first", x=lambda x: np.maximum(x, 0)),
    wrong("inputs standardised", "x is standardised by the batch; it is taken as it is",
          x=lambda x: (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-12)),
    fitted("label smoothing", "labels are smoothed by {c}; the target is 1 at the label", 0.1, loss=smoothed),
    fitted("temperature", "logits are divided by {c} before the softmax; they are taken as they are", 2.0, loss=at_temperature),
    fitted("loss times a constant", "loss and gradient are {c} times too large", 0.5, loss=scaled),
    fitted("leaky ReLU", "ReLU leaks with slope {c} below 0; it is 0 there", 0.01,
           relu=lambda c, z: z * slope(c, z), drelu=slope),
    fitted("inputs scaled", "x is multiplied by {c}; it is taken as it is", 0.5, x=lambda c, x: x * x.dtype.type(c)),
)  # fmt: skip


def data(dtype: np.dtype[Any], sizes: list[int], n: int) -> dict[str, Any]:
    """x, labels, sizes."""
    labels = np.arange(n) * 2 % sizes[-1]
    return {"x": numbers(dtype, n, sizes[0], lane=1) * 2, "labels": labels, "sizes": sizes}


def of_network(dtype: np.dtype[Any], sizes: list[int], n: int) -> Problem:
    """n examples."""
    D = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    return Problem("-".join(map(str, sizes)), numbers(dtype, D) * 2, data(dtype, sizes, n), "loss_grad")


TABLES = {
    ("linear", "given", "backward"): Table(
        backward, LINEAR, OF_LINEAR,  # a square W too, where no shape gives a transposed one away
        lambda dtype: (of_linear(dtype, *shape) for shape in ((5, 4, 4), (7, 6, 3), (3, 3, 3))), ("dx", "dW", "db")),
    ("mlp_loss_grad", "given", "loss_grad"): Table(
        loss_and_grad, NETWORK, OF_NETWORK,  # a square W, two hidden layers, and none
        lambda dtype: (of_network(dtype, *shape) for shape in (([5, 4, 4, 3], 6), ([3, 7, 2], 4), ([4, 3], 5))), ("loss", "grad"),
        conventions=("weights transposed",)),
}  # fmt: skip
