"""Landscapes and data of one's own, measured like those of the package."""

import os
import subprocess
import sys
import threading
import types
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from helpers import measured

import npintdim as nid
from npintdim.measurement.custom import HERE, Name, named
from npintdim.measurement.recipes import adam, fully_connected, model_name
from npintdim.measurement.sweep import sweep
from npintdim.measurement.work import Where
from npintdim.objective import L2
from npintdim.testing.gradient import gradient_check

NUMPY = nid.get_backend("numpy", threads=1)
NUMBERS = {
    "optimizer": adam(0.1), "direct_optimizer": adam(0.01), "direct_seeds": 2, "seeds": 2, "epochs": 4,
    "batch_size": 64, "limit_train": 400,
}  # fmt: skip
APART = 1 << 32


def network(d, seed, width=16):
    """The network of `test_the_same_network...`, with the seeds that `RunSpec` gives: P's comes in."""
    model = nid.mlp([64, width, 10], backend=NUMPY)
    theta_0 = model.init_theta(seed - APART)
    if d is None:
        return Direct(model, theta_0)
    return nid.SubspaceObjective(model, theta_0, nid.make_projection("fastfood", model.D, d, seed, NUMPY))


class Direct:
    """A model that knows where it starts."""

    def __init__(self, model, theta_0):
        self.model, self.theta_0, self.dim = model, theta_0, model.dim

    def start(self):
        return self.theta_0

    def loss_and_grad(self, theta, batch):
        return self.model.loss_and_grad(theta, batch)

    def evaluate(self, theta, data):
        return self.model.evaluate(theta, data)


def toy(d, seed):
    """No data; theta_d begins at 0 because nothing is said."""
    problem = nid.ToyProblem(D=100, s=5)
    theta_0 = np.random.default_rng(seed % 1000).standard_normal(100)
    if d is None:
        return Direct(problem, theta_0)
    P = nid.make_projection("dense", 100, d, seed, nid.get_backend("numpy", "float64", 1))
    inner = nid.SubspaceObjective(problem, theta_0, P)
    return Plain(inner)


class Plain:
    """Only what a landscape needs."""

    def __init__(self, inner):
        self.dim, self.loss_and_grad, self.evaluate = inner.dim, inner.loss_and_grad, inner.evaluate


def digits():
    return nid.load_dataset("digits")


def test_the_same_network_gives_the_same_records_by_either_way(tmp_path):
    own = measured(nid.objective_recipe(network, "digits", d=(20, 200), **NUMBERS), tmp_path / "own")
    recipe = nid.Recipe("digits", fully_connected(64, 16, 10), (20, 200), **NUMBERS)
    package = measured(recipe, tmp_path / "package")

    def scores(m):
        return [(r["spec"].get("d"), r["spec"]["seed"], r["performance"], r["loss"]) for r in m.records]

    in_subspace = [s for s in scores(own) if s[0]]
    assert in_subspace == [s for s in scores(package) if s[0]]
    assert len(in_subspace) == 4
    assert own.D == package.D == nid.mlp([64, 16, 10]).D
    assert own.compressed is None
    assert "first tried d above the line" in own.d_int.summary()


@pytest.mark.parametrize("data", ["test_custom:digits", digits])
def test_a_network_of_the_package_on_data_of_ones_own(data, tmp_path):
    recipe = replace(
        nid.recipe_for("digits"), data=named(data), model=fully_connected(64, 16, 10), d=(20, 600),
        **NUMBERS | {"optimizer": adam(0.03), "epochs": 12},
    )  # fmt: skip
    own = measured(recipe, tmp_path / "own")
    package = measured(replace(recipe, data="digits"), tmp_path / "package")
    assert own.compressed == package.compressed
    assert own.compressed["performance"] > own.d_int.threshold
    assert own.guessing == package.guessing > 0.1


def test_measured_by_search_and_nothing_is_done_twice(tmp_path, monkeypatch):
    recipe = nid.objective_recipe(network, digits, options={"width": 8}, budget=4, first=16, **NUMBERS)
    assert recipe.d is None
    m = measured(recipe, tmp_path)
    assert len(m.records) == 6
    assert m.D == nid.mlp([64, 8, 10]).D
    assert m.records[0]["spec"]["model"]["options"] == {"width": 8}
    monkeypatch.setattr(Where, "__call__", None)
    assert measured(recipe, tmp_path).records == m.records


def test_a_landscape_without_data_that_does_not_say_where_it_starts(tmp_path):
    backend = nid.get_backend("numpy", "float64", 1)
    recipe = nid.objective_recipe(
        toy, d=(2, 10), optimizer=adam(0.05), direct_optimizer=adam(0.05), epochs=5, seeds=1, direct_seeds=1
    )
    m = nid.measure(recipe, tmp_path, backend=backend, jobs=1)
    assert [r["status"] for r in m.records] == ["finished"] * 3
    assert m.d_int.first_above == 10
    assert 2 < m.d_int.d < 10


def test_other_processes_find_it_by_its_name(tmp_path):
    """Two worker processes, the function in a module of a folder on the path; the records of one process."""
    pytest.importorskip("joblib")
    folder = Path(__file__).parent
    code = (
        "import npintdim as nid; from test_custom import NUMBERS, NUMPY\n"
        "recipe = nid.objective_recipe('test_custom:network', 'test_custom:digits', d=(20, 200), **NUMBERS)\n"
        f"m = nid.measure(recipe, {str(tmp_path / 'two')!r}, backend=NUMPY, jobs=2)\n"
        "print(*[r['performance'] for r in m.records])"
    )
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    alone = measured(nid.objective_recipe(network, digits, d=(20, 200), **NUMBERS), tmp_path / "one")
    assert run.stdout.split() == [str(r["performance"]) for r in alone.records]


def test_names(monkeypatch):
    assert named(network) == f"{__name__}:network"
    assert named("json:dumps") == "json:dumps"
    assert Name("json:JSONEncoder.encode").thing().__name__ == "encode"
    assert tuple(Name(name).own for name in ("mnist", "none", "a:b")) == (False, True, True)

    def local(d, seed):
        return network(d, seed)

    assert Name(named(local)).thing() is local
    assert named(local).startswith("here:")
    monkeypatch.setitem(sys.modules, "by_hand", types.ModuleType("by_hand"))
    exec("def make(d, seed): pass", sys.modules["by_hand"].__dict__)
    assert named(sys.modules["by_hand"].make) == "here:make"  # no other process could import it
    data = nid.load_dataset("digits")
    assert Name(named(data)).thing() is data
    assert named(data) == "here:digits"
    assert model_name({"objective": "package.module:make"}) == "make"


def test_what_only_this_process_knows_is_sent_to_others(tmp_path, monkeypatch):
    """And gives the same as here."""
    pytest.importorskip("joblib", reason="joblib is not installed: pip install 'npintdim[sweep]'")
    width = 16

    def local(d, seed):
        assert os.getpid() != here or alone
        return network(d, seed, width)

    here, alone = os.getpid(), False
    recipe = nid.objective_recipe(local, nid.load_dataset("digits"), d=(20,), **NUMBERS | {"seeds": 1})
    two = measured(recipe, tmp_path / "two", jobs=2).records
    alone = True
    one = measured(recipe, tmp_path / "one", jobs=1).records
    assert [r["performance"] for r in two] == [r["performance"] for r in one]
    width, alone = 20, False  # the processes are there still, and know the former one
    with pytest.warns(UserWarning, match="^kept 0, new 3, because .*local changed"):
        changed = measured(recipe, tmp_path / "two", jobs=2).records
    assert changed[0]["D"] != two[0]["D"]
    monkeypatch.delitem(HERE, recipe.model["objective"])
    with pytest.raises(ValueError, match=r"'here:.*' was defined in another process: give it again"):
        measured(replace(recipe, d=(40,), model=asdict(recipe)["model"]), tmp_path)


def test_what_cannot_be_sent_runs_here(tmp_path):
    lock = threading.Lock()

    def local(d, seed):
        assert lock and os.getpid() == here
        return network(d, seed)

    here = os.getpid()
    recipe = nid.objective_recipe(local, "digits", d=(20,), **NUMBERS | {"seeds": 1})
    with pytest.warns(UserWarning, match="not seen: what <unlocked"):
        assert len(measured(recipe, tmp_path, jobs=None).records) == 3
    says = "jobs is 2, but other processes do not know 'here:.*local': it cannot be sent to them|put it in a module"
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=says):
        measured(replace(recipe, d=(30,)), tmp_path, jobs=2)


def nothing(d, seed):
    return 3


def another_size(d, seed):
    return network(d + 1 if d else d, seed)


def no_start(d, seed):
    net = nid.mlp([64, 16, 10], backend=NUMPY)
    return L2(net, net.layout, 0.0) if d is None else network(d, seed)


STEPS = []


class Counted:
    """L = ½‖θ‖² without data, where every step may be a generation of long episodes."""

    def __init__(self, dim):
        self.dim = dim

    def start(self):
        return np.ones(self.dim, np.float32)

    def loss_and_grad(self, theta, batch):
        STEPS.append(batch.step)
        return theta @ theta / 2, theta.copy()

    def evaluate(self, theta, data):
        return nid.Evaluation(float(theta @ theta / 2), 0.5, 1)


def counted(d, seed):
    return Counted(d or 5)


def test_the_rehearsal_is_a_step_and_not_an_epoch(tmp_path):
    STEPS.clear()
    numbers = {
        "seeds": 1,
        "direct_seeds": 1,
        "epochs": 1,
        "optimizer": adam(0.1),
        "direct_optimizer": adam(0.1),
    }
    m = measured(nid.objective_recipe(counted, None, d=(2, 4), **numbers), tmp_path)
    assert len(m.records) == 3
    assert len(STEPS) <= 3 * 100 + 2 * (1 + 9) + 9  # the runs, a step of each kind, and the pace of each


class Wrong:
    """L = ½‖θ‖² in D = 5, with a gradient and an evaluation of another kind."""

    dim = 5

    def __init__(self, gradient=None, evaluation=None):
        self.gradient, self.evaluation = gradient, evaluation

    def loss_and_grad(self, theta, batch):
        return theta @ theta / 2, theta if self.gradient is None else self.gradient

    def evaluate(self, theta, data):
        return self.evaluation or nid.Evaluation(float(theta @ theta / 2), 0.0, 1)


@pytest.mark.parametrize(
    ("landscape", "kind", "message"),
    [
        (Wrong(np.ones(1)), ValueError, r"the gradient has shape \(1,\): \(5,\) is needed"),
        (Wrong(np.ones((5, 1))), ValueError, r"the gradient has shape \(5, 1\): \(5,\) is needed"),
        (Wrong(3.0), ValueError, r"the gradient has shape \(\): \(5,\) is needed"),
        (Wrong(evaluation=(0.5, 0.5)), TypeError, r"evaluate gave a tuple: an Evaluation\("),
        (
            Wrong(evaluation=nid.Evaluation(0.5, None, 1)),
            TypeError,
            "^performance is None: a number is needed$",
        ),
        (
            Wrong(evaluation=nid.Evaluation(0.5, np.ones(3), 1)),
            TypeError,
            "^performance is .*: a number is needed$",
        ),
        (Wrong(evaluation=nid.Evaluation(None, 0.5, 1)), TypeError, "^loss is None: a number is needed$"),
    ],
)
def test_what_a_landscape_gives_is_looked_at(landscape, kind, message):
    config = nid.TrainConfig(optimizer=nid.Adam(0.1), epochs=1, steps_per_epoch=2)
    with pytest.raises(kind, match=message):
        nid.train(landscape, np.ones(5), None, config)


@pytest.mark.parametrize("loss", [None, np.ones(1), np.ones(5)], ids=str)
def test_a_loss_that_is_no_number_is_told(loss):
    class Column(Wrong):
        def loss_and_grad(self, theta, batch):
            return loss, theta

    config = nid.TrainConfig(optimizer=nid.Adam(0.1), epochs=1, steps_per_epoch=2)
    with pytest.raises(TypeError, match=r"^the loss is .*: a number is needed$"):
        nid.train(Column(), np.ones(5), None, config)


class Scalar:
    """A number of another library, as JAX and PyTorch give them."""

    ndim = 0

    def item(self):
        return 0.25


def test_a_performance_of_another_library_is_a_number_that_a_record_holds():
    config = nid.TrainConfig(optimizer=nid.Adam(0.1), epochs=1, steps_per_epoch=2)
    for given in (np.float32(0.25), Scalar()):
        (last,) = nid.train(Wrong(evaluation=nid.Evaluation(0.5, given, 1)), np.ones(5), None, config).records
        assert (type(last.train), last.test) == (float, 0.25)


@pytest.mark.parametrize("gives", [1.5, (1.5,), (1.5, np.ones(5), 0), "ab"], ids=str)
def test_a_loss_without_its_gradient_is_told(gives):
    class Half(Wrong):
        def loss_and_grad(self, theta, batch):
            return gives

    P = nid.make_projection("dense", D=5, d=2, seed=0, backend=NUMPY)
    config = nid.TrainConfig(optimizer=nid.Adam(0.1), epochs=1, steps_per_epoch=2)
    for landscape in (Half(), nid.SubspaceObjective(Half(), np.ones(5, np.float32), P)):
        with pytest.raises(
            (TypeError, ValueError), match=r"loss_and_grad gave .*: the pair \(loss, gradient\) is needed"
        ):
            nid.train(landscape, np.ones(landscape.dim, np.float32), None, config)
    with pytest.raises(AssertionError, match=r"loss_and_grad gives a \w+: the pair"):
        gradient_check(Half(), np.ones(5))


def test_what_is_built_says_what_it_is():
    net = nid.mlp([4, 8, 3], backend=NUMPY)
    assert repr(net) == f"<Model: (4,) → fc1 → relu1 → fc2 → (3,), D = 67, {NUMPY!r}>"
    inside = nid.SubspaceObjective(
        net, net.init_theta(0), nid.make_projection("dense", D=67, d=2, seed=0, backend=NUMPY)
    )
    assert repr(inside).startswith(
        f"<SubspaceObjective: 2 numbers of {net!r} through DenseProjection(D=67, d=2, "
    )
    data = nid.load_dataset("digits")
    assert repr(data) == "<Dataset digits: train (1297, 1, 8, 8), test (500, 1, 8, 8), 10 classes>"


@pytest.mark.parametrize("P", [np.ones((5, 2)), scipy.sparse.eye(5, 2)])
def test_a_matrix_is_no_operator(P):
    with pytest.raises(TypeError, match=r"P is a \w+: shape, apply and adjoint are needed"):
        nid.SubspaceObjective(Wrong(), np.ones(5), P)


def a_class(d, seed):
    return Wrong


class Unscored(Wrong):
    def __init__(self, dim):
        super().__init__(evaluation=nid.Evaluation(0.5, float("nan"), 1))
        self.dim = dim

    def start(self):
        return np.ones(self.dim)


def unscored(d, seed):
    return Unscored(d or 21)


class Stopped(Wrong):
    """Ctrl-C in its first step, once."""

    heard = False

    def start(self):
        return np.ones(5)

    def loss_and_grad(self, theta, batch):
        if not Stopped.heard:
            Stopped.heard = True
            raise KeyboardInterrupt
        return super().loss_and_grad(theta, batch)


def stopped(d, seed):
    return Stopped()


def test_ctrl_c_in_the_rehearsal_stops_the_sweep(tmp_path):
    with pytest.raises(KeyboardInterrupt, match="0 of 1 run is kept"):
        sweep([nid.objective_recipe(stopped).direct(0)], tmp_path, jobs=1)


class ParticularError(Exception):
    """Cannot be made again from its message, as copying and pickling do."""

    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


def particular(d, seed):
    raise ParticularError("the motor", "broke")


def test_an_exception_that_cannot_be_sent_is_told_all_the_same(tmp_path):
    pytest.importorskip("joblib")
    with pytest.raises(RuntimeError, match=r"^ParticularError: the motor: broke$"):
        measured(nid.objective_recipe(particular, "digits", d=(2, 4), **NUMBERS), tmp_path, jobs=2)


def no_dataset():
    return [1, 2]


@pytest.mark.parametrize(
    ("make", "data", "kind", "message"),
    [
        (nothing, "digits", TypeError, "nothing returned a int: dim, loss_and_grad and evaluate are needed"),
        (
            a_class,
            "digits",
            TypeError,
            "a_class returned the class Wrong: dim, loss_and_grad and evaluate are",
        ),
        (unscored, "digits", ValueError, "^performance is nan: a finite number is needed$"),
        (another_size, "digits", ValueError, "returned a landscape of dimension 21, but d is 20"),
        (
            no_start,
            "digits",
            ValueError,
            r"d = None returned a landscape without start\(\): theta_0 is needed",
        ),
        (network, no_dataset, TypeError, "no_dataset is a list: a Dataset is needed"),
        (network, "digist", ValueError, "unknown dataset 'digist'.* Did you mean 'digits'"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_run(make, data, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        measured(nid.objective_recipe(make, data, d=(20,), **NUMBERS), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        ("json:dump5", "'json:dump5' cannot be imported: "),
        ("no_such_module:make", "'no_such_module:make' cannot be imported: No module named"),
        ("./mine.py:make", "'./mine.py:make' cannot be imported: "),
        ("json", "'json': 'package.module:name' is needed"),
        (lambda d, seed: None, "has no name, and its runs are kept under one: define it with def"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_at_once(thing, message):
    with pytest.raises(ValueError, match=message):
        nid.objective_recipe(thing)


def test_a_network_needs_data(tmp_path):
    with pytest.raises(ValueError, match="data is none: a network needs a data set"):
        measured(nid.Recipe("none", fully_connected(64, 10), (5,)), tmp_path)
