"""Pool2D: windows over images, which MaxPool2D and AveragePool2D share."""

from __future__ import annotations

from dataclasses import dataclass

from npintdim.engine.layers.base import ParameterFree
from npintdim.specs import settle


@dataclass(frozen=True)
class Pool2D(ParameterFree):
    """size×size windows, side by side or `stride` apart; a rest that fills no window is left out.

    Parameters
    ----------
    size : side of a window
    stride : distance of windows; 0 means `size`
    """

    size: int = 2
    stride: int = 0

    def __post_init__(self) -> None:
        settle(self, size=1, stride=0)

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(c, h, w) → (c, windows down, windows across)."""
        if len(in_shape) != 3 or min(in_shape[1:]) < self.size:
            raise ValueError(
                f"{self.name or type(self).__name__} takes (c, h, w), h, w ≥ {self.size}, not {in_shape}"
            )
        c, h, w = in_shape
        return (c, self.windows(h), self.windows(w))

    def windows(self, side: int) -> int:
        """That lie along such a side: ⌊(side − size)/s⌋ + 1."""
        return (side - self.size) // self.step + 1

    @property
    def step(self) -> int:
        """Distance of windows."""
        return self.stride or self.size
