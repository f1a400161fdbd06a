"""What families of MuJoCo tasks share.

Starts, steps, observations and ends as in Gymnasium's environments; rewards are the family's.
"""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.task_distribution import TaskDistribution, Tasks, Transition
from metarl.tasks.mujoco.models import ModelStore, Wall, import_mujoco
from metarl.tasks.mujoco.robots import Robot
from metarl.tasks.mujoco.simulator import Simulator

__all__ = ["Motion", "MujocoFamily", "MujocoState"]


class MujocoState(NamedTuple):
    """n robots, in float64: m, rad, m/s, rad/s."""

    position: Tensor  # [n, nq] MuJoCo's qpos
    velocity: Tensor  # [n, nv] MuJoCo's qvel
    torso: Tensor  # [n, places] where rewards measure the torso: x, or x and y


class Motion(NamedTuple):
    """What one step of n robots did, which rewards are made of."""

    velocity: np.ndarray  # [n, places] m/s, mean of the step
    torso: np.ndarray  # [n, places] m, at its end
    control: np.ndarray  # [n] sum of squared actions
    # [n] sum of squared contact forces, each clipped to [-1, 1]; zeros where the robot has no
    # contact cost
    contact: np.ndarray
    healthy: np.ndarray  # [n] bool, at its end


class MujocoFamily(TaskDistribution):
    """Tasks of one robot. A state is nothing but positions and velocities, so steps are pure;
    MuJoCo runs on the CPU, in float64.

    Observations and rewards have the floating type of the tasks. A step in which MuJoCo's
    integration breaks down ends the episode where it was last sound, as terminated, with no motion
    in its reward.

    Args:
        id: of the family.
        robot: which robot.
        horizon: steps an episode.
        terminates: an episode ends when the robot isn't healthy.
        shows_place: observations begin with the robot's place in the world.

    Raises:
        ValueError: a horizon below 1, or MuJoCo isn't installed.
    """

    def __init__(
        self, id: str, robot: Robot, horizon: int, terminates: bool, shows_place: bool = False
    ):
        if horizon < 1:
            raise ValueError(f"{id}: horizon must be at least 1, not {horizon}.")
        import_mujoco(id)
        self.id = id
        self.robot = robot
        self.horizon = horizon
        self.terminates = terminates
        self._hidden = 0 if shows_place else robot.places
        self.models = ModelStore(robot.xml)
        base = self.models.base
        self._simulator = Simulator(base, robot.frame_skip)
        self._start = torch.from_numpy(base.qpos0.copy())
        self.step_seconds = robot.frame_skip * float(base.opt.timestep)
        self.observation_space = gym.spaces.Box(
            -np.inf, np.inf, (base.nq + base.nv - self._hidden,), np.float32
        )
        low, high = base.actuator_ctrlrange.T
        self.action_space = gym.spaces.Box(
            low.astype(np.float32), high.astype(np.float32), dtype=np.float32
        )

    has_goal: ClassVar[bool] = False
    has_success = False
    sight: float = 9.0  # m: pictures of places to go to are seen from this far

    @abstractmethod
    def rewards(self, tasks: Any, motion: Motion) -> np.ndarray:
        """Return the reward [n] of a step that did `motion`."""

    def models_of(self, tasks: Any) -> list[Any]:
        """MuJoCo's model of each task: the unchanged one, unless the family scales it."""
        return [self.models.base] * len(tasks)

    def reset(self, tasks: Tasks, rng: Generator) -> tuple[MujocoState, Tensor]:
        n = len(tasks)
        robot = self.robot
        device = rng.device
        base = self.models.base
        uniform = torch.rand((n, base.nq), generator=rng, device=device, dtype=torch.float64)
        position = self._start.to(device) + robot.position_noise * (2 * uniform - 1)
        if robot.normal_velocities:
            velocity = robot.velocity_noise * torch.randn(
                (n, base.nv), generator=rng, device=device, dtype=torch.float64
            )
        else:
            velocity = robot.velocity_noise * (
                2 * torch.rand((n, base.nv), generator=rng, device=device, dtype=torch.float64) - 1
            )
        return MujocoState(position, velocity, position[:, : robot.places]), self._observe(
            tasks, position, velocity
        )

    def step(self, tasks: Tasks, state: MujocoState, action: Tensor, rng: Generator) -> Transition:
        robot = self.robot
        device = state.position.device
        nq = self.models.base.nq
        before = torch.cat([state.position, state.velocity], 1).cpu().numpy()
        control = action.detach().cpu().numpy()
        torso_before = state.torso.cpu().numpy()
        moved = self._simulator.step(
            self.models_of(tasks), before, control, contacts=robot.contact_cost > 0
        )
        position = moved.state[:, :nq]
        velocity = moved.state[:, nq:]
        torso = (
            position[:, : robot.places]
            if moved.torso is None
            else np.where(moved.sound[:, None], moved.torso, torso_before)
        )
        contact = (
            np.zeros(len(torso))
            if moved.contact is None
            else np.where(moved.sound, moved.contact, 0.0)
        )
        speed = (torso - torso_before) / self.step_seconds
        effort = np.square(control).sum(-1)
        motion = Motion(speed, torso, effort, contact, robot.healthy(position, velocity))
        reward = self.rewards(tasks, motion)
        terminated = ~(moved.sound & motion.healthy) if self.terminates else ~moved.sound
        reached = MujocoState(
            *(
                torch.from_numpy(np.ascontiguousarray(part)).to(device)
                for part in (position, velocity, torso)
            )
        )
        return Transition(
            reached,
            self._observe(tasks, reached.position, reached.velocity),
            torch.from_numpy(reward).to(device, self._dtype(tasks)),
            torch.from_numpy(terminated).to(device),
            torch.zeros(len(torso), dtype=torch.bool, device=device),
        )

    def render(self, tasks: Tasks, state: MujocoState) -> Tensor:
        # Opens a renderer, which only pictures need
        from metarl.tasks.mujoco.drawing import painter_of

        painter = painter_of(self)
        goals = self.goals_of(tasks)
        walls = self.walls_of(tasks)
        rows = range(len(state.position))
        return torch.from_numpy(
            np.stack(
                [
                    painter(state, row, None if goals is None else goals[row], walls[row])
                    for row in rows
                ]
            )
        )

    def goals_of(self, tasks: Any) -> list[tuple[float, float]] | None:
        """Return each task's place to go to, in m, where it has one (`has_goal`).

        Pictures mark it.
        """
        return None

    def walls_of(self, tasks: Any) -> list[list[Wall]]:
        """Return the walls in each task's model: none, unless the family puts them up."""
        return [[]] * len(tasks)

    def _observe(self, tasks: Tasks, position: Tensor, velocity: Tensor) -> Tensor:
        limit = self.robot.velocity_limit
        shown = velocity if limit == np.inf else velocity.clamp(-limit, limit)
        return torch.cat([position[:, self._hidden :], shown], 1).to(self._dtype(tasks))

    @staticmethod
    def _dtype(tasks: Any) -> torch.dtype:
        first: Tensor = next(iter(vars(tasks).values()))  # every field is a floating one
        return first.dtype
