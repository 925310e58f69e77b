"""Softmax cross-entropy and accuracy."""

from __future__ import annotations

from types import ModuleType

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
    """
    n = len(logits)
    own = (xp.arange(n), labels)
    shifted = logits - logits.max(axis=1, keepdims=True)
    exp = xp.exp(shifted)
    total = exp.sum(axis=1, keepdims=True)
    L = (xp.log(total[:, 0]) - shifted[own]).mean()
    dlogits = exp / total
    dlogits[own] -= 1
    dlogits /= n
    return L, dlogits


def correct(logits: Floats, labels: Ints) -> Array:
    """How many examples have their largest logit at their label (0-d, on the device)."""
    return (logits.argmax(axis=1) == labels).sum()
