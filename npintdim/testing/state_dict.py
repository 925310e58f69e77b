"""theta as a PyTorch `state_dict`, and back; arrays only, PyTorch is not needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from npintdim.engine.layers import Conv2D, Fire, Linear
from npintdim.engine.model import Model
from npintdim.inputs import shown
from npintdim.testing.arrays import to_numpy
from npintdim.typing import Array, Floats

Names = Mapping[str, str] | Sequence[str] | None
WEIGHT = {"W": "weight", "b": "bias"}
FIRE = {
    f"{part}.{own}": f"{theirs}.{name}"
    for part, theirs in (("squeeze", "squeeze"), ("expand1", "expand1x1"), ("expand3", "expand3x3"))
    for own, name in WEIGHT.items()
}


def to_state_dict(model: Model, theta: Any, names: Names = None) -> dict[str, Array]:
    """The parameters as PyTorch names and lays them out.

    Parameters
    ----------
    model : whose layout theta has
    theta : (D,)
    names : prefixes of the module's own. None: the layers' names ("fc1.weight"). A mapping from them,
        as far as they differ ({"fc1": "head.0"}), or a list in order (["0", "2", "4"] for a Sequential)

    Returns
    -------
    dict
        name to a fresh array, in theta's order; `{k: torch.from_numpy(a) for k, a in ....items()}` can be
        loaded

    Raises
    ------
    ValueError
        if theta has another shape than (D,), or a name belongs to no layer.

    Notes
    -----
    =========  ==========================  ====================================
    layer      here                        PyTorch
    =========  ==========================  ====================================
    Linear     W (n_in, n_out), y = x W    weight (n_out, n_in) = Wᵀ, y = x weightᵀ
    Conv2D     W (c_out, c_in, k, k)       weight, the same
    both       b (n_out,)                  bias, the same
    Fire       squeeze, expand1, expand3   squeeze, expand1x1, expand3x3 as in torchvision, each a Conv2D
    other      as its layer has it         the same, under its own name
    =========  ==========================  ====================================

    `Flatten` is C order over (c, h, w) in both, so the first dense layer after a convolution needs no more.
    """
    views = model.layout.views(to_numpy(theta))
    state = {}
    for name, key, transposed in _places(model, names):
        state[key] = np.array(views[name].T if transposed else views[name], order="C")
    return state


def from_state_dict(model: Model, state: Mapping[str, Any], names: Names = None) -> Floats:
    """The theta of which `to_state_dict` makes this state.

    Parameters
    ----------
    model, names : as in `to_state_dict`
    state : of any library's arrays, e.g. `module.state_dict()`

    Returns
    -------
    (D,) in the model's dtype, on its device

    Raises
    ------
    ValueError
        if a name is missing or left over, or has another shape, or numbers that are not real.
    """
    places = list(_places(model, names))
    missing = [key for _, key, _ in places if key not in state]
    extra = sorted(set(state) - {key for _, key, _ in places})
    if missing or extra:
        raise ValueError(
            f"the state has no {', '.join(missing) or '(nothing is missing)'}; "
            f"it has, unused: {', '.join(extra) or '(nothing)'}. "
            "Give names={layer: prefix}, or a list of prefixes"
        )
    theta = np.empty(model.D, dtype=model.backend.dtype)
    views = model.layout.views(theta)
    for name, key, transposed in places:
        value, view = to_numpy(state[key]), views[name]
        own = view.T if transposed else view
        if value.shape != own.shape:
            hint = f": {name} is {view.shape}, and PyTorch's weight its transpose" if transposed else ""
            raise ValueError(f"{key} has shape {value.shape}: {own.shape} is needed{hint}")
        if value.dtype.kind not in "biuf":
            raise ValueError(f"{key} has dtype {value.dtype}: real numbers are needed")
        own[...] = value
    return model.backend.send(theta)


def _places(model: Model, names: Names) -> Iterator[tuple[str, str, bool]]:
    """Each parameter's name here, its name there, and whether it is transposed there."""
    layers = [layer for layer in model.layers if layer.param_shapes()]
    own = [layer.name for layer in layers]
    if isinstance(names, str):
        raise ValueError(
            f"names is {shown(names)}: a mapping from layers to prefixes, or a list of prefixes, is needed"
        )
    if isinstance(names, Mapping):
        unknown = sorted(set(names) - set(own))
        if unknown:
            raise ValueError(f"names has {', '.join(unknown)}, but the layers are {', '.join(own)}")
        prefixes = [names.get(name, name) for name in own]
    else:
        prefixes = own if names is None else list(names)
        if len(prefixes) != len(own):
            raise ValueError(
                f"names has {len(prefixes)} prefixes, but there are {len(own)} layers: {', '.join(own)}"
            )
    twice = sorted({prefix for prefix in prefixes if prefixes.count(prefix) > 1})
    if twice:
        raise ValueError(f"more than one layer is called {', '.join(twice)}")
    for layer, prefix in zip(layers, prefixes, strict=True):
        torchs = WEIGHT if isinstance(layer, Linear | Conv2D) else FIRE if isinstance(layer, Fire) else {}
        for key in layer.param_shapes():
            transposed = isinstance(layer, Linear) and key == "W"
            yield f"{layer.name}.{key}", f"{prefix}.{torchs.get(key, key)}", transposed
