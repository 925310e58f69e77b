"""A part of the training data: the first so many examples, or some of them in the place of the test set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from npintdim.backend import namespace
from npintdim.engine.landscape import Dataset, Examples
from npintdim.inputs import check_integer
from npintdim.rng import Purpose, Stream


def limited(data: Dataset, limit_train: int | None) -> Dataset:
    """The first so many training examples, as 1 ≤ limit_train ≤ n says; None keeps all."""
    x, labels = data.train.x, data.train.labels
    if limit_train is None:
        return data
    n = len(x)
    limit = check_integer("limit_train", limit_train, 1, n, f"1 ≤ limit_train ≤ {n}")
    return replace(data, train=Examples(x[:limit], labels[:limit]))


def hold_out(data: Dataset, share: float, seed: int = 0) -> Dataset:
    """The training examples alone: a share of them is the test set, the rest the training set.

    Parameters
    ----------
    data : its own test set is not in the result, so nothing that is chosen there has seen it
    share : of the n training examples; n·share of them, rounded, are held out
    seed : of the draw, a SPLIT stream; both parts keep their order

    Raises
    ------
    ValueError
        if one of the parts would be empty.
    """
    x, labels = data.train.x, data.train.labels
    n = len(x)
    held = round(n * share)
    if not 0 < held < n:
        raise ValueError(
            f"{data.name}: holding out {share} of {n} training examples leaves {n - held} to train on "
            f"and {held} to test with: at least one each is needed"
        )
    order = Stream(seed, Purpose.SPLIT).permutation(n).astype(np.intp)

    def part(own: Any) -> Examples:
        own = namespace(labels).asarray(np.sort(own))
        return Examples(x[own], labels[own])

    return replace(data, train=part(order[held:]), test=part(order[:held]))
