"""The paper's experiments from its table: every number of every recipe, and what the paper says."""

from dataclasses import replace

from npintdim.measurement.recipes import RateSearch, Recipe, adam, fully_connected
from npintdim.reproduce.cases import Cases, MeasuredCase
from npintdim.typing import Spec


def lenet_spec(in_shape: list[int], conv_relu: bool = True) -> Spec:
    """LeNet for such images."""
    return {"architecture": "lenet", "in_shape": in_shape, "classes": 10, "conv_relu": conv_relu}


def searched(d: int) -> RateSearch:
    """Both learning rates by a search, in a subspace of so many dimensions."""
    return RateSearch(d=d, seeds=1, holdout=0.2, step=3.0, most=7)


def at_our_rates(recipe: Recipe) -> Recipe:
    """Everything else the same in all rows of a table, so that only what they compare makes a difference."""
    return replace(recipe, epochs=10, rates=None)


MNIST_FC = Recipe(
    data="mnist",
    limit_train=50_000,
    model=fully_connected(784, 200, 200, 10),
    projection={"kind": "fastfood", "blocks": "stacked", "signs": True},
    rates=searched(600),
    direct_optimizer=adam(1e-3),  # where the search of the rate begins: the authors'
    optimizer=adam(1e-2),
    epochs=15,
    batch_size=128,
    l2=0.0,
    d=None,  # a search
    first=256,
    precision=0.05,
    budget=24,
    at_once=2,
    direct_seeds=3,
    fraction=0.9,
)
MNIST_LENET = replace(MNIST_FC, model=lenet_spec([1, 28, 28]), rates=searched(250), epochs=10)
CIFAR_FC = replace(
    MNIST_FC, data="cifar10", model=fully_connected(3072, 200, 200, 10), rates=searched(8_000),
    epochs=30, first=4_096,
)  # fmt: skip
CIFAR_LENET = replace(CIFAR_FC, model=lenet_spec([3, 32, 32]), rates=searched(2_900), first=1_024)


def falling(lr: float) -> Spec:
    """Adam whose rate falls to 0 in 150 epochs of 391 batches: a constant one learns by heart far slower."""
    return adam(lr) | {"schedule": {"kind": "cosine", "steps": 150 * 391, "least": 0.0}}


# The test part of data with shuffled labels is its training part, so performance is training accuracy.
BY_HEART = replace(
    MNIST_FC,
    model=fully_connected(784, 400, 400, 400, 400, 400, 10),  # FC-5, D = 959,610
    rates=None,  # held-out data say nothing here
    direct_optimizer=falling(3e-4), optimizer=falling(1e-3),
    epochs=150, first=65_536, budget=8, direct_seeds=2,
)  # fmt: skip

SHORTER = {
    "epochs": 4, "limit_train": 10_000, "precision": 0.1, "budget": 24, "direct_seeds": 2, "rates": None,
    "direct_optimizer": adam(3e-3), "optimizer": adam(3e-2),
}  # fmt: skip
STACKED = "no L2; stacked Fastfood with output signs"
SEARCHED = "at a searched learning rate instead of 100 at 1e-3"
OURS = "10 epochs at 1e-2 (direct 1e-3) instead of 100 at 1e-3"
FC_DIFFERS = f"15 epochs {SEARCHED}; no L2; a curve through all runs instead of the first d above"
LENET_DIFFERS = f"10 epochs {SEARCHED}; {STACKED}"
CIFAR_DIFFERS = f"30 epochs {SEARCHED}; {STACKED}"

# Dense with ±1 entries is drawn again in every product:
# 9 ms at D×d = 199,210×750, where the stored one takes 35 ms.
PROJECTIONS: dict[str, Spec] = {
    "stacked, S": {"kind": "fastfood", "blocks": "stacked", "signs": True},
    "single, no S": {"kind": "fastfood", "blocks": "single", "signs": False},  # the authors' code
    "stacked, no S": {"kind": "fastfood", "blocks": "stacked", "signs": False},
    "single, S": {"kind": "fastfood", "blocks": "single", "signs": True},
    "sparse": {"kind": "sparse"},
    "dense": {"kind": "dense", "entries": "rademacher", "stored": False},
}


def in_six_subspaces(
    net: str, recipe: Recipe, paper: dict[float | None, str], differs: str
) -> tuple[MeasuredCase, ...]:
    """The recipe with each of the `PROJECTIONS`: does the S that the authors' Fastfood lacks move d_int90?"""
    same = f"{OURS}, no L2, the same in all rows: P alone differs"
    return tuple(
        MeasuredCase(f"{net}, {name}", replace(at_our_rates(recipe), projection=P), paper, differs + same)
        for name, P in PROJECTIONS.items()
    )


def variant(architecture: str, first: int) -> Recipe:
    """As LeNet, with less sharing of weights or less locality."""
    model = {"architecture": architecture, "in_shape": [1, 28, 28], "classes": 10}
    return replace(at_our_rates(MNIST_LENET), model=model, first=first)


EXPERIMENTS = (
    Cases(
        "mnist-fc", "MNIST, FC 784-200-200-10 in Fastfood subspaces", "25 runs, 3 minutes", "15 runs, 20 s",
        (MeasuredCase("FC", MNIST_FC, {None: "–", 0.9: "750"},
              f"stacked Fastfood with output signs; {FC_DIFFERS}"),),
        SHORTER,
    ),
    Cases(
        "mnist-fc-projections",
        "MNIST FC in sparse, dense and four kinds of Fastfood subspaces: does S matter?",
        "90 runs, 20 minutes", "75 runs, 2 minutes",
        in_six_subspaces("FC", MNIST_FC, {None: "–", 0.9: "750"}, ""),
        SHORTER,
    ),
    Cases(
        "lenet", "MNIST, LeNet, with the ReLU after convolutions", "25 runs, 6 minutes", "15 runs, 30 s",
        (MeasuredCase("LeNet", MNIST_LENET, {None: "275", 0.9: "290"},
              f"the authors' subspace nets lack the conv ReLU; {LENET_DIFFERS}"),),
        SHORTER | {"epochs": 3},
    ),
    Cases(
        "lenet-as-released", "MNIST, LeNet as released: no ReLU after projected convolutions",
        "25 runs, 6 minutes", "15 runs, 30 s",
        (MeasuredCase("LeNet as released",
              replace(MNIST_LENET, model=lenet_spec([1, 28, 28], conv_relu=False)),
              {None: "275", 0.9: "290"}, f"our direct net lacks the conv ReLU too; {LENET_DIFFERS}"),),
        SHORTER | {"epochs": 3},
    ),
    Cases(
        "lenet-projections",
        "MNIST LeNet in sparse, dense and four kinds of Fastfood subspaces: does S matter?",
        "90 runs, 15 minutes", "75 runs, 3 minutes",
        in_six_subspaces("LeNet", MNIST_LENET, {None: "275", 0.9: "290"}, "conv ReLU on; "),
        SHORTER,
    ),
    Cases(
        "shuffled-pixels", "MNIST with the pixels of all images in one other order, FC and LeNet",
        "50 runs, 9 minutes", "30 runs, 1 minute",
        (
            MeasuredCase("FC, shuffled pixels", replace(MNIST_FC, data="mnist+shuffled-pixels"),
                 {None: "–", 0.9: "750"}, FC_DIFFERS),
            MeasuredCase("LeNet, shuffled pixels",
                 replace(MNIST_LENET, data="mnist+shuffled-pixels", first=1024, rates=searched(1000)),
                 {None: "–", 0.9: "1,400"}, f"conv ReLU on; {LENET_DIFFERS}"),
        ),
        SHORTER,
    ),
    Cases(
        "shuffled-labels", "FC-5 784-400×5-10 learns 100, 50 and 10 % shuffled labels by heart",
        "30 runs of 150 epochs: 6 core-hours", "40 runs, 2 minutes",
        tuple(
            MeasuredCase(f"{100 * share:g} % shuffled",
                 replace(BY_HEART, data=f"mnist+shuffled-labels={share:g}"),
                 {None: "–", 0.89: paper, 0.9: at_90},
                 "150 epochs at a rate that falls from 1e-3 instead of 500 at 1e-4; "
                 "stacked Fastfood with output signs; "
                 "the paper's numbers were read at a training accuracy of 0.89")
            for share, paper, at_90 in (
                (1, "190,000", "190,000"), (0.5, "130,000", "140,000"), (0.1, "90,000", "100,000")
            )
        ),
        {"limit_train": 1_000, "epochs": 40, "batch_size": 50, "first": 4_096,
         "precision": 0.1, "budget": 12, "direct_optimizer": adam(1e-3), "optimizer": adam(1e-2),
         "model": fully_connected(784, 100, 100, 10)},
    ),
    Cases(
        "fc-nets", "the 20 FC nets on MNIST: depth 1 to 5, width 50 to 400",
        "300 runs, 1 hour", "60 runs, 2 minutes",
        tuple(
            MeasuredCase(f"{depth}×{width}",
                 replace(at_our_rates(MNIST_FC), model=fully_connected(784, *[width] * depth, 10)),
                 {None: "–", 0.9: "675 to 900"}, f"{OURS}; {STACKED}")
            for depth in (1, 2, 3, 4, 5) for width in (50, 100, 200, 400)
        ),
        SHORTER, kept=("1×50", "2×200", "5×400"),
    ),
    Cases(
        "softmax", "MNIST, softmax regression 784-10", "25 runs, 1 minute", "15 runs, 10 s",
        (MeasuredCase("softmax regression",
              replace(MNIST_FC, model=fully_connected(784, 10), first=64, rates=searched(150)),
              {None: "–"}, FC_DIFFERS),),
        SHORTER,
    ),
    Cases(
        "lenet-variants", "MNIST, LeNet and its relatives: untied, tied but fully connected, fully connected",
        "60 runs, 3 hours", "60 runs, 10 minutes",
        tuple(
            MeasuredCase(name, recipe, {None: own, 0.9: paper},
                 f"{OURS}; no L2; conv ReLU on; stacked Fastfood with output signs")
            for name, recipe, own, paper in (
                ("LeNet", at_our_rates(MNIST_LENET), "275", "290"),
                ("Untied-LeNet", variant("untied-lenet", 1024), "450", "600"),
                ("FCTied-LeNet", variant("fctied-lenet", 256), "400", "425"),
                ("FC-LeNet", variant("fc-lenet", 1024), "1,400", "2,000"),
            )
        ),
        SHORTER | {"epochs": 3, "limit_train": 5_000, "budget": 12},
        kept=("LeNet", "Untied-LeNet", "FC-LeNet"),
    ),
    Cases(
        "cifar10-fc", "CIFAR-10, FC 3072-200-200-10", "25 runs, 45 minutes", "15 runs, 2 minutes",
        (MeasuredCase("CIFAR FC", CIFAR_FC, {None: "9,000", 0.45: "5,500"},
              f"{CIFAR_DIFFERS}; the paper's curve is flat there: ±50 %"),),
        SHORTER | {"epochs": 5, "budget": 14, "direct_optimizer": adam(1e-3), "optimizer": adam(1e-2)},
    ),
    Cases(
        "cifar10-lenet", "CIFAR-10, LeNet", "25 runs, 30 minutes", "15 runs, 1 minute",
        (MeasuredCase("CIFAR LeNet", CIFAR_LENET, {None: "2,900", 0.45: "1,000"},
              f"conv ReLU on; {CIFAR_DIFFERS}"),),
        SHORTER | {"epochs": 5, "budget": 14, "direct_optimizer": adam(1e-3), "optimizer": adam(1e-2)},
    ),
)  # fmt: skip
