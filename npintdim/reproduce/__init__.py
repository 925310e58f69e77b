"""The paper's table, recipe by recipe: `npintdim reproduce NAME`, one readable file each."""

from npintdim.inputs import unknown
from npintdim.reproduce.base import Outcome, Reproduction, Row, Setting, markdown, plain
from npintdim.reproduce.cifar10 import CIFAR10_FC, CIFAR10_LENET
from npintdim.reproduce.fc_nets import FC_NETS
from npintdim.reproduce.lenet_variants import LENET_VARIANTS
from npintdim.reproduce.mnist_fc import MNIST_FC
from npintdim.reproduce.mnist_lenet import MNIST_LENET, MNIST_LENET_RELEASED
from npintdim.reproduce.projections import PROJECTIONS_FC, PROJECTIONS_LENET
from npintdim.reproduce.report import write_report
from npintdim.reproduce.shuffled_labels import SHUFFLED_LABELS
from npintdim.reproduce.shuffled_pixels import SHUFFLED_PIXELS
from npintdim.reproduce.softmax import SOFTMAX
from npintdim.reproduce.toy import TOY

REPRODUCTIONS: dict[str, Reproduction] = {
    one.name: one
    for one in (
        TOY, MNIST_FC, PROJECTIONS_FC, MNIST_LENET, MNIST_LENET_RELEASED, PROJECTIONS_LENET, SHUFFLED_PIXELS,
        SHUFFLED_LABELS, FC_NETS, SOFTMAX, LENET_VARIANTS, CIFAR10_FC, CIFAR10_LENET,
    )
}  # fmt: skip


def reproduction(name: str, quick: bool = False) -> Reproduction:
    """One of `REPRODUCTIONS`, whole or short.

    Raises
    ------
    ValueError
        for another name.
    """
    if name not in REPRODUCTIONS:
        raise unknown("reproduction", name, REPRODUCTIONS)
    return REPRODUCTIONS[name].quick() if quick else REPRODUCTIONS[name]


__all__ = [
    "REPRODUCTIONS", "Outcome", "Reproduction", "Row", "Setting", "markdown", "plain", "reproduction", "write_report",
]  # fmt: skip
