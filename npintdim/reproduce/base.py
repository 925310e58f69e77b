"""What a reproduction is: something of the paper that can be run, and rows that stand beside the paper's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from npintdim.backend import Backend
from npintdim.measurement.events import Callback, ReproductionStep, Sentences, announce
from npintdim.plots.style import Figure


@dataclass(frozen=True)
class Setting:
    """Where and how a reproduction is run.

    Parameters
    ----------
    folder : of everything it writes
    backend, jobs, data_folder, progress, tell, cluster, callbacks
        as for `npintdim.measure`; its own steps are events too
    seed : of the first repetition
    """

    folder: Path
    backend: Backend
    jobs: int | None = None
    data_folder: str | None = None
    progress: bool | None = None
    tell: Callable[[str], None] = lambda line: None
    seed: int = 0
    cluster: str | None = None
    callbacks: Sequence[Callback] = ()

    def step(self, says: str) -> None:
        """Tell where it is."""
        announce([Sentences(self.tell), *self.callbacks], ReproductionStep(says))


@dataclass(frozen=True)
class Row:
    """One number of the paper and ours.

    Parameters
    ----------
    what : is measured
    D : number of all parameters
    read : how d_int is read off
    paper : its number, "–" where we know of none
    ours : our number with its interval
    differs : what was done otherwise
    """

    what: str
    D: int
    read: str
    paper: str
    ours: str
    differs: str

    @property
    def cells(self) -> dict[str, str]:
        """A line of a table, by its columns."""
        return {
            "": self.what, "D": f"{self.D:,}", "read at": self.read, "paper": self.paper, "ours": self.ours,
            "what differs": self.differs,
        }  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a reproduction found.

    Parameters
    ----------
    rows : of the table
    runs, seconds : of training, all together
    unit : what was counted
    pictures : how each is drawn, by file name without ending
    details : paragraphs of Markdown for the report
    failed : what went wrong, a line each
    """

    rows: tuple[Row, ...]
    runs: int
    seconds: float
    pictures: dict[str, Callable[[], Figure]] = field(default_factory=dict)
    details: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unit: str = "runs"


@dataclass(frozen=True)
class Reproduction(ABC):
    """Something of the paper that can be run.

    Parameters
    ----------
    name : on the command line
    title : what of the paper it is
    cost : expected on two cores of a quiet machine
    quick_cost : the same with --quick
    """

    name: str
    title: str
    cost: str
    quick_cost: str

    @abstractmethod
    def quick(self) -> Reproduction:
        """A shorter one for two cores and a few minutes."""

    @abstractmethod
    def left_out(self) -> list[str]:
        """What the shorter one leaves out, a line each."""

    @abstractmethod
    def describe(self) -> list[str]:
        """Every number that decides the outcome, a line each."""

    @abstractmethod
    def run(self, setting: Setting) -> Outcome:
        """Do it; what is on disk is not done again."""
