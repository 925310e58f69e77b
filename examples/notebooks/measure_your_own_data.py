# %% [markdown]
# # Measure your own data
#
# Put your arrays in the place of `x` and `y`: rows are examples, labels are numbers or texts. Here they are three arms of a
# spiral, and the question is how many of a network's numbers it takes to tell them apart.

# %%
import matplotlib.pyplot as plt
import numpy as np

import npintdim as nid

rng = np.random.default_rng(0)
arm, along = rng.integers(0, 3, 1200), rng.uniform(0.15, 1, 1200)
angle = 2 * np.pi * arm / 3 + 4 * along + 0.15 * rng.standard_normal(1200)
x = np.stack([along * np.cos(angle), along * np.sin(angle)], axis=1)
y = np.array(["blue", "orange", "green"])[arm]

data = nid.Dataset.from_arrays(x, y, test_share=0.25, name="spiral", standardise=True)
plt.figure(figsize=(3.5, 3.5), layout="constrained")
plt.scatter(*x.T, c=[f"tab:{name}" for name in y], s=6)
plt.axis("equal")
plt.show()

# %% [markdown]
# ## The measurement
#
# Two networks are trained directly, and three at each $d$ in a random subspace of their $D$ parameters. The folder keeps each
# run: execute the cell again, and nothing is trained twice.

# %%
recipe = nid.Recipe(
    data, nid.mlp([2, 32, 32, 3]), d=(2, 4, 6, 9, 14, 25, 50), projection="dense",
    optimizer=nid.Adam(0.1), direct_optimizer=nid.Adam(0.01),
    seeds=3, direct_seeds=2, epochs=30, batch_size=50,
)  # fmt: skip
m = nid.measure(recipe, "results/spiral", jobs=1)
m

# %% [markdown]
# $d_{\mathrm{int}90}$ is where the curve reaches 90 % of direct training, and the band its 95 % interval.

# %%
m.plot()

# %% [markdown]
# ## Every run, as a table

# %%
runs = m.to_dataframe()
runs.groupby("d", dropna=False)[["performance", "loss", "seconds"]].mean().round(3)

# %% [markdown]
# ## The network as a file
#
# $\theta_0$ and $P$ come from seeds, so that only $\theta_d$ is stored.

# %%
net = nid.CompressedModel.load(m.folder / m.compressed["file"])
net

# %% [markdown]
# What it says of every point of the plane:

# %%
grid = np.stack(np.meshgrid(*[np.linspace(-2.2, 2.2, 200)] * 2), axis=-1).reshape(-1, 2).astype(np.float32)
logits, _ = net.network.forward(net.theta(), grid)
plt.figure(figsize=(3.5, 3.5), layout="constrained")
plt.imshow(logits.argmax(axis=1).reshape(200, 200), origin="lower", extent=(-2.2, 2.2, -2.2, 2.2), alpha=0.4)
plt.scatter(*data.test.x.T, c=data.test.labels, s=6)
plt.show()
