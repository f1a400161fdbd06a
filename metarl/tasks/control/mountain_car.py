"""Mountain car with physics drawn for each task (Moore 1990)."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition, check_draw
from metarl.tasks.control.drawings import draw_mountain_car
from metarl.tasks.control.physics_range import PhysicsRange, check_horizon, check_reach

__all__ = ["MountainCar", "MountainCarTasks"]

# changes of velocity in a step
GRAVITY = 0.0025
FORCE = 0.001
FRICTION = 0.005  # share of velocity lost in a step, at friction 1
LEFT = -1.2
RIGHT = 0.6
GOAL = 0.5
MOST_SPEED = 0.07
START = (-0.6, -0.4)


@dataclass(frozen=True, eq=False)
class MountainCarTasks(Tasks):
    """n cars: ratios to the usual values, friction in units of 0.005 a step."""

    gravity: Tensor  # [n]
    force: Tensor  # [n] negative where the engine drives the other way
    friction: Tensor  # [n]


class MountainCar(TaskDistribution):
    """Rock a car out of a valley with an engine, a gravity and a friction that differ from task to
    task.

    | observation | unit | range |
    |---|---|---|
    | position; the valley's bottom is at -pi/6, the goal at 0.5 | length | -1.2 to 0.6 |
    | velocity | length a step | -0.07 to 0.07 |

    | action | effect |
    |---|---|
    | 0 | drives left: velocity - 0.001 times the task's ratio |
    | 1 | doesn't drive |
    | 2 | drives right |

    | the task's | as a ratio to |
    |---|---|
    | gravity | 0.0025 a step |
    | force | 0.001 a step; negative where the engine drives the other way |
    | friction | 0.005 of the velocity a step |

    | part | value |
    |---|---|
    | reward | -1 a step, the last one included |
    | start | position uniform in [-0.6, -0.4], velocity 0 |
    | end | terminated at position 0.5 or beyond with a velocity of at least 0; truncated at the horizon |
    | splits | train, test, validation: inside the range, independent streams; extrapolate: every parameter outside (see `PhysicsRange`) |
    | success | reached the goal |
    | upper bound | gravity and engine both push right all the way from the start nearest to the goal; loose |
    | versions | v0 |

    There is no mass: it would do nothing that force and friction don't. The direction of the engine
    can't be seen in one observation; strength decides whether the car can drive straight up or how
    often it has to rock. Where gravity is strong and the engine weak, nobody arrives within the
    horizon; an agent that knows the direction and always drives along the motion arrives in two of
    three training tasks. With low=1, high=1, friction=0 and reversals=False every task is
    Gymnasium's MountainCar-v0, whose dynamics these are. Friction is integrated implicitly, which
    is stable for any coefficient.

    Args:
        low, high: smallest and largest ratio of each parameter to its usual value; a third to three
            times, since learning begins with the few tasks (3 in 1,000) in which random play
            arrives, and a narrower range has almost none.
        friction: most friction, in units of 0.005 a step.
        reversals: whether every other task's engine drives the other way.
        horizon: most steps in an episode; 200, Gymnasium's own limit, where the usual car needs
            about half.

    Source: Moore 1990, "Efficient memory-based learning for robot control" (thesis, Cambridge).
    """

    id = "MountainCar-v0"
    has_success = True

    def __init__(
        self,
        low: float = 1 / 3,
        high: float = 3.0,
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
        least = np.array([LEFT, -MOST_SPEED], np.float32)
        most = np.array([RIGHT, MOST_SPEED], np.float32)
        self.observation_space = gym.spaces.Box(least, most, dtype=np.float32)
        self.action_space = gym.spaces.Discrete(3)

    def config(self) -> dict[str, Any]:
        return {**self.physics.config(), "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> MountainCarTasks:
        check_draw(self, n, split, seed)
        drawn = self.physics.draw(n, 2, split, numpy_generator(seed, self.id, split))
        gravity, force = drawn.scales
        return MountainCarTasks(gravity, drawn.direction * force, drawn.friction)

    def reset(self, tasks: MountainCarTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        uniform = torch.rand(
            len(tasks), generator=rng, device=rng.device, dtype=tasks.gravity.dtype
        )
        position = START[0] + (START[1] - START[0]) * uniform
        state = torch.stack([position, torch.zeros_like(position)], 1)
        return state, state

    def step(
        self, tasks: MountainCarTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        position, velocity = state.unbind(1)  # [n] each
        velocity = (
            velocity
            + FORCE * tasks.force * (action - 1)
            - GRAVITY * tasks.gravity * (3 * position).cos()
        )
        velocity = (velocity / (1 + FRICTION * tasks.friction)).clamp(-MOST_SPEED, MOST_SPEED)
        position = (position + velocity).clamp(LEFT, RIGHT)
        # The wall takes all speed
        velocity = torch.where((position <= LEFT) & (velocity < 0), 0, velocity)
        reached = (position >= GOAL) & (velocity >= 0)
        state = torch.stack([position, velocity], 1)
        return Transition(state, state, -torch.ones_like(position), reached, reached)

    def render(self, tasks: MountainCarTasks, state: Tensor) -> Tensor:
        return draw_mountain_car(state)

    def upper_bound(self, tasks: MountainCarTasks, episodes: int) -> Tensor:
        push = FORCE * tasks.force.abs() + GRAVITY * tasks.gravity  # [n]
        steps = torch.arange(1, self.horizon, device=push.device, dtype=push.dtype)
        position = START[1] + (steps * push[:, None]).clamp_max(MOST_SPEED).cumsum(
            1
        )  # [n, T - 1] after t steps
        return -float(episodes) * (1 + (position < GOAL - 1e-6).sum(1)).to(push.dtype)
