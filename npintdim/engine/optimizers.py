"""SGD with momentum and Adam: pure update rules, arrays in, new arrays out, on every backend; they have no kernel."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass

import numpy as np

from npintdim.specs import built, settle
from npintdim.typing import Floats, Spec


@dataclass(frozen=True)
class Optimizer(ABC):
    """θ, state, t ← update(θ, ∇L, state, t).

    Parameters
    ----------
    lr : constant learning rate, > 0

    Raises
    ------
    TypeError, ValueError
        for hyper-parameters that are no numbers, or out of range.
    """

    lr: float

    def __post_init__(self) -> None:
        settle(self)
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

    def spec(self) -> Spec:
        """JSON-able: kind and hyper-parameters."""
        return {"kind": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent with (heavy-ball) momentum; the authors use lr 0.1, momentum 0.9.

    Notes
    -----
    u ← momentum·u + ∇L,   θ ← θ − lr·u
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
        if not state:
            return theta - self.lr * grad, ()
        (u,) = state
        u = self.momentum * u + grad
        return theta - self.lr * u, (u,)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) in TensorFlow's form, with the authors' β2 = 0.99.

    Notes
    -----
    m ← β1 m + (1 − β1) ∇L,   v ← β2 v + (1 − β2) ∇L²
    lr_t = lr · sqrt(1 − β2^t) / (1 − β1^t),   θ ← θ − lr_t · m / (sqrt(v) + ε)

    ε is added to sqrt(v) before, not after, the correction of v: PyTorch's ε acts as ε · sqrt(1 − β2^t) here.
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.99
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
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
        m, v = state
        m = self.beta1 * m + (1 - self.beta1) * grad
        v = self.beta2 * v + (1 - self.beta2) * grad**2
        lr_t = self.lr * math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        return theta - lr_t * m / (np.sqrt(v) + self.eps), (m, v)


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}


def optimizer_from_spec(spec: Spec) -> Optimizer:
    """Build the optimizer that `Optimizer.spec()` describes.

    Raises
    ------
    TypeError, ValueError
        for a kind that this package does not have, or other hyper-parameters than it has.
    """
    return built("optimizer", spec, "kind", OPTIMIZERS)
