"""Eight subspace runs of MNIST's network, as `npintdim measure` makes them, on so many processes."""

import os
import sys

from npintdim import recipe_for, sweep

recipe = recipe_for("mnist")
runs = [recipe.subspace(750, k) for k in range(8)]
if __name__ == "__main__":
    records = sweep(runs, os.environ["SWEEP_FOLDER"], backend="numba", jobs=int(sys.argv[1]), progress=False)
    print([record["performance"] for record in records])
