"""Checks of arguments: the value as Python's own, or one clear error: what was given and what is needed.

It is a TypeError for what is of another kind, and a ValueError for what is out of range.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from numbers import Real
from operator import index
from typing import Any

import numpy as np

quiet = np.errstate(all="ignore")
"""Decorates what computes: too small a number becomes 0, too large a one inf or NaN, whatever np.seterr."""
LARGEST = (1 << 63) - 1  # of an integer without a limit of its own: what NumPy counts with


class Known(str):
    """A text that knows the thing it names: equal to the text, and written, copied and sent as that alone."""

    it: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str.__str__(self),)


def shown(value: object) -> str:
    """The value for a message: on one line, without its middle where it is long."""
    try:
        text = re.sub(r"\s*\n\s*", " ", repr(value))
    except Exception:  # an integer of 5,000 digits, an object that is half built
        return f"a {type(value).__name__} that cannot be shown"
    return cut(text, 100)


def plain(value: Any) -> Any:
    """A number or text of NumPy's, or an array of one, as Python's own; anything else as it is."""
    scalar = getattr(value, "ndim", None) == 0 and not isinstance(value, np.ma.MaskedArray)
    return value.item() if scalar and not isinstance(value, np.datetime64 | np.timedelta64) else value


def check_integer(
    name: str, value: object, low: int | None, high: int | None = None, needed: str = ""
) -> int:
    """The value as an int with low ≤ value ≤ high."""
    if low is not None:
        needed = needed or (f"{name} ≥ {low}" if high is None else f"{low} ≤ {name} ≤ {high}")
    own = plain(value)
    if isinstance(own, bool | type | np.ndarray | np.timedelta64) or not hasattr(own, "__index__"):
        raise TypeError(f"{name} is {shown(value)}: an integer{needed and f' with {needed}'} is needed")
    number = index(own)
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"{name} is {shown(number)}: {needed} is needed")
    if high is None and abs(number) > LARGEST:
        raise ValueError(f"{name} is {shown(number)}: an integer below 2**63 is needed")
    return number


def check_integers(name: str, values: Any, needed: str = "", low: int = 1) -> tuple[int, ...]:
    """Integers from `low` on, in a list, say."""
    values = plain(values)
    if not isinstance(values, list | tuple | range | np.ndarray):
        raise TypeError(f"{name} is {shown(values)}: a list of integers is needed")
    return tuple(check_integer(f"each of {name}", n, low, needed=needed) for n in values)


def check_real(name: str, value: object) -> float:
    """The value as a Python number within the floats, an int as it is; the range is the caller's affair."""
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
    """The seed as an int with 0 ≤ seed < 2⁶⁴."""
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
    return own if isinstance(own, Known) else str.__str__(own)


def check_kind(name: str, value: object, kind: type, example: str) -> None:
    """Refuse what is of another kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {named_kind(value)}: a {kind.__name__} is needed, e.g. {example}")


def check_has(name: str, value: object, parts: Sequence[str], needed: str) -> None:
    """Refuse what lacks one of the parts that are used here: of what is one's own no kind is asked."""
    if isinstance(value, type) or not all(hasattr(value, part) for part in parts):
        raise TypeError(f"{name} is {named_kind(value)}: {needed} are needed")


def named_kind(value: object) -> str:
    """For a message: a text or number itself, of anything else its kind."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return shown(value) if isinstance(value, str | int) else f"a {type(value).__name__}"


def one_of(what: str, given: object, known: Iterable[str], otherwise: str = "") -> str:
    """The name, if it is a known one; else the error of `unknown`."""
    names = list(known)
    if not isinstance(given, str) or given not in names:
        raise unknown(what, given, names, otherwise)
    return str.__str__(given)


def unknown(what: str, given: object, known: Iterable[str], otherwise: str = "") -> ValueError:
    """The error for a name that does not exist, with the nearest one that does, else what else to say."""
    names = list(known)
    text = given if isinstance(given, str) else ""
    near = difflib.get_close_matches(text, names, n=1) or [n for n in names if n.lower() == text.lower()]
    hint = f" Did you mean {near[0]!r}?" if near else otherwise
    return ValueError(f"unknown {what} {shown(given)}: choose one of {', '.join(names)}.{hint}")


def counted(count: int, thing: str) -> str:
    """'1 run', '1,000 runs'."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def brief(text: object) -> str:
    """The text, or what an error says, on one line; of a long one the beginning and the end."""
    if isinstance(text, OSError) and text.filename:
        text = f"{text.filename}: {text.strerror}"
    elif isinstance(text, BaseException) and not (isinstance(text, ImportError) and str(text)):
        text = f"{type(text).__name__}: {text}" if str(text) else type(text).__name__
    return cut(" ".join(str(text).split()), 300)


def cut(line: str, letters: int = 500) -> str:
    """Of a long line the beginning and the end: nobody reads 5,000 letters that were typed by mistake."""
    half = letters // 2
    return line if len(line) <= letters else f"{line[:half]} ... {line[-half:]}"


def table_html(above: str, rows: Sequence[Sequence[object]], below: str) -> str:
    """What a notebook shows: a sentence, a table whose first row is its header, what came out in bold."""

    def line(row: Sequence[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row) + "</tr>"

    lines = [line(row, "td" if i else "th") for i, row in enumerate(rows)]
    return f"<p>{escape(above)}</p><table>{''.join(lines)}</table><p><b>{escape(below)}</b></p>"


def attempt(make: Callable[[], Any]) -> tuple[Any, str]:
    """What only decorates a result, which is not lost whatever goes wrong here.

    Returns
    -------
    what was made, or None; and what to tell of it: itself, or "none: reason"
    """
    try:
        made = make()
    except Exception as error:
        return None, f"none: {brief(error)}"
    return made, str(made)
