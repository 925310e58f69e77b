"""The binary CIFAR-10 archive: records of a label and 3·32·32 pixels (all red, all green, all blue)."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from npintdim.data.idx import Bytes, Split

IMAGE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
MOST = 10_000 * RECORD  # bytes of a batch
TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST = "test_batch.bin"
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


def read(paths: list[Path]) -> tuple[Split, Split]:
    """Training part (the five batches in order) and test part of the one archive.

    Only plain files that may be batches are unpacked: no links, nothing sparse,
    nothing larger than the published ones.
    """
    (path,) = paths
    batches: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:  # one pass in the archive's order: a step back would unpack it all again
                name = PurePosixPath(member.name).name
                if name in (*TRAIN, TEST) and member.type in PLAIN and not member.issparse():
                    batches[name] = unpacked(archive, member)
                if len(batches) == 1 + len(TRAIN):
                    break
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: the archive is truncated or damaged ({error})") from error
    missing = [name for name in (*TRAIN, TEST) if name not in batches]
    if missing:
        raise ValueError(f"{path}: the archive lacks {', '.join(missing)}")
    tables = {name: records(f"{path}, {name}", found) for name, found in batches.items()}
    return pixels_and_labels(np.concatenate([tables[name] for name in TRAIN])), pixels_and_labels(
        tables[TEST]
    )


def unpacked(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Of a plain file, unless it is larger than a batch."""
    if member.size > MOST:
        raise ValueError(f"{member.name} has {member.size:,} bytes, and a batch {MOST:,}")
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


def records(where: str, content: bytes) -> Bytes:
    """(n, 3073)."""
    if len(content) % RECORD:
        raise ValueError(f"{where}: {len(content)} bytes are not a whole number of records of {RECORD} bytes")
    return np.frombuffer(content, np.uint8).reshape(-1, RECORD)


def pixels_and_labels(table: Bytes) -> Split:
    """Pixels (n, 3, 32, 32) and labels (n,)."""
    return table[:, 1:].reshape(-1, *IMAGE), table[:, 0]
