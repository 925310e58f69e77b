"""Where compiled kernels are kept, and which of them are used.

Numba's own cache watches only the file a function stands in, so that a change in a function it
inlines goes unnoticed, and two processes that save at once can swap their entries. Here is one file
per compiled variant, sealed with a hash of what it is of and of all sources of the kernels: a file
that is stale, broken, or in another's place costs a compilation and nothing else.

To load a file is to run it. So it is read only where nobody but this user, root and the owner of
this code can have written it. On Windows this is left to the folder: `NUMBA_CACHE_DIR` must not
lie where others may write.
"""

from __future__ import annotations

import functools
import hashlib
import multiprocessing
import os
import pickle
import stat
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.compiler import CompileResult
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from npintdim.files import write_atomically

config: Any = numba.config
HERE = Path(__file__).resolve().parent
SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(HERE.parents[1].rglob("*.py")))
).digest()
ABANDONED = 3600.0  # seconds after which nobody is still writing a file


class Cache:
    """One sealed file per function, signature and processor; what a dispatcher of Numba asks for."""

    cache_path = None  # for its statistics

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = f"{function.__module__}.{function.__qualname__}"

    def file(self, signature: Any, codegen: Any) -> tuple[str, bytes]:
        """Name of a variant's file, and all that the file is of: no other may stand in its place."""
        compiler = (sys.implementation.cache_tag, numba.__version__, int(config.OPT))
        variant = repr((self.name, str(signature), codegen.magic_tuple(), compiler)).encode()
        short = self.name.removeprefix("npintdim.kernels.").replace("<locals>.", "")
        return f"{short}-{hashlib.sha256(variant).hexdigest()[:16]}.nbc", variant

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled variant, or None where there is none that can be trusted."""
        # All that compiled code needs; the compiler prepares the rest for itself.
        rtsys.initialize(target_context)
        folders, writable = places(config.CACHE_DIR)
        name, variant = self.file(sig, target_context.codegen())
        for folder in folders:
            with suppress(Exception):
                kept = read(folder / name)
                if kept[:64] == seal(variant, kept[64:]):
                    return CompileResult._rebuild(target_context, *pickle.loads(kept[64:]))
        if not writable:
            say_nowhere()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a variant if that is possible; atomically, since other processes do the same."""
        folders, writable = places(config.CACHE_DIR)
        if not writable or data.lifted or data.library.has_dynamic_globals:
            return
        with suppress(Exception):
            tidy(folders[-1])
            content = dumps(data._reduce())
            name, variant = self.file(sig, data.codegen)
            write_atomically(folders[-1] / name, seal(variant, content) + content, mode=0o644)


def seal(variant: bytes, content: bytes) -> bytes:
    """The first 64 bytes of a file: the sources it belongs to; what it is of, and the content."""
    h = hashlib.sha256(SOURCES)
    h.update(len(variant).to_bytes(8, "little") + variant)
    h.update(content)
    return SOURCES + h.digest()


def read(path: Path) -> bytes:
    """The file's bytes; OSError if it cannot be read, or somebody else can have written it."""
    with path.open("rb") as file:
        check_ours(path, os.fstat(file.fileno()))
        return file.read()


@functools.cache
def places(named: str) -> tuple[list[Path], bool]:
    """The folders where compiled kernels are looked for, and whether they can be kept in the last.

    Parameters
    ----------
    named : `NUMBA_CACHE_DIR`; then come the package's own folder, and the user's
    """
    folders = []
    for candidate in candidates(named):
        try:
            folders.append(trusted(candidate))
        except OSError as error:
            if named and candidate == candidates(named)[0]:
                warn_once(
                    f"NUMBA_CACHE_DIR is not used for compiled kernels: {error.filename}: {error.strerror}"
                )
            continue
        if os.access(folders[-1], os.W_OK):
            return folders, True
    return folders, False


def candidates(named: str) -> list[Path]:
    """Folders for compiled kernels, the best first."""
    own = f"{HERE.name}_{hashlib.sha256(os.fsencode(HERE)).hexdigest()[:32]}"
    user = Path(AppDirs("numba", False).user_cache_dir, own)
    found = [HERE / "__pycache__"]
    if user.is_absolute():  # "~" stays where nobody knows HOME
        found.append(user)
    return [Path(named, own).absolute(), *found] if named else found


def trusted(candidate: Path) -> Path:
    """The folder, made if necessary; the links to it resolved, so that nobody can turn them elsewhere."""
    candidate.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = candidate.resolve(strict=True)
    for part in (folder, *folder.parents):
        check_ours(part, part.stat())
    return folder


def check_ours(path: Path, found: os.stat_result) -> None:
    """PermissionError for what others than this user, root and the owner of this code may have written."""
    if not hasattr(os, "geteuid"):
        return
    users = {0, os.geteuid(), HERE.stat().st_uid}
    mode, sticky = found.st_mode, stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_uid not in users:
        raise PermissionError(0, "it belongs to somebody else", str(path))
    if sticky:  # others may add to it, and exchange nothing
        return
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and not private(found.st_gid, users)):
        raise PermissionError(0, "others may write to it (chmod go-w)", str(path))


def private(gid: int, users: set[int]) -> bool:
    """Whether a group is that of one of the users alone, as many systems give one to each user."""
    import grp
    import pwd

    with suppress(KeyError):
        names = {pwd.getpwuid(uid).pw_name for uid in users}
        group = grp.getgrgid(gid)
        return group.gr_name in names and names.issuperset(group.gr_mem)
    return False


@functools.cache
def tidy(folder: Path) -> None:
    """Remove what nobody can use: kernels of other sources, and files that were never finished."""
    for path in folder.iterdir():
        with suppress(OSError):
            if path.suffix == ".nbc":
                with path.open("rb") as file:
                    useless = file.read(len(SOURCES)) != SOURCES
            else:
                useless = path.suffix != ".pyc" and path.stat().st_mtime < time.time() - ABANDONED
            if useless:
                path.unlink()


@functools.cache
def say_nowhere() -> None:
    """Say once why every start takes as long as the first."""
    reasons = []
    for candidate in candidates(config.CACHE_DIR):
        try:
            reasons.append(f"{trusted(candidate)}: it cannot be written to")
        except OSError as error:
            reasons.append(f"{error.filename}: {error.strerror}")
    warn_once(
        "compiled kernels cannot be kept, so that each start compiles them anew, half a minute; "
        f"NUMBA_CACHE_DIR=FOLDER names a place ({'; '.join(reasons)})"
    )


def warn_once(sentence: str) -> None:
    """A warning; of many workers the first speaks for all."""
    if multiprocessing.current_process().name.endswith(("MainProcess", "-1")):
        warnings.warn(sentence, stacklevel=2)
