"""The processes of a pool: whether there can be any, which signals they hear, and when they leave."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from npintdim.signals import STOPS

GLANCE = 1.0  # seconds between two looks whether the parent still lives


def no_processes() -> str:
    """Why this process cannot start others that it could talk to; empty where it can."""
    if multiprocessing.current_process().daemon:
        return "this process is daemonic, as Dask's workers are, and may not start any"
    if os.environ.get("JOBLIB_MULTIPROCESSING") == "0":
        return "JOBLIB_MULTIPROCESSING=0 forbids them"
    try:  # without a name that would have to be tracked
        multiprocessing.get_context("fork" if os.name == "posix" else "spawn").Lock()
    except (OSError, ImportError) as error:
        return f"no semaphore can be made, which takes a writable /dev/shm ({error})"
    return ""


@contextmanager
def deaf() -> Iterator[None]:
    """Signals that stop a process wait meanwhile; processes that are started in here never hear them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        resource_tracker.ensure_running()  # Python's start of it ends by hearing Ctrl-C again
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_with(parent: int) -> None:
    """End this process soon after its parent ended, however it did: what it is at is for nobody any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(GLANCE)
        os._exit(1)

    if os.name == "posix":  # elsewhere a dead parent keeps its number, and a worker waits for `IDLE`
        threading.Thread(target=watch, name="npintdim parent", daemon=True).start()
