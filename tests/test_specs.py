"""Numbers, texts and arrays of other libraries: as if they were Python's and NumPy's own, or refused by name."""

import json
import pickle
import warnings
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.artefact.coding.codebook import kmeans
from npintdim.backend import namespace
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.layers import Conv2D, Linear, LocallyConnected2D, MaxPool2D, ReLU, Unflatten
from npintdim.engine.optimizers import SGD, Adam, optimizer_from_spec
from npintdim.engine.params import ParamLayout
from npintdim.inputs import check_integer, unknown
from npintdim.measurement.recipes import RateSearch, fully_connected
from npintdim.measurement.runs import RunSpec
from npintdim.measurement.search import Search
from npintdim.objective import L2
from npintdim.projections import make_projection, projection_from_spec
from npintdim.rng import Stream
from npintdim.testing import to_numpy

CPU = nid.get_backend("numpy", threads=1)
NET = fully_connected(64, 10)
MODEL = nid.mlp([4, 3, 2], CPU)
SPARSE = {"kind": "sparse", "density": 0.5}
THINGS = [
    Linear(4, 2), Conv2D(1, 2, 3), LocallyConnected2D(1, 4, 4, 1, 2), MaxPool2D(2, 1), Unflatten(1, 2, 2), ReLU(),
    SGD(decay=0.1), Adam(decay=0.1, rule="torch"), nid.TrainConfig(), nid.ToyProblem(20, 5), L2(MODEL, MODEL.layout, 0.5),
    Search(100, first=3, threshold=0.5), RateSearch(d=3), Stream(1, 13, 2),
    RunSpec("digits", NET, SPARSE, 5, limit_train=500, holdout=0.5, best_epoch=0.5),
    nid.Recipe("digits", NET, (5, 10), first=3, at_once=2, lr_at=4, limit_train=500, best_epoch=0.5, threshold=0.5),
    *(make_projection(kind, 20, 5, 0, CPU) for kind in ("dense", "sparse", "fastfood")),
]  # fmt: skip
ALIKE = {
    "int": [np.int64, np.int32, np.uint16, np.array],
    "float": [np.float64, np.float32, np.longdouble, np.array, Fraction],
    "bool": [np.bool_, np.array],
    "str": [np.str_, np.array],
}
HUGE = 10**5000  # Python refuses to print it
MASKED = np.ma.array(3, mask=True)
WRONG = {
    "int": [True, np.True_, 2.0, np.float64(2), "3", Fraction(2), HUGE, -1, None, np.array([3]), MASKED, np.timedelta64(3)],
    "float": [True, "3", HUGE, None, np.nan, np.inf, -np.inf, 3j, b"1", np.array([0.5]), MASKED],
    "bool": [1, 0, "no", None, np.int64(1)],
    "str": [1, None, b"a"],
    "Spec": [None, 1, "x", [], {1: 2}, {"a": np.nan}, {"a": object()}, {"a": MASKED}],
}  # fmt: skip
CASES = [
    (thing, field.name, *field.type.partition(" | ")[::2])
    for thing in THINGS
    for field in fields(thing)
    if field.type.partition(" | ")[0] in WRONG
]


@pytest.mark.parametrize(("thing", "name", "kind", "other"), CASES, ids=lambda x: str(x)[:12])
def test_a_field_is_plain_or_refused_by_name(thing, name, kind, other):
    for wrong in WRONG[kind]:
        if not (wrong is None and other):
            with pytest.raises((TypeError, ValueError)) as refused:
                replace(thing, **{name: wrong})
            assert name in str(refused.value)
            assert len(str(refused.value)) < 250
    value = getattr(thing, name)
    for alike in ALIKE.get(kind, ()):
        given = alike(value)
        own = float(given) if kind == "float" else given.item()
        made, wanted = replace(thing, **{name: given}), replace(thing, **{name: own})
        assert type(getattr(made, name)) is type(getattr(wanted, name)) is type(own)
        assert repr(made) == repr(wanted)
        if hasattr(thing, "spec"):
            assert json.dumps(made.spec()) == json.dumps(wanted.spec())
        if not isinstance(thing, Stream | L2):
            assert pickle.dumps(made) == pickle.dumps(wanted)


def test_what_is_written_down_is_as_it_was():
    """Integers stay integers where numbers are wanted: records of earlier runs are found under these keys."""
    assert RunSpec("digits", NET, l2=0).spec()["l2"] == 0
    assert type(Adam(1).spec()["lr"]) is int
    assert Adam(np.float32(0.01)).lr == float(np.float32(0.01)) != 0.01
    plain = RunSpec("digits", NET, SPARSE, 5, seed=2)
    sizes = [np.int64(64), np.int16(10)]
    numpy = RunSpec(
        np.str_("digits"),
        {"architecture": "mlp", "sizes": sizes},
        {"kind": "sparse", "density": np.float64(0.5)},
        np.int32(5),
        seed=np.uint8(2),
    )
    assert numpy == plain
    assert numpy.key == plain.key
    assert nid.mlp(np.array([4, 3, 2]), CPU).spec() == MODEL.spec()
    assert type(nid.Model(MODEL.layers, (np.int64(4),), CPU).spec()["in_shape"][0]) is int
    assert ParamLayout((("W", (np.int32(1 << 16), np.int32(1 << 16))),)).D == 1 << 32


def test_a_recipe_in_numpy_numbers_is_measured(tmp_path):
    grid = tuple(np.geomspace(20, 150, 2).astype(int))
    numbers = {
        "seeds": np.int64(1),
        "direct_seeds": np.int8(1),
        "epochs": np.int32(3),
        "limit_train": np.int64(300),
    }
    recipe = nid.Recipe("digits", {"architecture": "mlp", "sizes": np.array([64, 10])}, grid, **numbers)
    assert recipe == nid.Recipe("digits", NET, (20, 150), **{k: int(v) for k, v in numbers.items()})
    found = measured(recipe, tmp_path)
    again = measured(recipe, tmp_path)
    assert [r["seconds"] for r in found.records] == [r["seconds"] for r in again.records]


LENET = nid.lenet((1, 16, 16), 4, CPU).spec()
LAYERS = {"in_shape": [4], "layers": [{"kind": "Linear", "n_in": 4, "n_out": 2}]}
BAD = [None, "-1", 1.5, 2, 1.0, [], {}, HUGE, -1]


@pytest.mark.parametrize(
    ("build", "spec"),
    [
        (lambda spec: model_from_spec(spec, CPU), LENET),
        (lambda spec: model_from_spec(spec, CPU), NET),
        (lambda spec: model_from_spec(spec, CPU), LAYERS),
        (lambda spec: model_from_spec(LAYERS | {"layers": [spec]}, CPU), LAYERS["layers"][0]),
        (lambda spec: model_from_spec({"in_shape": [1, 4, 4], "layers": [spec, {"kind": "Flatten"}]}, CPU),
         {"kind": "Conv2D", "c_in": 1, "c_out": 1, "k": 2, "stride": 1, "padding": 0, "name": "c"}),
        (lambda spec: projection_from_spec(spec, CPU), make_projection("fastfood", 20, 5, 0, CPU).spec()),
        (lambda spec: projection_from_spec(spec, CPU), make_projection("dense", 20, 5, 0, CPU).spec()),
        (lambda spec: projection_from_spec(spec, CPU), make_projection("sparse", 20, 5, 0, CPU).spec()),
        (optimizer_from_spec, Adam().spec()),
        (optimizer_from_spec, SGD().spec()),
        (RunSpec.from_spec, RunSpec("digits", NET, SPARSE, 5, limit_train=500, holdout=0.5, best_epoch=0.5).spec()),
        (RunSpec.from_spec, RunSpec("digits", LENET).spec()),
        (lambda spec: nid.Recipe("digits", spec, (5,)), LENET),
        (lambda spec: nid.Recipe("digits", NET, (5,), projection=spec), {"kind": "dense", "entries": "gaussian"}),
        (lambda spec: nid.Recipe("digits", NET, (5,), optimizer=spec), Adam().spec()),
    ],
)  # fmt: skip
def test_every_member_of_a_spec_is_checked(build, spec):
    build(json.loads(json.dumps(spec)))
    with pytest.raises(ValueError, match=r"unknown option of .*'sings'"):
        build(spec | {"sings": 1})
    for spoilt in (None, [], "adam", 3):
        with pytest.raises(
            (TypeError, ValueError), match=r"a dictionary is needed|unknown projection 'adam': choose"
        ):
            build(spoilt)  # a recipe takes the name of a kind of P alone
    for name, value in spec.items():
        for bad in BAD:
            optional = bad is None and (
                name == "density" or name in ("limit_train", "holdout", "best_epoch", "projection", "d")
            )
            number = type(value) in (int, float) and type(bad) in (int, float)  # 2 and 1.0 may be right there
            if optional or number or (name == "seed" and bad == 2) or type(bad) is type(value):
                continue
            with pytest.raises((TypeError, ValueError)):
                build(spec | {name: bad})


@pytest.mark.parametrize(
    "bad",
    [True, 1.0, 0, -3, "4", None, HUGE, [4]],
    ids=lambda bad: f"{bad!r:.9}" if bad is not HUGE else "huge",
)
def test_sizes_of_a_network_are_integers(bad):
    for spec in (NET | {"sizes": [64, bad]}, LENET | {"classes": bad}, LENET | {"in_shape": [1, 16, bad]},
                 LAYERS | {"in_shape": [bad]}, {"in_shape": [4], "layers": [{"kind": "Linear", "n_in": 4, "n_out": bad}]}):  # fmt: skip
        with pytest.raises((TypeError, ValueError)):
            model_from_spec(spec, CPU)


def test_what_a_spec_lacks_is_named():
    with pytest.raises(ValueError, match="'mlp' lacks sizes"):
        model_from_spec({"architecture": "mlp"}, CPU)
    with pytest.raises(ValueError, match="'Linear' lacks n_out"):
        model_from_spec({"in_shape": [4], "layers": [{"kind": "Linear", "n_in": 4}]}, CPU)
    with pytest.raises(
        ValueError,
        match="without 'kind': one of dense, sparse, fastfood, onehot, orthonormal, coordinates is needed",
    ):
        projection_from_spec({"D": 3, "d": 2, "seed": "0"}, CPU)
    with pytest.raises(ValueError, match="'dense' lacks D, seed"):
        projection_from_spec({"kind": "dense", "d": 2}, CPU)
    with pytest.raises(ValueError, match="the spec of a run lacks data"):
        RunSpec.from_spec({"model": NET})


@pytest.mark.parametrize(
    "value",
    ["x" * 5000, HUGE, [None] * 5000, np.zeros((50, 50)), {"a": "b" * 5000}],
    ids=["text", "integer", "list", "array", "dictionary"],
)
def test_a_message_does_not_repeat_a_long_input(value):
    for refused in (
        lambda: check_integer("d", value, 1, 8),
        lambda: nid.Recipe("digits", NET, value),
        lambda: nid.Recipe("digits", NET, (5,), optimizer=value),
        lambda: make_projection(value, 20, 5, 0, CPU),
        lambda: nid.TrainConfig(optimizer=value),
        lambda: model_from_spec({"architecture": value}, CPU),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            refused()
        assert len(str(caught.value)) < 300
        assert "\n" not in str(caught.value)
    assert len(str(unknown("dataset", value, ["digits"]))) < 200


def test_a_long_name_of_data_or_of_a_landscape_is_cut():
    for refused in (
        lambda: nid.load_dataset("x" * 5000),
        lambda: nid.load_dataset("digits+" + "x" * 5000),
        lambda: nid.objective_recipe("x" * 5000),
        lambda: nid.objective_recipe("x" * 5000 + ":y"),
    ):
        with pytest.raises(ValueError, match="x") as caught:
            refused()
        assert len(str(caught.value)) < 400


# ---- arrays ----


class Own(np.ndarray):
    """A subclass, of this module."""


class Column:
    """Like a column of pandas: no NumPy array, but one where NumPy asks; `get` is something else."""

    dtype = "a dtype of its own"

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        return Column(self.array[key])

    def get(self, key):
        raise AssertionError("it is not CuPy's")


def torch(array):
    return pytest.importorskip("torch", reason="torch is not installed").tensor(array)


def jax(array):
    return pytest.importorskip("jax.numpy", reason="jax is not installed").asarray(array)


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


X = np.arange(20, dtype=np.float32).reshape(5, 4)
LABELS = np.array([0, 1, 1, 0, 1])
THETA = MODEL.init_theta(0)
P = make_projection("fastfood", MODEL.D, 3, 0, CPU)
FROM = {
    "torch": torch,
    "jax": jax,
    "pandas": Column,
    "a subclass": lambda a: a.view(Own),
    "memory-mapped": lambda a: a.view(np.memmap),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": read_only,
    "Fortran order": np.asfortranarray,
    "long": lambda a: a.astype(np.longdouble) if a.dtype.kind == "f" else a.astype(np.uint64),
}


@pytest.mark.parametrize("library", FROM)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_arrays_of_other_libraries_give_the_same_numbers(library, backend):
    if nid.backend.missing(backend):
        pytest.skip(nid.backend.missing(backend))
    f, config = FROM[library], nid.TrainConfig(epochs=2, batch_size=2)
    model = nid.mlp([4, 3, 2], nid.get_backend(backend, threads=1))

    def data(f):
        return nid.Dataset("made", nid.Batch(f(X), f(LABELS)), nid.Batch(f(X), f(LABELS)), 2)

    made, theta = data(f), THETA if library == "long" else f(THETA)  # a run's theta keeps its precision
    assert type(made.train.x) is type(made.test.labels) is np.ndarray
    assert made.train.labels.dtype.isnative
    assert nid.train(model, theta, made, config).theta.tobytes() == nid.train(model, THETA, data(np.array), config).theta.tobytes()  # fmt: skip
    batch = nid.Batch(f(X), f(LABELS))
    loss, grad = MODEL.loss_and_grad(f(THETA), batch)
    assert loss == MODEL.loss_and_grad(THETA, nid.Batch(X, LABELS))[0]
    assert MODEL.evaluate(f(THETA), batch) == MODEL.evaluate(THETA, nid.Batch(X, LABELS))
    np.testing.assert_array_equal(P.adjoint(f(grad)), P.adjoint(grad))
    np.testing.assert_array_equal(P @ f(np.ones((3, 2))), P @ np.ones((3, 2)))
    np.testing.assert_array_equal(CPU.host(f(X)), X)
    objective = nid.SubspaceObjective(MODEL, f(THETA), P)
    assert objective.loss_and_grad(f(np.zeros(3)), batch)[0] == loss
    assert namespace(f(X)) is np


def test_a_mask_is_refused_everywhere():
    masked = np.ma.masked_less(X, 1)
    labels, batch = np.ma.masked_equal(LABELS, 0), nid.Batch(X, LABELS)
    for refused in (
        lambda: nid.Dataset("made", nid.Batch(masked, LABELS), batch, 2),
        lambda: nid.Dataset("made", batch, nid.Batch(X, labels), 2),
        lambda: MODEL.loss_and_grad(THETA, nid.Batch(masked, LABELS)),
        lambda: MODEL.evaluate(THETA, nid.Batch(X, labels)),
        lambda: MODEL.loss_and_grad(np.ma.array(THETA), batch),
        lambda: P.apply(np.ma.array(np.ones(3))),
        lambda: P.adjoint(np.ma.array(THETA)),
        lambda: P @ np.ma.array(np.ones((3, 2))),
        lambda: CPU.send(masked),
        lambda: CPU.host(masked),
        lambda: nid.SubspaceObjective(MODEL, np.ma.array(THETA), P),
        lambda: nid.train(MODEL, np.ma.array(THETA), None, nid.TrainConfig()),
        lambda: nid.ToyProblem(20, 5).loss_and_grad(np.ma.ones(20), nid.Batch()),
        lambda: nid.d_int([10, 20], np.ma.array([0.5, 0.9], mask=[0, 1]), baseline=[0.9]),
        lambda: nid.d_int(np.ma.array([10, 20]), [0.5, 0.9], baseline=[0.9]),
        lambda: nid.d_int([10, 20], [0.5, 0.9], baseline=np.ma.ones(2)),
        lambda: kmeans(np.ma.array([0.5, 0.9]), 2),
        lambda: to_numpy(np.ma.ones(2)),
        lambda: nid.CompressedModel.from_parts(MODEL, 0, P, np.ma.ones(3)),
    ):
        with pytest.raises(TypeError, match="is a masked array: fill, or leave out, what is masked"):
            refused()


def test_what_does_not_convert_says_why():
    grad = pytest.importorskip("torch", reason="torch is not installed").ones(3, requires_grad=True)
    with pytest.raises(
        TypeError, match=r"theta_d is a torch\.Tensor that does not become a NumPy array: .*grad"
    ):
        P.apply(grad)
    with pytest.raises(TypeError, match=r"theta is a list: an array of shape \(23,\) is needed"):
        nid.train(MODEL, THETA.tolist(), None, nid.TrainConfig())


# ---- NumPy's settings ----


def test_the_settings_of_numpy_do_not_count(tmp_path):
    x = 1e3 * X  # logits so far apart that exp underflows
    data = nid.Dataset("made", nid.Batch(x, LABELS), nid.Batch(x, LABELS), 2)
    recipe = nid.Recipe("digits", NET, (20, 150), seeds=1, direct_seeds=2, epochs=3, limit_train=300)

    def everything(folder):
        run = nid.train(MODEL, THETA, data, nid.TrainConfig(epochs=2, batch_size=2))
        toy = nid.ToyProblem(20, 5)
        return (
            run.theta.tolist(), MODEL.evaluate(THETA, data.test), float(MODEL.loss_and_grad(THETA, data.train)[0]),
            toy.evaluate(1e3 * np.ones(20)), nid.train(toy, np.ones(20), None, nid.TrainConfig(SGD(1e3))).status,
            nid.dot_test(P), nid.CompressedModel.from_parts(MODEL, 0, P, np.full(3, 1e-40)).evaluate(data.test),
            measured(recipe, folder).d_int,
        )  # fmt: skip

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        usual = everything(tmp_path / "usual")
        assert usual[4] == "diverged"
        for settings in ({"all": "raise"}, {"all": "warn"}, {"under": "raise"}):
            with np.errstate(**settings):
                assert everything(tmp_path / str(settings)) == usual
                with pytest.raises((FloatingPointError, RuntimeWarning)):
                    np.exp(np.float32(-200.0)) if "warn" not in settings.values() else np.float32(1e30) ** 2
