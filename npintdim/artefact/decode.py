"""The decoded θ: bits, not bounds (docs/format.md, section 3)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from npintdim.adapters import Adapter
from npintdim.artefact.fileformat import FormatError
from npintdim.backend import Backend, get_backend
from npintdim.engine.model import Model
from npintdim.inputs import quiet
from npintdim.projections import SeededProjection
from npintdim.typing import Floats

Map: TypeAlias = SeededProjection | Adapter  # from what is kept to θ: P of a subspace, or another T


def on(model: Model, backend: Backend) -> Model:
    """The same network on another backend."""
    return Model(model.layers, model.in_shape, backend, model.spec(), model.backend.fuse)


def begun(
    network: Model, backend: Backend, theta_0_seed: int | None, base: NDArray[np.float32] | None
) -> Floats:
    """θ_0 on a backend: what its seed draws, or the pre-trained one that was given."""
    if base is not None:
        return backend.send(base, backend.dtype)
    assert theta_0_seed is not None
    return on(network, backend).init_theta(theta_0_seed)


@quiet  # whoever asks for θ says what is not finite
def decoded_theta(
    network: Model,
    P: Map,
    theta_0_seed: int | None,
    theta_d: NDArray[np.float32],
    base: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """θ = float32(θ_0 + P θ_d), or float32(T(v_0 + θ_d)) with v_0 = T.start(): float64, one rounding.

    The same on every backend and machine.
    """
    if isinstance(P, Adapter):
        host = get_backend("numpy", np.dtype(np.float64))
        T = replace(P, theta_0=begun(network, host, theta_0_seed, base), backend=host)
        try:
            return T.exact(T.start() + theta_d).astype(np.float32)
        except ValueError as error:  # there is no order of operations
            raise FormatError(str(error)) from error
    backend = replace(network.backend, dtype=np.dtype(np.float64))
    theta_0 = backend.host(begun(network, backend, theta_0_seed, base))
    theta: NDArray[np.float32] = (theta_0 + P.apply_exact(theta_d)).astype(np.float32)
    return theta


def fingerprint(
    network: Model, P: Map, theta_0_seed: int | None, base: NDArray[np.float32] | None = None
) -> str:
    """`P.fingerprint()`; of another T the sha256 of the θ that ones decode to."""
    if isinstance(P, Adapter):
        return sha256(decoded_theta(network, P, theta_0_seed, np.ones(P.dim, np.float32), base))
    return P.fingerprint()


def sha256(theta: NDArray[np.float32]) -> str:
    """Sha256 (hex) of little-endian float32."""
    return hashlib.sha256(theta.astype("<f4").tobytes()).hexdigest()
