"""Random projections P, D×d: one kind a file, all with unit columns.

`base` is the operator, P v and Pᵀ g; `seeded` what files and certificates need beside it.
"""

from __future__ import annotations

import re
from typing import Any

from npintdim.backend import Backend, given
from npintdim.inputs import one_of
from npintdim.projections.base import Operator, Projection, Transposed
from npintdim.projections.coordinates import CoordinateProjection
from npintdim.projections.dense import DenseProjection
from npintdim.projections.fastfood import FastfoodProjection
from npintdim.projections.onehot import OneHotProjection
from npintdim.projections.orthonormal import OrthonormalProjection
from npintdim.projections.seeded import SeededProjection
from npintdim.projections.sparse import SparseProjection
from npintdim.specs import UNREGISTERED, built, called, check_spec, kinds
from npintdim.typing import Spec

KINDS: dict[str, type[SeededProjection]] = kinds(
    "projection", SeededProjection, "kind",
    DenseProjection, SparseProjection, FastfoodProjection,
    OneHotProjection, OrthonormalProjection, CoordinateProjection,
)  # fmt: skip

__all__ = [
    "KINDS",
    "CoordinateProjection",
    "DenseProjection",
    "FastfoodProjection",
    "OneHotProjection",
    "Operator",
    "OrthonormalProjection",
    "Projection",
    "SeededProjection",
    "SparseProjection",
    "Transposed",
    "check_projection",
    "make_projection",
    "projection_from_spec",
]


def make_projection(
    kind: str, D: int, d: int, seed: int, backend: Backend | None = None, **options: Any
) -> SeededProjection:
    """Draw P.

    Parameters
    ----------
    kind : "dense", "sparse", "fastfood", "onehot", "orthonormal" or "coordinates"
    D, d : 1 ≤ d ≤ D
    seed : 0 ≤ seed < 2⁶⁴
    backend : None for `get_backend()`
    **options
        dense: entries="gaussian" | "rademacher", stored=True;
        sparse: density=1/√D;
        fastfood: blocks="stacked" | "single", signs=True, stored=True;
        onehot: signs=True

    Raises
    ------
    ValueError, TypeError
        for an unknown kind or option (the near miss is named), or d, D, seed out of range.
    MemoryError
        if a stored dense P, or a sparse one, is larger than the memory that is free.
    """
    cls = KINDS[one_of("projection", kind, KINDS, UNREGISTERED)]
    return called(repr(kind), cls, options, D=D, d=d, seed=seed, backend=given(backend))


def projection_from_spec(spec: Spec, backend: Backend | None = None) -> SeededProjection:
    """Draw the P that `SeededProjection.spec()` describes.

    Raises
    ------
    TypeError, ValueError, MemoryError
        see `make_projection`; members that are missing or unknown are named.
    """
    options = check_spec("P", spec)
    if isinstance(seed := options.get("seed"), str) and re.fullmatch("[0-9]{1,20}", seed):
        options["seed"] = int(seed)  # any other text is refused as no integer
    return built("projection", options, "kind", KINDS, backend=given(backend))


def check_projection(spec: Spec) -> None:
    """Refuse a kind of P, or options of it, that does not exist, as `make_projection` does; draw nothing."""
    built("projection", spec, "kind", {name: cls.check for name, cls in KINDS.items()})
