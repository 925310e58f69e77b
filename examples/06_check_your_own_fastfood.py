"""You wrote Fastfood yourself, perhaps in another language? This is how to check it.

`dot_test` and `adjoint_matrix_check` take anything with `shape`, `apply` and `adjoint`. Here a Fastfood of
one's own, in a few lines of NumPy with an explicit matrix H, passes them, has unit columns, and with the
factors of `make_projection("fastfood", ...)` is the package's P. Then three mistakes are made on purpose: the
table shows which check finds which. Per block of n rows, with the adjoint's blocks added up:

    P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))            Pᵀ g = B ∘ (H Πᵀ (G ∘ (H (S ∘ g))))

Run `python examples/06_check_your_own_fastfood.py` (a second).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import hadamard

import npintdim as nid


@dataclass
class MyFastfood:
    """B, Pi, G, S are (blocks, n), with blocks·n = D and n ≥ d a power of two. Put yours in its place."""

    shape: tuple[int, int]
    B: np.ndarray
    Pi: np.ndarray
    G: np.ndarray
    S: np.ndarray

    def apply(self, v):
        n = self.G.shape[1]
        H = hadamard(n)  # symmetric, H H = n I
        x = (self.B * np.pad(v, (0, n - len(v)))) @ H
        x = self.G * np.take_along_axis(x, self.Pi, axis=1)
        return (self.S * (x @ H)).ravel()

    def adjoint(self, g):
        H = hadamard(self.G.shape[1])
        x = self.G * ((self.S * g.reshape(self.S.shape)) @ H)
        x = self.transposed_permutation(x) @ H
        return (self.B * x).sum(axis=0)[: self.shape[1]]

    def transposed_permutation(self, x):
        out = np.empty_like(x)
        np.put_along_axis(out, self.Pi, x, axis=1)
        return out


class GathersTwice(MyFastfood):
    """Mistake: Π in the adjoint, where Πᵀ is needed."""

    def transposed_permutation(self, x):
        return np.take_along_axis(x, self.Pi, axis=1)


def factors(P):
    """B, Π, G, S of the package's P, the signs drawn again from their streams."""
    shape = P.G.shape
    B = nid.Stream(P.seed, nid.Purpose.FF_B).signs(P.G.size).reshape(shape)
    S = nid.Stream(P.seed, nid.Purpose.FF_S).signs(P.D).reshape(shape)
    return {"shape": P.shape, "B": B, "Pi": P.Pi.astype(int), "G": P.G, "S": S}


def matrix(P):
    return np.stack([P.apply(e_j) for e_j in np.eye(P.shape[1])], axis=1)


def holds(check, *args):
    try:
        check(*args)
    except AssertionError:  # nid.CheckError is one; it says both numbers and the formula
        return "FAILS"
    return "holds"


def main():
    P = nid.make_projection("fastfood", D=96, d=6, seed=3, backend=nid.get_backend("numpy", dtype=np.float64))
    mine = MyFastfood(**factors(P))
    candidates = {
        "mine": mine,
        "adjoint with Pi for Pi^T": GathersTwice(**factors(P)),
        "G not scaled": replace(mine, G=mine.G * np.sqrt(96)),
        "output signs S forgotten": replace(mine, S=np.ones_like(mine.S)),
    }
    print(f"{'':26}{'dot test':>12}{'adjoint matrix':>16}{'unit columns':>14}{'same P':>9}")
    for name, own in candidates.items():
        dot = holds(nid.dot_test, own)
        adjoint = holds(nid.adjoint_matrix_check, own)
        norms = np.linalg.norm(matrix(own), axis=0)
        unit = holds(np.testing.assert_allclose, norms, 1, 1e-12)
        same = holds(np.testing.assert_allclose, matrix(own), P.to_dense(), 1e-12)
        print(f"{name:26}{dot:>12}{adjoint:>16}{unit:>14}{same:>9}")
    print(
        "Only the last column finds a missing S; where seeds differ, the toy problem's law does (example 02)."
    )


if __name__ == "__main__":
    main()
