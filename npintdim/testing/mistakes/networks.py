"""Loss and gradient over θ: fn(theta, p), p.x, p.labels, p.sizes or p.layers; of one linear layer too."""

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from npintdim.engine.losses import CrossEntropy
from npintdim.kernels.reference.conv import windows
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, fitted, numbers, wrong
from npintdim.typing import Array, Floats, Spec

# ---- y = x W + b: fn(x, p) with p.W (n_in, n_out), p.b, p.dy gives (dx, dW, db) ----


def linear(s: Any, x: Floats, p: Any) -> Any:
    """dx, dW, db."""
    dy = s.dy(p.dy)
    return s.dx(dy, p.W), s.dW(x, dy), s.db(dy)


LINEAR: Steps = {
    "dx": lambda dy, W: dy @ W.T,
    "dW": lambda x, dy: x.T @ dy,
    "db": lambda dy: dy.sum(axis=0),
}

OF_LINEAR = (
    wrong("dW transposed", "dW is (n_out, n_in), as of PyTorch's Linear, whose weight is transposed; "
          "W is (n_in, n_out) here: give its transpose", dW=lambda x, dy: dy.T @ x),
    wrong("W for Wᵀ", "dx is dy W; dy Wᵀ is needed", dx=lambda dy, W: dy @ W),
    wrong("mean of dy", "gradients are averaged over the examples; dy holds the loss's 1/n already, so sum",
          dW=lambda x, dy: x.T @ dy / len(dy), db=lambda dy: dy.mean(axis=0)),
    wrong("db averaged", "db is averaged over the examples; sum", db=lambda dy: dy.mean(axis=0)),
    wrong("db not summed", "db is dy itself, one row an example; sum over the examples", db=lambda dy: dy),
    wrong("db keeps an axis", "db has shape (1, n_out); (n_out,) is needed",
          db=lambda dy: dy.sum(axis=0, keepdims=True)),
    wrong("db summed over features", "db is summed over axis 1; the examples are axis 0",
          db=lambda dy: dy.sum(axis=1)),
    wrong("dW averaged", "dW is averaged over the examples; dy holds the loss's 1/n already, so sum",
          dW=lambda x, dy: x.T @ dy / len(dy)),
    wrong("1/n twice", "all gradients have a factor 1/n too many; dy holds the loss's 1/n already",
          dy=lambda dy: dy / len(dy)),
    wrong("n too large", "all gradients are n times too large; dy holds the loss's 1/n already",
          dy=lambda dy: dy * len(dy)),
    wrong("sign", "all gradients have the wrong sign", dy=lambda dy: -dy),
)  # fmt: skip


def of_linear(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """A square W too, where no shape gives a transposed one away."""
    for n, n_in, n_out in ((5, 4, 4), (7, 6, 3), (3, 3, 3)):
        shapes = {"W": (n_in, n_out), "b": (n_out,), "dy": (n, n_out)}
        rest = {name: numbers(dtype, *shape, lane=i) for i, (name, shape) in enumerate(shapes.items(), 1)}
        yield Problem(f"x {n}×{n_in}, W {n_in}×{n_out}", 4 * numbers(dtype, n, n_in), rest)


# ---- L(θ) and ∂L/∂θ ----


def loss_and_grad(s: Any, theta: Floats, p: Any) -> Any:
    """Forward, loss, and the chain rule backwards, a layer a turn."""
    layers, x, seen = layers_of(p), s.x(p.x), []
    parts = iter(tensors(theta, [shape for layer in layers for shape in s.order(shapes_of(layer))]))
    for layer in layers:
        shapes = shapes_of(layer)
        W, b = s.order([next(parts) for _ in shapes]) if shapes else (None, None)
        W = s.W(W, shapes[0]) if shapes else None
        seen.append((layer, x, W))
        x = forward(s, layer, x, W, b, layers)
    loss, dy = s.loss(s.logits(x), p.labels)
    dy = s.dlogits(dy, x)
    grads: list[Floats] = []
    for layer, x, W in reversed(seen):
        dy, of_layer = backward(s, layer, dy, x, W)
        grads = [*s.order(of_layer), *grads]
    return loss, np.concatenate([np.ravel(g) for g in grads])


def layers_of(p: Any) -> list[Spec]:
    """What stands one after another; sizes are those of a ReLU network."""
    if hasattr(p, "layers"):
        return list(p.layers)
    dense = [{"kind": "Linear", "n_in": n_in, "n_out": n_out} for n_in, n_out in pairwise(p.sizes)]
    return [layer for one in dense for layer in ({"kind": "ReLU"}, one)][1:]


def shapes_of(layer: Spec) -> list[tuple[int, ...]]:
    """Of W and b; none of a layer without."""
    if layer["kind"] == "Conv2D":
        return [(layer["c_out"], layer["c_in"], layer["k"], layer["k"]), (layer["c_out"],)]
    return [(layer["n_in"], layer["n_out"]), (layer["n_out"],)] if layer["kind"] == "Linear" else []


def tensors(theta: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    """θ as tensors."""
    parts = np.split(theta, np.cumsum([prod(shape) for shape in shapes])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def forward(s: Any, layer: Spec, x: Floats, W: Any, b: Any, layers: list[Spec]) -> Any:
    """One layer."""
    kind = layer["kind"]
    if kind == "Conv2D":
        return convolve(x, s.kernel(W)) + s.bias_of_conv(b)[:, None, None]
    if kind == "Linear":
        return s.affine(x, W, s.bias(b, layer, layers))
    if kind == "MaxPool2D":
        return s.pool(squares(x, layer["size"]))
    return s.relu(x) if kind == "ReLU" else s.flatten(x)


def backward(s: Any, layer: Spec, dy: Floats, x: Floats, W: Any) -> Any:
    """∂L/∂x, and ∂L/∂W, ∂L/∂b where there are some."""
    kind = layer["kind"]
    if kind == "Conv2D":
        k = layer["k"]
        dW = np.einsum("ncijab,noij->ocab", windows(x, k, 1), dy)
        around = np.pad(dy, ((0, 0), (0, 0), (k - 1, k - 1), (k - 1, k - 1)))
        dx = convolve(around, np.flip(s.kernel(W), (2, 3)).swapaxes(0, 1))
        return dx, [s.dW(s.kernel(dW)), s.db(dy)]
    if kind == "Linear":
        return dy @ W.T, [s.dW(x.T @ dy), s.db(dy)]
    if kind == "MaxPool2D":
        dx, size = np.zeros_like(x), layer["size"]
        share = s.share(squares(x, size)) * dy[..., None]
        rows, columns = size * dy.shape[2], size * dy.shape[3]
        for k in range(size * size):
            dx[:, :, k // size : rows : size, k % size : columns : size] = share[..., k]
        return dx, []
    return (dy * s.drelu(x) if kind == "ReLU" else s.unflatten(dy, x.shape)), []


def convolve(x: Floats, W: Floats) -> Any:
    """y_oij = Σ x_c,i+a,j+b W_ocab, equal patches to equal bits, so that ties stay ties."""
    return np.einsum("ncijab,ocab->noij", windows(x, W.shape[-1], 1), W)


def squares(x: Floats, size: int) -> Any:
    """(n, c, h, w, size²); what is left over at the edge is dropped."""
    seen = windows(x, size, size)
    return seen.reshape(*seen.shape[:4], size * size)


def first_of(w: Array) -> Any:
    """1 at the first largest of each window."""
    return (np.arange(w.shape[-1]) == w.argmax(axis=-1)[..., None]).astype(w.dtype)


def all_of(w: Array) -> Any:
    """1 at every largest."""
    return (w == w.max(axis=-1, keepdims=True)).astype(w.dtype)


def cross_entropy(z: Floats, labels: Any) -> Any:
    """L = −(1/n) Σ log softmax(z)[label] and ∂L/∂z."""
    return CrossEntropy().value_and_grad(np, z, labels)


NETWORK: Steps = {
    "W": lambda w, shape: w.reshape(shape),
    "affine": lambda x, W, b: x @ W + b,
    "relu": lambda z: np.maximum(z, 0),
    "drelu": lambda z: (z > 0).astype(z.dtype),
    "pool": lambda w: w.max(axis=-1),
    "share": first_of,
    "flatten": lambda x: x.reshape(len(x), -1),
    "unflatten": lambda dy, shape: dy.reshape(shape),
    "loss": cross_entropy,
    "db": lambda dy: dy.sum(axis=tuple(k for k in range(dy.ndim) if k != 1)),
}


def reordered(*axes: int) -> Steps:
    """Every W of so many axes is kept with its axes in another order in θ."""

    def W(w: Floats, shape: tuple[int, ...]) -> Any:
        if len(shape) != len(axes):
            return w.reshape(shape)
        return w.reshape([shape[a] for a in axes]).transpose(np.argsort(axes))

    return {"W": W, "dW": lambda dW: dW.transpose(axes) if dW.ndim == len(axes) else dW}


def softmax(z: Floats) -> Any:
    """exp z / Σ exp z, of every row."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def through_softmax(dy: Floats, z: Floats) -> Any:
    """∂L/∂z where y = softmax(z)."""
    y = softmax(z)
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


def hits(z: Floats, labels: Any) -> Any:
    """1 at every example's label, else 0."""
    return (labels[:, None] == np.arange(z.shape[1])).astype(z.dtype)


def without_log(z: Floats, labels: Any) -> Any:
    """L = −(1/n) Σ softmax(z)[label] and ∂L/∂z."""
    hit = hits(z, labels) / z.dtype.type(len(z))
    return -(softmax(z) * hit).sum(), through_softmax(-hit, z)


def times(loss: Any, gradient: Any = None) -> Any:
    """Cross-entropy with L, and ∂L/∂z, multiplied by functions of n and the number of classes."""

    def step(z: Floats, labels: Any) -> Any:
        L, dz = cross_entropy(z, labels)
        return L * loss(*z.shape), dz * z.dtype.type((gradient or loss)(*z.shape))

    return step


def smoothed(c: float, z: Floats, labels: Any) -> Any:
    """Cross-entropy with the targets (1 − c) hit + c/classes."""
    n, classes = z.shape
    target = (1 - c) * hits(z, labels) + c / classes
    return -(target * np.log(softmax(z))).sum() / n, (softmax(z) - target) / n


def squared(z: Floats, labels: Any) -> Any:
    """Mean squared error against one-hot targets."""
    off = z - hits(z, labels)
    return (off**2).mean(), 2 * off / off.size


def at_temperature(c: float, z: Floats, labels: Any) -> Any:
    """Cross-entropy of z/c."""
    L, dz = cross_entropy(z / c, labels)
    return L, dz / c


def slope(c: float, z: Floats) -> Any:
    """1, and c below 0."""
    return np.where(z > 0, 1.0, c).astype(z.dtype)


OF_NETWORK = (
    wrong("weights transposed", "each W is read from θ as (n_out, n_in), as PyTorch keeps it; "
          "here W is (n_in, n_out), y = x W (to_state_dict converts)", **reordered(1, 0)),
    wrong("gradient transposed", "θ is read rightly, but each dW is written as (n_out, n_in), "
          "as PyTorch's weight.grad; transpose it", dW=np.transpose),
    wrong("biases first", "b is taken before W; inside a layer θ has W, then b",
          order=lambda both: both[::-1]),
    wrong("ReLU on the logits", "the last layer has a ReLU too; the logits have none",
          logits=lambda z: np.maximum(z, 0), dlogits=lambda dy, z: dy * (z > 0)),
    wrong("softmax twice", "the loss takes logits, but gets probabilities "
          "(a softmax before PyTorch's cross_entropy); leave the softmax out",
          logits=softmax, dlogits=through_softmax),
    wrong("summed loss", "loss and gradient are sums over the batch; they are means",
          loss=times(lambda n, c: n)),
    wrong("summed gradient", "the gradient is n times too large: it belongs to the sum over the batch, "
          "the loss to the mean", loss=times(lambda n, c: 1, lambda n, c: n)),
    wrong("1/n twice", "the gradient is divided by n twice", loss=times(lambda n, c: 1, lambda n, c: 1 / n)),
    wrong("mean over classes", "the mean runs over batch and classes; over the batch alone is needed",
          loss=times(lambda n, c: 1 / c)),
    wrong("loss in bits", "the loss is in bits (log₂), with its gradient; the natural logarithm is needed",
          loss=times(lambda n, c: 1 / np.log(2))),
    wrong("no ReLU", "there is no ReLU between the layers", relu=lambda z: z, drelu=np.ones_like),
    wrong("ReLU's derivative", "the gradient passes where ReLU is 0: multiply by (z > 0)",
          drelu=np.ones_like),
    wrong("db averaged", "db is averaged over the examples; dlogits holds the 1/n already, so sum",
          db=lambda dz: dz.mean(axis=0)),
    wrong("no biases", "the biases are not added", affine=lambda x, W, b: x @ W),
    wrong("no biases at all", "the biases are not added, and db is 0",
          affine=lambda x, W, b: x @ W, db=lambda dz: 0 * dz[0]),
    wrong("db is 0", "db is 0: the biases are left out of the gradient", db=lambda dz: 0 * dz[0]),
    wrong("log missing", "the loss is −softmax(logits)[label], as of nll_loss without log_softmax; "
          "the logarithm is needed", loss=without_log),
    wrong("gradient's sign", "the gradient has the wrong sign", loss=times(lambda n, c: 1, lambda n, c: -1)),
    wrong("last bias missing", "the last layer's bias is not added",
          bias=lambda b, layer, layers: b * (layer is not layers[-1])),
    wrong("first bias missing", "the first layer's bias is not added",
          bias=lambda b, layer, layers: b * (layer is not layers[0])),
    wrong("squared error", "the loss is the mean squared error against one-hot targets; "
          "it is softmax cross-entropy", loss=squared),
    wrong("tanh for ReLU", "tanh stands between the layers; ReLU is needed",
          relu=np.tanh, drelu=lambda z: 1 - np.tanh(z) ** 2),
    wrong("ReLU on the input", "x goes through a ReLU first", x=lambda x: np.maximum(x, 0)),
    wrong("inputs standardised", "x is standardised by the batch; it is taken as it is",
          x=lambda x: (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-12)),
    fitted("label smoothing", "labels are smoothed by {c}; the target is 1 at the label", 0.1, loss=smoothed),
    fitted("temperature", "logits are divided by {c} before the softmax; they are taken as they are",
           2.0, loss=at_temperature),
    fitted("loss times a constant", "loss and gradient are {c} times too large", 0.5,
           loss=lambda c, z, labels: tuple(c * part for part in cross_entropy(z, labels))),
    fitted("leaky ReLU", "ReLU leaks with slope {c} below 0; it is 0 there", 0.01,
           relu=lambda c, z: z * slope(c, z), drelu=slope),
    fitted("inputs scaled", "x is multiplied by {c}; it is taken as it is",
           0.5, x=lambda c, x: x * x.dtype.type(c)),
)  # fmt: skip


def data(dtype: np.dtype[Any], sizes: list[int], n: int) -> dict[str, Any]:
    """x, labels, sizes."""
    labels = np.arange(n) * 2 % sizes[-1]
    return {"x": numbers(dtype, n, sizes[0], lane=1) * 2, "labels": labels, "sizes": sizes}


def of_relu(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """A square W, two hidden layers, and none."""
    for sizes, n in (([5, 4, 4, 3], 6), ([3, 7, 2], 4), ([4, 3], 5)):
        D = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
        yield Problem("-".join(map(str, sizes)), numbers(dtype, D) * 2, data(dtype, sizes, n), "loss_grad")


# ---- with convolutions ----


def kernels(name: str, says: str, *axes: int) -> Mistake:
    """Every W of a convolution has its axes in another order."""
    return wrong(name, f"W of a convolution {says}", **reordered(*axes))


HERE = "it is (c_out, c_in, k, k)"
OF_CONVOLUTIONS = (
    kernels("kernels as (k, k, c_in, c_out)", f"is read as TensorFlow's HWIO; {HERE}", 2, 3, 1, 0),
    kernels("kernels as (c_in, c_out, k, k)", f"has its channels exchanged; {HERE}", 1, 0, 2, 3),
    kernels("kernels as (c_out, k, k, c_in)", f"is read with the channels last; {HERE}", 0, 2, 3, 1),
    kernels("kernels' rows and columns exchanged", f"has its rows and columns exchanged; {HERE}, row first",
            0, 1, 3, 2),
    kernels("kernels as (k, k, c_out, c_in)", f"is read as (k, k, c_out, c_in); {HERE}", 2, 3, 0, 1),
    kernels("kernels in Fortran order", f"is read column-major; {HERE} in C order", 3, 2, 1, 0),
    wrong("flipped kernels", "kernels are flipped (a convolution as of signal processing); "
          "y_ij = Σ x_i+a,j+b W_ab, without flipping", kernel=lambda W: np.flip(W, (2, 3))),
    wrong("weights transposed", "each dense W is read from θ as (n_out, n_in), as PyTorch keeps it; "
          "here W is (n_in, n_out), y = x W (to_state_dict converts)", **reordered(1, 0)),
    wrong("gradient transposed", "θ is read rightly, but each dense dW is written as (n_out, n_in); "
          "transpose it", dW=reordered(1, 0)["dW"]),
    wrong("flattened with the channels last", "Flatten runs over row, column, channel (NHWC); "
          "over channel, row, column is needed",
          flatten=lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), -1),
          unflatten=lambda dy, shape: dy.reshape(len(dy), *shape[2:], shape[1]).transpose(0, 3, 1, 2)),
    wrong("flattened by columns", "Flatten runs over channel, column, row; "
          "over channel, row, column is needed",
          flatten=lambda x: x.swapaxes(2, 3).reshape(len(x), -1),
          unflatten=lambda dy, shape: dy.reshape(*shape[:2], shape[3], shape[2]).swapaxes(2, 3)),
    wrong("images read as NHWC", "the numbers of x are read as (n, h, w, c); they are (n, c, h, w)",
          x=lambda x: x.reshape(len(x), *x.shape[2:], x.shape[1]).transpose(0, 3, 1, 2)),
    wrong("images transposed", "rows and columns of the images are exchanged", x=lambda x: x.swapaxes(2, 3)),
    wrong("average pooling", "windows are averaged; their largest is needed", pool=lambda w: w.mean(axis=-1),
          share=lambda w: np.full_like(w, 1 / w.shape[-1])),
    wrong("ties to the last", "of equal largest entries of a window the last gets the gradient; "
          "the first does", share=lambda w: first_of(w[..., ::-1])[..., ::-1]),
    wrong("ties to all", "of equal largest entries of a window each gets the whole gradient; "
          "the first alone does", share=all_of),
    wrong("ties shared", "equal largest entries of a window share the gradient (as in JAX); "
          "the first gets it all", share=lambda w: all_of(w) / all_of(w).sum(axis=-1, keepdims=True)),
    wrong("gradient to the whole window", "max-pooling's gradient goes to every entry of the window; "
          "to the largest alone is needed", share=np.ones_like),
    wrong("conv biases missing", "the convolutions' biases are not added", bias_of_conv=lambda b: 0 * b),
    wrong("db not summed over places", "db of a convolution is averaged over the places; "
          "sum over examples, rows and columns", db=lambda dy: NETWORK["db"](dy) / prod(dy.shape[2:])),
    *(m for m in OF_NETWORK if not {"W", "dW", "order", "bias", "db"} & m.steps.keys()),
)  # fmt: skip


def of_images(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Two images of two channels; then ones with many ties."""
    layers: list[Spec] = [
        {"kind": "Conv2D", "c_in": 2, "c_out": 3, "k": 3}, {"kind": "ReLU"}, {"kind": "MaxPool2D", "size": 2},
        {"kind": "Conv2D", "c_in": 3, "c_out": 2, "k": 2}, {"kind": "ReLU"}, {"kind": "MaxPool2D", "size": 2},
        {"kind": "Flatten"}, {"kind": "Linear", "n_in": 8, "n_out": 4}, {"kind": "ReLU"},
        {"kind": "Linear", "n_in": 4, "n_out": 3},
    ]  # fmt: skip
    rest = {"labels": np.array([2, 0]), "in_shape": [2, 12, 12], "layers": layers}
    x = numbers(dtype, 2, 2, 12, 12, lane=1) * 3
    theta = numbers(dtype, sum(prod(shape) for layer in layers for shape in shapes_of(layer))) * 2
    yield Problem("2 images 2×12×12", theta, {"x": x} | rest, "loss_grad")
    title = "2 images 2×12×12 of 0 and 1, whose maxima are repeated"
    yield Problem(title, np.rint(theta * 4) / 4, {"x": (x > 0).astype(dtype)} | rest, "loss_grad")


BOTH = ("loss", "grad")
AS_TORCH = ("weights transposed",)
TABLES = {
    ("linear", "given", "backward"): Table(linear, LINEAR, OF_LINEAR, of_linear, ("dx", "dW", "db")),
    ("mlp_loss_grad", "given", "loss_grad"): Table(
        loss_and_grad, NETWORK, OF_NETWORK, of_relu, BOTH, conventions=AS_TORCH
    ),
    ("lenet_loss_grad", "given", "loss_grad"): Table(
        loss_and_grad, NETWORK, OF_CONVOLUTIONS, of_images, BOTH, conventions=AS_TORCH
    ),
}
