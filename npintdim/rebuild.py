"""From the header of a compressed file back to a network and a projection, without trust in either."""

from __future__ import annotations

import json

from npintdim import fileformat
from npintdim.architectures import model_from_spec
from npintdim.backend import Backend, get_backend
from npintdim.files import canonical
from npintdim.inputs import check_integer
from npintdim.machine import free_memory
from npintdim.model import Model
from npintdim.projections import Projection, projection_from_spec
from npintdim.typing import Spec

LARGEST_D = 1 << 40


def on(model: Model, backend: Backend) -> Model:
    """The same network on another backend."""
    return Model(model.layers, model.in_shape, backend, model.spec(), model.fuse)


def check_named(model: Model) -> None:
    """Refuse a network whose spec is not JSON, or is that of another network."""
    try:
        spec = json.loads(canonical(model.spec()))
    except (TypeError, ValueError) as error:
        raise TypeError(f"model.spec() cannot be written as JSON: {error}") from error
    try:
        again = model_from_spec(spec, model.backend)
    except (TypeError, ValueError, KeyError):
        return  # a layer of one's own: `load` will ask for the model
    if (again.layers, again.in_shape) != (model.layers, model.in_shape):
        raise ValueError(
            "model.spec() describes another network than the model: a layer of your own must not bear "
            "the name of one of this package, and a recipe must build these layers"
        )


def network_of(spec: Spec, given: Model | None, backend: Backend | None) -> Model:
    """The network that the header describes, built or given."""
    if given is not None:
        own, there = (canonical(s).decode() for s in (given.spec(), spec))
        if own != there:
            raise fileformat.SpecError(f"it holds the network {there}, but the model given is {own}")
        return on(given, backend or given.backend)
    backend = backend or get_backend()
    try:
        model = model_from_spec(spec, backend)
        if canonical(model.spec()) != canonical(spec):
            raise ValueError("it is not what the network built from it says of itself")
    except Exception as error:  # whatever a wrong spec makes a constructor raise
        raise fileformat.HeaderError(
            f"its header's model cannot be built: {error}; if it has layers of your own, "
            "build it and give it: load(path, model=...)"
        ) from error
    return model


def draw(spec: Spec, model: Model, n: int | None) -> Projection:
    """The P that the header describes, if it fits the network, n numbers theta_d (None: coded), and the memory."""
    options = dict(spec)
    try:
        D, d = (check_integer(name, spec.get(name), 1, LARGEST_D) for name in ("D", "d"))
        density = float(spec.get("density", 0.0))
        if spec.get("kind") == "dense":
            options["stored"] = False  # decoding takes column after column
    except (TypeError, ValueError, OverflowError) as error:
        raise fileformat.HeaderError(f"its header's P is wrong: {error}") from error
    if D != model.D:
        raise fileformat.DimensionError(f"P is D×d = {D}×{d}, but the model has D = {model.D}")
    if n not in (d, None):
        raise fileformat.LengthError(f"theta_d has {n} numbers, but P is D×d = {D}×{d}: {d} are needed")
    least, free = 20 * D + 13 * density * D * d, free_memory()  # theta_0, P theta_d, theta; non-zeros
    if least > free:
        raise fileformat.TooLargeError(
            f"decoding D = {D}, d = {d} takes at least {least / 1e9:.3g} GB, but {free / 1e9:.1f} GB are free"
        )
    try:
        P = projection_from_spec(options, model.backend)
        if canonical(P.spec()) != canonical(spec):
            raise ValueError(f"{spec} is not what P says of itself, {P.spec()}")
    except (TypeError, ValueError, KeyError) as error:
        raise fileformat.HeaderError(f"its header's P cannot be drawn: {error}") from error
    return P
