"""SGD with momentum, Adam and AdamW, and their learning rate at each step: pure rules that have no kernel."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, fields
from typing import ClassVar

import numpy as np

from npintdim.inputs import counted, one_of
from npintdim.specs import built, kinds, settle
from npintdim.typing import Floats, Spec


@dataclass(frozen=True)
class Schedule(ABC):
    """A factor for every step: lr_t = lr · schedule(t), t = 1, 2, ...

    It counts steps, not epochs: n examples in batches of b are ⌈n/b⌉ steps an epoch.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__.lower()

    @abstractmethod
    def __call__(self, t: int) -> float:
        """The factor of step t = 1, 2, ..."""

    def spec(self) -> Spec:
        """JSON-able: kind and numbers."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Constant(Schedule):
    """1 for ever."""

    def __call__(self, t: int) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    """From 1 down to `least` along half a cosine (Loshchilov and Hutter 2017), and there for ever.

    Parameters
    ----------
    steps : T, after which it is at its least
    least : in [0, 1]

    Notes
    -----
    least + (1 − least) (1 + cos(π min(t − 1, T)/T))/2
    """

    steps: int
    least: float = 0.0

    def __post_init__(self) -> None:
        settle(self, steps=1)
        if not 0 <= self.least <= 1:
            raise ValueError(f"least is {self.least}: 0 ≤ least ≤ 1 is needed")

    def __call__(self, t: int) -> float:
        """See above."""
        angle = math.pi * min(t - 1, self.steps) / self.steps
        return self.least + (1 - self.least) * (1 + math.cos(angle)) / 2


@dataclass(frozen=True)
class Step(Schedule):
    """factor^⌊(t − 1)/every⌋: smaller at once, every so many steps.

    Parameters
    ----------
    every : steps, ≥ 1
    factor : in (0, 1]
    """

    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        settle(self, every=1)
        if not 0 < self.factor <= 1:
            raise ValueError(f"factor is {self.factor}: 0 < factor ≤ 1 is needed")

    def __call__(self, t: int) -> float:
        """See above."""
        return float(self.factor ** ((t - 1) // self.every))


SCHEDULES: dict[str, type[Schedule]] = kinds("schedule", Schedule, "kind", Constant, Cosine, Step)


@dataclass(frozen=True)
class Optimizer(ABC):
    """θ, state, t ← update(θ, ∇L, state, t).

    Parameters
    ----------
    lr : learning rate, > 0
    decay : decoupled weight decay λ ≥ 0 (Loshchilov and Hutter 2019): θ ← (1 − lr_t λ) θ before the step.
        In a subspace it acts on θ_d and so draws θ towards θ_0; None for none
    schedule : of the rate, lr_t = lr · schedule(t), see `Schedule`, or its spec; None for a constant one

    Raises
    ------
    TypeError, ValueError
        for hyper-parameters that are no numbers, or out of range.
    """

    kind: ClassVar[str]
    lr: float
    decay: float | None = field(default=None, kw_only=True)
    schedule: Schedule | None = field(default=None, kw_only=True)

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__.lower()

    def __post_init__(self) -> None:
        settle(self)
        if self.decay is not None and not 0 <= self.decay < math.inf:
            raise ValueError(f"decay is {self.decay}: a number ≥ 0 is needed")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr is {self.lr}: a positive number is needed")

    @abstractmethod
    def start(self, theta: Floats) -> tuple[Floats, ...]:
        """The state before the first step."""

    @abstractmethod
    def update(
        self, theta: Floats, grad: Floats, state: tuple[Floats, ...], t: int
    ) -> tuple[Floats, tuple[Floats, ...]]:
        """θ and state after step t = 1, 2, ..."""

    def rate(self, t: int) -> float:
        """lr_t of step t = 1, 2, ..."""
        if t < 1:
            raise ValueError(f"t is {t}: steps are counted from t = 1 on")
        return self.lr if self.schedule is None else self.lr * self.schedule(t)

    def decayed(self, theta: Floats, t: int) -> Floats:
        """(1 − lr_t λ) θ."""
        assert self.decay is not None
        return (1 - self.rate(t) * self.decay) * theta

    def spec(self) -> Spec:
        """JSON-able: kind and hyper-parameters, without options that are None as ever: keys stay."""
        told = asdict(self) | {"schedule": self.schedule and self.schedule.spec()}
        options = {f.name: told[f.name] for f in fields(self) if not told[f.name] is f.default is None}
        return {"kind": self.kind, **options}


def check_step(theta: Floats, grad: Floats, state: tuple[Floats, ...], parts: int) -> None:
    """ValueError for shapes that NumPy would broadcast, or a state of another number of parts."""
    shape, *others = map(np.shape, (theta, grad, *state))
    if others != [shape] * (1 + parts):
        given = f"the gradient {others[0]}, the state {', '.join(map(str, others[1:])) or 'no part'}"
        raise ValueError(
            f"theta has shape {shape}, {given}: {shape} is needed, "
            f"of {counted(parts, 'part')} of the state too"
        )


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent with (heavy-ball) momentum; the authors use lr 0.1, momentum 0.9.

    Notes
    -----
    u ← momentum·u + ∇L,   θ ← θ − lr_t·u
    """

    lr: float = 0.1
    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}: 0 ≤ momentum < 1 is needed")

    def start(self, theta: Floats) -> tuple[Floats, ...]:
        """u = 0."""
        return (theta * 0,) if self.momentum else ()

    def update(
        self, theta: Floats, grad: Floats, state: tuple[Floats, ...], t: int
    ) -> tuple[Floats, tuple[Floats, ...]]:
        """One step."""
        check_step(theta, grad, state, 1 if self.momentum else 0)
        if self.decay is not None:
            theta = self.decayed(theta, t)
        if not state:
            return theta - self.rate(t) * grad, ()
        (u,) = state
        u = self.momentum * u + grad
        return theta - self.rate(t) * u, (u,)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) in TensorFlow's form, with the authors' β2 = 0.99.

    Parameters
    ----------
    beta1, beta2 : of the means of ∇L and ∇L², in [0, 1)
    eps : ε > 0
    rule : "torch" for ε where PyTorch, Keras 3 and the paper's own algorithm have it;
        None for TensorFlow's place

    Notes
    -----
    m ← β1 m + (1 − β1) ∇L,   v ← β2 v + (1 − β2) ∇L²
    lr_t = lr · sqrt(1 − β2^t) / (1 − β1^t),   θ ← θ − lr_t · m / (sqrt(v) + ε)

    ε is added to sqrt(v) before, not after, the correction of v. With rule="torch" it is ε · sqrt(1 − β2^t)
    instead, which makes the step lr · m̂ / (sqrt(v̂) + ε) with m̂ = m/(1 − β1^t), v̂ = v/(1 − β2^t).
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.99
    eps: float = 1e-8
    rule: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule is not None:
            one_of("rule", self.rule, ("torch",))
        for name, beta in (("beta1", self.beta1), ("beta2", self.beta2)):
            if not 0 <= beta < 1:
                raise ValueError(f"{name} is {beta}: 0 ≤ {name} < 1 is needed")
        if not 0 < self.eps < math.inf:
            raise ValueError(f"eps is {self.eps}: a positive number is needed")

    def start(self, theta: Floats) -> tuple[Floats, ...]:
        """m = v = 0."""
        return theta * 0, theta * 0

    def update(
        self, theta: Floats, grad: Floats, state: tuple[Floats, ...], t: int
    ) -> tuple[Floats, tuple[Floats, ...]]:
        """One step."""
        check_step(theta, grad, state, 2)
        m, v = state
        m = self.beta1 * m + (1 - self.beta1) * grad
        v = self.beta2 * v + (1 - self.beta2) * grad**2
        lr_t = self.rate(t) * math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        eps_t = self.eps if self.rule is None else self.eps * math.sqrt(1 - self.beta2**t)
        if self.decay is not None:
            theta = self.decayed(theta, t)
        return theta - lr_t * m / (np.sqrt(v) + eps_t), (m, v)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019); defaults of `torch.optim.AdamW`."""

    beta2: float = 0.999
    rule: str | None = "torch"
    decay: float | None = field(default=0.01, kw_only=True)


OPTIMIZERS: dict[str, type[Optimizer]] = kinds("optimizer", Optimizer, "kind", SGD, Adam, AdamW)


def optimizer_from_spec(spec: Spec) -> Optimizer:
    """Build the optimizer that `Optimizer.spec()` describes, or say what is wrong with the spec."""
    return built("optimizer", spec, "kind", OPTIMIZERS)
