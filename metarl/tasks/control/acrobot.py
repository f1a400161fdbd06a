"""Acrobot swing-up with physics drawn for each task (Sutton 1996)."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition, check_draw
from metarl.tasks.control.drawings import draw_acrobot
from metarl.tasks.control.physics_range import PhysicsRange, check_horizon, check_reach

__all__ = ["Acrobot", "AcrobotTasks"]

GRAVITY = 9.8  # m/s²; both links: 1 kg, 1 m, centre of mass half-way, moment of inertia 1 kg m²
FRICTION = 0.05  # N m s, in either joint, at friction 1
SECONDS = 0.2  # a step
# To the usual physics; with stiffer ones, Runge-Kutta steps of this length grow without bounds
MOST_RATIO = 30.0
MOST_SPEEDS = (4 * math.pi, 9 * math.pi)  # rad/s


@dataclass(frozen=True, eq=False)
class AcrobotTasks(Tasks):
    """n acrobots: ratios to the usual values, friction in units of 0.05 N m s."""

    gravity: Tensor  # [n]
    upper_mass: Tensor  # [n]
    lower_mass: Tensor  # [n]
    upper_length: Tensor  # [n]
    lower_length: Tensor  # [n]
    torque: Tensor  # [n] negative where the motor turns the other way
    friction: Tensor  # [n]


class Acrobot(TaskDistribution):
    """Swing up two hanging links by a motor between them, with masses, lengths, gravity, torque and
    friction drawn for each task.

    | observation | unit | range |
    |---|---|---|
    | cosine and sine of the upper link's angle from hanging | | -1 to 1 |
    | cosine and sine of the lower link's angle relative to the upper one | | -1 to 1 |
    | angular velocity of the upper link | rad/s | -4 pi to 4 pi |
    | angular velocity of the lower link, relative | rad/s | -9 pi to 9 pi |

    | action | effect |
    |---|---|
    | 0 | a torque of -1 N m, times the task's ratio, between the links for 0.2 s |
    | 1 | none |
    | 2 | 1 N m, times the task's ratio |

    | the task's | as a ratio to |
    |---|---|
    | gravity | 9.8 m/s² |
    | upper_mass, lower_mass | 1 kg; moments of inertia are mass times length² |
    | upper_length, lower_length | 1 m; centres of mass are half-way |
    | torque | 1 N m; negative where the motor turns the other way |
    | friction of both joints | 0.05 N m s |

    | part | value |
    |---|---|
    | reward | -1 a step, 0 for the one that reaches the goal |
    | start | both angles and velocities uniform in [-0.1, 0.1] |
    | end | terminated where -cos(upper angle) - cos(sum of both) > 1 (the tip a link above the pivot); truncated at the horizon |
    | splits | train, test, validation: inside the range, independent streams; extrapolate: every parameter outside (see `PhysicsRange`) |
    | success | reached the goal |
    | upper bound | 0 every episode, since no reward is positive; loose |
    | versions | v0 |

    Energy is gained by torque along the lower link's motion, so a policy without memory, which
    can't know which way the motor turns, gains it in half of the tasks and loses it in the others,
    unless `reversals` is off. With low=1, high=1, friction=0 and reversals=False every task is
    Gymnasium's Acrobot-v1, whose dynamics (one Runge-Kutta step of order 4) these are.

    Args:
        low, high: smallest and largest ratio of each parameter to its usual value; 0.7 to 1.4,
            since links that are heavy, long and weakly driven all at once take longer than the
            horizon: an agent that knows the direction and always drives along the lower link's
            motion arrives in 90 % of the training tasks, and in 63 % with 0.5 to 2.
        friction: most friction, in units of 0.05 N m s.
        reversals: whether every other task's motor turns the other way.
        horizon: most steps in an episode; 200 (40 s), as in Gymnasium's Acrobot-v0: the usual
            acrobot needs fewer than 100, and with the 500 of v1 a meta-episode would at first be
            mostly failed swings.

    Source: Sutton 1996, "Generalization in reinforcement learning: successful examples using sparse
        coarse coding"; equations of motion as
    in Sutton and Barto 1998, "Reinforcement learning", section 11.3.
    """

    id = "Acrobot-v0"
    has_success = True

    def __init__(
        self,
        low: float = 0.7,
        high: float = 1.4,
        friction: float = 1.0,
        reversals: bool = True,
        horizon: int = 200,
    ):
        check_horizon(horizon)
        self.physics = PhysicsRange(low, high, friction, reversals)
        self.horizon = horizon
        check_reach(self.id, self.physics, MOST_RATIO)
        self.finite = not self.physics.varies
        self.splits = self.physics.splits
        most = np.array([1, 1, 1, 1, *MOST_SPEEDS], np.float32)
        self.observation_space = gym.spaces.Box(-most, most, dtype=np.float32)
        self.action_space = gym.spaces.Discrete(3)

    def config(self) -> dict[str, Any]:
        return {**self.physics.config(), "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> AcrobotTasks:
        check_draw(self, n, split, seed)
        drawn = self.physics.draw(n, 6, split, numpy_generator(seed, self.id, split))
        gravity, upper_mass, lower_mass, upper_length, lower_length, torque = drawn.scales
        return AcrobotTasks(
            gravity,
            upper_mass,
            lower_mass,
            upper_length,
            lower_length,
            drawn.direction * torque,
            drawn.friction,
        )

    def reset(self, tasks: AcrobotTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        state = (
            0.2
            * torch.rand(
                (4, len(tasks)), generator=rng, device=rng.device, dtype=tasks.gravity.dtype
            )
            - 0.1
        )
        return state.T, _shown(state)

    def step(
        self, tasks: AcrobotTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        system = _system(tasks)
        torque = tasks.torque * (action - 1)
        start = state.T  # [4, n]
        k1 = _rates(system, start, torque)
        k2 = _rates(system, start + SECONDS / 2 * k1, torque)
        k3 = _rates(system, start + SECONDS / 2 * k2, torque)
        k4 = _rates(system, start + SECONDS * k3, torque)
        following = start + SECONDS / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        angles = torch.remainder(following[:2] + math.pi, 2 * math.pi) - math.pi
        speeds = [following[2 + i].clamp(-most, most) for i, most in enumerate(MOST_SPEEDS)]
        following = torch.stack([*angles, *speeds])
        reached = -angles[0].cos() - (angles[0] + angles[1]).cos() > 1
        return Transition(
            following.T, _shown(following), reached.to(start.dtype) - 1, reached, reached
        )

    def render(self, tasks: AcrobotTasks, state: Tensor) -> Tensor:
        return draw_acrobot(state, tasks.upper_length, tasks.lower_length)

    def upper_bound(self, tasks: AcrobotTasks, episodes: int) -> Tensor:
        return torch.zeros_like(tasks.gravity)


class _System(NamedTuple):
    """What the equations of motion need of n tasks, [n] each."""

    inertia: Tensor  # of both links stretched at a right angle, about the pivot
    lower_inertia: Tensor  # of the lower link about the joint
    coupling: Tensor  # how much the cosine of the lower angle adds
    # Greatest torque of gravity on the upper link with the lower one's mass at its end
    upper_weight: Tensor
    lower_weight: Tensor  # ... on the lower link
    drag: Tensor


def _system(tasks: AcrobotTasks) -> _System:
    upper_centre = tasks.upper_length / 2
    lower_centre = tasks.lower_length / 2
    lower_inertia = tasks.lower_mass * (lower_centre.square() + tasks.lower_length.square())
    upper_inertia = tasks.upper_mass * (upper_centre.square() + tasks.upper_length.square())
    gravity = GRAVITY * tasks.gravity
    return _System(
        upper_inertia + lower_inertia + tasks.lower_mass * tasks.upper_length.square(),
        lower_inertia,
        tasks.lower_mass * tasks.upper_length * lower_centre,
        gravity * (tasks.upper_mass * upper_centre + tasks.lower_mass * tasks.upper_length),
        gravity * tasks.lower_mass * lower_centre,
        FRICTION * tasks.friction,
    )


def _rates(system: _System, state: Tensor, torque: Tensor) -> Tensor:
    """Time derivatives [4, n] of angles and velocities [4, n]."""
    upper, lower, upper_speed, lower_speed = state
    sine = system.coupling * lower.sin()
    cosine = system.coupling * lower.cos()
    d1, d2 = system.inertia + 2 * cosine, system.lower_inertia + cosine
    lower_load = system.lower_weight * (upper + lower).sin()
    upper_load = system.upper_weight * upper.sin() + lower_load + system.drag * upper_speed
    upper_load = upper_load - sine * lower_speed * (lower_speed + 2 * upper_speed)
    net = (
        torque
        - system.drag * lower_speed
        + d2 / d1 * upper_load
        - sine * upper_speed.square()
        - lower_load
    )
    lower_rate = net / (system.lower_inertia - d2.square() / d1)
    upper_rate = -(d2 * lower_rate + upper_load) / d1
    return torch.stack([upper_speed, lower_speed, upper_rate, lower_rate])


def _shown(state: Tensor) -> Tensor:
    """Observations [n, 6] of states [4, n]."""
    upper, lower, upper_speed, lower_speed = state
    return torch.stack(
        [upper.cos(), upper.sin(), lower.cos(), lower.sin(), upper_speed, lower_speed], 1
    )
