"""Where the bytes of a compressed network go, from 32 bits a number down to two.

A file holds a header (network, two seeds, P), three hashes of 32 bytes, and theta_d. With fewer levels and an entropy
coder theta_d shrinks to a fourteenth, until even the hashes are longer; the accuracy is that of the decoded file.

Run `python examples/11_bits_of_a_file.py` (a few seconds); it draws `results/bits.png`.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws to a file, needs no window
import matplotlib.pyplot as plt

import npintdim as nid
from npintdim.artefact.mdl import finetune, quantise

D, HASHES = 150, 3 * 32


def main():
    data, backend = nid.load_dataset("digits"), nid.get_backend("numpy")
    model = nid.mlp([64, 32, 10], backend=backend)
    P = nid.make_projection("fastfood", D=model.D, d=D, seed=1, backend=backend)
    objective = nid.SubspaceObjective(model, model.init_theta(seed=0), P)
    run = nid.train(objective, objective.start(), data, nid.TrainConfig(nid.Adam(0.1), epochs=30))
    single = nid.CompressedModel.from_parts(model, theta_0_seed=0, P=P, theta_d=run.theta)
    files = {"binary32": single} | {f"{K} levels": quantise(single, "uniform", K=K) for K in (32, 16, 8)}
    for K in (8, 4):
        files[f"{K} levels, fine-tuned"] = finetune(single, "uniform", K=K, data=data, epochs=15, lr=0.1)[0]

    Path("results").mkdir(exist_ok=True)
    figure, ax = plt.subplots(figsize=(9, 4))
    for place, (name, file) in enumerate(files.items()):
        size = file.save(Path("results") / "bits.npid")
        theta_d = 4 * D if file.code is None else len(file.code)
        p = file.evaluate(data.test).performance
        print(f"{name:20}: {size} bytes, theta_d {8 * theta_d / D:.2f} bits a number, accuracy {p:.3f}")
        left = 0
        parts = {"header": (size - theta_d - HASHES, "#999999"), "hashes": (HASHES, "#56B4E9"),
                 "theta_d": (theta_d, "#D55E00")}  # fmt: skip
        for part, (length, color) in parts.items():
            ax.barh(place, length, left=left, color=color, label=part if place == 0 else None)
            left += length
        ax.text(left + 10, place, f"{8 * theta_d / D:.1f} bits a number, {100 * p:.0f} % right", va="center")
    ax.set_yticks(range(len(files)), files)
    ax.invert_yaxis()
    ax.set(xlabel=f"bytes; the {model.D} parameters alone are {4 * model.D}", xlim=(0, 1300))
    ax.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(Path("results") / "bits.png", dpi=110)


if __name__ == "__main__":
    main()
