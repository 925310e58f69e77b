"""From the subspace to LoRA: does pre-training lower d_int90, and what does each method reach with how many numbers?"""

from dataclasses import replace

from npintdim.measurement.recipes import RateSearch, Recipe, adam, fully_connected
from npintdim.reproduce.cases import Case, Cases
from npintdim.reproduce.paper import lenet
from npintdim.typing import Spec

FC, LENET = fully_connected(784, 200, 200, 10), lenet([1, 28, 28])
TASKS = {"5-9": ("mnist+classes=0-4", "mnist+classes=5-9"), "rotated": ("mnist", "mnist+rotated=60")}
GRID = (50, 100, 200, 400)
BASE = Recipe(
    data="mnist", model=FC, d=GRID, projection={"kind": "fastfood"}, limit_train=30_000, epochs=5,
    direct_optimizer=adam(1e-3), optimizer=adam(1e-2), seeds=3, direct_seeds=3, fraction=0.9,
    rates=RateSearch(d=200, seeds=1, holdout=0.2, step=3.0, most=5),
)  # fmt: skip

# Trained numbers of 784-200-200-10: LoRA 1,594 r, LoRA-FA 410 r, LoRA-XS 3 r², VeRA 3 r + 410. The rate is searched at the
# second number of each.
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
SHORTER = {"limit_train": 5_000, "epochs": 2, "seeds": 1, "direct_seeds": 1, "rates": None}
NOT_THERE: dict[float | None, str] = {None: "–"}


def task(name: str, model: Spec = FC, pretrained: bool = True) -> Recipe:
    """The second task, from what the first has left or from scratch."""
    first, second = TASKS[name]
    before = {"data": first, "optimizer": adam(1e-3)} if pretrained else None
    return replace(BASE, data=second, model=model, pretrained=before)


def pretraining(net: str, model: Spec) -> Cases:
    """Both tasks, both ways."""
    cases = tuple(
        Case(f"{name}, {'pre-trained' if before else 'from scratch'}", task(name, model, before), NOT_THERE,
             "not in the paper; its question is that of Aghajanyan et al. (2020)")
        for name in TASKS for before in (False, True)
    )  # fmt: skip
    return Cases(
        f"pretraining-{net}", f"does pre-training lower d_int90? MNIST {net.upper()}: digits 0–4 → 5–9, upright → rotated",
        "90 runs, 6 minutes", "20 runs, 20 s", cases, SHORTER,
    )  # fmt: skip


def adapters(suffix: str, title: str, recipe: Recipe) -> Cases:
    """All methods on one task."""
    cases = []
    for label, (P, T, d) in METHODS.items():
        how = replace(BASE.rates, d=d[min(1, len(d) - 1)]) if BASE.rates else None
        own = replace(recipe, parametrisation=T, d=d, rates=how, seeds=2)
        cases.append(
            Case(label, replace(own, projection=P) if P else own, NOT_THERE, "d counts all trained numbers")
        )
    return Cases(
        f"adapters{suffix}", f"accuracy against trained numbers, from subspaces to LoRA: {title}",
        "150 runs, 10 minutes", "50 runs, 1 minute", tuple(cases), SHORTER,
    )  # fmt: skip


ADAPTERS = (
    pretraining("fc", FC),
    pretraining("lenet", LENET),
    adapters("", "MNIST FC, digits 0–4 → 5–9", task("5-9")),
    adapters("-rotated", "MNIST FC, upright → rotated by 60°", task("rotated")),
    adapters("-scratch", "MNIST FC from scratch", BASE),
)
