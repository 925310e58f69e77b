"""The IDX format of MNIST: bytes 0, 0, 8, k; then k big-endian lengths n_1, ..., n_k; then Π n_i bytes."""

from __future__ import annotations

import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]

Split: TypeAlias = tuple[Bytes, Bytes]
"""Pixels (n, channels, height, width) and labels (n,), as in the file."""


def read(paths: list[Path]) -> tuple[Split, Split]:
    """Training and test part from training images, training labels, test images, test labels."""
    with ThreadPoolExecutor() as pool:  # a file is unpacked while the others are
        x, labels, x_test, labels_test = pool.map(read_idx, paths, (3, 1, 3, 1))
    return (x[:, None], labels), (x_test[:, None], labels_test)


def unpacked(packed: bytes) -> bytes:
    """A gzip file, which ends with its length: memory is taken once, and copied never.

    Raises
    ------
    zlib.error
        if it is truncated or damaged.
    """
    length = int.from_bytes(packed[-4:], "little")
    most = 1032 * len(packed)  # what deflate reaches at best; a damaged length may say 4 GB
    return zlib.decompress(packed, wbits=31, bufsize=max(1, min(length, most)))


def read_idx(path: Path, ndim: int) -> Bytes:
    """One gzipped IDX file of unsigned bytes in ndim dimensions.

    Raises
    ------
    ValueError
        which names the file: a truncated or damaged gzip, another magic number, a length that is
        not the product of the dimensions.
    """
    try:
        content = unpacked(path.read_bytes())
    except zlib.error as error:
        raise ValueError(f"{path}: the gzip file is truncated or damaged ({error})") from error
    head = 4 + 4 * ndim
    magic = bytes((0, 0, 8, ndim))
    if content[:4] != magic:
        raise ValueError(
            f"{path}: the magic number is 0x{content[:4].hex()}, but unsigned bytes in {ndim} dimensions "
            f"need 0x{magic.hex()}"
        )
    if len(content) < head:
        raise ValueError(f"{path}: the file ends inside its header, after {len(content)} of {head} bytes")
    shape = np.frombuffer(content, ">u4", ndim, offset=4).tolist()
    if len(content) - head != math.prod(shape):
        raise ValueError(
            f"{path}: {len(content) - head} bytes follow the header, but its dimensions "
            f"{'×'.join(map(str, shape))} need {math.prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
