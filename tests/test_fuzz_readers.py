"""Seeded damage to headers, records, claims, answers, idx and tar files: a documented error, or the right answer."""

import gzip
import json
import warnings

import numpy as np
import pytest
from data_helpers import cifar_archive, idx_bytes
from fuzz import damaged, odd, places
from helpers import command
from test_compress_refusals import seal
from test_fuzz import outcome, variety

import npintdim as nid
from npintdim.data import cifar, idx
from npintdim.measurement.claims import Claims
from npintdim.measurement.records import read_record, read_theta
from npintdim.measurement.report import read_measurement
from npintdim.measurement.runs import RunSpec
from npintdim.testing import cases
from npintdim.testing.answers import judge, read_answers


def kinds(value):
    """Which types stand under which names."""
    for way in places(value):
        inner = value
        for key in way:
            inner = inner[key]
        names = [key for key in way if isinstance(key, str)]
        yield names[-1] if names else "", type(inner)


# ---- headers ----
def test_odd_headers_are_refused(tmp_path):
    """Under a checksum that holds: accepted is only what is another network of as many parameters, well spelled."""
    rng, files = np.random.default_rng(3), variety()
    for k in range(1500):
        data = files[k % len(files)]
        h = int.from_bytes(data[10:14], "little")
        header = json.loads(data[22 : 22 + h])
        changed = odd(header, rng)
        text = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()
        data = data[:10] + len(text).to_bytes(4, "little") + data[14:22] + text + data[22 + h : -32]
        found = outcome(tmp_path / "net.npid", seal(data))
        if found is not None:
            assert set(kinds(changed)) <= set(kinds(header)), changed
            assert changed["P"] == header["P"]


# ---- records ----
def damages(content, suffix, rng, n):
    """n damaged versions of a file; of JSON one half with a place that is odd."""
    for k in range(n):
        if suffix == ".json" and k % 2:
            text = json.dumps(odd(json.loads(content), rng), indent=1)
            yield text.encode("utf-8", "surrogatepass")
        else:
            yield damaged(content, rng)


def test_a_damaged_record_is_done_again_or_is_what_it_was(measurement):
    """Read as a sweep does, told as a warning: no run is believed that was not made so."""
    rng, runs = np.random.default_rng(5), measurement / "runs"
    paths = sorted(p for p in runs.iterdir() if p.suffix in (".json", ".npy"))
    for path in paths:
        content = path.read_bytes()
        spec = RunSpec(**json.loads(path.with_suffix(".json").read_bytes())["spec"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            right = read_record(runs, spec)
            theta = read_theta(runs, spec) if spec.d else None
            for data in damages(content, path.suffix, rng, 120):
                path.write_bytes(data)
                found = read_record(runs, spec)
                assert found in (None, right), data
                if found is not None and theta is not None:
                    np.testing.assert_array_equal(read_theta(runs, spec), theta)
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["summary.json", "results.csv", "record", "theta"])
def test_commands_that_read_a_damaged_folder_say_so(measurement, capsys, tmp_path, name):
    rng, runs = np.random.default_rng(6), measurement / "runs"
    first = next(p for p in sorted(runs.glob("*.json")) if b'"d": 200' in p.read_bytes())
    path = {"record": first, "theta": first.with_suffix(".npy")}.get(name, measurement / name)
    content = path.read_bytes()
    for data in damages(content, path.suffix, rng, 60):
        path.write_bytes(data)
        for argv in (("compress", measurement), ("compress", first), ("certify", measurement)):
            more = ("--out", tmp_path / "o.npid") if argv[0] == "compress" else ()
            code, _, err = command(capsys, *argv, *more)
            assert code in (0, 2)
            assert (err.count("\n"), "error: " in err) == ((1, True) if code else (0, False)), (err, data)
        try:
            read_measurement(measurement)
        except (ValueError, FileNotFoundError) as error:
            assert str(measurement) in str(error) or path.name in str(error)
    path.write_bytes(content)


def test_a_claim_is_somebodys_or_nobodys(tmp_path):
    rng = np.random.default_rng(7)
    claims, spec = Claims(tmp_path), RunSpec("digits", {"architecture": "mlp", "sizes": [64, 10]})
    assert claims.take(spec)
    path = tmp_path / f"{spec.key}.claim"
    deep = [b"[" * 100_000, b'{"a":' * 50_000, b"", b"null", b"9" * 5000]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for data in (*damages(path.read_bytes(), ".json", rng, 400), *deep):
            path.write_bytes(data)
            assert claims.abandoned(path) in (True, False)


# ---- answers ----
def test_damaged_answers_are_judged(tmp_path, capsys):
    rng, path = np.random.default_rng(8), tmp_path / "answers.json"
    asked = {case.id: case for family in ("wht", "philox", "fastfood") for case in cases(family)}
    right = {}
    for case in asked.values():
        parts = {name: np.asarray(x).tolist() for name, x in case.expected.items()}
        right[case.id] = (
            "refused" if not case.valid else parts if len(parts) > 1 else next(iter(parts.values()))
        )
    assert [judge(asked[name], answer) for name, answer in right.items()] == [None] * len(right)
    content = json.dumps(right).encode()
    for data in damages(content, ".json", rng, 300):
        path.write_bytes(data)
        try:
            answers = read_answers(path)
        except ValueError as error:
            assert str(path) in str(error)
            continue
        for name in answers.keys() & asked.keys():
            reason = judge(asked[name], answers[name])
            assert reason is None or "\n\n" not in reason
            assert (reason is None) or answers[name] is not None
    for data in damages(content, ".json", rng, 12):
        path.write_bytes(data)
        code, _, err = command(capsys, "vectors", "check", path, "--family", "wht")
        assert code in (0, 1, 2)
        assert (code == 2) == ("error: " in err)


# ---- idx and tar ----
def independent(content, ndim):
    """Shape of an idx file, or None."""
    head = 4 + 4 * ndim
    if content[:4] != bytes((0, 0, 8, ndim)) or len(content) < head:
        return None
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim))
    return shape if len(content) - head == int(np.prod([float(n) for n in shape])) else None


def test_damaged_idx_files_are_refused(tmp_path):
    rng, path = np.random.default_rng(9), tmp_path / "images.gz"
    plain = idx_bytes(rng.integers(0, 256, (7, 5, 5)))
    packed = gzip.compress(plain, mtime=0)
    for k in range(1600):
        inner = plain if k % 2 else damaged(plain, rng)
        data = damaged(packed, rng) if k % 2 else gzip.compress(inner, 1, mtime=0)
        path.write_bytes(data)
        try:
            found = idx.read_idx(path, 3)
        except ValueError as error:
            assert str(path) in str(error)
            assert k % 2 or independent(inner, 3) is None
            continue
        assert found.shape == independent(inner, 3)
        assert found.tobytes() == inner[16:]


def test_damaged_tar_files_are_refused(tmp_path):
    """Or are some archive: that it is the published one, its sha256 says, which is compared before."""
    rng, path = np.random.default_rng(10), tmp_path / "cifar.tar.gz"
    batches = {
        name: rng.integers(0, 10, 2 * cifar.RECORD, "u1").tobytes() for name in (*cifar.TRAIN, cifar.TEST)
    }
    packed = cifar_archive(batches)
    plain = gzip.decompress(packed)
    for k in range(500):
        if k % 2:
            data = damaged(packed, rng)
        else:  # in the heads of the members, where names, types, sizes and links stand
            head = 512 * int(rng.choice([0, *(1 + 14 * i for i in range(6))]))
            inner = plain[:head] + damaged(plain[head : head + 512], rng) + plain[head + 512 :]
            data = gzip.compress(inner, 1, mtime=0)
        try:
            found = read_archive(path, data)
        except ValueError as error:
            assert str(path) in str(error)
            continue
        except FileNotFoundError:
            raise AssertionError("a link was followed") from None
        assert [a.dtype for part in found for a in part] == [np.dtype("u1")] * 4
        assert [a.shape[1:] for part in found for a in part] == [cifar.IMAGE, ()] * 2


def read_archive(path, data):
    path.write_bytes(data)
    return cifar.read([path])


def test_the_corpus_reaches_what_it_should():
    """Damage that changes nothing would test nothing."""
    rng = np.random.default_rng(11)
    value = {"a": [1, {"b": None}], "c": "x"}
    assert sum(repr(odd(value, rng)) != repr(value) for _ in range(300)) > 270
    assert sum(damaged(b"0123456789" * 9, rng) != b"0123456789" * 9 for _ in range(300)) > 270
    assert isinstance(nid.CompressedModel, type)
