"""A trained theta_d with few levels: fitted to its numbers, fine-tuned, or the smallest that is as good."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from npintdim.artefact.coding import Codebook, kmeans
from npintdim.artefact.coding.codebook import KINDS, scale_matrix
from npintdim.artefact.compress import CompressedModel
from npintdim.backend import Backend
from npintdim.engine.landscape import Batch, Dataset, Evaluation, Landscape
from npintdim.engine.optimizers import Adam, Schedule
from npintdim.engine.progress import Progress
from npintdim.engine.train import Run, TrainConfig, train
from npintdim.inputs import check_kind, check_real
from npintdim.typing import Array, Floats

TRIED = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128)


@dataclass(frozen=True)
class Cooling(Schedule):
    """From 1 along half a cosine to zero, so that few levels change at the end: (1 + cos(π t/(steps + 1)))/2.

    Parameters
    ----------
    steps : of the whole training
    """

    steps: int

    def __call__(self, t: int) -> float:
        """See above."""
        return (1 + math.cos(math.pi * t / (self.steps + 1))) / 2


class QuantisedLandscape:
    """A landscape over (v, s): d numbers that are rounded to the levels, and the scales that make the levels.

    Parameters
    ----------
    landscape : of dimension d; a `SubspaceObjective`, or your own
    kind, K : of the codebook, see `Codebook`
    pull : λ ≥ 0, which draws v to its level

    Raises
    ------
    ValueError
        for a codebook that there is not, or a pull that is negative or not finite.

    Notes
    -----
    c = A s,   M_ik = 1 where level k is nearest to v_i, else 0,   θ_d = M c

        ∂L/∂v := ∂L/∂θ_d + λ (v − θ_d),   ∂L/∂s = AᵀMᵀ ∂L/∂θ_d

    Straight through: the derivative of M is zero almost everywhere, and is left out. Without the pull a v_i
    drifts far beyond the outermost level, or comes to rest between two of them and changes to and fro with
    every batch. The scales are rounded to binary16 before they are used, as in the file.
    """

    def __init__(self, landscape: Landscape, kind: str, K: int, pull: float = 0.0) -> None:
        if not 0 <= check_real("pull", pull) < math.inf:
            raise ValueError(f"pull is {pull}: a number ≥ 0 is needed")
        self.A = scale_matrix(kind, K)
        self.landscape, self.kind, self.K, self.pull = landscape, kind, len(self.A), pull

    @property
    def dim(self) -> int:
        """The landscape's, and the number of scales."""
        return self.landscape.dim + self.A.shape[1]

    def start(self, theta_d: Floats, codebook: Codebook) -> Floats:
        """(v, s) of θ_d and a codebook that was fitted to it."""
        return np.concatenate([theta_d, codebook.scales.astype(theta_d.dtype)])

    def quantised(self, vs: Floats) -> tuple[Floats, Array]:
        """θ_d = M A s, and M (d, K)."""
        d = self.landscape.dim
        c = self.A.astype(vs.dtype) @ vs[d:].astype(np.float16).astype(vs.dtype)
        M = (np.abs(vs[:d, None] - c).argmin(axis=1)[:, None] == np.arange(self.K)).astype(vs.dtype)
        return M @ c, M

    def loss_and_grad(self, vs: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Loss at the quantised θ_d, and (∂L/∂θ_d + λ (v − θ_d), AᵀMᵀ ∂L/∂θ_d)."""
        theta_d, M = self.quantised(vs)
        loss, g = self.landscape.loss_and_grad(theta_d, batch)
        dv = g + self.pull * (vs[: len(g)] - theta_d)
        ds = self.A.T.astype(g.dtype) @ (M.T @ g)
        return loss, np.concatenate([dv, ds])

    def evaluate(self, vs: Floats, data: Batch) -> Evaluation:
        """The landscape's own, at the quantised θ_d."""
        return self.landscape.evaluate(self.quantised(vs)[0], data)

    def codebook(self, vs: Floats) -> Codebook:
        """The codebook that s stands for, ascending; of levels that have become equal it keeps one."""
        s = np.asarray(vs[self.landscape.dim :], np.float16)
        if self.kind == "free":
            s = np.unique(s)
            return Codebook(self.kind, len(s), s)
        return Codebook(self.kind, self.K, np.abs(s))


def fit(kind: str, K: int, theta_d: Floats) -> Codebook:
    """The codebook with the least Σ_j (θ_d,j − nearest level)², rounded to binary16.

    Parameters
    ----------
    kind : "free": exact k-means; it has fewer levels where θ_d has fewer different numbers.
        "uniform": the best of 400 distances Δ
    K : number of levels
    theta_d : (d,)

    Raises
    ------
    ValueError
        if no such levels can be told apart in binary16, e.g. where θ_d is zero.
    """
    K = len(scale_matrix(kind, K))
    theta_d = np.asarray(theta_d, np.float64)
    if kind == "free":
        with np.errstate(all="ignore"):
            centres = np.unique(kmeans(theta_d, K).astype(np.float16))
        return Codebook(kind, len(centres), centres)
    widest = 2 * float(np.abs(theta_d).max()) / max(K - 1, 1)
    if not widest > 0:
        raise ValueError("theta_d is zero: no distance between levels fits it")
    distances = (widest * t / 400 for t in range(400, 0, -1))
    books = [Codebook(kind, K, np.array([x])) for x in distances if np.float16(x) > 0]
    return min(books, key=lambda book: float(((theta_d - book.levels[book.nearest(theta_d)]) ** 2).sum()))


def quantise(compressed: CompressedModel, kind: str, K: int) -> CompressedModel:
    """The network with every θ_d,j replaced by the nearest of K levels that fit θ_d."""
    check_kind("compressed", compressed, CompressedModel, "CompressedModel.load(path)")
    codebook = fit(kind, K, compressed.theta_d)
    return compressed.coded(codebook, codebook.nearest(compressed.theta_d))


def finetune(
    compressed: CompressedModel,
    kind: str,
    K: int,
    data: Dataset,
    *,
    epochs: int = 10,
    lr: float = 5e-2,
    pull: float = 1e-3,
    batch_size: int = 128,
    seed: int = 0,
    backend: Backend | None = None,
    progress: bool | None = None,
) -> tuple[CompressedModel, Run]:
    """Quantise, then train on with K levels (`QuantisedLandscape`) and a learning rate that cools to zero.

    Parameters
    ----------
    compressed : where training begins; its θ_d need not be quantised
    kind, K : of the codebook
    data : its training examples are used, its test examples only reported
    epochs, lr, batch_size, seed : of the training
    pull : see `QuantisedLandscape`
    backend : a CPU's; None for that of the network
    progress : see `train`

    Raises
    ------
    ValueError
        if the training diverged, or the backend is a GPU's; and what `fit` raises.
    """
    check_kind("compressed", compressed, CompressedModel, "CompressedModel.load(path)")
    check_kind("data", data, Dataset, "load_dataset('mnist')")
    objective = compressed.objective(backend)
    if not isinstance(objective.start(), np.ndarray):
        raise ValueError(
            f"backend is {(backend or compressed.network.backend).name!r}: "
            "fine-tuning needs 'numpy' or 'numba'"
        )
    codebook = fit(kind, K, compressed.theta_d)
    landscape = QuantisedLandscape(objective, kind, codebook.K, pull)
    start = landscape.start(compressed.theta_d.astype(objective.start().dtype), codebook)
    config = TrainConfig(Adam(lr), epochs, batch_size, seed)
    steps = config.epochs * -(-len(data.train) // config.batch_size)
    config = replace(config, optimizer=Adam(lr, schedule=Cooling(steps)))
    run = train(landscape, start, data, config, progress, f"K = {codebook.K}")
    if run.status == "interrupted":
        raise KeyboardInterrupt
    if run.status != "finished":
        raise ValueError(f"the fine-tuning {run.status} at lr = {lr}: try a smaller one")
    found = landscape.codebook(run.theta)
    return compressed.coded(found, found.nearest(run.theta[: objective.dim])), run


def smallest(
    compressed: CompressedModel,
    examples: Batch,
    tolerance: float = 0.005,
    backend: Backend | None = None,
    progress: bool | None = None,
) -> CompressedModel:
    """Of all kinds and numbers of levels the shortest code that loses at most the tolerance in performance.

    Parameters
    ----------
    compressed : with θ_d in binary32
    examples : training examples; with test examples the test accuracy of the outcome would be too good
    tolerance : performance that may be lost, in [0, 1]
    backend : None for that of the network
    progress : show it on stderr; None means only on a terminal

    Raises
    ------
    ValueError
        if no code that is shorter than binary32 is good enough.
    """
    check_kind("compressed", compressed, CompressedModel, "CompressedModel.load(path)")
    if not 0 <= check_real("tolerance", tolerance) <= 1:
        raise ValueError(f"tolerance is {tolerance}: 0 ≤ tolerance ≤ 1 is needed")
    needed = compressed.evaluate(examples, backend).performance - tolerance
    candidates = [quantise(compressed, kind, K) for kind in KINDS for K in TRIED]
    candidates = [c for c in candidates if code_bytes(c) < 4 * c.d]
    with Progress(len(candidates), "levels", progress) as bar:
        for candidate in sorted(candidates, key=code_bytes):
            reached = candidate.evaluate(examples, backend).performance
            if reached >= needed:
                return candidate
            bar.step(f"{code_bytes(candidate)} bytes reach {reached:.4f}, {needed:.4f} needed")
    raise ValueError(f"no code shorter than binary32 reaches {needed:.4f} on the training examples")


def code_bytes(quantised: CompressedModel) -> int:
    """Of θ_d in the file."""
    assert quantised.code is not None
    return len(quantised.code)
