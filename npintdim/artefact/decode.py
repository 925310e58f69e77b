"""From a file's header to its network, P or T, and to θ: without trust, to the bit (docs/format.md)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from npintdim.adapters import ADAPTERS, Adapter, MatrixAdapter
from npintdim.artefact.coding import unpack
from npintdim.artefact.fileformat import FormatError, MissingBaseError, TooLargeError
from npintdim.backend import Backend, as_array, get_backend, given
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.model import Model
from npintdim.files import canonical
from npintdim.inputs import check_integer, check_kind, check_seed, quiet, shown
from npintdim.machine import free_memory
from npintdim.projections import KINDS, SeededProjection, projection_from_spec
from npintdim.specs import built
from npintdim.typing import Array, Floats, Spec

LARGEST_D = 1 << 40
Map: TypeAlias = SeededProjection | Adapter  # from what is kept to θ: P of a subspace, or another T
Origin: TypeAlias = int | NDArray[np.float32]  # of θ: the seed that draws θ_0, or a pre-trained θ_0, the base


def on(model: Model, backend: Backend) -> Model:
    """The same network on another backend."""
    return Model(model.layers, model.in_shape, backend, model.spec(), model.backend.fuse)


def begun(network: Model, backend: Backend, origin: Origin) -> Floats:
    """θ_0 on a backend: what its seed draws, or the pre-trained one that was given."""
    if isinstance(origin, np.ndarray):
        return backend.send(origin, backend.dtype)
    return on(network, backend).init_theta(origin)


@quiet  # whoever asks for θ says what is not finite
def decoded_theta(
    network: Model, P: Map, origin: Origin, theta_d: NDArray[np.float32]
) -> NDArray[np.float32]:
    """θ = float32(θ_0 + P θ_d), or float32(T(v_0 + θ_d)) with v_0 = T.start(): float64, one rounding.

    The same on every backend and machine.
    """
    if isinstance(P, Adapter):
        host = get_backend("numpy", np.dtype(np.float64))
        T = replace(P, theta_0=begun(network, host, origin), backend=host)
        try:
            return T.exact(T.start() + theta_d).astype(np.float32)
        except ValueError as error:  # there is no order of operations
            raise FormatError(str(error)) from error
    backend = replace(network.backend, dtype=np.dtype(np.float64))
    theta_0 = backend.host(begun(network, backend, origin))
    theta: NDArray[np.float32] = (theta_0 + P.apply_exact(theta_d)).astype(np.float32)
    return theta


def sha256_of(theta: NDArray[np.float32]) -> str:
    """Sha256 (hex) of little-endian float32."""
    return hashlib.sha256(theta.astype("<f4").tobytes()).hexdigest()


def check_parts(
    network: Model, P: Map, origin: Origin, theta_d: NDArray[np.float32], code: bytes | None
) -> None:
    """Refuse what is not one network: another D or d, a code of another θ_d, what a file cannot name.

    So is a T over another θ_0 than the seed draws, or than the pre-trained one that is given.
    """
    check_nameable(P)
    check_kind("network", network, Model, "mlp([64, 10])")
    d = P.dim if isinstance(P, Adapter) else P.d
    if network.D != P.D:
        raise ValueError(f"P is D×d = {P.D}×{d}, but the model has D = {network.D}")
    check_named(network)
    if isinstance(P, Adapter) and P.layout.entries != network.layout.entries:
        raise ValueError(f"T is over {P.layout.entries}, but the model has {network.layout.entries}")
    if theta_d.shape != (d,):
        raise ValueError(
            f"theta_d has shape {theta_d.shape}, but P is D×d = {P.D}×{d}: theta_d must have shape ({d},)"
        )
    if theta_d.dtype != np.float32:
        raise TypeError(f"theta_d has dtype {theta_d.dtype}: float32 is needed, `from_parts` rounds to it")
    if not np.isfinite(theta_d).all():
        raise FormatError("theta_d holds NaN, infinity or a number beyond float32")
    if not isinstance(code, bytes | None):
        raise FormatError(f"code is a {type(code).__name__}: bytes are needed")
    if code is not None and decoded(code, d).tobytes() != theta_d.tobytes():
        raise FormatError("code is that of another theta_d: `coded` makes both")
    if isinstance(P, Adapter):
        theta_0, own = (P.backend.host(x) for x in (begun(network, P.backend, origin), P.theta_0))
        if theta_0.tobytes() != own.tobytes():
            wanted = "base"
            if isinstance(origin, int):
                wanted = f"the one that theta_0_seed = {origin} draws: give a pre-trained one as base="
            raise ValueError(f"theta_0 of T is not {wanted}")


def check_nameable(P: object) -> None:
    """TypeError for a P or T that no file can name."""
    if {**KINDS, **ADAPTERS}.get(getattr(P, "kind", "")) is not type(P):
        raise TypeError(f"P is a {type(P).__name__}: a file can name only {', '.join([*KINDS, *ADAPTERS])}")


def check_base(base: Array, D: int) -> NDArray[np.float32]:
    """A pre-trained θ_0 as the file's hash is taken of it: (D,) float32, read-only."""
    base = np.asarray(as_array("base", base))
    if base.dtype != np.float32:
        raise TypeError(
            f"base has dtype {base.dtype}: float32 is needed, the numbers that its sha256 is taken of"
        )
    if base.shape != (D,):
        raise ValueError(f"base has shape {base.shape}, but the model has D = {D}: ({D},) is needed")
    if not np.isfinite(base).all():
        raise ValueError("base holds NaN or infinity: it is no theta_0")
    return np.frombuffer(base.tobytes(), np.float32)


def named_base(named: str | None, given: Array | None, D: int) -> NDArray[np.float32] | None:
    """The base, if it is the one that the header names; None where it names none and none is given."""
    if named is None:
        if given is not None:
            raise ValueError("a base is given, but the file draws its theta_0 from a seed")
        return None
    if given is None:
        raise MissingBaseError(
            f"its theta_0 is a pre-trained one with the sha256 {named}: the base is needed"
        )
    base = check_base(given, D)
    if (own := sha256_of(base)) != named:
        raise FormatError(f"its theta_0 has the sha256 {named}, but the base that is given has {own}")
    return base


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


def network_of(spec: Spec, model: Model | None, backend: Backend | None) -> Model:
    """The network that the header describes, built or given."""
    if model is not None:
        check_kind("model", model, Model, "mlp([64, 10])")
        own, there = (canonical(s).decode() for s in (model.spec(), spec))
        if own != there:
            raise FormatError(f"it holds the network {there}, but the model given is {own}")
        return on(model, model.backend if backend is None else backend)
    backend = given(backend)
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


def projection_of(spec: Spec, model: Model, theta_d: NDArray[np.float32] | bytes) -> SeededProjection:
    """The P that the header describes, if it fits the network, theta_d if that is no code, and the memory."""
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
    check_room(20 * D + 13 * density * D * d, f"D = {D}, d = {d}")  # theta_0, P theta_d, theta; non-zeros
    try:
        P = projection_from_spec(options, model.backend)
        if canonical(P.spec()) != canonical(spec):
            raise ValueError(f"{spec} is not what P says of itself, {P.spec()}")
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError(f"its header's P cannot be drawn: {error}") from error
    return P


def make(spec: Spec, model: Model, origin: Origin, theta_d: NDArray[np.float32] | bytes) -> Adapter:
    """The T that the header describes, if it fits the network, theta_d if that is no code, and the memory."""
    options = dict(spec)
    try:
        seed = options.get("seed")
        if str(check_seed(int(seed))) != seed:  # type: ignore[arg-type]  # the TypeError is caught
            raise ValueError(f"seed is {shown(seed)}: a string of decimal digits is needed")
        options["seed"] = int(seed)
        r = check_integer("r", spec.get("r", 1), 1, LARGEST_D)
        shapes = MatrixAdapter.shapes(model.layout)
        check_room(20 * model.D + 8 * r * sum(map(sum, shapes)), f"D = {model.D}, r = {r}")  # and its factors
        theta_0 = begun(model, model.backend, origin)
        T: Adapter = built(
            "parametrisation", options, "kind", ADAPTERS,
            layout=model.layout, theta_0=theta_0, backend=model.backend,
        )  # fmt: skip
        if canonical(T.spec()) != canonical(spec):
            raise ValueError(f"{spec} is not what T says of itself, {T.spec()}")
        getattr(T, "projection", None)  # drawn now
    except TooLargeError:
        raise
    except MemoryError as error:
        raise TooLargeError(f"its header's T cannot be made: {error}") from error
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise FormatError(f"its header's T cannot be made: {error}") from error
    if not isinstance(theta_d, bytes) and len(theta_d) != T.dim:
        raise FormatError(
            f"theta_d has {len(theta_d)} numbers, but {T.kind} trains {T.dim} of this network: "
            f"{T.dim} are needed"
        )
    return T


def check_room(least: float, of: str) -> None:
    """TooLargeError where less memory is free."""
    if least > (free := free_memory()):
        raise TooLargeError(
            f"decoding {of} takes at least {least / 1e9:.3g} GB, but {free / 1e9:.1f} GB are free"
        )
