"""A folder train/CLASS/*.jpg, test/CLASS/*.jpg: whole, or, cut to one size, an image when it is needed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from npintdim.engine.landscape import Dataset, Examples
from npintdim.engine.streamed import Streamed
from npintdim.files import inside
from npintdim.inputs import brief, check_integer, shown
from npintdim.machine import need
from npintdim.rng import Purpose, Stream
from npintdim.typing import Array, Floats

IMAGES = (".png", ".jpg", ".jpeg")
ENDS = b"\xff\xd9", b"IEND"  # of a JPEG, of a PNG
TAIL = 4096  # bytes in which they are looked for
OTHERS = (".bmp", ".gif", ".tif", ".tiff", ".webp")
HELD = ("test", "val", "valid", "validation")  # the test part is the first of these that is there
DEEP = {"I", "I;16", "I;16B"}  # Pillow's modes of 16 bits, which its "L" cuts off at 255
GREY = {"1", "L", "LA", *DEEP}
ORIENTATION = 0x0112  # of EXIF; 1 is upright
AVERAGED = 1000  # training images, whose mean is subtracted


@dataclass(frozen=True)
class Cut:
    """Images of any size as numbers (channels, crop, crop): scaled, the middle cut out, ÷ 255, − mean.

    Parameters
    ----------
    paths : of the images
    crop : pixels that are cut out, in both directions
    side : pixels of the shorter side before
    grey : one channel, and not three
    mean : of each channel, subtracted
    """

    paths: tuple[Path, ...]
    crop: int
    side: int
    grey: bool
    mean: Floats

    def __call__(self, i: int) -> Floats:
        """The i-th, float32."""
        values = pixels(self.paths[i], self.grey, self.crop, self.side)
        return values / np.float32(255) - self.mean[:, None, None]


def read_all(folder: Path) -> tuple[Array, Array, Array | None, Array | None, str]:
    """Pixels and class of all training and test images, of one size, and how; None without a test part."""
    parts, how = train_and_test(folder, held(folder))
    read: list[Array | None] = []
    for paths, classes in parts:
        first = pixels(paths[0])
        x = np.empty((len(paths), *first.shape), np.uint8)
        for i, path in enumerate(paths):
            if (values := pixels(path)).shape != first.shape:
                raise ValueError(
                    f"{path} has shape {values.shape}, and the others {first.shape}: one size is needed, "
                    "or +crop=PIXELS, which makes it"
                )
            x[i] = values
        read += [x, np.array(classes)]
    x_train, y_train, x_test, y_test = read if len(parts) == 2 else [*read, None, None]
    assert x_train is not None and y_train is not None
    return x_train, y_train, x_test, y_test, how


def streamed(folder: Path, name: str, crop: int, side: int | None, mean: bool) -> tuple[Dataset, str]:
    """A data set whose images are read when they are needed, in one other order; and how, for people.

    Before any is read, each has a header and an end.
    """
    check_integer("crop", crop, 1)
    side = check_integer("side", crop if side is None else side, crop, needed=f"side ≥ crop = {crop}")
    parts, which = train_and_test(folder, held(folder) or ["test"])
    grey = {mode_of(path) for paths, _ in parts for path in paths} <= GREY
    average = np.zeros(1 if grey else 3, np.float32)
    cuts = [Cut(tuple(paths), crop, side, grey, average) for paths, _ in parts]
    # In another order than by class, so that the first so many are of all of them.
    orders = [Stream(0, Purpose.SPLIT).permutation(len(paths)).astype(np.intp) for paths, _ in parts]
    if mean:
        few = [cuts[0](i).mean(axis=(1, 2), dtype=np.float64) for i in orders[0][:AVERAGED].tolist()]
        average = np.mean(few, axis=0).astype(np.float32)
    label = {name: i for i, name in enumerate(sorted(set(parts[0][1])))}
    splits = []
    for cut, order, (_, classes) in zip(cuts, orders, parts, strict=True):
        x: Any = Streamed(replace(cut, mean=average), order, (len(average), crop, crop))
        splits.append(Examples(x, np.array([label[name] for name in classes])[order]))
    how = f"the middle {crop}×{crop} of a shorter side of {side}, ÷ 255"
    how += f" − mean ({', '.join(f'{m:.3f}' for m in average)})" * mean
    train, test = splits
    return Dataset(name, train, test, len(label), tuple(label)), f"{how}, read when needed{which}"


def listed(folder: Path) -> tuple[list[Path], list[str]]:
    """The images in it, in the order of their names, and the class of each: the folder it lies in."""
    if not folder.is_dir():
        raise ValueError(
            f"{folder.parent} has no folder {folder.name}: train/CLASS/*.png and test/CLASS/*.png are needed"
        )
    found = sorted(inside(folder))
    paths = [path for path in found if path.suffix.lower() in IMAGES]
    if not paths:
        raise ValueError(
            f"{folder} holds no image: {', '.join(IMAGES)} in a folder for each class are needed"
        )
    if others := [path for path in found if path.suffix.lower() in OTHERS]:
        raise ValueError(f"{others[0]} is another kind of image: {', '.join(IMAGES)} are needed")
    if loose := [path for path in paths if path.parent == folder]:
        raise ValueError(f"{loose[0]} lies in no folder of a class: {folder}/CLASS/{loose[0].name} is needed")
    return paths, [path.relative_to(folder).parts[0] for path in paths]


def held(folder: Path) -> list[str]:
    """The folders beside train whose images can be the test part."""
    return [name for name in HELD if (folder / name).is_dir()]


def train_and_test(folder: Path, others: list[str]) -> tuple[list[tuple[list[Path], list[str]]], str]:
    """The images of train and of the first of the others, in the same classes, and what is said of these."""
    names = ["train", *others[:1]]
    parts = [listed(folder / name) for name in names]
    classes = [set(found) for _, found in parts]
    if len(parts) == 2 and (only := classes[0] ^ classes[1]):
        raise ValueError(f"{folder}: class {shown(min(only))} is in one of {' and '.join(names)} alone")
    if len(classes[0]) == 1:
        raise ValueError(f"{folder} holds one class alone, {shown(*classes[0])}: at least two are needed")
    told = "".join(f", {name} is the test part" for name in names[1:] if name != "test")
    return parts, told + "".join(f", {name} is not read" for name in others[1:])


def mode_of(path: Path) -> str:
    """Pillow's mode of an image by its header; one that does not end as its kind does is decoded."""
    opened = pillow().open
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            tail = file.read()
            with opened(file) as image:
                if not any(end in tail for end in ENDS):
                    image.load()
                return str(image.mode)
    except Exception as error:  # of Pillow's many
        raise unreadable(path, error) from error


def pixels(path: Path, grey: bool | None = None, crop: int | None = None, side: int = 0) -> Array:
    """uint8 (channels, height, width); grey is what the image says where it is None."""
    opened, upright = pillow().open, pillow("ImageOps").exif_transpose
    try:
        with opened(path) as image:
            upright(image, in_place=True)
            if image.has_transparency_data and image.mode not in DEEP:
                *colours, (least, most) = image.convert("RGBA").getextrema()
                if least < most and all(low == high for low, high in colours):
                    raise ValueError("one colour, drawn by its transparency alone: a background is needed")
            grey = image.mode in GREY if grey is None else grey
            if image.mode in DEEP:
                image = pillow().fromarray((np.asarray(image) >> 8).astype(np.uint8))
            image = image.convert("L" if grey else "RGB")
            if crop is not None:
                shorter = min(image.size)
                w, h = (round(length * side / shorter) for length in image.size)
                left, top = (w - crop) // 2, (h - crop) // 2
                image = image.resize((w, h)).crop((left, top, left + crop, top + crop))
            values = np.asarray(image)
    except Exception as error:  # of Pillow's many
        raise unreadable(path, error) from error
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def lies_turned(path: Path) -> bool:
    """Whether it is an image that lies otherwise than it is shown, as its EXIF says."""
    if path.suffix.lower() not in IMAGES:
        return False
    with suppress(Exception), pillow().open(path) as image:  # what is none is told where it is read
        return "exif" in image.info and image.getexif().get(ORIENTATION, 1) != 1
    return False


def pillow(module: str = "Image") -> Any:
    """Its module of images, say."""
    return need(f"PIL.{module}", "images need Pillow", "pip install 'npintdim[images]'")


def unreadable(path: Path, error: Exception) -> ValueError:
    """One line that names the file."""
    return ValueError(f"{path} is no image that can be read: {brief(error)}")
