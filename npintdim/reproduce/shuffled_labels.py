"""Shuffled labels: what it takes to learn random labels by heart; training accuracy is the performance."""

from dataclasses import replace

from npintdim.measurement.recipes import Recipe, adam, fully_connected
from npintdim.reproduce.cases import Case, Cases

# The test part of such a data set is its training part, so performance is training accuracy.
ALL = Recipe(
    data="mnist+shuffled-labels=1",
    limit_train=50_000,
    model=fully_connected(784, 400, 400, 400, 400, 400, 10),  # FC-5, D = 959,610
    projection={"kind": "fastfood", "blocks": "stacked", "signs": True},
    rates=None,  # held-out data say nothing here
    direct_optimizer=adam(1e-4),
    optimizer=adam(1e-4),
    epochs=500,
    batch_size=128,
    l2=0.0,
    d=None,
    first=131_072,
    precision=0.05,
    budget=12,
    at_once=2,
    direct_seeds=2,
    fraction=0.9,
)
HALF = replace(ALL, data="mnist+shuffled-labels=0.5")
TENTH = replace(ALL, data="mnist+shuffled-labels=0.1")

DIFFERS = "stacked Fastfood with output signs; the paper's numbers were read at a training accuracy of 0.89"
SHORTER = {
    "limit_train": 1_000, "epochs": 40, "batch_size": 50, "first": 4_096, "precision": 0.1, "budget": 12,
    "direct_optimizer": adam(1e-3), "optimizer": adam(1e-2), "model": fully_connected(784, 100, 100, 10),
}  # fmt: skip

SHUFFLED_LABELS = Cases(
    "shuffled-labels", "FC-5 784-400×5-10 learns 100, 50 and 10 % shuffled labels by heart",
    "40 runs of 500 epochs: two days", "40 runs, 2 minutes",
    cases=(
        Case("100 % shuffled", ALL, {None: "–", 0.89: "190,000"}, DIFFERS),
        Case("50 % shuffled", HALF, {None: "–", 0.89: "130,000"}, DIFFERS),
        Case("10 % shuffled", TENTH, {None: "–", 0.89: "90,000"}, DIFFERS),
    ),
    shorter=SHORTER,
)  # fmt: skip
