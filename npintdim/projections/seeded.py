"""Seeded: what files and certificates need of a P beyond its products. Training alone needs none of it."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from npintdim.backend import Backend, given
from npintdim.files import canonical
from npintdim.inputs import check_integer
from npintdim.machine import check_memory
from npintdim.projections.base import Projection
from npintdim.rng import SCHEME, Stream
from npintdim.specs import settle
from npintdim.typing import Floats, Ints, Spec


@dataclass(frozen=True)
class SeededProjection(Projection):
    """P, D×d with unit columns: a function of (kind, D, d, seed, options) and of nothing else.

    So it travels as a spec, is known by a fingerprint, and is immutable.

    Parameters
    ----------
    D, d : 1 ≤ d ≤ D
    seed : 0 ≤ seed < 2⁶⁴
    backend : where it computes

    Raises
    ------
    TypeError, ValueError
        if d, D or the seed are not such integers.
    """

    D: int
    d: int
    seed: int
    backend: Backend

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        D = check_integer("D", self.D, 1)
        check_integer("d", self.d, 1, D, f"1 ≤ d ≤ D = {D}")
        object.__setattr__(self, "backend", given(self.backend))
        settle(self)
        self.check(**self.options())
        self._check()

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(D, d)."""
        return self.D, self.d

    @staticmethod
    def check(*_: Any, **options: Any) -> None:
        """Refuse options out of range, before anything is drawn."""

    def _check(self) -> None:
        """Raise now whatever else would make P unusable."""

    def _room(self, what: str, size: float, instead: str) -> None:
        self.backend.room(f"{what}, D×d = {self.D}×{self.d}", size, instead)

    def _stream(self, purpose: int, lane: int = 0) -> Stream:
        return Stream(self.seed, purpose, lane, self.backend.kernels)

    def options(self) -> Spec:
        """Keywords that, with kind, D, d and seed, determine P: its own fields; not `stored`."""
        others = {field.name for field in fields(SeededProjection)} | {"stored"}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in others}

    @abstractmethod
    def integers(self) -> Iterator[tuple[str, int, Ints]]:
        """The integers that P is made of: (family, index of the first, chunk)."""

    @abstractmethod
    def apply_exact(self, v: Floats) -> NDArray[np.float64]:
        """P v in float64 on the host, in an order of operations that is part of the definition.

        Σ_j P_j v_j with j ascending, each product and each sum rounded (Fastfood: its transform).
        The same bits on every backend and machine: compressed files are decoded with it.
        """

    def begin_exact(self, v: Floats) -> NDArray[np.float64]:
        """V checked, on the host: so `apply_exact` begins, and takes no fewer numbers for a shorter sum."""
        v = self.backend.host(v)
        if v.shape != (self.d,) or v.dtype.kind not in "fiub":
            raise ValueError(
                f"theta_d is {v.dtype} {v.shape}, but P is D×d = {self.D}×{self.d}: "
                f"real numbers ({self.d},) are needed"
            )
        check_memory(
            f"P v in float64, D×d = {self.D}×{self.d}", 8 * self.D, "use P @ v, of the backend's precision"
        )
        return v.astype(np.float64)

    @abstractmethod
    def coverage(self) -> float:
        """Share of the D parameters that can move at all: rows of P that are not zero."""

    def spec(self) -> Spec:
        """JSON-able description; `projection_from_spec` builds P from it. Seeds are strings in JSON."""
        return {"kind": self.kind, "D": self.D, "d": self.d, "seed": str(self.seed), **self.options()}

    def fingerprint(self) -> str:
        """Sha256 (hex) of the spec and of every integer that P is made of.

        Per family of integers x_i it takes Σ x_i² and Σ (2i+1) x_i modulo 2⁶⁴, which do not depend on
        the order of summation, so that it is cheap on every device.
        """
        sums: dict[str, list[int]] = {}
        for family, start, chunk in self.integers():
            x = chunk.reshape(-1).astype(np.int64).view(np.uint64)
            odd = self.backend.xp.arange(start, start + len(x), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
            total = sums.setdefault(family, [0, 0])
            total[0] = (total[0] + int((x * x).sum())) % (1 << 64)
            total[1] = (total[1] + int((odd * x).sum())) % (1 << 64)
        return hashlib.sha256(canonical({"scheme": SCHEME, **self.spec(), "sums": sums})).hexdigest()

    def __reduce__(self) -> tuple[Callable[[], SeededProjection], tuple[()]]:
        # A seed travels, the factors do not.
        return partial(type(self), **{field.name: getattr(self, field.name) for field in fields(self)}), ()
