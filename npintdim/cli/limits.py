"""What an option can be: paths, and numbers that would take years or all memory."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from pathlib import Path

LONGEST = 255  # bytes of a name
MOST = {"jobs": 4096, "seeds": 10_000, "epochs": 10**6, "draws": 10**6}


def path(text: str) -> Path:
    """A path; ~ is the user's home also in --out=~/x, where no shell sees it."""
    found = Path(text)
    if text.startswith("~"):
        with suppress(RuntimeError):  # ~nobody is a name like any other, as in a shell
            found = found.expanduser()
    longest = max((len(os.fsencode(part)) for part in found.parts), default=0)
    if longest > LONGEST:
        raise argparse.ArgumentTypeError(f"a name has {longest} bytes, and a file system takes {LONGEST}")
    return found


def check_sizes(args: argparse.Namespace) -> None:
    """Refuse numbers that are beyond reason, before anything is said."""
    for name, most in MOST.items():
        value = getattr(args, name, None)
        if isinstance(value, int) and value > most:
            raise ValueError(f"{name} is {value}: {name} ≤ {most} is needed")
