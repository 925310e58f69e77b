"""Files: JSON written in one way only, bytes all or nothing, what a killed process left, what is damaged."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

OWNER = r"[0-9a-f]{8}-\d{1,10}-\d{1,20}"  # see `owner`
PART = re.compile(rf"\.(?:({OWNER})-)?[0-9a-f]{{16}}\.part")  # without an owner: of earlier versions
FORGOTTEN = 3600.0  # seconds after which nobody elsewhere is still writing a part


class DamagedError(ValueError):
    """A file does not hold what was written there; the message names it."""


def inside(folder: Path) -> Iterator[Path]:
    """Every file in a folder and those within it, links to folders too; nothing hidden, as .DS_Store is."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if not path.is_dir():
            yield path
        elif path.resolve() not in (here := folder.resolve(), *here.parents):  # a link to where it lies
            yield from inside(path)


def canonical(spec: Any) -> bytes:
    """JSON in one way only: keys sorted, no blanks, ASCII, no NaN."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; DamagedError if it holds anything else, OSError if it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error or 'it is empty'})") from error
    if not isinstance(found, dict):
        raise DamagedError(f"{path} is damaged (it holds no JSON object)")
    return found


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """All of data under the name, or whatever was there before; another process never sees a part.

    `mode` is the permissions, less those that the umask withholds; an OSError names the path.
    """
    with beside(path, data, mode) as part:
        part.replace(path)


@contextmanager
def beside(path: Path, data: bytes, mode: int = 0o666) -> Iterator[Path]:
    """All of data in a file beside the path, to take its place; gone afterwards, and errors name the path.

    The parts of processes that were killed are removed on the way.
    """
    tidy(path.parent)
    part = part_in(path.parent)
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield part
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def part_in(folder: Path) -> Path:
    """A new name for what is not ready; it says whose it is, to be removed when that process is gone."""
    return folder / f".{owner()}-{secrets.token_hex(8)}.part"


def tidy(folder: Path, names: re.Pattern[str] = PART) -> None:
    """Remove the parts in a folder that no living process is writing; other machines' when they are old."""
    with suppress(OSError):
        for path in folder.iterdir():
            if told := names.fullmatch(path.name):
                with suppress(OSError):
                    old = time.time() - path.stat().st_mtime > FORGOTTEN
                    if told[1] is None or old or gone(told[1]):
                        path.unlink(missing_ok=True)


def owner() -> str:
    """The name of this process, as no other is called: where PIDs mean the same, its PID, and since when."""
    return f"{this_machine()}-{os.getpid()}-{process(os.getpid())[1]}"


def gone(owner: str) -> bool:
    """Whether a process of this machine has ended; False where that cannot be asked safely, or from here."""
    where, pid, began = owner.split("-")
    if where != this_machine() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's
        pass
    state, now = process(int(pid))
    return state in ("Z", "X") or (0 not in (now, int(began)) and now != int(began))  # its PID was given away


@functools.cache
def this_machine() -> str:
    """The machine, and the container on it if that counts its own PIDs."""
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


def process(pid: int) -> tuple[str, int]:
    """Its state, and when it began, in ticks; "" and 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[19])
    except (OSError, ValueError, IndexError):
        return "", 0
