"""Compiled kernels on disk: what is found again, what is noticed, whom they are taken from."""

import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import NO_NUMBA

pytest.importorskip("numba", reason=NO_NUMBA)

import numba

from npintdim.kernels.numba_cpu.machinery import cache
from npintdim.kernels.numba_cpu.machinery.share import jit

POSIX = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no permissions in this sense")


def twice(x):
    return 2 * x


def thrice(x):
    return 3 * x


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a process asks once is asked anew, and whatever a test changes is forgotten after it."""
    asked = (cache.places, cache.tidy, cache.say_nowhere)
    for function in asked:
        function.cache_clear()
    yield
    monkeypatch.undo()
    for function in asked:
        function.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The only place for compiled code."""
    monkeypatch.setattr(cache, "candidates", lambda named: [tmp_path / "kernels"])
    return tmp_path / "kernels"


def hits(function=twice, x=21):
    """Use a function as a new process would: how often compiled code was found."""
    dispatcher = jit(function)
    assert dispatcher(x) == function(x)
    return sum(dispatcher.stats.cache_hits.values())


def file_of(folder, function=twice, x=21):
    """Compile, and the one file that was added."""
    before = set(folder.glob("*.nbc"))
    assert hits(function, x) == 0
    (file,) = set(folder.glob("*.nbc")) - before
    return file


# What is found, and what is noticed.


def test_compiled_code_is_kept_and_found_again(folder):
    file = file_of(folder)
    assert hits() == 1
    assert list(folder.iterdir()) == [file]


def test_a_broken_file_costs_a_compilation(folder):
    file = file_of(folder)
    file.write_bytes(file.read_bytes()[:-1])
    assert (hits(), hits()) == (0, 1)


def test_every_change_of_a_file_is_noticed(folder):
    file, dispatcher = file_of(folder), jit(twice)
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    changed = [b"", b"short", whole[:64], whole[:-1], whole + b"\0", whole[64:]]
    for place in [0, 31, 32, 63, 64, len(whole) - 1, *rng.integers(len(whole), size=50)]:
        changed.append(whole[:place] + bytes([whole[place] ^ 1 << rng.integers(8)]) + whole[place + 1 :])
    for kept in changed:
        file.write_bytes(kept)
        assert dispatcher._cache.load_overload((numba.int64,), dispatcher.targetctx) is None
    file.write_bytes(whole)
    assert dispatcher._cache.load_overload((numba.int64,), dispatcher.targetctx) is not None


def test_a_kernel_in_the_place_of_another_is_noticed(folder):
    """Without its name in the seal thrice(21) is 42."""
    one, other = file_of(folder), file_of(folder, thrice)
    other.write_bytes(one.read_bytes())
    assert (hits(thrice), hits(thrice)) == (0, 1)


def test_a_signature_in_the_place_of_another_is_noticed(folder):
    """2 * 10.5 as integers is 20."""
    integers, floats = file_of(folder), file_of(folder, x=10.5)
    floats.write_bytes(integers.read_bytes())
    assert (hits(x=10.5), hits(x=10.5)) == (0, 1)


@pytest.mark.parametrize(("name", "value"), [("SOURCES", bytes(32)), ("compiler", "another")])
def test_code_of_another_version_is_not_used(folder, monkeypatch, name, value):
    file_of(folder)
    if name == "compiler":
        monkeypatch.setattr(numba, "__version__", value)
    else:
        monkeypatch.setattr(cache, name, value)
    assert (hits(), hits()) == (0, 1)


def test_other_sources_take_the_place_of_the_old(folder, monkeypatch):
    file = file_of(folder)
    monkeypatch.setattr(cache, "SOURCES", bytes(32))
    hits()
    assert list(folder.iterdir()) == [file]


def test_what_nobody_can_use_is_removed(folder):
    folder.mkdir()
    old, fresh, code = folder / "fold-24.0123456789abcdef", folder / ".0123.part", folder / "wht.pyc"
    renamed = folder / "fold-24.py311-0123456789abcdef.nbc"
    for path in (old, fresh, code, renamed):
        path.write_bytes(b"")
    for path in (old, code):
        os.utime(path, (time.time() - 4000,) * 2)
    file = file_of(folder)
    assert set(folder.iterdir()) == {file, fresh, code}


# A machine that can do less.


def test_a_full_disk_costs_a_compilation_and_collects_nothing(folder, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert (hits(), hits()) == (0, 0)
    assert list(folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_read(folder, monkeypatch):
    file_of(folder)
    cache.places.cache_clear()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert hits() == 1


def test_no_place_for_a_cache_is_said_once(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "candidates", lambda named: [tmp_path / "file" / "kernels"])
    with pytest.warns(
        UserWarning, match=r"each start compiles them anew.* NUMBA_CACHE_DIR=FOLDER .*file"
    ) as said:
        assert (hits(), hits()) == (0, 0)
    assert len(said) == 1


def test_the_places_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own, user = cache.candidates("")
    assert own == Path(cache.__file__).parent / "__pycache__"
    assert cache.candidates("relative")[0].parent == Path.cwd() / "relative"
    assert cache.candidates("relative")[1:] == [own, user]
    monkeypatch.setattr(cache.AppDirs, "user_cache_dir", "~/.cache/numba")  # no HOME, and no such user
    assert cache.candidates("") == [own]


# Trust: to load a file is to run it.


def found(mode, uid=0, gid=0):
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


FILE, FOLDER, STRANGER = stat.S_IFREG, stat.S_IFDIR, 2**31 - 7


@POSIX
@pytest.mark.parametrize(
    ("mode", "owner", "why"),
    [
        (FOLDER | 0o755, "root", None),
        (FOLDER | 0o755, "me", None),
        (FOLDER | 0o1777, "root", None),
        (FOLDER | 0o777, "me", "others may write to it"),
        (FOLDER | 0o757, "me", "others may write to it"),
        (FOLDER | 0o775, "me", "others may write to it"),
        (FOLDER | 0o755, "stranger", "it belongs to somebody else"),
        (FOLDER | 0o1777, "stranger", "it belongs to somebody else"),
        (FILE | 0o644, "root", None),
        (FILE | 0o644, "me", None),
        (FILE | 0o664, "me", "others may write to it"),
        (FILE | 0o646, "me", "others may write to it"),
        (FILE | 0o1666, "me", "others may write to it"),
        (FILE | 0o400, "stranger", "it belongs to somebody else"),
    ],
)
def test_who_may_have_written(mode, owner, why):
    uid = {"root": 0, "me": os.geteuid(), "stranger": STRANGER}[owner]
    if why is None:
        cache.check_ours(Path("x"), found(mode, uid, STRANGER))
    else:
        with pytest.raises(PermissionError, match=why):
            cache.check_ours(Path("x"), found(mode, uid, STRANGER))


@POSIX
def test_a_group_of_ones_own_is_nobody_else(monkeypatch):
    """With umask 002 everything is writable for the group, which many systems make for one user alone."""
    import grp
    import pwd

    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd((f"u{uid}", "", uid, 7, "", "", "")))
    for name, members, ours in (
        ("u5", [], True),
        ("u5", ["u5"], True),
        ("u5", ["u6"], False),
        ("lab", [], False),
    ):
        monkeypatch.setattr(grp, "getgrgid", lambda gid, g=(name, "", 7, members): grp.struct_group(g))
        assert cache.private(7, {0, 5}) == ours


@POSIX
@pytest.mark.parametrize("owner", ["stranger", "anybody"])
def test_a_file_that_others_may_have_written_is_not_used(folder, monkeypatch, owner):
    file = file_of(folder)
    if owner == "anybody":
        file.chmod(0o666)
    elif os.geteuid() == 0:
        os.chown(file, STRANGER, -1)
    else:
        monkeypatch.setattr(os, "fstat", lambda _: found(FILE | 0o644, STRANGER))
    assert hits() == 0


@POSIX
@pytest.mark.parametrize("place", [".", "..", "through a link"])
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, monkeypatch, place):
    shared = tmp_path / "shared"
    named = shared / "mine" if place == ".." else shared
    (shared / "mine").mkdir(parents=True)
    if place == "through a link":
        named = tmp_path / "link"
        named.symlink_to(shared)
    elsewhere = tmp_path / "elsewhere"
    with monkeypatch.context() as patch:
        patch.setattr(cache, "candidates", lambda _: [named, elsewhere])
        patch.setattr(cache.config, "CACHE_DIR", str(named))
        file_of(named)
        cache.places.cache_clear()
        shared.chmod(0o777)
        with pytest.warns(UserWarning, match=r"NUMBA_CACHE_DIR is not used .*shared: others may write to it"):
            assert hits() == 0
        assert len(list(elsewhere.iterdir())) == 1
        cache.places.cache_clear()
        shared.chmod(0o1777)  # as /tmp is
        assert hits() == 1


@POSIX
def test_whatever_the_umask_nobody_else_may_write(folder):
    before = os.umask(0)
    try:
        file = file_of(folder)
    finally:
        os.umask(before)
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o644, 0o755)
    assert hits() == 1
