"""The random scheme once more, written from docs/random.md alone: plain Python, no NumPy, no npintdim.

The numbers in the headings are the page's. binary64 is Python's float; binary32 is `float32(x)` after every operation.
"""

import hashlib
import json
import math
import struct

SCHEME = "philox4x32-10/normal-grid-20/1"
LOW = 0xFFFFFFFF
THETA_0, DENSE, SPARSE_GAP, SPARSE_SIGN, FF_B, FF_PI, FF_G, FF_S = range(1, 9)


# ---- 0. conventions ----
def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def float64(x):
    return x


DTYPES = {"float32": float32, "float64": float64}


def rint(x):
    return round(x)  # ties to even


# ---- 1. words ----
def philox(c0, c1, c2, c3, k0, k1):
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & LOW, (p0 >> 32) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return c0, c1, c2, c3


def words(seed, purpose, lane, start, count):
    out = []
    for block in range(start // 4, (start + count + 3) // 4):
        out += philox(block & LOW, block >> 32, lane, purpose, seed & LOW, seed >> 32)
    return out[start % 4 :][:count]


# ---- 2. integers ----
def signs(seed, purpose, lane, count):
    w = words(seed, purpose, lane, 0, -(-count // 32))
    return [1 - 2 * (w[i // 32] >> i % 32 & 1) for i in range(count)]


def permutation(seed, purpose, lane, n, row=0):
    w = words(seed, purpose, lane, row * n, n)
    return [key & LOW for key in sorted(w_k << 32 | k for k, w_k in enumerate(w))]


def integers(seed, purpose, lane, m, count):
    return [w * m >> 32 for w in words(seed, purpose, lane, 0, count)]


def uniform(seed, purpose, lane, count):
    return [(2 * (w >> 8) + 1 - 2**24) / 2**24 for w in words(seed, purpose, lane, 0, count)]


# ---- 3. logarithm ----
def horner(coefficients, x):
    *rest, total = coefficients
    for c in reversed(rest):
        total = total * x + c
    return total


def log(x):
    m, e = math.frexp(x)
    if m < 0.7071067811865476:
        m, e = 2.0 * m, e - 1
    s = (m - 1.0) / (m + 1.0)
    series = horner([1.0 / (2 * i + 1) for i in range(11)], s * s)
    return e * 0.6931471805599453 + 2.0 * s * series


# ---- 4. normals ----
CENTRAL_NUMERATOR = (
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
CENTRAL_DENOMINATOR = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
)  # fmt: skip
TAIL_NUMERATOR = (
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
TAIL_DENOMINATOR = (
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
)  # fmt: skip


def quantile(p):
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * horner(CENTRAL_NUMERATOR, r) / horner(CENTRAL_DENOMINATOR, r)
    r = math.sqrt(-log(min(p, 1.0 - p))) - 1.6
    return math.copysign(horner(TAIL_NUMERATOR, r) / horner(TAIL_DENOMINATOR, r), q)


def normal(w):
    return rint(2.0**20 * quantile((w + 0.5) * 2.0**-32))


def truncated_normal(w):
    a = float.fromhex("0x1.74bcf82c9d85cp-6")
    return rint(2.0**20 * quantile(a + (1.0 - 2.0 * a) * ((w + 0.5) * 2.0**-32)))


def normals(seed, purpose, lane, count):
    return [normal(w) for w in words(seed, purpose, lane, 0, count)]


# ---- 5. theta_0 ----
def theta_0(seed, lane, fan_in, count, dtype="float64"):
    scale = 2.0**-20 * math.sqrt(2.0 / fan_in)
    return [DTYPES[dtype](truncated_normal(w) * scale) for w in words(seed, THETA_0, lane, 0, count)]


# ---- 6. dense ----
def dense_column(seed, D, j, entries="gaussian", dtype="float64"):
    if entries == "rademacher":
        return [DTYPES[dtype](sign * (1.0 / math.sqrt(D))) for sign in signs(seed, DENSE, j, D)]
    g = normals(seed, DENSE, j, D)
    norm = math.sqrt(sum(x * x for x in g))
    return [DTYPES[dtype](x / norm) for x in g]


# ---- 7. sparse ----
def sparse_rows(seed, D, j, density=None):
    density = 1.0 / math.sqrt(D) if density is None else density
    if density == 1.0:
        return list(range(D))
    rows, row, k = [], -1, 0
    while True:
        (w,) = words(seed, SPARSE_GAP, j, k, 1)
        row += 1 + math.floor(log((w + 0.5) * 2.0**-32) / log(1.0 - density))
        if row >= D:
            return rows
        rows.append(row)
        k += 1


def sparse_column(seed, D, j, density=None, dtype="float64"):
    rows, column = sparse_rows(seed, D, j, density), [0.0] * D
    for row, sign in zip(rows, signs(seed, SPARSE_SIGN, j, len(rows)), strict=True):
        column[row] = DTYPES[dtype](sign / math.sqrt(len(rows)))
    return column


# ---- 8. Fastfood ----
def power_of_two(x):
    return 2 ** math.ceil(math.log2(x))


def fastfood_sizes(D, d, blocks):
    m = power_of_two(d)
    n = m if blocks == "stacked" else power_of_two(D)
    return m, n, -(-D // n)


def fastfood_G(seed, D, d, blocks="stacked", dtype="float64"):
    _, n, beta = fastfood_sizes(D, d, blocks)
    g = normals(seed, FF_G, 0, beta * n)
    squares = [x * x for x in g]
    scale = math.sqrt(n * sum(squares) - (beta * n - D) * sum(squares[-n:]))
    return [DTYPES[dtype](x / scale) for x in g]


def wht(x, dtype):
    x, h = list(x), 1
    while h < len(x):
        for i in range(len(x)):
            if i // h % 2 == 0:
                x[i], x[i + h] = dtype(x[i] + x[i + h]), dtype(x[i] - x[i + h])
        h *= 2
    return x


def fastfood_apply(v, seed, D, blocks="stacked", signed=True, dtype="float64"):
    m, n, beta = fastfood_sizes(D, len(v), blocks)
    rounded = DTYPES[dtype]
    B, S = signs(seed, FF_B, 0, beta * m), signs(seed, FF_S, 0, D) if signed else [1] * D
    G = fastfood_G(seed, D, len(v), blocks, dtype)
    y = []
    for b in range(beta):
        x = [B[b * m + k] * v_k for k, v_k in enumerate(v)] + [0.0] * (m - len(v))
        x = wht(x, rounded)
        Pi = [place % m for place in permutation(seed, FF_PI, 0, n, row=b)]
        y += wht([rounded(x[Pi[k]] * G[b * n + k]) for k in range(n)], rounded)
    return [S[i] * y[i] for i in range(D)]


def fastfood_column(seed, D, d, j, blocks="stacked", signed=True, dtype="float64"):
    return fastfood_apply([float(k == j) for k in range(d)], seed, D, blocks, signed, dtype)


# ---- 9. decoding ----
def exact_product(columns, theta_d):
    """P theta_d of dense and sparse P; Fastfood has `fastfood_apply`."""
    y = [0.0] * len(columns[0])
    for column, v in zip(columns, theta_d, strict=True):
        y = [y_i + P_ij * v for y_i, P_ij in zip(y, column, strict=True)]
    return y


def decode(theta_0, y):
    return [float32(a + b) for a, b in zip(theta_0, y, strict=True)]


# ---- 10. fingerprint ----
def families(kind, D, d, seed, options):
    if kind == "dense":
        draw = normals if options["entries"] == "gaussian" else signs
        return {"entries": [x for j in range(d) for x in draw(seed, DENSE, j, D)]}
    if kind == "sparse":
        rows = [sparse_rows(seed, D, j, options["density"]) for j in range(d)]
        nnz = [len(column) for column in rows]
        sign = [x for j in range(d) for x in signs(seed, SPARSE_SIGN, j, nnz[j])]
        return {"nnz": nnz, "rows": [row for column in rows for row in column], "sign": sign}
    m, n, beta = fastfood_sizes(D, d, options["blocks"])
    count = -(-D // 32)
    return {
        "B": words(seed, FF_B, 0, 0, -(-beta * m // 32)),
        "Pi": [k % m for b in range(beta) for k in permutation(seed, FF_PI, 0, n, row=b)],
        "G": normals(seed, FF_G, 0, beta * n),
        "S": words(seed, FF_S, 0, 0, count) if options["signs"] else [0] * count,
    }


def fingerprint(kind, D, d, seed, **options):
    sums = {
        family: [sum(x * x for x in xs) % 2**64, sum((2 * i + 1) * x for i, x in enumerate(xs)) % 2**64]
        for family, xs in families(kind, D, d, seed, options).items()
    }
    content = {"scheme": SCHEME, "kind": kind, "D": D, "d": d, "seed": str(seed), **options, "sums": sums}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
