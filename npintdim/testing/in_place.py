"""A PyTorch module that moves in a random subspace in place: beside itself nothing of its size is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from npintdim.inputs import check_kind
from npintdim.machine import need
from npintdim.projections import Projection
from npintdim.testing.torch_landscape import trained
from npintdim.typing import Array

ROWS = 1 << 20  # of P at a time; a block of Fastfood is drawn once unless a tensor ends in it


class InPlace:
    """θ = θ_0 + P θ_d in the module's own tensors, each of which is a slice of the rows of P.

    Parameters
    ----------
    module : a `torch.nn.Module`, whose parameters are written to
    P : D×d, D the numbers in parameters that need a gradient;
        with Fastfood's `stored=False` P holds nothing of size D
    theta_0 : name → tensor, a state dict, best `torch.load(path, mmap=True)`, so that it stays on disk;
        None for the module as it is. The module begins there

    Attributes
    ----------
    v : θ_d, a `torch.nn.Parameter` (d,) that begins at zero, for any of PyTorch's optimizers; its gradient is
        Pᵀ ∂L/∂θ after `backward()`, added to what is there until `zero_grad()`

    Raises
    ------
    ImportError
        without PyTorch.
    TypeError, ValueError
        if D is not P's, P is too coarse for a parameter, a parameter cannot be written to piece by piece,
        or is the memory of another one or of theta_0.

    Notes
    -----
    Order of θ: `named_parameters()`, each in C order, without those that need no gradient;
    a tied one comes once. Buffers are the module's own affair.

    A gradient is folded into Pᵀ ∂L/∂θ as soon as it has arrived, and freed: a parameter's `grad` is None.

    With `theta_0`, θ is θ_0 + P θ_d, rounded once, after every `move()`. Without, θ_0 is nowhere,
    and `move()` adds P (θ_d − what θ_d was): every move rounds each number once more, half a unit in its last
    place, so θ drifts from θ_0 + P θ_d by at most half as many units as there were moves, and by about the
    root of their number. bfloat16 and float16, in which a step is often less than that,
    are refused without `theta_0`.

    Examples
    --------
    >>> inside = InPlace(module, P)  # doctest: +SKIP
    >>> optimizer = torch.optim.AdamW([inside.v], lr=1e-3)  # doctest: +SKIP
    >>> for batch in batches:  # doctest: +SKIP
    ...     loss(module, batch).backward()
    ...     optimizer.step()
    ...     inside.move()
    ...     optimizer.zero_grad()
    """

    def __init__(self, module: Any, P: Projection, theta_0: Mapping[str, Any] | None = None) -> None:
        torch = need("torch", "InPlace needs PyTorch", "pip install torch")
        self.parameters = trained(torch, module)
        check_kind("P", P, Projection, "make_projection('fastfood', D, d, seed, stored=False)")
        if theta_0 is not None:
            check_kind("theta_0", theta_0, Mapping, "torch.load(path, mmap=True)")
        self.torch, self.P, self.theta_0 = torch, P, theta_0
        D, d = P.shape
        sizes = [p.numel() for p in self.parameters.values()]
        if sum(sizes) != D:
            raise ValueError(
                f"P is D×d = {D}×{d}, but D = {sum(sizes)} numbers of the module need a gradient"
            )
        self.dtype = getattr(torch, P.backend.dtype.name)
        for name, p in self.parameters.items():
            self.check(name, p)
        self.first = {name: sum(sizes[:i]) for i, name in enumerate(self.parameters)}
        device = "cpu" if P.backend.name != "cupy" else next(iter(self.parameters.values())).device
        self.v = torch.nn.Parameter(torch.zeros(d, dtype=self.dtype, device=device))
        self.moved = torch.zeros_like(self.v, requires_grad=False)  # what v was at the last move
        self.hooks = [
            p.register_post_accumulate_grad_hook(partial(self.fold, name))
            for name, p in self.parameters.items()
        ]
        if theta_0 is not None:
            with torch.no_grad():
                for name, p in self.parameters.items():
                    p.copy_(theta_0[name])

    def check(self, name: str, p: Any) -> None:
        """Whether a parameter can be moved, and to where it should be."""
        if not p.is_floating_point():
            raise TypeError(f"{name} is {p.dtype}: real numbers are needed")
        bits, finest = self.torch.finfo(p.dtype).bits, self.torch.finfo(self.dtype).bits
        if bits > finest:
            raise ValueError(
                f"{name} is {p.dtype}, but P computes in {self.dtype}: get_backend(dtype='float64')"
            )
        if bits < 32 and self.theta_0 is None:
            raise ValueError(
                f"{name} is {p.dtype}, in which small steps are lost to rounding: "
                "theta_0=, a state dict, is needed"
            )
        if not p.is_contiguous():
            raise ValueError(f"{name} does not lie in C order: {name}.data = {name}.data.contiguous()")
        if p.grad is not None:
            raise ValueError(f"{name} has a gradient already: module.zero_grad() before")
        if self.theta_0 is not None:
            start = self.theta_0.get(name)
            if start is not None and not self.torch.is_tensor(start):
                raise TypeError(f"{name} of theta_0 is a {type(start).__name__}: a tensor is needed")
            if start is None or start.shape != p.shape:
                found = "is missing" if start is None else f"has shape {tuple(start.shape)}"
                raise ValueError(f"{name} {found} in theta_0: {tuple(p.shape)} is needed")
            if p.numel() and start.data_ptr() == p.data_ptr():
                raise ValueError(
                    f"{name} of theta_0 is the module's own memory, which moves: "
                    "copy.deepcopy(module.state_dict())"
                )

    def fold(self, name: str, p: Any) -> None:
        """v.grad += (rows of this parameter)ᵀ ∂L/∂θ; the gradient is freed."""
        gradient, p.grad = p.grad, None
        if gradient is None:
            raise RuntimeError(
                f"{name} has no gradient any more: another InPlace moves it, release() that one"
            )
        if self.v.grad is None:
            self.v.grad = self.torch.zeros_like(self.v)
        total = self.array(self.v.grad)
        for rows, part in self.pieces(name, gradient.to_dense()):
            self.P.adjoint(self.array(part), rows=rows, out=total)

    def move(self) -> None:
        """θ ← θ_0 + P v, after v has changed."""
        v = self.v.detach()
        if not v.isfinite().all():
            raise ValueError("v has numbers that are not finite: θ stays what it was")
        with self.torch.no_grad():
            for name, p in self.parameters.items():
                start, by = (p, v - self.moved) if self.theta_0 is None else (self.theta_0[name], v)
                step = self.array(by)
                both = zip(self.pieces(name, p), self.pieces(name, start), strict=True)
                for (rows, part), (_, old) in both:
                    Pv = self.torch.as_tensor(self.P.apply(step, rows=rows), device=part.device)
                    part.copy_(old.to(part.device, self.dtype) + Pv)
            self.moved.copy_(v)

    def release(self) -> None:
        """Leave the module where it is, an ordinary one again."""
        for hook in self.hooks:
            hook.remove()

    def pieces(self, name: str, tensor: Any) -> Iterator[tuple[slice, Any]]:
        """Rows of P, and the part of the tensor that they are, cut at multiples of `ROWS`."""
        first, flat = self.first[name], tensor.detach().reshape(-1)
        a, end = first, first + len(flat)
        while a < end:
            b = min(end, (a // ROWS + 1) * ROWS)
            yield slice(a, b), flat[a - first : b - first]
            a = b

    def array(self, tensor: Any) -> Array:
        """A tensor as an array of P's backend, the same memory where it can be."""
        tensor = tensor.detach().to(self.v.device, self.dtype)
        on_host = self.v.device.type == "cpu"
        array: Array = tensor.numpy() if on_host else self.P.backend.xp.from_dlpack(tensor)
        return array
