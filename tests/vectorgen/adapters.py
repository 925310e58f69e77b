"""said, lora, lora_xs, vera and uni_lora: one matrix, or a network's parameters in a row, in exact fractions."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from math import prod, sqrt

import random_from_the_page as page

from vectorgen import exact
from vectorgen.drawing import BAD_SEED, BITS, thirds
from vectorgen.exact import flat, rows_of, transposed
from vectorgen.pack import Group, U, floats, integers

REASON = (
    "exact, rounded to float64; K u times the same with absolute values, K = {}, u = 2⁻²⁴ or 2⁻⁵³: "
    "room for any order of summation, and for merged or unmerged products"
)
NOTES = {
    "Start": "Where training starts: the adapter adds nothing, and W = W_0.",
    "Square": "n_in = n_out: a transposed matrix has the right shape.",
    "RankOne": "r = 1.",
    "FullRank": "r = min(n_in, n_out).",
    "Stabilised": "rsLoRA: the scale is α/√r.",
    "LargeRank": "r > min(n_in, n_out), as the shared random factors of VeRA may have.",
    "Uneven": "d does not divide the number of entries: counts differ by one.",
    "BadShape": "A factor or vector has another shape than the others need, and must be refused.",
    "BadRank": "r > min(n_in, n_out), and must be refused.",
    "BadSize": "d ≤ m: nothing is left for P once the m scales are paid, and must be refused.",
    "BadSeed": BAD_SEED,
}
ADAPTER, ONEHOT = 19, 15


def notes(*groups):
    """Those that are used."""
    used = {flag for group in groups for test in group.tests for flag in test["flags"]}
    return {flag: NOTES[flag] for flag in NOTES if flag in used}


def fractions(rows):
    return [[Fraction(x) for x in row] for row in rows]


def times(*factors):
    """A product of matrices."""
    first, *rest = factors
    for other in rest:
        columns = transposed(other)
        first = [[sum(map(lambda a, b: a * b, row, column)) for column in columns] for row in first]
    return first


def plus(A, B):
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(A, B, strict=True)]


def scaled(c, A):
    return [[c * a for a in row] for row in A]


def diag(x):
    return [[t if i == j else Fraction(0) for j in range(len(x))] for i, t in enumerate(x)]


def sums(A, B):
    """Σ_i A_ij B_ij for every column j."""
    return [sum(map(lambda a, b: a * b, *pair)) for pair in zip(transposed(A), transposed(B), strict=True)]


def matrix(lane, rows, columns, dtype):
    return rows_of(thirds(lane, rows * columns, dtype), columns)


def packed(x, dtype="float64"):
    """A matrix, or a vector."""
    if not isinstance(x[0], list):
        return floats(x, dtype)
    return floats(flat(x), dtype, (len(x), len(x[0])))


def add(group, comment, inputs, formula, K, flags, dtype, plain=()):
    """formula of the inputs, and of their absolute values for the bound; `plain` are no numbers of the computation."""
    first, x = next(iter(inputs.items()))
    if "Start" not in flags and isinstance(x, list):  # as large as normals, so that a clip to ±1 shows
        inputs = inputs | {first: [[4 * t for t in row] if isinstance(row, list) else 4 * row for row in x]}
    of = {name: x for name, x in inputs.items() if name not in plain}

    def computed(f):
        return formula(**{n: [[f(t) for t in row] for row in x] if isinstance(x[0], list) else [f(t) for t in x]
                          for n, x in of.items()})  # fmt: skip

    answers, most = computed(Fraction), computed(lambda t: abs(Fraction(t)))
    expected = {name: packed(x) for name, x in answers.items()}
    bound = {
        name: exact.upwards(K * U[dtype] * float(max(flat(x) if isinstance(x[0], list) else x)))
        for name, x in most.items()
    }
    given = {name: x if name in plain else packed(x, dtype) for name, x in inputs.items()}
    group.add(comment, given, expected, bound, flags, dtype)


def layer(x, W, dW, **more):
    """What every one answers: the merged matrix, the outputs, and gradients from dW = xᵀ dy."""
    return {"W": W, "y": times(x, W), **more}


def marks(n_in, n_out, r, start=False):
    found = {"Square": n_in == n_out, "RankOne": r == 1, "FullRank": r == min(n_in, n_out), "Start": start}
    return [flag for flag, there in found.items() if there]


def root(r):
    with localcontext(prec=60):
        return Fraction(Decimal(r).sqrt())


def ones(names, *values):
    """Arrays of ones where a shape stands, all else as it is."""
    arrays = [floats([1.0] * prod(x), "float64", x) if isinstance(x, tuple) else x for x in values]
    return dict(zip(names, arrays, strict=True))


K_LAYER = "n + n_in + n_out + r + 8"


# ---- LoRA ----
def lora():
    formula = (
        "W = W_0 + s A B,  s = α/r (stabilised: α/√r),  y = x W;  dA = s dW Bᵀ,  dB = s Aᵀ dW,  dW = xᵀ dy"
    )
    names = ("x", "W_0", "A", "B", "dy", "alpha", "stabilised")
    given = Group("given", "layer", formula, names, ("W", "y", "dA", "dB"), REASON.format(K_LAYER))
    for k, (n, n_in, n_out, r, alpha, stabilised, dtype) in enumerate([
        (3, 5, 4, 2, 8.0, False, "float64"), (2, 4, 6, 3, 6.0, True, "float64"), (3, 4, 4, 2, 16.0, False, "float64"),
        (1, 6, 2, 1, 3.0, False, "float32"), (4, 3, 3, 3, 5.0, True, "float32"), (3, 5, 4, 2, 8.0, False, "float32"),
    ]):  # fmt: skip
        s = Fraction(alpha) / (root(r) if stabilised else r)

        def answers(x, W_0, A, B, dy, s=s):
            dW = times(transposed(x), dy)
            dA, dB = scaled(s, times(dW, transposed(B))), scaled(s, times(transposed(A), dW))
            return layer(x, plus(W_0, scaled(s, times(A, B))), dW, dA=dA, dB=dB)

        start = k == 5
        inputs = {
            "x": matrix(100 + k, n, n_in, dtype), "W_0": matrix(110 + k, n_in, n_out, dtype),
            "A": matrix(120 + k, n_in, r, dtype), "B": [[0.0] * n_out] * r if start else matrix(130 + k, r, n_out, dtype),
            "dy": matrix(140 + k, n, n_out, dtype), "alpha": alpha, "stabilised": stabilised,
        }  # fmt: skip
        comment = f"{n_in}×{n_out}, r = {r}, α = {alpha:g}" + ", stabilised" * stabilised + ", B = 0" * start
        comment += f", {dtype}"
        flags = marks(n_in, n_out, r, start) + ["Stabilised"] * stabilised
        add(given, comment, inputs, answers, n + n_in + n_out + r + 8, flags, dtype, ("alpha", "stabilised"))

    def wrong(r, r_of_B, width):
        return ones(names, (2, width), (5, 4), (5, r), (r_of_B, 4), (2, 4), 8.0, False)

    given.refuse("A has 2 columns, B 3 rows", wrong(2, 3, 5), ["BadShape"], "float64")
    given.refuse("x has 4 columns, n_in = 5", wrong(2, 2, 4), ["BadShape"], "float64")
    given.refuse("r = 5, min(n_in, n_out) = 4", wrong(5, 5, 5), ["BadRank"], "float64")

    drawn = ("seed", "lane", "n_in", "n_out", "r")
    formula = "A_ij = dtype(g·(2⁻²⁰·(1/√n_in))), g normals of (seed, 19, lane), C order, lane = number of the matrix; B = 0"
    seeded = Group("seeded", "start", f"{formula}: docs/random.md, sections 1 and 4", drawn, ("A", "B"), BITS)
    for seed, lane, n_in, n_out, r, dtype in [
        (1, 0, 5, 4, 2, "float64"), (2**64 - 1, 3, 4, 4, 2, "float64"), (7, 1, 6, 3, 1, "float32"), (7, 0, 3, 7, 3, "float32"),
    ]:  # fmt: skip
        A = normals(seed, lane, n_in, r, 1 / sqrt(n_in), dtype)
        expected = {"A": packed(A, dtype), "B": packed([[0.0] * n_out] * r, dtype)}
        inputs = {"seed": str(seed), "lane": lane, "n_in": n_in, "n_out": n_out, "r": r}
        comment = f"{n_in}×{n_out}, r = {r}, lane {lane}, {dtype}"
        seeded.add(comment, inputs, expected, None, marks(n_in, n_out, r, True), dtype)
    own = {"seed": "1", "lane": 0, "n_in": 5, "n_out": 4, "r": 2}
    seeded.refuse("seed 2**64", own | {"seed": str(2**64)}, ["BadSeed"], "float64")
    seeded.refuse("r = 5, min(n_in, n_out) = 4", own | {"r": 5}, ["BadRank"], "float64")
    return notes(given, seeded), [given, seeded]


def normals(seed, lane, rows, columns, sd, dtype):
    g = page.normals(seed, ADAPTER, lane, rows * columns)
    return rows_of([page.DTYPES[dtype](x * (2.0**-20 * sd)) for x in g], columns)


# ---- LoRA-XS ----
def reflection(n, at):
    """I − 2 w wᵀ/4, w four ones from `at` on: orthogonal, and its entries are exact."""
    w = [Fraction(int((i - at) % n < 4)) for i in range(n)]
    return [[(i == j) - w[i] * w[j] / 2 for j in range(n)] for i in range(n)]


def lora_xs():
    formula = "W = W_0 + U Σ R Vᵀ,  U Σ Vᵀ the r largest of W_0's singular values,  y = x W;  dR = Σ Uᵀ dW V,  dW = xᵀ dy"
    names = ("x", "W_0", "U", "S", "Vt", "R", "dy")
    given = Group("given", "layer", formula, names, ("W", "y", "dR"), REASON.format(K_LAYER))

    def answers(x, W_0, U, S, Vt, R, dy):
        dW, US = times(transposed(x), dy), times(U, diag(S))
        return layer(x, plus(W_0, times(US, R, Vt)), dW, dR=times(transposed(US), dW, transposed(Vt)))

    for k, (n, n_in, n_out, r, dtype) in enumerate(
        [(3, 6, 5, 2, "float64"), (2, 5, 5, 3, "float64"), (3, 4, 7, 1, "float32"), (4, 4, 4, 4, "float32"), (3, 6, 5, 2, "float64")]
    ):  # fmt: skip
        U, V = (times(reflection(size, 0), reflection(size, 1)) for size in (n_in, n_out))
        S = [Fraction(min(n_in, n_out) - i, 2) for i in range(min(n_in, n_out))]
        Vt = transposed(V)
        W_0 = times([row[: len(S)] for row in U], diag(S), Vt[: len(S)])
        start = k == 4
        inputs = {
            "x": matrix(150 + k, n, n_in, dtype), "W_0": W_0, "U": [row[:r] for row in U], "S": S[:r], "Vt": Vt[:r],
            "R": [[0.0] * r] * r if start else matrix(160 + k, r, r, dtype), "dy": matrix(170 + k, n, n_out, dtype),
        }  # fmt: skip
        comment = f"{n_in}×{n_out}, r = {r}" + ", R = 0" * start + f", {dtype}"
        add(
            given, comment, inputs, answers, n + n_in + n_out + 2 * r + 8, marks(n_in, n_out, r, start), dtype
        )

    def wrong(r, of_R):
        return ones(names, (2, 5), (5, 4), (5, r), (r,), (r, 4), (of_R, of_R), (2, 4))

    given.refuse("R is 3×3, r = 2", wrong(2, 3), ["BadShape"], "float64")
    given.refuse("r = 5, min(n_in, n_out) = 4", wrong(5, 5), ["BadRank"], "float64")
    return notes(given), [given]


# ---- VeRA ----
def vera():
    formula = "W = W_0 + A diag(d) B diag(b),  y = x W;  C = A diag(d) B: db_j = Σ_i dW_ij C_ij,  dd_k = Σ_j (Aᵀ dW)_kj B_kj b_j,  dW = xᵀ dy"
    names = ("x", "W_0", "A", "B", "d", "b", "dy")
    given = Group("given", "layer", formula, names, ("W", "y", "dd", "db"), REASON.format(K_LAYER))

    def answers(x, W_0, A, B, d, b, dy):
        dW, C = times(transposed(x), dy), times(A, diag(d), B)
        dd = sums(transposed(times(transposed(A), dW)), transposed(times(B, diag(b))))
        return layer(x, plus(W_0, times(C, diag(b))), dW, dd=dd, db=sums(dW, C))

    for k, (n, n_in, n_out, r, dtype) in enumerate(
        [(3, 5, 4, 2, "float64"), (2, 4, 4, 4, "float64"), (3, 3, 5, 8, "float32"), (1, 6, 2, 1, "float32"), (3, 5, 4, 2, "float64")]
    ):  # fmt: skip
        start = k == 4
        inputs = {
            "x": matrix(180 + k, n, n_in, dtype), "W_0": matrix(190 + k, n_in, n_out, dtype), "A": matrix(200 + k, n_in, r, dtype),
            "B": matrix(210 + k, r, n_out, dtype), "d": [0.125] * r if start else thirds(220 + k, r, dtype),
            "b": [0.0] * n_out if start else thirds(230 + k, n_out, dtype), "dy": matrix(240 + k, n, n_out, dtype),
        }  # fmt: skip
        flags = marks(n_in, n_out, r, start) + ["LargeRank"] * (r > min(n_in, n_out))
        comment = f"{n_in}×{n_out}, r = {r}" + ", b = 0" * start + f", {dtype}"
        add(given, comment, inputs, answers, n + n_in + n_out + r + 8, flags, dtype)

    def wrong(r_of_d, n_of_b):
        return ones(names, (2, 5), (5, 4), (5, 2), (2, 4), (r_of_d,), (n_of_b,), (2, 4))

    given.refuse("d has 3 entries, r = 2", wrong(3, 4), ["BadShape"], "float64")
    given.refuse("b has 5 entries, n_out = 4", wrong(2, 5), ["BadShape"], "float64")

    drawn = ("seed", "n_in", "n_out", "r")
    formula = "A_ij = dtype(g·(2⁻²⁰·√(2/n_in))), g of (seed, 19, 0); B_kj = dtype(g·(2⁻²⁰·√(2/r))), g of (seed, 19, 1); normals in C order"
    seeded = Group(
        "seeded", "shared", f"{formula}: docs/random.md, sections 1 and 4", drawn, ("A", "B"), BITS
    )
    for seed, n_in, n_out, r, dtype in [
        (1, 5, 4, 2, "float64"), (2**64 - 1, 4, 4, 4, "float64"), (7, 3, 5, 8, "float32"), (7, 6, 3, 1, "float32"),
    ]:  # fmt: skip
        A = normals(seed, 0, n_in, r, sqrt(2 / n_in), dtype)
        B = normals(seed, 1, r, n_out, sqrt(2 / r), dtype)
        flags = marks(n_in, n_out, r) + ["LargeRank"] * (r > min(n_in, n_out))
        inputs = {"seed": str(seed), "n_in": n_in, "n_out": n_out, "r": r}
        expected = {"A": packed(A, dtype), "B": packed(B, dtype)}
        seeded.add(f"{n_in}×{n_out}, r = {r}, {dtype}", inputs, expected, None, flags, dtype)
    own = {"seed": "-1", "n_in": 5, "n_out": 4, "r": 2}
    seeded.refuse("seed -1", own, ["BadSeed"], "float64")
    return notes(given, seeded), [given, seeded]


# ---- SAID ----
def said():
    formula = "v = (u, λ), u of d − m numbers, λ of m:  θ_i = θ_0,i + λ_i (P u)_i for tensor i of m;  grad = (Pᵀ(λ ∘ g), ⟨(P u)_i, g_i⟩)"
    answers = ("theta", "grad")
    reason = REASON.format("D + 2d + 8")
    given = Group("given", "theta_grad", formula, ("v", "theta_0", "P", "sizes", "g"), answers, reason)
    more = "; P (D×(d − m)) is Fastfood of the seed, stacked, with signs: docs/random.md, section 8"
    seeded = Group("seeded", "theta_grad", formula + more, ("v", "theta_0", "sizes", "seed", "g"), answers,
                   REASON.format("D + 2d + 8 and twice the length of the transforms, every entry of |P| as large as Σ|G|"))  # fmt: skip

    def computed(v, theta_0, P, sizes, g):
        m = len(sizes)
        scale = [v[len(v) - m + i] for i, size in enumerate(sizes) for _ in range(size)]
        u = v[: len(v) - m]
        Pu = exact.product(P, u)
        theta = [a + c * b for a, b, c in zip(theta_0, Pu, scale, strict=True)]
        du = exact.product(transposed(P), [c * t for c, t in zip(scale, g, strict=True)])
        ends = [sum(sizes[:i]) for i in range(m + 1)]
        terms = [a * b for a, b in zip(Pu, g, strict=True)]
        return {"theta": theta, "grad": du + [sum(terms[a:b]) for a, b in pairwise(ends)]}

    for k, (sizes, d, dtype) in enumerate(
        [([6, 3], 5, "float64"), ([4, 4, 8], 7, "float64"), ([9], 3, "float32"), ([6, 2, 6, 2], 8, "float32"), ([6, 3], 5, "float64")]
    ):  # fmt: skip
        D, m, start, seed = sum(sizes), len(sizes), k == 4, 21 + k
        v = [4 * t for t in thirds(250 + k, d, dtype)]  # as large as normals
        v = [0.0] * (d - m) + [1.0] * m if start else v
        own = {"v": v, "theta_0": thirds(260 + k, D, dtype), "g": thirds(270 + k, D, dtype)}
        factors = exact.fastfood_factors(seed, D, d - m, dtype=dtype)
        P = exact.fastfood_matrix(*factors, d - m)
        most = [sum(map(abs, G)) for G in factors[2]]
        large = [[Fraction(most[i // len(factors[1][0])])] * (d - m) for i in range(D)]
        rounded = [[page.DTYPES[dtype](float(x)) for x in row] for row in P]
        comment = (
            f"tensors of {', '.join(map(str, sizes))}, d = {d}" + ", u = 0, λ = 1" * start + f", {dtype}"
        )
        flags = ["Start"] * start
        K = D + 2 * d + 8
        for group, entries, bounding in ((given, rounded, rounded), (seeded, P, large)):
            right = computed(
                **{n: [Fraction(t) for t in x] for n, x in own.items()}, P=fractions(entries), sizes=sizes
            )
            above = computed(**{n: [abs(Fraction(t)) for t in x] for n, x in own.items()}, sizes=sizes,
                             P=[[abs(Fraction(x)) for x in row] for row in bounding])  # fmt: skip
            unit = (K + 2 * len(factors[1][0]) * (group is seeded)) * U[dtype]
            bound = {name: exact.upwards(unit * float(max(x))) for name, x in above.items()}
            vectors = {name: floats(x, dtype) for name, x in own.items()}
            inputs = {"v": vectors["v"], "theta_0": vectors["theta_0"]}
            if group is given:
                inputs |= {"P": packed(rounded, dtype), "sizes": integers(sizes)}
            else:
                inputs |= {"sizes": integers(sizes), "seed": str(seed)}
            inputs["g"] = vectors["g"]
            group.add(comment, inputs, {n: floats(x) for n, x in right.items()}, bound, flags, dtype)

    def ones(d, D, sizes, **more):
        one = {"v": floats([1.0] * d), "theta_0": floats([1.0] * D)}
        if not more:
            one["P"] = floats([1.0] * (D * 3), "float64", (D, 3))
        return one | {"sizes": integers(sizes)} | more | {"g": floats([1.0] * D)}

    given.refuse("v has 4 entries, P 3 columns, m = 2", ones(4, 9, [6, 3]), ["BadShape"], "float64")
    given.refuse("tensors of 6 and 2, D = 9", ones(5, 9, [6, 2]), ["BadShape"], "float64")
    seeded.refuse("d = 2, m = 2", ones(2, 9, [6, 3], seed="1"), ["BadSize"], "float64")
    seeded.refuse("seed 2**64", ones(5, 9, [6, 3], seed=str(2**64)), ["BadSeed"], "float64")
    return notes(given, seeded), [given, seeded]


# ---- Uni-LoRA ----
def uni_lora():
    formula = (
        "w_i = v_{h_i}/√n_{h_i}, n_j = number of i with h_i = j over all N;  w = (A, B) of one matrix after the other, A (n_in, r), "
        "B (r, n_out), C order;  W = W_0 + A B, θ = all W in a row;  grad_j = Σ_{i: h_i = j} dw_i/√n_j,  dA = dW Bᵀ,  dB = Aᵀ dW"
    )
    answers, reason = ("theta", "grad"), REASON.format("N + r + 12")
    given = Group("given", "theta_grad", formula, ("v", "h", "shapes", "r", "theta_0", "g"), answers, reason)
    more = "; h_i = π_i mod d, π permutation of N of (seed, 15, 0): docs/random.md, section 2"
    seeded = Group(
        "seeded", "theta_grad", formula + more, ("v", "seed", "shapes", "r", "theta_0", "g"), answers, reason
    )

    def computed(v, theta_0, g, h, shapes, r):
        of = [1 / root(h.count(j)) for j in range(len(v))]
        w, dw, theta, at, place = [v[j] * of[j] for j in h], [], [], 0, 0
        for n_in, n_out in shapes:
            middle, end, after = at + n_in * r, at + (n_in + n_out) * r, place + n_in * n_out
            A, B = rows_of(w[at:middle], r), rows_of(w[middle:end], n_out)
            W_0, dW = (rows_of(x[place:after], n_out) for x in (theta_0, g))
            theta += flat(plus(W_0, times(A, B)))
            dw += flat(times(dW, transposed(B))) + flat(times(transposed(A), dW))
            at, place = end, after
        grad = [
            sum((x for x, k in zip(dw, h, strict=True) if k == j), Fraction(0)) * of[j] for j in range(len(v))
        ]
        return {"theta": theta, "grad": grad}

    for k, (shapes, r, d, dtype) in enumerate(
        [
            ([[5, 4], [4, 3]], 2, 7, "float64"), ([[4, 4], [4, 4]], 2, 8, "float64"), ([[6, 5]], 1, 11, "float32"),
            ([[3, 4], [4, 4], [4, 2]], 2, 5, "float32"), ([[3, 3]], 3, 4, "float64"),
        ]
    ):  # fmt: skip
        N, D, seed = sum(r * (a + b) for a, b in shapes), sum(a * b for a, b in shapes), 31 + k
        h = [p % d for p in page.permutation(seed, ONEHOT, 0, N)]
        v = [4 * t for t in thirds(280 + k, d, dtype)]
        own = {"v": v, "theta_0": thirds(290 + k, D, dtype), "g": thirds(300 + k, D, dtype)}
        right, above = (
            computed(**{n: [f(Fraction(t)) for t in x] for n, x in own.items()}, h=h, shapes=shapes, r=r)
            for f in (lambda t: t, abs)
        )
        bound = {n: exact.upwards((N + r + 12) * U[dtype] * float(max(x))) for n, x in above.items()}
        vectors = {name: floats(x, dtype) for name, x in own.items()}
        rest = {"shapes": integers(flat(shapes), (len(shapes), 2)), "r": r}
        rest |= {name: vectors[name] for name in ("theta_0", "g")}
        comment = f"{', '.join(f'{a}×{b}' for a, b in shapes)}, r = {r}, d = {d}, N = {N}, {dtype}"
        flags = (
            ["Uneven"] * bool(N % d) + ["RankOne"] * (r == 1) + ["Square"] * all(a == b for a, b in shapes)
        )
        flags += ["FullRank"] * (r == min(flat(shapes)))
        for group, drawn in ((given, {"h": integers(h)}), (seeded, {"seed": str(seed)})):
            expected = {n: floats(x) for n, x in right.items()}
            group.add(comment, {"v": vectors["v"]} | drawn | rest, expected, bound, flags, dtype)

    def ones(r=2, **drawn):
        twenty = floats([1.0] * 20)
        rest = {"shapes": integers([5, 4], (1, 2)), "r": r, "theta_0": twenty, "g": twenty}
        return {"v": floats([1.0] * 3)} | drawn | rest

    given.refuse(
        "h has 17 entries, N = 18", ones(h=integers([0, 1, 2] * 5 + [0, 1])), ["BadShape"], "float64"
    )
    given.refuse("r = 5, min(n_in, n_out) = 4", ones(5, h=integers([0, 1, 2] * 15)), ["BadRank"], "float64")
    seeded.refuse("seed 2**64", ones(seed=str(2**64)), ["BadSeed"], "float64")
    return notes(given, seeded), [given, seeded]
