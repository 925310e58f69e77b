"""Episodes: what a policy earns in an environment, as a landscape that has values and no gradient."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npintdim.engine.landscape import Batch, Evaluation
from npintdim.engine.layers import Standardise
from npintdim.engine.model import Model
from npintdim.es.environments import RANGES, Environment, Range, open_environment
from npintdim.inputs import check_integer, check_kind, check_real, check_seed, quiet
from npintdim.machine import blas_threads
from npintdim.rng import Purpose, Stream
from npintdim.typing import Floats, Spec

ONE_AT_A_TIME = threading.Lock()  # an environment has a state
LEAST_SD = 0.1  # of an observation that hardly moves
EPISODE = 1 << 32  # words of the stream that each episode has


@dataclass(frozen=True)
class Statistics:
    """Of all observations so far: how many, their sum and their sum of squares, feature by feature."""

    count: int
    total: tuple[float, ...]
    squares: tuple[float, ...]

    @classmethod
    def of(cls, seen: Floats) -> Statistics:
        """Of observations (count, features)."""
        return cls(len(seen), tuple(seen.sum(axis=0).tolist()), tuple((seen * seen).sum(axis=0).tolist()))

    def __add__(self, other: Statistics) -> Statistics:
        total, squares = (
            tuple(a + b for a, b in zip(mine, its, strict=True))
            for mine, its in ((self.total, other.total), (self.squares, other.squares))
        )
        return Statistics(self.count + other.count, total, squares)

    def layer(self) -> Standardise:
        """(x − mean)/sd; nothing is moved before the first observation."""
        if not self.count:
            return Standardise((0.0,) * len(self.total), (1.0,) * len(self.total), name="seen")
        mean = np.array(self.total) / self.count
        variance = np.maximum(np.array(self.squares) / self.count - mean**2, LEAST_SD**2)
        return Standardise(tuple(mean), tuple(np.sqrt(variance)), name="seen")


@dataclass(frozen=True)
class Returns(Evaluation):
    """An evaluation that also says what was observed, None of screens, and in how many steps."""

    seen: Statistics | None = None
    steps: int = 0


@dataclass
class Episodes:
    """Mean return of a policy; a `Landscape` of dimension D for `EvolutionStrategy`.

    Parameters
    ----------
    environment : "balance", which needs nothing, or a name of Gymnasium's,
        e.g. "InvertedPendulum-v5", "ALE/Pong-v5"
    model : the policy: its outputs are the numbers of an action; or these and the logarithms of their noise's
        sd, twice as many; or one for each action there is to choose from, and the largest is taken
    episodes : of each evaluation
    seed : of the episodes' starts and the noise of actions
    action_noise : sd of what is added to an action's numbers while training; none is added at evaluation.
        Where the policy has outputs for it, the sd is their exp times this, or times 1 if this is 0
    range : the least return, and the one that counts as solved; None where `environments.RANGES` has it
    statistics : of observations so far, which are standardised by them; see `learn`

    Raises
    ------
    ImportError, ValueError
        for an environment that cannot be made, or whose observations and actions are not the model's.

    Notes
    -----
    performance = (mean return − least)/(solved − least), cut to [0, 1], so that guessing has no negative
    share in 0.9 × baseline;  loss = 1 − performance before it is cut.

    Episode e of step t begins as word e·2³² of the stream (seed, EPISODES, t) says, and the noise follows it:
    all members of a generation play the same episodes. Step 0 is evaluation.
    """

    environment: str
    model: Model
    episodes: int = 1
    seed: int = 0
    action_noise: float = 0.0
    range: tuple[float, float] | None = None
    statistics: Statistics | None = None
    open: Environment = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_kind("model", self.model, Model, "npintdim.mlp([4, 20, 20, 1])")
        self.episodes = check_integer("episodes", self.episodes, 1)
        self.seed = check_seed(self.seed)
        self.action_noise = check_real("action_noise", self.action_noise)
        if not 0 <= self.action_noise < np.inf:
            raise ValueError(f"action_noise is {self.action_noise}: a number ≥ 0 is needed")
        self.open = open_environment(self.environment)
        limits = RANGES.get(self.environment)
        if self.range is not None:
            pair = isinstance(self.range, tuple | list) and len(self.range) == 2
            limits = Range(*(check_real("each of range", r) for r in self.range)) if pair else None
        if limits is None or not limits.least < limits.solved:
            raise ValueError(
                f"range is {self.range}, and environment {self.environment!r} is none of "
                f"{', '.join(RANGES)}: (least return, return that counts as solved) is needed"
            )
        self.range = limits
        self.check()
        if self.statistics is None and len(self.open.shape) == 1:
            self.statistics = Statistics.of(np.empty((0, *self.open.shape)))

    def check(self) -> None:
        """ValueError unless the model takes the observations and gives actions."""
        takes, gives, k = self.model.in_shape, self.model.classes, self.open.actions
        if takes != self.open.shape:
            raise ValueError(
                f"the model takes {takes}, but {self.environment!r} is observed as {self.open.shape}"
            )
        if gives not in ((k,) if self.open.bounds is None else (k, 2 * k)):
            needed = (
                f"{k} to choose from"
                if self.open.bounds is None
                else f"{k} numbers, or {2 * k} with their noise"
            )
            raise ValueError(
                f"the model has {gives} outputs, but an action of {self.environment!r} is {needed}"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.open = open_environment(self.environment)

    @property
    def dim(self) -> int:
        """D."""
        return self.model.D

    def start(self) -> Floats:
        """The model's θ_0 of the seed."""
        return self.model.init_theta(self.seed)

    @property
    def backend(self) -> Any:
        """The model's."""
        return self.model.backend

    def policy(self) -> Model:
        """The model with what has been observed as its first layer: complete, and what is compressed."""
        return self.model if self.statistics is None else of_raw_observations(self.model, self.statistics)

    def learn(self, members: Iterable[Evaluation]) -> None:
        """Add what the members of a generation observed, in their order."""
        for member in members:
            if isinstance(member, Returns) and member.seen is not None and self.statistics is not None:
                self.statistics += member.seen

    def loss_and_grad(self, theta: Floats, batch: Batch) -> tuple[Any, Floats]:
        """There is no gradient: TypeError, which names who estimates it."""
        raise TypeError(
            "Episodes have no gradient: EvolutionStrategy(landscape, sigma, pairs, seed) estimates it"
        )

    @quiet
    def evaluate(self, theta: Floats, data: Batch) -> Returns:
        """Mean over the episodes of data.step; step 0 without noise."""
        assert self.range is not None
        least, solved = self.range
        policy = self.policy()
        stream = Stream(self.seed, Purpose.EPISODES, data.step)
        with ONE_AT_A_TIME, blas_threads(1):  # its products are too small for more
            played = [self.play(policy, theta, stream, e, data.step > 0) for e in range(self.episodes)]
        shifted = float(np.mean([earned for earned, _ in played]) - least) / (solved - least)
        steps = sum(len(seen) for _, seen in played)
        seen = None
        if self.statistics is not None and np.isfinite(shifted):
            seen = Statistics.of(np.concatenate([seen for _, seen in played]))
        return Returns(1 - shifted, min(max(shifted, 0.0), 1.0), self.episodes, seen, steps)

    def play(self, policy: Model, theta: Floats, stream: Stream, e: int, noisy: bool) -> tuple[float, Floats]:
        """Return of an episode, and its observations (steps, features); screens are not kept."""
        dtype, k = self.model.backend.dtype, self.open.actions
        x = self.open.reset(int(stream.words(1, e * EPISODE)[0]))
        noisy = noisy and self.open.bounds is not None and (self.action_noise > 0 or policy.classes == 2 * k)
        z = stream.normals(k * self.open.steps, e * EPISODE + 1) * 2.0**-20 if noisy else None
        seen, earned, ended, t = [], 0.0, False, 0
        while not ended and t < self.open.steps:
            seen.append(x if self.statistics is not None else 0.0)
            logits, _ = policy.forward(theta, np.asarray(x, dtype)[None])
            y = policy.backend.host(logits)[0]
            x, reward, ended = self.open.step(self.action(y, None if z is None else z[t * k : (t + 1) * k]))
            earned += reward
            t += 1
        observed = np.array(seen, dtype=np.float64)
        if not (np.isfinite(earned) and np.isfinite(observed).all()):
            if np.isfinite(policy.backend.host(theta)).all():
                raise ValueError(
                    f"environment {self.environment!r} gave NaN or infinity in an episode of {t} steps"
                )
            earned = np.nan  # it was given that by a policy that has diverged
        return earned, observed

    def action(self, y: Floats, z: Floats | None) -> Any:
        """The largest of the outputs; or their numbers, with noise while training, within bounds."""
        if self.open.bounds is None:
            return int(y.argmax())
        k = self.open.actions
        a = y[:k]
        if z is not None:
            sd = (
                np.exp(np.clip(y[k:], -5, 1)) * (self.action_noise or 1.0)
                if len(y) > k
                else self.action_noise
            )
            a = a + sd * z
        return np.clip(a, *self.open.bounds)

    def spec(self) -> Spec:
        """Environment, model and numbers."""
        return {
            "environment": self.environment, "model": self.model.spec(), "episodes": self.episodes,
            "seed": str(self.seed), "action_noise": self.action_noise, "range": list(self.range or ()),
        }  # fmt: skip


@functools.lru_cache(maxsize=2)  # all members of a generation share it
def of_raw_observations(model: Model, statistics: Statistics) -> Model:
    """A model of the observations as they come."""
    return Model((statistics.layer(), *model.layers), model.in_shape, model.backend)
