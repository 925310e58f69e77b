"""Records of runs on disk: one JSON file a run, theta_d beside it, each written all or nothing."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from pathlib import Path

import numpy as np

from npintdim.files import write_atomically
from npintdim.sweeps.runs import RunSpec
from npintdim.typing import Floats, Spec


def try_writing(folder: Path, needed: int = 0) -> None:
    """Try whether the folder, or the one in which it will be made, can be written to; nothing is left there.

    Raises
    ------
    OSError
        if it cannot, or has less room than so many bytes.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    probe = there / ".npintdim-writable"
    try:
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
        np.save(buffer, theta, allow_pickle=False)
        write_atomically(runs / f"{spec.key}.npy", buffer.getvalue())
    text = json.dumps(record, indent=1, allow_nan=False)
    write_atomically(runs / f"{spec.key}.json", text.encode())


def read(runs: Path, spec: RunSpec, told: bool = True) -> Spec | None:
    """The record of a spec, or None where there is none that can be trusted, which is `told` as a warning."""
    path = runs / f"{spec.key}.json"
    try:
        record: Spec = json.loads(path.read_bytes())
        if record["spec"] != json.loads(json.dumps(spec.spec())):
            raise ValueError("it holds another spec")
        if record["status"] not in ("finished", "diverged", "failed"):
            raise ValueError(f"its status is {record['status']!r}")
        if record["status"] == "finished":
            float(record["performance"])
            if spec.d is not None:
                read_theta(runs, spec)
    except FileNotFoundError as error:
        if told and path.exists():
            warnings.warn(f"{error.filename} is missing: the run is done again", stacklevel=3)
        return None
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        if told:
            warnings.warn(f"{path} is damaged ({error}): the run is done again", stacklevel=3)
        return None
    return record


def read_theta(runs: Path, spec: RunSpec) -> Floats:
    """theta_d of a finished subspace run.

    Raises
    ------
    ValueError, OSError
        if the file is missing or damaged.
    """
    theta: Floats = np.load(runs / f"{spec.key}.npy", allow_pickle=False)
    if theta.shape != (spec.d,) or not np.isfinite(theta).all():
        raise ValueError(f"{spec.key}.npy is not theta_d of shape ({spec.d},)")
    return theta
