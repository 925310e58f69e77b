"""From the header of a compressed file back to a network and a projection, without trust in either."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from npintdim.artefact.coding import unpack
from npintdim.artefact.fileformat import FormatError, TooLargeError
from npintdim.backend import Backend, get_backend
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.model import Model
from npintdim.files import canonical
from npintdim.inputs import check_integer
from npintdim.machine import free_memory
from npintdim.projections import KINDS, SeededProjection, projection_from_spec
from npintdim.typing import Spec

LARGEST_D = 1 << 40


def on(model: Model, backend: Backend) -> Model:
    """The same network on another backend."""
    return Model(model.layers, model.in_shape, backend, model.spec(), model.backend.fuse)


def check_parts(
    network: Model, P: SeededProjection, theta_d: NDArray[np.float32], code: bytes | None
) -> None:
    """Refuse what is not one network: another D or d, a code of another θ_d, what a file cannot name."""
    if network.D != P.D:
        raise ValueError(f"P is D×d = {P.D}×{P.d}, but the model has D = {network.D}")
    if KINDS.get(P.kind) is not type(P):
        raise TypeError(f"P is a {type(P).__name__}: a file can name only {', '.join(KINDS)}")
    check_named(network)
    if theta_d.shape != (P.d,):
        raise ValueError(
            f"theta_d has shape {theta_d.shape}, but P is D×d = {P.D}×{P.d}: theta_d must have shape ({P.d},)"
        )
    if theta_d.dtype != np.float32:
        raise TypeError(f"theta_d has dtype {theta_d.dtype}: float32 is needed, `from_parts` rounds to it")
    if not np.isfinite(theta_d).all():
        raise FormatError("theta_d holds NaN, infinity or a number beyond float32")
    if not isinstance(code, bytes | None):
        raise FormatError(f"code is a {type(code).__name__}: bytes are needed")
    if code is not None and decoded(code, P.d).tobytes() != theta_d.tobytes():
        raise FormatError("code is that of another theta_d: `coded` makes both")


def check_named(model: Model) -> bool:
    """Refuse a network whose spec is not JSON, or is that of another network.

    Returns
    -------
    whether this package can build it from its spec; a layer of one's own it does not know
    """
    try:
        spec = json.loads(canonical(model.spec()))
    except (TypeError, ValueError) as error:
        raise TypeError(f"model.spec() cannot be written as JSON: {error}") from error
    try:
        again = model_from_spec(spec, model.backend)
    except (TypeError, ValueError, KeyError):
        return False  # `load` will ask for the model
    if (again.layers, again.in_shape) != (model.layers, model.in_shape):
        raise ValueError(
            "model.spec() describes another network than the model: a layer of your own must not bear "
            "the name of one of this package, and a recipe must build these layers"
        )
    return True


def network_of(spec: Spec, given: Model | None, backend: Backend | None) -> Model:
    """The network that the header describes, built or given."""
    if given is not None:
        own, there = (canonical(s).decode() for s in (given.spec(), spec))
        if own != there:
            raise FormatError(f"it holds the network {there}, but the model given is {own}")
        return on(given, backend or given.backend)
    backend = backend or get_backend()
    try:
        model = model_from_spec(spec, backend)
        if canonical(model.spec()) != canonical(spec):
            raise ValueError("it is not what the network built from it says of itself")
    except Exception as error:  # whatever a wrong spec makes a constructor raise
        raise FormatError(
            f"its header's model cannot be built: {error}; if it has layers of your own, "
            "build it and give it: load(path, model=...)"
        ) from error
    return model


def decoded(code: bytes, d: int) -> NDArray[np.float32]:
    """θ_d of a code, (d,), which must be what `npintdim.artefact.coding.pack` writes."""
    try:
        codebook, symbols = unpack(code, d)
    except ValueError as error:
        raise FormatError(f"its code of theta_d is wrong: {error}") from error
    return codebook.levels[symbols]


def draw(spec: Spec, model: Model, theta_d: NDArray[np.float32] | bytes) -> SeededProjection:
    """The P that the header describes, if it fits the network, theta_d where it is not a code, and the memory."""
    options = dict(spec)
    try:
        D, d = (check_integer(name, spec.get(name), 1, LARGEST_D) for name in ("D", "d"))
        density = float(spec.get("density", 0.0))
        if spec.get("kind") == "dense":
            options["stored"] = False  # decoding takes column after column
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"its header's P is wrong: {error}") from error
    if D != model.D:
        raise FormatError(f"P is D×d = {D}×{d}, but the model has D = {model.D}")
    if not isinstance(theta_d, bytes) and len(theta_d) != d:
        raise FormatError(f"theta_d has {len(theta_d)} numbers, but P is D×d = {D}×{d}: {d} are needed")
    least, free = 20 * D + 13 * density * D * d, free_memory()  # theta_0, P theta_d, theta; non-zeros
    if least > free:
        raise TooLargeError(
            f"decoding D = {D}, d = {d} takes at least {least / 1e9:.3g} GB, but {free / 1e9:.1f} GB are free"
        )
    try:
        P = projection_from_spec(options, model.backend)
        if canonical(P.spec()) != canonical(spec):
            raise ValueError(f"{spec} is not what P says of itself, {P.spec()}")
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError(f"its header's P cannot be drawn: {error}") from error
    return P
