"""Pendulum swing-up with physics drawn for each task."""

import math
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition, check_draw
from metarl.tasks.control.drawings import draw_pendulum
from metarl.tasks.control.physics_range import PhysicsRange, check_horizon, check_reach

__all__ = ["Pendulum", "PendulumTasks"]

# m/s², kg, m
GRAVITY = 10.0
MASS = 1.0
LENGTH = 1.0
FRICTION = 0.1  # N m s, in the pivot, at friction 1
# N m, rad/s
MOST_TORQUE = 2.0
MOST_SPEED = 8.0
SECONDS = 0.05  # a step
START_SPEED = 1.0  # rad/s


@dataclass(frozen=True, eq=False)
class PendulumTasks(Tasks):
    """n pendulums: ratios to the usual values, friction in units of 0.1 N m s."""

    gravity: Tensor  # [n]
    mass: Tensor  # [n]
    length: Tensor  # [n]
    torque: Tensor  # [n] of the motor per torque asked for; negative where it turns the other way
    friction: Tensor  # [n]


class Pendulum(TaskDistribution):
    """Swing a pendulum up and hold it, with mass, length, gravity, motor and friction that differ
    from task to task.

    | observation | unit | range |
    |---|---|---|
    | cosine of the angle from upright | | -1 to 1 |
    | sine of the angle from upright, positive counter-clockwise | | -1 to 1 |
    | angular velocity | rad/s | -8 to 8 |

    | action | unit | range |
    |---|---|---|
    | torque asked of the motor; the task's ratio times it acts for 0.05 s | N m | -2 to 2, clipped |

    | the task's | as a ratio to |
    |---|---|
    | gravity | 10 m/s² |
    | mass | 1 kg |
    | length | 1 m |
    | torque | what was asked for; negative where the motor turns the other way |
    | friction in the pivot | 0.1 N m s |

    | part | value |
    |---|---|
    | reward | -(angle² + 0.1 velocity² + 0.001 action²) of the state that the step starts in, angle in [-pi, pi]; at least -16.3 |
    | start | angle uniform in [-pi, pi], velocity in [-1, 1] |
    | end | truncated at the horizon |
    | splits | train, test, validation: inside the range, independent streams; extrapolate: every parameter outside (see `PhysicsRange`) |
    | success | not defined |
    | upper bound | falling from the start at the greatest acceleration that the task allows, at no cost of speed or torque; loose |
    | versions | v0 |

    The direction in which the motor turns can't be seen in one observation, so a policy without
    memory is lost in half of the tasks unless `reversals` is off; strength decides how many swings
    are needed. With low=1, high=1, friction=0 and reversals=False every task is Gymnasium's
    Pendulum-v1, whose dynamics (semi-implicit Euler steps) these are. Friction is integrated
    implicitly, which is stable for any coefficient.

    Args:
        low, high: smallest and largest ratio of each parameter to its usual value; a half to twice.
        friction: most friction, in units of 0.1 N m s.
        reversals: whether every other task's motor turns the other way.
        horizon: most steps in an episode; 200 (10 s), Gymnasium's own limit, since a weak motor
            needs several swings.
    """

    id = "Pendulum-v0"
    has_success = False

    def __init__(
        self,
        low: float = 0.5,
        high: float = 2.0,
        friction: float = 1.0,
        reversals: bool = True,
        horizon: int = 200,
    ):
        check_horizon(horizon)
        self.physics = PhysicsRange(low, high, friction, reversals)
        self.horizon = horizon
        check_reach(self.id, self.physics)
        self.finite = not self.physics.varies
        self.splits = self.physics.splits
        most = np.array([1, 1, MOST_SPEED], np.float32)
        self.observation_space = gym.spaces.Box(-most, most, dtype=np.float32)
        self.action_space = gym.spaces.Box(-MOST_TORQUE, MOST_TORQUE, (1,), np.float32)

    def config(self) -> dict[str, Any]:
        return {**self.physics.config(), "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> PendulumTasks:
        check_draw(self, n, split, seed)
        drawn = self.physics.draw(n, 4, split, numpy_generator(seed, self.id, split))
        gravity, mass, length, torque = drawn.scales
        return PendulumTasks(gravity, mass, length, drawn.direction * torque, drawn.friction)

    def reset(self, tasks: PendulumTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        uniform = (
            2
            * torch.rand(
                (len(tasks), 2), generator=rng, device=rng.device, dtype=tasks.gravity.dtype
            )
            - 1
        )
        state = torch.stack([math.pi * uniform[:, 0], START_SPEED * uniform[:, 1]], 1)
        return state, _shown(state)

    def step(
        self, tasks: PendulumTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        angle, speed = state.unbind(1)  # [n] each
        # Of a state from elsewhere; ours lie within
        angle = torch.where(angle.abs() > math.pi, _wrapped(angle), angle)
        asked = action[:, 0].to(angle.dtype).clamp(-MOST_TORQUE, MOST_TORQUE)
        cost = angle.square() + 0.1 * speed.square() + 0.001 * asked.square()
        # A rod turning about its end
        per_torque = 3 / (MASS * LENGTH**2 * tasks.mass * tasks.length.square())
        pull = 1.5 * GRAVITY / LENGTH * tasks.gravity / tasks.length
        speed = speed + SECONDS * (pull * angle.sin() + per_torque * tasks.torque * asked)
        speed = (speed / (1 + SECONDS * per_torque * FRICTION * tasks.friction)).clamp(
            -MOST_SPEED, MOST_SPEED
        )
        angle = _wrapped(angle + SECONDS * speed)
        state = torch.stack([angle, speed], 1)
        never = torch.zeros_like(angle, dtype=torch.bool)
        return Transition(state, _shown(state), -cost, never, never)

    def render(self, tasks: PendulumTasks, state: Tensor) -> Tensor:
        return draw_pendulum(state, LENGTH * tasks.length)

    def upper_bound(self, tasks: PendulumTasks, episodes: int) -> Tensor:
        """At most how close to upright each step can be: with |angle| uniform in [0, pi] at the
        start and s covered since, the expected square of what is left is (pi - s)³ / (3 pi).
        """
        torque = (
            3
            * MOST_TORQUE
            * tasks.torque.abs()
            / (MASS * LENGTH**2 * tasks.mass * tasks.length.square())
        )
        fastest = 1.5 * GRAVITY / LENGTH * tasks.gravity / tasks.length + torque  # [n] rad/s²
        steps = torch.arange(self.horizon, device=fastest.device, dtype=fastest.dtype)
        speed = (START_SPEED + SECONDS * steps * fastest[:, None]).clamp_max(
            MOST_SPEED
        )  # [n, T] after t steps
        covered = SECONDS * (speed.cumsum(1) - speed[:, :1])  # by step t
        angles = (math.pi - covered).clamp_min(0).pow(3).sum(1) / (3 * math.pi)
        return -episodes * (angles + 0.1 * START_SPEED**2 / 3)


def _wrapped(angle: Tensor) -> Tensor:
    """Return the same angle in [-pi, pi)."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def _shown(state: Tensor) -> Tensor:
    """Observations [n, 3] of states [n, 2]."""
    return torch.stack([state[:, 0].cos(), state[:, 0].sin(), state[:, 1]], 1)
