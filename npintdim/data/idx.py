"""The IDX format of MNIST: bytes 0, 0, 8, k; then k big-endian lengths n_1, ..., n_k; then Π n_i bytes."""

from __future__ import annotations

import gzip
import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 20  # bytes that are read at a time

Bytes: TypeAlias = NDArray[np.uint8]

Split: TypeAlias = tuple[Bytes, Bytes]
"""Pixels (n, channels, height, width) and labels (n,), as in the file."""


def read(paths: list[Path]) -> tuple[Split, Split]:
    """Training and test part from training images, training labels, test images, test labels."""
    with ThreadPoolExecutor() as pool:  # a file is unpacked while the others are
        x, labels, x_test, labels_test = pool.map(read_idx, paths, (3, 1, 3, 1))
    return (x[:, None], labels), (x_test[:, None], labels_test)


def opened(path: Path) -> BinaryIO:
    """A file of unsigned bytes, packed if it is named so."""
    return cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def read_idx(path: Path, ndim: int) -> Bytes:
    """One IDX file of unsigned bytes in ndim dimensions, gzipped or not.

    No more is unpacked than the header says there is, and one byte.
    """
    try:
        with opened(path) as file:
            shape = dimensions(path, file.read(4 + 4 * ndim), ndim)
            needed, content = math.prod(shape), bytearray()
            while chunk := file.read(min(needed + 1 - len(content), CHUNK)):
                content += chunk
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the gzip file is truncated or damaged ({error})") from error
    if len(content) != needed:
        many = "at least " if len(content) > needed else ""
        lengths = "×".join(map(str, shape))
        raise ValueError(
            f"{path}: {many}{len(content)} bytes follow the header, "
            f"but its dimensions {lengths} need {needed}"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def dimensions(path: Path, head: bytes, ndim: int) -> list[int]:
    """The dimensions; a ValueError or EOFError if it is another magic number, or too short."""
    if not head and not path.stat().st_size:
        raise EOFError("it is empty")
    magic = bytes((0, 0, 8, ndim))
    if head[:4] != magic:
        raise ValueError(
            f"{path}: the magic number is 0x{head[:4].hex()}, but unsigned bytes in {ndim} dimensions "
            f"need 0x{magic.hex()}"
        )
    if len(head) < 4 + 4 * ndim:
        raise ValueError(
            f"{path}: the file ends inside its header, after {len(head)} of {4 + 4 * ndim} bytes"
        )
    sizes: list[int] = np.frombuffer(head, ">u4", ndim, offset=4).tolist()
    return sizes
