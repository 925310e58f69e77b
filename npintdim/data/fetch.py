"""Where the files of a data set come from: your folder, else the cache, else a mirror. Never unchecked."""

from __future__ import annotations

import gzip
import hashlib
import os
import warnings
import zlib
from collections.abc import Collection
from pathlib import Path

from npintdim.data.download import VARIABLE, download, file_sha256, mismatch, remedy
from npintdim.data.idx import CHUNK, opened
from npintdim.data.registry import REGISTRY, File, Published

FILES = [file for source in REGISTRY.values() for file in source.files]
KNOWN = {digest for file in FILES for digest in (file.sha256, file.raw_sha256) if digest}


def locate(source: Published, folder: str | Path | None = None, cache: Path | None = None) -> list[Path]:
    """Paths of the source's files, each with the right sha256, its own or that of what it unpacks to.

    Of Fashion-MNIST and KMNIST the latter is not known here: a file of theirs that is packed otherwise,
    or unpacked, is taken in a folder of its own if it is as long as it should be,
    and a warning says so; the reader checks its form.

    Parameters
    ----------
    source : an entry of the registry
    folder : where all files must lie; None looks into NPINTDIM_DATA and downloads what is not there
    cache : where downloads are kept; None for the usual place of the operating system

    Raises
    ------
    FileNotFoundError
        if the folder, or a file in a folder that was given as argument, does not exist.
    """
    root = folder if folder is not None else os.environ.get(VARIABLE) or None
    if root is None:
        return [download(source, file, cache) for file in source.files]
    here = Path(root).expanduser()
    if not here.is_dir():
        which = VARIABLE if folder is None else "folder"
        raise FileNotFoundError(f"{which} is {str(root)!r}, and there is no such folder: {remedy(source)}")
    found = {file: in_folder(source, file, here) for file in source.files}
    lacking = [file for file, path in found.items() if path is None]
    own = ", ".join(map(str, folders(source, here)[:-1]))
    looked = f"neither in {own} nor, with the sha256 of {source.name}, in {here}"
    if lacking and folder is not None:
        also = [name for file in lacking for name in file_names(file)[1:]]
        raise FileNotFoundError(
            f"{source.name}: {', '.join(file.name for file in lacking)} not found, {looked}"
            + (f"; other names that would do: {', '.join(also)}" if also else "")
        )
    looked = f"{VARIABLE} has no such file, {looked}"
    return [path or download(source, file, cache, looked) for file, path in found.items()]


def folders(source: Published, root: Path) -> list[Path]:
    """Where the files may lie; in the last one, root itself, those of other data sets do too."""
    own = root / source.name
    kept = [own / source.torchvision, own / "raw", root / source.torchvision]
    return [own, *(kept if source.torchvision else []), root]


def file_names(file: File) -> list[str]:
    """As published, and unpacked as others call it: train-images-idx3-ubyte, train-images.idx3-ubyte."""
    if not file.raw_size:
        return [file.name]
    forms = (file.name, file.name.replace("-idx", ".idx"))
    return list(dict.fromkeys((*forms, *(form.removesuffix(".gz") for form in forms))))


def in_folder(source: Published, file: File, root: Path, known: Collection[str] = KNOWN) -> Path | None:
    """The file in one of `folders`: as published, packed again, or unpacked: the unpacked bytes are right.

    In root a file of this name may be another data set's: it is passed over.
    One that is nobody's is a ValueError.
    """
    for path in (folder / name for folder in folders(source, root) for name in file_names(file)):
        if not path.is_file():
            continue
        found = file_sha256(path)
        size, unpacked = raw_sha256(path, file.raw_size) if found != file.sha256 else (0, "")
        if found == file.sha256 or (file.raw_sha256 and unpacked == file.raw_sha256):
            return path
        foreign = bool({found, unpacked} & set(known))
        if path.parent != root and size and size == file.raw_size and not file.raw_sha256 and not foreign:
            unsure = f"{path}: only its form was checked, the sha256 of what it unpacks to is not known"
            warnings.warn(unsure, stacklevel=2)
            return path
        if path.parent != root or not foreign:
            raise mismatch(str(path), path, found, file)
    return None


def raw_sha256(path: Path, most: int) -> tuple[int, str]:
    """Bytes and sha256 of what a file unpacks to, at most so many and one; (0, "") for a damaged one."""
    digest, size = hashlib.sha256(), 0
    try:
        with opened(path) as file:
            while size <= most and (chunk := file.read(min(most + 1 - size, CHUNK))):
                digest.update(chunk)
                size += len(chunk)
    except (zlib.error, EOFError, gzip.BadGzipFile):
        return 0, ""
    return size, digest.hexdigest()
