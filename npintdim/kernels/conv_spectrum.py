"""Convolution with a kernel as large as the image, in the frequency domain: no tap is walked through.

On a torus of N×M places a correlation is a product of spectra, and so are its adjoints. With F the Fourier
transform over the places, and x framed by p zeros before its first row and column,

    F y[n, o] = Σ_c F x[n, c] · conj(F W[o, c])
    F dW[o, c] = Σ_n conj(F dy[n, o]) · F x[n, c]        F dx[n, c] = Σ_o F dy[n, o] · F W[o, c]

A y needs x up to p places behind the image too, which are zeros: where N ≥ h + p, i + a < h + 2p comes round to the
zeros before the image. In memory the places come first, so that each sum is a matrix product at every frequency.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from npintdim.typing import Array, Floats

BLOCK = 16  # examples at a time, so that their spectra stay near
LARGE = 16  # side of a kernel from which on this is quicker than windows


def pays(x: Floats, W: Floats, stride: int) -> bool:
    """Whether the kernel is as large as the image, and large; a stride would throw most of y away."""
    return stride == 1 and W.shape[-1] >= max(*x.shape[2:], LARGE)


class Torus:
    """N×M places, large enough for images x and kernels W with a padding p, and the transforms over them."""

    def __init__(self, x: Floats, W: Floats, padding: int, threads: int) -> None:
        from scipy import fft  # here, so that importing the package stays cheap

        self.fft, self.threads, k = fft, threads, W.shape[-1]
        needed = (max(side + padding, k, side + 2 * padding - k + 1) for side in x.shape[2:])  # x, W, y
        self.sides = [fft.next_fast_len(N, real=True) for N in needed]

    def spectrum(self, images: Floats, before: int = 0) -> Array:
        """F of images (a, b, rows, columns), with so many zeros before them, as (N, M // 2 + 1, a, b)."""
        a, b, rows, columns = images.shape
        places_first = np.zeros((before + rows, before + columns, a, b), images.dtype)
        places_first[before:, before:] = images.transpose(2, 3, 0, 1)
        along_rows = self.fft.rfft(places_first, self.sides[1], axis=1, workers=self.threads)
        F: Array = self.fft.fft(along_rows, self.sides[0], axis=0, workers=self.threads)
        return F

    def images(self, spectrum: Array, rows: int, columns: int, before: int = 0) -> Floats:
        """Images (a, b, rows, columns) of F, from a first place on; F is lost."""
        needed = self.fft.ifft(spectrum, axis=0, overwrite_x=True, workers=self.threads)[
            before : before + rows
        ]
        places: Any = self.fft.irfft(needed, self.sides[1], axis=1, workers=self.threads)
        seen: Floats = places[:, before : before + columns].transpose(2, 3, 0, 1)
        return seen


def turned(spectrum: Array) -> Array:
    """The matrix of every frequency transposed."""
    return spectrum.swapaxes(2, 3)


def conv2d_forward(x: Floats, W: Floats, padding: int, threads: int) -> Floats:
    """y (n, c_out, h + 2p − k + 1, w + 2p − k + 1) for stride 1."""
    torus, (c_out, _, k, _) = Torus(x, W, padding, threads), W.shape
    h, w = (side + 2 * padding - k + 1 for side in x.shape[2:])
    y, V = np.empty((len(x), c_out, h, w), x.dtype), turned(torus.spectrum(W).conj())
    for own in blocks(x):
        y[own] = torus.images(torus.spectrum(x[own], padding) @ V, h, w)
    return y


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, padding: int, need_dx: bool, threads: int
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    torus, k, (h, w) = Torus(x, W, padding, threads), W.shape[-1], x.shape[2:]
    dx, V = np.empty_like(x) if need_dx else None, torus.spectrum(W)
    dV = np.zeros_like(V)
    for own in blocks(x):
        X, dY = torus.spectrum(x[own], padding), torus.spectrum(dy[own])
        dV += (turned(dY) @ X.conj()).conj()
        if dx is not None:
            dx[own] = torus.images(dY @ V, h, w, padding)
    return dx, torus.images(dV, k, k)


def blocks(x: Floats) -> Iterator[slice]:
    """Of examples."""
    yield from (slice(i, i + BLOCK) for i in range(0, len(x), BLOCK))
