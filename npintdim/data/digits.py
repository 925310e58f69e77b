"""The 8×8 digits that come with the package (see embedded/ATTRIBUTION.md)."""

from __future__ import annotations

import gzip
from importlib.resources import files

import numpy as np

from npintdim.data.idx import Split
from npintdim.rng import Purpose, Stream

TOP = 16  # pixels are 0, ..., 16
N_TRAIN = 1297


def read() -> tuple[Split, Split]:
    """Training part (1,297 images), test part (500), in the order of Stream(0, SPLIT).permutation(1797)."""
    packed = files("npintdim.data").joinpath("embedded", "digits.csv.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)  # 64 pixels, then the digit
    table = table[Stream(0, Purpose.SPLIT).permutation(len(table))]
    pixels, labels = table[:, :64].reshape(-1, 1, 8, 8), table[:, 64]
    return (pixels[:N_TRAIN], labels[:N_TRAIN]), (pixels[N_TRAIN:], labels[N_TRAIN:])
