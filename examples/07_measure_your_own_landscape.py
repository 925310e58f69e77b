"""d_int90 of a landscape of your own: softmax regression in 40 lines of NumPy, measured exactly like our networks.

    make_objective(d, seed)       your landscape in a random subspace of dimension d; with d = None the whole one

The learning rates are searched first, on a held-out part of the training data. Then an adaptive search tries d until
d_int90 is known to 10 %. Everything is kept in the folder: run it twice, and nothing is trained again.

Run `python examples/07_measure_your_own_landscape.py` (half a minute on one core); it writes results/softmax/report.md.
"""

import sys

import numpy as np

import npintdim as nid


class Softmax:
    """L = -mean log softmax(W x)_label with W 10x64; theta is W, row after row."""

    dim = 640

    def parts(self, theta, batch):
        x = batch.x.reshape(len(batch), -1)
        logits = x @ theta.reshape(10, 64).T
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return x, p / p.sum(axis=1, keepdims=True)

    def loss_and_grad(self, theta, batch):
        x, p = self.parts(theta, batch)
        own = np.arange(len(batch)), batch.labels
        loss = -np.log(p[own]).mean()
        p[own] -= 1
        return loss, (p.T @ x / len(batch)).reshape(-1)

    def evaluate(self, theta, data):
        _, p = self.parts(theta, data)
        own = p[np.arange(len(data)), data.labels]
        hits = p.argmax(axis=1) == data.labels
        return nid.Evaluation(float(-np.log(own).mean()), float(hits.mean()), len(data))

    def start(self):
        return np.zeros(self.dim, np.float32)


def make_objective(d, seed):
    """Draw whatever is random from the seed: it is another one for every run."""
    whole = Softmax()
    if d is None:
        return whole
    P = nid.make_projection("sparse", D=whole.dim, d=d, seed=seed, backend=nid.get_backend("numpy"))
    return nid.SubspaceObjective(whole, whole.start(), P)


def main():
    recipe = nid.objective_recipe(
        make_objective,
        "digits",
        direct_optimizer=nid.Adam(lr=0.03).spec(),  # where the search for learning rates begins
        rates=nid.RateSearch(seeds=3),
        epochs=10,
        precision=0.1,
        budget=40,
    )
    sys.stdout.reconfigure(errors="replace")  # the search says ±: a terminal that lacks it shows ?
    m = nid.measure(recipe, "results/softmax", backend=nid.get_backend("numpy", threads=1), tell=print)
    print(m.table())
    print(f"D = {m.D}, {len(m.records)} runs, report in {m.folder / 'report.md'}")
    print(m.d_int.summary())


if __name__ == "__main__":
    main()
