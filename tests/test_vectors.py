"""The test vectors: made again by slow routes, of the form the schema says, append-only, and passed by the package."""

import functools
import json

import make_vectors
import numpy as np
import pytest
import vectors_by_the_package as package
from helpers import BACKENDS

from npintdim.testing import FAMILIES, cases
from npintdim.testing.arrays import array_of, words_of

CASES = [case for family in FAMILIES for case in cases(family, task="all")]
FILES = sorted(path.name for path in make_vectors.FOLDER.glob("*.json"))
UNIT = {"float32": 2.0**-24, "float64": 2.0**-53}


@functools.cache
def written():
    return dict(make_vectors.texts())


def content_of(name):
    return json.loads((make_vectors.FOLDER / name).read_text(encoding="utf-8"))


# ---- the files ----
def test_the_slow_routes_write_the_same_bytes():
    assert sorted(written()) == FILES
    for name, text in written().items():
        assert (make_vectors.FOLDER / name).read_bytes() == text.encode(), name


@pytest.mark.parametrize("name", [name for name in FILES if name != "schema.json"])
def test_every_file_is_what_the_schema_says(name):
    jsonschema = pytest.importorskip("jsonschema")
    schema, content = content_of("schema.json"), content_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(content)
    test = next(test for group in content["groups"] for test in group["tests"] if "bound" in test)
    del test["bound"]
    assert not validator.is_valid(content)


def test_they_are_small_and_anybody_may_take_them():
    files = [path for path in make_vectors.FOLDER.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert "CC0 1.0" in (make_vectors.FOLDER / "NOTICE").read_text(encoding="utf-8")


def test_version_1_is_append_only():
    """Whoever was tested against an id finds the same question and the same answer under it."""
    found = {}
    for name in FILES:
        if name != "schema.json":
            of_file = list(make_vectors.fingerprints(content_of(name)))
            assert not found.keys() & dict(of_file).keys()
            assert len(dict(of_file)) == len(of_file)
            found |= dict(of_file)
    assert found == make_vectors.released()


def test_every_family_has_both_levels_and_refusals():
    for family in FAMILIES:
        kinds = {(case.level, case.valid) for case in cases(family, task="all")}
        levels = ("given",) if family == "lora_xs" else ("given", "seeded")  # which draws nothing
        assert kinds >= {(level, True) for level in levels}
        assert any(not valid for _, valid in kinds), family


@pytest.mark.parametrize("level", ["given", "seeded"])
def test_the_edges_are_there(level):
    def flags(family, dtype):
        found = cases(family, level, "all")
        return {flag for case in found if case.valid and case.dtype == dtype for flag in case.flags}

    for dtype in ("float32", "float64"):
        assert flags("fastfood", dtype) >= {"NonPow2", "One", "Square", "OneAbove", "Cut", "Single"}
        assert flags("wht", dtype) >= {"One", "Two"}
        assert flags("dense", dtype) >= {"One"}
        assert flags("mlp_loss_grad", dtype) >= {"ThetaOrder"}


def test_decimals_are_those_of_the_words():
    for name in FILES:
        for group in content_of(name).get("groups", []):
            for test in group["tests"]:
                for value in [*test["inputs"].values(), *test.get("expected", {}).values()]:
                    if isinstance(value, dict) and "decimal" in value:
                        x = array_of(value["hex"], value["dtype"], value["shape"])
                        assert words_of(x) == value["hex"]
                        np.testing.assert_allclose(np.ravel(x), value["decimal"], rtol=6e-4, atol=0)


def test_bounds_are_close_enough_to_catch_a_mistake():
    for case in CASES:
        for name, bound in (case.bound or {}).items():
            assert bound <= 1e6 * UNIT[case.dtype] * np.abs(case.expected[name]).max(), case


# ---- the package ----
@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_package_passes(case, name):
    case.check(package.answer(name, case))


@pytest.mark.parametrize("case", [case for case in CASES if not case.valid], ids=lambda case: case.id)
def test_it_refuses_with_an_error_that_says_so(case):
    with pytest.raises((ValueError, TypeError), match=r"\w"):
        package.answer("numpy", case)(*case.arguments)


# ---- the page ----
def test_the_page_says_what_every_group_asks():
    rows = set()
    for line in (make_vectors.FOLDER.parents[2] / "docs" / "vectors.md").read_text(encoding="utf-8").splitlines():  # fmt: skip
        cells = [cell.strip().replace("`", "") for cell in line.split("|")[1:-1]]
        if len(cells) == 6 and cells[0] in FAMILIES:
            family, level, tasks, first, others, expected = cells
            rows |= {(family, level, t, ", ".join(filter(None, [first, others])), expected) for t in tasks.split(", ")}  # fmt: skip
    groups = {
        (content["family"], group["level"], group["task"], ", ".join(group["arguments"]), ", ".join(group["answers"]))
        for content in map(content_of, FILES)
        for group in content.get("groups", [])
    }  # fmt: skip
    assert rows == groups
