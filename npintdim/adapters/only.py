"""Only some parameters: biases (Ben Zaken et al. 2021), the last layer. The controls that cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import ClassVar

from npintdim.adapters.base import Adapter
from npintdim.typing import Floats


@dataclass(frozen=True, eq=False)
class Only(Adapter):
    """θ_i = θ_0,i + v_i for the parameters whose name matches; P is columns of the identity.

    Parameters
    ----------
    layout, theta_0, seed, backend : see `Adapter`; nothing is drawn
    names : a pattern: "*.b" for all biases, "fc3.*" for a layer

    Raises
    ------
    ValueError
        if no parameter has such a name.

    Notes
    -----
    Pullback  dv = g of these parameters
    Counted   their number
    """

    names: str = "*.b"

    kind: ClassVar[str] = "only"

    def check(self) -> None:
        """Something is trained."""
        if not self.places:
            own = ", ".join(self.layout.slices)
            raise ValueError(
                f"names is {self.names!r}, which matches none of {own}: '*.b', for instance, is needed"
            )

    @cached_property
    def places(self) -> list[slice]:
        """Of what is trained, in θ."""
        return [where for name, where in self.layout.slices.items() if fnmatchcase(name, self.names)]

    @property
    def dim(self) -> int:
        """How many numbers these parameters have."""
        return sum(where.stop - where.start for where in self.places)

    def theta(self, v: Floats) -> Floats:
        """θ_i = θ_0,i + v_i."""
        v, theta, at = self.checked(v), self.theta_0.copy(), 0
        for where in self.places:
            n = where.stop - where.start
            theta[where] += v[at : at + n]
            at += n
        return theta

    def exact(self, v: Floats) -> Floats:
        """The same: one sum a number."""
        return self.theta(v)

    def pullback(self, v: Floats, grad_theta: Floats) -> Floats:
        """∂L/∂θ, where it is trained."""
        g = self.checked_grad(grad_theta)
        own: Floats = self.backend.xp.concatenate([g[where] for where in self.places])
        return own
