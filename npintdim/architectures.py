"""The networks of the paper, and the way back from a spec to a network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from npintdim.backend import Backend, unknown
from npintdim.layers import Conv2D, Flatten, Layer, Linear, MaxPool2D, ReLU
from npintdim.model import Model
from npintdim.rng import check_integer
from npintdim.typing import Spec


def mlp(sizes: Sequence[int], backend: Backend | None = None) -> Model:
    """Fully connected ReLU network, e.g. [784, 200, 200, 10] of the paper's MNIST runs (D = 199,210).

    Parameters
    ----------
    sizes : features from input to classes, at least two
    backend : None for `get_backend()`

    Raises
    ------
    TypeError, ValueError
        unless there are two sizes or more, all of them positive integers.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes is {list(sizes)}: at least [n_in, classes] is needed")
    sizes = [check_integer("each of sizes", n, 1, needed="n ≥ 1") for n in sizes]
    layers: list[Layer] = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        layers.append(Linear(n_in, n_out, name=f"fc{i}"))
        if i < len(sizes) - 1:
            layers.append(ReLU())
    return Model(layers, (sizes[0],), backend, {"architecture": "mlp", "sizes": list(sizes)})


def lenet(
    in_shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    backend: Backend | None = None,
    conv_relu: bool = True,
) -> Model:
    """LeNet 6c5-16c5-120-84-classes with 2×2 max-pooling: D = 44,426 on MNIST, 62,006 on CIFAR-10.

    Parameters
    ----------
    in_shape : (channels, height, width)
    classes : number of outputs
    backend : None for `get_backend()`
    conv_relu : False is the net as the authors released it for subspace training, whose projected
        convolutions have no ReLU (max-pooling is then the only non-linearity before the dense part)

    Raises
    ------
    ValueError
        if the images are too small for two convolutions and poolings.
    """
    if len(in_shape) != 3:
        raise ValueError(f"in_shape is {tuple(in_shape)}: (channels, height, width) is needed")
    classes = check_integer("classes", classes, 1)
    c, h, w = (
        check_integer("each of in_shape", n, 1, needed="(channels, height, width) ≥ 1") for n in in_shape
    )
    for side in (h, w):
        if ((side - 4) // 2 - 4) // 2 < 1:
            raise ValueError(f"in_shape is {tuple(in_shape)}: LeNet needs images of at least 16×16")
    relu: list[Layer] = [ReLU()] if conv_relu else []
    features = 16 * (((h - 4) // 2 - 4) // 2) * (((w - 4) // 2 - 4) // 2)
    layers = [
        Conv2D(c, 6, 5, name="conv1"), *relu, MaxPool2D(2),
        Conv2D(6, 16, 5, name="conv2"), *relu, MaxPool2D(2),
        Flatten(),
        Linear(features, 120, name="fc1"), ReLU(),
        Linear(120, 84, name="fc2"), ReLU(),
        Linear(84, classes, name="fc3"),
    ]  # fmt: skip
    recipe = {"architecture": "lenet", "in_shape": [c, h, w], "classes": classes, "conv_relu": conv_relu}
    return Model(layers, (c, h, w), backend, recipe)


ARCHITECTURES: dict[str, Any] = {"mlp": mlp, "lenet": lenet}
LAYERS: dict[str, Any] = {kind.__name__: kind for kind in (Conv2D, Flatten, Linear, MaxPool2D, ReLU)}


def model_from_spec(spec: Spec, backend: Backend | None = None) -> Model:
    """Build the network that `Model.spec()` describes.

    Raises
    ------
    ValueError
        for an architecture or a layer that this package does not have.
    """
    if "architecture" in spec:
        options = dict(spec)
        name = options.pop("architecture")
        if name not in ARCHITECTURES:
            raise unknown("architecture", name, ARCHITECTURES)
        model: Model = ARCHITECTURES[name](**options, backend=backend)
        return model
    if not {"in_shape", "layers"} <= set(spec):
        raise ValueError(f"spec {spec} describes no network: it has neither 'architecture' nor 'layers'")
    layers = []
    for entry in spec["layers"]:
        options = dict(entry)
        kind = options.pop("kind")
        if kind not in LAYERS:
            raise unknown("layer", kind, LAYERS)
        layers.append(LAYERS[kind](**options))
    return Model(layers, tuple(spec["in_shape"]), backend)
