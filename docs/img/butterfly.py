"""Draw butterfly.png: where the rounds of a Walsh–Hadamard transform take place. `python docs/img/butterfly.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Arc, FancyArrowPatch, Rectangle

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#aa4499")  # one a round, apart for every eye
INK, FAINT = "#222222", "#c8ccd0"


def grid(ax, title, below):
    """Sixteen registers of sixteen lanes, with their numbers at the ends."""
    for r in range(16):
        for k in range(16):
            ax.add_patch(Rectangle((k - 0.5, r - 0.5), 1, 1, fill=False, ec=FAINT, lw=0.6))
        ax.text(-0.8, r, f"{16 * r}", ha="right", va="center", fontsize=7.5, color=INK)
        ax.text(15.8, r, f"{16 * r + 15}", ha="left", va="center", fontsize=7.5, color=INK)
        ax.add_patch(Rectangle((-0.5, r - 0.5), 16, 1, fill=False, ec="#888888", lw=0.9))
    ax.set(xlim=(-4.0, 17.8), ylim=(16.6, -1.4), aspect="equal")
    ax.set_title(title, fontsize=11, color=INK)
    ax.text(7.5, 17.1, below, ha="center", va="top", fontsize=9.5, color=INK, linespacing=1.4)
    ax.axis("off")


def key(ax, x, y, labels):
    """The rounds by colour."""
    for i, (label, colour) in enumerate(zip(labels, COLOURS, strict=True)):
        ax.text(x[i], y[i], label, ha="center", va="center", fontsize=9, color=colour, weight="bold")


def dot(ax, x, y, colour):
    """One number."""
    ax.plot(x, y, "o", ms=3.4, color=colour, zorder=3)


def inside(ax):
    """Strides 1, 2, 4, 8: partners are lanes of one register."""
    grid(
        ax,
        "Four rounds inside each register",
        "y = ± x + shuffle(x, lane ^ h)\none shuffle, one multiply-add a register",
    )
    for i, h in enumerate((1, 2, 4, 8)):
        r = 4 * i + 2
        for k in (k for k in range(16) if not k & h):
            height = 0.7 + 0.22 * h
            ax.add_patch(
                Arc((k + h / 2, r), h, 2 * height, theta1=180, theta2=360, color=COLOURS[i], lw=1.3, zorder=2)
            )
            dot(ax, k, r, COLOURS[i])
            dot(ax, k + h, r, COLOURS[i])
    key(ax, [-3.1] * 4, [2, 6, 10, 14], ["h = 1", "h = 2", "h = 4", "h = 8"])


def across(ax):
    """Strides 16 to 128: partners are registers, lane by lane."""
    grid(
        ax,
        "Four rounds across the registers",
        "a, b ← a + b, a − b\nno lane moves: sixteen butterflies an instruction",
    )
    for i, stride in enumerate((1, 2, 4, 8)):
        k = 4 * i + 1
        for r in (r for r in range(16) if not r & stride):
            width = 0.7 + 0.22 * stride
            ax.add_patch(
                Arc(
                    (k, r + stride / 2),
                    2 * width,
                    stride,
                    theta1=270,
                    theta2=450,
                    color=COLOURS[i],
                    lw=1.3,
                    zorder=2,
                )
            )
            dot(ax, k, r, COLOURS[i])
            dot(ax, k, r + stride, COLOURS[i])
    key(ax, [1, 5, 9, 13], [-0.95] * 4, ["h = 16", "h = 32", "h = 64", "h = 128"])


def depth_first(ax):
    """Leaves are folded as soon as eight are complete: the order, for n = 2^18."""
    ax.set(xlim=(-0.6, 33), ylim=(-1.1, 16.2))
    ax.set_title("Above a leaf: fold a stretch as soon as it is complete", fontsize=11, color=INK)
    shown = {0: range(8), 1: range(8), 7: range(8)}  # of 8 stretches of 8 leaves
    starts = {0: 0.0, 1: 10.0, 7: 23.6}
    order = 0
    centres = {}
    for stretch in range(8):
        for leaf in range(8):
            order += 1
            if stretch in shown:
                x = starts[stretch] + leaf * 1.12
                ax.add_patch(Rectangle((x, 1), 1.0, 1.8, fc="#dbe9f4", ec=COLOURS[0], lw=1))
                ax.text(x + 0.5, 1.9, f"{order}", ha="center", va="center", fontsize=8, color=INK)
        order += 1
        if stretch in shown:
            x = starts[stretch]
            ax.add_patch(Rectangle((x, 5.2), 8.84, 2.0, fc="#fbe5d6", ec=COLOURS[1], lw=1))
            ax.text(x + 4.42, 6.2, f"{order}", ha="center", va="center", fontsize=9, color=INK)
            centres[stretch] = x + 4.42
            for leaf in range(8):
                ax.add_patch(FancyArrowPatch((x + leaf * 1.12 + 0.5, 2.85), (x + leaf * 1.12 + 0.5, 5.15),
                                             arrowstyle="-|>", mutation_scale=7, color=FAINT, lw=1))  # fmt: skip
    order += 1
    ax.add_patch(Rectangle((0, 9.6), 32.44, 2.0, fc="#d9efe7", ec=COLOURS[2], lw=1))
    ax.text(16.2, 10.6, f"{order}", ha="center", va="center", fontsize=9, color=INK)
    del centres[1]  # its place is taken by words
    for centre in centres.values():
        ax.add_patch(
            FancyArrowPatch(
                (centre, 7.25), (centre, 9.55), arrowstyle="-|>", mutation_scale=7, color=FAINT, lw=1
            )
        )
    for y in (1.9, 6.2):
        ax.text(21.2, y, "…", ha="center", va="center", fontsize=14, color=INK)
    for y, text in (
        (0.35, "leaf: 4096 numbers, 16 KiB, in L1\nsixteen tiles, then four rounds: h = 1 … 2048"),
        (8.3, "fold of eight: 128 KiB, in L2; three rounds, h = 4096 … 16,384"),
        (12.3, "fold of eight: 1 MiB; three rounds, h = 32,768 … 131,072"),
    ):
        ax.text(0 if y != 8.3 else 5.2, y, text, ha="left", va="top" if y < 1 else "center", fontsize=9.5, color=INK,
                linespacing=1.4)  # fmt: skip
    ax.text(0, 14.6, "n = 2¹⁸. The boxes are stretches of memory, the numbers the order of work:\n"
            "18 rounds, and only the last three find their data outside L1 and L2.",
            ha="left", va="center", fontsize=9.5, color=INK, linespacing=1.5)  # fmt: skip
    ax.axis("off")


def main():
    """All three."""
    fig = plt.figure(figsize=(11, 10.2))
    areas = fig.add_gridspec(
        2, 2, height_ratios=(1.45, 1), hspace=0.16, wspace=0.06, left=0.02, right=0.98, top=0.96, bottom=0.02
    )
    inside(fig.add_subplot(areas[0, 0]))
    across(fig.add_subplot(areas[0, 1]))
    depth_first(fig.add_subplot(areas[1, :]))
    fig.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
