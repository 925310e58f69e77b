"""Projection: a D×d matrix that is used through its products P v and Pᵀ g."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from npintdim.backend import Backend
from npintdim.inputs import check_integer, check_kind
from npintdim.machine import LARGE
from npintdim.typing import Array, Floats

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


@runtime_checkable
class Operator(Protocol):
    """All that training in a subspace and the checks need of a P; your own class may have it too.

    A `backend` beside these three says where P computes; without it P takes and gives NumPy arrays.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """(D, d)."""
        ...

    def apply(self, v: Array) -> Array:
        """P v, (D,), for v (d,)."""
        ...

    def adjoint(self, g: Array) -> Array:
        """Pᵀ g, (d,), for g (D,)."""
        ...


class Projection(ABC):
    """An `Operator` with `to_dense()`, `P @ v` and `P.T @ g`, which follow from its two products.

    Results are fresh, and P has no workspace: two threads may use one P.
    """

    backend: Backend

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(D, d)."""

    @abstractmethod
    def apply(self, v: Array, rows: slice | None = None) -> Floats:
        """P v, or some of its rows.

        Parameters
        ----------
        v : (d,)
        rows : slice(a, b) with 0 ≤ a < b ≤ D for rows a, ..., b − 1, the same numbers as in all of P v;
            None for all. A class of your own may leave it out

        Raises
        ------
        ValueError, TypeError
            if v has another shape, lives on another device, or is not real numbers; if rows is no such slice.
        MemoryError
            if P v is larger than the memory that is free.
        """

    @abstractmethod
    def adjoint(self, g: Array, rows: slice | None = None, out: Array | None = None) -> Floats:
        """Pᵀ g, or what some rows of P add to it.

        Parameters
        ----------
        g : (D,), or (b − a,) for these rows
        rows : as in `apply`
        out : (d,), to which it is added; None for zeros

        Raises
        ------
        ValueError, TypeError
            as `apply`; if out has another shape or dtype.
        """

    def checked(self, name: str, x: Array, length: int, of: str = "") -> Floats:
        """The vector in the backend's dtype, if it has that length: how both products begin."""
        x = self.backend.floats(x, name)
        if x.shape != (length,):
            D, d = self.shape
            columns = x.ndim == 2 and x.shape[0] == length
            how = "; P @ V and P.T @ G take matrices, column by column" if columns else ""
            raise ValueError(
                f"{name} has shape {x.shape}, but P is D×d = {D}×{d}{of}: "
                f"{name} must have shape ({length},){how}"
            )
        return x

    def checked_rows(self, rows: slice) -> tuple[int, int]:
        """First row and end of a slice."""
        D = self.shape[0]
        check_kind("rows", rows, slice, "slice(0, D)")
        needed = f"rows=slice(a, b) with 0 ≤ a < b ≤ D = {D}"
        if rows.step is not None:
            raise ValueError(f"rows is {rows}, with a step: {needed} is needed")
        b = D if rows.stop is None else check_integer("b", rows.stop, 1, D, needed)
        return check_integer("a", 0 if rows.start is None else rows.start, 0, b - 1, needed), b

    def begin_apply(self, v: Array, rows: slice | None) -> tuple[Floats, int, int]:
        """V checked, and the rows a, ..., b − 1 of P v, for whose numbers there must be memory."""
        D, d = self.shape
        a, b = (0, D) if rows is None else self.checked_rows(rows)
        size = (b - a) * self.backend.dtype.itemsize
        if size > LARGE:
            what = f"P v, rows {a} to {b - 1} of D×d = {D}×{d}"
            self.backend.room(what, size, "ask for fewer by rows=slice(a, b)")
        return self.checked("theta_d", v, d), a, b

    def begin_adjoint(self, g: Array, rows: slice | None, out: Array | None) -> tuple[Floats, int, int]:
        """G and out checked, and the rows a, ..., b − 1 of g."""
        D, d = self.shape
        a, b = (0, D) if rows is None else self.checked_rows(rows)
        of = "" if rows is None else f" and rows are {a} to {b - 1}"
        if out is not None:
            check_kind("out", out, self.backend.xp.ndarray, "backend.xp.zeros(d, backend.dtype)")
            if out.shape != (d,) or out.dtype != self.backend.dtype:
                raise ValueError(f"out is {out.dtype} {out.shape}: {self.backend.dtype} {(d,)} is needed")
        return self.checked("grad_theta", g, b - a, of), a, b

    def to_dense(self) -> Floats:
        """The matrix (D, d), whose column j is P e_j; that is how the entries of P are defined."""
        (D, d), xp, dtype = self.shape, self.backend.xp, self.backend.dtype
        what = f"the matrix of P, D×d = {D}×{d} {dtype.name}"
        self.backend.room(what, D * d * dtype.itemsize, "use P @ v and P.T @ g, which need none")
        dense: Floats = xp.empty((D, d), dtype=dtype)
        for j in range(d):
            e_j = xp.zeros(d, dtype=dtype)
            e_j[j] = 1
            dense[:, j] = self.apply(e_j)
        return dense

    def __matmul__(self, v: Array) -> Floats:
        return _columns(self.backend, self.apply, v, "theta_d")

    @property
    def T(self) -> Transposed:
        """Pᵀ, for `P.T @ g`."""
        return Transposed(self)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its entries; SciPy's `aslinearoperator(P)` asks for it."""
        return self.backend.dtype

    def matvec(self, v: Array) -> Floats:
        """P v under SciPy's name; v may be (d, 1)."""
        return self.apply(np.asarray(v).reshape(-1))

    def rmatvec(self, g: Array) -> Floats:
        """Pᵀ g under SciPy's name."""
        return self.adjoint(np.asarray(g).reshape(-1))

    def as_linear_operator(self) -> LinearOperator:
        """P for SciPy's iterative solvers; only for the CPU backends."""
        # slow to import; `npintdim.testing` needs NumPy only
        from scipy.sparse.linalg import aslinearoperator

        return aslinearoperator(self)


@dataclass(frozen=True)
class Transposed:
    """Pᵀ: `P.T @ g` is `P.adjoint(g)`."""

    P: Projection

    @property
    def shape(self) -> tuple[int, int]:
        """(d, D)."""
        D, d = self.P.shape
        return d, D

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
        return backend.xp.stack([f(column) for column in x.T], axis=1)
    return f(x)
