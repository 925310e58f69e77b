"""Eight subspace runs of MNIST's network, as `npintdim measure` makes them, on so many processes."""

import os
import sys

from npintdim import RunSpec, recipe_for, sweep

recipe = recipe_for("mnist")
runs = [
    RunSpec(
        "mnist", recipe.model, {"kind": "fastfood"}, 750, seed, recipe.optimizer, recipe.epochs, limit_train=50_000
    )  # fmt: skip
    for seed in range(8)
]
if __name__ == "__main__":
    records = sweep(runs, os.environ["SWEEP_FOLDER"], backend="numba", jobs=int(sys.argv[1]), progress=False)
    print([record["performance"] for record in records])
