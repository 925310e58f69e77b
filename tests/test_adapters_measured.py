"""A recipe names a parametrisation, and a θ_0 that another task has trained; d counts what is trained."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import measured

import npintdim as nid
from npintdim.data import load_dataset
from npintdim.data.tasks import rotated_images
from npintdim.measurement.runs import RunSpec, begin, objective, parts_of_run, run
from npintdim.reproduce import REPRODUCTIONS
from npintdim.reproduce.adapters import METHODS
from npintdim.reproduce.cases import task_of

NUMPY = nid.get_backend("numpy", threads=1)
NET = {"architecture": "mlp", "sizes": [64, 10, 10]}
LORA = RunSpec("digits", NET, d=94, parametrisation={"kind": "lora"}, epochs=1)


def test_a_run_of_lora_trains_d_numbers():
    data = load_dataset("digits")
    record, v = run(LORA.check(), NUMPY, data)
    assert record["status"] == "finished" and v.shape == (94,) and record["D"] == 760
    assert RunSpec.from_spec(record["spec"]) == LORA
    landscape, start = objective(LORA, NUMPY, data)
    assert landscape.parametrisation.spec()["r"] == 1  # 94 = 64 + 10 + 10 + 10
    assert np.array_equal(landscape.theta(start), begin(LORA, parts_of_run(LORA, NUMPY)[0]))


def test_old_keys_stay():
    """What is None is left out of the spec."""
    assert not {"parametrisation", "pretrained"} & set(RunSpec("digits", NET).spec())


def test_pre_training_is_where_its_direct_run_ends():
    spec = RunSpec(
        "digits+classes=5-9", NET, {"kind": "fastfood"}, 20, seed=2, epochs=1,
        pretrained={"data": "digits+classes=0-4", "epochs": 2},
    )  # fmt: skip
    before = RunSpec("digits+classes=0-4", NET, seed=2, epochs=2)
    assert spec.before() == before == replace(spec, holdout=0.2).before()  # a trial of rates begins there too
    _, theta = run(before, NUMPY, load_dataset("digits+classes=0-4"))
    landscape, start = objective(spec, NUMPY, load_dataset("digits+classes=5-9"))
    assert np.array_equal(landscape.theta(start), theta)
    assert np.array_equal(
        begin(replace(spec, d=50), parts_of_run(spec, NUMPY)[0]), theta
    )  # the same for every d


def test_a_measurement_of_an_adapter(tmp_path):
    recipe = nid.Recipe(
        "digits", NET, (94, 188), parametrisation={"kind": "lora"}, seeds=1, direct_seeds=1, epochs=2,
        optimizer=nid.Adam(0.03).spec(),
    )  # fmt: skip
    m = measured(recipe, tmp_path)
    assert not m.failed and m.compressed is None
    assert {r["spec"]["d"] for r in m.records if "d" in r["spec"]} == {94, 188}
    assert "lora" in (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()[0]
    assert nid.load_measurement(tmp_path).recipe.parametrisation == {"kind": "lora"}


def test_of_projection_and_parametrisation_none_is_dropped():
    with pytest.raises(
        ValueError, match=r"projection is .*dense.* and parametrisation .*lora.*: one of them is needed"
    ):
        nid.Recipe("digits", NET, (94,), projection="dense", parametrisation={"kind": "lora"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"projection": {"kind": "dense"}}, "one of them is needed"),
        ({"d": None}, "both or neither are needed"),
        ({"parametrisation": {"kind": "lorra"}}, "Did you mean 'lora'"),
        ({"parametrisation": {"kind": "lora", "rank": 2}}, "unknown option of 'lora' 'rank'"),
        ({"pretrained": {"data": "digits", "epoch": 3}}, "epoch"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(LORA, **changes).check()


def test_some_classes_keep_their_labels():
    whole, part = load_dataset("digits"), load_dataset("digits+classes=5-9")
    assert part.classes == 10 and set(part.train.labels) == {5, 6, 7, 8, 9}
    assert len(part.train) == np.sum(whole.train.labels >= 5)
    with pytest.raises(ValueError, match="0 ≤ LOW ≤ HIGH < 10"):
        load_dataset("digits+classes=7-3")


def test_images_are_turned():
    x = np.arange(2 * 9, dtype=np.float32).reshape(2, 1, 3, 3)
    np.testing.assert_allclose(rotated_images(x, 90)[0, 0], np.rot90(x[0, 0]), atol=1e-5)
    np.testing.assert_array_equal(rotated_images(x, 0), x)
    np.testing.assert_allclose(rotated_images(rotated_images(x, 180), 180), x, atol=1e-4)
    digits = load_dataset("digits+rotated=60")
    assert digits.train.x.shape == load_dataset("digits").train.x.shape
    assert digits.train.x.min() >= 0 and digits.train.x.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", [name for name in REPRODUCTIONS if name.startswith("adapters")])
def test_every_number_of_the_measurement_can_be_trained(name):
    """Each d of each method is a number that it can train on the network of the recipe."""
    cases = REPRODUCTIONS[name].cases
    assert [case.label for case in cases] == list(METHODS) and len(METHODS) == 13
    for recipe in (case.recipe for case in cases):
        assert recipe.rates.d in recipe.d
        for d in recipe.d:
            recipe.subspace(d, 0).check()
            if recipe.parametrisation:
                model, theta_0, _ = parts_of_run(replace(recipe.subspace(d, 0), pretrained=None), NUMPY)
                made = nid.adapters.adapter_of(recipe.parametrisation, d, model.layout, theta_0, 0, NUMPY)
                assert made.dim == d


def test_other_data_are_made_into_the_same_tasks():
    """--data FILE.npz: five of its classes after the other five; what a recipe only reads otherwise is not carried on."""
    recipe = REPRODUCTIONS["adapters-cifar"].changed(data="my.npz").cases[0].recipe
    assert (recipe.data, recipe.pretrained["data"]) == ("my.npz+classes=5-9", "my.npz+classes=0-4")
    scratch = REPRODUCTIONS["pretraining-cifar"].changed(data="my.npz").cases[0].recipe
    assert (scratch.data, scratch.pretrained) == ("my.npz+classes=5-9", None)
    turned = REPRODUCTIONS["adapters-rotated"].changed(data="kmnist").cases[0].recipe
    assert (turned.data, turned.pretrained["data"]) == ("kmnist+rotated=60", "kmnist")
    assert (task_of("FOLDER/+side=256+crop=224"), task_of("mnist")) == ("", "")


def test_quick_does_not_take_the_first_images_of_a_sorted_file():
    for name in ("adapters-cifar", "pretraining-cifar"):
        assert all(case.recipe.limit_train is None for case in REPRODUCTIONS[name].quick().cases)
    assert all(case.recipe.limit_train == 5_000 for case in REPRODUCTIONS["adapters"].quick().cases)
