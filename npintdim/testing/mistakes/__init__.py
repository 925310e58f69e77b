"""The usual mistakes, written out: one family a file, a right computation in steps and what people do instead."""

from npintdim.testing.mistakes import (
    dense,
    fastfood,
    fastfood_seeded,
    maps,
    mlp,
    philox,
    sparse,
    subspace,
    trajectory,
    wht,
)
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, nothing_known

_FAMILIES = (philox, maps, wht, fastfood, fastfood_seeded, dense, sparse, subspace, mlp, trajectory)
TABLES: dict[tuple[str, str, str], Table] = {  # family, level, task
    key: table for family in _FAMILIES for key, table in family.TABLES.items()
}

__all__ = ["TABLES", "Mistake", "Problem", "Steps", "Table", "nothing_known"]
