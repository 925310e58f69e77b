"""Answers of another program, {id: hex words, numbers, or "refused"}: are they right, and if not, why?"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.testing.arrays import CheckError, array_of
from npintdim.testing.cases import Case
from npintdim.testing.explain import explain_given
from npintdim.typing import Array

REFUSED = "refused"


def read_answers(path: Path) -> dict[str, Any]:
    """The answers of a file, in UTF-8, -16 or -32, as PowerShell and others write it.

    Raises
    ------
    ValueError
        unless it is a JSON object in which every name stands once.
    OSError
        if it cannot be read.
    """
    try:
        found = json.loads(path.read_bytes(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a JSON {type(found).__name__}: an object {{id: answer}} is needed")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the name {name:.80} stands twice in one object")
    return found


def judge(case: Case, answer: Any) -> str | None:
    """What is wrong with an answer; None if it passes."""
    try:
        if answer == REFUSED:
            if case.valid:
                raise CheckError(f"{case.title}: the inputs are right, but were refused")
            return None
        case.compare(parsed(case, answer) if case.valid else answer)
    except RecursionError:
        return f"{case.title}: the answer is nested too deeply"
    except (CheckError, ValueError, TypeError) as error:
        text = str(error)
        return text if text.startswith(case.id) else f"{case.title}: {text}"
    return None


def unknown_ids(answers: Iterable[str], cases: Iterable[Case]) -> list[str]:
    """A line for every id that no case has."""
    known = {case.id for case in cases}
    lines = []
    for name in answers:
        if name not in known:
            near = difflib.get_close_matches(name[:80], known, n=1)
            lines.append(f"{name:.80}: no test has this id" + (f", did you mean {near[0]}?" if near else ""))
    return lines


def parsed(case: Case, answer: Any) -> Any:
    """Arrays of the expected shape, of whichever text or numbers stand for them."""
    if len(case.expected) == 1 and not isinstance(answer, dict):
        answer = dict.fromkeys(case.expected, answer)
    if not isinstance(answer, dict):
        raise ValueError(f"an object with {', '.join(case.expected)} is needed")
    found = dict(answer)
    for name in [name for name in answer if name in case.expected]:
        try:
            found[name] = _array(found[name], case.expected[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return found


def _array(value: Any, expected: Array) -> Array:
    if isinstance(value, str):
        words = value.split()
        if expected.dtype.kind == "i":
            raise ValueError(f"{value[:20]!r} is a text: integers are answered as numbers")
        dtype = "float64" if words and len(words[0]) == 16 else "float32"
        return array_of(value, "uint32" if expected.dtype.kind == "u" else dtype, expected.shape)
    try:
        array = np.array(value)
        kinds = set(map(type, np.array(value, object).flat))
    except ValueError as error:
        raise ValueError(f"the numbers do not form an array: {error}") from error
    if not kinds <= {int, float}:
        raise ValueError(
            f"{str(value)[:40]} is no number, list of numbers, text of hex words, or {REFUSED!r}"
        )
    if array.dtype == object:
        raise ValueError("an integer is beyond 64 bits")
    if expected.dtype == np.float32:  # 0.1 stands for the float32 that is printed so
        with np.errstate(all="ignore"):
            array = array.astype(np.float32)
    return array.reshape(expected.shape) if array.size == expected.size else array


def explained(cases: Iterable[Case], answers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A sentence for each group of the vectors in which an answer to a valid test failed.

    Yields
    ------
    str, str
        "fastfood given apply", and what all the group's answers together look like; nothing for a group whose
        answers are right to rounding.
    """
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for case in cases:
        if case.valid and answers.get(case.id, REFUSED) != REFUSED:
            groups.setdefault((case.family, case.level, case.task), []).append(case)
    for key, group in groups.items():
        if not any(judge(case, answers[case.id]) for case in group):
            continue
        try:
            given = [(case, _in_order(case, parsed(case, answers[case.id]))) for case in group]
        except (ValueError, TypeError, KeyError, RecursionError):  # not numbers at all; that is said already
            continue
        found = explain_given(key, given)
        if not found.correct:
            yield " ".join(key), found.sentence


def _in_order(case: Case, answer: dict[str, Any]) -> tuple[Any, ...]:
    """In the dtype's kind that is expected: a 2 in JSON may stand for 2.0."""
    parts = ((answer[name], x.dtype.kind) for name, x in case.expected.items())
    return tuple(x.astype(np.float64) if kind == "f" and x.dtype.kind in "iu" else x for x, kind in parts)
