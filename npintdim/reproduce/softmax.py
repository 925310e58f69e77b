"""Softmax regression, 784-10: the least network there is."""

from dataclasses import replace

from npintdim.measurement.recipes import RateSearch, fully_connected
from npintdim.reproduce.cases import Case, Cases
from npintdim.reproduce.mnist_fc import DIFFERS, FASTFOOD, SHORTER

REGRESSION = replace(
    FASTFOOD,
    model=fully_connected(784, 10),
    first=64,
    rates=RateSearch(d=150, seeds=1, holdout=0.2, step=3.0, most=7),
)

SOFTMAX = Cases(
    "softmax", "MNIST, softmax regression 784-10", "25 runs, 1 minute", "15 runs, 10 s",
    cases=(Case("softmax regression", REGRESSION, {None: "–"}, DIFFERS),),
    shorter=SHORTER,
)  # fmt: skip
