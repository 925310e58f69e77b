# %% [markdown]
# # Study the mathematics
#
# The paper's toy problem has $D = 1000$ parameters, and only ten sums of them matter: group $k$ of a hundred must add up
# to $k$. How many random directions does it take to find a solution? Ten, whatever $D$ is, and here is why.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import npintdim as nid

toy = nid.ToyProblem(D=1000, s=10)
theta_0 = np.zeros(toy.D)
L_0 = toy.evaluate(theta_0).loss  # 1² + 2² + ... + 10²
L_0

# %% [markdown]
# ## The random subspace
#
# $\theta = \theta_0 + P\,\theta_d$, and only $\theta_d$ is trained. The columns of $P$ have length one and are nearly
# orthogonal. Fastfood never writes $P$ down; a small one we can afford to look at.

# %%
float64 = nid.get_backend("numpy", dtype=np.float64)
P = nid.make_projection("fastfood", D=256, d=32, seed=1, backend=float64).to_dense()
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.imshow(P.T, cmap="RdBu", vmin=-0.2, vmax=0.2, aspect="auto")
left.set_title("$P^T$: 32 directions in 256 dimensions")
right.imshow(P.T @ P, cmap="RdBu", vmin=-1, vmax=1)
right.set_title("$P^T P$ is nearly 1")
plt.show()

# %% [markdown]
# ## The chain rule
#
# $\partial L/\partial\theta_d = P^\top\,\partial L/\partial\theta$: one more product, with the transposed matrix. Both checks
# raise where they fail.

# %%
P = nid.make_projection("fastfood", D=toy.D, d=5, seed=1, backend=float64)
objective = nid.SubspaceObjective(toy, theta_0, P)
theta_d = np.ones(5)

nid.dot_test(P)  # ⟨P v, g⟩ = ⟨v, Pᵀ g⟩
nid.gradient_check(objective, theta_d, nid.Batch())  # against finite differences
_, whole = toy.loss_and_grad(theta_0 + P.apply(theta_d), nid.Batch())
_, inside = objective.loss_and_grad(theta_d, nid.Batch())
np.abs(inside - P.adjoint(whole)).max()

# %% [markdown]
# ## Each direction removes a tenth
#
# The least loss of a random subspace, as a share of $L_0$, thirty draws at each $d$. On average $1 - d/10$ is left, and from
# $d = 10$ on nothing: that is the intrinsic dimension.


# %%
def least_share(d, seed):
    P = nid.make_projection("fastfood", D=toy.D, d=d, seed=seed, backend=float64).to_dense()
    return toy.optimum(theta_0, P)[1] / L_0


figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for d in range(1, 15):
    axes.plot([d] * 30, [least_share(d, seed) for seed in range(30)], "o", color="C0", alpha=0.3, mec="none")
axes.plot([0, 10, 14], [1, 0, 0], color="C1", label="the law: 1 − d/10, then nothing")
axes.set(xlabel="d, trained numbers", ylabel="share of the loss that is left")
axes.legend()
plt.show()

# %% [markdown]
# ## Not only the mean
#
# The share is the squared sine between a fixed vector and a random subspace: at $d = 5$ it has the law
# $\mathrm{Beta}(\frac{10 - d}{2}, \frac{d}{2})$. A wrong projection shows here first.

# %%
shares = [least_share(5, seed) for seed in range(300)]
x = np.linspace(0, 1, 200)
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.hist(shares, bins=20, range=(0, 1), density=True, alpha=0.4, label="300 draws")
axes.plot(x, stats.beta(2.5, 2.5).pdf(x), color="C1", label="Beta(5/2, 5/2)")
axes.set(xlabel="share of the loss that is left at d = 5")
axes.legend()
plt.show()
print(f"p = {stats.kstest(shares, stats.beta(2.5, 2.5).cdf).pvalue:.2f} of Kolmogorov and Smirnov's test")
