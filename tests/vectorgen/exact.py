"""Matrices and products in exact fractions."""

import math
from fractions import Fraction

import random_from_the_page as page


def hadamard(i, k):
    """H_ik = (−1)^(number of ones that i and k share in base 2)."""
    return -1 if (i & k).bit_count() % 2 else 1


def wht(x):
    """H x, as integers over a common denominator: a power of two, since floats are."""
    x = [Fraction(t) for t in x]
    whole = max(t.denominator for t in x)
    x = [int(t * whole) for t in x]
    return [Fraction(sum(hadamard(i, k) * t for k, t in enumerate(x)), whole) for i in range(len(x))]


def fastfood_matrix(B, Pi, G, S, d, number=Fraction):
    """P (D rows of d), block by block: P_ij = S_i Σ_k H_ik G_k H_{Π_k, j} B_j."""
    n, m, D = len(Pi[0]), len(B[0]), len(S)
    G = [[number(x) for x in row] for row in G]
    P = []
    for i in range(D):
        b, r = divmod(i, n)
        terms = [(G[b][k] * hadamard(r, k), Pi[b][k]) for k in range(n)]
        P.append([S[i] * B[b][j] * sum(g * hadamard(place, j) for g, place in terms) for j in range(d)])
        assert m > max(Pi[b])
    return P


def product(P, v, number=Fraction):
    v = [number(x) for x in v]
    return [sum(map(lambda a, b: number(a) * b, row, v), number(0)) for row in P]


def transposed(P):
    return [list(column) for column in zip(*P, strict=True)]


def absolute(P):
    return [[abs(x) for x in row] for row in P]


def flat(rows):
    return [x for row in rows for x in row]


def rows_of(values, n):
    return [list(values[i : i + n]) for i in range(0, len(values), n)]


def fastfood_factors(seed, D, d, blocks="stacked", signed=True, dtype="float64"):
    """B (β, m), Pi (β, n), G (β, n) and S (D,) by the page."""
    m, n, beta = page.fastfood_sizes(D, d, blocks)
    B = rows_of(page.signs(seed, page.FF_B, 0, beta * m), m)
    Pi = [[k % m for k in page.permutation(seed, page.FF_PI, 0, n, row=b)] for b in range(beta)]
    G = rows_of(page.fastfood_G(seed, D, d, blocks, dtype), n)
    S = page.signs(seed, page.FF_S, 0, D) if signed else [1] * D
    return B, Pi, G, S


def columns_of(P):
    """Explicit P (D rows of d) of a spec, its entries in binary64 as the page defines them."""
    D, d, seed, dtype = P["D"], P["d"], int(P["P_seed"]), P.get("dtype", "float64")
    if P["kind"] == "dense":
        columns = [page.dense_column(seed, D, j, P.get("entries", "gaussian"), dtype) for j in range(d)]
    elif P["kind"] == "sparse":
        columns = [page.sparse_column(seed, D, j, P.get("density"), dtype) for j in range(d)]
    else:
        return fastfood_matrix(*fastfood_factors(seed, D, d, dtype=dtype), d)
    return transposed(columns)


def upwards(x):
    """A bound, rounded up to two digits."""
    x = float(x)
    if x == 0:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(x)) - 1)
    return float(f"{math.ceil(x / digit) * digit:.1e}")
