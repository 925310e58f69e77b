"""The networks of the paper, and the way back from a spec to a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from math import prod

from npintdim.backend import Backend
from npintdim.engine.layers import (
    LAYERS,
    Conv2D,
    Fire,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    LocallyConnected2D,
    MaxPool2D,
    Noisy,
    ReLU,
    Unflatten,
)
from npintdim.engine.losses import Loss
from npintdim.engine.model import Model
from npintdim.inputs import check_flag, check_integer, check_integers, shown
from npintdim.specs import built, called, check_spec, kind_of, spec_of
from npintdim.typing import Spec


def mlp(
    sizes: Sequence[int],
    backend: Backend | None = None,
    fuse: bool = True,
    activation: Layer | Spec | str = "relu",
    loss: Loss | Spec | str = "crossentropy",
) -> Model:
    """Fully connected network, ReLU after every layer but the last.

    E.g. [784, 200, 200, 10] of the paper's MNIST runs, D = 199,210.

    Parameters
    ----------
    sizes : features from input to classes, at least two
    backend : None for `get_backend()`
    fuse : see `Model`
    activation : in the place of ReLU: "tanh", "gelu", ...,
        a layer without parameters such as `GELU("tanh")`, or its spec
    loss : "mse" for targets that are numbers, see `Model`

    Raises
    ------
    TypeError, ValueError
        unless there are two sizes or more, all of them positive integers;
        for an activation that there is not.
    """
    sizes = check_integers("sizes", sizes, "n ≥ 1")
    if len(sizes) < 2:
        raise ValueError(f"sizes is {list(sizes)}: at least [n_in, classes] is needed")
    nonlinear = replace(kind_of("layer", activation), name="")
    if nonlinear.param_shapes() or isinstance(nonlinear, Flatten | Unflatten | Noisy):
        raise ValueError(
            f"activation is {type(nonlinear).__name__}: a function of each number alone is needed, "
            "e.g. ReLU, Tanh, GELU or Sigmoid"
        )
    layers: list[Layer] = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        layers.append(Linear(n_in, n_out, name=f"fc{i}"))
        if i < len(sizes) - 1:
            layers.append(nonlinear)
    recipe: Spec = {"architecture": "mlp", "sizes": list(sizes)}
    if nonlinear != ReLU():
        recipe["activation"] = {key: value for key, value in spec_of(nonlinear).items() if key != "name"}
    return Model(layers, (sizes[0],), backend, recipe, fuse, loss)


def lenet(
    in_shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    backend: Backend | None = None,
    conv_relu: bool = True,
    fuse: bool = True,
) -> Model:
    """LeNet 6c5-16c5-120-84-classes with 2×2 max-pooling: D = 44,426 on MNIST, 62,006 on CIFAR-10.

    Parameters
    ----------
    in_shape : (channels, height, width)
    classes : number of outputs
    backend : None for `get_backend()`
    conv_relu : False is the net as the authors released it for subspace training, whose projected
        convolutions have no ReLU (max-pooling is then the only non-linearity before the dense part)
    fuse : see `Model`

    Raises
    ------
    ValueError
        if the images are too small for two convolutions and poolings.
    """
    (c, h, w), classes = lenet_sizes(in_shape, classes)
    relu: list[Layer] = [ReLU()] if (conv_relu := check_flag("conv_relu", conv_relu)) else []
    layers: list[Layer] = [
        Conv2D(c, 6, 5, name="conv1"), *relu, MaxPool2D(2),
        Conv2D(6, 16, 5, name="conv2"), *relu, MaxPool2D(2),
        Flatten(),
    ]  # fmt: skip
    recipe = {"architecture": "lenet", "in_shape": [c, h, w], "classes": classes, "conv_relu": conv_relu}
    return Model(with_dense_part(layers, (c, h, w), classes), (c, h, w), backend, recipe, fuse)


def untied_lenet(
    in_shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    backend: Backend | None = None,
    fuse: bool = True,
) -> Model:
    """LeNet whose convolutions share nothing, neither kernels nor biases: D = 286,334 on MNIST.

    Parameters and errors are those of `lenet`.
    """
    (c, h, w), classes = lenet_sizes(in_shape, classes)
    first: list[Layer] = [LocallyConnected2D(c, h, w, 6, 5, name="local1"), ReLU(), MaxPool2D(2)]
    _, h2, w2 = after(first, (c, h, w))
    second = LocallyConnected2D(6, h2, w2, 16, 5, name="local2")
    layers = [*first, second, ReLU(), MaxPool2D(2), Flatten()]
    recipe = {"architecture": "untied-lenet", "in_shape": [c, h, w], "classes": classes}
    return Model(with_dense_part(layers, (c, h, w), classes), (c, h, w), backend, recipe, fuse)


def fctied_lenet(
    in_shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    backend: Backend | None = None,
    fuse: bool = True,
) -> Model:
    """LeNet whose convolutions see the whole image: D = 193,370 on MNIST.

    Each place of the output is connected to every pixel, and the weights are still tied: 'same' convolutions
    with kernels of side 2·side − 1, 55 and then 27 on MNIST. They keep the sides, so the dense part is
    784-120-84-10. Parameters and errors are those of `lenet`; images must be square.
    """
    (c, h, w), classes = lenet_sizes(in_shape, classes)
    if h != w:
        raise ValueError(f"in_shape is {(c, h, w)}: square images are needed, as the kernels are")
    first: list[Layer] = [Conv2D(c, 6, 2 * h - 1, padding=h - 1, name="conv1"), ReLU(), MaxPool2D(2)]
    _, half, _ = after(first, (c, h, w))
    second = Conv2D(6, 16, 2 * half - 1, padding=half - 1, name="conv2")
    layers = [*first, second, ReLU(), MaxPool2D(2), Flatten()]
    recipe = {"architecture": "fctied-lenet", "in_shape": [c, h, w], "classes": classes}
    return Model(with_dense_part(layers, (c, h, w), classes), (c, h, w), backend, recipe, fuse)


def fc_lenet(
    in_shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    backend: Backend | None = None,
    fuse: bool = True,
) -> Model:
    """LeNet whose convolutions are fully connected layers with as many outputs: D = 3,640,574 on MNIST.

    784 → 6·24·24, pooled, 864 → 16·8·8, pooled, 256-120-84-10. Parameters and errors are those of `lenet`.
    """
    (c, h, w), classes = lenet_sizes(in_shape, classes)
    first = full((c, h, w), 6, "full1")
    layers = [*first, *full(after(first, (c, h, w)), 16, "full2"), Flatten()]
    recipe = {"architecture": "fc-lenet", "in_shape": [c, h, w], "classes": classes}
    return Model(with_dense_part(layers, (c, h, w), classes), (c, h, w), backend, recipe, fuse)


def squeezenet(
    in_shape: tuple[int, int, int] = (3, 224, 224),
    classes: int = 1000,
    backend: Backend | None = None,
    fuse: bool = True,
) -> Model:
    """SqueezeNet v1.0: D = 1,248,424 on ImageNet.

    A convolution of 96 7×7 with stride 2, eight `Fire` modules with 3×3 max-pooling of stride 2 in between,
    a 1×1 convolution to the classes, ReLU, and the mean over the image.
    There is no dropout (0.5 after fire9 in its authors' net).

    Parameters
    ----------
    in_shape : (channels, height, width)
    classes : number of outputs
    backend : None for `get_backend()`
    fuse : see `Model`

    Raises
    ------
    ValueError
        if the images are too small for the poolings.
    """
    shape = check_integers("in_shape", in_shape, "(channels, height, width) ≥ 1")
    if len(shape) != 3 or min(shape[1:]) < 29:
        raise ValueError(f"in_shape is {shape}: SqueezeNet needs (channels, height, width) of at least 29×29")
    classes = check_integer("classes", classes, 1)

    def pool() -> Layer:
        return MaxPool2D(3, 2, ceil=True)

    layers: list[Layer] = [
        Conv2D(shape[0], 96, 7, stride=2, name="conv1"), ReLU(), pool(),
        Fire(96, 16, 64, 64, name="fire2"), Fire(128, 16, 64, 64, name="fire3"),
        Fire(128, 32, 128, 128, name="fire4"), pool(),
        Fire(256, 32, 128, 128, name="fire5"), Fire(256, 48, 192, 192, name="fire6"),
        Fire(384, 48, 192, 192, name="fire7"), Fire(384, 64, 256, 256, name="fire8"), pool(),
        Fire(512, 64, 256, 256, name="fire9"),
        Conv2D(512, classes, 1, name="conv10"), ReLU(), GlobalAveragePool(),
    ]  # fmt: skip
    recipe = {"architecture": "squeezenet", "in_shape": list(shape), "classes": classes}
    return Model(layers, shape, backend, recipe, fuse)


def lenet_sizes(in_shape: tuple[int, int, int], classes: int) -> tuple[tuple[int, int, int], int]:
    """in_shape and classes, checked."""
    shape = check_integers("in_shape", in_shape, "(channels, height, width) ≥ 1")
    if len(shape) != 3:
        raise ValueError(f"in_shape is {shape}: (channels, height, width) is needed")
    classes = check_integer("classes", classes, 1)
    c, h, w = shape
    if min(h, w) < 16:
        raise ValueError(f"in_shape is {shape}: LeNet needs images of at least 16×16")
    return (c, h, w), classes


def after(layers: Sequence[Layer], in_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an example after the layers."""
    return reduce(lambda shape, layer: layer.out_shape(shape), layers, in_shape)


def full(in_shape: tuple[int, ...], channels: int, name: str) -> list[Layer]:
    """A fully connected layer with the outputs of so many 5×5 convolutions, ReLU and pooling."""
    out = Conv2D(in_shape[0], channels, 5).out_shape(in_shape)
    return [
        Flatten(), Linear(prod(in_shape), prod(out), name=name), ReLU(), Unflatten(*out), MaxPool2D(2),
    ]  # fmt: skip


def with_dense_part(layers: Sequence[Layer], in_shape: tuple[int, ...], classes: int) -> list[Layer]:
    """Layers that give so many features, and the end of every LeNet after them: features-120-84-classes."""
    (features,) = after(layers, in_shape)
    return [
        *layers,
        Linear(features, 120, name="fc1"), ReLU(), Linear(120, 84, name="fc2"), ReLU(),
        Linear(84, classes, name="fc3"),
    ]  # fmt: skip


ARCHITECTURES: dict[str, Callable[..., Model]] = {
    "mlp": mlp, "lenet": lenet, "untied-lenet": untied_lenet, "fctied-lenet": fctied_lenet,
    "fc-lenet": fc_lenet, "squeezenet": squeezenet,
}  # fmt: skip


def model_from_spec(spec: Spec, backend: Backend | None = None) -> Model:
    """Build the network that `Model.spec()` describes.

    Raises
    ------
    TypeError, ValueError
        for an architecture or a layer that this package does not have, or other options than it has.
    """
    spec = check_spec("model", spec)
    if "loss" in spec:
        loss = spec.pop("loss")
        return model_from_spec(spec, backend).with_loss(loss)
    if "architecture" in spec:
        return built("architecture", spec, "architecture", ARCHITECTURES, backend=backend, fuse=True)
    if not {"in_shape", "layers"} & set(spec):
        raise ValueError(
            f"spec {shown(spec)} describes no network: it has neither 'architecture' nor 'layers'"
        )
    return called("a network", of_layers, spec, backend=backend)


def of_layers(in_shape: Sequence[int], layers: Sequence[Spec], backend: Backend | None = None) -> Model:
    """The network of a spec that lists its layers."""
    if not isinstance(layers, list | tuple):
        raise TypeError(f"layers is {shown(layers)}: a list is needed")
    return Model([built("layer", entry, "kind", LAYERS) for entry in layers], tuple(in_shape), backend)
