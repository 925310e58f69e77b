"""Adapter: a parametrisation of a network's weights that a kind, a seed and a few options determine."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from npintdim.backend import Backend, given
from npintdim.engine.params import ParamLayout
from npintdim.inputs import check_kind
from npintdim.rng import Purpose, Stream
from npintdim.specs import settle
from npintdim.typing import Floats, Spec

Product: TypeAlias = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, eq=False)
class Adapter(ABC):
    """θ = T(v) over the parameters of one network, from one θ_0: a `Parametrisation`.

    Parameters
    ----------
    layout : names and shapes of the network's parameters
    theta_0 : (D,), frozen
    seed : of whatever is drawn
    backend : where it computes

    Raises
    ------
    TypeError, ValueError
        for numbers out of range, or a θ_0 of another network.
    """

    layout: ParamLayout
    theta_0: Floats
    seed: int
    backend: Backend

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "backend", given(self.backend))
        check_kind("layout", self.layout, ParamLayout, "model.layout")
        theta_0 = self.backend.floats(self.theta_0, "theta_0")
        if theta_0.shape != (self.layout.D,):
            raise ValueError(
                f"theta_0 has shape {theta_0.shape}, but D = {self.layout.D}: ({self.layout.D},) is needed"
            )
        object.__setattr__(self, "theta_0", theta_0)
        settle(self, r=1, d=1)
        self.check()

    def check(self) -> None:  # noqa: B027 (most have nothing to ask)
        """Raise now whatever would make it unusable."""

    @property
    def D(self) -> int:
        """Of the network."""
        return self.layout.D

    @property
    @abstractmethod
    def dim(self) -> int:
        """How many numbers are trained."""

    def start(self) -> Floats:
        """v where training begins: 0, unless an adapter says otherwise."""
        zeros: Floats = self.backend.xp.zeros(self.dim, dtype=self.backend.dtype)
        return zeros

    @abstractmethod
    def theta(self, v: Floats) -> Floats:
        """θ = T(v)."""

    @abstractmethod
    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """∂L/∂v = Jᵀ ∂L/∂θ."""

    def exact(self, v: Floats) -> Floats:
        """T(v) in an order of operations that is part of the definition, on NumPy in float64.

        The same bits on every machine: compressed files are decoded with it.

        Raises
        ------
        ValueError
            where there is no such order.
        """
        raise ValueError(f"no compressed file holds {self.kind}: an order of operations, exact(v), is needed")

    def spec(self) -> Spec:
        """Kind, seed and options. Seeds are strings in JSON."""
        others = {f.name for f in fields(Adapter)}
        options = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in others}
        return {"kind": self.kind, "seed": str(self.seed), **options}

    def checked(self, v: Any) -> Floats:
        """v in the backend's dtype, if it has the right length."""
        v = self.backend.floats(v, "v")
        if v.shape != (self.dim,):
            raise ValueError(f"v has shape {v.shape}, but {self.kind} trains ({self.dim},) numbers here")
        return v

    def checked_grad(self, grad_theta: Any) -> Floats:
        """∂L/∂θ in the backend's dtype, if it has the right length: views of a shorter one could fit, too."""
        grad = self.backend.floats(grad_theta, "grad_theta")
        if grad.shape != (self.D,):
            raise ValueError(f"grad_theta has shape {grad.shape}, but D = {self.D}: ({self.D},) is needed")
        return grad

    def normals(self, lane: int, *shape: int, sd: float) -> Floats:
        """Normals of a lane, in the backend's dtype."""
        drawn = Stream(self.seed, Purpose.ADAPTER, lane, self.backend.kernels).normals(math.prod(shape))
        normals: Floats = (drawn * (2.0**-20 * sd)).astype(self.backend.dtype).reshape(shape)
        return normals


@dataclass(frozen=True, eq=False)
class MatrixAdapter(Adapter):
    """W = W_0 + ΔW(v) for every kernel, as a matrix (n_in, n_out) with y = x W; biases stay as they are.

    A convolution's kernel is its (c_out, c_in·k²) matrix, transposed.
    v holds the numbers of one matrix after the other.

    Raises
    ------
    ValueError
        for a kernel of another form, or a rank r above min(n_in, n_out) of any matrix.
    """

    r: int = 4

    def check(self) -> None:
        """No rank above what every matrix has."""
        shapes = self.shapes(self.layout)
        most = min(min(shape) for shape in shapes)
        if self.r > most:
            raise ValueError(
                f"r is {self.r}, but the smallest matrix has min(n_in, n_out) = {most}: r ≤ {most} is needed"
            )

    @staticmethod
    def kernels(layout: ParamLayout) -> dict[str, tuple[int, ...]]:
        """Names and shapes of what is adapted."""
        found = {name: shape for name, shape in layout.entries if name.endswith(".W")}
        if other := [f"{name} {shape}" for name, shape in found.items() if len(shape) not in (2, 4)]:
            raise ValueError(f"{other[0]} is no matrix: (n_in, n_out) or (c_out, c_in, k, k) is needed")
        if not found:
            raise ValueError("the network has no kernel: a parameter called W is needed")
        return found

    @classmethod
    def shapes(cls, layout: ParamLayout) -> list[tuple[int, int]]:
        """(n_in, n_out) of every matrix."""
        kernels = cls.kernels(layout).values()
        return [(s[0], s[1]) if len(s) == 2 else (math.prod(s[1:]), s[0]) for s in kernels]

    @classmethod
    @abstractmethod
    def trained(cls, n_in: int, n_out: int, r: int) -> tuple[tuple[int, ...], ...]:
        """Shapes of the factors that rank r trains of a matrix, in the order in which they lie in v."""

    @classmethod
    def count(cls, layout: ParamLayout, r: int) -> int:
        """How many numbers rank r trains."""
        return sum(math.prod(own) for shape in cls.shapes(layout) for own in cls.trained(*shape, r))

    @cached_property
    def dim(self) -> int:
        """As `count`."""
        return self.count(self.layout, self.r)

    def matrices(self, theta: Floats) -> Iterator[Floats]:
        """Views (n_in, n_out) of the kernels in θ, or in a gradient."""
        for name, shape in self.kernels(self.layout).items():
            kernel = theta[self.layout.slices[name]]
            yield kernel.reshape(shape) if len(shape) == 2 else kernel.reshape(shape[0], -1).T

    def factors(self, v: Floats) -> Iterator[list[Floats]]:
        """Views of v, or of a gradient: what is trained of every matrix."""
        at = 0
        for n_in, n_out in self.shapes(self.layout):
            own = []
            for shape in self.trained(n_in, n_out, self.r):
                own.append(v[at : (at := at + math.prod(shape))].reshape(shape))
            yield own

    @abstractmethod
    def delta(self, i: int, factors: list[Floats], product: Product) -> Floats:
        """ΔW of matrix i."""

    @abstractmethod
    def gradients(self, i: int, factors: list[Floats], dW: Floats) -> tuple[Floats, ...]:
        """∂L/∂ each of the factors of matrix i, from ∂L/∂W."""

    def theta(self, v: Floats) -> Floats:
        """θ_0, each W with its ΔW; where ΔW is zero the bits of W_0."""
        return self.moved(v, self.backend.xp.matmul)

    def exact(self, v: Floats) -> Floats:
        """As `theta`, each product of matrices `ordered`."""
        return self.moved(v, ordered)

    def moved(self, v: Floats, product: Product) -> Floats:
        """θ by one product of matrices or another."""
        theta: Floats = self.theta_0.copy()
        both = zip(self.matrices(theta), self.factors(self.checked(v)), strict=True)
        for i, (W, factors) in enumerate(both):
            W += self.delta(i, factors, product)
        return theta

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """∂L/∂v, matrix by matrix."""
        v = self.checked(v)
        grad: Floats = self.backend.xp.empty_like(v)
        dWs = self.matrices(self.checked_grad(grad_theta))
        all_of = zip(self.factors(v), self.factors(grad), dWs, strict=True)
        for i, (factors, places, dW) in enumerate(all_of):
            for place, own in zip(places, self.gradients(i, factors, dW), strict=True):
                place[...] = own
        return grad


def ordered(A: Floats, B: Floats) -> Floats:
    """A B = Σ_k A_k ⊗ B_k, k ascending, each product and sum rounded: the same bits on every machine."""
    total: Floats = A[:, :1] * B[:1]
    for k in range(1, len(B)):
        total = total + A[:, k : k + 1] * B[k : k + 1]
    return total
