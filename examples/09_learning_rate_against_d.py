"""Fewer directions need larger learning rates: accuracy on the digits over both.

A step of Adam has a length of about lr √d in a subspace of d directions, and of lr √D in the whole space. To step as
far as the whole network does at its 0.01, d directions need 0.01 √(D/d), the dotted line: a centre to search around, and
here the best rates lie above it. At 0.001 nothing is measured but the learning rate.

Run `python examples/09_learning_rate_against_d.py` (half a minute); it draws `results/learning_rate.png`.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws to a file, needs no window
import matplotlib.pyplot as plt
import numpy as np

import npintdim as nid

RATES = np.geomspace(1e-3, 1, 7)
TRIED = (10, 20, 50, 100, 200, 500)


def main():
    data, backend = nid.load_dataset("digits"), nid.get_backend("numpy")
    model = nid.mlp([64, 32, 10], backend=backend)
    accuracy = np.zeros((len(RATES), len(TRIED)))
    for j, d in enumerate(TRIED):
        P = nid.make_projection("fastfood", D=model.D, d=d, seed=d, backend=backend)
        objective = nid.SubspaceObjective(model, model.init_theta(seed=d), P)
        for i, lr in enumerate(RATES):
            config = nid.TrainConfig(nid.Adam(lr), epochs=10)
            run = nid.train(objective, objective.start(), data, config)
            accuracy[i, j] = objective.evaluate(run.theta, data.test).performance
    best = accuracy.argmax(axis=0)
    for d, i, p, slow in zip(TRIED, best, accuracy.max(axis=0), accuracy[0], strict=True):
        print(f"d = {d:3d}: best at lr = {RATES[i]:.3f}, accuracy {p:.3f}; at 0.001 {slow:.3f}")

    figure, ax = plt.subplots(figsize=(7, 4.5))
    image = ax.imshow(accuracy, origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=1)
    for (i, j), p in np.ndenumerate(accuracy):
        ax.text(j, i, f"{p:.2f}".lstrip("0"), ha="center", va="center", color="k" if p > 0.5 else "w")
    line = np.log10(0.01 * np.sqrt(model.D / np.array(TRIED)) / RATES[0]) / np.log10(RATES[1] / RATES[0])
    ax.plot(range(len(TRIED)), line, "w:", lw=2)
    ax.set(xticks=range(len(TRIED)), xticklabels=TRIED, xlabel="d", ylabel="learning rate of Adam")
    ax.set_yticks(range(len(RATES)), [f"{lr:.3g}" for lr in RATES])
    ax.set_title("dotted: 0.01 √(D/d)", fontsize=10)
    figure.colorbar(image, label="test accuracy after ten epochs")
    figure.tight_layout()
    Path("results").mkdir(exist_ok=True)
    figure.savefig(Path("results") / "learning_rate.png", dpi=110)


if __name__ == "__main__":
    main()
