"""Environments: one of our own without dependencies, Gymnasium's, and Atari's screens as in the paper."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from npintdim.inputs import brief, check_text, shown
from npintdim.machine import need
from npintdim.typing import Floats


class Environment(Protocol):
    """Where an agent acts.

    Parameters
    ----------
    shape : of an observation
    actions : how many there are to choose from, or how many numbers an action is
    bounds : (low, high) of these numbers; None where one is chosen
    steps : after so many an episode ends
    """

    shape: tuple[int, ...]
    actions: int
    bounds: tuple[Floats, Floats] | None
    steps: int

    def reset(self, seed: int) -> Floats:
        """Begin an episode: its first observation."""
        ...

    def step(self, action: Any) -> tuple[Floats, float, bool]:
        """Next observation, reward, and whether the episode has ended."""
        ...


class Range(NamedTuple):
    """Returns of an episode: the least there is, and the one that counts as solved."""

    least: float
    solved: float


RANGES = {
    "balance": Range(0, 100),
    "CartPole-v1": Range(0, 500),
    "InvertedPendulum-v5": Range(0, 1000),
    "Humanoid-v4": Range(0, 6000),
    "Humanoid-v5": Range(0, 6000),
    "ALE/Pong-v5": Range(-21, 21),
}


class Balance:
    """A point on a hill: x ← x + 0.1 v,  v ← v + 0.1 (x + a); 1 for each step with |x| < 1, at most 100.

    Left alone it rolls down in some 40 steps; a = −k x − l v with k > 1, l > 0 keeps it there.
    """

    shape: tuple[int, ...] = (2,)
    actions = 1
    bounds: tuple[Floats, Floats] | None = (np.array([-1.0]), np.array([1.0]))
    steps = 100

    def reset(self, seed: int) -> Floats:
        """Beside the top, on a side and as far from it as the seed says."""
        self.x, self.v = (seed % 1009 / 504 - 1) / 20, 0.0
        return np.array([self.x, self.v])

    def step(self, action: Floats) -> tuple[Floats, float, bool]:
        """One of 100."""
        self.x, self.v = self.x + 0.1 * self.v, self.v + 0.1 * (self.x + float(action[0]))
        return np.array([self.x, self.v]), 1.0, abs(self.x) >= 1


class Gymnasium:
    """An environment of Gymnasium, without the wrappers of `gymnasium.make`: steps are counted here.

    ImportError, with the pip line, without Gymnasium or what it needs for this environment;
    ValueError for one that it does not have, or whose observations or actions are of another kind.
    """

    def __init__(self, name: str, **options: Any) -> None:
        gymnasium = need(
            "gymnasium", f"environment {name!r} needs the gymnasium package", "pip install 'npintdim[rl]'"
        )
        try:
            made = gymnasium.make(name, **options)
        except ImportError as error:
            raise ImportError(f"environment {name!r} lacks what it needs: {brief(error)}") from error
        except Exception as error:  # an unknown name, a missing ROM
            raise ValueError(f"environment {name!r} cannot be made: {brief(error)}") from error
        self.name, self.steps = name, made.spec.max_episode_steps or 10_000  # which its wrapper would count
        while type(made).__name__ in ADDED:
            made = made.env
        self.inner = made
        seen, acts = self.inner.observation_space, self.inner.action_space
        if type(seen).__name__ != "Box":
            raise ValueError(f"environment {name!r} is observed as {shown(seen)}: a Box of numbers is needed")
        self.shape: tuple[int, ...] = tuple(seen.shape)
        self.bounds: tuple[Floats, Floats] | None = None
        if type(acts).__name__ == "Box" and len(acts.shape) == 1:
            self.actions, self.bounds = acts.shape[0], (acts.low, acts.high)
        elif type(acts).__name__ == "Discrete" and acts.start == 0:
            self.actions = int(acts.n)
        else:
            raise ValueError(
                f"environment {name!r} has the action space {shown(acts)}: Box(k,) or Discrete(k) is needed"
            )

    def reset(self, seed: int) -> Floats:
        """As the seed says."""
        first: Floats = self.gave("reset", self.inner.reset(seed=seed), "info")[0]
        return first

    def step(self, action: Any) -> tuple[Floats, float, bool]:
        """One step."""
        if self.bounds is not None:
            kind = self.inner.action_space.dtype
            action = (np.rint(action) if kind.kind in "iu" else action).astype(kind)
        found = self.inner.step(action)
        seen, reward, ended, cut, _ = self.gave("step", found, "reward, terminated, truncated, info")
        return seen, float(reward), bool(ended or cut)

    def gave(self, what: str, found: Any, others: str) -> Any:
        """What a function of the environment gave, if as Gymnasium has it; TypeError if as older ones had."""
        count = 2 + others.count(",")
        if not isinstance(found, tuple) or len(found) != count or np.shape(found[0]) != self.shape:
            raise TypeError(
                f"environment {self.name!r}: {what} gave {shown(found)}: "
                f"(observation of shape {self.shape}, {others}) is needed"
            )
        return found


class Atari:
    """The last four screens of a game, grey, 84×84, in [0, 1]; each action is held for four frames.

    As in Mnih et al. (2015). Raises what `Gymnasium` raises, and an ImportError without ale-py.
    """

    shape: tuple[int, ...] = (4, 84, 84)
    bounds: tuple[Floats, Floats] | None = None

    def __init__(self, name: str) -> None:
        ale = need(
            "ale_py", f"environment {name!r} needs the ale-py package", "pip install 'npintdim[atari]'"
        )
        ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
        self.game = Gymnasium(name, obs_type="grayscale", frameskip=4)
        self.actions, self.steps = self.game.actions, self.game.steps
        self.rows, self.columns = (shrinking(side) for side in self.game.shape)
        self.screens: deque[Floats] = deque(maxlen=4)

    def reset(self, seed: int) -> Floats:
        """Four times the first screen."""
        self.screens.extend([self.small(self.game.reset(seed))] * 4)
        return np.stack(self.screens)

    def step(self, action: int) -> tuple[Floats, float, bool]:
        """Four frames; their reward, and the last of them."""
        screen, reward, ended = self.game.step(action)
        self.screens.append(self.small(screen))
        return np.stack(self.screens), reward, ended

    def small(self, screen: Floats) -> Floats:
        """84×84: each pixel the mean of those that it covers."""
        return self.rows @ (screen.astype(np.float32) / 255) @ self.columns.T


def shrinking(side: int, to: int = 84) -> Floats:
    """(to, side): row i is the share of each of `side` pixels in the i-th of `to` equal parts."""
    edges = np.arange(to + 1) * side / to
    pixel = np.arange(side)
    covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.maximum(covered, 0) * to / side).astype(np.float32)


ADDED = ("TimeLimit", "OrderEnforcing", "PassiveEnvChecker")  # by `gymnasium.make`
OWN: dict[str, Callable[[], Environment]] = {"balance": Balance}


def open_environment(name: str) -> Environment:
    """One of our own, else Gymnasium's of that name, see there; "ALE/..." are Atari's."""
    name = check_text("environment", name)
    if name in OWN:
        return OWN[name]()
    return Atari(name) if name.startswith("ALE/") else Gymnasium(name)
