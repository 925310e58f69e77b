"""`npintdim.testing` as a stranger meets it: what passes, what fails and says why, in pytest and without."""

import dataclasses
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import vectors_by_the_package as package

import npintdim as nid
from npintdim.testing import cases, conformance, to_numpy


def case_of(id):
    family = id.split("-")[0]
    return next(case for case in cases(family, task="all") if case.id == id)


WHT = case_of("wht-given-transform-4")  # H (1,0,1,0,0,1,1,0)


# ---- pytest ----
STRANGER = """
import numpy as np
from npintdim.testing import conformance

def my_fastfood(v, B, Pi, G, S, D):
    n = B.shape[1]
    if len(v) != n:
        raise ValueError("we require powers of two")
    H = np.array([[(-1.0) ** (i & k).bit_count() for k in range(n)] for i in range(n)])
    x = np.take_along_axis((B * v) @ H, Pi, axis=1) * G
    return S * ((x @ H) * SCALE).ravel()[:D]

@conformance("fastfood", level="given", expected_failures={"NonPow2": "we require powers of two", "Single": "no"})
def test_fastfood(case):
    case.check(lambda v, p: my_fastfood(v, *p.arrays, p.D))
"""


def pytest_on(tmp_path, text):
    (tmp_path / "test_stranger.py").write_text(textwrap.dedent(text), encoding="utf-8")
    command = [
        sys.executable, "-m", "pytest", "-q", "-rxf", "--color=no", "-p", "no:cacheprovider",
        "test_stranger.py",
    ]  # fmt: skip
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120)
    return run.returncode, run.stdout


def test_a_strangers_whole_test_file(tmp_path):
    """Single blocks pass too where n = m, which the strict mark reports: a list of failures must stay true."""
    found = cases("fastfood", "given")
    listed = [case for case in found if {"NonPow2", "Single"} & set(case.flags)]
    code, out = pytest_on(tmp_path, STRANGER.replace("SCALE", "1"))
    wrongly = [case for case in listed if case.inputs["B"].shape == case.inputs["G"].shape and case.inputs["d"] == case.inputs["B"].shape[1]]  # fmt: skip
    assert code == (1 if wrongly else 0)
    assert f"{len(found) - len(listed)} passed" in out
    assert f"{len(listed) - len(wrongly)} xfailed" in out
    assert wrongly and f"{len(wrongly)} failed" in out and "[XPASS(strict)]" in out
    assert "we require powers of two" in out


def test_a_mistake_is_told_with_everything_that_helps(tmp_path):
    code, out = pytest_on(tmp_path, STRANGER.replace("SCALE", "n ** -0.5"))
    assert code == 1
    for text in ("fastfood-given-apply-5", "D = 16, d = 4, stacked", "tolerance", "P v = S ∘ (H (G ∘ (H"):
        assert text in out


IN_CLASSES = """
import unittest
import pytest
from helpers_of_mine import H
from npintdim.testing import conformance

FAILS = {"wht-given-transform-4": "it does"}

def check(case, scale=1):
    case.check(lambda x, p: H(x) * (2 if case.id == "wht-given-transform-4" else scale))

class TestPlain:
    @conformance("wht", "given", expected_failures=FAILS)
    def test_wht(self, case):
        assert type(self) is TestPlain
        check(case)

    @pytest.mark.skip(reason="marks may be stacked above")
    @conformance("wht", "given")
    def test_later(self, case):
        raise AssertionError

class TestUnit(unittest.TestCase):
    def setUp(self):
        self.scale = SCALE

    @conformance("wht", "given", expected_failures=FAILS)
    def test_wht(self, case):
        check(case, self.scale)
"""
MINE = """
import numpy as np

def H(x):
    x = np.asarray(x)
    n = x.shape[-1]
    if n & (n - 1) or not n:
        raise ValueError("n = 2^k is needed")
    return x @ np.array([[(-1.0) ** (i & k).bit_count() for k in range(n)] for i in range(n)])
"""


def test_methods_of_classes(tmp_path):
    """Also of unittest.TestCase, where it was: missing 1 required positional argument 'case'."""
    (tmp_path / "helpers_of_mine.py").write_text(MINE, encoding="utf-8")
    n = len(cases("wht", "given"))
    failing = 1
    code, out = pytest_on(tmp_path, IN_CLASSES.replace("SCALE", "1"))
    assert f"{2 * (n - failing)} passed, {n} skipped, {2 * failing} xfailed" in out
    assert code == 0
    alone = [sys.executable, "-m", "unittest", "-v", "test_stranger.TestUnit"]
    run = subprocess.run(alone, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120)
    assert (run.returncode, f"Ran {n} tests" in run.stderr) == (0, True), run.stderr
    assert f"expected failures={failing}" in run.stderr
    code, out = pytest_on(tmp_path, IN_CLASSES.replace("SCALE", "3"))
    assert code == 1
    assert "TestUnit::test_wht[wht-given-transform-5]" in out


def test_names_that_do_not_exist_are_told():
    for call, message in [
        (lambda: conformance("fastfod"), "unknown family 'fastfod'.*'fastfood'"),
        (lambda: cases("wht", "give"), "unknown level 'give'"),
        (lambda: cases("fastfood", task="apply_"), "unknown task of 'fastfood' 'apply_'.*'apply'"),
        (
            lambda: conformance("wht", expected_failures={"NonPow": ""}),
            "unknown flag or id of these 'wht' cases",
        ),
        (lambda: cases("dense", "given", "matrix"), "no case of task 'matrix' at level 'given'"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_without_pytest_the_cases_still_serve(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(ImportError, match="pip install pytest"):
        conformance("wht")
    for case in cases("philox"):
        case.check(package.answer("numpy", case))


# ---- comparisons ----
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([4, 2, 0, -2, 0, 2, 0, 3], r"wht-given-transform-4 .*y\[7\] is 3, but 2.0 is expected, error 1, tolerance 3.*y = H x"),
        ([4, 2, 0, -2, 0, 2, np.nan, 2], r"y\[6\] is nan, but 0.0 is expected"),
        ([4, 2, 0, -2, 0, 2, np.inf, 2], r"y\[6\] is inf"),
        ([[4, 2, 0, -2, 0, 2, 0, 2]], r"shape \(1, 8\), but \(8,\) is needed"),
        (["a"] * 8, "real numbers are needed"),
        ({"z": [0] * 8}, "the answer must be y"),
    ],
)  # fmt: skip
def test_a_wrong_answer_fails_with_both_numbers(answer, message):
    with pytest.raises(nid.CheckError, match=message):
        WHT.check(lambda x, p: answer)


def test_several_answers_come_in_order_or_by_name():
    case = case_of("subspace_gradient-given-loss_grad-2")
    right = case.expected
    case.check(lambda v, p: (right["loss"], right["grad"]))
    case.check(lambda v, p: {"grad": right["grad"], "loss": float(right["loss"])})
    for wrong in [(right["grad"], right["loss"]), right["grad"], (right["loss"],), (*right.values(), 1)]:
        with pytest.raises(nid.CheckError):
            case.check(lambda v, p, wrong=wrong: wrong)


def test_where_bits_are_promised_the_last_one_counts():
    case = next(c for c in cases("fastfood", "seeded") if c.dtype == "float32" and c.valid)
    y = case.expected["y"]
    case.check(lambda v, p: y)
    case.check(lambda v, p: y.astype(np.float64))
    for wrong in (np.nextafter(y, np.float32(9)), y.astype(np.float64) * (1 + 1e-12)):
        with pytest.raises(nid.CheckError, match="bits are promised"):
            case.check(lambda v, p, wrong=wrong: wrong)
    zero = dataclasses.replace(case, expected={"y": np.zeros(2)})
    with pytest.raises(nid.CheckError, match=r"is -0\.0, but 0\.0"):
        zero.check(lambda v, p: np.array([0.0, -0.0]))


def test_malformed_inputs_must_be_refused():
    case = next(case for case in cases("wht") if not case.valid)
    with pytest.raises(nid.CheckError, match=r"n = 3.*must be refused, but the answer is array"):
        case.check(lambda x, p: x)
    case.check(lambda x, p: 1 / 0)


def test_an_error_of_the_callable_is_told_with_the_case():
    with pytest.raises(ZeroDivisionError) as caught:
        WHT.check(lambda x, p: 1 / 0)
    assert caught.value.__notes__[0].startswith("in wht-given-transform-4 (n = 8")


def test_inputs_are_the_askers_own():
    for _ in range(2):
        x, p = WHT.arguments
        assert x.tolist() == [1, 0, 1, 0, 0, 1, 1, 0]
        x[:] = 0
    assert p.arrays == ()
    with pytest.raises(AttributeError, match="has no input 'seed': it has x"):
        _ = p.seed


# ---- arrays of other libraries ----
class Wrapped:
    def __init__(self, array):
        self._array = array


class LikeTorch(Wrapped):
    def detach(self):
        return LikeTorchOffGraph(self._array)


class LikeTorchOffGraph(Wrapped):
    def cpu(self):
        return self

    def numpy(self):
        return self._array


class LikeJax(Wrapped):
    def __array__(self, dtype=None, copy=None):
        return self._array


class LikeCupy(Wrapped):
    __cuda_array_interface__ = None

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def get(self):
        return self._array


class LikeJaxOnGPU(LikeJax):
    __cuda_array_interface__ = None


class OnlyDLPack(Wrapped):
    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize(
    "kind", [LikeTorch, LikeJax, LikeJaxOnGPU, LikeCupy, OnlyDLPack, np.asarray, np.ndarray.tolist]
)
def test_arrays_of_any_library_are_taken(kind):
    y = np.array([4.0, 2, 0, -2, 0, 2, 0, 2])
    WHT.check(lambda x, p: kind(y))


def test_pytorch_takes_the_inputs_and_its_answer_is_taken():
    torch = pytest.importorskip("torch")
    for case in cases("dense", "given"):
        if case.valid:
            case.check(lambda v, p: torch.from_numpy(p.P).requires_grad_() @ torch.from_numpy(v))


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match=r"a builtins.object: an array is needed, with .numpy\(\)"):
        to_numpy(object())
