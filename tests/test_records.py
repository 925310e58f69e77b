"""A record is what a run left, or it is noticed: by a sweep, which does the run again, and by whoever only reads."""

import json

import numpy as np
import pytest

import npintdim as nid
from npintdim.cli import main
from npintdim.files import DamagedError
from npintdim.measurement import records
from npintdim.measurement.recipes import fully_connected
from npintdim.measurement.report import another, read_measurement
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.work import Where

SUBSPACE = RunSpec(
    "digits", fully_connected(64, 4, 10), {"kind": "fastfood"}, 3, optimizer=nid.Adam(lr=0.1).spec(),
    epochs=1, limit_train=200,
)  # fmt: skip


def swept(folder, specs=(SUBSPACE,)):
    return nid.sweep(list(specs), folder, backend="numpy", jobs=1)


def files(folder, spec=SUBSPACE):
    return [folder / "runs" / f"{spec.key}.{end}" for end in ("json", "npy")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return folder, swept(folder)[0], [path.read_bytes() for path in files(folder)]


@pytest.fixture
def kept(finished, tmp_path):
    """A folder with one run, its record, and the contents of its two files."""
    _, record, contents = finished
    (tmp_path / "runs").mkdir()
    for path, content in zip(files(tmp_path), contents, strict=True):
        path.write_bytes(content)
    return tmp_path, record, contents


@pytest.fixture(scope="module")
def m(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    recipe = nid.Recipe(
        "digits", fully_connected(64, 12, 10), (20, 300), seeds=1, direct_seeds=1, epochs=5, fraction=0.5
    )
    m = nid.measure(recipe, folder, backend=nid.get_backend("numpy"), jobs=1)
    assert m.compressed is not None
    return m


def flips(content, bits=8):
    """Every change of one bit, or of only so many in each byte."""
    for position in range(len(content)):
        for bit in {(position + k) % 8 for k in range(bits)}:
            yield content[:position] + bytes([content[position] ^ 1 << bit]) + content[position + 1 :]


def without_seals(content):
    """As earlier versions wrote it."""
    record = json.loads(content)
    return {name: value for name, value in record.items() if name not in (records.SEAL, records.THETA)}


def test_the_seals_are_those_of_the_page(kept):
    folder, record, (text, theta) = kept
    assert text.endswith(f'"sha256": "{records.seal(record)}"\n}}'.encode())
    assert record["theta_d_sha256"] == records.digest(np.load(files(folder)[1]))
    assert theta == b"\x93NUMPY\x01\x00v\x00" + theta[10:127] + b"\n" + theta[128:]
    assert theta[:128] == records.npy_header(3, np.dtype("<f4"))
    assert theta[10:69] == b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  "[:59]
    assert len(theta) == 128 + 12


def test_a_changed_bit_in_every_byte_of_a_record_changes_nothing_or_is_noticed(kept):
    folder, record, (text, _) = kept
    path, _ = files(folder)
    noticed = 0
    for changed in flips(text, bits=1):
        path.write_bytes(changed)
        found = records.read_record(folder / "runs", SUBSPACE, told=False)
        assert found in (None, record)  # a blank may be another blank
        noticed += found is None
    assert noticed > 0.9 * len(text)


def test_every_changed_bit_of_theta_d_is_noticed(kept):
    folder, _, (_, theta) = kept
    _, path = files(folder)
    for changed in [*flips(theta), theta[:-1], theta + b"\0", theta[:128], theta[:64], b""]:
        path.write_bytes(changed)
        with pytest.raises(DamagedError, match=rf"{path.name} is damaged"):
            records.read_theta(folder / "runs", SUBSPACE)


OTHER_THETA = {
    "other numbers": lambda theta: theta * 0,
    "another byte order": lambda theta: theta.astype(">f4"),
    "a wider dtype": lambda theta: theta.astype("<f8"),
    "a narrower dtype": lambda theta: theta.astype("<f2"),
    "integers": lambda theta: theta.astype("<i4"),
    "another shape": lambda theta: theta[None],
    "the order of its numbers": lambda theta: theta[::-1].copy(),
}


@pytest.mark.parametrize("change", OTHER_THETA)
def test_another_theta_d_is_told_by_its_name_and_done_again(kept, change):
    folder, record, contents = kept
    _, path = files(folder)
    np.save(path, OTHER_THETA[change](np.load(path)))
    with pytest.warns(UserWarning, match=rf"{SUBSPACE.key}\.npy is damaged \(.*\): the run is done again"):
        (again,) = swept(folder)
    assert again["performance"] == record["performance"]
    assert path.read_bytes() == contents[1]


def test_a_length_of_terabytes_is_noticed_before_anything_is_allocated(kept):
    folder, _, (_, theta) = kept
    _, path = files(folder)
    path.write_bytes(records.npy_header(9_000_000_000_000, np.dtype("<f4")) + theta[128:])
    with pytest.raises(DamagedError, match=r"its 140 bytes are not theta_d of shape \(3,\)"):
        records.read_theta(folder / "runs", SUBSPACE)


BAD = {
    "a performance beyond float": '{"performance": 1' + "0" * 400 + "}",
    "an infinite performance": '{"performance": 1e999}',
    "a performance of NaN": '{"performance": NaN}',
    "a performance that no epoch had": '{"performance": 0.5}',
    "a text for a number": '{"seconds": "1"}',
    "a number below its kind": '{"D": 1.5}',
    "no epochs": '{"epochs": []}',
    "epochs of another kind": '{"epochs": [1]}',
    "a strange member": '{"sha257": "0"}',
    "a status in a list": '{"status": ["finished"]}',
    "a spec in a list": '{"spec": []}',
    "a deep spec": '{"spec": ' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.parametrize("bad", BAD)
def test_records_of_earlier_versions_are_checked_as_far_as_they_can_be(kept, bad):
    folder, record, (text, _) = kept
    path, _ = files(folder)
    old = without_seals(text)
    path.write_text(json.dumps(old))
    assert swept(folder) == [old]  # readable for ever
    members = ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in old.items())
    path.write_text("{" + members + ", " + BAD[bad][1:])  # what comes last counts
    with pytest.warns(UserWarning, match=rf"{path.name} is damaged \(.*\): the run is done again"):
        (again,) = swept(folder)
    assert again["performance"] == record["performance"]


def test_theta_d_of_an_earlier_version_must_have_its_form(kept):
    folder, _, (text, theta) = kept
    path, array = files(folder)
    path.write_text(json.dumps(without_seals(text)))
    for changed in [change for change in flips(theta) if change[128:] == theta[128:]]:
        array.write_bytes(changed)
        assert records.read_record(folder / "runs", SUBSPACE, told=False) is None


def test_theta_d_is_the_one_that_was_trained_or_the_run_has_failed(tmp_path, monkeypatch):
    """A worker or the way from it that spoils theta_d: the run is not kept, and tried again."""
    attempt = Where.__call__

    def spoiled(work, spec):
        record, theta = attempt(work, spec)
        return record, theta * 0

    with monkeypatch.context() as patch:
        patch.setattr(Where, "__call__", spoiled)
        (record,) = swept(tmp_path)
    assert record["status"] == "failed"
    assert "theta_d did not arrive as it was trained" in record["error"]
    assert not files(tmp_path)[1].exists()
    assert swept(tmp_path)[0]["status"] == "finished"


def test_a_landscape_of_ones_own_may_compute_in_float64(kept):
    folder, _, _ = kept
    theta = np.array([1.0, 1 / 3, -2.0])
    record = {
        "spec": SUBSPACE.spec(),
        "status": "failed",
        "seconds": 0.0,
        records.THETA: records.digest(theta),
    }
    records.write_record(folder / "runs", SUBSPACE, record, theta)
    assert records.read_theta(folder / "runs", SUBSPACE).tobytes() == theta.tobytes()


# --- commands that only read


def spoil(path, how):
    content = path.read_bytes()
    text = {
        "empty": b"", "an object": b"{}", "a list": b"[]", "deep": b"[" * 100_000, "no text": b"\xff" + content[1:],
        "one byte": content.replace(b"0.", b"1.", 1) if path.suffix == ".json" else content[:-1] + b"\x7f",
        "large": b'{"performance": 1' + b"0" * 5000 + b"}", "zero bytes": bytes(len(content)),
    }  # fmt: skip
    path.write_bytes(text[how])


DAMAGE = ("empty", "an object", "a list", "deep", "no text", "one byte", "large", "zero bytes")


@pytest.mark.parametrize(
    ("what", "how"),
    [(what, how) for what in ("record", "theta_d") for how in DAMAGE]
    + [("summary.json", how) for how in DAMAGE if how != "one byte"],  # its numbers are read off again
)
def test_a_damaged_measurement_is_one_error_that_names_the_file(m, tmp_path, capsys, what, how):
    for path in m.folder.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(m.folder).parent).mkdir(exist_ok=True)
            (tmp_path / path.relative_to(m.folder)).write_bytes(path.read_bytes())
    d = m.compressed["d"]
    spec = next(RunSpec(**r["spec"]) for r in m.records if r["spec"].get("d") == d)
    json_file, npy_file = files(tmp_path, spec)
    path = {"record": json_file, "theta_d": npy_file}.get(what, tmp_path / what)
    spoil(path, how)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    calls = [["compress", tmp_path, "--out", tmp_path / "x.npid"], ["certify", tmp_path]]
    calls += [["plot", tmp_path]] if what != "theta_d" else [["plot", tmp_path, "--kind", "compression"]]
    for call in calls:
        assert main([*map(str, call), "--backend", "numpy"]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1, err
        assert path.name in err or (what == "summary.json" and str(tmp_path) in err)
        assert "damaged" in err or "no d is above" in err
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    if what == "record":
        with pytest.raises(DamagedError, match=json_file.name):
            read_measurement(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"recipe": 3}', "[" * 100_000])
def test_a_summary_that_is_damaged_was_nobodys(tmp_path, m, content):
    (tmp_path / "summary.json").write_text(content)
    assert another(tmp_path, m.recipe) == ""
