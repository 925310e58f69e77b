"""Dense projections from their matrix, on the device; the definition is `reference/stored.py`."""

from __future__ import annotations

from npintdim.typing import Floats


def stored_apply(v: Floats, columns: Floats, start: int, stop: int, threads: int = 1) -> Floats:
    """P v, by cuBLAS."""
    return columns[:, start:stop].T @ v


def stored_adjoint(g: Floats, columns: Floats, start: int, threads: int = 1) -> Floats:
    """Pᵀ g, by cuBLAS."""
    return columns[:, start : start + len(g)] @ g
