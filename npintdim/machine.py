"""The machine: what is installed, its memory, its cores, BLAS' threads."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import io
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.inputs import brief, check_integer

ROOT = Path("/")
MOST = 4096  # threads
LARGE = 1 << 28  # bytes, from which on a product asks whether there are so many
SAID = 10**9  # bytes that are told of
LOKY = "LOKY_MAX_CPU_COUNT"  # joblib's own limit
BLAS = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)
BROKEN: dict[str, str] = {}  # what is installed but does not import, and why: a second try may fail otherwise


def need(name: str, who: str, remedy: str) -> Any:
    """Something of an optional package; these are imported nowhere else.

    Parameters
    ----------
    name : "package", "package.module" or "package.module:name"
    who, remedy : who needs it, and how to install it: for the ModuleNotFoundError; where it is installed and
        does not import, an ImportError has the reason, whatever is raised
    """
    module, _, part = name.partition(":")
    if not (why := BROKEN.get(module) or BROKEN.get(name)):
        try:
            found = importlib.import_module(module)
            return getattr(found, part) if part else found
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too
            if isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0]):
                raise ModuleNotFoundError(f"{who}: {remedy}") from error
            why = BROKEN[name if module in sys.modules else module] = brief(error)
    raise ImportError(f"{who}, which is installed but does not import ({why})")


def data_frame(rows: list[dict[str, Any]]) -> Any:
    """A pandas DataFrame; pandas is imported for nothing else."""
    return need("pandas", "to_dataframe needs pandas", "pip install 'npintdim[frame]'").DataFrame(rows)


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


def in_notebook() -> int | None:
    """The number of the cell that runs; None where no notebook shows what this process prints."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return None if getattr(shell, "kernel", None) is None else int(shell.execution_count)


def standard_files() -> None:
    """Open what is closed of 0, 1 and 2: else a file of the results gets that number, and what is printed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def streams() -> contextlib.AbstractContextManager[Any]:
    """Something to flush where there is no stdout or stderr: whoever starts a process does so."""
    stack = contextlib.ExitStack()
    for stream, instead in (
        (sys.stdout, contextlib.redirect_stdout),
        (sys.stderr, contextlib.redirect_stderr),
    ):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            stack.enter_context(instead(io.StringIO()))
    return stack


def free_memory() -> float:
    """Bytes that can still be allocated; infinity where the system does not say."""
    return memory_limit()[0]


def check_memory(what: str, size: float, instead: str) -> None:
    """Refuse, before it is taken, what is larger than the memory that is free; say what is large."""
    free = free_memory()
    if size > free:
        raise MemoryError(f"{what}, takes {size / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free: {instead}")
    if size > SAID:
        say_once(
            f"{what}, takes {size / 1e9:.1f} GB of {free / 1e9:.0f} GB; where that is too much, {instead}"
        )


@functools.cache
def say_once(text: str) -> None:
    """As a warning."""
    warnings.warn(text, stacklevel=4)


def cores() -> int:
    """Cores this process may use."""
    return core_limit()[0]


def memory_limit() -> tuple[float, str]:
    """Bytes that can still be allocated, and what sets that limit."""
    found = {}
    for line in text("proc/meminfo").splitlines():
        if line.startswith("MemAvailable"):
            found["of this machine"] = float(line.split()[1]) * 1024
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["of this machine"] = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for group in groups("memory"):
        for most, used, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit, usage = text(f"{group}/{most}"), text(f"{group}/{used}")
            if limit.isdecimal() and usage.isdecimal():
                given_back = re.search(rf"^{cache} (\d+)$", text(f"{group}/memory.stat"), re.MULTILINE)
                free = int(limit) - int(usage) + int(given_back[1] if given_back else 0)
                found[f"by {most} of /{group}"] = float(max(0, free))
    return min(((size, why) for why, size in found.items()), default=(math.inf, "the system does not say"))


def core_limit() -> tuple[int, str]:
    """Cores that this process may use, and what sets that limit; ValueError for a `LOKY` that is none."""
    found = {"of this machine": os.cpu_count() or 1}
    if hasattr(os, "sched_getaffinity"):
        found["that it may run on"] = len(os.sched_getaffinity(0))
    if given := os.environ.get(LOKY):
        if not given.isdecimal():
            raise ValueError(f"{LOKY} is {given!r}: an integer is needed")
        found[f"by {LOKY}"] = max(1, int(given))
    for group in groups("cpu"):
        v1 = f"{text(f'{group}/cpu.cfs_quota_us')} {text(f'{group}/cpu.cfs_period_us')}"
        for quota in (text(f"{group}/cpu.max"), v1):
            if numbers := re.fullmatch(r"(\d+) (\d+)", quota):
                found[f"by the CPU quota of /{group}"] = math.ceil(int(numbers[1]) / int(numbers[2]))
    return min((n, why) for why, n in found.items())


def groups(controller: str) -> Iterator[str]:
    """Control groups that hold this process, v1 and v2: their folders, from the innermost outwards."""
    for line in text("proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        inside = [part for part in path.split("/") if part not in ("", "..")]
        mounts = ("/unified", "") if not names else (f"/{controller}",) * (controller in names.split(","))
        for mount in mounts:
            for depth in range(len(inside), -1, -1):
                yield "/".join(["sys/fs/cgroup" + mount, *inside[:depth]])


def text(path: str) -> str:
    """Of a file of the system; empty where there is none."""
    try:
        return (ROOT / path).read_text().strip()
    except (OSError, ValueError):
        return ""


@contextlib.contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Limit BLAS to 1 ≤ threads ≤ 4096: every BLAS that threadpoolctl knows, or else NumPy's own."""
    threads = check_integer("threads", threads, 1, MOST)
    if limits := optional("threadpoolctl:threadpool_limits"):
        with limits(threads, user_api="blas"):
            yield
    elif own := numpys_blas():
        get, put = own
        before = get()
        put(threads)
        try:
            yield
        finally:
            put(before)
    else:
        yield


def numpys_blas() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """How NumPy's OpenBLAS says and sets its threads; None for another BLAS."""
    beside = Path(np.__file__).parents[1] / "numpy.libs"  # where Windows looks no further than into one file
    for path in (sys.modules["numpy._core._multiarray_umath"].__file__, *beside.glob("*openblas*")):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(str(path))
            for name in BLAS:
                if hasattr(library, name.format("set")):
                    return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None
