"""Checks of arguments: one clear error that says what was given and what was needed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from numbers import Real
from operator import index

import numpy as np


def check_integer(name: str, value: object, low: int, high: int | None = None, needed: str = "") -> int:
    """The value as an int with low ≤ value ≤ high.

    Raises
    ------
    TypeError, ValueError
        which name the value and say what is needed.
    """
    needed = needed or (f"{name} ≥ {low}" if high is None else f"{low} ≤ {name} ≤ {high}")
    try:  # NumPy's bool is an index in its older versions
        number = None if isinstance(value, bool | np.bool_) else index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name} is {value!r}: an integer with {needed} is needed")
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} is {number}: {needed} is needed")
    return number


def check_real(name: str, value: object) -> None:
    """Refuse what is no real number, with its name; the range is the caller's affair.

    Raises
    ------
    TypeError
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}: a number is needed")


def check_seed(seed: object) -> int:
    """The seed as an int.

    Raises
    ------
    TypeError, ValueError
        unless it is an integer with 0 ≤ seed < 2⁶⁴.
    """
    return check_integer("seed", seed, 0, (1 << 64) - 1, "0 ≤ seed < 2**64")


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False: an option's value is part of the spec."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}: True or False is needed")


def check_kind(name: str, value: object, kind: type, example: str) -> None:
    """Refuse what is of another kind.

    Raises
    ------
    TypeError
        which says what was given and what is needed.
    """
    if not isinstance(value, kind):
        given = repr(value) if isinstance(value, str | int) else f"a {type(value).__name__}"
        raise TypeError(f"{name} is {given}: a {kind.__name__} is needed, e.g. {example}")


def unknown(what: str, given: object, known: Iterable[str]) -> ValueError:
    """The error for a name that does not exist, with the nearest one that does."""
    names = list(known)
    near = difflib.get_close_matches(str(given), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"unknown {what} {given!r}: choose one of {', '.join(names)}.{hint}")
