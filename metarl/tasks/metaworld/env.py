"""One environment of Meta-World, set to one variation of one task, for
`metarl.envs.gymnasium_adapter`.

Imports no PyTorch, so that workers start fast, and Meta-World only when an environment is made.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np

__all__ = [
    "ACTIONS",
    "LONGEST",
    "OBSERVATIONS",
    "MakeEnvironment",
    "MetaWorldEnvironment",
    "Variation",
]

OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (39,), np.float32)
ACTIONS = gym.spaces.Box(-1.0, 1.0, (4,), np.float32)
LONGEST = 500  # Meta-World ends an episode here
CAMERA = {"distance": 1.6, "elevation": -25.0, "azimuth": 135.0}  # from the left behind the arm
TABLE = (0.0, 0.65, 0.15)  # m, where the camera looks
MOST_IDLE = 50  # environments kept for reuse, at about 20 MB each


@dataclass(frozen=True, repr=False)
class Variation:
    """A task by its name in Meta-World, and where its objects and its goal stand.

    Attributes:
        name: such as "reach-v3".
        number: position among the variations of this task in its split.
        data: the variation, as Meta-World encodes it.
    """

    name: str
    number: int = field(compare=False)  # the same goal is the same task, wherever it stands
    data: bytes

    def __repr__(self) -> str:
        return f"{self.name} {self.number}"


class MakeEnvironment:
    """Makes the environment of a variation, out of one that isn't needed any more where there is
    one of the same task.

    Building a MuJoCo model takes as long as hundreds of steps; setting another variation takes
    nothing. An environment that was used before plays exactly as a new one does. Pickled, for
    workers, it brings no environments along.

    Args:
        goal_visible: the last three numbers of an observation are the goal's position, else zero.
        reward: version of the reward function, "v1" or "v2".
    """

    def __init__(self, goal_visible: bool = False, reward: str = "v2"):
        self.goal_visible = goal_visible
        self.reward = reward
        self._idle: list[tuple[str, Any]] = []  # (task, environment), the latest used last

    def __call__(self, variation: Variation) -> "MetaWorldEnvironment":
        return MetaWorldEnvironment(self, variation)

    def take(self, name: str) -> Any:
        """Return one of Meta-World's environments of the task `name`, used before or new."""
        for i in reversed(range(len(self._idle))):
            if self._idle[i][0] == name:
                return self._idle.pop(i)[1]
        from metaworld.env_dict import ALL_V3_ENVIRONMENTS

        return ALL_V3_ENVIRONMENTS[name](reward_function_version=self.reward)

    def give_back(self, name: str, env: Any) -> None:
        """Keep `env` for later; of too many, the one not used for longest is closed."""
        self._idle.append((name, env))
        if len(self._idle) > MOST_IDLE:
            with suppress(Exception):
                self._idle.pop(0)[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_idle": []}


class MetaWorldEnvironment(gym.Env):
    """A variation of a task: fixed start and goal, no noise, no end on success.

    Args:
        maker: where Meta-World's environment comes from, and goes back to when this one is closed.
        variation: what to play.
    """

    observation_space = OBSERVATIONS
    action_space = ACTIONS
    render_mode = "rgb_array"

    def __init__(self, maker: MakeEnvironment, variation: Variation):
        from metaworld.types import Task

        self._renderer: Any = None
        self.maker = maker
        self.variation = variation
        self.env = maker.take(variation.name)
        self._observe(goal=False)  # as set_task leaves it
        self.env.set_task(Task(variation.name, variation.data))
        self._observe(maker.goal_visible)

    def _observe(self, goal: bool) -> None:
        """Show the goal or hide it.

        The bounds to which Meta-World clips observations are worked out anew.
        """
        self.env._partially_observable = not goal
        self.env.__dict__.pop("sawyer_observation_space", None)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the variation's start, always the same."""
        return self.env.reset()[0].astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Meta-World's step; success is told, and ends nothing."""
        observation, reward, _, truncated, info = self.env.step(action)
        return (
            observation.astype(np.float32),
            float(reward),
            False,
            bool(truncated),
            {"success": bool(info["success"])},
        )

    def render(self) -> np.ndarray:
        """Return the arm and the table [150, 200, 3] uint8.

        Raises:
            ValueError: EGL isn't there.
        """
        if self._renderer is None:
            # Opens OpenGL, which only pictures need
            from metarl.tasks.mujoco.renderer import OffscreenRenderer

            self._renderer = OffscreenRenderer(self.env.model, 200, 150, **CAMERA)
        return self._renderer.draw(self.env.data, TABLE)

    def close(self) -> None:
        """Let another variation have Meta-World's environment."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self.env is not None:
            self.maker.give_back(self.variation.name, self.env)
            self.env = None
