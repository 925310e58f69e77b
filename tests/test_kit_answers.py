"""What strangers' functions give back: half precision, complex numbers, NaN, other names, another order, one number."""

import numpy as np
import pytest
import strangers as s

import npintdim as nid
from npintdim.testing import CheckError, cases, conformance, explain, to_numpy


def mlp(theta, p):
    model = nid.mlp(p.sizes, nid.get_backend("numpy", theta.dtype))
    return model.loss_and_grad(theta, nid.Batch(p.x, p.labels))


def case_of(family, dtype="float64"):
    return next(case for case in cases(family, "given", dtype=dtype) if case.valid and case.expected)


# ---- several arrays ----


@pytest.mark.parametrize(
    "form",
    [
        lambda loss, grad: (loss, grad),
        lambda loss, grad: [loss, grad],
        lambda loss, grad: {"loss": loss, "grad": grad},
        lambda loss, grad: {"grad": grad, "loss": float(loss)},
    ],
)
def test_in_order_or_by_name(form):
    assert str(explain("mlp_loss_grad", lambda theta, p: form(*mlp(theta, p)))) == "Correct to rounding."
    case_of("mlp_loss_grad").check(lambda theta, p: form(*mlp(theta, p)))


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda loss, grad: {"L": loss, "grad": grad}, "must be loss, grad, in this order or by name, but has L, grad"),
        (lambda loss, grad: grad, "but is a ndarray"),
        (lambda loss, grad: (loss, grad, grad), "but is a tuple of 3"),
    ],
)  # fmt: skip
def test_other_parts_are_said(form, words):
    assert words in str(explain("mlp_loss_grad", lambda theta, p: form(*mlp(theta, p))))
    with pytest.raises(CheckError, match=words):
        case_of("mlp_loss_grad").check(lambda theta, p: form(*mlp(theta, p)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda loss, grad: (loss * (1.5 if len(grad) == 59 else 1.7), grad), r"5-4-4-3 at loss: 1.64577738 against 1.09718492, ratio 1.5; grad is right."),
        (lambda loss, grad: (np.nan, grad), "5-4-4-3 at loss: nan against 1.09718492"),
        (lambda loss, grad: (loss, grad * (1.5 + np.arange(len(grad)))), "5-4-4-3 at grad[0]"),
        (lambda loss, grad: (loss * 1.5, grad), "The loss is 1.5 times the right one; its gradient is right."),
        (lambda loss, grad: (loss, grad * 1.5), "The answer (of loss and gradient, the gradient) is 1.5 times"),
        (lambda loss, grad: (loss, grad[:-1]), "grad has shape (58,), but (59,) is needed; loss is right."),
    ],
)  # fmt: skip
def test_a_part_that_is_wrong_is_named(wrong, words):
    """The loss is one number, which has no entries to point at."""
    assert words in str(explain("mlp_loss_grad", lambda theta, p: wrong(*mlp(theta, p))))


def test_a_loss_that_is_wrong_has_no_brackets():
    with pytest.raises(CheckError, match=r": loss is nan, but [0-9.]* is expected"):
        case_of("mlp_loss_grad").check(lambda theta, p: (np.nan, mlp(theta, p)[1]))


def test_a_tuple_of_one_is_its_array():
    """`jax.linear_transpose` and `torch.autograd.grad` give one."""
    assert explain("fastfood", lambda v, p: (s.explicit(v, p),)).correct
    case_of("fastfood").check(lambda v, p: (s.explicit(v, p),))
    with pytest.raises(CheckError, match="must be y, but is a tuple of 2"):
        case_of("fastfood").check(lambda v, p: (s.explicit(v, p), v))


# ---- numbers of other kinds ----


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y + 1j * y, "y has dtype complex128: real numbers are needed"),
        (lambda y: [str(x) for x in y], "real numbers are needed"),
        (lambda y: y.astype(object), "y has dtype object: real numbers are needed"),
        (lambda y: y.astype(int), "the answer has dtype int64, but floating-point numbers are needed"),
        (lambda y: y.astype(np.float16), "the answer is float16, too coarse to tell a mistake from rounding"),
    ],
)
def test_what_no_check_can_judge_is_never_called_right(change, words):
    found = explain("fastfood", lambda v, p: change(s.explicit(v, p)))
    assert not found.correct and words in str(found)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_of_pytorch(name):
    """Right or not, three digits do not tell; converted to float32 they are judged as that."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a guest")

    def fn(v, p):
        return torch.from_numpy(s.explicit(v, p)).to(getattr(torch, name))

    assert f"the answer is {name}, too coarse" in str(explain("fastfood", fn))
    assert "is there float16, bfloat16 or TF32 inside?" in str(
        explain("fastfood", lambda v, p: fn(v, p).float())
    )
    assert to_numpy(torch.tensor([1.0, -0.0078125]).to(getattr(torch, name))).tolist() == [1, -0.0078125]


def test_half_precision_of_jax():
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed: it is only a guest")
    answer = to_numpy(jnp.asarray([1.0, 3.0], jnp.bfloat16))
    assert answer.dtype == np.float32 and answer.tolist() == [1, 3]
    fn = lambda v, p: jnp.asarray(s.explicit(v, p), jnp.bfloat16)  # noqa: E731
    assert "the answer is bfloat16, too coarse" in str(explain("fastfood", fn))


def test_pytorchs_tensors_in_every_state():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is only a guest")
    x = torch.arange(6.0, requires_grad=True)
    for tensor in (x, x[::2], x.reshape(2, 3).T, torch.complex(x, -x).conj().imag):
        assert to_numpy(tensor).tolist() == tensor.tolist()
    assert to_numpy(list(x)).tolist() == [0, 1, 2, 3, 4, 5]


# ---- precision ----


def test_only_the_tests_of_a_precision():
    """Who has float32 alone need not list the others as expected failures."""
    both, single = cases("fastfood"), cases("fastfood", dtype="float32")
    assert {case.dtype for case in single} == {"float32"} and 0 < len(single) < len(both)
    assert len(cases("philox", dtype="float32")) == len(cases("philox"))  # integers have no precision

    @conformance("fastfood", "given", dtype="float32")
    def test_mine(case): ...

    (mark,) = test_mine.pytestmark
    assert {p.values[0].dtype for p in mark.args[1]} == {"float32"}
    with pytest.raises(ValueError, match="unknown dtype 'float16': choose one of float32, float64"):
        cases("wht", dtype="float16")
    for case in single:
        if case.valid and case.level == "given":
            case.check(lambda v, p: s.explicit(v, p).astype(np.float32))


def test_a_float32_answer_to_a_float64_test_is_told():
    with pytest.raises(CheckError, match=r"error [0-9.e-]+ \(y is float32, the test in float64\), tolerance"):
        for case in cases("fastfood", "given", dtype="float64"):
            case.check(lambda v, p: s.explicit(v, p).astype(np.float32))


def test_what_is_no_array_is_told_with_the_case():
    with pytest.raises(
        CheckError, match=r"fastfood-given-apply-.* the answer is None: .* is there a return\?"
    ):
        case_of("fastfood").check(lambda v, p: None)


def test_an_input_that_is_not_there_is_told():
    assert "p has no 'Q': it has arrays, task, dtype, B, Pi, G, S, D, d, blocks" in str(
        explain("fastfood", lambda v, p: p.Q)
    )
