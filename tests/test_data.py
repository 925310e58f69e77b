import gzip
import hashlib
import importlib
import io
import logging
import os
import re
import sys
import tarfile
import tracemalloc
import zlib
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from data_helpers import MadeUp, Server, cifar_archive, dead_address, file_of, idx_bytes

from npintdim.data import NAMES, _load, cifar, download, fetch, idx, load_dataset
from npintdim.data.registry import IDX_NAMES, REGISTRY, Published
from npintdim.rng import Purpose, Stream

DATA = os.environ.get("NPINTDIM_DATA", "")


@pytest.fixture(autouse=True)
def no_folder_and_no_proxy(monkeypatch):
    monkeypatch.delenv("NPINTDIM_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    pytest.importorskip("pooch", reason="pooch is not installed")
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def serve(server, made_up, under="/"):
    server.files.update({under + name: content for name, content in made_up.contents.items()})
    return server.address + under


def check_made_up(data, made_up, n=7):
    x, labels, x_test, labels_test = made_up.arrays
    assert data.name == made_up.name
    assert data.classes == 10
    np.testing.assert_array_equal(data.train.x, (x[:n, None] / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(data.test.x, (x_test[:, None] / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(data.train.labels, labels[:n])
    np.testing.assert_array_equal(data.test.labels, labels_test)
    assert {data.train.x.dtype, data.test.x.dtype} == {np.dtype(np.float32)}
    assert {data.train.labels.dtype, data.test.labels.dtype} == {np.dtype(np.int64)}


# --- the embedded digits


def test_digits_have_the_documented_shapes_and_ranges():
    data = load_dataset("digits")
    assert data.train.x.shape == (1297, 1, 8, 8)
    assert data.test.x.shape == (500, 1, 8, 8)
    for part in (data.train, data.test):
        assert part.x.dtype == np.float32
        assert part.labels.dtype == np.int64
        assert (part.x.min(), part.x.max()) == (0.0, 1.0)
    both = np.concatenate((data.train.labels, data.test.labels))
    published = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # UCI's class distribution
    np.testing.assert_array_equal(np.bincount(both), published)
    assert np.bincount(data.test.labels).min() > 30


def digits_of_the_file():
    packed = files("npintdim.data").joinpath("embedded", "digits.csv.gz").read_bytes()
    rows = [[int(field) for field in line.split(b",")] for line in gzip.decompress(packed).split()]
    return np.array([row[:-1] for row in rows]), np.array([row[-1] for row in rows])


def digits_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    return datasets.load_digits(return_X_y=True)


@pytest.mark.parametrize("original", [digits_of_the_file, digits_of_scikit_learn])
def test_digits_are_the_original_in_the_order_of_the_split(original):
    images, digits = original()
    order = Stream(0, Purpose.SPLIT).permutation(1797)
    data = load_dataset("digits")
    x = np.concatenate((data.train.x, data.test.x)).reshape(1797, 64)
    np.testing.assert_array_equal(16 * x, images[order])
    np.testing.assert_array_equal(np.concatenate((data.train.labels, data.test.labels)), digits[order])


def test_digits_file_is_unaltered_and_attributed():
    embedded = files("npintdim.data").joinpath("embedded")
    digest = hashlib.sha256(embedded.joinpath("digits.csv.gz").read_bytes()).hexdigest()
    assert digest == "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
    text = embedded.joinpath("ATTRIBUTION.md").read_text(encoding="utf-8")
    for owed in ("E. Alpaydin and C. Kaynak", "CC BY 4.0", "data set 80", "BSD 3-Clause", "scikit-learn"):
        assert owed in text


# --- names and limit_train


def test_an_unknown_name_gets_the_nearest_known_one():
    with pytest.raises(ValueError, match=r"unknown dataset 'fashion_mnist'.*Did you mean 'fashion-mnist'\?"):
        load_dataset("fashion_mnist")
    assert NAMES == ("digits", "mnist", "fashion-mnist", "kmnist", "cifar10")


def test_limit_train_keeps_the_first_images(tmp_path):
    made_up = MadeUp()
    made_up.write(tmp_path)
    check_made_up(_load(made_up.source(), tmp_path, None, 4), made_up, n=4)
    whole, part = load_dataset("digits"), load_dataset("digits", limit_train=100)
    np.testing.assert_array_equal(part.train.x, whole.train.x[:100])
    np.testing.assert_array_equal(part.train.labels, whole.train.labels[:100])
    assert len(part.test) == 500


@pytest.mark.parametrize(
    ("limit", "error"), [(0, ValueError), (-1, ValueError), (1298, ValueError), (2.5, TypeError)]
)
def test_limit_train_outside_the_training_images(limit, error):
    with pytest.raises(
        error, match=rf"limit_train is {limit}.*1 ≤ limit_train ≤ 1297, the training images of digits"
    ):
        load_dataset("digits", limit_train=limit)


# --- the IDX format


@pytest.mark.parametrize("shape", [(5,), (4, 2, 3), (0, 28, 28)])
def test_idx_reads_what_was_written(tmp_path, shape):
    array = np.random.default_rng(1).integers(0, 256, shape)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(array)))
    read = idx.read_idx(path, len(shape))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


GOOD = idx_bytes(np.arange(12).reshape(2, 2, 3))
packed = partial(gzip.compress, mtime=0)  # a test has the same name in every process that collects it


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(GOOD)[:-1], "truncated or damaged"),
        (packed(GOOD)[:20], "truncated or damaged"),
        (packed(GOOD)[:5], "truncated or damaged"),
        (packed(GOOD)[:-8] + bytes(8), "truncated or damaged"),
        (GOOD, "truncated or damaged"),
        (b"<html>not found</html>", "truncated or damaged"),
        (packed(GOOD)[:-4] + b"\xff" * 4, "truncated or damaged"),
        (b"", "truncated or damaged"),
        (packed(b""), "the magic number is 0x, but"),
        (
            packed(b"\x00\x00\x08\x01" + GOOD[4:]),
            r"0x00000801, but unsigned bytes in 3 dim.* need 0x00000803",
        ),
        (packed(b"\x00\x00\x0d\x03" + GOOD[4:]), r"0x00000d03, but .* need 0x00000803"),
        (packed(GOOD[:10]), "ends inside its header, after 10 of 16 bytes"),
        (packed(GOOD[:-1]), "11 bytes follow the header, but its dimensions 2×2×3 need 12"),
        (packed(GOOD + b"x"), "13 bytes follow the header, but its dimensions 2×2×3 need 12"),
        (packed(GOOD[:4] + b"\xff" * 12), "0 bytes follow the header, but its dimensions 4294967295×"),
    ],
)
def test_idx_refuses_a_bad_file_and_names_it(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path)) + ": .*" + message):
        idx.read_idx(path, 3)


def test_a_labels_file_of_another_length_is_refused(tmp_path):
    made_up = MadeUp()
    made_up.contents[IDX_NAMES[1]] = gzip.compress(idx_bytes(np.zeros(6, int)))
    made_up.write(tmp_path)
    with pytest.raises(ValueError, match=r"made-up train: x has 7 examples, but labels have shape \(6,\)"):
        _load(made_up.source(), tmp_path, None, None)


def test_no_more_is_unpacked_than_the_header_says(tmp_path):
    """A gigabyte of zeros in a megabyte: only 12 bytes and one are looked at."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    bomb = packer.compress(GOOD) + b"".join(packer.compress(zeros) for _ in range(1024)) + packer.flush()
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(
        ValueError, match="at least 13 bytes follow the header, but its dimensions 2×2×3 need 12"
    ):
        idx.read_idx(path, 3)
    assert fetch.raw_sha256(path, 100)[0] == 101
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5 << 20


# --- the CIFAR-10 archive


def cifar_batches(seed=2, n=2):
    rng = np.random.default_rng(seed)
    tables = {}
    for name in (*cifar.TRAIN[::-1], cifar.TEST):  # the real archive is not in order either
        table = rng.integers(0, 256, (n, 3073), dtype=np.uint8)
        table[:, 0] %= 10
        tables[name] = table
    return tables


def cifar_source(folder, batches):
    archive = cifar_archive({"batches.meta.txt": b"airplane\n", **batches})
    (folder / "tiny.tar.gz").write_bytes(archive)
    return Published("tiny", "cifar", (), (file_of("tiny.tar.gz", archive),))


def test_cifar_reads_what_was_written(tmp_path):
    tables = cifar_batches()
    source = cifar_source(tmp_path, {name: table.tobytes() for name, table in tables.items()})
    data = _load(source, tmp_path, None, None)
    assert data.train.x.shape == (10, 3, 32, 32)
    assert data.test.x.shape == (2, 3, 32, 32)
    labels = [tables[f"data_batch_{k}.bin"][:, 0] for k in (1, 2, 3, 4, 5)]
    np.testing.assert_array_equal(data.train.labels, np.concatenate(labels))
    row, column, green = 5, 7, 1
    pixel = tables["data_batch_2.bin"][1, 1 + 1024 * green + 32 * row + column]
    assert data.train.x[3, green, row, column] == np.float32(pixel) / np.float32(255)
    np.testing.assert_array_equal(data.test.labels, tables[cifar.TEST][:, 0])


def test_cifar_names_a_missing_batch(tmp_path):
    batches = {name: table.tobytes() for name, table in cifar_batches().items()}
    del batches["data_batch_2.bin"]
    source = cifar_source(tmp_path, batches)
    with pytest.raises(ValueError, match=r"tiny\.tar\.gz: the archive lacks data_batch_2\.bin"):
        _load(source, tmp_path, None, None)


def test_cifar_refuses_half_a_record(tmp_path):
    batches = {name: table.tobytes() for name, table in cifar_batches().items()}
    batches["data_batch_4.bin"] = batches["data_batch_4.bin"][:-1]
    source = cifar_source(tmp_path, batches)
    with pytest.raises(
        ValueError, match=r"tiny\.tar\.gz, data_batch_4\.bin: 6145 bytes .* records of 3073 bytes"
    ):
        _load(source, tmp_path, None, None)


def test_cifar_reads_plain_files_of_the_right_size_alone(tmp_path):
    """A link leads nowhere, in a circle or out of the archive; a sparse file of 10 GB is 1 kB here."""
    batches = {name: table.tobytes() for name, table in cifar_batches().items()}
    path = tmp_path / "cifar-10-binary.tar.gz"

    def refused(special, message):
        with tarfile.open(path, "w:gz") as archive:
            archive.addfile(special, io.BytesIO(b"1\n0\n0\n".ljust(special.size, b"\0")))
            for name, content in batches.items():
                if name != special.name:
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        with pytest.raises(ValueError, match=rf"{re.escape(str(path))}.*{message}"):
            cifar.read([path])

    for kind, target in ((tarfile.LNKTYPE, "gone"), (tarfile.SYMTYPE, "test_batch.bin"), (tarfile.LNKTYPE, "/etc/passwd"),
                         (tarfile.FIFOTYPE, ""), (tarfile.DIRTYPE, ""), (tarfile.GNUTYPE_SPARSE, "")):  # fmt: skip
        link = tarfile.TarInfo("test_batch.bin")
        link.type, link.linkname = kind, target
        refused(link, "the archive lacks test_batch.bin")
    sparse = tarfile.TarInfo("test_batch.bin")
    sparse.size = 512
    sparse.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": str(10**10),
    }
    refused(sparse, "the archive lacks test_batch.bin")
    sparse.pax_headers["GNU.sparse.minor"] = "x"
    sparse.pax_headers["GNU.sparse.map"] = "0,10,y"
    refused(sparse, "the archive is truncated or damaged")
    large = tarfile.TarInfo("test_batch.bin")
    large.size = 10_001 * 3073
    refused(large, "test_batch.bin has 30,733,073 bytes, and a batch 30,730,000")


@pytest.mark.parametrize("kept", [0, 8, 1000, 0.5, 0.9])
def test_cifar_refuses_a_truncated_archive(tmp_path, kept):
    whole = cifar_archive({name: table.tobytes() for name, table in cifar_batches().items()})
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=re.escape(str(path)) + ": the archive is truncated or damaged"):
        cifar.read([path])


# --- a folder of files


@pytest.mark.parametrize("under", ["", "made-up"])
@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_folder_wins_over_the_network(tmp_path, monkeypatch, server, under, how):
    made_up = MadeUp()
    made_up.write(tmp_path / under)
    source = made_up.source(serve(server, made_up))
    if how == "variable":
        monkeypatch.setenv("NPINTDIM_DATA", str(tmp_path))
    data = _load(source, tmp_path if how == "argument" else None, tmp_path / "cache", None)
    check_made_up(data, made_up)
    assert server.asked == []
    assert not (tmp_path / "cache").exists()


def test_the_argument_wins_over_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("NPINTDIM_DATA", str(tmp_path / "nowhere"))
    made_up = MadeUp()
    check_made_up(_load(made_up.source(), str(made_up.write(tmp_path / "here")), None, None), made_up)


def test_a_folder_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    made_up = MadeUp()
    made_up.write(tmp_path / "data")
    check_made_up(_load(made_up.source(), "~/data", None, None), made_up)


@pytest.mark.parametrize("under", ["", "made-up"])
def test_a_wrong_hash_in_a_folder_gives_file_found_and_needed(tmp_path, under):
    made_up = MadeUp()
    path = made_up.write(tmp_path / under) / IDX_NAMES[2]
    path.write_bytes(b"something else")
    found, needed = hashlib.sha256(b"something else").hexdigest(), made_up.source().files[2].sha256
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}: .*{found} \(14 bytes\), but {needed}"):
        _load(made_up.source(), tmp_path, None, None)


def test_a_file_missing_in_a_given_folder_is_named(tmp_path):
    made_up = MadeUp()
    made_up.write(tmp_path, (IDX_NAMES[0], IDX_NAMES[3]))
    with pytest.raises(
        FileNotFoundError, match=f"made-up: {IDX_NAMES[1]}, {IDX_NAMES[2]} not found, neither in"
    ):
        _load(made_up.source(), tmp_path, None, None)


def test_a_folder_that_does_not_exist(tmp_path, monkeypatch):
    gone = str(tmp_path / "gone")
    with pytest.raises(
        FileNotFoundError, match=rf"folder is {gone!r}, and there is no such folder: put train-images"
    ):
        load_dataset("mnist", folder=gone)
    monkeypatch.setenv("NPINTDIM_DATA", gone)
    with pytest.raises(FileNotFoundError, match=rf"NPINTDIM_DATA is {gone!r}, and there is no such folder"):
        load_dataset("cifar10")


def test_what_the_variables_folder_lacks_is_downloaded(tmp_path, monkeypatch, server):
    made_up = MadeUp()
    monkeypatch.setenv("NPINTDIM_DATA", str(made_up.write(tmp_path / "folder", IDX_NAMES[:2])))
    source = made_up.source(serve(server, made_up))
    check_made_up(_load(source, None, tmp_path / "cache", None), made_up)
    assert server.asked == [f"/{name}" for name in IDX_NAMES[2:]]


def test_another_data_sets_file_of_the_same_name_is_passed_over(tmp_path):
    ours, other = MadeUp(0, "ours"), MadeUp(1, "other")
    other.write(tmp_path)
    file, known = ours.source().files[0], {file.sha256 for file in other.source().files}
    assert fetch.in_folder(ours.source(), file, tmp_path, known) is None
    with pytest.raises(ValueError, match="sha256"):
        fetch.in_folder(ours.source(), file, tmp_path, set())
    other.write(tmp_path / "ours")
    with pytest.raises(ValueError, match="sha256"):  # in the data set's own folder it is a mistake
        fetch.in_folder(ours.source(), file, tmp_path, known)
    own = ours.write(tmp_path / "ours")
    assert fetch.in_folder(ours.source(), file, tmp_path, known) == own / file.name


def unpackable(made_up):
    """Its source with what the files unpack to, and a place of torchvision's."""
    raw = [gzip.decompress(content) for content in made_up.contents.values()]
    told = [(len(content), hashlib.sha256(content).hexdigest()) for content in raw]
    files = [
        replace(file, raw_size=n, raw_sha256=h)
        for file, (n, h) in zip(made_up.source().files, told, strict=True)
    ]
    return replace(made_up.source(), files=tuple(files), torchvision="MadeUp/raw")


AS = {
    "unpacked": (lambda name: name.removesuffix(".gz"), gzip.decompress),
    "with dots": (lambda name: name.removesuffix(".gz").replace("-idx", ".idx"), gzip.decompress),
    "packed again": (lambda name: name, lambda content: gzip.compress(gzip.decompress(content), 1, mtime=7)),
    "in parts": (
        lambda name: name.replace("-idx", ".idx"),
        lambda content: b"".join(
            gzip.compress(part) for part in re.findall(rb"(?s).{1,9}", gzip.decompress(content))
        ),
    ),
}


@pytest.mark.parametrize("how", AS)
@pytest.mark.parametrize("under", ["", "made-up", "made-up/MadeUp/raw", "made-up/raw", "MadeUp/raw"])
def test_the_unpacked_bytes_decide(tmp_path, how, under):
    made_up, (name_as, content_as) = MadeUp(), AS[how]
    (tmp_path / under).mkdir(parents=True, exist_ok=True)
    for name, content in made_up.contents.items():
        (tmp_path / under / name_as(name)).write_bytes(content_as(content))
    check_made_up(_load(unpackable(made_up), tmp_path, None, None), made_up)
    last = tmp_path / under / name_as(IDX_NAMES[3])
    damaged = bytearray(gzip.decompress(made_up.contents[IDX_NAMES[3]]))
    damaged[-1] ^= 1
    last.write_bytes(content_as(gzip.compress(damaged)))
    found = hashlib.sha256(last.read_bytes()).hexdigest()
    needed = (
        re.escape(f"is {found} ({last.stat().st_size} bytes), but ")
        + r".* or [0-9a-f]{64} \(11 bytes\) unpacked is needed"
    )
    with pytest.raises(ValueError, match=f"{re.escape(str(last))}: .*{needed}"):
        _load(unpackable(made_up), tmp_path, None, None)


def test_unpacked_bytes_that_nobody_told_are_taken_in_a_folder_of_their_own_with_a_warning(tmp_path):
    made_up = MadeUp()
    source = unpackable(made_up)
    source = replace(source, files=tuple(replace(file, raw_sha256="") for file in source.files))
    for under in ("", "made-up"):
        (tmp_path / under).mkdir(exist_ok=True)
        for name, content in made_up.contents.items():
            (tmp_path / under / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    with pytest.warns(UserWarning, match="ubyte: only its form was checked"):
        check_made_up(_load(source, tmp_path, None, None), made_up)
    with pytest.raises(ValueError, match="sha256"):  # where another data set's may lie
        fetch.in_folder(replace(source, name="another"), source.files[0], tmp_path)
    path = tmp_path / "made-up" / "train-images-idx3-ubyte"
    known = {hashlib.sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(ValueError, match="sha256"):  # another's, and known as such
        fetch.in_folder(source, source.files[0], tmp_path, known)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match="sha256"):
        fetch.in_folder(source, source.files[0], tmp_path)


def test_where_it_was_looked_for_is_said(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset("mnist", folder=tmp_path)
    for part in ("mnist", "mnist/MNIST/raw", "mnist/raw", "MNIST/raw", ""):
        assert str(tmp_path / part) in str(caught.value)
    for name in ("train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", "t10k-labels-idx1-ubyte"):
        assert name in str(caught.value)
    monkeypatch.setenv("NPINTDIM_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        ImportError, match=rf"NPINTDIM_DATA has no such file, neither in {re.escape(str(tmp_path))}"
    ):
        load_dataset("mnist")


# --- downloads


def test_a_download_is_kept_and_not_repeated(tmp_path, server, capfd):
    made_up = MadeUp()
    source = made_up.source(serve(server, made_up))
    check_made_up(_load(source, None, tmp_path, None), made_up)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(IDX_NAMES)
    server.files.clear()
    check_made_up(_load(source, None, tmp_path, None), made_up)
    assert len(server.asked) == 4
    assert capfd.readouterr() == ("", "")


def test_a_damaged_file_in_the_cache_is_replaced(tmp_path, server):
    made_up = MadeUp()
    made_up.write(tmp_path)
    (tmp_path / IDX_NAMES[1]).write_bytes(b"damaged")
    check_made_up(_load(made_up.source(serve(server, made_up)), None, tmp_path, None), made_up)
    assert server.asked == [f"/{IDX_NAMES[1]}"]


@pytest.mark.parametrize("first", ["404", "wrong hash", "down"])
def test_the_next_mirror_helps(tmp_path, server, first):
    made_up = MadeUp()
    good = serve(server, made_up, "/good/")
    bad = dead_address() + "/" if first == "down" else server.address + "/bad/"
    if first == "wrong hash":
        serve(server, MadeUp(1), "/bad/")
    check_made_up(_load(made_up.source(bad, good), None, tmp_path, None), made_up)


def failure(source, cache):
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        _load(source, None, cache, None)
    assert list(cache.iterdir()) == []
    return str(caught.value)


def test_no_mirror_answers(tmp_path):
    pytest.importorskip("pooch", reason="pooch is not installed")
    mirrors = [dead_address() + "/a/", dead_address() + "/b/"]
    message = failure(MadeUp().source(*mirrors), tmp_path)
    for mirror in mirrors:
        assert re.search(rf"{mirror}{IDX_NAMES[0]}: .*[Rr]efused", message)
    assert "Max retries" not in message  # the cause, not its wrapping
    for name in IDX_NAMES:
        assert re.search(rf"put .*{name} \(\d+ bytes\).* into a folder and set NPINTDIM_DATA to it", message)


def test_every_mirror_says_404(tmp_path, server):
    source = MadeUp().source(server.address + "/a/", server.address + "/b/")
    assert failure(source, tmp_path).count("404 Client Error") == 2
    assert server.asked == [f"/a/{IDX_NAMES[0]}", f"/b/{IDX_NAMES[0]}"]


def test_a_wrong_hash_everywhere(tmp_path, server):
    ours, other = MadeUp(0), MadeUp(1)
    message = failure(ours.source(serve(server, other)), tmp_path)
    found, needed = other.source().files[0].sha256, ours.source().files[0].sha256
    assert re.search(
        rf"{IDX_NAMES[0]}: nothing was kept: the sha256 of {IDX_NAMES[0]} is {found} .*but {needed}", message
    )


def test_a_connection_that_breaks_leaves_nothing_behind(tmp_path, server):
    server.share = 0.5
    message = failure(MadeUp().source(serve(server, MadeUp())), tmp_path)
    assert re.search(r"IncompleteRead|broken|nothing was kept", message)


def test_an_interrupt_leaves_nothing_behind(tmp_path, server, monkeypatch):
    def interrupt(path):
        assert path.stat().st_size == len(MadeUp().contents[IDX_NAMES[0]])
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "file_sha256", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _load(MadeUp().source(serve(server, MadeUp())), None, tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path, server):
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(OSError, match=re.escape(f"could not be downloaded to {blocked / 'cache'}")) as caught:
        _load(MadeUp().source(serve(server, MadeUp())), None, blocked / "cache", None)
    assert server.asked == []
    assert "Errno" in str(caught.value)


def test_without_pooch_the_message_has_the_pip_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        ImportError, match=r"mnist: .* pip install 'npintdim\[data\]', or put train-images.*NPINTDIM_DATA"
    ):
        load_dataset("mnist")
    made_up = MadeUp()  # files at hand need no pooch
    check_made_up(_load(made_up.source(), made_up.write(tmp_path), None, None), made_up)


@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO])
def test_pooch_speaks_only_when_asked(tmp_path, server, level):
    pooch = importlib.import_module("pooch")
    said = []
    handler = logging.Handler()
    handler.emit = said.append
    logger = pooch.get_logger()
    before = logger.level
    logger.addHandler(handler)
    try:
        logger.setLevel(level)
        _load(MadeUp().source(serve(server, MadeUp())), None, tmp_path, None)
        assert (logger.level, logger.filters) == (level, [])
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
    assert len(said) == (4 if level else 0)


@pytest.mark.parametrize(
    ("size", "terminal", "shown"), [(2_000_000, True, True), (2_000_000, False, False), (99, True, False)]
)
def test_a_large_download_shows_its_progress_on_a_terminal(
    tmp_path, server, monkeypatch, size, terminal, shown
):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", screen)
    server.files["/large.gz"] = b"content"
    file = file_of("large.gz", b"content", size)
    download.download(Published("large", "idx", (server.address + "/",), (file,)), file, tmp_path)
    assert ("100%" in screen.getvalue()) is shown


# --- the registry and the real files


def test_registry_is_well_formed():
    hashes = [file.sha256 for source in REGISTRY.values() for file in source.files]
    assert len(set(hashes)) == len(hashes) == 13
    for source in REGISTRY.values():
        assert len(set(source.mirrors)) == len(source.mirrors) >= 2
        assert all(re.fullmatch(r"https?://.+/", mirror) for mirror in source.mirrors)
        assert all(re.fullmatch(r"[0-9a-f]{64}", file.sha256) and file.size > 4000 for file in source.files)


has_mnist = any((Path(DATA) / under / IDX_NAMES[0]).is_file() for under in ("", "mnist")) if DATA else False


@pytest.mark.skipif(not has_mnist, reason="NPINTDIM_DATA names no folder with the files of MNIST")
def test_mnist_itself():
    data = load_dataset("mnist", folder=DATA)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(data.train.labels), counts)
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.test.x.shape == (10_000, 1, 28, 28)
    mean, sd = data.train.x.mean(dtype=np.float64), data.train.x.std(dtype=np.float64)
    np.testing.assert_allclose(
        (mean, sd), (0.1307, 0.3081), atol=5e-5
    )  # the figures everybody normalises with
    paper = load_dataset("mnist", folder=DATA, limit_train=50_000)
    assert paper.train.x.shape == (50_000, 1, 28, 28)
    np.testing.assert_array_equal(paper.train.x[-1], data.train.x[49_999])
    for file, path in zip(REGISTRY["mnist"].files, fetch.locate(REGISTRY["mnist"], DATA), strict=True):
        assert path.stat().st_size == file.size
        assert fetch.raw_sha256(path, file.raw_size) == (file.raw_size, file.raw_sha256)
