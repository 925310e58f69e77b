"""Dense projections from their matrix, given as its columns one after another: columns[j] = P_j.

Both products are those of some rows, start, ..., stop − 1.
"""

from __future__ import annotations

from npintdim.typing import Floats


def stored_apply(v: Floats, columns: Floats, start: int, stop: int, threads: int = 1) -> Floats:
    """P v = Σ_j P_j v_j: (stop − start,), dtype of v."""
    return columns[:, start:stop].T @ v


def stored_adjoint(g: Floats, columns: Floats, start: int, threads: int = 1) -> Floats:
    """(Pᵀ g)_j = ⟨P_j, g⟩: (d,), dtype of g."""
    return columns[:, start : start + len(g)] @ g
