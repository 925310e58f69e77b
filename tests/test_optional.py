"""Optional packages that are installed but do not import: whoever does not need them does not notice."""

import os
import subprocess
import sys

import pytest

from npintdim import machine
from npintdim.backend import get_backend, missing
from npintdim.engine.progress import Progress
from npintdim.machine import need, optional

FAKES = {
    "numba": "raise ImportError('Numba needs NumPy 2.2 or less. Got NumPy 2.4.')",
    "cupy": "raise RuntimeError('boom')",
    "threadpoolctl": "raise OSError('boom')",
    "tqdm": "raise AttributeError('boom')",
    "matplotlib": "raise ValueError('boom')",
    "joblib": "import sys; sys.exit('boom')",
    "distributed": "1 / 0",
    "pooch": "raise TypeError('boom')",
}
MEASURE = ["measure", "--model", "64-16-10", "--d", "20,200", "--seeds", "1", "--epochs", "1"]


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    """A folder for each package, in which it stands and raises something."""
    root = tmp_path_factory.mktemp("fakes")
    for package, text in FAKES.items():
        (root / package / package).mkdir(parents=True)
        (root / package / package / "__init__.py").write_text(text)
    return root


@pytest.fixture
def npintdim(fakes, tmp_path):
    """Run a command as a user does, with one package broken."""

    def run(broken, *argv, **variables):
        env = os.environ | {"PYTHONPATH": str(fakes / broken) if broken else ""} | variables
        call = [sys.executable, "-m", "npintdim", *argv]
        ended = subprocess.run(
            call, capture_output=True, cwd=tmp_path, env=env, timeout=120, encoding="utf-8"
        )
        return ended.returncode, ended.stdout.splitlines(), ended.stderr

    return run


@pytest.mark.parametrize("package", FAKES)
def test_commands_that_do_not_need_it_work_and_info_says_why(npintdim, package):
    code, out, err = npintdim(package, "info")
    kind = {
        "numba": "Numba needs NumPy 2.2 or less",
        "joblib": "SystemExit: boom",
        "distributed": "ZeroDivisionError",
    }
    assert code == 0
    assert any(package in line and f"does not import ({kind.get(package, '')}" in line for line in out)
    assert err.count("\n") == (package == "numba")
    code, out, err = npintdim(package, *MEASURE, "--backend", "numpy", "--jobs", "1", "--progress")
    assert code == 0, err
    assert out[-1].startswith("d_int90 ")
    assert "Traceback" not in err
    why = "none: plots need matplotlib, which is installed but does not import (ValueError: boom)"
    assert (f"plot        {why}" in out) == (package == "matplotlib")


def test_the_default_falls_back_with_a_sentence_and_what_was_named_is_an_error(npintdim):
    why = (
        "backend 'numba' needs the numba package, which is installed but does not import "
        "(Numba needs NumPy 2.2 or less. Got NumPy 2.4.)"
    )
    code, out, err = npintdim("numba", "train", "--model", "64-16-10", "--epochs", "1")
    assert (code, err) == (0, f"npintdim: warning: {why}: NumPy computes, which is slower\n")
    assert out[0].endswith(", numpy")
    code, out, err = npintdim("numba", "train", "--backend", "numba")
    assert (code, out, err) == (2, [], f"npintdim: error: {why}\n")


def test_what_was_asked_for_is_an_error_with_the_reason(npintdim):
    code, _, err = npintdim("cupy", "train", "--backend", "cupy")
    assert (code, err) == (
        2, "npintdim: error: backend 'cupy' needs CuPy, which is installed but does not import (RuntimeError: boom)\n"
    )  # fmt: skip
    code, _, err = npintdim("joblib", *MEASURE, "--jobs", "2")
    assert code == 2
    assert err.endswith(
        "jobs=2 needs the joblib package, which is installed but does not import (SystemExit: boom)\n"
    )
    code, _, err = npintdim("distributed", *MEASURE, "--cluster", "tcp://127.0.0.1:1")
    assert code == 2
    assert "needs the distributed package, which is installed but does not import (ZeroDivisionError: " in err


def test_a_switched_off_compiler_is_no_numba(npintdim):
    pytest.importorskip("numba", reason="numba is not installed")
    why = "backend 'numba': NUMBA_DISABLE_JIT switches its compiler off"
    code, out, err = npintdim("", *MEASURE, "--jobs", "1", NUMBA_DISABLE_JIT="1")
    assert (code, err) == (0, f"npintdim: warning: {why}: NumPy computes, which is slower\n")
    assert out[-1].startswith("d_int90 ")
    assert f"backend    numba: {why}" in npintdim("", "info", NUMBA_DISABLE_JIT="1")[1]
    assert npintdim("", "train", "--backend", "numba", NUMBA_DISABLE_JIT="1")[::2] == (
        2, f"npintdim: error: {why}\n"
    )  # fmt: skip


def test_a_variable_that_numba_cannot_read_is_one_line(npintdim):
    pytest.importorskip("numba", reason="numba is not installed")
    code, _, err = npintdim("", *MEASURE, NUMBA_NUM_THREADS="x")
    assert code == 0
    assert err == (
        "npintdim: warning: Environment variable 'NUMBA_NUM_THREADS' is defined but its associated value 'x' "
        "could not be parsed.\n"
    )


def test_a_compiler_that_keeps_nothing_is_no_warning(fakes, tmp_path):
    """With NUMBA_OPT=0 compiled code holds addresses and cannot be kept."""
    pytest.importorskip("numba", reason="numba is not installed")
    env = os.environ | {"NUMBA_OPT": "0", "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    train = ["train", "--model", "64-10", "--epochs", "1", "--no-fuse"]  # fewer kernels to compile
    call = [sys.executable, "-W", "error", "-m", "npintdim", *train]
    ended = subprocess.run(call, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=300)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Make a package that can be imported here."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(machine, "BROKEN", {})

    def make(text):
        (tmp_path / "fake_package").mkdir()
        (tmp_path / "fake_package" / "__init__.py").write_text(text)

    yield make
    sys.modules.pop("fake_package", None)


def test_the_first_reason_is_kept(fake, tmp_path):
    fake("raise RuntimeError('first')")
    for name in ("fake_package:part", "fake_package"):
        with pytest.raises(ImportError) as raised:
            need(name, "x", "pip")
        assert str(raised.value) == "x, which is installed but does not import (RuntimeError: first)"
        (tmp_path / "fake_package" / "__init__.py").write_text("raise RuntimeError('second, half imported')")


def test_a_package_without_what_is_needed(fake):
    fake("")
    assert optional("fake_package") is not None
    assert optional("fake_package:tqdm") is None
    with pytest.raises(ImportError, match=r"AttributeError: module 'fake_package' has no attribute 'tqdm'"):
        need("fake_package:tqdm", "x", "pip")


def test_what_it_lacks_itself_is_a_reason_and_no_pip_line(fake):
    fake("import no_such_package")
    with pytest.raises(ImportError, match="No module named 'no_such_package'") as raised:
        need("fake_package", "x", "pip")
    assert "pip" not in str(raised.value)
    with pytest.raises(ModuleNotFoundError, match=r"^x: pip$"):
        need("no_such_package", "x", "pip")


def test_ctrl_c_while_it_imports_is_ctrl_c(fake):
    fake("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        need("fake_package", "x", "pip")
    assert machine.BROKEN == {}


def test_the_fall_back_warns_once(monkeypatch):
    monkeypatch.setattr(machine, "BROKEN", {"numba:config": "a reason of this test"})
    with pytest.warns(UserWarning, match=r"\(a reason of this test\): NumPy computes, which is slower"):
        assert get_backend().name == "numpy"
    assert get_backend().name == "numpy"
    assert "a reason of this test" in missing("numba")


# --- no stderr, or a strange one


class Stream:
    """Can be written to, and nothing else."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


@pytest.mark.parametrize("progress", [None, True])
@pytest.mark.parametrize("bar", [True, False])
@pytest.mark.parametrize("stream", ["none", "object", "closed"])
def test_progress_needs_no_stderr(monkeypatch, tmp_path, stream, progress, bar):
    closed = (tmp_path / "closed").open("w")
    closed.close()
    err = {"none": None, "object": Stream(), "closed": closed}[stream]
    monkeypatch.setattr(sys, "stderr", err)
    if not bar:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    with Progress(2, "walking", progress) as shown:
        shown.step("on")
        shown.step("on")
    if stream == "object":
        assert ("walking" in err.text) == (progress is True)


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("closed", ["2>&-", "2>&- <&-", ">out 2>&-"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_closed_stderr_stops_nothing(tmp_path, closed, jobs):
    argv = " ".join([sys.executable, "-m", "npintdim", *MEASURE, "--backend", "numpy", "--jobs", jobs])
    ended = subprocess.run(
        f"{argv} --progress {closed}",
        shell=True,
        capture_output=True,
        cwd=tmp_path,
        timeout=120,
        encoding="utf-8",
    )
    out = (tmp_path / "out").read_text(encoding="utf-8") if "out" in closed else ended.stdout
    assert (ended.returncode, ended.stderr) == (0, "")
    assert out.splitlines()[-1].startswith("d_int90 ")
