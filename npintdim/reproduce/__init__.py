"""The paper's table: `npintdim reproduce NAME`; `paper` has every number, `cases` and `toy` how it is run."""

from npintdim.inputs import one_of
from npintdim.reproduce.adapters import ADAPTERS
from npintdim.reproduce.agents import AGENTS
from npintdim.reproduce.base import Outcome, Reproduction, Row, Setting
from npintdim.reproduce.paper import EXPERIMENTS
from npintdim.reproduce.report import markdown, plain, write_report
from npintdim.reproduce.squeezenet import SQUEEZENETS
from npintdim.reproduce.toy import TOY

REPRODUCTIONS: dict[str, Reproduction] = {
    one.name: one for one in (TOY, *EXPERIMENTS, *SQUEEZENETS, *ADAPTERS, *AGENTS)
}


def reproduction(name: str, quick: bool = False) -> Reproduction:
    """One of `REPRODUCTIONS`, whole or short."""
    one = REPRODUCTIONS[one_of("reproduction", name, REPRODUCTIONS)]
    return one.quick() if quick else one


__all__ = [
    "REPRODUCTIONS",
    "Outcome",
    "Reproduction",
    "Row",
    "Setting",
    "markdown",
    "plain",
    "reproduction",
    "write_report",
]  # fmt: skip
