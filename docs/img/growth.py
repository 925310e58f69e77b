"""Draw growth.png: time and memory of P v + Pᵀ g against D and d, as `benchmarks.scripts.growth` measured them.

`python docs/img/growth.py`; `constants` gives those of the lines.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).parents[2]
LENET, FIXED = 44_426, 1000
POINTING = {"ha": "center", "fontsize": 8, "arrowprops": {"arrowstyle": "-", "lw": 0.6, "color": "#666666"}}
LINES = {  # what time grows with (constants are fitted), bytes that P holds, and how both are written
    "dense, stored": (lambda D, d: [D * d], lambda D, d: 4.0 * D * d, "D d", "4 D d"),
    "dense ±1, drawn": (lambda D, d: [D * d], None, "D d", "none"),
    "dense Gaussian, drawn": (lambda D, d: [D * d], None, "D d", "none"),
    "sparse": (lambda D, d: [d * D**0.5, D], lambda D, d: 9 * d * D**0.5, "d √D + D", "9 d √D"),
    "Fastfood, stored": (
        lambda D, d: [D * np.log2(block(d))],
        lambda D, d: 6.25 * padded(D, d),
        "D log n",
        "6.25 D",
    ),
    "Fastfood, drawn": (lambda D, d: [D], None, "D, to draw", "none"),
}
LOOKS = {
    "dense, stored": ("#000000", "o"), "dense ±1, drawn": ("#56B4E9", "s"), "dense Gaussian, drawn": ("#CC79A7", "^"),
    "sparse": ("#009E73", "v"), "Fastfood, stored": ("#D55E00", "P"), "Fastfood, drawn": ("#0072B2", "X"),
}  # fmt: skip


def block(d):
    """n = 2^⌈log₂ d⌉."""
    return 2.0 ** np.ceil(np.log2(np.maximum(d, 2)))


def padded(D, d):
    """⌈D/n⌉ n."""
    return np.ceil(D / block(d)) * block(d)


def constants(points, terms):
    """Of the terms, none negative, for the least squares of the relative errors."""
    from scipy.optimize import nnls

    rows = np.array([np.ravel(terms(p["D"], p["d"])) / p["seconds"] for p in points])
    return nnls(rows, np.ones(len(rows)))[0]


def main():
    points = json.loads((ROOT / "benchmarks" / "growth.json").read_text())
    plt.rcParams.update({"font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
                         "grid.alpha": 0.25, "grid.linewidth": 0.6, "lines.markersize": 4.5})  # fmt: skip
    figure, axes = plt.subplots(2, 2, figsize=(9.5, 8.2), layout="constrained", sharey="row")
    ranges = (np.logspace(4, 10, 121), np.logspace(1, np.log10(LENET), 121))
    for name, (terms, size, grows, bytes_) in LINES.items():
        colour, marker = LOOKS[name]
        own = [p for p in points if p["kind"] == name]
        fit = constants([p for p in own if p["d"] <= 30_000 and not p.get("by")], terms)
        for column, x in enumerate(ranges):
            D, d = (x, np.full_like(x, FIXED)) if column == 0 else (np.full_like(x, LENET), x)
            near = [
                p for p in own if (p["d"] == FIXED and p["D"] != LENET if column == 0 else p["D"] == LENET)
            ]
            at = [p["D"] if column == 0 else p["d"] for p in near]
            label = f"{name}: {grows}; {bytes_}"
            line = sum(c * np.broadcast_to(t, x.shape) for c, t in zip(fit, terms(D, d), strict=True))
            seen = x <= max(at)  # dotted beyond what was measured
            axes[0, column].loglog(x[seen], line[seen], "-", color=colour, lw=0.9)
            axes[0, column].loglog(x[~seen], line[~seen], ":", color=colour, lw=0.9)
            axes[0, column].plot(at, [p["seconds"] for p in near], marker, color=colour, label=label)
            if size:
                axes[1, column].loglog(x[seen], size(D, d)[seen], "-", color=colour, lw=0.9)
                axes[1, column].loglog(x[~seen], size(D, d)[~seen], ":", color=colour, lw=0.9)
            held = [p["held"] if size else p["peak"] for p in near]
            axes[1, column].loglog(at, held, marker, color=colour, mfc=colour if size else "none")
    for p in (p for p in points if p.get("by")):  # another d, and another program: a point without a line
        axes[0, 0].plot(p["D"], p["seconds"], "*", color=LOOKS[p["kind"]][0], ms=9)
        axes[0, 0].annotate(f"D = 7·10⁹, d = 10,000:\n{p['seconds']:.0f} s, in slices", (p["D"], p["seconds"]), (1e9, 1e-4),
                            **POINTING)  # fmt: skip
        axes[1, 0].plot(p["D"], p["peak"], "*", color=LOOKS[p["kind"]][0], ms=9, mfc="none")
    for x, y, text, to in (
        (225, 4.0 * 225 * LENET, "the authors' dense limit,\n225 × 44,426", (60, 2e10)),
        (2500, 24 * 2500 * LENET**0.5, "their sparse limit, d = 2,500,\n24 bytes an entry", (3000, 2e12)),
    ):
        axes[1, 1].plot(x, y, "D", color="#666666", ms=6, mfc="none", mew=1.4, zorder=5)
        axes[1, 1].annotate(text, (x, y), to, **POINTING)
    axes[0, 0].set(title=f"time, d = {FIXED:,}", ylabel="seconds of one thread for P v + Pᵀ g")
    axes[0, 1].set(title=f"time, D = {LENET:,}")
    axes[1, 0].set(
        title=f"memory, d = {FIXED:,}",
        xlabel="D",
        ylabel="bytes that P holds (hollow: that its products need)",
    )
    axes[1, 1].set(title=f"memory, D = {LENET:,}", xlabel="d")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)


if __name__ == "__main__":
    main()
