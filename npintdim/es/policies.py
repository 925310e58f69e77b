"""The paper's policies, and the landscape that a measurement makes of one."""

from __future__ import annotations

import math

from npintdim.backend import Backend, get_backend
from npintdim.engine.architectures import model_from_spec
from npintdim.engine.layers import ChannelNorm, Conv2D, Flatten, Layer, Linear, ReLU
from npintdim.engine.model import Model
from npintdim.es.episodes import Episodes
from npintdim.es.strategy import EvolutionStrategy
from npintdim.inputs import check_text, shown
from npintdim.objective import SubspaceObjective
from npintdim.projections import projection_from_spec
from npintdim.specs import check_spec
from npintdim.typing import Spec

TANH: Spec = {"architecture": "mlp", "activation": {"kind": "Tanh"}}
POLICIES: dict[str, Spec] = {  # by environment; D = 33, 562, 541, 166,673 and 159,505
    "balance": {"architecture": "mlp", "sizes": [2, 8, 1]},
    "CartPole-v1": TANH | {"sizes": [4, 20, 20, 2]},
    "InvertedPendulum-v5": TANH | {"sizes": [4, 20, 20, 1]},
    "Humanoid-v4": TANH | {"sizes": [376, 256, 256, 17]},
    "Humanoid-v5": TANH | {"sizes": [348, 256, 256, 17]},
}


def atari_policy(actions: int = 6, backend: Backend | None = None) -> Model:
    """Four screens 84×84, conv 16 of 8×8/4, conv 32 of 4×4/2, 256, actions: D = 1,005,974 for Pong.

    Of these 2·(16 + 32 + 256) = 608 scale and shift what is normalised: without that perturbations of the
    convolutions hardly change an action (Salimans et al. 2017).
    """
    layers: list[Layer] = [
        Conv2D(4, 16, 8, stride=4, padding=2), ChannelNorm(16), ReLU(),
        Conv2D(16, 32, 4, stride=2, padding=2), ChannelNorm(32), ReLU(),
        Flatten(), Linear(32 * 11 * 11, 256), ChannelNorm(256), ReLU(),
        Linear(256, actions),
    ]  # fmt: skip
    return Model(layers, (4, 84, 84), backend)


def policy(
    d: int | None,
    seed: int,
    environment: str = "balance",
    model: Spec | None = None,
    sigma: float = 0.1,
    pairs: int = 8,
    episodes: int = 1,
    action_noise: float = 0.0,
    projection: Spec | None = None,
    range: tuple[float, float] | None = None,
) -> EvolutionStrategy:
    """A policy of an environment, trained whole (d = None) or in a random subspace: for `objective_recipe`.

    Parameters
    ----------
    d, seed : as `objective_recipe` gives them; θ_0, P, perturbations and episodes have streams of their own
    environment, episodes, action_noise, range : see `Episodes`
    model : its spec; None for that of `POLICIES`, or `atari_policy` for "ALE/..."
    sigma : of direct training; in a subspace sigma·sqrt(D/d), so that θ moves as far: P has unit columns
    pairs : see `EvolutionStrategy`
    projection : spec of P; None for stacked Fastfood with signs
    """
    backend = get_backend(threads=1)
    net = network(environment, model, backend)
    landscape = Episodes(environment, net, episodes, seed, action_noise, range)
    if d is None:
        return EvolutionStrategy(landscape, sigma, pairs, seed)
    spec = check_spec("projection", projection or {"kind": "fastfood"})
    P = projection_from_spec(spec | {"D": net.D, "d": d, "seed": seed}, backend)
    inside = SubspaceObjective(landscape, net.init_theta(seed), P)
    return EvolutionStrategy(inside, sigma * math.sqrt(net.D / d), pairs, seed)


def network(environment: str, model: Spec | None = None, backend: Backend | None = None) -> Model:
    """The policy of an environment."""
    environment = check_text("environment", environment)
    if model is None and environment.startswith("ALE/"):
        return atari_policy(backend=backend)
    if model is None and environment not in POLICIES:
        raise ValueError(
            f"environment is {shown(environment)}: with model, or one of {', '.join(POLICIES)}, is needed"
        )
    return model_from_spec(POLICIES[environment] if model is None else model, backend)
