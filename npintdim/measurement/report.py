"""What a measurement leaves on disk: results.csv, summary.json and report.md; and how they are read back.

The runs in runs/ may serve many recipes; these files belong to one, and are replaced together.
"""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from npintdim.engine.score import Score
from npintdim.files import DamagedError, read_json, write_atomically
from npintdim.inputs import brief, counted
from npintdim.measurement.measurement import Measurement, read_off
from npintdim.measurement.rates import Rates
from npintdim.measurement.recipes import RateSearch, Recipe, by_root, model_name
from npintdim.measurement.records import load_record
from npintdim.measurement.runs import RunSpec, number, versions
from npintdim.measurement.search import PAIR
from npintdim.typing import Spec

COLUMNS = (
    "key", "data", "model", "projection", "D", "d", "seed", "theta_0_seed", "P_seed", "batches_seed",
    "status", "performance", "train_performance", "loss", "epochs", "lr", "batch_size", "seconds",
    "backend", "threads", "error",
)  # fmt: skip


OUTPUTS = ("results.csv", "summary.json", "report.md", "curve.*", "d_int*.npid")


def another(folder: Path, recipe: Recipe) -> str:
    """How the recipe whose results lie in the folder differs; "" if it does not, or there is none."""
    try:
        old = dict(read_json(folder / "summary.json")["recipe"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    new = json.loads(json.dumps(asdict(recipe)))
    changed = [name for name in new if name != "content" and old.get(name) != new[name]]
    return ", ".join(f"{name} was {json.dumps(old.get(name), ensure_ascii=False)}" for name in changed)


def clear(folder: Path) -> None:
    """Remove what a measurement left, but not its runs."""
    for path in [path for pattern in OUTPUTS for path in folder.glob(pattern)]:
        with suppress(OSError):  # a folder of that name, say
            path.unlink(missing_ok=True)


def keep(path: Path, text: str) -> None:
    """Write a file of the results; where that fails a warning tells: what the runs gave is not lost."""
    try:
        write_atomically(path, text.encode(errors="backslashreplace"))
    except OSError as error:
        warnings.warn(f"not written: {brief(error)}", stacklevel=3)


def as_csv(specs: Iterable[RunSpec], records: Iterable[Spec]) -> str:
    """One line per run, under `COLUMNS`."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for spec, record in zip(specs, records, strict=True):
        seeds = {f"{name}_seed": seed for name, seed in spec.seeds._asdict().items()}
        told = {"key": spec.key, "model": model_name(spec.model), "lr": spec.optimizer["lr"]}
        told |= {"projection": json.dumps(spec.T) if spec.T else "", "epochs": len(record.get("epochs", ()))}
        table.writerow(spec.spec() | record | seeds | told)
    return text.getvalue()


def summary(m: Measurement) -> Spec:
    """For summary.json."""
    found = {k: number(v) if isinstance(v, float) else v for k, v in asdict(m.d_int).items()}
    return {
        "summary": m.summary,
        "recipe": asdict(m.recipe),
        "D": m.D,
        "d_int": found,
        "baseline": {"guessing": m.guessing, "line": list(map(number, m.baseline.line)), "doubts": m.doubts},
        "compressed": m.compressed,
        "uncompressed": m.uncompressed,
        "rates": [r.spec() for r in m.rates],
        "seconds": m.seconds,
    }


def write_report(m: Measurement, command: str | None = None, plot: Path | None = None) -> Path:
    """Write report.md: what came out, how, and how to repeat it.

    Parameters
    ----------
    m : the measurement
    command : that made it; None for the call in Python
    plot : a picture in its folder
    """
    found, recipe, c = m.d_int, m.recipe, m.compressed
    title = f"{found.name} of {model_name(recipe.model)} on {recipe.data}, {recipe.T['kind']}"
    parts = [
        f"# {title}",
        f"**{m.summary}**",
        "" if plot is None else f"![performance against d]({plot.name})",
        readings(m),
        "## Runs",
        f"D = {m.D:,}; performance after {counted(recipe.epochs, 'epoch')}, mean and sd over the runs; "
        "every run is in results.csv.",
        markdown_table(m.rows()),
        "## Learning rates",
        rates(m),
        "## Compressed network",
        f"None: {m.worth}." if c is None else f"[{c['file']}]({c['file']}): {m.worth}.",
        "## Cost",
        cost(m),
        "## Again",
        again(m, command),
    ]
    path = m.folder / "report.md"
    text = "\n\n".join(filter(None, parts)) + "\n"
    write_atomically(
        path, text.encode(errors="backslashreplace")
    )  # the command may name bytes that are no UTF-8
    return path


def readings(m: Measurement) -> str:
    """Both readings, the rule and the baseline, one a line."""
    found = m.d_int
    if math.isnan(found.d):
        return f"- {found.unknown}\n- so there is no threshold, {rule(m)}, and nothing is read"
    how = "a monotone curve" if found.reading == "curve" else "isotonic means, since a curve misses them,"
    lines = [
        f"ours, {how} through {counted(found.runs, 'run')}: {reading(found.d)}, {found.interval()}",
        f"the paper's, first tried d strictly above the threshold: {found.first_above or 'none'}",
        f"a check without a curve, isotonic means: {reading(found.isotonic)}",
        f"threshold {found.threshold:.4f}, {rule(m)}",
    ]
    direct = np.array([p for p in m.baseline.line if not math.isnan(p)])
    if found.baseline is not None and len(direct):
        sd = f", sd {direct.std(ddof=1):.4f}" if len(direct) > 1 else ""
        lines.append(f"baseline {found.baseline:.4f}, mean of {counted(len(direct), 'direct run')}{sd}")
    lines += [f"**doubtful:** {line}" for line in m.doubts]
    if found.noise is not None:
        lines.append(f"noise of one run at the threshold: sd {found.noise:.4f}")
    if found.collapsed:
        lines.append(f"left out, far below runs with fewer numbers: {counted(found.collapsed, 'run')}")
    if found.excluded:
        lines.append(f"left out because they diverged or failed: {counted(found.excluded, 'run')}")
    return "\n".join(f"- {line}" for line in lines)


def reading(d: float) -> str:
    """A number, or which side of the tried d it lies on."""
    return f"{d:,.0f}" if math.isfinite(d) else "beyond the tried d" if d > 0 else "below the tried d"


def rule(m: Measurement) -> str:
    """How the threshold was made."""
    found = m.d_int
    if found.fraction is None:
        return "absolute"
    if found.score is not None and found.score.guess:
        guess = f"{found.score.guess:g}"
        return (
            f"{guess} + {found.fraction:g} × (baseline − {guess}): {found.score.name} of guessing is {guess}"
        )
    chance = f"{found.chance:g} + {found.fraction:g} × (baseline − {found.chance:g})"
    return chance if found.chance else f"{found.fraction:g} × baseline"


def rates(m: Measurement) -> str:
    """Given, or searched, where and on what."""
    inside, direct = m.recipe.optimizer, m.recipe.direct_optimizer
    how = m.recipe.rates
    if how is None or not m.rates:
        return (
            f"Given: {inside['lr']:g} in the subspaces ({inside['kind']}), "
            f"{direct['lr']:g} directly ({direct['kind']})."
        )
    rows = [("", "learning rate", "performance, held out", "")]
    for r in m.rates:
        where = "direct" if r.d is None else f"d = {r.d}"
        edge = "**chosen**, on the edge: better ones may lie beyond" if r.on_edge else "**chosen**"
        for lr, p in zip(r.tried, r.performance, strict=True):
            reached = "diverged" if math.isnan(p) else f"{p:.4f}"
            rows.append((where, f"{lr:g}", reached, edge if lr == r.chosen else ""))
    told = (
        f"Searched before everything else, {how.seeds} run(s) at each rate, trained on "
        f"{100 * (1 - how.holdout):g} % of the training data and judged on the rest; "
        "the test set was not looked at. The subspace's rate goes to other d as "
        f"{'1/√d' if by_root(m.recipe.optimizer) else '1/d'}: steps in θ of one length."
    )
    return f"{told}\n\n{markdown_table(rows)}"


def cost(m: Measurement) -> str:
    """Runs, seconds, and on what."""
    ran = next((r for r in m.records if "backend" in r), {})
    tried = sum(r.runs for r in m.rates)
    also = f" and {tried} for the learning rates" if tried else ""
    on = ", ".join(f"{name} {v}" for name, v in (ran.get("versions") or versions()).items())
    wide = (
        f" The search proposed {counted(m.recipe.at_once or PAIR, 'run')} at a time (`at_once`)."
        if m.recipe.d is None
        else ""
    )
    return (
        f"{counted(len(m.records), 'run')}{also}, {m.seconds:.0f} s of computing in all "
        "(wall time is less where several run at once); "
        f"backend {ran.get('backend')}, {ran.get('threads')} thread(s) a run, {ran.get('machine')}; "
        f"{on}.{wide}"
    )


def again(m: Measurement, command: str | None) -> str:
    """The command or the call that repeats it; in this folder it runs nothing twice."""
    if command is not None:
        return f"```bash\n{command}\n```"
    lines = ["import npintdim as nid", "from npintdim import RateSearch, Recipe, Score", ""]
    ran = next((r for r in m.records if "backend" in r), None)
    if ran is not None:
        named = f"{ran['backend']!r}, {ran['spec'].get('dtype', 'float32')!r}, {ran['threads']}"
        lines.append(f"backend = nid.get_backend({named})")
    where = f"{str(m.folder)!r}, backend={'None' if ran is None else 'backend'}"
    return "```python\n" + "\n".join([*lines, f"nid.measure({m.recipe!r}, {where})"]) + "\n```"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table, its first row the header."""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def read_measurement(folder: str | Path) -> Measurement:
    """What `measure` found in a folder; d_int is read off again.

    Raises
    ------
    FileNotFoundError
        if no measurement was finished there.
    DamagedError
        which names the file that is damaged.
    """
    folder = Path(folder)
    try:
        summary = read_json(folder / "summary.json")
        recipe = recipe_from_spec(summary["recipe"])
        rates = tuple(Rates.from_spec(found, recipe.scored) for found in summary.get("rates", ()))
        keys = keys_in(folder / "results.csv")
        records = tuple(load_record(folder / "runs" / f"{key}.json")[1] for key in keys)
        guessing = summary.get("baseline", {}).get("guessing", recipe.chance)
        found = read_off(recipe, records, guessing)
        compressed, why = summary["compressed"], summary.get("uncompressed", "")
        return Measurement(recipe, folder, records, found, compressed, rates, guessing, why)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(
            f"{folder} holds no finished measurement, {Path(error.filename).name} is missing: "
            "a folder that npintdim measure made is needed"
        ) from error
    except DamagedError as error:
        raise DamagedError(f"{folder} is damaged, measure again: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DamagedError(f"{folder} is damaged, measure again: {type(error).__name__}: {error}") from error


def keys_in(path: Path) -> list[str]:
    """Keys of the runs in a results.csv, in order; DamagedError without that column, OSError from reading."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return [row["key"] for row in csv.DictReader(lines)]
    except (KeyError, ValueError, csv.Error) as error:
        raise DamagedError(f"{path} is damaged ({error!r})") from error


def recipe_from_spec(spec: Spec) -> Recipe:
    """From `dataclasses.asdict` by way of JSON; numbers that it does not have yet get their defaults."""
    d, rates = spec["d"], spec.get("rates")
    score = spec.get("score")
    made = {"d": d and tuple(d), "rates": rates and RateSearch(**rates), "score": score and Score(**score)}
    return Recipe(**spec | made)
