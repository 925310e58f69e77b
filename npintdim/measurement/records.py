"""Records of runs on disk: one JSON file a run, theta_d beside it, each written all or nothing, both sealed.

A record has the sha256 of its theta_d, and one of itself. Those of earlier versions lack both: then the members, their
types, the spec, and what is there twice are checked, and of theta_d the file's size and form, and that it is finite.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import shutil
import socket
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.files import (
    OWNER,
    DamagedError,
    beside,
    canonical,
    gone,
    owner,
    part_in,
    place,
    read_json,
    tidy,
    write_atomically,
)
from npintdim.inputs import check_real
from npintdim.measurement.runs import RunSpec
from npintdim.typing import Floats, Spec

THETA = "theta_d_sha256"  # in the record of a finished run in a subspace
SEAL = "sha256"  # in the file only
NUMBER = (int, float)
MEMBERS: dict[str, type | tuple[type, ...]] = {
    "spec": dict, "status": str, "D": int, "seeds": dict, "performance": (*NUMBER, type(None)),
    "train_performance": (*NUMBER, type(None)), "loss": (*NUMBER, type(None)), "epochs": list, "seconds": NUMBER,
    "backend": str, "threads": int, "machine": str, "versions": dict, "error": str,
}  # fmt: skip


def try_writing(folder: Path, needed: int = 0) -> None:
    """OSError if the folder, or the one in which it will be made, cannot be written to, or lacks so many bytes of room."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        probe = part_in(there)
        write_atomically(probe, b"")
        probe.unlink(missing_ok=True)
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise OSError(f"the results cannot be written to {folder}: {error.strerror}") from error
    if free < needed:
        raise OSError(
            f"the results need about {needed / 1e6:.2f} MB, but {folder} has {free / 1e6:.2f} MB free"
        )


def write(runs: Path, spec: RunSpec, record: Spec, theta: Floats | None) -> None:
    """theta_d first: where a record is, its theta_d is too."""
    if theta is not None:
        buffer = io.BytesIO()
        np.save(buffer, kept(theta), allow_pickle=False)
        write_atomically(runs / f"{spec.key}.npy", buffer.getvalue())
    text = json.dumps(record | {SEAL: seal(record)}, indent=1, allow_nan=False)
    write_atomically(runs / f"{spec.key}.json", text.encode())


def read(runs: Path, spec: RunSpec, told: bool = True) -> Spec | None:
    """The record of a spec, or None where there is none that can be trusted, which is `told` as a warning."""
    path = runs / f"{spec.key}.json"
    try:
        _, record = load(path)
        if record["status"] == "finished" and spec.d is not None:
            theta_of(runs, spec, record)
    except FileNotFoundError as error:
        if told and path.exists():
            warnings.warn(f"{error.filename} is missing: the run is done again", stacklevel=3)
        return None
    except (DamagedError, OSError) as error:
        if told:
            why = error if isinstance(error, DamagedError) else f"{path} is damaged ({error})"
            warnings.warn(f"{why}: the run is done again", stacklevel=3)
        return None
    return record


def load(path: Path) -> tuple[RunSpec, Spec]:
    """The spec and the record in a file; DamagedError if that is not what a run left there, OSError if it cannot be read."""
    record = read_json(path)
    try:
        spec = RunSpec.from_spec(record["spec"])
        if spec.key != path.stem:
            raise ValueError("it holds another spec")
        check(record, record.pop(SEAL, None))
    except KeyError as error:
        raise DamagedError(f"{path} is damaged (it has no {error})") from error
    except (ValueError, TypeError, OverflowError, IndexError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error})") from error
    return spec, record


def check(record: Spec, sealed: object) -> None:
    """An error for what no run leaves; without a seal, also for members that no run ever left without one."""
    for name, value in record.items():
        if not isinstance(value, MEMBERS.get(name, () if sealed is None else object)):
            raise TypeError(f"its {name!r} is a {type(value).__name__}")
    if sealed not in (None, seal(record)):
        raise ValueError("it is not as it was written: its sha256 is another")
    if record["status"] not in ("finished", "diverged", "failed"):
        raise ValueError(f"its status is {record['status']!r}")
    finished = record["status"] == "finished"
    for name in ("seconds", "performance") if finished else ("seconds",):
        check_real(name, record[name])
        if not math.isfinite(record[name]):
            raise ValueError(f"{name} is {record[name]}")
    if finished:
        last = record["epochs"][-1]
        if (record["performance"], record["train_performance"]) != (last["test"], last["train"]):
            raise ValueError("its performance is not that of its last epoch")


def performance(record: Spec) -> float:
    """NaN if the run has none."""
    return math.nan if record["performance"] is None else float(record["performance"])


def seal(record: Spec) -> str:
    """sha256 of a record as canonical JSON."""
    return hashlib.sha256(canonical(record)).hexdigest()


def kept(theta: Floats) -> Floats:
    """theta_d as it is kept on disk, the same bytes on every machine."""
    return np.ascontiguousarray(theta, "<f4" if theta.dtype == np.float32 else "<f8")


def digest(theta: Floats) -> str:
    """sha256 of theta_d as it is kept."""
    return hashlib.sha256(kept(theta).tobytes()).hexdigest()


def read_theta(runs: Path, spec: RunSpec) -> Floats:
    """theta_d of a finished subspace run; DamagedError or OSError if its file or the record is damaged or missing."""
    return theta_of(runs, *load(runs / f"{spec.key}.json"))


def theta_of(runs: Path, spec: RunSpec, record: Spec) -> Floats:
    """As `read_theta`; nothing is allocated before the file has the form and the size of d numbers."""
    path, d = runs / f"{spec.key}.npy", spec.d or 0
    size = path.stat().st_size
    for dtype in (np.dtype("<f4"), np.dtype("<f8")):  # a landscape of one's own may compute in float64
        head = header(d, dtype)
        if size == len(head) + d * dtype.itemsize and (data := path.read_bytes()).startswith(head):
            theta: Floats = np.frombuffer(data, dtype, offset=len(head)).astype(dtype.newbyteorder("="))
            break
    else:
        raise DamagedError(
            f"{path} is damaged (its {size:,} bytes are not theta_d of shape ({d},) as NumPy saves it)"
        )
    if record.get(THETA, digest(theta)) != digest(theta):
        raise DamagedError(f"{path} is damaged (theta_d is another than the run left: so says its sha256)")
    if not np.isfinite(theta).all():
        raise DamagedError(f"{path} is damaged (theta_d is not finite)")
    return theta


def header(d: int, dtype: np.dtype[Any]) -> bytes:
    """What `np.save` writes before d numbers."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype.str, "fortran_order": False, "shape": (d,)})
    return buffer.getvalue()


BEAT = 10.0  # seconds between two signs of life
STALE = 60.0  # seconds without one after which a claim counts for nothing
BLINK = 0.1  # seconds; where a claim cannot be made at a stroke, it is empty for less
LEFT = re.compile(rf"(?:\.({OWNER})-.*|.*)\.part")  # whatever is so called in the folder of the records


class Claims:
    """Runs that this process has taken: runs/<key>.claim, made only where none is.

    A claim is given up with its run, or all of them at the end. One that was left behind is free again at once where
    its process is known to be gone (also if its PID is another's by now) or it names none, and after `STALE` seconds
    without a sign of life elsewhere. Its age is read from the clock of the file system, so the machines' clocks need
    not agree.

    Parameters
    ----------
    runs : the folder of the records
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.held: dict[str, Path] = {}
        self.over = threading.Event()
        told = {"host": socket.gethostname(), "pid": os.getpid(), "owner": owner()}
        self.content = json.dumps(told).encode()

    def take(self, spec: RunSpec) -> bool:
        """Whether the run is ours now."""
        path = self.runs / f"{spec.key}.claim"
        for _ in range(2):
            if self.make(path):
                self.held[spec.key] = path
                return True
            if not self.free(path):
                return False
        return False

    def make(self, path: Path) -> bool:
        """Write a claim if there is none; a link is made at a stroke, so nobody sees a part of one."""
        try:
            with beside(path, self.content) as part:
                try:
                    os.link(part, path)
                except FileExistsError:
                    return False
                except (OSError, NotImplementedError):  # a file system without links
                    with path.open("xb") as file:
                        file.write(self.content)
        except FileExistsError:
            return False
        return True

    def release(self, spec: RunSpec) -> None:
        """Its record is written, or it is not done after all."""
        path = self.held.pop(spec.key, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def free(self, path: Path) -> bool:
        """Remove a claim if nobody is at work on it any more; whether there is none now."""
        try:
            content = path.read_bytes()
            if not self.abandoned(path):
                return False
            aside = part_in(self.runs)
            path.rename(aside)
            if aside.read_bytes() != content:  # another process has just taken it over
                aside.replace(path)
                return False
            aside.unlink()
        except FileNotFoundError:
            pass
        return True

    def abandoned(self, path: Path) -> bool:
        """Whether nobody is at work on it any more.

        Warns
        -----
        UserWarning
            if it is not the claim of any process.
        """
        seen = path.stat().st_mtime
        for wait in (BLINK, 0.0):
            with suppress(DamagedError):
                told = read_json(path)
                host = told.get("host")
                maker = told.get(
                    "owner", f"{place()}-{told.get('pid')}-0"
                )  # earlier versions named the PID alone
                if isinstance(host, str) and isinstance(maker, str) and re.fullmatch(OWNER, maker):
                    if gone(maker) or self.now() - seen > STALE:
                        return True
                    if "owner" in told or host != socket.gethostname():
                        return False
            time.sleep(wait)
        warnings.warn(
            f"{path} is not the claim of a process that can be told: it counts for nothing", stacklevel=2
        )
        return True

    def now(self) -> float:
        """By the clock of the file system."""
        probe = part_in(self.runs)
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def live(self) -> None:
        """Give signs of life."""
        while not self.over.wait(BEAT):
            for path in list(self.held.values()):
                with suppress(OSError):
                    os.utime(path)

    def tidy(self) -> None:
        """Remove the claims and parts that processes left which were killed."""
        for path in self.runs.glob("*.claim"):
            self.free(path)
        tidy(self.runs, LEFT)

    def __enter__(self) -> Claims:
        threading.Thread(target=self.live, name="npintdim claims", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for path in self.held.values():
            path.unlink(missing_ok=True)
