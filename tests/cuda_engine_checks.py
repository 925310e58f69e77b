"""What the engine must hold on CuPy arrays with the CUDA twins; collected like cuda_twin_checks.py.

The truth is backend "numpy".
"""

from dataclasses import replace

import numpy as np
import pytest
from cuda_twin_checks import same_bits

import npintdim as nid

D, d = 1003, 12
PROJECTIONS = {
    "fastfood": {"kind": "fastfood"},
    "fastfood, no signs": {"kind": "fastfood", "signs": False},
    "fastfood, single block": {"kind": "fastfood", "blocks": "single"},
    "sparse": {"kind": "sparse"},
    "dense": {"kind": "dense"},
    "±1": {"kind": "dense", "entries": "rademacher"},
    "dense, drawn at every use": {"kind": "dense", "stored": False},
    "±1, drawn at every use": {"kind": "dense", "stored": False, "entries": "rademacher"},
}


def projection(backend, kind, D=D, d=d):
    return nid.make_projection(D=D, d=d, seed=2**64 - 1, backend=backend, **PROJECTIONS[kind])


def nets(backend):
    images = nid.Conv2D(1, 2, 5, 2, 1), nid.ReLU(), nid.MaxPool2D(2), nid.Flatten(), nid.Linear(18, 4)
    fire = (
        nid.Conv2D(1, 4, 7, stride=2, padding=1), nid.ReLU(), nid.MaxPool2D(3, 2, ceil=True), nid.Fire(4, 2, 3, 3), nid.Conv2D(6, 4, 1),
        nid.GlobalAveragePool(),
    )  # fmt: skip
    return {
        "mlp": nid.mlp([256, 20, 4], backend=backend),
        "lenet": nid.lenet((1, 16, 16), 4, backend=backend),
        "conv": nid.Model(images, (1, 16, 16), backend),
        "fire": nid.Model(fire, (1, 16, 16), backend),  # pooled from 6 × 6 to 3 × 3: windows hang over
    }


def pictures(n, backend):
    """Four classes: which quarter of the picture is bright."""
    rng = np.random.default_rng(0)
    x, labels = rng.random((2 * n, 1, 16, 16), dtype=np.float32), rng.integers(0, 4, 2 * n)
    for i, label in enumerate(labels):
        row, column = divmod(int(label), 2)
        x[i, 0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 0.5
    return nid.Dataset("quarters", nid.Batch(x[:n], labels[:n]), nid.Batch(x[n:], labels[n:]), 4).to(backend)


def train_on(backend, net, kind, n=80, epochs=3):
    model = nets(backend)[net]
    landscape, start = model, model.init_theta(seed=1)
    if kind != "direct":
        P = nid.make_projection(D=model.D, d=20, seed=2, backend=backend, **PROJECTIONS[kind])
        landscape = nid.SubspaceObjective(model, start, P)
        start = landscape.start()
    config = nid.TrainConfig(nid.SGD(lr=0.05), epochs=epochs, batch_size=16, seed=3)
    return nid.train(landscape, start, pictures(n, backend), config)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("net", ["mlp", "conv", "fire"])
def test_theta_0(twin, net, dtype):
    theta_0 = nets(replace(twin, dtype=np.dtype(dtype)))[net].init_theta(seed=5)
    same_bits(twin.host(theta_0), nets(nid.get_backend("numpy", dtype))[net].init_theta(seed=5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", PROJECTIONS)
def test_entries_of_P_and_what_files_are_decoded_with(twin, kind, dtype):
    P, plain = (
        projection(b, kind) for b in (replace(twin, dtype=np.dtype(dtype)), nid.get_backend("numpy", dtype))
    )
    same_bits(twin.host(P.to_dense()), plain.to_dense())
    v = np.random.default_rng(1).standard_normal(d).astype(np.float32)
    same_bits(P.apply_exact(v), plain.apply_exact(v))
    assert P.fingerprint() == plain.fingerprint()
    assert P.coverage() == plain.coverage()


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_the_adjoint_is_the_transpose(twin, kind):
    backend = replace(twin, dtype=np.dtype(float))
    nid.dot_test(projection(backend, kind))
    nid.adjoint_matrix_check(projection(backend, kind, D=41, d=6))


@pytest.mark.parametrize(
    ("net", "kind"), [("mlp", "direct"), ("conv", "direct"), ("conv", "fastfood"), ("conv", "sparse"),
                      ("fire", "direct"), ("fire", "fastfood"),
                      ("mlp", "fastfood, single block"), ("conv", "±1, drawn at every use")]
)  # fmt: skip
def test_training_goes_where_numpy_goes_and_twice_the_same_way(twin, net, kind):
    run, again = (train_on(replace(twin, dtype=np.dtype(float)), net, kind) for _ in range(2))
    plain = train_on(nid.get_backend("numpy", np.float64), net, kind)
    assert run.status == plain.status == "finished"
    np.testing.assert_allclose(twin.host(run.theta), plain.theta, rtol=1e-8, atol=1e-11)
    same_bits(twin.host(run.theta), twin.host(again.theta))


def test_a_run_that_diverges_says_so(twin):
    model = nets(twin)["mlp"]
    config = nid.TrainConfig(nid.SGD(lr=1e30), epochs=2, batch_size=16)
    assert nid.train(model, model.init_theta(0), pictures(32, twin), config).status == "diverged"
