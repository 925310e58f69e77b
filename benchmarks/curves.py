"""Curves of performance against d whose crossing is known, and the noise of their runs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator

D = (10, 50, 100, 200, 300, 500, 750, 1000, 1500)
MEANS = (0.160, 0.426, 0.599, 0.745, 0.812, 0.866, 0.8975, 0.9135, 0.930)  # authors, mean of the 20 FC nets
BASELINE = 0.98
LINE = 0.9 * BASELINE


def reference() -> Callable[[np.ndarray], np.ndarray]:
    """p(log d): −log(1 − p) smooth and monotone in log d through the authors' means, straight beyond them."""
    x, y = np.log(D), -np.log(1 - np.array(MEANS))
    inner = PchipInterpolator(x, y)
    first, last = (float(inner.derivative()(end)) for end in (x[0], x[-1]))

    def p(log_d: np.ndarray) -> np.ndarray:
        inside = inner(np.clip(log_d, x[0], x[-1]))
        beyond = first * np.minimum(log_d - x[0], 0) + last * np.maximum(log_d - x[-1], 0)
        return 1 - np.exp(-np.maximum(inside + beyond, 0))

    return p


def straight(log_d: np.ndarray) -> np.ndarray:
    """1 − p ∝ 1/d."""
    return 1 - np.minimum(1, (1 - LINE) * np.exp(math.log(600) - log_d))


def saturating(log_d: np.ndarray) -> np.ndarray:
    """p runs against .94, not far above the line."""
    return 0.94 * (1 - np.exp(-np.exp(log_d) / 217))


def noisy(p: np.ndarray, sd: float, counted: bool, rng: np.random.Generator) -> np.ndarray:
    """sd everywhere, or sd at the line and ∝ 1 − p, as the authors' is."""
    scale = sd * (1 - p) / (1 - LINE) if counted else sd
    return np.clip(p + scale * rng.standard_normal(np.shape(p)), 0, 1)


def sigmoid(log_d: np.ndarray) -> np.ndarray:
    """Logistic in log d, .97 at most."""
    return 0.97 / (1 + (0.97 / LINE - 1) * np.exp(-2.0 * (log_d - math.log(600))))


def kinked(log_d: np.ndarray) -> np.ndarray:
    """−log(1 − p) three times as steep up to 14 % below the crossing as beyond."""
    t = log_d - math.log(600)
    return 1 - (1 - LINE) * np.exp(-np.minimum(0.5 * t, 1.6 * t + 0.165))


def at_ninety(log_d: np.ndarray) -> np.ndarray:
    """p runs against .90, just above the line."""
    return 0.90 * (1 - np.exp(-np.exp(log_d) / 153))


def plateau(level: float) -> Callable[[np.ndarray], np.ndarray]:
    """Up to a level below the line, which the curve leaves near the crossing."""

    def p(log_d: np.ndarray) -> np.ndarray:
        rise = 1 / (1 + (0.96 - LINE) / (LINE - level) * np.exp(-5 * (log_d - math.log(600))))
        return level * (1 - np.exp(-np.exp(log_d) / 40)) + (0.96 - level) * rise

    return p


def run(p: float, sd: float, noise: str, rng: np.random.Generator) -> float:
    """One run: normal noise, Student's t with 3 degrees of freedom, sd ∝ 1 − p, 5 % collapsed, 10 % diverged."""
    z, luck = rng.standard_normal(), rng.uniform()
    if noise == "t":
        z = rng.standard_t(3) / math.sqrt(3)
    if noise == "counted":
        sd *= (1 - p) / (1 - LINE)
    if noise == "diverged" and luck < 0.1:
        return math.nan
    if noise == "collapsed" and luck < 0.05:
        return 0.1
    return float(np.clip(p + sd * z, 0, 1))


WORLDS = {
    "the authors' curve": (reference(), "normal"),
    "error ∝ 1/d": (straight, "normal"),
    "sigmoid": (sigmoid, "normal"),
    "kinked": (kinked, "normal"),
    "saturating at .90": (at_ninety, "normal"),
    "plateau at .86": (plateau(0.86), "normal"),
    "plateau at .875": (plateau(0.875), "normal"),
    "noise ∝ 1 − p": (reference(), "counted"),
    "noise of Student's t": (reference(), "t"),
    "5 % of the runs collapse to .1": (reference(), "collapsed"),
    "10 % of the runs diverge": (reference(), "diverged"),
}
