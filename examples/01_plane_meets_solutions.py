"""Why a random subspace finds solutions: in three dimensions one can see it.

Ask s independent things of D numbers: the solutions form a set of dimension D − s. A random subspace
theta_0 + P theta_d of dimension d meets it, in general position, if

    d + (D − s) ≥ D,   that is d ≥ s.

The smallest d that works counts what is asked, whatever D is: it is the intrinsic dimension. Here D = 3: a
line meets a plane of solutions, but misses a line of solutions, which a plane meets.

You also see how a landscape of your own looks: a class with `dim`, `loss_and_grad` and `evaluate`.
Run `python examples/01_plane_meets_solutions.py`; it draws `results/plane_meets_solutions.png`.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws to a file, needs no window
import matplotlib.pyplot as plt
import numpy as np
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

import npintdim as nid

D = 3
BACKEND = nid.get_backend("numpy", dtype=np.float64)
SHAPE = {1: "line", 2: "plane"}
BLUE, ORANGE = "#0072B2", "#D55E00"  # told apart by colour-blind readers too
VIEW = {"elev": 18, "azim": -60}


@dataclass(frozen=True)
class Conditions:
    """L(theta) = ‖A theta − b‖², zero on a set of dimension D − s; A (s, D) has orthonormal rows."""

    A: np.ndarray
    b: np.ndarray
    dim: int = D

    def loss_and_grad(self, theta, batch):
        r = self.A @ theta - self.b
        return r @ r, 2 * self.A.T @ r

    def evaluate(self, theta, data):
        loss, _ = self.loss_and_grad(theta, data)
        return nid.Evaluation(loss=float(loss), performance=float(np.exp(-loss)), n=1)


def least_loss(conditions, theta_0, P):
    """Train theta_d until nothing changes; theta and its loss."""
    objective = nid.SubspaceObjective(conditions, theta_0, P)
    config = nid.TrainConfig(optimizer=nid.SGD(lr=0.2, momentum=0.8), epochs=1, steps_per_epoch=4000)
    run = nid.train(objective, objective.start(), None, config)
    return objective.theta(run.theta), objective.evaluate(run.theta, None).loss


def draw(ax, point, basis, color, other):
    """A line or a plane through the point; what is behind the `other` plane is drawn before it."""
    Q = np.linalg.qr(basis)[0]
    if Q.shape[1] == 2:
        corners = point[:, None] + Q @ [[-1, 1, 1, -1], [-1, -1, 1, 1]]
        face = Poly3DCollection([corners.T], facecolor=(color, 0.3), edgecolor=color, lw=1.5, zorder=2)
        ax.add_collection3d(face)
        return
    elev, azim = np.radians(list(VIEW.values()))
    eye = np.array([np.cos(elev) * np.cos(azim), np.cos(elev) * np.sin(azim), np.sin(elev)])
    normal = np.linalg.svd(other.T)[2][-1]
    for half in (-1.25 * Q[:, 0], 1.25 * Q[:, 0]):
        in_front = (half @ normal) * (eye @ normal) > 0
        ax.plot(*np.array([point, point + half]).T, color=color, lw=4, zorder=3 if in_front else 1)


def panel(ax, words, conditions, theta_0, P, theta):
    solution = theta - conditions.A.T @ (conditions.A @ theta - conditions.b)  # the one next to theta
    solutions = np.linalg.svd(conditions.A)[2][len(conditions.A) :].T
    draw(ax, solution, solutions, BLUE, P)
    draw(ax, theta, P, ORANGE, solutions)
    (gap,) = ax.plot(*np.array([theta, solution]).T, "k:", lw=1.5, zorder=4)
    (start,) = ax.plot(*theta_0, "ko", ms=9, mfc="white", zorder=5)
    (star,) = ax.plot(*theta, "k*", ms=16, mec="white", zorder=5)
    ax.set_title(words, y=1.0, fontsize=13)
    for axis in "xyz":
        ax.set(**{f"{axis}lim": (-1.2, 1.2), f"{axis}ticklabels": []})
    ax.set_box_aspect((1, 1, 1), zoom=1.05)
    ax.view_init(**VIEW)
    return [*(plt.Line2D([], [], color=color, lw=4) for color in (BLUE, ORANGE)), start, star, gap]


def main():
    theta_0 = np.array([0.5, -0.4, -0.55])
    A = np.linalg.qr(np.array([[0.1, 0.25, 1.0], [-0.9, 0.3, -0.1]]).T)[0].T
    b = np.array([-0.25, 0.2])
    figure = plt.figure(figsize=(12, 5))
    for i, (s, d, seed) in enumerate(
        [(1, 1, 126), (2, 1, 1), (2, 2, 204)]
    ):  # any seed; these are easy to see
        conditions = Conditions(A[:s], b[:s])
        P = nid.make_projection("dense", D=D, d=d, seed=seed, backend=BACKEND)
        theta, loss = least_loss(conditions, theta_0, P)
        verdict = "meets" if loss < 1e-12 else "misses"
        words = f"d = {d}, s = {s}: a random {SHAPE[d]}\n{verdict} a {SHAPE[D - s]} of solutions"
        print(words.replace("\n", " "), f"  least loss {loss:.2f}")
        ax = figure.add_subplot(1, 3, i + 1, projection="3d", computed_zorder=False)
        handles = panel(ax, words, conditions, theta_0, P.to_dense(), theta)
    names = [
        "solutions",
        "theta_0 + P theta_d",
        "theta_0",
        "least loss in the subspace",
        "gap to the solutions",
    ]
    figure.legend(handles, names, loc="lower center", ncols=5, frameon=False, fontsize=12)
    figure.subplots_adjust(left=0, right=1, bottom=0.1, top=0.86, wspace=0)
    Path("results").mkdir(exist_ok=True)
    figure.savefig(Path("results") / "plane_meets_solutions.png", dpi=110)


if __name__ == "__main__":
    main()
