"""Ants between walls, as in MLSH: an obstacle course with a sparse reward, and nine mazes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import Tasks, Transition, check_draw, check_split
from metarl.tasks.mujoco.ant_layouts import Layouts
from metarl.tasks.mujoco.ant_paths import draw_walk
from metarl.tasks.mujoco.family import Motion, MujocoFamily, MujocoState
from metarl.tasks.mujoco.models import Wall, walled_models
from metarl.tasks.mujoco.robots import ANT_WITHOUT_COSTS
from metarl.tasks.mujoco.simulator import Simulator

__all__ = ["COURSE", "MAZES", "AntCourse", "CourseState", "CourseTasks", "ant_maze", "ant_obstacle"]

COURSE = "##.G #..# ..## S###"
MAZES = {  # the way from the start to the goal, in squares -> the maze
    "up": "G## S## ###",
    "down": "### S## G##",
    "right, right": "### S.G ###",
    "right, up": "#G# S.# ###",
    "right, down": "### S.# #G#",
    "right, right, up": "##G S.. ###",
    "right, right, down": "### S.. ##G",
    "up, right": ".G# S## ###",
    "down, right": "### S## .G#",
}
FOR_TESTS = ("up, right", "down, right")


@dataclass(frozen=True, eq=False)
class CourseTasks(Tasks):
    """n courses, each with a goal."""

    goal: Tensor  # [n, 2] m, the middle of its square
    layout: Tensor  # [n] int64, which of the family's courses


class CourseState(NamedTuple):
    """n ants, and for how long they have walked."""

    position: Tensor  # [n, nq] MuJoCo's qpos, in m and rad
    velocity: Tensor  # [n, nv] MuJoCo's qvel, in m/s and rad/s
    torso: Tensor  # [n, 2] m
    clock: Tensor  # [n] int64, steps of the episode


class AntCourse(MujocoFamily):
    """An ant between walls that stands up anew from time to time; the functions below hold each
    family's data sheet.

    Args:
        id: of the family.
        drawings: of its courses, as `Layouts` reads them.
        split_layouts: split -> which of them it has; splits that share any declare the family
            `finite`.
        sparse: reward 1 in the goal's square and 0 elsewhere, rather than progress.
        side: of a square, in m.
        stand_every: after so many steps of an episode the ant stands anew; 0 for never.
        horizon: steps an episode.
        arguments: what `config` holds beside these last three.

    Raises:
        ValueError: squares too small for an ant, a negative `stand_every`, a horizon below 1.
    """

    has_goal = True
    has_success = True
    hides = ("goal",)

    def __init__(
        self,
        id: str,
        drawings: Sequence[str],
        split_layouts: Mapping[str, Sequence[int]],
        sparse: bool,
        side: float,
        stand_every: int,
        horizon: int,
        arguments: Mapping[str, Any],
    ):
        if stand_every < 0:
            raise ValueError(
                f"{id}: stand_every is a number of steps, or 0 for an ant that never stands anew,"
                f" not {stand_every}."
            )
        super().__init__(id, ANT_WITHOUT_COSTS, horizon, terminates=False, shows_place=True)
        self.layouts = Layouts(drawings, side)
        self.split_layouts = {split: list(numbers) for split, numbers in split_layouts.items()}
        self.finite = not set(self.split_layouts["train"]).isdisjoint(self.split_layouts["test"])
        self.sparse = sparse
        self.stand_every = stand_every
        self._arguments = dict(arguments)
        self._walled = walled_models(self.robot.xml, self.layouts.walls)
        self._simulator = Simulator(self._walled[0], self.robot.frame_skip)
        self.sight = 1.1 * float((self.layouts.high - self.layouts.low).max()) + 5.0

    def config(self) -> dict[str, Any]:
        return {
            **self._arguments,
            "side": self.layouts.side,
            "stand_every": self.stand_every,
            "horizon": self.horizon,
        }

    def sample(self, n: int, split: str, seed: int) -> CourseTasks:
        """n courses of the split; each comes once before any comes twice."""
        check_draw(self, n, split, seed)
        own, rng = np.array(self.split_layouts[split]), numpy_generator(seed, self.id, split)
        order = [rng.permutation(own) for _ in range(-(-n // len(own)))]
        layout = np.concatenate([np.zeros(0, dtype=np.int64), *order])[:n]
        return CourseTasks(
            torch.from_numpy(self.layouts.goals[layout].astype(np.float64)),
            torch.from_numpy(layout),
        )

    def task_count(self, split: str) -> int:
        check_split(self, split)
        return len(self.split_layouts[split])

    def models_of(self, tasks: CourseTasks) -> list[Any]:
        return [self._walled[i] for i in tasks.layout.tolist()]

    def rewards(self, tasks: CourseTasks, motion: Motion) -> np.ndarray:
        if self.sparse:
            return self.layouts.in_goal(tasks.layout.cpu().numpy(), motion.torso).astype(np.float64)
        return self._progress(
            tasks, motion.torso - motion.velocity * self.step_seconds, motion.torso
        )

    def reset(self, tasks: CourseTasks, rng: Generator) -> tuple[CourseState, Tensor]:  # type: ignore[override]
        state, observation = super().reset(tasks, rng)
        return (
            CourseState(
                *state, torch.zeros(len(tasks), dtype=torch.int64, device=state.position.device)
            ),
            observation,
        )

    def step(  # type: ignore[override]
        self, tasks: CourseTasks, state: CourseState, action: Tensor, rng: Generator
    ) -> Transition:
        moved = super().step(tasks, MujocoState(*state[:3]), action, rng)
        position, velocity, torso = moved.state
        # Drawn at each step: how much noise is drawn mustn't depend on clocks
        fresh = super().reset(tasks, rng)[0]
        clock = state.clock + 1
        layout = tasks.layout.cpu().numpy()
        stands = (
            clock % self.stand_every == 0
            if self.stand_every
            else torch.zeros_like(moved.terminated)
        ) & ~moved.terminated
        place = torch.where(
            stands[:, None],
            torch.from_numpy(self.layouts.with_room(layout, torso.cpu().numpy())).to(torso.device),
            torso,
        )
        reward = moved.reward
        # A step aside counts like any other, so that rewards add up to the way made
        if not self.sparse:
            reward = reward + torch.from_numpy(
                self._progress(tasks, torso.cpu().numpy(), place.cpu().numpy())
            ).to(reward)
        position = torch.where(
            stands[:, None], torch.cat([place, fresh.position[:, 2:]], 1), position
        )
        velocity = torch.where(stands[:, None], fresh.velocity, velocity)
        success = torch.from_numpy(self.layouts.in_goal(layout, place.cpu().numpy())).to(
            place.device
        )
        reached = CourseState(position, velocity, place, clock)
        return moved._replace(
            state=reached,
            observation=self._observe(tasks, position, velocity),
            reward=reward,
            success=success,
        )

    def upper_bound(self, tasks: CourseTasks, episodes: int) -> Tensor:
        if self.sparse:
            return torch.full_like(tasks.goal[:, 0], float(episodes * self.horizon))
        noise = self.robot.position_noise
        furthest = (tasks.goal.abs() + noise).sum(1)  # from a start on the far side
        return episodes * furthest / self.step_seconds

    def goals_of(self, tasks: CourseTasks) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in tasks.goal]

    def walls_of(self, tasks: CourseTasks) -> list[list[Wall]]:
        return [self.layouts.walls[i] for i in tasks.layout.tolist()]

    def render_path(self, tasks: CourseTasks, states: CourseState, moment: int) -> Tensor:
        """Return the walk from above, x to the right and y upwards, between the walls.

        The ant, and the goal in green.
        """
        low = self.layouts.low - 1
        high = self.layouts.high + 1
        return draw_walk(
            self.models.base,
            states.position,
            moment,
            self.goals_of(tasks)[0],
            low,
            high,
            self.walls_of(tasks)[0],
        )

    def _progress(self, tasks: CourseTasks, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """By how much `after` [n, 2] is nearer to the goal than `before`, along x and along y, for
        each second of a step: m/s.
        """
        goal = tasks.goal.cpu().numpy()
        nearer: np.ndarray = (np.abs(before - goal) - np.abs(after - goal)).sum(1)
        return nearer / self.step_seconds


def ant_obstacle(side: float = 6.0, stand_every: int = 200, horizon: int = 2000) -> AntCourse:
    """Return an ant that is paid only at the end of a course of walls, up and right in turn.

    | part | value |
    |---|---|
    | observation | Box(29): x, y and height (m), the torso's quaternion, 8 joint angles (rad), 14 velocities (m/s, rad/s) |
    | action | Box(8) in [-1, 1]: torques of 4 hips and 4 ankles, in units of 150 N m |
    | task | one course: from the start's square 1 up, 1 right, 1 up, 1 right, 1 up, 1 right to the goal's, of `side` m each |
    | reward | 1 for a step that ends in the goal's square, else 0 |
    | success | the step ended there |
    | start | in the middle of its square, standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | standing | after every `stand_every` steps of an episode: height, turn, joints and velocities as at a start, x and y kept, or, |
    | | nearer than 1.1 m to a wall, moved off it |
    | end | truncated at the horizon; terminated only if MuJoCo's integration breaks down |
    | splits | train, test: the one course (finite) |
    | optimum | not computable |
    | bound | the horizon, loose: the ant has to get there first |
    | versions | v0 |

    Walls are 50 m high, since ants jump, and stop the ant as the floor does. From the third number
    on, observations are those of AntTwoWalk-v0, so that what it taught can be used here.

    Source: Ant Obstacle of Frans et al. 2017 (MLSH, arXiv 1710.09767): a sparse reward, 2,000
        steps, a master that chooses every 200 among
    the sub-policies of Ant Twowalk; MLSH reached 193, a single policy 0. The paper gives no
    measures of its course; this one is ours, and so are scores not comparable with the paper's. The
    released code's (AntObstacles, AntObstaclesBig) are larger, open halls with two to five walls,
    in steps of 0.025 s, with a ball that runs after the ant, which ours leaves out; they too stand
    the ant up every 200 or 300 steps, at a step's beginning (ours at its end, so that the agent
    sees it), and without a look at walls.

    Args:
        side: of a square, in m, more than 2.2. stand_every: steps, or 0 for never. horizon: steps
            an episode, of 0.05 s each.

    Raises:
        ValueError: squares too small for an ant, a negative `stand_every`, a horizon below 1.
    """
    return AntCourse(
        "AntObstacle-v0",
        [COURSE],
        {"train": [0], "test": [0]},
        True,
        side,
        stand_every,
        horizon,
        {},
    )


def ant_maze(
    all_nine: bool = False, side: float = 6.0, stand_every: int = 200, horizon: int = 1000
) -> AntCourse:
    """Return an ant in one of nine mazes, with a goal that it isn't told.

    | part | value |
    |---|---|
    | observation | Box(29): x, y and height (m), the torso's quaternion, 8 joint angles (rad), 14 velocities (m/s, rad/s); not the goal |
    | action | Box(8) in [-1, 1]: torques of 4 hips and 4 ankles, in units of 150 N m |
    | task | which corridor of squares of `side` m: up; down; right, right; right, up; right, down; right, right, up; |
    | | right, right, down; up, right; down, right. The goal is its last square |
    | reward | by how much nearer to the goal's middle the step brought the ant, along x and along y together, a second (m/s) |
    | success | the step ended in the goal's square |
    | start | in the middle of its square, standing, positions ± 0.1 uniform, velocities normal with standard deviation 0.1 |
    | standing | after every `stand_every` steps of an episode: height, turn, joints and velocities as at a start, x and y kept, or, |
    | | nearer than 1.1 m to a wall, moved off it, which counts in the reward |
    | end | truncated at the horizon; terminated only if MuJoCo's integration breaks down |
    | splits | train: seven; test: up, right and down, right, the only ones that turn right; with `all_nine` both have all (finite) |
    | optimum | not computable |
    | bound | the way from the start to the goal's middle, for each task, loose: the ant has to get there within the horizon |
    | versions | v0 |

    A return × 0.05 s is by how much nearer the ant came, in m. No maze leads away from its goal.
    Nothing shows a wall, but where the ant gets to tells of the maze. Walls are as in
    AntObstacle-v0. From the third number on, observations are those of AntTwoWalk-v0.

    Source: the nine mazes of Frans et al. 2017 (MLSH, arXiv 1710.09767), all of which it trains on:
        1,000 steps, a master that chooses
    every 200. Corridors are those of the released code (AntObstaclesGen); its squares have 16 m,
    its steps 0.025 s, its reward a cost of 0.1 × squared action (ours none), and its goals lie at
    the far sides of their squares. How the nine are split is ours.

    Args:
        all_nine: train and test on all nine (finite). side: of a square, in m, more than 2.2.
            stand_every: steps, or 0 for never.
        horizon: steps an episode, of 0.05 s each.

    Raises:
        ValueError: squares too small for an ant, a negative `stand_every`, a horizon below 1.
    """
    numbers = {name: i for i, name in enumerate(MAZES)}
    train = [i for name, i in numbers.items() if all_nine or name not in FOR_TESTS]
    splits = {"train": train, "test": train if all_nine else [numbers[name] for name in FOR_TESTS]}
    return AntCourse(
        "AntMaze-v0",
        list(MAZES.values()),
        splits,
        False,
        side,
        stand_every,
        horizon,
        {"all_nine": all_nine},
    )
