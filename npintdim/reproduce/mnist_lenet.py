"""MNIST and LeNet: d_int90 = 290 at an accuracy of 0.9, 275 against its own baseline."""

from dataclasses import replace

from npintdim.measurement.recipes import RateSearch, Recipe, adam
from npintdim.reproduce.cases import Case, Cases

LENET = Recipe(
    data="mnist",
    limit_train=50_000,
    model={"architecture": "lenet", "in_shape": [1, 28, 28], "classes": 10, "conv_relu": True},
    projection={"kind": "fastfood", "blocks": "stacked", "signs": True},
    rates=RateSearch(d=250, seeds=1, holdout=0.2, step=3.0, most=7),
    direct_optimizer=adam(1e-3),
    optimizer=adam(1e-2),
    epochs=10,
    batch_size=128,
    l2=0.0,
    d=None,
    first=256,
    precision=0.05,
    budget=24,
    at_once=2,
    direct_seeds=3,
    fraction=0.9,
)
RELEASED = replace(LENET, model=LENET.model | {"conv_relu": False})

PAPER = {None: "275", 0.9: "290"}
DIFFERS = (
    "10 epochs at a searched learning rate instead of 100 at 1e-3; no L2; stacked Fastfood with output signs"
)
SHORTER = {
    "epochs": 3, "limit_train": 10_000, "precision": 0.1, "direct_seeds": 2, "rates": None,
    "direct_optimizer": adam(3e-3), "optimizer": adam(3e-2),
}  # fmt: skip

MNIST_LENET = Cases(
    "lenet", "MNIST, LeNet, with the ReLU after convolutions", "25 runs, 6 minutes", "15 runs, 30 s",
    cases=(Case("LeNet", LENET, PAPER, f"the authors' subspace nets lack the conv ReLU; {DIFFERS}"),),
    shorter=SHORTER,
)  # fmt: skip

MNIST_LENET_RELEASED = Cases(
    "lenet-as-released", "MNIST, LeNet as released: no ReLU after projected convolutions", "25 runs, 6 minutes", "15 runs, 30 s",
    cases=(Case("LeNet as released", RELEASED, PAPER, f"our direct net lacks the conv ReLU too; {DIFFERS}"),),
    shorter=SHORTER,
)  # fmt: skip
