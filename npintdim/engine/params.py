"""ParamLayout: the names of the network's parameters and their places in one flat theta."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from npintdim.inputs import check_integers, check_text, shown
from npintdim.typing import Array


@dataclass(frozen=True)
class ParamLayout:
    """Names ↔ views of one flat vector.

    Parameters
    ----------
    entries : (("fc1.W", (784, 200)), ("fc1.b", (200,)), ...)
        The order is that of theta: layers in order, inside a layer W then b, C order in each.

    Raises
    ------
    ValueError
        for a name that occurs twice.

    Examples
    --------
    >>> ParamLayout((("fc1.W", (2, 3)), ("fc1.b", (3,)))).D
    9
    """

    entries: tuple[tuple[str, tuple[int, ...]], ...]

    def __post_init__(self) -> None:
        try:
            pairs = [(name, shape) for name, shape in self.entries]
        except (TypeError, ValueError):
            needed = 'pairs such as ("fc1.W", (784, 200)) are needed'
            raise TypeError(f"entries is {shown(self.entries)}: {needed}") from None
        entries = tuple(
            (check_text("name", name), check_integers(name, shape, low=0)) for name, shape in pairs
        )
        object.__setattr__(self, "entries", entries)
        names = [name for name, _ in entries]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"parameter names must differ, but {', '.join(twice)} occurs more than once")

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each parameter lies in theta."""
        out, start = {}, 0
        for name, shape in self.entries:
            stop = start + math.prod(shape)
            out[name] = slice(start, stop)
            start = stop
        return out

    @cached_property
    def D(self) -> int:
        """The number of all parameters."""
        return sum(math.prod(shape) for _, shape in self.entries)

    def views(self, theta: Array) -> dict[str, Array]:
        """Every parameter as a view of theta; nothing is copied.

        Parameters
        ----------
        theta : (D,), contiguous

        Raises
        ------
        ValueError
            if theta has another shape, or strides.
        """
        if theta.shape != (self.D,):
            raise ValueError(
                f"theta has shape {theta.shape}, but D = {self.D}: theta must have shape ({self.D},)"
            )
        if not theta.flags.c_contiguous:
            raise ValueError("theta is not contiguous: views of a strided vector would be copies")
        return {name: theta[self.slices[name]].reshape(shape) for name, shape in self.entries}
