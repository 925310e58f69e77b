"""Keep what a measurement's folder has of its runs in a few kB: python docs/records/keep.py FOLDER NAME.

Without arguments: write the table of `npintdim/reproduce/table.py` and its picture into the page.
The recipe, and of each run its d, seed, learning rate, performance, seconds, test performance and training loss by epoch. `read` gives
the d_int of such a file again; a test compares it with the table in `npintdim/reproduce/table.py`.
"""

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

from npintdim.measurement.estimate import DInt
from npintdim.measurement.measurement import read_off
from npintdim.measurement.recipes import Recipe
from npintdim.plots import save
from npintdim.plots.map import map_figure
from npintdim.reproduce import markdown
from npintdim.reproduce.table import TABLE

HERE = Path(__file__).parent
BEGIN, END = "<!-- the table of npintdim/reproduce/table.py -->", "<!-- its end -->"


def keep(folder: Path, name: str) -> Path:
    """Write NAME.json beside this file."""
    summary = json.loads((folder / "summary.json").read_text())
    found = [json.loads(path.read_text()) for path in sorted((folder / "runs").glob("*.json"))]
    runs = [
        {
            "d": r["spec"].get("d"), "seed": r["spec"].get("seed", 0), "lr": r["spec"]["optimizer"]["lr"],
            **({"holdout": r["spec"]["holdout"]} if "holdout" in r["spec"] else {}), "status": r["status"], "performance": r["performance"],
            "seconds": round(r["seconds"], 1), "by_epoch": [round(e["test"], 4) for e in r["epochs"]],
            "loss_by_epoch": [e["loss"] and round(e["loss"], 4) for e in r["epochs"]],
        }
        for r in found
    ]  # fmt: skip
    runs.sort(key=lambda run: (run.get("holdout", 0), run["d"] or 0, run["lr"], run["seed"]))
    lines = ",\n".join("  " + json.dumps(run) for run in runs)
    kept = {"D": summary["D"], **{name: found[0][name] for name in ("backend", "threads", "machine")}}
    recipe = summary["recipe"] | {
        "data": Path(summary["recipe"]["data"]).name
    }  # its hash says which file it was
    text = f'{{"recipe": {json.dumps(recipe)},\n "kept": {json.dumps(kept)},\n "runs": [\n{lines}\n ]}}\n'
    path = HERE / f"{name}.json"
    path.write_text(text)
    return path


def read(name: str, threshold: float | None) -> tuple[DInt, int, float]:
    """d_int at a threshold, None for the recipe's share of the baseline; how many runs, and their seconds."""
    kept = json.loads((HERE / f"{name}.json").read_text())
    given = {
        f.name: kept["recipe"][f.name]
        for f in fields(Recipe)
        if f.name in kept["recipe"] and f.name != "rates"
    }
    recipe = replace(Recipe(**given), threshold=threshold)
    records = [
        {"spec": {} if run["d"] is None else {"d": run["d"]}, **run}
        for run in kept["runs"]
        if "holdout" not in run
    ]
    return read_off(recipe, records, 0.11), len(kept["runs"]), sum(run["seconds"] for run in kept["runs"])


def on_page(page: str) -> str:
    """The page with the table as it is now."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{markdown(TABLE)}\n{end}{after}"


def points() -> list[tuple[str, int, float | None, tuple[float, float, float] | None]]:
    """Of the picture: each objective once, as the paper read it first."""
    of = {
        one.what: (one.what, one.D, one.paper, one.ours) for one in reversed(TABLE) if one.paper is not None
    }
    return list(of.values())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        keep(Path(sys.argv[1]), sys.argv[2])
    page = HERE.parent / "results.md"
    page.write_text(on_page(page.read_text()))
    picture, lines = HERE.parent / "img" / "map.png", HERE.parent / "img" / "map.svg"
    save(map_figure(points()), picture)
    lines.unlink()
