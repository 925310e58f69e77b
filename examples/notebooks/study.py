# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Study: the paper in twenty cells
#
# A network has $D$ parameters. Train only $d$ of them, but not $d$ coordinates: $d$ random directions,
#
# $$\theta = \theta_0 + P\,\theta_d, \qquad \frac{\partial L}{\partial \theta_d} = P^\top \frac{\partial L}{\partial \theta}.$$
#
# The smallest $d$ that still solves the problem is its *intrinsic dimension* (Li, Farkhoor, Liu and Yosinski 2018).

# %%
import numpy as np
from scipy import stats

import npintdim as nid

backend = nid.get_backend("numpy", dtype=np.float64)

# %% [markdown]
# ## P is linear, and Pᵀ its adjoint
#
# Fastfood never writes its $D \times d$ matrix down. A product with $P$ is a few signs, a permutation and two
# Walsh–Hadamard transforms, and $\langle P v, g\rangle = \langle v, P^\top g\rangle$ says that the way back is right.

# %%
P = nid.make_projection("fastfood", D=1000, d=12, seed=1, backend=backend)
rng = np.random.default_rng(0)
v, g = rng.standard_normal(12), rng.standard_normal(1000)
P.apply(v) @ g, v @ P.adjoint(g)

# %% [markdown]
# Its columns have length 1 and are nearly orthogonal, so a step in $\theta_d$ is as long as the step it makes in $\theta$.

# %%
np.round((P.to_dense().T @ P.to_dense())[:4, :4], 2)

# %% [markdown]
# ## The chain rule, by hand
#
# A network is a landscape: a loss and its gradient. So is the same network seen from $\theta_d$, and finite differences agree.

# %%
model = nid.mlp([64, 12, 10], backend=backend)
theta_0 = model.init_theta(seed=0)
P = nid.make_projection("fastfood", D=model.D, d=20, seed=1, backend=backend)
data = nid.load_dataset("digits")
batch = nid.Batch(data.train.x[:50], data.train.labels[:50])

theta_d = 0.1 * rng.standard_normal(20)
loss, grad = model.loss_and_grad(theta_0 + P.apply(theta_d), batch)
by_hand = P.adjoint(grad)

objective = nid.SubspaceObjective(model, theta_0, P)
h = 1e-6 * np.eye(20)
difference = [
    (objective.loss_and_grad(theta_d + e, batch)[0] - objective.loss_and_grad(theta_d - e, batch)[0]) / 2e-6
    for e in h
]
assert np.allclose(by_hand, objective.loss_and_grad(theta_d, batch)[1], rtol=1e-12)
print(f"largest difference from finite differences: {np.abs(by_hand - difference).max():.0e}")

# %% [markdown]
# ## A problem whose answer is known
#
# 1000 numbers in ten groups, and group $k$ is to sum to $k$. Ten conditions: the solutions are a flat of dimension 990, and a
# random subspace meets it as soon as $d = 10$. Below, what remains of the loss follows the
# $\mathrm{Beta}\left(\frac{10-d}{2}, \frac d2\right)$ law.

# %%
toy = nid.ToyProblem(D=1000, s=10)
start = toy.evaluate(np.zeros(1000)).loss


def left(d, seed):
    P = nid.make_projection("fastfood", D=1000, d=d, seed=seed, backend=backend)
    return toy.optimum(np.zeros(1000), P.to_dense())[1] / start


{d: round(left(d, seed=0), 12) for d in (1, 5, 9, 10, 11)}

# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3.2))
x = np.linspace(0.005, 0.995, 200)
for d in (2, 5, 8):
    shares = [left(d, seed) for seed in range(200)]
    color = ax.plot(x, stats.beta((10 - d) / 2, d / 2).pdf(x), label=f"d = {d}")[0].get_color()
    ax.hist(shares, bins=25, range=(0, 1), density=True, alpha=0.3, color=color)
ax.set(
    xlabel="share of the loss that is left", ylabel="density", title="200 random subspaces and the Beta law"
)
ax.legend()

# %% [markdown]
# ## A network in 100 directions
#
# The same trainer, the same network, once with all its parameters and once with 100 numbers.

# %%
fast = nid.get_backend("numpy")
model = nid.mlp([64, 50, 10], backend=fast)
theta_0 = model.init_theta(seed=0)
P = nid.make_projection("fastfood", D=model.D, d=100, seed=1, backend=fast)
objective = nid.SubspaceObjective(model, theta_0, P)
run = nid.train(objective, objective.start(), data, nid.TrainConfig(nid.Adam(0.1, beta2=0.99), epochs=20))
run

# %%
direct = nid.train(model, theta_0, data, nid.TrainConfig(nid.Adam(0.01), epochs=20))
print(f"{P.d} numbers reach {run.records[-1].test:.3f}, all {model.D:,} reach {direct.records[-1].test:.3f}")
assert run.records[-1].test > 0.75

# %% [markdown]
# Next: the walkthrough (`docs/walkthrough/`) has every formula beside the line of code that is it; `measure.py` here reads $d$ off.
