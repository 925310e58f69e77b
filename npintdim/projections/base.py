"""Projection: a D×d matrix that is known by its seed and used through its products."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.backend import Backend
from npintdim.inputs import check_integer
from npintdim.rng import SCHEME
from npintdim.specs import settle
from npintdim.typing import Array, Floats, Ints, Spec

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


@dataclass(frozen=True)
class Projection(ABC):
    """P, D×d with unit columns: a function of (kind, D, d, seed, options) and of nothing else.

    Immutable and without workspace: two threads may use one P.

    Parameters
    ----------
    D, d : 1 ≤ d ≤ D
    seed : 0 ≤ seed < 2⁶⁴
    backend : where it computes

    Raises
    ------
    TypeError, ValueError
        if d, D or the seed are not such integers.
    """

    D: int
    d: int
    seed: int
    backend: Backend

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        D = check_integer("D", self.D, 1)
        check_integer("d", self.d, 1, D, f"1 ≤ d ≤ D = {D}")
        settle(self)
        self._check()

    @staticmethod  # noqa: B027  a kind may have no options
    def check(*_: Any, **options: Any) -> None:
        """Refuse options out of range, before anything is drawn."""

    @abstractmethod
    def _check(self) -> None:
        """Raise now whatever would make P unusable."""

    @abstractmethod
    def _apply(self, v: Floats) -> Floats:
        """P v for a checked v."""

    @abstractmethod
    def _adjoint(self, g: Floats) -> Floats:
        """Pᵀ g for a checked g."""

    @abstractmethod
    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """P v in float64 on the host, in an order of operations that is part of the definition.

        Σ_j P_j v_j with j ascending, each product and each sum rounded (Fastfood: its transform).
        The same bits on every backend and machine: compressed files are decoded with it.
        """

    @abstractmethod
    def options(self) -> Spec:
        """Keywords that, with kind, D, d and seed, determine P."""

    @abstractmethod
    def coverage(self) -> float:
        """Share of the D parameters that can move at all: rows of P that are not zero."""

    @abstractmethod
    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """The integers that P is made of: (family, index of the first, chunk)."""

    @property
    def shape(self) -> tuple[int, int]:
        """(D, d)."""
        return self.D, self.d

    def apply(self, v: Array, out: Floats | None = None) -> Floats:
        """P v.

        Parameters
        ----------
        v : (d,)
        out : (D,) to write to; a fresh array without it

        Raises
        ------
        ValueError
            if v or out has another shape, or out another dtype than the backend's.
        """
        return self._product(self._apply, v, "theta_d", self.d, out)

    def adjoint(self, g: Array, out: Floats | None = None) -> Floats:
        """Pᵀ g.

        Parameters
        ----------
        g : (D,)
        out : (d,) to write to; a fresh array without it

        Raises
        ------
        ValueError
            if g or out has another shape, or out another dtype than the backend's.
        """
        return self._product(self._adjoint, g, "grad_theta", self.D, out)

    def _product(
        self, f: Callable[[Floats], Floats], x: Array, name: str, length: int, out: Floats | None
    ) -> Floats:
        x = self.backend.floats(x, name)
        if x.shape != (length,):
            raise ValueError(
                f"{name} has shape {x.shape}, but P is D×d = {self.D}×{self.d}: "
                f"{name} must have shape ({length},)"
            )
        y = f(x)
        if out is None:
            return y
        out = self.backend.buffer(out, y.shape)
        out[...] = y
        return out

    def to_dense(self) -> Floats:
        """The matrix (D, d), whose column j is P e_j; that is how the entries of P are defined."""
        xp = self.backend.xp
        dense: Floats = xp.empty((self.D, self.d), dtype=self.backend.dtype)
        for j in range(self.d):
            e_j = xp.zeros(self.d, dtype=self.backend.dtype)
            e_j[j] = 1
            dense[:, j] = self._apply(e_j)
        return dense

    def spec(self) -> Spec:
        """JSON-able description; `projection_from_spec` builds P from it. Seeds are strings in JSON."""
        return {"kind": self.kind, "D": self.D, "d": self.d, "seed": str(self.seed), **self.options()}

    def fingerprint(self) -> str:
        """Sha256 (hex) of the spec and of every integer that P is made of.

        Per family of integers x_i it takes Σ x_i² and Σ (2i+1) x_i modulo 2⁶⁴, which do not depend on
        the order of summation, so that it is cheap on every device.
        """
        sums: dict[str, list[int]] = {}
        for family, start, chunk in self.integers():
            x = chunk.reshape(-1).astype(np.int64).view(np.uint64)
            odd = self.backend.xp.arange(start, start + len(x), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
            total = sums.setdefault(family, [0, 0])
            total[0] = (total[0] + int((x * x).sum())) % (1 << 64)
            total[1] = (total[1] + int((odd * x).sum())) % (1 << 64)
        text = json.dumps(
            {"scheme": SCHEME, **self.spec(), "sums": sums}, sort_keys=True, separators=(",", ":")
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def as_linear_operator(self) -> LinearOperator:
        """P for SciPy's iterative solvers; only for the CPU backends."""
        from scipy.sparse.linalg import LinearOperator  # slow to import; `npintdim.testing` needs NumPy only

        return LinearOperator(self.shape, matvec=self._flat(self.apply), rmatvec=self._flat(self.adjoint),
                              dtype=self.backend.dtype)  # fmt: skip

    @staticmethod
    def _flat(f: Callable[[Array], Floats]) -> Callable[[Array], Floats]:
        return lambda x: f(np.asarray(x).reshape(-1))

    def __matmul__(self, v: Array) -> Floats:
        return _columns(self.backend, self.apply, v, "theta_d")

    @property
    def T(self) -> Transposed:
        """Pᵀ, for `P.T @ g`."""
        return Transposed(self)

    def __reduce__(self) -> tuple[Callable[..., Projection], tuple[Any, ...]]:
        return _again, (type(self), {field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True)
class Transposed:
    """Pᵀ: `P.T @ g` is `P.adjoint(g)`."""

    P: Projection

    @property
    def shape(self) -> tuple[int, int]:
        """(d, D)."""
        return self.P.d, self.P.D

    @property
    def T(self) -> Projection:
        """P again."""
        return self.P

    def __matmul__(self, g: Array) -> Floats:
        return _columns(self.P.backend, self.P.adjoint, g, "grad_theta")


def _columns(backend: Backend, f: Callable[[Array], Floats], x: Array, name: str) -> Floats:
    """f on a vector, or on every column of a matrix."""
    x = backend.floats(x, name)
    if x.ndim == 2:
        stacked: Floats = backend.xp.stack([f(column) for column in x.T], axis=1)
        return stacked
    return f(x)


def _again(cls: type[Projection], arguments: dict[str, Any]) -> Projection:
    """Unpickle by drawing again: a seed travels, the factors do not."""
    return cls(**arguments)
