"""What the first layer looks for, as d grows: its weights theta_0 + P theta_d as images.

Each row is one network of the same start theta_0, trained in a subspace of another dimension d; each image is what one
unit of the first layer weighs the 8x8 pixels with, a row on one scale. In a subspace the weights move by several times
their own length, and still look like noise: a random direction moves all of them, and the network is good all the same.
The last row is direct training, which moves them less and leaves the corners, always empty, as they were.

Run `python examples/10_weights_as_images.py` (a few seconds); it draws `results/weights.png`.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws to a file, needs no window
import matplotlib.pyplot as plt
import numpy as np

import npintdim as nid

TRIED, SHOWN = (5, 20, 100, 500), 12


def main():
    data, backend = nid.load_dataset("digits"), nid.get_backend("numpy")
    model = nid.mlp([64, 32, 10], backend=backend)
    theta_0 = model.init_theta(seed=0)
    rows = {"start": theta_0}
    for d in TRIED:
        P = nid.make_projection("fastfood", D=model.D, d=d, seed=1, backend=backend)
        objective = nid.SubspaceObjective(model, theta_0, P)
        run = nid.train(objective, objective.start(), data, nid.TrainConfig(nid.Adam(0.1), epochs=20))
        rows[f"d = {d}"] = objective.theta(run.theta)
    rows["direct"] = nid.train(model, theta_0, data, nid.TrainConfig(nid.Adam(0.01), epochs=20)).theta

    figure, axes = plt.subplots(len(rows), SHOWN, figsize=(11, 6))
    W_0 = model.layout.views(theta_0)["fc1.W"]
    for row, (name, theta) in zip(axes, rows.items(), strict=True):
        W = model.layout.views(theta)["fc1.W"]
        p = model.evaluate(theta, data.test).performance
        moved = np.linalg.norm(W - W_0) / np.linalg.norm(W_0)
        print(f"{name:8}: accuracy {p:.3f}, the weights moved by {moved:.2f} of their length")
        scale = 2.5 * W.std()
        for ax, unit in zip(row, W.T, strict=False):
            ax.imshow(unit.reshape(8, 8), cmap="RdBu_r", vmin=-scale, vmax=scale)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"{name}\n{100 * p:.0f} %", rotation=0, ha="right", va="center", fontsize=11)
    figure.subplots_adjust(left=0.1, right=0.99, top=0.99, bottom=0.01, wspace=0.06, hspace=0.06)
    Path("results").mkdir(exist_ok=True)
    figure.savefig(Path("results") / "weights.png", dpi=110)


if __name__ == "__main__":
    main()
