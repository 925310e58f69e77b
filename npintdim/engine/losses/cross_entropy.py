"""Softmax cross-entropy and accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from npintdim.engine.losses.base import Loss
from npintdim.typing import Array, Floats, Ints


def softmax_cross_entropy(xp: ModuleType, logits: Floats, labels: Ints) -> tuple[Array, Floats]:
    """Mean cross-entropy of softmax(logits) and its gradient.

    Parameters
    ----------
    xp : numpy or cupy
    logits : (n, classes)
    labels : (n,) integers

    Returns
    -------
    L : 0-d, on the device
    dlogits : (n, classes)

    Notes
    -----
    Forward   p = softmax(z),  L = −(1/n) Σ_i log p_{i, label_i},  log p = z − max z − log Σ exp(z − max z)
    Backward  dz = (p − onehot(labels)) / n

    The logits are turned to (classes, n): NumPy adds a few long rows much faster than many short ones.
    """
    n = len(logits)
    own = (labels, xp.arange(n))
    z = logits.T.copy()
    z -= z.max(axis=0)
    exp = xp.exp(z)
    total = exp.sum(axis=0)
    L = (xp.log(total) - z[own]).sum() / n
    dz = exp / total
    dz[own] -= 1
    dz /= n
    return L, dz.T.copy()


def correct(logits: Floats, labels: Ints) -> Array:
    """How many examples have their largest logit at their label (0-d, on the device)."""
    return (logits.argmax(axis=1) == labels).sum()


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Softmax cross-entropy of classes; performance is accuracy."""

    def value_and_grad(self, xp: ModuleType, y: Floats, targets: Array) -> tuple[Array, Floats]:
        """See `softmax_cross_entropy`."""
        return softmax_cross_entropy(xp, y, targets)

    def tally(self, xp: ModuleType, y: Floats, targets: Array) -> Array:
        """See `correct`."""
        return correct(y, targets)
