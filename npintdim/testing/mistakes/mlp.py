"""Loss and gradient of a ReLU network over flat θ: fn(theta, p) with p.x, p.labels, p.sizes gives (L, ∂L/∂θ)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, numbers
from npintdim.typing import Floats

Layers = list[tuple[Floats, Floats]]


def loss_and_grad(s: Steps, theta: Floats, p: Any) -> tuple[Any, Floats]:
    """Forward, loss, and the chain rule backwards."""
    layers = s["split"](theta, p.sizes)
    y, cache = p.x, []
    for W, b in layers[:-1]:
        z = s["affine"](y, W, b)
        cache.append((y, z))
        y = s["relu"](z)
    z = s["affine"](y, *layers[-1])
    cache.append((y, z))
    loss, dlogits = s["loss"](s["logits"](z), p.labels)
    dz, grads = s["dlogits"](z, dlogits), []
    for (W, _), (x, _), (_, z_below) in zip(layers[:0:-1], cache[:0:-1], cache[-2::-1], strict=True):
        grads.append((x.T @ dz, s["db"](dz)))
        dz = (dz @ W.T) * s["drelu"](z_below)
    grads.append((cache[0][0].T @ dz, s["db"](dz)))
    return loss, s["join"](grads[::-1])


def split(theta: Floats, sizes: list[int]) -> Layers:
    """W (n_in, n_out), then b, layer after layer."""
    layers, start = [], 0
    for n_in, n_out in pairwise(sizes):
        middle, stop = start + n_in * n_out, start + n_in * n_out + n_out
        layers.append((theta[start:middle].reshape(n_in, n_out), theta[middle:stop]))
        start = stop
    return layers


def split_transposed(theta: Floats, sizes: list[int]) -> Layers:
    """W as (n_out, n_in), as PyTorch keeps it."""
    return [(W.reshape(W.shape[::-1]).T, b) for W, b in split(theta, sizes)]


def split_biases_first(theta: Floats, sizes: list[int]) -> Layers:
    """b, then W."""
    layers, start = [], 0
    for n_in, n_out in pairwise(sizes):
        middle, stop = start + n_out, start + n_out + n_in * n_out
        layers.append((theta[middle:stop].reshape(n_in, n_out), theta[start:middle]))
        start = stop
    return layers


def join(grads: Layers) -> Floats:
    """The inverse of split."""
    return np.concatenate([part.reshape(-1) for dW, db in grads for part in (dW, db)])


def softmax(z: Floats) -> Floats:
    """exp z / Σ exp z, of every row."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    y: Floats = e / e.sum(axis=1, keepdims=True)
    return y


def cross_entropy(z: Floats, labels: Any) -> tuple[Any, Floats]:
    """L = −(1/n) Σ log softmax(z)[label] and ∂L/∂z."""
    n, rows = len(z), np.arange(len(z))
    shifted = z - z.max(axis=1, keepdims=True)
    L = (np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]).mean()
    return L, (softmax(z) - (labels[:, None] == np.arange(z.shape[1]))) / z.dtype.type(n)


def scaled(loss: Any, gradient: Any) -> Any:
    """Cross-entropy with L and ∂L/∂z multiplied by functions of z's shape."""

    def step(z: Floats, labels: Any) -> tuple[Any, Floats]:
        L, dz = cross_entropy(z, labels)
        return L * loss(*z.shape), dz * z.dtype.type(gradient(*z.shape))

    return step


def without_log(z: Floats, labels: Any) -> tuple[Any, Floats]:
    """L = −(1/n) Σ softmax(z)[label]."""
    y, hit = softmax(z), labels[:, None] == np.arange(z.shape[1])
    return -(y * hit).sum() / len(z), through_softmax(z, -hit.astype(z.dtype) / z.dtype.type(len(z)))


def through_softmax(z: Floats, dy: Floats) -> Floats:
    """∂L/∂z where y = softmax(z)."""
    y = softmax(z)
    dz: Floats = y * (dy - (dy * y).sum(axis=1, keepdims=True))
    return dz


RIGHT: Steps = {
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

MISTAKES = (
    Mistake("weights transposed", "each W is read from θ as (n_out, n_in), as PyTorch keeps it; here W is (n_in, n_out), y = x W "
            "(to_state_dict converts)",
            {"split": split_transposed, "join": lambda grads: join([(dW.T, db) for dW, db in grads])}),
    Mistake("gradient transposed", "θ is read rightly, but each dW is written as (n_out, n_in), as PyTorch's weight.grad; transpose "
            "it", {"join": lambda grads: join([(dW.T, db) for dW, db in grads])}),
    Mistake("biases first", "b is taken before W; inside a layer θ has W, then b",
            {"split": split_biases_first, "join": lambda grads: np.concatenate([part.reshape(-1) for dW, db in grads for part in (db, dW)])}),
    Mistake("ReLU on the logits", "the last layer has a ReLU too; the logits have none",
            {"logits": lambda z: np.maximum(z, 0), "dlogits": lambda z, dy: dy * (z > 0)}),
    Mistake("softmax twice", "the loss takes logits, but gets probabilities (a softmax before PyTorch's cross_entropy); leave the softmax out",
            {"logits": softmax, "dlogits": through_softmax}),
    Mistake("summed loss", "loss and gradient are sums over the batch; they are means", {"loss": scaled(lambda n, c: n, lambda n, c: n)}),
    Mistake("summed gradient", "the gradient is n times too large: it belongs to the sum over the batch, the loss to the mean",
            {"loss": scaled(lambda n, c: 1, lambda n, c: n)}),
    Mistake("1/n twice", "the gradient is divided by n twice", {"loss": scaled(lambda n, c: 1, lambda n, c: 1 / n)}),
    Mistake("mean over classes", "the mean runs over batch and classes; over the batch alone is needed",
            {"loss": scaled(lambda n, c: 1 / c, lambda n, c: 1 / c)}),
    Mistake("loss in bits", "the loss is in bits (log₂), with its gradient; the natural logarithm is needed",
            {"loss": scaled(lambda n, c: 1 / np.log(2), lambda n, c: 1 / np.log(2))}),
    Mistake("no ReLU", "there is no ReLU between the layers", {"relu": lambda z: z, "drelu": np.ones_like}),
    Mistake("ReLU's derivative", "the gradient passes where ReLU is 0: multiply by (z > 0)", {"drelu": np.ones_like}),
    Mistake("db averaged", "db is averaged over the examples; dlogits holds the 1/n already, so sum", {"db": lambda dz: dz.mean(axis=0)}),
    Mistake("no biases", "the biases are not added", {"affine": lambda x, W, b: x @ W}),
    Mistake("no biases at all", "the biases are not added, and db is 0", {"affine": lambda x, W, b: x @ W, "db": lambda dz: 0 * dz[0]}),
    Mistake("db is 0", "db is 0: the biases are left out of the gradient", {"db": lambda dz: 0 * dz[0]}),
    Mistake("log missing", "the loss is −softmax(logits)[label], as of nll_loss without log_softmax; the logarithm is needed",
            {"loss": without_log}),
    Mistake("gradient's sign", "the gradient has the wrong sign", {"loss": scaled(lambda n, c: 1, lambda n, c: -1)}),
)  # fmt: skip


def data(dtype: np.dtype[Any], sizes: list[int], n: int) -> dict[str, Any]:
    """x, labels, sizes."""
    return {
        "x": numbers(dtype, n, sizes[0], lane=1) * 2,
        "labels": np.arange(n) * 2 % sizes[-1],
        "sizes": sizes,
    }


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """A square W, two hidden layers, and none."""
    for sizes, n in (([5, 4, 4, 3], 6), ([3, 7, 2], 4), ([4, 3], 5)):
        D = sum(n_in * n_out + n_out for n_in, n_out in pairwise(sizes))
        yield Problem("-".join(map(str, sizes)), numbers(dtype, D) * 2, data(dtype, sizes, n), "loss_grad")


TABLE = Table(loss_and_grad, RIGHT, MISTAKES, problems, ("loss", "grad"))
