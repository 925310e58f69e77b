"""A training run is a function of a JSON-able spec and of nothing else; this is the function."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import platform
import time
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from npintdim._version import __version__
from npintdim.adapters import Adapter, adapter_of, check_adapter
from npintdim.artefact.base import read_base
from npintdim.artefact.decode import check_base
from npintdim.backend import Backend, get_backend
from npintdim.data import load_dataset
from npintdim.data.holdout import hold_out
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.landscape import Dataset, Landscape
from npintdim.engine.model import Model
from npintdim.engine.optimizers import Adam, optimizer_from_spec
from npintdim.engine.train import TrainConfig, train
from npintdim.files import canonical
from npintdim.inputs import one_of, quiet, shown
from npintdim.measurement.custom import OWN, Name, own, own_objective
from npintdim.objective import L2, ParametrisedObjective, SubspaceObjective
from npintdim.projections import SeededProjection, check_projection, make_projection
from npintdim.specs import called, check_spec, settle
from npintdim.typing import Floats, Spec

LARGEST_SEED = 10**9
IGNORED = {  # by a landscape of your own
    "l2": "a landscape of your own has its own loss: add the penalty there",
    "projection": "a landscape of your own draws its own P",
    "parametrisation": "a landscape of your own has its own T",
    "pretrained": "a landscape of your own begins where it says",
}


class Seeds(NamedTuple):
    """The three seeds of a run."""

    theta_0: int
    P: int
    batches: int


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a training run, but the machine it runs on.

    Parameters
    ----------
    data : name of a data set, where its files lie does not matter; or one of
        `npintdim.measurement.custom.Name`
    model : e.g. {"architecture": "mlp", "sizes": [64, 100, 100, 10]};
        or {"objective": a name, "options": {...}}
    projection : e.g. {"kind": "fastfood", "blocks": "single"}; None trains theta itself
    d : of the subspace; None with projection None
    seed : number of the repetition, see `seeds`
    optimizer : `Optimizer.spec()`
    epochs, batch_size : see `TrainConfig`
    l2 : weight of the penalty on the kernels of theta
    limit_train : use only the first so many training examples
    dtype : "float32" or "float64"
    holdout : share of the training data that takes the place of the test set,
        see `hold_out`; None for the test set
    content : digests of data and objective of one's own,
        see `npintdim.measurement.content`; a sweep finds them
    parametrisation : in the place of a projection, e.g. {"kind": "lora", "alpha": 8.0}, see
        `npintdim.adapters`; d numbers are trained, and where the kind has no d of its own, d says the rank
    pretrained : what θ_0 learnt before, from which d numbers go on: {"data": a name, ...}, and of a direct
        run whatever is otherwise than here ("epochs", "optimizer", ...); the repetition's own, the same for
        every d. Or {"file": path} of θ_0 itself, a .npy of D float32 or a compressed network;
        the same for every repetition
    best_epoch : share of the training data (after `holdout`) that is not trained on and says which epoch
        counts: that of the least loss there, as if training had stopped then. None for the last epoch.
        The test set is not looked at, so the performance there has no bias from the choice;
        the cost is that all runs, the baseline's too, have fewer examples,
        and d_int is that of another procedure

    Raises
    ------
    TypeError, ValueError
        for numbers out of range, an unknown optimizer, or one of d and projection (or parametrisation)
        without the other.
    """

    data: str
    model: Spec
    projection: Spec | None = None
    d: int | None = None
    seed: int = 0
    optimizer: Spec = field(default_factory=lambda: Adam().spec())
    epochs: int = 10
    batch_size: int = 128
    l2: float = 0.0
    limit_train: int | None = None
    dtype: str = "float32"
    holdout: float | None = None
    content: Spec | None = None
    parametrisation: Spec | None = None
    pretrained: Spec | None = None
    best_epoch: float | None = None

    def __post_init__(self) -> None:
        settle(self, seed=(0, LARGEST_SEED), d=(1, (1 << 32) - 1), epochs=1, batch_size=1, limit_train=1)
        one_of("dtype", self.dtype, ("float32", "float64"))
        if self.projection is not None and self.parametrisation is not None:
            raise ValueError(
                f"projection is {shown(self.projection)} and parametrisation {shown(self.parametrisation)}: "
                "one of them is needed"
            )
        if (self.d is None) != (self.projection is None and self.parametrisation is None):
            raise ValueError(
                f"d is {self.d} and projection {shown(self.projection)}: both or neither are needed"
            )
        if not 0 <= self.l2 < math.inf:
            raise ValueError(f"l2 is {self.l2}: a number ≥ 0 is needed")
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise ValueError(f"holdout is {self.holdout}: 0 < holdout < 1 is needed")
        if self.best_epoch is not None and not 0 < self.best_epoch < 1:
            raise ValueError(
                f"best_epoch is {self.best_epoch}: "
                "the share of the training data that chooses, 0 < q < 1, is needed"
            )
        self.config()

    @property
    def own(self) -> str:
        """Name of the landscape, if it is one of your own; of a network ""."""
        return own(self.model)

    def honoured(self) -> RunSpec:
        """Itself; ValueError for what its landscape or data cannot do. Records that ignored it are read."""
        cannot = dict(IGNORED) if self.own else {}
        if Name(self.data).none:
            cannot |= dict.fromkeys(
                ("limit_train", "batch_size", "best_epoch", "holdout"), "there are no training data"
            )
        usual = {f.name: f.default for f in fields(self)} | {"projection": OWN if self.projection else None}
        for name, why in cannot.items():
            if getattr(self, name) != usual[name]:
                raise ValueError(f"{name} is {shown(getattr(self, name))}, but {why}")
        return self

    def check(self) -> RunSpec:
        """Itself, if its network can be built and its kind of P exists; drawing P, a sweep refuses others."""
        if not self.own:  # its P is its own
            model_from_spec(self.model, get_backend("numpy", threads=1))
            if self.projection is not None:
                check_projection(self.projection)
            if self.parametrisation is not None:
                check_adapter(self.parametrisation)
            if self.base is not None and len(self.pretrained or {}) > 1:
                raise ValueError(f"pretrained is {shown(self.pretrained)}: {{'file': path}} alone is needed")
            if self.pretrained is not None and self.base is None:
                self.before()
        return self

    @property
    def base(self) -> str | None:
        """The file of a pre-trained θ_0, where it is in one."""
        return (self.pretrained or {}).get("file")

    def before(self) -> RunSpec:
        """The direct run that gives a pre-trained θ_0."""
        assert self.pretrained is not None
        other = ("d", "projection", "parametrisation", "pretrained", "holdout", "content")
        direct = {k: v for k, v in self.spec().items() if k not in other}
        own = self.content or {}
        content = {"data": own.get("pretrained"), "kinds": own.get("kinds")}
        known = {k: v for k, v in content.items() if v} or None
        return RunSpec.from_spec(direct | self.pretrained | {"content": known})

    @classmethod
    def from_spec(cls, spec: Spec) -> RunSpec:
        """The run that `spec()` describes; TypeError or ValueError for a member missing, unknown or wrong."""
        return called("the spec of a run", cls, check_spec("spec", spec)).check()

    def config(self) -> TrainConfig:
        """Of the trainer."""
        optimizer = optimizer_from_spec(self.optimizer)
        return TrainConfig(optimizer, self.epochs, self.batch_size, self.seeds.batches)

    @property
    def T(self) -> Spec | None:
        """The map from what is trained to θ: a parametrisation, or the projection; None of direct runs."""
        return self.parametrisation or self.projection

    @property
    def seeds(self) -> Seeds:
        """(3·seed + k)·2³² + d for k = 0, 1, 2; d = 0 in a direct run.

        So no two runs of a sweep share a seed, and neither do the three parts of a run.
        """
        return Seeds(*((3 * self.seed + k) * (1 << 32) + (self.d or 0) for k in range(3)))

    def spec(self) -> Spec:
        """JSON-able; what is None is left out, so that a new option leaves the old keys as they are."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def key(self) -> str:
        """First 16 hex digits of the sha256 of the canonical spec: the name of the run's record."""
        return hashlib.sha256(canonical(self.spec())).hexdigest()[:16]

    @property
    def label(self) -> str:
        """For people."""
        return f"{'direct' if self.d is None else f'd = {self.d}'}, seed {self.seed}"


def parts_of_run(
    spec: RunSpec, backend: Backend, folder: str | None = None
) -> tuple[Model, Floats, SeededProjection | Adapter | None]:
    """The network, theta_0 and the map of a run, P or another T; None of a direct one."""
    model = model_from_spec(spec.model, backend)
    theta_0 = begin(spec, model, folder)
    return model, theta_0, drawn_map(spec, model, theta_0)


def drawn_map(spec: RunSpec, model: Model, theta_0: Floats) -> SeededProjection | Adapter | None:
    """P or T, drawn from the run's seed."""
    d, seed, backend = spec.d, spec.seeds.P, model.backend
    if spec.parametrisation is not None and d is not None:
        return adapter_of(spec.parametrisation, d, model.layout, theta_0, seed, backend)
    if spec.projection is not None and d is not None:
        return make_projection(D=model.D, d=d, seed=seed, backend=backend, **spec.projection)
    return None


def begin(spec: RunSpec, model: Model, folder: str | None = None) -> Floats:
    """θ_0: drawn, or pre-trained on data in the folder."""
    if spec.pretrained is None:
        return model.init_theta(spec.seeds.theta_0)
    if spec.base is None:
        theta_0 = learnt(canonical(spec.before().spec()), model.backend, folder)
    else:
        theta_0 = check_base(read_base(Path(spec.base)), model.D)
    return model.backend.send(theta_0, model.backend.dtype)


@functools.lru_cache(maxsize=8)
def learnt(spec: bytes, backend: Backend, folder: str | None) -> Floats:
    """Where a direct run ends, on the host; once a process."""
    before = RunSpec.from_spec(json.loads(spec))
    data = load_dataset(before.data, folder=folder, limit_train=before.limit_train).to(backend)
    record, theta = run(before, backend, data)
    if record["status"] == "interrupted":
        raise KeyboardInterrupt
    if record["status"] != "finished":
        raise ValueError(f"pre-training on {before.data} {record['status']}: a smaller lr is needed")
    return theta


def check_fit(spec: RunSpec, model: Model, data: Dataset) -> None:
    """ValueError for outputs that are not the data's classes, examples of another size, too large a batch."""
    if model.loss.numbers != (data.classes == 0):
        wanted = (
            "targets that are classes: a model without loss="
            if data.classes
            else "numbers as targets: a model with loss='mse'"
        )
        raise ValueError(f"{data.name} has {wanted} is needed, the loss is {type(model.loss).__name__}")
    if model.classes != data.outputs:
        wanted = f"{data.classes} classes" if data.classes else f"targets of {data.outputs} numbers"
        raise ValueError(f"the model has {model.classes} outputs, but {data.name} has {wanted}")
    takes, given = model.in_shape, tuple(data.train.x.shape[1:])
    if math.prod(takes) != math.prod(given):
        raise ValueError(f"the model takes examples of shape {takes}, but {data.name} has {given}")
    spec.config().check(data)


def objective(
    spec: RunSpec, backend: Backend, data: Dataset | None, folder: str | None = None
) -> tuple[Landscape, Floats]:
    """The landscape a run trains on, and where it starts; ValueError if they do not fit, see `check_fit`."""
    if spec.own:
        return own_objective(spec.model, spec.d, spec.seeds.P, backend)
    model, theta_0, T = parts_of_run(spec, backend, folder)
    if data is None:
        raise ValueError("data is none: a network needs a data set")
    check_fit(spec, model, data)
    landscape: Landscape = L2(model, model.layout, spec.l2) if spec.l2 else model
    if T is None:
        return landscape, theta_0
    inside = (
        ParametrisedObjective(landscape, T)
        if isinstance(T, Adapter)
        else SubspaceObjective(landscape, theta_0, T)
    )
    return inside, inside.start()


@quiet
def run(
    spec: RunSpec,
    backend: Backend,
    data: Dataset | None,
    progress: bool | None = False,
    folder: str | None = None,
    steps: int | None = None,
) -> tuple[Spec, Floats]:
    """Train as the spec says.

    Parameters
    ----------
    spec : what to do
    backend : where; its dtype must be the spec's
    data : the data set of that name, on the backend's device
    progress : see `train`
    folder : of the data of a pre-training, see `load_dataset`
    steps : of an epoch without data; None for those of `TrainConfig`

    Returns
    -------
    record : JSON-able: the spec, D, seeds, status, performance (test, at the last epoch), one entry an epoch,
        seconds, backend, threads, versions
    theta : (d,) or (D,) on the host, where the run ended

    Raises
    ------
    TypeError, ValueError
        if the backend computes in another dtype, or network, P and data do not fit together.
    """
    if backend.dtype.name != spec.dtype:
        raise ValueError(
            f"backend computes in {backend.dtype.name}, but the run is specified in {spec.dtype}"
        )
    began = time.perf_counter()
    landscape, start = objective(spec, backend, data, folder)
    D = landscape.dim if spec.own else model_from_spec(spec.model, backend).D
    held = None
    if spec.best_epoch is not None and data is not None:
        own = hold_out(data, spec.best_epoch, spec.seeds.batches)
        data, held = replace(data, train=own.train), own.test
    config = spec.config() if steps is None else replace(spec.config(), steps_per_epoch=steps)
    reached = train(landscape, start, data, config, progress, spec.label, held)
    epochs = [{k: number(v) for k, v in asdict(r).items() if v is not None} for r in reached.records]
    finished = reached.status == "finished"
    if finished and not math.isfinite(reached.records[-1].test):
        raise ValueError(f"performance is {reached.records[-1].test}: a finite number is needed")
    record = {
        "spec": spec.spec(),
        "status": reached.status,
        **({} if spec.own and spec.d else {"D": D}),  # of one's own only direct training knows it
        "seeds": {k: str(v) for k, v in spec.seeds._asdict().items()},
        "performance": epochs[-1]["test"] if finished else None,
        "train_performance": epochs[-1]["train"] if finished else None,
        "loss": epochs[-1]["loss"] if finished else None,
        "epochs": epochs,
        "seconds": round(time.perf_counter() - began, 3),
        "backend": backend.name,  # from here on what may change the last bits
        "threads": backend.threads,
        **({} if backend.fuse else {"fuse": False}),
        "machine": platform.machine(),
        "versions": versions("numpy", "scipy", *({"numba", "cupy"} & {backend.name})),
    }
    return record, backend.host(reached.theta)


def number(x: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return x if math.isfinite(x) else None


def versions(*packages: str) -> dict[str, str | None]:
    """Of npintdim, of Python, and of packages; None where one is not installed."""
    found: dict[str, str | None] = {"npintdim": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
