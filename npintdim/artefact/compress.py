"""CompressedModel: a trained network as two seeds and theta_d, in one small file (docs/format.md)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npintdim.adapters import Adapter
from npintdim.artefact import decode, fileformat
from npintdim.artefact.coding import Codebook, pack, unpack
from npintdim.artefact.decode import Map, Origin, decoded_theta, sha256_of
from npintdim.artefact.fileformat import FormatError
from npintdim.backend import Backend, as_array
from npintdim.engine.landscape import Batch, Evaluation
from npintdim.engine.model import Model
from npintdim.files import write_atomically
from npintdim.inputs import check_integer, check_kind, cut, table_html
from npintdim.machine import free_memory
from npintdim.objective import FromStart, ParametrisedObjective, SubspaceObjective
from npintdim.rng import SCHEME
from npintdim.typing import Array, Ints, Spec


@dataclass(frozen=True, eq=False)
class CompressedModel:
    """θ = float32(θ_0 + P θ_d), kept as the seed of θ_0, the seed of P, and θ_d.

    Another parametrisation T may stand in the place of P: θ = float32(T(v_0 + θ_d)) with v_0 = T.start(),
    which is drawn again; θ_d is then how far training moved v. And θ_0 may be a pre-trained one, of which the
    file holds the sha256 alone: whoever reads it must have the base, as a LoRA file needs its base model.

    Make one with `from_parts` or `load`.

    Parameters
    ----------
    network : holds no parameters
    P : D×d; or an `Adapter` over the network's θ_0
    theta_0_seed : θ_0 = network.init_theta(theta_0_seed); None where it is pre-trained
    theta_d : (d,) float32; a read-only copy is kept
    code : of theta_d, where it is quantised: what the file holds in its place (`coded` makes it)
    base : a pre-trained θ_0, (D,) float32; None where a seed draws it

    Raises
    ------
    TypeError, ValueError
        if the parts do not agree, theta_d is not finite,
        or a file could not say which network or projection it is.

    Notes
    -----
    The decoded θ is bits, not bounds: θ_0 and Σ_j P_j θ_d,j in float64 (`SeededProjection.apply_exact`), one
    sum, one rounding to float32. Every backend and machine gets the same, and the file holds its sha256.
    """

    network: Model
    P: Map
    theta_0_seed: int | None
    theta_d: NDArray[np.float32]
    code: bytes | None = None
    base: NDArray[np.float32] | None = None

    @classmethod
    def from_parts(
        cls, model: Model, theta_0_seed: int | None, P: Map, theta_d: Array, base: Array | None = None
    ) -> CompressedModel:
        """What a training run in a subspace leaves behind.

        Parameters
        ----------
        model : of D parameters
        theta_0_seed : the seed that `model.init_theta` was given; None with a base
        P : the projection of the run, D×d, or its `Adapter`
        theta_d : (d,), on any device; of an adapter v, of which v − start is kept.
            It is rounded to float32, so evaluate
            after this step
        base : the pre-trained θ_0 that training went on from, (D,) float32

        Raises
        ------
        TypeError, ValueError
            as the class does, and if theta goes beyond float32.
        """
        decode.check_nameable(P)
        values = P.backend.host(theta_d)
        if values.dtype.kind not in "fiu":
            raise TypeError(f"theta_d has dtype {values.dtype}: real numbers are needed")
        if isinstance(P, Adapter):
            values = values.astype(np.float64) - P.backend.host(P.start())
        with np.errstate(all="ignore"):
            rounded = values.astype(np.float32)
        compressed = cls(model, P, theta_0_seed, rounded, base=base)
        compressed.theta()  # what goes beyond float32 is found now, not when it is saved
        return compressed

    def coded(self, codebook: Codebook, symbols: Ints) -> CompressedModel:
        """The same network with θ_d,j = level symbols_j of the codebook, which takes far fewer bytes.

        Parameters
        ----------
        codebook : K levels
        symbols : (d,) integers below K

        Raises
        ------
        ValueError
            if there are not d symbols, one of them is no level, or theta is not finite.
        """
        check_kind("codebook", codebook, Codebook, "fit('uniform', 3, theta_d)")
        symbols = np.asarray(symbols)
        if symbols.dtype.kind not in "iu":
            raise TypeError(f"symbols have dtype {symbols.dtype}: integers are needed")
        if symbols.shape != (self.d,):
            raise ValueError(f"symbols have shape {symbols.shape}, but d = {self.d}: ({self.d},) is needed")
        code = pack(codebook, symbols)
        compressed = replace(self, theta_d=codebook.levels[symbols], code=code)
        compressed.theta()  # as in from_parts
        return compressed

    def __post_init__(self) -> None:
        seed, base = self.theta_0_seed, self.base
        if base is None:
            seed = check_integer("theta_0_seed", seed, 0, (1 << 64) - 1, "0 ≤ theta_0_seed < 2**64")
        elif seed is not None:
            raise ValueError(f"theta_0_seed is {seed} and a base is given: one of the two is theta_0")
        else:
            check_kind("network", self.network, Model, "mlp([64, 10])")
            object.__setattr__(self, "base", base := decode.check_base(base, self.network.D))
        theta_d = np.asarray(as_array("theta_d", self.theta_d))
        object.__setattr__(self, "theta_0_seed", seed)
        decode.check_parts(self.network, self.P, self._origin, theta_d, self.code)
        read_only = np.frombuffer(theta_d.tobytes(), np.float32)  # for ever
        object.__setattr__(self, "theta_d", read_only)

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self.network, self.P, self.theta_0_seed, self.theta_d, self.code, self.base)
        return type(self), parts  # looked at again

    @property
    def d(self) -> int:
        """How many numbers are kept."""
        return len(self.theta_d)

    @property
    def _origin(self) -> Origin:
        # one of them is there
        return self.theta_0_seed if self.base is None else self.base  # type: ignore[return-value]

    @cached_property
    def _theta(self) -> NDArray[np.float32]:
        theta = decoded_theta(self.network, self.P, self._origin, self.theta_d)
        if not np.isfinite(theta).all():
            raise FormatError("theta = theta_0 + P theta_d goes beyond float32")
        return theta

    @property
    def codebook(self) -> Codebook | None:
        """Of a quantised θ_d."""
        return None if self.code is None else unpack(self.code, self.d)[0]

    def theta(self) -> NDArray[np.float32]:
        """The decoded θ, (D,) float32 on the host: the same bits everywhere."""
        return self._theta.copy()

    @cached_property
    def theta_sha256(self) -> str:
        """Sha256 (hex) of θ as little-endian float32."""
        return sha256_of(self._theta)

    @cached_property
    def fingerprint(self) -> str:
        """`P.fingerprint()`; of an adapter the sha256 of the θ that ones decode to."""
        if isinstance(self.P, Adapter):
            return sha256_of(decoded_theta(self.network, self.P, self._origin, np.ones(self.d, np.float32)))
        return self.P.fingerprint()

    def model(self, backend: Backend | None = None) -> Model:
        """The network, on a backend if one is given."""
        return self.network if backend is None else decode.on(self.network, backend)

    def objective(self, backend: Backend | None = None, **options: Any) -> ParametrisedObjective:
        """The landscape of dimension d in which theta_d is a point, to train on.

        Options are those of the projection that do not change P: stored=True for a dense P, which
        `load` leaves matrix-free.

        Raises
        ------
        ValueError
            if they would make another P.
        """
        model = self.model(backend)
        theta_0 = decode.begun(model, model.backend, self._origin)
        if isinstance(self.P, Adapter):
            T = replace(self.P, theta_0=theta_0, backend=model.backend, **options)
            return ParametrisedObjective(model, FromStart(T))
        P = replace(self.P, backend=model.backend, **options)
        if P.spec() != self.P.spec():
            raise ValueError(f"options {options} make another P: {P.spec()} instead of {self.P.spec()}")
        return SubspaceObjective(model, theta_0, P)

    def evaluate(self, data: Batch, backend: Backend | None = None) -> Evaluation:
        """Loss and performance of the decoded θ on data (on the device of the backend)."""
        model = self.model(backend)
        return model.evaluate(model.backend.send(self.theta(), model.backend.dtype), data)

    def header(self) -> Spec:
        """What the file says in JSON."""
        seed = {"theta_0_seed": str(self.theta_0_seed)}
        return {
            "T" if isinstance(self.P, Adapter) else "P": self.P.spec(),
            "model": self.network.spec(),
            "scheme": SCHEME,
        } | (seed if self.base is None else {"theta_0": sha256_of(self.base)})

    def _repr_html_(self) -> str:
        size, D, book = len(self.to_bytes()), self.network.D, self.codebook
        levels = "float32" if book is None else f"{len(book.levels):,} levels"
        adapted = isinstance(self.P, Adapter)
        rows = [
            ("θ = T(v_0 + θ_d)" if adapted else "θ = θ_0 + P θ_d", "in the file"),
            ("network", cut(json.dumps(self.network.spec()))),
            ("θ_0", f"seed {self.theta_0_seed}" if self.base is None else f"base {sha256_of(self.base)}"),
            ("T" if adapted else "P", json.dumps(self.P.spec())),
            ("θ_d", f"{self.d:,} numbers, {levels}"),
            ("sha256 of θ", self.theta_sha256),
        ]
        return table_html(f"compressed network: D = {D:,}", rows, f"{size:,} bytes instead of {4 * D:,}")

    def to_bytes(self) -> bytes:
        """The file's content."""
        theta_d = self.theta_d if self.code is None else self.code
        return fileformat.to_bytes(self.header(), self.fingerprint, self.theta_sha256, theta_d)

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the file, all or nothing; a file of that name is replaced only by a complete one.

        Returns
        -------
        its size in bytes
        """
        data = self.to_bytes()
        write_atomically(Path(path), data)
        return len(data)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        model: Model | None = None,
        backend: Backend | None = None,
        base: Array | None = None,
    ) -> CompressedModel:
        """Read a file, rebuild P and θ, and compare both with what the file says of them.

        Parameters
        ----------
        path : of the file
        model : the network, where it has layers that are not this package's; its spec must be the file's
        backend : None for that of `model`, or else `get_backend()`
        base : the pre-trained θ_0, (D,) float32, of a file that names one

        Raises
        ------
        FormatError
            which says why; see docs/format.md.
        TypeError, ValueError
            for a base that is no θ_0 of the network, or that the file does not ask for.
        OSError
            if the file cannot be read.
        """
        try:
            data = fileformat.read_file(Path(path), free_memory())
            return cls._read(data, model, backend, base)
        except FormatError as error:
            raise type(error)(f"{os.fspath(path)}: {error}") from error

    def reread(self, backend: Backend | None = None) -> CompressedModel:
        """What `load` would make of the file, and its errors: network built, P drawn, θ_d decoded anew."""
        return self._read(
            self.to_bytes(), None, self.network.backend if backend is None else backend, self.base
        )

    @classmethod
    def _read(
        cls, data: bytes, model: Model | None, backend: Backend | None, base: Array | None = None
    ) -> CompressedModel:
        header, fingerprint, theta_sha256, values = fileformat.from_bytes(data)
        network = decode.network_of(header["model"], model, backend)
        base = decode.named_base(header.get("theta_0"), base, network.D)
        origin: Origin = int(header["theta_0_seed"]) if base is None else base
        seed, P = origin if isinstance(origin, int) else None, header.get("P")
        drawn: Map = (
            decode.projection_of(P, network, values)
            if P
            else decode.make(header["T"], network, origin, values)
        )
        d = drawn.dim if isinstance(drawn, Adapter) else drawn.d
        theta_d, code = (decode.decoded(values, d), values) if isinstance(values, bytes) else (values, None)
        compressed = cls(network, drawn, seed, theta_d, code, base)
        if compressed.fingerprint != fingerprint:
            raise FormatError(
                f"{'T' if P is None else 'P'} has the fingerprint {compressed.fingerprint} here, "
                f"but {fingerprint} in the file"
            )
        if compressed.theta_sha256 != theta_sha256:
            raise FormatError(
                f"theta has the sha256 {compressed.theta_sha256} here, but {theta_sha256} in the file"
            )
        return compressed
