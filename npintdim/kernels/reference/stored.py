"""Dense projections from their matrix, given as its columns one after another: columns[j] = P_j."""

from __future__ import annotations

from npintdim.typing import Floats


def stored_apply(v: Floats, columns: Floats, threads: int = 1) -> Floats:
    """P v = Σ_j P_j v_j.

    Returns
    -------
    (D,), dtype of v
    """
    return columns.T @ v


def stored_adjoint(g: Floats, columns: Floats, threads: int = 1) -> Floats:
    """(Pᵀ g)_j = ⟨P_j, g⟩.

    Returns
    -------
    (d,), dtype of g
    """
    return columns @ g
