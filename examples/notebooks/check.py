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
# # Check: is my own code right, and if not, what is wrong?
#
# You wrote Fastfood, an optimizer or a LoRA layer, in any library. `npintdim.testing` has test vectors for it, and `explain` says
# in one sentence what it does wrong. Here it is NumPy; arrays of PyTorch, JAX and CuPy are understood as they are.

# %%
import numpy as np
from scipy.linalg import hadamard

from npintdim.testing import cases, check_adjoint, explain

# %% [markdown]
# ## Fastfood
#
# Per block of $n$ rows, $P v = S \circ H\,(G \circ \Pi\, H\,(B \circ \mathrm{pad}\,v))$. The vectors give the factors.


# %%
def mine(v, p):
    B, Pi, G, S = p.arrays
    x = (B * np.pad(v, (0, B.shape[1] - len(v)))) @ hadamard(B.shape[1])
    x = np.take_along_axis(x, Pi, axis=1)
    return S * ((G * x) @ hadamard(G.shape[1])).ravel()[: p.D]


explain("fastfood", mine)


# %% [markdown]
# Right to rounding. Now with a mistake that many implementations have.


# %%
def orthonormal(v, p):
    m, n = len(p.arrays[0][0]), len(p.arrays[2][0])
    return mine(v, p) / np.sqrt(m * n)  # as if both were hadamard(n) / √n


diagnosis = explain("fastfood", orthonormal)
assert "orthonormal" in str(diagnosis)
diagnosis

# %% [markdown]
# ## The same as tests
#
# A case of the vectors is an assertion; so is the adjoint, for any two functions.

# %%
given = [case for case in cases("fastfood", level="given") if case.valid]
for case in given:
    case.check(mine)
print(len(given), "cases pass")

# %%
A = np.random.default_rng(0).standard_normal((40, 6))
check_adjoint(lambda v: A @ v, lambda g: A.T @ g, 40, 6)
try:
    check_adjoint(lambda v: A @ v, lambda g: np.linalg.lstsq(A, g)[0], 40, 6)
except AssertionError as error:
    print(error)

# %% [markdown]
# ## Ten steps of Adam in a subspace
#
# `trajectory` gives $\theta_0$, $P$ and a batch, and asks for $\theta_d$ after each of ten steps. The gradient may come from
# wherever you like; here the optimizer is what is tested.

# %%
import npintdim as nid


def ten_steps(theta_0, p, corrected=True):
    model = nid.mlp(list(p.sizes), backend=nid.get_backend("numpy", dtype=np.float64))
    batch = nid.Batch(p.x, p.labels)
    theta_d, m, v, path = np.zeros(p.P.shape[1]), 0.0, 0.0, []
    for t in range(1, 11):
        g = p.P.T @ model.loss_and_grad(theta_0 + p.P @ theta_d, batch)[1]
        m, v = p.beta1 * m + (1 - p.beta1) * g, p.beta2 * v + (1 - p.beta2) * g**2
        lr = p.lr * np.sqrt(1 - p.beta2**t) / (1 - p.beta1**t) if corrected else p.lr
        theta_d = theta_d - lr * m / (np.sqrt(v) + p.eps)
        path.append(theta_d)
    return np.array(path)


explain("trajectory", ten_steps, task="adam")

# %%
diagnosis = explain("trajectory", lambda theta_0, p: ten_steps(theta_0, p, corrected=False), task="adam")
assert "is missing" in str(diagnosis)
diagnosis
