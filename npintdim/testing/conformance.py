"""A test of one line becomes one test a case."""

from __future__ import annotations

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

    def marks(case: Case) -> list[Any]:
        why = [reasons[name] for name in (*case.flags, case.id) if name in reasons]
        return [pytest.mark.xfail(reason="; ".join(why), strict=True)] if why else []

    parameters = [pytest.param(case, id=case.id, marks=marks(case)) for case in found]
    return pytest.mark.parametrize("case", parameters)
