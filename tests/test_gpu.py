"""The CUDA twins and the engine on a GPU: the checks of test_cuda_on_host.py, and a training run that learns."""

import warnings

import numpy as np
import pytest
from cuda_engine_checks import *  # noqa: F403
from cuda_engine_checks import train_on
from cuda_twin_checks import *  # noqa: F403
from twin_checks import *  # noqa: F403

import npintdim as nid
from npintdim.backend import missing

with warnings.catch_warnings():  # whatever an installed CuPy says about its surroundings is no error here
    warnings.simplefilter("ignore")
    REASON = missing("cupy")
if REASON:
    pytest.skip(REASON, allow_module_level=True)


@pytest.fixture(scope="module")
def twin():
    return nid.get_backend("cupy", threads=1)


@pytest.mark.parametrize("kind", ["direct", "fastfood"])
def test_a_float32_run_learns_as_much_as_numpy_s(twin, kind):
    runs = [train_on(b, "mlp", kind, n=2000, epochs=3) for b in (twin, nid.get_backend("numpy"))]
    scores = [run.records[-1].test for run in runs]
    assert scores == pytest.approx([1.0 if kind == "direct" else 0.86] * 2, abs=0.02)


def test_theta_0_and_P_of_the_paper_s_size(twin):
    backends = twin, nid.get_backend("numpy")
    models = [nid.mlp([784, 200, 200, 10], backend=b) for b in backends]
    theta_0 = [model.init_theta(seed=0) for model in models]
    np.testing.assert_array_equal(twin.host(theta_0[0]), theta_0[1])
    v = np.random.default_rng(0).standard_normal(750).astype(np.float32)
    for kind in ("fastfood", "sparse"):
        P, plain = (nid.make_projection(kind, D=models[0].D, d=750, seed=1, backend=b) for b in backends)
        assert P.fingerprint() == plain.fingerprint()
        Pv = twin.host(P.apply(twin.send(v)))
        np.testing.assert_allclose(Pv, plain.apply(v), rtol=0, atol=0 if kind == "fastfood" else 1e-5)
