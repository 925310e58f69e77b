"""Fixtures; the functions behind them are in `helpers.py`."""

from functools import partial

import numpy as np
import pytest
from helpers import BACKENDS, KINDS, project

from npintdim.backend import get_backend


@pytest.fixture(params=BACKENDS)
def backend_name(request):
    return request.param


@pytest.fixture
def backend(backend_name):
    """A CPU backend in float64."""
    return get_backend(backend_name, np.float64, threads=1)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def draw(kind, backend_name):
    """draw(D, d, seed=1, dtype=float64, ...): P of every kind on every CPU backend."""
    return partial(project, kind, backend=backend_name)
