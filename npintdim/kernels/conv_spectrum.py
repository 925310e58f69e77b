"""Convolution in the frequency domain: no tap is walked through.

On a torus of N×M places a correlation is a product of spectra, and so are its adjoints. With F the Fourier
transform over the places, and x framed by p zeros before its first row and column,

    F y[n, o] = Σ_c F x[n, c] · conj(F W[o, c])
    F dW[o, c] = Σ_n conj(F dy[n, o]) · F x[n, c]        F dx[n, c] = Σ_o F dy[n, o] · F W[o, c]

A y needs x up to p places behind the image too, which are zeros: where N ≥ h + p, i + a < h + 2p comes round
to the zeros before the image. Everything is a product of real matrices, F too, which at such sizes is quicker
than a fast transform: a complex number is a pair (Re, Im), and with X in pairs of pairs [[Re X, Im X], [Im X,
−Re X]] the three sums are X V, Xᵀ dY and dY Vᵀ at every frequency.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from npintdim.typing import Array, Floats

BLOCK = 16  # examples at a time, so that their spectra stay near
FEWER = 4  # so many times fewer multiplications pay
LARGEST = 2**23  # numbers of a spectrum of W


def pays(x: Floats, W: Floats, stride: int, padding: int) -> bool:
    """Whether it is so much less to multiply; a stride would throw most of y away."""
    (n, c, h, w), (o, _, k, _), (N, M) = x.shape, W.shape, torus(x, W, padding)
    high, wide, half = h + 2 * padding - k + 1, w + 2 * padding - k + 1, N // 2 + 1
    rows = 2 * half * (c * o * k * k + n * (c * h * w + o * high * wide))
    columns = 4 * half * M * (c * o * k + n * (c * w + o * wide))
    sums = 4 * half * M * n * c * o
    # y and dW; dx, whose rows are as long as those of x
    direct = n * c * o * k * k * high * (2 * wide + w) / 3
    small = 2 * half * M * c * o <= LARGEST
    return stride == 1 and small and FEWER * (rows + columns + sums) < direct


def torus(x: Floats, W: Floats, padding: int) -> tuple[int, int]:
    """N×M places, large enough for x, W and y."""
    k = W.shape[-1]
    N, M = (max(side + padding, k, side + 2 * padding - k + 1) for side in x.shape[2:])
    return N, M


@lru_cache(maxsize=256)
def fourier(N: int, first: int, many: int, dtype: np.dtype) -> tuple[Floats, Floats, Floats, Floats]:
    """F over N places, of numbers that lie in places first, first + 1, ..., and the way back to them.

    Returns
    -------
    R (N//2 + 1 pairs, many), frequencies of real numbers; C (N pairs, many pairs), of complex ones; R⁻¹; C⁻¹
    """
    angle = np.outer(np.arange(N), np.arange(first, first + many)) % N * (2 * np.pi / N)
    cos, sin, half = np.cos(angle), np.sin(angle), N // 2 + 1
    R = np.stack([cos, -sin], axis=1)[:half].reshape(2 * half, many)
    C = np.block([[cos, sin], [-sin, cos]]).reshape(2, N, 2 * many).swapaxes(0, 1).reshape(2 * N, 2 * many)
    twice = np.repeat(np.where(np.arange(half) % (N / 2), 2, 1), 2)  # −u is the conjugate of u
    back = (R.T * twice / N, C.T / N)
    R, C, R_back, C_back = (np.ascontiguousarray(A, dtype=dtype) for A in (R, C, *back))
    return R, C, R_back, C_back


def spectrum(images: Floats, sides: tuple[int, int], before: int = 0) -> Array:
    """F of images (a, b, rows, columns), with so many zeros before them, as (N // 2 + 1, M, 2, a, b)."""
    a, b, rows, columns = images.shape
    R = fourier(sides[0], before, rows, images.dtype)[0]
    C = fourier(sides[1], before, columns, images.dtype)[1]
    along_rows = R @ images.transpose(2, 3, 0, 1).reshape(rows, -1)
    F: Array = C @ along_rows.reshape(-1, 2 * columns, a * b)
    return F.reshape(-1, sides[1], 2, a, b)


def images(spectrum: Array, sides: tuple[int, int], rows: int, columns: int, before: int = 0) -> Floats:
    """Images (a, b, rows, columns) of F, from a first place on."""
    half, M, _, a, b = spectrum.shape
    R = fourier(sides[0], before, rows, spectrum.dtype)[2]
    C = fourier(sides[1], before, columns, spectrum.dtype)[3]
    places: Array = R @ (C @ spectrum.reshape(half, 2 * M, a * b)).reshape(2 * half, -1)
    return places.reshape(rows, columns, a, b).transpose(2, 3, 0, 1)


def pairs(X: Array) -> Array:
    """[[Re X, Im X], [Im X, −Re X]] at every frequency: (..., 2 a, 2 b)."""
    half, M, _, a, b = X.shape
    both = np.empty((half, M, 2, a, 2, b), X.dtype)
    both[:, :, :, :, 0] = X
    both[:, :, 0, :, 1] = X[:, :, 1]
    np.negative(X[:, :, 0], out=both[:, :, 1, :, 1])
    return both.reshape(half, M, 2 * a, 2 * b)


def conv2d_forward(x: Floats, W: Floats, padding: int) -> Floats:
    """y (n, c_out, h + 2p − k + 1, w + 2p − k + 1) for stride 1."""
    sides, (o, _, k, _) = torus(x, W, padding), W.shape
    h, w = (side + 2 * padding - k + 1 for side in x.shape[2:])
    y, V = np.empty((len(x), o, h, w), x.dtype), kernel_spectra(W, sides)
    for own in blocks(x):
        Y = pairs(spectrum(x[own], sides, padding)) @ V
        y[own] = images(Y.reshape(*Y.shape[:2], 2, -1, o), sides, h, w)
    return y


def kernel_spectra(W: Floats, sides: tuple[int, int]) -> Array:
    """V of the sums: (Re, Im) of all c, by o."""
    V = spectrum(W.swapaxes(0, 1), sides)
    return V.reshape(*V.shape[:2], -1, len(W))


def conv2d_backward(
    x: Floats, W: Floats, dy: Floats, padding: int, need_dx: bool
) -> tuple[Floats | None, Floats]:
    """dx (None where need_dx is False) and dW of conv2d_forward."""
    sides, (o, c, k, _), (h, w) = torus(x, W, padding), W.shape, x.shape[2:]
    dx, V = (np.empty_like(x), kernel_spectra(W, sides)) if need_dx else (None, None)
    dV: Any = None
    for own in blocks(x):
        X, dY = pairs(spectrum(x[own], sides, padding)), spectrum(dy[own], sides)
        half, M, _, n, _ = dY.shape
        dY = dY.reshape(half, M, 2 * n, o)
        added = X.swapaxes(2, 3) @ dY
        dV = added if dV is None else dV + added
        if dx is not None and V is not None:
            both = (dY @ V.swapaxes(2, 3)).reshape(half, M, 2, n, 2, c)
            dX = both[:, :, :, :, 0]  # the adjoint of `pairs`
            dX[:, :, 0] -= both[:, :, 1, :, 1]
            dX[:, :, 1] += both[:, :, 0, :, 1]
            dx[own] = images(dX, sides, h, w, padding)
    return dx, images(dV.reshape(half, M, 2, c, o), sides, k, k).swapaxes(0, 1)


def blocks(x: Floats) -> Iterator[slice]:
    """Of examples."""
    yield from (slice(i, i + BLOCK) for i in range(0, max(1, len(x)), BLOCK))
