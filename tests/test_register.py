"""Layers, initializers and projections of one's own are named in specs, files and recipes, in every process."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from helpers import measured, python
from registered import P_SPEC, SPEC, Coordinates, Softplus, Uniform

import npintdim as nid
from npintdim.artefact.mdl import describe
from npintdim.engine.initializers import Ones, Zeros
from npintdim.engine.layers import LAYERS
from npintdim.measurement.sweep import runner, sweep
from npintdim.measurement.work import Where
from npintdim.projections import KINDS, check_projection
from npintdim.specs import KINDS_OF, own_kinds

NUMPY = nid.get_backend("numpy", threads=1)
OWN = {"layer": Softplus, "initializer": Uniform, "projection": Coordinates}
for what, cls in OWN.items():  # by the import, which is no affair of other tests
    assert KINDS_OF[what].kinds.pop(getattr(cls, KINDS_OF[what].name)) is cls
RUN = nid.RunSpec("digits", SPEC, P_SPEC, 20, epochs=1, limit_train=128)


@pytest.fixture(autouse=True)
def registered(own_tables):
    for cls in OWN.values():
        nid.register(cls)


def test_a_spec_names_them_and_says_the_same_again():
    net = nid.model_from_spec(json.loads(json.dumps(SPEC)), NUMPY)
    assert [type(layer).__name__ for layer in net.layers] == ["Linear", "Softplus", "Linear"]
    assert net.layers[0].init == Uniform(0.2) and net.layers[1].b == 2 and net.layers[2].init is None
    assert net.spec() == SPEC
    assert SPEC["layers"][0]["init"] == {"kind": "Uniform", "a": 0.2} and "init" not in SPEC["layers"][2]
    theta_0 = net.init_theta(0)
    assert 0.15 < abs(theta_0[: 64 * 12]).max() <= 0.2
    P = nid.make_projection(D=net.D, d=20, seed=1, backend=NUMPY, **P_SPEC)
    assert P == Coordinates(net.D, 20, 1, NUMPY, 3) == nid.projection_from_spec(P.spec(), NUMPY)
    check_projection(P_SPEC)
    with pytest.raises(ValueError, match="start is -1"):
        check_projection(P_SPEC | {"start": -1})


@pytest.mark.parametrize(
    "layer", [nid.Linear(3, 2), nid.Conv2D(1, 2, 3), nid.LocallyConnected2D(1, 4, 4, 2, 3)], ids=str
)
def test_every_kernel_can_begin_otherwise(layer):
    other = replace(layer, init={"kind": "Zeros"})
    assert other == replace(layer, init=nid.Zeros())
    assert other.initializers()["W"] == nid.Zeros() != layer.initializers()["W"]
    assert replace(layer, init=layer.initializers()["W"]).initializers() == layer.initializers()


def test_a_file_names_them(tmp_path):
    net = nid.model_from_spec(SPEC, NUMPY)
    P = Coordinates(net.D, 5, 1, NUMPY)
    kept = nid.CompressedModel.from_parts(net, 0, P, np.arange(5.0))
    kept.save(tmp_path / "own.npid")
    assert np.array_equal(nid.CompressedModel.load(tmp_path / "own.npid").theta(), kept.theta())
    code = f"import npintdim as nid; nid.CompressedModel.load({str(tmp_path / 'own.npid')!r})"
    run = python("-c", code)
    assert "unknown initializer 'Uniform'" in run.stderr and "the module that registers it" in run.stderr


@pytest.mark.parametrize(
    ("layers", "P", "named"),
    [
        ([nid.Linear(64, 10), Softplus()], "fastfood", "softplus1 is a Softplus"),
        ([nid.Linear(64, 10, init=Uniform(1.0))], "fastfood", "it is a Uniform"),
        ([nid.Linear(64, 10)], "own_coordinates", "it is a Coordinates"),
    ],
)
def test_no_certificate_for_what_is_registered(layers, P, named):
    net = nid.Model(layers, (64,), NUMPY)
    kept = nid.CompressedModel.from_parts(net, 0, nid.make_projection(P, net.D, 1, 1, NUMPY), np.ones(1))
    with pytest.raises(TypeError, match=f"{named}, whose code the description does not pay for"):
        describe(kept)


def test_an_initializer_of_the_package_is_paid_for():
    def bits(layer):
        net = nid.Model([layer], (64,), NUMPY)
        P = nid.make_projection("fastfood", net.D, 1, 1, NUMPY)
        return describe(nid.CompressedModel.from_parts(net, 0, P, np.ones(1)))["network"]

    assert bits(nid.Linear(64, 10, init=nid.HeNormal(7))) > bits(nid.Linear(64, 10)) + 8 * len('"init":{}')


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_finds_them_in_its_processes(tmp_path, jobs):
    runs = [RUN, replace(RUN, d=30)]
    records = sweep(runs, tmp_path, backend="numpy", jobs=jobs, progress=False)
    assert [r["status"] for r in records] == ["finished"] * 2, records
    assert set(own_kinds(RUN.spec())) == {Softplus, Uniform, Coordinates}


def test_what_a_script_registers_is_known_to_one_process_only(monkeypatch):
    monkeypatch.setattr(Softplus, "__module__", "__main__")
    assert runner([RUN, RUN], Where("numpy")).width == 1
    with pytest.raises(ValueError, match="jobs is 2, but other processes do not know 'here:Softplus'"):
        runner([RUN, RUN], Where("numpy", jobs=2))


def test_a_measurement_names_them(tmp_path):
    recipe = nid.Recipe(
        "digits", SPEC, (20, 40), P_SPEC, seeds=1, direct_seeds=1, epochs=1, batch_size=64, threshold=0.01
    )
    m = measured(recipe, tmp_path, progress=False)
    assert not m.failed and m.compressed is not None


def test_a_process_without_the_module_says_what_to_import(tmp_path):
    (tmp_path / "spec.json").write_text(json.dumps(SPEC | {"layers": [{"kind": "Softplus"}]}))
    code = "import json, npintdim as nid; nid.model_from_spec(json.load(open('spec.json')))"
    run = python("-c", code, cwd=tmp_path)
    assert "One of your own is known where the module that registers it was imported" in run.stderr


def layer(name="Mine", frozen=True, **body):
    own = {"out_shape": len, "forward": len, "backward": len} | body
    return dataclass(frozen=frozen)(type(name, (nid.ParameterFree,), {"__module__": __name__, **own}))


def undecorated():
    return type("Mine", (nid.ParameterFree,), {"out_shape": len, "forward": len, "backward": len})


class Mutable(nid.Initializer):
    draw = len


REFUSED = {
    "no class": (lambda: "Linear", TypeError, "'Linear' cannot be registered: a subclass of one of"),
    "another class": (lambda: Path, TypeError, "cannot be registered: a subclass of one of .*Projection"),
    "a method too few": (lambda: dataclass(frozen=True)(type("Mine", (nid.ParameterFree,), {"forward": len})),
                         TypeError, "Mine lacks backward, out_shape"),
    "not frozen": (lambda: dataclass(Mutable), TypeError, "Mutable is no frozen dataclass"),
    "the decorators the wrong way round": (undecorated, TypeError, "frozen=True.* is needed below @register"),
    "a field kind": (lambda: layer(__annotations__={"kind": str}, kind="x"), TypeError, "Mine has a field 'kind'"),
    "no identifier": (lambda: layer("my-layer"), ValueError, "my-layer has the name 'my-layer': an identifier is"),
    "P without a name": (lambda: dataclass(frozen=True)(type("Q", (Coordinates,), {"kind": None})),
                         ValueError, "Q has the name None"),
    "the package's": (lambda: layer("ReLU"), ValueError, r"'ReLU' is taken by npintdim\.engine\.layers\.elementwise\.ReLU"),
    "another's": (lambda: layer("Softplus"), ValueError, r"'Softplus' is taken by registered\.Softplus"),
    "the package's P": (lambda: dataclass(frozen=True)(type("Q", (KINDS["dense"],), {})), ValueError, "'dense' is taken"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        nid.register(make())
    assert nid.model_from_spec(SPEC, NUMPY).spec() == SPEC


def test_a_class_that_is_defined_again_takes_the_old_ones_place():
    first, second = layer("Again"), layer("Again")
    assert nid.register(first) is first and nid.register(first) is first and nid.register(second) is second
    assert LAYERS["Again"] is second


@dataclass(frozen=True)
class Shift(nid.Layer):
    """y = x ∘ a + b, whose initializers stand in another order than its parameters."""

    n: int

    def param_shapes(self):
        return {"a": (self.n,), "b": (self.n,)}

    def initializers(self):
        return {"b": Zeros(), "a": Ones()}

    def out_shape(self, in_shape):
        return in_shape

    def forward(self, backend, params, x):
        return x * params["a"] + params["b"], x

    def backward(self, backend, params, cache, dy, need_dx=True):
        return dy * params["a"], {"a": (dy * cache).sum(axis=0), "b": dy.sum(axis=0)}


def test_initializers_are_found_by_name():
    net = nid.Model([Shift(3)], in_shape=(3,), backend=NUMPY)
    np.testing.assert_array_equal(net.init_theta(0), [1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("part", "gives", "message"),
    [
        (
            "initializers",
            {"a": Ones()},
            r"shift1 has initializers for \['a'\]: those of \['a', 'b'\] are needed",
        ),
        ("backward", (None, {"a": np.ones(3)}), r"shift1: the gradient of b is missing: \(3,\) is needed"),
        (
            "backward",
            (None, {"a": 1.0, "b": 1.0}),
            r"shift1: the gradient of a has shape \(\): \(3,\) is needed",
        ),
        ("out_shape", None, "the out_shape of shift1 is None: a list of integers is needed"),
    ],
)
def test_what_a_layer_gives_is_looked_at(monkeypatch, part, gives, message):
    monkeypatch.setattr(Shift, part, lambda *given, **named: gives)
    with pytest.raises((TypeError, ValueError), match=message):
        net = nid.Model([Shift(3)], in_shape=(3,), backend=NUMPY)
        net.loss_and_grad(net.init_theta(0), nid.Batch(np.ones((2, 3)), np.array([0, 1])))
