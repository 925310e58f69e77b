"""The bytes of a compressed file (docs/format.md): packed, checked and unpacked, written all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npintdim.files import canonical
from npintdim.inputs import check_seed
from npintdim.rng import SCHEME
from npintdim.typing import Spec

MAGIC = b"\x89npid\r\n\x1a"
VERSION, CODED = 1, 2  # theta_d as binary32; as the code of npintdim.artefact.coding
OF_T = 2  # is added where the header has T in the place of P
OF_BASE = 4  # where it names a pre-trained theta_0 in the place of its seed
LATEST = CODED + OF_T + OF_BASE
PREFIX = struct.Struct("<8sHIQ")  # magic, version, bytes of the header, bytes of the file
HASH = 32
FIXED = PREFIX.size + 3 * HASH
LONGEST_HEADER = 1 << 20
KEYS = {"model", "scheme"}  # and P or T, theta_0_seed or theta_0


class FormatError(ValueError):
    """A file that `CompressedModel.load` refuses; its message says why, in the words of docs/format.md."""


class MissingBaseError(FormatError):
    """The file names a pre-trained theta_0, which was not given."""


class TooLargeError(FormatError, MemoryError):
    """Decoding needs more memory than is free."""


def to_bytes(
    header: Spec, fingerprint: str, theta_sha256: str, theta_d: NDArray[np.float32] | bytes
) -> bytes:
    """The file: prefix, header, two hashes, theta_d or its code, and the sha256 of all that."""
    text = canonical(header)
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"the header has {len(text)} bytes: at most {LONGEST_HEADER} are allowed")
    body = text + bytes.fromhex(fingerprint + theta_sha256)
    version = CODED if isinstance(theta_d, bytes) else VERSION
    body += theta_d if isinstance(theta_d, bytes) else theta_d.astype("<f4").tobytes()
    version += OF_T * ("T" in header) + OF_BASE * ("theta_0" in header)
    data = PREFIX.pack(MAGIC, version, len(text), PREFIX.size + len(body) + HASH) + body
    return data + hashlib.sha256(data).digest()


def read_file(path: Path, room: float) -> bytes:
    """The file's bytes, if it is one, of a known version, as long as it says, and that is within room.

    Nothing but the prefix is read before that is certain.
    """
    with path.open("rb") as file:
        prefix = file.read(PREFIX.size)
        if prefix[: len(MAGIC)] != MAGIC[: len(prefix)]:
            raise FormatError(
                f"not a compressed model: it begins with {prefix[: len(MAGIC)]!r}, not {MAGIC!r}"
            )
        if len(prefix) < PREFIX.size:
            raise FormatError(f"truncated: it has {len(prefix)} bytes, less than any compressed model")
        _, version, _, length = PREFIX.unpack(prefix)
        if not VERSION <= version <= LATEST:
            raise FormatError(
                f"version {version} is unknown, this package reads versions {VERSION} to {LATEST}: update it?"
            )
        size = os.fstat(file.fileno()).st_size
        if size < length:
            raise FormatError(f"truncated: it has {size} bytes, but {length} were written")
        if size > length:
            raise FormatError(f"altered: it has {size} bytes, but {length} were written")
        if size > room:
            raise TooLargeError(f"it has {size} bytes, but {room:.0f} bytes of memory are free")
        return prefix + file.read(size - len(prefix))


def from_bytes(data: bytes) -> tuple[Spec, str, str, NDArray[np.float32] | bytes]:
    """Header, fingerprint (hex), sha256 of theta (hex), theta_d (read-only) or code; the checksum held."""
    if hashlib.sha256(data[:-HASH]).digest() != data[-HASH:]:
        raise FormatError("altered: its checksum does not hold")
    _, version, n, _ = PREFIX.unpack_from(data)
    if n > min(LONGEST_HEADER, len(data) - FIXED):
        raise FormatError(
            f"its header claims {n} bytes: at most {LONGEST_HEADER} that lie in the file are allowed"
        )
    start = PREFIX.size + n
    coded, of_T, of_base = (version - VERSION & bit for bit in (CODED - VERSION, OF_T, OF_BASE))
    header = parse_header(
        data[PREFIX.size : start], "T" if of_T else "P", "theta_0" if of_base else "theta_0_seed"
    )
    hashes, values = data[start : start + 2 * HASH], data[start + 2 * HASH : -HASH]
    if coded:
        return header, hashes[:HASH].hex(), hashes[HASH:].hex(), values
    if len(values) % 4:
        raise FormatError(f"theta_d has {len(values)} bytes: 4 for each of d numbers are needed")
    theta_d = np.frombuffer(values, "<f4").astype(np.float32)
    theta_d.flags.writeable = False
    return header, hashes[:HASH].hex(), hashes[HASH:].hex(), theta_d


def parse_header(text: bytes, P: str, theta_0: str) -> Spec:
    """The header, its form checked; the meaning of its two specs, one of them P or T, is not."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"its header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise FormatError(f"its header is a JSON {type(header).__name__}: an object is needed")
    keys = KEYS | {P, theta_0}
    for what, names in (("lacks", keys - header.keys()), ("has unknown", header.keys() - keys)):
        if names:
            raise FormatError(
                f"its header {what} {', '.join(sorted(names))}: {', '.join(sorted(keys))} are needed"
            )
    if header["scheme"] != SCHEME:
        raise FormatError(
            f"its random numbers are of scheme {header['scheme']!r}, this package has {SCHEME!r}"
        )
    try:
        if canonical(header) != text:
            raise ValueError("it is not written in the canonical way")
        if not (isinstance(header[P], dict) and isinstance(header["model"], dict)):
            raise ValueError(f"{P} and model must be objects")
        named = header[theta_0]
        if theta_0 == "theta_0":
            if bytes.fromhex(named).hex() != named or len(named) != 2 * HASH:
                raise ValueError(f"theta_0 is {named!r}: a sha256 as {2 * HASH} hex digits is needed")
        elif str(check_seed(int(named))) != named:
            raise ValueError(f"theta_0_seed is {named!r}: a string of decimal digits is needed")
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"its header is wrong: {error}") from error
    return header
