"""Data of one's own in a file or a folder: .npz, .npy, CSV, folders of images."""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npintdim.data import images
from npintdim.data.holdout import limited
from npintdim.data.shuffled import NEEDED, Change, change_of
from npintdim.engine.arrays import are_targets, examples_of
from npintdim.engine.landscape import FARTHEST, Dataset
from npintdim.files import inside
from npintdim.inputs import brief, check_text, counted, shown
from npintdim.typing import Array, Floats

LABELS = ("label", "class", "target", "y")  # the label's column, if nobody names it
FORMS = ("FILE.npz", "FILE.csv", "FOLDER")
PARTS = ("x_train", "y_train", "x_test", "y_test")
BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file or folder, and how it is read: "FILE+label=species+test-share=0.25+standardise" as text.

    Parameters
    ----------
    path : of the file or folder
    label : column of a CSV; None for the one named label, class, target or y
    test_share : where the file has no test part
    standardise : features (and targets that are numbers) by mean and sd of the training part
    regression : labels are numbers to be met, whole ones too
    crop : pixels, of a folder of images of any size: their middle, read when it is needed
    side : pixels of the shorter side before; None for crop
    mean : subtract the mean of each channel over (the first thousand images of) the training part
    change : what is done to it last: some of its classes, its images turned, something shuffled
    """

    path: Path
    label: str | None = None
    test_share: float | None = None
    standardise: bool = False
    regression: bool | None = None
    crop: int | None = None
    side: int | None = None
    mean: bool = False
    change: Change | None = None


class Arrays(NamedTuple):
    """Training and test part as they are in the file, and what is said of them; x_test None without one."""

    x: Array
    y: Array
    x_test: Array | None = None
    y_test: Array | None = None
    told: str = ""


def is_file(name: str) -> bool:
    """Whether a data set's name is that of a file or folder: it ends so, or has a separator."""
    path = check_text("data", name).partition("+")[0]
    if path.startswith("here:"):  # a `Dataset`, that was read from such a file say
        return False
    ends = any(part.endswith((".npz", ".csv")) for part in name.lower().split("+"))
    return ends or "/" in path or "\\" in path or path in (".", "..")


def source_of(name: str) -> Source:
    """Read the text; each word after a + must be one of ours, and said once."""
    path, *words = name.split("+")
    options: dict[str, Any] = {}
    for i, word in enumerate(words, 1):
        key, equals, value = word.partition("=")
        before = len(options)
        if key == "label" and value:
            options["label"] = value
        elif key in ("standardise", "regression", "mean") and not equals:
            options[key] = True
        elif key in ("crop", "side") and value.isdecimal():
            options[key] = int(value)
        elif change := change_of(name, word):
            options["change"] = change
        elif key == "test-share" and value:
            try:
                options["test_share"] = float(value)
            except ValueError:
                raise ValueError(f"test-share is {shown(value)}: 0 < test-share < 1 is needed") from None
        else:
            hint = ""
            with suppress(OSError, RuntimeError):  # a name that is too long, or ~nobody
                there = Path("+".join([path, *words[:i]])).expanduser().exists()
                hint = ". There is such a path: give it another name, without +" * there
            raise ValueError(
                f"data is {shown(name)}: "
                "after a + label=COLUMN, test-share=SHARE, standardise or regression is needed, "
                f"or of images crop=PIXELS, side=PIXELS or mean; or one of {NEEDED.rstrip(',')}{hint}"
            )
        if len(options) == before:
            raise ValueError(
                f"data is {shown(name)}: {shown(word)} comes after another of its kind, one is needed"
            )
    return Source(Path(path).expanduser(), **options)


def read(name: str, limit_train: int | None = None) -> tuple[Dataset, str]:
    """The data set, of so many first training examples, and a line that says what it is."""
    source = source_of(name)
    if source.crop is not None or source.side is not None or source.mean:
        data, told_of_it = streamed_images(name, source)
        return limited(data, limit_train), told_of_it
    if source.label is not None and source.path.suffix.lower() != ".csv":
        raise ValueError(f"label is {shown(source.label)}, a column of a CSV, and {source.path} is none")
    arrays = reader_of(source.path)(source)
    own_test = arrays.x_test is not None
    if own_test and source.test_share is not None:
        raise ValueError(f"test-share is {source.test_share}, but {source.path} has a test part")
    try:
        x, how = scaled("x", arrays.x)
        part: dict[str, Any] = {"test_share": 0.2 if source.test_share is None else source.test_share}
        if own_test:
            test, test_how = scaled("test x", arrays.x_test)
            part = {"test": (test, arrays.y_test)}
            how += f", test {test_how}" * (test_how != how)
        data = Dataset.from_arrays(
            x, arrays.y, standardise=source.standardise, name=name, regression=source.regression, **part
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"{source.path}: {error}") from error
    how += arrays.told
    data = limited(data, limit_train)
    if source.change is not None:
        data = replace(source.change(data), name=name)
    return data, told(data, how + (", standardised" if source.standardise else ""), own_test)


def streamed_images(name: str, source: Source) -> tuple[Dataset, str]:
    """A folder's images, read when they are needed; what is said of other data cannot be done with them."""
    if source.crop is None:
        raise ValueError(f"data is {shown(name)}: side and mean need crop=PIXELS")
    others = {
        "label": source.label, "test-share": source.test_share, "standardise": source.standardise,
        "regression": source.regression, "a change": source.change,
    }  # fmt: skip
    if said := [word for word, value in others.items() if value]:
        raise ValueError(
            f"data is {shown(name)}: {said[0]} cannot be had of images that are read when needed"
        )
    if not source.path.exists():
        raise FileNotFoundError(
            f"there is no folder {source.path}: one with train/CLASS/*.jpg and test/CLASS/*.jpg is needed"
        )
    if not source.path.is_dir():
        raise ValueError(f"data is {shown(name)}: crop is for a folder train/CLASS/*.jpg, test/CLASS/*.jpg")
    data, how = images.streamed(source.path, name, source.crop, source.side, source.mean)
    return data, told(data, how, own_test=True)


def told(data: Dataset, how: str, own_test: bool) -> str:
    """One line for people."""
    parts = f"{len(data.train):,} + {len(data.test):,} examples{'' if own_test else ' (a share held out)'}"
    what = f"targets of {counted(data.outputs, 'number')}"
    if data.classes:
        names = ", ".join(data.names[:12]) + (", ..." if len(data.names) > 12 else "")
        what = f"{data.classes} classes: {names}"
    return f"{data.name}: {parts} of shape {data.train.x.shape[1:]}, {how}; {what}"


def scaled(name: str, x: Any) -> tuple[Floats, str]:
    """Examples as floats, images as (n, channels, height, width), and how: uint8 ÷ 255, all else as it is."""
    array = np.asarray(x)
    how = str(array.dtype)
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in (1, 3) and array.shape[1] not in (1, 3):
        array, how = array.transpose(0, 3, 1, 2), f"{how}, channels last"
    if array.dtype == np.uint8:
        return examples_of(name, array) / np.float32(255), f"{how} ÷ 255"
    return examples_of(name, array), f"{how} as it is"


def reader_of(path: Path) -> Callable[[Source], Arrays]:
    """What reads such a file."""
    if path.is_dir():
        if (path / "x_train.npy").is_file() or (path / "x.npy").is_file():
            return folder_of_arrays
        return lambda source: Arrays(*images.read_all(source.path))
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file or folder {path}: {', '.join(FORMS)} or a known name is needed"
        )
    readers = {".npz": npz, ".csv": read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"data is {shown(str(path))}: one of {', '.join(FORMS)} is needed")
    return readers[path.suffix.lower()]


def npz(source: Source) -> Arrays:
    """x_train, y_train, x_test, y_test; or x, y."""
    key = ""
    try:
        if not zipfile.is_zipfile(source.path):
            raise ValueError("it is no .npz, or not all of one: np.savez makes them")
        with source.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names, found = file.files, {}
            for key in sorted({*names} & {*PARTS, "x", "y"}):
                found[key] = file[key]
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        of = f"{key}: " * bool(key)
        needed = f"; {key}.astype(str), or numbers, are needed" * ("Object arrays" in str(error))
        raise ValueError(f"{source.path} cannot be read: {of}{brief(error)}{needed}") from error
    return members(found, source.path, names)


def folder_of_arrays(source: Source) -> Arrays:
    """The same names, a .npy each; memory-mapped, so that what is larger than memory can be looked into."""
    found = {}
    for path in sorted(source.path.glob("*.npy")):
        try:
            found[path.stem] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"{path} cannot be read: {brief(error)}") from error
    return members(found, source.path, list(found))


def members(found: dict[str, Any], path: Path, names: list[str]) -> Arrays:
    """The parts by their names."""
    for parts in (PARTS, ("x", "y")):
        if all(name in found for name in parts):
            told = "".join(f", {name} is not read" for name in names if name not in parts)
            return Arrays(*(found[name] for name in parts))._replace(told=told)
    raise ValueError(
        f"{path} has {', '.join(names) or 'nothing'}: {', '.join(PARTS)}, or x and y, are needed"
    )


def read_csv(source: Source) -> Arrays:
    """A CSV with a line of names; every column but the label's is a number."""
    try:
        with source.path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{source.path} is no CSV in UTF-8: {error}") from error
    if len(rows) < 2:
        raise ValueError(
            f"{source.path} has {counted(len(rows), 'line')}: one of names and one an example are needed"
        )
    names, wanted = [name.strip() for name in rows[0][1]], (source.label,) if source.label else LABELS
    if len(names) < 2:
        raise ValueError(
            f"{source.path} has one column, {shown(names[0])}: names with commas between them are needed"
        )
    label = next((name.strip() for name in wanted if name.strip() in names), None)
    if label is None:
        raise ValueError(
            f"{source.path} has no column {' or '.join(map(shown, wanted))}: "
            f"name the label's with label=COLUMN, one of {', '.join(names)}"
        )
    if names.count(label) > 1:
        raise ValueError(f"{source.path} has {names.count(label)} columns {shown(label)}: one is needed")
    at, x = names.index(label), np.empty((len(rows) - 1, len(names) - 1), np.float64)
    features = names[:at] + names[at + 1 :]
    for i, (line, row) in enumerate(rows[1:]):
        if len(row) != len(names):
            raise ValueError(
                f"{source.path}, line {line} has {len(row)} entries, and the first line {len(names)}"
            )
        if not row[at].strip():
            raise ValueError(f"{source.path}, line {line}, {label}: the label is missing")
        for j, (column, text) in enumerate(zip(features, row[:at] + row[at + 1 :], strict=True)):
            try:
                x[i, j] = float(text)
            except ValueError:
                raise ValueError(
                    f"{source.path}, line {line}, {column}: {shown(text)} is no number"
                ) from None
            if FARTHEST < abs(x[i, j]) < np.inf:
                raise ValueError(f"{source.path}, line {line}, {column}: {text} is beyond float32")
    if "" in features and (x[:, (i := features.index(""))] == x[0, i] + np.arange(len(x))).all():
        raise ValueError(
            f"{source.path} has a column without a name that numbers the lines, and is no feature: "
            "leave it out (pandas: to_csv(index=False))"
        )
    labels = np.array([row[at] for _, row in rows[1:]])
    with suppress(ValueError):
        values = labels.astype(np.float64)
        if source.regression or are_targets(values):
            labels = values
    return Arrays(x.astype(np.float32), labels)


def content(name: str) -> str:
    """sha256 of what lies where the name says."""
    return content_at(source_of(name).path)


def content_at(path: Path) -> str:
    """sha256 of the file, or of the names and bytes of all in the folder; of nothing where nothing is."""
    digest = hashlib.sha256()
    files = sorted(inside(path)) if path.is_dir() else [path]
    for file in filter(Path.is_file, files):
        digest.update(file.relative_to(path).as_posix().encode(errors="surrogateescape") + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
        digest.update(b"turned" * images.lies_turned(file))  # once such images were read as they lie
    digest.update(b"held" * (images.held(path)[:1] not in ([], ["test"])))  # once no val was read
    return digest.hexdigest()
