"""subspace_gradient in fractions; mlp_loss_grad, lenet_loss_grad and trajectory in decimals of 40 digits."""

from decimal import Decimal
from fractions import Fraction

import random_from_the_page as page

from vectorgen import exact, nets
from vectorgen.drawing import BAD_SEED, LARGE_ENTRIES, large, thirds
from vectorgen.exact import flat, product, transposed
from vectorgen.pack import Group, U, floats, integers, scalar

BAD_SHAPE = "A vector has another length than the network, P or the labels need, and must be refused."
SUBSPACE = "θ = θ_0 + P θ_d,  L = ½ Σ_i λ_i (θ_i − t_i)²,  grad = Pᵀ ∂L/∂θ"
NETWORK = (
    "L = mean over the batch of −log softmax(logits)[label], grad = ∂L/∂θ (D,); θ = layers in order, "
    "inside a layer W then b, each in C order"
)
NET_REASON = "worked out with 40 digits; 8·K·u times the largest entry (of Pᵀ g: K·u times |Pᵀ| |g|), K = number of roundings along the longest chain, u = 2⁻²⁴ or 2⁻⁵³: a rule of thumb with room for any order of summation"


def near(values, dtype, K, room=8):
    """A bound that grows with the number of roundings."""
    return exact.upwards(room * K * U[dtype] * max(abs(float(x)) for x in values))


# ---- subspace_gradient ----
def quadratic(theta_0, theta_d, P, curvature, target):
    """Loss and gradient, and both with absolute values throughout."""
    found = []
    for sign, f in ((-1, lambda x: x), (1, abs)):
        rows = [[f(x) for x in row] for row in P]
        theta = [
            f(Fraction(a)) + b for a, b in zip(theta_0, product(rows, [f(t) for t in theta_d]), strict=True)
        ]
        gap = [t + sign * f(Fraction(u)) for t, u in zip(theta, target, strict=True)]
        loss = sum(Fraction(c) * r * r for c, r in zip(curvature, gap, strict=True)) / 2
        slope = [Fraction(c) * r for c, r in zip(curvature, gap, strict=True)]
        found += [loss, product(transposed(rows), slope)]
    return found


def subspace_gradient():
    reason = "exact, rounded to float64; (D + 2d + 8) u times the same with absolute values, u = 2⁻²⁴ or 2⁻⁵³"
    names = ("curvature", "target")
    given = Group(
        "given", "loss_grad", SUBSPACE, ("theta_d", "theta_0", "P", *names), ("loss", "grad"), reason
    )
    drawn = ("theta_d", "theta_0_seed", "fan_in", "P_seed", "kind", "D", "d", *names)
    scheme = "; θ_0 He-normal of (theta_0_seed, lane 0) with this fan_in, P of (P_seed, kind, D, d): docs/random.md, sections 5 to 8"
    seeded = Group("seeded", "loss_grad", SUBSPACE + scheme, drawn, ("loss", "grad"), reason)
    for k, (D, d, kind, dtype) in enumerate(
        [(6, 2, "dense", "float64"), (9, 1, "fastfood", "float64"), (12, 5, "fastfood", "float32"), (16, 3, "sparse", "float64"), (4, 4, "dense", "float32")]
    ):  # fmt: skip
        matrix, options, own = add_quadratic(given, seeded, k, D, d, kind, dtype)
    given.refuse("theta_d has 5 entries, d = 4", {"theta_d": floats([1.0] * 5)} | matrix | own, ["BadShape"], "float32")  # fmt: skip
    inputs = {"theta_d": floats([1.0] * 4)} | options | {"theta_0_seed": str(2**64)} | own
    seeded.refuse("theta_0_seed 2**64", inputs, ["BadSeed"], "float32")
    add_quadratic(given, seeded, 7, 14, 6, "dense", "float64", large)
    notes = {
        "Large": LARGE_ENTRIES,
        "Start": "θ_d = 0, so that θ = θ_0.",
        "One": "d = 1.",
        "Square": "d = D.",
        "BadShape": BAD_SHAPE,
        "BadSeed": BAD_SEED,
    }
    return notes, [given, seeded]


def add_quadratic(given, seeded, k, D, d, kind, dtype, draw=thirds):
    """The same subspace in both; its P, its options, and what it is asked about."""
    P_seed, fan_in = 11 + k, 3 + k
    if kind == "sparse":
        assert all(page.sparse_rows(P_seed, D, j) for j in range(d))
    P = exact.columns_of({"kind": kind, "D": D, "d": d, "P_seed": P_seed, "dtype": dtype})
    theta_0 = page.theta_0(2**64 - 1 - k, 0, fan_in, D, dtype)
    theta_d = [0.0] * d if k == 0 else draw(50 + k, d, dtype)
    curvature, target = [abs(x) for x in thirds(60 + k, D, dtype)], draw(70 + k, D, dtype)
    in_dtype = [[page.DTYPES[dtype](float(x)) for x in row] for row in P]
    own = {"curvature": floats(curvature, dtype), "target": floats(target, dtype)}
    flags = ["Start"] * (k == 0) + ["One"] * (d == 1) + ["Square"] * (d == D) + ["Large"] * (draw is large)
    comment = f"D = {D}, d = {d}, {kind}, {dtype}" + ", large entries" * (draw is large)
    options = {
        "theta_0_seed": str(2**64 - 1 - k),
        "fan_in": fan_in,
        "P_seed": str(P_seed),
        "kind": kind,
        "D": D,
        "d": d,
    }
    matrix = {"theta_0": floats(theta_0, dtype), "P": floats(flat(in_dtype), dtype, (D, d))}
    for group, entries, more in ((given, in_dtype, matrix), (seeded, P, options)):
        loss, grad, most, steepest = quadratic(theta_0, theta_d, entries, curvature, target)
        unit = (D + 2 * d + 8 + (group is seeded) * 2 * d) * U[dtype]
        bound = {
            "loss": exact.upwards(unit * float(most)),
            "grad": exact.upwards(unit * float(max(steepest))),
        }
        inputs = {"theta_d": floats(theta_d, dtype)} | more | own
        group.add(comment, inputs, {"loss": scalar(loss), "grad": floats(grad)}, bound, flags, dtype)
    return matrix, options, own


# ---- networks ----
def chain(layers, n):
    """K: terms of the sums that follow one another, forward and backward, the mean over n, softmax."""
    return 2 * sum(nets.sizes_of(layer)[2] + 1 for layer in layers) + n + 16


def add_network(group, comment, inputs, layers, in_shape, theta, x, labels, dtype, flags=()):
    loss, grad = nets.loss_and_grad(layers, in_shape, theta, x, labels)
    K = chain(layers, len(labels))
    bound = {"loss": near([loss, 1], dtype, K), "grad": near(grad, dtype, K)}
    assert loss > 0.01
    group.add(comment, inputs, {"loss": scalar(loss), "grad": floats(grad)}, bound, flags, dtype)


def mlp_loss_grad():
    given = Group(
        "given", "loss_grad", NETWORK, ("theta", "x", "labels", "sizes"), ("loss", "grad"), NET_REASON
    )
    seeded = Group(
        "seeded", "loss_grad", NETWORK + "; θ = θ_0 of theta_0_seed: docs/random.md, section 5",
        ("theta_0_seed", "x", "labels", "sizes"), ("loss", "grad"), NET_REASON,
    )  # fmt: skip
    for k, (sizes, n, dtype) in enumerate([
        ([3, 2], 1, "float64"), ([2, 3], 4, "float32"), ([3, 4, 2], 3, "float64"), ([3, 4, 2], 3, "float32"),
        ([5, 4, 3, 6], 2, "float64"), ([1, 1, 2], 2, "float64"),
    ]):  # fmt: skip
        layers, seed = nets.mlp_layers(sizes), 2**63 + 1 + k
        x = thirds(100 + k, n * sizes[0], dtype)
        labels = [(2 * i + k) % sizes[-1] for i in range(n)]
        data = {"x": floats(x, dtype, (n, sizes[0])), "labels": integers(labels), "sizes": sizes}
        comment = f"{'-'.join(map(str, sizes))}, n = {n}, {dtype}"
        flags = ["ThetaOrder"] * (len(set(sizes)) > 2) + ["NoHidden"] * (len(sizes) == 2)
        theta, theta_0 = (
            thirds(110 + k, nets.dimension(layers), dtype),
            nets.draw_theta_0(layers, seed, dtype),
        )
        for group, at, own in (
            (given, theta, {"theta": floats(theta, dtype)}), (seeded, theta_0, {"theta_0_seed": str(seed)})
        ):  # fmt: skip
            add_network(group, comment, own | data, layers, (sizes[0],), at, x, labels, dtype, flags)
    large = [x * 300 for x in thirds(119, 6)]
    data = {"x": floats(large, "float64", (2, 3)), "labels": integers([1, 0]), "sizes": [3, 2]}
    theta = [3.0 * t for t in thirds(118, 8)]
    inputs, layers = {"theta": floats(theta)} | data, nets.mlp_layers([3, 2])
    add_network(
        given, "logits of hundreds", inputs, layers, (3,), theta, large, [1, 0], "float64", ["LargeLogits"]
    )
    for comment, changed, flag in [
        ("theta has 25 entries, D = 26", {"theta": floats([0.5] * 25)}, "BadShape"),
        ("theta has 27 entries, D = 26", {"theta": floats([0.5] * 27)}, "BadShape"),
        ("label 2 of 2 classes", {"labels": integers([0, 2, 1])}, "BadLabel"),
        ("label −1", {"labels": integers([0, -1, 1])}, "BadLabel"),
        ("two labels for three examples", {"labels": integers([0, 1])}, "BadShape"),
    ]:
        x = floats([1.0] * 9, "float64", (3, 3))
        whole = {"theta": floats([0.5] * 26), "x": x, "labels": integers([0, 1, 1]), "sizes": [3, 4, 2]}
        given.refuse(comment, whole | changed, [flag], "float64")
    seeded.refuse("theta_0_seed −1", {"theta_0_seed": "-1"} | data, ["BadSeed"], "float64")
    notes = {
        "ThetaOrder": "The sizes differ, so that a transposed W or an exchanged b shows.",
        "NoHidden": "One layer: softmax regression.",
        "LargeLogits": "exp overflows or vanishes unless the largest logit is subtracted first.",
        "BadShape": BAD_SHAPE,
        "BadLabel": "A label is no integer with 0 ≤ label < classes, and must be refused.",
        "BadSeed": BAD_SEED,
    }
    return notes, [given, seeded]


def lenet_layers(c, first, second, k, features, hidden, classes, relu=True):
    """The order of LeNet: convolution, ReLU, pooling, twice; then the dense part."""
    layers = []
    for c_in, c_out in ((c, first), (first, second)):
        layers += [{"kind": "Conv2D", "c_in": c_in, "c_out": c_out, "k": k}, *[{"kind": "ReLU"}] * relu, {"kind": "MaxPool2D", "size": 2}]  # fmt: skip
    return [*layers, {"kind": "Flatten"}, *nets.mlp_layers([features, *hidden, classes])]


def images(theta, x, labels, in_shape, dtype):
    """What is asked about one network of convolutions."""
    x = floats(x, dtype, (len(labels), *in_shape))
    return {"theta": floats(theta, dtype), "x": x, "labels": integers(labels), "in_shape": in_shape}


def lenet_loss_grad():
    given = Group(
        "given", "loss_grad", f"{NETWORK}; Conv2D W (c_out, c_in, k, k), y = x ⋆ W + b without flipping W, images (n, c, h, w)",
        ("theta", "x", "labels", "in_shape", "layers"), ("loss", "grad"), NET_REASON,
    )  # fmt: skip
    seeded = Group(
        "seeded", "subspace_loss_grad",
        f"{NETWORK}; LeNet 6c5-16c5-120-84-classes (conv, ReLU, 2×2 pooling, twice), θ = θ_0 + P θ_d, grad = Pᵀ ∂L/∂θ (d,)",
        ("theta_d", "theta_0_seed", "P_seed", "kind", "D", "d", "x", "labels", "in_shape", "classes"), ("loss", "grad"), NET_REASON,
    )  # fmt: skip
    for k, (side, c, relu, dtype, n) in enumerate([
        (10, 1, True, "float64", 2), (11, 2, True, "float64", 1), (10, 1, True, "float32", 2), (10, 1, False, "float64", 1),
    ]):  # fmt: skip
        layers = lenet_layers(c, 2, 3, 3, 3, [4], 3, relu)
        theta = thirds(200 + k, nets.dimension(layers), dtype)
        x = thirds(210 + k, n * c * side * side, dtype)
        labels = [(i + k) % 3 for i in range(n)]
        inputs = images(theta, x, labels, [c, side, side], dtype) | {"layers": layers}
        flags = ["OddPool"] * (side == 11) + ["ConvNoReLU"] * (not relu) + ["ThetaOrder"]
        comment = f"{c}×{side}×{side}, 2c3-3c3-4-3, n = {n}, {dtype}" + ", no ReLU after convolutions" * (not relu)  # fmt: skip
        add_network(given, comment, inputs, layers, (c, side, side), theta, x, labels, dtype, flags)
    given.refuse("theta is one entry short", inputs | {"theta": floats(theta[:-1])}, ["BadShape"], "float64")
    given.refuse("label 3 of 3 classes", inputs | {"labels": integers([3])}, ["BadLabel"], "float64")
    for flag, side, features in (("Large", 10, 3), ("Ties", 14, 12)):
        layers = lenet_layers(1, 2, 3, 3, features, [4], 3)
        theta, x = large(206, nets.dimension(layers)), large(216, 3 * side * side)
        if flag == "Ties":  # multiples of 1/4 and 1/32, and biases that keep them from 0
            quarters = [round(t) / 4 for t in theta]
            theta = [*quarters[:18], *[1 / 8] * 2, *quarters[20:74], *[1 / 64] * 3, *theta[77:]]
            x = [float(t > 0) for t in x]
        inputs = images(theta, x, [2, 0, 1], [1, side, side], "float64") | {"layers": layers}
        comment = f"1×{side}×{side}, 2c3-3c3-4-3, n = 3, float64, {flag.lower()}"
        flags = [flag, "ThetaOrder"]
        add_network(given, comment, inputs, layers, (1, side, side), theta, x, [2, 0, 1], "float64", flags)
    layers, d = lenet_layers(1, 6, 16, 5, 16, [120, 84], 4), 2
    D = nets.dimension(layers)
    seed, P_seed, kind = 2**64 - 1, 6, "fastfood"
    theta_0, theta_d = nets.draw_theta_0(layers, seed), [0.5, -0.25]
    P = exact.fastfood_matrix(*exact.fastfood_factors(P_seed, D, d), d, Decimal)
    x, labels = [round(8 * t) / 8 for t in thirds(220, 256)], [2]
    theta = [Decimal(a) + b for a, b in zip(theta_0, product(P, theta_d, Decimal), strict=True)]
    loss, grad_theta = nets.loss_and_grad(layers, (1, 16, 16), theta, x, labels, 1e-9)
    grad = product(transposed(P), grad_theta, Decimal)
    K = chain(layers, 1)
    largest = product(exact.absolute(transposed(P)), [abs(x) for x in grad_theta], Decimal)
    bound = {"loss": near([loss, 1], "float64", K), "grad": near(largest, "float64", K, 1)}
    drawn = {"theta_0_seed": str(seed), "P_seed": str(P_seed), "kind": kind, "D": D, "d": d}
    data = {
        "x": floats(x, "float64", (1, 1, 16, 16)),
        "labels": integers(labels),
        "in_shape": [1, 16, 16],
        "classes": 4,
    }
    inputs, expected = (
        {"theta_d": floats(theta_d)} | drawn | data,
        {"loss": scalar(loss), "grad": floats(grad)},
    )
    seeded.add(f"LeNet on 1×16×16, D = {D}, d = 2", inputs, expected, bound, dtype="float64")
    seeded.refuse("P_seed 2**64", inputs | {"P_seed": str(2**64)}, ["BadSeed"], "float64")
    notes = {
        "ThetaOrder": "The sizes differ, so that a transposed W or an exchanged b shows.",
        "Large": LARGE_ENTRIES,
        "Ties": "Windows with equal largest entries: the first gets the gradient. Flattened are maps of 2×2, so their order shows.",
        "OddPool": "9×9 before the pooling: the last row and column are dropped.",
        "ConvNoReLU": "The net as the authors released it: no ReLU after the convolutions.",
        "BadShape": BAD_SHAPE,
        "BadLabel": "A label is no integer with 0 ≤ label < classes, and must be refused.",
        "BadSeed": BAD_SEED,
    }
    return notes, [given, seeded]


# ---- trajectory ----
RULES = {
    "sgd": "u ← momentum·u + g, θ_d ← θ_d − lr·u, u = 0 at first",
    "adam": "m ← β1 m + (1 − β1) g, v ← β2 v + (1 − β2) g², θ_d ← θ_d − lr √(1 − β2^t)/(1 − β1^t) · m/(√v + ε), t = 1, 2, ...",
}
OPTIONS = {
    "sgd": [{"lr": 0.5, "momentum": 0.0}, {"lr": 0.1, "momentum": 0.9}],
    "adam": [
        {"lr": 0.0625, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8},
        {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 0.001},
    ],
}
LARGE = {
    "sgd": [{"lr": 0.125, "momentum": 0.5}],
    "adam": [
        {"lr": 0.0625, "beta1": 0.5, "beta2": 0.5, "eps": 0.001}
    ],  # v falls again, and AMSGrad's does not
}


def trajectory():
    sizes, n, steps, d = [3, 4, 2], 6, 10, 5
    layers = nets.mlp_layers(sizes)
    D, groups = nets.dimension(layers), []
    x, labels = thirds(300, n * 3), [0, 1, 1, 0, 1, 0]
    data = {"x": floats(x, "float64", (n, 3)), "labels": integers(labels), "sizes": sizes}
    seed, P_seed, kind = 17, 2**64 - 2, "fastfood"
    theta_0 = nets.draw_theta_0(layers, seed)
    P = exact.columns_of({"kind": kind, "D": D, "d": d, "P_seed": P_seed})
    rounded = [[float(p) for p in row] for row in P]
    reason = "worked out with 40 digits; 10⁻¹² times the largest entry: some hundred roundings a step, which ten steps enlarge little, while a wrong constant shows in the first digits"
    for rule, formula in RULES.items():
        names = tuple(OPTIONS[rule][0])
        text = f"θ = θ_0 + P θ_d, g = Pᵀ ∂L/∂θ over the whole batch, from θ_d = 0, θ_d after each of ten steps (10, d): {formula}"
        given = Group("given", rule, text, ("theta_0", "P", "x", "labels", "sizes", *names), ("path",), reason)  # fmt: skip
        drawn = ("theta_0_seed", "P_seed", "kind", "D", "d", "x", "labels", "sizes", *names)
        seeded = Group("seeded", rule, text, drawn, ("path",), reason)

        def ask(options, times=1, given=given, seeded=seeded, rule=rule):
            inputs = [times * entry for entry in x]
            seen = data | {"x": floats(inputs, "float64", (n, 3))}
            for group, entries in ((given, rounded), (seeded, P)):

                def gradient(theta_d, entries=entries):
                    moved = product(entries, theta_d, as_decimal)
                    theta = [Decimal(a) + b for a, b in zip(theta_0, moved, strict=True)]
                    _, grad = nets.loss_and_grad(layers, (3,), theta, inputs, labels, 1e-6)
                    return product(transposed(entries), grad, as_decimal)

                path = flat(getattr(nets, rule)([0.0] * d, gradient, steps, *options.values()))
                more = {"theta_0": floats(theta_0), "P": floats(flat(rounded), "float64", (D, d))}
                if group is seeded:
                    more = {"theta_0_seed": str(seed), "P_seed": str(P_seed), "kind": kind, "D": D, "d": d}
                comment = ", ".join(f"{name} = {value}" for name, value in options.items())
                comment += f", x times {times}" * (times > 1)
                bound = {"path": exact.upwards(1e-12 * float(max(map(abs, path))))}
                expected = {"path": floats(path, "float64", (steps, d))}
                group.add(comment, more | seen | options, expected, bound, dtype="float64")

        for options in OPTIONS[rule]:
            ask(options)
        bad = {"theta_0": floats(theta_0[:-1]), "P": floats(flat(rounded), "float64", (D, d))}
        given.refuse(f"theta_0 has 25 entries, D = {D}", bad | data | options, ["BadShape"], "float64")
        for options in LARGE[rule]:  # beside the first tests, whose gradients have a norm below 1 and grow
            ask(options, times=8)
        groups += [given, seeded]
    return {"BadShape": BAD_SHAPE}, groups


def as_decimal(x):
    """Of a fraction too."""
    return Decimal(x.numerator) / Decimal(x.denominator) if isinstance(x, Fraction) else Decimal(x)
