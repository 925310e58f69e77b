"""From the subspace to LoRA: does pre-training lower d_int90, what does each method reach with how many?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from npintdim.measurement.measure import Measurement
from npintdim.measurement.recipes import RateSearch, Recipe, adam, fully_connected
from npintdim.plots import methods_figure
from npintdim.plots.style import Figure
from npintdim.reproduce.cases import Cases, MeasuredCase
from npintdim.reproduce.paper import lenet_spec
from npintdim.typing import Floats, Spec

FC, LENET = fully_connected(784, 200, 200, 10), lenet_spec([1, 28, 28])
TASKS = {
    "5-9": ("mnist+classes=0-4", "mnist+classes=5-9"),
    "rotated": ("mnist", "mnist+rotated=60"),
    "cifar": ("cifar10+classes=0-4", "cifar10+classes=5-9"),
}
GRID = (50, 100, 200, 400)
BASE = Recipe(
    data="mnist", model=FC, d=GRID, projection={"kind": "fastfood"}, limit_train=30_000, epochs=5,
    direct_optimizer=adam(1e-3), optimizer=adam(1e-2), seeds=3, direct_seeds=3, fraction=0.9,
    rates=RateSearch(d=200, seeds=1, holdout=0.2, step=3.0, most=5),
)  # fmt: skip
OF_LENET = replace(BASE, model=LENET)
# All 25,000 images of five classes (the first 30,000 of a file may be of six),
# twice as many epochs, larger d.
OF_CIFAR = replace(
    BASE, data="cifar10", model=lenet_spec([3, 32, 32]), limit_train=None, epochs=10,
    d=(250, 500, 1_000, 2_000, 4_000),
    rates=RateSearch(d=1_000, seeds=1, holdout=0.2, step=3.0, most=5),
)  # fmt: skip

# Trained numbers of 784-200-200-10: LoRA 1,594 r, LoRA-FA 410 r, LoRA-XS 3 r², VeRA 3 r + 410.
# The rate is searched at the second number of each.
Grids: TypeAlias = dict[str, tuple[int, ...]]
METHODS: dict[str, tuple[Spec | None, Spec | None, tuple[int, ...]]] = {
    "Fastfood (DID)": ({"kind": "fastfood"}, None, GRID),
    "one-hot": ({"kind": "onehot"}, None, GRID),
    "coordinates": ({"kind": "coordinates"}, None, GRID),
    "SAID": (None, {"kind": "said"}, GRID),
    "LoRA": (None, {"kind": "lora"}, (1_594, 3_188, 6_376)),
    "rsLoRA": (None, {"kind": "lora", "stabilised": True}, (1_594, 3_188, 6_376)),
    "LoRA-FA": (None, {"kind": "lora_fa"}, (410, 820, 1_640)),
    "LoRA-XS": (None, {"kind": "lora_xs"}, (48, 192, 300)),
    "VeRA": (None, {"kind": "vera"}, (458, 602, 1_178)),
    "Uni-LoRA, r = 4": (None, {"kind": "uni_lora", "r": 4}, GRID),
    "SubLoRA, r = 4": (None, {"kind": "sub_lora", "r": 4}, GRID),
    "biases only": (None, {"kind": "only", "names": "*.b"}, (410,)),
    "last layer only": (None, {"kind": "only", "names": "fc3.*"}, (2_010,)),
}
# Of LeNet: LoRA 871 r, LoRA-FA 236 r, LoRA-XS 5 r², VeRA 5 r + 236; no rank is above 6.
LENET_GRIDS: Grids = {
    "LoRA": (871, 1_742, 3_484), "rsLoRA": (871, 1_742, 3_484), "LoRA-FA": (236, 472, 944),
    "LoRA-XS": (45, 80, 180), "VeRA": (241, 256, 266), "biases only": (236,), "last layer only": (850,),
}  # fmt: skip
LENGTHS = {
    **{f"{n} epoch{'s' * (n > 1)}": {"epochs": n} for n in (1, 3, 10, 30)},
    **{f"{n:,} images": {"limit_train": n, "epochs": 150_000 // n} for n in (1_000, 3_000, 10_000)},
}
ANY_D = tuple(label for label, (_, _, d) in METHODS.items() if d == GRID)
# Of the FC net on ten classes, where d = 400 is below the line, and of these three d = 800 too.
WIDER: Grids = {
    **dict.fromkeys(ANY_D, (*GRID, 800)),
    **dict.fromkeys(("coordinates", "Uni-LoRA, r = 4", "SubLoRA, r = 4"), (*GRID, 800, 1_600)),
}
# Of LeNet for 3×32×32: LoRA 1,065 r, the others as before.
CIFAR_GRIDS: Grids = {
    **LENET_GRIDS, **dict.fromkeys(ANY_D, (500, 1_000, 2_000, 4_000)),
    "LoRA": (1_065, 2_130, 4_260), "rsLoRA": (1_065, 2_130, 4_260), "LoRA-FA": (472, 944, 1_416),
}  # fmt: skip
FAMILIES = {
    "subspaces": ("Fastfood (DID)", "one-hot", "SAID"),
    "of LoRA": ("Uni-LoRA, r = 4", "SubLoRA, r = 4"),
    "LoRA": ("LoRA", "rsLoRA"),
    "frozen factors": ("LoRA-FA", "LoRA-XS", "VeRA"),
    "parts of θ": ("coordinates", "biases only", "last layer only"),
}
SHORTER = {"limit_train": 5_000, "epochs": 2, "seeds": 1, "direct_seeds": 1, "rates": None}
NOT_THERE: dict[float | None, str] = {None: "–"}


@dataclass(frozen=True)
class Methods(Cases):
    """Cases that count different things: accuracy against the count is their picture."""

    def picture(self, found: Mapping[str, Measurement]) -> Figure:
        """One colour a family."""
        families = {
            family: {label: runs(found[label]) if label in found else {} for label in labels}
            for family, labels in FAMILIES.items()
        }
        direct = next(iter(found.values())).performances()[None]
        return methods_figure(families, direct, self.title.rpartition(": ")[2])


def runs(m: Measurement) -> dict[int, Floats]:
    """Performances of the runs in subspaces, by d."""
    return {d: p for d, p in m.performances().items() if d is not None}


def task(name: str, base: Recipe = BASE, pretrained: bool = True, length: Spec | None = None) -> Recipe:
    """The second task, from what the first has left, after so long, or from scratch."""
    first, second = TASKS[name]
    before = {"data": first, "optimizer": adam(1e-3), **(length or {})} if pretrained else None
    return replace(base, data=second, pretrained=before)


def lengths() -> Cases:
    """LeNet turned by 60°, after more or less of the upright digits; and the FC net after the most."""
    cases = [
        MeasuredCase(f"LeNet, {what}", task("rotated", OF_LENET, length=length), NOT_THERE,
             "pre-training of so many epochs of 30,000 images, or on so many images as long as 5 of them")
        for what, length in LENGTHS.items()
    ]  # fmt: skip
    for what, before in (("from scratch", task("rotated", pretrained=False)), ("5 epochs", task("rotated")),
                         ("30 epochs", task("rotated", length={"epochs": 30}))):  # fmt: skip
        wider = replace(before, d=(*GRID, 800))
        cases.append(
            MeasuredCase(f"FC, {what}", wider, NOT_THERE, "d up to 800: at 400 it is below the line")
        )
    return Cases(
        "pretraining-length",
        "how long must pre-training be to lower d_int90? MNIST rotated by 60° after upright",
        "230 runs, 10 minutes", "50 runs, 1 minute", tuple(cases), SHORTER,
    )  # fmt: skip


def pretraining(net: str, told: str, base: Recipe, *names: str) -> Cases:
    """These tasks, both ways."""
    cases = tuple(
        MeasuredCase(f"{name}, {'pre-trained' if before else 'from scratch'}",
             task(name, base, before), NOT_THERE,
             "not in the paper; its question is that of Aghajanyan et al. (2020)")
        for name in names for before in (False, True)
    )  # fmt: skip
    if base.data == "cifar10":
        few = replace(task("cifar", base, length={"epochs": 2}), d=(1_000, 2_000, 4_000), seeds=2)
        cases += (
            MeasuredCase("cifar, pre-trained for 2 epochs", few, NOT_THERE, "a fifth of the pre-training"),
        )
    minutes = 3 * len(names) if base.data == "mnist" else 20
    return Cases(
        f"pretraining-{net}", f"does pre-training lower d_int90? {told}",
        f"{45 * len(names)} runs, {minutes} minutes", f"{10 * len(names)} runs, 20 s", cases, shorter(base),
    )  # fmt: skip


def adapters(suffix: str, title: str, recipe: Recipe, grids: Grids) -> Cases:
    """All methods on one task, with other grids where they are named."""
    cases = []
    for label, (P, T, d) in METHODS.items():
        d = grids.get(label, d)
        how = replace(recipe.rates, d=d[min(1, len(d) - 1)]) if recipe.rates else None
        own = replace(recipe, parametrisation=T, d=d, rates=how, seeds=2)
        cases.append(
            MeasuredCase(
                label, replace(own, projection=P) if P else own, NOT_THERE, "d counts all trained numbers"
            )
        )
    return Methods(
        f"adapters{suffix}", f"accuracy against trained numbers, from subspaces to LoRA: {title}",
        "200 runs, 10 minutes" if recipe.limit_train else "230 runs, 1 hour", "50 runs, 1 minute",
        tuple(cases), shorter(recipe),
    )  # fmt: skip


def shorter(base: Recipe) -> dict[str, Any]:
    """What --quick changes; of a file whose first images are of one class it takes all."""
    return SHORTER | ({} if base.limit_train else {"limit_train": None, "epochs": 1})


ADAPTERS = (
    pretraining("fc", "MNIST FC: digits 0–4 → 5–9, upright → rotated", BASE, "5-9", "rotated"),
    pretraining("lenet", "MNIST LeNet: digits 0–4 → 5–9, upright → rotated", OF_LENET, "5-9", "rotated"),
    pretraining("cifar", "CIFAR-10 LeNet: five classes → the other five", OF_CIFAR, "cifar"),
    lengths(),
    adapters("", "MNIST FC, digits 0–4 → 5–9", task("5-9"), {}),
    adapters("-rotated", "MNIST FC, upright → rotated by 60°", task("rotated"), WIDER),
    adapters("-scratch", "MNIST FC from scratch", BASE, WIDER),
    adapters("-lenet", "MNIST LeNet, upright → rotated by 60°", task("rotated", OF_LENET), LENET_GRIDS),
    adapters("-lenet-digits", "MNIST LeNet, digits 0–4 → 5–9", task("5-9", OF_LENET), LENET_GRIDS),
    adapters("-lenet-scratch", "MNIST LeNet from scratch", OF_LENET, LENET_GRIDS),
    adapters("-cifar", "CIFAR-10 LeNet, classes 0–4 → 5–9", task("cifar", OF_CIFAR), CIFAR_GRIDS),
)
