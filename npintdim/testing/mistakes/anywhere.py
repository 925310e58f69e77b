"""What may happen to any answer, whatever the family: steps before and after the whole computation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from npintdim.testing.mistakes.table import fitted, wrong
from npintdim.typing import Array

# A change takes the constant of a fitted mistake first, if there is one.


def of_answer(change: Callable[..., Any]) -> Callable[..., Any]:
    """change(y) of the one array that is answered; of several, of the gradient, which comes last."""

    def step(*given: Any) -> Any:
        *c, y, _first, _p = given
        return (*y[:-1], change(*c, np.asarray(y[-1]))) if isinstance(y, tuple) else change(*c, np.asarray(y))

    return step


def of_loss(change: Callable[..., Any]) -> Callable[..., Any]:
    """change(x, L, g) of what is answered, L and g, where the input is x."""

    def step(*given: Any) -> Any:
        *c, y, first, _p = given
        if not isinstance(y, tuple) or len(y) != 2:
            raise ValueError("no loss and gradient")
        return change(*c, first, *y)

    return step


def of_input(change: Callable[..., Any]) -> Callable[..., Any]:
    """change(x) of an input of real numbers; words and seeds have none."""

    def step(*given: Any) -> Any:
        if getattr(getattr(given[-1], "dtype", None), "kind", "") != "f":
            raise ValueError("no real numbers")
        return change(*given)

    return step


def unit(x: Array) -> Any:
    """x / ‖x‖."""
    return x / (np.linalg.norm(x) or 1)


def clipped_norm(c: float, x: Array) -> Any:
    """x, at most of norm c."""
    return x * min(1.0, c / (float(np.linalg.norm(x)) + 1e-300))


def clipped(c: float, x: Array) -> Any:
    """x, entries between ±c."""
    return np.clip(x, -c, c)


ANYWHERE = (
    wrong("negated", "the answer has the wrong sign", answer=of_answer(lambda x: -x)),
    wrong("in reversed order", "the answer comes in reversed order", answer=of_answer(lambda x: x[::-1])),
    wrong("late by one", "entry k is what entry k + 1 should be (rolled by one)",
          answer=of_answer(lambda x: np.roll(x, -1))),
    wrong("early by one", "entry k is what entry k − 1 should be (rolled by one)",
          answer=of_answer(lambda x: np.roll(x, 1))),
    wrong("off by 1", "every entry is one too large (counted from 1?)", answer=of_answer(lambda x: x + 1)),
    wrong("normalised answer", "the answer is divided by its norm", answer=of_answer(unit)),
    wrong("rectified answer", "negative entries of the answer are 0",
          answer=of_answer(lambda x: np.maximum(x, 0))),
    wrong("input normalised", "the input is divided by its norm first", input=of_input(unit)),
    wrong("input reversed", "the input is taken in reversed order", input=of_input(lambda x: x[::-1])),
    wrong("input centred", "the mean is taken off the input first", input=of_input(lambda x: x - x.mean())),
    wrong("bytes exchanged", "the bytes of each word come in the other order",
          answer=of_answer(lambda x: x.byteswap())),
    fitted("constant factor", "the answer (of loss and gradient, the gradient) is {c} times the right one "
           "(α/r, a mean for a sum, a double count?)", 2.0, answer=of_answer(lambda c, x: c * x)),
    fitted("negative factor", "the answer is −{c} times the right one",
           2.0, answer=of_answer(lambda c, x: -c * x)),
    fitted("constant added", "{c} is added to every entry of the answer",
           0.1, answer=of_answer(lambda c, x: x + c)),
    fitted("answer clipped", "entries of the answer are clipped to ±{c}", 0.1, answer=of_answer(clipped)),
    fitted("answer's norm clipped", "the answer is clipped to norm {c}", 1.0, answer=of_answer(clipped_norm)),
    fitted("input clipped", "entries of the input are clipped to ±{c}", 0.5, input=of_input(clipped)),
    fitted("L2 in the gradient alone", "{c} times the input is added to the gradient, "
           "not to the loss (weight_decay)", 0.01, answer=of_loss(lambda c, x, L, g: (L, g + c * x))),
    fitted("L2 penalty", "½·{c}·‖θ‖² is added to the loss, with its gradient", 0.01,
           answer=of_loss(lambda c, x, L, g: (L + 0.5 * c * (x @ x), g + c * x))),
    fitted("loss scaled alone", "the loss is {c} times the right one; its gradient is right", 2.0,
           answer=of_loss(lambda c, x, L, g: (c * L, g))),
    fitted("loss and gradient scaled", "loss and gradient are {c} times the right ones", 2.0,
           answer=of_loss(lambda c, x, L, g: (c * L, c * g))),
    fitted("loss off", "{c} is added to the loss", 1.0, answer=of_loss(lambda c, x, L, g: (L + c, g))),
)  # fmt: skip
