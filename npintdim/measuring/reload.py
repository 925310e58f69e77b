"""A measurement read back from its folder: no data is loaded, nothing is trained."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from npintdim.measuring.measure import Measurement, read_off
from npintdim.measuring.rates import Rates, RateSearch
from npintdim.measuring.recipes import Recipe
from npintdim.typing import Spec


def read_measurement(folder: str | Path) -> Measurement:
    """What `measure` found in a folder; d_int is read off again.

    Raises
    ------
    FileNotFoundError
        if no measurement was finished there.
    ValueError
        if a file is damaged.
    """
    folder = Path(folder)
    try:
        summary = json.loads((folder / "summary.json").read_bytes())
        recipe = recipe_of(summary["recipe"])
        rates = tuple(rates_of(found) for found in summary.get("rates", ()))
        with (folder / "results.csv").open(encoding="utf-8", newline="") as lines:
            keys = [row["key"] for row in csv.DictReader(lines)]
        records = tuple(json.loads((folder / "runs" / f"{key}.json").read_bytes()) for key in keys)
        guessing = summary.get("baseline", {}).get("guessing", recipe.chance)
        found = read_off(recipe, records, guessing)
        compressed, why = summary["compressed"], summary.get("uncompressed", "")
        return Measurement(recipe, folder, records, found, compressed, rates, guessing, why)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(
            f"{folder} holds no finished measurement, {Path(error.filename).name} is missing: "
            "a folder that npintdim measure made is needed"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder} is damaged, measure again: {type(error).__name__}: {error}") from error


def recipe_of(spec: Spec) -> Recipe:
    """From `dataclasses.asdict` by way of JSON; numbers that it does not have yet get their defaults."""
    d, rates = spec["d"], spec.get("rates")
    return Recipe(**spec | {"d": d and tuple(d), "rates": rates and RateSearch(**rates)})


def rates_of(spec: Spec) -> Rates:
    """Likewise; JSON has null for NaN."""
    performance = tuple(math.nan if p is None else p for p in spec["performance"])
    return Rates(spec["d"], tuple(spec["tried"]), performance, spec["runs"], spec["seconds"])
