"""Loss and gradient of a network of convolutions over flat θ: fn(theta, p) with p.x, p.labels, p.in_shape, p.layers."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from npintdim.testing.mistakes import mlp
from npintdim.testing.mistakes.table import Problem, Steps, Table, numbers, wrong
from npintdim.typing import Array, Floats, Spec

# ---- layers: forward(x, parameters), backward(dy, x, parameters) ----


def loss_and_grad(s: Any, theta: Floats, p: Any) -> Any:
    """Forward, loss, and the chain rule backwards, a layer a turn."""
    x, seen, at = s.x(p.x), [], 0
    for layer in p.layers:
        shapes = shapes_of(layer)
        W, b = ((s.W(theta[at : at + prod(shapes[0])], shapes[0]), theta[at + prod(shapes[0]) :][: shapes[1][0]])
                if shapes else (None, None))  # fmt: skip
        at += sum(map(prod, shapes))
        seen.append((layer, x, W))
        x = forward(s, layer, x, W, b)
    loss, dz = s.loss(s.logits(x), p.labels)
    dy = s.dlogits(x, dz)
    grads: list[Floats] = []
    for layer, x, W in reversed(seen):
        dy, of_layer = backward(s, layer, dy, x, W)
        grads = [*of_layer, *grads]
    return loss, np.concatenate([np.ravel(g) for g in grads])


def shapes_of(layer: Spec) -> list[tuple[int, ...]]:
    """Of W and b; none of a layer without."""
    if layer["kind"] == "Conv2D":
        return [(layer["c_out"], layer["c_in"], layer["k"], layer["k"]), (layer["c_out"],)]
    return [(layer["n_in"], layer["n_out"]), (layer["n_out"],)] if layer["kind"] == "Linear" else []


def forward(s: Any, layer: Spec, x: Floats, W: Any, b: Any) -> Any:
    """One layer."""
    kind = layer["kind"]
    if kind == "Conv2D":
        return s.convolve(x, s.kernel(W)) + s.bias_of_conv(b)[:, None, None]
    if kind == "Linear":
        return s.affine(x, W, b)
    if kind == "MaxPool2D":
        return s.pool(windows(x, layer["size"]))
    return s.relu(x) if kind == "ReLU" else s.flatten(x)


def backward(s: Any, layer: Spec, dy: Floats, x: Floats, W: Any) -> Any:
    """∂L/∂x, and ∂L/∂W, ∂L/∂b where there are some."""
    kind = layer["kind"]
    if kind == "Conv2D":
        k = layer["k"]
        dW = np.einsum("ncijab,noij->ocab", sliding_window_view(x, (k, k), (2, 3)), dy)
        full = np.pad(dy, ((0, 0), (0, 0), (k - 1, k - 1), (k - 1, k - 1)))
        dx = np.einsum(
            "noijab,ocab->ncij", sliding_window_view(full, (k, k), (2, 3)), np.flip(s.kernel(W), (2, 3))
        )
        return dx, [s.dW(s.kernel(dW)), s.db(dy)]
    if kind == "Linear":
        return dy @ W.T, [s.dW(x.T @ dy), s.db(dy)]
    if kind == "MaxPool2D":
        return unpool(s, dy, x, layer["size"]), []
    return (dy * s.drelu(x) if kind == "ReLU" else s.unflatten(dy, x.shape)), []


def windows(x: Floats, size: int) -> Any:
    """(n, c, h, w, size²); what is left over at the edge is dropped."""
    n, c, h, w = (*x.shape[:2], x.shape[2] // size, x.shape[3] // size)
    cut = x[:, :, : h * size, : w * size].reshape(n, c, h, size, w, size)
    return cut.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w, size * size)


def unpool(s: Any, dy: Floats, x: Floats, size: int) -> Any:
    """dy to the places that were chosen."""
    share = s.share(windows(x, size)) * dy[..., None]
    n, c, h, w = dy.shape
    dx = np.zeros_like(x)
    back = share.reshape(n, c, h, w, size, size).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h * size, w * size)
    dx[:, :, : h * size, : w * size] = back
    return dx


def convolve(x: Floats, W: Floats) -> Any:
    """y_oij = Σ x_c,i+a,j+b W_ocab: a correlation, as everywhere in deep learning."""
    k = W.shape[-1]
    return np.einsum("ncijab,ocab->noij", sliding_window_view(x, (k, k), (2, 3)), W)


def first_of(w: Array) -> Any:
    """1 at the first largest of each window."""
    return (np.arange(w.shape[-1]) == w.argmax(axis=-1)[..., None]).astype(w.dtype)


def last_of(w: Array) -> Any:
    """1 at the last largest."""
    return first_of(w[..., ::-1])[..., ::-1]


def all_of(w: Array) -> Any:
    """1 at every largest."""
    return (w == w.max(axis=-1, keepdims=True)).astype(w.dtype)


RIGHT: Steps = mlp.NETWORK | {
    "W": lambda w, shape: w.reshape(shape),
    "dW": lambda dW: dW,
    "kernel": lambda W: W,
    "convolve": convolve,
    "bias_of_conv": lambda b: b,
    "pool": lambda w: w.max(axis=-1),
    "share": first_of,
    "flatten": lambda x: x.reshape(len(x), -1),
    "unflatten": lambda dy, shape: dy.reshape(shape),
    "db": lambda dy: dy.sum(axis=tuple(k for k in range(dy.ndim) if k != 1)),
}


def reordered(name: str, says: str, *axes: int) -> Any:
    """W of every convolution kept with its axes in another order in θ."""
    back = tuple(np.argsort(axes))

    def W(w: Floats, shape: tuple[int, ...]) -> Any:
        return w.reshape([shape[a] for a in axes]).transpose(back) if len(shape) == 4 else w.reshape(shape)

    return wrong(name, says, W=W, dW=lambda dW: dW.transpose(axes) if dW.ndim == 4 else dW)


HERE = "it is (c_out, c_in, k, k)"
MISTAKES = (
    reordered("kernels as (k, k, c_in, c_out)", f"W of a convolution is read as TensorFlow's HWIO; {HERE}", 2, 3, 1, 0),
    reordered("kernels as (c_in, c_out, k, k)", f"W of a convolution has its channels exchanged; {HERE}", 1, 0, 2, 3),
    reordered("kernels as (c_out, k, k, c_in)", f"W of a convolution is read with the channels last; {HERE}", 0, 2, 3, 1),
    reordered("kernels' rows and columns exchanged", f"W of a convolution has its rows and columns exchanged; {HERE}, row first", 0, 1, 3, 2),
    reordered("kernels as (k, k, c_out, c_in)", f"W of a convolution is read as (k, k, c_out, c_in); {HERE}", 2, 3, 0, 1),
    reordered("kernels in Fortran order", f"W of a convolution is read column-major; {HERE} in C order", 3, 2, 1, 0),
    wrong("flipped kernels", "kernels are flipped (a convolution as of signal processing); y_ij = Σ x_i+a,j+b W_ab, without flipping",
          kernel=lambda W: np.flip(W, (2, 3)) if W.ndim == 4 else W),
    wrong("weights transposed", "each dense W is read from θ as (n_out, n_in), as PyTorch keeps it; here W is (n_in, n_out), y = x W "
          "(to_state_dict converts)", W=lambda w, shape: w.reshape(shape) if len(shape) == 4 else w.reshape(shape[::-1]).T,
          dW=lambda dW: dW if dW.ndim == 4 else dW.T),
    wrong("gradient transposed", "θ is read rightly, but each dense dW is written as (n_out, n_in); transpose it",
          dW=lambda dW: dW if dW.ndim == 4 else dW.T),
    wrong("flattened with the channels last", "Flatten runs over row, column, channel (NHWC); over channel, row, column is needed",
          flatten=lambda x: x.transpose(0, 2, 3, 1).reshape(len(x), -1),
          unflatten=lambda dy, shape: dy.reshape(len(dy), *shape[2:], shape[1]).transpose(0, 3, 1, 2)),
    wrong("flattened by columns", "Flatten runs over channel, column, row; over channel, row, column is needed",
          flatten=lambda x: x.swapaxes(2, 3).reshape(len(x), -1),
          unflatten=lambda dy, shape: dy.reshape(*shape[:2], shape[3], shape[2]).swapaxes(2, 3)),
    wrong("images read as NHWC", "the numbers of x are read as (n, h, w, c); they are (n, c, h, w)",
          x=lambda x: x.reshape(len(x), *x.shape[2:], x.shape[1]).transpose(0, 3, 1, 2)),
    wrong("images transposed", "rows and columns of the images are exchanged", x=lambda x: x.swapaxes(2, 3)),
    wrong("average pooling", "windows are averaged; their largest is needed", pool=lambda w: w.mean(axis=-1),
          share=lambda w: np.full_like(w, 1 / w.shape[-1])),
    wrong("ties to the last", "of equal largest entries of a window the last gets the gradient; the first does", share=last_of),
    wrong("ties to all", "of equal largest entries of a window each gets the whole gradient; the first alone does", share=all_of),
    wrong("ties shared", "equal largest entries of a window share the gradient (as in JAX); the first gets it all",
          share=lambda w: all_of(w) / all_of(w).sum(axis=-1, keepdims=True)),
    wrong("gradient to the whole window", "max-pooling's gradient goes to every entry of the window; to the largest alone is needed",
          share=np.ones_like),
    wrong("conv biases missing", "the convolutions' biases are not added", bias_of_conv=lambda b: 0 * b),
    wrong("db not summed over places", "db of a convolution is averaged over the places; sum over examples, rows and columns",
          db=lambda dy: dy.sum(axis=tuple(k for k in range(dy.ndim) if k != 1)) / (prod(dy.shape[2:]) or 1)),
    *(m for m in mlp.OF_NETWORK if not {"split", "join", "bias", "db"} & m.steps.keys()),
)  # fmt: skip


def problems(dtype: np.dtype[Any]) -> Iterator[Problem]:
    """Two images of two channels; then ones with many ties."""
    layers: list[Spec] = [
        {"kind": "Conv2D", "c_in": 2, "c_out": 3, "k": 3}, {"kind": "ReLU"}, {"kind": "MaxPool2D", "size": 2},
        {"kind": "Conv2D", "c_in": 3, "c_out": 2, "k": 2}, {"kind": "ReLU"}, {"kind": "MaxPool2D", "size": 2},
        {"kind": "Flatten"}, {"kind": "Linear", "n_in": 8, "n_out": 4}, {"kind": "ReLU"},
        {"kind": "Linear", "n_in": 4, "n_out": 3},
    ]  # fmt: skip
    D = sum(prod(shape) for layer in layers for shape in shapes_of(layer))
    x = numbers(dtype, 2, 2, 12, 12, lane=1) * 3
    theta = numbers(dtype, D) * 2
    for title, images, at in (
        ("2 images 2×12×12", x, theta),
        (
            "2 images 2×12×12 of 0 and 1, whose maxima are repeated",
            (x > 0).astype(dtype),
            np.rint(theta * 4) / 4,
        ),
    ):
        rest = {"x": images, "labels": np.array([2, 0]), "in_shape": [2, 12, 12], "layers": layers}
        yield Problem(title, at, rest, "loss_grad")


TABLES = {
    ("lenet_loss_grad", "given", "loss_grad"): Table(
        loss_and_grad, RIGHT, MISTAKES, problems, ("loss", "grad"), conventions=("weights transposed",))
}  # fmt: skip
