"""How far an agent comes in so many minutes: python docs/records/agents/learn.py NAME MINUTES [PAIRS].

NAME is a case of `npintdim reproduce` in a subspace of d = its first; each generation is a line of NAME.json, written
when it ends. Without arguments: draw all that are kept into docs/img/agents.png.
"""

import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from npintdim.backend import get_backend
from npintdim.engine.landscape import Batch
from npintdim.engine.optimizers import optimizer_from_spec
from npintdim.es.episodes import Returns
from npintdim.es.strategy import innermost
from npintdim.measurement.custom import own_objective
from npintdim.plots import save
from npintdim.plots.style import LOOKS, WIDTH, new_figure, styled
from npintdim.reproduce import reproduction

HERE = Path(__file__).parent


@dataclass
class Watched:
    """A landscape, and what it earned."""

    landscape: object
    seen: list[Returns] = field(default_factory=list)

    @property
    def dim(self):
        """Of the landscape."""
        return self.landscape.dim

    def loss_and_grad(self, v, batch):
        """Nobody asks."""
        return self.landscape.loss_and_grad(v, batch)

    def evaluate(self, v, data):
        """The landscape's, kept."""
        self.seen.append(self.landscape.evaluate(v, data))
        return self.seen[-1]


def learn(name: str, minutes: float, pairs: int | None = None) -> None:
    """Train, and write after each generation."""
    case = reproduction(name).cases[0]
    recipe, d = case.recipe, case.recipe.first
    strategy, v = own_objective(recipe.model, d, 0, get_backend(threads=1))
    watched = Watched(strategy.landscape)
    strategy = replace(strategy, landscape=watched, pairs=pairs or strategy.pairs)
    least, solved = innermost(watched).range
    optimizer = optimizer_from_spec(recipe.optimizer_at(d))
    state, began, generations = optimizer.start(v), time.process_time(), []
    about = {
        "case": name, "D": case.D, "d": d, "optimizer": recipe.optimizer_at(d),
        "options": recipe.model["options"] | {"pairs": strategy.pairs},
        "columns": ["steps of the environment", "CPU seconds", "mean return of the population", "most"],
    }  # fmt: skip
    ends = time.time() + 60 * minutes
    while time.time() < ends:
        watched.seen.clear()
        _, grad = strategy.loss_and_grad(v, Batch(step=len(generations)))
        v, state = optimizer.update(v, grad, state, len(generations) + 1)
        returns = [least + (1 - one.loss) * (solved - least) for one in watched.seen]
        row = [sum(one.steps for one in watched.seen), round(time.process_time() - began, 1)]
        generations.append([*row, round(sum(returns) / len(returns), 2), round(max(returns), 2)])
        lines = ",\n".join(f"  {json.dumps(row)}" for row in generations)
        head = json.dumps(about)[:-1]
        (HERE / f"{name}.json").write_text(f'{head},\n "generations": [\n{lines}\n ]}}\n')


@styled
def curves(kept):
    """Mean and best return of each population, one agent below the other."""
    figure = new_figure(WIDTH, 1.7 * len(kept))
    for axes, one, look in zip(figure.subplots(len(kept), 1, squeeze=False).flat, kept, LOOKS, strict=False):
        _, seconds, mean, most = zip(*one["generations"], strict=True)
        axes.plot(mean, color=look[0])
        axes.plot(most, color=look[0], ls=":")
        hours = seconds[-1] / 3600
        title = f"{one['options']['environment']}, d = {one['d']:,} of {one['D']:,}: {len(mean)} generations, {hours:.2f} core-hours"
        axes.set_title(title, loc="left")
        axes.set_ylabel("return")
    axes.set_xlabel("generation; mean of the population, dotted its best")
    return figure


if __name__ == "__main__":
    if len(sys.argv) > 2:
        learn(sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        kept = [json.loads(path.read_text()) for path in sorted(HERE.glob("*.json"))]
        picture = HERE.parents[1] / "img" / "agents.png"
        save(curves(kept), picture)
        picture.with_suffix(".svg").unlink()
