"""A test of one line becomes one test a case."""

from __future__ import annotations

import functools
import unittest
from collections.abc import Callable, Mapping
from typing import Any

from npintdim.inputs import unknown
from npintdim.machine import need
from npintdim.testing.cases import Case, cases


def conformance(
    family: str,
    level: str | None = None,
    task: str | None = None,
    expected_failures: Mapping[str, str] | None = None,
    dtype: str | None = None,
) -> Callable[[Any], Any]:
    """Decorator: `def test_mine(case)` runs once for every case, as parametrised pytest tests.

    In a unittest.TestCase, whose methods pytest cannot parametrise, `def test_mine(self, case)` becomes a
    method for every case. Above other decorators there, so that it sees the class.

    Parameters
    ----------
    family, level, task, dtype : as in `cases`
    expected_failures : flag or id → reason. Such a case must fail, and is reported as xfailed with the
        reason; if it passes, that is a failure, so that the list stays true

    Raises
    ------
    ValueError
        for an unknown name, also a flag that none of the cases bears.
    ImportError
        if pytest is missing; `for case in cases(...)` needs none.
    """
    pytest = need("pytest", "conformance needs the pytest package", "pip install pytest")
    reasons = dict(expected_failures or {})
    found = cases(family, level, task, dtype)
    known = sorted({name for case in found for name in (*case.flags, case.id)})
    for name in reasons:
        if name not in known:
            raise unknown(f"flag or id of these {family!r} cases", name, known)

    why = {c: "; ".join(reasons[name] for name in (*c.flags, c.id) if name in reasons) for c in found}
    fails = {c: [pytest.mark.xfail(reason=why[c], strict=True)] if why[c] else [] for c in found}
    mark = pytest.mark.parametrize("case", [pytest.param(c, id=c.id, marks=fails[c]) for c in found])

    def decorate(test: Any) -> Any:
        in_a_class = "." in test.__qualname__.rpartition("<locals>.")[2]
        return Method(test, mark, why) if in_a_class else mark(test)

    return decorate


class Method:
    """A test in the body of a class, until the class is there and says what kind it is."""

    def __init__(self, test: Any, mark: Any, why: dict[Case, str]) -> None:
        functools.update_wrapper(self, test)
        self.test, self.mark, self.why = test, mark, why

    def __call__(self, *args: Any) -> Any:
        """The test's own; pytest takes only what can be called for a test."""
        return self.test(*args)

    def __set_name__(self, owner: type, name: str) -> None:
        self.test.__dict__.update(pytestmark=getattr(self, "pytestmark", []))
        if not issubclass(owner, unittest.TestCase):
            setattr(owner, name, self.mark(self.test))
            return
        delattr(owner, name)
        for case, why in self.why.items():
            method = functools.wraps(self.test)(lambda self, test=self.test, case=case: test(self, case))
            del method.__wrapped__
            setattr(owner, f"{name}[{case.id}]", unittest.expectedFailure(method) if why else method)
