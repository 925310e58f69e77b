"""philox, maps and wht: the page's scheme in plain Python, the transform also in fractions."""

import random_from_the_page as page

from vectorgen import exact
from vectorgen.pack import Group, U, floats, integers, words

EXACT = "integers and bits, so nothing is rounded"
BITS = "every operation is rounded on its own in the order of docs/random.md, which promises the bits"
BAD_SEED = "The seed is no integer with 0 ≤ seed < 2⁶⁴, and must be refused. A language whose type cannot hold it has refused it."


def thirds(lane, count, dtype="float64", seed=5, start=0):
    """Data with full mantissas: normals of the page over 3·2²⁰."""
    g = [page.normal(w) for w in page.words(seed, 13, lane, start, count)]
    return [page.DTYPES[dtype](x / (3 * 2.0**20)) for x in g]


LARGE_ENTRIES = "Entries have a standard deviation of 4/3, as a trained θ_d or a gradient may: what clips to ±1 passes smaller ones."


def large(*address):
    """Four times `thirds`: the same mantissas."""
    return [4 * x for x in thirds(*address)]


def philox():
    block = Group(
        "given", "block", "(c0, c1, c2, c3) ← ten rounds of Philox4x32 with (k0, k1): docs/random.md, section 1",
        ("counter", "key"), ("words",), EXACT,
    )  # fmt: skip
    low = page.LOW
    for counter, key, flag in [
        ((0,) * 4, (0,) * 2, "KnownAnswer"),
        ((low,) * 4, (low,) * 2, "KnownAnswer"),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), "KnownAnswer"),
        ((1, 0, 0, 0), (0, 0), "OneBit"),
        ((0, 1, 0, 0), (0, 0), "OneBit"),
        ((0, 0, 1, 0), (0, 0), "OneBit"),
        ((0, 0, 0, 1), (0, 0), "OneBit"),
        ((0, 0, 0, 0), (1, 0), "OneBit"),
        ((0, 0, 0, 0), (0, 1), "OneBit"),
    ]:
        comment = "published with Random123" if flag == "KnownAnswer" else "one bit is set"
        inputs = {"counter": words(counter), "key": words(key)}
        block.add(comment, inputs, {"words": words(page.philox(*counter, *key))}, flags=[flag])
    stream = Group(
        "seeded", "words", "words start, ..., start + count − 1 of the stream (seed, purpose, lane): docs/random.md, section 1",
        ("seed", "purpose", "lane", "start", "count"), ("words",), EXACT,
    )  # fmt: skip
    for seed, purpose, lane, start, count, flags, comment in [
        (0, 1, 0, 0, 8, [], "two whole blocks"),
        (7, 7, 2, 6, 4, ["Unaligned"], "begins inside a block"),
        (1, 2, 3, 3, 1, ["Unaligned"], "one word, the last of its block"),
        (1, 2, 3, 0, 0, ["Empty"], "no word"),
        (2**32, 5, 0, 0, 4, ["HighSeed"], "the seed's high word is the key's second"),
        (2**64 - 1, 14, 2**32 - 1, 0, 4, ["HighSeed"], "largest seed and lane"),
        (3, 2, 0, 4 * (2**32 - 1) + 2, 6, ["Carry", "Unaligned"], "block number passes 2³²"),
    ]:
        inputs = {"seed": str(seed), "purpose": purpose, "lane": lane, "start": str(start), "count": count}
        found = words(page.words(seed, purpose, lane, start, count))
        stream.add(comment, inputs, {"words": found}, flags=flags)
    for seed in (-1, 2**64):
        inputs = {"seed": str(seed), "purpose": 1, "lane": 0, "start": "0", "count": 4}
        stream.refuse(f"seed {seed}", inputs, ["BadSeed"])
    notes = {
        "KnownAnswer": "Published by the authors of Philox.",
        "OneBit": "A single 1 in one word: finds words that are exchanged.",
        "Unaligned": "The first word is not the first of a block.",
        "Empty": "count = 0: the answer has no entry.",
        "HighSeed": "The seed needs more than 32 bits.",
        "Carry": "The block number goes on into the counter's second word.",
        "BadSeed": BAD_SEED,
    }
    return notes, [block, stream]


# (task, formula, other arguments, what makes the answer of words and them)
MAPS = {
    "signs": (
        "sign i is bit i mod 32, lowest first, of word ⌊i/32⌋; 0 is +1, 1 is −1: section 2", ("count",),
        lambda w, count: [1 - 2 * (w[i // 32] >> i % 32 & 1) for i in range(count)], lambda count: -(-count // 32),
    ),
    "permutation": (
        "sort the keys (w_k·2³² + k); the low halves are the permutation: section 2", ("n",),
        lambda w, n: sorted(range(n), key=lambda k: (w[k], k)), lambda n: n,
    ),
    "integers": ("(w·m) >> 32: section 2", ("m", "count"), lambda w, m, count: [x * m >> 32 for x in w], lambda m, count: count),
    "uniform": ("(2(w >> 8) + 1 − 2²⁴)/2²⁴: section 2", ("count",), lambda w, count: [(2 * (x >> 8) + 1 - 2**24) / 2**24 for x in w], lambda count: count),
    "normals": ("rint(2²⁰ Φ⁻¹((w + ½)/2³²)): section 4", ("count",), lambda w, count: [page.normal(x) for x in w], lambda count: count),
    "truncated_normals": (
        "rint(2²⁰ Φ⁻¹(a + (1 − 2a)(w + ½)/2³²)), a = 0x1.74bcf82c9d85cp-6: section 4", ("count",),
        lambda w, count: [page.truncated_normal(x) for x in w], lambda count: count,
    ),
}  # fmt: skip
ENDS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x12345678, 0xDEADBEEF, 0x13333333, 0x13333334, 0xECCCCCCC]
SIZES = {
    "signs": [(1,), (32,), (33,), (70,)],
    "permutation": [(1,), (2,), (7,), (16,)],
    "integers": [(1, 3), (1000, 6), (2**32, 3)],
    "uniform": [(6,)],
    "normals": [(len(ENDS),)],
    "truncated_normals": [(len(ENDS),)],
}


def maps():
    groups = []
    for task, (formula, names, fn, need) in MAPS.items():
        given = Group("given", task, formula, ("words", *names), ("y",), EXACT)
        seeded = Group(
            "seeded",
            task,
            f"the same of words 0, 1, ... of (seed, purpose, lane). {formula}",
            ("seed", "purpose", "lane", *names),
            ("y",),
            EXACT,
        )
        for size in SIZES[task]:
            w = ENDS if "normals" in task else page.words(99, 13, len(groups), 0, need(*size))
            comment = ", ".join(f"{name} = {x}" for name, x in zip(names, size, strict=True))
            flags = ["Ends"] if "normals" in task else ["Single"] if size == (1,) else []
            options = dict(zip(names, size, strict=True))
            given.add(comment, {"words": words(w)} | options, {"y": answer(task, fn(w, *size))}, flags=flags)
        if task == "permutation":
            w = [5, 1, 5, 0, 1, 5]
            comment = "equal words keep their order"
            given.add(comment, {"words": words(w), "n": 6}, {"y": answer(task, fn(w, 6))}, flags=["Tie"])
        for seed, purpose, lane in [(1, 2, 3), (2**64 - 1, 5, 0)]:
            size = SIZES[task][-1]
            w = page.words(seed, purpose, lane, 0, need(*size))
            options = dict(zip(names, size, strict=True))
            inputs = {"seed": str(seed), "purpose": purpose, "lane": lane} | options
            seeded.add(f"seed {seed}", inputs, {"y": answer(task, fn(w, *size))})
        groups += [given, seeded]
    groups[1].refuse("seed 2**64", {"seed": str(2**64), "purpose": 2, "lane": 3, "count": 4}, ["BadSeed"])
    notes = {
        "Ends": "The ends and the middle of the range of words, and both sides of the change of branch.",
        "Single": "One entry.",
        "Tie": "Words that are equal; the index decides.",
        "BadSeed": BAD_SEED,
        "Dense": "density = 1: every row.",
        "Empty": "No row is below D.",
    }
    return notes, groups + sparse_rows() + theta_0()


def answer(task, y):
    return floats(y) if task == "uniform" else integers(y)


def sparse_rows():
    formula = (
        "row_k = row_{k−1} + 1 + ⌊log((w_k + ½)/2³²) / log(1 − density)⌋ while row_k < D, "
        "log by section 3: section 7"
    )
    given = Group("given", "sparse_rows", formula, ("words", "D", "density"), ("rows",), EXACT)
    seeded = Group(
        "seeded", "sparse_rows", f"w_k of (seed, 3, lane). {formula}", ("seed", "lane", "D", "density"), ("rows",), EXACT
    )  # fmt: skip
    for seed, lane, D, density, flags in [
        (1, 2, 200, 0.07, []),
        (1, 0, 50, 0.5, []),
        (2**64 - 1, 7, 5, 1.0, ["Dense"]),
        (4, 1, 40, 2.0**-12, ["Empty"]),
    ]:
        rows = page.sparse_rows(seed, D, lane, density)
        comment, expected = f"D = {D}, density {density:.3g}", {"rows": integers(rows)}
        w = words(page.words(seed, page.SPARSE_GAP, lane, 0, len(rows) + 1))
        given.add(comment, {"words": w, "D": D, "density": density}, expected, flags=flags)
        if not flags or flags == ["Dense"]:
            inputs = {"seed": str(seed), "lane": lane, "D": D, "density": density}
            seeded.add(comment, inputs, expected, flags=flags)
    return [given, seeded]


def theta_0():
    formula = "dtype(g·(2⁻²⁰·√(2/fan_in))), g truncated normals: section 5"
    given = Group("given", "theta_0", formula, ("words", "fan_in"), ("y",), BITS)
    seeded = Group(
        "seeded", "theta_0", f"words 0, 1, ... of (seed, 1, lane). {formula}", ("seed", "lane", "fan_in", "count"), ("y",), BITS
    )  # fmt: skip
    for dtype in ("float64", "float32"):
        w = page.words(8, 1, 0, 0, 5)
        y = floats(page.theta_0(8, 0, 784, 5, dtype), dtype)
        given.add("fan_in = 784", {"words": words(w), "fan_in": 784}, {"y": y}, dtype=dtype)
        y = floats(page.theta_0(3, 4, 200, 5, dtype), dtype)
        inputs = {"seed": "3", "lane": 4, "fan_in": 200, "count": 5}
        seeded.add("fan_in = 200", inputs, {"y": y}, dtype=dtype)
    return [given, seeded]


def wht():
    formula = "y = H x, H₁ = (1), H₂ₙ = ((H, H), (H, −H)), so that H H = n I"
    given = Group(
        "given", "transform", formula, ("x",), ("y",),
        "y is exact, rounded to float64; n terms summed in any order err by at most n·u·Σ|x|, u = 2⁻²⁴ or 2⁻⁵³",
    )  # fmt: skip
    seeded = Group(
        "seeded", "transform",
        f"{formula}, by butterflies h = 1, 2, 4, ...; x_k = dtype(g_k/(3·2²⁰)), g_k normal k of (seed, 13, lane)",
        ("seed", "lane", "n"), ("y",), BITS,
    )  # fmt: skip
    known = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]
    for dtype in ("float64", "float32"):
        for n in (1, 2, 4, 8, 8, 32):
            x = known if n == 8 and not given_has(given, dtype) else thirds(n, n, dtype)
            y = exact.wht(x)
            bound = exact.upwards(n * U[dtype] * sum(map(abs, x)))
            flags = {1: ["One"], 2: ["Two"]}.get(n, ["Known"] if x is known else [])
            comment = f"n = {n}, {dtype}" + (", integers" if x is known else "")
            given.add(comment, {"x": floats(x, dtype)}, {"y": floats(y)}, {"y": bound}, flags, dtype)
        for n in (1, 2, 64, 128):
            add_seeded_wht(seeded, n, dtype)
    add_seeded_wht(seeded, 1024, "float32")
    for n in (3, 6, 12):
        given.refuse(f"n = {n}", {"x": floats([1.0] * n)}, ["BadLength"], "float64")
    for dtype in ("float64", "float32"):
        x = large(n := 16, n, dtype)
        bound = exact.upwards(n * U[dtype] * sum(map(abs, x)))
        y = {"y": floats(exact.wht(x))}
        given.add(
            f"n = {n}, {dtype}, large entries", {"x": floats(x, dtype)}, y, {"y": bound}, ["Large"], dtype
        )
    notes = {
        "Large": LARGE_ENTRIES,
        "One": "n = 1: H x = x.",
        "Two": "n = 2: one butterfly.",
        "Known": "H(1,0,1,0,0,1,1,0) = (4,2,0,−2,0,2,0,2): tells natural from sequency and dyadic order.",
        "BadLength": "The length is no power of two, and must be refused.",
    }
    return notes, [given, seeded]


def add_seeded_wht(group, n, dtype):
    x = thirds(3, n, dtype, seed=2**64 - 1)
    y = page.wht(x, page.DTYPES[dtype])
    bound = n * U[dtype] * sum(map(abs, x))
    assert max(abs(a - b) for a, b in zip(y, exact.wht(x), strict=True)) <= bound
    inputs, flags = {"seed": str(2**64 - 1), "lane": 3, "n": n}, {1: ["One"], 2: ["Two"]}.get(n, [])
    group.add(f"n = {n}, {dtype}", inputs, {"y": floats(y, dtype)}, flags=flags, dtype=dtype)


def given_has(group, dtype):
    return any("Known" in test["flags"] and test["dtype"] == dtype for test in group.tests)
