"""How well d_int is read from noisy runs: first crossing, isotonic means, and ours, where the truth is known.

    python -m benchmarks.estimator [--worlds] [--simulations 400] [--figure docs/img/estimator.png]

One run at each d, as in a sweep without repetitions, and three of direct training; further ones, where our search asks
for them, count as runs. The curve is the authors' of MNIST FC, moved by a random factor between 1/2 and 2, so that no
grid is lucky. Ours chooses its d by `npintdim.measurement.search`; the others get a grid of 12, 24 or 48 d from 10 to
1500, log-spaced and moved with the curve by the same law.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

from benchmarks.curves import BASELINE, LINE, WORLDS, noisy, reference, run, saturating, straight
from npintdim.measurement.curves import crossing, isotonic
from npintdim.measurement.estimate import DInt, d_int
from npintdim.measurement.search import Search, plan

RUNS = (7, 9, 11, 15)
GRIDS = (12, 24, 48)


def simulate(curve, sd: float, counted: bool, n: int, seed: int) -> dict[str, np.ndarray]:
    """Errors of log d of every estimator, (n,), and for ours columns error, low, high."""
    rng = np.random.default_rng(seed)
    truth = brentq(lambda x: curve(np.array(x)) - LINE, math.log(2), math.log(1e5))
    found: dict[str, list] = {}
    for _ in range(n):
        shift = rng.uniform(-math.log(2), math.log(2))
        base = noisy(np.full(3, BASELINE), sd / 3, False, rng)
        line = 0.9 * base.mean()
        for size in GRIDS:
            d = np.geomspace(10, 1500, size) * math.exp(rng.uniform(-0.5, 0.5) * math.log(150) / (size - 1))
            p = noisy(curve(np.log(d)), sd, counted, rng)
            above = np.flatnonzero(p > line)
            first = math.log(d[above[0]]) if len(above) else math.inf
            found.setdefault(f"first crossing, {size} runs", []).append(first - truth)
            read = crossing(tuple(d), isotonic(p, np.ones(size)), line)
            found.setdefault(f"isotonic, {size} runs", []).append(math.log(read) - truth)
        d, p = [], []
        search = Search(199_210, precision=1e-9, budget=max(RUNS))
        while (next_ := plan(search, d, p, base)).runs:
            (wanted,) = next_.runs
            if wanted.d is None:
                base = np.append(base, noisy(np.array(BASELINE), sd / 3, False, rng))
            else:
                d.append(wanted.d)
                p.append(float(noisy(curve(np.array(math.log(wanted.d) - shift)), sd, counted, rng)))
            runs = len(d) + len(base) - 3
            if runs in RUNS:
                r = d_int(d, p, base)
                found.setdefault(f"ours, {runs} runs", []).append(logs(r) - truth - shift)
                if runs == 9:
                    found.setdefault("isotonic, the same 9 runs", []).append(
                        math.log(r.isotonic) - truth - shift
                    )
    return {name: np.array(values) for name, values in found.items()}


def logs(r: DInt) -> np.ndarray:
    """Of the reading and of both ends of its interval; NaN where a search gave up before it had one, which holds nothing."""
    with np.errstate(divide="ignore"):
        return np.log(np.clip(np.array([r.d, r.low, r.high], dtype=float), 0, None))


def until(
    curve,
    sd: float,
    base_sd: float,
    precision: float,
    n: int,
    seed: int,
    width: int = 1,
    noise: str = "normal",
) -> tuple[np.ndarray, float, float]:
    """A search that stops by itself, `width` runs at a time: columns error, low, high; its mean runs and rounds."""
    rng = np.random.default_rng(seed)
    truth = brentq(lambda x: curve(np.array(x)) - LINE, math.log(2), math.log(1e5))
    values, runs, rounds = [], 0, 0
    for _ in range(n):
        shift = rng.uniform(-math.log(2), math.log(2))
        base = noisy(np.full(3, BASELINE), base_sd, False, rng)
        d, p = [], []
        while (step := plan(Search(199_210, precision=precision), d, p, base, width)).runs:
            rounds += 1
            for wanted in step.runs:
                if wanted.d is None:
                    base = np.append(base, noisy(np.array(BASELINE), base_sd, False, rng))
                    continue
                d.append(wanted.d)
                p.append(run(float(curve(np.array(math.log(wanted.d) - shift))), sd, noise, rng))
        values.append(logs(d_int(d, p, base)) - truth - shift)
        runs += len(d) + len(base) - 3
    return np.array(values), runs / n, rounds / n


def worlds(n: int, sd: float = 0.006, precision: float = 0.05) -> None:
    """Every curve and noise of `WORLDS`, searched two runs at a time, 24 at most."""
    print(f"\nsd {sd:g}, until ±{100 * precision:g} %\n")
    print(
        "| | bias of log d | RMSE of log d | coverage | median half width | runs |\n|---|--:|--:|--:|--:|--:|"
    )
    for name, (curve, noise) in WORLDS.items():
        values, runs, _ = until(curve, sd, sd / 3, precision, n, 4, 2, noise)
        print(f"{row(name, values)} {runs:.1f} |", flush=True)


def row(name: str, values: np.ndarray) -> str:
    """Bias, RMSE, coverage and half width of one estimator."""
    error = values if values.ndim == 1 else values[:, 0]
    ok = np.isfinite(error)
    bias, rmse = error[ok].mean(), math.sqrt((error[ok] ** 2).mean())
    cells = [name, f"{100 * bias:+.1f} %", f"{100 * rmse:.1f} %", "", ""]
    if values.ndim > 1:
        covered = ((values[:, 1] <= 0) & (values[:, 2] >= 0)).mean()
        cells[3:] = f"{100 * covered:.1f} %", f"±{50 * np.nanmedian(values[:, 2] - values[:, 1]):.1f} %"
    if not ok.all():
        cells[0] += f" (of {len(ok)}, {(~ok).sum()} censored)"
    return "| " + " | ".join(cells) + " |"


def table(title: str, found: dict[str, np.ndarray], only: str = "") -> None:
    """Markdown."""
    print(
        f"\n{title}\n\n| | bias of log d | RMSE of log d | coverage | median half width |\n|---|--:|--:|--:|--:|"
    )
    for name in sorted(found, key=lambda name: (name.split(",")[0], len(name), name)):
        if only in name:
            print(row(name, found[name]), flush=True)


def figure(path: Path, found: dict[str, np.ndarray], sd: float) -> None:
    """Error distributions of all estimators at one noise level."""
    from npintdim.plots import BLUE, GREY, ORANGE, new_figure, save

    names = [
        f"{kind}, {k} runs"
        for kind, ks in (("first crossing", GRIDS), ("isotonic", GRIDS), ("ours", RUNS))
        for k in ks
    ]
    colors = {"first crossing": ORANGE, "isotonic": GREY, "ours": BLUE}
    drawing = new_figure(7.6, 4.6)
    axes = drawing.subplots()
    for y, name in enumerate(reversed(names)):
        values = found[name]
        error = 100 * (values if values.ndim == 1 else values[:, 0])
        color = colors[name.split(",")[0]]
        low, q1, middle, q3, high = np.quantile(error, (0.025, 0.25, 0.5, 0.75, 0.975))
        axes.plot([low, high], [y, y], color=color, lw=1.4)
        axes.plot([q1, q3], [y, y], color=color, lw=7, solid_capstyle="butt")
        axes.plot(middle, y, "o", color="white", ms=4, mec=color)
        axes.annotate(f"RMSE {math.sqrt((error**2).mean()):.1f} %", (1, y), xycoords=("axes fraction", "data"),
                      xytext=(-4, 0), textcoords="offset points", ha="right", va="center", fontsize=9)  # fmt: skip
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(names)), list(reversed(names)))
    left, right = axes.get_xlim()
    axes.set_xlim(left, right + 0.22 * (right - left))
    axes.set_xlabel("error of d_int90, 100·log(read/true); bar: middle half, line: 95 % of the simulations")
    axes.set_title(
        f"Nine runs where they tell most beat a sweep of 48\nsimulated on the authors' curve of MNIST FC, noise sd {sd:g} in accuracy",
        loc="left", fontsize=11,
    )  # fmt: skip
    axes.grid(alpha=0.25, lw=0.6, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    save(drawing, path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Bias, RMSE and coverage of the readings of d_int.")
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--worlds", action="store_true", help="only the table of all curves and noises")
    args = parser.parse_args()
    n = args.simulations
    worlds(n)
    if args.worlds:
        return
    for sd in (0.0, 0.006, 0.025):
        found = simulate(reference(), sd, False, n if sd else 40, seed=1)
        table(f"Noise sd {sd:g} in accuracy, baseline three runs of sd {sd / 3:g}", found)
        if args.figure and sd == 0.006:
            figure(args.figure, found, sd)
    for name, curve, counted in (("noise ∝ 1 − p", reference(), True), ("1 − p ∝ 1/d", straight, False),
                                 ("saturating at .94", saturating, False)):  # fmt: skip
        table(f"sd 0.006, {name}", simulate(curve, 0.006, counted, n // 2, seed=2), only="ours")
    for width in (1, 2, 8, 16):
        stopped = {}
        for sd, base_sd, precision in (
            (0.006, 0.002, 0.05),
            (0.006, 0.002, 0.08),
            (0.006, 0.006, 0.08),
            (0.025, 0.008, 0.25),
        ):
            values, runs, rounds = until(reference(), sd, base_sd, precision, n, 3, width)
            name = f"sd {sd:g}, baseline {base_sd:g}: until ±{100 * precision:g} %, {runs:.1f} runs"
            stopped[f"{name} in {rounds:.1f} rounds"] = values
        table(f"A search that stops by itself, 24 runs at most, {width} at a time", stopped)


if __name__ == "__main__":
    main()
