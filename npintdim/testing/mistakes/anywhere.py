"""What may happen to any answer, whatever the family: steps before and after the whole computation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import Mistake, fitted, wrong
from npintdim.typing import Array


def of_answer(change: Callable[[Array], Any]) -> Callable[..., Any]:
    """A change of the one array that is answered; of several, of the gradient, which comes last."""

    def step(y: Any, first: Any, p: Any) -> Any:
        return (*y[:-1], change(np.asarray(y[-1]))) if isinstance(y, tuple) else change(np.asarray(y))

    return step


def of_loss(change: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A change of (loss, gradient)."""

    def step(y: Any, first: Any, p: Any) -> Any:
        if not isinstance(y, tuple) or len(y) != 2:
            raise ValueError("no loss and gradient")
        return change(*y)

    return step


def constant(name: str, says: str, example: float, change: Callable[[float, Array], Any]) -> Mistake:
    """A change with a constant."""
    return fitted(
        name, says, example, answer=lambda c, y, first, p: of_answer(lambda x: change(c, x))(y, first, p)
    )


def unit(x: Array) -> Any:
    """x / ‖x‖."""
    return x / (np.linalg.norm(x) or 1)


def of_input(change: Callable[[Array], Any]) -> Callable[[Any], Any]:
    """A change of an input of real numbers; words and seeds have none."""

    def step(x: Any) -> Any:
        if getattr(getattr(x, "dtype", None), "kind", "") != "f":
            raise ValueError("no real numbers")
        return change(x)

    return step


def clipped_norm(c: float, x: Array) -> Any:
    """x, at most of norm c."""
    return x * min(1.0, c / (float(np.linalg.norm(x)) + 1e-300))


ANYWHERE = (
    wrong("negated", "the answer has the wrong sign", answer=of_answer(lambda x: -x)),
    wrong("in reversed order", "the answer comes in reversed order", answer=of_answer(lambda x: x[::-1])),
    wrong("late by one", "entry k is what entry k + 1 should be (rolled by one)", answer=of_answer(lambda x: np.roll(x, -1))),
    wrong("early by one", "entry k is what entry k − 1 should be (rolled by one)", answer=of_answer(lambda x: np.roll(x, 1))),
    wrong("off by 1", "every entry is one too large (counted from 1?)", answer=of_answer(lambda x: x + 1)),
    wrong("normalised answer", "the answer is divided by its norm", answer=of_answer(unit)),
    wrong("rectified answer", "negative entries of the answer are 0", answer=of_answer(lambda x: np.maximum(x, 0))),
    wrong("input normalised", "the input is divided by its norm first", input=of_input(unit)),
    wrong("input reversed", "the input is taken in reversed order", input=of_input(lambda x: x[::-1])),
    wrong("input centred", "the mean is taken off the input first", input=of_input(lambda x: x - x.mean())),
    wrong("bytes exchanged", "the bytes of each word come in the other order", answer=of_answer(lambda x: x.byteswap())),
    constant("constant factor", "the answer (of loss and gradient, the gradient) is {c} times the right one (α/r, a mean for a sum, a double count?)", 2.0, lambda c, x: c * x),
    constant("negative factor", "the answer is −{c} times the right one", 2.0, lambda c, x: -c * x),
    constant("constant added", "{c} is added to every entry of the answer", 0.1, lambda c, x: x + c),
    constant("answer clipped", "entries of the answer are clipped to ±{c}", 0.1, lambda c, x: np.clip(x, -c, c)),
    constant("answer's norm clipped", "the answer is clipped to norm {c}", 1.0, clipped_norm),
    fitted("input clipped", "entries of the input are clipped to ±{c}", 0.5, input=lambda c, x: of_input(lambda y: np.clip(y, -c, c))(x)),
    fitted("L2 in the gradient alone", "{c} times the input is added to the gradient, not to the loss (weight_decay)", 0.01,
           answer=lambda c, y, x, p: of_loss(lambda L, g: (L, g + c * x))(y, x, p)),
    fitted("L2 penalty", "½·{c}·‖θ‖² is added to the loss, with its gradient", 0.01,
           answer=lambda c, y, x, p: of_loss(lambda L, g: (L + 0.5 * c * (x @ x), g + c * x))(y, x, p)),
    fitted("loss scaled alone", "the loss is {c} times the right one; its gradient is right", 2.0,
           answer=lambda c, y, x, p: of_loss(lambda L, g: (c * L, g))(y, x, p)),
    fitted("loss and gradient scaled", "loss and gradient are {c} times the right ones", 2.0,
           answer=lambda c, y, x, p: of_loss(lambda L, g: (c * L, c * g))(y, x, p)),
    fitted("loss off", "{c} is added to the loss", 1.0, answer=lambda c, y, x, p: of_loss(lambda L, g: (L + c, g))(y, x, p)),
)  # fmt: skip
