"""What to measure and how: every number that decides the outcome, and the defaults with their reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from npintdim.backend import as_array
from npintdim.data import check_known, load_dataset
from npintdim.data.own import is_file
from npintdim.engine.landscape import Dataset, Landscape
from npintdim.engine.optimizers import Adam
from npintdim.engine.score import Score
from npintdim.inputs import check_integer, check_kind, plain, shown
from npintdim.measurement.custom import NO_DATA, OWN, Name, named, own
from npintdim.measurement.estimate import shares
from npintdim.measurement.runs import LARGEST_SEED, RunSpec
from npintdim.measurement.search import Search
from npintdim.specs import check_spec, kind_of, settle
from npintdim.typing import Floats, Spec

FASTFOOD: Spec = {"kind": "fastfood"}  # unless said otherwise


@dataclass(frozen=True)
class RateSearch:
    """How to search a learning rate: a small grid around a first guess, widened until its best lies inside.

    The same way for the baseline and in the subspace; for the guess there see `guess`.

    Parameters
    ----------
    d : where the subspace's rate is searched; None for near the crossing, bracketed by factors of 4 before
    seeds : repetitions at each rate
    holdout : share of the training data that is held out, and decides; the test set is never looked at
    step : ratio of neighbouring rates
    most : rates to try, at most

    Raises
    ------
    TypeError, ValueError
        for numbers out of range.
    """

    d: int | None = None
    seeds: int = 1
    holdout: float = 0.2
    step: float = 3.0
    most: int = 7

    def __post_init__(self) -> None:
        settle(self, d=1, seeds=1, most=3)
        if not 0 < self.holdout < 1:
            raise ValueError(f"holdout is {self.holdout}: 0 < holdout < 1 is needed")
        if not 1 < self.step < math.inf:
            raise ValueError(f"step is {self.step}: a number > 1 is needed")

    def following(self, centre: float, found: Mapping[float, float]) -> list[float]:
        """The rates to try next; none when the best lies inside, or enough were tried.

        `found` is the performance on what was held out, by rate,
        NaN where training diverged; `centre` the first guess.
        """
        if not found:
            return [rounded(centre / self.step), rounded(centre), rounded(centre * self.step)]
        low, high = min(found), max(found)
        if len(found) >= self.most or low < best(found) < high:
            return []
        return [rounded(low / self.step if best(found) == low else high * self.step)]


@dataclass(frozen=True)
class Recipe:
    """What to measure, with every number that decides the outcome.

    Parameters
    ----------
    data : name of a data set, a `Dataset`, or a function that returns one
    model : the network or its spec; for a landscape of your own see `objective_recipe`
    d : the grid, or one number; None for an adaptive search, see `npintdim.measurement.search`
    projection : kind of P, or kind and options
    optimizer, direct_optimizer : in the subspace and for the baseline, or their specs
    seeds, direct_seeds : repetitions at each d, and of the baseline
    epochs, batch_size, l2, limit_train : of every run
    fraction : the threshold is fraction × mean baseline
    threshold : an absolute one instead
    seed : number of the first repetition, see `RunSpec`
    chance : see `d_int`
    precision, budget, first : of the search, see `Search`; the grid and `seeds` do not count then
    at_once : runs that the search proposes at a time: it decides what is run. None for as many as can be done
        at a time where it is done, but no fewer than 2
    rates : how both learning rates are searched before anything else, from direct_optimizer's on;
        None takes those of the optimizers
    lr_at : d at which optimizer's rate holds, at others as `guess` says; None for one rate at every d
    content : see `RunSpec`; `measure` finds it
    parametrisation : in the place of the projection, see `RunSpec`; the grid d counts what is trained
    pretrained : see `RunSpec`; of the baseline too
    score : what performance is, where it is no share in [0, 1], see `Score`; None for that of the network's
        loss. It is no part of a run: another one reads the same runs
    best_epoch : see `RunSpec`; the baseline's runs too

    Raises
    ------
    TypeError, ValueError
        for an empty grid or numbers out of range.
    """

    data: str
    model: Spec
    d: tuple[int, ...] | None
    projection: Spec = field(default_factory=lambda: dict(FASTFOOD))
    optimizer: Spec = field(default_factory=lambda: adam(1e-2))
    direct_optimizer: Spec = field(default_factory=lambda: adam(1e-3))
    seeds: int = 3
    direct_seeds: int = 3
    epochs: int = 10
    batch_size: int = 128
    l2: float = 0.0
    limit_train: int | None = None
    fraction: float = 0.9
    threshold: float | None = None
    seed: int = 0
    chance: float = 0.0
    precision: float = 0.05
    budget: int = 24
    first: int | None = None
    at_once: int | None = None
    rates: RateSearch | None = None
    lr_at: int | None = None
    content: Spec | None = None
    parametrisation: Spec | None = None
    pretrained: Spec | None = None
    score: Score | None = None
    best_epoch: float | None = None

    def __post_init__(self) -> None:
        data: Any = self.data
        projection: Any = self.projection
        if isinstance(data, Dataset | tuple) or callable(data):
            object.__setattr__(self, "data", named(data))
        if isinstance(projection, str):
            object.__setattr__(self, "projection", {"kind": projection})
        if self.parametrisation and self.projection != FASTFOOD:
            raise ValueError(
                f"projection is {shown(self.projection)} and parametrisation {shown(self.parametrisation)}: "
                "one of them is needed"
            )
        if self.d is not None:
            object.__setattr__(self, "d", grid(self.d))
        settle(self, seeds=1, direct_seeds=1, epochs=1, batch_size=1, limit_train=1, seed=(0, LARGEST_SEED),
               budget=1, first=1, at_once=1, lr_at=1)  # fmt: skip
        if self.rates is not None:
            check_kind("rates", self.rates, RateSearch, "RateSearch(seeds=2)")
        if self.score is not None:
            check_kind("score", self.score, Score, "Score('mean absolute error', guess=3.1, best=0)")
        if self.scored is not None and self.chance:
            raise ValueError(f"chance is {self.chance}: with {self.scored.name} it is {self.scored.guess:g}")
        self.search(1)
        self.direct(
            self.direct_seeds - 1
        )  # repetitions differ in their seed alone, and the last has the largest
        for d in self.d or ():
            self.subspace(d, self.seeds - 1)
        self.subspace(1, 0).check()

    @property
    def own(self) -> str:
        """Name of the landscape, if it is one of your own; of a network ""."""
        return own(self.model)

    @property
    def T(self) -> Spec:
        """The map from what is trained to θ: a parametrisation, or the projection of a subspace."""
        return self.parametrisation or self.projection

    @property
    def scored(self) -> Score | None:
        """How performances become shares: as it says, or as the loss of the network does."""
        if self.score is None and "loss" in self.model:
            own: Score | None = kind_of("loss", self.model["loss"]).score
            return own
        return self.score

    def shares(self, performances: Sequence[float] | Floats) -> list[float]:
        """See `npintdim.measurement.estimate.shares`."""
        found: list[float] = shares(performances, self.scored).tolist()
        return found

    def specs(self, dtype: str = "float32") -> list[RunSpec]:
        """Every run known beforehand: the baseline's, then those of each d; repetition k has seed + k."""
        direct = [self.direct(k, dtype) for k in range(self.direct_seeds)]
        grid = [self.subspace(d, k, dtype) for d in sorted(set(self.d or ())) for k in range(self.seeds)]
        return direct + grid

    def direct(self, k: int, dtype: str = "float32") -> RunSpec:
        """Repetition k of the baseline."""
        return RunSpec(**self.common(dtype), seed=self.seed + k, optimizer=self.direct_optimizer)

    def subspace(self, d: int, k: int, dtype: str = "float32") -> RunSpec:
        """Repetition k at d."""
        T: dict[str, Any] = {"parametrisation" if self.parametrisation else "projection": self.T}
        return RunSpec(**self.common(dtype), seed=self.seed + k, optimizer=self.optimizer_at(d), d=d, **T)

    def optimizer_at(self, d: int) -> Spec:
        """In subspaces of dimension d; a learning rate that depends on d has three digits."""
        if self.lr_at is None:
            return self.optimizer
        lr = guess(self.optimizer["lr"], self.optimizer, self.lr_at, d)
        return self.optimizer | {"lr": float(f"{lr:.3g}")}

    def trial(self, d: int | None, lr: float, k: int, dtype: str = "float32") -> RunSpec:
        """Repetition k of a learning rate, in a subspace or (d = None) directly, on held-out training data.

        Nothing is held out where performance is that of training anyway:
        without data, and of shuffled labels.
        """
        assert self.rates is not None
        spec = self.direct(k, dtype) if d is None else self.subspace(d, k, dtype)
        held = None if Name(self.data).none or Name(self.data).relabelled else self.rates.holdout
        return replace(spec, optimizer=spec.optimizer | {"lr": lr}, holdout=held)

    def common(self, dtype: str) -> dict[str, Any]:
        """What all runs share."""
        return {
            "data": self.data, "model": self.model, "epochs": self.epochs, "batch_size": self.batch_size,
            "l2": self.l2, "limit_train": self.limit_train, "dtype": dtype, "content": self.content,
            "pretrained": self.pretrained, "best_epoch": self.best_epoch,
        }  # fmt: skip

    def search(self, D: int) -> Search:
        """For an adaptive measurement of D parameters."""
        line = self.threshold if self.scored is None else self.scored.line(self.threshold)
        numbers = self.first, self.precision, self.budget, self.fraction, line, self.chance
        return Search(D, *numbers, self.direct_seeds, self.scored)


def objective_recipe(
    make_objective: Callable[..., Landscape] | str,
    data: Dataset | Callable[[], Dataset] | str | None = None,
    *,
    options: Spec | None = None,
    **numbers: Any,
) -> Recipe:
    """A recipe that measures a landscape of your own, exactly as the networks of this package are.

    Parameters
    ----------
    make_objective : make_objective(d, seed, **options) returns a landscape of dimension d, and with d = None
        the whole landscape, for the baseline. `start()` says where training begins; without it a subspace
        begins at 0, and a network of this package at its own θ_0 of the seed.
        seed < 2⁶⁴ is another one for every run; draw θ_0 and P from it. As "package.module:make",
        or importable by such a name, it can be called in other processes
    data : a data set's name, a `Dataset`, a function that returns one or its "package.module:name";
        None for a landscape without data, an epoch being 100 steps
    options : keyword arguments, JSON-able: they are part of what a run is kept under
    numbers : of the `Recipe`: d (None, the default, searches), optimizer, epochs, ...

    Raises
    ------
    ValueError
        for something that has no name.

    Notes
    -----
    Records are kept under the name and the content: see `npintdim.measurement.content`.
    """
    if data is None:
        data = NO_DATA
    elif not isinstance(data, str) or Name(data).own:
        data = named(data)
    model = {"objective": named(make_objective), "options": check_spec("options", options or {})}
    recipe = Recipe(data, model, **{"d": None, "projection": OWN} | numbers)
    recipe.subspace(1, 0).honoured()
    return recipe


def grid(d: Any) -> tuple[int, ...]:
    """The d of a list, range or array, or one number; an error for anything else, none, or no dimension."""
    d = plain(as_array("d", d))
    given = (d,) if isinstance(d, int) else d
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"d is {shown(d)}: a grid such as (100, 300, 750), or None for a search, is needed")
    if not (given := tuple(given)):
        raise ValueError("the grid of d is empty: at least one d is needed")
    return tuple(check_integer("d", i, 1, (1 << 32) - 1) for i in given)


def best(found: Mapping[float, float]) -> float:
    """The rate that reached most, the smaller of equals; the smallest of all if every one diverged."""
    return max(sorted(found), key=lambda lr: -math.inf if math.isnan(found[lr]) else found[lr])


def guess(lr: float, optimizer: Spec, D: int, d: int) -> float:
    """The rate for d numbers with which θ moves about as with lr for all D; P has unit columns."""
    return lr * (math.sqrt(D / d) if by_root(optimizer) else D / d)


def by_root(optimizer: Spec) -> bool:
    """Whether a rate goes as 1/√d: Adam's steps in θ are then of one length. SGD's as 1/d: P Pᵀ ≈ (d/D) I."""
    return str(optimizer["kind"]).startswith("adam")


def rounded(lr: float) -> float:
    """Two digits."""
    return float(f"{lr:.2g}")


def adam(lr: float) -> Spec:
    """Adam with the authors' β2 = 0.99."""
    return Adam(lr).spec()


def fully_connected(*sizes: int, activation: str = "relu", numbers: bool = False) -> Spec:
    """Spec of an `mlp`, for targets that are classes or numbers."""
    spec: Spec = {"architecture": "mlp", "sizes": list(sizes)}
    if activation != "relu":
        spec["activation"] = {"kind": type(kind_of("layer", activation)).__name__}
    return spec | {"loss": {"kind": "MSE"}} if numbers else spec


def model_name(spec: Spec) -> str:
    """784-200-200-10, 784-200-10-tanh, lenet, or lenet-as-released (no ReLU after the convolutions)."""
    if name := own(spec):
        return name.partition(":")[2]
    if spec.get("architecture") == "mlp":
        activation = spec.get("activation", {}).get("kind", "").lower()
        return "-".join([*map(str, spec["sizes"]), *filter(None, [activation])])
    released = spec.get("conv_relu") is False
    return f"{spec.get('architecture', 'model')}{'-as-released' if released else ''}"


# Learning rates: the rule for Adam is lr_subspace ≈ lr_direct · sqrt(D/d); at the crossing sqrt(D/d)
# is about 12 for the digits (D = 17,610) and 18 for MNIST (D = 199,210). Epochs: where the curve has
# flattened. In the last third of them the mean at the first d above the line rises by .006 (digits,
# sd over seeds .009) and by .004 (MNIST); with the authors' 1e-3 it takes ten times as many. Grids:
# log-spaced, denser where the crossing is expected. Batch 64 on the 1,297 digits: 21 steps an epoch.
# Repetitions: five cost 12 s on two cores (digits), two 2 minutes (MNIST).
DIGITS = Recipe(
    "digits", fully_connected(64, 100, 100, 10), (20, 40, 70, 90, 110, 130, 150, 180, 250, 400),
    optimizer=adam(3e-2), direct_optimizer=adam(3e-3), seeds=5, direct_seeds=5, epochs=60, batch_size=64,
)  # fmt: skip
MNIST = Recipe(
    "mnist", fully_connected(784, 200, 200, 10), (100, 200, 300, 400, 500, 600, 750, 900, 1200, 1500),
    optimizer=adam(1e-2), direct_optimizer=adam(1e-3), seeds=2, direct_seeds=2, epochs=10, limit_train=50_000,
)  # fmt: skip
CIFAR10 = Recipe(
    "cifar10", fully_connected(3072, 200, 200, 10), (500, 1000, 2000, 4000, 6000, 9000, 14_000, 20_000),
    optimizer=adam(1e-2), direct_optimizer=adam(1e-3), seeds=2, direct_seeds=2, epochs=20,
)  # fmt: skip
RECIPES = {
    "digits": DIGITS,
    "mnist": MNIST,
    "fashion-mnist": replace(MNIST, data="fashion-mnist"),
    "kmnist": replace(MNIST, data="kmnist"),
    "cifar10": CIFAR10,
}
LENET_GRIDS = {
    "cifar10": (200, 500, 1000, 1500, 2000, 3000, 4500, 7000),
    "mnist": (25, 50, 100, 150, 200, 250, 300, 400, 600, 1000),
}


def recipe_for(data: str, model: Spec | None = None) -> Recipe:
    """The default recipe of a data set, shuffled or not, for its own network or another one.

    For a file or folder of one's own, which is read for it, see `recipe_of_file`.

    Raises
    ------
    ValueError
        for a data set without a recipe.
    """
    if is_file(data):
        return recipe_of_file(load_dataset(data), model)
    original = Name(data).original
    check_known(original)
    recipe = replace(RECIPES[original], data=data, model=model or RECIPES[original].model)
    if model and "lenet" in model.get("architecture", ""):
        return replace(recipe, d=LENET_GRIDS.get(original, LENET_GRIDS["mnist"]))
    return recipe


def recipe_of_file(data: Dataset, model: Spec | None = None) -> Recipe:
    """The default recipe of a file of one's own: two hidden layers of 100; d and both rates are searched.

    As many epochs as make about 1,200 steps of 64 examples, but 10 at least:
    so many flatten the digits' and MNIST's curves.
    """
    x = data.train.x
    net = fully_connected(math.prod(x.shape[1:]), 100, 100, data.outputs, numbers=not data.classes)
    batch_size = max(1, min(DIGITS.batch_size, len(x) // 2))  # of a few examples, a part is held out besides
    return replace(
        DIGITS, data=data.name, model=model or net, d=None, batch_size=batch_size,
        epochs=max(10, math.ceil(1200 * batch_size / len(x))), direct_seeds=3, rates=RateSearch(),
    )  # fmt: skip
