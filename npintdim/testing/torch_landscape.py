"""A PyTorch module as a landscape over one flat θ, so that it is measured like a network of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from npintdim.backend import as_array, get_backend
from npintdim.engine.landscape import Batch, Evaluation
from npintdim.inputs import check_integer, check_seed, named_kind, one_of, shown
from npintdim.machine import need
from npintdim.objective import SubspaceObjective
from npintdim.projections import make_projection
from npintdim.rng import Purpose, Stream
from npintdim.typing import Array, Floats

CHUNK = 2048  # examples evaluated at once


class torch_landscape:  # noqa: N801  (in use it is a function of a module)
    """A module's loss as a function of its parameters, which lie one after another in θ.

    Parameters
    ----------
    module : a `torch.nn.Module`; it is copied, and never changed
    loss : "cross_entropy" (labels are classes), "mse", or a function of (outputs, labels)
        that returns the mean
    performance : "accuracy", "r2" (1 − Σ (y − ŷ)²/Σ (y − ȳ)²), or a function of all (outputs, labels)
    statistics : examples (n, ...) that BatchNorm's mean and variance are taken of, at every θ that is
        evaluated (some hundreds of the training data); "frozen" leaves them as the module has them,
        in training too
    device : "cuda", say; None where the module is
    dtype : "float32" or "float64"; None as the module has it
    seed : of Dropout's masks, which depend on it and on the step, `batch.step`

    Raises
    ------
    ImportError
        without PyTorch.
    TypeError, ValueError
        if there is no parameter to train, they have several dtypes or devices, two are the same memory,
        or BatchNorm's running statistics would be a state beside θ and `statistics` does not say what to do.

    Notes
    -----
    `start()` is the module's own θ, `module_at(θ)` a module with another one.

    Order of θ: `named_parameters()`, each in C order, without those that need no gradient;
    a tied one comes once. Training computes as in `train()` and evaluation as in `eval()`.
    Both are functions of θ and the batch alone: what a step would write to buffers is forgotten.

    Examples
    --------
    >>> import npintdim as nid
    >>> def make_objective(d, seed):
    ...     torch.manual_seed(seed % 2**63)
    ...     whole = torch_landscape(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)))
    ...     return whole if d is None else whole.subspace("fastfood", d, seed)
    >>> nid.measure(nid.objective_recipe(make_objective, "digits"), "results")  # doctest: +SKIP
    """

    def __init__(
        self,
        module: Any,
        loss: str | Callable[[Any, Any], Any] = "cross_entropy",
        performance: str | Callable[[Any, Any], Any] = "accuracy",
        *,
        statistics: Any = None,
        device: str | None = None,
        dtype: str | None = None,
        seed: int = 0,
    ) -> None:
        torch = need("torch", "torch_landscape needs PyTorch", "pip install torch")
        self.torch = torch
        trained(torch, module)
        self.module = deepcopy(module)
        if device is not None:
            self.module.to(device)
        if dtype is not None:
            self.module.to(getattr(torch, one_of("dtype", dtype, ("float32", "float64"))))
        self.parameters = trained(torch, self.module)
        if not self.parameters:
            raise ValueError("the module has no parameter that needs a gradient: there is nothing to train")
        kinds = {(p.dtype, p.device) for p in self.parameters.values()}
        if len(kinds) > 1:
            found = ", ".join(sorted({str(part) for kind in kinds for part in kind}))
            raise ValueError(f"the parameters are {found}: one dtype and one device are needed, see `dtype`")
        ((self.dtype, self.device),) = kinds
        if self.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"the parameters are {self.dtype}: dtype='float32' or 'float64' is needed")
        self.dim = sum(p.numel() for p in self.parameters.values())
        losses = {"cross_entropy": torch.nn.functional.cross_entropy, "mse": mse}
        scores = {"accuracy": accuracy, "r2": r2}
        self.loss = loss if callable(loss) else losses[one_of("loss", loss, losses)]
        self.score = (
            performance if callable(performance) else scores[one_of("performance", performance, scores)]
        )
        self.seed = check_seed(seed)
        # What BatchNorm1d, 2d, 3d, SyncBatchNorm and InstanceNorm are.
        norm, modules = torch.nn.modules.batchnorm._NormBase, self.module.named_modules()
        self.norms = {k: m for k, m in modules if isinstance(m, norm) and m.track_running_stats}
        if self.norms and statistics is None:
            raise ValueError(
                f"{', '.join(self.norms)}: BatchNorm's running statistics are no part of θ, "
                "so the performance would depend on what was trained before. Say statistics=x, examples that "
                "they are taken of at each θ, or statistics='frozen'; or use GroupNorm or LayerNorm"
            )
        self.frozen = isinstance(statistics, str)
        if self.frozen:
            one_of("statistics", statistics, ("frozen",))
        self.statistics = None if statistics is None or self.frozen else self.tensor("statistics", statistics)

    def start(self) -> Floats:
        """θ of the module as it was given, (dim,)."""
        flat: Floats = self.flat(self.parameters.values()).cpu().numpy()
        return flat

    def subspace(self, kind: str, d: int, seed: int, **options: Any) -> SubspaceObjective:
        """θ = θ_0 + P θ_d from the module's own θ_0.

        Parameters
        ----------
        kind, d, seed, options : of `npintdim.make_projection`

        Returns
        -------
        SubspaceObjective
        """
        start = self.start()
        backend = get_backend(dtype=start.dtype.name, threads=1)
        P = make_projection(kind, self.dim, d, seed, backend=backend, **options)
        return SubspaceObjective(self, start, P)

    def module_at(self, theta: Floats) -> Any:
        """A copy of the module with this θ, in `eval()`."""
        module = deepcopy(self.module).eval()
        own = dict(module.named_parameters())
        with self.torch.no_grad():
            for name, value in self.views(theta).items():
                own[name].copy_(value)
        return module

    def loss_and_grad(self, theta: Floats, batch: Batch) -> tuple[Any, Floats]:
        """Mean loss of the batch in training mode, and its gradient (dim,)."""
        at = {k: v.requires_grad_() for k, v in self.views(theta).items()}
        with self.mode(training=True), self.noise(batch.step):
            x = self.tensor("batch.x", batch.x)
            loss = self.loss(self.outputs({**at, **self.buffers()}, x), self.labels(batch))
        parts = self.torch.autograd.grad(loss, list(at.values()), allow_unused=True, materialize_grads=True)
        grad: Floats = self.flat(parts).cpu().numpy()
        return float(loss.detach()), grad

    def evaluate(self, theta: Floats, data: Batch) -> Evaluation:
        """Mean loss and performance over data, in evaluation mode."""
        if not len(data):
            raise ValueError("the data to evaluate on is empty")
        at = {**self.views(theta), **self.buffers()}
        with self.torch.no_grad():
            if self.statistics is not None:
                with self.mode(training=False, norms=True):
                    self.torch.func.functional_call(self.module, at, (self.statistics,))
            labels = self.labels(data)
            with self.mode(training=False):
                chunks = self.tensor("batch.x", data.x).split(CHUNK)
                outputs = self.torch.cat([self.outputs(at, chunk) for chunk in chunks])
            loss, score = float(self.loss(outputs, labels)), float(self.score(outputs, labels))
            return Evaluation(loss, score, len(data))

    def outputs(self, at: dict[str, Any], x: Any) -> Any:
        """The module at these parameters and buffers, on examples."""
        found = self.torch.func.functional_call(self.module, at, (x,))
        if not self.torch.is_tensor(found):
            raise TypeError(
                f"the module gave {named_kind(found)}: a tensor (n, ...) is needed, "
                "so wrap it in a module whose forward returns the logits, say, alone"
            )
        return found

    def buffers(self) -> dict[str, Any]:
        """Copies, so that no step leaves a trace."""
        return {k: b.clone() for k, b in self.module.named_buffers()}

    def tensor(self, name: str, x: Array | None) -> Any:
        """Examples, or θ, as a tensor: real numbers in the module's dtype, integers as they are."""
        if x is None:
            raise ValueError(f"{name} is None: a module needs examples")
        tensor: Any = x if self.torch.is_tensor(x) else self.torch.as_tensor(np.array(as_array(name, x)))
        return tensor.to(self.device, self.dtype if tensor.is_floating_point() else None)

    def labels(self, batch: Batch) -> Any:
        """Classes as int64, targets in the module's dtype."""
        labels = self.tensor("batch.labels", batch.labels)
        return labels if labels.is_floating_point() else labels.long()

    def views(self, theta: Floats) -> dict[str, Any]:
        """θ as the module's parameters."""
        flat = self.tensor("theta", theta)
        if flat.shape != (self.dim,):
            raise ValueError(f"theta has shape {tuple(flat.shape)}: ({self.dim},) is needed")
        parts = flat.to(self.dtype).split([p.numel() for p in self.parameters.values()])
        both = zip(self.parameters.items(), parts, strict=True)
        return {k: part.view(p.shape).detach() for (k, p), part in both}

    def flat(self, parts: Any) -> Any:
        """One after another."""
        return self.torch.cat([part.detach().to_dense().reshape(-1) for part in parts])

    @contextmanager
    def mode(self, training: bool, norms: bool | None = None) -> Iterator[None]:
        """train() or eval(); norms says what BatchNorm does, which then takes its statistics of one batch."""
        self.module.train(training)
        momenta = {k: m.momentum for k, m in self.norms.items()}
        for m in self.norms.values():
            m.train(norms or (training and not self.frozen))
            m.momentum = 1.0 if norms else m.momentum  # running ← batch
        try:
            yield
        finally:
            for k, m in self.norms.items():
                m.momentum = momenta[k]

    @contextmanager
    def noise(self, step: int) -> Iterator[None]:
        """PyTorch's own generator at the address (seed, step), and afterwards as it was."""
        own = self.torch.default_generator
        if self.device.type == "cuda":
            own = self.torch.cuda.default_generators[self.device.index or 0]
        state = own.get_state()
        low, high = Stream(self.seed, Purpose.NOISE, check_integer("batch.step", step, 0)).words(2).tolist()
        own.manual_seed(low | high << 32)
        try:
            yield
        finally:
            own.set_state(state)


def trained(torch: Any, module: Any) -> dict[str, Any]:
    """The parameters that need a gradient; one tied by its data alone is refused: it would move twice."""
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module is {shown(module)}: a torch.nn.Module is needed")
    parameters = {k: p for k, p in module.named_parameters() if p.requires_grad}
    first: dict[int, str] = {}
    for name, p in parameters.items():
        other = first.setdefault(p.data_ptr(), name) if p.numel() else name
        if other != name and p.data_ptr():
            raise ValueError(
                f"{name} is the memory of {other}, but another parameter: tie them as one, without .data"
            )
    return parameters


def mse(outputs: Any, labels: Any) -> Any:
    """Mean of (y − ŷ)²."""
    return ((paired(outputs, labels) - labels) ** 2).mean()


def paired(outputs: Any, labels: Any) -> Any:
    """Outputs (n, 1) as the labels (n,) are, or the other way: PyTorch would take all n² pairs."""
    if outputs.numel() != labels.numel():
        raise ValueError(f"the outputs have shape {tuple(outputs.shape)}, the labels {tuple(labels.shape)}")
    return outputs.reshape(labels.shape)


def accuracy(outputs: Any, labels: Any) -> Any:
    """Share of the examples whose largest output is at their label."""
    found = outputs.argmax(dim=1)
    if labels.is_floating_point() or labels.shape != found.shape:
        raise ValueError(
            f"performance is 'accuracy', of classes {tuple(found.shape)}, but the labels are {labels.dtype} "
            f"{tuple(labels.shape)}: 'r2' is for numbers"
        )
    return (found == labels).double().mean()


def r2(outputs: Any, labels: Any) -> Any:
    """1 − Σ (y − ŷ)²/Σ (y − ȳ)²: 1 is exact, 0 as good as the mean."""
    y = labels.double()
    return 1 - ((y - paired(outputs.double(), y)) ** 2).sum() / ((y - y.mean(dim=0)) ** 2).sum()
