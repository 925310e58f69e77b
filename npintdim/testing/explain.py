"""`explain`: which of the usual mistakes gives the numbers that somebody's implementation gives.

`npintdim/testing/mistakes/` has the tables: a right computation as named steps, and mistakes as replacements
of steps. A mistake is found if its variant gives the same numbers on all problems that both can compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npintdim.inputs import unknown
from npintdim.testing.cases import DTYPES, FAMILIES, Case, cases
from npintdim.testing.differences import (
    Answer,
    agree,
    answered,
    arrays,
    looks_like_float32,
    same_bits,
    within,
)
from npintdim.testing.facts import common_factor, facts_of_P, first_difference, first_step
from npintdim.testing.fitting import nearest
from npintdim.testing.mistakes import ANYWHERE, TABLES, Mistake, Problem, Table
from npintdim.testing.mistakes.table import SLACK, wrong
from npintdim.typing import Array

Fn = Callable[[Any, Any], Any]
Key = tuple[str, str, str]  # family, level, task
Found = tuple[Mistake, ...]
# What a mistake raises on inputs that cannot have it.
CANNOT = (ValueError, TypeError, IndexError, AttributeError, ArithmeticError)
OF_P = {"fastfood", "dense", "projection"}  # families whose answer is P v, of floating-point v
FLOAT32 = wrong(
    "float32 accumulation",
    "the answer is right to float32 only, though it and the inputs are float64: "
    "something inside computes in float32 (a constant, an accumulator, a default dtype)",
)
RANDOM = wrong(
    "not the same twice",
    "the same inputs give other numbers each time: "
    "dropout left on (eval() turns it off), or something is drawn without a seed",
)
GROWS = wrong(
    "not zeroed",
    "every call adds the same to the answer: "
    "gradients are left from the calls before (zero_grad, grad = None)",
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
    """One problem, a test of the vectors or the table's own, and the answer that came."""

    table: Table
    problem: Problem
    got: Answer
    case: Case | None = None

    @cached_property
    def right(self) -> Answer:
        """The right answer."""
        return self.variant() if self.case is None else arrays(tuple(self.case.expected.values()))

    @cached_property
    def ok(self) -> bool:
        """Right to rounding; a test of the vectors is judged by its own bound, for one verdict of both."""
        if self.case is None or self.case.bound is None:
            return agree(self.got, self.right, self.table.slack)
        bounds = [self.case.bound[name] for name in self.case.expected]
        return within(self.got, self.right, bounds, np.dtype(self.case.dtype))

    def variant(self, *mistakes: Mistake) -> Answer:
        """What these mistakes give instead; they may divide by zero."""
        with np.errstate(all="ignore"):
            return arrays(self.table.variant(mistakes, *self.problem.arguments()))


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
        "subspace_gradient", "linear", "mlp_loss_grad", "lenet_loss_grad", "trajectory", "artefact", "said",
        "lora", "lora_xs", "vera" or "uni_lora"; of tasks of the vectors without a table facts alone are said
    fn : fn(first input, p), the callable that `Case.check` takes: p.arrays are the arrays in order, and p.D,
        p.G, ... have their names. It may give arrays of any library
    level : "given" (the factors or the matrix are in p) or "seeded" (fn draws them from p.seed by
        docs/random.md); None for the first that the family has
    task : "apply" or "adjoint" of a projection, "signs", "normals", ... of maps;
        None for the first that there is
    dtype : of the floating-point inputs, float64 or float32; the tolerance goes by the coarser of this and of
        the answer's dtype
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
    asked, refused = _ask(key, fn, np.dtype(dtype))
    return _diagnose(key, asked, refused, fn, bits)


def explain_given(key: Key, answers: Sequence[tuple[Case, Any]]) -> Explanation:
    """The same for tests of the vectors, whose answers are there already.

    Parameters
    ----------
    key : (family, level, task)
    answers : tests, and one array or a tuple of them for each
    """
    table = table_of(key)
    asked = [Asked(table, problem_of(case), arrays(got), case) for case, got in answers]
    return _diagnose(key, asked)


def _diagnose(
    key: Key,
    asked: list[Asked],
    refused: str = "",
    fn: Fn | None = None,
    bits: bool = False,
) -> Explanation:
    table = table_of(key)
    if not asked:
        return Explanation(False, (), _stopped(f"No answer at all: {refused}"))
    but = f" (not compared: {refused})" if refused else ""
    if all(a.ok for a in asked):
        return _rounding(asked, but) if bits else Explanation(True, (), f"Correct to rounding{but}.")
    odd = next(a for a in asked if not a.ok)
    state = _state(fn, odd) if fn else None
    found = (state,) if state else next((m for m in _candidates(table, asked) if _gives(m, asked)), ())
    if found:
        says = "; and ".join(m.says for m in found)
        return Explanation(False, tuple(m.name for m in found), _stopped(f"{_begun(says)}{but}"))
    facts = facts_of_P(fn, odd.problem) if fn and key[0] in OF_P and key[2] == "apply" else ""
    facts += first_step(fn, odd.problem, table) if fn else ""
    where = first_difference(odd.problem, odd.got, odd.right, table)
    law = common_factor([(a.problem, a.got, a.right) for a in asked])
    return Explanation(False, (), _stopped(f"No known mistake: {where}{law}{facts}{but}"))


def table_of(key: Key) -> Table:
    """The table of a group; of a group of the vectors without one, a table without mistakes: facts alone."""
    if key in TABLES:
        return TABLES[key]
    return Table(lambda s, first, p: (), {}, (), outputs=tuple(_tests(key, np.dtype(np.float64))[0].expected))


def problem_of(case: Case) -> Problem:
    """A test of the vectors as a problem."""
    first, *rest = case.inputs.items()
    return Problem(case.id, first[1], dict(rest), case.task, case.dtype)


def _key(family: str, level: str | None, task: str | None) -> Key:
    tests = cases(family, task="all") if family in FAMILIES else []
    keys = dict.fromkeys([key for key in TABLES if key[0] == family])
    keys |= dict.fromkeys((case.family, case.level, case.task) for case in tests)
    if not keys:
        raise unknown("family", family, dict.fromkeys(key[0] for key in TABLES))
    for key in keys:
        if level in (None, key[1]) and task in (None, key[2]):
            return key
    known = "; ".join(f"level={a!r}, task={b!r}" for _, a, b in keys)
    raise ValueError(f"{family!r} has no table for level={level!r}, task={task!r}, but for {known}")


def _ask(key: Key, fn: Fn, dtype: np.dtype[Any]) -> tuple[list[Asked], str]:
    """Answers of fn on all problems of the table and the vectors, and what it said when it first raised."""
    table, refused = table_of(key), ""
    asked: list[Asked] = []
    questions: list[tuple[Problem, Case | None]] = [(problem, None) for problem in table.problems(dtype)]
    for problem, case in questions + [(problem_of(case), case) for case in _tests(key, dtype)]:
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
        asked.append(Asked(table, problem, got, case))
    return asked, refused


def _state(fn: Fn, odd: Asked) -> Mistake | None:
    """Is a wrong answer another one when asked again, and does it grow?"""
    try:
        again = [odd.got, *(answered(fn(*odd.problem.arguments()), odd.table.outputs) for _ in range(3))]
    except Exception:  # it keeps a state, which is not for us to judge
        return None
    slack = odd.table.slack
    if not all(np.isfinite(x).all() for got in again for x in got) or agree(again[1], again[0], slack):
        return None
    _, first, second, third = again
    if [x.shape for x in first] == [x.shape for x in second] == [x.shape for x in third]:
        by_one = arrays(tuple(b - a for a, b in zip(first, second, strict=True)))
        by_two = arrays(tuple(b - a for a, b in zip(first, third, strict=True)))
        if agree(by_two, arrays(tuple(2 * x for x in by_one)), 64 * slack) and any(x.any() for x in by_one):
            return GROWS
    return RANDOM


def _tests(key: Key, dtype: np.dtype[Any]) -> list[Case]:
    """The vectors' valid tests of this group, in this precision if it has any."""
    every = [case for case in cases(*key) if case.valid] if key[0] in FAMILIES else []
    return [case for case in every if case.dtype in ("", dtype.name)] or every


def _why(error: Exception, width: int = 80) -> str:
    return shorten(str(error), width, placeholder=" ...") or "no reason given"


def _candidates(table: Table, asked: list[Asked]) -> Iterator[Found]:
    """Every mistake alone, then fitted; every two that replace different steps; last, widely, float32."""
    plain = [m for m in table.mistakes if not (m.of or m.rounding)]
    constants = [m for m in table.mistakes if m.of]
    yield from ((m,) for m in plain)
    yield from _fitted(table, (), constants, asked)
    if table.mistakes:  # else nothing is known of this family, and facts alone are said
        # Of several parts "the answer" would be the last alone.
        one = len(table.outputs) == 1 or table.outputs[-1] == "grad"
        anywhere = [m for m in ANYWHERE if one or "answer" not in m.steps]
        yield from ((m,) for m in anywhere if not m.of)
        yield from _fitted(table, (), [m for m in anywhere if m.of], asked)
    yield from (pair for pair in combinations(plain, 2) if not pair[0].steps.keys() & pair[1].steps.keys())
    for other in (m for m in plain if m.name in table.conventions):
        free = [m for m in constants if not m.steps.keys() & other.steps.keys()]
        yield from _fitted(table, (other,), free, asked)
    if looks_like_float32([(a.got, a.right) for a in asked]):
        yield from ((FLOAT32,), *((m, FLOAT32) for m in plain))


def _fitted(table: Table, others: Found, mistakes: list[Mistake], asked: list[Asked]) -> Iterator[Found]:
    """Each mistake with the constant nearest to the first wrong answer; of a path, its first wrong step."""
    near = ((a, a.variant(*others)) for a in asked if not a.ok)
    apart = ((a, x) for a, x in near if not agree(a.got, x, table.slack))
    odd, right = next(apart, (asked[0], asked[0].right))
    end = None
    if table.outputs == ("path",) and odd.got[0].shape == right[0].shape:
        pairs = zip(odd.got[0], right[0], strict=True)
        end = 1 + next((k for k, (a, b) in enumerate(pairs) if not agree((a,), (b,), table.slack)), 0)

    def off(c: float, mistake: Mistake) -> Array:
        try:
            variant = odd.variant(*others, mistake.at(c))
        except CANNOT:  # c is none of its values
            return np.full(1, np.nan)
        if [x.shape for x in variant] != [x.shape for x in odd.got]:
            return np.full(1, np.nan)
        both = zip(variant, odd.got, strict=True)
        return np.concatenate([np.ravel((a - b)[:end] if end else a - b) for a, b in both])

    for mistake in mistakes:
        c = nearest(partial(off, mistake=mistake))
        yield from ((*others, mistake.at(x)) for x in (float(f"{c:.3g}"), c) if np.isfinite(x))


def _stopped(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def _begun(says: str) -> str:
    """The clause as a sentence; a symbol (v, dW, y[Π_k]) keeps its case."""
    word = says.split()[0].rstrip(",;:")
    return says[0].upper() + says[1:] if (word.isalpha() and len(word) > 2) or word == "a" else says


def _gives(found: Found, asked: list[Asked]) -> bool:
    """Do these mistakes give fn's numbers on all problems that they can compute, most of them at least?

    Of the vectors' smallest tests, where n = 1 say, half may differ:
    a mistake has forms that only they tell apart.
    """
    limits = (SLACK, np.float32) if FLOAT32 in found else (asked[0].table.slack, np.float64)
    own = any(a.case is None for a in asked)
    compared = missed = 0
    for a in asked:
        try:
            variant = a.variant(*found)
        except CANNOT:
            continue
        except Exception:  # of a registered mistake, whose code is a team's own
            if "compute" not in found[0].steps:
                raise
            continue
        compared += 1
        if not agree(a.got, variant, *limits):
            if a.case is None or not own:
                return False
            missed += 1
    wrong = sum(not a.ok for a in asked if a.case)
    return 2 * compared > len(asked) and 2 * missed <= wrong


def _rounding(asked: list[Asked], but: str) -> Explanation:
    """Right to rounding: are the bits the same, and if not, which order of operations gives them?"""
    asked = [a for a in asked if a.case is None or a.case.bound is None]  # where bits are promised
    if all(same_bits(a.got, a.right) for a in asked):
        return Explanation(True, (), f"Correct, bit for bit{but}.")
    odd = next(a for a in asked if not same_bits(a.got, a.right))
    got, needed = odd.got[0].dtype, odd.right[0].dtype
    why = "another order of operations, or a step in another precision"
    if got != needed:
        why = f"the dtype is {got}, {needed} is needed"
    for m in (m for m in odd.table.mistakes if m.rounding):
        if all(same_bits(a.got, a.variant(m)) for a in asked):
            return Explanation(False, (m.name,), f"Right to rounding, but not in bits: {m.says}{but}.")
    return Explanation(False, (), f"Right to rounding, but not in bits: {why}{but}.")
