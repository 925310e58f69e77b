"""Shuffled pixels and labels: what is moved, and that nothing else is."""

import numpy as np
import pytest

from npintdim.data import load_dataset
from npintdim.data.shuffled import shuffled_labels, shuffled_pixels
from npintdim.engine.landscape import Batch, Dataset
from npintdim.measurement.measure import measure
from npintdim.measurement.recipes import Recipe, adam, fully_connected, recipe_for
from npintdim.measurement.runs import RunSpec
from npintdim.rng import Purpose, Stream


def numbered_pixels(channels=3):
    """Every entry of an image says where it was: place + 100 · channel + 1000 · image."""
    n, h, w = 4, 5, 6
    x = np.arange(h * w).reshape(h, w) + 100 * np.arange(channels).reshape(-1, 1, 1)
    x = (x + 1000 * np.arange(n).reshape(-1, 1, 1, 1)).astype(np.float32)
    return Dataset("numbered", Batch(x, np.arange(4)), Batch(x[:2] + 5000, np.arange(2)), 4)


def test_pixels_of_all_images_of_both_parts_have_one_other_order():
    data = numbered_pixels()
    shuffled = shuffled_pixels(data, seed=3)
    order = Stream(3, Purpose.SHUFFLE, 0).permutation(30)
    assert sorted(order) == list(range(30))
    assert (order != np.arange(30)).sum() > 20
    for part, old in ((shuffled.train, data.train), (shuffled.test, data.test)):
        for image, before in zip(part.x, old.x, strict=True):
            for channel, plane in zip(image, before, strict=True):
                np.testing.assert_array_equal(channel.ravel(), plane.ravel()[order])
        np.testing.assert_array_equal(part.labels, old.labels)
        assert part.x.flags.c_contiguous
    other = shuffled_pixels(data, seed=4)
    assert (other.train.x != shuffled.train.x).mean() > 0.8


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_a_share_of_the_labels_is_exchanged(share):
    data = load_dataset("digits")
    shuffled = load_dataset(f"digits+shuffled-labels={share}")
    before, after = data.train.labels, shuffled.train.labels
    n = round(share * 1297)
    chosen = Stream(0, Purpose.SHUFFLE, 1).permutation(1297)[:n]
    others = np.setdiff1d(np.arange(1297), chosen)
    np.testing.assert_array_equal(after[others], before[others])
    np.testing.assert_array_equal(np.bincount(after), np.bincount(before))  # exchanged, not drawn
    assert (after[chosen] == before[chosen]).mean() == pytest.approx(0.1, abs=4 * 0.3 / np.sqrt(n))
    np.testing.assert_array_equal(shuffled.train.x, data.train.x)
    assert shuffled.test is shuffled.train  # performance is training accuracy
    np.testing.assert_array_equal(shuffled_labels(data, share, 0).train.labels, after)
    assert not np.array_equal(shuffled_labels(data, share, 1).train.labels, after)


def test_names_say_the_shuffle():
    for name, shuffle in (
        ("digits+shuffled-pixels", lambda data: shuffled_pixels(data, 0)),
        ("digits+shuffled-pixels@7", lambda data: shuffled_pixels(data, 7)),
        ("digits+shuffled-labels=0.5@2", lambda data: shuffled_labels(data, 0.5, 2)),
    ):
        found, expected = (
            load_dataset(name, limit_train=100),
            shuffle(load_dataset("digits", limit_train=100)),
        )
        assert found.name == name
        np.testing.assert_array_equal(found.train.x, expected.train.x)
        np.testing.assert_array_equal(found.train.labels, expected.train.labels)
        np.testing.assert_array_equal(found.test.x, expected.test.x)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits+shuffled",
            r"data is 'digits\+shuffled': after the \+ one of shuffled-pixels or shuffled-labels=SHARE"),
        ("digits+shuffled-pixels=1", "after the . one of shuffled-pixels or"),
        ("digits+shuffled-labels", "after the . one of shuffled-pixels or"),
        ("digits+shuffled-labels=1.5", "'digits.shuffled-labels=1.5': 0 < SHARE ≤ 1 is needed"),
        ("digits+shuffled-labels=0", "0 < SHARE ≤ 1 is needed"),
        ("digits+shuffled-labels=0.0001",
            "digits: a share of 0.0001 of 1,297 labels is 0: at least two are needed"),
        ("digits+shuffled-labels=0.001",
            "digits: a share of 0.001 of 1,297 labels is 1: at least two are needed"),
        ("digits+shuffled-labels=1.2.3", "after the . one of shuffled-pixels or"),
        (f"digits+shuffled-pixels@{2**64}", r"seed is 18446744073709551616: 0 ≤ seed < 2\*\*64 is needed"),
        ("digitz+shuffled-pixels", "unknown dataset 'digitz'.*Did you mean 'digits'"),
    ],
)  # fmt: skip
def test_wrong_names(name, message):
    with pytest.raises(ValueError, match=message):
        load_dataset(name)


def test_a_shuffle_is_part_of_what_a_run_is_kept_under():
    model = fully_connected(64, 10)
    assert (
        len({RunSpec(f"digits{s}", model).key for s in ("", "+shuffled-pixels", "+shuffled-pixels@1")}) == 3
    )
    assert recipe_for("digits+shuffled-pixels").data == "digits+shuffled-pixels"
    assert recipe_for("digits+shuffled-pixels").model == recipe_for("digits").model


def test_performance_on_shuffled_labels_is_training_accuracy(tmp_path):
    recipe = Recipe("digits+shuffled-labels=1", fully_connected(64, 100, 10), (200,), direct_optimizer=adam(1e-2),
                    seeds=1, direct_seeds=1, epochs=30, limit_train=100, batch_size=20)  # fmt: skip
    m = measure(recipe, tmp_path, jobs=1, progress=False)
    direct = m.records[0]
    assert direct["performance"] == direct["train_performance"] > 0.9  # learnt by heart
