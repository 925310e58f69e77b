"""Data sets: the embedded digits, MNIST and its two look-alikes, CIFAR-10."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from npintdim.data import cifar, digits, idx, own
from npintdim.data.fetch import locate
from npintdim.data.idx import Split
from npintdim.data.registry import REGISTRY, Published
from npintdim.data.shuffled import FORMS, parse
from npintdim.engine.landscape import Dataset, Examples
from npintdim.inputs import check_integer, unknown

NAMES = ("digits", *REGISTRY)
CLASSES = 10


def load_dataset(
    name: str | os.PathLike[str], *, folder: str | Path | None = None, limit_train: int | None = None
) -> Dataset:
    """Load a data set: pixels in [0, 1], no other normalisation.

    Parameters
    ----------
    name : "digits", "mnist", "fashion-mnist", "kmnist" or "cifar10"
        "digits" is part of the package and needs neither files nor network. After it may stand
        "+shuffled-pixels" (one other order of the places in all images) or "+shuffled-labels=0.5" (so many of
        the training examples exchange their labels; the test part is then the training part), each
        with "@SEED" where the seed of the shuffle is not 0; or "+classes=5-9" (the examples of some classes),
        "+rotated=60" (every image turned).
        Or a file or folder of yours (`npintdim.data.own`): "my.npz" or a folder of .npy (x_train, y_train,
        x_test, y_test; or x, y), "my.csv", a folder train/CLASS/*.png, test/CLASS/*.png (without test val/);
        after it may stand "+label=COLUMN", "+test-share=0.2", "+standardise", or any of the above.
        uint8 is divided by 255, everything else is taken as it is. After a folder of images "+crop=224" (of
        any size: the middle of each is read when it is needed, and never more than a few batches are in
        memory; in an order of its own, so that the first so many are of all classes), "+side=256" (the
        shorter side before), "+mean" (that of each channel in training is subtracted).
    folder : where the original files of all but the digits lie, in `folder/name/`, in `folder` itself,
        or where torchvision keeps them (`MNIST/raw` in one of these, or `raw` in the first).
        IDX files may be unpacked, packed again, or have a dot in the name (.idx3-ubyte). None looks in the
        folder that the environment variable NPINTDIM_DATA names, then in the cache, and then downloads.
        Every file's sha256 is checked, wherever it comes from;
        see `npintdim.data.fetch.locate` for the one exception, which is warned of.
    limit_train : keep the first so many training images; None keeps all
        The paper trains on the first 50,000 of MNIST's 60,000.

    Returns
    -------
    Dataset
        x float32 (n, channels, height, width), labels int64 (n,), 10 classes:

        ============================= ============= ====== ======
        name                          image         train  test
        ============================= ============= ====== ======
        digits                        (1, 8, 8)     1,297  500
        mnist, fashion-mnist, kmnist  (1, 28, 28)   60,000 10,000
        cifar10                       (3, 32, 32)   50,000 10,000
        ============================= ============= ====== ======

    Raises
    ------
    ValueError
        for an unknown name or shuffle, a file with another sha256, a limit_train outside 1, ..., n.
    FileNotFoundError
        if the folder, or a file in the `folder` that was given, does not exist.
    OSError
        if a file is neither at hand nor to be downloaded; the message says what was tried.
    ImportError
        if a download is needed and pooch is not installed.
    """
    if isinstance(name, os.PathLike):
        name = os.fspath(name)
    if own.is_file(name):
        return own.read(name, limit_train)[0]
    original, shuffle = parse(name)
    check_known(original)
    if original == "digits":
        data = _dataset(original, digits.read(), digits.TOP, limit_train)
    else:
        data = _load(REGISTRY[original], folder, None, limit_train)
    return data if shuffle is None else replace(shuffle(data), name=name)


def check_known(original: str) -> None:
    """ValueError for a name that is none of ours."""
    if original not in NAMES:
        here = ""
        with suppress(OSError):  # a name that is too long for a file system
            here = f" There is such a folder: {original}/ reads it." * Path(original).is_dir()
        raise unknown("dataset", original, (*NAMES, *FORMS), here)


def _load(
    source: Published, folder: str | Path | None, cache: Path | None, limit_train: int | None
) -> Dataset:
    """`load_dataset` for any source, with a cache of one's own."""
    read = {"idx": idx.read, "cifar": cifar.read}[source.format]
    return _dataset(source.name, read(locate(source, folder, cache)), 255, limit_train)


def _dataset(name: str, splits: tuple[Split, Split], top: int, limit_train: int | None) -> Dataset:
    """Pixels 0, ..., top become float32 in [0, 1]."""
    (pixels, labels), test = splits
    if limit_train is not None:
        n = len(pixels)
        needed = f"1 ≤ limit_train ≤ {n}, the training images of {name},"
        limit = check_integer("limit_train", limit_train, 1, n, needed)
        pixels, labels = pixels[:limit], labels[:limit]

    def part(pixels: idx.Bytes, labels: idx.Bytes) -> Examples:
        return Examples(pixels / np.float32(top), labels.astype(np.int64))

    return Dataset(name, part(pixels, labels), part(*test), CLASSES)
