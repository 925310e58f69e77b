"""Model: a stack of layers over one flat theta, which makes it a landscape of dimension D."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from npintdim.backend import Backend, as_array, given
from npintdim.engine.fuse import fuse as fused
from npintdim.engine.fuse import plan_of
from npintdim.engine.landscape import Batch, Evaluation
from npintdim.engine.layers import Layer, Noisy
from npintdim.engine.layers.base import initializers_of, layout_of
from npintdim.engine.losses import CrossEntropy, Loss
from npintdim.engine.streamed import made
from npintdim.inputs import check_flag, check_integers, check_kind, check_seed, cut, named_kind, quiet
from npintdim.rng import Purpose, Stream
from npintdim.specs import kind_of, spec_of
from npintdim.typing import Array, Floats, Spec

CHUNK = 2048  # examples evaluated at once, or fewer where that many
NUMBERS = 1 << 26  # between the layers would be more than these
OWN_WORDS = 1 << 34  # of each layer that is random, in a step


class Model:
    """Layers, then a loss: softmax cross-entropy for a classifier, mean squared error for numbers.

    Parameters
    ----------
    layers : in order; a layer without a name is called by its kind and number, e.g. "linear1"
    in_shape : shape of one example, e.g. (784,) or (1, 28, 28)
    backend : where and how it computes; None for `get_backend()`
    recipe : the spec of the architecture that built it, if one did
    fuse : False for a backend with fuse=False: every layer is computed alone, and bits differ by rounding.
        It is no part of the spec; `plan` says what is fused
    loss : "mse" for targets that are numbers, then performance is R²; or a `Loss`, or its spec

    Raises
    ------
    ValueError
        if a layer cannot take what comes before it, or the outputs are not (classes,).
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        in_shape: tuple[int, ...],
        backend: Backend | None = None,
        recipe: Spec | None = None,
        fuse: bool = True,
        loss: Loss | Spec | str = "crossentropy",
    ) -> None:
        counts: Counter[str] = Counter()
        named = []
        if not isinstance(layers, Iterable):
            raise TypeError(f"layers is {named_kind(layers)}: a list such as [Linear(64, 10)] is needed")
        for layer in layers:
            check_kind("each of layers", layer, Layer, "Linear(64, 10)")
            kind = type(layer).__name__.lower()
            counts[kind] += 1
            named.append(layer if layer.name else replace(layer, name=f"{kind}{counts[kind]}"))
        self.layers = tuple(named)
        self.in_shape = check_integers("in_shape", in_shape)
        self.backend = given(backend) if check_flag("fuse", fuse) else replace(given(backend), fuse=False)
        self.layout = layout_of(self.layers)
        self.D = self.dim = self.layout.D
        self._recipe = recipe
        self.loss: Loss = kind_of("loss", loss)
        shape, between = self.in_shape, math.prod(self.in_shape)
        for layer in self.layers:
            shape = check_integers(f"the out_shape of {layer.name}", layer.out_shape(shape))
            between += math.prod(shape)
        self._most = max(1, NUMBERS // between)
        if len(shape) != 1:
            raise ValueError(f"the last layer gives {shape} per example: (classes,) is needed; add Flatten?")
        self.classes = shape[0]
        self.computed = fused(self.layers, self.in_shape, self.backend)
        self._places = layout_of(self.computed)
        self._keys = [tuple(layer.param_shapes()) for layer in self.computed]
        self._first = next((i for i, keys in enumerate(self._keys) if keys), 0)

    def __repr__(self) -> str:
        way = " → ".join([str(self.in_shape), *(layer.name for layer in self.layers), str((self.classes,))])
        return f"<Model: {cut(way, 200)}, D = {self.D:,}, {self.backend!r}>"

    def spec(self) -> Spec:
        """The architecture, JSON-able."""
        spec: Spec = {"in_shape": list(self.in_shape), "layers": [spec_of(a) for a in self.layers]}
        spec = spec if self._recipe is None else deepcopy(self._recipe)
        return spec if self.loss == CrossEntropy() else spec | {"loss": spec_of(self.loss)}

    def with_loss(self, loss: Loss | Spec | str) -> Model:
        """The same network with another loss, e.g. `lenet(...).with_loss("mse")`."""
        return Model(self.layers, self.in_shape, self.backend, self._recipe, self.backend.fuse, loss)

    def plan(self) -> str:
        """Which layers are computed together, a line each, and which are not because it would not pay."""
        return plan_of(self.computed, self.backend)

    def init_theta(self, seed: int) -> Floats:
        """theta_0: every parameter by its layer's initializer, from its own lane.

        Returns
        -------
        (D,) in the backend's dtype, the same bits on every backend
        """
        seed = check_seed(seed)
        dtype = self.backend.dtype
        instead = "take fewer parameters; training needs as much again for the gradient"
        self.backend.room(f"theta_0, D = {self.D:,} {dtype.name}", self.D * dtype.itemsize, instead)
        theta_0: Floats = self.backend.xp.empty(self.D, dtype=dtype)
        initializers = initializers_of(self.layers)
        for lane, (where, init) in enumerate(zip(self.layout.slices.values(), initializers, strict=True)):
            stream = Stream(seed, Purpose.THETA_0, lane, self.backend.kernels)
            theta_0[where] = init.draw(self.backend, stream, where.stop - where.start)
        return theta_0

    def forward(
        self, theta: Floats, x: Array | None, training: Batch | None = None
    ) -> tuple[Floats, list[Any]]:
        """Logits (n, classes) and the layers' caches; x is (n, *in_shape) or any shape of that size.

        In training, random layers draw their noise at the batch's step.
        """
        if x is None:
            raise ValueError("batch.x is None: a Model needs examples")
        x = self.backend.floats(x, "batch.x")
        if x.ndim < 2 or math.prod(x.shape[1:]) != math.prod(self.in_shape):
            raise ValueError(
                f"batch.x has shape {x.shape}, but the model takes {self.in_shape} per example: "
                f"(n, {', '.join(map(str, self.in_shape))}) is needed"
            )
        y = x.reshape(len(x), *self.in_shape)
        caches: list[Any] = []
        start = 0
        for layer, params in zip(self.computed, self._params(theta), strict=True):
            if training is not None and isinstance(layer, Noisy):
                stream = Stream(training.seed, Purpose.NOISE, training.step, self.backend.kernels)
                y, cache = layer.noisy_forward(self.backend, params, y, stream, start)
                start += OWN_WORDS
            else:
                y, cache = layer.forward(self.backend, params, y)
            caches.append(cache)
        return y, caches

    def backward(self, theta: Floats, caches: list[Any], dlogits: Floats) -> Floats:
        """∇_θ L (D,) from ∂L/∂logits: the chain rule, from the last layer to the first with parameters."""
        params, grad = self._params(theta), self.backend.xp.empty(self.D, dtype=self.backend.dtype)
        places = self._params(grad)
        dy: Any = self.backend.floats(dlogits, "dlogits")
        for i in reversed(range(self._first, len(self.computed))):
            dy, dparams = self.computed[i].backward(self.backend, params[i], caches[i], dy, i > self._first)
            for key, place in places[i].items():
                place[...] = fitting(self.computed[i], key, dparams, place.shape)
        return grad

    @quiet
    def loss_and_grad(self, theta: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Mean loss of the batch (0-d, on the device) and ∇_θ L (D,).

        NaN in x or theta gives a loss of NaN (a run ends as diverged) and a gradient without meaning.

        Raises
        ------
        TypeError, ValueError
            for an empty batch, other shapes than the network's, or labels that are no classes.
        """
        check_kind("batch", batch, Batch, "Batch(x, labels)")
        if batch.x is not None and not len(batch):
            raise ValueError("the batch is empty: x (n, ...) and labels (n,) with n ≥ 1 are needed")
        logits, caches = self.forward(theta, batch.x, batch)
        targets = self._targets(batch.labels, len(logits))
        loss, dlogits = self.loss.value_and_grad(self.backend.xp, logits, targets)
        return loss, self.backward(theta, caches, dlogits)

    @quiet
    def evaluate(self, theta: Floats, data: Batch) -> Evaluation:
        """Mean loss and performance over data, in chunks; one transfer at the end.

        Raises
        ------
        TypeError, ValueError
            as `loss_and_grad`.
        """
        check_kind("data", data, Batch, "Batch(x, labels)")
        n = len(data)
        if data.x is None or n == 0:
            raise ValueError("the data to evaluate on is empty")
        targets = self._targets(data.labels, n)
        loss: Any = 0.0
        total: Any = 0
        chunk = min(CHUNK, self._most)
        for i in range(0, n, chunk):
            part = slice(i, min(i + chunk, n))
            logits, _ = self.forward(theta, made(data.x[part]))
            mean, _ = self.loss.value_and_grad(self.backend.xp, logits, targets[part])
            loss = loss + mean * (part.stop - part.start)
            total = total + self.loss.tally(self.backend.xp, logits, targets[part])
        return Evaluation(float(loss) / n, self.loss.performance(float(total) / n, targets), n)

    def _params(self, theta: Floats) -> list[dict[str, Floats]]:
        """θ, checked, as the parameters of each layer that is computed: views, nothing is copied."""
        views = iter(self._places.views(self.backend.floats(theta, "theta")).values())
        return [{key: next(views) for key in keys} for keys in self._keys]

    def _targets(self, labels: Array | None, n: int) -> Array:
        """Labels of n examples, checked; targets that are numbers as (n, k)."""
        if labels is None:
            raise ValueError("batch.labels is None: a Model needs labels")
        if type(labels) is not self.backend.xp.ndarray and self.backend.xp is np:
            labels = as_array("batch.labels", labels)
        if not isinstance(labels, self.backend.xp.ndarray):
            raise TypeError(
                f"batch.labels is a {type(labels).__name__}, not an array of {self.backend.name!r}"
            )
        if self.loss.numbers:
            k = self.classes
            if labels.shape not in ((n, k), (n,) if k == 1 else (n, k)):
                raise ValueError(f"batch.labels has shape {labels.shape}: numbers ({n}, {k}) are needed")
            return self.backend.floats(labels, "batch.labels").reshape(n, k)
        if labels.shape != (n,) or labels.dtype.kind not in "iu":
            numbers = "; targets that are numbers need Model(..., loss='mse')" * (labels.dtype.kind == "f")
            raise ValueError(
                f"batch.labels is {labels.dtype} {labels.shape}: integers of shape ({n},) are needed{numbers}"
            )
        if self.backend.xp is np and len(labels):  # a GPU would have to stop for this; `Dataset` has looked
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or high >= self.classes:
                raise ValueError(
                    f"batch.labels run from {low} to {high}, but the model's {self.classes} classes "
                    f"need 0 to {self.classes - 1}"
                )
        return labels


def fitting(layer: Layer, key: str, dparams: dict[str, Floats], shape: tuple[int, ...]) -> Floats:
    """A gradient that a layer gave; ValueError for none or one of another shape, which would be broadcast."""
    found = np.shape(dparams[key]) if key in dparams else None
    if found != shape:
        what = "is missing" if found is None else f"has shape {found}"
        raise ValueError(f"{layer.name}: the gradient of {key} {what}: {shape} is needed")
    return dparams[key]
