"""The machine: what is installed, its memory, its cores, BLAS' threads."""

from __future__ import annotations

import importlib
import io
import math
import os
import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from npintdim.inputs import brief

BROKEN: dict[str, str] = {}  # what is installed but does not import, and why: a second try may fail otherwise


def need(name: str, who: str, remedy: str) -> Any:
    """Something of an optional package; these are imported nowhere else.

    Parameters
    ----------
    name : "package", "package.module" or "package.module:name"
    who : needs it, for the error
    remedy : where it is not installed, for the error

    Raises
    ------
    ModuleNotFoundError
        if it is not installed.
    ImportError
        if it is, and does not import: with the reason, whatever is raised.
    """
    module, _, part = name.partition(":")
    if name not in BROKEN:
        try:
            found = importlib.import_module(module)
            return getattr(found, part) if part else found
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too
            if isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0]):
                raise ModuleNotFoundError(f"{who}: {remedy}") from error
            BROKEN[name] = brief(error)
    raise ImportError(f"{who}, which is installed but does not import ({BROKEN[name]})")


def optional(name: str) -> Any | None:
    """What `need` finds, or None where it raises."""
    try:
        return need(name, "", "")
    except ImportError:
        return None


def watched() -> bool:
    """Whether stderr is a terminal; there may be none, or one that cannot tell, or a closed one."""
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, ValueError):
        return False


def standard_files() -> None:
    """Open what is closed of 0, 1 and 2: some file of the results gets that number else, and whatever is printed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def streams() -> AbstractContextManager[Any]:
    """Something to flush where there is no stdout or stderr: whoever starts a process does so."""
    stack = ExitStack()
    for stream, instead in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            stack.enter_context(instead(io.StringIO()))
    return stack


def free_memory() -> float:
    """Bytes that can still be allocated; infinity where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable"):
                return float(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return math.inf


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blas_threads(threads: int) -> AbstractContextManager[Any]:
    """Limit BLAS to so many threads, where threadpoolctl is installed."""
    limits = optional("threadpoolctl:threadpool_limits")
    return nullcontext() if limits is None else limits(threads, user_api="blas")
