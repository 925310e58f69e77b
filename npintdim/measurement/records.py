"""Records of runs on disk: one JSON file a run, theta_d beside it, each written all or nothing, both sealed.

A record has the sha256 of its theta_d, and one of itself. Those of earlier versions lack both:
then the members, their types, the spec, and what is there twice are checked,
and of theta_d the file's size and form, and that it is finite.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.files import DamagedError, canonical, part_in, read_json, write_atomically
from npintdim.inputs import check_real
from npintdim.measurement.runs import RunSpec
from npintdim.typing import Floats, Spec

THETA = "theta_d_sha256"  # in the record of a finished run in a subspace
SEAL = "sha256"  # in the file only
NUMBER = (int, float)
MEMBERS: dict[str, type | tuple[type, ...]] = {
    "spec": dict, "status": str, "D": int, "seeds": dict, "performance": (*NUMBER, type(None)),
    "train_performance": (*NUMBER, type(None)), "loss": (*NUMBER, type(None)), "epochs": list,
    "seconds": NUMBER, "backend": str, "threads": int, "machine": str, "versions": dict, "error": str,
}  # fmt: skip


def try_writing(folder: Path, needed: int = 0) -> None:
    """OSError if the folder, or the one it will be made in, cannot be written to, or lacks so many bytes."""
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


def write_record(runs: Path, spec: RunSpec, record: Spec, theta: Floats | None) -> None:
    """theta_d first: where a record is, its theta_d is too."""
    if theta is not None:
        buffer = io.BytesIO()
        np.save(buffer, kept(theta), allow_pickle=False)
        write_atomically(runs / f"{spec.key}.npy", buffer.getvalue())
    text = json.dumps(record | {SEAL: seal(record)}, indent=1, allow_nan=False)
    write_atomically(runs / f"{spec.key}.json", text.encode())


def read_record(runs: Path, spec: RunSpec, told: bool = True) -> Spec | None:
    """The record of a spec, or None where there is none that can be trusted, which is `told` as a warning."""
    path = runs / f"{spec.key}.json"
    try:
        _, record = load_record(path)
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


def load_record(path: Path) -> tuple[RunSpec, Spec]:
    """A file's spec and record; DamagedError if it is not what a run left, OSError if it cannot be read."""
    record = read_json(path)
    try:
        spec = RunSpec.from_spec(record["spec"])
        if spec.key != path.stem:
            raise ValueError("it holds another spec")
        check_record(record, record.pop(SEAL, None))
    except KeyError as error:
        raise DamagedError(f"{path} is damaged (it has no {error})") from error
    except (ValueError, TypeError, OverflowError, IndexError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error})") from error
    return spec, record


def check_record(record: Spec, sealed: object) -> None:
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


def direct_and_inside(records: Iterable[Spec]) -> tuple[tuple[float, ...], list[int], list[float]]:
    """The performances of the direct runs; d and performance of each of the others."""
    reached = [(r["spec"].get("d"), performance(r)) for r in records]
    inside = [(d, p) for d, p in reached if d is not None]
    return tuple(p for d, p in reached if d is None), [d for d, _ in inside], [p for _, p in inside]


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
    """theta_d of a finished subspace run; DamagedError or OSError if its file or record is not whole."""
    return theta_of(runs, *load_record(runs / f"{spec.key}.json"))


def theta_of(runs: Path, spec: RunSpec, record: Spec) -> Floats:
    """As `read_theta`; nothing is allocated before the file has the form and the size of d numbers."""
    path, d = runs / f"{spec.key}.npy", spec.d or 0
    size = path.stat().st_size
    for dtype in (np.dtype("<f4"), np.dtype("<f8")):  # a landscape of one's own may compute in float64
        head = npy_header(d, dtype)
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


def npy_header(d: int, dtype: np.dtype[Any]) -> bytes:
    """What `np.save` writes before d numbers."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype.str, "fortran_order": False, "shape": (d,)})
    return buffer.getvalue()
