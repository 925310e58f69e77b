"""fastfood, dense and sparse: P as an explicit matrix, its products in exact fractions."""

import random_from_the_page as page

from vectorgen import exact
from vectorgen.drawing import BAD_SEED, BITS, LARGE_ENTRIES, large, thirds
from vectorgen.exact import flat
from vectorgen.pack import Group, U, floats, integers

PRODUCT = "y is exact, rounded to float64; in whatever order {} are summed, the error is at most {} u times the same with absolute values, u = 2⁻²⁴ or 2⁻⁵³"
FASTFOOD = "P v = S ∘ (H (G ∘ (H (B ∘ pad v))[Π]))[:D], block after block, H H = n I, no other scale"
ADJOINT = "Pᵀ g = (Σ_b B ∘ (H Πᵀ (G ∘ (H pad(S ∘ g)))))[:d], Πᵀ adds up what Π gathers"
SHAPES = [  # D, d, blocks
    (1, 1, "stacked"), (2, 1, "stacked"), (5, 1, "stacked"), (7, 2, "stacked"), (16, 4, "stacked"), (17, 4, "stacked"),
    (31, 8, "stacked"), (8, 8, "stacked"), (6, 6, "stacked"), (20, 5, "stacked"), (21, 3, "stacked"),
    (1, 1, "single"), (5, 1, "single"), (16, 4, "single"), (17, 3, "single"), (16, 16, "single"),
]  # fmt: skip
LARGER = [  # beyond the shortest vectors of a processor
    (65, 20, "stacked", "float64"), (65, 20, "stacked", "float32"), (40, 33, "stacked", "float32"),
    (65, 20, "single", "float64"), (65, 20, "single", "float32"), (64, 16, "stacked", "float32"),
]  # fmt: skip
NOTES = {
    "NonPow2": "d is no power of two: v is padded with zeros to m = 2^⌈log₂ d⌉, and Pᵀ g is cut to d.",
    "One": "d = 1: the first transform has length 1, and so have the blocks of the stacked form.",
    "Square": "d = D.",
    "Cut": "The blocks have more than D rows: those from D on are dropped, in Pᵀ g they count as zero.",
    "OneAbove": "D is one above a multiple of the block: all but one row of the last block are dropped.",
    "Single": "One block of n = 2^⌈log₂ D⌉ outputs that reads m inputs: H_n of a v padded to n repeats H_m, so Π is kept modulo m.",
    "NoSigns": "S is +1 everywhere, as in the authors' code.",
    "BadLength": "v or g has another length than P has columns or rows, and must be refused.",
    "BadSize": "d is no integer with 1 ≤ d ≤ D, and must be refused.",
    "BadOption": "An option that does not exist, and must be refused.",
    "BadSeed": BAD_SEED,
    "Large": LARGE_ENTRIES,
}


def fastfood_flags(D, d, blocks):
    m, n, beta = page.fastfood_sizes(D, d, blocks)
    found = {
        "NonPow2": d != m,
        "One": d == 1,
        "Square": d == D,
        "Cut": beta * n != D,
        "OneAbove": n > 1 and D % n == 1 and blocks == "stacked",
        "Single": blocks == "single",
    }
    return [flag for flag, there in found.items() if there]


def fastfood_bounds(factors, v, g, dtype):
    """(m + n + 8) u times the largest entry of |P| |v| and |Pᵀ| |g|, every factor with its absolute value."""
    B, Pi, G, _ = factors
    n, beta = len(Pi[0]), len(Pi)
    rows = [sum(map(abs, G[b])) for b in range(beta)]
    apply = max(rows) * sum(map(abs, v))
    adjoint = sum(rows[b] * sum(map(abs, g[b * n : (b + 1) * n])) for b in range(beta))
    unit = U[dtype] * (len(B[0]) + n + 8)
    return exact.upwards(unit * apply), exact.upwards((unit + U[dtype] * beta) * adjoint)


def fastfood():
    names = ("B", "Pi", "G", "S", "D", "d", "blocks")
    drawn = ("D", "d", "seed", "blocks", "signs")
    reason = PRODUCT.format("the transforms", "m + n + 8 (adjoint: and the number of blocks)")
    apply = Group("given", "apply", FASTFOOD, ("v", *names), ("y",), reason)
    adjoint = Group("given", "adjoint", ADJOINT, ("g", *names), ("y",), reason)
    scheme = "{}; B, Π, G, S of docs/random.md, section 8"
    seeded = Group("seeded", "apply", scheme.format(FASTFOOD), ("v", *drawn), ("y",), BITS)
    seeded_adjoint = Group("seeded", "adjoint", scheme.format(ADJOINT), ("g", *drawn), ("y",), reason)
    groups = apply, adjoint, seeded, seeded_adjoint
    for dtype, step in (("float64", 1), ("float32", 2)):
        for k, shape in list(enumerate(SHAPES))[::step]:
            add_fastfood(groups, k, *shape, dtype)
    factors = arrays(exact.fastfood_factors(1, 8, 4), "float64") | {"D": 8, "d": 4, "blocks": "stacked"}
    options = {"D": 8, "d": 4, "seed": "1", "blocks": "stacked", "signs": True}
    for length in (3, 5):
        v, g = floats([1.0] * length), floats([1.0] * (length + 4))
        apply.refuse(f"v has {length} entries, d = 4", {"v": v} | factors, ["BadLength"], "float64")
        adjoint.refuse(f"g has {length + 4} entries, D = 8", {"g": g} | factors, ["BadLength"], "float64")
        seeded.refuse(f"v has {length} entries, d = 4", {"v": v} | options, ["BadLength"], "float64")
    refuse_sizes(seeded, options)
    changed = {"v": floats([1.0] * 4)} | options | {"blocks": "stakced"}
    seeded.refuse("blocks = 'stakced'", changed, ["BadOption"], "float64")
    for k, (*shape, dtype) in enumerate(LARGER, start=len(SHAPES)):
        add_fastfood(groups, k, *shape, dtype)
    for k, shape in enumerate([(21, 6, "stacked", "float64"), (20, 5, "single", "float32")], start=64):
        add_fastfood(groups, k, *shape, large)
    return NOTES, groups


def add_fastfood(groups, k, D, d, blocks, dtype, draw=thirds):
    """The same P in all four."""
    apply, adjoint, seeded, seeded_adjoint = groups
    signed, seed = k % 7 != 6, 2**64 - 1 - k
    flags = fastfood_flags(D, d, blocks) + ["NoSigns"] * (not signed) + ["Large"] * (draw is large)
    comment = f"D = {D}, d = {d}, {blocks}, {dtype}" + ", no output signs" * (not signed)
    comment += ", large entries" * (draw is large)
    factors = exact.fastfood_factors(seed, D, d, blocks, signed, dtype)
    v, g = draw(1, d, dtype, 5, 64 * k), draw(2, D, dtype, 5, 64 * k)
    P = exact.fastfood_matrix(*factors, d)
    y, z = exact.product(P, v), exact.product(exact.transposed(P), g)
    bits = page.fastfood_apply(v, seed, D, blocks, signed, dtype)
    bound, bound_z = fastfood_bounds(factors, v, g, dtype)
    assert max(abs(a - b) for a, b in zip(bits, y, strict=True)) <= bound
    given = arrays(factors, dtype) | {"D": D, "d": d, "blocks": blocks}
    drawn = {"D": D, "d": d, "seed": str(seed), "blocks": blocks, "signs": signed}
    v, g, z = {"v": floats(v, dtype)}, {"g": floats(g, dtype)}, {"y": floats(z)}
    apply.add(comment, v | given, {"y": floats(y)}, {"y": bound}, flags, dtype)
    adjoint.add(comment, g | given, z, {"y": bound_z}, flags, dtype)
    seeded.add(comment, v | drawn, {"y": floats(bits, dtype)}, None, flags, dtype)
    seeded_adjoint.add(comment, g | drawn, z, {"y": bound_z}, flags, dtype)


def arrays(factors, dtype):
    B, Pi, G, S = factors
    blocks, m, n = len(B), len(B[0]), len(Pi[0])
    return {
        "B": floats(flat(B), dtype, (blocks, m)),
        "Pi": integers(flat(Pi), (blocks, n)),
        "G": floats(flat(G), dtype, (blocks, n)),
        "S": floats(S, dtype),
    }


def refuse_sizes(group, options):
    D = options["D"]
    for d in (0, D + 1):
        changed = {"v": floats([1.0] * d)} | options | {"d": d}
        group.refuse(f"d = {d}, D = {D}", changed, ["BadSize"], "float64")
    for seed in ("-1", str(2**64)):
        changed = {"v": floats([1.0] * options["d"])} | options | {"seed": seed}
        group.refuse(f"seed {seed}", changed, ["BadSeed"], "float64")


def matrix_groups(drawn, formula, names):
    """Groups of a P that is a matrix: products of the given one, entries and products of the drawn one."""
    reason = PRODUCT.format("the products", "(number of terms + 2)")
    return [
        Group("given", "apply", "y_i = Σ_j P_ij v_j", ("v", *names), ("y",), reason),
        Group("given", "adjoint", "y_j = Σ_i P_ij g_i", ("g", *names), ("y",), reason),
        Group("seeded", "matrix", f"P itself (D, d): {formula}", drawn, ("P",), BITS),
        Group("seeded", "apply", f"y_i = Σ_j P_ij v_j, {formula}", ("v", *drawn), ("y",), reason),
        Group("seeded", "adjoint", f"y_j = Σ_i P_ij g_i, {formula}", ("g", *drawn), ("y",), reason),
    ]


def add_matrix(groups, P, given, options, comment, flags, dtype, lane):
    """The same P in all five, or of large entries in four."""
    apply, adjoint, matrix, seeded, seeded_adjoint = groups
    D, d = len(P), len(P[0])
    draw = large if "Large" in flags else thirds
    v, g = draw(lane, d, dtype), draw(lane + 1, D, dtype)
    if draw is thirds:
        matrix.add(
            comment, options, {"P": floats(flat(P), dtype, (D, d))}, flags=[*flags, "Entries"], dtype=dtype
        )
    for name, x, M, pair in (
        ("v", v, P, (apply, seeded)),
        ("g", g, exact.transposed(P), (adjoint, seeded_adjoint)),
    ):
        y = exact.product(M, x)
        largest = max(exact.product(exact.absolute(M), [abs(t) for t in x]))
        bound = exact.upwards((len(x) + 2) * U[dtype] * float(largest))
        for group, more in zip(pair, (given, options), strict=True):
            group.add(comment, {name: floats(x, dtype)} | more, {"y": floats(y)}, {"y": bound}, flags, dtype)


MATRIX_NOTES = {
    flag: NOTES[flag] for flag in ("One", "Square", "BadLength", "BadSize", "BadSeed", "Large")
} | {"Entries": "Entries are bits; products are bounds, since libraries sum in different orders."}


def dense():
    drawn = ("D", "d", "seed", "entries")
    formula = "P_ij = dtype(g_ij/√Σ_i g_ij²) or dtype(±(1/√D)): docs/random.md, section 6"
    groups = matrix_groups(drawn, formula, ("P",))
    for k, (D, d, entries, dtype) in enumerate([
        (1, 1, "gaussian", "float64"), (7, 1, "gaussian", "float32"), (12, 5, "gaussian", "float64"), (12, 5, "gaussian", "float32"),
        (4, 4, "gaussian", "float64"), (33, 2, "rademacher", "float64"), (6, 3, "rademacher", "float32"),
    ]):  # fmt: skip
        add_dense(groups, k, D, d, entries, dtype)
    given = {"P": floats([1.0] * 6, "float64", (3, 2))}
    groups[0].refuse("v has 3 entries, d = 2", {"v": floats([1.0] * 3)} | given, ["BadLength"], "float64")
    groups[1].refuse("g has 2 entries, D = 3", {"g": floats([1.0] * 2)} | given, ["BadLength"], "float64")
    options = {"D": 5, "d": 2, "seed": "1", "entries": "gaussian"}
    refuse_sizes(groups[3], options)
    changed = options | {"entries": "uniform"}
    groups[2].refuse("entries = 'uniform'", changed, ["BadOption"], "float64")
    add_dense(groups, 100, 14, 6, "gaussian", "float64", ["Large"])
    return MATRIX_NOTES | {"BadOption": NOTES["BadOption"]}, groups


def add_dense(groups, k, D, d, entries, dtype, flags=()):
    """One P."""
    seed = 2**63 + k
    P = exact.transposed([page.dense_column(seed, D, j, entries, dtype) for j in range(d)])
    options = {"D": D, "d": d, "seed": str(seed), "entries": entries}
    flags = [*flags, *["One"] * (d == 1), *["Square"] * (d == D)]
    given = {"P": floats(flat(P), dtype, (D, d))}
    comment = f"D = {D}, d = {d}, {entries}, {dtype}" + ", large entries" * ("Large" in flags)
    add_matrix(groups, P, given, options, comment, flags, dtype, 10 + k)


def sparse():
    drawn = ("D", "d", "seed", "density")
    formula = "rows by gaps, ±1/√nnz_j: docs/random.md, section 7"
    groups = matrix_groups(drawn, formula, ("indptr", "rows", "values", "D", "d"))
    for k, (D, d, density, dtype, seed) in enumerate([
        (1, 1, 1.0, "float64", 1), (9, 2, 0.5, "float64", 1), (40, 3, 0.15811388300841897, "float64", 1),
        (40, 3, 0.15811388300841897, "float32", 2), (5, 5, 1.0, "float32", 2**64 - 1), (60, 1, 0.1, "float64", 7),
    ]):  # fmt: skip
        add_sparse(groups, k, D, d, density, dtype, seed)
    options = {"D": 40, "d": 2, "seed": "1", "density": 0.5}
    refuse_sizes(groups[3], options)
    empty = next(seed for seed in range(99) if not page.sparse_rows(seed, 4, 1, 0.25))
    for changed, flag, comment in [
        ({"D": 4, "seed": str(empty), "density": 0.25}, "EmptyColumn", "column 1 is empty"),
        ({"density": 0.0}, "BadOption", "density = 0"),
        ({"density": 1.5}, "BadOption", "density = 1.5"),
    ]:
        groups[2].refuse(comment, options | changed, [flag], "float64")
    add_sparse(groups, 100, 40, 6, 0.25, "float64", 8, ["Large"])
    notes = {
        "Full": "density = 1: every entry is non-zero.",
        "EmptyColumn": "A column without a non-zero has no norm: P must be refused, and never be drawn again silently.",
        "BadOption": "density is outside (0, 1], and must be refused.",
    }
    return {k: v for k, v in MATRIX_NOTES.items() if k != "BadLength"} | notes, groups


def add_sparse(groups, k, D, d, density, dtype, seed, flags=()):
    """One P."""
    columns = [page.sparse_column(seed, D, j, density, dtype) for j in range(d)]
    rows = [page.sparse_rows(seed, D, j, density) for j in range(d)]
    assert all(rows)
    flags = [*flags, *["One"] * (d == 1), *["Square"] * (d == D), *["Full"] * (density == 1.0)]
    values = [column[row] for column, own in zip(columns, rows, strict=True) for row in own]
    indptr = [sum(map(len, rows[:j])) for j in range(d + 1)]
    given = {"indptr": integers(indptr), "rows": integers(flat(rows))}
    given |= {"values": floats(values, dtype), "D": D, "d": d}
    options = {"D": D, "d": d, "seed": str(seed), "density": density}
    comment = f"D = {D}, d = {d}, density {density:.3g}, {dtype}" + ", large entries" * ("Large" in flags)
    add_matrix(groups, exact.transposed(columns), given, options, comment, flags, dtype, 30 + k)
