"""`explain`: which of the usual mistakes gives the numbers that somebody's implementation gives.

`npintdim/testing/mistakes/` has the tables: a right computation as named steps, and mistakes as replacements
of steps. A mistake is found if its variant gives the same numbers on all problems that both can compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npintdim.inputs import unknown
from npintdim.testing.cases import DTYPES
from npintdim.testing.differences import (
    Answer,
    agree,
    answered,
    arrays,
    facts_of_P,
    first_difference,
    same_bits,
)
from npintdim.testing.mistakes import TABLES, Mistake, Problem, Table
from npintdim.testing.mistakes.table import SLACK

OF_P = {"fastfood", "dense", "projection"}  # families whose answer is P v, of floating-point v
FLOAT32 = Mistake(
    "float32 accumulation",
    "the answer is right to float32 only, though it and the inputs are float64: something inside computes in float32 "
    "(a constant, an accumulator, a default dtype)",
    {},
)


@dataclass(frozen=True)
class Explanation:
    """What `explain` found; printed, it is the sentence.

    Parameters
    ----------
    correct : True if all problems agree to rounding (with bits=True: bit for bit)
    mistakes : names of the mistakes that together give the same numbers; empty if correct, or if none does
    sentence : what is wrong and what to do
    """

    correct: bool
    mistakes: tuple[str, ...]
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Asked:
    """One problem, the answer that came, and the right one."""

    problem: Problem
    got: Answer
    right: Answer


def explain(
    family: str,
    fn: Callable[[Any, Any], Any],
    level: str | None = None,
    task: str | None = None,
    dtype: DTypeLike = np.float64,
    bits: bool = False,
) -> Explanation:
    """Find the mistake in fn, if it is a usual one.

    Parameters
    ----------
    family : "philox", "maps", "wht", "fastfood", "dense", "sparse", "projection",
        "subspace_gradient", "linear", "mlp_loss_grad" or "trajectory"
    fn : fn(first input, p), the callable that `Case.check` takes: p.arrays are the arrays in order, and p.D, p.G,
        ... have their names. It may give arrays of any library
    level : "given" (the factors or the matrix are in p) or "seeded" (fn draws them from p.seed by
        docs/random.md); None for the first that the family has
    task : "apply" or "adjoint" of a projection, "signs", "normals", ... of maps; None for the first that there is
    dtype : of the floating-point inputs, float64 or float32; the tolerance goes by the coarser of this and of the
        answer's dtype
    bits : also compare bits, and say which order of operations gives them

    Returns
    -------
    Explanation
        never a mistake for an implementation that is right to rounding (unless `bits`)

    Raises
    ------
    ValueError
        for a family, level or task without a table, or another dtype.
    """
    key = _key(family, level, task)
    if np.dtype(dtype).name not in DTYPES:
        raise unknown("dtype", np.dtype(dtype).name, DTYPES)
    asked, refused = _ask(TABLES[key], fn, np.dtype(dtype))
    return _diagnose(key, asked, refused, fn, bits)


def explain_given(key: tuple[str, str, str], answers: Sequence[tuple[Problem, Any]]) -> Explanation:
    """The same for problems of one's own, whose answers are there already.

    Parameters
    ----------
    key : (family, level, task), one of TABLES
    answers : problems, and one array or a tuple of them for each
    """
    asked = [Asked(problem, arrays(got), _right(TABLES[key], problem)) for problem, got in answers]
    return _diagnose(key, asked)


def _diagnose(
    key: tuple[str, str, str],
    asked: list[Asked],
    refused: str = "",
    fn: Callable[[Any, Any], Any] | None = None,
    bits: bool = False,
) -> Explanation:
    table = TABLES[key]
    if not asked:
        return Explanation(False, (), _stopped(f"No answer at all: {refused}"))
    but = f" (not compared: {refused})" if refused else ""
    if all(agree(a.got, a.right, table.slack) for a in asked):
        return _rounding(table, asked, but) if bits else Explanation(True, (), f"Correct to rounding{but}.")
    for found in _candidates(table):
        if _gives(table, found, asked):
            says = "; and ".join(m.says for m in found)
            return Explanation(False, tuple(m.name for m in found), _stopped(f"{_begun(says)}{but}"))
    odd = next(a for a in asked if not agree(a.got, a.right, table.slack))
    facts = facts_of_P(fn, odd.problem) if fn and key[0] in OF_P and key[2] == "apply" else ""
    where = first_difference(odd.problem.title, odd.got, odd.right, table.outputs, table.slack)
    return Explanation(False, (), _stopped(f"No known mistake: {where}{facts}{but}"))


def _key(family: str, level: str | None, task: str | None) -> tuple[str, str, str]:
    keys = [key for key in TABLES if key[0] == family]
    if not keys:
        raise unknown("family", family, dict.fromkeys(key[0] for key in TABLES))
    for key in keys:
        if level in (None, key[1]) and task in (None, key[2]):
            return key
    known = "; ".join(f"level={a!r}, task={b!r}" for _, a, b in keys)
    raise ValueError(f"{family!r} has no table for level={level!r}, task={task!r}, but for {known}")


def _ask(table: Table, fn: Callable[[Any, Any], Any], dtype: np.dtype[Any]) -> tuple[list[Asked], str]:
    """Answers of fn on all problems of the table, and what it said where it first raised."""
    asked, refused = [], ""
    for problem in table.problems(dtype):
        try:
            answer = fn(*problem.arguments())
        except Exception as error:
            refused = refused or f"fn raises {type(error).__name__} on {problem.title}: {_why(error)}"
            continue
        try:
            got = answered(answer, table.outputs)
        except Exception as error:  # PyTorch and others have their own words for what NumPy cannot hold
            refused = refused or f"on {problem.title} {_why(error, 160)}"
            continue
        asked.append(Asked(problem, got, _right(table, problem)))
    return asked, refused


def _why(error: Exception, width: int = 80) -> str:
    return shorten(str(error), width, placeholder=" ...") or "no reason given"


def _right(table: Table, problem: Problem) -> Answer:
    return arrays(table.variant((), *problem.arguments()))


def _candidates(table: Table) -> Iterator[tuple[Mistake, ...]]:
    """Every mistake alone; every two that replace different steps; last, with its wide tolerance, float32 inside."""
    mistakes = [m for m in table.mistakes if not m.rounding]
    yield from ((m,) for m in mistakes)
    yield from (pair for pair in combinations(mistakes, 2) if not pair[0].steps.keys() & pair[1].steps.keys())
    yield from ((FLOAT32,), *((m, FLOAT32) for m in mistakes))


def _stopped(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def _begun(says: str) -> str:
    """The clause as a sentence; a symbol (v, dW, y[Π_k]) keeps its case."""
    word = says.split()[0].rstrip(",;:")
    return says[0].upper() + says[1:] if (word.isalpha() and len(word) > 2) or word == "a" else says


def _gives(table: Table, found: tuple[Mistake, ...], asked: list[Asked]) -> bool:
    """Do these mistakes give fn's numbers on all problems that they can compute, most of them at least?"""
    limits = (SLACK, np.float32) if FLOAT32 in found else (table.slack, np.float64)
    compared = 0
    for a in asked:
        try:
            with np.errstate(all="ignore"):  # a mistake may divide by zero
                variant = arrays(table.variant(found, *a.problem.arguments()))
        except (ValueError, IndexError, AttributeError):  # a mistake that these inputs cannot have
            continue
        if not agree(a.got, variant, *limits):
            return False
        compared += 1
    return 2 * compared > len(asked)


def _rounding(table: Table, asked: list[Asked], but: str) -> Explanation:
    """Right to rounding: are the bits the same, and if not, which order of operations gives them?"""
    if all(same_bits(a.got, a.right) for a in asked):
        return Explanation(True, (), f"Correct, bit for bit{but}.")
    odd = next(a for a in asked if not same_bits(a.got, a.right))
    got, needed = odd.got[0].dtype, odd.right[0].dtype
    why = (
        f"the dtype is {got}, {needed} is needed"
        if got != needed
        else "another order of operations, or a step in another precision"
    )
    for m in (m for m in table.mistakes if m.rounding):
        if all(same_bits(a.got, arrays(table.variant((m,), *a.problem.arguments()))) for a in asked):
            return Explanation(False, (m.name,), f"Right to rounding, but not in bits: {m.says}{but}.")
    return Explanation(False, (), f"Right to rounding, but not in bits: {why}{but}.")
