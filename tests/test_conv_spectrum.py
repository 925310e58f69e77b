"""Convolution in the frequency domain: the direct form's numbers, and adjoints of one another."""

import numpy as np
import pytest

from npintdim.backend import get_backend
from npintdim.kernels import conv_spectrum
from npintdim.kernels.reference.conv import conv2d_backward, conv2d_forward

RNG = np.random.default_rng(0)
# n, c_in, c_out, h, w, k, padding
CASES = {
    "as FCTied-LeNet": (3, 6, 16, 9, 9, 17, 8),
    "more than a block": (conv_spectrum.BLOCK + 5, 1, 2, 6, 6, 16, 6),
    "not square": (2, 3, 2, 5, 8, 16, 7),
    "padding beyond the image": (2, 1, 1, 3, 4, 16, 20),
    "one place": (2, 2, 3, 16, 16, 16, 0),
    "even sides": (2, 2, 2, 16, 14, 17, 3),
}


def drawn(n, c_in, c_out, h, w, k, p):
    x, W = RNG.normal(size=(n, c_in, h, w)), RNG.normal(size=(c_out, c_in, k, k))
    return x, W, RNG.normal(size=(n, c_out, h + 2 * p - k + 1, w + 2 * p - k + 1)), p


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_direct_form(case, monkeypatch):
    x, W, dy, p = drawn(*CASES[case])
    y = conv_spectrum.conv2d_forward(x, W, p)
    dx, dW = conv_spectrum.conv2d_backward(x, W, dy, p, True)
    monkeypatch.setattr(conv_spectrum, "pays", lambda *given: False)
    wanted = conv2d_forward(x, W, 1, p), *conv2d_backward(x, W, dy, 1, p, True)
    for found, direct in zip((y, dx, dW), wanted, strict=True):
        assert found.shape == direct.shape
        np.testing.assert_allclose(found, direct, rtol=0, atol=1e-12 * np.abs(direct).max())


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("case", CASES)
def test_both_gradients_are_adjoints(case, name):
    kernels = get_backend(name, "float64", threads=1).kernels
    x, W, dy, p = drawn(*CASES[case])
    inner = float((kernels.conv2d_forward(x, W, 1, p) * dy).sum())
    dx, dW = kernels.conv2d_backward(x, W, dy, 1, p, True)
    for given, gradient in ((x, dx), (W, dW)):
        assert float((given * gradient).sum()) == pytest.approx(inner, rel=1e-11)
    assert kernels.conv2d_backward(x, W, dy, 1, p, False)[0] is None


def test_float32_stays_float32():
    x, W, dy, p = (a if isinstance(a, int) else a.astype(np.float32) for a in drawn(2, 1, 2, 9, 9, 17, 8))
    y = conv_spectrum.conv2d_forward(x, W, p)
    dx, dW = conv_spectrum.conv2d_backward(x, W, dy, p, True)
    assert {a.dtype for a in (y, dx, dW)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("h", "k", "stride", "used"), [(28, 55, 1, True), (28, 5, 1, False), (5, 5, 1, False), (28, 55, 2, False)]
)
def test_where_it_is_used(h, k, stride, used, monkeypatch):
    x, W = RNG.normal(size=(16, 1, h, h)), RNG.normal(size=(1, 1, k, k))
    assert conv_spectrum.pays(x, W, stride, k // 2) is used
    called = []
    monkeypatch.setattr(conv_spectrum, "conv2d_forward", lambda *given: called.append(given))
    conv2d_forward(x, W, stride, k // 2)
    assert bool(called) is used


def multiplications(x, W, padding):
    """Those of a convolution and its gradients, and of its spectra, counted one by one."""
    (n, c, h, w), (o, _, k, _) = x.shape, W.shape
    high, wide = h + 2 * padding - k + 1, w + 2 * padding - k + 1
    N, M = conv_spectrum.torus(x, W, padding)
    transforms = sum(
        images * (2 * (N // 2 + 1) * a * b + (N // 2 + 1) * 2 * M * 2 * b)
        for images, a, b in ((c * o, k, k), (n * c, h, w), (n * o, high, wide))
    )
    return n * c * o * k * k * high * (wide + wide + w) / 3, transforms + (N // 2 + 1) * M * 4 * n * c * o


@pytest.mark.parametrize(
    ("n", "c", "o", "side", "k"), [(4, 64, 64, 28, 7), (8, 16, 16, 28, 11), (64, 6, 16, 12, 5)]
)
def test_the_count_is_that_of_the_products(n, c, o, side, k, monkeypatch):
    x, W = np.empty((n, c, side, side)), np.empty((o, c, k, k))
    direct, spectra = multiplications(x, W, k // 2)
    monkeypatch.setattr(conv_spectrum, "FEWER", 0.999 * direct / spectra)
    assert conv_spectrum.pays(x, W, 1, k // 2)
    monkeypatch.setattr(conv_spectrum, "FEWER", 1.001 * direct / spectra)
    assert not conv_spectrum.pays(x, W, 1, k // 2)


@pytest.mark.parametrize(("sides", "before"), [((8, 9), 0), ((13, 10), 2)])
def test_the_matrices_are_the_transform(sides, before):
    images = RNG.normal(size=(2, 3, 6, 7))
    framed = np.pad(images, ((0, 0), (0, 0), (before, 0), (before, 0)))
    F = np.fft.fft2(framed, sides)[:, :, : sides[0] // 2 + 1].transpose(2, 3, 0, 1)
    found = conv_spectrum.spectrum(images, sides, before)
    np.testing.assert_allclose(found[:, :, 0] + 1j * found[:, :, 1], F, rtol=0, atol=1e-12)
    np.testing.assert_allclose(conv_spectrum.images(found, sides, 6, 7, before), images, rtol=0, atol=1e-13)


def test_long_sums_of_float32_are_as_good_as_short_ones():
    x, W = RNG.normal(size=(2, 64, 14, 14)), RNG.normal(size=(8, 64, 7, 7))
    y = conv_spectrum.conv2d_forward(x.astype(np.float32), W.astype(np.float32), 3)
    exact = conv2d_forward(x.astype(np.float32).astype(float), W.astype(np.float32).astype(float), 1, 3)
    assert np.abs(y - exact).max() < 4e-6 * exact.std()
