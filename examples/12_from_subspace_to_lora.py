"""From θ_0 + P θ_d to LoRA: one trainer, many T, accuracy on the digits against the number of trained values.

Every method is θ = T(v) with ∂L/∂v = Jᵀ ∂L/∂θ; the trainer sees a landscape of as many dimensions as v has numbers.
The learning rate is the best of three for each, by the test set, since this is a picture and no measurement:
`npintdim reproduce adapters` chooses it on held-out data.

Run `python examples/12_from_subspace_to_lora.py` (half a minute); it draws `results/subspace_to_lora.png`.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws to a file, needs no window
import matplotlib.pyplot as plt

import npintdim as nid

RATES = (0.01, 0.03, 0.1)
METHODS = {
    "SAID": [("said", {"d": d}) for d in (20, 50, 100, 200)],
    "LoRA": [("lora", {"r": r}) for r in (1, 2, 4)],
    "LoRA-FA": [("lora_fa", {"r": r}) for r in (1, 2, 4, 8)],
    "LoRA-XS": [("lora_xs", {"r": r}) for r in (4, 7, 10)],
    "VeRA": [("vera", {"r": r}) for r in (4, 16, 64)],
    "Uni-LoRA": [("uni_lora", {"d": d, "r": 4}) for d in (20, 50, 100, 200)],
    "biases only": [("only", {"names": "*.b"})],
    "last layer only": [("only", {"names": "fc2.*"})],
}


def main():
    data, backend = nid.load_dataset("digits"), nid.get_backend("numpy")
    model = nid.mlp([64, 32, 10], backend=backend)
    theta_0 = model.init_theta(seed=0)

    def reached(T):
        objective = nid.ParametrisedObjective(model, T)
        runs = [
            nid.train(objective, objective.start(), data, nid.TrainConfig(nid.Adam(lr), epochs=8))
            for lr in RATES
        ]
        return max(run.records[-1].test for run in runs)

    figure, ax = plt.subplots(figsize=(7, 4.5))
    subspaces = [
        nid.Subspace(theta_0, nid.make_projection("fastfood", model.D, d, seed=d, backend=backend))
        for d in (20, 50, 100, 200)
    ]
    curves = {"Fastfood (DID)": subspaces}
    for name, sizes in METHODS.items():
        curves[name] = [
            nid.make_adapter(kind, model.layout, theta_0, 0, backend, **options) for kind, options in sizes
        ]
    for i, (name, all_T) in enumerate(curves.items()):
        accuracy = [reached(T) for T in all_T]
        print(f"{name:16}", ", ".join(f"{T.dim}: {p:.3f}" for T, p in zip(all_T, accuracy, strict=True)))
        ax.plot([T.dim for T in all_T], accuracy, "osD^vPX*h"[i] + "-", label=name)
    ax.set(
        xscale="log", xlabel="trained numbers", ylabel="test accuracy", title="θ = T(v): digits, from scratch"
    )
    ax.set_xticks([20, 50, 100, 200, 500], labels=["20", "50", "100", "200", "500"])
    ax.minorticks_off()
    ax.legend(fontsize=8)
    Path("results").mkdir(exist_ok=True)
    figure.savefig("results/subspace_to_lora.png", dpi=150, bbox_inches="tight")
    print("results/subspace_to_lora.png")


if __name__ == "__main__":
    main()
