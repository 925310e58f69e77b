"""One file from the network or from the cache; kept only when its sha256 is right."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from npintdim.data.registry import File, Published
from npintdim.machine import need, optional, watched

VARIABLE = "NPINTDIM_DATA"


def download(source: Published, file: File, cache: Path | None = None, looked: str = "") -> Path:
    """The file from the cache, or from the first mirror that has it with the right sha256.

    Pooch writes to a temporary file and renames it at the end, so nothing half-written bears the name.

    Parameters
    ----------
    source, file : what is needed
    cache : where it is kept
    looked : where it was looked for before, for the errors
    """
    who = f"{source.name}: {file.name} has to be downloaded, and that needs the pooch package"
    who += f" ({looked})" if looked else ""
    pooch = need("pooch", who, f"pip install 'npintdim[data]', or {remedy(source)}")
    http = pooch.HTTPDownloader(
        progressbar=file.size > 1_000_000 and watched() and optional("tqdm") is not None,
        chunk_size=1 << 16,
        timeout=(10, 60),
        headers={"Accept-Encoding": "identity"},  # else some servers have the .gz unpacked on the way
    )

    def checked(url: str, output: str, owner: Any) -> None:
        http(url, output, owner)
        found = file_sha256(Path(output))
        if found != file.sha256:
            raise mismatch("nothing was kept", Path(output), found, file)

    where = pooch.os_cache("npintdim") / source.name if cache is None else cache
    tried = []
    for mirror in source.mirrors:
        url = mirror + file.name
        try:
            with warnings_only(pooch.get_logger()):
                return Path(pooch.retrieve(url, file.sha256, file.name, where, downloader=checked))
        except (OSError, ValueError) as error:
            tried.append(f"  {url}: {reason(error)}")
    heading = f"{source.name}: {file.name} could not be downloaded to {where}. Tried:"
    raise OSError("\n".join((heading, *tried, *[looked] * bool(looked), f"Instead, {remedy(source)}")))


def reason(error: Exception) -> object:
    """The cause inside a failed connection, which says more in fewer words than its wrapping."""
    return getattr(error.args[0] if error.args else None, "reason", None) or error


@contextmanager
def warnings_only(logger: logging.Logger) -> Iterator[None]:
    """Only warnings, unless the user has set a level.

    A filter, because pooch's logger stands outside logging's tree and remembers what its level let through.
    """

    def serious(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING

    if logger.level == logging.NOTSET:
        logger.addFilter(serious)
    try:
        yield
    finally:
        logger.removeFilter(serious)


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def mismatch(what: str, path: Path, found: str, file: File) -> ValueError:
    """The error for a file with another sha256."""
    raw = f", or {file.raw_sha256} ({file.raw_size:,} bytes) unpacked" if file.raw_sha256 else ""
    return ValueError(
        f"{what}: the sha256 of {file.name} is {found} ({path.stat().st_size:,} bytes), "
        f"but {file.sha256} ({file.size:,} bytes){raw} is needed"
    )


def remedy(source: Published) -> str:
    """What to do without a network."""
    names = ", ".join(f"{file.name} ({file.size:,} bytes)" for file in source.files)
    return f"put {names} into a folder and set {VARIABLE} to it"
