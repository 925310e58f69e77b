"""`.. explorable:: NAME` is a picture that moves; its numbers are computed by npintdim while the site is built."""

import contextlib
import json
import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive
from scipy import stats

import npintdim as nid
from npintdim.plots.curve import curve_read

FLOAT64 = nid.get_backend("numpy", dtype=np.float64)
DRAWS = 100  # of the toy problem at each d
TRIED = (5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 400)
SEEDS = 3
STILL = {  # where no script runs
    "plane": (
        "explore/results/plane_meets_solutions.png",
        "random lines and planes that meet or miss solutions",
    ),
    "toy": (
        "docs/img/toy-step.png",
        "each direction removes a tenth of the loss, and at d = 10 nothing is left",
    ),
    "digits": ("docs/img/digits-curve.png", "accuracy on the digits against d"),
}


def rounded(x, digits=4):
    return np.round(np.asarray(x, dtype=float), digits).tolist()


def plane(app):
    """Example 01, with other draws of P and the whole descent: L(θ) = ‖A θ − b‖² in three dimensions."""
    example = Path(app.srcdir) / "examples" / "01_plane_meets_solutions.py"
    with contextlib.chdir(Path(app.srcdir) / "explore"), contextlib.redirect_stdout(None):
        Conditions = runpy.run_path(str(example), run_name="__main__")["Conditions"]
    theta_0 = np.array([0.5, -0.4, -0.55])
    A = np.linalg.qr(np.array([[0.1, 0.25, 1.0], [-0.9, 0.3, -0.1]]).T)[0].T
    b = np.array([-0.25, 0.2])
    draws = []
    for d in (1, 2):
        for s in (1, 2):
            for seed in range(12):
                P = nid.make_projection("dense", D=3, d=d, seed=seed, backend=FLOAT64)
                objective = nid.SubspaceObjective(Conditions(A[:s], b[:s]), theta_0, P)
                theta_d, path, losses = objective.start(), [], []
                for _ in range(61):
                    loss, grad = objective.loss_and_grad(theta_d, nid.Batch())
                    path.append(rounded(objective.theta(theta_d)))
                    losses.append(float(loss))
                    theta_d = theta_d - 0.25 * grad
                draws.append({"d": d, "s": s, "seed": seed, "P": rounded(P.to_dense()), "path": path,
                              "loss": [float(f"{x:.4g}") for x in losses]})  # fmt: skip
    return {"A": rounded(A), "b": rounded(b), "theta_0": rounded(theta_0), "draws": draws}


def toy(app):
    """The best point of random subspaces: its ten sums, the share of the loss that is left, and the law of that share."""
    problem = nid.ToyProblem()
    theta_0 = np.zeros(problem.D)
    L_0 = problem.evaluate(theta_0).loss
    grid = np.linspace(0.005, 0.995, 100)
    by_d = []
    for d in range(1, 16):
        shares, sums = [], []
        for seed in range(DRAWS):
            P = nid.make_projection("fastfood", D=problem.D, d=d, seed=seed, backend=FLOAT64).to_dense()
            theta_d, L = problem.optimum(theta_0, P)
            shares.append(L / L_0)
            if seed < 20:
                sums.append(rounded(problem.residual(P @ theta_d) + np.arange(1, 11), 3))
        law = stats.beta((10 - d) / 2, d / 2).pdf(grid) if d < 10 else np.zeros_like(grid)
        by_d.append({"d": d, "mean": nid.expected_share(d), "law": rounded(law, 3), "shares": rounded(shares),
                     "sums": sums})  # fmt: skip
    return {"grid": rounded(grid), "by_d": by_d}


def digits(app):
    """One network at several d: accuracies, what it says of twenty digits, its first weights, its file."""
    data, backend = nid.load_dataset("digits"), nid.get_backend("numpy")
    model = nid.mlp([64, 32, 10], backend=backend)

    def train(landscape, start, lr, seed):
        return nid.train(landscape, start, data, nid.TrainConfig(nid.Adam(lr), epochs=20, seed=seed))

    baseline = [train(model, model.init_theta(seed=i), 0.01, i).records[-1].test for i in range(SEEDS)]
    shown = nid.Batch(data.test.x[:20], data.test.labels[:20])
    by_d, all_d, reached = [], [], []
    for d in TRIED:
        for i in range(SEEDS):
            seed = 1000 * d + i
            theta_0 = model.init_theta(seed=seed)
            P = nid.make_projection("fastfood", D=model.D, d=d, seed=seed, backend=backend)
            objective = nid.SubspaceObjective(model, theta_0, P)
            run = train(objective, objective.start(), 0.1, seed)
            all_d.append(d)
            reached.append(run.records[-1].test)
            if i == 0:
                packed = nid.CompressedModel.from_parts(model, seed, P, run.theta)
                theta = packed.theta()
                says = model.forward(theta, shown.x)[0].argmax(axis=1)
                W = model.layout.views(theta)["fc1.W"].T  # a unit a row
                by_d.append({
                    "d": d, "bytes": packed.save(Path(app.srcdir) / "explore" / "digits.npid"),
                    "accuracy": packed.evaluate(data.test).performance, "says": says.tolist(),
                    "weights": np.rint(127 * np.clip(W / 0.6, -1, 1)).astype(int).tolist(),
                })  # fmt: skip
    found = nid.d_int(all_d, reached, baseline=baseline)
    groups = {d: np.array(reached)[np.array(all_d) == d] for d in TRIED}
    for entry, mean in zip(by_d, found.means, strict=True):
        entry |= {"mean": mean, "runs": groups[entry["d"]].tolist()}
    read = curve_read(SimpleNamespace(d_int=found, performances=lambda: groups))  # as in the pictures
    drawn = np.flatnonzero(read.p > 0)[::4]
    curve = {"d": rounded(read.d[drawn], 2), "p": rounded(read.p[drawn]), "near": read.near[drawn].tolist()}
    images = np.rint(15 * shown.x.reshape(20, 64) / shown.x.max()).astype(int)
    return {"images": images.tolist(), "labels": shown.labels.tolist(), "by_d": by_d, "curve": curve,
            "summary": found.summary(), "d_int": found.d, "low": found.low, "high": found.high, "threshold": found.threshold, "D": model.D}  # fmt: skip


NUMBERS = {"plane": plane, "toy": toy, "digits": digits}


def compute(app):
    os.environ.setdefault("MPLBACKEND", "Agg")
    (Path(app.srcdir) / "explore").mkdir(exist_ok=True)
    app.explorables = {name: json.dumps(f(app), separators=(",", ":")) for name, f in NUMBERS.items()}
    size = sum(map(len, app.explorables.values()))
    if size > 1_000_000:
        raise ValueError(f"the explorables take {size} bytes: less than a megabyte is wanted")


class Explorable(Directive):
    required_arguments = 1

    def run(self):
        env, name = self.state.document.settings.env, self.arguments[0]
        up = "../" * env.docname.count("/")
        picture, words = STILL[name]
        script = f'<script type="application/json" class="numbers">{env.app.explorables[name]}</script>'
        still = nodes.image(uri=up + picture, alt=words, classes=["still"])
        box = nodes.container(
            "", still, nodes.raw("", script, format="html"), classes=["explorable", f"explore-{name}"]
        )
        env.metadata[env.docname]["explorable"] = name
        return [box]


def scripts(app, pagename, templatename, context, doctree):
    if name := app.env.metadata.get(pagename, {}).get("explorable"):
        app.add_js_file("explore.js")
        app.add_js_file(f"{name}.js", loading_method="defer")


def setup(app):
    app.add_directive("explorable", Explorable)
    app.connect("builder-inited", compute)
    app.connect("html-page-context", scripts)
    return {"parallel_read_safe": False}
