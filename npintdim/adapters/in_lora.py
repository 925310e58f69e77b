"""All factors of all matrices from few numbers, T = LoRA ∘ subspace.

SubLoRA (Lotfi et al. 2024): by a random subspace. Uni-LoRA (Li et al. 2025): by one one-hot projection.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from npintdim.adapters.base import Adapter
from npintdim.adapters.lora import LoRA
from npintdim.backend import namespace
from npintdim.inputs import one_of
from npintdim.objective import Composed, Subspace
from npintdim.projections import Operator, SeededProjection, make_projection
from npintdim.rng import Purpose, Stream
from npintdim.typing import Array, Floats, Ints, Spec

BOUND = 0.02  # of Uni-LoRA's start, the PEFT package's


@dataclass(frozen=True, eq=False)
class InLoRA(Adapter):
    """(A, B) = w_0 + P v of all matrices at once, P N×d, N being LoRA's count.

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`
    d : of v
    r : rank of the factors
    """

    d: int = 100
    r: int = 4

    @property
    @abstractmethod
    def composed(self) -> Composed:
        """LoRA ∘ subspace."""

    @property
    def dim(self) -> int:
        """d."""
        return self.d

    def theta(self, v: Floats) -> Floats:
        """T_LoRA(w_0 + P v)."""
        return self.composed.theta(self.checked(v))

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """Pᵀ (dA, dB)."""
        return self.composed.pullback(self.checked(v), grad_theta)


@dataclass(frozen=True, eq=False)
class SubLoRA(InLoRA):
    """(A, B) = (A_0, 0) + P v of all matrices at once,   W = W_0 + (α/r) A B.

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`
    d : of v
    r, alpha : of the LoRA
    P : kind and options of P, N×d, N being LoRA's count

    Notes
    -----
    Pullback  Pᵀ (dA, dB)
    Counted   d

    At first v = 0, and θ = θ_0 bit for bit, as B = 0.
    """

    alpha: float = 8.0
    P: Spec = field(default_factory=lambda: {"kind": "fastfood"})

    kind: ClassVar[str] = "sub_lora"

    @cached_property
    def lora(self) -> LoRA:
        """Whose factors move."""
        return LoRA(self.layout, self.theta_0, self.seed, self.backend, self.r, self.alpha)

    @cached_property
    def projection(self) -> SeededProjection:
        """P, N×d."""
        return make_projection(D=self.lora.dim, d=self.d, seed=self.seed, backend=self.backend, **self.P)

    @cached_property
    def composed(self) -> Composed:
        """LoRA ∘ (its start + P v)."""
        return Composed(self.lora, Subspace(self.lora.start(), self.projection))

    def exact(self, v: Floats) -> Floats:
        """As `theta`, with P's own order and LoRA's."""
        return self.lora.exact(self.lora.start() + self.projection.apply_exact(self.checked(v)))


@dataclass(frozen=True, eq=False)
class UniLoRA(InLoRA):
    """(A, B) = P v of all matrices at once, one entry 1/√n a row,   W = W_0 + A B.

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`
    d : of v
    r : rank of the factors
    index : which number each entry of the factors listens to. "onehot": our P of that kind, without signs;
        "peft": the map of the PEFT package with proj_seed = seed

    Notes
    -----
    Pullback  Pᵀ (dA, dB):  dv_j = Σ_{i: h_i = j} dw_i/√n_j
    Counted   d

    PᵀP = I. v ~ U(−0.02, 0.02) at first, since A = B = 0 has no gradient: so ΔW ≠ 0, and θ is only near θ_0.
    """

    index: str = "onehot"

    kind: ClassVar[str] = "uni_lora"

    def check(self) -> None:
        """One of the two maps."""
        one_of("index", self.index, ("onehot", "peft"))

    @cached_property
    def lora(self) -> LoRA:
        """Whose factors P v are."""
        return LoRA(self.layout, self.theta_0, self.seed, self.backend, self.r, alpha=self.r)

    @cached_property
    def projection(self) -> SeededProjection:
        """P with our map."""
        return make_projection("onehot", self.lora.dim, self.d, self.seed, self.backend, signs=False)

    @cached_property
    def composed(self) -> Composed:
        """LoRA ∘ P."""
        P: Operator = self.projection
        if self.index == "peft":
            P = OneHot(self.backend.xp.asarray(peft_index(self.seed, self.lora, self.d)), self.d)
        zero = self.backend.xp.zeros(self.lora.dim, dtype=self.backend.dtype)
        return Composed(self.lora, Subspace(zero, P))

    def start(self) -> Floats:
        """v ~ U(−0.02, 0.02)."""
        drawn = Stream(self.seed, Purpose.ADAPTER, 0, self.backend.kernels).uniform(self.d)
        return (BOUND * drawn).astype(self.backend.dtype)

    def exact(self, v: Floats) -> Floats:
        """As `theta`, with P's own order and LoRA's; the map must be ours."""
        if self.index == "peft":
            raise ValueError(
                "no compressed file holds uni_lora with index='peft': "
                "NumPy may change how that map is drawn, 'onehot' is needed"
            )
        return self.lora.exact(self.projection.apply_exact(self.checked(v)))


@dataclass(frozen=True)
class OneHot:
    """P_ij = 1/√n_j where h_i = j: an `Operator` from a map that somebody else has drawn."""

    h: Ints
    d: int

    @property
    def shape(self) -> tuple[int, int]:
        """(N, d)."""
        return len(self.h), self.d

    @cached_property
    def entries(self) -> Floats:
        """The one entry of every row, (N,)."""
        xp = namespace(self.h)
        entries: Floats = 1 / xp.sqrt(xp.bincount(self.h, minlength=self.d))[self.h]
        return entries

    def apply(self, v: Array) -> Array:
        """v_{h_i}/√n_{h_i}."""
        return (self.entries * v[self.h]).astype(v.dtype)

    def adjoint(self, g: Array) -> Array:
        """Σ_{i: h_i = j} g_i/√n_j."""
        return namespace(g).bincount(self.h, self.entries * g, minlength=self.d).astype(g.dtype)


def peft_index(seed: int, lora: LoRA, d: int) -> Ints:
    """h of the PEFT package: each number ⌊N/d⌋ times, N mod d of them once more, shuffled.

    Module after module takes as many as it needs, A as (r, n_in), then B as (n_out, r): the transposes of our
    factors. NumPy's generator is that package's definition, and nothing else here uses it.
    """
    rng, N = np.random.default_rng(seed), lora.dim
    drawn = np.repeat(np.arange(d), N // d)
    if N % d:
        drawn = np.concatenate([drawn, rng.choice(d, size=N % d, replace=False)])
    rng.shuffle(drawn)
    h, at = np.empty(N, np.int64), 0
    for factor in (factor for pair in lora.factors(h) for factor in pair):  # type: ignore[arg-type]
        factor[...] = drawn[at : at + factor.size].reshape(factor.shape[::-1]).T
        at += factor.size
    return h
