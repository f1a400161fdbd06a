"""A maze drawn by hand, agents that follow a script, and small families for recordings."""

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch

from metarl.core.task_distribution import TaskDistribution, Tasks, Transition
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.layouts import parse_drawings

NORTH, EAST, SOUTH, WEST = range(4)
DRAWING = """
#######
#S    #
##### #
#   # #
# # # #
# #G  #
#######
"""  # the shortest path: east, east, south, south, west


class DrawnMaze(GridMaze):
    """The maze above, for every task."""

    def sample(self, n, split, seed):
        return parse_drawings([DRAWING] * n)


class Script:
    """Plays row i's actions one after the other, then stays with the last."""

    def __init__(self, rows):
        longest = max(map(len, rows))
        self.actions = torch.tensor([[*row, *[row[-1]] * (longest - len(row))] for row in rows])

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, dtype=torch.int64)

    def act(self, step, state, rng):
        return (
            self.actions.gather(1, state.clamp_max(self.actions.shape[1] - 1)[:, None])[:, 0],
            state + 1,
        )


@dataclass(frozen=True, eq=False)
class Numbers(Tasks):
    numbers: torch.Tensor


class Counting(TaskDistribution):
    """Shows nothing but a number that grows by 1, nested in tuples; ends at the task's."""

    id = "Counting-v0"
    horizon = 6

    def __init__(self):
        self.observation_space = gym.spaces.Discrete(100)
        self.action_space = gym.spaces.Discrete(2)

    def sample(self, n, split, seed):
        return Numbers(torch.arange(2, 2 + n))

    def reset(self, tasks, rng):
        zero = torch.zeros_like(tasks.numbers)
        return (zero, (zero,)), zero

    def step(self, tasks, state, action, rng):
        count = state[0] + 1
        ended = count == tasks.numbers
        return Transition((count, (count,)), count, count.float(), ended, ended)


class DrawnCounting(Counting):
    """The same with pictures: as many grey rows as the count."""

    id = "DrawnCounting-v0"

    def render(self, tasks, state):
        rows = torch.arange(8)[None, :, None, None] < state[1][0][:, None, None, None]
        return (255 - 128 * rows.expand(-1, 8, 6, 3)).to(torch.uint8)


class ImageCounting(Counting):
    """The same with images for observations: the count in every pixel."""

    id = "ImageCounting-v0"

    def __init__(self):
        super().__init__()
        self.observation_space = gym.spaces.Box(0, 255, (6, 8, 3), np.uint8)

    def reset(self, tasks, rng):
        state, shown = super().reset(tasks, rng)
        return state, self.image(shown)

    def step(self, tasks, state, action, rng):
        transition = super().step(tasks, state, action, rng)
        return transition._replace(observation=self.image(transition.observation))

    def image(self, count):
        return count[:, None, None, None].expand(-1, 6, 8, 3).to(torch.uint8)
