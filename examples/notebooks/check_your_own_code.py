# %% [markdown]
# # Check your own code
#
# You wrote a random projection yourself. Is it right, and if not, what is the mistake? Put your function in the place of the
# one below: arrays in, array out, and arrays of PyTorch, JAX and CuPy are understood as they are.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import hadamard

import npintdim as nid
from npintdim.testing import cases, check_adjoint, check_unit_columns, explain


def mine(v, p):
    """Fastfood, P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π])), a block a row."""
    B, Pi, G, S = p.arrays
    x = (B * np.pad(v, (0, B.shape[1] - len(v)))) @ H(B.shape[1])
    x = G * np.take_along_axis(x, Pi, axis=1)
    return S * (x @ H(G.shape[1])).ravel()[: p.D]


def H(n):
    return hadamard(n) / np.sqrt(n)


# %% [markdown]
# ## In one sentence

# %%
print(explain("fastfood", mine))


# %% [markdown]
# So $H$ has entries ±1, and the scale is in $G$:


# %%
def H(n):
    return hadamard(n)


print(explain("fastfood", mine))

# %% [markdown]
# ## Against the test vectors
#
# The same numbers that serve an implementation in C or Rust.

# %%
checked = [case.check(mine) for case in cases("fastfood", level="given") if case.valid]
print(f"{len(checked)} test vectors agree")

# %% [markdown]
# ## Without any reference
#
# Any pair of functions can be asked whether they are each other's adjoint, $\langle P v, g\rangle = \langle v, P^\top g\rangle$, and
# whether the columns have length one. A failure says both numbers.

# %%
D, d = 96, 8
W = np.random.default_rng(0).standard_normal((D, d)) / np.sqrt(D)

check_adjoint(lambda v: W @ v, lambda g: W.T @ g, D, d)
try:
    check_unit_columns(lambda v: W @ v, D, d)
except AssertionError as error:
    print(error)

# %% [markdown]
# ## What a mistake does to a measurement
#
# The toy problem knows how much loss a random subspace leaves, $1 - d/10$ on average. The right Fastfood obeys; without its
# output signs, as in the authors' code, it has preferred directions and leaves more.

# %%
toy, float64 = nid.ToyProblem(), nid.get_backend("numpy", dtype=np.float64)


def mean_share(d, **options):
    Ps = [
        nid.make_projection("fastfood", D=toy.D, d=d, seed=seed, backend=float64, **options)
        for seed in range(40)
    ]
    return np.mean([toy.optimum(np.zeros(toy.D), P.to_dense())[1] for P in Ps]) / 385


tried = np.arange(1, 11)
plt.figure(figsize=(6, 3), layout="constrained")
plt.plot(tried, 1 - tried / 10, color="C1", label="the law")
plt.plot(tried, [mean_share(d) for d in tried], "o", color="C0", label="Fastfood")
plt.plot(tried, [mean_share(d, signs=False) for d in tried], "x", color="C3", label="without output signs")
plt.xlabel("d, trained numbers")
plt.ylabel("share of the loss that is left")
plt.legend()
plt.show()
