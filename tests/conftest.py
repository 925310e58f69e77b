"""Fixtures; the functions behind them are in `helpers.py`."""

import pickle
import signal
from functools import partial
from importlib import import_module

import numpy as np
import pytest
from helpers import BACKENDS, KINDS, MEASURE, command, project

from npintdim.backend import get_backend
from npintdim.cli import main
from npintdim.specs import KINDS_OF
from npintdim.testing.mistakes import TABLES as MISTAKES
from npintdim.testing.mistakes import Mistake

# A shell starts what goes on in the background deaf to Ctrl-C, and whatever the tests start with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(params=BACKENDS)
def backend_name(request):
    return request.param


@pytest.fixture
def backend(backend_name):
    """A CPU backend in float64."""
    return get_backend(backend_name, np.float64, threads=1)


@pytest.fixture
def kernels(backend_name):
    return get_backend(backend_name).kernels


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def draw(kind, backend_name):
    """draw(D, d, seed=1, dtype=float64, ...): P of every kind on every CPU backend."""
    return partial(project, kind, backend=backend_name)


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder: exit code, lines of stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        code, out, err = command(capsys, *argv)
        return code, out.splitlines(), err

    return run


@pytest.fixture
def own_tables():
    """What is registered in a test is known in it only."""
    open_ones = [MISTAKES, *(table.kinds for table in KINDS_OF.values())]
    before = [(kinds, dict(kinds)) for kinds in open_ones]
    yield
    for kinds, own in before:
        kinds.clear()
        kinds.update(own)


@pytest.fixture(scope="module")
def measurement(tmp_path_factory):
    """The folder of one small measurement, with a network above the line."""
    folder = tmp_path_factory.mktemp("measured") / "m"
    assert main([*MEASURE, "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def variants_once():
    """What a mistake gives on a problem is computed once, not once for each stranger that it is compared with."""
    asked = import_module("npintdim.testing.explain").Asked
    variant, at, answers, constants = asked.variant, Mistake.at, {}, {}

    def kept(a, *mistakes):
        key = pickle.dumps(a.problem), id(a.table), *map(id, mistakes)
        if key not in answers:
            answers[key] = variant(a, *mistakes), a.table, mistakes  # kept with it, so are their ids
        return answers[key][0]

    def kept_at(mistake, c):
        key = id(mistake), c
        if key not in constants:
            constants[key] = at(mistake, c), mistake
        return constants[key][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asked, "variant", kept)
        patch.setattr(Mistake, "at", kept_at)
        yield
