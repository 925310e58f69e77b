"""Networks, their gradients and their training in decimals of 40 digits: loops over single numbers, no matrices."""

import math
from decimal import Decimal, getcontext
from fractions import Fraction
from itertools import pairwise, product

import random_from_the_page as page

getcontext().prec = 40
ZERO = Decimal(0)


# ---- layers: forward gives y and its shape; backward gives dx, dW and db ----
def linear_forward(layer, W, b, x, shape):
    n, m = layer["n_in"], layer["n_out"]
    return [b[j] + sum((x[i] * W[i * m + j] for i in range(n)), ZERO) for j in range(m)], (m,)


def linear_backward(layer, W, x, shape, y, dy):
    n, m = layer["n_in"], layer["n_out"]
    dx = [sum((W[i * m + j] * dy[j] for j in range(m)), ZERO) for i in range(n)]
    return dx, [x[i] * dy[j] for i in range(n) for j in range(m)], list(dy)


def windows(layer, shape):
    """(place in y, place in x, place in W) of every product of a convolution."""
    (c, h, w), o, k = shape, layer["c_out"], layer["k"]
    H, W = h - k + 1, w - k + 1
    for q, i, j in product(range(o), range(H), range(W)):
        for p, a, b in product(range(c), range(k), range(k)):
            yield (q * H + i) * W + j, (p * h + i + a) * w + j + b, ((q * c + p) * k + a) * k + b


def conv2d_forward(layer, W, b, x, shape):
    out = (layer["c_out"], shape[1] - layer["k"] + 1, shape[2] - layer["k"] + 1)
    y = [b[q] for q in range(out[0]) for _ in range(out[1] * out[2])]
    for at_y, at_x, at_W in windows(layer, shape):
        y[at_y] += W[at_W] * x[at_x]
    return y, out


def conv2d_backward(layer, W, x, shape, y, dy):
    dx, dW = [ZERO] * len(x), [ZERO] * len(W)
    for at_y, at_x, at_W in windows(layer, shape):
        dx[at_x] += W[at_W] * dy[at_y]
        dW[at_W] += x[at_x] * dy[at_y]
    n = len(dy) // layer["c_out"]
    return dx, dW, [sum(dy[q * n : (q + 1) * n], ZERO) for q in range(layer["c_out"])]


def relu_forward(layer, W, b, x, shape):
    return [max(t, ZERO) for t in x], shape


def relu_backward(layer, W, x, shape, y, dy):
    return [g if t > 0 else ZERO for t, g in zip(x, dy, strict=True)], [], []


def pool_places(layer, shape):
    """Of every output, the places in x of its window, in C order."""
    c, h, w = shape
    s = layer["size"]
    for p, i, j in product(range(c), range(h // s), range(w // s)):
        yield [(p * h + i * s + a) * w + j * s + b for a in range(s) for b in range(s)]


def pool_forward(layer, W, b, x, shape):
    s = layer["size"]
    return [max(x[k] for k in window) for window in pool_places(layer, shape)], (
        shape[0],
        shape[1] // s,
        shape[2] // s,
    )


def pool_backward(layer, W, x, shape, y, dy):
    dx = [ZERO] * len(x)
    for window, g in zip(pool_places(layer, shape), dy, strict=True):
        dx[max(window, key=lambda k: x[k])] += g  # the first of equal ones, as `max` gives
    return dx, [], []


def flatten_forward(layer, W, b, x, shape):
    return x, (math.prod(shape),)


def flatten_backward(layer, W, x, shape, y, dy):
    return dy, [], []


LAYERS = {
    "Linear": (linear_forward, linear_backward),
    "Conv2D": (conv2d_forward, conv2d_backward),
    "ReLU": (relu_forward, relu_backward),
    "MaxPool2D": (pool_forward, pool_backward),
    "Flatten": (flatten_forward, flatten_backward),
}


# ---- the whole network ----
def sizes_of(layer):
    """Entries of W and of b, and fan_in."""
    if layer["kind"] == "Linear":
        return layer["n_in"] * layer["n_out"], layer["n_out"], layer["n_in"]
    if layer["kind"] == "Conv2D":
        fan_in = layer["c_in"] * layer["k"] ** 2
        return fan_in * layer["c_out"], layer["c_out"], fan_in
    return 0, 0, 0


def dimension(layers):
    return sum(sizes_of(layer)[0] + sizes_of(layer)[1] for layer in layers)


def mlp_layers(sizes):
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [{"kind": "Linear", "n_in": n_in, "n_out": n_out}, {"kind": "ReLU"}]
    return layers[:-1]


def draw_theta_0(layers, seed, dtype="float64"):
    theta_0, lane = [], 0
    for layer in layers:
        size, biases, fan_in = sizes_of(layer)
        if size:
            theta_0 += page.theta_0(seed, lane, fan_in, size, dtype) + [0.0] * biases
            lane += 2
    return theta_0


def loss_and_grad(layers, in_shape, theta, x, labels, margin=1e-4):
    """Mean cross-entropy and its gradient; `margin` is how far from every kink the numbers must stay."""
    theta = [Decimal(t) for t in theta]
    n, loss, grad = len(labels), ZERO, [ZERO] * len(theta)
    size = math.prod(in_shape)
    for k, label in enumerate(labels):
        y, shape, start, tape = [Decimal(t) for t in x[k * size : (k + 1) * size]], in_shape, 0, []
        for layer in layers:
            weights, biases, _ = sizes_of(layer)
            W, b = theta[start : start + weights], theta[start + weights : start + weights + biases]
            check_margin(layer, y, shape, margin)
            forward, backward = LAYERS[layer["kind"]]
            out, out_shape = forward(layer, W, b, y, shape)
            tape.append((layer, backward, W, y, shape, out, start))
            y, shape, start = out, out_shape, start + weights + biases
        exps = [(z - max(y)).exp() for z in y]
        total = sum(exps)
        loss += (total.ln() - (y[label] - max(y))) / n
        dy = [(e / total - (j == label)) / n for j, e in enumerate(exps)]
        for layer, backward, W, before, shape, after, start in reversed(tape):
            dy, dW, db = backward(layer, W, before, shape, after, dy)
            for i, g in enumerate([*dW, *db]):
                grad[start + i] += g
    return loss, grad


# Parts of 1: what is so coarse is exact in float32 in any order of summation, and so is a tie.
EXACT = 1 << 20


def check_margin(layer, x, shape, margin):
    if layer["kind"] == "ReLU":
        assert min(map(abs, x)) > margin, f"a ReLU is {float(min(map(abs, x)))} from its kink"
    if layer["kind"] == "MaxPool2D":
        for window in pool_places(layer, shape):
            first, second = sorted((x[k] for k in window), reverse=True)[:2]
            tie = first == second and Fraction(first).denominator <= EXACT
            assert first - second > margin or tie, "two entries of a window are nearly equal"


# ---- ten steps ----
def sgd(start, gradient, steps, lr, momentum):
    lr, momentum = Decimal(lr), Decimal(momentum)
    theta, u, path = [Decimal(t) for t in start], [ZERO] * len(start), []
    for _ in range(steps):
        u = [momentum * a + g for a, g in zip(u, gradient(theta), strict=True)]
        theta = [t - lr * a for t, a in zip(theta, u, strict=True)]
        path.append(theta)
    return path


def adam(start, gradient, steps, lr, beta1, beta2, eps):
    lr, beta1, beta2, eps = (Decimal(x) for x in (lr, beta1, beta2, eps))
    theta, m, v, path = [Decimal(t) for t in start], [ZERO] * len(start), [ZERO] * len(start), []
    for t in range(1, steps + 1):
        grad = gradient(theta)
        m = [beta1 * a + (1 - beta1) * g for a, g in zip(m, grad, strict=True)]
        v = [beta2 * a + (1 - beta2) * g * g for a, g in zip(v, grad, strict=True)]
        lr_t = lr * (1 - beta2**t).sqrt() / (1 - beta1**t)
        theta = [x - lr_t * a / (b.sqrt() + eps) for x, a, b in zip(theta, m, v, strict=True)]
        path.append(theta)
    return path
