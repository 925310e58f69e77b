"""artefact: small compressed files, packed and decoded from docs/format.md and docs/random.md alone; and broken ones."""

import hashlib
import json
import struct

import format_from_the_page as form
import random_from_the_page as page

from vectorgen.drawing import EXACT, thirds
from vectorgen.pack import Group, floats, octets

MAGIC = bytes.fromhex("896e7069640d0a1a")


def canonical(header):
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode("ascii")


def header_of(model, kind, D, d, theta_0_seed, P_seed, **options):
    P = {"kind": kind, "D": D, "d": d, "seed": str(P_seed), **options}
    return {"P": P, "model": model, "scheme": page.SCHEME, "theta_0_seed": str(theta_0_seed)}


def seal(header, hashes, theta_d, version=1, magic=MAGIC, length=None):
    """The bytes of a file whose checksum holds; header is an object, or bytes."""
    text = header if isinstance(header, bytes) else canonical(header)
    body = text + hashes + b"".join(struct.pack("<f", x) for x in theta_d)
    length = 22 + len(body) + 32 if length is None else length
    data = struct.pack("<8sHIQ", magic, version, len(text), length) + body
    return data + hashlib.sha256(data).digest()


def hashes_of(header, theta_d):
    parts = {"header": header, "theta_d": theta_d}
    theta = form.decode(parts)
    return theta, bytes.fromhex(form.fingerprint(parts)) + hashlib.sha256(theta).digest()


MLP = {"architecture": "mlp", "sizes": [3, 4, 2]}
LAYERS = {
    "in_shape": [1, 4, 4],
    "layers": [
        {"kind": "Conv2D", "name": "conv2d1", "c_in": 1, "c_out": 2, "k": 3, "stride": 1, "padding": 0},
        {"kind": "MaxPool2D", "name": "maxpool2d1", "size": 2, "stride": 0},
        {"kind": "Flatten", "name": "flatten1"},
        {"kind": "Linear", "name": "linear1", "n_in": 2, "n_out": 3},
    ],
}
FILES = [  # model, kind, D, d, options, flags
    (MLP, "dense", 26, 3, {"entries": "gaussian"}, []),
    (MLP, "dense", 26, 2, {"entries": "rademacher"}, []),
    (MLP, "sparse", 26, 3, {"density": 0.3}, []),
    (MLP, "fastfood", 26, 1, {"blocks": "stacked", "signs": True}, ["One"]),
    (MLP, "fastfood", 26, 5, {"blocks": "stacked", "signs": True}, ["NonPow2"]),
    (MLP, "fastfood", 26, 26, {"blocks": "single", "signs": False}, ["Square"]),
    (LAYERS, "fastfood", 29, 4, {"blocks": "stacked", "signs": True}, ["Layers"]),
]


def artefact():
    form_formula = "θ_d (d,) float32, as the file holds it: docs/format.md; no random number is needed"
    decode_formula = "θ = float32(θ_0 + P θ_d) (D,), worked out in float64 in the order of docs/random.md, section 9; sha256 of its little-endian bytes: {}"
    given = Group("given", "theta_d", form_formula, ("file",), ("theta_d",), EXACT)
    seeded = Group(
        "seeded",
        "decode",
        decode_formula.format("the last hash of the file"),
        ("file",),
        ("theta",),
        "the decoded θ is bits on every machine: docs/random.md",
    )
    for k, (model, kind, D, d, options, flags) in enumerate(FILES):
        header = header_of(model, kind, D, d, 2**64 - 1 - k, 3 + k, **options)
        theta_d = thirds(400 + k, d, "float32")
        theta, hashes = hashes_of(header, theta_d)
        data = seal(header, hashes, theta_d)
        unpacked = struct.unpack(f"<{len(theta) // 4}f", theta)
        comment = f"{kind}, D×d = {D}×{d}, {', '.join(f'{a} = {b}' for a, b in options.items())}"
        file = {"file": octets(data)}
        given.add(
            comment, file, {"theta_d": floats(theta_d, "float32")}, flags=["File", *flags], dtype="float32"
        )
        seeded.add(
            comment, file, {"theta": floats(unpacked, "float32")}, flags=["File", *flags], dtype="float32"
        )
    header, theta_d = header_of(MLP, "dense", 26, 2, 1, 2, entries="gaussian"), [0.5, -0.25]
    _, hashes = hashes_of(header, theta_d)
    good = seal(header, hashes, theta_d)
    for comment, data, flag in broken(header, hashes, theta_d, good):
        given.refuse(comment, {"file": octets(data)}, [flag], "float32")
    for comment, data, flag in lying(header, hashes, theta_d):
        seeded.refuse(comment, {"file": octets(data)}, [flag], "float32")
    notes = {
        "File": "A file of version 1. The two seeds, θ_d and the hashes are in it.",
        "One": "d = 1.",
        "NonPow2": "d is no power of two.",
        "Square": "d = D.",
        "Layers": "The network is given layer by layer.",
        "Damaged": "Bytes are missing, added or changed: the length or the checksum does not hold.",
        "Foreign": "Another magic, version or scheme.",
        "BadHeader": "The checksum holds, but the header is not what docs/format.md says.",
        "BadLength": "The checksum holds, but θ_d has not d entries, or D is not the network's.",
        "NotFinite": "θ_d holds NaN or infinity.",
        "WrongHash": "The checksum holds, but P or θ is not what the file says it is: only whoever draws them can tell.",
    }
    return notes, [given, seeded]


def broken(header, hashes, theta_d, good):
    """Files that a reader refuses before anything is drawn."""
    yield "empty", b"", "Damaged"
    yield "only the prefix", good[:22], "Damaged"
    yield "last byte missing", good[:-1], "Damaged"
    yield "a byte added", good + b"\0", "Damaged"
    for place in (30, len(good) - 40, len(good) - 1):
        changed = bytearray(good)
        changed[place] ^= 1
        yield f"one bit of byte {place} changed", bytes(changed), "Damaged"
    yield "line ends converted", good.replace(b"\r\n", b"\n"), "Foreign"
    yield "version 2", seal(header, hashes, theta_d, version=2), "Foreign"
    scheme = header | {"scheme": "philox4x32-10/normal-grid-20/2"}
    yield "another scheme", seal(scheme, hashes, theta_d), "Foreign"
    yield "header is no JSON", seal(b"{P", hashes, theta_d), "BadHeader"
    yield "header is a list", seal(b"[]", hashes, theta_d), "BadHeader"
    yield (
        "header with blanks",
        seal(json.dumps(header, sort_keys=True).encode(), hashes, theta_d),
        "BadHeader",
    )
    yield "header with one key more", seal(header | {"accuracy": 1}, hashes, theta_d), "BadHeader"
    yield "header without the model", seal({k: v for k, v in header.items() if k != "model"}, hashes, theta_d), "BadHeader"  # fmt: skip
    yield "theta_0_seed is a number", seal(header | {"theta_0_seed": 1}, hashes, theta_d), "BadHeader"
    yield ("theta_0_seed is 2**64", seal(header | {"theta_0_seed": str(2**64)}, hashes, theta_d), "BadHeader")
    yield "θ_d has one entry more", seal(header, hashes, [*theta_d, 1.0]), "BadLength"
    yield "θ_d holds NaN", seal(header, hashes, [0.5, float("nan")]), "NotFinite"
    yield "θ_d holds infinity", seal(header, hashes, [0.5, float("inf")]), "NotFinite"


def lying(header, hashes, theta_d):
    """Files that only a reader who knows networks and P can refuse."""
    P = header["P"]
    yield (
        "D is not the network's",
        seal(header | {"P": P | {"D": 27}}, *hashed(header, {"D": 27}, theta_d)),
        "BadLength",
    )
    yield "unknown kind of P", seal(header | {"P": P | {"kind": "hadamard"}}, hashes, theta_d), "BadHeader"
    yield "unknown option of P", seal(header | {"P": P | {"blocks": "single"}}, hashes, theta_d), "BadHeader"
    yield "d > D", seal(header | {"P": P | {"d": 27}}, hashes, [0.5] * 27), "BadLength"
    yield "seed of P is a number", seal(header | {"P": P | {"seed": 2}}, hashes, theta_d), "BadHeader"
    model = {"architecture": "perceptron", "sizes": [3, 4, 2]}
    yield "unknown architecture", seal(header | {"model": model}, hashes, theta_d), "BadHeader"
    flipped = bytes([hashes[0] ^ 1]) + hashes[1:]
    yield "the fingerprint of another P", seal(header, flipped, theta_d), "WrongHash"
    flipped = hashes[:-1] + bytes([hashes[-1] ^ 1])
    yield "the sha256 of another θ", seal(header, flipped, theta_d), "WrongHash"
    yield "θ_d of another file", seal(header, hashes, [0.5, 0.25]), "WrongHash"


def hashed(header, changed, theta_d):
    """Hashes that hold for the changed P."""
    P = dict(header["P"] | changed)
    print_of = page.fingerprint(P.pop("kind"), P.pop("D"), P.pop("d"), int(P.pop("seed")), **P)
    return bytes.fromhex(print_of) + bytes(32), theta_d
