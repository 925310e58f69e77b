"""What came after the random subspace: LoRA and its relatives, each one formula and its pullback.

An `Adapter` is a `Parametrisation` of a network's weights; recipes name one by {"kind": "lora", ...}.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np

from npintdim.adapters.base import Adapter, MatrixAdapter
from npintdim.adapters.in_lora import SubLoRA, UniLoRA
from npintdim.adapters.lora import LoRA, LoRAFA, LoRAXS, VeRA
from npintdim.adapters.only import Only
from npintdim.adapters.said import SAID
from npintdim.backend import Backend, get_backend, given
from npintdim.engine.params import ParamLayout
from npintdim.inputs import check_integer, one_of
from npintdim.specs import UNREGISTERED, called, check_spec, kinds
from npintdim.typing import Floats, Spec

ADAPTERS: dict[str, type[Adapter]] = kinds(
    "parametrisation", Adapter, "kind", LoRA, LoRAFA, LoRAXS, Only, SAID, SubLoRA, UniLoRA, VeRA
)

__all__ = [
    "ADAPTERS", "SAID", "Adapter", "LoRA", "LoRAFA", "LoRAXS", "MatrixAdapter", "Only", "SubLoRA", "UniLoRA",
    "VeRA", "adapter_of", "check_adapter", "make_adapter", "own_count", "rank_of",
]  # fmt: skip


def make_adapter(
    kind: str, layout: ParamLayout, theta_0: Floats, seed: int, backend: Backend | None = None, **options: Any
) -> Adapter:
    """T over a network's parameters.

    Parameters
    ----------
    kind : "lora", "lora_fa", "lora_xs", "vera", "said", "uni_lora", "sub_lora", "only", or one that was
        registered
    layout : `model.layout`
    theta_0 : (D,), where it begins
    seed : of what it draws
    backend : None for `get_backend()`
    **options
        lora: r=4, alpha=8.0, stabilised=False; lora_fa: r, alpha; lora_xs: r, sigma=True; vera: r;
        said: d, P={"kind": "fastfood"}; sub_lora: d, r, alpha, P; uni_lora: d, r, index="onehot" | "peft";
        only: names="*.b"

    Raises
    ------
    TypeError, ValueError
        for an unknown kind or option, or numbers out of range.
    """
    cls = ADAPTERS[one_of("parametrisation", kind, ADAPTERS, UNREGISTERED)]
    return called(repr(kind), cls, options, layout=layout, theta_0=theta_0, seed=seed, backend=given(backend))


def adapter_of(
    spec: Spec, d: int, layout: ParamLayout, theta_0: Floats, seed: int, backend: Backend
) -> Adapter:
    """The T of a run that trains d numbers: d itself where the kind has one, else the rank that has d.

    Raises
    ------
    ValueError
        if the kind trains another number.
    """
    cls, options = looked_up(spec)
    if "d" in cls.__dataclass_fields__:
        options["d"] = d
    elif issubclass(cls, MatrixAdapter) and "r" not in options:
        options["r"] = rank_of(cls, layout, d)
    made = make_adapter(cls.kind, layout, theta_0, seed, backend, **options)
    if made.dim != d:
        raise ValueError(
            f"{spec} trains {made.dim} numbers of this network, but d is {d}: d = {made.dim} is needed"
        )
    return made


def looked_up(spec: Spec) -> tuple[type[Adapter], Spec]:
    """The class that a spec names, and the options beside its kind."""
    options = check_spec("parametrisation", spec)
    return ADAPTERS[one_of("parametrisation", options.pop("kind", None), ADAPTERS, UNREGISTERED)], options


def own_count(spec: Spec, layout: ParamLayout) -> int | None:
    """How many numbers the spec trains by itself, by its rank or its names; None where d is needed."""
    cls, options = looked_up(spec)
    if "d" in cls.__dataclass_fields__ or (issubclass(cls, MatrixAdapter) and "r" not in options):
        return None
    theta_0 = np.zeros(layout.D, np.float32)
    return called(
        repr(cls.kind), cls, options, layout=layout, theta_0=theta_0, seed=0, backend=get_backend("numpy")
    ).dim


def rank_of(cls: type[MatrixAdapter], layout: ParamLayout, d: int) -> int:
    """The r with count(r) = d."""
    check_integer("d", d, 1)
    r = bisect_left(range(d + 1), d, 1, key=lambda r: cls.count(layout, r))
    if (above := cls.count(layout, r)) != d:
        fit = f"{cls.count(layout, r - 1)} or {above}" if r > 1 else f"{above}"
        raise ValueError(
            f"d is {d}, but no rank of {cls.kind} trains so many numbers here: d = {fit} is needed"
        )
    return r


def check_adapter(spec: Spec) -> None:
    """Refuse a kind of T, or options of it, that do not exist; nothing is drawn."""
    cls, options = looked_up(spec)
    own = set(cls.__dataclass_fields__) - set(Adapter.__dataclass_fields__) - {"d"}
    for name in options:
        one_of(f"option of {cls.kind!r}", name, sorted(own))
