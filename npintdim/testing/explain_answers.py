"""Why a C, Rust or CUDA program failed: `explain` on the answers that it wrote to the test vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from npintdim.testing.answers import REFUSED, judge, parsed
from npintdim.testing.cases import Case
from npintdim.testing.explain import explain_given
from npintdim.testing.mistakes import TABLES, Problem


def explained(cases: Iterable[Case], answers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A sentence for each group of the vectors in which an answer to a valid test failed.

    Yields
    ------
    str, str
        "fastfood given apply", and what all the group's answers together look like; nothing for a group without
        a table of mistakes, or whose answers are right to rounding.
    """
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for case in cases:
        if case.valid and answers.get(case.id, REFUSED) != REFUSED:
            groups.setdefault((case.family, case.level, case.task), []).append(case)
    for key, group in groups.items():
        if key not in TABLES or not any(judge(case, answers[case.id]) for case in group):
            continue
        try:
            given = [(_problem(case), _in_order(case, parsed(case, answers[case.id]))) for case in group]
        except (ValueError, TypeError, KeyError, RecursionError):  # not numbers at all; that is said already
            continue
        found = explain_given(key, given)
        if not found.correct:
            yield " ".join(key), found.sentence


def _problem(case: Case) -> Problem:
    first, *rest = case.inputs.items()
    return Problem(case.id, first[1], dict(rest), case.task)


def _in_order(case: Case, answer: dict[str, Any]) -> tuple[Any, ...]:
    """In the dtype's kind that is expected: a 2 in JSON may stand for 2.0."""
    parts = ((answer[name], x.dtype.kind) for name, x in case.expected.items())
    return tuple(x.astype(np.float64) if kind == "f" and x.dtype.kind in "iu" else x for x, kind in parts)
