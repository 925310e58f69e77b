"""Ctrl-C, kill and a closed terminal, at any moment of a command; those who import the package keep their handlers."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

SITE = """
import atexit, os, signal, sys
name, at = os.environ["SIGNAL"], os.environ["AT"]

def send():
    os.kill(os.getpid(), getattr(signal, name))

class Finder:
    def find_spec(self, module, path=None, target=None):
        if module == at:
            send()

sys.meta_path.insert(0, Finder())
if at == "exit":
    atexit.register(send)
"""
SCRIPT = "import sys\nfrom npintdim.cli import main\nsys.exit(main())\n"  # as pip writes it


@pytest.fixture(params=["npintdim", "python -m npintdim"])
def entry(request, tmp_path):
    """The command, and a folder in which Python finds what sends a signal when a module is imported."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    script = tmp_path / "bin" / "npintdim"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    return [sys.executable, *([str(script)] if request.param == "npintdim" else ["-m", "npintdim"])]


def run(argv, monkeypatch, folder, name, at):
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    monkeypatch.setenv("SIGNAL", name)
    monkeypatch.setenv("AT", at)
    return subprocess.run([*argv, "vectors", "list"], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "at", ["npintdim._version", "numpy", "npintdim.engine.train", "npintdim.cli", "npintdim.cli.vectors"]
)
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_among_the_imports_ends_without_a_word(entry, monkeypatch, tmp_path, name, status, at):
    ended = run(entry, monkeypatch, tmp_path, name, at)
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "", "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_after_the_last_line_changes_nothing(entry, monkeypatch, tmp_path, name):
    ended = run(entry, monkeypatch, tmp_path, name, "exit")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "fastfood" in ended.stdout


def python(text):
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60, stdout=subprocess.DEVNULL)


def test_signals_are_left_alone_where_the_package_is_imported():
    python("""
import signal
before = [signal.getsignal(number) for number in signal.valid_signals()]
import npintdim.cli
npintdim.cli.main(["vectors", "list"])
assert [signal.getsignal(number) for number in signal.valid_signals()] == before
""")


def test_what_is_ignored_stays_so():
    """As SIGHUP after nohup, and SIGINT in the background of a script."""
    python("""
import os, signal
from npintdim.signals import stoppable
signal.signal(signal.SIGHUP, signal.SIG_IGN)
assert stoppable(lambda: os.kill(os.getpid(), signal.SIGHUP) or 7) == 7
""")


def test_a_second_signal_does_not_disturb_the_end_and_a_later_one_interrupts_again():
    python("""
import os, signal, time
from npintdim import signals
ended = []

def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
        ended.append("undisturbed")
    signals.ENDING = 0  # and now it hangs
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(60)

assert signals.stoppable(main) == 129
assert ended == ["undisturbed"]
""")


@pytest.mark.parametrize("happens", ["exec('send()')", "try: send()\n    except KeyboardInterrupt: return 2"])
def test_the_status_is_that_of_the_signal_wherever_it_came_through(tmp_path, happens):
    """After an exec that was interrupted, python -m kills itself with SIGINT; an import makes a TypeError of it."""
    (tmp_path / "interrupted.py").write_text(f"""
import os, signal, sys
from npintdim.signals import stoppable

def send():
    os.kill(os.getpid(), signal.SIGTERM)

def main():
    {happens}

sys.exit(stoppable(main))
""")
    assert subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, timeout=60).returncode == 143
