"""Data and functions of one's own are known by what they are: a changed one is never mistaken for the old one."""

import functools
import importlib
import pickle
import sys
import warnings
from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.measurement.content import content_of
from npintdim.measurement.custom import HERE, Name, named
from npintdim.measurement.digest import Digest
from npintdim.measurement.recipes import adam
from npintdim.measurement.runs import RunSpec

NUMPY = nid.get_backend("numpy", threads=1)
NET = nid.mlp([6, 8, 3], NUMPY)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)
NUMBERS = {"optimizer": adam(0.1), "direct_optimizer": adam(0.03), "seeds": 1, "direct_seeds": 1, "epochs": 2,
           "batch_size": 30}  # fmt: skip


def data(x=X, labels=LABELS):
    return nid.Dataset("mine", nid.Batch(x[:60], labels[:60]), nid.Batch(x[60:], labels[60:]), 3)


def warned(recipe, folder):
    """What a measurement warns of whose runs all end well."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        m = measured(recipe, folder)
    assert all(r["status"] == "finished" for r in m.records)
    return [str(w.message) for w in told]


def runs(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "runs").glob("*.json")}


@pytest.mark.parametrize("kind", [nid.Batch, nid.Examples])
def test_the_digest_of_data_is_what_it_was_before_its_parts_were_examples(kind):
    part = kind(np.arange(24.0).reshape(8, 3), np.arange(8) % np.int64(2))
    two, one = (nid.Dataset("d", part, test, 2) for test in (kind(part.x[:2], part.labels[:2]), part))
    assert Digest([]).of(two) == "38f0c97e6764f200ea3bf29dff7f4ffdb012904964255051de2f5bcaf3805e39"
    assert Digest([]).of(one) == "7240bb7da16c398880d36c8ce26b6f4361f058f805ae8b9aa328623025ff9d0e"


def test_a_variable_of_the_function_around_counts_once_it_has_a_value():
    def digests(value):
        def landscape():
            return later

        before = Digest([]).of(landscape)
        later = value
        return before, Digest([]).of(landscape)

    (empty, one), (same, two) = digests(1), digests(2)
    assert empty == same and len({empty, one, two}) == 3


CHANGES = {
    "an example": lambda: data(np.where(np.arange(540).reshape(90, 6) == 7, np.float32(9), X)),
    "a label": lambda: data(labels=np.where(np.arange(90) == 80, (LABELS + 1) % 3, LABELS)),
    "their type": lambda: data(X.astype(np.float64)),
    "their shape": lambda: data(X.reshape(90, 2, 3)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_numbers_under_the_same_name_train_anew(tmp_path, change):
    recipe = nid.Recipe(data(), NET, (4,), projection="dense", **NUMBERS)
    assert warned(recipe, tmp_path) == []
    first = runs(tmp_path)
    assert warned(nid.Recipe(data(X.copy()), NET, (4,), projection="dense", **NUMBERS), tmp_path) == []
    assert runs(tmp_path) == first
    told = warned(nid.Recipe(CHANGES[change](), NET, (4,), projection="dense", **NUMBERS), tmp_path)
    assert told == ["kept 0, new 2, because mine changed since the old runs"]
    assert len(runs(tmp_path)) == 4 and runs(tmp_path).items() >= first.items()
    assert warned(recipe, tmp_path) == []  # the former are still known
    assert len(runs(tmp_path)) == 4


def test_arrays_that_were_changed_in_place(tmp_path):
    x = X.copy()
    recipe = nid.Recipe(data(x), NET, (4,), **NUMBERS)
    warned(recipe, tmp_path)
    x[:] *= 2
    assert warned(recipe, tmp_path) == ["kept 0, new 2, because mine changed since the old runs"]


def test_a_recipe_keeps_the_data_it_was_made_with(tmp_path):
    """Whatever gets that name before it is measured."""
    numbers = NUMBERS | {"projection": "dense"}
    before = nid.Recipe(data(), NET, (4,), **numbers)
    alone = measured(before, tmp_path / "alone")
    later = nid.Recipe(data(labels=(LABELS + 1) % 3), NET, (4,), **numbers)
    one = measured(before, tmp_path / "one")
    other = measured(later, tmp_path / "other")
    assert [r["loss"] for r in one.records] == [r["loss"] for r in alone.records]
    assert one.recipe.content == alone.recipe.content != other.recipe.content
    bare = asdict(replace(before, d=(5,)))["data"]  # as it is read from a file: the last of that name
    assert (
        type(bare) is str and Name(bare).thing() is Name(later.data).thing() is not Name(before.data).thing()
    )
    assert (
        pickle.loads(pickle.dumps(before)) == before and type(pickle.loads(pickle.dumps(before)).data) is str
    )


def test_a_recipe_keeps_the_function_it_was_made_with(tmp_path):
    recipes, backend = [], nid.get_backend("numpy", threads=1)
    for width in (4, 6):

        def make(d, seed, width=width):
            model = nid.mlp([6, width, 3], backend)
            P = nid.make_projection("dense", model.D, d or 1, seed, backend)
            return model if d is None else nid.SubspaceObjective(model, model.init_theta(seed), P)

        recipes.append(nid.objective_recipe(make, data(), d=(4,), **NUMBERS))
    folders = tmp_path / "4", tmp_path / "6"
    sizes = [measured(r, f).D for r, f in zip(recipes, folders, strict=True)]
    assert sizes == [nid.mlp([6, width, 3]).D for width in (4, 6)]


def test_two_things_of_one_name_in_one_sweep_are_two(tmp_path):
    specs = [
        RunSpec(named(data(labels=(LABELS + k) % 3)), NET.spec(), epochs=2, batch_size=30) for k in range(2)
    ]
    one, other = nid.sweep(specs, tmp_path, backend="numpy", jobs=1)
    assert one["loss"] != other["loss"] and len(runs(tmp_path)) == 2
    with pytest.raises(
        ValueError, match="other processes do not know 'here:mine': two of them have that name: give each"
    ):
        nid.sweep(specs, tmp_path / "two", backend="numpy", jobs=2)


def test_a_sweep_knows_it_too(tmp_path):
    spec = RunSpec(named(data()), NET.spec(), epochs=2, batch_size=30)
    others = {"backend": "numpy", "jobs": 1}
    (a,) = nid.sweep([spec], tmp_path, **others)
    spec = replace(spec, data=named(data(2 * X)))
    with pytest.warns(UserWarning, match="^kept 0, new 1, because mine changed"):
        (b,) = nid.sweep([spec], tmp_path, **others)
    assert a["loss"] != b["loss"] and a["spec"]["content"] != b["spec"]["content"]


SOURCE = """
import numpy as np
import npintdim as nid
from {package}.inner import FACTOR

SCALE = 1.0
CALLS = 0


def helper(problem):
    return np.full(problem.dim, SCALE * FACTOR)


class Direct:
    def __init__(self, problem):
        self.problem, self.dim = problem, problem.dim

    def start(self):
        return helper(self.problem)

    def loss_and_grad(self, theta, batch):
        return self.problem.loss_and_grad(theta, batch)

    def evaluate(self, theta, data):
        return self.problem.evaluate(theta, data)


def unused():
    return 1


def make(d, seed, s=5):
    global CALLS
    CALLS += 1
    problem = nid.ToyProblem(D=60, s=s)
    if d is None:
        return Direct(problem)
    P = nid.make_projection("dense", 60, d, seed, nid.get_backend("numpy", threads=1))
    return nid.SubspaceObjective(problem, helper(problem), P)
"""
EDITS = {
    "the function": ("nid.ToyProblem(D=60, s=s)", "nid.ToyProblem(D=60, s=s + 1)", True),
    "a default": ("def make(d, seed, s=5)", "def make(d, seed, s=6)", True),
    "a function that it calls": ("np.full(problem.dim, SCALE", "np.full(problem.dim, 1.5 * SCALE", True),
    "a class": (
        "return self.problem.evaluate(theta, data)",
        "return self.problem.evaluate(0.9 * theta, data)",
        True,
    ),
    "a number of its module": ("SCALE = 1.0", "SCALE = 2.0", True),
    "another module of its package": ("FACTOR = 1", "FACTOR = 3", True),
    "what it does not use": ("return 1\n", "return 2\n", False),
    "a counter of its own": ("CALLS = 0", "CALLS = 7", False),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_function_trains_anew(tmp_path, monkeypatch, edit):
    package = "own_" + edit.replace(" ", "_")
    home = tmp_path / package
    home.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(old="", new=""):
        (home / "__init__.py").write_text("")
        (home / "inner.py").write_text("FACTOR = 1\n".replace(old, new))
        (home / "problem.py").write_text(SOURCE.format(package=package).replace(old, new))
        for name in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[name]
        importlib.invalidate_caches()
        importlib.import_module(f"{package}.problem")

    recipe = nid.objective_recipe(
        f"{write() or package}.problem:make", d=(3,), seeds=1, direct_seeds=1, epochs=1, optimizer=adam(0.1)
    )
    assert warned(recipe, tmp_path / "m") == []
    assert warned(recipe, tmp_path / "m") == []
    assert len(runs(tmp_path / "m")) == 2
    old, new, counts = EDITS[edit]
    write(old, new)
    told = warned(recipe, tmp_path / "m")
    assert len(runs(tmp_path / "m")) == (4 if counts else 2)
    assert told == [f"kept 0, new 2, because {package}.problem:make changed since the old runs"] * counts


def test_a_file_that_was_edited_but_not_loaded_again_is_neither_the_old_nor_the_new(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "own_stale.py"

    def digest():
        return content_of("digits", {"objective": "own_stale:make"})["objective"]

    file.write_text("def make(d, seed):\n    return d\n")
    module = importlib.import_module("own_stale")
    old = digest()
    file.write_text("# longer now\ndef make(d, seed):\n    return seed\n")
    between = digest()  # the old function still runs
    importlib.reload(module)
    assert len({old, between, digest()}) == 3


def closure(factor):
    def make(d, seed):
        return factor

    return make


def test_what_a_digest_sees():
    def of(thing):
        HERE["here:thing"] = thing
        return content_of("digits", {"objective": "here:thing"})["objective"]

    assert of(closure(2)) == of(closure(2)) != of(closure(3))
    assert of(closure(np.arange(3))) == of(closure(np.arange(3))) != of(closure(np.arange(3.0)))
    assert of(closure({"a": [1, 2]})) != of(closure({"a": [1, 3]}))
    assert (
        of(functools.partial(closure, 2))
        == of(functools.partial(closure, 2))
        != of(functools.partial(closure, 3))
    )
    texts = (
        "def f(d, seed):\n    return 1",
        "def f(d, seed):\n    return 2",
    )  # without a source, as in a shell
    shell = []
    for text in (*texts, "\n\n" + texts[0]):
        space = {"__name__": "__main__"}
        exec(compile(text, "<stdin>", "exec"), space)
        shell.append(of(space["f"]))
    assert shell[0] == shell[2] != shell[1]


def test_what_it_does_not_see_is_said():
    HERE["here:thing"] = closure(np.random.default_rng(0))
    with pytest.warns(
        UserWarning, match=r"not seen: what Generator\(PCG64\) at 0x[0-9A-F]+ holds. When that changes"
    ):
        content_of("digits", {"objective": "here:thing"})

    def absent():
        raise OSError("only the workers have it")

    HERE["here:absent"] = absent
    with pytest.warns(UserWarning, match="not seen: what here:absent returns, it cannot be called here"):
        content = content_of("here:absent", NET.spec())
    assert set(content) == {"data"}


def test_what_a_function_returns_is_what_counts(tmp_path):
    np.save(tmp_path / "x.npy", X)

    def mine():
        return data(np.load(tmp_path / "x.npy"))

    recipe = nid.Recipe(mine, NET, (4,), **NUMBERS)
    warned(recipe, tmp_path)
    np.save(tmp_path / "x.npy", X + 1)
    (told,) = warned(recipe, tmp_path)
    assert told.startswith("kept 0, new 2, because ")


def test_runs_of_the_package_s_data_are_kept_under_the_keys_they_had():
    spec = RunSpec("digits", {"architecture": "mlp", "sizes": [64, 10]})
    assert spec.key == replace(spec, content=None).key and "content" not in spec.spec()
    assert content_of("digits", spec.model) is content_of("none", spec.model) is None


def test_a_registered_layer_is_looked_into(own_tables):
    def scale(factor):
        @nid.register
        @dataclass(frozen=True)
        class Scaled(nid.ParameterFree):
            def out_shape(self, in_shape):
                return in_shape

            def forward(self, backend, params, x):
                return factor * x, None

            def backward(self, backend, params, cache, dy, need_dx=True):
                return factor * dy, {}

        return nid.Model([nid.Linear(6, 5), Scaled(), nid.Linear(5, 3)], (6,), NUMPY).spec()

    first = content_of("digits", scale(2.0))
    assert list(first) == ["kinds"] and first == content_of("digits", scale(2.0)) != content_of(
        "digits", scale(3.0)
    )


def test_objects_stand_for_their_specs():
    by_spec = nid.Recipe(
        "digits", {"architecture": "mlp", "sizes": [64, 10]}, (5, 9), {"kind": "dense"}, adam(0.1), adam(0.2)
    )
    net = nid.mlp([64, 10])
    for d in (range(5, 13, 4), np.array([5, 9]), [np.int64(5), (9.0).__int__()]):
        assert nid.Recipe("digits", net, d, "dense", nid.Adam(0.1), nid.Adam(0.2)) == by_spec
    assert nid.Recipe("digits", net, 5).d == nid.Recipe("digits", net, np.int32(5)).d == (5,)
    assert RunSpec("digits", net, optimizer=nid.SGD(0.1)) == RunSpec(
        "digits", net.spec(), optimizer=nid.SGD(0.1).spec()
    )


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"l2": 10.0}, "l2 is 10.0, but a landscape of your own has its own loss"),
        ({"projection": "dense"}, "projection is .*dense.*, but a landscape of your own draws its own P"),
        ({"limit_train": 5}, "limit_train is 5, but there are no training data"),
        ({"batch_size": 7}, "batch_size is 7, but there are no training data"),
        ({"best_epoch": 0.2}, "best_epoch is 0.2, but there are no training data"),
        (
            {"pretrained": {"data": "digits"}},
            "pretrained is .*, but a landscape of your own begins where it says",
        ),
    ],
)
def test_what_a_landscape_of_one_s_own_cannot_honour_is_refused(numbers, says):
    with pytest.raises(ValueError, match=says):
        nid.objective_recipe(closure(1), **numbers)


@pytest.mark.parametrize("d", ["30", {"a": 1}, 3.5, (), [0], np.ones(2), object()])
def test_no_grid(d):
    with pytest.raises((TypeError, ValueError), match=r"^d is |^the grid of d is empty"):
        nid.Recipe("digits", NET, d)


def make_net(d, seed):
    net = nid.mlp([6, 8, 3], NUMPY)
    if d is None:
        return net
    return nid.SubspaceObjective(
        net, net.init_theta(seed), nid.make_projection("dense", net.D, d, seed, NUMPY)
    )


def test_a_network_of_the_package_is_a_baseline_as_it_is(tmp_path):
    recipe = nid.objective_recipe(make_net, data(), d=(4,), **NUMBERS)
    m = measured(recipe, tmp_path)
    assert m.D == NET.D and m.records[0]["status"] == "finished"
