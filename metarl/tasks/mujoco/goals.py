"""The goal families of the meta-learning papers: half-cheetahs and ants with a direction, a
velocity or a place to go to.

Papers differ in range, horizon and costs under one name, so each id names its range and horizon.
Other arguments than an id's own make another family, whose id names them.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import STREAMS, Tasks, check_draw, check_split
from metarl.tasks.mujoco.family import Motion, MujocoFamily
from metarl.tasks.mujoco.robots import ANT, HALF_CHEETAH

__all__ = [
    "AntDirection",
    "AntGoal",
    "DirectionTasks",
    "GoalTasks",
    "HalfCheetahDirection",
    "HalfCheetahVelocity",
    "VelocityTasks",
    "ant_any_direction",
    "half_cheetah_velocity_0to2",
]

CHEETAH_CONTROL_COST = 0.05  # the papers', half of Gymnasium's
GOAL_CONTROL_COST = 0.1


@dataclass(frozen=True, eq=False)
class DirectionTasks(Tasks):
    """n directions to run in."""

    direction: Tensor  # [n, places] unit vectors; for the half-cheetah 1 or -1


@dataclass(frozen=True, eq=False)
class VelocityTasks(Tasks):
    """n velocities to run at."""

    velocity: Tensor  # [n] m/s


@dataclass(frozen=True, eq=False)
class GoalTasks(Tasks):
    """n places to go to."""

    goal: Tensor  # [n, 2] m


class HalfCheetahDirection(MujocoFamily):
    """A half-cheetah that should run forwards in one task and backwards in the other.

    | part | value |
    |---|---|
    | observation | Box(17), as HalfCheetah-v5's: height, pitch, 6 joint angles (m, rad), 9 velocities (m/s, rad/s); not the direction |
    | action | Box(6) in [-1, 1]: torques of back thigh, shin, foot, front thigh, shin, foot, in units of their gears (30 to 120 N m) |
    | task | direction, 1 or -1, equally likely |
    | reward | direction × x velocity (m/s) - 0.05 × squared action |
    | start | standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | end | truncated at the horizon |
    | splits | train, test: the same two tasks (finite) |
    | optimum, bound | not computable |
    | versions | v0 |

    Args:
        horizon: steps an episode, of 0.05 s each.

    Source: Finn et al. 2017 (MAML, arXiv 1703.03400), section 5.3; costs as in Rothfuss et al. 2019
        (ProMP, arXiv 1810.06784) and
    Rakelly et al. 2019 (PEARL, arXiv 1903.08254).
    """

    finite = True
    hides = ("direction",)

    def __init__(self, horizon: int = 200):
        super().__init__(
            f"HalfCheetahDirection-2way-h{horizon}-v0", HALF_CHEETAH, horizon, terminates=False
        )

    def config(self) -> dict[str, Any]:
        return {"horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> DirectionTasks:
        check_draw(self, n, split, seed)
        forwards = numpy_generator(seed, self.id, split).random((n, 1)) < 0.5
        return DirectionTasks(torch.from_numpy(np.where(forwards, 1.0, -1.0)))

    def task_count(self, split: str) -> int:
        return 2

    def every_task(self, split: str, seed: int) -> DirectionTasks:
        check_split(self, split)
        return DirectionTasks(torch.tensor([[1.0], [-1.0]], dtype=torch.float64))

    def rewards(self, tasks: DirectionTasks, motion: Motion) -> np.ndarray:
        return (
            tasks.direction.cpu().numpy()[:, 0] * motion.velocity[:, 0]
            - CHEETAH_CONTROL_COST * motion.control
        )


class HalfCheetahVelocity(MujocoFamily):
    """A half-cheetah that should run at a velocity that it isn't told.

    | part | value |
    |---|---|
    | observation | Box(17), as HalfCheetah-v5's: height, pitch, 6 joint angles (m, rad), 9 velocities (m/s, rad/s); not the goal |
    | action | Box(6) in [-1, 1]: torques of back thigh, shin, foot, front thigh, shin, foot, in units of their gears (30 to 120 N m) |
    | task | velocity, uniform in [low, high] m/s |
    | reward | -abs(x velocity - the task's) (m/s) - 0.05 × squared action |
    | start | standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | end | truncated at the horizon |
    | splits | train, test, validation: independent streams |
    | optimum | not computable |
    | bound | no reward exceeds 0, which is loose: the cheetah starts at rest |
    | versions | v0 |

    `HalfCheetahVelocity-0to3-h200-v0` has the range of Rothfuss et al. 2019 (ProMP, arXiv
    1810.06784) and Rakelly et al. 2019 (PEARL, arXiv 1903.08254),
    `HalfCheetahVelocity-0to2-h200-v0` that of Finn et al. 2017 (MAML, arXiv 1703.03400, section
    5.3).

    Args:
        low, high: range of the velocity, in m/s. horizon: steps an episode, of 0.05 s each.

    Raises:
        ValueError: a range that isn't finite or falls.
    """

    hides = ("velocity",)
    splits = STREAMS

    def __init__(self, low: float = 0.0, high: float = 3.0, horizon: int = 200):
        id = f"HalfCheetahVelocity-{low:g}to{high:g}-h{horizon}-v0"
        if not (-math.inf < low <= high < math.inf):
            raise ValueError(
                f"{id}: the velocity's range needs low <= high, both finite, not low = {low} and"
                f" high = {high}."
            )
        super().__init__(id, HALF_CHEETAH, horizon, terminates=False)
        self.low = float(low)
        self.high = float(high)

    def config(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> VelocityTasks:
        check_draw(self, n, split, seed)
        return VelocityTasks(
            torch.from_numpy(numpy_generator(seed, self.id, split).uniform(self.low, self.high, n))
        )

    def rewards(self, tasks: VelocityTasks, motion: Motion) -> np.ndarray:
        return (
            -np.abs(motion.velocity[:, 0] - tasks.velocity.cpu().numpy())
            - CHEETAH_CONTROL_COST * motion.control
        )

    def upper_bound(self, tasks: VelocityTasks, episodes: int) -> Tensor:
        return torch.zeros_like(tasks.velocity)


def half_cheetah_velocity_0to2(
    low: float = 0.0, high: float = 2.0, horizon: int = 200
) -> HalfCheetahVelocity:
    """Return a half-cheetah that should run at a velocity from MAML's range, 0 to 2 m/s.

    See `HalfCheetahVelocity`.
    """
    return HalfCheetahVelocity(low, high, horizon)


class AntDirection(MujocoFamily):
    """An ant that should walk in a direction that it isn't told.

    | part | value |
    |---|---|
    | observation | Box(27): height (m), the torso's quaternion, 8 joint angles (rad), 14 velocities (m/s, rad/s); not the direction |
    | action | Box(8) in [-1, 1]: torques of 4 hips and 4 ankles, in units of 150 N m |
    | task | a unit vector: along x or against it, equally likely, or, with `all_around`, uniform on the circle |
    | reward | velocity along the direction (m/s) + 1 - 0.5 × squared action - 0.0005 × squared contact forces, each clipped to [-1, 1] |
    | start | standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | end | terminated when the torso's height leaves 0.2 to 1 m; truncated at the horizon |
    | splits | train, test: the same two tasks (finite); with `all_around` independent streams of train, test and validation |
    | optimum, bound | not computable |
    | versions | v0 |

    `AntDirection-2way-h200-v0` has two directions, as in Finn et al. 2017 (MAML, arXiv 1703.03400)
    and Rothfuss et al. 2019 (ProMP, arXiv 1810.06784); `AntDirection-0to360-h200-v0` any, as in
    Rakelly et al. 2019 (PEARL, arXiv 1903.08254). Costs, the reward for each step and the end are
    PEARL's; ours leave contact forces out of the observation.

    Args:
        all_around: any direction rather than two. horizon: steps an episode, of 0.05 s each.
    """

    hides = ("direction",)

    def __init__(self, all_around: bool = False, horizon: int = 200):
        super().__init__(
            f"AntDirection-{'0to360' if all_around else '2way'}-h{horizon}-v0",
            ANT,
            horizon,
            terminates=True,
        )
        self.all_around = all_around
        self.finite = not all_around
        self.splits = STREAMS if all_around else STREAMS[:2]

    def config(self) -> dict[str, Any]:
        return {"all_around": self.all_around, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> DirectionTasks:
        check_draw(self, n, split, seed)
        uniform = numpy_generator(seed, self.id, split).random(n)
        if not self.all_around:
            return DirectionTasks(
                torch.from_numpy(np.stack([np.where(uniform < 0.5, 1.0, -1.0), np.zeros(n)], 1))
            )
        return DirectionTasks(
            torch.from_numpy(
                np.stack([np.cos(2 * np.pi * uniform), np.sin(2 * np.pi * uniform)], 1)
            )
        )

    def task_count(self, split: str) -> int | None:
        return None if self.all_around else 2

    def every_task(self, split: str, seed: int) -> DirectionTasks:
        check_split(self, split)
        return DirectionTasks(torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64))

    def rewards(self, tasks: DirectionTasks, motion: Motion) -> np.ndarray:
        along = (tasks.direction.cpu().numpy() * motion.velocity).sum(-1)
        return (
            along
            + self.robot.healthy_reward
            - self.robot.control_cost * motion.control
            - self.robot.contact_cost * motion.contact
        )


def ant_any_direction(all_around: bool = True, horizon: int = 200) -> AntDirection:
    """Return an ant that should walk in a direction from the whole circle, as in PEARL.

    See `AntDirection`.
    """
    return AntDirection(all_around, horizon)


class AntGoal(MujocoFamily):
    """An ant that should walk to a place that it isn't told.

    | part | value |
    |---|---|
    | observation | Box(29): place x, y and height (m), the torso's quaternion, 8 joint angles (rad), 14 velocities; not the goal |
    | action | Box(8) in [-1, 1]: torques of 4 hips and 4 ankles, in units of 150 N m |
    | task | the goal, uniform in the disc of `radius` m around the start |
    | reward | -(abs(x - goal x) + abs(y - goal y)) (m) - 0.1 × squared action - 0.0005 × squared contact forces, each clipped to [-1, 1] |
    | start | standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | end | truncated at the horizon |
    | splits | train, test, validation: independent streams |
    | optimum | not computable |
    | bound | no reward exceeds 0, which is loose: the ant has to get there first |
    | versions | v0 |

    `AntGoal-radius3-h200-v0` has the range and costs of Rothfuss et al. 2019 (ProMP, arXiv
    1810.06784) and Rakelly et al. 2019 (PEARL, arXiv 1903.08254), without contact forces in the
    observation. Finn et al. 2017 (MAML, arXiv 1703.03400) has no such task.

    Args:
        radius: of the disc, in m. horizon: steps an episode, of 0.05 s each.

    Raises:
        ValueError: a radius that isn't positive and finite.
    """

    has_goal = True
    hides = ("goal",)
    splits = STREAMS

    def __init__(self, radius: float = 3.0, horizon: int = 200):
        id = f"AntGoal-radius{radius:g}-h{horizon}-v0"
        if not (0 < radius < math.inf):
            raise ValueError(f"{id}: radius must be positive and finite, not {radius}.")
        super().__init__(id, ANT, horizon, terminates=False, shows_place=True)
        self.radius = float(radius)

    def config(self) -> dict[str, Any]:
        return {"radius": self.radius, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> GoalTasks:
        check_draw(self, n, split, seed)
        uniform = numpy_generator(seed, self.id, split).random((n, 2))
        angle = 2 * np.pi * uniform[:, 0]
        distance = self.radius * np.sqrt(uniform[:, 1])
        return GoalTasks(
            torch.from_numpy(np.stack([distance * np.cos(angle), distance * np.sin(angle)], 1))
        )

    def rewards(self, tasks: GoalTasks, motion: Motion) -> np.ndarray:
        distance = np.abs(motion.torso - tasks.goal.cpu().numpy()).sum(-1)
        return (
            -distance
            - GOAL_CONTROL_COST * motion.control
            - self.robot.contact_cost * motion.contact
        )

    def goals_of(self, tasks: GoalTasks) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in tasks.goal]

    def upper_bound(self, tasks: GoalTasks, episodes: int) -> Tensor:
        return torch.zeros_like(tasks.goal[:, 0])
