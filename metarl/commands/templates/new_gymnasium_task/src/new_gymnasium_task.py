"""A point in the plane that walks to a goal it doesn't see, as an environment of Gymnasium.

No PyTorch is imported here, so that worker processes, which import this module, start fast.
"""

from typing import Any

import gymnasium as gym
import metarl
import numpy as np

__all__ = ["NewGymnasiumTask", "draw_goal", "new_gymnasium_task"]

EDGE = 1.0  # goals lie up to here along both axes
MOST_MOVE = 0.25  # in a step, along each axis
NEAR = 0.2  # counts as arrived
HORIZON = 20


class NewGymnasiumTask(gym.Env):
    """One task: a point walks to `goal` and is paid minus its distance, until it arrives."""

    action_space = gym.spaces.Box(-MOST_MOVE, MOST_MOVE, (2,))

    def __init__(self, goal: np.ndarray):
        farthest = MOST_MOVE * HORIZON
        self.observation_space = gym.spaces.Box(-farthest, farthest, (2,))
        self.goal = np.asarray(goal)
        self.position = np.zeros(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start in the middle."""
        super().reset(seed=seed)  # noise would be drawn from self.np_random
        self.position = np.zeros(2)
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Move, and pay for the distance that is left."""
        self.position = self.position + action
        distance = float(np.linalg.norm(self.goal - self.position))
        arrived = distance < NEAR
        return self._observation(), -distance, arrived, False, {"success": arrived}

    def _observation(self) -> np.ndarray:
        return self.position.astype(np.float32)


def draw_goal(rng: np.random.Generator) -> np.ndarray:
    """Draw one task; the distribution keeps those for training and for tests apart."""
    return rng.uniform(-EDGE, EDGE, 2)


def new_gymnasium_task(workers: int = 0) -> "metarl.GymnasiumDistribution":
    """A point in the plane walks to a goal that it doesn't see; rewards tell how far off it is.

    | part | value |
    |---|---|
    | observation | Box [2]: the position |
    | action | Box [2]: the move, at most 0.25 along each axis |
    | reward | minus the distance to the goal after the move |
    | start | the middle |
    | end | terminated less than 0.2 from the goal; truncated after 20 steps |
    | success | arrived |
    | splits | train, test, validation: goal ~ U[-1, 1]^2, kept apart by content |
    | versions | v0 |

    Args:
        workers: processes that the environments share; results don't depend on it.
    """
    return metarl.GymnasiumDistribution(
        "NewGymnasiumTask-v0",
        NewGymnasiumTask,
        sampler=draw_goal,
        horizon=HORIZON,
        workers=workers,
    )
