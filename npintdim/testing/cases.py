"""A case: one question of the vectors, and the comparison of an answer with what is expected."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from npintdim.inputs import unknown
from npintdim.testing.arrays import CheckError, by_name, from_json, to_numpy
from npintdim.typing import Array, Spec

VERSION = 1
LEVELS = ("given", "seeded")
DTYPES = ("float32", "float64")
FAMILIES = (
    "philox", "maps", "wht", "fastfood", "dense", "sparse",
    "subspace_gradient", "mlp_loss_grad", "lenet_loss_grad", "trajectory", "artefact",
    "said", "lora", "lora_xs", "vera", "uni_lora",
)  # fmt: skip
FORWARD = {"fastfood", "dense", "sparse"}  # operators: without a task, `cases` gives those of P v


class Inputs:
    """What a case gives beside its first input, as attributes.

    `arrays` are those of them that are arrays, in the documented order.
    """

    def __init__(self, case: Case, rest: Spec) -> None:
        self.case = case
        self.task = case.task
        self.dtype = case.dtype
        self.arrays = tuple(value for value in rest.values() if isinstance(value, np.ndarray))
        self.__dict__.update(rest)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.case.id} has no input {name!r}: it has {', '.join(self.case.inputs)}")


@dataclass(frozen=True, eq=False)
class Case:
    """One test of the vectors.

    Parameters
    ----------
    id : for ever the same
    family, level, task : where it stands; level is "given" or "seeded"
    comment : what it looks at, for people
    flags : names of what is special in it, explained in `notes`
    valid : False if a right implementation refuses the inputs
    dtype : "float32" or "float64", precision of the computation; "" for integers
    inputs : names to values, in the order of the arguments
    expected : names to arrays; empty if not valid
    bound : names to the largest absolute error allowed; None where the bits are promised
    formula, reason, notes : what is computed, why this bound, what the flags mean
    """

    id: str
    family: str
    level: str
    task: str
    comment: str
    flags: tuple[str, ...]
    valid: bool
    dtype: str
    inputs: Spec
    expected: dict[str, Array]
    bound: dict[str, float] | None
    formula: str
    reason: str
    notes: dict[str, str]

    def __repr__(self) -> str:
        return f"Case({self.id!r})"

    @property
    def arguments(self) -> tuple[Any, Inputs]:
        """What `check` calls with: the first input, and the others; fresh arrays, which may be written to."""
        values = {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in self.inputs.items()}
        first = values.pop(next(iter(values)))
        return first, Inputs(self, values)

    def check(self, fn: Callable[[Any, Inputs], Any]) -> None:
        """fn(first input, others) gives what is expected, or raises if the inputs are malformed.

        Parameters
        ----------
        fn : gives one array, or a tuple or dict of them where several are expected

        Raises
        ------
        CheckError
            an AssertionError with the id, both numbers, the worst place, the tolerance and the formula.
        """
        first, others = self.arguments
        try:
            answer = fn(first, others)
        except Exception as error:
            if not self.valid:  # refused, with whatever error
                return
            error.add_note(f"in {self.title}. {self.formula}")
            raise
        self.compare(answer)

    def compare(self, answer: Any) -> None:
        """The answer is what is expected.

        Raises
        ------
        CheckError
        """
        if not self.valid:
            raise CheckError(
                f"{self.title}: malformed inputs must be refused, but the answer is {answer!r:.200}"
            )
        for name, got in self.named(answer).items():
            self._compare_array(name, got, self.expected[name])

    def named(self, answer: Any) -> dict[str, Array]:
        """The arrays of an answer by the names of `expected`."""
        try:
            return {name: to_numpy(part) for name, part in by_name(answer, list(self.expected)).items()}
        except (CheckError, TypeError) as error:
            raise CheckError(f"{self.title}: {error}") from error

    @property
    def title(self) -> str:
        """Id and comment."""
        return f"{self.id} ({self.comment})"

    def _compare_array(self, name: str, got: Array, expected: Array) -> None:
        if got.shape != expected.shape:
            raise CheckError(
                f"{self.title}: {name} has shape {got.shape}, but {expected.shape} is needed. {self.formula}"
            )
        if got.dtype.kind not in "biuf":
            raise CheckError(f"{self.title}: {name} has dtype {got.dtype}: real numbers are needed")
        if not expected.size:
            return
        if self.bound is None:
            same = _same(got, expected)
            worst = int(np.argmin(same.reshape(-1)))
            ok, allowed = bool(same.all()), f"none, bits are promised: {self.reason}"
        else:
            error = np.abs(got.astype(np.float64) - expected.astype(np.float64)).reshape(-1)
            error[np.isnan(error)] = np.inf
            worst = int(np.argmax(error))
            ok = bool(error[worst] <= self.bound[name])
            allowed = f"{self.bound[name]:.2g}: {self.reason}"
        if not ok:
            place = ", ".join(str(int(i)) for i in np.unravel_index(worst, expected.shape))
            place = f"{name}[{place}]" if place else name
            coarse = got.dtype.kind == "f" and got.dtype.itemsize < np.dtype(self.dtype or "f4").itemsize
            coarse_is = f" ({name} is {got.dtype}, the test in {self.dtype})" if coarse else ""
            left, right = got.reshape(-1)[worst].item(), expected.reshape(-1)[worst].item()
            raise CheckError(
                f"{self.title}: {place} is {left!r}, but {right!r} is expected, error "
                f"{abs(left - right):.2g}{coarse_is}, tolerance {allowed}. {self.formula}"
            )


def _same(got: Array, expected: Array) -> Array:
    """Where the numbers are the same, the sign of zero included."""
    same: Array = got == expected
    if expected.dtype.kind == "f" and got.dtype.kind == "f":
        same &= np.signbit(got) == np.signbit(expected)
    return same


def cases(
    family: str, level: str | None = None, task: str | None = None, dtype: str | None = None
) -> list[Case]:
    """The cases of a family, in the order of its file.

    Parameters
    ----------
    family : one of FAMILIES
    level : "given" (the factors or the matrix are in the file),
        "seeded" (drawn by docs/random.md); None for both
    task : e.g. "adjoint"; "all" for all. None: P v of an operator, all of any other family
    dtype : "float32" or "float64", only tests of this precision (and those of integers); None for both

    Raises
    ------
    ValueError
        for an unknown name, or where no case is left.
    """
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    if level not in (None, *LEVELS):
        raise unknown("level", level, LEVELS)
    task = task or ("apply" if family in FORWARD else "all")
    content = read_family(family)
    every = [_case(content, group, test) for group in content["groups"] for test in group["tests"]]
    tasks = sorted({case.task for case in every})
    if task != "all" and task not in tasks:
        raise unknown(f"task of {family!r}", task, [*tasks, "all"])
    if dtype not in (None, *DTYPES):
        raise unknown("dtype", dtype, DTYPES)
    found = [
        case
        for case in every
        if level in (None, case.level)
        and task in ("all", case.task)
        and (dtype in (None, case.dtype) or not case.dtype)
    ]
    if not found:
        raise ValueError(
            f"family {family!r} has no case of task {task!r} at level {level!r}, dtype {dtype!r}"
        )
    return found


@cache
def read_family(family: str) -> Spec:
    """The file of a family, as JSON."""
    path = resources.files("npintdim") / "vectors" / f"v{VERSION}" / f"{family}.json"
    content: Spec = json.loads(path.read_text(encoding="utf-8"))
    return content


def _case(content: Spec, group: Spec, test: Spec) -> Case:
    inputs = {name: _frozen(from_json(test["inputs"][name])) for name in group["arguments"]}
    for name in inputs:
        if name.endswith("seed") or name == "start":  # strings: many readers of JSON round above 2**53
            inputs[name] = int(inputs[name])
    return Case(
        id=test["id"], family=content["family"], level=group["level"], task=group["task"],
        comment=test["comment"], flags=tuple(test["flags"]), valid=test["result"] == "valid",
        dtype=test.get("dtype", ""), inputs=inputs,
        expected={name: _frozen(from_json(value)) for name, value in test.get("expected", {}).items()},
        bound=test.get("bound"), formula=group["formula"], reason=group["reason"], notes=content["notes"],
    )  # fmt: skip


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    return value
