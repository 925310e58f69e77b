"""The test vectors: made again by slow routes, of the form the schema says, append-only, and passed by the package."""

import make_vectors
import pytest
import vectors_by_the_package
from helpers import BACKENDS

from npintdim.testing import FAMILIES, cases

CASES = [case for family in FAMILIES if family in make_vectors.FAMILIES for case in cases(family, task="all")]


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_package_passes(case, name):
    case.check(vectors_by_the_package.answer(name, case))


@pytest.mark.parametrize("family", make_vectors.FAMILIES)
def test_the_slow_routes_write_the_same_file(family):
    stored = (make_vectors.FOLDER / f"{family}.json").read_text(encoding="utf-8")
    assert make_vectors.text_of(family) == stored
