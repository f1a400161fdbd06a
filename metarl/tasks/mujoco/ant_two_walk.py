"""The two-way walk of MLSH: an ant that should walk right in one task and up in the other."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import check_draw, check_split
from metarl.tasks.mujoco.ant_paths import draw_walk
from metarl.tasks.mujoco.family import Motion, MujocoFamily, MujocoState
from metarl.tasks.mujoco.goals import GoalTasks
from metarl.tasks.mujoco.robots import ANT_WITHOUT_COSTS

__all__ = ["GOALS", "AntTwoWalk"]

GOALS = ((5.0, 0.0), (0.0, 5.0))  # m, right and up
REWARDS = ("walking", "distance")
SCALE = 3000.0  # of the released code's reward


class AntTwoWalk(MujocoFamily):
    """An ant with a place to go to that it isn't told: 5 m to the right of its start, or 5 m up.

    | part | value |
    |---|---|
    | observation | Box(27): height (m), the torso's quaternion, 8 joint angles (rad), 14 velocities (m/s, rad/s); not the goal |
    | | with `shows_place` Box(29): the same after the torso's x and y (m), as in AntObstacle-v0 and AntMaze-v0 |
    | action | Box(8) in [-1, 1]: torques of 4 hips and 4 ankles, in units of 150 N m |
    | task | the goal, x = 5 m, y = 0 (right) or x = 0, y = 5 m (up), equally likely |
    | reward | "walking": velocity in the goal's direction as seen from the start (m/s), and on beyond the goal; no costs |
    | | "distance": -sqrt(distance to the goal in the plane, m) / 3000 |
    | start | at x = y = 0, standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | end | truncated at the horizon; terminated only if MuJoCo's integration breaks down: an ant that falls over lies |
    | splits | train, test: the same two tasks (finite) |
    | optimum | not computable |
    | bound | "walking": none; "distance": no reward exceeds 0, which is loose |
    | versions | v0 |

    A return of "walking" × 0.05 s is how far the ant came in its task's direction, in m.

    Source: Ant Twowalk of Frans et al. 2017 (MLSH, arXiv 1710.09767): 1,000 steps, a master that
        chooses every 200, two sub-policies. The
    paper rewards walking in the task's direction, right or up; the released code (AntBandits) has
    the goals and "distance", ends no episode either, shows the place, and measures distance in
    space, down to the floor. Without its place an ant can't tell when to stop, so "distance" wants
    `shows_place`. Its velocities at the start lie within ± 0.005; ours are Ant-v5's.

    Args:
        reward: "walking" or "distance". shows_place: observations begin with x and y. horizon:
            steps an episode, of 0.05 s each.

    Raises:
        ValueError: another reward, or a horizon below 1.
    """

    finite = True
    hides = ("goal",)

    def __init__(self, reward: str = "walking", shows_place: bool = False, horizon: int = 1000):
        if reward not in REWARDS:
            raise ValueError(
                f"AntTwoWalk-v0: there is no reward {reward!r}; choose {' or '.join(REWARDS)}."
            )
        super().__init__(
            "AntTwoWalk-v0", ANT_WITHOUT_COSTS, horizon, terminates=False, shows_place=shows_place
        )
        self.reward = reward
        self.shows_place = shows_place

    def config(self) -> dict[str, Any]:
        return {"reward": self.reward, "shows_place": self.shows_place, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> GoalTasks:
        check_draw(self, n, split, seed)
        return GoalTasks(
            torch.tensor(GOALS, dtype=torch.float64)[
                numpy_generator(seed, self.id, split).integers(len(GOALS), size=n)
            ]
        )

    def task_count(self, split: str) -> int:
        return len(GOALS)

    def every_task(self, split: str, seed: int) -> GoalTasks:
        check_split(self, split)
        return GoalTasks(torch.tensor(GOALS, dtype=torch.float64))

    def rewards(self, tasks: GoalTasks, motion: Motion) -> np.ndarray:
        goal = tasks.goal.cpu().numpy()
        if self.reward == "distance":
            away: np.ndarray = np.linalg.norm(motion.torso - goal, axis=1)
            return -np.sqrt(away) / SCALE
        along: np.ndarray = (motion.velocity * goal).sum(1) / np.linalg.norm(goal, axis=1)
        return along

    def upper_bound(self, tasks: GoalTasks, episodes: int) -> Tensor | None:
        return torch.zeros_like(tasks.goal[:, 0]) if self.reward == "distance" else None

    def render_path(self, tasks: GoalTasks, states: MujocoState, moment: int) -> Tensor:
        """Return the walk from above, x to the right and y upwards, in a square that holds all of
        it; the ant, and the goal in green.
        """
        goal = (float(tasks.goal[0, 0]), float(tasks.goal[0, 1]))
        places = np.concatenate([states.position[:, :2].cpu().numpy(), [(0.0, 0.0), goal]])
        return draw_walk(
            self.models.base,
            states.position,
            moment,
            goal,
            places.min(0) - 1.5,
            places.max(0) + 1.5,
        )
