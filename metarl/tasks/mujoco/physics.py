"""Robots whose physics differ from task to task.

The same rewards and observations, other masses, inertias, damping, friction, gears.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import Tasks, check_draw
from metarl.tasks.mujoco.family import Motion, MujocoFamily
from metarl.tasks.mujoco.models import FACTORS, check_factors
from metarl.tasks.mujoco.robots import ANT, HALF_CHEETAH, HOPPER, WALKER2D, Robot

__all__ = [
    "PhysicsTasks",
    "RandomisedPhysics",
    "ant_physics",
    "half_cheetah_physics",
    "hopper_physics",
    "walker2d_physics",
]


@dataclass(frozen=True, eq=False)
class PhysicsTasks(Tasks):
    """n robots, by what their physics are multiplied with; 1 is Gymnasium's robot."""

    mass: Tensor  # [n] of every body
    inertia: Tensor  # [n] of every body
    damping: Tensor  # [n] of every joint
    friction: Tensor  # [n] of every geom, the floor included
    gear: Tensor  # [n] of every actuator: torque per unit of action


class RandomisedPhysics(MujocoFamily):
    """A robot with Gymnasium's rewards and five factors a task; the functions below hold each
    robot's data sheet.

    Args:
        id: of the family.
        robot: which robot.
        low, high: range of the factors in `train` and `test`.
        horizon: steps an episode.

    Attributes:
        margin: in `extrapolate`, factors lie in [low / margin, low) or (high, high * margin].

    Raises:
        ValueError: a range that isn't positive and growing, or models that MuJoCo can't simulate,
            in its own words.
    """

    splits: tuple[str, ...] = ("train", "test", "extrapolate", "validation")

    def __init__(self, id: str, robot: Robot, low: float, high: float, horizon: int):
        if not (0 < low <= high < math.inf):
            raise ValueError(
                f"{id}: the factors' range needs 0 < low <= high, both finite, not low = {low} and"
                f" high = {high}."
            )
        super().__init__(id, robot, horizon, terminates=robot.healthy_reward > 0)
        self.low = float(low)
        self.high = float(high)
        if low == high:  # one robot, and nothing outside of it
            self.splits = ("train", "test")
            self.finite = True
        self.margin = (self.high / self.low) ** 0.25
        check_factors(id, robot.xml, self.low / self.margin, self.high * self.margin)
        self._latest: tuple[Any, list[Any]] = (None, [])

    def config(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> PhysicsTasks:
        """Draw factors.

        Log-uniform in [low, high], or, in `extrapolate`, all of them in the quarter of its width
        below or above it.
        """
        check_draw(self, n, split, seed)
        rng = numpy_generator(seed, self.id, split)
        uniform = rng.random((n, len(FACTORS)))
        if split == "extrapolate":
            above = rng.random((n, len(FACTORS))) < 0.5
            # Never 1, so that no factor lies on the range's edge
            outside = self.margin ** (1 - uniform)
            factors = np.where(above, self.high * outside, self.low / outside)
        else:
            factors = self.low * (self.high / self.low) ** uniform
        return PhysicsTasks(*(torch.from_numpy(column.copy()) for column in factors.T))

    def models_of(self, tasks: PhysicsTasks) -> list[Any]:
        if self._latest[0] is not tasks:  # rows keep their tasks for many steps
            factors = torch.stack([getattr(tasks, name) for name in FACTORS], 1)
            self._latest = (tasks, self.models(factors.cpu().numpy().astype(np.float64)))
        return self._latest[1]

    def rewards(self, tasks: PhysicsTasks, motion: Motion) -> np.ndarray:
        robot = self.robot
        costs = robot.control_cost * motion.control + robot.contact_cost * motion.contact
        return motion.velocity[:, 0] + robot.healthy_reward * motion.healthy - costs


def half_cheetah_physics(
    low: float = 0.5, high: float = 2.0, horizon: int = 200
) -> RandomisedPhysics:
    """HalfCheetah-v5 with physics drawn per task.

    | part | value |
    |---|---|
    | observation | Box(17): height (m), pitch and 6 joint angles (rad), then velocities of x and z (m/s), pitch and joints (rad/s) |
    | action | Box(6) in [-1, 1]: torques of back thigh, shin, foot, front thigh, shin, foot, in units of the task's gear (30 to 120 N m) |
    | task | factors of mass, inertia, joint damping, friction (floor included) and actuator gear, each log-uniform in [low, high] |
    | reward | x velocity (m/s) - 0.1 × squared action |
    | start | standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | end | truncated at the horizon; terminated only if MuJoCo's integration breaks down |
    | splits | train, test, validation: independent streams in [low, high]; extrapolate: every factor outside |
    | | of that range, by up to a quarter of its logarithm |
    | optimum, bound | not computable |
    | versions | v0 |

    One step of 0.05 s is 5 of MuJoCo's. At factors of 1 a step equals HalfCheetah-v5's.

    Args:
        low, high: range of the factors. horizon: steps an episode. The id names neither: they are
            part of what is scored, so give them beside a score; they are in every run's and every
            result's `config`.

    Source: HalfCheetah-v5 of Gymnasium (Towers et al. 2024, arXiv 2407.17032); randomised dynamics
        as in Rakelly et al. 2019
    (arXiv 1903.08254), there with a factor for each body and joint rather than one for each kind.
    """
    return RandomisedPhysics("HalfCheetahPhysics-v0", HALF_CHEETAH, low, high, horizon)


def hopper_physics(low: float = 0.5, high: float = 2.0, horizon: int = 200) -> RandomisedPhysics:
    """Hopper-v5 with physics drawn per task.

    | part | value |
    |---|---|
    | observation | Box(11): height (m), pitch and 3 joint angles (rad), then velocities (m/s, rad/s), clipped to ± 10 |
    | action | Box(3) in [-1, 1]: torques of thigh, leg and foot, in units of the task's gear (200 N m) |
    | task | factors of mass, inertia, joint damping, friction (floor included) and actuator gear, each log-uniform in [low, high] |
    | reward | x velocity (m/s) + 1 if healthy - 0.001 × squared action |
    | start | standing, positions and velocities ± 0.005 uniform |
    | end | terminated when not healthy (height below 0.7 m, pitch beyond ± 0.2 rad, or a number beyond ± 100); truncated at the horizon |
    | splits | train, test, validation: independent streams in [low, high]; extrapolate: every factor outside |
    | | of that range, by up to a quarter of its logarithm |
    | optimum, bound | not computable |
    | versions | v0 |

    One step of 0.008 s is 4 of MuJoCo's. At factors of 1 a step equals Hopper-v5's.

    Args:
        low, high: range of the factors. horizon: steps an episode. The id names neither: they are
            part of what is scored, so give them beside a score; they are in every run's and every
            result's `config`.

    Source: Hopper-v5 of Gymnasium (Towers et al. 2024, arXiv 2407.17032).
    """
    return RandomisedPhysics("HopperPhysics-v0", HOPPER, low, high, horizon)


def walker2d_physics(low: float = 0.5, high: float = 2.0, horizon: int = 200) -> RandomisedPhysics:
    """Walker2d-v5 with physics drawn per task.

    | part | value |
    |---|---|
    | observation | Box(17): height (m), pitch and 6 joint angles (rad), then velocities (m/s, rad/s), clipped to ± 10 |
    | action | Box(6) in [-1, 1]: torques of right thigh, leg, foot, left thigh, leg, foot, in units of the task's gear (100 N m) |
    | task | factors of mass, inertia, joint damping, friction (floor included) and actuator gear, each log-uniform in [low, high] |
    | reward | x velocity (m/s) + 1 if healthy - 0.001 × squared action |
    | start | standing, positions and velocities ± 0.005 uniform |
    | end | terminated when not healthy (height outside 0.8 to 2 m, pitch beyond ± 1 rad); truncated at the horizon |
    | splits | train, test, validation: independent streams in [low, high]; extrapolate: every factor outside |
    | | of that range, by up to a quarter of its logarithm |
    | optimum, bound | not computable |
    | versions | v0 |

    One step of 0.008 s is 4 of MuJoCo's. At factors of 1 a step equals Walker2d-v5's.

    Args:
        low, high: range of the factors. horizon: steps an episode. The id names neither: they are
            part of what is scored, so give them beside a score; they are in every run's and every
            result's `config`.

    Source: Walker2d-v5 of Gymnasium (Towers et al. 2024, arXiv 2407.17032).
    """
    return RandomisedPhysics("Walker2dPhysics-v0", WALKER2D, low, high, horizon)


def ant_physics(low: float = 0.5, high: float = 2.0, horizon: int = 200) -> RandomisedPhysics:
    """Ant-v5 with physics drawn per task, and without contact forces in the observation.

    | part | value |
    |---|---|
    | observation | Box(27): height (m), the torso's quaternion, 8 joint angles (rad), then 14 velocities (m/s, rad/s) |
    | action | Box(8) in [-1, 1]: torques of 4 hips and 4 ankles, in units of the task's gear (150 N m) |
    | task | factors of mass, inertia, joint damping, friction (floor included) and actuator gear, each log-uniform in [low, high] |
    | reward | x velocity (m/s) + 1 if healthy - 0.5 × squared action - 0.0005 × squared contact forces, each clipped to [-1, 1] |
    | start | standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | end | terminated when the torso's height leaves 0.2 to 1 m; truncated at the horizon |
    | splits | train, test, validation: independent streams in [low, high]; extrapolate: every factor outside |
    | | of that range, by up to a quarter of its logarithm |
    | optimum, bound | not computable |
    | versions | v0 |

    One step of 0.05 s is 5 of MuJoCo's. At factors of 1 a step equals Ant-v5's with
    `include_cfrc_ext_in_observation=False`.

    Args:
        low, high: range of the factors. horizon: steps an episode. The id names neither: they are
            part of what is scored, so give them beside a score; they are in every run's and every
            result's `config`.

    Source: Ant-v5 of Gymnasium (Towers et al. 2024, arXiv 2407.17032).
    """
    return RandomisedPhysics("AntPhysics-v0", ANT, low, high, horizon)
