"""Softmax cross-entropy and accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from npintdim.engine.losses.base import Loss
from npintdim.typing import Array, Floats


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Softmax cross-entropy of logits z (n, classes) and labels (n,); performance is accuracy.

    Notes
    -----
    Forward   p = softmax(z),  L = −(1/n) Σ_i log p_{i, label_i},  log p = z − max z − log Σ exp(z − max z)
    Backward  dz = (p − onehot(labels)) / n

    The logits are turned to (classes, n): NumPy adds a few long rows much faster than many short ones.
    """

    def value_and_grad(self, xp: ModuleType, y: Floats, targets: Array) -> tuple[Array, Floats]:
        """L and dz."""
        n = len(y)
        own = (targets, xp.arange(n))
        z = y.T.copy()
        z -= z.max(axis=0)
        exp = xp.exp(z)
        total = exp.sum(axis=0)
        L = (xp.log(total) - z[own]).sum() / n
        dz = exp / total
        dz[own] -= 1
        dz /= n
        return L, dz.T.copy()

    def tally(self, xp: ModuleType, y: Floats, targets: Array) -> Array:
        """How many examples have their largest logit at their label."""
        return (y.argmax(axis=1) == targets).sum()
