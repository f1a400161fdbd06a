"""Four robots of Gymnasium's MuJoCo environments, version 5: their models, what they show, their
starts, and when they are healthy.

Numbers as in Gymnasium's HalfCheetah-v5, Hopper-v5, Walker2d-v5 and Ant-v5 (Towers et al. 2024,
arXiv 2407.17032).
"""

from dataclasses import dataclass, replace
from math import inf

import numpy as np

__all__ = ["ANT", "ANT_WITHOUT_COSTS", "HALF_CHEETAH", "HOPPER", "WALKER2D", "Robot"]


@dataclass(frozen=True)
class Robot:
    """What Gymnasium's environment adds to a MuJoCo model.

    Attributes:
        xml: the model's file among Gymnasium's.
        frame_skip: MuJoCo's steps in one step.
        places: leading positions that say where the robot is in the world (x, or x and y); not
            shown.
        velocity_limit: observed velocities are clipped to ± this.
        position_noise: a start's positions are the model's plus uniform noise of ± this.
        velocity_noise: a start's velocities are noise of this size,
        normal_velocities: normal if true, uniform if false.
        control_cost: of the squared action. contact_cost: of the squared contact forces, each
            clipped to [-1, 1].
        healthy_reward: for each step that ends healthy.
        height: m, open range in which the torso (position number `places`) must stay.
        angle: rad, open range for the torso's pitch (the position after it); infinite for the ant,
            whose pose is a quaternion.
        limit: all other positions and all velocities must stay within ± this.
    """

    xml: str
    frame_skip: int
    places: int
    velocity_limit: float
    position_noise: float
    velocity_noise: float
    normal_velocities: bool
    control_cost: float
    contact_cost: float = 0.0
    healthy_reward: float = 0.0
    height: tuple[float, float] = (-inf, inf)
    angle: tuple[float, float] = (-inf, inf)
    limit: float = inf

    def healthy(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Return whether each of n robots is healthy [n], by positions [n, nq] and velocities [n,
        nv]; always, where health brings no reward.
        """
        if self.healthy_reward == 0:
            return np.ones(len(position), dtype=bool)
        height = position[:, self.places]
        angle = position[:, self.places + 1]
        rest = np.concatenate([position[:, 2:], velocity], 1)
        upright = (
            (self.height[0] < height)
            & (height < self.height[1])
            & (self.angle[0] < angle)
            & (angle < self.angle[1])
        )
        return upright & (np.abs(rest) < self.limit).all(1)


HALF_CHEETAH = Robot(
    "half_cheetah.xml",
    frame_skip=5,
    places=1,
    velocity_limit=inf,
    position_noise=0.1,
    velocity_noise=0.1,
    normal_velocities=True,
    control_cost=0.1,
)
HOPPER = Robot(
    "hopper.xml",
    frame_skip=4,
    places=1,
    velocity_limit=10.0,
    position_noise=5e-3,
    velocity_noise=5e-3,
    normal_velocities=False,
    control_cost=1e-3,
    healthy_reward=1.0,
    height=(0.7, inf),
    angle=(-0.2, 0.2),
    limit=100.0,
)
WALKER2D = Robot(
    "walker2d_v5.xml",
    frame_skip=4,
    places=1,
    velocity_limit=10.0,
    position_noise=5e-3,
    velocity_noise=5e-3,
    normal_velocities=False,
    control_cost=1e-3,
    healthy_reward=1.0,
    height=(0.8, 2.0),
    angle=(-1.0, 1.0),
)
ANT = Robot(
    "ant.xml",
    frame_skip=5,
    places=2,
    velocity_limit=inf,
    position_noise=0.1,
    velocity_noise=0.1,
    normal_velocities=True,
    control_cost=0.5,
    contact_cost=5e-4,
    healthy_reward=1.0,
    height=(0.2, 1.0),
)
# Where only the way counts
ANT_WITHOUT_COSTS = replace(ANT, control_cost=0.0, contact_cost=0.0, healthy_reward=0.0)
