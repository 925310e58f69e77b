"""Arrays, lists and tables of one's own as a data set."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from helpers import measured
from numpy.testing import assert_array_equal

import npintdim as nid

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = np.repeat([0, 1, 2], (25, 15, 10))
from_arrays = nid.Dataset.from_arrays


def parts(data):
    return data.train.x, data.train.labels, data.test.x, data.test.labels


def test_the_split_has_its_share_of_every_class_and_loses_nothing():
    data = from_arrays(X, Y, test_share=0.3, seed=4)
    assert np.bincount(data.train.labels).tolist() == [25 - 8, 15 - 4, 10 - 3]
    assert np.bincount(data.test.labels).tolist() == [8, 4, 3]
    rows = {tuple(row): label for row, label in zip(X, Y, strict=True)}
    seen = [
        (tuple(row), label)
        for x, y in (parts(data)[:2], parts(data)[2:])
        for row, label in zip(x, y, strict=True)
    ]
    assert len(seen) == 50 and dict(seen) == rows
    for a, b in zip(parts(data), parts(from_arrays(X, Y, test_share=0.3, seed=4)), strict=True):
        assert_array_equal(a, b)
    assert not np.array_equal(data.test.x, from_arrays(X, Y, test_share=0.3, seed=5).test.x)


def test_a_rare_class_is_in_both_parts():
    y = np.array([0] * 48 + [1] * 2)
    data = from_arrays(X, y, test_share=0.01)
    assert np.bincount(data.test.labels).tolist() == [1, 1]


LABELS = {
    "integers": (Y * 10 - 5, ("-5", "5", "15")), "a column": (Y[:, None], ("0", "1", "2")),
    "texts": (np.array(["b", "a", "c"])[Y], ("a", "b", "c")), "a list": (["no", "yes"] * 25, ("no", "yes")),
    "booleans": (Y > 0, ("False", "True")), "objects": (np.array(["x", "y", "z"], object)[Y], ("x", "y", "z")),
    "whole floats": (Y.astype(float), ("0", "1", "2")), "one-hot": (np.eye(3, dtype=int)[Y], ("0", "1", "2")),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABELS)
def test_classes_are_the_sorted_values(kind):
    y, names = LABELS[kind]
    data = from_arrays(X, y)
    assert data.names == names and data.classes == len(names)
    flat = np.asarray(y)
    flat = flat.argmax(1) if kind == "one-hot" else flat.reshape(-1)
    stands = {tuple(x): str(v) for x, v in zip(X, flat.tolist(), strict=True)}
    told = [stands[tuple(x)].removesuffix(".0") for x in data.train.x]
    assert [names[label] for label in data.train.labels] == told


def test_tables_of_pandas():
    pd = pytest.importorskip("pandas", reason="pandas is not installed: it is never needed")
    table = pd.DataFrame({"a": X[:, 0], "b": np.arange(50), "c": Y > 1})
    data = from_arrays(table, pd.Series(np.array(["u", "v", "w"])[Y], index=range(7, 57)))
    assert data.names == ("u", "v", "w") and data.train.x.shape == (40, 3)
    at = data.train.x[:, 1].astype(int)
    np.testing.assert_allclose(data.train.x[:, 0], X[at, 0], rtol=1e-6)
    assert_array_equal(data.train.labels, Y[at])
    with pytest.raises(TypeError, match="x holds something else than numbers: could not convert string"):
        from_arrays(table.assign(c="text"), Y)
    with pytest.raises(ValueError, match=r"x holds NaN or infinity, first at \(3, 0\)"):
        from_arrays(table.assign(a=np.where(np.arange(50) == 3, np.nan, X[:, 0])), Y)


def test_a_test_part_of_ones_own():
    data = from_arrays(X, Y, test=(X[:9], [2, 1, 1] * 3))
    assert_array_equal(data.test.labels, [2, 1, 1] * 3)
    assert len(data.train) == 50
    assert from_arrays(X, Y, test=(X[:2], [2, 2])).test.labels.tolist() == [2, 2]
    with pytest.raises(ValueError, match="test y holds '7', but training has '0', '1', '2'"):
        from_arrays(X, Y, test=(X[:2], [2, 7]))


def test_standardised_by_training_alone():
    x = 3 + 5 * X
    x[:, 2] = 4
    data = from_arrays(x, Y, standardise=True)
    plain = from_arrays(x, Y)
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.train.x.std(axis=0), [1, 1, 0, 1], atol=1e-12)
    mean, sd = plain.train.x.mean(axis=0), plain.train.x.std(axis=0)
    np.testing.assert_allclose(data.test.x[:, 0], (plain.test.x[:, 0] - mean[0]) / sd[0], rtol=1e-12)


def test_dtypes():
    assert from_arrays(X, Y).train.x.dtype == np.float64
    assert from_arrays(X.tolist(), Y.tolist()).train.x.dtype == np.float64
    for kind in (np.float32, np.float16, np.uint8, int, bool):
        assert from_arrays(X.astype(kind), Y).train.x.dtype == np.float32


def test_the_parts_are_examples():
    batch = nid.Batch(X, Y, 3, 7)
    taken = nid.Dataset("mine", batch, batch, 3)
    assert taken.train is taken.test and vars(taken.train) == vars(batch)
    again = pickle.loads(pickle.dumps(taken))
    small = nid.load_dataset("digits", limit_train=50)
    sent = small.to(nid.get_backend("numpy", dtype=np.float64))
    for data in (taken, again, from_arrays(X, Y), small, sent):
        assert type(data.train) is type(data.test) is nid.Examples
    assert_array_equal(again.train.x, X)


def test_a_batch_is_taken_where_examples_are_and_the_other_way_round():
    data, batch, part = from_arrays(X, Y), nid.Batch(X, Y), nid.Examples(X, Y)
    net = nid.mlp([4, 8, 3], nid.get_backend("numpy", dtype=np.float64))
    theta, config = net.init_theta(0), nid.TrainConfig(epochs=2, batch_size=20)
    runs = [nid.train(net, theta, data, config, held=held) for held in (batch, part)]
    assert runs[0].theta.tobytes() == runs[1].theta.tobytes()
    assert net.evaluate(theta, batch) == net.evaluate(theta, part)
    for landscape in (net, nid.EvolutionStrategy(net, 0.1, 2)):
        losses = [landscape.loss_and_grad(theta, replace(given, step=2))[0] for given in (batch, part)]
        assert losses[0] == losses[1]


def test_it_is_measured(tmp_path):
    data = from_arrays(
        np.vstack([X] * 4), np.array(["u", "v", "w"])[np.tile(X[:, :3].argmax(axis=1), 4)], name="mine"
    )
    recipe = nid.Recipe(data, nid.mlp([4, 8, 3]), (5, 30), seeds=1, direct_seeds=1, epochs=4, batch_size=20)
    m = measured(recipe, tmp_path)
    assert m.D == 67 and m.baseline.line[0] > 0.4


BATCH = nid.Batch(X, Y)
WRONG = [
    (lambda: from_arrays(X, Y[:9]), ValueError, r"y has shape \(9,\), but there are 50 examples: \(50,\) is needed"),
    (lambda: from_arrays(X, Y + 0.5, regression=False), TypeError, r"y holds 0.5: classes are integers, booleans or texts"),
    (lambda: from_arrays(X, Y * 0), ValueError, "y holds one class alone, 0"),
    (lambda: from_arrays(X, X > 0), ValueError, r"y has shape \(50, 4\), and is not one-hot"),
    (lambda: from_arrays(X[:, 0], Y), ValueError, r"x has shape \(50,\): \(n, features\) or"),
    (lambda: from_arrays([[1, 2], [3]], [0, 1]), ValueError, "x: the rows do not form an array"),
    (lambda: from_arrays(X, Y, test_share=1), ValueError, "test_share is 1: 0 < test_share < 1 is needed"),
    (lambda: from_arrays(X[:3], [0, 0, 1]), ValueError, "class 1 has one example alone"),
    (lambda: from_arrays(np.ma.array(X), Y), TypeError, "x is a masked array"),
    (lambda: nid.Dataset(X, Y), TypeError, r"Dataset\(...\) begins with a ndarray: Dataset.from_arrays\(x, y\), or"),
    (lambda: nid.Dataset(BATCH, BATCH, 3), TypeError, r"begins with a Batch: Dataset.from_arrays\(x, y\), or Dataset\(name, "),
    (lambda: nid.Dataset("d", (X, Y), (X, Y), 3), TypeError, r"d train is a tuple: a Batch is needed, e.g. Batch\(x, labels\), or Dataset.from_arrays"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "says"), WRONG)
def test_refusals(make, error, says):
    with pytest.raises(error, match=says):
        make()
