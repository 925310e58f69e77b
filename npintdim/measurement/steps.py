"""One step of a search: the runs to do, and the sentence that says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Proposal(NamedTuple):
    """A run to do: repetition `seed` at d, or of direct training (None)."""

    d: int | None
    seed: int


class Plan(NamedTuple):
    """What to do next, none when the search is over, and why."""

    runs: tuple[Proposal, ...]
    why: str


def numbered(done: Sequence[int | None], wanted: Sequence[int | None], why: str) -> Plan:
    """Each wanted d with its next repetition."""
    seen = Counter(done)
    runs = []
    for d in wanted:
        runs.append(Proposal(d, seen[d]))
        seen[d] += 1
    *most, last = [str(d) for d in wanted if d is not None] or [""]
    inside = f"{', '.join(most)} and {last}" if most else last
    direct = list(wanted).count(None)
    named = [f"d = {inside}"] * bool(inside) + [f"{direct} direct"] * bool(direct)
    return Plan(tuple(runs), f"{why}; next {' and '.join(named)}")
