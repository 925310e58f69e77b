"""How errors are told: on one line, as short as can be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def brief(text: object, letters: int = 300) -> str:
    """The text, or what an error says, on one line; of a long one the beginning and the end."""
    if isinstance(text, OSError) and text.filename:
        text = f"{text.filename}: {text.strerror}"
    elif isinstance(text, BaseException) and not (isinstance(text, ImportError) and str(text)):
        text = f"{type(text).__name__}: {text}" if str(text) else type(text).__name__
    return cut(" ".join(str(text).split()), letters)


def cut(line: str, letters: int = 500) -> str:
    """Of a long line the beginning and the end: nobody reads 5,000 letters that were typed by mistake."""
    half = letters // 2
    return line if len(line) <= letters else f"{line[:half]} ... {line[-half:]}"


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
