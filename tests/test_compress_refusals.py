"""Every file that must not be loaded is refused, by its own message, and by nothing else."""

import hashlib
import json
import re
import struct
from pathlib import Path

import format_from_the_page as from_the_page
import numpy as np
import pytest

import npintdim as nid
from npintdim.artefact import decode, fileformat
from npintdim.artefact.fileformat import FormatError, TooLargeError

NUMPY = nid.get_backend("numpy")


def compressed(kind="fastfood", **options):
    model = nid.mlp([2, 2], NUMPY)
    P = nid.make_projection(kind, model.D, 1, 7, NUMPY, **options)
    return nid.CompressedModel.from_parts(model, 5, P, np.array([0.7]))


def tuned():
    """The bytes of a file that names its base."""
    one = compressed()
    base = np.zeros(one.network.D, np.float32)
    return nid.CompressedModel.from_parts(one.network, None, one.P, one.theta_d, base).to_bytes()


def load(data, tmp_path, model=None):
    path = tmp_path / "net.npid"
    path.write_bytes(data)
    return nid.CompressedModel.load(path, model, NUMPY)


def seal(data):
    """The data with a length and a checksum that hold, as a writer with other intentions would make them."""
    data = data[:14] + struct.pack("<Q", len(data) + 32) + data[22:]
    return data + hashlib.sha256(data).digest()


def dump(header):
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def forge(source=None, *, P=None, text=None, hashes=None, theta_d=None, h=None, version=1, **header):
    """The bytes of a file, put together by the page, with something changed."""
    source = source or compressed()
    old = source.header()
    values = struct.pack("<1f", *source.theta_d)
    text = text if text is not None else dump(old | {"P": old["P"] | (P or {})} | header)
    digests = {"fingerprint": source.fingerprint, "theta": source.theta_sha256} | (hashes or {})
    return seal(
        b"\x89npid\r\n\x1a"
        + struct.pack("<HIQ", version, len(text) if h is None else h, 0)
        + text
        + bytes.fromhex(digests["fingerprint"] + digests["theta"])
        + (values if theta_d is None else theta_d)
    )


def without(*names):
    return dump({key: value for key, value in compressed().header().items() if key not in names})


def forge_T(**T):
    header = {key: value for key, value in compressed().header().items() if key != "P"}
    return forge(
        text=dump(header | {"T": {"seed": "7", **T}}), version=3, theta_d=struct.pack("<2f", 0.7, 0.7)
    )


def test_what_the_forger_does_not_change_is_loaded(tmp_path):
    assert forge() == compressed().to_bytes()
    assert load(forge(), tmp_path).theta().tobytes() == compressed().theta().tobytes()


# ---- accidents ----
def test_a_file_cut_at_any_byte_is_truncated(tmp_path):
    data = compressed().to_bytes()
    for n in range(len(data)):
        with pytest.raises(FormatError, match=f"net.npid: truncated: it has {n} bytes, "):
            load(data[:n], tmp_path)


def test_a_file_with_bytes_behind_it_is_altered(tmp_path):
    data = compressed().to_bytes()
    with pytest.raises(match=f"altered: it has {len(data) + 1} bytes, but {len(data)} were written"):
        load(data + b"\n", tmp_path)


def test_a_file_with_a_bit_of_any_byte_flipped_is_refused(tmp_path):
    data = compressed().to_bytes()
    for place in range(len(data)):
        if place < 8:
            expected = "not a compressed model"
        elif place < 10:
            expected = "version .* is unknown"
        elif 14 <= place < 22:
            expected = "truncated|altered"
        else:
            expected = "altered"
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(FormatError, match=f"net.npid: ({expected})"):
            load(bytes(changed), tmp_path)


@pytest.mark.parametrize("kind", ["dense", "sparse", "fastfood"])
def test_a_flipped_bit_under_a_checksum_that_holds_is_refused_too(kind, tmp_path):
    """Whatever the file says then, it ends in one of our errors and not in one of Python's."""
    source = compressed(kind, **({"density": 0.75} if kind == "sparse" else {}))
    data = source.to_bytes()[:-32]
    for place in (*range(8, 14), *range(22, len(data))):
        changed = bytearray(data)
        changed[place] ^= 1 << (place + len(kind)) % 8
        with pytest.raises(FormatError):
            load(seal(bytes(changed)), tmp_path)


# ---- each reason ----
ZEROS = "0" * 64
REASONS = {
    "not such a file": (b"PK\x03\x04 a zip of some kind", r"not a compressed model: it begins with b'PK"),
    "sent as text": (compressed().to_bytes().replace(b"\r\n", b"\n"), "not a compressed model"),
    "empty": (b"", "truncated: it has 0 bytes, less than any"),
    "newer": (forge(version=9), "version 9 is unknown, this package reads versions 1 to 8"),
    "without its base": (tuned(), "its theta_0 is a pre-trained one with the sha256 [0-9a-f]{64}: the base is needed"),
    "P in a file of a T": (forge(version=3), "its header lacks T: T, model, scheme, theta_0_seed are needed"),
    "older": (forge(version=0), "version 0 is unknown"),
    "another scheme": (forge(scheme="mt19937/1"), "of scheme 'mt19937/1', this package has 'philox4x32"),
    "no scheme": (forge(scheme=None), "of scheme None"),
    "header beyond the file": (forge(h=1 << 19), "header claims 524288 bytes: at most"),
    "header beyond the limit": (forge(text=b" " * (1 << 20) + b"{}"), "claims 1048578 bytes: at most 1048576"),
    "header too short": (forge(h=5), "not JSON"),
    "not JSON": (forge(text=b"{'P': 1}"), "header is not JSON: Expecting property name"),
    "not text": (forge(text=b"\xff\xfe\xfa"), "not JSON"),
    "too deep": (forge(text=b"[" * 100_000), "not JSON: maximum recursion"),
    "a list": (forge(text=b"[1]"), "header is a JSON list: an object is needed"),
    "without a seed": (forge(text=without("theta_0_seed")), "header lacks theta_0_seed: P, model, scheme"),
    "with nothing": (forge(text=b"{}"), "header lacks P, model, scheme, theta_0_seed"),
    "with more": (forge(lr=1), "header has unknown lr: P, model, scheme, theta_0_seed are needed"),
    "blanks": (forge(text=without().replace(b":", b": ")), "not written in the canonical way"),
    "a member twice": (forge(text=without()[:-1] + b',"theta_0_seed":"5"}'), "not written in the canon"),
    "NaN": (forge(theta_0_seed=float("nan")), "header is wrong: Out of range float"),
    "infinite density": (forge(text=without().replace(b'"d":1', b'"d":1,"density":1e999')), "Out of range"),
    "P a string": (forge(text=dump(compressed().header() | {"P": "x"})), "P and model must be objects"),
    "model a list": (forge(model=[]), "P and model must be objects"),
    "a seed that is a number": (forge(theta_0_seed=5), "theta_0_seed is 5: a string of decimal digits"),
    "a seed with zeros": (forge(theta_0_seed="05"), "theta_0_seed is '05'"),
    "a seed in words": (forge(theta_0_seed="five"), "header is wrong: invalid literal"),
    "a seed of 65 bits": (forge(theta_0_seed=str(2**64)), r"0 ≤ seed < 2\*\*64 is needed"),
    "an unknown network": (forge(model={"architecture": "mpl"}), "cannot be built: unknown architecture 'mpl'"),
    "an unknown layer": (forge(model={"in_shape": [2], "layers": [{"kind": "Scale"}]}),
                         r"unknown layer 'Scale'.*layers of your own.*load\(path, model=...\)"),
    "no network": (forge(model={}), "model cannot be built"),
    "an option of mlp": (forge(model={"architecture": "mlp", "sizes": [2, 2], "backend": 1}), "cannot be built"),
    "sizes of no sense": (forge(model={"architecture": "mlp", "sizes": [2, "2"]}), "cannot be built"),
    "text as size": (forge(model={"in_shape": ["a"], "layers": [{"kind": "Linear", "n_in": "a", "n_out": 2}]}),
                     "cannot be built"),
    "no axis": (forge(model={"in_shape": [1, 4, 4], "layers": [{"kind": "Conv2D", "c_in": 1, "c_out": 2, "k": 0, "name": ""},
                                                               {"kind": "Flatten", "name": "f"}]}), "cannot be built"),
    "a layer without its name": (forge(model={"in_shape": [2], "layers": [{"kind": "Linear", "n_in": 2, "n_out": 2}]}),
                                 "not what the network built from it says of itself"),
    "another D": (forge(P={"D": 7}), "P is D×d = 7×1, but the model has D = 6"),
    "another network": (forge(model={"architecture": "mlp", "sizes": [3, 2]}), "but the model has D = 8"),
    "another d": (forge(P={"d": 2}), "theta_d has 1 numbers, but P is D×d = 6×2: 2 are needed"),
    "no theta_d": (forge(theta_d=b""), "theta_d has 0 numbers"),
    "half a number": (forge(theta_d=b"\0" * 6), "theta_d has 6 bytes: 4 for each of d numbers"),
    "D no number": (forge(P={"D": "6"}), "P is wrong: D is '6'"),
    "D true": (forge(P={"D": True}), "P is wrong: D is True"),
    "d null": (forge(P={"d": None}), "P is wrong: d is None"),
    "D of 400 digits": (forge(P={"D": 10**400}), "P is wrong: D is 10"),
    "density of 400 digits": (forge(P={"density": 10**400}), "P is wrong: int too large"),
    "density null": (forge(compressed("sparse", density=0.75), P={"density": None}), "P is wrong"),
    "an unknown P": (forge(P={"kind": "fastfod"}), "P cannot be drawn: unknown projection 'fastfod'.*'fastfood'"),
    "no kind": (forge(text=without().replace(b'"kind":"fastfood",', b"")), "P cannot be drawn"),
    "an unknown option": (forge(P={"kept": True}), "P cannot be drawn: unknown option"),
    "an option of no consequence to Fastfood": (forge(P={"stored": True}), "not what P says of itself"),
    "an option of no consequence": (forge(compressed("dense"), P={"stored": True}), "not what P says of itself"),
    "an option left out": (forge(text=without().replace(b',"signs":true', b"")), "not what P says of itself"),
    "an option no flag": (forge(P={"signs": 2}), "P cannot be drawn"),
    "a P seed that is a number": (forge(P={"seed": 7}), "not what P says of itself"),
    "a P seed null": (forge(P={"seed": None}), "P cannot be drawn"),
    "a P seed of 65 bits": (forge(P={"seed": str(2**64)}), r"0 ≤ seed < 2\*\*64 is needed"),
    "an empty column": (forge(compressed("sparse", density=0.75), P={"density": 1e-12}), "cannot be drawn: column 0"),
    "no code": (forge(version=2, theta_d=b""), "code of theta_d is wrong: it is empty"),
    "half a codebook": (forge(version=2, theta_d=bytes([128 + 2, 0, 0])), "has 3 bytes: a free codebook of K = 3 levels alone takes 7"),
    "NaN as level": (forge(version=2, theta_d=b"\0" + struct.pack("<e", np.nan) + b"\x40"), "codebook holds NaN"),
    "levels that fall": (forge(version=2, theta_d=b"\x81" + struct.pack("<2e", 1, 0) + b"\x40"), "levels of the codebook do not ascend"),
    "a distance of 0": (forge(version=2, theta_d=b"\0" + struct.pack("<e", 0) + b"\x40"), "levels of the codebook do not ascend"),
    "bits behind the code": (forge(version=2, theta_d=b"\x02" + struct.pack("<e", 1) + b"\x21"), "not those of d = 1 numbers, K = 3 levels"),
    "bytes behind the code": (forge(version=2, theta_d=b"\x02" + struct.pack("<e", 1) + b"\x20\0"), "not those of d = 1 numbers"),
    "another code": (forge(version=2, theta_d=b"\x02" + struct.pack("<e", 1) + b"\x20"), "theta has the sha256"),
    "NaN in theta_d": (forge(theta_d=struct.pack("<f", np.nan)), "theta_d holds NaN"),
    "infinity in theta_d": (forge(theta_d=struct.pack("<f", -np.inf)), "theta_d holds NaN, infinity"),
    "another P": (forge(P={"seed": "8"}), "P has the fingerprint [0-9a-f]{64} here, but [0-9a-f]{64} in the file"),
    "another fingerprint": (forge(hashes={"fingerprint": ZEROS}), f"but {ZEROS} in the file"),
    "another theta_0": (forge(theta_0_seed="6"), "theta has the sha256 [0-9a-f]{64} here, but [0-9a-f]{64} in"),
    "another theta_d": (forge(theta_d=struct.pack("<f", 0.70001)), "theta has the sha256"),
    "another T": (forge_T(kind="only", names="*.b"), "T has the fingerprint [0-9a-f]{64} here"),
    "a T that does not exist": (forge_T(kind="dora"), "its header's T cannot be made: unknown parametrisation 'dora'"),
    "a T without an order": (forge_T(kind="uni_lora", d=2, r=1, index="peft"), "no compressed file holds uni_lora with"),
    "another theta": (forge(hashes={"theta": ZEROS}), f"but {ZEROS} in the file"),
}  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_error_and_message(reason, tmp_path):
    data, message = REASONS[reason]
    with pytest.raises(FormatError, match=message) as caught:
        load(data, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'net.npid'}: ")
    assert isinstance(caught.value, ValueError)


def test_the_header_lies_in_the_file(tmp_path):
    """From the first length that does not, to the last that a wrong sign would let pass."""
    inside = len(forge()) - 118
    for h in (inside + 1, inside + 118, inside + 119, inside + 236, inside + 237):
        with pytest.raises(FormatError, match=f"header claims {h} bytes: at most"):
            load(forge(h=h), tmp_path)
    with pytest.raises(FormatError, match="not JSON"):
        load(forge(h=inside), tmp_path)


def test_every_message_of_the_page_has_a_reason_here(tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "format.md").read_text(encoding="utf-8")
    rows = [
        row for row in page.partition("| message | when |")[2].split("\n\n")[0].splitlines() if "`" in row
    ]
    listed = [message for row in rows for message in re.findall("`([^`]+)`", row.split("|")[1])]
    elsewhere = {"altered", "it holds the network", "it has", "decoding"}
    told = [str(refusal(data, tmp_path)).partition("net.npid: ")[2] for data, _ in REASONS.values()]
    assert len(listed) == 22
    for message in set(listed) - elsewhere:
        assert any(text.startswith(message) for text in told), message
    for text in told:
        assert any(text.startswith(message) for message in listed), text
    assert (fileformat.VERSION, fileformat.CODED) == (1, 2)


def refusal(data, folder):
    with pytest.raises(FormatError) as caught:
        load(data, folder)
    return caught.value


def test_damage_is_told_before_what_it_hides(tmp_path):
    """A file with several faults is refused for the first one in the order of the page."""
    several = {"scheme": "x", "P": {"d": 2}, "model": {"architecture": "mlp", "sizes": [3, 2]}}
    for repaired, message in (
        ((), "its random numbers"),
        (("scheme",), "P is D×d"),
        (("scheme", "model"), "theta_d has"),
        (("scheme", "model", "P"), "P has the fingerprint"),
    ):
        wrong = {key: value for key, value in several.items() if key not in repaired}
        with pytest.raises(FormatError, match=f"net.npid: {message}"):
            load(forge(hashes={"fingerprint": ZEROS, "theta": ZEROS}, **wrong), tmp_path)


# ---- a network that is given ----
@pytest.mark.parametrize("sizes", [[3, 2], [2, 1, 2]])
def test_a_given_model_must_be_that_of_the_file(sizes, tmp_path):
    assert load(forge(), tmp_path, nid.mlp([2, 2], NUMPY)).to_bytes() == forge()
    with pytest.raises(match=r'holds the network {.*"sizes":\[2,2\]}, but the model given is {') as caught:
        load(forge(), tmp_path, nid.mlp(sizes, NUMPY))
    assert json.dumps(sizes, separators=(",", ":")) in str(caught.value)


# ---- memory ----
@pytest.mark.parametrize("kind", ["dense", "fastfood"])
def test_a_small_file_cannot_claim_all_memory(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "projection_from_spec", None)  # it must not come to that
    huge = {"architecture": "mlp", "sizes": [1 << 19, 1 << 19]}
    D = (1 << 38) + (1 << 19)
    with pytest.raises(
        TooLargeError, match=f"decoding D = {D}, d = 1 takes at least 5.5e\\+03 GB, but"
    ) as caught:
        load(forge(compressed(kind), P={"D": D}, model=huge), tmp_path)
    assert isinstance(caught.value, MemoryError)


def test_the_non_zeros_of_a_sparse_projection_count(tmp_path, monkeypatch):
    data = forge(compressed("sparse", density=0.75))
    needed = 20 * 6 + 13 * 0.75 * 6
    monkeypatch.setattr(decode, "free_memory", lambda: needed)
    load(data, tmp_path)
    monkeypatch.setattr(decode, "free_memory", lambda: needed - 1)
    with pytest.raises(TooLargeError, match="decoding D = 6, d = 1 takes at least"):
        load(data, tmp_path)


def test_a_file_larger_than_the_memory_is_not_read(tmp_path):
    path = tmp_path / "net.npid"
    with path.open("wb") as file:
        file.write(forge()[:14] + struct.pack("<Q", 1 << 42))
        file.truncate(1 << 42)  # a hole, which takes no room on the disk
    with pytest.raises(TooLargeError, match=r"it has 4398046511104 bytes, but \d+ bytes of memory are free"):
        nid.CompressedModel.load(path)


def test_a_length_beyond_the_file_allocates_nothing(tmp_path):
    data = forge()
    with pytest.raises(FormatError, match=f"it has {len(data)} bytes, but {2**63} were written"):
        load(data[:14] + struct.pack("<Q", 1 << 63) + data[22:], tmp_path)


# ---- the system ----
def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"net\.npid"):
        nid.CompressedModel.load(tmp_path / "net.npid")


def test_the_reader_from_the_page_refuses_a_flipped_bit(tmp_path):
    path, data = tmp_path / "net.npid", bytearray(forge())
    path.write_bytes(data)
    assert from_the_page.read(path)["theta_sha256"] == compressed().theta_sha256
    data[-40] ^= 1
    path.write_bytes(data)
    with pytest.raises(AssertionError):
        from_the_page.read(path)
