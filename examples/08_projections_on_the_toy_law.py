"""Which projections are fair: four kinds of P on the toy problem, and the law that a fair one follows.

The least share of the loss that d random directions leave is Beta((10 − d)/2, d/2) distributed if P has no
preferred directions. Each panel shows 300 draws of one kind at one d under the curve of the law. Dense, sparse
and Fastfood lie under it; Fastfood without output signs, one block, as the authors ran it, does not.

Run `python examples/08_projections_on_the_toy_law.py` (a few seconds); it draws `results/toy_law.png`.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws to a file, needs no window
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import npintdim as nid

DRAWS, D_TRIED = 300, (2, 5, 9)
KINDS = {
    "dense": {"kind": "dense"},
    "sparse": {"kind": "sparse"},
    "Fastfood": {"kind": "fastfood"},
    "Fastfood without signs": {"kind": "fastfood", "blocks": "single", "signs": False},
}


def shares(toy, d, backend, **options):
    """Least loss / loss at theta_0 = 0, one a seed."""
    theta_0 = np.zeros(toy.D)
    L_0 = toy.evaluate(theta_0).loss
    for seed in range(DRAWS):
        P = nid.make_projection(D=toy.D, d=d, seed=seed, backend=backend, **options)
        yield toy.optimum(theta_0, P.to_dense())[1] / L_0


def main():
    toy, backend = nid.ToyProblem(), nid.get_backend("numpy", dtype=np.float64)
    figure, axes = plt.subplots(len(D_TRIED), len(KINDS), figsize=(11, 7), sharex=True, sharey="row")
    x = np.linspace(0.003, 0.997, 300)
    for row, d in zip(axes, D_TRIED, strict=True):
        law = stats.beta((toy.s - d) / 2, d / 2)
        for ax, (name, options) in zip(row, KINDS.items(), strict=True):
            left = np.fromiter(shares(toy, d, backend, **options), float)
            holds = stats.kstest(left, law.cdf).pvalue > 1e-3
            print(f"{name:24} d = {d}: {left.mean():.3f} left, the law says {1 - d / toy.s:.1f}", end="")
            print(": the law holds" if holds else ": the law fails")
            ax.hist(
                left, bins=25, range=(0, 1), density=True, color="#0072B2" if holds else "#D55E00", alpha=0.6
            )
            ax.plot(x, law.pdf(x), "k", lw=1.5)
            ax.set_ylim(0, 1.6 * np.quantile(law.pdf(x), 0.97))
            ax.set_title(f"{name}, d = {d}", fontsize=10)
    figure.supxlabel("share of the loss that is left")
    figure.tight_layout()
    Path("results").mkdir(exist_ok=True)
    figure.savefig(Path("results") / "toy_law.png", dpi=110)


if __name__ == "__main__":
    main()
