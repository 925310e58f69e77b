"""A reader of compressed files, written from docs/format.md and docs/random.md alone: plain Python, no NumPy, no npintdim."""

import hashlib
import json
import math
import struct
from pathlib import Path

import random_from_the_page as scheme


def read(path):
    """The parts of a file, its checksum compared."""
    data = Path(path).read_bytes()
    magic, version, h, length = struct.unpack_from("<8sHIQ", data)
    assert magic == bytes.fromhex("896e7069640d0a1a")
    assert version in range(1, 9)
    header = json.loads(data[22 : 22 + h])
    assert ("T" in header) == (version in (3, 4, 7, 8))
    assert ("theta_0" in header) == (version > 4)
    values = data[86 + h : -32]
    d = header["P"]["d"] if "P" in header else len(start(header))
    assert length == len(data) == 118 + h + len(values)
    assert data[-32:] == hashlib.sha256(data[:-32]).digest()
    assert header["scheme"] == scheme.SCHEME
    return {
        "header": header,
        "fingerprint": data[22 + h : 54 + h].hex(),
        "theta_sha256": data[54 + h : 86 + h].hex(),
        "theta_d": struct.unpack(f"<{d}f", values) if version % 2 else decode_theta_d(values, d),
    }


# ---- 2. the parameters of a network: size and fan_in, None for a bias ----
def linear(n_in, n_out):
    return [(n_in * n_out, n_in), (n_out, None)]


def conv2d(c_in, c_out, k):
    return [(c_out * c_in * k * k, c_in * k * k), (c_out, None)]


def parameters(model):
    if model.get("architecture") == "mlp":
        sizes = model["sizes"]
        return [p for i in range(len(sizes) - 1) for p in linear(sizes[i], sizes[i + 1])]
    if model.get("architecture") == "lenet":
        c, *sides = model["in_shape"]
        f = 16 * math.prod(((side - 4) // 2 - 4) // 2 for side in sides)
        return [
            *conv2d(c, 6, 5),
            *conv2d(6, 16, 5),
            *linear(f, 120),
            *linear(120, 84),
            *linear(84, model["classes"]),
        ]
    found = []
    for layer in model["layers"]:
        if layer["kind"] == "Linear":
            found += linear(layer["n_in"], layer["n_out"])
        if layer["kind"] == "Conv2D":
            found += conv2d(layer["c_in"], layer["c_out"], layer["k"])
    return found


# ---- 3. the decoded theta ----
def draw_theta_0(model, seed):
    theta_0 = []
    for lane, (size, fan_in) in enumerate(parameters(model)):
        theta_0 += [0.0] * size if fan_in is None else scheme.theta_0(seed, lane, fan_in, size)
    return theta_0


def product(P, theta_d):
    D, seed = P["D"], int(P["seed"])
    if P["kind"] == "fastfood":
        return scheme.fastfood_apply(theta_d, seed, D, P["blocks"], P["signs"])
    y = [0.0] * D
    for j, v in enumerate(theta_d):
        if P["kind"] == "dense":
            column = scheme.dense_column(seed, D, j, P["entries"])
        else:
            column = scheme.sparse_column(seed, D, j, P["density"])
        y = [y_i + P_ij * v for y_i, P_ij in zip(y, column, strict=True)]
    return y


def decode(parts, base=None):
    """θ of a file; base are the little-endian bytes of a pre-trained θ_0."""
    header = parts["header"]
    if base is None:
        theta_0 = draw_theta_0(header["model"], int(header["theta_0_seed"]))
    else:
        assert hashlib.sha256(base).hexdigest() == header["theta_0"]
        theta_0 = list(struct.unpack(f"<{len(base) // 4}f", base))
    if "T" in header:
        theta = moved(header, theta_0, [a + b for a, b in zip(start(header), parts["theta_d"], strict=True)])
    else:
        y = product(header["P"], parts["theta_d"])
        theta = [a + b for a, b in zip(theta_0, y, strict=True)]
    return struct.pack(f"<{len(theta)}f", *theta)


def fingerprint(parts, base=None):
    if "T" in parts["header"]:
        ones = [1.0] * len(parts["theta_d"])
        return hashlib.sha256(decode(parts | {"theta_d": ones}, base)).hexdigest()
    P = dict(parts["header"]["P"])
    return scheme.fingerprint(P.pop("kind"), P.pop("D"), P.pop("d"), int(P.pop("seed")), **P)


# ---- 6. the code of a quantised theta_d ----
TWO_30, TWO_31, TWO_32 = 2**30, 2**31, 2**32


def narrowed(low, high, f, k):
    """The share of symbol k, and the o of every doubling."""
    w, a, t = high - low, sum(f[:k]), sum(f)
    low, high = low + w * a // t, low + w * (a + f[k]) // t
    offsets = []
    while True:
        if high <= TWO_31:
            o = 0
        elif low >= TWO_31:
            o = TWO_31
        elif low >= TWO_30 and high <= 3 * TWO_30:
            o = TWO_30
        else:
            return low, high, offsets
        offsets.append(o)
        low, high = 2 * (low - o), 2 * (high - o)


def decode_symbols(bits, K, d):
    low, high, f, symbols = 0, TWO_32, [1] * K, []
    bits = iter(bits)
    x = 0
    for _ in range(32):
        x = 2 * x + next(bits, 0)
    for _ in range(d):
        place, k = ((x - low + 1) * sum(f) - 1) // (high - low), 0
        while not sum(f[:k]) <= place < sum(f[: k + 1]):
            k += 1
        low, high, offsets = narrowed(low, high, f, k)
        for o in offsets:
            x = 2 * (x - o) + next(bits, 0)
        f[k] += 2
        symbols.append(k)
    return symbols


def encode_symbols(symbols, K):
    low, high, f, pending, written = 0, TWO_32, [1] * K, 0, []
    for k in symbols:
        low, high, offsets = narrowed(low, high, f, k)
        f[k] += 2
        for o in offsets:
            if o == TWO_30:
                pending += 1
            else:
                b = o // TWO_31
                written += [b] + [1 - b] * pending
                pending = 0
    b = int(low >= TWO_30)
    return written + [b] + [1 - b] * (pending + 1)


def decode_theta_d(code, d):
    K = code[0] % 128 + 1
    if code[0] >= 128:
        levels = struct.unpack_from(f"<{K}e", code, 1)
    else:
        (step,) = struct.unpack_from("<e", code, 1)
        levels = [(k - (K - 1) / 2) * step for k in range(K)]
    assert list(levels) == sorted(set(levels))
    rest = code[1 + 2 * K if code[0] >= 128 else 3 :]
    bits = [byte >> place & 1 for byte in rest for place in range(7, -1, -1)]
    symbols = decode_symbols(bits, K, d)
    again = encode_symbols(symbols, K)
    assert bits == again + [0] * (-len(again) % 8)
    return [levels[k] for k in symbols]


# ---- 7. another parametrisation ----
def matrices(model):
    """(n_in, n_out) of every kernel, and the place in θ of each of its entries, row by row."""
    found, at = [], 0
    convolution = model.get("architecture") == "lenet"
    for number, (size, fan_in) in enumerate(parameters(model)):
        if fan_in is not None:
            n_out = size // fan_in
            turned = convolution and number < 4  # the two kernels (c_out, c_in, k, k) of a LeNet
            places = [
                at + (j * fan_in + i if turned else i * n_out + j)
                for i in range(fan_in)
                for j in range(n_out)
            ]
            found.append((fan_in, n_out, places))
        at += size
    return found


def normals(seed, lane, count, sd):
    return [g * (2.0**-20 * sd) for g in scheme.normals(seed, 19, lane, count)]


def multiply(A, B, n_in, r, n_out):
    rows = []
    for i in range(n_in):
        row = [A[i * r] * B[j] for j in range(n_out)]
        for k in range(1, r):
            row = [x + A[i * r + k] * B[k * n_out + j] for j, x in enumerate(row)]
        rows += row
    return rows


def lora_start(T, model, r):
    v = []
    for lane, (n_in, n_out, _) in enumerate(matrices(model)):
        v += normals(int(T["seed"]), lane, n_in * r, 1 / math.sqrt(n_in)) + [0.0] * (r * n_out)
    return v


def start(header):
    T, model = header["T"], header["model"]
    kind, shapes = T["kind"], matrices(model)
    if kind == "lora":
        return lora_start(T, model, T["r"])
    if kind == "lora_fa":
        return [0.0] * sum(T["r"] * n_out for _, n_out, _ in shapes)
    if kind == "vera":
        return [x for _, n_out, _ in shapes for x in [0.1] * T["r"] + [0.0] * n_out]
    if kind == "said":
        m = len(parameters(model))
        return [0.0] * (T["d"] - m) + [1.0] * m
    if kind == "uni_lora":
        return [0.02 * x for x in scheme.uniform(int(T["seed"]), 19, 0, T["d"])]
    if kind == "sub_lora":
        return [0.0] * T["d"]
    assert (kind, T["names"]) == ("only", "*.b")
    return [0.0] * sum(size for size, fan_in in parameters(model) if fan_in is None)


def one_hot(v, seed, N):
    h = [place % len(v) for place in scheme.permutation(seed, 15, 0, N)]
    n = [h.count(j) for j in range(len(v))]
    return [1 / math.sqrt(n[j]) * v[j] for j in h]


def moved(header, theta_0, v):
    T, model, theta = header["T"], header["model"], list(theta_0)
    kind, seed, at = T["kind"], int(T["seed"]), 0
    if kind == "said":
        m = len(parameters(model))
        y = scheme.fastfood_apply(v[:-m], seed, len(theta), "stacked", True)
        for (size, _), scale in zip(parameters(model), v[-m:], strict=True):
            for i in range(at, at + size):
                theta[i] += y[i] * scale
            at += size
        return theta
    if kind == "only":
        for size, fan_in in parameters(model):
            if fan_in is None:
                theta[at : at + size] = [x + v.pop(0) for x in theta[at : at + size]]
            at += size
        return theta
    r, shapes = T["r"], matrices(model)
    scale = T.get("alpha", r) / (math.sqrt(r) if T.get("stabilised") else r)
    if kind in ("uni_lora", "sub_lora"):
        factors = lora_start(T, model, r)
        if kind == "uni_lora":
            v = one_hot(v, seed, len(factors))
        else:
            v = [
                a + b
                for a, b in zip(
                    factors, scheme.fastfood_apply(v, seed, len(factors), "stacked", True), strict=True
                )
            ]
    widest, broadest = (max(shape[k] for shape in shapes) for k in (0, 1))
    for lane, (n_in, n_out, places) in enumerate(shapes):
        if kind == "vera":
            A = normals(seed, 0, widest * r, math.sqrt(2 / widest))[: n_in * r]
            B = normals(seed, 1, r * broadest, math.sqrt(2 / r))
            B = [B[k * broadest + j] for k in range(r) for j in range(n_out)]
            d, b, v = v[:r], v[r : r + n_out], v[r + n_out :]
            A = [a * d[i % r] for i, a in enumerate(A)]
            delta = [x * b[i % n_out] for i, x in enumerate(multiply(A, B, n_in, r, n_out))]
        else:
            if kind == "lora_fa":
                A = normals(seed, lane, n_in * r, 1 / math.sqrt(n_in))
            else:
                A, v = v[: n_in * r], v[n_in * r :]
            B, v = v[: r * n_out], v[r * n_out :]
            delta = [scale * x for x in multiply(A, B, n_in, r, n_out)]
        for place, x in zip(places, delta, strict=True):
            theta[place] += x
    return theta
