"""Cart-pole with physics drawn for each task (Barto, Sutton and Anderson 1983)."""

import math
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition, check_draw
from metarl.tasks.control.drawings import draw_cart_pole
from metarl.tasks.control.physics_range import PhysicsRange, check_horizon, check_reach

__all__ = ["CartPole", "CartPoleTasks"]

# m/s², kg, kg, m, N
GRAVITY = 9.8
CART_MASS = 1.0
POLE_MASS = 0.1
HALF_LENGTH = 0.5
FORCE = 10.0
FRICTION = 2.0  # N s/m, between cart and track, at friction 1
SECONDS = 0.02  # a step
MOST_POSITION = 2.4
MOST_ANGLE = math.radians(12)


@dataclass(frozen=True, eq=False)
class CartPoleTasks(Tasks):
    """n cart-poles: ratios to the usual values, friction in units of 2 N s/m."""

    gravity: Tensor  # [n]
    cart_mass: Tensor  # [n]
    pole_mass: Tensor  # [n]
    length: Tensor  # [n]
    force: Tensor  # [n] negative where pushes go the other way
    friction: Tensor  # [n]


class CartPole(TaskDistribution):
    """Balance a pole on a cart whose masses, length, gravity, push and friction differ from task to
    task.

    | observation | unit | range |
    |---|---|---|
    | position of the cart | m | -4.8 to 4.8 |
    | velocity of the cart | m/s | any |
    | angle of the pole from upright, positive to the right | rad | -0.419 to 0.419 |
    | angular velocity of the pole | rad/s | any |

    | action | effect |
    |---|---|
    | 0 | pushes to the left for 0.02 s (to the right where the task's force is negative) |
    | 1 | pushes to the right (to the left) |

    | the task's | as a ratio to |
    |---|---|
    | gravity | 9.8 m/s² |
    | cart_mass | 1 kg |
    | pole_mass | 0.1 kg |
    | length | 0.5 m, half the pole |
    | force | 10 N; negative where pushes go the other way |
    | friction of the cart on its track | 2 N s/m |

    | part | value |
    |---|---|
    | reward | 1 a step, the last one included |
    | start | all four uniform in [-0.05, 0.05] |
    | end | terminated beyond 12 degrees or 2.4 m; truncated at the horizon |
    | splits | train, test, validation: inside the range, independent streams; extrapolate: every parameter outside (see `PhysicsRange`) |
    | success | not defined |
    | upper bound | the horizon, every episode |
    | versions | v0 |

    The direction of the push decides between balancing and toppling and can't be seen in one
    observation, so a policy without memory topples the pole in half of the tasks, unless
    `reversals` is off. With low=1, high=1, friction=0 and reversals=False every task is Gymnasium's
    CartPole-v1, whose dynamics (explicit Euler steps) these are.

    Args:
        low, high: smallest and largest ratio of each parameter to its usual value; a third to three
            times.
        friction: most friction, in units of 2 N s/m.
        reversals: whether every other task pushes the other way.
        horizon: most steps in an episode; 200 (4 s), as in Gymnasium's CartPole-v0: enough to tell
            balancing from toppling, and a meta-episode costs less than half of what v1's 500 would.

    Source: Barto, Sutton and Anderson 1983 (IEEE Transactions on Systems, Man, and Cybernetics 13);
        Florian 2005, "Correct equations for
    the dynamics of the cart-pole system".
    """

    id = "CartPole-v0"
    has_success = False

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
        most = np.array([2 * MOST_POSITION, np.inf, 2 * MOST_ANGLE, np.inf], np.float32)
        self.observation_space = gym.spaces.Box(-most, most, dtype=np.float32)
        self.action_space = gym.spaces.Discrete(2)

    def config(self) -> dict[str, Any]:
        return {**self.physics.config(), "horizon": self.horizon}

    def sample(self, n: int, split: str, seed: int) -> CartPoleTasks:
        check_draw(self, n, split, seed)
        drawn = self.physics.draw(n, 5, split, numpy_generator(seed, self.id, split))
        gravity, cart_mass, pole_mass, length, force = drawn.scales
        return CartPoleTasks(
            gravity, cart_mass, pole_mass, length, drawn.direction * force, drawn.friction
        )

    def reset(self, tasks: CartPoleTasks, rng: Generator) -> tuple[Tensor, Tensor]:
        state = (
            0.1
            * torch.rand(
                (len(tasks), 4), generator=rng, device=rng.device, dtype=tasks.gravity.dtype
            )
            - 0.05
        )
        return state, state

    def step(
        self, tasks: CartPoleTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        position, velocity, angle, spin = state.unbind(1)  # [n] each
        cart_mass = CART_MASS * tasks.cart_mass
        pole_mass = POLE_MASS * tasks.pole_mass
        half_length = HALF_LENGTH * tasks.length
        mass = cart_mass + pole_mass
        moment = pole_mass * half_length
        sine = angle.sin()
        cosine = angle.cos()
        push = FORCE * tasks.force * (2 * action - 1) - FRICTION * tasks.friction * velocity
        # The cart's acceleration if the pole didn't turn
        without_pole = (push + moment * spin.square() * sine) / mass
        turn = (GRAVITY * tasks.gravity * sine - cosine * without_pole) / (
            half_length * (4 / 3 - pole_mass * cosine.square() / mass)
        )
        acceleration = without_pole - moment * turn * cosine / mass
        position = position + SECONDS * velocity
        velocity = velocity + SECONDS * acceleration
        angle = angle + SECONDS * spin
        spin = spin + SECONDS * turn
        terminated = (position.abs() > MOST_POSITION) | (angle.abs() > MOST_ANGLE)
        # A light, short pole may swing past the observation's bounds in the step that ends the
        # episode.
        shown = torch.stack(
            [
                position.clamp(-2 * MOST_POSITION, 2 * MOST_POSITION),
                velocity,
                angle.clamp(-2 * MOST_ANGLE, 2 * MOST_ANGLE),
                spin,
            ],
            1,
        )
        return Transition(
            shown, shown, torch.ones_like(position), terminated, torch.zeros_like(terminated)
        )

    def render(self, tasks: CartPoleTasks, state: Tensor) -> Tensor:
        return draw_cart_pole(state, HALF_LENGTH * tasks.length)

    def upper_bound(self, tasks: CartPoleTasks, episodes: int) -> Tensor:
        return torch.full_like(tasks.gravity, float(episodes * self.horizon))
