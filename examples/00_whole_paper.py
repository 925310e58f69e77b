"""The whole paper in plain NumPy: Li et al., *Measuring the Intrinsic Dimension of Objective Landscapes* (2018).

A network has D parameters. Freeze a random start theta_0 and a random D×d matrix P, train only the d numbers
theta_d in

    theta = theta_0 + P theta_d                                                                    (2)

and raise d until the network is good. The first such d is the intrinsic dimension of the objective. Nothing
of npintdim is used here: the package is tested against this file. Run `python examples/00_whole_paper.py`.
"""

from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

DIGITS = Path(__file__).parents[1] / "npintdim" / "data" / "embedded" / "digits.csv.gz"


# 1. The random subspace: the columns of P (D, d) are random directions of unit length ---------------------
def random_subspace(D, d, rng):
    P = rng.standard_normal((D, d))
    return P / np.linalg.norm(P, axis=0)


# 2. A toy problem of intrinsic dimension 10: of 1000 numbers, ten block sums are to be 1, ..., 10 ---------
A = np.kron(np.eye(10), np.ones(100))  # (10, 1000), row k sums block k
TARGET = np.arange(1.0, 11.0)


def toy_loss(theta):
    return np.sum((A @ theta - TARGET) ** 2)


def toy_optimum(theta_0, P):
    """The least loss in the subspace, where A P theta_d = TARGET − A theta_0 as nearly as it can."""
    theta_d = np.linalg.lstsq(A @ P, TARGET - A @ theta_0)[0]
    return toy_loss(theta_0 + P @ theta_d)


# 3. A network and its gradient by hand. theta (D,) holds W then b of every layer, one after another -------
def unflatten(theta, sizes):
    """Views W (n_in, n_out), b (n_out,) of every layer."""
    layers = []
    for n_in, n_out in pairwise(sizes):
        W, b, theta = np.split(theta, [n_in * n_out, n_in * n_out + n_out])
        layers.append((W.reshape(n_in, n_out), b))
    return layers


def init_theta(sizes, rng):
    """He et al.: b = 0, W ~ N(0, 2/n_in), with the normal cut at two standard deviations."""
    theta = np.zeros(sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes)))
    for W, _ in unflatten(theta, sizes):
        z = rng.standard_normal(2 * W.size)
        W[:] = np.sqrt(2 / len(W)) * z[np.abs(z) < 2][: W.size].reshape(W.shape)
    return theta


def mlp_forward(theta, x, sizes):
    """The logits y (n, classes), and the input x of every layer, which the gradient needs."""
    inputs = []
    for W, b in unflatten(theta, sizes):
        inputs.append(x)
        y = x @ W + b
        x = np.maximum(y, 0)  # ReLU; the last one is not used
    return y, inputs


def mlp_loss_and_grad(theta, x, labels, sizes):
    """Cross-entropy L = −mean log p[label] with p = softmax(y), and its gradient dL/dtheta (D,)."""
    y, inputs = mlp_forward(theta, x, sizes)
    y = y - y.max(axis=1, keepdims=True)
    log_p = y - np.log(np.exp(y).sum(axis=1, keepdims=True))
    onehot = np.eye(sizes[-1])[labels]
    loss = -np.sum(onehot * log_p) / len(x)
    dy = (np.exp(log_p) - onehot) / len(x)
    grad_theta = np.empty_like(theta)
    layers = zip(inputs, unflatten(theta, sizes), unflatten(grad_theta, sizes), strict=True)
    for x, (W, _), (dW, db) in reversed(list(layers)):
        dW[:] = x.T @ dy  # from y = x W + b
        db[:] = dy.sum(axis=0)
        dx = dy @ W.T
        dy = dx * (x > 0)  # through the ReLU that made x
    return loss, grad_theta


def subspace_loss_and_grad(theta_d, x, labels, theta_0, P, sizes):
    theta = theta_0 + P @ theta_d  # Eq. (2)
    loss, grad_theta = mlp_loss_and_grad(theta, x, labels, sizes)
    return loss, P.T @ grad_theta  # the chain rule: dL/dtheta_d = Pᵀ dL/dtheta


# 4. Training, of theta or of theta_d alike ----------------------------------------------------------------
def adam_step(theta, grad, m, v, t, lr, beta1=0.9, beta2=0.99, eps=1e-8):
    """Step t = 1, 2, ... of Adam, in the form that the authors ran."""
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    lr_t = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    return theta - lr_t * m / (np.sqrt(v) + eps), m, v


def train(loss_and_grad, theta, x, labels, rng, lr, epochs, batch=128):
    m, v, t = np.zeros_like(theta), np.zeros_like(theta), 0
    for _ in range(epochs):
        for rows in np.split(rng.permutation(len(x)), range(batch, len(x), batch)):
            t += 1
            _, grad = loss_and_grad(theta, x[rows], labels[rows])
            theta, m, v = adam_step(theta, grad, m, v, t, lr)
    return theta


# 5. The measurement: direct training, then d = 5, 10, ..., every run with its own theta_0 and P -----------
def digits():
    """Handwritten digits, 8×8 pixels in [0, 1]: every sixth is for the test."""
    table = np.loadtxt(DIGITS, delimiter=",")
    x, labels, test = table[:, :64] / 16, table[:, 64].astype(int), np.arange(len(table)) % 6 == 0
    return (x[~test], labels[~test]), (x[test], labels[test])


def test_accuracy(d, seed, sizes, lr=0.03, epochs=100):
    """After training in d dimensions, or directly where d is None."""
    rng, (train_set, (x, labels)) = np.random.default_rng(seed), digits()
    theta = theta_0 = init_theta(sizes, rng)
    if d is None:
        theta = train(partial(mlp_loss_and_grad, sizes=sizes), theta_0, *train_set, rng, lr, epochs)
    else:
        P = random_subspace(len(theta_0), d, rng)
        objective = partial(subspace_loss_and_grad, theta_0=theta_0, P=P, sizes=sizes)
        theta = theta_0 + P @ train(objective, np.zeros(d), *train_set, rng, lr, epochs)
    return np.mean(mlp_forward(theta, x, sizes)[0].argmax(axis=1) == labels)


def main(sizes=(64, 32, 10), ds=(10, 20, 40, 60, 80, 120, 160, 200), seeds=(0, 1)):
    print("Toy problem: least loss / loss at the start, mean over 400 P; theory: 1 - d/10, then 0")
    for d in range(1, 16):
        rng, theta_0 = np.random.default_rng(d), np.zeros(1000)
        share = [toy_optimum(theta_0, random_subspace(1000, d, rng)) / toy_loss(theta_0) for _ in range(400)]
        print(f"  d = {d:2d}   {np.mean(share):.3f}   {max(0, 1 - d / 10):.3f}")
    baseline = np.mean([test_accuracy(None, seed, sizes) for seed in seeds])
    print(f"Digits: test accuracy {baseline:.3f} by direct training of {'-'.join(map(str, sizes))}")
    scores = {d: np.mean([test_accuracy(d, seed, sizes) for seed in seeds]) for d in ds}
    for d, score in scores.items():
        print(f"  d = {d:3d}   {score:.3f}")
    d_int90 = next((d for d in ds if scores[d] > 0.9 * baseline), None)
    print(f"d_int90 = {d_int90}: the first d above 90 % of the baseline, {0.9 * baseline:.3f}")


if __name__ == "__main__":
    main()
