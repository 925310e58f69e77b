"""Two tasks from one data set, to pre-train on one and go on with the other: some classes, turned images."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from npintdim.engine.landscape import Dataset, Examples
from npintdim.typing import Floats

FORMS = ("NAME+classes=5-9", "NAME+rotated=60")


def only_classes(data: Dataset, low: int, high: int) -> Dataset:
    """The examples of classes low, ..., high. Labels and their number stay: a network keeps its outputs."""
    if not data.classes:
        raise ValueError(f"classes={low}-{high} is for classes, and the targets of {data.name} are numbers")
    if not 0 <= low <= high < data.classes:
        raise ValueError(f"classes={low}-{high}: 0 ≤ LOW ≤ HIGH < {data.classes} is needed")

    def part(whole: Examples) -> Examples:
        own = (low <= whole.labels) & (whole.labels <= high)
        if not own.any():
            raise ValueError(f"classes={low}-{high}: none of the {len(own):,} examples is of these classes")
        return Examples(whole.x[own], whole.labels[own])

    return replace(data, train=part(data.train), test=part(data.test))


def rotated(data: Dataset, degrees: float) -> Dataset:
    """Every image turned anticlockwise about its centre, bilinear between pixels; beyond its edge it is 0."""
    check_images("rotated", data)

    def part(whole: Examples) -> Examples:
        return replace(whole, x=rotated_images(whole.x, degrees))

    return replace(data, train=part(data.train), test=part(data.test))


def check_images(how: str, data: Dataset) -> None:
    """ValueError for examples that are no images (n, channels, height, width)."""
    if data.train.x.ndim != 4:
        raise ValueError(
            f"{how} is for images, and examples of {data.name} have shape {data.train.x.shape[1:]}"
        )


def rotated_images(x: Floats, degrees: float) -> Floats:
    """Images (n, c, h, w): the value at a place is that which lay there before, R⁻¹ of it."""
    h, w = x.shape[2:]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    down, right = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    i, j = cos * down + sin * right + (h - 1) / 2, cos * right - sin * down + (w - 1) / 2
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    i, j = np.clip(i + 1, 0, h + 0.999), np.clip(j + 1, 0, w + 0.999)
    top, left = i.astype(int), j.astype(int)
    below, beside = (i - top).astype(x.dtype), (j - left).astype(x.dtype)
    out: Floats = np.zeros_like(x)
    for di, share_i in ((0, 1 - below), (1, below)):
        for dj, share_j in ((0, 1 - beside), (1, beside)):
            out += share_i * share_j * padded[:, :, top + di, left + dj]
    return out
