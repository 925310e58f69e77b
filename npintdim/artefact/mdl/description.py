"""How many bits tell which network of all it is: a prefix-free language, fixed before the data are seen."""

from __future__ import annotations

import math
from itertools import chain

from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.decode import check_named
from npintdim.engine.model import Model
from npintdim.files import canonical
from npintdim.inputs import check_integer, check_kind
from npintdim.specs import BUILT_IN
from npintdim.typing import Spec

SEED_BITS = 64
CATALOGUE: tuple[Spec, ...] = (
    {"architecture": "mlp", "sizes": [784, 200, 200, 10]},
    {"architecture": "mlp", "sizes": [64, 100, 100, 10]},
    {"architecture": "lenet", "in_shape": [1, 28, 28], "classes": 10, "conv_relu": True},
    {"architecture": "lenet", "in_shape": [1, 28, 28], "classes": 10, "conv_relu": False},
    {"architecture": "mlp", "sizes": [3072, 200, 200, 10]},
    {"architecture": "lenet", "in_shape": [3, 32, 32], "classes": 10, "conv_relu": True},
    {"architecture": "lenet", "in_shape": [3, 32, 32], "classes": 10, "conv_relu": False},
)  # with "none of these", 3 bits
LEARNT = (
    "theta_0 was learnt, and no bit pays for that: "
    "a bound would hold only for data of which nothing went into it, which no file can show"
)
FASTFOOD = {"kind": "fastfood", "blocks": "stacked", "signs": True}
OURS = {CompressedModel, Model, *BUILT_IN}  # and nothing that was registered


def integer_bits(m: int) -> int:
    """Length of Elias' δ code of m ≥ 1: ⌊log₂ m⌋ + 2⌊log₂(⌊log₂ m⌋ + 1)⌋ + 1.

    It says where it ends, so Σ_m 2^−length = 1: any integer may be chosen, and the larger ones cost more.
    """
    length = check_integer("m", m, 1).bit_length()
    return length - 1 + 2 * (length.bit_length() - 1) + 1


def text_bits(spec: Spec) -> int:
    """Of a JSON text, its length first."""
    text = canonical(spec)
    return integer_bits(len(text)) + 8 * len(text)


def describe(compressed: CompressedModel, tried: int = 1) -> dict[str, int]:
    """Bits of each part of a description from which θ can be computed.

    Parameters
    ----------
    compressed : the network
    tried : number of networks among which this one was chosen. The bounds do not need it (they hold for all
        networks at once), but whoever fears that a choice is missing here can pay for it

    Returns
    -------
    network : 3 bits for one of the `CATALOGUE`, the JSON text after them for another
    P : 1 bit for the usual Fastfood, the JSON text after it for another, or another T
    d : `integer_bits`
    seeds : of θ_0 and P, see `seed_bits`
    theta_d : 1 bit for which of the two it is: the bytes of its code, or 32 bits a number
    tried : ⌈log₂ tried⌉

    Raises
    ------
    TypeError, ValueError
        for a network that the language cannot describe, see `check_described`, and a pre-trained θ_0.
    """
    check_integer("tried", tried, 1)
    check_described(compressed)
    if compressed.theta_0_seed is None:
        raise ValueError(f"no certificate: {LEARNT}")
    model = compressed.network.spec()
    options = {k: v for k, v in compressed.P.spec().items() if k not in ("D", "d", "seed")}
    code = compressed.code
    return {
        "network": 3 + (0 if model in CATALOGUE else text_bits(model)),
        "P": 1 + (0 if options == FASTFOOD else text_bits(options)),
        "d": integer_bits(compressed.d),
        "seeds": seed_bits(compressed.theta_0_seed, compressed.P.seed, compressed.d),
        "theta_d": 1 + (32 * compressed.d if code is None else 8 * len(code)),
        "tried": math.ceil(math.log2(tried)),
    }


def seed_bits(theta_0_seed: int, P_seed: int, d: int) -> int:
    """1 + the integer s + 1 where the seeds are those of repetition s (`RunSpec.seeds`), else 1 + 64 + 64."""
    s = theta_0_seed // (3 << 32)
    if (theta_0_seed, P_seed) == tuple((3 * s + k) * (1 << 32) + d for k in range(2)):
        return 1 + integer_bits(s + 1)
    return 1 + 2 * SEED_BITS


def check_described(compressed: CompressedModel) -> None:
    """Refuse code of one's own, for which no bit is paid: it could hold all labels in a table."""
    check_kind("compressed", compressed, CompressedModel, "CompressedModel.load(path)")
    network, P = compressed.network, compressed.P
    inner = getattr(P, "projection", P)  # that of an adapter, where it has one
    initializers = (init for layer in network.layers for init in layer.initializers().values())
    for part in chain((compressed, network, P, inner, *network.layers), initializers):
        what = getattr(part, "name", "") or "it"
        if type(part) not in OURS:
            given, only = "", ": only layers and projections of this package can be described"
        elif foreign := replaced(part):
            given, only = f" with another {foreign[0]}", ""
        else:
            continue
        unpaid = f"{what} is a {type(part).__name__}{given}, whose code the description does not pay for"
        raise TypeError(unpaid + only)
    if not check_named(network):
        raise ValueError(
            f"network.spec() is {network.spec()}: this package cannot build a network from it, "
            "so it is no description"
        )


def replaced(part: object) -> list[str]:
    """Names of its methods that were set on the object, or put into its class from another package."""
    classes = [c for c in type(part).__mro__ if c.__module__.partition(".")[0] == __name__.partition(".")[0]]
    methods = {name: f for c in reversed(classes) for name, f in vars(c).items() if callable(f)}
    moved = [
        name for name, f in methods.items() if not name.startswith("__") and package(f) != package(type(part))
    ]
    return sorted({*moved, *(methods.keys() & vars(part).keys())})


def package(thing: object) -> str:
    """That it was defined in."""
    return str(getattr(thing, "__module__", "")).partition(".")[0]
