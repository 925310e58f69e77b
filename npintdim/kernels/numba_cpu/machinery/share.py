"""How loops are compiled, and shared among threads item by item: kernels are short, and follow quickly.

All code is compiled lazily, without the GIL, with IEEE division and without fast-math,
and kept on disk: `cache.py`.

A sleeping thread takes 50 to 100 microseconds to wake, as long as a whole kernel. So a helper stays
awake for a moment after its work, in compiled code: it needs Python's lock only when the next kernel
has begun, and then nobody else does. Nor does a caller wait for helpers: it works on until nothing
is left, and one that comes late finds nothing to do; one that was held up in the middle of an item is
left alone for a while. A @shared kernel ends with (..., work) and

    for i in each(work, 0, count):   items 0, ..., count − 1 that nobody else has taken
        ...                          after the loop all are done, those of others too
    linger(work)                     its last line

An item writes to places of its own. The last part of `work` is the thread's rank, 0 for the caller.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types

from npintdim.kernels.numba_cpu.machinery.cache import Cache
from npintdim.kernels.numba_cpu.machinery.simd import intrinsic
from npintdim.typing import Array

LOOPS = 4  # at most, in a kernel
LEAST = 20.0  # microseconds of work that are worth a helper, who may be awake
# What one thread does; from one run of `python -m benchmarks` with AVX-512 (docs/performance.md), rounded.
PER_MICROSECOND = {
    "tile": 1e5,  # products of the register tile: fused layers
    "convolution": 7e4,  # products of a layer that is not fused
    "pool": 500, "unpool": 300,  # numbers
    "transform": 4000,  # numbers of a vector
    "fastfood": 1500,  # rows of P
    "sparse": 2000,  # non-zeros
    "stored": 1e4, "rademacher": 5e4, "gaussian": 500,  # entries of a dense P
    "permutation": 300,  # numbers
}  # fmt: skip
PATIENCE = 1_300_000  # looks of a helper at the bell
LOOK = 0.3e-9  # seconds, about
HELD = 1.5e-3  # seconds: a helper that takes so much longer than the caller is kept from its core
REST = 0.1  # seconds without helpers then

# glibc gives freed memory back to the system, and pays for it again page by page at the next step,
# unless it has seen a larger block being freed; it learns up to 32 MB.
np.empty((1 << 25) - (1 << 13), dtype=np.uint8)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays and numbers, once per dtype, when first called."""
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = Cache(function)
    return dispatcher


@jit
def share_of(count, part, parts):
    """First and end of a part's share of count things."""
    return count * part // parts, count * (part + 1) // parts


def frozen(*arrays: Array) -> list[Array]:
    """Contiguous, read-only views, so that one compiled variant serves read-only and other arrays."""
    views = [np.ascontiguousarray(array).view() for array in arrays]
    for view in views:
        view.flags.writeable = False
    return views


@intrinsic
def raise_by(typingctx, counters, i, amount):
    """counters[i] += amount in one indivisible operation; what it was before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", counter(builder, *args[:2]), args[2], "seq_cst")

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def look(typingctx, counters, i):
    """counters[i], as others have left it."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(counter(builder, *args), "acquire", 8)

    return types.int64(types.int64, types.int64), codegen


def counter(builder: Any, counters: Any, i: Any) -> Any:
    """Pointer to counter i of an array with a given address: Numba never frees one that a generator saw."""
    return builder.gep(builder.inttoptr(counters, ir.IntType(64).as_pointer()), [i])


@numba.njit(nogil=True)  # not @jit: Numba fails on generators that were kept on disk
def each(work, loop, count):
    """Items of a loop: of the thread's own share, as memory stays near, then of others'; wait for all."""
    bell, loops, threads, number, rank = work
    if rank == 0 and loop == 0:
        raise_by(bell, 0, number - look(bell, 0))
    taken = loops + 8 * loop * (threads + 2)
    for k in range(threads):
        owner = (rank + k) % threads
        first, end = share_of(count, owner, threads)
        i = first + raise_by(taken, owner, 1)
        while i < end:
            yield i
            raise_by(taken, threads, 1)  # one more is done
            i = first + raise_by(taken, owner, 1)
    looks = 0
    while look(taken, threads) < count:
        looks += 1
    if rank == 0:
        raise_by(taken, threads + 1, looks)


@jit
def linger(work):
    """A helper waits for the bell."""
    bell, _, _, number, rank = work
    looks = 0
    while rank > 0 and looks < PATIENCE and look(bell, 0) == number:
        looks += 1


def worth(threads: int, kind: str, count: float) -> int:
    """The threads where so much work of a kind is worth helpers, else 1."""
    return threads if count > LEAST * PER_MICROSECOND[kind] else 1


class Alone(threading.local):
    """What a thread without helpers counts with."""

    def __init__(self) -> None:
        self.counters = np.zeros(1 + 3 * LOOPS, dtype=np.int64)  # the bell first
        self.work = (self.counters.ctypes.data, self.counters.ctypes.data + 8, 1, 0, 0)


class Team:
    """Helpers of one caller at a time; whoever calls meanwhile works alone."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """No helper yet."""
        self.bell = np.zeros(1, dtype=np.int64)  # number of the last kernel that has begun
        self.free, self.posted = threading.Lock(), threading.Condition()
        self.job: Callable[[int], None] | None = None
        self.number = self.threads = self.helpers = 0
        self.rest = 0.0  # until when

    def serve(self, rank: int) -> None:
        """The life of a helper."""
        seen = 0
        while True:
            with self.posted:
                while self.number == seen:
                    self.posted.wait()
                seen, job = self.number, self.job if rank < self.threads else None
            if job is not None:
                job(rank)
            del job  # or it would keep its arrays

    def run(self, kernel: Callable[..., None], *arguments: Any) -> None:
        """Call a kernel, with helpers if they are free and do not have to wait for a core."""
        *given, threads = arguments
        began = time.monotonic()
        if threads == 1 or began < self.rest or not self.free.acquire(blocking=False):
            ALONE.counters[:] = 0
            kernel(*given, ALONE.work)
            return
        try:
            while self.helpers < threads - 1:
                self.helpers += 1
                threading.Thread(target=self.serve, args=(self.helpers,), daemon=True).start()
            number, loops = self.number + 1, np.zeros((LOOPS, threads + 2), np.int64)

            work = (self.bell.ctypes.data, loops.ctypes.data, threads, number)

            def job(rank: int, loops: Array = loops) -> None:
                kernel(*given, (*work, rank))

            with self.posted:
                self.number, self.threads, self.job = number, threads, job
                self.posted.notify_all()
            job(0)
            waited, end = loops[:, -1].max() * LOOK, time.monotonic()
            if waited > max(HELD, (end - began) / 2):
                self.rest = end + REST
        finally:
            self.job = None
            self.free.release()


ALONE, TEAM = Alone(), Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TEAM.begin)


def shared(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a kernel; in place of `work` its caller gives the number of threads."""
    return functools.partial(TEAM.run, jit(function))
