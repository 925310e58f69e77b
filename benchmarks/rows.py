"""What is compared with what, and what is required."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Numbers = Mapping[int, float]  # by threads


@dataclass(frozen=True)
class Row:
    """A line of the tables.

    Parameters
    ----------
    name : for --rows
    section : of the tables
    title : for people
    ours : the case of npintdim
    against : the other cases, of which the fastest counts; without any, `ours` itself has a bound
    want : "faster", at least `floor` times as fast; "within", at most `floor` times its time; "under", at most
        `floor` seconds (or MB)
    floor, aim : what is required and what is hoped for, by threads
    narrow : what is required of a processor without AVX-512
    threads : that it is measured with
    rounds : at most
    """

    name: str
    section: str
    title: str
    ours: str
    against: tuple[str, ...] = ()
    want: str = "faster"
    floor: Numbers = field(default_factory=dict)
    aim: Numbers = field(default_factory=dict)
    narrow: Numbers = field(default_factory=dict)
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 100

    def held(self) -> Row:
        """The row as it is required of a processor without AVX-512."""
        return replace(self, floor=self.narrow, aim={})

    @property
    def cases(self) -> tuple[str, ...]:
        """All of them."""
        return (self.ours, *self.against)


def transforms() -> list[Row]:
    """H x for every n = 2^k; what is required was measured in place, and a new array costs what the system takes for it."""
    plain = [
        Row(f"{name}-{k}", "transform", f"n = 2^{k}, {title}", f"transform.{ours} {k}", (f"transform.plain {k}",),
            floor=floor, threads=(1,))
        for name, ours, title, floor in (
            ("wht", "ours", "a new array, against the plain twin", {}),
            ("inplace", "in_place", "in place as in Fastfood, against the plain twin", {1: 60.0}),
        )
        for k in range(10, 23)
    ]  # fmt: skip
    matrix = [
        Row(f"matrix-{k}", "transform", f"n = 2^{k}, against `scipy.linalg.hadamard(n) @ x`", f"transform.ours {k}",
            (f"transform.matrix {k}",), threads=(1,))
        for k in (10, 11, 12)
    ]  # fmt: skip
    return plain + matrix


MV = {"apply": "pytorch.mv_apply", "adjoint": "pytorch.mv_adjoint"}
PRODUCTS = {"apply": "P v", "adjoint": "Pᵀ g"}


def projections() -> list[Row]:
    """Products with P."""
    s = "projections"
    rows = [
        Row("fastfood", s, "Fastfood, single block, P v + Pᵀ g, against PyTorch", f"{s}.fastfood_single",
            ("pytorch.fastfood_op", "pytorch.fastfood_by_bits"), floor={1: 20, 2: 30}, aim={1: 30, 2: 60}, narrow={1: 20}),
        Row("fastfood-stacked", s, "Fastfood, stacked, P v + Pᵀ g, against two copies of D floats", f"{s}.fastfood_stacked",
            (f"{s}.two_copies",), "within", {1: 16, 2: 10}, {1: 10, 2: 6}),
    ]  # fmt: skip
    for d in (750, 10_000):
        rows += [
            Row(f"large-{d}", s, f"Fastfood, stacked, D = 25,000,000, d = {d:,}, P v + Pᵀ g", f"{s}.large {d}", (),
                "under", {2: 0.060}, {2: 0.040}, rounds=7),
            Row(f"large-memory-{d}", s, f"the same: memory beyond v, g and the result, d = {d:,}", f"{s}.large_memory {d}",
                (), "under", {2: 200.0}, threads=(2,), rounds=3),
        ]  # fmt: skip
    for product, title in PRODUCTS.items():
        rows += [
            Row(f"stored-{product}", s, f"dense, stored, {title}, against `torch.mv`", f"{s}.stored_{product}", (MV[product],),
                floor={1: 1.5, 2: 1.8}, aim={1: 2, 2: 2.7}),
            Row(f"signs-{product}", s, f"dense ±1, drawn, {title}, against `torch.mv`", f"{s}.signs_{product}", (MV[product],),
                floor={1: 5.5, 2: 8}, aim={1: 8, 2: 13}),
            Row(f"gaussian-{product}", s, f"dense Gaussian, drawn, {title}, against `torch.mv`", f"{s}.gaussian_{product}",
                (MV[product],), rounds=7),
        ]  # fmt: skip
    rows.append(
        Row("gaussian-plain", s, "dense Gaussian, drawn, d = 20, P v + Pᵀ g, against the plain twin", f"{s}.few_gaussian",
            (f"{s}.few_gaussian_plain",), rounds=5)
    )  # fmt: skip
    rows += [
        Row(f"sparse-{product}", s, f"sparse, {title}, against SciPy CSR", f"{s}.sparse_{product}", (f"{s}.csr_{product}",),
            floor={1: 3.5, 2: 5}, aim={1: 5, 2: 9})
        for product, title in PRODUCTS.items()
    ]  # fmt: skip
    return rows


def steps() -> list[Row]:
    """Training steps."""
    s, direct = "networks", ("pytorch.lenet_direct", "pytorch.lenet_channels_last")
    return [
        Row("mlp-direct", s, "MLP, direct step, against PyTorch's", f"{s}.mlp_direct", ("pytorch.mlp_direct",),
            floor={1: 1.2, 2: 1.3}, aim={1: 1.5, 2: 1.8}),
        Row("mlp-plain", s, "the same on the `numpy` backend", f"{s}.mlp_plain", ("pytorch.mlp_direct",),
            floor={1: 0.8, 2: 0.8}, aim={1: 1, 2: 1}),
        Row("mlp-fastfood", s, "MLP, Fastfood step, against PyTorch's", f"{s}.mlp_fastfood", ("pytorch.mlp_fastfood",),
            floor={1: 10, 2: 12}, aim={1: 13, 2: 18}),
        Row("mlp-fastfood-direct", s, "MLP, Fastfood step, against PyTorch's *direct* step", f"{s}.mlp_fastfood",
            ("pytorch.mlp_direct",), floor={1: 0.85, 2: 1.0}, aim={1: 1.1, 2: 1.3}),
        Row("mlp-fastfood-single", s, "MLP, Fastfood step, single block, against PyTorch's", f"{s}.mlp_fastfood_single",
            ("pytorch.mlp_fastfood",)),
        Row("lenet-direct", s, "LeNet, direct step, against PyTorch's (better of NCHW, channels_last)", f"{s}.lenet_direct",
            direct, floor={1: 3.5, 2: 5}, aim={1: 5, 2: 8.5}, narrow={1: 2, 2: 2}),
        Row("lenet-fastfood", s, "LeNet, Fastfood step, d = 290, against PyTorch's", f"{s}.lenet_fastfood",
            ("pytorch.lenet_fastfood",), floor={1: 7, 2: 10}, aim={1: 10, 2: 17}, narrow={1: 2, 2: 2}),
    ] + [
        Row(f"{net}-{way}-float64", s, f"{title} step in float64, against float32", f"{s}.{net}_{way}_float64",
            (f"{s}.{net}_{way}",), "within", {1: 2.5, 2: 2.5})
        for net, way, title in (("mlp", "direct", "MLP, direct"), ("mlp", "fastfood", "MLP, Fastfood"),
                                ("lenet", "direct", "LeNet, direct"), ("lenet", "fastfood", "LeNet, Fastfood"))
    ]  # fmt: skip


# k, stride, padding, channels in and out, side of an image, images; and the floor. Of a first layer (1 or 3 channels) without dx.
CONVOLUTIONS = (
    ((1, 1, 0, 3, 16, 32, 16), "", 1.0),
    ((1, 1, 0, 64, 64, 28, 8), "", 0.9),
    ((1, 2, 0, 64, 64, 28, 8), "", 1.2),
    ((3, 1, 1, 3, 16, 32, 16), "", 0.8),
    ((3, 1, 1, 64, 64, 28, 8), "", 0.85),
    ((3, 2, 1, 64, 64, 28, 8), "", 0.4),
    ((5, 1, 0, 1, 6, 28, 64), ", LeNet's first", 1.1),
    ((5, 1, 0, 6, 16, 12, 64), ", LeNet's second", 1.1),
    ((7, 1, 3, 64, 64, 28, 4), "", 0.7),
    ((7, 2, 0, 3, 96, 112, 4), ", SqueezeNet's first", 0.75),
    ((8, 4, 0, 4, 16, 84, 8), ", Pong's first", 1.5),
    ((4, 2, 0, 16, 32, 20, 16), ", Pong's second", 0.65),
    ((11, 1, 0, 16, 16, 28, 8), "", 0.6),
    ((28, 1, 0, 16, 16, 32, 8), "", 0.6),
    ((28, 2, 14, 16, 16, 32, 8), "", 2.0),
    ((55, 1, 27, 1, 6, 28, 16), ", FCTied-LeNet's first", 12.0),
    ((55, 4, 27, 16, 16, 56, 4), "", 2.0),
)


def convolutions() -> list[Row]:
    """y, dW and dx of one layer."""
    return [
        Row(f"conv-{'-'.join(map(str, case))}", "convolutions",
            f"k = {k}, stride {s}, padding {p}, {c} to {o} channels, {n} of {side}×{side}{name}",
            f"networks.convolution {' '.join(map(str, case))}", (f"pytorch.convolution {' '.join(map(str, case))}",),
            floor={1: floor}, aim={1: max(1, floor)}, threads=(1,))
        for case, name, floor in CONVOLUTIONS
        for k, s, p, c, o, side, n in (case,)
    ]  # fmt: skip


def processes() -> list[Row]:
    """From the interpreter's start to its end."""
    s = "processes"
    return [
        Row("epoch", s, "MNIST, an epoch in a subspace of d = 750 with evaluation, against PyTorch", f"{s}.epoch",
            (f"{s}.epoch_torch",), floor={1: 6, 2: 6}, aim={1: 10, 2: 10}, rounds=5),
        Row("epoch-single", s, "the same, single block", f"{s}.epoch_single", (f"{s}.epoch_torch",), rounds=3),
        Row("epoch-memory", s, "the same: peak memory, data included", f"{s}.training_memory", (), "under", {1: 450.0, 2: 450.0},
            rounds=3),
        Row("first-step", s, "first step in a fresh process, against `import torch`", f"{s}.first_step", (f"{s}.import_torch",),
            "within", {1: 0.6, 2: 0.6}, rounds=9),
        Row("first-step-cold", s, "the same, with no compiled code on disk", f"{s}.first_step_cold", (), "under",
            {1: 12.0, 2: 12.0}, rounds=3),
        Row("sweep", s, "8 runs: `sweep` on 2 processes, against one process", f"{s}.sweep 2", (f"{s}.sweep 1",),
            floor={1: 1.7}, aim={1: 1.9}, threads=(1,), rounds=3),
    ]  # fmt: skip


ROWS = {row.name: row for row in transforms() + projections() + steps() + convolutions() + processes()}
SECTIONS = {
    "transform": "H x, one vector of n = 2^k numbers",
    "projections": "Products with P, D = 199,210, d = 750",
    "networks": "Training steps, batch 128",
    "convolutions": "Convolutions: y, dW and dx, against `torch.nn.Conv2d`",
    "processes": "Whole processes",
}


def missing(row: Row, torch: bool, mnist: bool) -> str | None:
    """Why a row cannot be measured here, or None where it can."""
    if not torch and any("torch" in case for case in row.against):
        return "PyTorch is not installed: pip install torch"
    if not mnist and row.name.startswith(("epoch", "sweep")):
        return "NPINTDIM_DATA names no folder with the MNIST files"
    return None
