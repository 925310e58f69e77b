"""Shuffled pixels: d_int90 of a fully connected net stays, that of a convolutional one grows; 750 and 1,400."""

from dataclasses import replace

from npintdim.measurement.recipes import RateSearch
from npintdim.reproduce.cases import Case, Cases
from npintdim.reproduce.mnist_fc import DIFFERS, FASTFOOD, SHORTER
from npintdim.reproduce.mnist_lenet import DIFFERS as DIFFERS_OF_LENET
from npintdim.reproduce.mnist_lenet import LENET

SHUFFLED = "mnist+shuffled-pixels"  # one other order of the 784 places in all images, seed 0

FC = replace(FASTFOOD, data=SHUFFLED)
CONV = replace(
    LENET, data=SHUFFLED, first=1024, rates=RateSearch(d=1000, seeds=1, holdout=0.2, step=3.0, most=7)
)

SHUFFLED_PIXELS = Cases(
    "shuffled-pixels", "MNIST with the pixels of all images in one other order, FC and LeNet",
    "50 runs, 9 minutes", "30 runs, 1 minute",
    cases=(
        Case("FC, shuffled pixels", FC, {None: "–", 0.9: "750"}, DIFFERS),
        Case("LeNet, shuffled pixels", CONV, {None: "–", 0.9: "1,400"}, f"conv ReLU on; {DIFFERS_OF_LENET}"),
    ),
    shorter=SHORTER,
)  # fmt: skip
