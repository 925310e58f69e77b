"""Where the files of a data set come from: your folder, else the cache, else a mirror. Never unchecked."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from npintdim.data.download import VARIABLE, download, mismatch, remedy, sha256
from npintdim.data.registry import REGISTRY, File, Source

KNOWN = frozenset(file.sha256 for source in REGISTRY.values() for file in source.files)


def locate(source: Source, folder: str | Path | None = None, cache: Path | None = None) -> list[Path]:
    """Paths of the source's files, each with the right sha256.

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
    paths = [in_folder(source, file, here) for file in source.files]
    lacking = [file.name for file, path in zip(source.files, paths, strict=True) if path is None]
    if lacking and folder is not None:
        raise FileNotFoundError(
            f"{source.name}: {', '.join(lacking)} not found, neither in {here / source.name} nor, with the "
            f"sha256 of {source.name}, in {here}"
        )
    return [path or download(source, file, cache) for file, path in zip(source.files, paths, strict=True)]


def in_folder(source: Source, file: File, root: Path, known: Collection[str] = KNOWN) -> Path | None:
    """The file in root/name/, or in root, where a file of this name may be another data set's: it is passed over.

    Raises
    ------
    ValueError
        for a file with another sha256 that is nobody's.
    """
    for path in (root / source.name / file.name, root / file.name):
        if path.is_file():
            found = sha256(path)
            if found == file.sha256:
                return path
            if path.parent != root or found not in known:
                raise mismatch(str(path), path, found, file)
    return None
