"""The paper's agents, trained by evolution strategies: every number of every recipe, and the paper's word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from npintdim.es.policies import policy
from npintdim.measurement.recipes import Recipe, adam, fully_connected, objective_recipe
from npintdim.reproduce.cases import Cases, MeasuredCase


def agent(environment: str, D: int, lr: float, epochs: int, first: int, **options: Any) -> Recipe:
    """Adam in a subspace at lr·sqrt(D/d), as directly at lr; an epoch is 100 generations."""
    return objective_recipe(
        policy, options={"environment": environment} | options, optimizer=adam(lr), direct_optimizer=adam(lr),
        lr_at=D, epochs=epochs, first=first, precision=0.2, budget=16, at_once=2, direct_seeds=3,
    )  # fmt: skip


def ten_at_each(recipe: Recipe, d: tuple[int, ...], direct_seeds: int) -> Recipe:
    """Ten runs at each d: an agent solves the task or does not, so a mean is the share of those that do."""
    return replace(recipe, d=d, seeds=10, direct_seeds=direct_seeds)


# The steps of an environment decide the price: 16 members of 1000 steps are 1,600,000 an epoch.
PENDULUM = ten_at_each(
    agent("InvertedPendulum-v5", 541, 0.1, 1, 8, pairs=8, sigma=0.1), (2, 3, 4, 5, 6, 8, 12, 16), 4
)
TWO = {
    "environment": "InvertedPendulum-v5", "pairs": 8, "sigma": 0.1, "action_noise": 0.1,
    "model": fully_connected(4, 20, 20, 2, activation="tanh"),
}  # fmt: skip
CARTPOLE = ten_at_each(
    agent("CartPole-v1", 562, 0.05, 1, 8, pairs=4, sigma=0.1), (1, 2, 3, 4, 5, 6, 8, 12, 16), 5
)
HUMANOID = agent("Humanoid-v4", 166_673, 0.01, 20, 256, pairs=100, sigma=0.02, action_noise=0.01)
PONG = agent("ALE/Pong-v5", 1_005_974, 0.01, 5, 4096, pairs=100, sigma=0.02)
SHORT = {"d": (4, 16), "seeds": 1, "direct_seeds": 1}
SHORTER = {"budget": 6, "direct_seeds": 1, "epochs": 1}
UNCONFIRMED = "the nets are derived from D; population, σ and learning rates are ours"

AGENTS = (
    Cases(
        "inverted-pendulum",
        "InvertedPendulum by evolution strategies, 4-20-20-1 and the paper's 562 numbers",
        "168 runs, 2 core-hours", "6 runs, 6 core-minutes",
        (
            MeasuredCase("pendulum, 541", PENDULUM, {None: "–"}, f"one output; {UNCONFIRMED}"),
            MeasuredCase("pendulum, 562",
                 replace(PENDULUM, model=PENDULUM.model | {"options": TWO}, lr_at=562), {None: "4"},
                 f"the second output is the log of the action's noise; {UNCONFIRMED}"),
        ),
        SHORT,
    ),
    Cases(
        "cartpole", "CartPole by evolution strategies, 4-20-20-2", "95 runs, 15 core-minutes", "3 runs, 30 s",
        (MeasuredCase("CartPole", CARTPOLE, {None: "25 (DQN)"},
              "evolution strategies instead of DQN; 500 steps solve it"),),
        SHORT,
    ),
    Cases(
        "humanoid", "Humanoid by evolution strategies, 376-256-256-17",
        "19 runs of 400,000 episodes: 850 core-hours where an episode has 1,000 steps",
        "7 runs, 16 core-hours at most",
        (MeasuredCase("Humanoid", HUMANOID, {None: "700"},
              f"v4, whose 376 observations are the paper's; v5 has 348; {UNCONFIRMED}"),),
        SHORTER,
    ),
    Cases(
        "pong", "Pong by evolution strategies, two convolutions and 256",
        "19 runs of 100,000 games: 570 core-hours at 1,000 steps a game", "7 runs, 42 core-hours",
        (MeasuredCase("Pong", PONG, {None: "6,000"},
              f"actions repeat with probability 0.25 (v5); {UNCONFIRMED}"),),
        SHORTER,
    ),
)  # fmt: skip
