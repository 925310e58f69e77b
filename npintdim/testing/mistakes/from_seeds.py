"""Networks and files whose θ_0 and P are drawn from seeds: the drawing, then the table of both given."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from math import prod, sqrt
from typing import Any

import numpy as np

from npintdim.backend import get_backend
from npintdim.engine.architectures import lenet
from npintdim.projections import make_projection
from npintdim.rng import Purpose, Stream
from npintdim.testing.mistakes import networks, subspace, trajectory
from npintdim.testing.mistakes.table import UNIT, Given, Steps, Table, wrong
from npintdim.typing import Floats, Spec


@lru_cache(1 << 10)
def he_normal(stream: Stream, size: int, fan_in: int) -> Floats:
    """One weight of θ_0, docs/random.md."""
    return stream.truncated_normals(size) * (UNIT * sqrt(2 / fan_in))


SEEDS: Steps = {"seeds": lambda theta_0, P: (theta_0, P)}
OF_SEEDS = (
    wrong("seeds exchanged", "θ_0 is drawn from P's seed and P from that of θ_0",
          seeds=lambda theta_0, P: (P, theta_0)),
    wrong("θ_0's seed for both", "P is drawn from the seed of θ_0; it has its own",
          seeds=lambda theta_0, P: (theta_0, theta_0)),
    wrong("P's seed for both", "θ_0 is drawn from the seed of P; it has its own",
          seeds=lambda theta_0, P: (P, P)),
)  # fmt: skip

DRAWING: Steps = SEEDS | {
    "draw_weight": he_normal,
    "draw_bias": lambda stream, size, fan_in: np.zeros(size),
}

DRAWN = (
    wrong("one lane for θ_0", "all tensors of θ_0 come from lane 0; tensor i of the network, biases counted, "
          "has lane i", draw_lane=lambda i: 0),
    wrong("lanes without biases", "the weights have lanes 0, 1, 2, ...; "
          "biases count too, so they have 0, 2, 4, ...", draw_lane=lambda i: i // 2),
    wrong("biases drawn", "the biases of θ_0 are drawn like weights; they are 0", draw_bias=he_normal),
    wrong("fan_out", "θ_0 has variance 2/fan_out; 2/fan_in is needed",
          draw_fan=lambda fan_in, fan_out: fan_out),
    wrong("1/fan_in", "θ_0 has variance 1/fan_in; He's is 2/fan_in",
          draw_weight=lambda stream, size, fan_in: he_normal(stream, size, fan_in) * sqrt(0.5)),
    wrong("θ_0 not truncated", "θ_0's normals are not cut at two standard deviations",
          draw_weight=lambda stream, size, fan_in: stream.normals(size) * (UNIT * sqrt(2 / fan_in))),
    wrong("θ_0 rescaled", "θ_0 is divided by .8796, the deviation of a cut normal; nothing is rescaled",
          draw_weight=lambda stream, size, fan_in: he_normal(stream, size, fan_in) / 0.87962566103423978),
    wrong("θ_0 is 0", "θ_0 is 0; it is drawn from its seed", drawn_theta_0=lambda theta_0: 0 * theta_0),
    *OF_SEEDS,
)  # fmt: skip


def theta_0_of(s: Any, seed: int, tensors: Iterable[tuple[bool, int, int, int]]) -> Floats:
    """Tensor after tensor: whether it is a weight, its size, fan_in and fan_out."""
    parts = []
    for i, (weight, size, fan_in, fan_out) in enumerate(tensors):
        stream = Stream(seed, Purpose.THETA_0, s.draw_lane(i))
        parts.append((s.draw_weight if weight else s.draw_bias)(stream, size, s.draw_fan(fan_in, fan_out)))
    return s.drawn_theta_0(np.concatenate(parts))


def tensors_of(layers: list[Spec]) -> Iterator[tuple[bool, int, int, int]]:
    """Of a network; a bias has the fans of its weight."""
    for W, b in filter(None, map(networks.shapes_of, layers)):
        field = prod(W[2:])
        fans = (W[1] * field, W[0] * field) if len(W) == 4 else (W[0], W[1])
        yield True, prod(W), *fans
        yield False, prod(b), *fans


@lru_cache(64)
def matrix(kind: str, D: int, d: int, seed: int, dtype: str) -> Floats:
    """P, (D, d)."""
    return make_projection(kind, D, d, seed, get_backend("numpy", np.dtype(dtype))).to_dense()


def drawn(s: Any, first: Any, p: Any) -> tuple[Any, Given]:
    """The first input and p of the same task with θ_0 and P given."""
    rest = dict(vars(p))
    seed, P_seed = s.seeds(getattr(p, "theta_0_seed", first), getattr(p, "P_seed", 0))
    if "in_shape" in rest:
        layers = lenet(tuple(p.in_shape), p.classes).layers
        rest["layers"] = [{"kind": type(layer).__name__, **vars(layer)} for layer in layers]
    one = [(True, p.D, p.fan_in, p.fan_in)] if "fan_in" in rest else None
    tensors = one or tensors_of(networks.layers_of(Given(**rest)))
    rest["theta_0"] = theta_0_of(s, seed, tensors).astype(p.dtype)
    if "kind" in rest:
        rest["P"] = matrix(p.kind, p.D, p.d, P_seed, p.dtype)
    return (first if "theta_0_seed" in rest else rest["theta_0"]), Given(**rest)


def in_a_subspace(s: Any, theta_d: Floats, p: Any) -> Any:
    """Loss and gradient of a network of convolutions at θ_0 + P θ_d."""
    loss, grad = networks.loss_and_grad(s, p.theta_0 + p.P @ theta_d, p)
    return loss, p.P.T @ grad


def from_seeds(table: Table, without: tuple[str, ...] = ()) -> Table:
    """The drawing, then what the table computes; its mistakes too, after those of the drawing."""
    return replace(
        table, compute=lambda s, first, p: table.compute(s, *drawn(s, first, p)), right=DRAWING | table.right,
        mistakes=tuple(m for m in DRAWN + table.mistakes if m.name not in without), problems=lambda dtype: (),
    )  # fmt: skip


OF_NETWORKS = ("one lane for θ_0", "lanes without biases", "biases drawn", "fan_out")  # of several tensors
OF_TWO = ("seeds exchanged", "θ_0's seed for both", "P's seed for both")
AT_ZERO = ("no biases", "last bias missing", "first bias missing", "db is 0")  # the biases are 0
OF_ONE_IMAGE = (  # one place, one channel
    "summed loss", "summed gradient", "1/n twice", "images read as NHWC", "images transposed",
    "ties to the last", "ties to all", "ties shared", "flattened with the channels last",
    "flattened by columns",
)  # fmt: skip

TABLES = {
    ("subspace_gradient", "seeded", "loss_grad"): from_seeds(
        subspace.TABLES["subspace_gradient", "given", "loss_grad"],
        (*OF_NETWORKS, "θ_0 is 0", "rows normalised")),
    ("mlp_loss_grad", "seeded", "loss_grad"): from_seeds(
        networks.TABLES["mlp_loss_grad", "given", "loss_grad"], OF_TWO + AT_ZERO),
    ("lenet_loss_grad", "seeded", "subspace_loss_grad"): from_seeds(
        replace(networks.TABLES["lenet_loss_grad", "given", "loss_grad"], compute=in_a_subspace),
        OF_ONE_IMAGE),
    ("trajectory", "seeded", "sgd"): from_seeds(
        trajectory.TABLES["trajectory", "given", "sgd"], ("θ_0 is 0", "no biases at all")),
    ("trajectory", "seeded", "adam"): from_seeds(
        trajectory.TABLES["trajectory", "given", "adam"], ("θ_0 is 0", "no biases at all")),
}  # fmt: skip
