"""On a GPU nothing waits inside an epoch: the engine runs on arrays that count what crosses the bus."""

import math
from dataclasses import replace

import gpu_standin
import numpy as np
import pytest
from cuda_engine_checks import PROJECTIONS, nets, pictures
from cuda_on_host import COMPILER, twins_on_host
from gpu_standin import standin_backend, transfers

import npintdim as nid

EPOCHS, BATCH = 3, 16
SUBSPACES = ["direct", *PROJECTIONS]


def counts():
    return transfers.to_host, transfers.to_device


class Spy:
    """A landscape that notes what has crossed the bus before and after every step."""

    def __init__(self, landscape):
        self.landscape, self.dim, self.evaluate, self.seen = landscape, landscape.dim, landscape.evaluate, []

    def loss_and_grad(self, theta, batch):
        self.seen.append(counts())
        result = self.landscape.loss_and_grad(theta, batch)
        self.seen.append(counts())
        return result


def landscape_on(backend, net, subspace):
    model = nets(backend)[net]
    theta_0 = model.init_theta(seed=1)
    if subspace == "direct":
        return model, theta_0
    P = nid.make_projection(D=model.D, d=30, seed=2, backend=backend, **PROJECTIONS[subspace])
    objective = nid.SubspaceObjective(model, theta_0, P)
    return objective, objective.start()


def run_on(backend, net, subspace, optimizer, n):
    landscape, start = landscape_on(backend, net, subspace)
    config = nid.TrainConfig(optimizer=optimizer, epochs=EPOCHS, batch_size=BATCH, seed=3)
    data, spy = pictures(n, backend), Spy(landscape)
    landscape.loss_and_grad(start, data.test)  # P draws what it keeps at its first use
    before = counts()
    run = nid.train(spy, start, data, config)
    return run, spy.seen, np.subtract(counts(), before)


def check_transfers(seen, moved, n):
    per_epoch = 2 * math.ceil(n / BATCH)
    for epoch in range(EPOCHS):
        assert len(set(seen[per_epoch * epoch : per_epoch * (epoch + 1)])) == 1
    to_host, to_device = moved
    assert to_host == EPOCHS * (1 + 2 * 2)  # the losses of an epoch; loss and hits of two evaluations
    assert to_device == EPOCHS  # the order of the examples


@pytest.mark.parametrize("net", ["mlp", "lenet", "fire"])
@pytest.mark.parametrize("subspace", SUBSPACES)
def test_an_epoch_moves_nothing_and_ends_where_numpy_does(net, subspace):
    optimizer = nid.Adam(lr=1e-2)
    run, seen, moved = run_on(standin_backend(), net, subspace, optimizer, 100)
    check_transfers(seen, moved, 100)
    plain, _, _ = run_on(nid.get_backend("numpy"), net, subspace, optimizer, 100)
    assert run.status == plain.status == "finished"
    np.testing.assert_array_equal(run.theta.get(), plain.theta)
    assert [replace(r, seconds=0) for r in run.records] == [replace(r, seconds=0) for r in plain.records]


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler to run the CUDA kernels with")
@pytest.mark.parametrize("subspace", SUBSPACES)
def test_the_cuda_twins_move_nothing_either(subspace):
    optimizer = nid.SGD(lr=0.05)
    with twins_on_host() as twins:
        backend = replace(standin_backend(np.float64), kernels=twins)
        run, seen, moved = run_on(backend, "conv", subspace, optimizer, 40)
    check_transfers(seen, moved, 40)
    plain, _, _ = run_on(nid.get_backend("numpy", np.float64), "conv", subspace, optimizer, 40)
    np.testing.assert_allclose(run.theta.get(), plain.theta, rtol=1e-9, atol=1e-12)


def test_a_landscape_without_data_moves_its_loss_once_an_epoch():
    backend = standin_backend(np.float64)
    toy = nid.ToyProblem()
    P = nid.make_projection("fastfood", D=1000, d=12, seed=0, backend=backend)
    objective = nid.SubspaceObjective(toy, backend.xp.zeros(1000), P)
    spy = Spy(objective)
    nid.train(spy, objective.start(), None, nid.TrainConfig(nid.SGD(lr=1e-3), epochs=2, steps_per_epoch=50))
    assert len(set(spy.seen[2:100])) == 1
    assert len(set(spy.seen[100:])) == 1


def test_l2_and_a_diverging_run_stay_on_the_device():
    backend = standin_backend()
    model = nets(backend)["mlp"]
    landscape = nid.L2(model, model.layout, 1e-4)
    config = nid.TrainConfig(nid.SGD(lr=1e30), epochs=3, batch_size=64)
    run = nid.train(landscape, model.init_theta(0), pictures(100, backend), config)
    assert run.status == "diverged"


def test_arrays_of_the_host_are_refused_and_said_how_to_move():
    backend = standin_backend()
    model = nets(backend)["mlp"]
    with pytest.raises(TypeError, match=r"backend\.send"):
        model.loss_and_grad(model.init_theta(0), pictures(100, nid.get_backend("numpy")).train)
    with pytest.raises(TypeError, match=r"backend\.send"):
        nid.make_projection("fastfood", D=100, d=5, seed=0, backend=backend).apply(np.zeros(5))


def test_the_stand_in_refuses_and_counts_what_cupy_does():
    x = gpu_standin.arange(6.0)
    for f in (np.asarray, lambda x: x + np.ones(6), lambda x: gpu_standin.maximum(np.ones(6), x), np.array):
        with pytest.raises(TypeError):
            f(x)
    with pytest.raises(TypeError):
        x[:3] = np.zeros(3)
    with pytest.raises(AttributeError):
        gpu_standin.errstate()
    with pytest.raises(ValueError, match="repeats"):
        gpu_standin.repeat(x, x)
    for move, to_host, to_device in [
        (lambda: x.get(), 1, 0), (lambda: float(x[2]), 1, 0), (lambda: int(x.sum()), 1, 0), (lambda: bool(x[0]), 1, 0),
        (lambda: x[1].item(), 1, 0), (lambda: x.tolist(), 1, 0), (lambda: x[x > 2], 1, 0), (lambda: f"{x[0]}", 1, 0),
        (lambda: gpu_standin.flatnonzero(x), 1, 0), (lambda: gpu_standin.asarray(np.ones(3)), 0, 1),
        (lambda: x[np.arange(2)], 0, 1), (lambda: gpu_standin.asarray(x), 0, 0), (lambda: 2 * x + x[1], 0, 0),
        (lambda: np.sqrt(x).sum(), 0, 0), (lambda: len(x), 0, 0),
    ]:  # fmt: skip
        before = counts()
        move()
        assert tuple(np.subtract(counts(), before)) == (to_host, to_device)
    assert isinstance(np.sqrt(x).sum(), gpu_standin.ndarray)
