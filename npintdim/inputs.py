"""Checks of arguments: one clear error that says what was given and what was needed, or the value as Python's own."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from inspect import Parameter, signature
from numbers import Real
from operator import index
from typing import Any, TypeVar

import numpy as np

from npintdim.typing import Spec

T = TypeVar("T")
quiet = np.errstate(all="ignore")
"""Decorates what computes: a number too small becomes 0, one too large inf or NaN and so a result, whatever np.seterr."""
LARGEST = (1 << 63) - 1  # of an integer without a limit of its own: what NumPy counts with


def shown(value: object) -> str:
    """The value for a message: on one line, without its middle where it is long."""
    try:
        text = re.sub(r"\s*\n\s*", " ", repr(value))
    except Exception:  # an integer of 5,000 digits, an object that is half built
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 100 else f"{text[:70]} … {text[-20:]}"


def plain(value: Any) -> Any:
    """A number or text of NumPy's, or an array of one, as Python's own; anything else as it is."""
    scalar = getattr(value, "ndim", None) == 0 and not isinstance(value, np.ma.MaskedArray)
    return value.item() if scalar and not isinstance(value, np.datetime64 | np.timedelta64) else value


def check_integer(
    name: str, value: object, low: int | None, high: int | None = None, needed: str = ""
) -> int:
    """The value as an int with low ≤ value ≤ high.

    Raises
    ------
    TypeError, ValueError
        which name the value and say what is needed.
    """
    if low is not None:
        needed = needed or (f"{name} ≥ {low}" if high is None else f"{low} ≤ {name} ≤ {high}")
    own = plain(value)
    if isinstance(own, bool | np.ndarray | np.timedelta64) or not hasattr(own, "__index__"):
        raise TypeError(f"{name} is {shown(value)}: an integer{needed and f' with {needed}'} is needed")
    number = index(own)
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"{name} is {shown(number)}: {needed} is needed")
    if high is None and abs(number) > LARGEST:
        raise ValueError(f"{name} is {shown(number)}: an integer below 2**63 is needed")
    return number


def check_integers(name: str, values: Any, needed: str = "", low: int = 1) -> tuple[int, ...]:
    """Integers from `low` on, in a list, say.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(values, list | tuple | range | np.ndarray):
        raise TypeError(f"{name} is {shown(values)}: a list of integers is needed")
    return tuple(check_integer(f"each of {name}", n, low, needed=needed) for n in values)


def check_real(name: str, value: object) -> float:
    """The value as a Python number, an int as it is; the range is the caller's affair.

    Raises
    ------
    TypeError, ValueError
        for what is no real number, or beyond the floats.
    """
    own = plain(value)
    if isinstance(own, bool | np.timedelta64) or not isinstance(own, Real):
        raise TypeError(f"{name} is {shown(value)}: a number is needed")
    try:
        number = float(own)
    except OverflowError as error:
        raise ValueError(f"{name} is {shown(value)}: a number below 1.8e308 is needed") from error
    # 1 and 1.0 are two texts in JSON, and so two keys of a run: an integer stays one.
    return index(own) if hasattr(own, "__index__") else number


def check_seed(seed: object) -> int:
    """The seed as an int.

    Raises
    ------
    TypeError, ValueError
        unless it is an integer with 0 ≤ seed < 2⁶⁴.
    """
    return check_integer("seed", seed, 0, (1 << 64) - 1, "0 ≤ seed < 2**64")


def check_flag(name: str, value: object) -> bool:
    """The value, which is True or False: an option is part of the spec."""
    own = plain(value)
    if not isinstance(own, bool):
        raise TypeError(f"{name} is {shown(value)}: True or False is needed")
    return own


def check_text(name: str, value: object) -> str:
    """The value as a str."""
    if not isinstance(own := plain(value), str):
        raise TypeError(f"{name} is {shown(value)}: a text is needed")
    return str.__str__(own)


def check_json(name: str, value: object) -> Any:
    """A copy of the value in those types that JSON has.

    Raises
    ------
    TypeError, ValueError
        which name the part that JSON does not have: NaN, another kind of object, a name that is no text.
    """
    own = plain(value)
    if own is None or isinstance(own, bool):
        return own
    if isinstance(own, str):
        return check_text(name, own)
    if isinstance(own, int):
        return check_integer(name, own, None)
    if isinstance(own, Real):
        if not math.isfinite(number := check_real(name, own)):
            raise ValueError(f"{name} is {number}: a finite number is needed")
        return number
    try:
        if isinstance(own, Mapping):
            return {
                check_text(f"a name in {name}", k): check_json(f"{name}[{shown(k)}]", v)
                for k, v in own.items()
            }
        if isinstance(own, list | tuple) or type(own) is np.ndarray:
            items = [check_json(f"{name}[{i}]", item) for i, item in enumerate(own)]
            return tuple(items) if isinstance(own, tuple) else items
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply") from None
    raise TypeError(f"{name} is {shown(value)}: numbers, texts, lists and dictionaries are needed")


def check_spec(name: str, value: object) -> Spec:
    """A dictionary in JSON's types; see `check_json`."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {shown(value)}: a dictionary is needed")
    spec: Spec = check_json(name, value)
    return spec


def check_kind(name: str, value: object, kind: type, example: str) -> None:
    """Refuse what is of another kind.

    Raises
    ------
    TypeError
        which says what was given and what is needed.
    """
    if not isinstance(value, kind):
        given = shown(value) if isinstance(value, str | int) else f"a {type(value).__name__}"
        raise TypeError(f"{name} is {given}: a {kind.__name__} is needed, e.g. {example}")


def settle(thing: Any, **ranges: int | tuple[int, int]) -> None:
    """Make the fields of a frozen dataclass what it declares: int, float, bool, str or Spec, or None where it may be.

    A NumPy number equals Python's, but it overflows, is no JSON, and is printed otherwise.

    Parameters
    ----------
    thing : in its `__post_init__`
    ranges : least value, or least and greatest, of its integers; a seed has its own

    Raises
    ------
    TypeError, ValueError
        which name the field.
    """
    checks = {"float": check_real, "bool": check_flag, "str": check_text, "Spec": check_spec}
    for field in fields(thing):
        name, value = field.name, getattr(thing, field.name)
        kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
        kind, _, other = kind.partition(" | ")
        if value is None and other == "None":
            continue
        if kind == "int" and name == "seed" and name not in ranges:
            value = check_seed(value)
        elif kind == "int":
            limits = ranges.get(name)
            value = check_integer(name, value, *(limits if isinstance(limits, tuple) else (limits,)))
        elif kind in checks:
            value = checks[kind](name, value)
        object.__setattr__(thing, name, value)


def called(what: str, make: Callable[..., T], options: Spec, **given: object) -> T:
    """make(**options, **given), where the options are all that make needs and nothing that it does not know.

    Raises
    ------
    ValueError
        which names what is unknown or missing.
    """
    known = {name: p for name, p in signature(make).parameters.items() if name not in given}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in known.values())
    for name in options:
        if name not in known and not takes_all:
            raise unknown(f"option of {what}", name, known)
    varying = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    needed = [name for name, p in known.items() if p.default is p.empty and p.kind not in varying]
    lacking = [name for name in needed if name not in options]
    if lacking:
        raise ValueError(f"{what} lacks {', '.join(lacking)}")
    return make(**options, **given)


def built(what: str, spec: object, tag: str, makers: Mapping[str, Callable[..., T]], **given: object) -> T:
    """What a spec describes: its tag says which of the makers is `called`, with everything else in it.

    Raises
    ------
    TypeError, ValueError
        for what is no dictionary, or has another tag, other members or other values than there are.
    """
    options = check_spec(what, spec)
    if tag not in options:
        raise ValueError(f"{what} is {shown(options)}, without {tag!r}: one of {', '.join(makers)} is needed")
    name = one_of(what, options.pop(tag), makers)
    return called(repr(name), makers[name], options, **given)


def one_of(what: str, given: object, known: Iterable[str]) -> str:
    """The name, if it is a known one.

    Raises
    ------
    ValueError
        see `unknown`.
    """
    names = list(known)
    if not isinstance(given, str) or given not in names:
        raise unknown(what, given, names)
    return str.__str__(given)


def unknown(what: str, given: object, known: Iterable[str]) -> ValueError:
    """The error for a name that does not exist, with the nearest one that does."""
    names = list(known)
    near = difflib.get_close_matches(given, names, n=1) if isinstance(given, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"unknown {what} {shown(given)}: choose one of {', '.join(names)}.{hint}")
