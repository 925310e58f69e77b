"""A pre-trained θ_0 in a file of its own: the base that a fine-tuned network's file only names."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.fileformat import MAGIC, MissingBaseError
from npintdim.files import write_atomically
from npintdim.inputs import brief
from npintdim.typing import Floats


def read_base(path: Path) -> NDArray[np.float32]:
    """θ_0 as float32: of a .npy all its D numbers, of a compressed file the decoded θ."""
    if not path.is_file():
        raise FileNotFoundError(f"base is {path}: there is no such file")
    with path.open("rb") as file:
        compressed = file.read(len(MAGIC)) == MAGIC
    if path.suffix == ".npid" or compressed:
        try:
            return CompressedModel.load(path).theta()
        except MissingBaseError as error:
            raise ValueError(
                f"base is {path}, which only names the pre-trained theta_0 that it goes on from: "
                "a .npy of all D numbers of theta_0 in float32 is needed"
            ) from error
    try:
        with path.open("rb") as file:
            theta: NDArray[np.float32] = np.lib.format.read_array(file, allow_pickle=False)
        if theta.dtype != np.float32 or theta.ndim != 1:
            raise ValueError(f"it holds {theta.dtype} of shape {theta.shape}")
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"base is {path}: "
            f"a .npy of all D numbers of theta_0 in float32, or a .npid, is needed ({brief(error)})"
        ) from error
    return theta


def write_base(path: Path, theta: Floats) -> int:
    """Write θ as a .npy of float32, all or nothing; its bytes."""
    file = io.BytesIO()
    np.save(file, np.asarray(theta, np.float32))
    write_atomically(path, file.getvalue())
    return len(file.getvalue())
