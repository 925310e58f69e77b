"""Files: JSON written in one way only, bytes all or nothing."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any


def canonical(spec: Any) -> bytes:
    """JSON in one way only: keys sorted, no blanks, ASCII, no NaN."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """All of data under the name, or whatever was there before; another process never sees a part.

    Parameters
    ----------
    mode : permissions, less those that the umask withholds

    Raises
    ------
    OSError
        which names `path`, if the folder does not exist or cannot be written to.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
