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
# # Measure: the intrinsic dimension of your own data
#
# From arrays to $d_{\mathrm{int}90}$ with its interval, and to a network in a few hundred bytes. Put your arrays in the place of
# these: 600 points in twelve dimensions, and the class is whether the first two have the same sign.

# %%
import numpy as np

import npintdim as nid

rng = np.random.default_rng(0)
X = rng.standard_normal((600, 12))
y = np.where(X[:, 0] * X[:, 1] > 0, "same sign", "other")

# %% [markdown]
# Arrays, lists or pandas; labels of any kind. The split is stratified, the content is part of every run's identity, so that
# other numbers under the same name are never taken for these.

# %%
data = nid.Dataset.from_arrays(X, y, test_share=0.25, name="signs")
data.names, data.train.x.shape, data.test.x.shape

# %% [markdown]
# A recipe holds every number that decides the outcome: here a grid of $d$, two seeds each. Without `d` they are chosen
# step by step, until the interval is as narrow as `precision` asks.

# %%
recipe = nid.Recipe(
    data,
    nid.mlp([12, 32, 2]),
    d=(4, 16, 64, 160),
    optimizer=nid.Adam(0.1),
    direct_optimizer=nid.Adam(0.01),
    seeds=2,
    direct_seeds=2,
    epochs=15,
    batch_size=50,
)
m = nid.measure(recipe, "results/signs", jobs=1)
m

# %%
m.plot()

# %% [markdown]
# Every run is a row.

# %%
m.to_dataframe().head()

# %% [markdown]
# Called again with the same folder, nothing is trained twice; an interrupted measurement goes on where it stopped.
#
# ## Numbers instead of classes
#
# Targets with a fraction make it a regression: the loss is the mean square, and what is read is $R^2$.

# %%
t = 150 + 50 * X[:, 0] + 30 * X[:, 1] + 20 * rng.standard_normal(600)
numbers = nid.Dataset.from_arrays(X, t, standardise=True, name="numbers")
regression = nid.Recipe(
    numbers,
    nid.mlp([12, 32, 1], activation="tanh", loss="mse"),
    d=(4, 16, 64),
    optimizer=nid.Adam(0.1),
    direct_optimizer=nid.Adam(0.01),
    seeds=1,
    direct_seeds=1,
    epochs=15,
    batch_size=50,
)
nid.measure(regression, "results/numbers", jobs=1)

# %% [markdown]
# ## A network in a few hundred bytes
#
# Two seeds and $\theta_d$ are the whole network: $\theta_0$ and $P$ are drawn again from their seeds, bit for bit.

# %%
backend = nid.get_backend("numpy")
model = nid.mlp([12, 32, 2], backend=backend)
theta_0 = model.init_theta(seed=0)
P = nid.make_projection("fastfood", D=model.D, d=64, seed=1, backend=backend)
objective = nid.SubspaceObjective(model, theta_0, P)
run = nid.train(objective, objective.start(), data, nid.TrainConfig(nid.Adam(0.1), epochs=15, batch_size=50))
run.to_dataframe().tail(3)
