"""Two-dimensional convolution; the definition is `reference/conv.py`.

An image is laid flat with rows of w' numbers, padding included, so that tap t = (c, a, b) is a shift
by offsets_t = (c h' + a) w' + b, and for the place q = i·s·w' + j·s of every (i, j) of the output

    y[o, q] = Σ_t W[o, t] x[q + offsets_t]        dW[o, t] = Σ_q dy[o, q] x[q + offsets_t]

The lanes of dW are output channels, and those of y where they are many or s > 1. Else they are places,
all from the first to the last: those between the end of an output row and the next one are computed too,
and left out when rows are copied. dx is the correlation of dy in a frame of zeros with the kernels turned
round; with a stride each pixel (α, β) of an s×s square of x has its own part, W[o, c, α + s A, β + s B].
A kernel of one tap, and one with one place, is a matrix. Where places are few, or much of the frame is met,
16 images lie side by side and places are taken one by one, each with the taps that meet its image.
Large kernels are taken to the frequency domain, as in the definition (`kernels/conv_spectrum.py`).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from npintdim.kernels import conv_spectrum
from npintdim.kernels.numba_cpu.machinery.share import each, frozen, jit, linger, shared, worth
from npintdim.kernels.numba_cpu.machinery.simd import LANES
from npintdim.kernels.numba_cpu.machinery.taps import (
    BATCH,
    FEW,
    FULL,
    IMAGES,
    PLACES,
    TAPS,
    add_dW,
    add_dW_inside,
    all_places,
    correlate,
    correlate_channels,
    correlate_inside,
)
from npintdim.kernels.numba_cpu.machinery.tile import multiply, seen, transpose
from npintdim.typing import Floats, Ints

# Partial sums of dW at most, whatever the number of threads; two where more would not stay in a cache.
PARTS, NEAR = 8, 2**18
AROUND = 16  # products that a number costs which is written, where images lie side by side
LOW = 1.01  # what a lower tile of dW costs
NEXT = np.int64(1)  # a step of 1; a plain 1 would have `multiply` compiled for it alone


@jit
def lay(image, before, frame, flat):
    """Put an image into a frame that begins so many rows and columns before it, or behind its first ones."""
    height, width = frame
    top, side = max(0, before), max(0, before)
    rows, columns = min(height, before + image.shape[1]) - top, min(width, before + image.shape[2]) - side
    for c in range(len(image)):
        for i in range(rows):
            line = flat[(c * height + top + i) * width + side :]
            pixels = image[c, top - before + i, side - before :]
            for j in range(columns):
                line[j] = pixels[j]


@jit
def strided(s, a, end):
    """Of a, a + s, ...: the first that is not below 0, and how many there are from it on below `end`."""
    start = max(a, a % s)
    return start, (end - start + s - 1) // s


@jit
def pick(flat, width, run, image, first, s):
    """Pixel first + s (i, j) of each channel, where there is one, from row i, column j of its plane."""
    (above, left), (height, wide) = first, image.shape[1:]
    top, rows = strided(s, above, height)
    side, columns = strided(s, left, wide)
    start = (top - above) // s * width + (side - left) // s
    for c in range(len(image)):
        for i in range(rows):
            line = flat[c * run + start + i * width :]
            if s == 1:
                for j in range(columns):
                    image[c, i, j] = line[j]
            else:
                for j in range(columns):
                    image[c, top + i * s, side + j * s] = line[j]


@jit
def tiled(rows, columns, width):
    """The lines of `correlate`: rows, if whole tiles fit into them, else one through all places."""
    long = (columns + PLACES - 1) // PLACES * PLACES
    if long <= width:
        return rows, long, width, width
    all_rows = ((rows - 1) * width + columns + PLACES - 1) // PLACES * PLACES
    return 1, all_rows, all_rows, width


@shared
def correlate_images(x, before, frame, s, W, phases, offsets, channels, group, y, step, work):
    """y of images x laid into a frame; of the pixels of each step×step square of y, every one has its own W.

    Lanes are channels, for a group of images at a time, or places, for one.
    """
    (height, width), k, (n, c, h, w) = frame, phases[0, 0], x.shape
    size, own = c * height * width, y.shape[1] * y.shape[2] * y.shape[3]
    lines = tiled((height - k) // s + 1, (width - k) // s + 1, width)
    flat = np.zeros(group * size + PLACES, x.dtype)
    out = np.empty(max(group * own, W.shape[1] // offsets.shape[1] * lines[0] * lines[2]), x.dtype)
    near = np.empty(BATCH * 2 * LANES, x.dtype)
    framed, whole = x.reshape(x.size), y.reshape(y.size)
    for part in each(work, 0, (n + group - 1) // group):
        first = part * group
        many = min(n - first, group)
        images = framed[first * c * h * w :]
        # the last tile of lanes of places reads on, into the next images
        if before != 0 or frame != (h, w) or (not channels and len(images) - size < PLACES):
            for i in range(many):
                lay(x[first + i], before, frame, flat[i * size :])
            images = seen(flat)
        for f in range(len(phases)):
            high, wide, above, left = phases[f]
            kernel, inside = (c, high, wide), (max(0, before) + high - k, before + h + high - k)
            if not channels:
                correlate(images, W[f], kernel, offsets[f], inside, lines, out)
                pick(out, width, lines[0] * lines[2], y[first], (above, left), step)
                continue
            (top, rows), (side, columns) = strided(step, above, y.shape[2]), strided(step, left, y.shape[3])
            if rows * columns == 0:
                continue
            i, j = (top - above) // step, (side - left) // step
            places = all_places(many, size, rows, columns, width, s, i * width + j)
            inside = inside[0] - i, inside[1] - i
            to, shape = whole[first * own :] if step == 1 else out, (y.shape[1], rows, columns)
            correlate_channels(images, W[f], kernel, offsets[f], inside, s, places, shape, near, to)
            for i in range(many if step > 1 else 0):
                start = i * y.shape[1] * rows * columns
                pick(out[start:], columns, rows * columns, y[first + i], (top, side), step)
    linger(work)


@shared
def correlate_side_by_side(x, before, s, W, phases, y, step, work):
    """The same without a frame: as many images at a time as there are lanes, and a block of channels."""
    k, (n, c, h, w), (_, channels, height, width) = phases[0, 0], x.shape, y.shape
    size, own, framed, whole = c * h * w, channels * height * width, x.reshape(x.size), y.reshape(y.size)
    block = 2 * LANES if x.itemsize == FULL else LANES
    blocks, laid = (channels + block - 1) // block, -1
    some, flat = np.zeros(LANES * size, x.dtype), np.empty(LANES * size, x.dtype)
    near = np.empty(LANES * BATCH * block, x.dtype)
    out = np.empty(LANES * block * height * width if step > 1 else 0, x.dtype)
    for part in each(work, 0, (n + LANES - 1) // LANES * blocks):
        begun, o = part // blocks * LANES, part % blocks * block
        many, images, real = min(n - begun, LANES), framed[begun * size :], min(block, channels - o)
        if laid != begun:
            if many < LANES:
                some[: many * size] = images[: many * size]
                images = seen(some)
            for i in range(c):
                transpose(images, i * h * w, size, LANES, h * w, flat, i * LANES, c * LANES)
            laid = begun
        for f in range(len(phases)):
            high, wide, above, left = phases[f]
            (top, rows), (side, columns) = strided(step, above, height), strided(step, left, width)
            if rows * columns == 0:
                continue
            first = k - high - before + (top - above) // step, k - wide - before + (side - left) // step
            run = own if step == 1 else real * rows * columns
            to = whole[begun * own + o * rows * columns :] if step == 1 else out
            kernel, shape = (c, high, wide), (real, rows, columns)
            of_block = W[f, W.shape[1] // (channels + -channels % LANES) * o :]
            correlate_inside(seen(flat), of_block, kernel, (h, w), first, s, shape, many, run, near, to)
            for i in range(many if step > 1 else 0):
                pick(out[i * run :], columns, rows * columns, y[begun + i, o : o + real], (top, side), step)
    linger(work)


@shared
def multiply_images(W, row, step, x, y, work):
    """y[n, o] = Σ_c W[o · row + c · step] x[n, c]."""
    c, o, many = x.shape[1], y.shape[1], x.shape[2] * x.shape[3]
    numbers, images, out = W.reshape(W.size), x.reshape(x.size), y.reshape(y.size)
    for i in each(work, 0, len(x)):
        multiply(numbers, 0, row, step, images, i * c * many, out, i * o * many, o, c, many)
    linger(work)


@shared
def dW_parts(x, before, frame, k, s, inside, offsets, dy, group, sums, work):
    """sums[q] of part q of the images; `inside`: of each tap only places where it meets the image."""
    (height, width), (n, channels, rows, columns) = frame, dy.shape
    many, run, size = sums.shape[2], rows * columns, x.shape[1] * height * width
    laid, framed = before > 0 and not inside, x.reshape(x.size)
    flat, dyT = np.zeros(group * size if laid else 0, x.dtype), np.zeros(group * run * many, x.dtype)
    for q in each(work, 0, len(sums)):
        end = n * (q + 1) // len(sums)
        for first in range(n * q // len(sums), end, group):
            images = min(group, end - first)
            for i in range(images):
                if laid:
                    lay(x[first + i], before, frame, flat[i * size :])
                transpose(dy[first + i].ravel(), 0, run, channels, run, dyT, i * run * many, many)
            apart = (run * many, columns * many, many), (size, width * s, s)
            if not inside:
                loops = ((images, rows, columns), *apart)
                add_dW(seen(flat) if laid else framed[first * size :], offsets, dyT, loops, sums[q])
                continue
            for t in range(k * k):
                above, left = t // k - before, t % k - before
                top, high = strided(s, above, min(height, above + rows * s))
                side, wide = strided(s, left, min(width, left + columns * s))
                if high > 0 and wide > 0:
                    pixels = framed[first * size + top * width + side :]
                    dys = dyT[((top - above) // s * columns + (side - left) // s) * many :]
                    add_dW_inside(pixels, offsets, (t, k * k), dys, ((images, high, wide), *apart), sums[q])
    linger(work)


@jit
def join(sums, dW):
    """dW[o, t] = Σ over parts."""
    total = sums[0].ravel()
    for q in range(1, len(sums)):
        part = sums[q].ravel()
        for i in range(len(total)):
            total[i] += part[i]
    transpose(total, 0, sums.shape[2], dW.shape[1], len(dW), dW.ravel(), 0, dW.shape[1])


@jit
def pack(W, entries, width, V):
    """V[f] = all W[n, o, t] of (n, t) = entries[f, i], in blocks of output channels: [block, i, o]."""
    (n, channels, t), many = W.shape, V.shape[1] // entries.shape[1]
    rows = np.zeros(n * t * width, W.dtype)
    for first in range(0, many, width):
        block, real = min(width, many - first), min(width, channels - first)
        for i in range(n):
            transpose(W[i].ravel(), first * t, t, real, t, rows, i * t * block, block)
        for f in range(len(entries)):
            for i in range(entries.shape[1]):
                line, row = V[f, first * entries.shape[1] + i * block :], rows[entries[f, i] * block :]
                for o in range(block):
                    line[o] = row[o]


@lru_cache(maxsize=256)
def taps(c: int, k: int, frame: tuple[int, int]) -> Ints:
    """offsets_t of t = (c, a, b), up to whole tiles of dW."""
    place, a, b = np.ogrid[:c, :k, :k]
    offsets = ((place * frame[0] + a) * frame[1] + b).reshape(-1)
    return np.pad(offsets, (0, -len(offsets) % TAPS), mode="edge")


@lru_cache(maxsize=256)
def turned(
    o: int, k: int, s: int, padding: int, frame: tuple[int, int], beside: bool
) -> tuple[Ints, Ints, Ints]:
    """Of every pixel of an s×s square of dx that meets a kernel; `beside`: channels last.

    Returns
    -------
    rows and columns of its kernel, and its place in the first square;
    which entries of W[:, c] that are; their offsets
    """
    K, m, (height, width) = -(-k // s), min(k, s), frame
    phases = np.zeros((m * m, 4), int)
    entries, offsets = np.zeros((2, m * m, o * K * K), int)
    for f, (i, j) in enumerate(np.ndindex(m, m)):
        n, a, b = np.ix_(range(o), range(i, k, s)[::-1], range(j, k, s)[::-1])
        phases[f] = a.size, b.size, i - padding % s, j - padding % s
        t = slice(o * a.size * b.size)
        some = (n * k + a) * k + b
        entries[f, t] = (some.transpose(1, 2, 0) if beside else some).reshape(-1)
        offsets[f, t] = ((n * height + K - 1 - a // s) * width + K - 1 - b // s).reshape(-1)
    return phases, entries, offsets


def packed(W: Floats, entries: Ints, by_channels: bool) -> Floats:
    """The kernels of `correlate_images`, up to whole tiles of channels, whose last ones nobody reads."""
    whole = LANES if by_channels else FEW
    V = np.zeros((len(entries), entries.shape[1] * (W.shape[1] + -W.shape[1] % whole)), W.dtype)
    pack(*frozen(W), entries, 2 * whole if W.itemsize == FULL else whole, V)
    return V


def channels_pay(channels: int, y: tuple[int, int], width: int, itemsize: int) -> bool:
    """Whether full tiles of lanes of channels compute less that nobody needs than those of places."""
    full = 2 * LANES if itemsize == FULL else LANES
    many, _, apart, _ = tiled(*y, width)
    return (channels + -channels % full) * math.prod(y) <= (channels + -channels % FEW) * many * apart


@lru_cache(maxsize=256)
def met(side: int, places: int, k: int, s: int, padding: int) -> int:
    """How many pairs of a place of y and of a tap meet the image, of those along one side."""
    begins = np.arange(places) * s - padding
    return int((np.minimum(k, side - begins) - np.maximum(0, -begins)).clip(0).sum())


def beside_pays(
    c: int, y: Floats, k: int, pairs: tuple[int, ...], lines: tuple[int, ...], lanes: bool, step: int
) -> bool:
    """Whether images side by side, without a frame, are less to compute."""
    (n, o, high, wide), (many, _, apart, _) = y.shape, tiled(*lines)
    inside = (o + -o % LANES) * (n + -n % LANES) * (c * math.prod(pairs) + AROUND * step * high * wide)
    columns = (o + -o % LANES) * lines[1] if lanes else (o + -o % FEW) * many * apart / lines[0]
    return inside < n * c * pairs[0] * k * columns


def together(y: Floats, parts: int) -> int:
    """How many images are computed at once, of each part: enough for whole tiles of places."""
    return max(1, min(-(-BATCH // math.prod(y.shape[2:])), -(-len(y) // parts)))


def padded(x: Floats, padding: int) -> tuple[int, int]:
    """Rows and columns of an image in its frame."""
    return x.shape[2] + 2 * padding, x.shape[3] + 2 * padding


def one_place(x: Floats, W: Floats, padding: int) -> bool:
    """Whether the kernels are as large as the images: a product of matrices."""
    return padding == 0 and x.shape[2:] == W.shape[2:]


def conv2d_forward(x: Floats, W: Floats, stride: int, padding: int, threads: int = 1) -> Floats:
    """y[n, o, i, j] = Σ_{c, a, b} W[o, c, a, b] · x[n, c, i·s + a − p, j·s + b − p]."""
    if conv_spectrum.pays(x, W, stride, padding):
        return conv_spectrum.conv2d_forward(x, W, padding)
    (o, c, k), s, p, frame = W.shape[:3], stride, padding, padded(x, padding)
    if one_place(x, W, p):
        return (x.reshape(len(x), -1) @ W.reshape(o, -1).T)[:, :, None, None]
    y = np.empty((len(x), o, *((side - k) // s + 1 for side in frame)), dtype=x.dtype)
    threads = worth(threads, "convolution", y.size * W[0].size)
    if (k, s, p) == (1, 1, 0):
        multiply_images(*frozen(W), c, NEXT, *frozen(x), y, threads)
        return y
    lanes = s > 1 or channels_pay(o, y.shape[2:], frame[1], x.itemsize)
    pairs = tuple(met(side, out, k, s, p) for side, out in zip(x.shape[2:], y.shape[2:], strict=True))
    every_tap, phases = np.arange(c * k * k)[None], np.array([[k, k, 0, 0]])
    if beside_pays(c, y, k, pairs, (*y.shape[2:], frame[1]), lanes, 1):
        V = packed(W.reshape(1, o, -1), every_tap.reshape(c, -1).T.reshape(1, -1), True)
        correlate_side_by_side(*frozen(x), p, s, V, phases, y, 1, threads)
        return y
    V, group = packed(W.reshape(1, o, -1), every_tap, lanes), together(y, threads) if lanes else 1
    offsets = taps(c, k, frame)[None, : c * k * k]
    correlate_images(*frozen(x), p, frame, s, V, phases, offsets, lanes, group, y, 1, threads)
    return y


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, stride: int, padding: int, need_dx: bool, threads: int = 1
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    if conv_spectrum.pays(x, W, stride, padding):
        return conv_spectrum.conv2d_backward(x, W, dy, padding, need_dx)
    (o, c, k), s, p = W.shape[:3], stride, padding
    if one_place(x, W, p):
        of_y = dy.reshape(-1, o)
        dx = (of_y @ W.reshape(o, -1)).reshape(x.shape) if need_dx else None
        return dx, (of_y.T @ x.reshape(len(x), -1)).reshape(W.shape)
    x, dy = frozen(x, dy)
    threads = worth(threads, "convolution", dy.size * W[0].size)
    pairs = tuple(met(side, out, k, s, p) for side, out in zip(x.shape[2:], dy.shape[2:], strict=True))
    frame, offsets, tiles = padded(x, p), taps(c, k, padded(x, p)), c + -c % IMAGES
    inside = LOW * tiles * math.prod(pairs) < len(offsets) * math.prod(dy.shape[2:])
    if inside:
        frame, offsets = x.shape[2:], np.minimum(np.arange(tiles), c - 1) * math.prod(x.shape[2:])
    each_part = tiles * k * k if inside else len(offsets), o + -o % LANES
    parts = min(PARTS, max(2, NEAR // math.prod(each_part)), max(1, len(x)))
    sums = np.zeros((parts, *each_part), dtype=x.dtype)
    dW_parts(x, p, frame, k, s, inside, offsets, dy, together(dy, parts), sums, threads)
    dW = np.empty(W.shape, dtype=x.dtype)
    join(sums, dW.reshape(o, -1))
    if not need_dx:
        return None, dW
    dx = np.zeros(x.shape, dtype=x.dtype)  # where k < s some pixels meet no kernel
    if (k, s, p) == (1, 1, 0):
        multiply_images(*frozen(W), NEXT, c, dy, dx, threads)
        return dx, dW
    last = -(-k // s) - 1
    h, w = ((side - 1 + p % s) // s + 1 + last for side in x.shape[2:])
    lanes = channels_pay(c, (h - last, w - last), w, x.itemsize)
    beside = beside_pays(o, dx, k, pairs, (h - last, w - last, w), lanes, s)
    phases, entries, offsets = turned(o, k, s, p, (h, w), beside)
    V = packed(W.reshape(o, c, k * k), entries, lanes or beside)
    if beside:
        correlate_side_by_side(dy, last - p // s, 1, V, phases, dx, s, threads)
        return dx, dW
    group = together(dx[:, :, ::s, ::s], threads) if lanes else 1
    correlate_images(dy, last - p // s, (h, w), 1, V, phases, offsets, lanes, group, dx, s, threads)
    return dx, dW
