"""A compressed file: fn(file, p) gives θ_d, or θ = float32(θ_0 + P θ_d), docs/format.md."""

from typing import Any

import numpy as np

from npintdim.artefact.compress import CompressedModel
from npintdim.artefact.decode import decoded_theta
from npintdim.projections import projection_from_spec
from npintdim.testing.mistakes.from_seeds import OF_SEEDS, SEEDS
from npintdim.testing.mistakes.table import Table, wrong
from npintdim.typing import Floats


def numbers_of(s: Any, file: bytes, p: Any) -> Any:
    """θ_d."""
    return s.theta_d(loaded(file).theta_d)


def theta_of(s: Any, file: bytes, p: Any) -> Any:
    """θ, exactly, rounded once."""
    kept = loaded(file)
    seed, P_seed = s.seeds(kept.theta_0_seed, kept.P.seed)
    P = projection_from_spec({**kept.P.spec(), "seed": str(P_seed)})
    theta = decoded_theta(kept.network, P, seed, s.theta_d(kept.theta_d))
    return s.sum(theta, kept.network.init_theta(seed))


def loaded(file: bytes) -> CompressedModel:
    """Header, seeds and θ_d, all seals looked at."""
    return CompressedModel._read(file, None, None)


def swapped(theta_d: Floats) -> Any:
    """The bytes of each number in the other order."""
    with np.errstate(all="ignore"):
        return np.nan_to_num(theta_d.byteswap(), posinf=0, neginf=0)


OF_THETA_D = (
    wrong("big-endian", "θ_d is read with the highest byte first; the lowest is first", theta_d=swapped),
    wrong("θ_d backwards", "θ_d is read from its end", theta_d=lambda theta_d: theta_d[::-1]),
    wrong("one number late", "θ_d begins one number late: its last entry is what lies behind it",
          theta_d=lambda theta_d: np.append(theta_d[1:], 0)),
)  # fmt: skip

OF_THETA = (
    wrong("θ_0 left out", "θ is P θ_d; θ = θ_0 + P θ_d", sum=lambda theta, theta_0: theta - theta_0),
    wrong("P θ_d left out", "θ is θ_0; θ = θ_0 + P θ_d", sum=lambda theta, theta_0: theta_0),
    wrong(
        "θ_0 − P θ_d", "P θ_d is taken from θ_0; it is added", sum=lambda theta, theta_0: 2 * theta_0 - theta
    ),
    *OF_SEEDS,
    *OF_THETA_D,
)


TABLES = {
    ("artefact", "given", "theta_d"): Table(numbers_of, {}, OF_THETA_D, outputs=("theta_d",)),
    ("artefact", "seeded", "decode"): Table(theta_of, SEEDS, OF_THETA, outputs=("theta",)),
}
