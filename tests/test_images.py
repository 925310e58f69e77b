"""Images that are read when they are needed: the same bits as read at once, in bounded memory, and what is wrong is said before."""

import gc
import os
import signal
import threading
import tracemalloc
from itertools import islice

import numpy as np
import pytest
from data_helpers import CLASSES, folder_of_images
from gpu_standin import standin_backend
from numpy.testing import assert_array_equal

import npintdim as nid
from npintdim.data import images, own
from npintdim.data.holdout import hold_out
from npintdim.engine.streamed import Streamed, ahead, made
from npintdim.engine.train import batches

image = pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'npintdim[images]'")
NUMPY = nid.get_backend("numpy", threads=1)


@pytest.fixture
def pictures(tmp_path):
    return folder_of_images(tmp_path / "pictures")


def by_hand(path, crop, side):
    """An image by the definition: shorter side, middle."""
    one = image.open(path).convert("RGB")
    scale = side / min(one.size)
    one = np.asarray(one.resize([round(s * scale) for s in one.size]))
    top, left = ((s - crop) // 2 for s in one.shape[:2])
    return one[top : top + crop, left : left + crop].transpose(2, 0, 1) / np.float32(255)


def test_what_is_read_is_the_middle_of_each_image(pictures):
    data, told = own.read(f"{pictures}/+crop=6+side=7")
    assert (
        "30 + 12 examples of shape (3, 6, 6), the middle 6×6 of a shorter side of 7, ÷ 255, read when" in told
    )
    assert data.names == CLASSES and data.train.x.shape == (30, 3, 6, 6)
    for part in ("train", "test"):
        batch = getattr(data, part)
        paths = batch.x.make.paths
        assert sorted(paths) == sorted((pictures / part).rglob("*.png"))
        for row, label, place in zip(made(batch.x), batch.labels, batch.x.places, strict=True):
            assert_array_equal(row, by_hand(paths[place], 6, 7))
            assert paths[place].parent.name == CLASSES[label]
    assert set(data.train.labels[:12]) == {0, 1, 2}  # not one class after the other


def test_the_mean_is_that_of_the_training_part(pictures):
    plain, _ = own.read(f"{pictures}/+crop=6")
    data, told = own.read(f"{pictures}/+crop=6+mean")
    mean = made(plain.train.x).mean(axis=(0, 2, 3), dtype=np.float64)
    for part in ("train", "test"):
        moved = made(getattr(plain, part).x) - mean.astype(np.float32)[:, None, None]
        np.testing.assert_allclose(made(getattr(data, part).x), moved, rtol=0, atol=1e-6)
    assert f"− mean ({mean[0]:.3f}" in told


def test_grey_images_have_one_channel_and_one_in_colour_makes_three(tmp_path):
    grey = folder_of_images(tmp_path / "grey", mode="L")
    assert nid.load_dataset(f"{grey}/+crop=5").train.x.shape == (30, 1, 5, 5)
    image.fromarray(np.full((8, 8, 3), 7, np.uint8)).save(grey / "train" / "cat" / "colour.png")
    assert nid.load_dataset(f"{grey}/+crop=5").train.x.shape == (31, 3, 5, 5)


def whole(data):
    """The same data in memory."""
    parts = [nid.Batch(made(part.x), part.labels) for part in (data.train, data.test)]
    return nid.Dataset(data.name, *parts, data.classes)


def small(backend=NUMPY):
    layers = nid.Conv2D(3, 4, 3), nid.ReLU(), nid.GlobalAveragePool(), nid.Linear(4, 3)
    return nid.Model(layers, (3, 6, 6), backend)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_is_bit_for_bit_that_of_the_same_images_in_memory(pictures, dtype):
    backend = nid.get_backend("numpy", dtype, threads=1)
    model = small(backend)
    config = nid.TrainConfig(nid.Adam(lr=0.01), epochs=3, batch_size=7, seed=4, train_examples=11)
    data = nid.load_dataset(f"{pictures}/+crop=6+mean")
    runs = [
        nid.train(model, model.init_theta(0), each.to(backend), config, held=hold_out(each, 0.2).test)
        for each in (data, whole(data))
    ]
    assert_array_equal(runs[0].theta, runs[1].theta)
    assert [(r.loss, r.train, r.test, r.held) for r in runs[0].records] == [
        (r.loss, r.train, r.test, r.held) for r in runs[1].records
    ]


def test_a_part_of_the_training_images_is_of_the_same_ones(pictures):
    data = nid.load_dataset(f"{pictures}/+crop=6", limit_train=10)
    assert len(data.train) == 10 and len(data.test) == 12
    for each, other in ((data, whole(data)), (hold_out(data, 0.3), hold_out(whole(data), 0.3))):
        assert_array_equal(made(each.train.x), other.train.x)
        assert_array_equal(each.test.labels, other.test.labels)


def test_on_a_gpu_an_image_is_sent_when_it_was_made(pictures):
    data, backend = nid.load_dataset(f"{pictures}/+crop=6"), standin_backend()
    config = nid.TrainConfig(nid.SGD(lr=0.1), epochs=2, batch_size=8)
    runs = [
        nid.train(small(b), small(b).init_theta(0), each.to(b), config)
        for b, each in ((backend, data), (NUMPY, whole(data)))
    ]
    assert_array_equal(runs[0].theta.get(), runs[1].theta)


def test_a_sweep_goes_on_where_it_was_stopped(pictures, monkeypatch):
    spec = nid.RunSpec(f"{pictures}/+crop=6", small().spec(), epochs=1, batch_size=10)
    options = {"backend": "numpy", "jobs": 1}
    first = nid.sweep([spec], pictures.parent / "sweep", **options)
    again = nid.sweep([spec], pictures.parent / "sweep", **options)
    assert first == again and len(first[0]["spec"]["content"]["data"]) == 64
    changed = pictures / "train" / "cat" / "000.png"
    image.fromarray(255 - np.asarray(image.open(changed))).save(changed)
    with pytest.warns(UserWarning, match="kept 0, new 1, because .* changed since the old runs"):
        assert nid.sweep([spec], pictures.parent / "sweep", **options)[0]["loss"] != first[0]["loss"]


# ---- a thread ahead ----


STREAMED = Streamed(lambda i: np.zeros(1, np.float32), np.arange(1), (1,))


def test_what_is_in_memory_needs_no_thread():
    before = threading.active_count()
    each = ahead(iter(range(3)), np.zeros(3))
    assert next(each) == 0 and threading.active_count() == before
    assert list(each) == [1, 2]


def test_one_item_is_made_ahead_by_a_thread_and_no_more():
    made_by, asked = [], threading.Event()

    def items():
        for i in range(5):
            made_by.append(threading.current_thread())
            if len(made_by) == 2:
                asked.set()
            yield i

    each = ahead(items(), STREAMED)
    assert next(each) == 0
    assert asked.wait(10)  # the second is made while the first is in use
    assert len(made_by) == 2
    assert list(each) == [1, 2, 3, 4]
    assert threading.main_thread() not in made_by and len(set(made_by)) == 1
    assert not made_by[0].is_alive()


def test_the_thread_ends_with_whoever_stops_early():
    each = ahead(iter(range(1, 9)), STREAMED)
    assert next(each) == 1
    each.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]


def test_memory_is_that_of_a_few_batches_whatever_the_number_of_images(tmp_path):
    folder_of_images(tmp_path, train=300, test=30, size=lambda i: (40, 40))
    config = nid.TrainConfig(batch_size=10)
    data = nid.load_dataset(f"{tmp_path}/+crop=64")
    batch = 10 * 3 * 64 * 64 * 4
    gc.collect()
    tracemalloc.start()
    seen = 0
    for one in ahead(batches(data, config, 0, 0), data.train.x):
        seen += len(one)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 300
    assert 2 * batch <= most < 4 * batch  # one in use, one made, and an image; in memory they are 30


def test_evaluation_takes_a_chunk_at_a_time(pictures, monkeypatch):
    from npintdim.engine import model as module

    monkeypatch.setattr(module, "CHUNK", 5)
    data, model, taken = nid.load_dataset(f"{pictures}/+crop=6"), small(), []
    take = Streamed.take
    monkeypatch.setattr(
        Streamed, "take", lambda self, rows, axis=0: taken.append(len(self[rows])) or take(self, rows)
    )
    found = model.evaluate(model.init_theta(0), data.test)
    assert taken == [5, 5, 2]
    assert found == model.evaluate(model.init_theta(0), whole(data).test)


def test_ctrl_c_ends_a_run_and_its_thread(pictures):
    data, model = nid.load_dataset(f"{pictures}/+crop=6"), small()

    class Interrupts:
        dim, evaluate, steps = model.dim, model.evaluate, 0

        def loss_and_grad(self, theta, batch):
            self.steps += 1
            if self.steps == 4:
                os.kill(os.getpid(), signal.SIGINT)
            return model.loss_and_grad(theta, batch)

    run = nid.train(Interrupts(), model.init_theta(0), data, nid.TrainConfig(epochs=9, batch_size=10))
    assert run.status == "interrupted" and len(run.records) == 1
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]


# ---- what is wrong ----


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize(
    "spoil", [cut_short, lambda path: path.write_text("no image"), lambda path: path.write_bytes(b"")]
)
def test_an_image_that_does_not_decode_is_named_before_any_run(tmp_path, kind, spoil):
    folder_of_images(tmp_path / "images", kind=kind)
    bad = sorted((tmp_path / "images" / "test").rglob(f"*.{kind}"))[-1]
    spoil(bad)
    with pytest.raises(ValueError, match=rf"^\S+{bad.name} is no image that can be read: [^\n]+$"):
        nid.load_dataset(f"{tmp_path}/images/+crop=6")


def test_an_image_that_is_damaged_inside_is_named_by_the_run(pictures):
    data = nid.load_dataset(f"{pictures}/+crop=6")
    bad = pictures / "train" / "fox" / "002.png"
    content = bytearray(bad.read_bytes())
    content[45] ^= 255
    bad.write_bytes(content)
    data = nid.load_dataset(f"{pictures}/+crop=6")  # its header and end are as they should be
    with pytest.raises(ValueError, match=r"fox\S002.png is no image that can be read: "):
        nid.train(small(), small().init_theta(0), data, nid.TrainConfig(batch_size=10))
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]


def test_an_image_with_something_after_its_end_is_one(pictures):
    odd = pictures / "train" / "cat" / "000.png"
    odd.write_bytes(odd.read_bytes() + bytes(10_000))
    assert len(nid.load_dataset(f"{pictures}/+crop=6").train) == 30


def another_class(path):
    (path / "test" / "cow").mkdir()
    image.new("RGB", (9, 9)).save(path / "test" / "cow" / "1.png")


def one_class(path):
    for part in ("train", "test"):
        for name in ("dog", "fox"):
            for file in (path / part / name).iterdir():
                file.unlink()


def no_test_part(path):
    (path / "test").rename(path / "held out")


def nothing(path):
    pass


@pytest.mark.parametrize(
    ("spoil", "words", "says"),
    [
        (another_class, "+crop=6", "pictures: class 'cow' is in one of train and test alone"),
        (one_class, "+crop=6", "pictures holds one class alone, 'cat': at least two are needed"),
        (one_class, "", "pictures holds one class alone, 'cat': at least two are needed"),
        (no_test_part, "+crop=6", "pictures has no folder test: train/CLASS/.* and test/CLASS/.* are needed"),
        (nothing, "", r"png has shape .*, and the others .*: one size is needed, or \+crop=PIXELS, which makes it"),
        (nothing, "+crop=0", "crop is 0: crop ≥ 1 is needed"),
        (nothing, "+crop=-6", "after a . label=COLUMN, .* crop=PIXELS"),
        (nothing, "+crop=7+side=6", "side is 6: side ≥ crop = 7 is needed"),
        (nothing, "+side=6", "side and mean need crop=PIXELS"),
        (nothing, "+mean", "side and mean need crop=PIXELS"),
        (nothing, "+crop=6+standardise", "standardise cannot be had of images that are read when needed"),
        (nothing, "+crop=6+test-share=0.5", "test-share cannot be had"),
    ],
)  # fmt: skip
def test_refusals(pictures, spoil, words, says):
    spoil(pictures)
    with pytest.raises(ValueError, match=says) as refused:
        nid.load_dataset(f"{pictures}/{words}")
    assert "\n" not in str(refused.value)


def test_crop_is_for_images(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*my.npz: one with train/CLASS"):
        nid.load_dataset(f"{tmp_path}/my.npz+crop=6")
    (tmp_path / "my.npz").touch()
    with pytest.raises(ValueError, match="crop is for a folder train/CLASS"):
        nid.load_dataset(f"{tmp_path}/my.npz+crop=6")


def test_without_pillow_the_extra_is_named(pictures, monkeypatch):
    def need(name, who, remedy):
        raise ModuleNotFoundError(f"{who}: {remedy}")

    monkeypatch.setattr(images, "need", need)
    with pytest.raises(ModuleNotFoundError, match=r"images need Pillow: pip install 'npintdim\[images\]'"):
        nid.load_dataset(f"{pictures}/+crop=6")


def test_batches_are_those_of_the_order_from_the_stream(pictures):
    data = nid.load_dataset(f"{pictures}/+crop=6")
    config = nid.TrainConfig(batch_size=8, seed=5)
    for one, other in zip(batches(data, config, 2, 6), batches(whole(data), config, 2, 6), strict=True):
        assert_array_equal(one.x, other.x)
        assert_array_equal(one.labels, other.labels)
        assert (one.step, one.seed) == (other.step, other.seed)
    assert [len(b) for b in islice(batches(data, config, 0, 0), 9)] == [8, 8, 8, 6]
