"""The 20 fully connected nets: d_int90 is nearly the same while D grows 24 times."""

from dataclasses import replace

from npintdim.measurement.recipes import Recipe, adam, fully_connected
from npintdim.reproduce.cases import Case, Cases
from npintdim.reproduce.mnist_fc import FASTFOOD

DEPTHS = (1, 2, 3, 4, 5)  # hidden layers
WIDTHS = (50, 100, 200, 400)


def net(depth: int, width: int) -> Recipe:
    """FC 784-width×depth-10, and everything else as for 784-200-200-10, at its learning rates."""
    model = fully_connected(784, *[width] * depth, 10)
    return replace(
        FASTFOOD, model=model, epochs=10, rates=None, direct_optimizer=adam(1e-3), optimizer=adam(1e-2)
    )


PAPER = {None: "–", 0.9: "675 to 900"}
DIFFERS = "10 epochs at 1e-2 (direct 1e-3) instead of 100 at 1e-3; no L2; stacked Fastfood with output signs"

FC_NETS = Cases(
    "fc-nets", "the 20 FC nets on MNIST: depth 1 to 5, width 50 to 400", "300 runs, 1 hour", "60 runs, 2 minutes",
    cases=tuple(Case(f"{depth}×{width}", net(depth, width), PAPER, DIFFERS) for depth in DEPTHS for width in WIDTHS),
    shorter={"epochs": 4, "limit_train": 10_000, "precision": 0.1, "direct_seeds": 2,
             "direct_optimizer": adam(3e-3), "optimizer": adam(3e-2)},
    kept=("1×50", "2×200", "5×400"),
)  # fmt: skip
