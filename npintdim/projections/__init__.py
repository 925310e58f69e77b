"""Random projections P, D×d: one kind a file, all with unit columns."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from npintdim.backend import Backend, given
from npintdim.inputs import unknown
from npintdim.projections.base import Projection, Transposed
from npintdim.projections.dense import DenseProjection
from npintdim.projections.fastfood import FastfoodProjection
from npintdim.projections.sparse import SparseProjection
from npintdim.typing import Spec

KINDS: dict[str, type[Projection]] = {
    cls.kind: cls for cls in (DenseProjection, SparseProjection, FastfoodProjection)
}

__all__ = [
    "KINDS",
    "DenseProjection",
    "FastfoodProjection",
    "Projection",
    "SparseProjection",
    "Transposed",
    "make_projection",
    "projection_from_spec",
]


def make_projection(
    kind: str, D: int, d: int, seed: int, backend: Backend | None = None, **options: Any
) -> Projection:
    """Draw P.

    Parameters
    ----------
    kind : "dense", "sparse" or "fastfood"
    D, d : 1 ≤ d ≤ D
    seed : 0 ≤ seed < 2⁶⁴
    backend : None for `get_backend()`
    **options
        dense: entries="gaussian" | "rademacher", stored=True;
        sparse: density=1/√D;
        fastfood: blocks="stacked" | "single", signs=True

    Raises
    ------
    ValueError, TypeError
        for an unknown kind or option (the near miss is named), or d, D, seed out of range.
    MemoryError
        if a stored dense P is larger than the memory that is free.
    """
    if kind not in KINDS:
        raise unknown("projection", kind, KINDS)
    known = [f.name for f in fields(KINDS[kind])][4:]
    for name in options:
        if name not in known:
            raise unknown(f"option of {kind!r}", name, known)
    return KINDS[kind](D=D, d=d, seed=seed, backend=given(backend), **options)


def projection_from_spec(spec: Spec, backend: Backend | None = None) -> Projection:
    """Draw the P that `Projection.spec()` describes."""
    options = dict(spec)
    return make_projection(backend=backend, **options | {"seed": int(options["seed"])})
