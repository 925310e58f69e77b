"""Data whose structure is taken away: pixels in another order, or labels exchanged; the paper's Section 3."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from npintdim.data import tasks
from npintdim.engine.landscape import Dataset, Examples
from npintdim.inputs import check_seed, shown
from npintdim.rng import Purpose, Stream

FORMS = ("NAME+shuffled-pixels", "NAME+shuffled-labels=0.5", *tasks.FORMS)  # of every data set
Change = Callable[[Dataset], Dataset]
NEEDED = (
    "shuffled-pixels or shuffled-labels=SHARE, with @SEED or without, "
    "or classes=LOW-HIGH, or rotated=DEGREES,"
)


def parse(name: str) -> tuple[str, Change | None]:
    """Split "mnist+shuffled-labels=0.5@3" into the name of the original and what is done to it."""
    original, plus, how = name.partition("+")
    change = change_of(name, how)
    if plus and change is None:
        raise ValueError(f"data is {shown(name)}: after the + one of {NEEDED} is needed")
    return original, change


def change_of(name: str, how: str) -> Change | None:
    """What a word after a +, "shuffled-labels=0.5@3" say, does to a data set; None for another word."""
    if some := re.fullmatch(r"classes=(\d{1,9})-(\d{1,9})", how):
        return lambda data: tasks.only_classes(data, int(some[1]), int(some[2]))
    if turn := re.fullmatch(r"rotated=(-?\d{1,3})", how):
        return lambda data: tasks.rotated(data, int(turn[1]))
    found = re.fullmatch(r"shuffled-(?:(pixels)|labels=(\d*\.?\d+))(?:@(\d+))?", how)
    if found is None:
        return None
    seed = check_seed(int(found[3] or 0))
    if found[1]:
        return lambda data: shuffled_pixels(data, seed)
    share = float(found[2])
    if not 0 < share <= 1:
        raise ValueError(f"data is {shown(name)}: 0 < SHARE ≤ 1 is needed")
    return lambda data: shuffled_labels(data, share, seed)


def shuffled_pixels(data: Dataset, seed: int = 0) -> Dataset:
    """Every image, of both parts, with its places in one and the same other order; channels stay together."""
    tasks.check_images("shuffled-pixels", data)
    places = int(np.prod(data.train.x.shape[2:]))
    order = Stream(seed, Purpose.SHUFFLE, lane=0).permutation(places)

    def moved(part: Examples) -> Examples:
        n, c = part.x.shape[:2]
        return replace(part, x=part.x.reshape(n, c, places).take(order, axis=2).reshape(part.x.shape))

    return replace(data, train=moved(data.train), test=moved(data.test))


def shuffled_labels(data: Dataset, share: float, seed: int = 0) -> Dataset:
    """Exactly round(share · n) training examples exchange their labels among themselves.

    What such a network can be asked is how much it has learnt by heart, so the test part of the result is its
    training part: performance is training accuracy.
    """
    labels = data.train.labels
    n = round(share * len(labels))
    if n < 2:
        raise ValueError(
            f"{data.name}: a share of {share:g} of {len(labels):,} labels is {n}: "
            "at least two are needed to exchange them"
        )
    chosen = Stream(seed, Purpose.SHUFFLE, lane=1).permutation(len(labels))[:n]
    exchanged = labels.copy()
    exchanged[chosen] = labels[chosen[Stream(seed, Purpose.SHUFFLE, lane=2).permutation(n)]]
    part = replace(data.train, labels=exchanged)
    return replace(data, train=part, test=part)
