"""A list of strangers' mistakes: explain and the vectors have one verdict, none passes, and none is accused of another."""

from importlib import import_module

import numpy as np
import pytest
import strangers as s
from scipy.sparse.linalg import aslinearoperator
from strangers_list import ALSO, LIST, SLOW, train

import npintdim as nid
from npintdim.testing import CheckError, cases, explain, register_mistake
from npintdim.testing.mistakes import TABLES

pytestmark = pytest.mark.usefixtures("variants_once")
explaining = import_module("npintdim.testing.explain")
RIGHT = {
    "wht": ("wht", "given", "transform", lambda x, p: s.hadamard(len(x)) @ x),
    "fastfood": ("fastfood", "given", "apply", s.explicit),
    "sgd": ("trajectory", "given", "sgd", lambda theta_0, p: train(p, theta_0)),
    "adam": ("trajectory", "given", "adam", lambda theta_0, p: train(p, theta_0)),
}


def passes(case, fn):
    try:
        case.check(fn)
    except (CheckError, ValueError, TypeError, IndexError):
        return False
    return True


@pytest.mark.parametrize("name", [*LIST, *RIGHT])
def test_explain_and_the_vectors_have_one_verdict(name):
    s.needs(name)
    family, level, task, fn, *_ = (LIST | RIGHT)[name]
    asked, refused = explaining._ask((family, level, task), fn, np.dtype(np.float64))
    found = [c for c in cases(family, level, task) if c.valid and c.dtype in ("", "float64")]
    vectors = all(passes(case, fn) for case in found)
    assert asked and (all(a.ok for a in asked) and not refused) == vectors
    assert vectors == (name in RIGHT)


@pytest.mark.parametrize("name", [name for name in LIST if name not in SLOW])
def test_a_mistake_is_named_rightly_or_described(name):
    s.needs(name)
    family, level, task, fn, words = LIST[name]
    found = explain(family, fn, level, task)
    assert not found.correct
    words = [*words, *ALSO.get(name, ())]
    if words:
        assert any(word in " ".join(found.mistakes) for word in words), found
    else:
        assert found.mistakes == () and "first difference on" in str(found), found


def test_at_least_half_have_a_name():
    named = [name for name, (*_, words) in LIST.items() if words or name in ALSO]
    assert len(LIST) >= 120 and len(named) > len(LIST) / 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trajectory given sgd clip_1", "clipped to norm 1 "),
        ("trajectory given sgd gamma", "multiplied by 0.9 after each step"),
        ("trajectory given sgd l2", "0.02·θ_d is added"),
        ("trajectory given sgd alpha_over_r", "P is multiplied by 2 "),
        ("trajectory given sgd redrawn", "step 1 is wrong, so it is the gradient at θ_0"),
        ("trajectory given sgd reset_at_5", "the first 5 steps are right, step 6 is not"),
        ("lenet_loss_grad given loss_grad grad_flipped", "wrong: W1 (flipped), W2 (flipped); right: b1, b2"),
        ("fastfood given apply lora_D_over_n", "on every problem the answer is"),
        ("fastfood given apply last_row_zero", "1 of 64 entries differ; wrong: block 3"),
        ("dense given apply over_epsilon", "0.999999"),
    ],
)  # fmt: skip
def test_facts_and_constants(name, words):
    family, level, task, fn, _ = LIST[name]
    assert words in str(explain(family, fn, level, task))


def test_a_tiny_change_is_not_called_float32():
    found = explain("subspace_gradient", LIST["subspace_gradient given loss_grad normalised_eps"][3])
    assert "float32" not in str(found) and found.mistakes == ("constant factor",)


def test_a_teams_own_mistake(monkeypatch):
    for key in [key for key in TABLES if key[0] == "wht"]:
        monkeypatch.setitem(TABLES, key, TABLES[key])
    wrong = lambda x, p: s.hadamard(len(x)) @ np.sort(x)  # noqa: E731
    assert explain("wht", wrong).mistakes == ()
    register_mistake("wht", "sorted", wrong, "x is sorted first")
    assert (
        explain("wht", wrong).mistakes == ("sorted",) and str(explain("wht", wrong)) == "x is sorted first."
    )
    assert explain("wht", RIGHT["wht"][3]).correct
    with pytest.raises(ValueError, match="has a mistake 'sorted' already"):
        register_mistake("wht", "sorted", wrong)
    with pytest.raises(ValueError, match="unknown family 'whd'"):
        register_mistake("whd", "sorted", wrong)


@pytest.mark.parametrize("kind", ["fastfood", "dense", "sparse"])
def test_scipy_takes_P_as_it_is(kind):
    P = nid.make_projection(kind, 50, 6, 1, nid.get_backend("numpy", np.float64))
    A = aslinearoperator(P)
    np.testing.assert_allclose(A @ np.eye(6), P.to_dense())
    np.testing.assert_allclose(A.H @ np.eye(50), P.to_dense().T)
    with pytest.raises(ValueError, match=r"must have shape \(6,\); P @ V and P\.T @ G take matrices"):
        P.apply(np.ones((6, 2)))
