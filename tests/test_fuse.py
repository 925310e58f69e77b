"""Fused steps against the layers they stand for, one by one; and the plan that says which those are."""

import json
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from helpers import as_good, frozen, needs_numba, normal, python, same_bits

from npintdim.artefact.decode import on
from npintdim.backend import get_backend
from npintdim.cli import main
from npintdim.engine.architectures import (
    fc_lenet,
    fctied_lenet,
    lenet,
    mlp,
    model_from_spec,
    squeezenet,
    untied_lenet,
)
from npintdim.engine.fuse import Fused
from npintdim.engine.landscape import Batch
from npintdim.engine.layers import Conv2D, Flatten, Linear, MaxPool2D, ReLU
from npintdim.engine.model import Model

pytestmark = needs_numba
FLOATS = (np.float32, np.float64)


@dataclass(frozen=True)
class OwnReLU(ReLU):
    """A layer of somebody's own, which no fused layer may swallow."""


def conv_run(shape, *layers):
    """Layers of a run: (channels, k, relu) for each convolution; then whatever makes it a model."""
    out = []
    for channels, k, relu in layers:
        out += [Conv2D(shape[0], channels, k), *([ReLU()] if relu else []), MaxPool2D(2)]
        shape = (channels, (shape[1] - k + 1) // 2, (shape[2] - k + 1) // 2)
    return [*out, Flatten()]


def linear_run(*sizes, relu):
    out = []
    for n_in, n_out, r in zip(sizes, sizes[1:], relu, strict=False):
        out += [Linear(n_in, n_out), *([ReLU()] if r else [])]
    return out


CONV = {  # shape of an image, (channels, k, relu) of each convolution, examples
    "lenet": ((1, 28, 28), [(6, 5, True), (16, 5, True)], 33),
    "no relu": ((1, 16, 16), [(6, 5, False), (16, 5, False)], 16),
    "one example": ((3, 8, 9), [(4, 3, True)], 1),
    "odd sides": ((2, 11, 14), [(5, 3, True), (3, 3, False)], 17),
    "nothing dropped": ((1, 6, 6), [(2, 3, True)], 40),
    "k = 7": ((2, 15, 12), [(4, 7, True)], 18),
    "k = 1": ((3, 5, 4), [(7, 1, True)], 20),
    "even k": ((1, 9, 9), [(3, 2, False), (2, 2, True)], 15),
    "three layers": ((2, 24, 22), [(3, 3, True), (4, 3, True), (8, 3, False)], 31),
    "one window": ((1, 6, 7), [(1, 5, True)], 3),
    "many channels": ((20, 6, 6), [(64, 3, True)], 16),
    "129 examples": ((1, 8, 8), [(2, 3, True)], 129),
}
LINEAR = {  # sizes, relu, examples
    "mlp": ((64, 48, 32, 10), (True, True, False), 40),
    "one layer": ((5, 3), (False,), 7),
    "one feature": ((1, 1, 1), (True, False), 9),
    "relu at the end": ((20, 17), (True,), 8),
    "no relu": ((30, 16, 15), (False, False), 33),
    "long sums": ((600, 33, 5), (True, False), 300),
    "wide": ((10, 150, 260), (True, True), 5),
    "one example": ((784, 200, 10), (True, False), 1),
}
RUNS = {
    **{f"conv, {name}": (conv_run(shape, *run), shape, n) for name, (shape, run, n) in CONV.items()},
    **{
        f"linear, {name}": (linear_run(*sizes, relu=relu), sizes[:1], n)
        for name, (sizes, relu, n) in LINEAR.items()
    },
}


def models(layers, in_shape, dtype, threads=1):
    backend = get_backend("numba", dtype, threads)
    return Model(layers, in_shape, backend), Model(layers, in_shape, backend, fuse=False)


def theta_of(model, dtype, seed=1):
    """Weights of the usual size, biases of both signs."""
    scale = [np.full(where.stop - where.start, 0.3) for where in model.layout.slices.values()]
    for (name, shape), s in zip(model.layout.entries, scale, strict=True):
        if name.endswith(".W"):
            s[:] = np.sqrt(2 / np.prod(shape[1:] if len(shape) == 4 else shape[:1]))
    return frozen((np.concatenate(scale) * normal(model.D, seed=seed)).astype(dtype))


def through(model, theta, x, dy):
    """y, ∂L/∂theta and dx, all of them needed."""
    y, caches = model.forward(theta, x)
    grads, d, params = [], dy, model._params(theta)
    for i in reversed(range(len(model.computed))):
        d, dparams = model.computed[i].backward(model.backend, params[i], caches[i], d)
        grads = [*(dparams[key].reshape(-1) for key in params[i]), *grads]
    return y, np.concatenate(grads), d.reshape(x.shape)


# ---- the same numbers ----


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", RUNS)
def test_a_fused_step_does_what_its_layers_do(name, dtype):
    layers, in_shape, n = RUNS[name]
    fused, plain = models(layers, in_shape, dtype)
    assert len(fused.computed) < len(plain.computed) or len(layers) == 1
    x, theta = normal(n, *in_shape, dtype=dtype), theta_of(fused, dtype)
    dy = normal(n, fused.classes, seed=2, dtype=dtype)
    _, exact = models(layers, in_shape, np.float64)
    results = through(fused, theta, x, dy), through(plain, theta, x, dy)
    exact = through(exact, *(a.astype(np.float64) for a in (theta, x, dy)))
    for what, fast, slow, true in zip(("y", "grad", "dx"), *results, exact, strict=True):
        as_good(fast, slow, true, what, ulps=8)


@pytest.mark.parametrize("name", RUNS)
def test_whole_numbers_give_the_same_bits_ties_and_zeros_included(name):
    """Sums of small integers are exact in any order, so that the winner of every window must be the same."""
    layers, in_shape, n = RUNS[name]
    fused, plain = models(layers, in_shape, np.float64)
    rng = np.random.default_rng(4)
    x = frozen(rng.integers(-1, 2, (n, *in_shape)).astype(np.float64))
    theta = frozen(rng.integers(-1, 2, fused.D).astype(np.float64))
    dy = frozen(rng.integers(-3, 4, (n, fused.classes)).astype(np.float64))
    for fast, slow in zip(through(fused, theta, x, dy), through(plain, theta, x, dy), strict=True):
        np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize("relu", [True, False])
def test_of_equal_sums_the_first_place_has_the_gradient(relu):
    fused, plain = models(conv_run((1, 5, 5), (1, 2, relu)), (1, 5, 5), np.float64)
    x, theta = frozen(np.ones((2, 1, 5, 5))), frozen(np.array([1.0, 1, 1, 1, 0.5]))
    dy = frozen(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]))
    _, _, dx = through(fused, theta, x, dy)
    np.testing.assert_array_equal(dx[0, 0, :4, :4], np.kron([[1, 2], [3, 4]], np.ones((2, 2))))
    np.testing.assert_array_equal(dx, through(plain, theta, x, dy)[2])


def test_relu_passes_nothing_back_where_its_output_is_zero():
    for layers, shape in ((conv_run((1, 4, 4), (1, 1, True)), (1, 4, 4)), ([Linear(1, 4), ReLU()], (1,))):
        fused, _ = models(layers, shape, np.float64)
        y, grad, dx = through(fused, np.zeros(fused.D), frozen(np.ones((3, *shape))), frozen(np.ones((3, 4))))
        assert not y.any()
        assert not grad.any()
        assert not dx.any()


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("relu", [True, False])
def test_nan_is_not_lost(place, relu):
    fused, _ = models(conv_run((1, 4, 4), (2, 1, relu)), (1, 4, 4), np.float32)
    x = np.zeros((20, 1, 4, 4), dtype=np.float32)
    x[17, 0, place[0], place[1]] = np.nan
    y, _ = fused.forward(np.ones(fused.D, dtype=np.float32), frozen(x))
    assert np.argwhere(np.isnan(y)).tolist() == [[17, 0], [17, 4]]  # the first window of both channels
    fused, _ = models(linear_run(3, 2, relu=[relu]), (3,), np.float32)
    y, _ = fused.forward(
        np.ones(fused.D, dtype=np.float32), frozen(np.array([[1, np.nan, 1], [1, 1, 1]], np.float32))
    )
    assert np.isnan(y).tolist() == [[True, True], [False, False]]


# ---- whole networks ----

NETS = {
    "mlp": lambda backend: mlp([784, 200, 200, 10], backend),
    "lenet": lambda backend: lenet(backend=backend),
    "lenet without conv ReLU, 3 channels": lambda backend: lenet((3, 32, 32), 10, backend, conv_relu=False),
    "strange": lambda backend: Model(
        [ReLU(), *conv_run((2, 20, 18), (3, 3, True))[:-1], Conv2D(3, 4, 3, padding=1), ReLU(), Flatten(),
         Linear(288, 12), OwnReLU(), Linear(12, 7), ReLU(), ReLU(), Linear(7, 5)],
        (2, 20, 18), backend,
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NETS)
def test_loss_gradient_and_evaluation_are_those_of_the_plain_network(name, dtype):
    fused = NETS[name](get_backend("numba", dtype, 2))
    plain = Model(fused.layers, fused.in_shape, fused.backend, fuse=False)
    n = 50
    data = Batch(
        normal(n, *fused.in_shape, dtype=dtype),
        frozen(np.random.default_rng(0).integers(0, fused.classes, n)),
    )
    theta = frozen(fused.init_theta(0))
    (loss, grad), (plain_loss, plain_grad) = (model.loss_and_grad(theta, data) for model in (fused, plain))
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    assert float(loss) == pytest.approx(float(plain_loss), rel=tolerance)
    assert np.abs(grad - plain_grad).max() <= tolerance * np.abs(plain_grad).max()
    assert fused.evaluate(theta, data).performance == plain.evaluate(theta, data).performance
    same_bits(fused.loss_and_grad(theta, data)[1], grad)


def test_theta_x_and_dlogits_of_another_precision_are_cast():
    fused, _ = models(linear_run(6, 4, relu=[True]), (6,), np.float32)
    x, theta, dy = normal(5, 6), normal(fused.D), normal(5, 4)
    y, caches = fused.forward(theta, x)
    grad = fused.backward(theta, caches, dy)
    assert y.dtype == grad.dtype == np.float32
    x, theta, dy = (a.astype(np.float32) for a in (x, theta, dy))
    same_bits(fused.backward(theta, caches, dy), grad)
    same_bits(fused.forward(theta, x)[0], y)


def test_results_are_fresh_and_caches_may_be_used_again():
    model = lenet((1, 16, 16), 5, get_backend("numba", np.float64, 1))
    theta, x = frozen(model.init_theta(0)), normal(20, 1, 16, 16)
    y, caches = model.forward(theta, x)
    kept = y.copy()
    dy = normal(20, 5, seed=3)
    grad = model.backward(theta, caches, dy)
    model.forward(frozen(2 * theta), normal(20, 1, 16, 16, seed=9))
    same_bits(y, kept)
    same_bits(model.backward(theta, caches, dy), grad)


# ---- threads ----


@pytest.mark.parametrize("name", ["conv, lenet", "conv, 129 examples", "linear, mlp", "linear, long sums"])
def test_any_number_of_threads_gives_the_same_bits(name, monkeypatch):
    from npintdim.kernels.numba_cpu.machinery import share

    monkeypatch.setattr(share, "LEAST", 0.0)
    layers, in_shape, n = RUNS[name]
    x = normal(n, *in_shape, dtype=np.float32)
    expected = None
    for threads in (1, 2, 3, 7):
        model, _ = models(layers, in_shape, np.float32, threads)
        theta, dy = theta_of(model, np.float32), normal(n, model.classes, seed=2, dtype=np.float32)
        for _ in range(5):
            found = through(model, theta, x, dy)
            expected = expected or found
            for a, b in zip(found, expected, strict=True):
                same_bits(a, b)


def test_several_python_threads_on_one_model(monkeypatch):
    from npintdim.kernels.numba_cpu.machinery import share

    monkeypatch.setattr(share, "LEAST", 0.0)
    model = lenet((1, 16, 16), 5, get_backend("numba", np.float32, 2))
    theta = frozen(model.init_theta(0))
    data = [
        Batch(normal(24, 1, 16, 16, seed=s, dtype=np.float32), frozen(np.arange(24) % 5)) for s in range(4)
    ]
    expected = [model.loss_and_grad(theta, batch)[1] for batch in data]
    with ThreadPoolExecutor(4) as pool:
        for grad, same in zip(
            pool.map(lambda i: model.loss_and_grad(theta, data[i % 4])[1], range(80)),
            expected * 20,
            strict=True,
        ):
            same_bits(grad, same)


# ---- processors ----


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("float64", 1e-14)])
def test_a_processor_with_narrow_registers_and_no_fused_multiply_add(dtype, bound, tmp_path):
    """In float64 the sums of a tile do not fit in its registers, and a part of the lanes is done at a time."""
    text = f"""
import sys, numpy as np
from npintdim import Batch, get_backend, lenet
backend = get_backend("numba", np.{dtype}, threads=1)
model = lenet((1, 20, 20), backend=backend)
x = np.random.default_rng(0).standard_normal((37, 400)).astype(np.{dtype})
grad = model.loss_and_grad(model.init_theta(0), Batch(x, np.arange(37) % 10))[1]
one_tap = backend.kernels.conv2d_forward(x.reshape(37, 4, 10, 10), x[0, :20].reshape(5, 4, 1, 1), 1, 0)
np.save(sys.argv[1], np.concatenate([grad / abs(grad).max(), one_tap.ravel() / abs(one_tap).max()]))
"""
    grads = []
    for name, environment in (("own", {}), ("poor", {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""})):
        path = tmp_path / f"{name}.npy"
        python("-c", text, path, env=environment, timeout=600, check=True)
        grads.append(np.load(path))
    own, poor = grads
    assert not np.array_equal(own, poor)  # the tiles are others, and so is the rounding
    assert np.abs(own - poor).max() <= bound


# ---- the plan ----


def test_plan_of_the_networks_of_the_paper():
    backend = get_backend("numba")
    assert mlp([784, 200, 200, 10], backend).plan() == "linear run: fc1 relu1 fc2 relu2 fc3"
    assert lenet(backend=backend).plan().splitlines() == [
        "convolution and pooling run: conv1 relu1 maxpool2d1 conv2 relu2 maxpool2d2",
        "alone: flatten1",
        "linear run: fc1 relu3 fc2 relu4 fc3",
    ]
    assert lenet(backend=backend, conv_relu=False).plan().splitlines()[0] == (
        "convolution and pooling run: conv1 maxpool2d1 conv2 maxpool2d2"
    )


def test_plan_of_the_relatives_of_lenet():
    backend = get_backend("numba")
    assert untied_lenet(backend=backend).plan().splitlines() == [
        "alone: local1", "alone: relu1", "alone: maxpool2d1", "alone: local2", "alone: relu2", "alone: maxpool2d2",
        "alone: flatten1", "linear run: fc1 relu3 fc2 relu4 fc3",
    ]  # fmt: skip
    assert fctied_lenet(backend=backend).plan().splitlines()[0] == "alone: conv1"
    assert fc_lenet(backend=backend).plan().splitlines()[:5] == [
        "alone: flatten1", "linear run: full1 relu1", "alone: unflatten1", "alone: maxpool2d1", "alone: flatten2",
    ]  # fmt: skip


def test_what_squeezenet_has_is_not_fused():
    model = squeezenet((3, 32, 32), 10, get_backend("numba"))
    assert model.computed == model.layers
    hanging = [Conv2D(1, 2, 3), ReLU(), MaxPool2D(2, ceil=True), Flatten(), Linear(8, 2)]
    assert "run: conv" not in Model(hanging, (1, 5, 5), get_backend("numba")).plan()


def test_without_avx_512_linear_layers_are_taken_one_by_one_and_the_plan_says_why(monkeypatch):
    from npintdim.kernels.fused import linear_run

    monkeypatch.setattr(linear_run, "WIDE", False)
    assert lenet(backend=get_backend("numba")).plan().splitlines() == [
        "convolution and pooling run: conv1 relu1 maxpool2d1 conv2 relu2 maxpool2d2",
        "alone: flatten1", "alone: fc1", "alone: relu3", "alone: fc2", "alone: relu4", "alone: fc3",
        "linear runs are not fused: Where a register holds 16 float32 (AVX-512); elsewhere NumPy's own products are as fast.",
    ]  # fmt: skip


def test_what_has_no_fused_step_is_taken_layer_by_layer():
    assert NETS["strange"](get_backend("numba")).plan().splitlines() == [
        "alone: relu1",
        "convolution and pooling run: conv2d1 relu2 maxpool2d1",
        "alone: conv2d2",
        "alone: relu3",
        "alone: flatten1",
        "linear run: linear1",
        "alone: ownrelu1",
        "linear run: linear2 relu4",
        "alone: relu5",
        "linear run: linear3",
    ]


@pytest.mark.parametrize(
    "layers",
    [
        [Conv2D(1, 2, 3, stride=2), MaxPool2D(2)],
        [Conv2D(1, 2, 3, padding=1), MaxPool2D(2)],
        [Conv2D(1, 2, 3), MaxPool2D(3)],
        [Conv2D(1, 2, 3), MaxPool2D(2, stride=1)],
        [Conv2D(1, 2, 3), OwnReLU(), MaxPool2D(2)],
        [Conv2D(1, 2, 3), ReLU()],
        [Conv2D(1, 2, 3)],
        [MaxPool2D(2)],
    ],
)
def test_other_convolutions_are_not_fused(layers):
    model = Model([*layers, Flatten()], (1, 12, 12), get_backend("numba"))
    assert not any(isinstance(layer, Fused) for layer in model.computed)


def test_a_pool_of_stride_two_by_name_is_fused():
    model = Model([Conv2D(1, 2, 3), MaxPool2D(2, stride=2), Flatten()], (1, 8, 8), get_backend("numba"))
    assert len(model.computed) == 2


def test_numpy_never_fuses_and_others_need_not():
    layers = lenet(backend=get_backend("numpy")).layers
    for model in (
        Model(layers, (1, 28, 28), get_backend("numpy")),
        Model(layers, (1, 28, 28), get_backend("numba"), fuse=False),
    ):
        assert model.plan().splitlines() == [f"alone: {layer.name}" for layer in layers]


def test_a_network_that_does_not_fuse_does_not_on_another_backend():
    model = Model([Linear(4, 3), ReLU(), Linear(3, 2)], (4,), get_backend("numpy"), fuse=False)
    assert on(model, get_backend("numba")).plan() == model.plan()


@pytest.mark.parametrize(
    "make", [lambda **o: mlp([4, 3, 2], **o), lenet, untied_lenet, fctied_lenet, fc_lenet, squeezenet]
)
def test_fuse_is_said_of_a_network_or_of_its_backend_and_is_no_part_of_its_spec(make):
    by_layer, by_backend = make(fuse=False), make(backend=get_backend(fuse=False))
    assert by_layer.plan() == by_backend.plan() == "\n".join(f"alone: {a.name}" for a in by_layer.layers)
    assert by_layer.backend == by_backend.backend == pickle.loads(pickle.dumps(by_backend.backend))
    assert by_layer.spec() == make().spec()
    with pytest.raises(ValueError, match=r"unknown option of .* 'fuse'"):
        model_from_spec(make().spec() | {"fuse": False})
    with pytest.raises(TypeError, match="fuse is 'no': True or False is needed"):
        make(fuse="no")


def test_the_commands_pass_fuse_on(tmp_path, monkeypatch):
    """To every network of a training and of a measurement; records tell, and are those of the same runs."""
    monkeypatch.chdir(tmp_path)
    used, real = set(), Model.__init__

    def noted(self, *given, **more):
        real(self, *given, **more)
        used.add((self.backend.name, self.backend.fuse))

    monkeypatch.setattr(Model, "__init__", noted)
    net = ["--model", "64-16-10", "--epochs", "1", "--quiet"]
    assert main(["train", *net, "--no-fuse", "--d", "20", "--save", "net.npid"]) == 0
    measured = ["measure", *net, "--d", "60", "--seeds", "1", "--threshold", ".01", "--out", "m", "--jobs"]
    assert main([*measured, "1", "--no-fuse"]) == 0
    assert ("numba", False) in used and ("numba", True) not in used
    records = [json.loads(path.read_text()) for path in sorted(Path("m/runs").glob("*.json"))]
    assert [record["fuse"] for record in records] == [False, False]
    assert main([*measured, "1"]) == 0
    assert [json.loads(path.read_text()) for path in sorted(Path("m/runs").glob("*.json"))] == records


# ---- sharing ----


def test_every_item_is_done_once_and_before_the_loop_ends():
    share = pytest.importorskip("npintdim.kernels.numba_cpu.machinery.share")
    each, linger = share.each, share.linger

    def two_loops(first, second, spent, work):
        for i in each(work, 0, len(first)):
            for k in range(3000):  # long enough for a helper to be still at it
                spent[i] = np.sqrt(spent[i] + k)
            first[i] += 1
        for i in each(work, 1, len(first)):
            second[i] += first.sum()
        linger(work)

    kernel = share.shared(two_loops)
    for threads in (1, 2, 3, 5):
        for n in (0, 1, 2, 17):
            for _ in range(30):
                first, second = np.zeros(n), np.zeros(n)
                kernel(first, second, np.zeros(n), threads)
                np.testing.assert_array_equal(first, np.ones(n))
                np.testing.assert_array_equal(second, np.full(n, float(n)))


def test_a_helper_that_is_held_up_is_given_a_rest(monkeypatch):
    share = pytest.importorskip("npintdim.kernels.numba_cpu.machinery.share")
    each, linger = share.each, share.linger

    def slow_helper(done, spent, work):
        for i in each(work, 0, len(done)):
            rounds = 5_000_000 if work[4] else 100_000  # as if another process had the helper's core
            for k in range(rounds):
                spent[i] = np.sqrt(spent[i] + k)
            done[i] += 1
        linger(work)

    kernel, spent = share.shared(slow_helper), np.zeros(4)
    monkeypatch.setattr(share, "REST", 60.0)  # this process may be held up, too
    share.TEAM.rest = 0.0
    for _ in range(100):
        done = np.zeros(4)
        kernel(done, spent, 2)
        np.testing.assert_array_equal(done, np.ones(4))
        if share.TEAM.rest:
            break
    assert 0 < share.TEAM.rest - time.monotonic() <= share.REST
    number = share.TEAM.number
    kernel(done, spent, 2)
    assert share.TEAM.number == number  # the caller worked alone
    share.TEAM.rest = 0.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_helpers_of_its_own():
    text = """
import os, numpy as np
from npintdim import Batch, get_backend, mlp
model = mlp([64, 100, 10], get_backend("numba", threads=2))
batch, theta = Batch(np.ones((64, 64), np.float32), np.arange(64) % 10), model.init_theta(0)
loss = model.loss_and_grad(theta, batch)[0]
child = os.fork()
if child == 0:
    os._exit(0 if model.loss_and_grad(theta, batch)[0] == loss else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), model.loss_and_grad(theta, batch)[0] == loss)
"""
    run = python("-W", "ignore", "-c", text, timeout=120)
    assert run.stdout.split() == ["0", "True"], run.stderr


# ---- tiles ----


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (16, 16), (17, 40), (50, 15), (33, 64)])
def test_transpose(rows, columns, dtype):
    from npintdim.kernels.numba_cpu.machinery.tile import transpose

    A = normal(rows, columns + 3, dtype=dtype)
    B = np.full((columns, rows + 2), 7.0, dtype=dtype)
    transpose(A.reshape(-1), 1, columns + 3, rows, columns, B.reshape(-1), 1, rows + 2)
    np.testing.assert_array_equal(B[:, 1 : rows + 1], A[:, 1 : columns + 1].T)
    assert (B[:, 0] == 7).all()
    assert (B[:, rows + 1] == 7).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [1, 15, 16, 17, 48, 49, 100])
def test_multiply_writes_its_entries_and_no_other(width, dtype):
    from npintdim.kernels.numba_cpu.machinery.tile import multiply

    rows, depth = 19, 300
    A, B = normal(depth, rows, dtype=dtype), normal(depth, width, seed=1, dtype=dtype)
    C = np.full(rows * width + 40, 7.0, dtype=dtype)
    multiply(A.reshape(-1), 0, 1, rows, B.reshape(-1), 0, C, 20, rows, depth, width)
    exact = A.T.astype(np.float64) @ B.astype(np.float64)
    as_good(C[20:-20].reshape(rows, width), A.T @ B, exact, "C", ulps=8)
    assert (C[:20] == 7).all()
    assert (C[-20:] == 7).all()
