"""The usual mistakes: one kind of computation a file, in steps, and what people do instead of each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from npintdim.inputs import unknown
from npintdim.testing.mistakes import (
    adapters,
    artefact,
    dense,
    drawing,
    fastfood,
    from_seeds,
    networks,
    said,
    sparse,
    subspace,
    trajectory,
    uni_lora,
    wht,
)
from npintdim.testing.mistakes.anywhere import ANYWHERE
from npintdim.testing.mistakes.table import Mistake, Problem, Steps, Table, wrong

TABLES: dict[tuple[str, str, str], Table] = (  # family, level, task
    drawing.TABLES | wht.TABLES | fastfood.TABLES | dense.TABLES | sparse.TABLES | subspace.TABLES
    | networks.TABLES | trajectory.TABLES | said.TABLES | adapters.TABLES | uni_lora.TABLES
    | from_seeds.TABLES | artefact.TABLES
)  # fmt: skip

__all__ = ["ANYWHERE", "TABLES", "Mistake", "Problem", "Steps", "Table", "register_mistake"]


def register_mistake(
    family: str, name: str, variant: Callable[[Any, Any], Any], says: str | None = None
) -> None:
    """A mistake of a team's own, for `explain`: it is found where fn gives the numbers of variant.

    Parameters
    ----------
    family : as in `explain`; of all its levels and tasks, those whose problems variant can compute
    name : what `Explanation.mistakes` then has
    variant : variant(first input, p), the wrong computation as a callable that `explain` itself takes
    says : the sentence; None for the name

    Raises
    ------
    ValueError
        for an unknown family, or a name that the family has already.
    """
    keys = [key for key in TABLES if key[0] == family]
    if not keys:
        raise unknown("family", family, dict.fromkeys(key[0] for key in TABLES))
    if any(m.name == name for key in keys for m in TABLES[key].mistakes):
        raise ValueError(f"{family!r} has a mistake {name!r} already: give yours another name")
    mine = wrong(name, says or name, compute=lambda s, first, p: variant(first, p))
    for key in keys:
        TABLES[key] = replace(TABLES[key], mistakes=(mine, *TABLES[key].mistakes))
