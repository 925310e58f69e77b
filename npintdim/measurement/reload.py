"""A measurement read back from its folder: no data is loaded, nothing is trained."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from npintdim.files import DamagedError, read_json
from npintdim.measurement.measure import Measurement, read_off
from npintdim.measurement.rates import Rates, RateSearch
from npintdim.measurement.recipes import Recipe
from npintdim.measurement.records import load
from npintdim.typing import Spec


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
        recipe = recipe_of(summary["recipe"])
        rates = tuple(rates_of(found) for found in summary.get("rates", ()))
        keys = keys_in(folder / "results.csv")
        records = tuple(load(folder / "runs" / f"{key}.json")[1] for key in keys)
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
    """Keys of the runs in a results.csv, in their order.

    Raises
    ------
    DamagedError
        if the file has no such column.
    OSError
        if it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return [row["key"] for row in csv.DictReader(lines)]
    except (KeyError, ValueError, csv.Error) as error:
        raise DamagedError(f"{path} is damaged ({error!r})") from error


def recipe_of(spec: Spec) -> Recipe:
    """From `dataclasses.asdict` by way of JSON; numbers that it does not have yet get their defaults."""
    d, rates = spec["d"], spec.get("rates")
    return Recipe(**spec | {"d": d and tuple(d), "rates": rates and RateSearch(**rates)})


def rates_of(spec: Spec) -> Rates:
    """Likewise; JSON has null for NaN."""
    performance = tuple(math.nan if p is None else p for p in spec["performance"])
    return Rates(spec["d"], tuple(spec["tried"]), performance, spec["runs"], spec["seconds"])
