"""The three projections, and whether the missing S of the authors' Fastfood moves d_int90: one net in six kinds of subspace."""

from dataclasses import replace

from npintdim.measurement.recipes import adam
from npintdim.reproduce.cases import Case, Cases
from npintdim.reproduce.mnist_fc import FASTFOOD, SHORTER
from npintdim.reproduce.mnist_lenet import LENET
from npintdim.typing import Spec

# Everything but P is the same, learning rates too, so that only P can make a difference.
FC = replace(FASTFOOD, epochs=10, rates=None, direct_optimizer=adam(1e-3), optimizer=adam(1e-2))
CONV = replace(LENET, rates=None, direct_optimizer=adam(1e-3), optimizer=adam(1e-2))

# Dense with ±1 entries is drawn again in every product: 9 ms at D×d = 199,210×750, where the stored one takes 35 ms.
PROJECTIONS: dict[str, Spec] = {
    "stacked, S": {"kind": "fastfood", "blocks": "stacked", "signs": True},
    "single, no S": {"kind": "fastfood", "blocks": "single", "signs": False},  # the authors' code
    "stacked, no S": {"kind": "fastfood", "blocks": "stacked", "signs": False},
    "single, S": {"kind": "fastfood", "blocks": "single", "signs": True},
    "sparse": {"kind": "sparse"},
    "dense": {"kind": "dense", "entries": "rademacher", "stored": False},
}
DIFFERS = (
    "10 epochs at 1e-2 (direct 1e-3) instead of 100 at 1e-3, no L2, the same in all rows: P alone differs"
)

PROJECTIONS_FC = Cases(
    "mnist-fc-projections", "MNIST FC in sparse, dense and four kinds of Fastfood subspaces: does S matter?",
    "90 runs, 20 minutes", "75 runs, 2 minutes",
    cases=tuple(
        Case(f"FC, {name}", replace(FC, projection=P), {None: "–", 0.9: "750"}, DIFFERS)
        for name, P in PROJECTIONS.items()
    ),
    shorter=SHORTER,
)  # fmt: skip

PROJECTIONS_LENET = Cases(
    "lenet-projections", "MNIST LeNet in sparse, dense and four kinds of Fastfood subspaces: does S matter?",
    "90 runs, 15 minutes", "75 runs, 3 minutes",
    cases=tuple(
        Case(f"LeNet, {name}", replace(CONV, projection=P), {None: "275", 0.9: "290"}, f"conv ReLU on; {DIFFERS}")
        for name, P in PROJECTIONS.items()
    ),
    shorter=SHORTER,
)  # fmt: skip
