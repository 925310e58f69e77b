"""A module that registers a layer, an initializer and a projection: what processes of a sweep import."""

from dataclasses import dataclass

import numpy as np

import npintdim as nid


@nid.register
@dataclass(frozen=True)
class Softplus(nid.ParameterFree):
    """y = log(1 + exp(b x))/b."""

    b: float = 1.0

    def out_shape(self, in_shape):
        return in_shape

    def forward(self, backend, params, x):
        return np.logaddexp(0, self.b * x) / self.b, x

    def backward(self, backend, params, cache, dy, need_dx=True):
        return dy / (1 + np.exp(-self.b * cache)), {}


@nid.register
@dataclass(frozen=True)
class Uniform(nid.Initializer):
    """Between −a and a."""

    a: float

    def draw(self, backend, stream, size):
        return stream.uniform(size) * self.a


@nid.register
@dataclass(frozen=True)
class Coordinates(nid.SeededProjection):
    """P = (I, 0)ᵀ, from parameter `start` on."""

    start: int = 0

    kind = "own_coordinates"

    @staticmethod
    def check(start=0):
        if start < 0:
            raise ValueError(f"start is {start}: start ≥ 0 is needed")

    def _check(self):
        self.check(self.start)

    def apply(self, v):
        v = self.checked("theta_d", v, self.d)
        y = self.backend.xp.zeros(self.D, dtype=v.dtype)
        y[self.start : self.start + self.d] = v
        return y

    def adjoint(self, g):
        return self.checked("grad_theta", g, self.D)[self.start : self.start + self.d].copy()

    def apply_exact(self, v):
        y = np.zeros(self.D)
        y[self.start : self.start + self.d] = self.backend.host(v)
        return y

    def options(self):
        return {"start": self.start}

    def coverage(self):
        return self.d / self.D

    def integers(self):
        return iter(())


SPEC = nid.Model(
    [nid.Linear(64, 12, init=Uniform(0.2)), Softplus(2.0), nid.Linear(12, 10)],
    (64,),
    nid.get_backend("numpy"),
).spec()
P_SPEC = {"kind": "own_coordinates", "start": 3}
