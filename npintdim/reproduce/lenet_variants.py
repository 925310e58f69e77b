"""What weight sharing and locality are worth: LeNet, Untied, FCTied and FC-LeNet on MNIST."""

from dataclasses import replace

from npintdim.measurement.recipes import Recipe, adam
from npintdim.reproduce.cases import Case, Cases
from npintdim.reproduce.mnist_lenet import LENET


def variant(architecture: str, first: int) -> Recipe:
    """As LeNet, at its learning rates."""
    model = {"architecture": architecture, "in_shape": [1, 28, 28], "classes": 10}
    return replace(
        LENET, model=model, first=first, rates=None, direct_optimizer=adam(1e-3), optimizer=adam(1e-2)
    )


PLAIN = replace(LENET, rates=None, direct_optimizer=adam(1e-3), optimizer=adam(1e-2))
PAPER = {None: "–", 0.9: "–"}
DIFFERS = "10 epochs at 1e-2 (direct 1e-3) instead of 100 at 1e-3; no L2; conv ReLU on; stacked Fastfood with output signs"

LENET_VARIANTS = Cases(
    "lenet-variants", "MNIST, LeNet and its relatives: untied, tied but fully connected, fully connected",
    "60 runs, 15 hours (FCTied: 2 minutes an epoch)", "60 runs, 10 minutes",
    cases=(
        Case("LeNet", PLAIN, PAPER | {0.9: "290"}, DIFFERS),
        Case("Untied-LeNet", variant("untied-lenet", 1024), PAPER, DIFFERS),
        Case("FCTied-LeNet", variant("fctied-lenet", 256), PAPER, DIFFERS),
        Case("FC-LeNet", variant("fc-lenet", 1024), PAPER, DIFFERS),
    ),
    shorter={"epochs": 3, "limit_train": 5_000, "precision": 0.1, "budget": 12, "direct_seeds": 2,
             "direct_optimizer": adam(3e-3), "optimizer": adam(3e-2)},
    kept=("LeNet", "Untied-LeNet", "FC-LeNet"),
)  # fmt: skip
